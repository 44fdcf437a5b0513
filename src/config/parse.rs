//! A TOML file and its overrides to a validated `RunConfig`, with errors that name file, line and the nearest valid name.
//! What the settings are is in `settings`, the types that come out are in `config`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::settings::{self, Default, Kind, Setting};
use super::{MemoryLimit, RunConfig};
use crate::units::printable;

/// No configuration is longer; a model given by mistake is.
const LONGEST_FILE: u64 = 1 << 20;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{file}: cannot be read: {source}")]
    Unreadable { file: String, source: io::Error },
    #[error("{file}: expected a TOML file of settings, found {found}")]
    NoText { file: String, found: &'static str },
    /// All that is wrong, in the order of the file.
    #[error("{}", lines(.0))]
    Refused(Vec<Problem>),
    #[error("the settings cannot be written as TOML: {0}")]
    Unwritable(String),
}

/// One thing that is wrong, and where: `demo.toml:14: train.learning_rte is no setting; did you mean learning_rate?`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `demo.toml:14`, or `--set train.lr=1`.
    pub place: String,
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", printable(&self.place), printable(&self.what))
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// Reads a configuration file; each of `overrides` is `section.name=value` and replaces what the file says.
/// Paths, those in overrides too, are relative to the file's folder and absolute in the result; `~/` is the home folder.
/// # Errors
/// A file that cannot be read or is no text, or everything that is wrong in it.
pub fn load(path: &Path, overrides: &[String]) -> Result<RunConfig, ConfigError> {
    let file = path.display().to_string();
    from_toml(&read(path)?, &file, path.parent().unwrap_or(Path::new("")), overrides)
}

/// The text of a configuration file.
/// # Errors
/// A file that cannot be read or is no text.
pub fn read(path: &Path) -> Result<String, ConfigError> {
    let file = path.display().to_string();
    let unreadable = |source| ConfigError::Unreadable { file: printable(&file), source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|f| f.take(LONGEST_FILE + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(ConfigError::NoText { file: printable(&file), found: "more than 1 MiB" });
    }
    String::from_utf8(bytes)
        .map_err(|_| ConfigError::NoText { file: printable(&file), found: "bytes that are no UTF-8" })
}

/// As [`load`], for text that is at hand: `file_name` is what errors call it, `base_dir` what its paths are relative to.
/// # Errors
/// Everything that is wrong in it.
pub fn from_toml(text: &str, file_name: &str, base_dir: &Path, overrides: &[String]) -> Result<RunConfig, ConfigError> {
    let base_dir = std::path::absolute(if base_dir.as_os_str().is_empty() { Path::new(".") } else { base_dir })
        .map_err(|source| ConfigError::Unreadable { file: file_name.into(), source })?;
    let mut reading =
        Reading { file_name, base_dir, values: toml::Table::new(), places: BTreeMap::new(), found: vec![] };
    reading.file(text);
    for argument in overrides {
        reading.argument(argument);
    }
    reading.defaults();
    reading.contradictions();
    reading.finish()
}

/// The settings as a file that reads back equal: every value written out, paths absolute.
/// # Errors
/// Values that TOML cannot hold, which no configuration that was read here has.
pub fn to_toml(config: &RunConfig) -> Result<String, ConfigError> {
    toml::to_string(config).map_err(|e| ConfigError::Unwritable(e.to_string()))
}

/// A setting that two configurations disagree on, with both values as TOML; "nothing" where one has none.
#[derive(Debug, Clone)]
pub struct Difference {
    pub setting: &'static Setting,
    pub first: String,
    pub second: String,
}

/// What two configurations disagree on, in the order of the file.
pub fn differences(first: &RunConfig, second: &RunConfig) -> Vec<Difference> {
    let tables = [first, second].map(|c| toml::Table::try_from(c).unwrap_or_default());
    let value = |table: &toml::Table, s: &Setting| {
        let value = table.get(s.section).and_then(|section| section.get(s.name));
        value.map_or("nothing".to_string(), toml::Value::to_string)
    };
    let both = settings::settings().iter().map(|setting| {
        let [first, second] = [0, 1].map(|i| value(&tables[i], setting));
        Difference { setting, first, second }
    });
    both.filter(|d| d.first != d.second).collect()
}

/// Where a value was found; the order is that in which problems are told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Line(usize),
    Argument(String),
    File,
}

