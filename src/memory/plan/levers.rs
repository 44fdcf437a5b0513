//! Which changes of settings lower the peak, by how much and for what price. What a lever is and what carries it out is in `memory::lever`.

use serde_json::Value;

use super::rows::{Batch, rows_left_out, rows_longer_than};
use super::weights::{base_bytes, packing};
use super::{Subject, WeightRole, plan};
use crate::config::{Method, Quantization, RunConfig, TargetModule};
use crate::memory::lever::{Kind, Lever, LeverChange, changed};

/// The shortest head chunk that is offered.
const LEAST_CHUNK: usize = 16;
/// Lengths that are offered are multiples of this.
const LENGTH_STEP: usize = 16;
/// What is dropped first, and so on; the others stay to the last.
const DROPPED: [TargetModule; 5] =
    [TargetModule::UpProj, TargetModule::GateProj, TargetModule::DownProj, TargetModule::OProj, TargetModule::KProj];

/// One way to set a lever.
struct Notch {
    changes: Vec<LeverChange>,
    price: String,
    rows_cut: u64,
    rows_left_out: u64,
}

impl Notch {
    fn new(changes: Vec<LeverChange>, price: impl Into<String>) -> Self {
        Notch { changes, price: price.into(), rows_cut: 0, rows_left_out: 0 }
    }
}

fn change(key: &str, from: impl Into<Value>, to: impl Into<Value>) -> LeverChange {
    LeverChange { key: key.into(), from: from.into(), to: to.into() }
}

/// The levers that lower the peak, in the order of what they cost the result: each as little as makes the run fit, or as much as it can;
/// without a limit its first notch.
pub fn levers(subject: &Subject, config: &RunConfig, limit_bytes: Option<u64>) -> Vec<Lever> {
    let now = plan(subject, config, limit_bytes).peak_bytes;
    Kind::ALL.into_iter().filter_map(|kind| lever(kind, subject, config, limit_bytes, now)).collect()
}

fn lever(kind: Kind, subject: &Subject, config: &RunConfig, limit: Option<u64>, now: u64) -> Option<Lever> {
    let mut best: Option<(u64, Notch)> = None;
    for notch in notches(kind, subject, config) {
        let Ok(with) = changed(config, &notch.changes) else { continue };
        let peak = plan(subject, &with, limit).peak_bytes;
        if peak >= best.as_ref().map_or(now, |(least, _)| *least) {
            continue;
        }
        best = Some((peak, notch));
        if limit.is_none_or(|limit| peak <= limit) {
            break;
        }
    }
    let (predicted_peak_bytes, Notch { changes, price, rows_cut, rows_left_out }) = best?;
    Some(Lever {
        id: kind.id().into(),
        changes,
        predicted_peak_bytes,
        price,
        rows_cut,
        rows_left_out,
        fits: limit.map(|limit| predicted_peak_bytes <= limit),
        restarts: kind.restarts(),
    })
}

/// How a lever can be set, from the least change to the greatest.
fn notches(kind: Kind, subject: &Subject, config: &RunConfig) -> Vec<Notch> {
    match kind {
        Kind::GradientCheckpointing => checkpointing(config),
        Kind::MicroBatch => micro_batches(config),
        Kind::HeadChunk => head_chunks(config),
        Kind::Quantization => quantizations(subject, config),
        Kind::MaxSeqLength => lengths(subject, config),
        Kind::TargetModules => modules(config),
        Kind::R => ranks(config),
    }
}

fn checkpointing(config: &RunConfig) -> Vec<Notch> {
    if config.train.gradient_checkpointing {
        return Vec::new();
    }
    let changes = vec![change("train.gradient_checkpointing", false, true)];
    vec![Notch::new(changes, "the same numbers; about a third more time a step: each block runs forward twice")]
}

fn micro_batches(config: &RunConfig) -> Vec<Notch> {
    let (batch, steps) = (config.train.per_device_train_batch_size, config.train.gradient_accumulation_steps);
    let smaller = (1..batch).rev().filter(|b| batch.is_multiple_of(*b));
    let notch = |b: usize| {
        let times = batch / b;
        let changes = vec![
            change("train.per_device_train_batch_size", batch, b),
            change("train.gradient_accumulation_steps", steps, steps * times),
        ];
        let price = format!("the same numbers but for rounding; {times} times as many micro-batches, slightly slower");
        Notch::new(changes, price)
    };
    smaller.map(notch).collect()
}

fn head_chunks(config: &RunConfig) -> Vec<Notch> {
    let chunk = config.memory.head_chunk;
    let halves = std::iter::successors(Some(chunk / 2), |c| Some(c / 2)).take_while(|c| *c >= LEAST_CHUNK);
    let notch = |c: usize| {
        let changes = vec![change("memory.head_chunk", chunk, c)];
        let price =
            format!("the same numbers but for rounding; the output matrix is read {} times as often", chunk / c);
        Notch::new(changes, price)
    };
    halves.map(notch).collect()
}

