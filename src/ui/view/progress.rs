//! The progress panel: how far, how quick, how long still. Where rows are few, the less urgent ones go.

use std::borrow::Cow;

use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::message::Clock;
use crate::ui::state::{RunStage, State};
use crate::ui::theme::Role;
use crate::ui::widgets::{Pen, Words, bars, words};
use crate::units::{format_bytes, format_duration, printable};

use super::charts;

/// A row: how much it may be missed (0 never), its name, its words.
struct Row {
    rank: u8,
    name: &'static str,
    words: Words,
}

/// Width of the names on the left.
const NAMES: u16 = 11;
/// Width of the names of quantities.
const WIDE_NAMES: u16 = NAMES;

pub fn draw(pen: &mut Pen<'_>, area: Rect, state: &State, run: &RunStage) {
    if let Some(step) = state.chart.cursor {
        return under_crosshair(pen, area, state, run, step);
    }
    let clock = state.clock;
    let inner = pen.panel(area, "progress", &Vec::new());
    let view = &run.view;
    let (done, total) = (view.steps_done(), view.planned_steps());
    let fraction = total.filter(|&t| t > 0).map(|t| (done as f64 / t as f64).min(1.0));

    let bar = Rect { height: 1.min(inner.height), width: inner.width.saturating_sub(6), ..inner };
    if bar.height > 0 {
        bars::gauge(pen, bar, fraction.unwrap_or(0.0), Role::Done);
        let percent = format::or_unknown(fraction, |f| format!("{:.0} %", (f * 100.0).floor()));
        pen.line_right(Rect { height: 1, ..inner }, 0, &words([(&percent, Role::Text)]));
    }

    let mut rows = rows(pen, run, clock);
    let room = inner.height.saturating_sub(1) as usize;
    while rows.len() > room {
        // The row that is missed least goes first, the lower one of two equals.
        let Some(least) = rows.iter().map(|r| r.rank).max() else { break };
        let Some(index) = rows.iter().rposition(|r| r.rank == least) else { break };
        rows.remove(index);
    }
    let narrow = inner.width < 28;
    let names = if narrow { NAMES - 1 } else { NAMES };
    for (i, row) in rows.iter().enumerate() {
        let y = i as u16 + 1;
        pen.text(Rect { width: names.min(inner.width), ..inner }, y, row.name, Role::Label);
        let value = Rect { x: inner.x + names.min(inner.width), width: inner.width.saturating_sub(names), ..inner };
        pen.line(value, y, whole_pieces(&row.words, value.width));
    }
}

