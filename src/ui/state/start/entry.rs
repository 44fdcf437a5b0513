//! An entry of the start page: its settings, resolved by `config` from the text that is at hand whenever one is edited, so that a wrong value
//! is known while it is typed. Which entry is selected is the page's, in `super`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::found::{Look, PastRun, PastState, StartRequest, Target};
use crate::config::RunConfig;
use crate::config::parse::{self, ConfigError};
use crate::config::settings::{Default as SettingDefault, Kind, Setting, settings};
use crate::memory::plan::Plan;
use crate::ui::state::plan::Ground;

/// A setting's value for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// As one would type it; none where the setting is absent.
    pub text: Option<String>,
    /// Whether it is what holds when the file says nothing.
    pub is_default: bool,
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub title: String,
    pub(super) request: StartRequest,
    /// Set for runs alone.
    pub past: Option<PastRun>,
    /// Whether its settings may be changed before it starts.
    pub editable: bool,
    /// What a person typed, by the setting's place in the table.
    edits: BTreeMap<usize, String>,
    resolved: Result<RunConfig, Vec<String>>,
    values: Vec<Value>,
    pub look: Option<Look>,
    /// What was read of model and data for its memory plan.
    ground: Option<Ground>,
    /// What it needs as it stands, where that is known.
    planned: Option<Plan>,
}

impl Entry {
    /// An entry that can be edited and started.
    pub fn new(title: impl Into<String>, request: StartRequest) -> Self {
        let mut entry = Entry {
            title: title.into(),
            request,
            past: None,
            editable: true,
            edits: BTreeMap::new(),
            resolved: Err(Vec::new()),
            values: Vec::new(),
            look: None,
            ground: None,
            planned: None,
        };
        entry.resolve();
        entry
    }

    /// A run on disk, with the text of its own settings.
    pub fn run(title: impl Into<String>, request: StartRequest, past: PastRun) -> Self {
        Entry { past: Some(past), editable: false, ..Entry::new(title, request) }
    }

    /// An entry whose text could not even be read.
    pub fn broken(title: impl Into<String>, target: Target, why: impl Into<String>) -> Self {
        let request = StartRequest {
            target,
            text: String::new(),
            file_name: String::new(),
            base_dir: PathBuf::new(),
            overrides: Vec::new(),
        };
        let mut entry = Entry::new(title, request);
        entry.resolved = Err(vec![why.into()]);
        entry
    }

    pub fn target(&self) -> &Target {
        &self.request.target
    }

    /// What starting, resuming or looking at it takes, edits and all.
    pub fn request(&self) -> StartRequest {
        StartRequest { overrides: self.overrides(None), ..self.request.clone() }
    }

    /// The settings, or all that is wrong with them.
    pub fn config(&self) -> Result<&RunConfig, &[String]> {
        self.resolved.as_ref().map_err(Vec::as_slice)
    }

    pub fn value(&self, row: usize) -> Option<&Value> {
        self.values.get(row)
    }

    pub fn is_edited(&self, row: usize) -> bool {
        self.edits.contains_key(&row)
    }

    pub fn edits(&self) -> usize {
        self.edits.len()
    }

    pub fn can_start(&self) -> bool {
        self.past.is_none() && self.resolved.is_ok()
    }

    /// Whether it is a run that ended before its time.
    pub fn can_resume(&self) -> bool {
        let ended = |past: &PastRun| !matches!(past.state, PastState::Live | PastState::Finished);
        self.past.as_ref().is_some_and(ended) && self.resolved.is_ok()
    }

    /// Why a setting cannot have this value.
    pub fn problem(&self, row: usize, text: &str) -> Option<String> {
        let setting = settings().get(row)?;
        self.parse(Some((row, text))).err().map(|e| reason(e, setting))
    }

    /// Gives a setting a value that has no problem; one that changes nothing is no edit.
    pub fn edit(&mut self, row: usize, text: &str) {
        self.edits.remove(&row);
        let before = self.parse(None).ok();
        if self.parse(Some((row, text))).ok() != before {
            self.edits.insert(row, text.trim().to_owned());
        }
        self.resolve();
        self.look = None;
    }

    /// Gives a setting the value of the file back. False where that would contradict another edit; then nothing changes.
    pub fn reset(&mut self, row: usize) -> bool {
        let Some(text) = self.edits.remove(&row) else { return true };
        if self.parse(None).is_err() {
            self.edits.insert(row, text);
            return false;
        }
        self.resolve();
        self.look = None;
        true
    }

    /// Gives settings that belong together their values: what one alone would contradict, all of them may not. One that changes nothing is no
    /// edit.
    pub fn edit_all(&mut self, edits: &[(usize, String)]) {
        self.edits.extend(edits.iter().cloned());
        let wanted = self.parse(None).ok();
        for (row, _) in edits {
            let Some(text) = self.edits.remove(row) else { continue };
            if self.parse(None).ok() != wanted {
                self.edits.insert(*row, text);
            }
        }
        self.resolve();
        self.look = None;
    }

