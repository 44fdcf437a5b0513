//! The lines of a run without a screen, and how long it says it still takes.

use finetop::event::*;
use finetop::memory::ledger::Phase;
use finetop::pace::Pace;
use finetop::run::lines::Lines;
use finetop::units::MIB;

use super::support::{config, started, warning};

/// A stream that is stamped as a run of its own pace would be.
struct Clock {
    ms: u64,
    said: Vec<Stamped>,
}

impl Clock {
    fn say(&mut self, after_ms: u64, event: RunEvent) {
        self.ms += after_ms;
        self.said.push(Stamped { seq: self.said.len() as u64, elapsed_ms: self.ms, event });
    }

    fn step(&mut self, step: u64, ms: u64) {
        for micro in 1..=2 {
            let used = Some((500 + micro) * MIB);
            let event = RunEvent::MicroBatchDone(MicroBatchDone {
                step,
                micro,
                micro_per_step: 2,
                loss_sum_nats: 1.0,
                target_tokens: 50,
                tokens: 100,
                duration_us: ms * 500,
                used_bytes: used,
                peak_bytes: used,
            });
            self.say(ms / 2, event);
        }
        let event = RunEvent::StepDone(StepDone {
            step,
            epoch: 0.1,
            loss: 4.0 / step as f64,
            target_tokens: 100,
            tokens: 200,
            learning_rate: 2e-4,
            grad_norm: 1.25,
            duration_us: ms * 1000,
        });
        self.say(0, event);
    }

    fn eval(&mut self, step: u64, eval_loss: f64, best: bool, ms: u64) {
        let event = EvalDone { step, eval_loss, target_tokens: 7739, duration_us: ms * 1000, best };
        self.say(ms, RunEvent::EvalDone(event));
    }

    fn save(&mut self, step: u64, ms: u64) {
        let path = format!("checkpoints/step-{step:06}");
        self.say(ms, RunEvent::CheckpointSaved(CheckpointSaved { step, path, size_bytes: 19 * MIB }));
    }
}

fn lines(said: &[Stamped]) -> Vec<String> {
    let mut lines = Lines::default();
    said.iter().flat_map(|stamped| lines.of(stamped)).collect()
}

