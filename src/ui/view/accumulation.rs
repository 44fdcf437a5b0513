//! The accumulation panel: the step as a row of cells that fill one by one, its micro-batches, and the last steps in the same columns,
//! so that an odd long micro-batch is seen.

use ratatui::layout::Rect;

use crate::ui::format;
use crate::ui::state::run::micro_loss;
use crate::ui::state::{Activity, RunStage};
use crate::ui::theme::Role;
use crate::ui::widgets::{Pen, Words, bars, words};
use crate::units::format_bytes;

/// One line of the table; micro-batches and steps share it.
struct Entry {
    name: String,
    loss: Option<f64>,
    target_tokens: u64,
    tokens: u64,
    duration_us: u64,
    bytes: Option<u64>,
    role: Role,
}

/// Name of a column, its width with the gap before it, and the panel width from which it is shown.
const COLUMNS: [(&str, u16, u16); 5] =
    [("loss", 7, 0), ("targets", 8, 46), ("tokens", 7, 0), ("time", 7, 0), ("memory", 9, 38)];

const NAME: u16 = 8;

pub fn draw(pen: &mut Pen<'_>, area: Rect, run: &RunStage) {
    let view = &run.view;
    let current = &view.current;
    let mut right: Words = Vec::new();
    if current.micro_per_step > 0 {
        let (tokens, targets) = current.tokens();
        let micro = format!("{} / {}", format::count(current.done), format::count(current.micro_per_step));
        if area.width >= 70 {
            let sums = format!("{} tokens, {} targets  ", format::count(tokens), format::count(targets));
            right.extend(words([(&sums, Role::Label)]));
        }
        right.extend(words([
            ("step ", Role::Label),
            (&format::count(current.step), Role::Text),
            ("  micro ", Role::Label),
            (&micro, Role::Text),
        ]));
    }
    let inner = pen.panel(area, "accumulation", &right);
    if inner.height == 0 {
        return;
    }
    let working =
        matches!(run.activity(), Activity::Running | Activity::Stopping | Activity::Pausing) && !current.complete;
    let planned = view.started.as_ref().map(|s| s.config.train.gradient_accumulation_steps as u64);
    let total = if current.micro_per_step > 0 { Some(current.micro_per_step) } else { planned };
    if let Some(total) = total {
        bars::cells(pen, Rect { height: 1, ..inner }, current.done, total, working);
    }
    if inner.height < 3 {
        return;
    }
    heading(pen, Rect { y: inner.y + 1, height: 1, ..inner });
    let table = Rect { y: inner.y + 2, height: inner.height - 2, ..inner };

    // Every micro-batch of the step has its row from the beginning, so that earlier steps do not jump with each one. Where rows are few,
    // half of them show earlier steps, as far as there are any.
    let earlier: Vec<Entry> = view.recent.iter().rev().map(step_entry).collect();
    let room = table.height as usize;
    let wanted = (total.unwrap_or(0) as usize).max(current.micros.len());
    let for_steps = earlier.len().min(room.saturating_sub(wanted).max(room / 2));
    let for_micros = room - for_steps;
    let micros: Vec<Entry> =
        current.micros.iter().skip(current.micros.len().saturating_sub(for_micros)).map(micro_entry).collect();
    let slots = wanted.min(for_micros);
    for (row, entry) in micros.iter().enumerate() {
        line(pen, table, row as u16, entry);
    }
    for (i, entry) in earlier.iter().take(room - slots.min(room)).enumerate() {
        line(pen, table, (slots + i) as u16, entry);
    }
}

fn micro_entry(micro: &crate::event::MicroBatchDone) -> Entry {
    Entry {
        name: format!("micro {}", format::short_count(micro.micro)),
        loss: micro_loss(micro),
        target_tokens: micro.target_tokens,
        tokens: micro.tokens,
        duration_us: micro.duration_us,
        bytes: micro.used_bytes,
        role: Role::Text,
    }
}

fn step_entry(step: &crate::ui::state::run::StepSummary) -> Entry {
    Entry {
        name: format!("step {}", format::short_count(step.step)),
        loss: Some(step.loss),
        target_tokens: step.target_tokens,
        tokens: step.tokens,
        duration_us: step.duration_us,
        bytes: step.peak_bytes,
        role: Role::Label,
    }
}

fn heading(pen: &mut Pen<'_>, area: Rect) {
    let names = COLUMNS.map(|(name, _, _)| name.to_owned());
    columns(pen, area, 0, "", names, Role::Faint);
}

fn line(pen: &mut Pen<'_>, area: Rect, row: u16, entry: &Entry) {
    let values = [
        format::or_unknown(entry.loss, format::loss),
        format::short_count(entry.target_tokens),
        format::short_count(entry.tokens),
        format::took(entry.duration_us),
        format::or_unknown(entry.bytes, format_bytes),
    ];
    columns(pen, area, row, &entry.name, values, entry.role);
}

/// A name on the left, then the columns that this width has room for, each flush right.
fn columns(pen: &mut Pen<'_>, area: Rect, row: u16, name: &str, values: [String; 5], role: Role) {
    let shown = |needs: u16| area.width >= needs;
    let taken: u16 = COLUMNS.iter().filter(|(_, _, needs)| shown(*needs)).map(|(_, width, _)| width).sum();
    let name_width = NAME.max(area.width.saturating_sub(taken).min(NAME + 2)).min(area.width);
    pen.text(Rect { width: name_width, ..area }, row, name, if role == Role::Faint { role } else { Role::Label });
    // What is left over widens the gaps.
    let count = COLUMNS.iter().filter(|(_, _, needs)| shown(*needs)).count() as u16;
    let spare = (area.width.saturating_sub(name_width + taken) / count.max(1)).min(12);
    let mut x = area.x + name_width;
    for ((_, width, needs), value) in COLUMNS.iter().zip(values) {
        if !shown(*needs) {
            continue;
        }
        let width = (width + spare).min(area.right().saturating_sub(x));
        pen.line_right(Rect { x, width, ..area }, row, &vec![(value.into(), role)]);
        x += width;
    }
}
