//! The card of an out-of-memory: when it comes, what its keys do, and how it looks for every cause.

use finetop::event::{
    Command, CommandReply, FinishReason, Lever, LeverChange, OutOfMemory, RunEvent, RunFinished, Stamped,
};
use finetop::memory::ledger::{ByCategory, Category, Phase};
use finetop::memory::triage::{Cause, Origin};
use finetop::ui::state::{Activity, Overlay, Question, State};
use finetop::ui::theme::GlyphSet;
use finetop::ui::{Clock, Effect, Key, Message, update};
use finetop::units::MIB;
use serde_json::{Value, json};

use crate::fixture;
use crate::frames::{SIZES, compare, compare_at_all_sizes, draw, press, running, text, theme};

fn lever(id: &str, changes: &[(&str, Value, Value)], mib: u64, price: &str) -> Lever {
    let change =
        |(key, from, to): &(&str, Value, Value)| LeverChange { key: (*key).into(), from: from.clone(), to: to.clone() };
    Lever {
        id: id.into(),
        changes: changes.iter().map(change).collect(),
        predicted_peak_bytes: mib * MIB,
        price: price.into(),
        rows_cut: 0,
        rows_left_out: 0,
        fits: Some(mib <= 300),
        restarts: matches!(id, "target_modules" | "r"),
    }
}

fn levers() -> Vec<Lever> {
    let all = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
    let batch = [
        ("train.per_device_train_batch_size", json!(4), json!(2)),
        ("train.gradient_accumulation_steps", json!(4), json!(8)),
    ];
    let mut shorter = lever(
        "max_seq_length",
        &[("data.max_seq_length", json!(512), json!(256))],
        240,
        "what is cut off is not learnt",
    );
    shorter.rows_cut = 37;
    vec![
        lever("head_chunk", &[("memory.head_chunk", json!(256), json!(64))], 309, "the head takes a little longer"),
        lever("micro_batch", &batch, 257, "the same losses; each step takes about a tenth longer"),
        lever(
            "quantization",
            &[("adapter.quantization", json!("keep"), json!("q4_0"))],
            290,
            "the base loses a little quality, and with it the adapter",
        ),
        shorter,
        lever(
            "target_modules",
            &[("adapter.target_modules", json!(all), json!(["q_proj", "v_proj"]))],
            280,
            "five of seven kinds of projections learn nothing",
        ),
        lever("r", &[("adapter.r", json!(8), json!(4))], 305, "the update can learn less"),
    ]
}

fn oom(cause: Option<Cause>) -> OutOfMemory {
    let mib = |parts: &[(Category, u64)]| -> ByCategory { parts.iter().map(|&(c, n)| (c, n * MIB)).collect() };
    OutOfMemory {
        phase: Phase::Backward,
        step: 33,
        micro: 4,
        layer: Some(11),
        requested_bytes: Some(96 * MIB),
        free_bytes: Some(31 * MIB),
        by_category: mib(&[
            (Category::BaseWeights, 87),
            (Category::Activations, 62),
            (Category::BlockWork, 48),
            (Category::Optimizer, 19),
            (Category::Adapter, 9),
            (Category::Gradients, 9),
            (Category::Other, 35),
        ]),
        planned_by_category: mib(&[
            (Category::BaseWeights, 87),
            (Category::Activations, 40),
            (Category::BlockWork, 60),
            (Category::HeadChunk, 24),
            (Category::Optimizer, 19),
            (Category::Adapter, 9),
            (Category::Gradients, 9),
        ]),
        levers: levers(),
        applied: None,
        origin: Some(Origin::Limit),
        cause,
        limit_bytes: Some(300 * MIB),
        used_bytes: Some(269 * MIB),
        others_bytes: None,
        tokens: Some(1_204),
        planned_peak_bytes: Some(283 * MIB),
        rehearsal: false,
    }
}

/// An event of which nothing is as it should be.
pub fn hostile(applied: Option<&str>) -> OutOfMemory {
    let mut levers = levers();
    levers.push(lever("\u{1b}[31mred", &[], u64::MAX / MIB, &"price \u{1b}]0;evil\u{7}\n".repeat(200)));
    levers.push(lever("\u{202e}", &[("\u{9b}", json!({"a": [1, null]}), json!("\u{1b}[2J".repeat(999)))], 0, ""));
    OutOfMemory {
        step: u64::MAX,
        micro: u64::MAX,
        layer: Some(u64::MAX),
        requested_bytes: Some(u64::MAX),
        used_bytes: None,
        others_bytes: Some(u64::MAX),
        by_category: Category::ALL.map(|c| (c, u64::MAX)).into(),
        levers,
        applied: applied.map(Into::into),
        ..oom(Some(Cause::Creep { bytes_per_step: f64::NAN, steps: u64::MAX }))
    }
}

