//! The log of a long run, in the proportions of a real one: four micro-batches a step, memory twice a second, now and then an eval and a
//! checkpoint. The short log that tests and frames share is in `fixture`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use finetop::event::*;
use finetop::memory::ledger::{ByCategory, Category, Phase};
use finetop::units::{GIB, MIB};

use crate::fixture;

pub const STEPS: u64 = 100_000;
/// Megabytes as disks count them.
pub const LEAST_BYTES: u64 = 150_000_000;

const MICROS: u64 = 4;
const SAMPLE_EVERY_MS: u64 = 500;
const EVAL_EVERY: u64 = 500;
const SAVE_EVERY: u64 = 1_000;

/// Deterministic numbers in [0, 1).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1u64 << 31) as f64
    }
}

struct Maker<F> {
    each: F,
    seq: u64,
    elapsed_ms: u64,
    sampled_ms: u64,
    dice: Dice,
}

/// Says every event of a run of so many steps.
pub fn make(steps: u64, each: impl FnMut(Stamped)) {
    let mut maker = Maker { each, seq: 0, elapsed_ms: 0, sampled_ms: 0, dice: Dice(11) };
    maker.emit(started(steps));
    maker.emit(RunEvent::MemoryPlanned(MemoryPlanned {
        peak_bytes: 352 * MIB,
        limit_bytes: Some(2 * GIB),
        by_category: ByCategory::from([(Category::BaseWeights, 87 * MIB)]),
        by_phase: [(Phase::Backward, 352 * MIB)].into(),
        ..Default::default()
    }));
    maker.eval(0, 2.55, false);
    (1..=steps).for_each(|step| maker.step(step, steps));
    maker.emit(RunEvent::RunFinished(RunFinished { reason: FinishReason::Completed, steps, detail: None }));
}

/// Writes the log of a run of `STEPS` steps into a folder that reads as a run; its length comes back.
pub fn write(run: &Path) -> io::Result<u64> {
    fs::copy(fixture::run_folder().join("config.toml"), run.join("config.toml"))?;
    let mut file = BufWriter::with_capacity(1 << 20, File::create(run.join("events.jsonl"))?);
    let mut written = Ok(());
    make(STEPS, |stamped| {
        if written.is_ok() {
            written = serde_json::to_writer(&mut file, &stamped)
                .map_err(io::Error::other)
                .and_then(|()| file.write_all(b"\n"));
        }
    });
    written?;
    file.into_inner()?.metadata().map(|m| m.len())
}

fn started(planned_steps: u64) -> RunEvent {
    RunEvent::RunStarted(Box::new(RunStarted {
        schema: SCHEMA,
        run_id: "20260504-100000-long".into(),
        started_unix_ms: fixture::BEGAN_UNIX_MS,
        config: fixture::config(),
        seed: 42,
        device: "cpu, 2 threads".into(),
        model_name: Some("SmolLM2 135M Instruct".into()),
        trainable_params: 2_442_240,
        total_params: 136_957_248,
        planned_steps,
        resumed_from: None,
        rows: vec![],
    }))
}

impl<F: FnMut(Stamped)> Maker<F> {
    fn emit(&mut self, event: RunEvent) {
        (self.each)(Stamped { seq: self.seq, elapsed_ms: self.elapsed_ms, event });
        self.seq += 1;
    }

    fn step(&mut self, step: u64, steps: u64) {
        let falling = 1.02 + 1.55 * (-(step as f64) / (0.2 * steps as f64)).exp();
        let (mut nats, mut targets, mut tokens, mut us) = (0.0, 0, 0, 0);
        for micro in 1..=MICROS {
            let target_tokens = 80 + (50.0 * self.dice.roll()) as u64;
            let micro_tokens = target_tokens * 3 + (90.0 * self.dice.roll()) as u64;
            let loss_sum_nats = (falling + 0.36 * (self.dice.roll() - 0.5)) * target_tokens as f64;
            let duration_us = micro_tokens * 310 + (6_000.0 * self.dice.roll()) as u64;
            self.elapsed_ms += duration_us / 1_000;
            let used = self.used(micro);
            if self.elapsed_ms - self.sampled_ms >= SAMPLE_EVERY_MS {
                self.sample(if micro % 2 == 0 { Phase::Backward } else { Phase::Forward }, used);
            }
            self.emit(RunEvent::MicroBatchDone(MicroBatchDone {
                step,
                micro,
                micro_per_step: MICROS,
                loss_sum_nats,
                target_tokens,
                tokens: micro_tokens,
                duration_us,
                used_bytes: Some(used),
                peak_bytes: Some(used + 9 * MIB),
            }));
            nats += loss_sum_nats;
            targets += target_tokens;
            tokens += micro_tokens;
            us += duration_us;
        }
        self.elapsed_ms += 2;
        let noise = 0.12 * self.dice.roll();
        self.emit(RunEvent::StepDone(StepDone {
            step,
            epoch: step as f64 * 16.0 / 600.0,
            loss: nats / targets as f64,
            target_tokens: targets,
            tokens,
            learning_rate: 5e-4 * (1.0 - (step - 1) as f64 / steps as f64),
            grad_norm: 0.42 + noise,
            duration_us: us + 2_000,
        }));
        if step.is_multiple_of(EVAL_EVERY) {
            self.eval(step, falling + 0.05 * noise, step < steps / 2);
        }
        if step.is_multiple_of(SAVE_EVERY) {
            self.elapsed_ms += 140;
            let path = format!("checkpoints/step-{step:06}");
            self.emit(RunEvent::CheckpointSaved(CheckpointSaved { step, path, size_bytes: 29_412_352 }));
        }
    }

    fn used(&mut self, micro: u64) -> u64 {
        (280 + 20 * micro) * MIB + (40.0 * self.dice.roll() * MIB as f64) as u64
    }

    fn sample(&mut self, phase: Phase, used: u64) {
        self.sampled_ms = self.elapsed_ms;
        let by_category = ByCategory::from([
            (Category::BaseWeights, 91_645_542),
            (Category::DequantScratch, 3_565_158),
            (Category::Adapter, 9_751_756),
            (Category::Gradients, 9_751_756),
            (Category::Optimizer, 19_503_513),
            (Category::Activations, 23_068_672 + used % 41_943_040),
            (Category::BlockWork, 50_331_648 + used % 12_582_912),
            (Category::Data, 1_258_291),
            (Category::Other, 3_250_585),
        ]);
        self.emit(RunEvent::MemorySampled(MemorySampled {
            phase,
            used_bytes: Some(used),
            limit_bytes: Some(2 * GIB),
            device_used_bytes: None,
            device_total_bytes: None,
            others_bytes: None,
            host_total_bytes: Some(8 * GIB),
            host_available_bytes: Some(4 * GIB),
            by_category: with_unaccounted(by_category, Some(used)),
            ..Default::default()
        }));
    }

    fn eval(&mut self, step: u64, eval_loss: f64, best: bool) {
        self.elapsed_ms += 1_200;
        let used = self.used(1);
        self.sample(Phase::Eval, used);
        self.elapsed_ms += 1_900;
        self.emit(RunEvent::EvalDone(EvalDone { step, eval_loss, target_tokens: 7_739, duration_us: 3_100_000, best }));
    }
}
