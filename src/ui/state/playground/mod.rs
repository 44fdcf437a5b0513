//! The playground, a tab of a run or a page by itself: what is typed and turned, which panel has the keys, what came of the last trial. Settings
//! are rows in `settings`, a trial is data in `trial`, one being made is `making`'s, what is wrong with the schema `flaw`'s, a file of rows is
//! worked through in `batch`, `examples` has what to begin with. Keys are in `update::playground`.

pub mod batch;
pub mod examples;
mod flaw;
mod making;
pub mod settings;
pub mod trial;

use std::path::PathBuf;

use crate::config::ExtractConfig;
use crate::extract::attempt::Trace;
use crate::extract::prompt;
use crate::extract::provider::Price;
use crate::ui::state::editor::Editor;
use crate::ui::state::field::Field;

use batch::Batch;
use examples::{EXAMPLES, Example, SCHEMAS};
pub use flaw::Flaw;
pub use making::{Hold, Phase, Running};
use settings::Row;
use trial::{Compare, Finds, Outcome, Settings, Trial, Who};

/// So many trials are listed.
pub const MOST_TRIALS: usize = 200;

/// A panel that can have the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    Prompt,
    PromptB,
    Text,
    Schema,
    Settings,
    Attempts,
    /// The selected attempt, whole.
    Detail,
    Value,
}

/// What takes the place of the panels.
#[derive(Debug, Clone, PartialEq)]
pub enum Page {
    Panels,
    Examples {
        selected: usize,
    },
    /// The newest first.
    Trials {
        selected: usize,
    },
    Rows,
}

#[derive(Debug, Clone)]
pub struct Playground {
    /// It is shown although there is no run.
    pub open: bool,
    pub prompt: Editor,
    pub prompt_b: Editor,
    pub text: Editor,
    pub schema: Editor,
    /// Of the schema's text, when it was put in: another one has been edited.
    schema_revision: u64,
    flaw: Option<Flaw>,
    /// Of the schema's text that was looked at for it.
    flaw_revision: Option<u64>,
    pub settings: Settings,
    /// The selected row of the settings.
    pub row: Row,
    /// A setting's value that is being typed, and what is wrong with it.
    pub field: Option<(Field, Option<&'static str>)>,
    pub focus: Focus,
    /// Letters go into the text that has the keys.
    pub typing: bool,
    pub page: Page,
    pub finds: Finds,
    /// Whether was looked for what the tab chooses from, since something may have changed.
    pub(in crate::ui) looked: bool,
    /// Of the newest question for what there is to choose from.
    pub(in crate::ui) look_ticket: u64,
    /// Of the newest trial.
    pub(in crate::ui) ticket: u64,
    pub running: Option<Running>,
    pub(in crate::ui) hold: Hold,
    /// What came of the last trial, so far.
    pub outcomes: Vec<Outcome>,
    /// Of the texts that those came of.
    asked_with: [u64; 4],
    /// Which of two outcomes is looked at.
    pub side: usize,
    /// The selected attempt of it.
    pub attempt: usize,
    /// It follows what comes.
    pub follows: bool,
    pub scroll: u16,
    /// What is being written is read at its end, until a person scrolls away from it.
    pub at_end: bool,
    /// Why the last trial could not be made.
    pub failure: Option<String>,
    pub batch: Batch,
    /// What is shown was opened out of the rows.
    pub(in crate::ui) from_rows: bool,
    /// The text of that row, by the row's name, until a person goes back to their own.
    pub row_text: Option<(String, Editor)>,
    /// Of the texts, when they were put in, or given to a trial.
    settled: [u64; 4],
    /// Whether the model was put in by a person.
    model_typed: bool,
    /// The configuration's section that the settings began with.
    extract: ExtractConfig,
    /// Its files have not been put in yet.
    awaits_files: bool,
    /// Of its schema and prompt: the revision of what stands there instead, and why.
    stand_ins: [Option<(u64, String)>; 2],
    /// A person who wanted a trial was told so.
    pub(in crate::ui) stand_in_told: bool,
}

impl Default for Playground {
    fn default() -> Self {
        let first = EXAMPLES[0];
        let mut playground = Playground {
            open: false,
            prompt: Editor::new(prompt::DEFAULT),
            prompt_b: Editor::new(prompt::DEFAULT),
            text: Editor::new(""),
            schema: Editor::new(""),
            schema_revision: 0,
            flaw: None,
            flaw_revision: None,
            settings: Settings::default(),
            row: Row::Schema,
            field: None,
            focus: Focus::Text,
            typing: false,
            page: Page::Panels,
            finds: Finds::default(),
            looked: false,
            look_ticket: 0,
            ticket: 0,
            running: None,
            hold: Hold::No,
            outcomes: Vec::new(),
            asked_with: [0; 4],
            side: 0,
            attempt: 0,
            follows: true,
            scroll: 0,
            at_end: true,
            failure: None,
            batch: Batch::default(),
            from_rows: false,
            row_text: None,
            settled: [0; 4],
            model_typed: false,
            extract: ExtractConfig::default(),
            awaits_files: false,
            stand_ins: [None, None],
            stand_in_told: false,
        };
        playground.put_schema(first.schema_name, first.schema);
        playground.settle();
        playground
    }
}

impl Playground {
    /// Another run is shown, or none: its adapters and trials are others.
    pub(in crate::ui) fn forget_run(&mut self) {
        self.looked = false;
        self.look_ticket += 1;
        self.finds = Finds::default();
        self.settings.adapter = trial::Adapter::default();
        if !self.model_typed {
            self.settings.model.clear();
        }
    }

