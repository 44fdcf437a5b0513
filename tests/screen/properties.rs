//! What no size and no order of keys may do.

use finetop::event::{Command, CommandReply, RunEvent, RunState};
use finetop::ui::state::State;
use finetop::ui::theme::GlyphSet;
use finetop::ui::{Clock, Effect, Fetching, Key, Message, update, view};
use ratatui::layout::Rect;

use crate::{fixture, frames};

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }
}

/// A value that cannot be, half typed.
fn editing() -> State {
    let mut state = State::ready(fixture::full_page());
    for key in [Key::Tab, Key::PageDown, Key::Enter, Key::Char('중'), Key::Char('x')] {
        update(&mut state, Message::Key(key));
    }
    state
}

/// A log of another making: every number at its limit.
fn extreme() -> State {
    let mut events = fixture::until(&fixture::stored(), 2, 2).to_vec();
    let count = events.len();
    for (i, stamped) in events.iter_mut().enumerate() {
        let value = if i % 3 == 0 { u64::MAX } else { u64::MAX / 3 + i as u64 };
        if i > count / 2 {
            stamped.elapsed_ms = value;
        }
        match &mut stamped.event {
            RunEvent::RunStarted(started) => {
                started.started_unix_ms = 1 << 63;
                started.planned_steps = value;
                started.rows.iter_mut().for_each(|r| (r.rows, r.tokens) = (1, value));
            }
            RunEvent::MicroBatchDone(m) => {
                (m.micro_per_step, m.tokens, m.target_tokens, m.duration_us) = (value, value, value, value);
                (m.used_bytes, m.peak_bytes, m.loss_sum_nats) = (Some(value), Some(value), f64::MAX);
            }
            RunEvent::StepDone(s) => {
                (s.step, s.tokens, s.target_tokens, s.duration_us) = (u64::MAX - 1, value, value, value);
                (s.loss, s.grad_norm, s.learning_rate, s.epoch) = (f64::MAX, -f64::MAX, 5e-324, 1e300);
            }
            RunEvent::MemorySampled(s) => {
                (s.used_bytes, s.limit_bytes, s.host_available_bytes) = (Some(value), Some(value / 2), Some(value));
                s.by_category.values_mut().for_each(|bytes| *bytes = value);
            }
            RunEvent::EvalDone(e) => {
                (e.step, e.duration_us, e.target_tokens, e.eval_loss) = (value, value, value, 1e308)
            }
            _ => {}
        }
    }
    fixture::after(&events)
}

#[test]
fn numbers_at_their_limits_are_drawn_and_moved_through() {
    let dark = frames::theme("dark", GlyphSet::Braille);
    let mut state = extreme();
    let keys = "lllhjjjk+++-->><<gG0xlxl]y[2zlc+cfzcc3vgGk/9";
    for key in
        keys.chars().map(Key::Char).chain([Key::Enter, Key::Esc, Key::Char('1'), Key::Right, Key::Left, Key::End])
    {
        update(&mut state, Message::Key(key));
        for (width, height) in frames::SIZES {
            frames::draw(&state, &dark, width, height);
        }
    }
    update(&mut state, Message::Tick(Clock { ms: u64::MAX - 1, unix_ms: u64::MAX }));
    frames::draw(&state, &dark, 80, 24);
}

fn states() -> Vec<State> {
    let events = fixture::stored();
    let mut states = vec![
        State::ready(fixture::page()),
        State::ready(fixture::full_page()),
        editing(),
        State::watching(),
        fixture::after(&[]),
        fixture::after(&events[..3]),
        fixture::after(fixture::until(&events, 1, 1)),
        fixture::after(fixture::until(&events, 33, 3)),
        fixture::after(&events),
    ];
    let mut asking = fixture::after(fixture::until(&events, 10, 2));
    update(&mut asking, Message::Key(Key::Char('q')));
    states.push(asking);
    let mut help = fixture::after(fixture::until(&events, 10, 2));
    update(&mut help, Message::Key(Key::Char('?')));
    states.push(help);
    states.extend(crate::log::states());
    states.extend(crate::overlays::states());
    states.extend(crate::plan::states());
    states.extend(crate::oom::states());
    states.extend(crate::memory::states());
    states.extend(crate::bleu::states());
    states.extend(crate::play::states());
    states
}

