//! The screen under a real terminal: what it shows, and that the terminal comes back whatever ends it. Where a run is needed, or a screen that
//! breaks, the program under test is this test binary itself: started again with `FINETOP_PTY_CHILD` set, its one test `child` shows the
//! screen over a run made from the fixture log. The rest is tried with the real program.
//! Nothing here sleeps and hopes: each wait ends when the expected text is on the screen, and fails after a long while.

#[path = "pty/terminals.rs"]
mod terminals;

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use finetop::app::{self, EndReason, Launched, Launcher, Screen, TerminalEnvironment};
use finetop::event::*;
use finetop::ui::Fetching;
use finetop::ui::state::StartPage;
use finetop::ui::state::start::{Entry, StartRequest, Target};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const LONG: Duration = Duration::from_secs(60);
/// The first words of help.
const HELP: &str = concat!("finetop ", env!("CARGO_PKG_VERSION"));

// ---- the program under test ----

/// Trains as the fixture log says, some times faster.
struct Trainer {
    events: Vec<Stamped>,
    speed: f64,
    cause_panics: bool,
}

impl Launcher for Trainer {
    fn start(
        &self,
        _request: &StartRequest,
        progress: &dyn Fn(Fetching),
        _cancel: &AtomicBool,
    ) -> Result<Launched, String> {
        progress(Fetching { what: "the model".into(), done: 1, total: Some(2) });
        eprintln!("a stray line of a library");
        let (sender, events) = channel();
        let (commands, requests) = channel();
        let (log, speed) = (self.events.clone(), self.speed);
        thread::spawn(move || train(log, speed, &sender, &requests));
        let cause: app::Cause = Box::new(|| panic!("the screen broke here"));
        let cause = self.cause_panics.then_some(cause);
        Ok(Launched { handle: RunHandle { events, commands }, folder: "runs/x".into(), history: None, cause })
    }
}

