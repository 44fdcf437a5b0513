//! A file of rows that is worked through: how far it is, what the rows say together, and which of them are looked at.

use std::path::{Path, PathBuf};

use super::trial::{RowsTried, Settings, TrialAsk, Who};
use crate::extract::report::{Report, RowResult, Summary};
use crate::extract::schema::Schema;
use crate::ui::state::field::Field;

/// From so many rows on the traces of those that passed are not kept: nobody opens them all, and each may be long.
const MOST_TRACES: usize = 2_000;

/// A part of the page that can have the keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Part {
    /// What the rows say together.
    Together,
    /// The list.
    #[default]
    Rows,
    /// The selected row beside what is right.
    Expected,
}

#[derive(Debug, Clone)]
pub struct Batch {
    /// The file's path, as it is typed.
    pub path: Field,
    /// The path is being typed.
    pub typing: bool,
    /// Rows in all, once the file was read.
    pub total: Option<u64>,
    pub summary: Summary,
    rows: Vec<RowResult>,
    /// Places of the rows that failed.
    failing: Vec<usize>,
    /// All rows are listed, not only those that failed.
    pub all: bool,
    /// The place in the list.
    pub selected: usize,
    part: Part,
    /// Lines that the part with the keys is scrolled by.
    pub scroll: u16,
    /// Rows whose right value cannot be read, and the first of them with why.
    pub unread: u64,
    pub first_unread: Option<(u64, String)>,
    pub began_ms: u64,
    /// When the first row was asked, and when all was over: the time of rows that are asked together is no sum of theirs.
    asked_ms: Option<u64>,
    ended_ms: Option<u64>,
    /// It was worked through, as far as that went.
    pub ended: bool,
    pub cancelled: bool,
    /// Why the rows could not be asked, or not all of them.
    pub failure: Option<String>,
    /// How the rows were asked.
    asked: Option<Box<TrialAsk>>,
    /// The file of an earlier trial: what its rows said together is known, the rows are not.
    pub earlier: Option<PathBuf>,
    /// The file that their report stands in.
    pub written: Option<PathBuf>,
}

impl Default for Batch {
    fn default() -> Self {
        Batch {
            path: Field::default(),
            typing: false,
            total: None,
            summary: Summary::new(),
            rows: Vec::new(),
            failing: Vec::new(),
            all: false,
            selected: 0,
            part: Part::default(),
            scroll: 0,
            unread: 0,
            first_unread: None,
            began_ms: 0,
            asked_ms: None,
            ended_ms: None,
            ended: false,
            cancelled: false,
            failure: None,
            asked: None,
            earlier: None,
            written: None,
        }
    }
}

impl Batch {
    pub(super) fn begin(&mut self, now_ms: u64, ask: TrialAsk) {
        let (path, all) = (std::mem::take(&mut self.path), self.all);
        *self = Batch { path, all, began_ms: now_ms, asked: Some(Box::new(ask)), ..Batch::default() };
    }

    /// The file of an earlier trial, to be run again, with what came of it.
    pub(super) fn recalled(&self, tried: &RowsTried) -> Self {
        Batch {
            path: Field::new(tried.file.display().to_string()),
            all: self.all,
            total: Some(tried.total),
            summary: tried.summary.clone(),
            ended: true,
            earlier: Some(tried.file.clone()),
            ..Batch::default()
        }
    }

    /// The path that was typed is dropped where rows of another file are shown: it would stand above what is not its own.
    pub(in crate::ui) fn leave_path(&mut self) {
        self.typing = false;
        let asked = self.asked.as_ref().and_then(|ask| ask.rows.as_ref());
        if let Some(rows) = asked.or(self.earlier.as_ref()) {
            self.path = Field::new(rows.display().to_string());
        }
    }

    /// `why` where it could not go on.
    pub(super) fn end(&mut self, cancelled: bool, why: Option<&String>) {
        (self.ended, self.cancelled) = (true, cancelled);
        self.failure = why.cloned();
        // A file that could not be read is mostly one that is named wrong: what is typed next belongs to its name.
        self.typing |= why.is_some() && self.total.is_none() && !cancelled;
    }

    pub(super) fn add(&mut self, mut row: RowResult) {
        self.summary.add(&row);
        if let Some(why) = &row.gold_error {
            self.unread += 1;
            self.first_unread.get_or_insert_with(|| (row.row, why.clone()));
        }
        if fails(&row) {
            self.failing.push(self.rows.len());
        } else if self.rows.len() >= MOST_TRACES {
            row.trace = None;
        }
        self.rows.push(row);
    }

    /// A model is asked from now on.
    pub(in crate::ui) fn asked_at(&mut self, now_ms: u64) {
        self.asked_ms.get_or_insert(now_ms);
    }

    pub(in crate::ui) fn ended_at(&mut self, now_ms: u64) {
        self.ended_ms = Some(now_ms);
    }

    /// Seconds by the clock since the first row was asked, and rows a second; none where no row was asked, or it is not known when.
    pub fn pace(&self, now_ms: u64) -> Option<(f64, Option<f64>)> {
        let seconds = self.ended_ms.unwrap_or(now_ms).saturating_sub(self.asked_ms?) as f64 / 1e3;
        let rate = (seconds > 0.0 && self.done() > 0).then(|| self.done() as f64 / seconds);
        Some((seconds, rate))
    }

