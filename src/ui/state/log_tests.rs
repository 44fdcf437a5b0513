//! What is kept, shown, found and selected in the log.

use super::kept::MAX_TEXT_BYTES;
use super::walk::SEARCHED;
use super::*;
use crate::event::{Lever, MicroBatchDone, OutOfMemory, RunEvent, StepDone, Warning};

fn step(seq: u64) -> Stamped {
    let done = StepDone {
        step: seq,
        epoch: 0.0,
        loss: 1.0,
        target_tokens: 1,
        tokens: 1,
        learning_rate: 0.1,
        grad_norm: 1.0,
        duration_us: 1,
    };
    Stamped { seq, elapsed_ms: seq * 1_000, event: RunEvent::StepDone(done) }
}

fn micro(seq: u64) -> Stamped {
    let done = MicroBatchDone {
        step: 1,
        micro: seq,
        micro_per_step: 4,
        loss_sum_nats: 1.0,
        target_tokens: 1,
        tokens: 1,
        duration_us: 1,
        used_bytes: None,
        peak_bytes: None,
    };
    Stamped { seq, elapsed_ms: 0, event: RunEvent::MicroBatchDone(done) }
}

fn warning(seq: u64, detail: &str) -> Stamped {
    let warning = Warning { kind: "data".into(), detail: detail.into() };
    Stamped { seq, elapsed_ms: 0, event: RunEvent::Warning(warning) }
}

fn log(events: impl IntoIterator<Item = Stamped>) -> LogView {
    let mut log = LogView::default();
    events.into_iter().for_each(|event| log.push(event));
    log
}

fn shown(log: &LogView) -> Vec<u64> {
    (0..log.len()).filter_map(|i| log.at(i)).map(|stamped| stamped.seq).collect()
}

fn selected(log: &LogView) -> Option<u64> {
    log.selected().map(|stamped| stamped.seq)
}

fn type_in(log: &mut LogView, what: Typed, text: &str) {
    log.begin_typing(what);
    for c in text.chars() {
        if let Some(typing) = &mut log.typing {
            typing.field.insert(c.encode_utf8(&mut [0; 4]));
        }
        log.typed(10);
    }
}

#[test]
fn an_event_that_was_taken_already_changes_nothing() {
    let mut log = log([step(0), step(1)]);
    log.push(warning(1, "again"));
    log.push(step(0));
    assert_eq!(shown(&log), [0, 1]);
}