#[test]
fn every_size_from_1_by_1_to_300_by_100_is_drawn() {
    let themes = [
        frames::theme("dark", GlyphSet::Braille),
        frames::theme("mono", GlyphSet::Ascii),
        frames::theme("light", GlyphSet::Block),
    ];
    let states = states();
    // Each size once, and each state and theme with many sizes; the sizes at the borders with all of them.
    let draw_width = |width: u16| {
        for height in 1..=100u16 {
            let turn = width as usize * 101 + height as usize;
            let all = (width <= 3 || width == 60 || width == 300) && (height <= 3 || height == 20 || height == 100);
            for (i, state) in states.iter().enumerate() {
                if all || turn % states.len() == i {
                    let mut state = state.clone();
                    update(&mut state, Message::Resized { width, height });
                    frames::draw(&state, &themes[turn % themes.len()], width, height);
                }
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u16);
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let draw_width = &draw_width;
            scope.spawn(move || (1..=300).filter(|width| width % workers == worker).for_each(draw_width));
        }
    });
}

#[test]
fn panels_lie_within_the_screen_and_never_over_each_other() {
    let mut states = states();
    let mut charts = fixture::after(fixture::until(&fixture::stored(), 33, 3));
    for keys in ["2", "l", "z"] {
        keys.chars().for_each(|c| _ = update(&mut charts, Message::Key(Key::Char(c))));
        states.push(charts.clone());
    }
    for (width, height) in (60..=300u16).flat_map(|width| (20..=100u16).map(move |height| (width, height))) {
        let screen = Rect::new(0, 0, width, height);
        for state in &states {
            let panels = view::panels(state, screen);
            for (i, &panel) in panels.iter().enumerate() {
                assert!(screen.union(panel) == screen && !panel.is_empty(), "{panel:?} at {width}x{height}");
                let over = panels[..i].iter().find(|other| other.intersects(panel));
                assert_eq!(over, None, "{panel:?} at {width}x{height}");
            }
        }
    }
}

const KEYS: [Key; 70] = [
    Key::Char('6'),
    Key::Char('6'),
    Key::Char('H'),
    Key::Char('B'),
    Key::Char('c'),
    Key::F(5),
    Key::Ctrl('r'),
    Key::Char('5'),
    Key::Char('5'),
    Key::Char('I'),
    Key::Char('B'),
    Key::Char('M'),
    Key::Char('M'),
    Key::Char('O'),
    Key::Char('a'),
    Key::Char('4'),
    Key::Char('4'),
    Key::Char('M'),
    Key::Char('+'),
    Key::Char('j'),
    Key::Char('k'),
    Key::Char('G'),
    Key::Char('S'),
    Key::Char('b'),
    Key::Char('r'),
    Key::Char('u'),
    Key::Char('i'),
    Key::Left,
    Key::Right,
    Key::Char('p'),
    Key::Char(' '),
    Key::Char('s'),
    Key::Char('w'),
    Key::Char('e'),
    Key::Char('q'),
    Key::Char('?'),
    Key::Char('t'),
    Key::Char('o'),
    Key::Char('y'),
    Key::Char('n'),
    Key::Char('x'),
    Key::Char('중'),
    Key::Char('1'),
    Key::Char('2'),
    Key::Char('3'),
    Key::Char('3'),
    Key::Char('/'),
    Key::Char('&'),
    Key::Char('v'),
    Key::Char('f'),
    Key::Char('g'),
    Key::Char('G'),
    Key::Char('N'),
    Key::Char('('),
    Key::Char(':'),
    Key::BackTab,
    Key::Backspace,
    Key::PageUp,
    Key::Ctrl('n'),
    Key::Enter,
    Key::Esc,
    Key::Tab,
    Key::Up,
    Key::Down,
    Key::PageDown,
    Key::F(1),
    Key::F(9),
    Key::Ctrl('c'),
    Key::Ctrl('l'),
    Key::Ctrl('z'),
];

