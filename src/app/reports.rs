//! The reports of a run for the tab BLEU: found, read, scored while they are being made, held beside each other, written for others. What was
//! read stays in memory as long as its file is as it was. Each call comes on a thread of `session`.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::disk::write_atomically;
use crate::eval::compare::same_data;
use crate::eval::export::{csv, html, json_lines};
use crate::eval::report::{Comparison, Report, Scored, compare};
use crate::run::reports;
use crate::ui::state::bleu::{Found, Question, Reading};
use crate::ui::{ExportForm, Message};

/// By what a file is known to be as it was.
type Stamp = (u64, Option<SystemTime>);

type Read = Result<Option<Arc<Report>>, String>;

/// What was read and computed; shared by the errands of one screen, of which one works at a time.
#[derive(Clone, Default)]
pub struct Cache(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    files: HashMap<PathBuf, (Stamp, Read)>,
    /// By the two files; a comparison counts as long as both reports are those in memory.
    compared: HashMap<(PathBuf, PathBuf), (Arc<Report>, Arc<Report>, Result<Comparison, String>)>,
    /// The files of the last answer, and what was asked.
    told: Option<(Question, Vec<(PathBuf, Stamp)>)>,
}

impl Cache {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer to a question for reports: none where nothing has changed since the last one.
pub fn read(ticket: u64, question: &Question, cache: &Cache) -> Message {
    let reading = cache.kept().answer(question).map(Box::new);
    Message::ReportsRead { ticket, reading }
}

/// A report as its file is now.
/// # Errors
/// Why it cannot be read, for a person.
pub fn one(path: &Path, cache: &Cache) -> Result<Arc<Report>, String> {
    let read = cache.kept().read(path, stamp(path))?;
    read.ok_or_else(|| format!("{}: nothing whole in it yet", path.display()))
}

/// A report beside another one.
/// # Errors
/// Why they cannot be compared, for a person.
pub fn beside(baseline: &Path, system: &Path, cache: &Cache) -> Result<(Arc<Report>, Comparison), String> {
    let mut kept = cache.kept();
    let read = |kept: &mut Kept, path: &Path| {
        let read = kept.read(path, stamp(path))?;
        read.ok_or_else(|| format!("{}: nothing whole in it yet", path.display()))
    };
    let (a, b) = (read(&mut kept, baseline)?, read(&mut kept, system)?);
    kept.compare((baseline, &a), (system, &b)).map(|comparison| (a, comparison))
}

fn stamp(path: &Path) -> Stamp {
    std::fs::metadata(path).map_or((0, None), |found| (found.len(), found.modified().ok()))
}

impl Kept {
    fn answer(&mut self, question: &Question) -> Option<Reading> {
        let mut problems = Vec::new();
        let folders = [(&question.run, None)].into_iter();
        let folders = folders.chain(question.beside.iter().map(|(folder, name)| (folder, Some(name.clone()))));
        let mut files: Vec<(PathBuf, Stamp, Option<String>)> = Vec::new();
        for (folder, run) in folders {
            match reports::files(&folder.join(reports::FOLDER)) {
                Ok(found) => files.extend(found.into_iter().map(|path| (path.clone(), stamp(&path), run.clone()))),
                Err(e) => problems.push(e.to_string()),
            }
        }
        files.sort_by(|a, b| a.0.cmp(&b.0));
        let stamps: Vec<(PathBuf, Stamp)> = files.iter().map(|(path, stamp, _)| (path.clone(), *stamp)).collect();
        let asked = Question { anew: false, ..question.clone() };
        let told = (asked, stamps);
        if !question.anew && self.told.as_ref() == Some(&told) {
            return None;
        }
        // What is asked for no more need not stay.
        self.files.retain(|path, _| told.1.iter().any(|(there, _)| there == path));
        self.compared.retain(|(a, b), _| [a, b].iter().all(|path| told.1.iter().any(|(there, _)| there == *path)));
        self.told = Some(told);
        let mut found = Vec::new();
        for (path, stamp, run) in files {
            match self.read(&path, stamp) {
                Ok(Some(report)) => found.push(Found { path, run, report, comparison: None, is_baseline: false }),
                Ok(None) => {}
                Err(why) => problems.push(why),
            }
        }
        found.sort_by(|a, b| {
            let newest = b.report.created_unix_ms.cmp(&a.report.created_unix_ms);
            a.run.is_some().cmp(&b.run.is_some()).then(newest).then_with(|| a.path.cmp(&b.path))
        });
        self.hold_beside(&mut found, question.baseline.as_deref());
        Some(Reading { reports: found, problems })
    }

