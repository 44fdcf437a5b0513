//! What the fold of a run's events promises.

use super::*;
use crate::config::*;
use crate::event::FinishReason;
use crate::pace::Remaining;

fn config(eval_steps: usize) -> RunConfig {
    RunConfig {
        model: ModelConfig { source: "model.gguf".into(), dtype: ComputeDtype::F32 },
        adapter: AdapterConfig {
            method: Method::Lora,
            r: 8,
            lora_alpha: 16.0,
            lora_dropout: 0.0,
            target_modules: vec![TargetModule::QProj],
            quantization: Quantization::Keep,
        },
        data: DataConfig {
            train: "train.jsonl".into(),
            eval: Some("eval.jsonl".into()),
            test: None,
            max_seq_length: 512,
            shuffle: true,
            strict: false,
        },
        train: TrainConfig {
            num_train_epochs: 1.0,
            max_steps: -1,
            per_device_train_batch_size: 4,
            gradient_accumulation_steps: 4,
            learning_rate: 2e-4,
            lr_scheduler_type: SchedulerType::Linear,
            warmup_steps: 0,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
            gradient_checkpointing: true,
            eval_steps,
            save_steps: eval_steps,
            save_total_limit: 3,
            load_best_model_at_end: true,
            metric_for_best_model: Default::default(),
            predict_with_generate: false,
            seed: 42,
        },
        memory: MemoryConfig { limit: MemoryLimit::Auto, on_oom: OnOom::Ask, head_chunk: 256 },
        bleu: BleuConfig { run_after_training: false, ..BleuConfig::default() },
        extract: ExtractConfig::default(),
        log: LogConfig { dir: "runs".into() },
    }
}

/// Emits a run's events with their times.
#[derive(Default)]
struct Run {
    view: RunView,
    seq: u64,
    ms: u64,
}

impl Run {
    fn emit(&mut self, event: RunEvent) {
        self.view.fold(&Stamped { seq: self.seq, elapsed_ms: self.ms, event });
        self.seq = self.seq.saturating_add(1);
    }

    fn begin(planned_steps: u64, eval_steps: usize, resumed_from: Option<u64>) -> Self {
        let mut run = Run::default();
        run.segment(planned_steps, eval_steps, resumed_from);
        run
    }

    fn segment(&mut self, planned_steps: u64, eval_steps: usize, resumed_from: Option<u64>) {
        self.emit(RunEvent::RunStarted(Box::new(RunStarted {
            schema: 1,
            run_id: "x".into(),
            started_unix_ms: 1_000_000,
            config: config(eval_steps),
            seed: 42,
            device: "cpu".into(),
            model_name: None,
            trainable_params: 1,
            total_params: 2,
            planned_steps,
            resumed_from,
            rows: Vec::new(),
        })));
    }

    fn step(&mut self, step: u64, loss: f64, ms: u64) {
        self.ms += ms;
        self.emit(RunEvent::StepDone(StepDone {
            step,
            epoch: 0.0,
            loss,
            target_tokens: 100,
            tokens: 400,
            learning_rate: 1e-4,
            grad_norm: 1.0,
            duration_us: ms * 1000,
        }));
    }

    fn eval(&mut self, step: u64, eval_loss: f64, best: bool, ms: u64) {
        self.ms += ms;
        self.emit(RunEvent::EvalDone(EvalDone { step, eval_loss, target_tokens: 10, duration_us: ms * 1000, best }));
    }

    fn save(&mut self, step: u64, ms: u64) {
        self.ms += ms;
        self.emit(RunEvent::CheckpointSaved(CheckpointSaved { step, path: "checkpoints/x".into(), size_bytes: 1 }));
    }
}

#[test]
fn the_first_smoothed_value_is_the_first_loss() {
    let mut run = Run::begin(2_000, 0, None);
    run.step(1, 3.5, 100);
    assert_eq!(run.view.smoothed.first(), Some(3.5));
    run.step(2, 2.5, 100);
    // Two values of nearly the same weight: the beginning does not bias the average.
    let second = run.view.smoothed.last().expect("a second value");
    assert!((second - 2.99).abs() < 0.02, "{second}");
    (3..=500).for_each(|step| run.step(step, 1.0, 100));
    let settled = run.view.smoothed.last().expect("a last value");
    assert!((settled - 1.0).abs() < 1e-3, "{settled}");
}

