//! What the screen costs, against the bounds that it promises: bytes to the terminal, time and memory of a frame, the charts of a long run,
//! and a long log read back. `cargo bench --bench screen` prints a table and fails when bytes, allocations or memory are over their bound;
//! with `-- --strict` times fail too, which a machine that does something else cannot promise.
//! The session runs without a terminal; its log is the one of the tests, the long log is made in `long_log`.

#[path = "../../tests/screen/allocations.rs"]
mod allocations;
#[path = "../../tests/screen/fixture.rs"]
#[allow(dead_code, unused_imports)]
mod fixture;
mod long_log;

use std::fs;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use finetop::app::Launched;
use finetop::app::backend::AnsiBackend;
use finetop::app::environment::TerminalEnvironment;
use finetop::app::input::Input;
use finetop::app::session::Session;
use finetop::event::{CommandReply, CommandRequest, RunHandle, RunState, Stamped};
use finetop::run::attach;
use finetop::run::replay::Follow;
use finetop::ui::state::run::RunView;
use finetop::ui::state::{State, Tab};
use finetop::ui::{Clock, Key, Message, Theme, update, view};
use ratatui::Terminal;
use ratatui::layout::Size;

use allocations::Allocations;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// Bytes a second to the terminal.
const TRAINING_80_BY_24: f64 = 4.0 * 1024.0;
const TRAINING_160_BY_48: f64 = 12.0 * 1024.0;
const FRAME_MS: f64 = 2.0;
/// Of the dearest frame at 160x48 while training. A little above what was measured: who makes a panel richer raises them, knowing it.
const FRAME_ALLOCATIONS: f64 = 2_700.0;
const FRAME_BYTES: f64 = 150_000.0;
const CHARTS_MS: f64 = 5.0;
const REPLAY_MS: f64 = 1_500.0;
/// What a replay may hold besides the log.
const REPLAY_BYTES: f64 = 100e6;

const LARGE: Size = Size::new(160, 48);
const SMALL: Size = Size::new(80, 24);

