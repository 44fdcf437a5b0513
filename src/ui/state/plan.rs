//! The page of the memory plan: what an entry of the start page will need, as it stands and as it is looked at. What it needs is worked out in
//! `memory::plan`; what can be turned is in `knobs`, keys are in `update::plan`, how it looks is `view::plan`.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::settings::settings;
use crate::config::{RunConfig, parse};
use crate::memory::lever::Lever;
use crate::memory::plan::{Elsewhere, Plan, Subject, elsewhere, levers, plan};

use super::knobs::Knob;
use super::start::{Entry, typed};

/// What plans of an entry stand on, whatever is turned: found by reading model and data once.
#[derive(Debug, Clone, PartialEq)]
pub struct Ground {
    pub subject: Arc<Subject>,
    /// What `memory.limit = "auto"` was when it was made.
    pub auto_limit_bytes: Option<u64>,
    /// What was read.
    pub source: String,
    pub train: PathBuf,
    pub eval: Option<PathBuf>,
    pub test: Option<PathBuf>,
}

impl Ground {
    /// Whether it is about what this configuration reads.
    pub fn is_of(&self, config: &RunConfig) -> bool {
        (&self.source, &self.train, &self.eval, &self.test)
            == (&config.model.source, &config.data.train, &config.data.eval, &config.data.test)
    }

    pub fn limit_bytes(&self, config: &RunConfig) -> Option<u64> {
        config.memory.limit.within(self.auto_limit_bytes)
    }

    pub fn plan(&self, config: &RunConfig) -> Plan {
        plan(&self.subject, config, self.limit_bytes(config))
    }
}

/// Which half of the page is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Half {
    #[default]
    Levers,
    Elsewhere,
}

/// What is known of the bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// Model and data are being read.
    Reading,
    /// They could not be, and why.
    Not(String),
    Is(Box<Figures>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    pub ground: Ground,
    /// Of the entry as it stands.
    pub before: Plan,
    /// Of what is looked at.
    pub now: Plan,
    /// Rows that are cut at the length that is looked at.
    pub rows_cut: u64,
    /// Where it does not fit: the cheapest single change that would make it.
    pub helps: Option<Lever>,
    pub elsewhere: Vec<Elsewhere>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PlanPage {
    /// The entry's settings.
    pub before: RunConfig,
    /// As they are looked at.
    pub config: RunConfig,
    pub known: Known,
    pub half: Half,
    /// The selected knob, by its place among all.
    pub knob: usize,
    /// The selected one of what is done elsewhere; 0 is the run itself.
    pub other: usize,
    /// Whether its formula is shown.
    pub formula: bool,
    /// Whether the settings may be changed.
    pub editable: bool,
}

impl PlanPage {
    /// The page of an entry whose settings are in order.
    pub fn of(entry: &Entry) -> Option<PlanPage> {
        let config = entry.config().ok()?;
        let mut page = PlanPage {
            before: config.clone(),
            config: config.clone(),
            known: Known::Reading,
            half: Half::default(),
            knob: 0,
            other: 0,
            formula: false,
            editable: entry.editable,
        };
        if let Some(ground) = entry.ground() {
            page.learn(ground.clone());
        }
        Some(page)
    }

    pub fn figures(&self) -> Option<&Figures> {
        match &self.known {
            Known::Is(figures) => Some(figures),
            _ => None,
        }
    }

    pub fn knob(&self) -> Knob {
        Knob::ALL.get(self.knob).copied().unwrap_or(Knob::Rows)
    }

    /// Model and data were read.
    pub fn learn(&mut self, ground: Ground) {
        let before = ground.plan(&self.before);
        self.known = Known::Is(Box::new(Figures {
            now: before.clone(),
            before,
            rows_cut: 0,
            helps: None,
            elsewhere: Vec::new(),
            ground,
        }));
        self.work_out();
    }

    /// Looks at other settings.
    pub fn look_at(&mut self, config: RunConfig) {
        self.config = config;
        self.work_out();
    }

    fn work_out(&mut self) {
        let config = &self.config;
        let Known::Is(figures) = &mut self.known else { return };
        let limit = figures.ground.limit_bytes(config);
        let subject = &figures.ground.subject;
        figures.now = figures.ground.plan(config);
        let longer = |row: &&crate::units::RowLength| row.tokens as usize > config.data.max_seq_length;
        figures.rows_cut = subject.train_rows.iter().filter(longer).count() as u64;
        figures.helps = match figures.now.fits() {
            Some(false) => levers(subject, config, limit).into_iter().find(|lever| lever.fits == Some(true)),
            _ => None,
        };
        figures.elsewhere = elsewhere(subject, config);
        self.other = self.other.min(figures.elsewhere.len());
    }

    pub fn is_changed(&self) -> bool {
        Knob::ALL.iter().any(|knob| knob.differs(&self.before, &self.config))
    }

    /// What was turned, as edits of the entry: the setting's place in the table, and its value as one would type it.
    pub fn edits(&self) -> Vec<(usize, String)> {
        let table = toml::Table::try_from(&self.config).unwrap_or_default();
        let changed = parse::differences(&self.before, &self.config);
        let edit = |(row, setting): (usize, &'static crate::config::settings::Setting)| {
            changed.iter().find(|d| d.setting.key() == setting.key())?;
            let value = table.get(setting.section)?.get(setting.name)?;
            Some((row, typed(setting.kind, value, "".as_ref())))
        };
        settings().iter().enumerate().filter_map(edit).collect()
    }
}