fn tell(state: &mut State, event: RunEvent) -> Vec<Effect> {
    let elapsed_ms = state.run().map_or(0, |run| run.view.elapsed_ms + 10);
    let seq = 1_000_000 + elapsed_ms;
    update(state, Message::Event(Box::new(Stamped { seq, elapsed_ms, event })))
}

/// The run has just asked; the card is a second old.
fn asked(oom: OutOfMemory) -> State {
    let mut state = running();
    tell(&mut state, RunEvent::OutOfMemory(Box::new(oom)));
    later(&mut state, 1_000);
    state
}

fn later(state: &mut State, ms: u64) {
    let Clock { ms: now, unix_ms } = state.clock;
    update(state, Message::Tick(Clock { ms: now + ms, unix_ms: unix_ms + ms }));
}

fn jump() -> Option<Cause> {
    Some(Cause::Jump { tokens: 1_204, usual_tokens: 310 })
}

fn causes() -> Vec<(&'static str, OutOfMemory)> {
    let others = OutOfMemory { others_bytes: Some(9 << 30), origin: Some(Origin::Device), ..oom(None) };
    vec![
        ("a jump. This micro-batch has 1,204 tokens, usual is 310", oom(jump())),
        (
            "a creep. Memory grew by 1.2 MiB a step over 30 steps",
            oom(Some(Cause::Creep { bytes_per_step: 1.2 * MIB as f64, steps: 30 })),
        ),
        (
            "Others took 2.00 GiB that had been free; they hold 9.00 GiB",
            OutOfMemory {
                cause: Some(Cause::Pressure { others_bytes: Some(9 << 30), taken_bytes: 2 << 30 }),
                ..others
            },
        ),
        (
            "too large as it is. The plan itself needs 412 MiB",
            OutOfMemory { rehearsal: true, ..oom(Some(Cause::TooLarge { planned_peak_bytes: 412 * MIB })) },
        ),
        ("it could not be shown", oom(Some(Cause::Unknown))),
        ("Why: the run did not say", oom(None)),
    ]
}

pub fn states() -> Vec<State> {
    let mut states: Vec<State> = causes().into_iter().map(|(_, oom)| asked(oom)).collect();
    states.push(asked(hostile(None)));
    states.push(asked(OutOfMemory::default()));
    states
}

#[test]
fn the_card_says_what_happened_and_what_one_key_does_now() {
    let state = asked(oom(jump()));
    assert_eq!(state.run().map(|run| run.activity()), Some(Activity::Waiting));
    compare_at_all_sizes("oom", &state);
    let ascii = text(&draw(&state, &theme("mono", GlyphSet::Ascii), 80, 24));
    assert!(ascii.is_ascii(), "{ascii}");
    compare("oom-ascii-80x24", &ascii);
    let mut closed = state.clone();
    press(&mut closed, Key::Esc);
    compare_at_all_sizes("oom-closed", &closed);
    compare_at_all_sizes("oom-hostile", &asked(hostile(None)));
    compare_at_all_sizes("oom-unknown", &asked(OutOfMemory::default()));
}

#[test]
fn every_cause_is_told_at_every_size() {
    let dark = theme("dark", GlyphSet::Braille);
    for (words, oom) in causes() {
        let state = asked(oom);
        for (width, height) in SIZES {
            let frame = text(&draw(&state, &dark, width, height));
            let plain: String = frame.chars().filter(|c| !"│╭╮╰╯─".contains(*c)).collect();
            let plain: Vec<&str> = plain.split_whitespace().collect();
            assert!(plain.join(" ").contains(words), "{width}×{height}: {words}\n{frame}");
            assert!(frame.contains("Enter  apply it"), "{width}×{height}\n{frame}");
        }
    }
}

