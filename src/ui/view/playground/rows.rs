//! A file of rows: how far it is, what the rows say together, the rows themselves, and the selected one beside what is right.

use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::extract::attempt::Stage;
use crate::extract::report::{RowResult, Share};
use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::state::State;
use crate::ui::state::playground::batch::{Batch, Part, fails};
use crate::ui::state::playground::{Phase, Running};
use crate::ui::theme::Role;
use crate::ui::widgets::pen::inside;
use crate::ui::widgets::{Pen, Words, field, words};
use crate::units::{beginning, format_duration, printable};

use super::attempts::{stage_name, took, training};
use super::sheet::Sheet;
use super::{compare, more_marks, title};

/// Wrong fields that are told by name in the list.
const MOST_WRONG: usize = 8;
/// Fields whose share is told.
const MOST_FIELDS: usize = 200;
/// For the names of what the rows say together.
const NAMES: usize = 14;

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
    let knows = batch.knows();
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

/// The parts that can have the keys.
pub fn parts(body: Rect, batch: &Batch) -> Vec<(Part, Rect)> {
    let Areas { together, list, expected, .. } = split(body, batch);
    let expected = expected.map(|area| (Part::Expected, area));
    [(Part::Together, together), (Part::Rows, list)].into_iter().chain(expected).collect()
}

/// The room of the part that has the keys.
fn room(body: Rect, batch: &Batch) -> Rect {
    let parts = parts(body, batch);
    inside(parts.into_iter().find(|(part, _)| *part == batch.part()).map_or(Rect::ZERO, |(_, area)| area))
}

pub fn page(body: Rect, batch: &Batch) -> u16 {
    room(body, batch).height
}

/// How far the part that has the keys can be scrolled; the list follows its selection.
pub fn scroll_limit(body: Rect, state: &State) -> u16 {
    let batch = &state.playground.batch;
    let room = room(body, batch);
    let count = match batch.part() {
        Part::Together => together_lines(state, room.width).len(),
        Part::Rows => 0,
        Part::Expected => expected_lines(batch, room).len(),
    };
    limit(count, room)
}

fn limit(count: usize, room: Rect) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX).saturating_sub(room.height)
}

pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State) {
    let play = &state.playground;
    let batch = &play.batch;
    let Areas { path, together: above, list: below, expected } = split(body, batch);
    let right = match batch.typing {
        true => {
            words([("Enter", Role::Key), (" run them  ", Role::Label), ("Esc", Role::Key), (" leave", Role::Label)])
        }
        false => words([("i", Role::Key), (" another file", Role::Label)]),
    };
    let inner = pen.panel(path, "file of rows", &right);
    if batch.typing {
        field::draw(pen, inner, 0, &batch.path);
    } else {
        pen.text(inner, 0, &printable(batch.path.text()), Role::Text);
    }
    let lines = together_lines(state, inside(above).width);
    scrolled(pen, above, state, (Part::Together, "together"), training(state), &lines);
    list(pen, below, state);
    if let Some(area) = expected {
        let name = batch.row(batch.selected).map(|row| format!("row {}: ", row.row)).unwrap_or_default();
        let lines = expected_lines(batch, inside(area));
        let right = words([("* differs", Role::Label)]);
        scrolled(pen, area, state, (Part::Expected, &format!("{name}expected, found")), right, &lines);
    }
}

/// Lines of a part, from where it is scrolled to; how the rest is reached stands on its frame.
fn scrolled(
    pen: &mut Pen<'_>,
    area: Rect,
    state: &State,
    (part, name): (Part, &str),
    mut right: Words,
    lines: &[Words],
) {
    let batch = &state.playground.batch;
    let has_keys = batch.part() == part;
    let limit = limit(lines.len(), inside(area));
    if let Some(key) = state.keymap.key(Action::NextPanel).filter(|_| limit > 0 && !has_keys) {
        let gap = if right.is_empty() { "" } else { "  " };
        right.insert(0, (format!("{} more: {key}{gap}", format::count(limit.into())).into(), Role::Label));
    }
    let inner = pen.panel(area, &title(pen.theme, name, has_keys), &right);
    let from = if has_keys { batch.scroll.min(limit) } else { 0 };
    for (row, line) in lines.iter().skip(from.into()).take(inner.height.into()).enumerate() {
        pen.line(inner, row as u16, line);
    }
    more_marks(pen, area, from > 0, from < limit);
}

