//! How long scoring takes within the process, texts in memory: `cargo bench --bench bleu -- THREADS METRIC HYP REF…` prints the best of five
//! in seconds. `tests/peer/bleu_speed.py` runs it beside sacrebleu. Without arguments a small text is scored, to see that it runs.

use std::time::Instant;
use std::{env, fs};

use finetop::eval::bleu::Bleu;
use finetop::eval::chrf::Chrf;
use finetop::eval::ter::Ter;
use finetop::eval::{Metric, Row, Running};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (threads, metric, texts) = match arguments.as_slice() {
        [threads, metric, files @ ..] if files.len() > 1 => {
            let texts = files.iter().map(|file| fs::read_to_string(file).expect("a text file")).collect();
            (threads.parse().expect("a number of threads"), metric.as_str(), texts)
        }
        _ => (0, "bleu", vec!["the cat sat on the mat\n".repeat(1000); 2]),
    };
    let metric: Box<dyn Metric> = match metric {
        "chrf" => Box::new(Chrf::default()),
        "chrf++" => Box::new(Chrf { word_order: 2, ..Chrf::default() }),
        "ter" => Box::new(Ter::default()),
        _ => Box::new(Bleu::default()),
    };
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().expect("the only pool");
    let lines: Vec<Vec<&str>> = texts.iter().map(|text: &String| text.lines().collect()).collect();
    let row = |at: usize| Row { hypothesis: lines[0][at], references: lines[1..].iter().map(|r| r[at]).collect() };
    let rows: Vec<Row> = (0..lines[0].len()).map(row).collect();
    let mut best = f64::INFINITY;
    let mut score = 0.0;
    for _ in 0..5 {
        let begin = Instant::now();
        let mut running = Running::new(&*metric, false, false);
        running.add(&rows).expect("rows with references");
        score = running.score().expect("at least one row").score;
        best = best.min(begin.elapsed().as_secs_f64());
    }
    println!("{best:.6} {score}");
}