/// The pieces of a row that fit whole; the first one is there in any case.
fn whole_pieces<'a>(words: &'a [(Cow<'static, str>, Role)], room: u16) -> &'a [(Cow<'static, str>, Role)] {
    let mut used = 0;
    let fitting = words.iter().take_while(|(text, _)| {
        used += text.width();
        used <= room as usize
    });
    &words[..fitting.count().max(1).min(words.len())]
}

/// While the crosshair is on the chart, what lies under it takes this panel's place.
fn under_crosshair(pen: &mut Pen<'_>, area: Rect, state: &State, run: &RunStage, step: u64) {
    let back = state.keymap.key(Action::Clear).map(|k| k.to_string()).unwrap_or_default();
    let title = format!("at step {}", format::count(step));
    let inner = pen.panel(area, &title, &words([(&back, Role::Key), (" back", Role::Label)]));
    let pieces = charts::crosshair(pen, state, run, step);
    for (row, piece) in pieces.iter().enumerate() {
        let Some((first, rest)) = piece.split_first() else { continue };
        let name = first.0.trim();
        if rest.is_empty() {
            pen.text(inner, row as u16, name, first.1);
            continue;
        }
        let names = WIDE_NAMES.min(inner.width);
        pen.text(Rect { width: names.saturating_sub(1), ..inner }, row as u16, name, first.1);
        pen.line(Rect { x: inner.x + names, width: inner.width - names, ..inner }, row as u16, rest);
    }
}

fn rows(pen: &Pen<'_>, run: &RunStage, clock: Clock) -> Vec<Row> {
    let view = &run.view;
    let started = view.started.as_ref();
    let mut rows = Vec::new();
    let mut row = |rank, name, words| rows.push(Row { rank, name, words });
    let value = |text: String| -> Words { vec![(Cow::Owned(text), Role::Text)] };
    let and = |mut words: Words, text: String| -> Words {
        words.push((Cow::Owned(format!("  {text}")), Role::Label));
        words
    };

    let total = format::or_unknown(view.planned_steps(), format::count);
    let done = format::or_unknown(started.map(|_| view.steps_done()), format::count);
    let step = value(format!("{done} / {total}"));
    let epoch = view.last_step.as_ref().map(|s| format!("epoch {:.2}", s.epoch));
    row(0, "step", epoch.map_or_else(|| step.clone(), |e| and(step.clone(), e)));
    let elapsed = started.map(|_| format!("after {}", format_duration(run.elapsed_ms(clock) as f64 / 1e3)));
    let eta = value(format::or_unknown(run.eta_seconds(clock), format_duration));
    row(0, "ETA", elapsed.map_or_else(|| eta.clone(), |elapsed| and(eta.clone(), elapsed)));
    row(1, "speed", value(format::or_unknown(view.speed(), |s| format!("{} tokens/s", format::rate(s)))));
    let last = view.last_step.as_ref();
    let rate = value(format::or_unknown(last.map(|s| s.learning_rate), format::scientific));
    let norm = last.map(|s| format!("norm {}", format::loss(s.grad_norm)));
    row(4, "lr", norm.map_or_else(|| rate.clone(), |norm| and(rate.clone(), norm)));
    let best = view.best_eval();
    row(
        2,
        "best eval",
        match best {
            Some(e) => {
                and(vec![(format::loss(e.eval_loss).into(), Role::Best)], format!("at step {}", format::count(e.step)))
            }
            None => value(format::UNKNOWN.to_owned()),
        },
    );
    row(
        4,
        "saved",
        match &view.checkpoint {
            Some(c) => and(value(format!("step {}", format::count(c.step))), format_bytes(c.size_bytes)),
            None => value(format::UNKNOWN.to_owned()),
        },
    );
    let pending = match (run.control.saving, run.control.evaluating) {
        (true, true) => Some("a save and an eval"),
        (true, false) => Some("a save"),
        (false, true) => Some("an eval"),
        (false, false) => None,
    };
    if let (Some(pending), true) = (pending, run.is_live()) {
        row(1, "asked for", vec![(pending.into(), Role::Active)]);
    }
    if let Some(age) = run.stale_seconds(clock) {
        row(0, "updated", vec![(format!("{} ago", format_duration(age)).into(), Role::Warn)]);
    }
    if let Some(last) = view.warnings.last.back() {
        let text = format!("{}  {}: {}", view.warnings.count, printable(&last.kind), printable(&last.detail));
        row(1, "warnings", vec![(text.into(), Role::Warn)]);
    }
    if let Some(started) = started {
        details(&mut row, pen, run, started);
    }
    rows
}

/// What a larger terminal gets on top: what is trained, with what, on what.
fn details(
    row: &mut impl FnMut(u8, &'static str, Words),
    pen: &Pen<'_>,
    run: &RunStage,
    started: &crate::event::RunStarted,
) {
    let value = |text: String| -> Words { vec![(Cow::Owned(text), Role::Text)] };
    let times = pen.theme.pick("×", "x");
    let train = &started.config.train;
    let share = match started.total_params {
        0 => String::new(),
        total => format!("  {:.2} %", started.trainable_params as f64 * 100.0 / total as f64),
    };
    let of =
        format!("{} of {}", format::short_count(started.trainable_params), format::short_count(started.total_params));
    let method = value(format!("{}{share}", format::method(&started.config)));
    row(6, "trains", [method, words([(&format!("  {of}"), Role::Label)])].concat());
    let (batch, accumulation) = (train.per_device_train_batch_size, train.gradient_accumulation_steps);
    let rows = format!("{batch} {times} {accumulation} = {} rows/step", batch.saturating_mul(accumulation));
    row(6, "batch", value(rows));
    row(9, "", Vec::new());
    for rows_of in &started.rows {
        let mut text = format!("{} {}", format::count(rows_of.rows), printable(&rows_of.split));
        if rows_of.skipped > 0 {
            text.push_str(&format!(", {} skipped", format::count(rows_of.skipped)));
        }
        if rows_of.cut > 0 {
            text.push_str(&format!(", {} cut", format::count(rows_of.cut)));
        }
        row(9, "rows", value(text));
    }
    if let Some(from) = started.resumed_from {
        row(7, "resumed", value(format!("from step {}", format::count(from))));
    }
    row(8, "folder", value(printable(&run.folder.display().to_string())));
    let evals = &run.view.evals;
    if !evals.is_empty() {
        row(9, "", Vec::new());
    }
    let best = run.view.best_eval().map(|e| e.step);
    for eval in evals.iter().rev().take(4) {
        let role = if best == Some(eval.step) { Role::Best } else { Role::Eval };
        let words = words([
            (&format::loss(eval.eval_loss), role),
            (&format!("  at step {}", format::count(eval.step)), Role::Label),
            (&format!("  {}", format::took(eval.duration_us)), Role::Faint),
        ]);
        row(9, "eval", words);
    }
    if let Some(at) = run.view.scoring.as_ref().filter(|_| run.is_live()) {
        let left = (at.rows > 0)
            .then(|| at.duration_us as f64 / at.rows as f64 * at.rows_total.saturating_sub(at.rows) as f64);
        let left = left.map(|us| format!("  {} left", format_duration(us / 1e6))).unwrap_or_default();
        let (rows, of) = (format::count(at.rows), format::count(at.rows_total));
        row(1, "scoring", value(format!("{rows} of {of} rows, {}{left}", printable(&at.adapter))));
    }
    if let Some(bleu) = &run.view.bleu {
        row(2, "BLEU", value(format!("{:.2}  {} {}", bleu.score, printable(&bleu.split), printable(&bleu.adapter))));
    }
}
