//! The accumulation panel: the step as a row of cells that fill one by one, its micro-batches, and the last steps in the same columns,
//! so that an odd long micro-batch is seen.

use ratatui::layout::Rect;

use crate::event::MicroBatchDone;
use crate::ui::format;
use crate::ui::state::chart::Pick;
use crate::ui::state::run::{ODD, RunView, StepSummary, micro_loss, slowness};
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
    selected: bool,
    /// One of its micro-batches took far longer than the others.
    odd: bool,
}

/// Name of a column, its width with the gap before it, and the panel width from which it is shown.
const COLUMNS: [(&str, u16, u16); 5] =
    [("loss", 7, 0), ("targets", 8, 46), ("tokens", 7, 0), ("time", 7, 0), ("peak", 9, 38)];

const NAME: u16 = 8;

/// Cells that are kept for the strip of a step's micro-batches, where there are any to spare.
const STRIP: u16 = 34;

pub fn draw(pen: &mut Pen<'_>, area: Rect, run: &RunStage, pick: Option<Pick>) {
    let view = &run.view;
    let current = &view.current;
    // A step that is selected shows its own micro-batches in place of the newest ones.
    let looked_at = match pick {
        Some(Pick::Step(step)) => view.recent.iter().find(|s| s.step == step),
        _ => None,
    };
    let inner = pen.panel(area, "accumulation", &title(view, looked_at, area.width));
    if inner.height == 0 {
        return;
    }
    let working = looked_at.is_none()
        && !current.complete
        && matches!(run.activity(), Activity::Running | Activity::Stopping | Activity::Pausing);
    let planned = view.started.as_ref().map(|s| s.config.train.gradient_accumulation_steps as u64);
    let total = match looked_at {
        Some(step) => Some(step.micro_batches),
        None if current.micro_per_step > 0 => Some(current.micro_per_step),
        None => planned,
    };
    if let Some(total) = total {
        let selected = match pick {
            Some(Pick::Micro(micro)) => micro.checked_sub(1),
            _ => None,
        };
        let done = if looked_at.is_some() { total } else { current.done };
        bars::cells(pen, Rect { height: 1, ..inner }, done, total, working, selected);
    }
    if inner.height < 3 {
        return;
    }
    heading(pen, Rect { y: inner.y + 1, height: 1, ..inner });
    let below = below(pen, view, pick, inner);
    let table = Rect { y: inner.y + 2, height: inner.height - 2 - below.len() as u16, ..inner };
    let micros: Vec<&MicroBatchDone> = match looked_at {
        Some(step) => step.micros.iter().collect(),
        None => current.micros.iter().collect(),
    };

    // Every micro-batch of the step has its row from the beginning, so that earlier steps do not jump with each one. Where rows are few,
    // half of them show earlier steps, as far as there are any.
    let room = table.height as usize;
    let wanted = (total.unwrap_or(0).min(u64::from(u16::MAX)) as usize).max(micros.len());
    let for_steps = view.recent.len().min(room.saturating_sub(wanted).max(room / 2));
    let for_micros = room - for_steps;
    let slow = slowness(micros.iter().copied()).filter(|s| s.is_odd()).map(|s| s.micro);
    let place_of = |micro: u64| micros.iter().position(|m| m.micro == micro);
    // The newest ones are shown, or those around the selection; of a step that is selected the odd one.
    let last_micros = micros.len().saturating_sub(for_micros);
    let skip_micros = match pick {
        Some(Pick::Micro(micro)) => {
            let at = place_of(micro).unwrap_or(0);
            last_micros.min(at.saturating_sub(for_micros / 2))
        }
        Some(Pick::Step(_)) => slow.and_then(place_of).map_or(last_micros, |at| last_micros.min(at)),
        None => last_micros,
    };
    let slots = wanted.min(for_micros);
    for (row, micro) in micros.iter().skip(skip_micros).take(for_micros).enumerate() {
        line(pen, table, row as u16, &micro_entry(micro, pick, slow));
    }
    let for_steps = room - slots.min(room);
    let skip_steps = match pick {
        Some(Pick::Step(step)) => {
            let at = view.recent.iter().rev().position(|s| s.step == step).unwrap_or(0);
            (at + 1).saturating_sub(for_steps)
        }
        _ => 0,
    };
    for (i, step) in view.recent.iter().rev().skip(skip_steps).take(for_steps).enumerate() {
        let row = (slots + i) as u16;
        let ends = line(pen, table, row, &step_entry(step, pick));
        strip(pen, Rect { x: ends, width: table.right().saturating_sub(ends), ..table }, row, step);
    }
    for (i, words) in below.iter().enumerate() {
        pen.line(inner, table.height + 2 + i as u16, words);
    }
}

