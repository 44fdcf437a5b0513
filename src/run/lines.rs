//! A run's events as lines for people without a screen: few, each with a reason. The same events give the same lines, live or from the log.
//! What the screen shows is in `ui`; how long it still takes is folded in `pace`.

use crate::event::{
    BleuDone, BleuProgress, FinishReason, Lever, MemoryPlanned, OutOfMemory, RunEvent, RunStarted, Stamped, StepDone,
};
use crate::memory::ledger::Phase;
use crate::memory::triage::{Cause, Origin};
use crate::pace::Pace;
use crate::units::{format_bytes, format_duration, printable};

/// The least time between two lines about steps.
const BETWEEN_MS: u64 = 1000;
/// A long run has about so many lines about steps …
const LINES: u64 = 200;
/// … and one at least so often.
const AT_LEAST_MS: u64 = 60_000;

/// The least time between two lines about a report that is being made.
const SCORING_MS: u64 = 10_000;

/// The fold from events to lines. Losses and rates of a line are over all steps since the line before.
#[derive(Debug, Default)]
pub struct Lines {
    pace: Pace,
    planned_steps: u64,
    since: Since,
    said_ms: Option<u64>,
    used_bytes: Option<u64>,
    peak_bytes: Option<u64>,
    /// Whether the run computes on a device with memory of its own.
    on_device: bool,
    /// Step and loss of each eval that counts.
    evals: Vec<(u64, f64)>,
    /// When the last line told how far a report is.
    scored: Option<u64>,
    /// The place of an out-of-memory whose lever was still to be chosen.
    asked: Option<(Phase, u64, u64)>,
}

/// Sums over the steps that no line has told yet.
#[derive(Debug, Default)]
struct Since {
    loss_nats: f64,
    target_tokens: u64,
    tokens: u64,
    duration_us: u64,
}

impl Lines {
    /// Takes in what was said before this process: it tells how long things take.
    pub fn remember(&mut self, past: &[Stamped]) {
        past.iter().for_each(|stamped| self.pace.fold(stamped));
    }

    /// The lines that this event is worth.
    pub fn of(&mut self, stamped: &Stamped) -> Vec<String> {
        self.pace.fold(stamped);
        match &stamped.event {
            RunEvent::RunStarted(e) => self.started(e),
            RunEvent::MemoryPlanned(e) => vec![planned(e)],
            RunEvent::MicroBatchDone(e) => {
                // Of a device, samples tell what its pool keeps too.
                if !self.on_device {
                    self.used_bytes = e.used_bytes.or(self.used_bytes);
                    self.peak_bytes = self.peak_bytes.max(e.peak_bytes);
                }
                vec![]
            }
            RunEvent::StepDone(e) => self.step(stamped.elapsed_ms, e),
            RunEvent::MemorySampled(e) => {
                self.on_device |= e.device_used_bytes.is_some();
                self.used_bytes = e.device_used_bytes.or(e.used_bytes).or(self.used_bytes);
                self.peak_bytes = self.peak_bytes.max(self.used_bytes);
                vec![]
            }
            RunEvent::EvalDone(e) => {
                self.evals.push((e.step, e.eval_loss));
                let best = if e.best && e.step > 0 { ", the best so far" } else { "" };
                let took = format_duration(e.duration_us as f64 / 1e6);
                vec![format!("eval at step {}: eval_loss {:.4}{best} ({took})", e.step, e.eval_loss)]
            }
            RunEvent::CheckpointSaved(e) => {
                vec![format!("saved {} ({})", printable(&e.path), format_bytes(e.size_bytes))]
            }
            RunEvent::OutOfMemory(e) => self.out_of_memory(e),
            RunEvent::BleuProgress(e) => self.scoring(stamped.elapsed_ms, e),
            RunEvent::BleuDone(e) => {
                self.scored = None;
                vec![scored(e)]
            }
            RunEvent::Warning(e) => vec![format!("warning: {} ({})", printable(&e.detail), printable(&e.kind))],
            RunEvent::RunFinished(e) => {
                let how = match e.reason {
                    FinishReason::Completed => "completed",
                    FinishReason::Stopped => "stopped",
                    FinishReason::Failed => "failed",
                };
                let detail = e.detail.as_ref().map(|d| format!(": {}", printable(d))).unwrap_or_default();
                let took = format_duration(stamped.elapsed_ms as f64 / 1000.0);
                vec![format!("{how} after {} steps in {took}{}{}{detail}", e.steps, self.best(), self.peak())]
            }
        }
    }

