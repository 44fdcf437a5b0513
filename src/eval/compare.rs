//! Two reports beside each other: how much better one system is than the other on the same rows. The test behind the p-value lives in
//! `significance`; what a report is, in `report`.

use super::report::{Report, Scored};
use super::{EvalError, Running};

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
    let bleu = (score(baseline, "BLEU", Scored::Bleu)?, score(system, "BLEU", Scored::Bleu)?);
    let chrf = (score(baseline, "chrF2", Scored::Chrf)?, score(system, "chrF2", Scored::Chrf)?);
    Ok(Comparison {
        baseline: baseline.name.clone(),
        system: system.name.clone(),
        rows: system.rows.len() as u64,
        bleu,
        chrf,
        difference: bleu.1 - bleu.0,
        p_value: None,
    })
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