struct Reading<'a> {
    file_name: &'a str,
    base_dir: PathBuf,
    /// Sections of checked values.
    values: toml::Table,
    places: BTreeMap<(&'static str, &'static str), Place>,
    found: Vec<(Place, String)>,
}

impl Reading<'_> {
    fn file(&mut self, text: &str) {
        let document = match DeTable::parse(text) {
            Ok(document) => document.into_inner(),
            Err(e) => {
                let line = e.span().map_or(1, |span| line_of(text, span.start));
                return self.problem(Place::Line(line), format!("no valid TOML: {}", e.message()));
            }
        };
        for (name, value) in &document {
            let line = line_of(text, name.span().start);
            let name: &str = name.get_ref();
            match (settings::sections().iter().find(|s| **s == name), value.get_ref()) {
                (Some(section), DeValue::Table(table)) => self.section(text, section, table),
                (Some(section), other) => {
                    let what = format!("{section} is a section; expected [{section}], found {}", other.type_str());
                    self.problem(Place::Line(line), what);
                }
                (None, DeValue::Table(_)) => {
                    let hint = match settings::nearest_section(name) {
                        Some(near) => format!("did you mean [{near}]?"),
                        None => format!("sections are {}", settings::sections().join(", ")),
                    };
                    self.problem(Place::Line(line), format!("[{name}] is no section; {hint}"));
                }
                (None, _) => self.problem(Place::Line(line), unknown("", name)),
            }
        }
    }

    fn section(&mut self, text: &str, section: &'static str, table: &DeTable<'_>) {
        for (name, value) in table {
            match settings::find(section, name.get_ref()) {
                None => {
                    let place = Place::Line(line_of(text, name.span().start));
                    self.problem(place, unknown(section, name.get_ref()));
                }
                Some(setting) => self.accept(setting, value, text, |span| Place::Line(line_of(text, span))),
            }
        }
    }

    /// `section.name=value`: the value as TOML, else as the text that it is.
    fn argument(&mut self, argument: &str) {
        let place = Place::Argument(argument.into());
        let Some((key, raw)) = argument.split_once('=') else {
            return self.problem(place, "expected SECTION.NAME=VALUE".into());
        };
        let (key, raw) = (key.trim(), raw.trim());
        let (section, name) = key.split_once('.').unwrap_or(("", key));
        let Some(setting) = settings::find(section, name) else {
            let what = match settings::sections().contains(&key) {
                true => format!("{key} is a section; expected {key}.NAME=VALUE"),
                false => unknown(section, name),
            };
            return self.problem(place, what);
        };
        let parsed = DeValue::parse(raw).ok().filter(|v| match setting.kind {
            Kind::Path | Kind::Source | Kind::Choice(_) | Kind::Size => v.get_ref().is_str(),
            _ => true,
        });
        let value = parsed.unwrap_or_else(|| Spanned::new(0..raw.len(), DeValue::String(raw.into())));
        self.accept(setting, &value, raw, |_| place.clone());
    }

    /// Checks a value that stands in `text` and keeps it; what is wrong with it is told at `place_of` its position there.
    fn accept(
        &mut self,
        setting: &'static Setting,
        value: &Spanned<DeValue<'_>>,
        text: &str,
        place_of: impl Fn(usize) -> Place,
    ) {
        let place = place_of(value.span().start);
        match self.checked(setting.kind, value, text) {
            Ok(checked) => {
                self.places.insert((setting.section, setting.name), place);
                let section = self.values.entry(setting.section).or_insert_with(|| toml::Table::new().into());
                if let toml::Value::Table(section) = section {
                    section.insert(setting.name.into(), checked);
                }
            }
            Err((at, what)) => {
                self.places.insert((setting.section, setting.name), place);
                self.problem(place_of(at), format!("{}: {what}", setting.key()));
            }
        }
    }

    fn checked(&self, kind: Kind, value: &Spanned<DeValue<'_>>, text: &str) -> Result<toml::Value, (usize, String)> {
        let wrong = |v: &Spanned<DeValue<'_>>| {
            let expected = match (kind, integer(v.get_ref())) {
                (Kind::Integer { max, .. }, Some(found)) if found > max => format!("an integer of at most {max}"),
                _ => kind.expected(),
            };
            (v.span().start, format!("expected {expected}, found {}", excerpt(text, v.span())))
        };
        let refused = || wrong(value);
        match (kind, value.get_ref()) {
            (Kind::Integer { min, max }, DeValue::Integer(_)) => {
                let n = integer(value.get_ref()).filter(|n| (min..=max).contains(n)).ok_or_else(refused)?;
                Ok(n.into())
            }
            (Kind::StepsOrAll, DeValue::Integer(_)) => {
                let n = integer(value.get_ref()).filter(|n| *n == -1 || (1..=1 << 40).contains(n));
                Ok(n.ok_or_else(refused)?.into())
            }
            (Kind::Float { min, above, below }, DeValue::Integer(_) | DeValue::Float(_)) => {
                let fits = |x: &f64| x.is_finite() && *x < below && if above { *x > min } else { *x >= min };
                // A sum with 0 turns −0 into 0.
                Ok((float(value.get_ref()).filter(fits).ok_or_else(refused)? + 0.0).into())
            }
            (Kind::Bool, DeValue::Boolean(b)) => Ok((*b).into()),
            (Kind::Choice(names), DeValue::String(s)) => {
                names.iter().find(|n| *n == s).map(|n| (*n).into()).ok_or_else(|| named(refused(), s, names))
            }
            (Kind::Names(names), DeValue::Array(array)) => {
                let mut kept: Vec<toml::Value> = Vec::new();
                for element in array.iter() {
                    let DeValue::String(s) = element.get_ref() else { return Err(wrong(element)) };
                    let name = names.iter().find(|n| *n == s).ok_or_else(|| named(wrong(element), s, names))?;
                    let name = toml::Value::from(*name);
                    if kept.contains(&name) {
                        return Err((element.span().start, format!("\"{s}\" stands there twice")));
                    }
                    kept.push(name);
                }
                if kept.is_empty() { Err(refused()) } else { Ok(kept.into()) }
            }
            (Kind::Path, DeValue::String(s)) if !s.is_empty() => self.absolute(s).map_err(|e| (value.span().start, e)),
            (Kind::Source, DeValue::String(s)) if s.starts_with("pip:") || s.starts_with("hf:") => Ok((&**s).into()),
            (Kind::Source, DeValue::String(s)) if !s.is_empty() && !s.contains("://") => {
                self.absolute(s).map_err(|e| (value.span().start, e))
            }
            (Kind::Size, DeValue::String(s)) => match MemoryLimit::try_from(s.to_string()) {
                Ok(MemoryLimit::Bytes { bytes: 0, .. }) | Err(_) => Err(refused()),
                Ok(limit) => Ok(String::from(limit).into()),
            },
            _ => Err(refused()),
        }
    }

    fn absolute(&self, path: &str) -> Result<toml::Value, String> {
        let home = path.strip_prefix("~/").or((path == "~").then_some(""));
        let joined = match (home, std::env::home_dir()) {
            (Some(rest), Some(home)) => home.join(rest),
            (Some(_), None) => return Err("~ stands for the home folder, and HOME is not set".into()),
            (None, _) => self.base_dir.join(path),
        };
        // Takes "./" out; the base folder is absolute already.
        let clean: PathBuf = joined.components().collect();
        clean
            .into_os_string()
            .into_string()
            .map(Into::into)
            .map_err(|p| format!("expected a path of UTF-8 text, found {}", p.to_string_lossy()))
    }

    fn defaults(&mut self) {
        for setting in settings::settings() {
            if self.places.contains_key(&(setting.section, setting.name)) {
                continue;
            }
            match setting.default {
                Default::Absent => {}
                Default::Is(text) => match DeValue::parse(text) {
                    Ok(value) => self.accept(setting, &value, text, |_| Place::File),
                    Err(e) => self.problem(Place::File, format!("the default of {}: {e}", setting.key())),
                },
                Default::Required => {
                    let what = format!("{} is missing; it has no default: {}", setting.key(), setting.doc);
                    self.problem(Place::File, what);
                }
            }
        }
    }

    /// What only two settings together can get wrong.
    fn contradictions(&mut self) {
        let text = |name: &str| self.values.get("adapter").and_then(|a| a.get(name)).and_then(|v| v.as_str());
        if let (Some("lora"), Some(quantization)) = (text("method"), text("quantization"))
            && quantization != "keep"
        {
            let place = self.places.get(&("adapter", "quantization")).cloned().unwrap_or(Place::File);
            let what = format!(
                "adapter.quantization: \"{quantization}\" quantises the base, adapter.method \"lora\" does not; \
                 expected method \"qlora\" or quantization \"keep\""
            );
            self.problem(place, what);
        }
    }

    fn problem(&mut self, place: Place, what: String) {
        self.found.push((place, what));
    }

    fn finish(mut self) -> Result<RunConfig, ConfigError> {
        if self.found.is_empty() {
            match RunConfig::deserialize(std::mem::take(&mut self.values)) {
                Ok(config) => return Ok(config),
                Err(e) => self.problem(Place::File, e.message().into()),
            }
        }
        // What does not read as TOML would make everything else look missing.
        let only_syntax = self.found.first().is_some_and(|(_, what)| what.starts_with("no valid TOML"));
        self.found.truncate(if only_syntax { 1 } else { usize::MAX });
        self.found.sort_by(|(a, _), (b, _)| a.cmp(b));
        let file = self.file_name;
        let told = self.found.into_iter().map(|(place, what)| {
            let place = match place {
                Place::Line(line) => format!("{file}:{line}"),
                Place::Argument(argument) => format!("--set {argument}"),
                Place::File => file.to_string(),
            };
            Problem { place, what }
        });
        Err(ConfigError::Refused(told.collect()))
    }
}

