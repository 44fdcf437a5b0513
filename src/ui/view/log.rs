//! The tab Log: what the run said, an entry a line, and one of them whole. Only the rows that are seen are put into words.

use std::borrow::Cow;
use std::ops::Range;

use ratatui::layout::Rect;

use super::hint;
use crate::event::{FinishReason, RunEvent, Stamped};
use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::state::log::entry;
use crate::ui::state::log::whole::{Line, Whole};
use crate::ui::state::log::{LogView, Typed, Typing};
use crate::ui::state::{RunStage, State};
use crate::ui::theme::Role;
use crate::ui::widgets::pen::centered;
use crate::ui::widgets::{Pen, Words, field, words};
use crate::units::printable;

/// Bytes of text from outside that a row is made from; more than any row has cells.
const ROW_TEXT: usize = 2_048;
/// Cells of a pattern that are shown.
const PATTERN: usize = 24;
const CLOCK: usize = 8;
const KIND: usize = 7;

pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State, run: &RunStage) {
    let log = &state.log;
    let right = right(pen, log);
    let inner = pen.panel(body, &title(pen, log), &right);
    if inner.height == 0 {
        return;
    }
    let mut rows = inner;
    if let Some(typing) = &log.typing {
        rows.height -= 1;
        type_line(pen, Rect { y: rows.bottom(), height: 1, ..inner }, log, typing);
    }
    if log.is_empty() {
        let text = match log.filter() {
            Some(_) if log.is_looking() => "looking through the log",
            Some(_) => "nothing matches the filter",
            None if run.is_live() => "nothing was said yet",
            None => "nothing was said",
        };
        pen.text(rows, rows.height / 3, text, Role::Label);
    }
    let top = log.top(rows.height as usize);
    let selected = log.position();
    for row in 0..rows.height {
        let position = top + row as usize;
        let Some(stamped) = log.at(position) else { break };
        entry_line(pen, rows, row, log, stamped, selected == Some(position));
    }
    if let Some(whole) = &log.open {
        draw_whole(pen, body, state, whole);
    }
}

/// What is filtered, and how many of how many are left; what was dropped is never silent.
fn title(pen: &Pen<'_>, log: &LogView) -> String {
    let count = |n: usize| format::count(n as u64);
    let (kept, dropped) = log.kept_and_dropped();
    let all = match dropped {
        0 => count(kept),
        _ => format!("{} kept of {}", count(kept), format::count(dropped + kept as u64)),
    };
    match log.filter() {
        Some(filter) if log.is_looking() => format!("log  &{}  looking", pattern(pen, filter.text())),
        Some(filter) => format!("log  &{}  {} of {all}", pattern(pen, filter.text()), count(log.len())),
        None if dropped > 0 => format!("log  {all}"),
        None => "log".to_owned(),
    }
}

fn right(pen: &Pen<'_>, log: &LogView) -> Words {
    let mut right: Words = Vec::new();
    if log.with_details() {
        right.push(("  with details".into(), Role::Label));
    }
    if let Some(search) = log.search().filter(|_| log.is_looking()) {
        right.push((format!("  /{}  looking", pattern(pen, search.text())).into(), Role::Label));
    }
    if let (Some(search), Some(matches)) = (log.search(), log.matches()) {
        let of = matches.at.map(|at| format!("{} of ", format::count(at as u64))).unwrap_or_default();
        let text = format!("  /{}  {of}{}", pattern(pen, search.text()), format::count(matches.count as u64));
        right.push((text.into(), if matches.count > 0 { Role::Label } else { Role::Warn }));
    }
    match (log.follows(), log.position()) {
        (true, _) => right.push(("  following".into(), Role::Good)),
        (false, Some(position)) => {
            let text = format!("  {} / {}", format::count(position as u64 + 1), format::count(log.len() as u64));
            right.push((text.into(), Role::Label));
        }
        (false, None) => {}
    }
    right
}

fn pattern(pen: &Pen<'_>, text: &str) -> String {
    format::fit(&printable(text), PATTERN, pen.theme.ellipsis())
}

/// The search or the filter while it is typed, with a word about how it is taken.
fn type_line(pen: &mut Pen<'_>, area: Rect, log: &LogView, typing: &Typing) {
    let (sign, pattern) = match typing.what {
        Typed::Search => ("/", log.search()),
        Typed::Filter => ("&", log.filter()),
    };
    let hint = match pattern {
        Some(pattern) if pattern.is_literal() => words([("no regular expression: as plain text", Role::Warn)]),
        Some(_) => Vec::new(),
        None => words([("a regular expression", Role::Faint)]),
    };
    let hint_at =
        pen.line_right(Rect { x: area.x + area.width / 3, width: area.width - area.width / 3, ..area }, 0, &hint);
    let x = pen.text(area, 0, sign, Role::Key);
    let end = if hint.is_empty() { area.right() } else { hint_at.saturating_sub(2) };
    field::draw(pen, Rect { x, width: end.saturating_sub(x), ..area }, 0, &typing.field);
}