    /// The local model, where nobody typed another one.
    pub(in crate::ui) fn default_model(&mut self, source: &str) {
        if !self.model_typed && self.settings.model != source {
            self.settings.model = source.to_owned();
        }
    }

    /// Begins with what another configuration says; its files are looked for anew.
    pub(in crate::ui) fn begin_with(&mut self, extract: &ExtractConfig) {
        if self.extract == *extract {
            return;
        }
        let settings = &mut self.settings;
        settings.max_retries = extract.max_retries;
        settings.max_new_tokens = extract.max_new_tokens;
        settings.token_budget = extract.token_budget;
        settings.price =
            Price { prompt_per_million: extract.prompt_price, completion_per_million: extract.completion_price };
        self.extract = extract.clone();
        (self.looked, self.awaits_files) = (false, true);
    }

    /// The files that the configuration names: schema, prompt.
    pub(in crate::ui) fn own_files(&self) -> (Option<PathBuf>, Option<PathBuf>) {
        (self.extract.schema.clone(), self.extract.prompt.clone())
    }

    /// Whether a file that the configuration names has not been read yet, and nothing that a person typed stands in its place.
    pub(in crate::ui) fn awaits_own(&self) -> bool {
        let of_schema = self.extract.schema.is_some() && !self.schema_is_edited();
        let of_prompt = self.extract.prompt.is_some() && self.prompt.revision() == self.settled[0];
        self.awaits_files && (of_schema || of_prompt)
    }

    /// Puts in what the configuration's files hold, but not over what a person typed.
    pub(in crate::ui) fn put_own(&mut self) {
        let is_new = std::mem::take(&mut self.awaits_files);
        // What could not be read before is put in as soon as it can be.
        let puts = |stands_in: bool, is_typed: bool| if is_new { !is_typed } else { stands_in };
        let of_schema = puts(self.stands_in(Focus::Schema).is_some(), self.schema_is_edited());
        let is_typed = self.prompt.revision() != self.settled[0];
        let of_prompt = puts(self.stands_in(Focus::Prompt).is_some(), is_typed);
        if let Some((name, text)) = self.finds.own_schema.clone().filter(|_| of_schema) {
            self.put_schema(&name, &text);
        }
        if let Some(text) = self.finds.own_prompt.clone().filter(|_| of_prompt) {
            self.prompt.set_text(&text);
            self.settled[0] = self.prompt.revision();
        }
        let unread = self.finds.unread.clone();
        if of_schema {
            self.stand_ins[0] = unread.schema.map(|why| (self.schema.revision(), why));
        }
        if of_prompt {
            self.stand_ins[1] = unread.prompt.map(|why| (self.prompt.revision(), why));
        }
        self.stand_in_told &= !(of_schema || of_prompt);
    }

