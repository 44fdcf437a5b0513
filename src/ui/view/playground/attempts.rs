//! The attempts of a trial as a list: how it stands, then a line for each. Two outcomes have a list each.

use ratatui::layout::Rect;

use super::trace::is_written_now;
use super::{BESIDE, title};
use crate::extract::attempt::{Stage, Totals, Trace};
use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::state::playground::trial::{Compare, Outcome, Who};
use crate::ui::state::playground::{Focus, Hold, Phase, Running};
use crate::ui::state::{Activity, State};
use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::{Pen, Words, words};
use crate::units::{format_bytes, format_duration, printable};

pub fn draw(pen: &mut Pen<'_>, area: Rect, state: &State) {
    let play = &state.playground;
    let has_keys = play.focus == Focus::Attempts;
    let title = title(pen.theme, "attempts", has_keys);
    let inner = pen.panel(area, &title, &training(state));
    let mut lines = Vec::new();
    if let Some(running) = &play.running {
        lines.push(progress(running, state, pen.theme));
    }
    if let Some(why) = &play.failure {
        let wrapped = format::wrap(&printable(why), inner.width as usize);
        lines.extend(wrapped.into_iter().map(|line| words([(&line, Role::Bad)])));
    }
    let settings = &play.settings;
    let has_adapters = state.run().is_some() && !play.finds.adapters.is_empty();
    let is_bare = settings.who == Who::Local && settings.adapter.folder.is_none() && has_adapters;
    if is_bare && settings.compare != Compare::Adapter && !play.from_rows {
        lines.push(words([("by the base model; the settings have this run's adapters", Role::Label)]));
    }
    if play.is_stale() {
        let key = state.keymap.key(Action::RunTrial).map(|key| key.to_string()).unwrap_or_default();
        lines.push(words([
            ("of what stood there before; ", Role::Warn),
            (&key, Role::Key),
            (" asks anew", Role::Label),
        ]));
    }
    if play.running.is_none() && play.failure.is_none() && play.outcomes.is_empty() {
        let key = state.keymap.key(Action::RunTrial).map(|key| key.to_string()).unwrap_or_default();
        let examples = state.keymap.key(Action::Examples).map(|key| key.to_string()).unwrap_or_default();
        lines.push(words([(&key, Role::Key), (" runs the trial, from a text too", Role::Label)]));
        lines.push(words([(&format!("{examples:<key$}", key = key.len()), Role::Key), (" has examples", Role::Label)]));
    }
    let used = (lines.len() as u16).min(inner.height);
    for (row, line) in lines.iter().take(used.into()).enumerate() {
        pen.line(inner, row as u16, line);
    }
    let rest = Rect { y: inner.y + used, height: inner.height - used, ..inner };
    match play.outcomes.as_slice() {
        [a, b] => {
            let [left, right] = halves(rest, state.size.0 >= BESIDE);
            draw_one(pen, left, state, a, 0);
            draw_one(pen, right, state, b, 1);
        }
        [one] => draw_one(pen, rest, state, one, 0),
        _ => {}
    }
}

/// Why training stands still: for what is asked, by itself while it answers, or because a person wanted it.
pub fn training(state: &State) -> Words {
    let play = &state.playground;
    let is_paused = state.run().is_some_and(|run| run.activity() == Activity::Paused);
    let text = match play.hold {
        Hold::No if play.running.is_some() && is_paused => "training is paused by hand",
        Hold::No if play.asks_run() => "training pauses while it answers",
        Hold::No => return Words::new(),
        Hold::Asked | Hold::Unwanted | Hold::Held => "training is paused for a trial",
    };
    vec![(format!("  {text}").into(), Role::Warn)]
}

fn halves(area: Rect, beside: bool) -> [Rect; 2] {
    if beside {
        let width = area.width / 2;
        [
            Rect { width: width.saturating_sub(1), ..area },
            Rect { x: area.x + width + 1, width: area.width.saturating_sub(width + 1), ..area },
        ]
    } else {
        let height = area.height.div_ceil(2);
        [Rect { height, ..area }, Rect { y: area.y + height, height: area.height - height, ..area }]
    }
}

