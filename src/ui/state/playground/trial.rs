//! A trial as data: what a person sets, what is asked of `app`, what it tells while it works, and what is kept of it in a file.
//! How a trial is made is in `app::playground`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::extract::attempt::{Attempt, Stage, Trace};
use crate::extract::fix::{self, FixMode};
use crate::extract::provider::Price;
use crate::extract::report::{RowResult, Summary};
use crate::ui::message::Fetching;

/// Who answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// A model of this process.
    #[default]
    Local,
    /// The run that trains, with its adapter as it is now: no second model, whichever process it is in.
    Run,
    /// A server that speaks OpenAI's chat completions.
    Openai,
    /// Nobody: the text is an answer already, and is only read.
    Given,
}

/// How a prompt goes to the local model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// As the adapter was trained; a bare model by its template, where it has one.
    #[default]
    AsTrained,
    Chat,
    Raw,
}

/// What two variants of a trial differ in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    #[default]
    Off,
    /// The base model beside the adapter.
    Adapter,
    /// Free decoding beside decoding under the schema's grammar.
    Constrained,
    /// Prompt A beside prompt B.
    Prompt,
}

/// An adapter by the name that the screen gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adapter {
    /// `best`, `step 120`; of a folder that was typed, its path. Empty for the base model.
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
}

/// All that a person can turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What the schema is called; its text is what counts.
    pub schema_name: String,
    pub who: Who,
    /// Of the local model.
    pub model: String,
    /// What the server calls its model.
    pub server_model: String,
    pub base_url: String,
    pub adapter: Adapter,
    pub form: Form,
    pub constrained: bool,
    pub compare: Compare,
    /// Calls after the first.
    pub max_retries: u32,
    pub fix_mode: FixMode,
    pub temperature: f64,
    pub seed: u64,
    pub max_new_tokens: u32,
    /// Tokens of all calls of a trial, beyond which no further one is made; the configuration's.
    pub token_budget: u64,
    pub price: Price,
}

/// Where the person runs a server of their own, as `llama_cpp.server` does.
pub const DEFAULT_BASE_URL: &str = "http://127.0.0.1:8000/v1";

impl Default for Settings {
    fn default() -> Self {
        Settings {
            schema_name: String::new(),
            who: Who::Local,
            model: String::new(),
            server_model: String::new(),
            base_url: DEFAULT_BASE_URL.into(),
            adapter: Adapter::default(),
            form: Form::AsTrained,
            constrained: false,
            compare: Compare::Off,
            max_retries: fix::DEFAULT_MAX_RETRIES,
            fix_mode: FixMode::Own,
            temperature: 0.0,
            seed: 42,
            max_new_tokens: fix::DEFAULT_MAX_NEW_TOKENS,
            token_budget: fix::DEFAULT_TOKEN_BUDGET,
            price: Price::default(),
        }
    }
}

impl Settings {
    /// How each row of a file is asked where two ways are set to be compared: rows are asked one way.
    pub fn way_of_rows(&self) -> Option<&'static str> {
        match (self.compare, self.who) {
            (Compare::Off, _) | (_, Who::Given) | (Compare::Adapter, Who::Openai) => None,
            (Compare::Adapter, Who::Local) if self.adapter.folder.is_none() => Some("without an adapter"),
            (Compare::Adapter, _) => Some("with the adapter"),
            (Compare::Constrained, _) if self.constrained => Some("constrained"),
            (Compare::Constrained, _) => Some("decoded freely"),
            (Compare::Prompt, _) => Some("with prompt A"),
        }
    }
}

/// A trial, or a file of rows, as `app` is asked for it.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialAsk {
    pub settings: Settings,
    pub prompt: String,
    pub prompt_b: String,
    pub text: String,
    /// The JSON Schema's text.
    pub schema: String,
    /// Rows to work through instead of the text.
    pub rows: Option<PathBuf>,
    /// The file that it is kept in.
    pub place: PathBuf,
    /// Whether the model may stay in memory for the next one.
    pub keep_model: bool,
    /// What the run of this process may hold: what answers holds no more together with it.
    pub limit_bytes: Option<u64>,
}

/// One of the ways that a trial is made in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    pub label: &'static str,
    pub prompt: String,
    pub adapter: Option<PathBuf>,
    /// Of the run: without its adapter.
    pub base: bool,
    pub constrained: bool,
}

impl TrialAsk {
    /// One variant, or the two that are compared.
    pub fn variants(&self) -> Vec<Variant> {
        let settings = &self.settings;
        let local = settings.who == Who::Local;
        let one = Variant {
            label: "",
            prompt: self.prompt.clone(),
            adapter: settings.adapter.folder.clone().filter(|_| local),
            base: false,
            constrained: settings.constrained,
        };
        if settings.who == Who::Given || self.rows.is_some() {
            return vec![Variant { constrained: one.constrained && settings.who != Who::Given, ..one }];
        }
        match settings.compare {
            Compare::Adapter if local || settings.who == Who::Run => {
                let base = Variant { label: "base", adapter: None, base: true, ..one.clone() };
                vec![base, Variant { label: "adapter", ..one }]
            }
            Compare::Constrained => vec![
                Variant { label: "free", constrained: false, ..one.clone() },
                Variant { label: "constrained", constrained: true, ..one },
            ],
            Compare::Prompt => vec![
                Variant { label: "prompt A", ..one.clone() },
                Variant { label: "prompt B", prompt: self.prompt_b.clone(), ..one },
            ],
            Compare::Off | Compare::Adapter => vec![one],
        }
    }
}