    fn started(&mut self, e: &RunStarted) -> Vec<String> {
        let from = e.resumed_from.unwrap_or(0);
        self.evals.retain(|(step, _)| *step <= from && from > 0);
        (self.planned_steps, self.since, self.said_ms) = (e.planned_steps, Since::default(), None);
        let model = printable(e.model_name.as_ref().unwrap_or(&e.config.model.source));
        let parameters = format!("{} of {} parameters train", count(e.trainable_params), count(e.total_params));
        let id = printable(&e.run_id);
        let mut lines =
            vec![format!("run {id}: {model} on {}, {parameters}, {} steps", printable(&e.device), e.planned_steps)];
        if let Some(step) = e.resumed_from {
            lines.push(format!("resumed from step {step}"));
        }
        for split in &e.rows {
            let besides = [(split.skipped, "skipped"), (split.cut, "cut")];
            let besides: String =
                besides.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!(", {n} {what}")).collect();
            let targets = format!("{} of {} tokens are targets", count(split.target_tokens), count(split.tokens));
            lines.push(format!("{}: {} rows{besides}, {targets}", printable(&split.split), split.rows));
        }
        lines
    }

    /// Some seconds are worth a line.
    fn scoring(&mut self, at_ms: u64, e: &BleuProgress) -> Vec<String> {
        if self.scored.is_some_and(|said| at_ms.saturating_sub(said) < SCORING_MS) {
            return vec![];
        }
        self.scored = Some(at_ms);
        let seconds = e.duration_us as f64 / 1e6;
        let left = (e.rows > 0).then(|| seconds / e.rows as f64 * (e.rows_total.saturating_sub(e.rows)) as f64);
        let left = left.map(|s| format!(", ETA {}", format_duration(s))).unwrap_or_default();
        let speed = if seconds > 0.0 { format!(", {:.0} tok/s", e.tokens as f64 / seconds) } else { String::new() };
        let with = adapter(&e.adapter);
        vec![format!("generating {}: {} of {} rows {with}{speed}{left}", printable(&e.split), e.rows, e.rows_total)]
    }

    fn out_of_memory(&mut self, e: &OutOfMemory) -> Vec<String> {
        self.peak_bytes = self.peak_bytes.max(e.used_bytes);
        let place = (e.phase, e.step, e.micro);
        let asked = std::mem::take(&mut self.asked);
        let lever = e.levers.iter().find(|l| e.applied.as_ref() == Some(&l.id));
        // Said twice where somebody was asked: the second time only what was chosen is new.
        if asked == Some(place)
            && let Some(lever) = lever
        {
            return vec![applied(lever)];
        }
        self.asked = e.applied.is_none().then_some(place);
        let known = |bytes: Option<u64>, what| bytes.map(|b| format!(", {} {what}", format_bytes(b)));
        let requested = known(e.requested_bytes, "were asked for").unwrap_or_default();
        let free = known(e.free_bytes, "were free").unwrap_or_default();
        let micro = if e.micro > 0 { format!(", micro-batch {}", e.micro) } else { String::new() };
        let layer = e.layer.map(|l| format!(" (layer {l})")).unwrap_or_default();
        let place = format!("in {}{layer} of step {}{micro}", e.phase.name(), e.step);
        let first = match e.origin {
            Some(Origin::Killed) => {
                let used = known(e.used_bytes, "were held").unwrap_or_default();
                format!("the run was killed for want of memory {place}{used}{free}")
            }
            _ if e.rehearsal => {
                format!("out of memory while the longest micro-batch was rehearsed, {place}{requested}{free}")
            }
            _ => format!("out of memory {place}{requested}{free}"),
        };
        let mut lines = vec![first];
        lines.extend(e.cause.as_ref().and_then(cause));
        match lever {
            Some(lever) => lines.push(applied(lever)),
            None => lines.extend(e.levers.iter().map(|l| format!("  possible: {}", told(l)))),
        }
        lines
    }

    fn step(&mut self, now_ms: u64, e: &StepDone) -> Vec<String> {
        self.since.loss_nats += e.loss * e.target_tokens as f64;
        self.since.target_tokens = self.since.target_tokens.saturating_add(e.target_tokens);
        self.since.tokens = self.since.tokens.saturating_add(e.tokens);
        self.since.duration_us = self.since.duration_us.saturating_add(e.duration_us);
        let quiet_ms = self.said_ms.map_or(u64::MAX, |said| now_ms.saturating_sub(said));
        let turn = e.step.is_multiple_of((self.planned_steps / LINES).max(1)) || quiet_ms >= AT_LEAST_MS;
        if e.step != self.planned_steps && !(turn && quiet_ms >= BETWEEN_MS) {
            return vec![];
        }
        self.said_ms = Some(now_ms);
        let Since { loss_nats, target_tokens, tokens, duration_us } = std::mem::take(&mut self.since);
        let loss = loss_nats / target_tokens.max(1) as f64;
        let rate = tokens as f64 * 1e6 / duration_us.max(1) as f64;
        let width = self.planned_steps.to_string().len();
        let memory = self.used_bytes.map(|b| format!("  {}", format_bytes(b))).unwrap_or_default();
        let left = self.pace.left_seconds(now_ms).filter(|_| e.step < self.planned_steps);
        let eta = left.map(|left| format!("  ETA {}", format_duration(left))).unwrap_or_default();
        vec![format!(
            "step {:>width$}/{}  loss {loss:.4}  lr {:.2e}  grad_norm {:.3}  {rate:.0} tok/s{memory}{eta}",
            e.step, self.planned_steps, e.learning_rate, e.grad_norm
        )]
    }

    fn best(&self) -> String {
        let best = self.evals.iter().filter(|(step, _)| *step > 0).min_by(|a, b| a.1.total_cmp(&b.1));
        best.map(|(step, loss)| format!(", best eval_loss {loss:.4} at step {step}")).unwrap_or_default()
    }

    fn peak(&self) -> String {
        self.peak_bytes.map(|b| format!(", peak {}", format_bytes(b))).unwrap_or_default()
    }
}