#[test]
fn a_run_reads_as_a_few_lines() {
    let mut run = Clock { ms: 0, said: vec![] };
    let RunEvent::RunStarted(mut start) = started("20261123-221502-demo", None, 4) else { unreachable!() };
    (start.trainable_params, start.total_params) = (4_884_480, 139_399_488);
    start.rows =
        vec![SplitRows { split: "train".into(), rows: 600, skipped: 2, cut: 0, target_tokens: 9000, tokens: 20000 }];
    run.say(0, RunEvent::RunStarted(start));
    run.say(
        0,
        RunEvent::MemoryPlanned(MemoryPlanned {
            peak_bytes: 590 * MIB,
            limit_bytes: Some(2048 * MIB),
            by_category: Default::default(),
            by_phase: Default::default(),
            ..Default::default()
        }),
    );
    run.eval(0, 2.5539, false, 4000);
    run.step(1, 2000);
    run.step(2, 2000);
    run.eval(2, 2.0, true, 4000);
    run.save(2, 500);
    run.say(0, warning("\u{1b}[31mred\nline"));
    run.step(3, 2000);
    run.step(4, 2000);
    run.save(4, 500);
    run.say(0, RunEvent::RunFinished(RunFinished { reason: FinishReason::Completed, steps: 4, detail: None }));
    let expected = "\
run 20261123-221502-demo: Tiny on cpu, 4,884,480 of 139,399,488 parameters train, 4 steps
train: 600 rows, 2 skipped, 9,000 of 20,000 tokens are targets
memory: a peak of 590 MiB of 2.00 GiB is planned
eval at step 0: eval_loss 2.5539 (4s)
step 1/4  loss 4.0000  lr 2.00e-4  grad_norm 1.250  100 tok/s  502 MiB  ETA 10s
step 2/4  loss 2.0000  lr 2.00e-4  grad_norm 1.250  100 tok/s  502 MiB  ETA 8s
eval at step 2: eval_loss 2.0000, the best so far (4s)
saved checkpoints/step-000002 (19 MiB)
warning: ␛[31mred line (test)
step 3/4  loss 1.3333  lr 2.00e-4  grad_norm 1.250  100 tok/s  502 MiB  ETA 7s
step 4/4  loss 1.0000  lr 2.00e-4  grad_norm 1.250  100 tok/s  502 MiB
saved checkpoints/step-000004 (19 MiB)
completed after 4 steps in 17s, best eval_loss 2.0000 at step 2, peak 502 MiB";
    assert_eq!(lines(&run.said).join("\n"), expected);
}

#[test]
fn fast_steps_share_a_line_and_a_long_run_has_about_two_hundred() {
    let mut fast = Clock { ms: 0, said: vec![] };
    fast.say(0, started("x", None, 30));
    (1..=30).for_each(|step| fast.step(step, 100));
    let said = lines(&fast.said);
    assert_eq!(said.len(), 1 + 4, "{said:#?}");
    // The mean over the steps since the line before: 4/2 … 4/11.
    assert!(said[2].contains("step 11/30  loss 0.8080"), "{}", said[2]);
    let mut long = Clock { ms: 0, said: vec![] };
    long.say(0, started("x", None, 10_000));
    (1..=10_000).for_each(|step| long.step(step, 1000));
    assert!((190..=210).contains(&lines(&long.said).len()));
    let mut slow = Clock { ms: 0, said: vec![] };
    slow.say(0, started("x", None, 10_000));
    (1..=100).for_each(|step| slow.step(step, 120_000));
    assert_eq!(lines(&slow.said).len(), 101);
}

#[test]
fn running_out_of_memory_names_place_sizes_and_levers() {
    let lever = |id: &str, price: &str| Lever {
        id: id.into(),
        changes: vec![],
        predicted_peak_bytes: 400 * MIB,
        price: price.into(),
        rows_cut: 0,
        ..Default::default()
    };
    let event = RunEvent::OutOfMemory(Box::new(OutOfMemory {
        phase: Phase::Backward,
        step: 3,
        micro: 2,
        layer: None,
        requested_bytes: Some(100 * MIB),
        free_bytes: None,
        by_category: Default::default(),
        levers: vec![lever("checkpointing", "a third more time"), lever("batch_2", "none")],
        applied: Some("batch_2".into()),
        ..Default::default()
    }));
    let mut clock = Clock { ms: 0, said: vec![] };
    clock.say(0, event);
    let expected = "\
out of memory in backward of step 3, micro-batch 2, 100 MiB were asked for
  applied: batch_2, peak 400 MiB, none; goes on from the last whole step";
    assert_eq!(lines(&clock.said).join("\n"), expected);
}

/// Plays a whole run and compares what was left after a share of it with what was said to be left.
#[test]
fn on_a_device_the_lines_tell_what_is_held_there_and_not_what_the_process_holds() {
    let mut run = Clock { ms: 0, said: vec![] };
    run.say(0, started("card", None, 2));
    let sample = MemorySampled {
        phase: Phase::Forward,
        used_bytes: Some(5000 * MIB),
        device_used_bytes: Some(900 * MIB),
        ..Default::default()
    };
    run.say(50, RunEvent::MemorySampled(sample));
    run.step(1, 2000);
    run.step(2, 2000);
    let end = RunFinished { reason: FinishReason::Completed, steps: 2, detail: None };
    run.say(0, RunEvent::RunFinished(end));
    let said = lines(&run.said);
    assert!(said.iter().filter(|l| l.starts_with("step")).all(|l| l.contains("  900 MiB")), "{said:#?}");
    assert!(said.iter().any(|l| l.starts_with("completed") && l.ends_with("peak 900 MiB")), "{said:#?}");
}

fn eta_error(steps: u64, tenth: u64, step_ms: impl Fn(u64) -> u64, pause_ms: u64) -> f64 {
    let mut run = Clock { ms: 0, said: vec![] };
    let RunEvent::RunStarted(mut start) = started("x", None, steps) else { unreachable!() };
    start.config = config();
    (start.config.train.eval_steps, start.config.train.save_steps) = (10, 15);
    run.say(0, RunEvent::RunStarted(start));
    run.eval(0, 3.0, false, 9000);
    let (mut pace, mut folded, mut left, mut at) = (Pace::default(), 0, 0.0, 0);
    for step in 1..=steps {
        run.step(step, step_ms(step));
        if step % 10 == 0 || step == steps {
            run.eval(step, 3.0, false, 9000);
        }
        if step % 15 == 0 || step == steps {
            run.save(step, 700);
        }
        if step == tenth {
            run.said[folded..].iter().for_each(|s| pace.fold(s));
            folded = run.said.len();
            (left, at) = (pace.left_seconds(run.ms).unwrap(), run.ms);
            run.ms += pause_ms;
        }
    }
    let really = (run.ms - at - pause_ms) as f64 / 1000.0;
    run.said[folded..].iter().for_each(|s| pace.fold(s));
    assert_eq!(pace.left_seconds(run.ms).unwrap() as u64, 0);
    (left - really).abs() / really
}

#[test]
fn the_eta_counts_evals_and_checkpoints_and_is_right_within_a_fifth_after_a_tenth() {
    assert!(eta_error(114, 11, |_| 1500, 0) < 0.03);
    let uneven = |step: u64| 1000 + step * 7919 % 1000;
    assert!(eta_error(114, 11, uneven, 0) < 0.1);
    assert!(eta_error(1000, 100, uneven, 0) < 0.05);
    assert!(eta_error(40, 4, uneven, 600_000) < 0.2, "a pause does not count");
}

#[test]
fn the_eta_is_unknown_before_the_first_step_and_starts_again_after_a_resume() {
    let mut pace = Pace::default();
    assert_eq!(pace.left_seconds(0), None);
    let mut run = Clock { ms: 0, said: vec![] };
    run.say(0, started("x", None, 100));
    run.step(1, 60_000);
    run.say(0, started("x", Some(90), 100));
    run.said.iter().for_each(|s| pace.fold(s));
    assert_eq!(pace.left_seconds(run.ms), None);
    let before = run.said.len();
    run.step(91, 1000);
    run.said[before..].iter().for_each(|s| pace.fold(s));
    // Nine steps; what the eval and the checkpoint at the end take is not known yet.
    assert_eq!(pace.left_seconds(run.ms).unwrap() as u64, 9);
}
