//! What is kept of a run's memory, and when it was at its highest.

use super::*;

fn sample(used: u64) -> MemorySampled {
    in_phase(Phase::Forward, used)
}

fn in_phase(phase: Phase, used: u64) -> MemorySampled {
    let by_category = ByCategory::from([(Category::Adapter, 10)]);
    MemorySampled { phase, used_bytes: Some(used), by_category, ..Default::default() }
}

fn plan(peak_bytes: u64) -> MemoryPlanned {
    let by_phase = Phase::ALL.map(|phase| (phase, peak_bytes)).into();
    MemoryPlanned { peak_bytes, by_phase, ..Default::default() }
}

#[test]
fn the_history_is_bounded_and_keeps_its_highest_sample() {
    let mut history = MemoryHistory::default();
    for i in 0..100_000u64 {
        history.sample(i * 500, i, &sample(if i == 54_321 { 9_000 } else { 100 }));
    }
    assert!(history.points().len() <= MAX_SAMPLES);
    assert_eq!(history.peak_bytes, Some(9_000));
    let highest = &history.highest().expect("a sample was taken").point;
    assert_eq!((highest.step, highest.at_ms), (54_321, 54_321 * 500));
    assert_eq!(history.at(highest.at_ms), Some(highest), "the crosshair finds it among merged samples");
}

#[test]
fn what_is_not_charged_is_a_category_of_its_own() {
    let mut history = MemoryHistory::default();
    history.sample(0, 0, &sample(100));
    let newest = history.newest().expect("a sample was taken");
    assert_eq!(newest.stack[Category::Adapter as usize], 10);
    assert_eq!(newest.stack[Category::Unaccounted as usize], 90);
    assert_eq!((newest.charged(), newest.unaccounted()), (10, Some(90)));
    history.sample(1, 0, &sample(4));
    let newest = history.newest().expect("a sample was taken");
    assert_eq!((newest.stack[Category::Unaccounted as usize], newest.unaccounted()), (0, Some(-6)));
}

#[test]
fn peaks_by_phase_are_those_of_all_samples_and_not_of_merged_ones() {
    let mut history = MemoryHistory::default();
    for i in 0..50_000u64 {
        history.sample(i * 500, i, &in_phase(Phase::Backward, 5_000));
        history.sample(i * 500 + 100, i, &in_phase(Phase::Eval, if i == 777 { 900 } else { 100 }));
    }
    let eval = history.peak_of(Phase::Eval).expect("evals were sampled");
    assert_eq!((eval.bytes, eval.step, eval.at_ms), (900, 777, 777 * 500 + 100));
    assert_eq!(history.peak_of(Phase::Generate), None);
}

#[test]
fn a_peak_is_held_against_the_plan_for_the_settings_that_it_had() {
    let mut history = MemoryHistory::default();
    history.planned(&plan(1_000));
    history.sample(0, 1, &sample(1_200));
    history.out_of_memory(1, 1, false, false);
    history.out_of_memory(2, 1, true, true);
    history.planned(&plan(600));
    history.sample(3, 1, &in_phase(Phase::Backward, 620));
    let planned = |history: &MemoryHistory, phase| history.peak_of(phase).and_then(|peak| peak.planned_bytes);
    assert_eq!(planned(&history, Phase::Forward), Some(1_000), "measured before the lever");
    assert_eq!(planned(&history, Phase::Backward), Some(600));
    // What was fitted later is a better plan for the same settings.
    history.planned(&plan(640));
    assert_eq!(planned(&history, Phase::Backward), Some(640));
    let highest = history.highest().expect("a sample was taken");
    assert_eq!(highest.plan.as_ref().map(|p| p.peak_bytes), Some(1_000));
    let kinds: Vec<MarkKind> = history.marks().iter().map(|m| m.kind).collect();
    assert_eq!(kinds, [MarkKind::OutOfMemory, MarkKind::Lever]);
}

#[test]
fn what_a_card_holds_is_not_held_against_what_the_process_held() {
    let on_card = |used| MemorySampled { device_used_bytes: Some(used), ..sample(50_000) };
    let mut history = MemoryHistory::default();
    history.sample(0, 0, &in_phase(Phase::Load, 80_000));
    history.sample(1, 1, &on_card(700));
    assert_eq!(history.highest().map(|h| h.point.height()), Some(700));
    assert_eq!(history.peak_of(Phase::Load), None);
    // It goes on in another process, which loads on the host first.
    history.begin_segment();
    history.sample(2, 1, &in_phase(Phase::Load, 90_000));
    history.sample(3, 1, &on_card(900));
    assert_eq!(history.peak_of(Phase::Forward).map(|p| p.bytes), Some(900));
    assert_eq!(history.highest().map(|h| h.point.height()), Some(900));
}

#[test]
fn a_pause_takes_no_time_on_the_axis() {
    let mut history = MemoryHistory::default();
    history.sample(100, 0, &in_phase(Phase::Idle, 10));
    history.sample(200, 1, &sample(10));
    history.worked(300);
    history.sample(400, 1, &in_phase(Phase::Idle, 10));
    history.sample(9_000, 1, &in_phase(Phase::Idle, 10));
    history.sample(10_400, 2, &sample(10));
    history.mark(10_500, 2, MarkKind::Eval);
    let times: Vec<u64> = history.points().iter().map(|p| p.at_ms).collect();
    assert_eq!(times, [100, 200, 400, 400, 400]);
    assert_eq!(history.marks()[0].at_ms, 500);
}

#[test]
fn marks_are_bounded_and_an_out_of_memory_outlives_evals() {
    let mut history = MemoryHistory::default();
    history.mark(0, 0, MarkKind::OutOfMemory);
    (1..50_000u64).for_each(|i| history.mark(i, i, MarkKind::Eval));
    assert!(history.marks().len() <= MAX_MARKS);
    assert_eq!(history.marks()[0].kind, MarkKind::OutOfMemory);
    (0..50_000u64).for_each(|i| history.mark(50_000 + i, i, MarkKind::Lever));
    assert!(history.marks().len() <= MAX_MARKS);
}