#[test]
fn enter_applies_the_lever_once_and_the_card_closes_when_it_has_been() {
    let mut state = asked(oom(jump()));
    // The cheapest one that fits is selected.
    let effects = update(&mut state, Message::Key(Key::Enter));
    assert_eq!(effects, [Effect::Send(Command::ApplyLever { id: "micro_batch".into() })]);
    assert_eq!(update(&mut state, Message::Key(Key::Enter)), [], "once");
    let reply = CommandReply { ok: true, state: None, step: None, path: None, error: None, trace: None };
    update(&mut state, Message::Answered { command: Command::ApplyLever { id: "micro_batch".into() }, reply });
    tell(
        &mut state,
        RunEvent::OutOfMemory(Box::new(OutOfMemory { applied: Some("micro_batch".into()), ..oom(jump()) })),
    );
    assert_eq!(state.overlay, None);
    assert_eq!(state.notice.as_ref().map(|n| n.text.as_str()), Some("micro_batch applied: 4 → 2, goes on at step 33"));
    assert_eq!(state.run().map(|run| run.activity()), Some(Activity::Running));
    press(&mut state, Key::Char('O'));
    compare_at_all_sizes("oom-applied", &state);
}

#[test]
fn a_key_that_was_meant_for_what_lies_below_applies_nothing() {
    let mut state = running();
    tell(&mut state, RunEvent::OutOfMemory(Box::new(oom(jump()))));
    assert_eq!(update(&mut state, Message::Key(Key::Enter)), [], "it has just come up");
    assert!(matches!(state.overlay, Some(Overlay::OutOfMemory(_))));
    // Text that is typed is not cut short.
    let mut state = running();
    ['3', '/', 'x'].into_iter().for_each(|c| press(&mut state, Key::Char(c)));
    tell(&mut state, RunEvent::OutOfMemory(Box::new(oom(jump()))));
    assert_eq!(state.overlay, None);
    assert_eq!(state.notice.as_ref().map(|n| n.text.as_str()), Some("out of memory: the run waits, O opens the card"));
}

#[test]
fn a_lever_that_the_adapter_does_not_fit_needs_a_new_run_and_says_so() {
    let mut state = asked(oom(jump()));
    press(&mut state, Key::End);
    compare_at_all_sizes("oom-new-run", &state);
    assert_eq!(update(&mut state, Message::Key(Key::Enter)), []);
    let effects = update(&mut state, Message::Key(Key::Char('y')));
    let command = "finetop train /home/kim/runs/20260504-100000-listings/config.toml --set adapter.r=4";
    assert_eq!(effects, [Effect::Copy(command.into())]);
    press(&mut state, Key::Up);
    let effects = update(&mut state, Message::Key(Key::Char('y')));
    let [Effect::Copy(command)] = &effects[..] else { panic!("{effects:?}") };
    assert!(command.ends_with("--set 'adapter.target_modules=[\"q_proj\",\"v_proj\"]'"), "{command}");
    // Before the first step there is nothing to lose.
    let mut state = fixture::after(&fixture::stored()[..3]);
    let first = OutOfMemory { step: 1, rehearsal: true, ..oom(jump()) };
    tell(&mut state, RunEvent::OutOfMemory(Box::new(first)));
    later(&mut state, 1_000);
    press(&mut state, Key::End);
    let effects = update(&mut state, Message::Key(Key::Enter));
    assert_eq!(effects, [Effect::Send(Command::ApplyLever { id: "r".into() })]);
}

#[test]
fn a_run_that_failed_shows_its_card_by_a_key_and_the_command_to_type() {
    let mut state = running();
    let stopped = OutOfMemory { origin: Some(Origin::Killed), ..oom(jump()) };
    tell(&mut state, RunEvent::OutOfMemory(Box::new(stopped)));
    assert_eq!((&state.overlay, state.run().map(|run| run.waits())), (&None, Some(false)), "it was found afterwards");
    tell(
        &mut state,
        RunEvent::RunFinished(RunFinished {
            reason: FinishReason::Failed,
            steps: 32,
            detail: Some("out of memory".into()),
        }),
    );
    compare_at_all_sizes("oom-outcome", &state);
    press(&mut state, Key::Char('O'));
    compare_at_all_sizes("oom-failed", &state);
    let effects = update(&mut state, Message::Key(Key::Char('y')));
    let command = "finetop train /home/kim/runs/20260504-100000-listings --resume --lever micro_batch";
    assert_eq!(effects, [Effect::Copy(command.into())]);
}