/// How far the trial is.
fn progress(running: &Running, state: &State, theme: &Theme) -> Words {
    let (mark, seconds) = (theme.pick("● ", "* "), state.clock.ms.saturating_sub(running.began_ms) / 1000);
    let (text, role) = match &running.phase {
        _ if running.cancelled => ("cancelling".to_owned(), Role::Warn),
        Phase::Pausing => ("waits for training to pause".to_owned(), Role::Warn),
        Phase::Loading(None) if running.ask.rows.is_some() && state.playground.batch.total.is_none() => {
            ("reading the file of rows".to_owned(), Role::Active)
        }
        Phase::Loading(None) => ("opening the model".to_owned(), Role::Active),
        Phase::Loading(Some(fetching)) => {
            let total = fetching.total.map(|total| format!(" of {}", format_bytes(total))).unwrap_or_default();
            (format!("{}: {}{total}", printable(&fetching.what), format_bytes(fetching.done)), Role::Active)
        }
        Phase::Asking(_) if running.ask.settings.who == Who::Run => {
            let is_paused = state.run().is_some_and(|run| run.activity() == Activity::Paused);
            let when = if is_paused { "in its pause" } else { "between two micro-batches" };
            (format!("the run answers {when}"), Role::Active)
        }
        Phase::Asking(stage) => {
            (format!("{}: about {} tokens", stage_name(*stage), format::count(running.pieces)), Role::Active)
        }
        Phase::Waiting { why, until_ms } => {
            let wait = format_duration((until_ms.saturating_sub(state.clock.ms) as f64 / 1e3).ceil());
            (format!("another try in {wait}: {}", printable(why)), Role::Warn)
        }
    };
    words([(mark, role), (&text, role), (&format!("  {seconds} s"), Role::Label)])
}

fn draw_one(pen: &mut Pen<'_>, area: Rect, state: &State, outcome: &Outcome, side: usize) {
    let play = &state.playground;
    if area.height == 0 || area.width == 0 {
        return;
    }
    let is_shown = play.outcome().is_some_and(|shown| std::ptr::eq(shown, outcome));
    let trace = &outcome.trace;
    let mut head = Words::new();
    if !outcome.label.is_empty() {
        let role = if is_shown { Role::Title } else { Role::Label };
        head.push((format!("{}  ", printable(&outcome.label)).into(), role));
    }
    // What two outcomes cost stands where they are compared.
    head.extend(verdict(trace, play.is_making(side), play.outcomes.len() == 1, pen.theme));
    pen.line(area, 0, &head);
    let list = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let selected = if is_shown { Some(play.attempt) } else { None };
    let from = (selected.unwrap_or(0) + 1).saturating_sub(list.height.into());
    let hidden = (from > 0, from + usize::from(list.height) < trace.attempts.len());
    for (row, (at, attempt)) in trace.attempts.iter().enumerate().skip(from).take(list.height.into()).enumerate() {
        let is_here = selected == Some(at);
        let mark = if is_here { pen.theme.pick("▸ ", "> ") } else { "  " };
        let role = match is_here {
            true if play.focus == Focus::Attempts => Role::Selected,
            true => Role::Active,
            false => Role::Text,
        };
        let (text, judged) = judged(trace, at);
        let tokens = attempt.completion_tokens.map(|n| format!("{} tok  ", format::count(n))).unwrap_or_default();
        let took = if is_written_now(attempt) { String::new() } else { took(attempt.ms) };
        let cost = format!("{tokens}{took}");
        let last = usize::from(list.height) - 1;
        let mark_more = match row {
            0 if hidden.0 => pen.theme.pick(" ▲", " ^"),
            row if row == last && hidden.1 => pen.theme.pick(" ▼", " v"),
            _ if hidden.0 || hidden.1 => "  ",
            _ => "",
        };
        let x = pen.line_right(list, row as u16, &words([(&cost, Role::Label), (mark_more, Role::Key)]));
        let left = Rect { width: x.saturating_sub(list.x + 1), ..list };
        let name = format!("{} {:<11} ", attempt.n, stage_name(attempt.stage));
        pen.line(left, row as u16, &words([(mark, Role::Key), (&name, role), (&text, judged)]));
    }
}

