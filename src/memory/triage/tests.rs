use super::*;
use crate::memory::ledger::{ByCategory, Category, Phase};
use crate::memory::probe::CgroupMemory;
use crate::units::MIB;

/// Steps of 1,000 MiB and 200 tokens within a limit of 2,000, changed by `f`.
fn steps(n: u64, f: impl Fn(u64, &mut Moment)) -> Vec<Moment> {
    (1..=n)
        .map(|step| {
            let mut moment = Moment {
                step,
                peak_bytes: Some(1000 * MIB),
                longest_tokens: 220,
                usual_tokens: 200,
                room_bytes: Some(3000 * MIB),
                others_bytes: None,
            };
            f(step, &mut moment);
            moment
        })
        .collect()
}

/// 300 MiB more are asked for, 100 are free below the limit.
fn now() -> Facts {
    Facts {
        step: 41,
        tokens: Some(200),
        used_bytes: Some(1900 * MIB),
        limit_bytes: Some(2000 * MIB),
        requested_bytes: Some(300 * MIB),
        free_bytes: Some(100 * MIB),
        available_bytes: Some(1100 * MIB),
        others_bytes: None,
        planned_peak_bytes: Some(1500 * MIB),
    }
}

/// Numbers without an order, from 0 to 20, the same each time.
fn noise(step: u64) -> u64 {
    step * 7919 % 21
}

#[test]
fn one_long_micro_batch_is_a_jump() {
    let now = Facts { tokens: Some(900), ..now() };
    assert_eq!(cause(&steps(40, |_, _| ()), &now), Cause::Jump { tokens: 900, usual_tokens: 200 });
    // After one step already.
    assert_eq!(cause(&steps(1, |_, _| ()), &now), Cause::Jump { tokens: 900, usual_tokens: 200 });
}

#[test]
fn a_micro_batch_whose_like_went_well_before_is_no_jump() {
    let now = Facts { tokens: Some(900), ..now() };
    let passed = steps(40, |step, m| m.longest_tokens = if step == 3 { 900 } else { 220 });
    assert_eq!(cause(&passed, &now), Cause::Unknown);
    let a_little = Facts { tokens: Some(240), ..now };
    assert_eq!(cause(&steps(40, |_, _| ()), &a_little), Cause::Unknown);
}

#[test]
fn memory_that_grows_from_step_to_step_is_a_creep_with_its_slope() {
    let grows = steps(40, |step, m| m.peak_bytes = Some((1000 + 20 * step + noise(step)) * MIB));
    let Cause::Creep { bytes_per_step, steps } = cause(&grows, &now()) else { panic!("{:?}", cause(&grows, &now())) };
    assert!((bytes_per_step / MIB as f64 - 20.0).abs() < 0.5, "{bytes_per_step}");
    assert_eq!(steps, 39);
}

#[test]
fn the_slope_is_found_among_micro_batches_of_all_lengths() {
    let tokens = |step: u64| 100 + step * 7919 % 400;
    let grows = steps(40, |step, m| {
        m.longest_tokens = tokens(step);
        m.peak_bytes = Some((1000 + 5 * step + 2 * tokens(step)) * MIB);
    });
    let Cause::Creep { bytes_per_step, .. } = cause(&grows, &now()) else { panic!("{:?}", cause(&grows, &now())) };
    assert!((bytes_per_step / MIB as f64 - 5.0).abs() < 0.01, "{bytes_per_step}");
}

#[test]
fn what_longer_rows_or_a_first_warming_up_cost_is_no_creep() {
    let longer_and_longer = steps(40, |step, m| {
        m.longest_tokens = 200 + 10 * step;
        m.peak_bytes = Some((1000 + 20 * step) * MIB);
    });
    assert_eq!(cause(&longer_and_longer, &now()), Cause::Unknown);
    for warm_from in [3, 10, 20, 30] {
        let warms_up = steps(40, |step, m| m.peak_bytes = Some(if step < warm_from { 1000 } else { 1800 } * MIB));
        assert_eq!(cause(&warms_up, &now()), Cause::Unknown, "{warm_from}");
    }
    let trembles = steps(40, |step, m| m.peak_bytes = Some((1000 + 20 * noise(step)) * MIB));
    assert_eq!(cause(&trembles, &now()), Cause::Unknown);
    let too_few = steps(7, |step, m| m.peak_bytes = Some((1000 + 100 * step) * MIB));
    assert_eq!(cause(&too_few, &now()), Cause::Unknown);
    // 39 steps of 1 MiB are less than half of the 200 MiB that lacked.
    let slow = steps(40, |step, m| m.peak_bytes = Some((1800 + step) * MIB));
    assert_eq!(cause(&slow, &now()), Cause::Unknown);
}