#[test]
fn after_a_tenth_of_the_run_the_estimate_is_within_a_fifth() {
    // Steps between 0.7 and 1.4 s, an eval of 9 s every 20 steps, checkpoints, a pause of ten minutes in step 7.
    let mut noise = 11u64;
    let mut step_ms = |step: u64| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        700 + (noise >> 33) % 700 + if step == 7 { 600_000 } else { 0 }
    };
    let (planned, tenth) = (200, 20);
    let mut run = Run::begin(planned, 20, None);
    run.eval(0, 2.5, false, 9_000);
    let mut estimates = Vec::new();
    for step in 1..=planned {
        let ms = step_ms(step);
        run.step(step, 2.0, ms);
        if step >= tenth {
            estimates.push((run.ms, run.view.eta_seconds(run.ms).expect("steps were measured")));
        }
        if step % 20 == 0 {
            run.eval(step, 2.0, true, 9_100);
            run.save(step, 150);
        }
    }
    for (at_ms, estimate) in estimates.iter().take(150) {
        let truth = (run.ms - at_ms) as f64 / 1e3;
        assert!((estimate / truth - 1.0).abs() <= 0.2, "{estimate:.0} s were estimated, {truth:.0} s it took");
    }
}

#[test]
fn the_estimate_runs_down_while_a_step_is_under_way_and_stops_at_its_end() {
    let mut run = Run::begin(10, 0, None);
    run.eval(0, 2.5, false, 1_000);
    (1..=4).for_each(|step| run.step(step, 2.0, 2_000));
    let at = |ms| run.view.eta_seconds(run.ms + ms).expect("steps were measured");
    assert!((at(0) - at(1_000) - 1.0).abs() < 1e-9);
    assert_eq!(at(2_000), at(90_000));
}

#[test]
fn before_the_second_step_there_is_no_estimate() {
    let mut run = Run::begin(10, 5, None);
    assert_eq!(run.view.eta_seconds(0), None);
    run.step(1, 2.0, 2_000);
    assert_eq!(run.view.eta_seconds(run.ms), None);
}

#[test]
fn evals_and_checkpoints_to_come_are_counted_once() {
    let mut run = Run::begin(10, 4, None);
    run.eval(0, 2.5, false, 10);
    (1..=3).for_each(|step| run.step(step, 2.0, 10));
    // At steps 4, 8 and 10.
    assert_eq!(run.view.pace.remaining(), Some(Remaining { steps: 7, evals: 3, saves: 3 }));
    run.step(4, 2.0, 10);
    assert_eq!(run.view.pace.remaining(), Some(Remaining { steps: 6, evals: 3, saves: 3 }));
    run.eval(4, 2.0, true, 10);
    run.save(4, 10);
    assert_eq!(run.view.pace.remaining(), Some(Remaining { steps: 6, evals: 2, saves: 2 }));
    (5..=10).for_each(|step| run.step(step, 2.0, 10));
    run.eval(10, 1.9, true, 10);
    run.save(10, 10);
    assert_eq!(run.view.pace.remaining(), Some(Remaining { steps: 0, evals: 0, saves: 0 }));
}

#[test]
fn a_resumed_run_drops_what_lies_beyond_its_checkpoint() {
    let mut run = Run::begin(20, 5, None);
    (1..=8).for_each(|step| run.step(step, step as f64, 10));
    run.eval(5, 1.0, true, 10);
    run.eval(8, 0.5, true, 10);
    run.segment(20, 5, Some(5));
    assert_eq!(run.view.loss.last(), Some(5.0));
    assert_eq!(run.view.best_eval().map(|e| e.step), Some(5));
    assert_eq!(run.view.steps_done(), 5);
    assert_eq!(run.view.outcome, None);
    run.step(6, 60.0, 10);
    assert_eq!(run.view.loss.span(), Some((1, 6)));
    let smoothed = run.view.smoothed.last().expect("a value");
    assert!(smoothed < 60.0 && smoothed > 5.0, "the average goes on from where it was: {smoothed}");
}