/// How far it is, and what the rows say together.
fn together_lines(state: &State, width: u16) -> Vec<Words> {
    let play = &state.playground;
    let batch = &play.batch;
    let running = play.running.as_ref().filter(|running| running.ask.rows.is_some());
    let mut sheet = Sheet::new(width);
    standing(&mut sheet, batch, running, state);
    if let Some(why) = batch.failure.as_ref().filter(|_| running.is_none()) {
        sheet.line(&[(why, Role::Bad)]);
    }
    if let Some(way) = batch.settings(&play.settings).way_of_rows() {
        sheet.line(&[("not compared: each row is asked once, ", Role::Warn), (way, Role::Warn)]);
    }
    if batch.told() > 0 {
        together(&mut sheet, batch);
    }
    sheet.lines
}

/// The value of the selected row beside the right one.
fn expected_lines(batch: &Batch, room: Rect) -> Vec<Words> {
    let Some(row) = batch.row(batch.selected) else { return Vec::new() };
    let Some(expected) = &row.expected else {
        let mut sheet = Sheet::new(room.width);
        match &row.gold_error {
            Some(why) => sheet.line(&[("this row has no right value: ", Role::Label), (why, Role::Warn)]),
            None => sheet.line(&[("the file has no right value for this row", Role::Label)]),
        }
        return sheet.lines;
    };
    let mut lines = compare::beside_expected(expected, row.value.as_ref(), room.width);
    if lines.len() < usize::from(room.height) {
        lines.insert(0, compare::heads(room.width));
    }
    lines
}

/// How far it is.
fn standing(sheet: &mut Sheet, batch: &Batch, running: Option<&Running>, state: &State) {
    let total = format::or_unknown(batch.total, format::count);
    let done = format!("{} of {total} rows", format::count(batch.told()));
    match running {
        // What is wrong stands below.
        None if batch.ended && batch.total.is_none() => sheet.line(&[("no row was asked", Role::Warn)]),
        None if !batch.ended => {
            sheet.line(&[("JSON lines: \"text\" or \"prompt\", and \"value\" where it is known", Role::Label)]);
        }
        None => {
            let (role, how) = match batch.is_stopped() {
                true if batch.cancelled => (Role::Text, "  cancelled"),
                true => (Role::Text, "  stopped"),
                false => (Role::Good, ""),
            };
            let file = batch.written.as_ref().map(|file| printable(&file.display().to_string()));
            let report = file.map(|file| format!("  the report is in {file}")).unwrap_or_default();
            let pace = batch.pace(state.clock.ms).map(|pace| format!("  in {}", paced(pace))).unwrap_or_default();
            sheet.line(&[(&done, role), (how, Role::Warn), (&pace, Role::Text), (&report, Role::Label)]);
        }
        Some(running) => {
            let doing: &str = match &running.phase {
                _ if running.cancelled => "cancelling",
                Phase::Pausing => "waits for training to pause",
                Phase::Loading(_) if batch.total.is_none() => "reading the file",
                Phase::Loading(_) => "opening the model",
                // Many rows at once end late: something is to be seen before.
                Phase::Asking(_) if running.pieces > 0 => &format!("at work, {} tokens", format::count(running.pieces)),
                Phase::Asking(_) => "at work",
                Phase::Waiting { why, until_ms } => {
                    let wait = format_duration((until_ms.saturating_sub(state.clock.ms) as f64 / 1e3).ceil());
                    &format!("tried anew in {wait}: {}", printable(beginning(why, 200)))
                }
            };
            let waited = state.clock.ms.saturating_sub(batch.began_ms) as f64 / 1e3;
            let (seconds, rate) = batch.pace(state.clock.ms).unwrap_or((waited, None));
            let left = batch.total.filter(|_| batch.done() > 0).map(|total| {
                let left = seconds / batch.done() as f64 * total.saturating_sub(batch.done() as u64) as f64;
                format!(", about {} left", format_duration(left))
            });
            let took = format!("  {}", paced((seconds, rate)));
            sheet.line(&[
                (&done, Role::Text),
                ("  ", Role::Text),
                (doing, Role::Active),
                (&took, Role::Label),
                (&left.unwrap_or_default(), Role::Label),
            ]);
        }
    }
}

