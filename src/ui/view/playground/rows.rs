//! A file of rows: how far it is, what the rows say together, the rows themselves, and the selected one beside what is right.

use ratatui::layout::Rect;

use crate::extract::attempt::Stage;
use crate::extract::report::{RowResult, Share, Summary};
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::state::playground::batch::{Batch, fails};
use crate::ui::state::playground::{Phase, Running};
use crate::ui::theme::Role;
use crate::ui::widgets::pen::inside;
use crate::ui::widgets::{Pen, Words, field, words};
use crate::units::{beginning, format_duration, printable};

use super::attempts::{stage_name, took, training};
use super::compare;

/// Fields that are told by name.
const MOST_FIELDS: usize = 8;

/// Path, all rows together, the list, and what the selected row has beside what is right: that where any right value is known.
struct Areas {
    path: Rect,
    together: Rect,
    list: Rect,
    expected: Option<Rect>,
}

fn split(body: Rect, batch: &Batch) -> Areas {
    let path = Rect { height: 3, ..body };
    let rest = Rect { y: body.y + 3, height: body.height - 3, ..body };
    let knows = batch.summary.exact.of > 0;
    let summary = match body.height {
        // There is no room for all of both: what is right says more.
        ..22 if knows => 6,
        ..26 => 9,
        _ => 12,
    };
    let [together, below] = super::cut(rest, summary);
    if !knows {
        return Areas { path, together, list: below, expected: None };
    }
    let [list, expected] = super::cut(below, below.height.div_ceil(2));
    Areas { path, together, list, expected: Some(expected) }
}

pub fn areas(body: Rect, batch: &Batch) -> Vec<Rect> {
    let Areas { path, together, list, expected } = split(body, batch);
    [path, together, list].into_iter().chain(expected).collect()
}

pub fn list_rows(body: Rect, batch: &Batch) -> u16 {
    inside(split(body, batch).list).height
}

pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State) {
    let play = &state.playground;
    let batch = &play.batch;
    let Areas { path, together: above, list: below, expected } = split(body, batch);
    let right = match batch.typing {
        true => {
            words([("Enter", Role::Key), (" runs them  ", Role::Label), ("Esc", Role::Key), (" leave", Role::Label)])
        }
        false => words([("i", Role::Key), (" another file", Role::Label)]),
    };
    let inner = pen.panel(path, "file of rows", &right);
    if batch.typing {
        field::draw(pen, inner, 0, &batch.path);
    } else {
        pen.text(inner, 0, &printable(batch.path.text()), Role::Text);
    }
    let inner = pen.panel(above, "together", &training(state));
    let running = play.running.as_ref().filter(|running| running.ask.rows.is_some());
    let mut lines = vec![standing(batch, running, state)];
    if let Some(why) = batch.failure.as_ref().filter(|_| running.is_none()) {
        lines.push(words([(&printable(why), Role::Bad)]));
    }
    if batch.done() > 0 {
        lines.extend(together(&batch.summary));
    }
    for (row, line) in lines.iter().take(inner.height.into()).enumerate() {
        pen.line(inner, row as u16, line);
    }
    list(pen, below, batch);
    if let Some(area) = expected {
        draw_expected(pen, area, batch);
    }
}

/// The value of the selected row beside the right one.
fn draw_expected(pen: &mut Pen<'_>, area: Rect, batch: &Batch) {
    let Some(row) = batch.row(batch.selected) else {
        pen.panel(area, "expected, found", &Words::new());
        return;
    };
    let inner = inside(area);
    let mut lines = match &row.expected {
        Some(expected) => compare::beside_expected(expected, row.value.as_ref(), inner.width),
        None => vec![words([("the file has no right value for this row", Role::Label)])],
    };
    if row.expected.is_some() && lines.len() < usize::from(inner.height) {
        lines.insert(0, compare::heads(inner.width));
    }
    let most = usize::from(inner.height);
    let more = match lines.len().saturating_sub(most) {
        0 => Words::new(),
        more => words([(&format!("{} more", format::count(more as u64)), Role::Label)]),
    };
    let inner = pen.panel(area, &format!("row {}: expected, found", row.row), &more);
    for (at, line) in lines.iter().take(most).enumerate() {
        pen.line(inner, at as u16, line);
    }
}

