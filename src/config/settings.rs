//! All settings: name, kind, default and what each is for. `parse` checks files against the `table`, documentation and the settings on the
//! screen are made from it; `nearest` finds what a misspelt name meant. The values themselves live in the types of `config`; how a file is
//! read is in `parse`.

mod nearest;
mod table;

use std::sync::LazyLock;

pub use nearest::{nearest, nearest_name, nearest_section};
use table::{LARGE, SETTINGS};

/// One key of the configuration file.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub section: &'static str,
    pub name: &'static str,
    pub kind: Kind,
    pub default: Default,
    /// One line for people.
    pub doc: &'static str,
    /// Whether a run that is resumed may change it: it has no part in the adapter that comes out.
    pub free_on_resume: bool,
    /// Names that people may try instead; only ever used to suggest the right one.
    pub also: &'static [&'static str],
}

/// What a setting may hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Integer {
        min: i64,
        max: i64,
    },
    /// −1, or a number of steps from 1.
    StepsOrAll,
    Float {
        /// The smallest value, or with `above` the value that it must exceed.
        min: f64,
        above: bool,
        /// What it must stay below; infinity where only being finite is asked.
        below: f64,
    },
    Bool,
    Choice(&'static [&'static str]),
    /// A list without repetition of at least one of these names.
    Names(&'static [&'static str]),
    /// A file or folder, relative to the configuration file.
    Path,
    /// `pip:`, `hf:`, or a path.
    Source,
    /// `"auto"` or a size such as `"2GiB"`.
    Size,
}

/// What holds when the file says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// The value as TOML.
    Is(&'static str),
    /// Nothing: the run goes without.
    Absent,
    /// The file must say it.
    Required,
}

impl Setting {
    const fn new(
        section: &'static str,
        name: &'static str,
        kind: Kind,
        default: &'static str,
        doc: &'static str,
    ) -> Self {
        Setting { section, name, kind, default: Default::Is(default), doc, free_on_resume: false, also: &[] }
    }

    const fn without_default(mut self, default: Default) -> Self {
        self.default = default;
        self
    }

    const fn free(mut self) -> Self {
        self.free_on_resume = true;
        self
    }

    const fn also(mut self, names: &'static [&'static str]) -> Self {
        self.also = names;
        self
    }

    /// The name with its section, as `--set` takes it.
    pub fn key(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }
}

impl Kind {
    /// What a value of this kind looks like, to follow "expected".
    pub fn expected(&self) -> String {
        match self {
            Kind::Integer { min, max } if *max >= LARGE => format!("an integer of at least {min}"),
            Kind::Integer { min, max } => format!("an integer from {min} to {max}"),
            Kind::StepsOrAll => "-1 (num_train_epochs decides) or an integer of at least 1".into(),
            Kind::Float { min, above, below } => {
                let low = if *above { format!("above {min}") } else { format!("of at least {min}") };
                let high = if below.is_finite() { format!(" and below {below}") } else { String::new() };
                format!("a finite number {low}{high}")
            }
            Kind::Bool => "true or false".into(),
            Kind::Choice(names) => format!("one of {}", quoted(names)),
            Kind::Names(names) => format!("a list of one or more of {}", quoted(names)),
            Kind::Path => "a path".into(),
            Kind::Source => "\"pip:name==version\", \"hf:org/name[@revision]\", a folder or a .gguf file".into(),
            Kind::Size => "\"auto\" or a size above 0 such as \"2GiB\"".into(),
        }
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ")
}

/// All settings in the order of the file.
pub fn settings() -> &'static [Setting] {
    &SETTINGS
}

/// The sections in the order of the file.
pub fn sections() -> &'static [&'static str] {
    static SECTIONS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let mut names: Vec<&str> = settings().iter().map(|s| s.section).collect();
        names.dedup();
        names
    });
    &SECTIONS
}

/// The setting with exactly this section and name.
pub fn find(section: &str, name: &str) -> Option<&'static Setting> {
    settings().iter().find(|s| s.section == section && s.name == name)
}
