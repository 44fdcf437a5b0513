//! A file of rows: it is read, each row is asked by itself, and what they say together is told and written as the report.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::de::IgnoredAny;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use super::{ExtractArguments, Who, json, shown, stage_name, told};
use crate::cli::engine::{failed, usage};
use crate::cli::{CliError, result, say};
use crate::disk::write_atomically;
use crate::extract::attempt::{Stage, Trace};
use crate::extract::fix::{self, Ask};
use crate::extract::many::{AT_ONCE, extract_all};
use crate::extract::provider::Provider;
use crate::extract::report::{Report, Row, RowResult, Share, Summary, Unanswered};
use crate::extract::rows::moment;
use crate::units::{format_duration, printable};

/// Longer lines than this are no rows.
const MOST_ROW_BYTES: usize = 16 << 20;
/// Rows that are named one by one.
const MOST_UNREAD: usize = 5;

pub(super) fn many(
    ask: &Ask,
    rows: Vec<(u64, Row)>,
    arguments: &ExtractArguments,
    model: &str,
    provider: &mut dyn Provider,
) -> Result<(), CliError> {
    let rows: Vec<_> = rows.into_iter().map(|(line, row)| (line, row.of_schema(&ask.schema))).collect();
    let mut book = Book::new(&rows, arguments);
    let of_row = |at: usize| rows[at].1.ask(ask);
    let stop = interruption(arguments.report.is_some()).map_err(failed)?;
    let flow = || if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let mut waits = flow;
    match (arguments.provider, arguments.batch.map_or(AT_ONCE, |batch| batch as usize)) {
        (Who::Local, batch) if batch > 1 => {
            extract_all(rows.len(), batch, &of_row, provider, &mut waits, &mut |trace| book.enter(trace));
        }
        // A server is asked row by row, and what it makes us wait for is told.
        _ => {
            for (at, (line, _)) in rows.iter().enumerate() {
                let mut say_so = told(false);
                let trace = fix::extract(&of_row(at), provider, &mut |what| {
                    _ = say_so(what);
                    flow()
                });
                if flow().is_break() {
                    break;
                }
                // That is no result of the row.
                if let Some(error) = trace.call_error().filter(|_| provider.is_lost()) {
                    book.ended = End::Broken(format!("row {line}: {}", printable(&error.message)));
                    break;
                }
                if book.enter(trace).is_break() {
                    break;
                }
            }
        }
    }
    let Book { summary, results, began, mut ended, first, .. } = book;
    if flow().is_break() && matches!(ended, End::No) && results.len() < rows.len() {
        ended = End::Broken("interrupted".to_owned());
    }
    let stopped = match ended {
        End::Unread => return Ok(()),
        End::Failed(error) => return Err(error),
        End::Broken(why) => Some(why),
        End::No => None,
    };
    tell(&summary, began.elapsed());
    tell_unread(&results);
    let (total, asked, unanswered) = (rows.len(), results.len(), summary.unanswered);
    if let Some(path) = &arguments.report {
        let report = Report {
            summary,
            provider: match arguments.provider {
                Who::Local => "local".to_owned(),
                Who::Openai => "openai".to_owned(),
            },
            model: model.to_owned(),
            adapter: arguments.adapter.as_ref().map(|a| a.display().to_string()),
            constrained: ask.constrained,
            fix_mode: ask.fix_mode,
            max_retries: ask.max_retries,
            prompt: ask.prompt.clone(),
            json_schema: ask.schema.document().clone(),
            rows_total: total as u64,
            stopped: stopped.clone(),
            rows: results,
        };
        let text = report.text().map_err(failed)?;
        // A link stays one.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        let written = write_atomically(&target, |out| out.write_all(text.as_bytes()));
        written.map_err(|e| failed(format_args!("{}: {e}", shown(path))))?;
    }
    match (stopped, first) {
        (Some(why), _) => Err(failed(format_args!("stopped after {asked} of {total} rows: {why}"))),
        (None, Some(first)) => {
            Err(failed(format_args!("{unanswered} of {total} rows got no answer; the first, {first}")))
        }
        (None, None) => Ok(()),
    }
}

/// Set by Ctrl-C or SIGTERM where there is a report to write of what was done, which is said at once: what is being computed may take its
/// time. A second one ends the process, as it does without a report.
fn interruption(has_report: bool) -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM].into_iter().filter(|_| has_report) {
        flag::register_conditional_default(signal, stop.clone())?;
        flag::register(signal, stop.clone())?;
    }
    if has_report {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let body = move || signals.forever().take(1).for_each(|_| say("stopping; again ends without a report"));
        thread::Builder::new().name("finetop-signals".into()).spawn(body)?;
    }
    Ok(stop)
}