    /// Why the program's own schema or prompt stands where the configuration names a file; until a person puts another one there.
    pub fn stands_in(&self, focus: Focus) -> Option<&str> {
        let stand_in = match focus {
            Focus::Schema => &self.stand_ins[0],
            Focus::Prompt => &self.stand_ins[1],
            _ => return None,
        };
        let revision = self.editor(focus)?.revision();
        stand_in.as_ref().filter(|(of, _)| *of == revision).map(|(_, why)| why.as_str())
    }

    fn revisions(&self) -> [u64; 4] {
        [&self.prompt, &self.prompt_b, &self.text, &self.schema].map(Editor::revision)
    }

    /// What stands in the editors is kept elsewhere.
    fn settle(&mut self) {
        self.settled = self.revisions();
    }

    /// Whether a text holds what was typed since, and nobody keeps it.
    pub fn is_unsaved(&self) -> bool {
        self.revisions() != self.settled
    }

    /// Whether what came of the last trial came of other texts than those that stand there now.
    pub fn is_stale(&self) -> bool {
        let asks = self.settings.who != Who::Given;
        let matters = [asks, asks && self.settings.compare == Compare::Prompt, true, true];
        let revisions = self.revisions().into_iter().zip(self.asked_with).zip(matters);
        let differs = revisions.into_iter().any(|((now, then), matters)| matters && now != then);
        differs && !self.outcomes.is_empty() && self.running.is_none() && !self.from_rows
    }

    pub fn editor(&self, focus: Focus) -> Option<&Editor> {
        match focus {
            Focus::Prompt => Some(&self.prompt),
            Focus::PromptB => Some(&self.prompt_b),
            Focus::Text => Some(self.row_text.as_ref().map_or(&self.text, |(_, text)| text)),
            Focus::Schema => Some(&self.schema),
            _ => None,
        }
    }

    pub(in crate::ui) fn editor_mut(&mut self, focus: Focus) -> Option<&mut Editor> {
        match focus {
            Focus::Prompt => Some(&mut self.prompt),
            Focus::PromptB => Some(&mut self.prompt_b),
            Focus::Text => Some(self.row_text.as_mut().map_or(&mut self.text, |(_, text)| text)),
            Focus::Schema => Some(&mut self.schema),
            _ => None,
        }
    }

    /// Letters go into the text with the keys; into one's own, not into a row's.
    pub(in crate::ui) fn begin_typing(&mut self) {
        if self.focus == Focus::Text {
            self.row_text = None;
        }
        self.typing = true;
    }

    /// Shows a row of the file, with the text that was asked about.
    pub(in crate::ui) fn open_row(&mut self, label: String, trace: Trace) {
        let text = trace.attempts.first().and_then(|first| first.input.as_str()).unwrap_or_default();
        self.row_text = Some((label.clone(), Editor::new(text)));
        self.outcomes = vec![Outcome { label, trace }];
        (self.side, self.attempt, self.page, self.follows) = (0, 0, Page::Panels, true);
        self.from_rows = true;
        self.set_focus(Focus::Attempts);
    }

    /// What is shown is no row of the file any more.
    pub(in crate::ui) fn leave_row(&mut self) {
        (self.from_rows, self.row_text) = (false, None);
    }

    /// The panels in the order that Tab goes through them. Where an answer is given, nobody is asked with a prompt.
    pub fn ring(&self) -> Vec<Focus> {
        let mut ring = Vec::new();
        if self.settings.who != Who::Given {
            ring.push(Focus::Prompt);
            if self.settings.compare == Compare::Prompt {
                ring.push(Focus::PromptB);
            }
        }
        ring.extend([Focus::Text, Focus::Schema, Focus::Settings]);
        ring.extend([Focus::Attempts, Focus::Detail, Focus::Value]);
        ring
    }