#[test]
fn a_run_that_helped_itself_says_so_and_no_card_comes() {
    let mut state = running();
    let recovered = OutOfMemory { applied: Some("micro_batch".into()), ..oom(jump()) };
    tell(&mut state, RunEvent::OutOfMemory(Box::new(recovered)));
    assert_eq!(state.overlay, None);
    assert!(state.notice.as_ref().is_some_and(|n| n.text.contains("micro_batch applied: 4 → 2")));
    assert_eq!(state.run().map(|run| run.activity()), Some(Activity::Running));
}

#[test]
fn while_it_waits_the_run_is_neither_paused_nor_stale_and_its_time_stands() {
    let mut state = asked(oom(jump()));
    let at_work = state.run().map(|run| run.elapsed_ms(state.clock));
    later(&mut state, 3_600_000);
    let run = state.run().expect("a run");
    assert_eq!((run.stale_seconds(state.clock), Some(run.elapsed_ms(state.clock))), (None, at_work));
    press(&mut state, Key::Esc);
    assert_eq!(update(&mut state, Message::Key(Key::Char('e'))), []);
    assert!(state.notice.as_ref().is_some_and(|n| n.text.contains("waits for a lever")), "{:?}", state.notice);
    // Stopping asks, and who does not want that is back at the card.
    press(&mut state, Key::Char('O'));
    press(&mut state, Key::Char('s'));
    assert_eq!(state.overlay, Some(Overlay::Ask(Question::Stop)));
    press(&mut state, Key::Char('n'));
    assert!(matches!(state.overlay, Some(Overlay::OutOfMemory(_))));
    press(&mut state, Key::Char('s'));
    assert_eq!(update(&mut state, Message::Key(Key::Char('y'))), [Effect::Send(Command::Stop)]);
}

#[test]
fn what_others_took_may_have_been_given_back_so_the_same_can_be_tried_again() {
    let mut state = asked(oom(Some(Cause::Pressure { others_bytes: None, taken_bytes: 1 << 30 })));
    assert_eq!(update(&mut state, Message::Key(Key::Char('p'))), [Effect::Send(Command::Resume)]);
    assert_eq!(state.overlay, None);
    let reply = CommandReply::done(finetop::event::RunState::Running, 32);
    update(&mut state, Message::Answered { command: Command::Resume, reply });
    assert_eq!(state.run().map(|run| run.activity()), Some(Activity::Running));
    tell(&mut state, RunEvent::OutOfMemory(Box::new(oom(jump()))));
    assert!(matches!(state.overlay, Some(Overlay::OutOfMemory(card)) if card.at == 1), "and asked again");
}

#[test]
fn an_out_of_memory_that_comes_before_the_answer_to_trying_again_asks_again() {
    let mut state = asked(oom(jump()));
    later(&mut state, 1_000);
    assert_eq!(update(&mut state, Message::Key(Key::Char('p'))), [Effect::Send(Command::Resume)]);
    tell(&mut state, RunEvent::OutOfMemory(Box::new(oom(jump()))));
    let reply = CommandReply::done(finetop::event::RunState::Running, 32);
    update(&mut state, Message::Answered { command: Command::Resume, reply });
    assert_eq!(state.run().unwrap().activity(), Activity::Waiting);
    assert!(matches!(state.overlay, Some(Overlay::OutOfMemory(_))), "{:?}", state.overlay);
    later(&mut state, 1_000);
    let effects = update(&mut state, Message::Key(Key::Enter));
    assert!(matches!(&effects[..], [Effect::Send(Command::ApplyLever { .. })]), "{effects:?}");
}

#[test]
fn what_was_asked_before_this_process_is_history() {
    let mut state = running();
    let elapsed_ms = state.run().map_or(0, |run| run.view.elapsed_ms + 10);
    let event = RunEvent::OutOfMemory(Box::new(oom(jump())));
    update(&mut state, Message::History(Box::new(Stamped { seq: 1_000_000, elapsed_ms, event })));
    assert_eq!((&state.overlay, state.run().map(|run| run.waits())), (&None, Some(false)));
    press(&mut state, Key::Char('O'));
    assert!(matches!(state.overlay, Some(Overlay::OutOfMemory(_))));
    assert_eq!(update(&mut state, Message::Key(Key::Enter)), []);
    assert!(state.notice.is_some());
}
