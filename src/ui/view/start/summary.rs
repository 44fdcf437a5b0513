//! An entry as a person would say it: the settings most asked for, how a run stands, or what is wrong with a configuration.

use ratatui::layout::Rect;

use crate::config::{MemoryLimit, Method, Quantization, RunConfig, SchedulerType};
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::state::start::{Entry, Rows, Target};
use crate::ui::theme::Role;
use crate::ui::widgets::Pen;
use crate::units::{format_bytes, printable};

use super::list;

const NAME: u16 = 10;

pub fn draw(pen: &mut Pen<'_>, area: Rect, state: &State, entry: &Entry) {
    let inner = pen.panel(area, &printable(&entry.title), &Vec::new());
    let mut row = 0;
    let say = |pen: &mut Pen<'_>, row: &mut u16, name: &str, value: &str, role: Role| {
        pen.text(Rect { width: NAME.min(inner.width), ..inner }, *row, name, Role::Label);
        let area = Rect { x: inner.x + NAME.min(inner.width), width: inner.width.saturating_sub(NAME), ..inner };
        for line in format::wrap(value, area.width as usize) {
            pen.text(area, *row, &line, role);
            *row += 1;
        }
    };
    if let Some(past) = &entry.past {
        let (_, role, word) = list::standing(past.state, pen.theme);
        say(pen, &mut row, "state", word, role);
        let of = |n| format::or_unknown(n, format::count);
        say(pen, &mut row, "steps", &format!("{} of {}", of(past.steps), of(past.planned)), Role::Text);
        say(pen, &mut row, "best eval", &format::or_unknown(past.best_eval, format::loss), Role::Text);
        say(pen, &mut row, "began", &list::ago(past.began_unix_ms, state.clock), Role::Text);
        if let Target::Run(folder) = entry.target() {
            say(pen, &mut row, "folder", &printable(&folder.display().to_string()), Role::Text);
        }
    }
    match entry.config() {
        Ok(config) => {
            if *entry.target() == Target::Demo {
                let text = "a small model learns to say the record of a second-hand listing in one sentence";
                say(pen, &mut row, "demo", text, Role::Text);
            }
            let mut settings = settings(entry, config, pen.theme.pick("×", "x"));
            if entry.past.is_some() {
                // What runs differ in comes first.
                settings.sort_by_key(|(name, _)| !matches!(*name, "rate" | "length" | "batch" | "adapter"));
            }
            for (name, value) in settings {
                if row < inner.height {
                    say(pen, &mut row, name, &value, Role::Text);
                }
            }
        }
        Err(problems) => {
            pen.text(inner, row, "This configuration cannot be used:", Role::Bad);
            row += 1;
            for line in problems.iter().flat_map(|p| format::wrap(&printable(p), inner.width as usize)) {
                pen.text(inner, row, &line, Role::Text);
                row = row.saturating_add(1);
            }
        }
    }
}

/// The settings in words, the most asked for first.
fn settings(entry: &Entry, config: &RunConfig, times: &str) -> Vec<(&'static str, String)> {
    let RunConfig { model, adapter, data, train, memory, log, .. } = config;
    let mut rows = vec![("model", printable(&model.source))];
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
        let known = entry.look.iter().flat_map(|look| &look.splits).find(|s| s.split == split);
        match known.map(|s| &s.rows) {
            Some(Rows::Counted(rows)) => format!(" ({} lines)", format::count(*rows)),
            _ => String::new(),
        }
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
    let planned = entry.look.as_ref().and_then(|look| look.planned_steps);
    let length = match (planned, train.max_steps) {
        (_, steps) if steps > 0 => format!("{} steps", format::count(steps.unsigned_abs())),
        (Some(steps), _) => format!("{} steps", format::count(steps)),
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
    let limit = match (&memory.limit, entry.planned()) {
        (_, Some(plan)) => super::planned(plan).0,
        (MemoryLimit::Auto, _) => "limit what is free".to_owned(),
        (MemoryLimit::Bytes { bytes, .. }, _) => format!("limit {}", format_bytes(*bytes)),
    };
    let recompute = if train.gradient_checkpointing { "on" } else { "off" };
    rows.push(("memory", format!("{limit}, gradient checkpointing {recompute}")));
    rows.push(("runs", printable(&log.dir.display().to_string())));
    rows
}