fn train(log: Vec<Stamped>, speed: f64, sender: &Sender<Stamped>, requests: &Receiver<CommandRequest>) {
    let began = Instant::now();
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
    let (mut paused_for, mut step, mut stops) = (Duration::ZERO, 0, false);
    let say = |seq, event| _ = sender.send(Stamped { seq, elapsed_ms: began.elapsed().as_millis() as u64, event });
    for stamped in log {
        let at = Duration::from_secs_f64(stamped.elapsed_ms as f64 / 1e3 / speed);
        let mut paused = false;
        while let Some(left) = (at + paused_for).checked_sub(began.elapsed()).filter(|d| paused || !d.is_zero()) {
            let asked = Instant::now();
            let request = requests.recv_timeout(if paused { LONG } else { left });
            if paused {
                paused_for += asked.elapsed();
            }
            match request {
                Ok(CommandRequest { command, reply }) => {
                    match command {
                        Command::Pause => paused = true,
                        Command::Resume => paused = false,
                        Command::Stop => (stops, paused) = (true, false),
                        _ => {}
                    }
                    let state = if paused { RunState::Paused } else { RunState::Running };
                    if let Some(reply) = reply {
                        let _ = reply.send(CommandReply::done(state, step));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => thread::sleep(left),
            }
        }
        let mut event = stamped.event;
        if let RunEvent::RunStarted(started) = &mut event {
            started.started_unix_ms = unix;
        }
        let step_done = matches!(event, RunEvent::StepDone(_));
        if let RunEvent::StepDone(done) = &event {
            step = done.step;
        }
        say(stamped.seq, event);
        if stops && step_done {
            let end = RunFinished { reason: FinishReason::Stopped, steps: step, detail: None };
            say(stamped.seq + 1, RunEvent::RunFinished(end));
            return;
        }
    }
}

fn fixture() -> Vec<Stamped> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/screen/run/events.jsonl");
    let text = std::fs::read_to_string(path).expect("the fixture log");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of the log")).collect()
}

fn processor_time() -> Duration {
    // SAFETY: plain data that the call fills.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let of = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1_000);
    of(usage.ru_utime) + of(usage.ru_stime)
}

#[test]
fn child() {
    let Ok(mode) = std::env::var("FINETOP_PTY_CHILD") else { return };
    let report = PathBuf::from(std::env::var("FINETOP_PTY_REPORT").expect("a place for the report"));
    let mut events = fixture();
    let speed = match mode.as_str() {
        "ask" => 6.0,
        "quick" => 60.0,
        _ => 24.0,
    };
    if mode == "crash" {
        // Eight steps, and then the stream closes without an end.
        let end = events.iter().position(|e| matches!(&e.event, RunEvent::StepDone(s) if s.step == 8));
        events.truncate(end.expect("the log has eight steps"));
    }
    if mode == "quick" {
        let end = events.iter().position(|e| matches!(&e.event, RunEvent::StepDone(s) if s.step == 8));
        events.drain(end.expect("the log has eight steps")..events.len() - 1);
    }
    let RunEvent::RunStarted(started) = &events[0].event else { panic!("the log begins with a run") };
    let request = StartRequest {
        target: Target::Demo,
        text: toml::to_string(&started.config).expect("a configuration is TOML"),
        file_name: "the demo".into(),
        base_dir: "/".into(),
        overrides: Vec::new(),
    };
    let page = StartPage::new(vec![Entry::new("demo run", request)]);
    let launcher = Arc::new(Trainer { events, speed, cause_panics: mode == "crash" });
    let screen = Screen::Start { page: Box::new(page), launcher, at_once: mode != "ask" };
    let ended = app::run(screen, &TerminalEnvironment::detect()).expect("there is a terminal");

    let mut lines = vec![format!("{:?}", ended.reason)];
    let run = ended.run;
    if let Some(run) = &run {
        lines.push(format!("owned {} ended {}", run.owned, run.ended));
        println!("{}", run.summary.join("\r\n"));
    }
    eprint!("{}", ended.stray);
    if let (EndReason::TerminalGone | EndReason::Crashed(_), Some(run)) = (&ended.reason, run) {
        let (cpu, wall) = (processor_time(), Instant::now());
        let rest: Vec<Stamped> = run.handle.events.iter().collect();
        let finished = matches!(rest.last().map(|e| &e.event), Some(RunEvent::RunFinished(_)));
        let share = (processor_time() - cpu).as_secs_f64() / wall.elapsed().as_secs_f64().max(1e-9);
        lines.push(format!("rest {} finished {finished}", rest.len()));
        lines.push(format!("share {share:.3} over {:.1} s", wall.elapsed().as_secs_f64()));
        println!("a print into nothing breaks nothing");
    }
    std::fs::write(report, lines.join("\n")).expect("the report is written");
}

// ---- the terminal around it ----

struct Shown {
    parser: vt100::Parser,
    /// Every byte that came.
    raw: Vec<u8>,
    ended: bool,
}

struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    /// Ends the reader, and with it this side's last descriptor of the terminal.
    reader: Option<(UnixStream, thread::JoinHandle<()>)>,
    shown: Arc<(Mutex<Shown>, Condvar)>,
    folder: tempfile::TempDir,
    before: Vec<u8>,
}

fn cells(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).expect("a size is not zero")
}

impl Terminal {
    /// The screen over the fixture's run, in this binary.
    fn start(mode: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = CommandBuilder::new(std::env::current_exe().expect("this test"));
        command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
        let mode = [("FINETOP_PTY_CHILD", mode)];
        Terminal::of(command, mode.iter().chain(variables).copied())
    }

    /// The program itself, in an empty folder that is its home too.
    fn program(arguments: &[&str]) -> Self {
        Terminal::program_with(arguments, &[])
    }

