//! An out-of-memory in words: what happened, where, why; levers and their changes as people say them; the command that applies one later.

use std::path::Path;

use serde_json::Value;

use crate::event::{Lever, LeverChange, OutOfMemory};
use crate::memory::ledger::Phase;
use crate::memory::lever::Kind;
use crate::memory::triage::{Cause, Origin};
use crate::ui::format;
use crate::ui::state::RunStage;
use crate::units::{format_bytes, printable, shell_word};

/// Of a text from a log; the log's own entry has all of it.
const LONGEST: usize = 200;

fn outside(text: &str) -> String {
    printable(crate::units::beginning(text, LONGEST))
}

/// What happened, with the numbers that are known.
pub fn happened(oom: &OutOfMemory) -> String {
    let asked = oom.requested_bytes.map(|bytes| format!("{} more were needed", format_bytes(bytes)));
    let free = match (oom.free_bytes, oom.limit_bytes) {
        (Some(free), Some(limit)) => Some(format!("{} of {} were free", format_bytes(free), format_bytes(limit))),
        (Some(free), None) => Some(format!("{} were free", format_bytes(free))),
        (None, Some(limit)) => Some(format!("the limit is {}", format_bytes(limit))),
        (None, None) => None,
    };
    let numbers: Vec<String> = asked.into_iter().chain(free).collect();
    let numbers = if numbers.is_empty() { String::new() } else { format!(": {}", numbers.join(", ")) };
    let what = match oom.origin {
        Some(Origin::Killed) => "The system ended the process for want of memory",
        Some(Origin::Device) => "The device had no more memory",
        Some(Origin::Limit) => "The run reached its memory limit",
        None => "The run ran out of memory",
    };
    format!("{what}{numbers}.")
}

/// Where it was, and who held what.
pub fn place(oom: &OutOfMemory, run: &RunStage) -> String {
    let of = run.view.current.micro_per_step;
    let of = if of >= oom.micro && run.view.current.step == oom.step { format!(" of {of}") } else { String::new() };
    let phase = match oom.phase {
        Phase::Idle => "between steps".to_owned(),
        phase => format!("in {}", phase.name()),
    };
    let mut text = match oom.rehearsal {
        true => format!("While the longest micro-batch was rehearsed before step 1, {phase}"),
        false if oom.micro == 0 => format!("Step {}, {phase}", format::count(oom.step)),
        false => format!("Step {}, micro-batch {}{of}, {phase}", format::count(oom.step), format::count(oom.micro)),
    };
    // People count layers from 1, events from 0.
    if let Some(layer) = oom.layer {
        text.push_str(&format!(" of layer {}", format::count(layer.saturating_add(1))));
    }
    if let Some(tokens) = oom.tokens {
        text.push_str(&format!(", {} tokens", format::count(tokens)));
    }
    if let Some(used) = oom.used_bytes {
        text.push_str(&format!(". {} were in use", format_bytes(used)));
        if let Some(others) = oom.others_bytes {
            text.push_str(&format!(", others held {}", format_bytes(others)));
        }
    } else if let Some(others) = oom.others_bytes {
        text.push_str(&format!(". Others held {}", format_bytes(others)));
    }
    text.push('.');
    text
}

/// Why, as far as it can be shown.
pub fn cause(cause: Option<&Cause>) -> String {
    match cause {
        Some(Cause::TooLarge { planned_peak_bytes }) => format!(
            "Why: too large as it is. The plan itself needs {}: nothing went wrong on the way.",
            format_bytes(*planned_peak_bytes)
        ),
        Some(Cause::Jump { tokens, usual_tokens }) => format!(
            "Why: a jump. This micro-batch has {} tokens, usual is {}.",
            format::count(*tokens),
            format::count(*usual_tokens)
        ),
        Some(Cause::Creep { bytes_per_step, steps }) => {
            let steps = format::count(*steps);
            let slope = Some(*bytes_per_step).filter(|b| b.is_finite() && *b >= 0.0).map(|b| b as u64);
            format!(
                "Why: a creep. Memory grew by {} a step over {steps} steps.",
                format::or_unknown(slope, format_bytes)
            )
        }
        Some(Cause::Pressure { others_bytes, taken_bytes }) => {
            let hold = others_bytes.map(|b| format!("; they hold {}", format_bytes(b))).unwrap_or_default();
            format!("Why: pressure from outside. Others took {} that had been free{hold}.", format_bytes(*taken_bytes))
        }
        Some(Cause::Unknown) => {
            "Why: it could not be shown. No jump, no creep and no pressure from outside was found.".into()
        }
        None => "Why: the run did not say.".into(),
    }
}

/// A lever's name as a person would say it.
pub fn lever_name(id: &str) -> String {
    match Kind::of(id) {
        Some(Kind::GradientCheckpointing) => "checkpointing".into(),
        Some(Kind::MicroBatch) => "rows of a micro-batch".into(),
        Some(Kind::HeadChunk) => "shorter head chunk".into(),
        Some(Kind::Quantization) => "quantise the base".into(),
        Some(Kind::MaxSeqLength) => "shorter sequences".into(),
        Some(Kind::TargetModules) => "fewer modules".into(),
        Some(Kind::R) => "smaller r".into(),
        None => outside(id),
    }
}

/// `4 → 2`
pub fn change(change: &LeverChange) -> String {
    format!("{} → {}", value(&change.from), value(&change.to))
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) => outside(text),
        Value::Bool(true) => "on".into(),
        Value::Bool(false) => "off".into(),
        Value::Array(names) => {
            let names: Vec<String> = names.iter().filter_map(Value::as_str).take(16).map(outside).collect();
            if names.len() == 7 {
                return "all seven".into();
            }
            names.iter().map(|name| name.trim_end_matches("_proj")).collect::<Vec<_>>().join(" ")
        }
        other => outside(&other.to_string()),
    }
}

/// The command that goes on with the run and applies the lever; where the adapter does not fit that, the one that starts anew.
pub fn command(run: &RunStage, lever: &Lever) -> String {
    if run.needs_new_run(lever) {
        let file = shell_word(&run.folder.join("config.toml"));
        let sets = lever.changes.iter().map(|change| {
            // A text needs no quotes there, a list does.
            let to = match &change.to {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            format!(" --set {}", shell_word(Path::new(&format!("{}={to}", change.key))))
        });
        return format!("finetop train {file}{}", sets.collect::<String>());
    }
    format!("finetop train {} --resume --lever {}", shell_word(&run.folder), shell_word(Path::new(&lever.id)))
}
