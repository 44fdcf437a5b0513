//! Chat templates: messages to the text that a model was trained on, and where in it the assistant speaks. The Jinja
//! dialect is that of transformers' `apply_chat_template`; `tojson` is in `python_json`. No tokens here: next
//! `dataset`.

use std::ops::Range;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};
use thiserror::Error as ThisError;

use super::python_json;
use super::tokenizer::Tokenizer;
use crate::units::printable;

/// What a render may cost, in minijinja's units: an instruction or 64 bytes are one. So much for the template itself,
/// so much for a message, and the bytes of the messages, divided. Real templates use less than a fifth of it.
const FUEL: u64 = 50_000;
const FUEL_A_MESSAGE: u64 = 1_000;
const BYTES_A_FUEL: u64 = 2;
/// A template that keeps state can nest values as deep as its fuel goes, about 8 units a level, and dropping them
/// recurses.
const STACK_BYTES_A_FUEL: u64 = 256;
/// A template below this size that keeps no state nests only as deep as it is written.
const SHALLOW_SOURCE_BYTES: usize = 16 << 10;
const NAME: &str = "chat template";

#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum TemplateError {
    #[error("the chat template is no valid Jinja: {0}")]
    Syntax(String),
    /// The template itself refused, through `raise_exception`.
    #[error("the chat template refuses these messages: {0}")]
    Refused(String),
    #[error("the chat template failed: {0}")]
    Failed(String),
    #[error("the chat template does more work than a chat template has")]
    OutOfFuel,
    #[error("message {message}: {expected}, found {found}")]
    Message { message: usize, expected: &'static str, found: String },
    /// Counts from 1, as people count messages.
    #[error(
        "message {message}: the chat template does not begin an assistant's turn in a conversation as it begins an \
         answer, so its tokens cannot be told apart; give the row as prompt and completion"
    )]
    OtherBeginning { message: usize },
    #[error(
        "message {message}: the chat template writes this turn differently once the conversation goes on; give a row \
         for each assistant turn, the turn last"
    )]
    Rewritten { message: usize },
}

/// One message of a conversation. Keys other than `role` and `content` (`tool_calls`, `name` …) reach the template as
/// they are.
#[derive(Debug, Clone)]
pub struct Message {
    role: String,
    fields: Value,
}

impl Message {
    pub fn new(role: &str, content: &str) -> Message {
        Message { role: role.into(), fields: Value::from_pairs([("role", role), ("content", content)]) }
    }

    pub fn system(content: &str) -> Message {
        Message::new("system", content)
    }

    pub fn user(content: &str) -> Message {
        Message::new("user", content)
    }

    pub fn assistant(content: &str) -> Message {
        Message::new("assistant", content)
    }

    pub fn role(&self) -> &str {
        &self.role
    }

    /// A message from a row: an object with a `role` and a `content` of text. A message with `tool_calls` may go
    /// without content.
    /// # Errors
    /// `TemplateError::Message` with the place of the message, what was expected there and what was found.
    pub fn from_value(fields: Value, index: usize) -> Result<Message, TemplateError> {
        let wrong = |expected, found: String| TemplateError::Message { message: index + 1, expected, found };
        if fields.kind() != ValueKind::Map {
            return Err(wrong("expected an object with role and content", kind_name(&fields).into()));
        }
        let field = |key| fields.get_attr(key).unwrap_or(Value::UNDEFINED);
        let role = field("role");
        let Some(role) = role.as_str() else {
            return Err(wrong("expected a role of text", kind_name(&role).into()));
        };
        let content = field("content");
        let without = content.is_undefined() || content.is_none();
        if content.as_str().is_none() && !(without && field("tool_calls").is_true()) {
            return Err(wrong("expected a content of text", kind_name(&content).into()));
        }
        Ok(Message { role: role.to_owned(), fields })
    }
}

fn kind_name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "nothing",
        ValueKind::None => "null",
        ValueKind::Bool => "a boolean",
        ValueKind::Number => "a number",
        ValueKind::String => "text",
        ValueKind::Seq => "a list",
        ValueKind::Map => "an object",
        _ => "something else",
    }
}

/// A rendered conversation with the byte ranges that the assistant wrote, in order, each from the end of the generation
/// prompt to the end of what the template writes for the turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    pub text: String,
    pub assistant: Vec<Range<usize>>,
}

