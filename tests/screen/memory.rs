//! The tab Memory: where the bytes were, when, and what was planned, on a run with evals, checkpoints, an out-of-memory and its recovery.

use finetop::event::*;
use finetop::memory::ledger::{ByCategory, ByPhase, Category, Phase};
use finetop::memory::plan::{Basis, LongestBatch};
use finetop::ui::state::State;
use finetop::ui::theme::{GlyphSet, Role};
use finetop::ui::{Effect, Key, Message, update};
use finetop::units::{GIB, MIB};

use crate::fixture;
use crate::frames::{SIZES, compare, compare_at, compare_at_all_sizes, draw, press, style_at, text, theme};

fn plan(backward_mib: u64, basis: Basis) -> RunEvent {
    let mib = |n: u64| n * MIB;
    RunEvent::MemoryPlanned(MemoryPlanned {
        peak_bytes: mib(backward_mib),
        limit_bytes: Some(2 * GIB),
        by_category: ByCategory::from([
            (Category::BaseWeights, mib(87)),
            (Category::DequantScratch, mib(3)),
            (Category::Adapter, mib(9)),
            (Category::Gradients, mib(9)),
            (Category::Optimizer, mib(19)),
            (Category::Activations, mib(backward_mib - 292)),
            (Category::BlockWork, mib(110)),
            (Category::HeadChunk, mib(24)),
            (Category::Other, mib(31)),
        ]),
        by_phase: ByPhase::from([
            (Phase::Load, mib(150)),
            (Phase::Forward, mib(290)),
            (Phase::Backward, mib(backward_mib)),
            (Phase::Optimizer, mib(180)),
            (Phase::Eval, mib(305)),
        ]),
        basis,
        fitted_steps: (basis == Basis::Fitted).then_some(3),
        longest_batch: Some(LongestBatch { rows: 4, tokens: 1_482, target_tokens: 390 }),
    })
}

/// The stored run with an out-of-memory in step 21: it is asked about, and goes on with the micro-batch halved. Samples in between reach the
/// limit where there is one below 2 GiB.
fn recovered(limit: Option<u64>) -> Vec<Stamped> {
    let mut events = Vec::new();
    let mut shift_ms = 0;
    for stamped in fixture::stored() {
        let Stamped { elapsed_ms, mut event, .. } = stamped;
        let mut say = |elapsed_ms: u64, event: RunEvent| {
            let seq = events.len() as u64;
            events.push(Stamped { seq, elapsed_ms, event });
        };
        let at_ms = elapsed_ms + shift_ms;
        match &mut event {
            RunEvent::MemoryPlanned(_) => event = plan(352, Basis::Calibrated),
            RunEvent::MemorySampled(sample) => sample.limit_bytes = limit,
            _ => {}
        }
        let is_here = matches!(&event, RunEvent::MicroBatchDone(m) if (m.step, m.micro) == (21, 3));
        let is_third = matches!(&event, RunEvent::StepDone(s) if s.step == 3);
        let ends = matches!(event, RunEvent::RunFinished(_));
        if ends {
            let (report, split, adapter) = ("bleu/best.json".into(), "test".into(), "best".into());
            let (step, signature, ci, rows) = (None, None, None, None);
            say(at_ms, RunEvent::BleuDone(BleuDone { report, score: 31.2, split, adapter, step, signature, ci, rows }));
        }
        say(at_ms, event.clone());
        if is_third {
            say(at_ms, plan(401, Basis::Fitted));
        }
        if is_here {
            let RunEvent::MemorySampled(mut high) = events[events.len() - 2].event.clone() else { panic!("no sample") };
            let oom = OutOfMemory {
                phase: Phase::Backward,
                step: 21,
                micro: 4,
                layer: Some(11),
                requested_bytes: Some(96 * MIB),
                free_bytes: Some(40 * MIB),
                limit_bytes: limit,
                ..OutOfMemory::default()
            };
            let mut say = |elapsed_ms: u64, event: RunEvent| {
                let seq = events.len() as u64;
                events.push(Stamped { seq, elapsed_ms, event });
            };
            high.phase = Phase::Backward;
            high.by_category.insert(Category::Activations, 171 * MIB);
            high.by_category.insert(Category::BlockWork, 132 * MIB);
            high.by_category.remove(&Category::Unaccounted);
            high.used_bytes = Some(high.by_category.values().sum::<u64>() + 44 * MIB);
            say(at_ms + 700, RunEvent::MemorySampled(high));
            say(at_ms + 720, RunEvent::OutOfMemory(Box::new(oom.clone())));
            let applied = Some("micro_batch".to_owned());
            say(at_ms + 6_000, RunEvent::OutOfMemory(Box::new(OutOfMemory { applied, ..oom })));
            say(at_ms + 6_010, plan(380, Basis::Calibrated));
            shift_ms += 6_000;
        }
    }
    events
}

