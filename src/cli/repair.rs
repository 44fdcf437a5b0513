//! `finetop repair`: what a model said to a typed value, without a model. The chain is `extract`'s; here are the options, the files and
//! what is printed.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use jiff::civil::DateTime;

use super::{CliError, result, say};
use crate::extract::attempt::{Change, Refusal};
use crate::extract::chain::{repair_text, repair_value};
use crate::extract::durations::Durations;
use crate::extract::rows::{Rows, moment};
use crate::extract::schema::{MOST_BYTES, Schema};
use crate::extract::validate::excerpt;
use crate::units::printable;

/// Longer lines than this are no rows: texts of 100 MB are read, and JSON may write each of their bytes as two.
const MOST_ROW_BYTES: usize = 256 << 20;

/// How durations are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DurationForm {
    /// Seconds: 5400.0
    Float,
    /// Text, as `format: duration` asks for it: "PT1H30M"
    Iso8601,
}

#[derive(Debug, Args)]
pub struct RepairArguments {
    /// A JSON Schema that the value has to fit; without one, the syntax alone is repaired
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// The local time that "tomorrow" and dates without a year are told by, as in 2026-11-05T14:00; by default now
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// Rows instead of standard input, an object a line: {"id", "input", "schema"?, "now"?}; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "trace")]
    jsonl: Option<PathBuf>,
    /// Print the whole trace instead of the value: each stage with what it took, made, changed and refused
    #[arg(long)]
    trace: bool,
    /// How the value's durations are written, by the names of Pydantic's ser_json_timedelta
    #[arg(long, value_enum, default_value_t = DurationForm::Float, value_name = "FORM")]
    durations: DurationForm,
}

/// Reads standard input, or the rows of a file, and prints the value or the answers.
/// # Errors
/// Wrong use; a text without a value that fits.
pub fn repair(arguments: RepairArguments) -> Result<(), CliError> {
    let now = match &arguments.now {
        Some(text) => moment(text).map_err(|what| CliError::Usage(format!("--now: {what}")))?,
        None => jiff::ZonedDateTime::now().datetime(),
    };
    let schema = arguments.schema.as_deref().map(read_schema).transpose()?;
    let durations = match arguments.durations {
        DurationForm::Float => Durations::Float,
        DurationForm::Iso8601 => Durations::Iso8601,
    };
    match &arguments.jsonl {
        Some(file) => rows(file, schema, now, durations),
        None => one(schema.as_ref(), now, durations, arguments.trace),
    }
}

/// A schema's file.
/// # Errors
/// One that cannot be read, or is no schema, with where.
pub fn read_schema(file: &Path) -> Result<Schema, CliError> {
    let name = file.display();
    let wrong = |what: String| CliError::Usage(format!("{name}: {what}"));
    let mut bytes = Vec::new();
    let opened = File::open(file).and_then(|file| file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes));
    opened.map_err(|e| wrong(e.to_string()))?;
    let text = utf8(bytes).map_err(wrong)?;
    Schema::parse(&text).map_err(|e| wrong(e.to_string()))
}

fn one(schema: Option<&Schema>, now: DateTime, durations: Durations, whole_trace: bool) -> Result<(), CliError> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).map_err(|e| CliError::Failed(format!("standard input: {e}")))?;
    let text = utf8(bytes).map_err(|what| CliError::Usage(format!("standard input: {what}")))?;
    if whole_trace {
        let mut trace = repair_text(&text, schema, now);
        durations.write_traced(&mut trace, schema);
        let printed = serde_json::to_string_pretty(&trace).map_err(|e| CliError::Failed(e.to_string()))?;
        result(escaped(&printed))?;
        return if trace.ok { Ok(()) } else { Err(CliError::Told(1)) };
    }
    let mut repaired = repair_value(&text, schema, now);
    durations.write(&mut repaired, schema);
    for change in repaired.changes.iter().filter(|c| c.lossy) {
        say(printable(&loss(change)));
    }
    match repaired.result {
        Ok(value) => result(escaped(&value.to_string())).map(drop),
        Err(error) => Err(CliError::Failed(refusal(&error))),
    }
}

/// A line for each thing that is wrong.
fn refusal(refusal: &Refusal) -> String {
    let fault = |path: &str, expected: &str, found: &str| {
        let at = if path.is_empty() { "the value" } else { path };
        format!("{}: expected {}, found {}", printable(at), printable(expected), printable(found))
    };
    let lines: Vec<String> = refusal.errors.iter().map(|f| fault(&f.path, &f.expected, &f.found)).collect();
    let message = printable(&refusal.message);
    match lines.first() {
        None => message,
        Some(first) if message.starts_with(first.as_str()) => lines.join("\n"),
        Some(_) => format!("{message}\n{}", lines.join("\n")),
    }
}