    /// Reads a file, unless it is as it was. Of a report in the making the scores of what is there are computed.
    fn read(&mut self, path: &Path, stamp: Stamp) -> Read {
        if let Some((_, read)) = self.files.get(path).filter(|(then, _)| *then == stamp) {
            return read.clone();
        }
        let read = reports::read_file(path).map_err(|e| e.to_string()).map(|report| {
            report.map(|mut report| {
                if report.is_partial() && !report.rows.is_empty() {
                    // A row without a reference leaves the part without a score, which shows.
                    let _ = report.rescore(&[Scored::Bleu]);
                }
                Arc::new(report)
            })
        });
        self.files.insert(path.to_owned(), (stamp, read.clone()));
        read
    }

    /// Each report beside the baseline of its data: the chosen one, else the newest whole one of the base model in the run itself, else
    /// that of the other run.
    fn hold_beside(&mut self, found: &mut [Found], chosen: Option<&Path>) {
        let base = |found: &[Found], at: usize| {
            let same = |other: &&Found| !other.report.is_partial() && same_data(&other.report, &found[at].report);
            let mut others = found.iter().filter(same);
            let is_chosen = |other: &&Found| Some(other.path.as_path()) == chosen;
            let is_base = |other: &&Found| other.report.subject.adapter.name == "none";
            let other = others.clone().find(is_chosen).or_else(|| others.find(is_base))?;
            Some((other.path.clone(), other.report.clone()))
        };
        let bases: Vec<_> = (0..found.len()).map(|at| base(found, at)).collect();
        for (at, base) in bases.into_iter().enumerate() {
            let Some((path, report)) = base else { continue };
            let this = &mut found[at];
            if path == this.path {
                this.is_baseline = true;
            } else if !this.report.is_partial() {
                this.comparison = Some(self.compare((&path, &report), (&this.path, &this.report)));
            }
        }
    }

    fn compare(
        &mut self,
        (base_path, base): (&Path, &Arc<Report>),
        (path, report): (&Path, &Arc<Report>),
    ) -> Result<Comparison, String> {
        let key = (base_path.to_owned(), path.to_owned());
        if let Some((a, b, comparison)) = self.compared.get(&key)
            && Arc::ptr_eq(a, base)
            && Arc::ptr_eq(b, report)
        {
            return comparison.clone();
        }
        let comparison = compare(base, report).map_err(|e| e.to_string());
        self.compared.insert(key, (base.clone(), report.clone(), comparison.clone()));
        comparison
    }
}

/// Writes a report beside its own file; the file comes back.
/// # Errors
/// Why it could not be written, for a person.
pub fn export(path: &Path, baseline: Option<&Path>, form: ExportForm, cache: &Cache) -> Result<String, String> {
    let report = one(path, cache)?;
    // Without a baseline that it can be held beside, the report stands by itself.
    let compared = baseline.and_then(|baseline| beside(baseline, path, cache).ok());
    let (ending, text) = match form {
        ExportForm::Html => ("html", html::page(&report, compared.as_ref().map(|(_, comparison)| comparison))),
        ExportForm::Csv => ("csv", csv::rows(&report)),
        ExportForm::Json => ("rows.jsonl", json_lines(&report)),
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let file = folder.join(format!("{}.{ending}", report.name));
    let written = write_atomically(&file, |out| out.write_all(text.as_bytes()));
    written.map(|()| file.display().to_string()).map_err(|e| format!("{}: {e}", file.display()))
}
