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

/// By what a file is known to be as it was: its size, its time, and whether somebody is making the report.
type Stamp = (u64, Option<SystemTime>, bool);

type Read = Result<Option<Arc<Report>>, String>;

/// What was read and computed; shared by the errands of one screen, of which one works at a time.
#[derive(Clone, Default)]
pub struct Cache(Arc<Mutex<Kept>>);

/// A comparison, and the reports that it is of: it counts as long as they are those in memory.
struct Compared {
    baseline: Arc<Report>,
    system: Arc<Report>,
    result: Result<Comparison, String>,
}

#[derive(Default)]
struct Kept {
    files: HashMap<PathBuf, (Stamp, Read)>,
    /// By the files of baseline and system.
    compared: HashMap<(PathBuf, PathBuf), Compared>,
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
    let being_made = reports::is_being_made(path);
    std::fs::metadata(path).map_or((0, None, being_made), |found| (found.len(), found.modified().ok(), being_made))
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
                Ok(Some(report)) => {
                    let being_made = stamp.2;
                    found.push(Found { path, run, report, being_made, comparison: None, is_baseline: false });
                }
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
        if let Some(known) = self.compared.get(&key)
            && Arc::ptr_eq(&known.baseline, base)
            && Arc::ptr_eq(&known.system, report)
        {
            return known.result.clone();
        }
        let result = compare(base, report).map_err(|e| e.to_string());
        let compared = Compared { baseline: base.clone(), system: report.clone(), result: result.clone() };
        self.compared.insert(key, compared);
        result
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::report::{AdapterName, Decoding, Ended, Header, ReportRow, SCHEMA, Subject};

    fn header(name: &str, adapter: &str) -> Header {
        let adapter = AdapterName { name: adapter.into(), step: None, sha256: None };
        let (split, split_sha256) = ("test".into(), "a".into());
        let subject = Subject {
            model: "m".into(),
            weights: None,
            adapter,
            split,
            split_sha256,
            decoding: Decoding::greedy(64, false),
        };
        Header { schema: SCHEMA, name: name.into(), subject, rows_total: 8, started_unix_ms: 0 }
    }

    fn row(row: u64) -> ReportRow {
        ReportRow {
            row,
            line: row + 1,
            prompt: "p".into(),
            hypothesis: format!("number {row} is a pub"),
            references: vec![format!("number {row} is a pub near the river")],
            bleu: 1.0,
            chrf: 1.0,
            prompt_tokens: 1,
            tokens: 4,
            ended: Ended::EndToken,
            duration_us: 1,
            elapsed_ms: row,
        }
    }

    fn write(run: &Path, name: &str, adapter: &str) -> PathBuf {
        let folder = run.join(reports::FOLDER);
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut report = Report::of(&header(name, adapter), (0..8).map(row).collect());
        report.rescore(&[Scored::Bleu]).expect("rows");
        reports::write(&folder, &report).expect("a report")
    }