fn main() -> ExitCode {
    let strict = std::env::args().any(|argument| argument == "--strict");
    let mut table = Table { strict, broken: 0 };
    println!("{:<58}{:>12}{:>12}", "", "measured", "bound");
    // First, for its memory is measured as what it adds to a process that has done nothing yet.
    if let Err(e) = replay(&mut table) {
        eprintln!("the long log: {e}");
        return ExitCode::FAILURE;
    }
    bytes(&mut table);
    frame(&mut table);
    charts(&mut table);
    if table.broken > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The table, and how many bounds were broken.
struct Table {
    strict: bool,
    broken: u32,
}

impl Table {
    /// A number that is the same on every machine.
    fn gated(&mut self, what: &str, unit: &str, measured: f64, bound: f64) {
        self.row(what, unit, measured, bound, true);
    }

    /// Milliseconds, which depend on the machine and on what else it does.
    fn timed(&mut self, what: &str, measured: f64, bound: f64) {
        self.row(what, "ms", measured, bound, self.strict);
    }

    fn row(&mut self, what: &str, unit: &str, measured: f64, bound: f64, counts: bool) {
        let over = measured > bound;
        self.broken += u32::from(over && counts);
        let remark = if over { "  over" } else { "" };
        let digits = if unit == "ms" { 2 } else { 0 };
        println!("{what:<58}{measured:>12.digits$}{bound:>12.digits$} {unit:<3}{remark}");
    }

    fn told(&self, what: &str, unit: &str, measured: f64) {
        println!("{what:<58}{measured:>12.0}{:>12} {unit}", "");
    }
}

fn themes() -> Vec<Theme> {
    let variables = [("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LANG", "C.UTF-8")];
    let get = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    TerminalEnvironment::from_variables(get).themes()
}

/// A session whose time passes as it is told, and whose writer counts.
struct Driven {
    session: Session,
    ms: u64,
    bytes: usize,
}

impl Driven {
    fn new(state: State, size: Size) -> Self {
        Driven { session: Session::new(state, themes(), size, None), ms: 0, bytes: 0 }
    }

    /// A session that is attached to a run, which says what is sent.
    fn attached(size: Size) -> (Self, Sender<Stamped>, Receiver<CommandRequest>) {
        let (events_in, events) = channel();
        let (commands, commands_out) = channel();
        let mut driven = Driven::new(State::watching(), size);
        let handle = RunHandle { events, commands };
        driven.session.attach(Launched { handle, folder: "runs/x".into(), history: None, cause: None }, true);
        (driven, events_in, commands_out)
    }

    fn turn(&mut self, ms: u64, keys: &[Key]) {
        self.ms += ms;
        let now = self.now();
        self.session.turn(now, keys.iter().map(|&key| Input::Key(key)));
        self.bytes += self.session.frame(now).map_or(0, |frame| frame.len());
    }

    fn now(&self) -> Clock {
        Clock { ms: self.ms, unix_ms: fixture::BEGAN_UNIX_MS + self.ms }
    }

    fn bytes_a_second(&mut self, seconds: u64) -> f64 {
        let before = self.bytes;
        (0..seconds * 20).for_each(|_| self.turn(50, &[]));
        (self.bytes - before) as f64 / seconds as f64
    }
}

fn bytes(table: &mut Table) {
    let mut idle = Driven::new(State::ready(fixture::page()), SMALL);
    idle.bytes_a_second(1);
    table.gated("no run", "B/s", idle.bytes_a_second(600), 0.0);
    table.gated("paused", "B/s", paused(), 0.0);
    table.gated("training at 80x24", "B/s", training(SMALL), TRAINING_80_BY_24);
    table.gated("training at 160x48", "B/s", training(LARGE), TRAINING_160_BY_48);
}

fn paused() -> f64 {
    let (mut driven, events_in, commands) = Driven::attached(SMALL);
    fixture::until(&fixture::stored(), 9, 2).iter().for_each(|event| _ = events_in.send(event.clone()));
    driven.bytes_a_second(2);
    driven.turn(50, &[Key::Char('p')]);
    let reply = commands.try_recv().ok().and_then(|request| request.reply);
    reply.expect("the key asks for a pause").send(CommandReply::done(RunState::Paused, 8)).expect("somebody waits");
    driven.bytes_a_second(8);
    driven.bytes_a_second(600)
}

/// The log of the tests in real time, its beginning left out.
fn training(size: Size) -> f64 {
    let (mut driven, events_in, _commands) = Driven::attached(size);
    let events = fixture::stored();
    let mut rest = events.iter().peekable();
    let mut live = |driven: &mut Driven, until_ms: u64| {
        while driven.ms < until_ms {
            while let Some(event) = rest.next_if(|e| e.elapsed_ms <= driven.ms) {
                let _ = events_in.send(event.clone());
            }
            driven.turn(50, &[]);
        }
        driven.bytes
    };
    let before = live(&mut driven, 10_000);
    (live(&mut driven, 110_000) - before) as f64 / 100.0
}

/// A frame for each event of the log: what it takes, and what it asks of the allocator.
fn frame(table: &mut Table) {
    let (mut driven, events_in, _commands) = Driven::attached(LARGE);
    let (mut times, mut most) = (Vec::new(), Allocations::default());
    let events = fixture::stored();
    // Without the first ones: whatever is built once is built by then.
    for (count, event) in events[..events.len() - 1].iter().enumerate() {
        let _ = events_in.send(event.clone());
        driven.ms += 100;
        let now = driven.now();
        driven.session.turn(now, []);
        let begun = Instant::now();
        let (_, asked) = allocations::during(|| driven.session.frame(now));
        if count >= 20 {
            times.push(begun.elapsed());
            most = Allocations { count: most.count.max(asked.count), bytes: most.bytes.max(asked.bytes) };
        }
    }
    table.timed("a frame at 160x48 while training, median", median_ms(&mut times), FRAME_MS);
    table.gated("  its allocations, at most", "", most.count as f64, FRAME_ALLOCATIONS);
    table.gated("  bytes allocated, at most", "B", most.bytes as f64, FRAME_BYTES);
}

/// The tabs that have charts, after a run of 100,000 steps.
fn charts(table: &mut Table) {
    let mut state = State::watching();
    update(&mut state, Message::Attached { folder: "runs/x".into(), owned: true });
    long_log::make(long_log::STEPS, |event| _ = update(&mut state, Message::Event(Box::new(event))));
    state.overlay = None;
    let themes = themes();
    let Some(theme) = themes.first() else { return };
    // By time every edge of a column is looked up in a table; zoomed out on a logarithmic scale nothing is cheaper either.
    for (tab, keys) in [(Tab::Train, ""), (Tab::Charts, ""), (Tab::Charts, "xxy"), (Tab::Charts, "h+z")] {
        state.tab = tab;
        keys.chars().for_each(|c| _ = update(&mut state, Message::Key(Key::Char(c))));
        let Ok(mut terminal) = Terminal::new(AnsiBackend::new(LARGE));
        let mut times = Vec::new();
        for _ in 0..101 {
            let begun = Instant::now();
            let Ok(_) = terminal.draw(|frame| view(&state, theme, frame));
            times.push(begun.elapsed());
        }
        let keys = if keys.is_empty() { String::new() } else { format!(" after {keys}") };
        let what = format!("{} steps on the {} tab{keys}, median", long_log::STEPS, tab.name());
        table.timed(&what, median_ms(&mut times), CHARTS_MS);
    }
}

/// The long log from `attach` to the frame that shows its end, as the terminal's loop does it.
fn replay(table: &mut Table) -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let length = long_log::write(folder.path())?;
    table.told("the long log", "MB", length as f64 / 1e6);
    assert!(length >= long_log::LEAST_BYTES, "{length} bytes are no long log");

    let before = peak_memory();
    let mut times = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        let mut session = Session::new(State::watching(), themes(), LARGE, None);
        let handle = attach(folder.path())?;
        session.attach(Launched { handle, folder: folder.path().into(), history: None, cause: None }, false);
        loop {
            let now = Clock { ms: begun.elapsed().as_millis() as u64, unix_ms: fixture::BEGAN_UNIX_MS };
            session.turn(now, []);
            session.frame(now);
            if session.state.run().is_some_and(|run| run.closed) && session.patience_ms(now).is_none() {
                break;
            }
            thread::sleep(Duration::from_millis(session.patience_ms(now).unwrap_or(0)));
        }
        times.push(begun.elapsed());
        let steps = session.state.run().map(|run| run.view.steps_done());
        assert_eq!(steps, Some(long_log::STEPS), "the log was not read whole");
    }
    times.sort();
    let each: Vec<String> = times.iter().map(|t| format!("{:.0}", t.as_secs_f64() * 1e3)).collect();
    table.timed("replay from attach to the last frame, median", median_ms(&mut times), REPLAY_MS);
    println!("  each time: {} ms", each.join(", "));
    if let (Some(before), Some(after)) = (before, peak_memory()) {
        table.gated("  memory on top, at most", "B", after.saturating_sub(before) as f64, REPLAY_BYTES);
    }

    // What it is made of.
    let begun = Instant::now();
    let mut follow = Follow::open(folder.path())?;
    let events = follow.poll()?;
    table.told("  of it reading and parsing, one thread", "ms", begun.elapsed().as_secs_f64() * 1e3);
    let begun = Instant::now();
    let mut view = RunView::default();
    events.iter().for_each(|event| view.fold(event));
    table.told("  of it folding", "ms", begun.elapsed().as_secs_f64() * 1e3);
    table.told("  events", "", events.len() as f64);
    Ok(())
}

fn median_ms(times: &mut [Duration]) -> f64 {
    times.sort();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

/// The most memory that this process has held, in bytes, where the system says it.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    kib.trim().trim_end_matches(" kB").trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