#[test]
fn no_order_of_keys_events_and_answers_breaks_the_screen() {
    let events = fixture::stored();
    let dark = frames::theme("dark", GlyphSet::Braille);
    let readings = crate::bleu::readings();
    for seed in 1..=60u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut state = match seed % 3 {
            0 => fixture::after(&[]),
            1 => State::ready(fixture::page()),
            _ => State::ready(fixture::full_page()),
        };
        let mut next_event = 0;
        let (mut ticket, mut trial) = (0, 0);
        let mut ms = 0;
        for _ in 0..300 {
            let message = match dice.below(15) {
                13 | 14 => Message::Trial { ticket: trial, news: Box::new(crate::play::news(dice.below(99))) },
                12 => Message::ReportsRead {
                    ticket,
                    reading: Some(Box::new(readings[dice.below(readings.len())].clone())),
                },
                10 => Message::Paste(["loss|eval", "중고 \u{1b}[31m(\n", "("][dice.below(3)].into()),
                11 => Message::Resized { width: dice.below(300) as u16, height: dice.below(100) as u16 },
                0..6 => Message::Key(KEYS[dice.below(KEYS.len())]),
                6 => {
                    ms += dice.below(20_000) as u64;
                    Message::Tick(Clock { ms, unix_ms: fixture::BEGAN_UNIX_MS + ms })
                }
                7 => {
                    next_event += dice.below(40);
                    let mut stamped = events[next_event % events.len()].clone();
                    if dice.below(8) == 0 {
                        let applied = [None, Some("micro_batch"), Some("\u{1b}[31m")][dice.below(3)];
                        let oom = crate::oom::hostile(applied);
                        stamped.event = RunEvent::OutOfMemory(Box::new(oom));
                    }
                    Message::Event(Box::new(stamped))
                }
                8 => match dice.below(10) {
                    4 => Message::Entries(fixture::full_page().entries),
                    5 => Message::Entries(Vec::new()),
                    6 => Message::Looked { ticket: dice.below(9) as u64, look: Box::new(fixture::look()) },
                    2 => {
                        let result = match dice.below(3) {
                            0 => Err("no \u{1b}[31mmodel".into()),
                            _ => Ok(Box::new(crate::plan::ground(dice.below(2) == 0))),
                        };
                        Message::Planned { ticket: dice.below(30) as u64, result }
                    }
                    3 => Message::SettingsWritten { result: Err("\u{1b}[2Jread-only".into()) },
                    7 => Message::Paste("q\u{1b}[31m\n".repeat(dice.below(400))),
                    0 => Message::Attached { folder: "runs/중고\u{1b}[31m".into(), owned: dice.below(2) == 0 },
                    1 => Message::StartFailed("no \u{1b}]0;evil\u{7} model".into()),
                    8 => Message::StreamClosed { cause: None },
                    _ => Message::Fetching(Fetching {
                        what: "x".repeat(dice.below(300)),
                        done: dice.below(1 << 30) as u64,
                        total: [None, Some(0), Some(1 << 29)][dice.below(3)],
                    }),
                },
                _ => {
                    let lever = Command::ApplyLever { id: "r".into() };
                    let command = [Command::Pause, Command::Resume, Command::Stop, Command::Save, Command::Eval, lever]
                        [dice.below(6)]
                    .clone();
                    let reply = match dice.below(3) {
                        0 => CommandReply::refused("\u{1b}[2Jno"),
                        1 => CommandReply::done(RunState::Paused, u64::MAX),
                        _ => CommandReply::done(RunState::Running, 3),
                    };
                    Message::Answered { command, reply }
                }
            };
            for effect in update(&mut state, message) {
                match effect {
                    Effect::ReadReports { ticket: asked, .. } => ticket = asked,
                    Effect::RunTrial { ticket: asked, .. } => trial = asked,
                    _ => {}
                }
            }
            let (width, height) = (1 + dice.below(200) as u16, 1 + dice.below(60) as u16);
            let frame = frames::draw(&state, &dark, width, height);
            let control = frame.content().iter().any(|cell| cell.symbol().contains(char::is_control));
            assert!(!control, "seed {seed}: something reached the terminal raw");
        }
    }
}

#[test]
fn wrong_keys_ask_nothing_of_the_run() {
    let events = fixture::stored();
    let mut state = fixture::after(fixture::until(&events, 10, 2));
    for key in [
        Key::Char('x'),
        Key::Char('9'),
        Key::Tab,
        Key::Enter,
        Key::Up,
        Key::F(9),
        Key::Esc,
        Key::Ctrl('d'),
        Key::Alt('q'),
    ] {
        assert_eq!(update(&mut state, Message::Key(key)), Vec::<Effect>::new(), "{key}");
        assert_eq!(state.overlay, None, "{key}");
    }
}