/// How the kind and the words of an event look.
fn roles(event: &RunEvent) -> (Role, Role) {
    match event {
        RunEvent::RunStarted(_) => (Role::Title, Role::Text),
        RunEvent::EvalDone(eval) if eval.best => (Role::Best, Role::Best),
        RunEvent::EvalDone(_) => (Role::Eval, Role::Text),
        RunEvent::BleuDone(_) => (Role::Eval, Role::Text),
        RunEvent::Warning(_) => (Role::Warn, Role::Warn),
        RunEvent::OutOfMemory(_) => (Role::Bad, Role::Bad),
        RunEvent::RunFinished(finished) => match finished.reason {
            FinishReason::Completed => (Role::Good, Role::Text),
            FinishReason::Stopped => (Role::Warn, Role::Text),
            FinishReason::Failed => (Role::Bad, Role::Bad),
        },
        RunEvent::CheckpointSaved(_) | RunEvent::MemoryPlanned(_) => (Role::Done, Role::Text),
        RunEvent::StepDone(_) => (Role::Label, Role::Text),
        RunEvent::MicroBatchDone(_) | RunEvent::MemorySampled(_) | RunEvent::BleuProgress(_) => {
            (Role::Faint, Role::Label)
        }
    }
}

fn entry_line(pen: &mut Pen<'_>, area: Rect, row: u16, log: &LogView, stamped: &Stamped, is_selected: bool) {
    let kind = entry::kind(&stamped.event);
    let haystack = entry::haystack(&stamped.event, ROW_TEXT);
    // What is searched for is marked; without a search, what is filtered.
    let marks: Vec<Range<usize>> =
        log.search().or(log.filter()).map(|pattern| pattern.places(&haystack).collect()).unwrap_or_default();
    let (kind_role, text_role) = if is_selected { (Role::Selected, Role::Selected) } else { roles(&stamped.event) };
    let plain = |role| if is_selected { Role::Selected } else { role };

    let sign = if is_selected { pen.theme.pick("▸ ", "> ") } else { "  " };
    let clock = format!("{:>CLOCK$}  ", entry::clock(stamped.elapsed_ms));
    let mut words: Words = vec![(sign.into(), plain(Role::Key)), (clock.into(), plain(Role::Faint))];
    marked(&mut words, &haystack, 0..kind.len(), &marks, kind_role);
    words.push((" ".repeat(KIND + 2 - kind.len().min(KIND)).into(), plain(Role::Text)));
    marked(&mut words, &haystack, kind.len() + 1..haystack.len(), &marks, text_role);
    let end = pen.line(area, row, &words);
    if is_selected {
        let rest = " ".repeat(area.right().saturating_sub(end) as usize);
        pen.text(Rect { x: end, width: area.right().saturating_sub(end), ..area }, row, &rest, Role::Selected);
    }
}

/// A part of a text in its role, and what is marked within it.
pub(super) fn marked(words: &mut Words, text: &str, part: Range<usize>, marks: &[Range<usize>], role: Role) {
    let mut piece = |range: Range<usize>, role| {
        if let Some(piece) = text.get(range).filter(|p| !p.is_empty()) {
            words.push((Cow::Owned(piece.to_owned()), role));
        }
    };
    let mut at = part.start;
    for mark in marks {
        let (start, end) = (mark.start.max(at), mark.end.min(part.end));
        if start < end {
            piece(at..start, role);
            piece(start..end, Role::Match);
            at = end;
        }
    }
    piece(at..part.end, role);
}

fn draw_whole(pen: &mut Pen<'_>, body: Rect, state: &State, whole: &Whole) {
    let lines = whole.lines.len();
    let area = centered(body, Whole::width(body.width), (lines + 2).min(u16::MAX as usize) as u16);
    pen.clear(area);
    let rows = area.height.saturating_sub(2) as usize;
    let hidden = lines.saturating_sub(rows);
    let from = whole.scroll.min(hidden);
    let mut right = match hint(state, &[Action::Clear]) {
        Some(key) => words([(&key, Role::Key), (" close", Role::Label)]),
        None => Vec::new(),
    };
    if hidden > 0 {
        let below = if from < hidden {
            format!("{} more below  ", format::count((hidden - from) as u64))
        } else {
            "the end  ".to_owned()
        };
        right.insert(0, (below.into(), Role::Label));
    }
    let inner = pen.panel(area, &whole.title, &right);
    for (row, line) in whole.lines.iter().skip(from).take(rows).enumerate() {
        let words: Words = match line {
            Line::Blank => continue,
            Line::Field(name, value) => words([(name, Role::Label), (value, Role::Text)]),
            Line::Json(part) => words([(part, Role::Faint)]),
        };
        pen.line(inner, row as u16, &words);
    }
}