/// A compiled chat template with the model's start and end tokens as text.
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos_token: Option<String>,
    eos_token: Option<String>,
    may_nest: bool,
}

impl std::fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatTemplate").field("bos_token", &self.bos_token).field("eos_token", &self.eos_token).finish()
    }
}

impl ChatTemplate {
    /// Compiles `source` as transformers does: blocks trimmed, loop controls, Python's methods on text and mappings.
    /// # Errors
    /// `Syntax` with the line, when it is no template.
    pub fn new(source: &str, bos_token: Option<&str>, eos_token: Option<&str>) -> Result<ChatTemplate, TemplateError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(syntax_error)?;
        environment.set_syntax(syntax);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", to_json);
        environment.add_function("raise_exception", raise_exception);
        environment.add_template_owned(NAME, without_generation_tags(source)).map_err(syntax_error)?;
        let template = ChatTemplate {
            environment,
            bos_token: bos_token.map(Into::into),
            eos_token: eos_token.map(Into::into),
            may_nest: source.contains("namespace") || source.len() > SHALLOW_SOURCE_BYTES,
        };
        Ok(template.at(unix_now()))
    }

    /// The model's own template, or `None` where its files have none.
    /// # Errors
    /// As `new`.
    pub fn of(tokenizer: &Tokenizer) -> Option<Result<ChatTemplate, TemplateError>> {
        let source = tokenizer.chat_template()?;
        Some(ChatTemplate::new(source, tokenizer.bos_token(), Some(tokenizer.eos_token())))
    }

    /// Makes `strftime_now` tell this time, in seconds since 1970. Without it, it tells when the template was compiled,
    /// so that a conversation has the same text before and after midnight.
    pub fn at(mut self, unix_seconds: i64) -> ChatTemplate {
        self.environment.add_function("strftime_now", move |format: &str| strftime(format, unix_seconds));
        self
    }

    /// The conversation as text; with `add_generation_prompt` it ends where the assistant is to go on.
    /// # Errors
    /// `Refused` when the template raises an exception, `OutOfFuel`, or `Failed` with the line.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, TemplateError> {
        self.render_with_tools(messages, None, add_generation_prompt)
    }

    /// As `render`, for a conversation that offers tools (a list of their JSON schemas).
    /// # Errors
    /// As `render`.
    pub fn render_with_tools(
        &self,
        messages: &[Message],
        tools: Option<&Value>,
        add_generation_prompt: bool,
    ) -> Result<String, TemplateError> {
        let mut context = vec![
            ("messages", messages.iter().map(|message| message.fields.clone()).collect::<Value>()),
            ("tools", tools.cloned().unwrap_or(Value::from(()))),
            ("documents", Value::from(())),
            ("add_generation_prompt", Value::from(add_generation_prompt)),
        ];
        context.extend(self.bos_token.iter().map(|token| ("bos_token", Value::from(token))));
        context.extend(self.eos_token.iter().map(|token| ("eos_token", Value::from(token))));
        let mut environment = self.environment.clone();
        let bytes = messages.iter().map(|message| &message.fields).chain(tools).map(|value| value.to_string().len());
        let fuel = FUEL + FUEL_A_MESSAGE * messages.len() as u64 + bytes.sum::<usize>() as u64 / BYTES_A_FUEL;
        environment.set_fuel(Some(fuel));
        // Values and errors that hold values are dropped within, where there is stack enough.
        let render = || {
            let template = environment.get_template(NAME).map_err(render_error)?;
            template.render(Value::from_pairs(context)).map_err(render_error)
        };
        if self.may_nest { with_stack(STACK_BYTES_A_FUEL * fuel, render) } else { render() }
    }

    /// The conversation with the assistant's turns marked. A turn is what is added between the text before it,
    /// generation prompt included, and the text up to and with it; both must be beginnings of the whole, else the loss
    /// would lie on text that the model is never asked to write. Templates that rewrite earlier turns (dropping
    /// thoughts, say) are refused for rows that have such turns.
    /// # Errors
    /// As `render`, `OtherBeginning` and `Rewritten`.
    pub fn conversation(&self, messages: &[Message], tools: Option<&Value>) -> Result<Conversation, TemplateError> {
        let text = self.render_with_tools(messages, tools, false)?;
        let mut assistant = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            if message.role != "assistant" {
                continue;
            }
            let last = index + 1 == messages.len();
            let through = if last { text.clone() } else { self.render_with_tools(&messages[..=index], tools, false)? };
            if !text.starts_with(&through) {
                return Err(TemplateError::Rewritten { message: index + 1 });
            }
            let before = self.render_with_tools(&messages[..index], tools, true)?;
            if !through.starts_with(&before) {
                return Err(TemplateError::OtherBeginning { message: index + 1 });
            }
            assistant.push(before.len()..through.len());
        }
        Ok(Conversation { text, assistant })
    }
}