    fn ask(run: &Path, anew: bool, cache: &Cache) -> Option<Reading> {
        let question = Question { run: run.into(), beside: None, baseline: None, anew };
        match read(7, &question, cache) {
            Message::ReportsRead { ticket: 7, reading } => reading.map(|reading| *reading),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reports_are_told_once_and_again_when_a_file_has_changed() {
        let place = tempfile::tempdir().expect("a place");
        let (run, cache) = (place.path(), Cache::default());
        assert!(ask(run, true, &cache).is_some_and(|reading| reading.reports.is_empty()));
        assert!(ask(run, false, &cache).is_none());
        write(run, "best", "best");
        let reading = ask(run, false, &cache).expect("another report");
        assert!(reading.reports.len() == 1 && reading.reports[0].comparison.is_none());
        write(run, "base", "none");
        std::fs::write(run.join("bleu/broken.json"), "{").expect("a file");
        let reading = ask(run, false, &cache).expect("another report");
        assert_eq!((reading.reports.len(), reading.problems.len()), (2, 1));
        let of = |name: &str| reading.reports.iter().find(|found| found.report.name == name).expect("a report");
        assert!(of("base").is_baseline && matches!(&of("best").comparison, Some(Ok(c)) if c.baseline == "base"));
        assert!(ask(run, false, &cache).is_none());
        assert!(ask(run, true, &cache).is_some(), "asked anew, all is told");
    }

    #[test]
    fn a_report_in_the_making_has_the_score_of_what_is_there_and_is_held_beside_nothing() {
        let place = tempfile::tempdir().expect("a place");
        let (run, cache) = (place.path(), Cache::default());
        write(run, "base", "none");
        let mut part = reports::Part::open(&run.join(reports::FOLDER), header("last", "last")).expect("a part");
        (0..3).for_each(|at| part.add(row(at)).expect("a row"));
        let reading = ask(run, true, &cache).expect("reports");
        let making = reading.reports.iter().find(|found| found.report.is_partial()).expect("a part");
        assert!(making.report.bleu().is_some() && making.comparison.is_none() && !making.is_baseline);
        assert!(making.being_made && reading.reports.iter().filter(|found| found.being_made).count() == 1);
        part.add(row(3)).expect("a row");
        let reading = ask(run, false, &cache).expect("one row more");
        assert!(reading.reports.iter().any(|found| found.report.rows.len() == 4));
        // Nobody else goes on with it meanwhile; once its maker is gone, that is told.
        let other = reports::Part::open(&run.join(reports::FOLDER), header("last", "last"));
        assert!(matches!(other, Err(reports::ReportError::Busy(_))));
        drop(part);
        let reading = ask(run, false, &cache).expect("nobody makes it");
        assert!(reading.reports.iter().all(|found| !found.being_made));
    }

    #[test]
    fn another_run_is_held_beside_this_ones_baseline_and_a_chosen_one_comes_first() {
        let place = tempfile::tempdir().expect("a place");
        let (run, other, cache) = (place.path().join("a"), place.path().join("b"), Cache::default());
        let (_, chosen) = (write(&run, "base", "none"), write(&run, "best", "best"));
        write(&other, "best", "best");
        let beside = Some((other, "b".to_owned()));
        let mut question = Question { run, beside, baseline: None, anew: true };
        let mut told = |baseline: Option<PathBuf>| {
            question.baseline = baseline;
            let reading = cache.kept().answer(&question).expect("reports");
            let last = reading.reports.last().expect("a report").clone();
            assert_eq!(last.run.as_deref(), Some("b"));
            last.comparison.expect("a comparison").expect("the same rows").baseline
        };
        assert_eq!((told(None), told(Some(chosen))), ("base".to_owned(), "best".to_owned()));
    }

    #[test]
    fn what_is_written_lies_beside_the_report_and_is_no_report() {
        let place = tempfile::tempdir().expect("a place");
        let (run, cache) = (place.path(), Cache::default());
        let (base, best) = (write(run, "base", "none"), write(run, "best", "best"));
        for (form, ending) in [(ExportForm::Html, "html"), (ExportForm::Csv, "csv"), (ExportForm::Json, "rows.jsonl")] {
            let written = export(&best, Some(&base), form, &cache).expect("written");
            assert_eq!(Path::new(&written), run.join(format!("bleu/best.{ending}")));
        }
        let page = std::fs::read_to_string(run.join("bleu/best.html")).expect("a page");
        assert!(page.contains("Beside base"));
        assert_eq!(reports::files(&run.join("bleu")).expect("files").len(), 2);
        // A report that calls itself something else is written under its file's name all the same.
        let evil =
            std::fs::read_to_string(&best).expect("a report").replacen("\"name\":\"best\"", "\"name\":\"../evil\"", 1);
        std::fs::write(run.join("bleu/other.json"), evil).expect("a file");
        let written = export(&run.join("bleu/other.json"), None, ExportForm::Csv, &cache).expect("written");
        assert_eq!(Path::new(&written), run.join("bleu/other.csv"));
        assert!(export(&run.join("bleu/none.json"), None, ExportForm::Csv, &cache).is_err());
    }
}
