//! One attempt of a trial whole: what was wrong and where in the text, what was changed, what a model was sent, what came of it, and the
//! difference to before. Lines alone; which attempt is selected and how far it is scrolled is the state's.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::sheet::{LONGEST, Sheet};
use crate::eval::diff::{self, Side};
use crate::extract::attempt::{Attempt, Change, Fault, Stage, Trace};
use crate::ui::format;
use crate::ui::theme::Role;
use crate::ui::widgets::Words;
use crate::units::{beginning, printable};

/// Faults and changes that are shown of each attempt.
const MOST: usize = 100;
/// Bytes of a value in a line.
const IN_LINE: usize = 300;
/// Bytes of texts that are compared: their words are held against each other.
const COMPARED: usize = 4 << 10;

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    Changed,
    /// It could not go on, or made nothing.
    Refused,
    /// A model was asked and answered.
    Asked,
    /// The call failed.
    Failed,
    Cancelled,
    /// It found something wrong, and what came later took care of it.
    HandedOn,
}

impl Verdict {
    /// Of an attempt in its trace.
    pub fn within(trace: &Trace, at: usize) -> Verdict {
        let Some(attempt) = trace.attempts.get(at) else { return Verdict::Ok };
        match Verdict::of(attempt) {
            _ if trace.broke_at(at) && trace.is_cancelled() => Verdict::Cancelled,
            _ if trace.broke_at(at) => Verdict::Failed,
            Verdict::Refused if at + 1 < trace.attempts.len() => Verdict::HandedOn,
            verdict => verdict,
        }
    }

    pub fn of(attempt: &Attempt) -> Verdict {
        let asks = attempt.stage.asks();
        let nothing = attempt.output.is_null();
        match (asks, attempt.errors.is_empty()) {
            (true, _) if nothing => Verdict::Refused,
            (true, _) => Verdict::Asked,
            (false, false) if nothing || attempt.stage == Stage::Validate || attempt.changes.is_empty() => {
                Verdict::Refused
            }
            _ if attempt.changes.is_empty() => Verdict::Ok,
            _ => Verdict::Changed,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Changed => "changed",
            Verdict::Refused => "refused",
            Verdict::Asked => "asked",
            Verdict::Failed => "failed",
            Verdict::Cancelled => "cancelled",
            Verdict::HandedOn => "handed on",
        }
    }

    pub fn role(self) -> Role {
        match self {
            Verdict::Ok => Role::Good,
            Verdict::Changed => Role::Warn,
            Verdict::Refused => Role::Bad,
            Verdict::Asked => Role::Active,
            Verdict::Failed => Role::Bad,
            Verdict::Cancelled | Verdict::HandedOn => Role::Warn,
        }
    }
}

/// All there is to say of an attempt, in lines of at most so many cells.
pub fn lines(trace: &Trace, selected: usize, width: u16) -> Vec<Words> {
    let Some(attempt) = trace.attempts.get(selected) else { return Vec::new() };
    let mut sheet = Sheet::new(width);
    head(&mut sheet, attempt, Verdict::within(trace, selected));
    if let Some(refusal) = trace.error.as_ref()
        && trace.broke_at(selected)
        && !trace.is_cancelled()
    {
        sheet.line(&[(&refusal.message, Role::Bad)]);
    }
    if !attempt.errors.is_empty() {
        sheet.heading(if attempt.stage == Stage::Fix { "what was wrong before" } else { "errors" });
        faults(&mut sheet, &attempt.errors, attempt.input.as_str());
    }
    if !attempt.changes.is_empty() {
        sheet.heading("changes");
        attempt.changes.iter().take(MOST).for_each(|one| change(&mut sheet, one));
        more(&mut sheet, attempt.changes.len());
    }
    if let Some(prompt) = &attempt.prompt {
        sheet.heading("sent to the model, exactly");
        sheet.text(prompt, Role::Text);
    }
    if !attempt.output.is_null() {
        let was_said = attempt.stage.asks();
        sheet.heading(if was_said { "what it wrote" } else { "output" });
        show_copied(&mut sheet, &attempt.output);
        // The first answer has nothing before it.
        if !matches!(attempt.stage, Stage::Generate | Stage::Constrained) {
            difference(&mut sheet, &attempt.input, &attempt.output);
        }
    }
    sheet.heading("input");
    show(&mut sheet, &attempt.input);
    sheet.lines
}

