//! `finetop bleu`: scores of files, line by line. What is scored is in `eval`; here are the options, the files and what is printed.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use rayon::prelude::*;
use serde::Serialize;

use super::{CliError, result};
use crate::eval::bleu::{Bleu, Smoothing};
use crate::eval::chrf::Chrf;
use crate::eval::significance::{self, BOOTSTRAP_SAMPLES, Paired, RANDOMISATION_TRIALS, SEED, Test};
use crate::eval::ter::Ter;
use crate::eval::tokenize::{Tokenizer, trim_end};
use crate::eval::{EvalError, Metric, Row, Running, Score};
use crate::units::printable;

#[derive(Debug, Args)]
pub struct BleuArguments {
    /// What was written, a line for each row; - is standard input
    #[arg(long, value_name = "FILE")]
    hyp: PathBuf,
    /// What could have been written, as many lines; several files are several references of each row
    #[arg(long = "ref", value_name = "FILE", required = true, num_args = 1..)]
    references: Vec<PathBuf>,
    /// One or more, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "bleu")]
    metric: Vec<Name>,
    /// BLEU: 13a, intl, zh, char, none
    #[arg(long, value_name = "T", default_value = "13a")]
    tokenize: String,
    /// BLEU: exp, floor, add-k, none
    #[arg(long, value_name = "M", default_value = "exp")]
    smooth_method: String,
    /// BLEU: the value of floor (0.1 by default) or add-k (1)
    #[arg(long, value_name = "V")]
    smooth_value: Option<f64>,
    /// BLEU: leave out the orders for which the hypotheses are too short
    #[arg(long)]
    effective_order: bool,
    /// BLEU and chrF: upper case counts as lower case (in TER it does so always)
    #[arg(long)]
    lowercase: bool,
    /// chrF: the order of word n-grams; 2 is chrF++
    #[arg(long, visible_alias = "chrf-word-order", value_name = "N", default_value_t = 0)]
    word_order: usize,
    /// chrF: the order of character n-grams
    #[arg(long, visible_alias = "chrf-char-order", value_name = "N", default_value_t = 6)]
    char_order: usize,
    /// chrF: how much more recall counts than precision
    #[arg(long, visible_alias = "chrf-beta", value_name = "N", default_value_t = 2)]
    beta: u32,
    /// chrF: count white space among the characters
    #[arg(long)]
    chrf_whitespace: bool,
    /// chrF: smooth as chrF++.py does, instead of leaving out empty orders
    #[arg(long)]
    chrf_eps_smoothing: bool,
    /// TER: cut off punctuation and resolve entities
    #[arg(long)]
    ter_normalized: bool,
    /// TER: remove punctuation
    #[arg(long)]
    ter_no_punct: bool,
    /// TER: treat Chinese and Japanese characters one by one (with the two above)
    #[arg(long)]
    ter_asian_support: bool,
    /// TER: upper case differs from lower case
    #[arg(long)]
    ter_case_sensitive: bool,
    /// The score of every line; BLEU with its effective order
    #[arg(long, conflicts_with_all = ["paired_bs", "paired_ar"])]
    sentence_level: bool,
    /// The bootstrap's 95 % confidence interval
    #[arg(long, conflicts_with_all = ["paired_bs", "paired_ar"])]
    confidence: bool,
    /// Samples of the confidence interval
    #[arg(long, value_name = "N", default_value_t = BOOTSTRAP_SAMPLES, value_parser = trials)]
    confidence_n: usize,
    /// Compare with a baseline by paired bootstrap
    #[arg(long, requires = "baseline", conflicts_with = "paired_ar")]
    paired_bs: bool,
    /// Compare with a baseline by paired approximate randomisation
    #[arg(long, requires = "baseline")]
    paired_ar: bool,
    /// Samples of the paired bootstrap
    #[arg(long, value_name = "N", default_value_t = BOOTSTRAP_SAMPLES, value_parser = trials)]
    paired_bs_n: usize,
    /// Trials of the paired approximate randomisation
    #[arg(long, value_name = "N", default_value_t = RANDOMISATION_TRIALS, value_parser = trials)]
    paired_ar_n: usize,
    /// What the baseline wrote, as many lines
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Of everything that is drawn
    #[arg(long, value_name = "N", default_value_t = SEED)]
    seed: u64,
    /// One JSON object for each metric
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    Bleu,
    Chrf,
    Ter,
}

/// A score and, of a paired test, what it found.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    score: Score,
    #[serde(skip_serializing_if = "Option::is_none")]
    paired: Option<Paired>,
}

impl From<EvalError> for CliError {
    fn from(e: EvalError) -> Self {
        CliError::Usage(e.to_string())
    }
}