/// How an outcome stands, in a line.
fn verdict(trace: &Trace, is_making: bool, with_cost: bool, theme: &Theme) -> Words {
    if is_making {
        return words([(theme.pick("◌ ", "o "), Role::Active), ("being made", Role::Active)]);
    }
    let totals = if with_cost { format!("  {}", told(&trace.totals)) } else { String::new() };
    match &trace.error {
        None if trace.ok => {
            words([(theme.pick("✓ ", "+ "), Role::Good), ("a value", Role::Good), (&totals, Role::Label)])
        }
        None => words([(theme.pick("✗ ", "x "), Role::Bad), ("broken off", Role::Bad)]),
        Some(_) if trace.is_cancelled() => {
            words([(theme.pick("✗ ", "x "), Role::Warn), ("cancelled", Role::Warn), (&totals, Role::Label)])
        }
        Some(refusal) => {
            let why = format!("{}: {}", stage_name(refusal.stage), printable(&refusal.message));
            words([(theme.pick("✗ ", "x "), Role::Bad), (&why, Role::Bad), (&totals, Role::Label)])
        }
    }
}

/// What it cost: calls, tokens, time, money where a price is known.
fn told(totals: &Totals) -> String {
    let mut pieces = Vec::new();
    if totals.calls > 0 {
        pieces.push(if totals.calls == 1 { "1 call".to_owned() } else { format!("{} calls", totals.calls) });
        let tokens = |n: Option<u64>| format::or_unknown(n, format::count);
        pieces.push(format!("{} + {} tokens", tokens(totals.prompt_tokens), tokens(totals.completion_tokens)));
    }
    pieces.push(took(totals.ms));
    pieces.extend(totals.cost.map(|cost| format!("cost {cost:.4}")));
    pieces.join(", ")
}

pub fn took(ms: f64) -> String {
    match ms {
        ms if !ms.is_finite() || ms < 0.0 => String::new(),
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1_000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1e3),
    }
}

/// What came of an attempt, in two or three words.
fn judged(trace: &Trace, at: usize) -> (String, Role) {
    let attempt = &trace.attempts[at];
    if trace.broke_at(at) {
        let how = if trace.is_cancelled() { ("cancelled", Role::Warn) } else { ("failed", Role::Bad) };
        return (how.0.to_owned(), how.1);
    }
    let plural = |n: usize, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
    let (errors, changes) = (attempt.errors.len(), attempt.changes.len());
    let lossy = attempt.changes.iter().filter(|change| change.lossy).count();
    let asks = attempt.stage.asks();
    match &attempt.output {
        serde_json::Value::Null if asks => ("no answer".to_owned(), Role::Bad),
        _ if is_written_now(attempt) => ("writes".to_owned(), Role::Active),
        _ if attempt.stage == Stage::Fix && errors > 0 => (format!("told of {}", plural(errors, "fault")), Role::Text),
        _ if asks => ("said".to_owned(), Role::Text),
        // A later stage, or another answer, made good what this one could not.
        _ if errors > 0 && at + 1 < trace.attempts.len() => {
            (format!("{}, handed on", plural(errors, "error")), Role::Warn)
        }
        _ if errors > 0 => (plural(errors, "error"), Role::Bad),
        _ if lossy > 0 => (format!("{}, {lossy} lossy", plural(changes, "change")), Role::Warn),
        _ if changes > 0 => (plural(changes, "change"), Role::Text),
        _ => ("fits".to_owned(), Role::Good),
    }
}

pub fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Generate => "generate",
        Stage::Parse => "parse",
        Stage::Repair => "repair",
        Stage::Coerce => "coerce",
        Stage::Normalise => "normalise",
        Stage::Validate => "validate",
        Stage::Fix => "fix",
        Stage::Constrained => "constrained",
    }
}