    /// Every edit as the file would have it: section, name and value as TOML.
    pub fn edits_as_toml(&self) -> Vec<(&'static str, &'static str, String)> {
        let table = self.resolved.as_ref().ok().and_then(|c| toml::Table::try_from(c).ok()).unwrap_or_default();
        let value = |row: &usize| {
            let Setting { section, name, kind, .. } = settings().get(*row)?;
            let value = table.get(*section)?.get(*name)?;
            // Inside its folder a path stays relative, as the file has the others.
            let text = match kind {
                Kind::Path | Kind::Source => {
                    toml::Value::String(typed(*kind, value, &self.request.base_dir)).to_string()
                }
                _ => value.to_string(),
            };
            Some((*section, *name, text))
        };
        self.edits.keys().filter_map(value).collect()
    }

    /// What was read for memory plans, where it is about these settings.
    pub fn ground(&self) -> Option<&Ground> {
        self.ground.as_ref().filter(|ground| self.resolved.as_ref().is_ok_and(|config| ground.is_of(config)))
    }

    /// Model and data were read.
    pub fn learn(&mut self, ground: Ground) {
        self.ground = Some(ground);
        self.plan_anew();
    }

    /// What it needs as it stands, where that is known.
    pub fn planned(&self) -> Option<&Plan> {
        self.planned.as_ref()
    }

    fn plan_anew(&mut self) {
        self.planned = self.resolved.as_ref().ok().and_then(|config| Some(self.ground()?.plan(config)));
    }

    /// Takes the edits over from the same entry as it was before.
    pub fn inherit(&mut self, before: &Entry) {
        self.ground = before.ground.clone();
        if self.editable && self.request.text == before.request.text {
            self.edits = before.edits.clone();
            self.resolve();
        }
        self.plan_anew();
    }

    fn overrides(&self, candidate: Option<(usize, &str)>) -> Vec<String> {
        let kept = self.edits.iter().map(|(&row, text)| (row, text.as_str()));
        let kept = kept.filter(|(row, _)| candidate.is_none_or(|(c, _)| c != *row));
        let edits = kept.chain(candidate).filter_map(|(row, text)| Some(argument(settings().get(row)?, text)));
        self.request.overrides.iter().cloned().chain(edits).collect()
    }

    fn parse(&self, candidate: Option<(usize, &str)>) -> Result<RunConfig, ConfigError> {
        let StartRequest { text, file_name, base_dir, .. } = &self.request;
        parse::from_toml(text, file_name, base_dir, &self.overrides(candidate))
    }

    fn resolve(&mut self) {
        self.resolved = self.parse(None).map_err(|e| match e {
            ConfigError::Refused(problems) => problems.iter().map(ToString::to_string).collect(),
            e => vec![e.to_string()],
        });
        self.values = self.resolved.as_ref().map_or_else(|_| Vec::new(), |c| values(c, &self.request.base_dir));
        self.plan_anew();
    }
}

/// The values that a setting with a few of them goes through.
pub fn choices(kind: Kind) -> Option<Vec<&'static str>> {
    match kind {
        Kind::Choice(names) => Some(names.to_vec()),
        Kind::Bool => Some(vec!["true", "false"]),
        _ => None,
    }
}

/// What `--set` would be given. Names may be typed without brackets and quotes.
fn argument(setting: &Setting, text: &str) -> String {
    let text = text.trim();
    let plain_names = matches!(setting.kind, Kind::Names(_)) && !text.starts_with('[');
    let value = if plain_names {
        let names = text.split([',', ' ']).filter(|name| !name.is_empty());
        format!("[{}]", names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", "))
    } else {
        text.to_owned()
    };
    format!("{}={value}", setting.key())
}

/// What is wrong, without what the row says already.
fn reason(error: ConfigError, setting: &Setting) -> String {
    let ConfigError::Refused(problems) = error else { return error.to_string() };
    let own = format!("--set {}=", setting.key());
    let problem = problems.iter().find(|p| p.place.starts_with(&own)).or(problems.first());
    let what = problem.map(|p| p.what.as_str()).unwrap_or_default();
    what.strip_prefix(&format!("{}: ", setting.key())).unwrap_or(what).to_owned()
}

/// Every setting's value as one would type it, in the order of the table.
fn values(config: &RunConfig, base_dir: &Path) -> Vec<Value> {
    let table = toml::Table::try_from(config).unwrap_or_default();
    let value = |s: &Setting| table.get(s.section).and_then(|section| section.get(s.name)).cloned();
    // What a file without a word of its own would mean here.
    let bare = parse::from_toml("[data]\ntrain = \"x\"", "", base_dir, &[]).ok();
    let changed: Vec<String> = bare
        .map(|bare| parse::differences(&bare, config).iter().map(|d| d.setting.key()).collect())
        .unwrap_or_default();
    settings()
        .iter()
        .map(|setting| Value {
            text: value(setting).map(|v| typed(setting.kind, &v, base_dir)),
            is_default: setting.default == SettingDefault::Required || !changed.contains(&setting.key()),
        })
        .collect()
}