pub fn bleu(arguments: BleuArguments) -> Result<(), CliError> {
    let one_kind_of_line = arguments.metric.len() == 1 && !arguments.confidence;
    if arguments.sentence_level && !arguments.json && !one_kind_of_line {
        let message =
            "--sentence-level prints the lines of one metric without --confidence; with --json it goes with both";
        return Err(CliError::Usage(message.into()));
    }
    let test = match () {
        () if arguments.paired_bs => Some((Test::Bootstrap, arguments.paired_bs_n)),
        () if arguments.paired_ar => Some((Test::Randomisation, arguments.paired_ar_n)),
        () if arguments.baseline.is_some() => {
            return Err(CliError::Usage("--baseline is for --paired-bs or --paired-ar".into()));
        }
        () => None,
    };
    let metrics = arguments.metric.iter().map(|name| arguments.metric(*name)).collect::<Result<Vec<_>, _>>()?;
    let keeps = test.is_some() || arguments.confidence;
    let running = || {
        metrics
            .iter()
            .map(|metric| Running::new(&**metric, keeps, arguments.sentence_level && arguments.json))
            .collect()
    };
    let (mut systems, mut baselines): (Vec<Running>, Vec<Running>) = (running(), running());
    read(&arguments, &mut systems, &mut baselines)?;
    let answers = systems
        .iter()
        .zip(&baselines)
        .map(|(system, baseline)| match test {
            Some((test, trials)) => significance::paired(baseline, system, test, trials, arguments.seed)
                .map(|(score, paired)| Answer { score, paired: Some(paired) }),
            None if arguments.confidence => significance::with_interval(system, arguments.confidence_n, arguments.seed)
                .map(|score| Answer { score, paired: None }),
            None => system.score().map(|score| Answer { score, paired: None }),
        })
        .collect::<Result<Vec<_>, _>>()?;
    print(&arguments, &answers)
}

impl BleuArguments {
    fn metric(&self, name: Name) -> Result<Box<dyn Metric>, EvalError> {
        Ok(match name {
            Name::Bleu => Box::new(Bleu {
                tokenizer: Tokenizer::named(&self.tokenize)?,
                smoothing: Smoothing::named(&self.smooth_method, self.smooth_value)?,
                lowercase: self.lowercase,
                effective_order: self.effective_order,
                ..Bleu::default()
            }),
            Name::Chrf => Box::new(
                Chrf {
                    char_order: self.char_order,
                    word_order: self.word_order,
                    beta: self.beta,
                    lowercase: self.lowercase,
                    whitespace: self.chrf_whitespace,
                    eps_smoothing: self.chrf_eps_smoothing,
                }
                .checked()?,
            ),
            Name::Ter => Box::new(Ter {
                normalized: self.ter_normalized,
                no_punct: self.ter_no_punct,
                asian_support: self.ter_asian_support,
                case_sensitive: self.ter_case_sensitive,
            }),
        })
    }
}

fn trials(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=10_000_000).contains(&number) => Ok(number),
        _ => Err("expected a whole number from 1 to 10000000".into()),
    }
}

/// Lines that are read before they are scored together: enough for all threads, and no more memory for a longer file.
const LINES_AT_A_TIME: usize = 4096;

/// Reads the files side by side and adds their rows; prints the lines of sentences as they come.
fn read(arguments: &BleuArguments, systems: &mut [Running], baselines: &mut [Running]) -> Result<(), CliError> {
    let paths = || [&arguments.hyp].into_iter().chain(&arguments.references).chain(&arguments.baseline);
    if paths().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(CliError::Usage("standard input (-) can be read once only".into()));
    }
    let mut files = paths().map(|path| Lines::open(path)).collect::<Result<Vec<_>, _>>()?;
    let references = 1..=arguments.references.len();
    loop {
        let batch = files.iter_mut().map(Lines::some).collect::<Result<Vec<_>, _>>()?;
        let rows = batch[0].len();
        if batch.iter().any(|lines| lines.len() != rows) {
            return Err(unequal(&mut files)?);
        }
        if rows == 0 {
            break;
        }
        let row = |hypotheses: usize, at: usize| Row {
            hypothesis: &batch[hypotheses][at],
            references: batch[references.clone()].iter().map(|lines| lines[at].as_str()).collect(),
        };
        let rows_of = |hypotheses| (0..rows).map(|at| row(hypotheses, at)).collect::<Vec<_>>();
        let system_rows = rows_of(0);
        for system in systems.iter_mut() {
            system.add(&system_rows)?;
        }
        if arguments.baseline.is_some() {
            let baseline_rows = rows_of(files.len() - 1);
            for baseline in baselines.iter_mut() {
                baseline.add(&baseline_rows)?;
            }
        }
        if arguments.sentence_level && !arguments.json && !print_sentences(systems, &system_rows)? {
            return Err(CliError::Told(0));
        }
    }
    if systems.iter().all(|system| system.sum().rows == 0) {
        return Err(CliError::Usage(format!("{} has no lines", name_of(&arguments.hyp))));
    }
    Ok(())
}