#[test]
fn a_run_that_begins_anew_forgets_its_eval_before_training() {
    let mut run = Run::begin(20, 5, None);
    run.eval(0, 2.5, false, 10);
    run.segment(20, 5, Some(0));
    assert_eq!(run.view.eval_before(), None);
    run.eval(0, 2.5, false, 10);
    assert_eq!(run.view.evals.len(), 1);
}

#[test]
fn a_log_read_twice_changes_nothing() {
    let mut run = Run::begin(20, 5, None);
    run.step(1, 1.0, 10);
    let before = run.view.clone();
    run.seq = 0;
    run.emit(RunEvent::RunFinished(RunFinished { reason: FinishReason::Failed, steps: 1, detail: None }));
    assert_eq!(run.view, before);
}

#[test]
fn an_empty_micro_batch_has_no_loss_and_a_step_sums_its_micro_batches() {
    let micro = |micro, target_tokens, peak| MicroBatchDone {
        step: 1,
        micro,
        micro_per_step: 2,
        loss_sum_nats: 30.0,
        target_tokens,
        tokens: 50,
        duration_us: 10,
        used_bytes: None,
        peak_bytes: peak,
    };
    assert_eq!(micro_loss(&micro(1, 0, None)), None);
    assert_eq!(micro_loss(&micro(1, 10, None)), Some(3.0));
    let mut run = Run::begin(2, 0, None);
    run.emit(RunEvent::MicroBatchDone(micro(1, 10, Some(70))));
    run.emit(RunEvent::MicroBatchDone(micro(2, 20, Some(60))));
    assert_eq!((run.view.current.tokens, run.view.current.target_tokens), (100, 30));
    run.step(1, 2.0, 10);
    assert_eq!(run.view.recent.back().and_then(|s| s.peak_bytes), Some(70));
    assert!(run.view.current.complete);
    assert_eq!(run.view.memory.peak_bytes, Some(70));
}

#[test]
fn a_hundred_thousand_steps_are_folded_within_bounds() {
    let mut run = Run::begin(100_000, 10, None);
    for step in 1..=100_000u64 {
        run.step(step, 1.0, 10);
        if step % 10 == 0 {
            run.eval(step, 1.0 / step as f64, true, 1);
            run.emit(RunEvent::Warning(Warning { kind: "w".into(), detail: "중".repeat(1_000) }));
        }
    }
    assert_eq!(run.view.loss.buckets().len(), 100_000);
    assert!(run.view.evals.len() <= 10_000 && run.view.recent.len() <= RECENT_STEPS);
    assert_eq!(run.view.warnings.count, 10_000);
    assert_eq!(run.view.warnings.last.len(), MAX_WARNINGS);
    assert!(run.view.warnings.last.iter().all(|w| w.detail.len() <= MAX_WARNING_BYTES && w.detail.len() > 1_000));
}

#[test]
fn a_loss_that_is_no_number_stands_at_the_step_that_the_warning_names() {
    let mut run = Run::begin(20, 5, None);
    (1..=4).for_each(|step| run.step(step, 1.0, 10));
    let warn = |run: &mut Run, kind: &str, detail: &str| {
        run.emit(RunEvent::Warning(Warning { kind: kind.into(), detail: detail.into() }));
    };
    warn(&mut run, "not_finite", "step 5: the loss or its gradient is NaN");
    warn(&mut run, "not_finite", "step_done.grad_norm is not a finite number");
    warn(&mut run, "data", "step 3: inf");
    let lost = run.view.loss.not_finite();
    assert!(matches!(lost, [(5, value)] if value.is_nan()), "{lost:?}");
    assert_eq!(run.view.loss.at(4).map(|b| b.last), Some(4), "the loss before it is still told");
}

#[test]
fn sums_are_of_all_micro_batches_and_a_new_segment_has_a_peak_of_its_own() {
    let mut run = Run::begin(2, 0, None);
    for micro in 1..=6_000 {
        run.emit(RunEvent::MicroBatchDone(MicroBatchDone {
            step: 1,
            micro,
            micro_per_step: 6_000,
            loss_sum_nats: 1.0,
            target_tokens: 3,
            tokens: 20,
            duration_us: 10,
            used_bytes: Some(8_000),
            peak_bytes: Some(9_000),
        }));
    }
    assert_eq!((run.view.current.tokens, run.view.current.target_tokens), (120_000, 18_000));
    assert_eq!(run.view.memory.peak_bytes, Some(9_000));
    run.segment(2, 0, Some(0));
    assert_eq!(run.view.memory.peak_bytes, None);
}