fn unknown(section: &str, name: &str) -> String {
    let key = if section.is_empty() { name.to_string() } else { format!("{section}.{name}") };
    match settings::nearest(section, name) {
        // The section is said again only where it was wrong.
        Some(near) if near.section == section => format!("{key} is no setting; did you mean {}?", near.name),
        Some(near) => format!("{key} is no setting; did you mean {}?", near.key()),
        None if settings::sections().contains(&section) => {
            let names: Vec<_> = settings::settings().iter().filter(|s| s.section == section).map(|s| s.name).collect();
            format!("{key} is no setting; [{section}] has {}", names.join(", "))
        }
        None => format!("{key} is no setting; sections are {}", settings::sections().join(", ")),
    }
}

fn named((at, what): (usize, String), written: &str, names: &[&str]) -> (usize, String) {
    match settings::nearest_name(written, names) {
        Some(near) => (at, format!("{what}; did you mean \"{near}\"?")),
        None => (at, what),
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn float(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(number) => number.as_str().parse().ok(),
        other => integer(other).map(|n| n as f64),
    }
}

/// The value as it was written, short enough for a line.
fn excerpt(text: &str, span: Range<usize>) -> String {
    let written = text.get(span).unwrap_or_default().trim();
    match written.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &written[..end]),
        None if written.is_empty() => "nothing".into(),
        None => written.into(),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
}