/// Time by the clock, and how fast rows were answered in it.
fn paced((seconds, rate): (f64, Option<f64>)) -> String {
    let rate =
        rate.map(|rate| format!(", {} rows/s", if rate < 10.0 { format!("{rate:.2}") } else { format!("{rate:.0}") }));
    format!("{}{}", format_duration(seconds), rate.unwrap_or_default())
}

fn share(share: Share) -> String {
    match share.rate() {
        Some(rate) => format!("{} of {} ({:.1} %)", share.count, share.of, 100.0 * rate),
        None => "—".to_owned(),
    }
}

fn together(sheet: &mut Sheet, batch: &Batch) {
    let summary = &batch.summary;
    let by = |stages: &std::collections::BTreeMap<Stage, u64>| {
        stages.iter().map(|(stage, n)| format!("{} {n}", stage_name(*stage))).collect::<Vec<_>>()
    };
    let mut pair = |name: &str, between: &str, pieces: &[String]| {
        for (at, line) in joined(pieces, between, sheet.width().saturating_sub(NAMES)).iter().enumerate() {
            let name = if at == 0 { name } else { "" };
            sheet.lines.push(words([(&format!("{name:<NAMES$}"), Role::Label), (line, Role::Text)]));
        }
    };
    pair("with a value", "; ", &[share(summary.passed), format!("as answered {}", share(summary.passed_as_said))]);
    // What a small screen shows of them comes first.
    if summary.exact.of > 0 {
        pair("exact", "; ", &[share(summary.exact), format!("fields {}", share(summary.fields))]);
    }
    if let Some((line, why)) = &batch.first_unread {
        let of = format!("unreadable in {} of {} rows", format::count(batch.unread), format::count(batch.told()));
        pair("right value", "; ", &[of, format!("row {line}: {}", printable(why))]);
    }
    pair("saved by", ", ", &by(&summary.saved_by));
    pair("refused by", ", ", &by(&summary.refused_by));
    let count = |n: Option<u64>| format::or_unknown(n, format::count);
    let (prompt, completion) = (count(summary.prompt_tokens), count(summary.completion_tokens));
    let calls = [
        format!("{} ({} again)", format::count(summary.calls), format::count(summary.retries)),
        format!("{prompt} + {completion} tokens"),
        format!("cost {}", format::or_unknown(summary.cost, |cost| format!("{cost:.4}"))),
    ];
    pair("calls", "; ", &calls);
    if summary.exact.of > 0 {
        let fields = summary.by_field.iter().take(MOST_FIELDS);
        let rate =
            |(name, of): (&String, &Share)| format!("{} {:.0} %", printable(name), 100.0 * of.rate().unwrap_or(0.0));
        pair("by field", ", ", &fields.map(rate).collect::<Vec<_>>());
    }
}

/// Pieces with what stands between them, on as many lines as it takes; a line ends within a piece only where that is longer than a line.
fn joined(pieces: &[String], between: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for piece in pieces {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(piece);
        } else if line.width() + between.len() + piece.width() < width {
            line.push_str(between);
            line.push_str(piece);
        } else {
            line.push_str(between.trim_end());
            lines.push(piece.clone());
        }
    }
    lines.iter().flat_map(|line| format::wrap(line, width)).collect()
}

fn list(pen: &mut Pen<'_>, area: Rect, state: &State) {
    let batch = &state.playground.batch;
    let name = if batch.all { "all rows" } else { "rows that failed" };
    let other = if batch.all { " those that failed" } else { " all" };
    let arrows = pen.theme.pick("← →", "h l");
    let count = format!("{}  ", batch.len());
    let right = words([(&count, Role::Text), (arrows, Role::Key), (other, Role::Label)]);
    let inner = pen.panel(area, &title(pen.theme, name, batch.part() == Part::Rows), &right);
    if let Some(key) = state.keymap.key(Action::RunTrial).filter(|_| batch.earlier.is_some()) {
        pen.line(
            inner,
            0,
            &words([(&key.to_string(), Role::Key), (" asks them again: they are not kept", Role::Label)]),
        );
    }
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
        return (format!("wrong: {}", wrong.take(MOST_WRONG).collect::<Vec<_>>().join(", ")).into(), Role::Warn);
    }
    if let Some(why) = &row.gold_error {
        return (format!("{stage}, no right value: {}", printable(why)).into(), Role::Warn);
    }
    (stage.into(), Role::Good)
}