fn quantizations(subject: &Subject, config: &RunConfig) -> Vec<Notch> {
    let mut notches = Vec::new();
    let adapter = &config.adapter;
    let now = base_bytes(&subject.weights, config, subject.on_device);
    let name = |q: Quantization| serde_json::to_value(q).unwrap_or(Value::Null);
    let qlora = (adapter.method == Method::Lora).then(|| change("adapter.method", "lora", "qlora"));
    if let Some(qlora) = &qlora
        && adapter.quantization == Quantization::Keep
        && subject.weights.iter().any(|w| w.role == WeightRole::Projection && !w.is_f32)
    {
        let price =
            "the base is held as it lies on disk and expanded when it is used: the same numbers, a little slower";
        notches.push(Notch::new(vec![qlora.clone()], price));
    }
    for to in [Quantization::Q8_0, Quantization::Q4_0, Quantization::Q4K] {
        let Some((block, bytes)) = packing(to) else { continue };
        let packs =
            subject.weights.iter().all(|w| w.role != WeightRole::Projection || w.in_features.is_multiple_of(block));
        // What the base has been rounded to is not asked for again.
        if to == adapter.quantization && qlora.is_none() || !packs {
            continue;
        }
        let mut changes: Vec<LeverChange> = qlora.clone().into_iter().collect();
        if to != adapter.quantization {
            changes.push(change("adapter.quantization", name(adapter.quantization), name(to)));
        }
        let lowers = changed(config, &changes).is_ok_and(|c| base_bytes(&subject.weights, &c, subject.on_device) < now);
        if lowers {
            let bits = bytes as f64 * 8.0 / block as f64;
            let again = subject.weights.iter().any(|w| w.role == WeightRole::Projection && !w.full_precision);
            let again = if again { ", though they are rounded already" } else { "" };
            notches.push(Notch::new(
                changes,
                format!("the blocks' weights are rounded to {bits:.1} bits{again}: other losses"),
            ));
        }
    }
    notches
}

fn lengths(subject: &Subject, config: &RunConfig) -> Vec<Notch> {
    let now = config.data.max_seq_length;
    let longest = Batch::longest(&subject.train_rows, config).longest_row as usize;
    // An eighth less at a time: as fine as anybody chooses a length.
    let eighths = (1..8).rev().map(|e| longest * e / 8 / LENGTH_STEP * LENGTH_STEP).filter(|l| *l > 0);
    let notch = |length: usize| {
        let rows_cut = rows_longer_than(&subject.train_rows, length);
        let (rows, left_out) = (subject.train_rows.len(), rows_left_out(&subject.train_rows, length));
        let lost = if left_out > 0 { format!(", {left_out} of them all their targets") } else { String::new() };
        let changes = vec![change("data.max_seq_length", now, length)];
        Notch {
            changes,
            price: format!("{rows_cut} of {rows} rows lose their end{lost}"),
            rows_cut,
            rows_left_out: left_out,
        }
    };
    let mut notches: Vec<Notch> = Vec::new();
    // A length at which most rows have nothing left to learn from is no help to anybody.
    let teaches = |l: &usize| 2 * rows_left_out(&subject.train_rows, *l) <= subject.train_rows.len() as u64;
    for length in eighths.filter(|l| *l < longest.min(now)).filter(teaches) {
        let notch = notch(length);
        if notches.last().is_none_or(|last| last.changes != notch.changes) {
            notches.push(notch);
        }
    }
    notches
}

fn modules(config: &RunConfig) -> Vec<Notch> {
    let all = &config.adapter.target_modules;
    let names = |modules: &[TargetModule]| modules.iter().map(|m| m.name()).collect::<Vec<_>>();
    let (mut left, mut notches) = (all.clone(), Vec::new());
    for dropped in DROPPED {
        if !left.contains(&dropped) || left.len() == 1 {
            continue;
        }
        left.retain(|m| *m != dropped);
        let changes = vec![change("adapter.target_modules", names(all), names(&left))];
        let price = format!("a smaller adapter: only {} learn", names(&left).join(", "));
        notches.push(Notch::new(changes, price));
    }
    notches
}

fn ranks(config: &RunConfig) -> Vec<Notch> {
    let (r, alpha) = (config.adapter.r, config.adapter.lora_alpha);
    let halves = std::iter::successors(Some(r / 2), |r| Some(r / 2)).take_while(|r| *r > 0);
    let notch = |to: usize| {
        let changes = vec![change("adapter.r", r, to)];
        let scale = alpha / to as f64;
        Notch::new(changes, format!("an adapter of lower rank; lora_alpha stays, so its scale becomes {scale}"))
    };
    halves.map(notch).collect()
}