/// What a change may have lost or guessed, as a line.
pub(super) fn loss(change: &Change) -> String {
    let at = if change.path.is_empty() { "the value" } else { &change.path };
    let became = if change.after.is_null() { String::new() } else { format!(" became {}", excerpt(&change.after)) };
    let before = if change.before.is_null() { String::new() } else { format!(" {}", excerpt(&change.before)) };
    format!("{at}: something may be missing or guessed ({}):{before}{became}", change.kind)
}

fn rows(file: &Path, schema: Option<Schema>, now: DateTime, durations: Durations) -> Result<(), CliError> {
    let is_input = file == Path::new("-");
    let name = if is_input { "standard input".to_string() } else { file.display().to_string() };
    let failed = |e: io::Error| CliError::Failed(format!("{name}: {e}"));
    let mut lines: Box<dyn BufRead> = if is_input {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let opened = File::open(file).map_err(|e| CliError::Usage(format!("{name}: {e}")))?;
        if fs::metadata(file).is_ok_and(|m| m.is_dir()) {
            return Err(CliError::Usage(format!("{name} is a folder; expected a file with an object a line")));
        }
        Box::new(BufReader::new(opened))
    };
    let mut rows = Rows::new(name.clone(), schema, now).with_durations(durations);
    let (mut line, mut number) = (Vec::new(), 0);
    let mut out = io::stdout().lock();
    loop {
        let read = next_line(&mut lines, MOST_ROW_BYTES, &mut line).map_err(failed)?;
        number += 1;
        let answer = match read {
            Line::None => return Ok(()),
            Line::TooLong => rows.too_long(number, MOST_ROW_BYTES),
            Line::Whole if line.trim_ascii().is_empty() => continue,
            Line::Whole => rows.answer(line.trim_ascii(), number),
        };
        let answer = serde_json::to_string(&answer).map_err(|e| CliError::Failed(e.to_string()))?;
        // A row at a time, so that who reads along sees each as it is done.
        match writeln!(out, "{}", escaped(&answer)).and_then(|()| out.flush()) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(e) => return Err(CliError::Failed(format!("standard output: {e}"))),
        }
    }
}

enum Line {
    Whole,
    /// It is passed over.
    TooLong,
    None,
}

/// Reads the next line into `line`, its end too, unless it has more than `most` bytes without it.
fn next_line(lines: &mut impl BufRead, most: usize, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    if lines.by_ref().take(most as u64 + 1).read_until(b'\n', line)? == 0 {
        return Ok(Line::None);
    }
    if line.len() <= most || line.ends_with(b"\n") {
        return Ok(Line::Whole);
    }
    // The memory is given back too.
    *line = Vec::new();
    lines.skip_until(b'\n').map(|_| Line::TooLong)
}

fn utf8(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let line = e.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1;
        format!("not UTF-8 at byte {}, in line {line}", at + 1)
    })
}

/// The same JSON without characters that command a terminal: those that JSON lets stand (DEL, C1, bidirectional overrides) escaped.
pub(super) fn escaped(json: &str) -> String {
    let commands = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !json.chars().any(commands) {
        return json.to_string();
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if commands(c) { safe.push_str(&format!("\\u{:04x}", u32::from(c))) } else { safe.push(c) }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_for_a_terminal_is_the_same_json_without_commands() {
        let value = serde_json::json!("a\u{9b}31m\u{202e}b\u{7f}\u{1b}");
        let safe = escaped(&value.to_string());
        assert!(safe.is_ascii());
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_the_next_is_read() {
        let mut lines = &b"1234\n12345\n\n123456789\n12"[..];
        let mut line = Vec::new();
        let mut read = || match next_line(&mut lines, 4, &mut line).unwrap() {
            Line::Whole => Some(String::from_utf8(line.clone()).unwrap()),
            Line::TooLong => Some("too long".into()),
            Line::None => None,
        };
        let read: Vec<String> = std::iter::from_fn(&mut read).collect();
        assert_eq!(read, ["1234\n", "too long", "\n", "too long", "12"]);
    }

    #[test]
    fn text_that_is_not_utf8_says_where() {
        assert_eq!(utf8(b"ab\nc\xff".to_vec()), Err("not UTF-8 at byte 5, in line 2".into()));
    }
}