fn on_tab(events: &[Stamped]) -> State {
    let mut state = fixture::after(events);
    for key in [Key::Esc, Key::Char('4')] {
        press(&mut state, key);
    }
    state
}

fn live() -> State {
    let events = recovered(Some(500 * MIB));
    on_tab(fixture::until(&events, 33, 3))
}

/// The same run on a card that others use too.
fn on_device() -> State {
    let mut events = recovered(Some(2 * GIB));
    for stamped in &mut events {
        if let RunEvent::MemorySampled(sample) = &mut stamped.event
            && sample.phase != Phase::Load
        {
            let used = sample.used_bytes.expect("a reading");
            (sample.device_used_bytes, sample.used_bytes) = (Some(used), Some(812 * MIB));
            (sample.device_total_bytes, sample.others_bytes) = (Some(24 * GIB), Some(3 * GIB));
            sample.swap_bytes = Some(12 * MIB);
            sample.gpu = Some(GpuState {
                utilisation_percent: Some(93),
                temperature_celsius: Some(64),
                power_watts: Some(188.4),
            });
            sample.pool = Some(PoolMemory {
                used_bytes: used - 20 * MIB,
                used_high_bytes: used,
                reserved_bytes: used + 44 * MIB,
                reserved_high_bytes: used + 64 * MIB,
            });
        }
    }
    on_tab(fixture::until(&events, 33, 3))
}

/// Readings at their limits, and readings of nothing.
fn hostile() -> State {
    let mut events = fixture::until(&recovered(None), 30, 2).to_vec();
    for (i, stamped) in events.iter_mut().enumerate() {
        let value = [0, u64::MAX, 1, u64::MAX / 2][i % 4];
        match &mut stamped.event {
            RunEvent::MemorySampled(sample) => {
                sample.used_bytes = [Some(value), None, Some(0)][i % 3];
                (sample.limit_bytes, sample.swap_bytes, sample.host_available_bytes) =
                    (Some(value), Some(value), Some(value));
                match i % 3 {
                    0 => sample.by_category.clear(),
                    1 => sample.by_category.values_mut().for_each(|bytes| *bytes = value),
                    _ => {}
                }
                if i % 5 == 0 {
                    (sample.device_used_bytes, sample.device_total_bytes) = (Some(value), Some(0));
                    sample.pool = Some(PoolMemory {
                        used_bytes: value,
                        used_high_bytes: 0,
                        reserved_bytes: 0,
                        reserved_high_bytes: value,
                    });
                    sample.gpu = Some(GpuState {
                        utilisation_percent: Some(u32::MAX),
                        temperature_celsius: None,
                        power_watts: Some(f64::NAN),
                    });
                }
            }
            RunEvent::MemoryPlanned(plan) => {
                plan.peak_bytes = value;
                plan.limit_bytes = Some(0);
                plan.by_phase.values_mut().for_each(|bytes| *bytes = value);
                plan.by_category.values_mut().for_each(|bytes| *bytes = u64::MAX);
                plan.longest_batch = Some(LongestBatch { rows: value, tokens: value, target_tokens: value });
            }
            RunEvent::OutOfMemory(oom) => (oom.step, oom.micro) = (value, value),
            RunEvent::EvalDone(eval) => eval.step = value,
            _ => {}
        }
        if i > 200 {
            stamped.elapsed_ms = u64::MAX - 1_000 + i as u64;
        }
    }
    on_tab(&events)
}

pub fn states() -> Vec<State> {
    let mut at_peak = live();
    ['M', '+', '+'].into_iter().for_each(|key| press(&mut at_peak, Key::Char(key)));
    vec![live(), at_peak, on_device(), hostile(), on_tab(&[]), on_tab(&recovered(None))]
}

#[test]
fn it_is_seen_at_first_sight_where_the_bytes_are_and_when_the_peak_was() {
    let state = live();
    compare_at_all_sizes("memory", &state);
    compare_at("memory", &state, (160, 48));
    let frame = text(&draw(&state, &theme("dark", GlyphSet::Braille), 80, 24));
    assert!(frame.contains("peak ") && frame.contains("step 21, backward"), "{frame}");
    let ascii = theme("mono", GlyphSet::Ascii);
    for (width, height) in [(80, 24), (160, 48)] {
        let frame = text(&draw(&state, &ascii, width, height));
        assert!(frame.is_ascii(), "{frame}");
        compare(&format!("memory-ascii-{width}x{height}"), &frame);
    }
    compare("memory-block-80x24", &text(&draw(&state, &theme("mono", GlyphSet::Block), 80, 24)));
}