/// A value as one would type it.
pub(in crate::ui::state) fn typed(kind: Kind, value: &toml::Value, base_dir: &Path) -> String {
    match (kind, value) {
        (Kind::Path | Kind::Source, toml::Value::String(text)) => {
            let inside = Path::new(text).strip_prefix(base_dir).ok().and_then(Path::to_str).filter(|p| !p.is_empty());
            inside.unwrap_or(text).to_owned()
        }
        (_, toml::Value::String(text)) => text.clone(),
        (_, toml::Value::Array(names)) => names.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(", "),
        (_, other) => other.to_string(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::ui::state::start) fn entry(text: &str) -> Entry {
        let request = StartRequest {
            target: Target::File("/base/x.toml".into()),
            text: text.into(),
            file_name: "x.toml".into(),
            base_dir: "/base".into(),
            overrides: Vec::new(),
        };
        Entry::new("x.toml", request)
    }

    pub(in crate::ui::state::start) fn row(key: &str) -> usize {
        settings().iter().position(|s| s.key() == key).expect("a setting")
    }

    fn text(entry: &Entry, key: &str) -> String {
        entry.value(row(key)).and_then(|v| v.text.clone()).unwrap_or_default()
    }

    #[test]
    fn every_value_shown_is_taken_back_unchanged() {
        let mut entry =
            entry("[data]\ntrain = \"d/t.jsonl\"\neval = \"/other/e.jsonl\"\n[model]\nsource = \"m.gguf\"\n");
        assert_eq!((text(&entry, "data.train"), text(&entry, "model.source")), ("d/t.jsonl".into(), "m.gguf".into()));
        for row in 0..settings().len() {
            let Some(text) = entry.value(row).and_then(|v| v.text.clone()) else { continue };
            assert_eq!(entry.problem(row, &text), None, "{text}");
            entry.edit(row, &text);
            assert!(!entry.is_edited(row), "{text}");
        }
    }

    #[test]
    fn a_wrong_value_says_why_without_naming_its_row_again() {
        let entry = entry("[data]\ntrain = \"t\"\n");
        let why = |key: &str, text: &str| entry.problem(row(key), text).unwrap_or_default();
        assert_eq!(why("train.learning_rate", "-1"), "expected a finite number above 0, found -1");
        assert!(why("adapter.method", "qlor").ends_with("did you mean \"qlora\"?"));
        assert!(why("data.train", " ").starts_with("expected a path"));
        assert_eq!(why("adapter.target_modules", "q_proj, v_proj"), "");
        assert_eq!(why("model.dtype", "x=y\u{1b}"), "expected one of \"f32\", \"bf16\", found x=y\u{1b}");
    }

    #[test]
    fn edits_replace_what_the_command_line_said_and_can_be_taken_back() {
        let mut request = entry("[data]\ntrain = \"t\"\n").request();
        request.overrides = vec!["train.seed=1".into()];
        let mut entry = Entry::new("x", request);
        let seed = row("train.seed");
        assert_eq!(text(&entry, "train.seed"), "1");
        entry.edit(seed, " 7 ");
        assert_eq!(text(&entry, "train.seed"), "7");
        assert_eq!(entry.request().overrides, ["train.seed=1", "train.seed=7"]);
        assert!(entry.reset(seed));
        assert_eq!((text(&entry, "train.seed"), entry.is_edited(seed)), ("1".into(), false));
    }

    #[test]
    fn an_edit_that_another_one_stands_on_is_not_taken_back() {
        let mut entry = entry("[data]\ntrain = \"t\"\n[adapter]\nmethod = \"lora\"\n");
        entry.edit(row("adapter.method"), "qlora");
        entry.edit(row("adapter.quantization"), "q8_0");
        assert!(!entry.reset(row("adapter.method")));
        assert!(entry.config().is_ok() && entry.is_edited(row("adapter.method")));
    }

    #[test]
    fn what_differs_from_the_default_is_marked() {
        let entry = entry("[data]\ntrain = \"t\"\n[train]\nseed = 42\nlearning_rate = 1e-3\n");
        let marked = |key: &str| !entry.value(row(key)).expect("a value").is_default;
        assert!(marked("train.learning_rate") && !marked("train.seed") && !marked("data.train") && !marked("log.dir"));
    }

    #[test]
    fn a_broken_configuration_tells_all_that_is_wrong() {
        let entry = entry("[data]\ntrian = \"t\"\n[train]\nseed = -1\n");
        assert!(!entry.can_start());
        assert_eq!(entry.config().expect_err("it is broken").len(), 3);
    }
}
