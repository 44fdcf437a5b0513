//! What reaches the terminal, counted: nothing while idle, little while training. The session runs here without a terminal.

use std::sync::mpsc::{Receiver, Sender, channel};

use finetop::app::Launched;
use finetop::app::environment::TerminalEnvironment;
use finetop::app::input::Input;
use finetop::app::session::{Request, Session, Wish};
use finetop::event::{Command, CommandReply, CommandRequest, RunHandle, RunState, Stamped};
use finetop::ui::state::State;
use finetop::ui::{Clock, Key, Mouse, MouseKind};
use ratatui::layout::Size;

use crate::fixture;

struct Driven {
    session: Session,
    ms: u64,
    bytes: usize,
    frames: usize,
}

impl Driven {
    fn new(state: State, width: u16, height: u16) -> Self {
        let variables = [("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LANG", "C.UTF-8")];
        let environment = TerminalEnvironment::from_variables(|name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
        });
        let session = Session::new(state, environment.themes(), Size::new(width, height), None);
        Driven { session, ms: 0, bytes: 0, frames: 0 }
    }

    fn turn(&mut self, ms: u64, keys: &[Key]) -> Wish {
        self.ms += ms;
        let now = Clock { ms: self.ms, unix_ms: fixture::BEGAN_UNIX_MS + self.ms };
        let wish = self.session.turn(now, keys.iter().map(|&key| Input::Key(key)));
        if let Some(frame) = self.session.frame(now) {
            self.bytes += frame.len();
            self.frames += 1;
        }
        wish
    }

    /// Lives so long in turns of 50 ms; the bytes of that time come back.
    fn live(&mut self, ms: u64) -> usize {
        let before = self.bytes;
        (0..ms / 50).for_each(|_| _ = self.turn(50, &[]));
        self.bytes - before
    }
}

fn attached(width: u16, height: u16) -> (Driven, Sender<Stamped>, Receiver<CommandRequest>) {
    let (events_in, events) = channel();
    let (commands, commands_out) = channel();
    let mut driven = Driven::new(State::watching(), width, height);
    driven.session.attach(
        Launched { handle: RunHandle { events, commands }, folder: "runs/x".into(), history: None, cause: None },
        true,
    );
    (driven, events_in, commands_out)
}

#[test]
fn without_a_run_nothing_is_written_and_nobody_wakes() {
    let mut driven = Driven::new(State::ready(fixture::page()), 80, 24);
    driven.live(1_000);
    assert_eq!(driven.frames, 1);
    assert_eq!(driven.live(600_000), 0);
    let now = Clock { ms: driven.ms, unix_ms: 0 };
    assert_eq!(driven.session.patience_ms(now), None);
}

#[test]
fn a_paused_run_writes_nothing() {
    let (mut driven, events_in, commands) = attached(80, 24);
    for event in fixture::until(&fixture::stored(), 9, 2) {
        events_in.send(event.clone()).expect("the session listens");
    }
    driven.live(2_000);
    driven.turn(50, &[Key::Char('p')]);
    let request = commands.try_recv().expect("a command was sent");
    assert_eq!(request.command, Command::Pause);
    let reply = request.reply.expect("an answer is wanted");
    reply.send(CommandReply::done(RunState::Paused, 8)).expect("the session waits for it");
    driven.live(8_000);
    assert_eq!(driven.live(600_000), 0);
    // A key still shows at once.
    driven.turn(50, &[Key::Char('?')]);
    assert!(driven.live(200) == 0 && driven.frames > 2);
}

#[test]
fn a_finished_run_writes_nothing() {
    let (mut driven, events_in, _commands) = attached(160, 48);
    for event in fixture::stored() {
        events_in.send(event).expect("the session listens");
    }
    drop(events_in);
    driven.live(2_000);
    assert_eq!(driven.live(600_000), 0);
    assert_eq!(driven.session.patience_ms(Clock { ms: driven.ms, unix_ms: 0 }), None);
}

#[test]
fn looking_for_reports_writes_nothing_as_long_as_there_are_no_other_ones() {
    let (mut driven, events_in, _commands) = attached(80, 24);
    for event in fixture::stored() {
        events_in.send(event).expect("the session listens");
    }
    drop(events_in);
    driven.live(2_000);
    driven.turn(50, &[Key::Esc, Key::Char('5')]);
    // An answer comes from a thread; how many turns that takes is not ours to say.
    while driven.session.state.bleu.reading().is_none() {
        driven.turn(50, &[]);
        std::thread::yield_now();
    }
    driven.live(200);
    assert_eq!(driven.live(600_000), 0);
    assert!(driven.session.patience_ms(Clock { ms: driven.ms, unix_ms: 0 }).is_some(), "it looks again");
}