/// Whether an attempt is being written: its time and tokens are not there yet.
pub fn is_written_now(attempt: &Attempt) -> bool {
    attempt.stage.asks() && attempt.ms == 0.0 && attempt.prompt.is_none() && !attempt.output.is_null()
}

fn head(sheet: &mut Sheet, attempt: &Attempt, verdict: Verdict) {
    let number = format!("{}  ", attempt.n);
    let stage = serde_json::to_value(attempt.stage).unwrap_or_default();
    let stage = stage.as_str().unwrap_or_default();
    if is_written_now(attempt) {
        let words =
            [(number.as_str(), Role::Label), (stage, Role::Title), ("  ", Role::Text), ("writes", Role::Active)];
        return sheet.line(&words);
    }
    let took = format::took((attempt.ms.max(0.0) * 1e3) as u64);
    let mut words = vec![(number.as_str(), Role::Label), (stage, Role::Title), ("  ", Role::Text)];
    words.extend([(verdict.name(), verdict.role()), ("  in ", Role::Label), (&took, Role::Text)]);
    let tokens = |n: Option<u64>| format::or_unknown(n, format::count);
    let (sent, wrote) = (tokens(attempt.prompt_tokens), tokens(attempt.completion_tokens));
    // A call that ended before its time tells no tokens, but what came of it is there.
    let broke = matches!(verdict, Verdict::Failed | Verdict::Cancelled);
    let came = attempt.output.as_str().map_or(0, |text| text.chars().count());
    let came = if came == 0 { String::new() } else { format!("  {} characters written", format::count(came as u64)) };
    if broke && attempt.prompt_tokens.is_none() && attempt.completion_tokens.is_none() {
        words.push((&came, Role::Label));
    } else if attempt.prompt.is_some() {
        words.extend([("  tokens ", Role::Label), (&sent, Role::Text), (" sent, ", Role::Label)]);
        words.extend([(wrote.as_str(), Role::Text), (" written", Role::Label)]);
    }
    sheet.line(&words);
}

/// What is wrong, each with the place in the text where that is known.
pub fn faults(sheet: &mut Sheet, faults: &[Fault], input: Option<&str>) {
    for fault in faults.iter().take(MOST) {
        let place = if fault.path.is_empty() { "the whole" } else { beginning(&fault.path, IN_LINE) };
        let (expected, found) = (beginning(&fault.expected, IN_LINE), beginning(&fault.found, IN_LINE));
        let pieces = [(place, Role::Bad), (": expected ", Role::Label), (expected, Role::Text)];
        sheet.line(&[pieces.as_slice(), &[(", found ", Role::Label), (found, Role::Text)]].concat());
        match (fault.offset, input) {
            (Some(offset), Some(input)) => point(sheet, input, offset, &fault.excerpt),
            _ if fault.excerpt.is_empty() => {}
            _ => sheet.line(&[("  ", Role::Text), (beginning(&fault.excerpt, IN_LINE), Role::Label)]),
        }
    }
    more(sheet, faults.len());
}

/// The line of a text that an excerpt begins in, with carets under the excerpt, and where that is.
fn point(sheet: &mut Sheet, input: &str, offset: usize, excerpt: &str) {
    const LEAD: usize = 2;
    let at = beginning(input, offset).len();
    let (before, rest) = input.split_at(at);
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    let room = sheet.width() - LEAD;
    // As much before it as leaves most of the room to it.
    let mut shown = Vec::new();
    let mut lead = 0;
    for grapheme in before[line..].graphemes(true).rev() {
        let grapheme = printable(grapheme);
        if lead + grapheme.width() > room / 3 {
            break;
        }
        lead += grapheme.width();
        shown.push(grapheme);
    }
    shown.reverse();
    let end = rest.find('\n').unwrap_or(rest.len());
    let tail = printable(beginning(&rest[..end], 4 * room));
    let tail = format::take_width(&tail, room - lead);
    let marked = if rest.starts_with(excerpt) {
        printable(beginning(excerpt, 4 * room).lines().next().unwrap_or(""))
    } else {
        String::new()
    };
    let carets = marked.width().clamp(1, tail.width().max(1));
    sheet.lines.push(vec![(format!("  {}{tail}", shown.concat()).into(), Role::Label)]);
    let (number, column) = (before.bytes().filter(|b| *b == b'\n').count() + 1, before[line..].chars().count());
    sheet.lines.push(vec![(format!("{}{}", " ".repeat(LEAD + lead), "^".repeat(carets)).into(), Role::Bad)]);
    sheet.line(&[(&format!("  line {number}, column {}", column + 1), Role::Faint)]);
}