/// How the work ended before its last row.
enum End {
    No,
    /// Why not all rows were asked; what was done is told and written all the same.
    Broken(String),
    /// Whoever read the rows is gone.
    Unread,
    Failed(CliError),
}

/// What came of each row, told in the order of the file.
struct Book<'a> {
    rows: &'a [(u64, Row)],
    arguments: &'a ExtractArguments,
    summary: Summary,
    results: Vec<RowResult>,
    began: Instant,
    last: Instant,
    ended: End,
    unanswered: Unanswered,
    /// The first row that got no answer, and why.
    first: Option<String>,
}

impl<'a> Book<'a> {
    fn new(rows: &'a [(u64, Row)], arguments: &'a ExtractArguments) -> Self {
        let (summary, results, now) = (Summary::new(), Vec::with_capacity(rows.len()), Instant::now());
        let (unanswered, ended, first) = (Unanswered::default(), End::No, None);
        Book { rows, arguments, summary, results, began: now, last: now, ended, unanswered, first }
    }

    /// Takes the next row's trace; breaks where no other is wanted.
    fn enter(&mut self, trace: Trace) -> ControlFlow<()> {
        if let Err(ended) = self.tell(trace) {
            self.ended = ended;
            return ControlFlow::Break(());
        }
        let (done, total) = (self.results.len(), self.rows.len());
        if self.last.elapsed() >= Duration::from_secs(5) {
            self.last = Instant::now();
            let left = self.began.elapsed().as_secs_f64() / done as f64 * (total - done) as f64;
            let passed = self.summary.passed.count;
            say(format_args!("{done} of {total} rows, {passed} with a value; about {} left", format_duration(left)));
        }
        ControlFlow::Continue(())
    }

    /// The next row of the file.
    fn tell(&mut self, trace: Trace) -> Result<(), End> {
        let (line, row) = &self.rows[self.results.len()];
        // One row's trouble is that row's result; the same again and again is everybody's.
        let stops = self.unanswered.hear(&trace);
        if let Some(error) = trace.call_error() {
            self.first.get_or_insert_with(|| format!("row {line}: {}", printable(&error.message)));
        }
        let row = RowResult::new(*line, row, trace, self.arguments.trace);
        self.summary.add(&row);
        // Whoever read the rows may go: the report is still wanted.
        let is_read = json(&row).and_then(result).map_err(End::Failed)?;
        if !is_read && self.arguments.report.is_none() {
            return Err(End::Unread);
        }
        self.results.push(row);
        stops.map_or(Ok(()), |why| Err(End::Broken(format!("row {line}: {}", printable(&why)))))
    }
}

