//! Two reports beside each other: how much better one system is than the other on the same rows. The test behind the p-value lives in
//! `significance`; what a report is, in `report`.

use super::bleu::Bleu;
use super::report::{Report, Scored};
use super::significance::{self, BOOTSTRAP_SAMPLES, SEED, Test};
use super::{EvalError, Metric, Running};

/// Why two reports cannot be held beside each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    #[error("they are of different data ({baseline} and {system})")]
    OtherData { baseline: String, system: String },
    #[error("they do not have the same rows ({baseline} and {system})")]
    OtherRows { baseline: u64, system: u64 },
    #[error(transparent)]
    Scores(#[from] EvalError),
}

/// A system beside its baseline, over the same rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Names of the reports.
    pub baseline: String,
    pub system: String,
    pub rows: u64,
    /// Of the baseline and of the system.
    pub bleu: (f64, f64),
    pub chrf: (f64, f64),
    /// BLEU of the system less that of the baseline.
    pub difference: f64,
    /// How likely a difference of BLEU as large as this one is where there is none: paired bootstrap, as sacrebleu's.
    pub p_value: Option<f64>,
}

/// Below this a difference is taken for one.
pub const SIGNIFICANT: f64 = 0.05;

impl Comparison {
    /// Whether the difference is more than chance, as far as that is known.
    pub fn is_significant(&self) -> bool {
        self.p_value.is_some_and(|p| p < SIGNIFICANT)
    }
}

/// Whether both are of the same split, whatever its file is called.
pub fn same_data(a: &Report, b: &Report) -> bool {
    a.subject.split_sha256 == b.subject.split_sha256
}

/// Compares two whole reports of the same data.
/// # Errors
/// Other data, other rows, or rows that cannot be scored.
pub fn compare(baseline: &Report, system: &Report) -> Result<Comparison, CompareError> {
    if !same_data(baseline, system) {
        let (baseline, system) = (baseline.subject.split.clone(), system.subject.split.clone());
        return Err(CompareError::OtherData { baseline, system });
    }
    let same_rows = baseline.rows.len() == system.rows.len()
        && baseline.rows.iter().zip(&system.rows).all(|(a, b)| a.row == b.row && a.references == b.references);
    if !same_rows || baseline.is_partial() || system.is_partial() {
        let rows = |report: &Report| report.rows.len() as u64;
        return Err(CompareError::OtherRows { baseline: rows(baseline), system: rows(system) });
    }
    let metric = Bleu::default();
    let (of_baseline, of_system) = (kept(&metric, baseline)?, kept(&metric, system)?);
    let (score_of_system, paired) =
        significance::paired(&of_baseline, &of_system, Test::Bootstrap, BOOTSTRAP_SAMPLES, SEED)?;
    let chrf = (score(baseline, "chrF2", Scored::Chrf)?, score(system, "chrF2", Scored::Chrf)?);
    Ok(Comparison {
        baseline: baseline.name.clone(),
        system: system.name.clone(),
        rows: system.rows.len() as u64,
        bleu: (paired.baseline, score_of_system.score),
        chrf,
        difference: paired.difference,
        // The test counts samples above the difference: of equals there are none above, and it would be sure of them.
        p_value: Some(if paired.difference == 0.0 { 1.0 } else { paired.p_value }),
    })
}

/// The statistics of a report's rows, for samples to be drawn from.
fn kept<'a>(metric: &'a dyn Metric, report: &Report) -> Result<Running<'a>, EvalError> {
    let mut running = Running::new(metric, true, false);
    running.add(&report.pairs())?;
    Ok(running)
}

/// As the report has it, or computed where it was not asked for.
fn score(report: &Report, name: &str, scored: Scored) -> Result<f64, EvalError> {
    if let Some(known) = report.score(name) {
        return Ok(known.score);
    }
    let metric = scored.metric();
    let mut running = Running::new(&*metric, false, false);
    running.add(&report.pairs())?;
    Ok(running.score()?.score)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::report::{AdapterName, Decoding, Ended, Header, ReportRow, SCHEMA, Subject};

    /// A report in which so many of 60 rows are as their reference.
    fn report(name: &str, split_sha256: &str, good: u64) -> Report {
        let adapter = AdapterName { name: "none".into(), step: None, sha256: None };
        let (split, split_sha256) = ("test".into(), split_sha256.into());
        let subject = Subject {
            model: "m".into(),
            weights: None,
            adapter,
            split,
            split_sha256,
            decoding: Decoding::greedy(64, false),
        };
        let header = Header { schema: SCHEMA, name: name.into(), subject, rows_total: 60, started_unix_ms: 0 };
        let row = |row: u64| {
            let reference = format!("number {row} is a pub near the river that serves food");
            let hypothesis = if row < good { reference.clone() } else { format!("number {row} is near the sea") };
            let (prompt, references) = (String::new(), vec![reference]);
            let (bleu, chrf, prompt_tokens, tokens) = (0.0, 0.0, 1, 1);
            let (ended, duration_us, elapsed_ms) = (Ended::EndToken, 1, 1);
            ReportRow {
                row,
                line: row + 1,
                prompt,
                hypothesis,
                references,
                bleu,
                chrf,
                prompt_tokens,
                tokens,
                ended,
                duration_us,
                elapsed_ms,
            }
        };
        Report::of(&header, (0..60).map(row).collect())
    }

    #[test]
    fn a_better_system_is_significantly_better_and_the_other_way_round_as_much_worse() {
        let (base, best) = (report("base", "a", 5), report("best", "a", 50));
        let (up, down) = (compare(&base, &best).expect("rows"), compare(&best, &base).expect("rows"));
        assert!(up.difference > 10.0 && up.is_significant(), "{up:?}");
        assert!((up.difference + down.difference).abs() < 1e-9 && up.p_value == down.p_value);
        assert_eq!((up.bleu.0, up.bleu.1), (down.bleu.1, down.bleu.0));
        assert!(up.chrf.1 > up.chrf.0 && up.rows == 60);
    }

    #[test]
    fn a_system_beside_its_equal_is_no_better() {
        let base = report("base", "a", 5);
        let same = compare(&base, &base).expect("rows");
        assert!(same.difference == 0.0 && same.p_value == Some(1.0) && !same.is_significant(), "{same:?}");
    }

    #[test]
    fn other_data_other_rows_and_parts_are_refused() {
        let base = report("base", "a", 5);
        assert!(matches!(compare(&base, &report("best", "b", 50)), Err(CompareError::OtherData { .. })));
        let mut part = report("best", "a", 50);
        part.rows.pop();
        assert!(matches!(compare(&base, &part), Err(CompareError::OtherRows { baseline: 60, system: 59 })));
        let mut other = report("best", "a", 50);
        other.rows[3].references[0].push('!');
        assert!(matches!(compare(&base, &other), Err(CompareError::OtherRows { .. })));
    }
}