/// One change: where, what, from what to what.
pub fn change(sheet: &mut Sheet, change: &Change) {
    let place = if change.path.is_empty() { "the whole" } else { beginning(&change.path, IN_LINE) };
    let (before, after) = (in_line(&change.before), in_line(&change.after));
    let mut pieces = vec![(place, Role::Text), ("  ", Role::Text), (beginning(&change.kind, IN_LINE), Role::Label)];
    if !change.before.is_null() || !change.after.is_null() {
        pieces.extend([("  ", Role::Text), (&before, Role::Text), (" -> ", Role::Faint), (&after, Role::Text)]);
    }
    if change.lossy {
        pieces.push(("  LOSSY", Role::Warn));
    }
    sheet.line(&pieces);
}

fn more(sheet: &mut Sheet, all: usize) {
    if all > MOST {
        sheet.line(&[(&format!("and {} more", format::count((all - MOST) as u64)), Role::Faint)]);
    }
}

/// A value in a line.
pub fn in_line(value: &Value) -> String {
    let mut head = Head { bytes: Vec::new(), most: IN_LINE, all: 0, goes_on: false };
    let whole = serde_json::to_writer(&mut head, value).is_ok() && head.all <= IN_LINE;
    let text = head.text();
    if whole { text } else { format!("{text}…") }
}

/// The beginning of what is written to it.
struct Head {
    bytes: Vec<u8>,
    most: usize,
    all: usize,
    /// Whether what comes behind it is counted; else it is refused, which ends the writing.
    goes_on: bool,
}

impl Head {
    fn text(self) -> String {
        let mut text = String::from_utf8_lossy(&self.bytes).into_owned();
        // A character that was cut in two.
        if text.ends_with('\u{fffd}') && self.all > self.bytes.len() {
            text.pop();
        }
        text
    }
}