#[test]
fn others_that_took_what_was_free_are_pressure() {
    // The run stays within its own limit, and could hold 3,000 MiB before, 1,250 now.
    let host =
        Facts { used_bytes: Some(1200 * MIB), available_bytes: Some(50 * MIB), free_bytes: Some(50 * MIB), ..now() };
    let taken = Cause::Pressure { others_bytes: None, taken_bytes: 1750 * MIB };
    assert_eq!(cause(&steps(40, |_, _| ()), &host), taken);
    let device = Facts { others_bytes: Some(700 * MIB), ..host };
    let with_others = steps(40, |_, m| m.others_bytes = Some(100 * MIB));
    let taken = Cause::Pressure { others_bytes: Some(700 * MIB), taken_bytes: 600 * MIB };
    assert_eq!(cause(&with_others, &device), taken);
    // Others that hold much, but no more than before, took nothing.
    let with_as_much = steps(40, |_, m| m.others_bytes = Some(700 * MIB));
    assert_eq!(cause(&with_as_much, &device), Cause::Unknown);
}

#[test]
fn a_run_beyond_its_own_limit_does_not_blame_others() {
    let now = Facts { available_bytes: Some(10 * MIB), tokens: Some(900), ..now() };
    assert_eq!(cause(&steps(40, |_, _| ()), &now), Cause::Jump { tokens: 900, usual_tokens: 200 });
}

#[test]
fn a_plan_beyond_the_limit_is_too_large_unless_the_way_there_says_more() {
    let now = Facts { planned_peak_bytes: Some(2500 * MIB), ..now() };
    let too_large = Cause::TooLarge { planned_peak_bytes: 2500 * MIB };
    assert_eq!(cause(&[], &now), too_large);
    assert_eq!(cause(&steps(40, |_, _| ()), &now), too_large);
    let long = Facts { tokens: Some(900), ..now };
    assert_eq!(cause(&steps(40, |_, _| ()), &long), Cause::Jump { tokens: 900, usual_tokens: 200 });
    // Nothing of it ever fitted: the plan was too low, and what was needed is said instead.
    let low = Facts { planned_peak_bytes: Some(1500 * MIB), ..now };
    assert_eq!(cause(&[], &low), Cause::TooLarge { planned_peak_bytes: 2200 * MIB });
    assert_eq!(cause(&[], &Facts::default()), Cause::Unknown);
}

#[test]
fn of_a_jump_and_a_creep_the_one_that_explains_more_wins() {
    let long = Facts { tokens: Some(900), ..now() };
    // 2,200 needed, 1,200 beyond the first step: 780 of them crept.
    let much = steps(40, |step, m| m.peak_bytes = Some((1000 + 20 * step) * MIB));
    assert!(matches!(cause(&much, &long), Cause::Creep { .. }));
    // 195 of them crept.
    let little = steps(40, |step, m| m.peak_bytes = Some((1000 + 5 * step) * MIB));
    assert_eq!(cause(&little, &long), Cause::Jump { tokens: 900, usual_tokens: 200 });
}

#[test]
fn pressure_wins_over_a_run_that_grew_less_than_others_took() {
    let short = Facts { used_bytes: Some(1300 * MIB), available_bytes: Some(0), free_bytes: Some(0), ..now() };
    let creeps = steps(40, |step, m| m.peak_bytes = Some((1000 + 7 * step) * MIB));
    assert!(matches!(cause(&creeps, &short), Cause::Pressure { .. }));
    let others_took_little = steps(40, |step, m| {
        m.peak_bytes = Some((1000 + 7 * step) * MIB);
        m.room_bytes = Some(1400 * MIB);
    });
    assert!(matches!(cause(&others_took_little, &short), Cause::Creep { .. }));
}