fn adapter(name: &str) -> String {
    if name == "none" { "without adapter".into() } else { format!("with adapter {}", printable(name)) }
}

fn scored(e: &BleuDone) -> String {
    let interval = e.ci.map(|ci| format!(" ± {:.2}", ci.half_width)).unwrap_or_default();
    let (split, with) = (printable(&e.split), adapter(&e.adapter));
    let rows = e.rows.map(|rows| format!(", {rows} rows")).unwrap_or_default();
    let signature = e.signature.as_ref().map(|s| format!(", {}", printable(s))).unwrap_or_default();
    format!("BLEU {:.2}{interval} on {split} {with}{rows}{signature} ({})", e.score, printable(&e.report))
}

fn planned(e: &MemoryPlanned) -> String {
    let limit = e.limit_bytes.map(|b| format!(" of {}", format_bytes(b))).unwrap_or_default();
    let peak = format_bytes(e.peak_bytes);
    match e.fitted_steps {
        Some(steps) => format!("memory: re-fitted after {steps} steps: a peak of {peak}{limit}"),
        None => format!("memory: a peak of {peak}{limit} is planned"),
    }
}

fn told(lever: &Lever) -> String {
    let peak = format_bytes(lever.predicted_peak_bytes);
    format!("{}, peak {peak}, {}", printable(&lever.id), printable(&lever.price))
}

fn applied(lever: &Lever) -> String {
    let value = |v: &serde_json::Value| printable(&v.to_string());
    let changes: Vec<String> =
        lever.changes.iter().map(|c| format!("{} {} → {}", printable(&c.key), value(&c.from), value(&c.to))).collect();
    let with = if changes.is_empty() { String::new() } else { format!(" with {}", changes.join(", ")) };
    format!("  applied: {}; goes on from the last whole step{with}", told(lever))
}

/// Why it did not fit, where that could be shown.
fn cause(cause: &Cause) -> Option<String> {
    let told = match cause {
        Cause::TooLarge { planned_peak_bytes } => {
            format!("the run is too large as it is: it needs {}", format_bytes(*planned_peak_bytes))
        }
        Cause::Jump { tokens, usual_tokens } => {
            format!("one long micro-batch: {tokens} tokens, where {usual_tokens} are usual")
        }
        Cause::Creep { bytes_per_step, steps } => {
            let slope = format_bytes(bytes_per_step.max(0.0) as u64);
            format!("memory grew by {slope} a step over {steps} steps")
        }
        Cause::Pressure { taken_bytes, .. } => format!("other processes took {}", format_bytes(*taken_bytes)),
        Cause::Unknown => return None,
    };
    Some(format!("  why: {told}"))
}

/// A count with its thousands apart.
fn count(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|c| std::str::from_utf8(c).ok()).collect();
    groups.join(",")
}
