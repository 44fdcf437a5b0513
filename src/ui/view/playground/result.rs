//! What came of a trial: the value as a table, each field with how it was obtained, and as JSON; or why there is none, and what to try.

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::sheet::Sheet;
use super::trace::{change, faults, in_line, show_copied};
use crate::extract::attempt::{CANCELLED, Refusal, Stage, Trace};
use crate::extract::origin::{Field, Origin, losses, origins};
use crate::ui::format;
use crate::ui::theme::Role;
use crate::ui::widgets::Words;
use crate::units::printable;

/// Rows of the table, and changes under it.
const MOST_ROWS: usize = 500;
const MOST_LOSSES: usize = 20;
const HOW: &str = "how obtained";
/// From this width on the table has a column of types.
const WITH_TYPES: usize = 56;

/// The value with its origins, or the refusal; in lines of at most so many cells.
pub fn lines(trace: &Trace, width: u16) -> Vec<Words> {
    let mut sheet = Sheet::new(width);
    if let Some(value) = &trace.value {
        table(&mut sheet, &origins(trace));
        let lost: Vec<_> = losses(trace).take(MOST_LOSSES).collect();
        if !lost.is_empty() {
            sheet.heading("may be missing, or was guessed");
            lost.into_iter().for_each(|one| change(&mut sheet, one));
        }
        sheet.heading("as JSON");
        show_copied(&mut sheet, value);
    }
    if let Some(refusal) = &trace.error {
        refused(&mut sheet, trace, refusal);
    }
    sheet.lines
}