/// Runs `work` on a thread that may use this much stack; what it does not use is only reserved.
fn with_stack<T: Send>(bytes: u64, work: impl FnOnce() -> Result<T, TemplateError> + Send) -> Result<T, TemplateError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("chat template".into()).stack_size(bytes as usize);
        let thread = thread.spawn_scoped(scope, work);
        let thread = thread.map_err(|error| TemplateError::Failed(format!("no thread to render it on: {error}")))?;
        thread.join().unwrap_or_else(|_| Err(TemplateError::Failed("the template engine panicked".into())))
    })
}

/// transformers marks the assistant's text with `{% generation %}` blocks, which print what is in them and nothing
/// else.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else { break };
        let end = start + length + 2;
        let inside = &rest[start + 2..end - 2];
        let statement = inside.trim_start_matches(['-', '+']).trim_end_matches(['-', '+']).trim();
        let replacement = match statement {
            "generation" => Some("if true"),
            "endgeneration" => Some("endif"),
            _ => None,
        };
        out.push_str(&rest[..start]);
        match replacement {
            Some(replacement) => out.push_str(&rest[start..end].replacen(statement, replacement, 1)),
            None => out.push_str(&rest[start..end]),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

fn to_json(value: &Value, kwargs: Kwargs) -> Result<Value, Error> {
    let style = python_json::Style {
        ensure_ascii: kwargs.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false),
        indent: kwargs.get::<Option<usize>>("indent")?,
        separators: kwargs.get::<Option<Vec<String>>>("separators")?,
        sort_keys: kwargs.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
    };
    kwargs.assert_all_used()?;
    python_json::dumps(value, &style).map(Value::from)
}

#[derive(Debug, ThisError)]
#[error("{0}")]
struct Raised(String);

fn raise_exception(message: &Value) -> Result<Value, Error> {
    let message = message.to_string();
    Err(Error::new(ErrorKind::InvalidOperation, "raise_exception").with_source(Raised(message)))
}

fn syntax_error(error: Error) -> TemplateError {
    TemplateError::Syntax(describe(&error))
}

fn render_error(error: Error) -> TemplateError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some(Raised(message)) = inner.downcast_ref() {
            return TemplateError::Refused(printable(message));
        }
        if inner.downcast_ref::<Error>().is_some_and(|error| error.kind() == ErrorKind::OutOfFuel) {
            return TemplateError::OutOfFuel;
        }
        cause = inner.source();
    }
    TemplateError::Failed(describe(&error))
}

fn describe(error: &Error) -> String {
    let what = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    printable(&match error.line() {
        Some(line) => format!("{what} (line {line})"),
        None => what,
    })
}

fn unix_now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// Local time through the C library's `strftime`, which is what Python's calls.
fn strftime(format: &str, unix_seconds: i64) -> Result<String, Error> {
    let wrong = |what| Error::new(ErrorKind::InvalidOperation, what);
    if format.is_empty() {
        return Ok(String::new());
    }
    let format = std::ffi::CString::new(format).map_err(|_| wrong("strftime_now: the format has a NUL"))?;
    let time: libc::time_t = unix_seconds as libc::time_t;
    let mut buffer = [0u8; 256];
    // SAFETY: `fields` is written by localtime_r before it is read, `format` ends with NUL, `buffer` is as long as is
    // said.
    let written = unsafe {
        let mut fields: libc::tm = std::mem::zeroed();
        if libc::localtime_r(&time, &mut fields).is_null() {
            return Err(wrong("strftime_now: the time is out of range"));
        }
        libc::strftime(buffer.as_mut_ptr().cast(), buffer.len(), format.as_ptr(), &fields)
    };
    Ok(String::from_utf8_lossy(&buffer[..written]).into_owned())
}