/// The log in real time; bytes a second come back.
fn bytes_a_second(width: u16, height: u16) -> f64 {
    let (mut driven, events_in, _commands) = attached(width, height);
    let events = fixture::stored();
    let (first, last) = (10_000, 110_000);
    let mut next = events.iter().peekable();
    let mut at_first = 0;
    while driven.ms < last {
        while let Some(event) = next.next_if(|e| e.elapsed_ms <= driven.ms) {
            events_in.send(event.clone()).expect("the session listens");
        }
        driven.turn(50, &[]);
        if driven.ms <= first {
            at_first = driven.bytes;
        }
    }
    (driven.bytes - at_first) as f64 / ((last - first) as f64 / 1e3)
}

#[test]
fn training_writes_at_most_4_kib_a_second_at_80_by_24_and_12_at_160_by_48() {
    let small = bytes_a_second(80, 24);
    let large = bytes_a_second(160, 48);
    println!("{small:.0} and {large:.0} bytes a second");
    assert!(small <= 4.0 * 1024.0, "{small:.0} bytes a second");
    assert!(large <= 12.0 * 1024.0, "{large:.0} bytes a second");
}

#[test]
fn a_key_is_answered_before_the_next_frame_of_its_own_is_due() {
    let (mut driven, events_in, _commands) = attached(80, 24);
    for event in fixture::until(&fixture::stored(), 9, 2) {
        events_in.send(event.clone()).expect("the session listens");
    }
    driven.live(1_000);
    let frames = driven.frames;
    driven.turn(20, &[Key::Char('?')]);
    assert_eq!(driven.frames, frames + 1);
}

#[test]
fn a_burst_of_events_is_drawn_at_most_ten_times_a_second() {
    let (mut driven, events_in, _commands) = attached(80, 24);
    let events = fixture::stored();
    driven.turn(0, &[]);
    let frames = driven.frames;
    for event in &events {
        events_in.send(event.clone()).expect("the session listens");
        driven.turn(1, &[]);
    }
    let seconds = events.len() as f64 / 1e3;
    assert!((driven.frames - frames) as f64 <= seconds * 10.0 + 1.0, "{} frames", driven.frames - frames);
}

#[test]
fn quitting_a_training_run_stops_it_with_a_checkpoint_and_waits_for_its_end() {
    let (mut driven, events_in, commands) = attached(80, 24);
    let events = fixture::stored();
    for event in fixture::until(&events, 9, 2) {
        events_in.send(event.clone()).expect("the session listens");
    }
    driven.live(500);
    assert_eq!(driven.turn(50, &[Key::Char('q')]), Wish::GoOn);
    assert_eq!(driven.turn(50, &[Key::Char('y')]), Wish::GoOn);
    assert_eq!(commands.try_recv().map(|r| r.command).ok(), Some(Command::Stop));
    driven.live(3_000);
    let end = events.last().expect("the log has an end").clone();
    events_in.send(end).expect("the session listens");
    assert_eq!(driven.turn(50, &[]), Wish::GoOn);
    drop(events_in);
    assert_eq!(driven.turn(50, &[]), Wish::Quit);
}

#[test]
fn a_storm_of_the_mouse_is_one_message_a_turn_and_few_frames() {
    let mut driven = Driven::new(State::ready(fixture::page()), 80, 24);
    driven.turn(50, &[]);
    let drags = |n: u16| (0..n).map(|column| Input::Mouse(Mouse { kind: MouseKind::Drag, column, row: 3 }));
    let now = |ms| Clock { ms, unix_ms: fixture::BEGAN_UNIX_MS };
    // Nobody asked for it.
    let before = driven.session.state.revision();
    driven.session.turn(now(100), drags(500));
    assert_eq!(driven.session.state.revision(), before);
    driven.session.turn(now(150), [Input::Key(Key::Char('m'))]);
    assert_eq!(driven.session.take_requests(), [Request::Mouse(true)]);
    assert_eq!(driven.session.take_requests(), []);
    assert!(driven.session.frame(now(150)).is_some());
    let before = driven.session.state.revision();
    driven.session.turn(now(160), drags(500));
    assert_eq!(driven.session.state.revision(), before + 1);
    assert_eq!(driven.session.patience_ms(now(160)), Some(40));
    // A press between two drags is not lost.
    let press = Input::Mouse(Mouse { kind: MouseKind::Press, column: 1, row: 1 });
    driven.session.turn(now(170), drags(9).chain([press]).chain(drags(9)));
    assert_eq!(driven.session.state.revision(), before + 4);
}