    /// Puts the keys on a panel that is there.
    pub(in crate::ui) fn set_focus(&mut self, focus: Focus) {
        let ring = self.ring();
        let focus = if ring.contains(&focus) { focus } else { Focus::Text };
        if self.focus != focus {
            self.scroll = 0;
        }
        self.focus = focus;
        self.typing &= self.editor(focus).is_some();
        if self.typing {
            self.begin_typing();
        }
    }

    /// Every schema to choose from: those of the program, then files.
    pub fn schemas(&self) -> Vec<(&str, &str)> {
        let files = self.finds.schemas.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        SCHEMAS.iter().copied().chain(files).collect()
    }

    pub(in crate::ui) fn put_schema(&mut self, name: &str, text: &str) {
        self.settings.schema_name = name.to_owned();
        self.schema.set_text(text);
        self.schema_revision = self.schema.revision();
        self.settled[3] = self.schema_revision;
    }

    /// Whether the schema was changed by hand since it was chosen.
    pub fn schema_is_edited(&self) -> bool {
        self.schema.revision() != self.schema_revision
    }

    pub(in crate::ui) fn turn_schema(&mut self, by: isize) {
        let all = self.schemas();
        let at = all.iter().position(|(name, _)| *name == self.settings.schema_name);
        let next = match at {
            Some(at) => (at as isize + by.signum()).rem_euclid(all.len().max(1) as isize) as usize,
            None => 0,
        };
        if let Some((name, text)) = all.get(next).map(|(name, text)| ((*name).to_owned(), (*text).to_owned())) {
            self.put_schema(&name, &text);
        }
    }

    pub(in crate::ui) fn take_typed(&mut self) {
        let Some((field, _)) = &self.field else { return };
        let typed = field.text().to_owned();
        match self.settings.take(self.row, &typed) {
            Ok(()) => {
                self.model_typed |= self.row == Row::Model && self.settings.who == Who::Local;
                self.field = None;
            }
            Err(why) => {
                if let Some((_, problem)) = &mut self.field {
                    *problem = Some(why);
                }
            }
        }
    }

    pub(in crate::ui) fn put_example(&mut self, example: &Example) {
        self.text.set_text(example.text);
        self.put_schema(example.schema_name, example.schema);
        match (example.is_answer, self.settings.who) {
            (true, _) => self.settings.who = Who::Given,
            (false, Who::Given) => self.settings.who = Who::Local,
            (false, _) => {}
        }
        // The configuration's prompt speaks of its own schema.
        if !example.is_answer && self.finds.own_prompt.as_ref().is_some_and(|own| *own == self.prompt.text()) {
            self.prompt.set_text(prompt::DEFAULT);
            self.settled[0] = self.prompt.revision();
        }
        self.failure = None;
        self.leave_row();
        self.settled[2] = self.text.revision();
        self.set_focus(Focus::Text);
    }

    /// Puts a trial back as it was made: words, settings, and what came of it; of a file of rows, what they said together.
    pub(in crate::ui) fn recall(&mut self, trial: &Trial) {
        self.prompt.set_text(&trial.prompt);
        if !trial.prompt_b.is_empty() {
            self.prompt_b.set_text(&trial.prompt_b);
        }
        self.text.set_text(&trial.text);
        self.settings = trial.settings.clone();
        self.model_typed = true;
        self.put_schema(&trial.settings.schema_name, &trial.schema);
        self.outcomes = trial.outcomes.clone();
        self.failure = None;
        self.page = Page::Panels;
        if let Some(rows) = &trial.rows {
            self.batch = self.batch.recalled(rows);
            self.page = Page::Rows;
        }
        (self.side, self.attempt, self.scroll, self.follows) = (0, 0, 0, true);
        self.row = Row::Schema;
        self.leave_row();
        self.settle();
        self.asked_with = self.settled;
        self.set_focus(self.focus);
    }

    /// The outcome that is looked at.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcomes.get(self.side.min(self.outcomes.len().saturating_sub(1)))
    }
}
