//! The start page: what will be run, where the model comes from, and one key to start; then how far the preparation is, or why it failed.

use ratatui::layout::Rect;

use crate::config::{MemoryLimit, Method, Quantization, RunConfig, SchedulerType};
use crate::ui::format;
use crate::ui::state::{Preparation, Stage, StartPage, State};
use crate::ui::theme::Role;
use crate::ui::widgets::{Pen, bars, words};
use crate::units::{format_bytes, format_duration, printable};

const WIDTH: u16 = 76;
const NAME: u16 = 12;

pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State) {
    let Some(page) = &state.page else {
        pen.text(Rect { x: body.x + 2, width: body.width - 2, ..body }, 1, "reading the run's log", Role::Label);
        return;
    };
    let rows = settings(page, pen.theme.pick("×", "x"));
    let width = WIDTH.min(body.width);
    let x = body.x + (body.width - width) / 2;
    let below = 6;
    // The card keeps its place whatever happens below it.
    let height = (rows.len() as u16 + 2).min(body.height.saturating_sub(below).max(3));
    let top = body.y + (body.height - height - below.min(body.height - height)) / 3;
    let card = Rect { x, y: top, width, height };
    let inner = pen.panel(card, &printable(&page.title), &Vec::new());
    for (row, (name, value)) in rows.iter().enumerate() {
        let row = row as u16;
        pen.text(Rect { width: NAME.min(inner.width), ..inner }, row, name, Role::Label);
        let area = Rect { x: inner.x + NAME.min(inner.width), width: inner.width.saturating_sub(NAME), ..inner };
        pen.text(area, row, value, Role::Text);
    }
    let rest = Rect {
        x: x + 2,
        y: card.bottom() + 1,
        width: width.saturating_sub(4),
        height: body.bottom().saturating_sub(card.bottom() + 1),
    };
    match &state.stage {
        Stage::Ready => {
            let key = state.keymap.key(crate::ui::keymap::Action::Start).map(|k| k.to_string()).unwrap_or_default();
            pen.line(rest, 0, &words([(&key, Role::Key), ("  start training", Role::Text)]));
        }
        Stage::Starting(preparation) => fetching(pen, rest, preparation),
        Stage::Failed(why) => failed(pen, rest, why),
        Stage::Run(_) => {}
    }
}

fn fetching(pen: &mut Pen<'_>, area: Rect, preparation: &Preparation) {
    let Some(now) = &preparation.now else {
        pen.text(area, 0, "preparing", Role::Active);
        return;
    };
    pen.text(area, 0, &printable(&now.what), Role::Active);
    let total = now.total.filter(|&t| t > 0);
    if area.height > 1 {
        let bar = Rect { y: area.y + 1, height: 1, ..area };
        if let Some(total) = total {
            bars::gauge(pen, bar, now.done as f64 / total as f64, Role::Done);
        }
    }
    if now.done == 0 && total.is_none() {
        return;
    }
    let mut text = format_bytes(now.done);
    if let Some(total) = total {
        text.push_str(&format!(" of {}", format_bytes(total)));
    }
    if let Some(speed) = preparation.speed.filter(|s| *s > 0.0) {
        text.push_str(&format!("   {}/s", format_bytes(speed as u64)));
        if let Some(total) = total {
            text.push_str(&format!("   {} left", format_duration(total.saturating_sub(now.done) as f64 / speed)));
        }
    }
    pen.text(area, 2, &text, Role::Label);
}

fn failed(pen: &mut Pen<'_>, area: Rect, why: &str) {
    pen.text(area, 0, "The run could not be started.", Role::Bad);
    let room = area.height.saturating_sub(2) as usize;
    let lines = format::wrap(&printable(why), area.width as usize);
    for (row, line) in lines.iter().take(room).enumerate() {
        pen.text(area, row as u16 + 1, line, Role::Text);
    }
    let row = (lines.len().min(room) + 1) as u16;
    pen.line(area, row, &words([("Enter", Role::Key), ("  try again", Role::Text)]));
}

/// The settings as a person would say them, the most asked for first.
fn settings(page: &StartPage, times: &str) -> Vec<(&'static str, String)> {
    let RunConfig { model, adapter, data, train, memory, log, .. } = &page.config;
    let mut rows = vec![("model", printable(&model.source))];
    if let Some(place) = &page.model_place {
        rows.push(("", printable(place)));
    }
    let method = match adapter.method {
        Method::Qlora => "QLoRA, the base stays quantised",
        Method::Lora => "LoRA",
    };
    let quantization = match adapter.quantization {
        Quantization::Keep => String::new(),
        other => format!(" to {other:?}").to_lowercase(),
    };
    rows.push(("method", format!("{method}{quantization}")));
    let modules: Vec<&str> = adapter.target_modules.iter().map(|m| m.name().trim_end_matches("_proj")).collect();
    rows.push(("adapter", format!("r {}, alpha {}, on {}", adapter.r, adapter.lora_alpha, modules.join(" "))));
    let name_of = |path: &std::path::Path| {
        printable(&path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned()))
    };
    let rows_of = |split: &str| {
        let known = page.rows.iter().find(|r| r.split == split);
        known.map(|r| format!(" ({} rows)", format::count(r.rows))).unwrap_or_default()
    };
    rows.push(("data", format!("{}{}", name_of(&data.train), rows_of("train"))));
    match &data.eval {
        Some(eval) => rows.push(("eval", format!("{}{}", name_of(eval), rows_of("eval")))),
        None => rows.push(("eval", "none".to_owned())),
    }
    let (batch, accumulation) = (train.per_device_train_batch_size, train.gradient_accumulation_steps);
    let of = batch.saturating_mul(accumulation);
    rows.push((
        "batch",
        format!("{batch} {times} {accumulation} = {of} rows a step, at most {} tokens a row", data.max_seq_length),
    ));
    let length = match (page.planned_steps, train.max_steps) {
        (Some(steps), _) => format!("{} steps", format::count(steps)),
        (None, steps) if steps >= 0 => format!("{} steps", format::count(steps.unsigned_abs())),
        _ if train.num_train_epochs == 1.0 => "1 epoch".to_owned(),
        _ => format!("{} epochs", train.num_train_epochs),
    };
    let every = |n: usize| if n == 0 { "at the end".to_owned() } else { format!("every {n}") };
    rows.push(("length", format!("{length}, eval {}, save {}", every(train.eval_steps), every(train.save_steps))));
    let schedule = match train.lr_scheduler_type {
        SchedulerType::Linear => "linear",
        SchedulerType::Cosine => "cosine",
        SchedulerType::Constant => "constant",
    };
    let warmup = if train.warmup_steps > 0 { format!(", {} warmup steps", train.warmup_steps) } else { String::new() };
    rows.push(("rate", format!("{}, {schedule}{warmup}", format::scientific(train.learning_rate))));
    let limit = match &memory.limit {
        MemoryLimit::Auto => "what is free".to_owned(),
        MemoryLimit::Bytes { bytes, .. } => format_bytes(*bytes),
    };
    let recompute = if train.gradient_checkpointing { "on" } else { "off" };
    rows.push(("memory", format!("limit {limit}, gradient checkpointing {recompute}")));
    rows.push(("runs", printable(&log.dir.display().to_string())));
    rows
}