/// Looks whether a report can be written there, before anything is asked and paid for. `inputs` are the files that are read, and what each
/// is called.
pub(super) fn can_be_written(path: &Path, inputs: &[(&str, Option<&Path>)]) -> Result<(), CliError> {
    let wrong = |what: &str| Err(usage(format_args!("--report {}: {what}", shown(path))));
    let found = fs::metadata(path).ok();
    if found.as_ref().is_some_and(|found| !found.is_file()) {
        return wrong("expected a file, found something else");
    }
    let same =
        |input: &Path| fs::canonicalize(input).ok().is_some_and(|input| fs::canonicalize(path).ok() == Some(input));
    if let Some((name, _)) = inputs.iter().find(|(_, input)| input.is_some_and(same)) {
        return wrong(&format!("that is {name} itself, which the report would replace"));
    }
    if found.is_some_and(|found| found.len() > 0) && !is_report(path) {
        return wrong("that file is no report of finetop's, and would be replaced; move it away, or name another");
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() { Ok(()) } else { wrong("its folder is not there") }
}

/// Whether an earlier report stands there: a whole object with what every report has.
fn is_report(path: &Path) -> bool {
    let read = |file| serde_json::from_reader::<_, BTreeMap<String, IgnoredAny>>(BufReader::new(file)).ok();
    let fields = fs::File::open(path).ok().and_then(read);
    fields
        .is_some_and(|has| ["passed", "provider", "model", "json_schema", "rows"].iter().all(|f| has.contains_key(*f)))
}

fn tell(summary: &Summary, took: Duration) {
    let share = |s: Share| match s.rate() {
        Some(rate) => format!("{} of {} ({:.1} %)", s.count, s.of, 100.0 * rate),
        None => "none".into(),
    };
    say(format_args!("with a value: {}; as said: {}", share(summary.passed), share(summary.passed_as_said)));
    let by = |stages: &BTreeMap<Stage, u64>| {
        stages.iter().map(|(stage, n)| format!("{} {n}", stage_name(*stage))).collect::<Vec<_>>().join(", ")
    };
    if summary.lossy > 0 {
        say(format_args!("something may be missing or guessed in {} of the values", summary.lossy));
    }
    if !summary.saved_by.is_empty() {
        say(format_args!("by the stage that saved them: {}", by(&summary.saved_by)));
    }
    if !summary.refused_by.is_empty() {
        say(format_args!("refused: {}", by(&summary.refused_by)));
    }
    if summary.exact.of > 0 {
        let without = summary.passed.of - summary.exact.of;
        if without > 0 {
            say(format_args!("{without} rows have no right value to hold against"));
        }
        say(format_args!("exact: {}; fields: {}", share(summary.exact), share(summary.fields)));
        for (name, share_of) in &summary.by_field {
            say(format_args!("  {}: {}", printable(name), share(*share_of)));
        }
    }
    let number = |n: Option<u64>| n.map_or("unknown".into(), |n| n.to_string());
    let (prompt, completion) = (number(summary.prompt_tokens), number(summary.completion_tokens));
    let cost = summary.cost.map(|c| format!(", cost {c:.4}")).unwrap_or_default();
    let (calls, retries, took) = (summary.calls, summary.retries, format_duration(took.as_secs_f64()));
    say(format_args!(
        "{calls} calls, {retries} of them again; tokens: {prompt} of prompts, {completion} of answers{cost}; {took}"
    ));
}

/// Says of the rows whose right value cannot be read which they are, and why.
fn tell_unread(results: &[RowResult]) {
    let unread = || results.iter().filter_map(|row| Some((row.row, row.gold_error.as_ref()?)));
    for (line, why) in unread().take(MOST_UNREAD) {
        say(format_args!("row {line} has no right value: {}", printable(why)));
    }
    let more = unread().count().saturating_sub(MOST_UNREAD);
    if more > 0 {
        say(format_args!("and so {more} rows more"));
    }
}

pub(crate) fn rows(path: &Path, limit: Option<usize>) -> Result<Vec<(u64, Row)>, CliError> {
    let name = shown(path);
    if path.is_dir() {
        return Err(usage(format_args!("{name} is a folder; expected a file with an object a line")));
    }
    let file = fs::File::open(path).map_err(|e| usage(format_args!("{name}: {e}")))?;
    read_rows(&mut BufReader::new(file), &name, limit)
}

/// Rows as they are asked for: of a file, or of standard input by the name `-`.
pub(super) fn rows_or_input(path: &Path, limit: Option<usize>) -> Result<Vec<(u64, Row)>, CliError> {
    if path == Path::new("-") { read_rows(&mut io::stdin().lock(), "standard input", limit) } else { rows(path, limit) }
}

fn read_rows(reader: &mut impl BufRead, name: &str, limit: Option<usize>) -> Result<Vec<(u64, Row)>, CliError> {
    let wrong = |line: u64, what: &dyn std::fmt::Display| {
        usage(format_args!("{name}:{line}: {}", printable(&what.to_string())))
    };
    let mut rows = Vec::new();
    for line in 1.. {
        let mut bytes = Vec::new();
        let most = MOST_ROW_BYTES as u64 + 1;
        let read = reader.by_ref().take(most).read_until(b'\n', &mut bytes).map_err(|e| wrong(line, &e))?;
        if read == 0 || limit.is_some_and(|limit| rows.len() >= limit) {
            break;
        }
        if bytes.len() > MOST_ROW_BYTES {
            return Err(wrong(line, &format_args!("expected a line of at most {} MiB", MOST_ROW_BYTES >> 20)));
        }
        let text = String::from_utf8(bytes).map_err(|_| wrong(line, &"expected UTF-8"))?;
        if text.trim().is_empty() {
            continue;
        }
        let row: Row = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|e| wrong(line, &format_args!("expected an object with \"text\" or \"prompt\": {e}")))?;
        match row.text.as_ref().or(row.prompt.as_ref()) {
            None => return Err(wrong(line, &"expected \"text\" or \"prompt\", found neither")),
            Some(text) if text.trim().is_empty() => return Err(wrong(line, &"expected a text, found an empty one")),
            Some(_) => {}
        }
        if let Some(Err(what)) = row.now.as_deref().map(moment) {
            return Err(wrong(line, &format_args!("now: {what}")));
        }
        rows.push((line, row));
    }
    if rows.is_empty() {
        return Err(usage(format_args!("{name}: no rows")));
    }
    Ok(rows)
}
