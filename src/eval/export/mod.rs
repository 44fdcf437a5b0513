//! Reports for other programs and for people without a terminal, as text: rows as CSV in `csv`, the whole as one page for a browser in `html`.
//! No files here: who writes them is `app`.

pub mod csv;
pub mod html;

use super::report::{Ended, Report};

/// The rows as the report has them, one JSON object a line.
pub fn json_lines(report: &Report) -> String {
    let mut text = String::new();
    for row in &report.rows {
        // Numbers and text only: nothing of a row can fail to be written.
        text.push_str(&serde_json::to_string(row).unwrap_or_default());
        text.push('\n');
    }
    text
}

/// What ended a row, as the report's own file says it.
fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::EndToken => "end_token",
        Ended::StopString => "stop_string",
        Ended::MaxNewTokens => "max_new_tokens",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::report::{AdapterName, Decoding, Header, ReportRow, SCHEMA, Scored, Subject};

    /// Three rows, one of which is hostile to pages and tables.
    pub fn report() -> Report {
        let adapter = AdapterName { name: "best".into(), step: Some(120), sha256: None };
        let decoding = Decoding::greedy(64, false);
        let subject = Subject {
            model: "m<1>".into(),
            weights: None,
            adapter,
            split: "test".into(),
            split_sha256: "0".into(),
            decoding,
        };
        let header = Header {
            schema: SCHEMA,
            name: "test-best".into(),
            subject,
            rows_total: 3,
            started_unix_ms: 1_777_888_800_000,
        };
        let row = |row: u64, hypothesis: &str, references: &[&str], bleu: f64| ReportRow {
            row,
            line: row + 1,
            prompt: format!("p {row}"),
            hypothesis: hypothesis.into(),
            references: references.iter().map(|&r| r.into()).collect(),
            bleu,
            chrf: 3.5,
            prompt_tokens: 4,
            tokens: 5,
            ended: Ended::MaxNewTokens,
            duration_us: 1_000,
            elapsed_ms: row,
        };
        let rows = vec![
            row(0, "a pub by the river", &["a pub by the river"], 100.0),
            row(1, "</script><script>alert(1)</script>", &["nothing"], 0.0),
            row(2, "<b>\"x\"</b>, y", &["one", "two & three"], 0.0),
        ];
        let mut report = Report::of(&header, rows);
        report.rescore(&[Scored::Bleu, Scored::Chrf]).expect("scores");
        report
    }

    #[test]
    fn rows_as_lines_read_back_as_they_were() {
        let report = report();
        let read: Vec<ReportRow> =
            json_lines(&report).lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
        assert_eq!(read, report.rows);
    }
}