    fn program_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_finetop"));
        command.args(arguments);
        Terminal::of(command, variables.iter().copied())
    }

    /// The program itself, in a folder that the test has filled.
    fn program_in(folder: tempfile::TempDir, arguments: &[&str]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_finetop"));
        command.args(arguments);
        Terminal::in_folder(folder, command, [])
    }

    fn of<'a>(command: CommandBuilder, variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Terminal::in_folder(tempfile::tempdir().expect("a folder"), command, variables)
    }

    fn in_folder<'a>(
        folder: tempfile::TempDir,
        mut command: CommandBuilder,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let before = modes(pair.master.as_ref());
        command.env_clear();
        command.cwd(folder.path());
        for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")].into_iter().chain(variables) {
            command.env(name, value);
        }
        command.env("HOME", folder.path());
        command.env("FINETOP_PTY_REPORT", folder.path().join("report"));
        let child = pair.slave.spawn_command(command).expect("the child starts");
        drop(pair.slave);
        let parser = vt100::Parser::new(cells(24), cells(80), 0);
        let shown = Arc::new((Mutex::new(Shown { parser, raw: Vec::new(), ended: false }), Condvar::new()));
        let fd = pair.master.as_raw_fd().expect("a descriptor");
        // SAFETY: the master is open until the end of this function.
        let own = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned().expect("a descriptor of the reader's own");
        let (stop, stopped) = UnixStream::pair().expect("a pair of sockets");
        let into = shown.clone();
        let reader = thread::spawn(move || read(File::from(own), &stopped, &into));
        let writer = pair.master.take_writer().expect("a writer");
        Terminal {
            child,
            master: Some(pair.master),
            writer: Some(writer),
            reader: Some((stop, reader)),
            shown,
            folder,
            before,
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        let writer = self.writer.as_mut().expect("the terminal is open");
        writer.write_all(bytes).and_then(|()| writer.flush()).expect("the terminal takes keys");
    }

    /// Waits until the screen is as wanted; its text comes back.
    fn wait(&self, what: &str, wanted: impl Fn(&vt100::Screen, &str) -> bool) -> String {
        self.wait_shown(what, |shown, text| wanted(shown.parser.screen(), text))
    }

    fn wait_shown(&self, what: &str, wanted: impl Fn(&Shown, &str) -> bool) -> String {
        let (lock, changed) = &*self.shown;
        let mut shown = lock.lock().expect("no reader panics");
        let until = Instant::now() + LONG;
        loop {
            let text = shown.parser.screen().contents();
            if wanted(&shown, &text) {
                return text;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !shown.ended, "{what} did not come; the screen is:\n{text}");
            shown = changed.wait_timeout(shown, left).expect("no reader panics").0;
        }
    }

    fn wait_for(&self, text: &str) -> String {
        self.wait(text, |_, shown| shown.contains(text))
    }

    fn raw(&self) -> Vec<u8> {
        self.shown.0.lock().expect("no reader panics").raw.clone()
    }

    fn resize(&self, cols: u16, rows: u16) {
        {
            let mut shown = self.shown.0.lock().expect("no reader panics");
            shown.parser.screen_mut().set_size(cells(rows), cells(cols));
        }
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        self.master.as_ref().expect("the terminal is open").resize(size).expect("a new size");
    }

    fn signal(&self, signal: i32) {
        let pid = self.child.process_id().expect("the child runs") as i32;
        // SAFETY: the child was started here and was not waited for yet.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// Waits for the end of the child, which must come; its exit code comes back.
    fn exit_code(&mut self) -> u32 {
        let until = Instant::now() + LONG;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                return status.exit_code();
            }
            if Instant::now() > until {
                self.child.kill().expect("the child is ours");
                panic!("the child does not end");
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the screen's own child reports after its end.
    fn end(&mut self) -> Vec<String> {
        self.exit_code();
        let report = std::fs::read_to_string(self.folder.path().join("report")).expect("the child wrote its report");
        report.lines().map(str::to_owned).collect()
    }

    /// The terminal is as it was before the screen.
    fn is_restored(&self) {
        self.wait("the end of the screen", |screen, _| !screen.alternate_screen() && !screen.hide_cursor());
        let shown = self.shown.0.lock().expect("no reader panics");
        assert!(!shown.parser.screen().bracketed_paste());
        assert_eq!(shown.parser.screen().mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert_eq!(modes(self.master.as_deref().expect("the terminal is open")), self.before, "raw mode has to end");
    }
}

/// Takes what the terminal gets, until it or this side ends.
fn read(mut terminal: File, stopped: &UnixStream, into: &(Mutex<Shown>, Condvar)) {
    let mut buffer = [0; 4096];
    loop {
        let entry = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut entries = [entry(terminal.as_raw_fd()), entry(stopped.as_raw_fd())];
        // SAFETY: the array and its length belong together, and both descriptors are open.
        unsafe { libc::poll(entries.as_mut_ptr(), 2, -1) };
        let over = entries[1].revents != 0;
        let count = if over { 0 } else { terminal.read(&mut buffer).unwrap_or(0) };
        let (lock, changed) = into;
        let mut shown = lock.lock().expect("nobody panics with the lock");
        shown.parser.process(&buffer[..count]);
        shown.raw.extend_from_slice(&buffer[..count]);
        shown.ended = count == 0;
        changed.notify_all();
        if count == 0 {
            return;
        }
    }
}

/// The settings of the line, as bytes to compare.
fn modes(master: &(dyn MasterPty + Send)) -> Vec<u8> {
    // SAFETY: plain data that the call fills, from a descriptor that is open.
    let mut termios: libc::termios = unsafe { std::mem::zeroed() };
    assert_eq!(unsafe { libc::tcgetattr(master.as_raw_fd().expect("a descriptor"), &mut termios) }, 0);
    [termios.c_iflag, termios.c_oflag, termios.c_lflag].iter().flat_map(|f| f.to_le_bytes()).collect()
}

#[test]
fn a_run_is_started_watched_paused_and_stopped_by_keys() {
    let mut terminal = Terminal::start("ask", &[]);
    terminal.wait_for("start training");
    assert!(terminal.shown.0.lock().expect("no reader panics").parser.screen().alternate_screen());
    // Nothing here means anything before a run, and pasted keys never do.
    terminal.send("xz5\t\t\x1b[A\x1b[200~q\x1b[201~\x1b]11;rgb:0/0/0\x07\x1b[<0;1;1M\u{fffd}".as_bytes());
    terminal.send(&[0xff, 0x80, 0xc3]);
    terminal.send(b"\r");
    terminal.wait_for("● running");
    terminal.wait_for("step 2 ");
    terminal.resize(160, 48);
    terminal.wait_for("predicted peak");
    terminal.resize(50, 10);
    terminal.wait_for("60×20 needed");
    terminal.resize(80, 24);
    terminal.wait_for("accumulation");
    terminal.send(b"p");
    terminal.wait_for("‖ paused");
    terminal.send(b"p");
    terminal.wait_for("● running");
    terminal.send(b"q");
    terminal.wait_for("stop and quit?");
    terminal.send(b"n");
    terminal.wait("the panels again", |_, text| text.contains("running") && !text.contains("stop and quit?"));
    terminal.send(b"\x03");
    terminal.wait_for("stop and quit?");
    terminal.send(b"y");
    terminal.is_restored();
    let text = terminal.wait_for("a stray line of a library");
    assert!(text.contains("finetop watch runs/x"), "the outcome is printed after the screen:\n{text}");
    assert_eq!(terminal.end(), ["Quit", "owned true ended true"]);
}

#[test]
fn a_run_that_ends_shows_its_card_and_then_nothing_more_is_written() {
    let mut terminal = Terminal::start("quick", &[("NO_COLOR", "1"), ("LANG", "C")]);
    let text = terminal.wait_for("the run is complete");
    assert!(text.is_ascii(), "{text}");
    terminal.send(b"\x1b");
    terminal.wait("the card is closed", |_, text| !text.contains("the run is complete"));
    let before = terminal.raw().len();
    // A key that asks nothing is answered with nothing; one that does comes after it in the same stream.
    terminal.send(b"x\x1b[B5");
    terminal.send(b"?");
    terminal.wait_for(HELP);
    assert!(terminal.raw().len() > before);
    terminal.send(b"\x1bq");
    terminal.send(b"q");
    terminal.is_restored();
    assert_eq!(terminal.end(), ["Quit", "owned true ended true"]);
}

#[test]
fn sigterm_and_sigint_give_the_terminal_back() {
    for (signal, number) in [(libc::SIGTERM, 15), (libc::SIGINT, 2)] {
        let mut terminal = Terminal::start("train", &[]);
        terminal.wait_for("● running");
        terminal.signal(signal);
        terminal.is_restored();
        assert_eq!(terminal.end(), [format!("Terminated({number})"), "owned true ended false".into()]);
    }
}

#[test]
fn a_screen_that_breaks_gives_the_terminal_back_before_its_report() {
    let mut terminal = Terminal::start("crash", &[]);
    terminal.wait_for("● running");
    terminal.is_restored();
    let text = terminal.wait_for("the screen broke here");
    assert!(text.contains("panicked at"), "the report is readable:\n{text}");
    let report = terminal.end();
    assert_eq!(report[0], "Crashed(\"the screen broke here\")");
}

#[test]
fn a_terminal_that_goes_away_ends_the_screen_alone_and_costs_nothing() {
    let mut terminal = Terminal::start("train", &[]);
    terminal.wait_for("● running");
    terminal.wait_for("step 1 ");
    // Every descriptor of this side is closed, as when a connection breaks; the kernel does the rest.
    drop(terminal.writer.take());
    let (stop, reader) = terminal.reader.take().expect("the reader runs");
    drop(stop);
    reader.join().expect("the reader ends");
    drop(terminal.master.take());
    let report = terminal.end();
    assert_eq!(report[..2], ["TerminalGone", "owned true ended false"]);
    assert!(report[2].starts_with("rest ") && report[2].ends_with("finished true"), "{report:?}");
    let share: f64 = report[3].split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a share");
    assert!(share < 0.2, "the process used {share} of a processor without a screen");
}

#[test]
fn ctrl_z_where_nobody_can_bring_it_back_leaves_the_screen_up() {
    let mut terminal = Terminal::start("ask", &[]);
    terminal.wait_for("start training");
    terminal.send(b"\x1a");
    terminal.send(b"?");
    terminal.wait_for(HELP);
    terminal.send(b"\x1b");
    terminal.wait("the page again", |_, text| text.contains("start training") && !text.contains(HELP));
    terminal.send(b"q");
    terminal.is_restored();
    assert_eq!(terminal.end(), ["Quit"]);
}

#[test]
fn the_program_shows_a_finished_run_and_leaves_without_a_trace() {
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/screen/run");
    let mut terminal = Terminal::program(&["watch", run.to_str().expect("a path in UTF-8")]);
    let text = terminal.wait_for("48 / 48");
    assert!(text.contains("✓ finished") && text.contains("1.188"), "{text}");
    // There is nobody to be told anything, and it says so.
    terminal.send(b"p");
    terminal.wait_for("the run has ended");
    terminal.resize(160, 48);
    terminal.wait_for("predicted peak");
    terminal.send(b"q");
    terminal.is_restored();
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn the_program_alone_opens_the_page_of_the_demo_run_and_begins_nothing_before_it_is_told_to() {
    let mut terminal = Terminal::program(&[]);
    let text = terminal.wait_for("start training");
    assert!(text.contains("demo run"), "{text}");
    terminal.send(b"q");
    terminal.is_restored();
    assert_eq!(terminal.exit_code(), 0);
    assert!(!terminal.folder.path().join("runs").exists());
}

/// A folder in use: a configuration that works, broken ones, and runs.
fn folder_in_use() -> tempfile::TempDir {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let (model, rows) = (fixtures.join("tiny/llama"), fixtures.join("tiny/rows.jsonl"));
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let write = |name: &str, text: &str| {
        let path = here.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write(
        "tiny.toml",
        &format!(
            "[model]\nsource = {model:?}\n[data]\ntrain = {rows:?}\neval = {rows:?}\nmax_seq_length = 96\n[train]\n\
             max_steps = 1000000\nper_device_train_batch_size = 1\ngradient_accumulation_steps = 4\neval_steps = 1000\n\
             save_steps = 1000\n[bleu]\nrun_after_training = false\n"
        ),
    );
    write("configs/syntax.toml", "[data\n[train]\n");
    write("configs/wrong.toml", "[data]\ntrain = \"t.jsonl\"\n[train]\nlearning_rte = 1e-3\n");
    write("Cargo.toml", "[package]\nname = \"x\"\n");
    let run = |file: &str| std::fs::read_to_string(fixtures.join("screen/run").join(file)).expect("the fixture run");
    write("runs/20260504-100000-listings/config.toml", &run("config.toml"));
    write("runs/20260504-100000-listings/events.jsonl", &run("events.jsonl"));
    folder
}

#[test]
fn the_program_lists_what_is_there_edits_a_setting_trains_stops_comes_back_and_resumes() {
    let mut terminal = Terminal::program_in(folder_in_use(), &[]);
    let text = terminal.wait_for("start training");
    for title in ["demo run", "tiny.toml", "configs/syntax.toml", "configs/wrong.toml", "listings"] {
        assert!(text.contains(title), "{title} is missing:\n{text}");
    }
    assert!(!text.contains("Cargo"), "{text}");
    // A broken one says why and is not started; Enter looks at a run.
    terminal.send(b"jjj\r");
    terminal.wait_for("did you mean learning_rate?");
    terminal.send(b"j\r");
    terminal.wait_for("48 / 48");
    terminal.send(b"b");
    terminal.wait_for("48 of 48");
    // A wrong value says why while it is typed, and Enter does not take it.
    terminal.send(b"gj");
    terminal.wait_for("445 KiB");
    terminal.send(b"\t");
    terminal.wait_for("model.source:");
    terminal.send(b"jj");
    terminal.wait_for("adapter.method:");
    terminal.send(b"j\r");
    terminal.wait_for("Enter take");
    terminal.send(b"\x15\x1b[200~x\x1b[201~\r");
    terminal.wait_for("expected an integer from 1 to 65536, found x");
    terminal.send(b"\x7f4\r");
    terminal.wait("the value is taken", |_, text| text.contains("1 edited") && !text.contains("expected an integer"));
    terminal.send(b"S");
    terminal.wait_for("● running");
    terminal.wait_for("LoRA r 4");
    terminal.wait("a step that is done", |_, text| text.lines().any(|l| l.starts_with("│ step ")));
    terminal.send(b"b");
    terminal.wait_for("stop it first");
    terminal.send(b"s");
    terminal.wait_for("stop the run?");
    terminal.send(b"y");
    terminal.wait_for("the run was stopped");
    terminal.send(b"b");
    terminal.wait("the page with the new run", |_, text| text.contains("what to run") && text.contains("just now"));
    // The run that was stopped stands first among the runs.
    terminal.send(b"jjj");
    terminal.wait_for("state     stopped");
    terminal.send(b"r");
    terminal.wait_for("● running");
    terminal.wait_for("resumed");
    terminal.send(b"q");
    terminal.wait_for("stop and quit?");
    terminal.send(b"y");
    terminal.is_restored();
    assert_eq!(terminal.exit_code(), 0);
    let mut runs: Vec<_> = std::fs::read_dir(terminal.folder.path().join("runs"))
        .expect("the folder of runs")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    runs.sort();
    assert_eq!(runs.len(), 2);
    let text = std::fs::read_to_string(runs[1].join("config.toml")).expect("its settings");
    assert!(text.contains("r = 4"), "{text}");
    let log = std::fs::read_to_string(runs[1].join("events.jsonl")).expect("a log");
    assert_eq!(log.matches(r#""event":"run_started""#).count(), 2);
}

#[test]
fn the_program_trains_a_real_model_on_the_screen_from_start_to_quit() {
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny");
    let place = tempfile::tempdir().expect("a folder");
    let (model, rows, run) = (tiny.join("llama"), tiny.join("rows.jsonl"), place.path().join("run"));
    let config = format!(
        "[model]\nsource = {model:?}\n[data]\ntrain = {rows:?}\neval = {rows:?}\nmax_seq_length = 96\n\
         [train]\nmax_steps = 1000000\nper_device_train_batch_size = 1\ngradient_accumulation_steps = 4\neval_steps = 1000\n\
         save_steps = 1000\n[bleu]\nrun_after_training = false\n"
    );
    std::fs::write(place.path().join("tiny.toml"), config).expect("a configuration");
    let file = place.path().join("tiny.toml");
    let [file, folder] = [&file, &run].map(|p| p.to_str().expect("a path in UTF-8"));
    let mut terminal = Terminal::program(&["train", file, "--run-dir", folder]);
    terminal.wait_for("● running");
    terminal.wait_for("1,000,000");
    terminal.resize(160, 48);
    terminal.send("\u{1b}[A\u{1b}[1;5Dx9%\u{fffd}".as_bytes());
    terminal.resize(80, 24);
    terminal.send(b"p");
    terminal.wait_for("‖ paused");
    terminal.send(b"p");
    terminal.wait_for("● running");
    terminal.send(b"w");
    terminal.wait_for("saved at step");
    terminal.send(b"e");
    terminal.wait_for("evaluated at step");
    terminal.send(b"q");
    terminal.wait_for("stop and quit?");
    terminal.send(b"y");
    terminal.is_restored();
    assert_eq!(terminal.exit_code(), 0);
    assert!(run.join("last/adapter_model.safetensors").is_file());
    let log = std::fs::read_to_string(run.join("events.jsonl")).expect("a log");
    assert!(log.lines().last().expect("a line").contains(r#""reason":"stopped""#));
}

/// Lets whoever waits at a pipe go when the test ends, however it does: nothing else would end that process.
struct LetGo(PathBuf);

impl Drop for LetGo {
    fn drop(&mut self) {
        // A pipe that is open for both ends at once waits for nobody.
        let _ = std::fs::OpenOptions::new().read(true).write(true).open(&self.0);
    }
}

#[test]
fn the_program_asks_before_it_leaves_a_resumed_run_that_loads_and_says_why_one_does_not_go_on() {
    let folder = folder_in_use();
    let here = folder.path();
    let (file, run) = (here.join("tiny.toml"), here.join("run"));
    let [file, run_folder] = [&file, &run].map(|p| p.to_str().expect("a path in UTF-8"));
    let mut terminal = Terminal::program(&["train", file, "--run-dir", run_folder]);
    terminal.wait_for("● running");
    terminal.wait("a step that is done", |_, text| text.lines().any(|l| l.starts_with("│ step ")));
    terminal.send(b"s");
    terminal.wait_for("stop the run?");
    terminal.send(b"y");
    terminal.wait_for("the run was stopped");
    terminal.send(b"q");
    terminal.is_restored();
    assert_eq!(terminal.exit_code(), 0);

    // Who reads the adapter's settings waits until the test lets them go.
    let settings = run.join("last/adapter_config.json");
    let text = std::fs::read(&settings).expect("the checkpoint is whole");
    std::fs::remove_file(&settings).expect("the file goes");
    let path = std::ffi::CString::new(settings.to_str().expect("a path in UTF-8")).expect("no zero in it");
    // SAFETY: a path that ends with a zero, and nothing else.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    let let_go = LetGo(settings.clone());
    let mut terminal = Terminal::program(&["train", run_folder, "--resume"]);
    terminal.wait_for("◌ loading");
    terminal.send(b"q");
    terminal.wait_for("stop and quit?");
    terminal.send(b"n");
    terminal.send(b"b");
    terminal.wait_for("stop it first");
    terminal.send(b"s");
    terminal.wait_for("stop the run?");
    terminal.send(b"y");
    terminal.wait_for("◌ stopping");
    let mut waiting = std::fs::OpenOptions::new().write(true).open(&settings).expect("somebody reads");
    std::fs::remove_file(&settings).expect("the pipe goes");
    std::fs::write(&settings, &text).expect("the file comes back");
    waiting.write_all(&text).expect("somebody reads");
    drop((waiting, let_go));
    terminal.wait_for("the run was stopped");
    terminal.send(b"q");
    terminal.is_restored();
    assert_eq!(terminal.exit_code(), 0);
    let log = std::fs::read_to_string(run.join("events.jsonl")).expect("a log");
    assert_eq!(log.matches(r#""reason":"stopped""#).count(), 2);

    std::fs::write(&settings, "{").expect("the file is there");
    let mut terminal = Terminal::program(&["train", run_folder, "--resume"]);
    terminal.wait_for("adapter_config.json");
    terminal.wait_for("could not start");
    terminal.send(b"q");
    terminal.is_restored();
    assert_eq!(terminal.exit_code(), 2);
}