    pub fn done(&self) -> usize {
        self.rows.len()
    }

    /// Rows that were asked, of an earlier trial too.
    pub fn told(&self) -> u64 {
        self.summary.passed.of
    }

    /// Whether it ended before its last row.
    pub fn is_stopped(&self) -> bool {
        self.ended && self.total.is_none_or(|total| self.told() < total)
    }

    /// Whether there are rows that stand in no report: what they say together is kept as a trial, they are not.
    pub fn is_unsaved(&self) -> bool {
        self.done() > 0 && self.written.is_none()
    }

    /// How the rows are, or were, asked.
    pub fn settings<'a>(&'a self, next: &'a Settings) -> &'a Settings {
        self.asked.as_ref().map_or(next, |ask| &ask.settings)
    }

    pub fn failed(&self) -> usize {
        self.failing.len()
    }

    /// The file that the report goes to: beside the rows, whatever path is being typed now. `d/test.jsonl` gives `d/test.report.json`.
    pub fn report_path(&self) -> Option<PathBuf> {
        let rows = self.asked.as_ref()?.rows.as_ref()?;
        let name = rows.file_stem().unwrap_or_default().to_string_lossy();
        Some(rows.with_file_name(format!("{name}.report.json")))
    }

    /// What `finetop extract --file --report` writes, of the rows so far and without their traces; none before the first row.
    pub fn report(&self) -> Option<Report> {
        let ask = self.asked.as_ref().filter(|_| self.done() > 0)?;
        let settings = &ask.settings;
        let provider = match settings.who {
            Who::Local => "local",
            Who::Run => "run",
            Who::Openai => "openai",
            Who::Given => "given",
        };
        let adapter = match settings.who {
            Who::Local => settings.adapter.folder.as_deref(),
            // The run's own, as it is: its folder, in which the trials are kept.
            Who::Run => ask.place.parent().and_then(Path::parent),
            Who::Openai | Who::Given => None,
        };
        let schema = Schema::parse(&ask.schema).map(|schema| schema.document().clone());
        Some(Report {
            summary: self.summary.clone(),
            provider: provider.to_owned(),
            model: if settings.who == Who::Openai { &settings.server_model } else { &settings.model }.clone(),
            adapter: adapter.map(|folder| folder.display().to_string()),
            constrained: settings.constrained && settings.who != Who::Given,
            fix_mode: settings.fix_mode,
            max_retries: settings.max_retries,
            prompt: ask.prompt.clone(),
            // It was read before the rows were asked.
            json_schema: schema.unwrap_or_default(),
            rows_total: self.total.unwrap_or(self.done() as u64),
            stopped: self.failure.clone().or_else(|| self.cancelled.then(|| "cancelled".to_owned())),
            rows: self.rows.iter().map(|row| RowResult { trace: None, ..row.clone() }).collect(),
        })
    }

    /// How many rows are listed.
    pub fn len(&self) -> usize {
        if self.all { self.rows.len() } else { self.failing.len() }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A row of the list.
    pub fn row(&self, at: usize) -> Option<&RowResult> {
        if self.all { self.rows.get(at) } else { self.rows.get(*self.failing.get(at)?) }
    }

    pub(in crate::ui) fn move_by(&mut self, by: isize) {
        let last = self.len().saturating_sub(1);
        self.selected = self.selected.min(last).saturating_add_signed(by).min(last);
    }

    pub(in crate::ui) fn show_all(&mut self, all: bool) {
        // The row that was selected stays it; one that did not fail is no more listed, and the next that did takes its place.
        let place = if self.all { Some(self.selected) } else { self.failing.get(self.selected).copied() };
        self.all = all;
        let place = place.unwrap_or(0);
        self.selected = if all { place } else { self.failing.partition_point(|&failing| failing < place) };
        self.selected = self.selected.min(self.len().saturating_sub(1));
    }

    /// Whether there is something right to hold the selected row against.
    pub fn knows(&self) -> bool {
        self.done() > 0 && (self.summary.exact.of > 0 || self.unread > 0)
    }

    /// The part that has the keys.
    pub fn part(&self) -> Part {
        if self.part == Part::Expected && !self.knows() { Part::Rows } else { self.part }
    }

    pub(in crate::ui) fn set_part(&mut self, part: Part) {
        (self.part, self.scroll) = (part, 0);
    }

    pub(in crate::ui) fn turn_part(&mut self, by: isize) {
        let parts: &[Part] = match self.knows() {
            true => &[Part::Together, Part::Rows, Part::Expected],
            false => &[Part::Together, Part::Rows],
        };
        let at = parts.iter().position(|part| *part == self.part()).unwrap_or(0) as isize;
        self.set_part(parts[(at + by).rem_euclid(parts.len() as isize) as usize]);
    }
}

/// Whether a row has no value, or a wrong one.
pub fn fails(row: &RowResult) -> bool {
    !row.ok || row.exact == Some(false)
}