/// What came of a variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Empty where nothing was compared.
    pub label: String,
    pub trace: Trace,
}

/// A trial as it is kept: a line of `trials.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    pub unix_ms: u64,
    pub settings: Settings,
    pub prompt: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prompt_b: String,
    pub text: String,
    pub schema: String,
    pub outcomes: Vec<Outcome>,
    /// Of a file of rows: what they say together, instead of outcomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Box<RowsTried>>,
}

/// A file of rows that was worked through, without the rows themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowsTried {
    pub file: PathBuf,
    /// Of the file; fewer were asked where the work ended before.
    pub total: u64,
    pub summary: Summary,
}

impl RowsTried {
    pub fn is_stopped(&self) -> bool {
        self.summary.passed.of < self.total
    }
}

/// What ends rows that the run is asked, where the trial's own person did not.
pub const CANCELLED_THERE: &str = "cancelled by a command to the run";

/// What is told while a trial is made.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// The model is fetched or read.
    Loading(Fetching),
    /// The next variant begins.
    Begins(usize),
    /// A model is asked, in this stage.
    Asked(Stage),
    /// It wrote this, in so many pieces.
    Text {
        text: String,
        pieces: u64,
    },
    /// The provider tries anew; what was heard of this call is void.
    Again {
        why: String,
        wait_ms: u64,
    },
    Attempt(Box<Attempt>),
    Done(Box<Trace>),
    /// So many rows will be worked through.
    Rows(u64),
    Row(Box<RowResult>),
    /// It stands in the file, or why it could not be written there.
    Kept(Result<Box<Trial>, String>),
    /// Nothing more will come of it; why, where it could not be made.
    Over(Result<(), String>),
}

/// What the tab looks for outside when it is entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quest {
    /// Its checkpoints are adapters to choose from.
    pub run: Option<PathBuf>,
    /// Folders beside which a folder `schemas` may lie.
    pub beside: Vec<PathBuf>,
    /// The file of trials.
    pub place: PathBuf,
    /// The schema and the prompt that the configuration names.
    pub schema: Option<PathBuf>,
    pub prompt: Option<PathBuf>,
}

/// Why what the configuration names could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    pub schema: Option<String>,
    pub prompt: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Finds {
    /// Name and text.
    pub schemas: Vec<(String, String)>,
    /// The configuration's own, by name and text; it stands among the others too.
    pub own_schema: Option<(String, String)>,
    pub own_prompt: Option<String>,
    /// Which of the two the configuration names and could not be read.
    pub unread: Unread,
    pub adapters: Vec<Adapter>,
    /// Whether there is a run that might answer.
    pub has_run: bool,
    /// Whether OPENAI_API_KEY is set.
    pub has_key: bool,
    /// The oldest first.
    pub trials: Vec<Trial>,
    /// What could not be read, a line each.
    pub problems: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(settings: Settings) -> TrialAsk {
        let (prompt, prompt_b) = ("a".into(), "b".into());
        let (text, schema, place) = (String::new(), "{}".into(), PathBuf::new());
        TrialAsk { settings, prompt, prompt_b, text, schema, rows: None, place, keep_model: true, limit_bytes: None }
    }

    #[test]
    fn two_variants_differ_in_what_is_compared_alone() {
        let adapter = Adapter { name: "best".into(), folder: Some("best".into()) };
        let base = Settings { adapter, ..Settings::default() };
        let of = |compare| ask(Settings { compare, ..base.clone() }).variants();
        assert_eq!(of(Compare::Off).len(), 1);
        let two = of(Compare::Adapter);
        assert_eq!((two[0].adapter.as_deref(), two[1].adapter.as_deref()), (None, Some("best".as_ref())));
        let two = of(Compare::Constrained);
        assert_eq!((two[0].constrained, two[1].constrained), (false, true));
        let two = of(Compare::Prompt);
        assert_eq!((two[0].prompt.as_str(), two[1].prompt.as_str()), ("a", "b"));
    }

    #[test]
    fn an_answer_that_is_given_and_a_server_know_no_adapter() {
        let adapter = Adapter { name: "best".into(), folder: Some("best".into()) };
        for who in [Who::Given, Who::Openai] {
            let settings = Settings { who, adapter: adapter.clone(), compare: Compare::Adapter, ..Settings::default() };
            let variants = ask(settings).variants();
            assert!(variants.len() == 1 && variants[0].adapter.is_none(), "{who:?}");
        }
    }

    #[test]
    fn a_trial_reads_back_as_it_was_written() {
        let trial = Trial {
            unix_ms: 7,
            settings: Settings { temperature: 0.7, ..Settings::default() },
            prompt: "p\n".into(),
            prompt_b: String::new(),
            text: "중고 \u{1b}[31m".into(),
            schema: "{}".into(),
            outcomes: Vec::new(),
            rows: Some(Box::new(RowsTried { file: "d/t.jsonl".into(), total: 9, summary: Summary::new() })),
        };
        let line = serde_json::to_string(&trial).expect("a line");
        assert!(!line.contains('\n') && !line.contains('\u{1b}'));
        assert_eq!(serde_json::from_str::<Trial>(&line).expect("a trial"), trial);
    }
}
