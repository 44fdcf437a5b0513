//! An event in plain words, on one line. Made when it is drawn or searched, never when the event comes: a log may have a million.
//! All of an event is in `whole`.

use crate::event::{FinishReason, OutOfMemory, RunEvent, RunStarted, Warning};
use crate::ui::format::{self, count, loss, or_unknown, scientific, took};
use crate::ui::state::run::micro_loss;
use crate::units::{beginning, format_bytes, printable};

/// How rare an event is: each class has its own room, so that steps never push a warning out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Said,
    Step,
    /// Micro-batches and samples of memory: many, and shown only when asked for.
    Detail,
}

pub fn class(event: &RunEvent) -> Class {
    match event {
        RunEvent::StepDone(_) => Class::Step,
        RunEvent::MicroBatchDone(_) | RunEvent::MemorySampled(_) | RunEvent::BleuProgress(_) => Class::Detail,
        _ => Class::Said,
    }
}

/// In a word of at most seven letters.
pub fn kind(event: &RunEvent) -> &'static str {
    match event {
        RunEvent::RunStarted(started) if started.resumed_from.is_some() => "resume",
        RunEvent::RunStarted(_) => "start",
        RunEvent::MemoryPlanned(_) => "plan",
        RunEvent::MicroBatchDone(_) => "micro",
        RunEvent::StepDone(_) => "step",
        RunEvent::MemorySampled(_) => "memory",
        RunEvent::EvalDone(_) => "eval",
        RunEvent::CheckpointSaved(_) => "save",
        RunEvent::OutOfMemory(_) => "oom",
        RunEvent::BleuProgress(_) => "scoring",
        RunEvent::BleuDone(_) => "BLEU",
        RunEvent::Warning(_) => "warning",
        RunEvent::RunFinished(_) => "end",
    }
}

/// What search and filter look at: the kind, a space, and the words.
pub fn haystack(event: &RunEvent, longest: usize) -> String {
    format!("{} {}", kind(event), words(event, longest))
}

/// What happened, safe for a terminal. Of text that comes from outside, about `longest` bytes are taken.
pub fn words(event: &RunEvent, longest: usize) -> String {
    let outside = |text: &str| printable(beginning(text, longest));
    match event {
        RunEvent::RunStarted(started) => start(started, longest),
        RunEvent::MemoryPlanned(plan) => format!("peak {}{}", format_bytes(plan.peak_bytes), of(plan.limit_bytes)),
        RunEvent::MicroBatchDone(micro) => {
            format!(
                "{} of {} in step {}  loss {}  {} tokens in {}  {}",
                count(micro.micro),
                count(micro.micro_per_step),
                count(micro.step),
                or_unknown(micro_loss(micro), loss),
                count(micro.tokens),
                took(micro.duration_us),
                or_unknown(micro.used_bytes, format_bytes)
            )
        }
        RunEvent::StepDone(step) => format!(
            "{}  loss {}  grad norm {}  {} tokens in {}  lr {}  epoch {:.2}",
            count(step.step),
            loss(step.loss),
            loss(step.grad_norm),
            count(step.tokens),
            took(step.duration_us),
            scientific(step.learning_rate),
            step.epoch
        ),
        RunEvent::MemorySampled(sample) => {
            let used = or_unknown(sample.used_bytes, format_bytes);
            let others = sample.others_bytes.map(|b| format!(", others {}", format_bytes(b))).unwrap_or_default();
            format!("{}  {used}{}{others}", sample.phase.name(), of(sample.limit_bytes))
        }
        RunEvent::EvalDone(eval) => {
            let best = if eval.best { ", the best so far" } else { "" };
            let (at, nats) = (count(eval.step), loss(eval.eval_loss));
            format!("loss {nats} at step {at}{best}  in {}", took(eval.duration_us))
        }
        RunEvent::CheckpointSaved(saved) => {
            format!("step {}  {} in {}", count(saved.step), format_bytes(saved.size_bytes), outside(&saved.path))
        }
        RunEvent::OutOfMemory(oom) => out_of_memory(oom, longest),
        RunEvent::BleuProgress(at) => format!(
            "{} of {} rows of {}, adapter {}  {} tokens in {}",
            count(at.rows),
            count(at.rows_total),
            outside(&at.split),
            outside(&at.adapter),
            count(at.tokens),
            took(at.duration_us)
        ),
        RunEvent::BleuDone(bleu) => {
            let (split, adapter) = (outside(&bleu.split), outside(&bleu.adapter));
            format!("{:.2} on {split}, adapter {adapter}  {}", bleu.score, outside(&bleu.report))
        }
        RunEvent::Warning(Warning { kind, detail }) => format!("{}: {}", outside(kind), outside(detail)),
        RunEvent::RunFinished(finished) => {
            let reason = match finished.reason {
                FinishReason::Completed => "complete",
                FinishReason::Stopped => "stopped",
                FinishReason::Failed => "failed",
            };
            let detail = finished.detail.as_deref().map(|d| format!(": {}", outside(d))).unwrap_or_default();
            format!("{reason} after {} steps{detail}", count(finished.steps))
        }
    }
}

/// A long elapsed time keeps its seconds: entries are told apart by them. `0:02:42`, `123:00:09`.
pub fn clock(elapsed_ms: u64) -> String {
    let s = elapsed_ms / 1000;
    format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

fn start(started: &RunStarted, longest: usize) -> String {
    let outside = |text: &str| printable(beginning(text, longest));
    let device = outside(&started.device);
    if let Some(from) = started.resumed_from {
        return format!("from step {} of {}, on {device}", count(from), count(started.planned_steps));
    }
    let config = &started.config;
    let model = outside(started.model_name.as_deref().unwrap_or(&config.model.source));
    format!("{model}, {}, {} steps on {device}", format::method(config), count(started.planned_steps))
}

/// Where it came to it, and what was missing.
pub fn out_of_memory(oom: &OutOfMemory, longest: usize) -> String {
    let layer = oom.layer.map(|l| format!(", layer {}", count(l))).unwrap_or_default();
    let asked = oom.requested_bytes.map(|b| format!(", {} asked for", format_bytes(b))).unwrap_or_default();
    let free = oom.free_bytes.map(|b| format!(", {} free", format_bytes(b))).unwrap_or_default();
    let applied =
        oom.applied.as_deref().map(|id| format!("; applied {}", printable(beginning(id, longest)))).unwrap_or_default();
    let (phase, step, micro) = (oom.phase.name(), count(oom.step), count(oom.micro));
    format!("out of memory in {phase}, step {step}, micro-batch {micro}{layer}{asked}{free}{applied}")
}

fn of(limit_bytes: Option<u64>) -> String {
    limit_bytes.map_or_else(|| format!(" of {}", format::UNKNOWN), |b| format!(" of {}", format_bytes(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_made_printable_and_cut_where_asked() {
        let detail = "중\u{1b}[31m".repeat(1_000);
        let warning = RunEvent::Warning(Warning { kind: "a\nb".into(), detail });
        assert_eq!(words(&warning, 10), "a b: 중␛[31m");
        assert!(words(&warning, usize::MAX).chars().count() > 6_000);
        assert!(haystack(&warning, 10).starts_with("warning a b: "));
    }

    #[test]
    fn elapsed_time_keeps_its_seconds() {
        assert_eq!(clock(162_310), "0:02:42");
        assert_eq!(clock(442_809_999), "123:00:09");
    }
}