/// A line for each row, as sacrebleu's; false when nobody reads them any more.
fn print_sentences(systems: &[Running], rows: &[Row]) -> Result<bool, CliError> {
    let Some(metric) = systems.first().map(Running::metric) else { return Ok(true) };
    let lines: Vec<String> =
        rows.par_iter().map(|row| metric.sentence(&metric.row(row.hypothesis, &row.references)).line()).collect();
    result(lines.join("\n"))
}

/// Says how many lines each file has, once they have turned out to differ.
fn unequal(files: &mut [Lines]) -> Result<CliError, CliError> {
    for file in &mut *files {
        while !file.some()?.is_empty() {}
    }
    let expected = files[0].number;
    let wrong: Vec<String> = files
        .iter()
        .filter(|file| file.number != expected)
        .map(|file| {
            format!("{} has {} lines; expected {expected}, as many as {}", file.name, file.number, files[0].name)
        })
        .collect();
    Ok(CliError::Usage(wrong.join("\n")))
}

/// A text file, line by line.
struct Lines {
    name: String,
    reader: Box<dyn BufRead>,
    /// Lines read so far.
    number: u64,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, CliError> {
        let name = name_of(path);
        let reader: Box<dyn BufRead> = if path.as_os_str() == "-" {
            Box::new(io::stdin().lock())
        } else {
            Box::new(BufReader::new(File::open(path).map_err(|e| CliError::Usage(format!("{name}: {e}")))?))
        };
        Ok(Lines { name, reader, number: 0 })
    }

    /// The next lines, without the white space at their ends; none at the end of the file.
    fn some(&mut self) -> Result<Vec<String>, CliError> {
        let (mut lines, mut bytes) = (Vec::new(), Vec::new());
        while lines.len() < LINES_AT_A_TIME {
            bytes.clear();
            let wrong = |what: String| CliError::Usage(what);
            let read = self.reader.read_until(b'\n', &mut bytes).map_err(|e| wrong(format!("{}: {e}", self.name)))?;
            if read == 0 {
                break;
            }
            self.number += 1;
            let line = std::str::from_utf8(&bytes).map_err(|e| {
                wrong(format!(
                    "{}:{}: no UTF-8 from byte {} of the line on",
                    self.name,
                    self.number,
                    e.valid_up_to() + 1
                ))
            })?;
            lines.push(trim_end(line).to_string());
        }
        Ok(lines)
    }
}

fn name_of(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".into() } else { path.display().to_string() }
}

fn print(arguments: &BleuArguments, answers: &[Answer]) -> Result<(), CliError> {
    if arguments.sentence_level && !arguments.json {
        return Ok(());
    }
    for answer in answers {
        let line = if arguments.json {
            serde_json::to_string(answer).map_err(|e| CliError::Failed(e.to_string()))?
        } else if let Some(paired) = &answer.paired {
            table(arguments, &answer.score, paired)
        } else {
            answer.score.line()
        };
        if !result(line)? {
            break;
        }
    }
    Ok(())
}

/// Two systems, one below the other.
fn table(arguments: &BleuArguments, score: &Score, paired: &Paired) -> String {
    let interval = |ci: Option<crate::eval::Interval>| {
        ci.map_or_else(String::new, |ci| format!("μ = {:.1} ± {:.1}", ci.mean, ci.half_width))
    };
    let baseline = arguments.baseline.as_deref().map(name_of).unwrap_or_default();
    let names = [format!("Baseline: {}", printable(&baseline)), printable(&name_of(&arguments.hyp))];
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let row = |name: &str, score: f64, ci, rest: String| {
        format!("{name:<width$}  {score:>5.1}  {:<16}  {rest}", interval(ci)).trim_end().to_string()
    };
    let significant = if paired.p_value < 0.05 { "*" } else { "" };
    let verdict = format!("{:+.1}  p = {:.4}{significant}", paired.difference, paired.p_value);
    [
        format!("{}|{}", score.name, score.signature),
        row(&names[0], paired.baseline, paired.baseline_ci, String::new()),
        row(&names[1], score.score, score.ci, verdict),
    ]
    .join("\n")
}