impl Write for Head {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.most - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.all += bytes.len();
        if bytes.len() > room && !self.goes_on { Err(io::ErrorKind::WriteZero.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The beginning of a text as it is, or of a value as JSON in lines; and how many bytes come behind that.
fn whole(value: &Value) -> (Cow<'_, str>, usize) {
    match value {
        Value::String(text) => {
            let shown = beginning(text, LONGEST);
            (shown.into(), text.len() - shown.len())
        }
        Value::Null => ("".into(), 0),
        value => {
            let mut head = Head { bytes: Vec::new(), most: LONGEST, all: 0, goes_on: true };
            // Nothing refuses here.
            let _ = serde_json::to_writer_pretty(&mut head, value);
            let (all, text) = (head.all, head.text());
            let rest = all - text.len().min(all);
            (text.into(), rest)
        }
    }
}

/// A text or value whole, as far as there is room for it.
pub fn show(sheet: &mut Sheet, value: &Value) {
    let (text, rest) = whole(value);
    sheet.text(&text, Role::Text);
    sheet.cut(rest);
}

/// As [`show`], for what can be copied whole.
pub fn show_copied(sheet: &mut Sheet, value: &Value) {
    show(sheet, value);
    if whole(value).1 > 0 {
        sheet.line(&[("copying it takes all", Role::Faint)]);
    }
}

/// From what an attempt was given, which is what the one before made, to what it made: by lines where both are values, else by words.
fn difference(sheet: &mut Sheet, before: &Value, after: &Value) {
    sheet.heading("difference to the attempt before");
    if before == after {
        return sheet.line(&[("none", Role::Label)]);
    }
    let ((a, rest_a), (b, rest_b)) = (whole(before), whole(after));
    let (shown_a, shown_b) = (beginning(&a, COMPARED), beginning(&b, COMPARED));
    if !before.is_string() && !after.is_string() {
        for piece in diff::lines(shown_a, shown_b) {
            let (mark, role) = match piece.side {
                Side::Both => (" ", Role::Label),
                Side::Reference => ("-", Role::Bad),
                Side::Hypothesis => ("+", Role::Good),
            };
            sheet.line(&[(mark, role), (" ", role), (&piece.text, role)]);
        }
    } else {
        // Marks as of a diff by words: colours alone would say nothing to some.
        let pieces: Vec<(String, Role)> = diff::words(shown_a, shown_b)
            .into_iter()
            .map(|piece| {
                let blank = if piece.text.starts_with(' ') { " " } else { "" };
                let text = piece.text.trim_start();
                match piece.side {
                    Side::Both => (piece.text, Role::Text),
                    Side::Reference => (format!("{blank}[-{text}-]"), Role::Bad),
                    Side::Hypothesis => (format!("{blank}{{+{text}+}}"), Role::Good),
                }
            })
            .collect();
        let pieces: Vec<(&str, Role)> = pieces.iter().map(|(text, role)| (text.as_str(), *role)).collect();
        sheet.line(&pieces);
    }
    if shown_a.len() < a.len() || shown_b.len() < b.len() || rest_a + rest_b > 0 {
        sheet.line(&[("compared as far as their first 4,096 bytes", Role::Faint)]);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::extract::attempt::Totals;
    use crate::ui::widgets::pen;

    pub fn attempt(stage: Stage, input: Value, output: Value) -> Attempt {
        let (n, errors, changes, ms) = (1, Vec::new(), Vec::new(), 1.25);
        let (prompt, prompt_tokens, completion_tokens) = (None, None, None);
        Attempt { n, stage, input, output, errors, changes, prompt, prompt_tokens, completion_tokens, ms }
    }

    pub fn trace(value: Option<Value>, attempts: Vec<Attempt>) -> Trace {
        Trace { ok: value.is_some(), value, error: None, attempts, totals: Totals::default() }
    }

    pub fn text(lines: &[Words]) -> Vec<String> {
        lines.iter().map(|line| line.iter().map(|(text, _)| text.as_ref()).collect::<String>()).collect()
    }

    fn fault(expected: &str, excerpt: &str, offset: Option<usize>) -> Fault {
        Fault { path: String::new(), expected: expected.into(), found: "that".into(), excerpt: excerpt.into(), offset }
    }

    #[test]
    fn an_error_points_into_the_text() {
        let input = "{\n  \"이름\": \"중고\", \"email\": john@test.com\n}";
        let mut parse = attempt(Stage::Parse, input.into(), Value::Null);
        let offset = input.find("john");
        parse.errors = vec![fault("a JSON value", "john@test.com", offset), fault("an end", "?", Some(9_999))];
        let told = text(&lines(&trace(None, vec![parse.clone()]), 0, 60));
        let at = told.iter().position(|line| line.contains("\"email\": john")).expect("the line");
        assert_eq!(told[at + 1].matches('^').count(), 13);
        let before = told[at].split("john").next().map(UnicodeWidthStr::width);
        assert_eq!(before, told[at + 1].find('^'), "{told:?}");
        assert_eq!(told[at + 2], "  line 2, column 24", "in characters: the name before it is of two");
        assert!(
            told[0].contains("parse  refused  in 1.25ms") || told[0].contains("parse  refused  in 1ms"),
            "{told:?}"
        );
        // A line of a megabyte is cut around the place.
        let long = format!("{}HERE{}", "중 ".repeat(100_000), "x".repeat(1 << 20));
        parse.errors = vec![fault("less", "HERE", long.find("HERE"))];
        parse.input = long.into();
        let told = text(&lines(&trace(None, vec![parse]), 0, 40));
        let at = told.iter().position(|line| line.contains("HERE")).expect("the place");
        assert_eq!(told[at].split("HERE").next().map(UnicodeWidthStr::width), told[at + 1].find('^'));
    }

    #[test]
    fn changes_are_told_with_what_may_be_lost_and_values_are_compared_by_lines() {
        let (before, after) = (json!({"age": "25", "a": 1}), json!({"age": 25, "a": 1}));
        let mut coerce = attempt(Stage::Coerce, before, after);
        let lost = Change {
            path: String::new(),
            kind: "left_out".into(),
            before: "x".into(),
            after: Value::Null,
            lossy: true,
        };
        let typed = Change {
            path: "/age".into(),
            kind: "string_to_integer".into(),
            before: "25".into(),
            after: 25.into(),
            lossy: false,
        };
        coerce.changes = vec![typed, lost];
        let told = text(&lines(&trace(None, vec![coerce]), 0, 80));
        for what in [
            "/age  string_to_integer  \"25\" -> 25",
            "the whole  left_out  \"x\" -> null  LOSSY",
            "-   \"age\": \"25\",",
            "+   \"age\": 25,",
        ] {
            assert!(told.contains(&what.to_owned()), "{what} in {told:#?}");
        }
    }

    #[test]
    fn a_model_that_is_asked_again_shows_what_it_was_sent_and_what_it_changed() {
        let mut fix = attempt(Stage::Fix, "{'a': 1".into(), "{\"a\": 1}".into());
        fix.errors = vec![fault("JSON", "", None)];
        fix.prompt = Some("line one\n\tline two \u{1b}]0;x\u{7}".into());
        (fix.prompt_tokens, fix.completion_tokens) = (Some(1_234), None);
        let told = text(&lines(&trace(None, vec![fix]), 0, 80));
        assert!(told[0].contains("fix  asked") && told[0].contains("tokens 1,234 sent, — written"), "{told:?}");
        for what in ["what was wrong before", "sent to the model, exactly", "line one", "    line two ␛]0;x�"] {
            assert!(told.contains(&what.to_owned()), "{what} in {told:#?}");
        }
        assert!(told.iter().any(|line| line.contains("[-'") && line.contains("{+\"")), "{told:#?}");
    }

    #[test]
    fn a_provider_that_failed_says_why() {
        let mut failed = trace(None, vec![attempt(Stage::Generate, "text".into(), Value::Null)]);
        let message = "429 after 5 tries".into();
        failed.error = Some(crate::extract::attempt::Refusal { stage: Stage::Generate, message, errors: vec![] });
        let told = text(&lines(&failed, 0, 60));
        assert!(told[0].contains("failed") && told[1] == "429 after 5 tries", "{told:?}");
        assert!(lines(&failed, 7, 60).is_empty());
    }

    #[test]
    fn values_are_cut_between_characters() {
        let long = in_line(&json!(["중".repeat(1_000)]));
        assert!(long.starts_with("[\"중") && long.ends_with("중…") && long.len() <= IN_LINE + 3, "{long}");
        assert_eq!(in_line(&json!({"a": null})), "{\"a\":null}");
        let value = json!(["중".repeat(LONGEST)]);
        let (shown, rest) = whole(&value);
        assert!(
            shown.ends_with('중')
                && shown.len() + rest == serde_json::to_string_pretty(&value).unwrap_or_default().len()
        );
    }

    #[test]
    fn hostile_text_is_shown_within_its_width_and_in_bounded_lines() {
        let hostile = format!("\u{1b}[2J\u{202e}{}\0\t{}\r\n중고", "e\u{301}".repeat(300), "x".repeat(1 << 20));
        let mut repair = attempt(Stage::Repair, hostile.as_str().into(), json!({ hostile.as_str(): hostile.as_str() }));
        repair.prompt = Some(hostile.clone());
        let short = beginning(&hostile, 2_000);
        let (before, after) = (short.into(), Value::Null);
        let one = Change { path: short.into(), kind: short.into(), before, after, lossy: true };
        repair.changes = vec![one; 300];
        repair.errors = (0..300).map(|at| fault(short, short, Some(at * 7))).collect();
        let trace = trace(None, vec![repair]);
        for width in [0, 8, 26, 56, 116, 196] {
            let lines = lines(&trace, 0, width);
            assert!(lines.len() < 60_000, "{}", lines.len());
            for (line, text) in lines.iter().zip(text(&lines)) {
                assert!(pen::width(line) <= usize::from(width.max(8)) + 1, "{width}: {text:?}");
                assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text:?}");
            }
        }
    }
}