#[test]
fn the_history_is_folded_step_by_step_and_stays_bounded() {
    let mut history = History::default();
    for step in 1..=1000 {
        history.micro_batch(step, 100, Some(10));
        history.sample(Some(50), Some(7), None);
        history.micro_batch(step, 300, Some(20));
        history.micro_batch(step, 200, None);
        history.step_done(step);
    }
    let moments = history.moments();
    assert_eq!(moments.len(), 64);
    let last = Moment {
        step: 1000,
        peak_bytes: Some(50),
        longest_tokens: 300,
        usual_tokens: 200,
        room_bytes: Some(57),
        others_bytes: None,
    };
    assert_eq!(moments.last(), Some(&last));
    // What of a step went well counts, and a step that was dropped or an eval between steps is none.
    history.micro_batch(1001, 400, None);
    assert_eq!(history.moments().last().map(|m| (m.step, m.longest_tokens, m.peak_bytes)), Some((1001, 400, None)));
    history.forget();
    history.sample(Some(1), None, None);
    assert!(history.moments().is_empty());
    assert_eq!(history.cause(&Facts::default()), Cause::Unknown);
}

fn last(available: u64, oom_kills: Option<u64>) -> LastSeen {
    LastSeen {
        phase: Phase::Backward,
        step: 7,
        micro: 2,
        used_bytes: Some(900 * MIB),
        host_total_bytes: Some(1000 * MIB),
        host_available_bytes: Some(available * MIB),
        cgroup: Some(CgroupMemory { limit_bytes: None, used_bytes: None, oom_kills }),
        by_category: ByCategory::from([(Category::Activations, 5)]),
    }
}

#[test]
fn a_kill_that_the_kernel_counted_is_certain_where_memory_was_short() {
    let found = killed(&last(300, Some(2)), Some(3)).expect("a kill");
    assert_eq!((found.evidence, found.kills, found.limit_bytes), (Evidence::Counted, Some(1), Some(1000 * MIB)));
    assert_eq!((found.phase, found.step, found.micro, found.used_bytes), (Phase::Backward, 7, 2, Some(900 * MIB)));
    assert_eq!(found.by_category, last(0, None).by_category);
    // With much free it may have been a neighbour in the same cgroup.
    assert_eq!(killed(&last(800, Some(2)), Some(3)).map(|k| k.evidence), Some(Evidence::Likely));
    let counts_alone = LastSeen { host_total_bytes: None, ..last(0, Some(0)) };
    assert_eq!(killed(&counts_alone, Some(1)).map(|k| k.evidence), Some(Evidence::Counted));
}

#[test]
fn without_a_count_memory_that_was_all_but_used_up_makes_it_likely() {
    assert_eq!(killed(&last(50, None), None).map(|k| k.evidence), Some(Evidence::Likely));
    // A container made anew after the kill counts from 0.
    assert_eq!(killed(&last(50, Some(0)), Some(0)).map(|k| k.evidence), Some(Evidence::Likely));
    let fell = killed(&last(50, Some(5)), Some(1)).expect("a kill");
    assert_eq!((fell.evidence, fell.kills), (Evidence::Likely, None));
    let by_cgroup = LastSeen {
        cgroup: Some(CgroupMemory { limit_bytes: Some(500 * MIB), used_bytes: Some(480 * MIB), oom_kills: None }),
        ..last(800, None)
    };
    let found = killed(&by_cgroup, None).expect("a kill");
    assert_eq!((found.evidence, found.limit_bytes), (Evidence::Likely, Some(500 * MIB)));
}

#[test]
fn a_run_that_was_merely_ended_is_no_out_of_memory() {
    assert_eq!(killed(&last(300, None), None), None);
    assert_eq!(killed(&last(300, Some(0)), Some(0)), None);
    assert_eq!(killed(&LastSeen::default(), Some(4)), None);
    // The kernel counts in this cgroup, and has not counted this one.
    assert_eq!(killed(&last(10, Some(4)), Some(4)), None);
}