#[test]
fn the_crosshair_shows_the_ledger_of_the_highest_moment() {
    let mut state = live();
    press(&mut state, Key::Char('M'));
    compare_at_all_sizes("memory-peak", &state);
    press(&mut state, Key::Left);
    press(&mut state, Key::Char('+'));
    press(&mut state, Key::Char('+'));
    compare_at_all_sizes("memory-zoomed", &state);
    compare("memory-zoomed-ascii-80x24", &text(&draw(&state, &theme("mono", GlyphSet::Ascii), 80, 24)));
    // What is copied is what is shown.
    press(&mut state, Key::Char('M'));
    let effects = update(&mut state, Message::Key(Key::Char('Y')));
    let [Effect::Copy(copied)] = &effects[..] else { panic!("{effects:?}") };
    let frame = text(&draw(&state, &theme("dark", GlyphSet::Braille), 160, 48));
    for row in copied.lines().skip(1) {
        let value = row.split("  ").nth(1).expect("a value");
        assert!(frame.contains(value), "{row} is not in\n{frame}");
    }
    assert!(copied.starts_with("memory at ") && copied.contains("backward"), "{copied}");
}

#[test]
fn a_finished_run_is_looked_at_in_the_same_way() {
    let mut state = on_tab(&recovered(Some(2 * GIB)));
    compare_at_all_sizes("memory-finished", &state);
    press(&mut state, Key::Char('M'));
    let frame = text(&draw(&state, &theme("dark", GlyphSet::Braille), 120, 40));
    assert!(frame.contains("limit 2.00 GiB ↑"), "it lies far beyond the scale:\n{frame}");
}

#[test]
fn a_card_of_its_own_has_its_pool_and_its_temperature() {
    let mut state = on_device();
    compare_at_all_sizes("memory-device", &state);
    press(&mut state, Key::Char('M'));
    let frame = text(&draw(&state, &theme("dark", GlyphSet::Braille), 160, 48));
    for what in [
        "fragmentation         64 MiB",
        "held by others",
        "process on host",
        "93 % 64 C 188 W",
        "swapped out",
        "24.0 GiB",
        "host free",
    ] {
        let squeezed = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(squeezed(&frame).contains(&squeezed(what)), "{what}:\n{frame}");
    }
}

#[test]
fn nothing_measured_yet_is_said_and_invents_no_numbers() {
    compare_at_all_sizes("memory-empty", &on_tab(&[]));
    let events = recovered(Some(2 * GIB));
    let planned: Vec<Stamped> =
        events[..4].iter().filter(|e| !matches!(e.event, RunEvent::MemorySampled(_))).cloned().collect();
    compare_at_all_sizes("memory-planned", &on_tab(&planned));
    compare_at_all_sizes("memory-first", &on_tab(&events[..4]));
}

#[test]
fn readings_at_their_limits_are_drawn_and_moved_through() {
    let themes = [theme("dark", GlyphSet::Braille), theme("mono", GlyphSet::Ascii), theme("light", GlyphSet::Block)];
    for mut state in states() {
        for key in "hhhlMjjkk+++HHLLgG--0fFf+hhY".chars().map(Key::Char).chain([Key::Esc, Key::Left, Key::Up]) {
            press(&mut state, key);
            for (i, (width, height)) in SIZES.into_iter().chain([(60, 60), (300, 20), (110, 32)]).enumerate() {
                draw(&state, &themes[i % 3], width, height);
            }
        }
    }
    compare_at_all_sizes("memory-hostile", &hostile());
}

#[test]
fn marks_and_lines_have_the_colours_of_what_they_mean() {
    let dark = theme("dark", GlyphSet::Braille);
    let frame = draw(&live(), &dark, 160, 48);
    for (what, role) in [
        ("X out", Role::Bad),
        ("R lever", Role::Warn),
        ("S saved", Role::Good),
        ("E eval", Role::Eval),
        ("limit 500", Role::Bad),
        ("■ base weights", Role::Category(Category::BaseWeights)),
        ("■ not accounted", Role::Category(Category::Unaccounted)),
    ] {
        assert_eq!(style_at(&frame, what).fg, dark.style(role).fg, "{what}");
    }
}