/// How far it is.
fn standing(batch: &Batch, running: Option<&Running>, state: &State) -> Words {
    let total = format::or_unknown(batch.total, format::count);
    let done = format!("{} of {total} rows", format::count(batch.done() as u64));
    match running {
        None if !batch.ended => {
            words([("JSON lines: \"text\" or \"prompt\", and \"value\" where it is known", Role::Label)])
        }
        None => {
            let (role, how) = if batch.cancelled { (Role::Text, "  cancelled") } else { (Role::Good, "") };
            let file = batch.written.as_ref().map(|file| printable(&file.display().to_string()));
            let report = file.map(|file| format!("  the report is in {file}")).unwrap_or_default();
            words([(&done, role), (how, Role::Warn), (&report, Role::Label)])
        }
        Some(running) => {
            let doing: &str = match &running.phase {
                _ if running.cancelled => "cancelling",
                Phase::Pausing => "waits for training to pause",
                Phase::Loading(_) => "opening the model",
                // Many rows at once end late: something is to be seen before.
                Phase::Asking(_) if running.pieces > 0 => &format!("at work, {} tokens", format::count(running.pieces)),
                Phase::Asking(_) => "at work",
                Phase::Waiting { why, wait_ms } => {
                    let wait = format_duration(*wait_ms as f64 / 1e3);
                    &format!("tried anew in {wait}: {}", printable(beginning(why, 200)))
                }
            };
            let seconds = state.clock.ms.saturating_sub(batch.began_ms) as f64 / 1e3;
            let left = batch.total.filter(|_| batch.done() > 0).map(|total| {
                let left = seconds / batch.done() as f64 * total.saturating_sub(batch.done() as u64) as f64;
                format!(", about {} left", format_duration(left))
            });
            let took = format!("  {}", format_duration(seconds));
            words([
                (&done, Role::Text),
                ("  ", Role::Text),
                (doing, Role::Active),
                (&took, Role::Label),
                (&left.unwrap_or_default(), Role::Label),
            ])
        }
    }
}

fn share(share: Share) -> String {
    match share.rate() {
        Some(rate) => format!("{} of {} ({:.1} %)", share.count, share.of, 100.0 * rate),
        None => "—".to_owned(),
    }
}

fn together(summary: &Summary) -> Vec<Words> {
    let by = |stages: &std::collections::BTreeMap<Stage, u64>| {
        stages.iter().map(|(stage, n)| format!("{} {n}", stage_name(*stage))).collect::<Vec<_>>().join(", ")
    };
    let pair = |name: &str, value: &str| words([(&format!("{name:<14}"), Role::Label), (value, Role::Text)]);
    let passed = format!("{}; as answered {}", share(summary.passed), share(summary.passed_as_said));
    let mut lines = vec![pair("with a value", &passed)];
    // What a small screen shows of them comes first.
    if summary.exact.of > 0 {
        lines.push(pair("exact", &format!("{}; fields {}", share(summary.exact), share(summary.fields))));
    }
    lines.push(pair("saved by", &by(&summary.saved_by)));
    lines.push(pair("refused by", &by(&summary.refused_by)));
    let count = |n: Option<u64>| format::or_unknown(n, format::count);
    let cost = format::or_unknown(summary.cost, |cost| format!("{cost:.4}"));
    let (prompt, completion) = (count(summary.prompt_tokens), count(summary.completion_tokens));
    let calls = format!(
        "{} ({} again); {prompt} + {completion} tokens; rows' times {}; cost {cost}",
        format::count(summary.calls),
        format::count(summary.retries),
        format_duration(summary.ms / 1e3)
    );
    lines.push(pair("calls", &calls));
    if summary.exact.of > 0 {
        let fields = summary.by_field.iter().take(MOST_FIELDS);
        let rate =
            |(name, of): (&String, &Share)| format!("{} {:.0} %", printable(name), 100.0 * of.rate().unwrap_or(0.0));
        lines.push(pair("by field", &fields.map(rate).collect::<Vec<_>>().join(", ")));
    }
    lines
}

fn list(pen: &mut Pen<'_>, area: Rect, batch: &Batch) {
    let title = if batch.all { "all rows" } else { "rows that failed" };
    let other = if batch.all { " those that failed" } else { " all" };
    let arrows = pen.theme.pick("← →", "h l");
    let count = format!("{}  ", batch.len());
    let right = words([(&count, Role::Text), (arrows, Role::Key), (other, Role::Label)]);
    let inner = pen.panel(area, title, &right);
    let from = (batch.selected + 1).saturating_sub(inner.height.into());
    for row in 0..usize::from(inner.height) {
        let Some(found) = batch.row(from + row) else { break };
        let is_here = from + row == batch.selected;
        let mark = if is_here { pen.theme.pick("▸ ", "> ") } else { "  " };
        let name = format!("row {:<6}", found.row);
        let role = if is_here { Role::Selected } else { Role::Text };
        let mut line = words([(mark, Role::Key), (&name, role), (" ", Role::Text)]);
        line.push(what(found));
        let x = pen.line_right(inner, row as u16, &words([(&took(found.ms), Role::Label)]));
        pen.line(Rect { width: x.saturating_sub(inner.x + 1), ..inner }, row as u16, &line);
    }
}

/// What came of a row: the refusal, the fields that are wrong, or the stage that saved it.
fn what(row: &RowResult) -> (std::borrow::Cow<'static, str>, Role) {
    let stage = stage_name(row.stage);
    if let Some(error) = &row.error {
        let why = printable(beginning(&error.message, 400));
        return (format!("{stage}: {why}").into(), Role::Bad);
    }
    if fails(row) {
        let wrong = row.fields.iter().filter(|(_, right)| !**right).map(|(name, _)| printable(name));
        return (format!("wrong: {}", wrong.take(MOST_FIELDS).collect::<Vec<_>>().join(", ")).into(), Role::Warn);
    }
    (stage.into(), Role::Good)
}