/// The step that is under way, and the sums of its micro-batches.
fn title(view: &RunView, looked_at: Option<&StepSummary>, width: u16) -> Words {
    let current = &view.current;
    let mut right: Words = Vec::new();
    if let Some(step) = looked_at {
        let of = format!("its {} micro-batches", format::count(step.micro_batches));
        return words([
            ("step ", Role::Label),
            (&format::count(step.step), Role::Active),
            (&format!("  {of}"), Role::Label),
        ]);
    }
    if current.micro_per_step > 0 {
        let (tokens, targets) = (current.tokens, current.target_tokens);
        let micro = format!("{} / {}", format::count(current.done), format::count(current.micro_per_step));
        if width >= 70 {
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
    right
}

/// The lines under the table: what is selected, else tokens against the plan and the share of padding.
fn below(pen: &Pen<'_>, view: &RunView, pick: Option<Pick>, inner: Rect) -> Vec<Words> {
    if inner.height < 7 {
        return Vec::new();
    }
    match pick {
        Some(Pick::Micro(micro)) => {
            let Some(found) = view.current.micros.iter().find(|m| m.micro == micro) else { return Vec::new() };
            detail_of_micro(pen, view, found)
        }
        Some(Pick::Step(step)) => {
            let Some(found) = view.recent.iter().find(|s| s.step == step) else { return Vec::new() };
            detail_of_step(pen, found)
        }
        None => {
            // Rows lie end to end in one micro-batch: nothing is padded, whatever their lengths.
            let tokens = format::or_unknown(view.last_step.as_ref().map(|s| s.tokens), format::count);
            let plan = format::or_unknown(view.planned_step_tokens(), |t| format::count(t.round() as u64));
            if view.last_step.is_none() {
                return vec![words([("plan ", Role::Label), (&plan, Role::Text), (" tokens a step", Role::Label)])];
            }
            vec![words([
                (&tokens, Role::Text),
                (" tokens, plan ", Role::Label),
                (&plan, Role::Text),
                (", padding ", Role::Label),
                ("0 %", Role::Text),
            ])]
        }
    }
}

fn detail_of_micro(pen: &Pen<'_>, view: &RunView, micro: &MicroBatchDone) -> Vec<Words> {
    let mut second = words([(&format::took(micro.duration_us), Role::Text)]);
    if let Some(slow) = slowness(&view.current.micros) {
        let times = micro.duration_us as f64 / slow.median_us as f64;
        let text = format!(" = {times:.1} {} median", pen.theme.pick("×", "x"));
        second.extend(words([(&text, if times >= ODD { Role::Warn } else { Role::Label })]));
    }
    second.extend(words([
        ("  peak ", Role::Label),
        (&format::or_unknown(micro.peak_bytes.max(micro.used_bytes), format_bytes), Role::Text),
    ]));
    let name = format!("micro {}", format::count(micro.micro));
    vec![facts(&name, micro_loss(micro), micro.target_tokens, micro.tokens), second]
}

fn detail_of_step(pen: &Pen<'_>, step: &StepSummary) -> Vec<Words> {
    let peak = format::or_unknown(step.peak_bytes, format_bytes);
    let mut second = words([("peak ", Role::Label), (&peak, Role::Text)]);
    if let Some(slow) = slowness(&step.micros) {
        let times = pen.theme.pick("×", "x");
        let text = format!("  micro {} took {:.1} {times} median", format::count(slow.micro), slow.times);
        second.extend(words([(&text, if slow.is_odd() { Role::Warn } else { Role::Label })]));
    }
    let name = format!("step {}", format::count(step.step));
    vec![facts(&name, Some(step.loss), step.target_tokens, step.tokens), second]
}

/// `micro 2  loss 1.279  targets 91 of 327`
fn facts(name: &str, loss: Option<f64>, targets: u64, tokens: u64) -> Words {
    let targets = format!("{} of {}", format::short_count(targets), format::short_count(tokens));
    words([
        (&format!("{name}  "), Role::Active),
        ("loss ", Role::Label),
        (&format::or_unknown(loss, format::loss), Role::Text),
        ("  targets ", Role::Label),
        (&targets, Role::Text),
    ])
}

/// How long each micro-batch of a step took, beside the longest of them, where there is room behind the columns.
fn strip(pen: &mut Pen<'_>, area: Rect, row: u16, step: &StepSummary) {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let room = area.width.saturating_sub(2) as usize;
    if step.micros.is_empty() || room < 4 {
        return;
    }
    let longest = step.micros.iter().map(|m| m.duration_us).max().unwrap_or(1).max(1);
    let odd = slowness(&step.micros).filter(|s| s.is_odd()).map(|s| s.micro);
    let from = step.micros.len().saturating_sub(room);
    for (i, micro) in step.micros[from..].iter().enumerate() {
        let eighth = (micro.duration_us as f64 * 8.0 / longest as f64).ceil().clamp(1.0, 8.0) as usize - 1;
        let is_odd = odd == Some(micro.micro);
        let symbol = match pen.theme.is_ascii() {
            true if is_odd => '!',
            true => '.',
            false => HEIGHTS[eighth],
        };
        pen.cell(area.x + 2 + i as u16, area.y + row, symbol, if is_odd { Role::Warn } else { Role::Done });
    }
}

fn micro_entry(micro: &MicroBatchDone, pick: Option<Pick>, slow: Option<u64>) -> Entry {
    Entry {
        selected: pick == Some(Pick::Micro(micro.micro)),
        odd: slow == Some(micro.micro),
        name: format!("micro {}", format::short_count(micro.micro)),
        loss: micro_loss(micro),
        target_tokens: micro.target_tokens,
        tokens: micro.tokens,
        duration_us: micro.duration_us,
        bytes: micro.peak_bytes.max(micro.used_bytes),
        role: Role::Text,
    }
}

fn step_entry(step: &StepSummary, pick: Option<Pick>) -> Entry {
    Entry {
        selected: pick == Some(Pick::Step(step.step)),
        odd: slowness(&step.micros).is_some_and(|s| s.is_odd()),
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
    columns(pen, area, 0, "", names, [Role::Faint; 6]);
}

/// One line of the table; where it ends comes back.
fn line(pen: &mut Pen<'_>, area: Rect, row: u16, entry: &Entry) -> u16 {
    let values = [
        format::or_unknown(entry.loss, format::loss),
        format::short_count(entry.target_tokens),
        format::short_count(entry.tokens),
        format::took(entry.duration_us),
        format::or_unknown(entry.bytes, format_bytes),
    ];
    let mut roles = [Role::Label, entry.role, entry.role, entry.role, entry.role, entry.role];
    if entry.odd {
        roles[4] = Role::Warn;
    }
    if entry.selected {
        roles = [Role::Selected; 6];
    }
    columns(pen, area, row, &entry.name, values, roles)
}

/// A name on the left, then the columns that this width has room for, each flush right; where they end comes back.
fn columns(pen: &mut Pen<'_>, area: Rect, row: u16, name: &str, values: [String; 5], roles: [Role; 6]) -> u16 {
    let shown = |needs: u16| area.width >= needs;
    let taken: u16 = COLUMNS.iter().filter(|(_, _, needs)| shown(*needs)).map(|(_, width, _)| width).sum();
    let name_width = NAME.max(area.width.saturating_sub(taken).min(NAME + 2)).min(area.width);
    pen.text(Rect { width: name_width, ..area }, row, name, roles[0]);
    // What is left over widens the gaps, up to where the strip of micro-batches has room.
    let count = COLUMNS.iter().filter(|(_, _, needs)| shown(*needs)).count() as u16;
    let left_over = area.width.saturating_sub(name_width + taken);
    let spare = (left_over.saturating_sub(STRIP.min(left_over / 2)) / count.max(1)).min(6);
    let mut x = area.x + name_width;
    for (((_, width, needs), value), role) in COLUMNS.iter().zip(values).zip(&roles[1..]) {
        if !shown(*needs) {
            continue;
        }
        let width = (width + spare).min(area.right().saturating_sub(x));
        pen.line_right(Rect { x, width, ..area }, row, &vec![(value.into(), *role)]);
        x += width;
    }
    x
}