fn role(origin: Origin) -> Role {
    match origin {
        Origin::AsAnswered => Role::Good,
        Origin::Inferred => Role::Warn,
        _ => Role::Active,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A line for each field: letters and words of its origin, type, path, value.
fn table(sheet: &mut Sheet, fields: &[Field]) {
    const ELLIPSIS: &str = "~";
    let width = sheet.width();
    let origin = |field: &Field| {
        let names: Vec<&str> = field.origins.iter().map(|origin| origin.name()).collect();
        let lossy = if field.lossy { " LOSSY" } else { "" };
        let absent = if field.not_in_text { ", not in the text" } else { "" };
        format!("{}{lossy}{absent}", names.join(", "))
    };
    let shown = &fields[..fields.len().min(MOST_ROWS)];
    let widest =
        |cells: &dyn Fn(&Field) -> usize, most: usize| shown.iter().map(cells).max().unwrap_or(0).clamp(4, most.max(4));
    let of_path = widest(&|field| printable(&field.path).width(), width / 3);
    // Its head is not cut either, where there is room.
    let head = if width >= 2 * HOW.len() { HOW.len() } else { 4 };
    let of_origin = widest(&|field| origin(field).width(), width * 2 / 5).max(head);
    let of_type = if width >= WITH_TYPES { 9 } else { 0 };
    let of_value = width.saturating_sub(of_path + of_origin + of_type + 4).max(4);
    let pad = |text: &str, width: usize| {
        let fitted = format::fit(text, width, ELLIPSIS);
        let blanks = " ".repeat(width - fitted.width().min(width));
        format!("{fitted}{blanks}")
    };
    let mut row = |path: &str, value: &str, kind: &str, origin: &str, roles: [Role; 4]| {
        let mut line: Words = vec![(pad(path, of_path).into(), roles[0]), ("  ".into(), Role::Text)];
        line.push((pad(value, of_value).into(), roles[1]));
        if of_type > 0 {
            line.push((" ".into(), Role::Text));
            line.push((pad(kind, of_type - 1).into(), roles[2]));
        }
        line.push(("  ".into(), Role::Text));
        line.push((format::fit(origin, of_origin, ELLIPSIS).into(), roles[3]));
        sheet.lines.push(line);
    };
    row("path", "value", "type", HOW, [Role::Faint; 4]);
    for field in shown {
        let last = field.origins.last().copied().unwrap_or(Origin::AsAnswered);
        let how = if field.lossy || field.not_in_text { Role::Warn } else { role(last) };
        let path = if field.path.is_empty() { "the whole".to_owned() } else { printable(&field.path) };
        let roles = [Role::Label, Role::Text, Role::Faint, how];
        row(&path, &printable(&in_line(&field.value)), kind(&field.value), &origin(field), roles);
    }
    if fields.len() > shown.len() {
        sheet.line(&[("and more fields; the JSON has all", Role::Faint)]);
    }
}

fn refused(sheet: &mut Sheet, trace: &Trace, refusal: &Refusal) {
    if trace.is_cancelled() {
        return sheet.line(&[(CANCELLED, Role::Warn)]);
    }
    let how = if refusal.stage.asks() { "failed: " } else { "refused: " };
    sheet.line(&[(how, Role::Bad), (&refusal.message, Role::Text)]);
    if !refusal.errors.is_empty() {
        sheet.heading("what is wrong");
        let input =
            trace.attempts.last().filter(|last| last.stage == refusal.stage).and_then(|last| last.input.as_str());
        faults(sheet, &refusal.errors, input);
    }
    let what = advice(trace, refusal);
    if !what.is_empty() {
        sheet.heading("what to try");
        what.into_iter().for_each(|line| sheet.line(&[("- ", Role::Faint), (line, Role::Label)]));
    }
}

/// What a person can turn, by what went wrong.
fn advice(trace: &Trace, refusal: &Refusal) -> Vec<&'static str> {
    let said = |what: &str| {
        let in_faults = refusal.errors.iter().any(|fault| fault.found.contains(what) || fault.expected.contains(what));
        refusal.message.contains(what) || in_faults
    };
    let constrained = trace.attempts.iter().any(|attempt| attempt.stage == Stage::Constrained);
    let mut what = Vec::new();
    match refusal.stage {
        // As the local model says it, and as servers do.
        _ if refusal.is_of_call()
            && ["tokens; the model takes", "context length", "context window"].into_iter().any(said) =>
        {
            what.push("a shorter text or schema, or another model");
            if refusal.stage == Stage::Fix || trace.totals.calls > 0 {
                what.push("fewer retries: each is sent the answer before as well");
            }
        }
        _ if refusal.is_of_call() && [": 401 ", ": 403 ", "OPENAI_API_KEY"].into_iter().any(said) => {
            what.push(
                "look at the key: OPENAI_API_KEY, as finetop was started with it, and whether it is this server's",
            );
        }
        Stage::Generate | Stage::Fix | Stage::Constrained => {
            what.push("look at the message: the model was not reached, or did not answer");
        }
        _ if said("cut off") || said("tokens") => {
            what.push("more new tokens, or a shorter schema or text");
        }
        Stage::Parse | Stage::Repair if !constrained => {
            what.push("decode under the schema's grammar (constrained), where the model is local");
            what.push("say in the prompt that JSON alone is wanted, with {schema} in it");
        }
        _ => {}
    }
    if said("the same error came back") {
        what.push("another prompt: being told did not help the model");
    } else if trace.totals.calls > 0 && !refusal.errors.is_empty() {
        what.push("more retries");
    }
    if refusal.stage == Stage::Validate {
        what.push(
            "say in the schema's description what the field means, or make it optional if the text need not say it",
        );
    }
    what
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::trace::tests::{attempt, text, trace};
    use super::*;
    use crate::extract::attempt::{Change, Fault};
    use crate::ui::widgets::pen;

    #[test]
    fn each_field_of_the_value_says_how_it_was_obtained() {
        let change = |path: &str, kind: &str, before: Value, after: Value, lossy| Change {
            path: path.into(),
            kind: kind.into(),
            before,
            after,
            lossy,
        };
        let value = json!({"price": 1_200_000, "when": "2026-11-05T14:00:00", "title": "아이폰"});
        let mut normalise = attempt(Stage::Normalise, Value::Null, value.clone());
        normalise.changes = vec![
            change("/price", "korean_number", json!("120만원"), json!(1_200_000), false),
            change("/when", "korean_date_time", json!("11월 5일 오후 2시"), json!("2026-11-05T14:00:00"), false),
            change("/when", "year_inferred", json!("11월 5일 오후 2시"), json!("2026-11-05T14:00:00"), true),
        ];
        let trace = trace(Some(value), vec![normalise]);
        let told = text(&lines(&trace, 80));
        let line = |start: &str| told.iter().find(|line| line.starts_with(start)).cloned().unwrap_or_default();
        assert!(line("/price").contains("1200000") && line("/price").ends_with("integer   normalised"), "{told:?}");
        assert!(line("/when").ends_with("normalised, inferred LOSSY"), "{told:?}");
        assert!(line("/title").ends_with("as answered"), "{told:?}");
        assert!(
            told.contains(&"may be missing, or was guessed".to_owned())
                && told.contains(&"  \"price\": 1200000,".to_owned())
        );
        for width in [0, 1, 9, 20, 31, 56, 57, 60, 196] {
            let lines = lines(&trace, width);
            assert!(
                lines.iter().all(|line| pen::width(line) <= usize::from(width.max(24))),
                "{width}: {:?}",
                text(&lines)
            );
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong_where_and_what_to_try() {
        let fault = Fault {
            path: "/age".into(),
            expected: "a field `age` (integer)".into(),
            found: "nothing".into(),
            excerpt: String::new(),
            offset: None,
        };
        let mut trace = trace(None, vec![attempt(Stage::Generate, "a".into(), "b".into())]);
        trace.totals.calls = 1;
        let message = "no value fits \u{1b}[2J".into();
        trace.error = Some(Refusal { stage: Stage::Validate, message, errors: vec![fault] });
        let told = text(&lines(&trace, 60)).join("\n");
        for what in
            ["refused: no value fits ␛[2J", "/age: expected a field `age` (integer), found nothing", "- more retries"]
        {
            assert!(told.contains(what), "{what} in\n{told}");
        }
        trace.error = Some(Refusal { stage: Stage::Generate, message: "cancelled".into(), errors: vec![] });
        assert_eq!(text(&lines(&trace, 60)), ["cancelled"]);
    }

    #[test]
    fn a_call_that_came_to_nothing_has_advice_for_what_stood_against_it() {
        let told = |stage, message: &str| {
            let mut trace = trace(None, vec![attempt(stage, "a".into(), Value::Null)]);
            trace.error = Some(Refusal { stage, message: message.into(), errors: vec![] });
            text(&lines(&trace, 200)).join("\n")
        };
        let long = told(Stage::Fix, "the prompt has 574 tokens; the model takes 1 to 511");
        assert!(long.contains("shorter text") && long.contains("fewer retries") && !long.contains("not reached"));
        let first = told(Stage::Generate, "the prompt has 574 tokens; the model takes 1 to 511");
        assert!(first.contains("another model") && !first.contains("retries"), "{first}");
        let key = told(Stage::Generate, "http://127.0.0.1:8000: 401 Unauthorized: no");
        assert!(key.contains("OPENAI_API_KEY") && !key.contains("not reached"), "{key}");
        assert!(told(Stage::Generate, "http://127.0.0.1:8000: connection refused").contains("not reached"));
    }

    #[test]
    fn values_of_any_shape_have_a_table() {
        let mut deep = json!("\u{202e}\u{0}");
        (0..400).for_each(|_| deep = json!({"~/\n": [deep]}));
        for value in [json!(null), json!({}), json!([]), json!([[], {}]), json!(vec![1; 5_000]), deep] {
            let told = text(&lines(&trace(Some(value), vec![]), 60));
            assert!(told.len() > 3 && !told.concat().chars().any(|c| c.is_control() || c == '\u{202e}'));
        }
    }
}
