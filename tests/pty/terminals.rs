//! What terminals do to a program: the mouse, pastes, sizes, suspension, and what they cannot show. The real program watches the fixture's run
//! here, which needs no model.

use super::*;
use vt100::{MouseProtocolEncoding, MouseProtocolMode};

fn run_folder() -> String {
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/screen/run");
    run.to_str().expect("a path in UTF-8").to_owned()
}

fn watching(variables: &[(&str, &str)]) -> Terminal {
    let terminal = Terminal::program_with(&["watch", &run_folder()], variables);
    terminal.settled();
    terminal
}

fn reports_mouse(screen: &vt100::Screen) -> bool {
    let modes = (screen.mouse_protocol_mode(), screen.mouse_protocol_encoding());
    modes == (MouseProtocolMode::ButtonMotion, MouseProtocolEncoding::Sgr)
}

impl Terminal {
    fn switch_mouse_on(&mut self) {
        self.wait("a mouse that is off", |screen, _| screen.mouse_protocol_mode() == MouseProtocolMode::None);
        self.send(b"m");
        self.wait("the mouse", |screen, _| reports_mouse(screen));
    }

    /// The tabs, help, a notice and the commands, each of them seen.
    fn visit_everything(&mut self) {
        self.send(b"123\t\x1b[Z1p");
        self.wait_for("the run has ended");
        self.opens_and_closes_help();
        self.resize(160, 48);
        self.wait_for("predicted peak");
        self.resize(30, 8);
        self.wait("a word on the size", |_, text| text.contains("needed"));
        self.resize(80, 24);
        self.wait_for("48 / 48");
    }

    /// Waits until a frame of the finished run is there to its last byte; its lines come back.
    fn settled(&self) -> Vec<String> {
        let text = self.wait_shown("a whole frame", |shown, text| {
            text.contains("finished") && text.contains("quit") && shown.raw.ends_with(b"\x1b[?2026l")
        });
        lines(&text)
    }

    fn opens_and_closes_help(&mut self) {
        self.send(b"?");
        self.wait_for(HELP);
        self.send(b"\x1b");
        self.wait("help to close", |_, text| !text.contains(HELP));
    }

    fn quit(mut self) {
        self.send(b"q");
        self.is_restored();
        assert_eq!(self.exit_code(), 0);
    }
}

/// The lines of a screen; cells behind them that were never written and spaces are the same to an eye.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// The parameters of every `ESC [ … m`.
fn styles(raw: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(raw);
    let sequences = text.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';')?;
        rest[end..].starts_with('m').then(|| rest[..end].to_owned())
    });
    sequences.collect()
}

#[test]
fn the_mouse_is_off_until_asked_for_and_whatever_ends_the_screen_switches_it_off() {
    let mut terminal = watching(&[]);
    terminal.switch_mouse_on();
    // A click and a storm of drags, cut anywhere, are no keys, and the keyboard is heard behind them.
    let drags: String = (1..2_000).map(|i| format!("\x1b[<32;{};{}M", i % 90, i % 30)).collect();
    terminal.send(format!("\x1b[<0;5;5M{drags}\x1b[<0;5;5m\x1b[<64;5;5M?").as_bytes());
    terminal.wait_for(HELP);
    terminal.send(b"\x1b");
    terminal.wait("help to close", |_, text| !text.contains(HELP));
    terminal.quit();

    for signal in [libc::SIGTERM, libc::SIGHUP] {
        let mut terminal = watching(&[]);
        terminal.switch_mouse_on();
        terminal.signal(signal);
        terminal.is_restored();
        terminal.exit_code();
    }
    let mut terminal = Terminal::start("crash", &[]);
    terminal.wait_for("● running");
    terminal.switch_mouse_on();
    terminal.is_restored();
    terminal.end();
}

#[test]
fn after_ctrl_z_the_terminal_is_the_shells_and_fg_brings_screen_mouse_and_pastes_back() {
    let mut command = CommandBuilder::new("/bin/sh");
    let script = r#"set -m; "$0" watch "$1"; echo "it is stopped"; read line; fg; echo "it has ended""#;
    command.args(["-c", script, env!("CARGO_BIN_EXE_finetop"), &run_folder()]);
    let mut terminal = Terminal::of(command, []);
    let page = terminal.settled();
    terminal.switch_mouse_on();
    terminal.send(b"\x1a");
    terminal.wait_for("it is stopped");
    terminal.is_restored();
    terminal.send(b"\r");
    terminal.wait("the modes again", |screen, _| {
        reports_mouse(screen) && screen.bracketed_paste() && screen.alternate_screen()
    });
    let again = terminal.settled();
    // The footer may still show the notice of the mouse.
    assert_eq!(again[..23], page[..23]);
    terminal.send(b"q");
    terminal.wait_for("it has ended");
    terminal.is_restored();
}