#[test]
fn micro_batches_are_there_when_they_are_asked_for_in_their_order() {
    let mut log = log([step(0), micro(1), step(2), micro(3), warning(4, "x")]);
    assert_eq!(shown(&log), [0, 2, 4]);
    log.show_details(true);
    assert_eq!(shown(&log), [0, 1, 2, 3, 4]);
    log.push(micro(5));
    log.show_details(false);
    assert_eq!(shown(&log), [0, 2, 4]);
    log.show_details(true);
    assert_eq!(shown(&log), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_long_run_keeps_its_first_warning_and_says_how_many_steps_went() {
    let total = 50_000;
    let mut log = log((0..total).map(|seq| if seq == 7 { warning(7, "early") } else { step(seq) }));
    let (kept, dropped) = log.kept_and_dropped();
    assert!(kept <= MAX_SAID + MAX_STEPS && kept > MAX_STEPS - MAX_STEPS / 8, "{kept}");
    assert_eq!(kept as u64 + dropped, total);
    assert_eq!((log.len(), shown(&log).first()), (kept, Some(&7)));
    assert!(shown(&log).is_sorted());
    log.set_filter(Pattern::new("early"));
    go_on(&mut log);
    assert_eq!(shown(&log), [7]);
}

#[test]
fn warnings_of_any_length_take_a_bounded_room() {
    let long = "x".repeat(100_000);
    let log = log((0..1_000).map(|seq| warning(seq, &long)));
    assert!(log.said.text_bytes <= MAX_TEXT_BYTES, "{}", log.said.text_bytes);
    let (kept, dropped) = log.kept_and_dropped();
    assert_eq!((kept as u64 + dropped, log.len()), (1_000, kept));
    assert!(kept > 100);
}

#[test]
fn no_event_brings_text_that_is_not_counted() {
    let long = "x".repeat(100_000);
    let lever = Lever {
        id: "r".into(),
        changes: vec![],
        predicted_peak_bytes: 1,
        price: long.clone(),
        rows_cut: 0,
        ..Default::default()
    };
    let oom = OutOfMemory {
        phase: crate::memory::ledger::Phase::Forward,
        step: 1,
        micro: 1,
        layer: None,
        requested_bytes: None,
        free_bytes: None,
        by_category: Default::default(),
        levers: vec![lever],
        applied: None,
        ..Default::default()
    };
    let config = crate::config::parse::from_toml("[data]\ntrain = \"a\"\n", "x", "/".as_ref(), &[]).expect("settings");
    let started = crate::event::RunStarted {
        schema: 1,
        run_id: long,
        started_unix_ms: 0,
        config,
        seed: 0,
        device: String::new(),
        model_name: None,
        trainable_params: 1,
        total_params: 1,
        planned_steps: 1,
        resumed_from: None,
        rows: Vec::new(),
    };
    for event in [RunEvent::OutOfMemory(Box::new(oom)), RunEvent::RunStarted(Box::new(started))] {
        let log = log((0..180).map(|seq| Stamped { seq, elapsed_ms: 0, event: event.clone() }));
        let (kept, dropped) = log.kept_and_dropped();
        assert!(kept < 170 && dropped > 0, "{kept} kept of {}", entry::kind(&event));
    }
}

/// 4,000 entries with 2 MB of warnings, one of them longer than it is searched.
fn large() -> LogView {
    let behind = format!("{} 10 here", "x".repeat(SEARCHED));
    let text = "w ".repeat(1_500);
    log((0..4_000).map(|seq| match seq % 5 {
        0 if seq == 10 => warning(seq, &behind),
        0 => warning(seq, &format!("{text} {seq} here")),
        _ => step(seq),
    }))
}

/// Slices until all is looked through.
fn go_on(log: &mut LogView) -> usize {
    (1..).find(|_| log.go_on() || !log.is_looking()).unwrap_or_default()
}

#[test]
fn a_large_log_is_searched_a_slice_at_a_time_and_nothing_is_missed() {
    let mut log = large();
    log.select(2_001, 10);
    type_in(&mut log, Typed::Search, "0 here");
    assert!(log.is_looking() && log.matches().is_none());
    assert_eq!(selected(&log), Some(2_001), "nothing is known yet");
    // What comes meanwhile is found too.
    log.push(warning(4_000, "0 here"));
    log.end_typing(true);
    let slices = go_on(&mut log);
    assert!((5..50).contains(&slices), "{slices}");
    // Every tenth entry but one.
    assert_eq!(log.matches(), Some(Matches { at: Some(201), count: 400 }));
    assert_eq!(selected(&log), Some(2_010));
    assert_eq!((log.jump(true, 10), selected(&log)), (Some(false), Some(2_020)));

    type_in(&mut log, Typed::Filter, "^warning");
    assert_eq!(log.len(), 4_001, "until it is known, what was shown stays");
    log.push(step(4_001));
    log.push(warning(4_002, "5 here"));
    go_on(&mut log);
    assert_eq!((log.len(), log.matches().map(|m| m.count)), (802, Some(400)));
    // What is asked anew while it is looked through is looked through from the start.
    log.set_filter(Pattern::new("nowhere"));
    log.set_filter(Pattern::new("^step"));
    log.set_search(Pattern::new("step 1"));
    go_on(&mut log);
    assert_eq!(log.len(), 3_201);
    assert!(log.matches().is_some_and(|m| m.count > 800));
    log.set_filter(None);
    go_on(&mut log);
    assert_eq!(log.len(), 4_003);
    log.set_search(None);
    assert!(!log.is_looking() && log.matches().is_none());
}

#[test]
fn a_match_that_is_awaited_is_gone_to_unless_one_moves_away() {
    let mut log = large();
    log.set_search(Pattern::new("here"));
    log.select(3_001, 10);
    assert_eq!(log.jump(false, 10), Some(false));
    go_on(&mut log);
    assert_eq!(selected(&log), Some(3_000));
    log.set_search(Pattern::new("here"));
    log.jump(true, 10);
    log.move_by(1, 10);
    go_on(&mut log);
    assert_eq!(selected(&log), Some(3_001));
}

#[test]
fn the_newest_is_followed_until_one_goes_up_and_again_when_asked() {
    let mut log = log((0..100).map(step));
    assert_eq!((selected(&log), log.top(10)), (Some(99), 90));
    log.move_by(-1, 10);
    log.push(step(100));
    assert_eq!((selected(&log), log.top(10), log.follows()), (Some(98), 90, false), "what is read stays where it is");
    log.move_by(-20, 10);
    assert_eq!((selected(&log), log.top(10)), (Some(78), 78));
    log.move_by(1, 10);
    assert_eq!((selected(&log), log.top(10)), (Some(79), 78), "the page moves at its edges only");
    log.follow();
    assert_eq!(selected(&log), Some(100));
}

#[test]
fn a_filter_narrows_while_it_is_typed_and_esc_takes_it_back() {
    let mut log = log([step(0), warning(1, "Disk full"), step(2), warning(3, "slow disk")]);
    type_in(&mut log, Typed::Filter, "disk");
    assert_eq!(shown(&log), [1, 3]);
    log.push(warning(4, "DISK gone"));
    log.push(step(5));
    assert_eq!(shown(&log), [1, 3, 4], "what comes is filtered too");
    log.end_typing(false);
    assert_eq!(shown(&log), [0, 1, 2, 3, 4, 5]);
    type_in(&mut log, Typed::Filter, "^warning .*Disk");
    log.end_typing(true);
    assert_eq!((shown(&log), log.typing.is_none()), (vec![1], true));
    log.set_filter(None);
    assert_eq!(log.len(), 6);
}

#[test]
fn a_search_goes_to_the_next_match_and_around_the_ends() {
    let mut log = log((0..50).map(|seq| if seq % 20 == 5 { warning(seq, "here") } else { step(seq) }));
    log.select(10, 10);
    type_in(&mut log, Typed::Search, "here");
    assert_eq!((selected(&log), log.matches()), (Some(25), Some(Matches { at: Some(2), count: 3 })));
    log.end_typing(true);
    assert_eq!((log.jump(true, 10), selected(&log)), (Some(false), Some(45)));
    assert_eq!((log.jump(true, 10), selected(&log)), (Some(true), Some(5)));
    assert_eq!((log.jump(false, 10), selected(&log)), (Some(true), Some(45)));
    log.push(warning(50, "and here"));
    assert_eq!(log.matches().map(|m| m.count), Some(4));
    type_in(&mut log, Typed::Search, "nowhere");
    assert_eq!((log.jump(true, 10), log.matches().map(|m| m.count)), (None, Some(0)));
    log.end_typing(false);
    assert_eq!((selected(&log), log.matches().map(|m| m.count)), (Some(45), Some(4)), "as it was before");
}

#[test]
fn a_selection_that_the_filter_hides_falls_on_the_next_entry() {
    let mut log = log([step(0), step(1), warning(2, "x"), step(3)]);
    log.select(1, 10);
    log.set_filter(Pattern::new("warning"));
    assert_eq!(selected(&log), Some(2));
    log.set_filter(Pattern::new("nothing at all"));
    assert_eq!((selected(&log), log.top(10)), (None, 0));
    log.set_filter(None);
    assert_eq!(selected(&log), Some(1), "and comes back");
}
