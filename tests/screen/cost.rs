//! What a frame asks of the allocator, and how soon a log that is being read is looked at again. No clock: both are counts.
//! Times are in `benches/screen`.

use std::sync::mpsc::channel;

use finetop::app::Launched;
use finetop::app::backend::AnsiBackend;
use finetop::app::session::{FRAME_MS, Session};
use finetop::event::RunHandle;
use finetop::ui::state::State;
use finetop::ui::theme::GlyphSet;
use finetop::ui::{Clock, Message, update, view};
use ratatui::Terminal;
use ratatui::layout::Size;

use crate::allocations::{self, Allocations};
use crate::{fixture, frames};

/// A little above what was measured for a build without optimisation: who makes a panel richer raises them, knowing it.
const FRAME_80_BY_24: Allocations = Allocations { count: 1_100, bytes: 50_000 };
const FRAME_160_BY_48: Allocations = Allocations { count: 2_700, bytes: 150_000 };

/// The most that a frame of a run in training asks for, after the first one.
fn dearest(size: Size) -> Allocations {
    let events = fixture::stored();
    let begun = fixture::until(&events, 9, 2).len();
    let theme = frames::theme("dark", GlyphSet::Braille);
    let mut state = fixture::after(&events[..begun]);
    let mut terminal = Terminal::new(AnsiBackend::new(size)).expect("a backend that cannot fail");
    let mut frame = |state: &State| {
        let (_, asked) = allocations::during(|| {
            terminal.draw(|frame| view(state, &theme, frame)).expect("a backend that cannot fail");
            terminal.backend_mut().take_frame()
        });
        asked
    };
    // Whatever is built once is built with the first frame.
    frame(&state);
    let mut most = Allocations::default();
    for event in &events[begun..events.len() - 1] {
        update(&mut state, Message::Event(Box::new(event.clone())));
        let Allocations { count, bytes } = frame(&state);
        most = Allocations { count: most.count.max(count), bytes: most.bytes.max(bytes) };
    }
    most
}

#[test]
fn a_frame_asks_for_little_memory() {
    for (size, bound) in [(Size::new(80, 24), FRAME_80_BY_24), (Size::new(160, 48), FRAME_160_BY_48)] {
        let most = dearest(size);
        assert!(most.count > 0 && most.count <= bound.count && most.bytes <= bound.bytes, "{size}: {most:?}");
    }
}

#[test]
fn a_log_that_is_being_read_is_looked_at_again_at_once_and_then_less_and_less() {
    let (events_in, events) = channel();
    let (commands, _commands_out) = channel();
    let mut session =
        Session::new(State::watching(), vec![frames::theme("dark", GlyphSet::Braille)], Size::new(80, 24), None);
    let mut ms = 0;
    let turn = |session: &mut Session, ms: u64| {
        let now = Clock { ms, unix_ms: fixture::BEGAN_UNIX_MS + ms };
        session.turn(now, []);
        session.frame(now);
        session.patience_ms(now)
    };
    session.attach(
        Launched { handle: RunHandle { events, commands }, folder: "runs/x".into(), history: None, cause: None },
        false,
    );
    // Its reader may only have begun.
    assert!(turn(&mut session, ms).is_some_and(|patience| patience <= 2));
    let stored = fixture::stored();
    let log = |copies: u64| {
        let copy = |copy| {
            stored[1..stored.len() - 1].iter().cloned().map(move |mut event| {
                event.seq += copy * 1_000;
                event
            })
        };
        (0..copies).flat_map(copy)
    };
    log(20).for_each(|event| events_in.send(event).expect("the session listens"));
    let mut turns = 0;
    while turn(&mut session, ms) == Some(0) {
        turns += 1;
    }
    assert!((1..=4).contains(&turns), "{turns} turns for one log");
    // All was taken in: more is on its way, or that was all.
    let waits: Vec<u64> = (0..12)
        .map(|_| {
            ms += 1_000;
            turn(&mut session, ms).expect("a run that goes on is looked at")
        })
        .collect();
    assert!(waits[0] <= 2 && waits.is_sorted() && waits[11] == FRAME_MS, "{waits:?}");
    assert!(
        waits.iter().sum::<u64>() - waits.iter().filter(|w| **w == FRAME_MS).sum::<u64>() < 2 * FRAME_MS,
        "{waits:?}"
    );
}