#[test]
fn an_out_of_memory_drops_the_step_and_takes_its_answer_in() {
    let mut run = Run::begin(9, 0, None);
    run.step(1, 2.0, 10);
    let micro = |step, micro, micro_per_step| {
        RunEvent::MicroBatchDone(MicroBatchDone {
            step,
            micro,
            micro_per_step,
            loss_sum_nats: 1.0,
            target_tokens: 3,
            tokens: 20,
            duration_us: 10,
            used_bytes: None,
            peak_bytes: None,
        })
    };
    run.emit(micro(2, 1, 4));
    run.emit(micro(2, 2, 4));
    let oom = OutOfMemory { phase: Phase::Backward, step: 2, micro: 3, ..OutOfMemory::default() };
    run.emit(RunEvent::OutOfMemory(Box::new(oom.clone())));
    assert_eq!((run.view.current.done, run.view.current.micros.len(), run.view.current.tokens), (0, 0, 0));
    assert!(run.view.micro_seconds.all_at(2).is_none());
    let said_ms = run.ms;
    run.ms += 5_000;
    let applied = Some("micro_batch".to_owned());
    run.emit(RunEvent::OutOfMemory(Box::new(OutOfMemory { applied: applied.clone(), ..oom.clone() })));
    assert_eq!(run.view.ooms.len(), 1, "asked and answered");
    assert_eq!((run.view.ooms[0].0, &run.view.ooms[0].1.applied), (said_ms, &applied));
    run.emit(micro(2, 1, 8));
    assert_eq!((run.view.current.done, run.view.current.micro_per_step), (1, 8));
    // The same place again is another one; they are bounded.
    (0..100).for_each(|_| run.emit(RunEvent::OutOfMemory(Box::new(oom.clone()))));
    assert_eq!(run.view.ooms.len(), MAX_OOMS);
    assert_eq!(run.view.current.done, 0);
    // One after the step's end, in its eval, takes nothing back.
    run.step(2, 1.0, 20);
    run.emit(RunEvent::OutOfMemory(Box::new(OutOfMemory { phase: Phase::Eval, step: 2, ..OutOfMemory::default() })));
    assert_eq!((run.view.last_step.as_ref().map(|s| s.step), run.view.recent.len()), (Some(2), 2));
}

#[test]
fn numbers_from_a_hostile_log_are_folded() {
    let mut run = Run { seq: u64::MAX - 3, ms: u64::MAX - 1, ..Run::default() };
    run.segment(u64::MAX, 0, Some(u64::MAX));
    for micro in [1, u64::MAX] {
        run.emit(RunEvent::MicroBatchDone(MicroBatchDone {
            step: u64::MAX,
            micro,
            micro_per_step: u64::MAX,
            loss_sum_nats: f64::MAX,
            target_tokens: u64::MAX,
            tokens: u64::MAX,
            duration_us: u64::MAX,
            used_bytes: Some(u64::MAX),
            peak_bytes: Some(u64::MAX),
        }));
    }
    assert!(run.view.speed().is_some_and(f64::is_finite));
    assert_eq!(run.view.current.tokens, u64::MAX);
}

#[test]
fn what_each_segment_says_of_its_rows_is_counted_once() {
    let mut run = Run::begin(20, 5, None);
    let warn = |run: &mut Run, detail: &str| {
        run.emit(RunEvent::Warning(Warning { kind: "row_skipped".into(), detail: detail.into() }));
    };
    ["line 3", "line 9"].iter().for_each(|detail| warn(&mut run, detail));
    run.step(1, 2.0, 10);
    warn(&mut run, "slow");
    warn(&mut run, "slow");
    run.segment(20, 5, Some(1));
    ["line 3", "line 9", "line 11"].iter().for_each(|detail| warn(&mut run, detail));
    run.step(2, 2.0, 10);
    warn(&mut run, "line 3");
    assert_eq!((run.view.warnings.count, run.view.warnings.last.len()), (6, 6));
}