#[test]
fn after_a_storm_of_sizes_the_screen_is_that_of_the_last_one() {
    let mut terminal = watching(&[]);
    let [small, large] = [(80, 24), (120, 40)].map(|(cols, rows)| {
        terminal.resize(cols, rows);
        terminal.wait("the new size", |_, text| text.lines().count() == usize::from(rows));
        terminal.settled()
    });
    for (last, expected) in [((80, 24), small), ((120, 40), large)] {
        let mut dice = 7u32;
        for _ in 0..100 {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            terminal.resize((dice >> 8) as u16 % 300 + 1, (dice >> 20) as u16 % 100 + 1);
            thread::sleep(Duration::from_millis(5));
        }
        terminal.resize(last.0, last.1);
        terminal.wait("the screen at its last size", |_, text| lines(text) == expected);
    }
    terminal.opens_and_closes_help();
    terminal.quit();
}

#[test]
fn a_terminal_that_takes_nothing_more_does_not_keep_the_program_from_ending() {
    for signal in [libc::SIGTERM, libc::SIGHUP] {
        let mut terminal = Terminal::start("train", &[]);
        terminal.wait_for("● running");
        // The terminal stays, but nobody reads what comes: a frozen window, a line that is dead and does not know it.
        let (stop, reader) = terminal.reader.take().expect("the reader runs");
        drop(stop);
        reader.join().expect("the reader ends");
        for i in 0..40 {
            terminal.resize(200 + i % 2, 60);
            thread::sleep(Duration::from_millis(20));
        }
        terminal.signal(signal);
        let reason = if signal == libc::SIGTERM { "Terminated(15)" } else { "TerminalGone" };
        assert_eq!(terminal.end()[0], reason);
    }
}

#[test]
fn a_long_paste_and_reports_of_the_focus_do_nothing() {
    let mut terminal = watching(&[]);
    let before = terminal.raw().len();
    terminal.send(b"\x1b[I\x1b[O\x1b[I\x1b[O");
    let began = Instant::now();
    terminal.send(b"\x1b[200~");
    terminal.send("q\r\x03 quit \x1b[A".repeat(15_000).as_bytes());
    terminal.send(b"\x1b[201~");
    terminal.send(b"?");
    terminal.wait_for(HELP);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?} for a paste", began.elapsed());
    // Help alone was drawn.
    assert!(terminal.raw().len() - before < 8 << 10);
    terminal.send(b"\x1b");
    terminal.wait("help to close", |_, text| !text.contains(HELP) && text.contains("48 / 48"));
    terminal.quit();
}

#[test]
fn without_colour_no_colour_is_named_and_with_all_of_them_they_are_told_exactly() {
    let mut plain = watching(&[("NO_COLOR", "1")]);
    plain.visit_everything();
    let named = styles(&plain.raw());
    let is_colour = |style: &String| style.split(';').any(|code| matches!(code.parse(), Ok(30..=49 | 90..=107)));
    assert!(!named.is_empty() && !named.iter().any(is_colour), "{named:?}");
    plain.quit();

    let mut colourful = watching(&[("COLORTERM", "truecolor")]);
    colourful.visit_everything();
    let named = styles(&colourful.raw());
    assert!(named.iter().any(|style| style.contains("38;2;")), "{named:?}");
    assert!(!named.iter().any(|style| style.contains("38;5;")), "{named:?}");
    colourful.quit();
}

#[test]
fn an_old_terminal_without_a_locale_gets_nothing_but_ascii() {
    let mut terminal = watching(&[("TERM", "vt100"), ("LANG", "C")]);
    terminal.visit_everything();
    let raw = terminal.raw();
    let strange = raw.iter().position(|b| !b.is_ascii());
    assert!(strange.is_none(), "{:?}", strange.map(|at| String::from_utf8_lossy(&raw[at.saturating_sub(40)..at + 8])));
    terminal.quit();
}
