//! From state to cells. Reads, never changes; draws the same for the same state at the same size. This file has the outer frame: header,
//! body, footer, what lies over them, and what a terminal that is too small gets. A file each for the pages and panels.

mod accumulation;
mod ask;
mod charts;
mod help;
mod log;
mod loss;
mod memory;
pub mod outcome;
mod palette;
mod progress;
mod start;
mod train;

use ratatui::Frame;
use ratatui::layout::Rect;

use super::format;
use super::state::start::Pane;
use super::state::{Activity, NoticeKind, Overlay, RunStage, Stage, State, Tab};
use super::theme::{Role, Theme};
use super::widgets::pen;
use super::widgets::{Pen, Words, words};
use crate::config::{Method, RunConfig};
use crate::event::FinishReason;
use crate::units::printable;

/// The smallest terminal that has room for the panels.
pub const NEEDS: (u16, u16) = (60, 20);

/// Draws the whole screen.
pub fn view(state: &State, theme: &Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    let mut pen = Pen { buffer: frame.buffer_mut(), theme };
    if area.width < NEEDS.0 || area.height < NEEDS.1 {
        return too_small(&mut pen, area, state);
    }
    let header_area = Rect { height: 1, ..area };
    let footer_area = Rect { y: area.bottom() - 1, height: 1, ..area };
    let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
    header(&mut pen, header_area, state);
    match (&state.stage, state.tab) {
        (Stage::Run(run), Tab::Train) => train::draw(&mut pen, body, state, run),
        (Stage::Run(run), Tab::Charts) => charts::draw(&mut pen, body, state, run),
        (Stage::Run(run), Tab::Log) => log::draw(&mut pen, body, state, run),
        _ => start::draw(&mut pen, body, state),
    }
    footer(&mut pen, footer_area, state);
    match &state.overlay {
        Some(Overlay::Help { scroll }) => help::draw(&mut pen, body, state, *scroll),
        Some(Overlay::Palette(palette)) => palette::draw(&mut pen, body, state, palette),
        Some(Overlay::Ask(question)) => ask::draw(&mut pen, body, state, *question),
        Some(Overlay::Outcome) => {
            if let Some(run) = state.run() {
                outcome::draw(&mut pen, body, run, state.clock);
            }
        }
        None => {}
    }
}

/// What the run is up to, with the mark and the colour that say it at a glance.
fn activity_words(run: &RunStage, theme: &Theme, leaving: bool) -> Words {
    let (unicode, ascii, role, text) = match run.activity() {
        Activity::Loading => ("◌", "o", Role::Active, "loading"),
        Activity::Running => ("●", "*", Role::Good, "running"),
        Activity::Pausing => ("‖", "=", Role::Warn, "pausing after this micro-batch"),
        Activity::Paused => ("‖", "=", Role::Warn, "paused"),
        Activity::Stopping if leaving => ("◌", "o", Role::Warn, "stopping, then quitting"),
        Activity::Stopping => ("◌", "o", Role::Warn, "stopping"),
        Activity::Finished(FinishReason::Completed) => ("✓", "+", Role::Good, "finished"),
        Activity::Finished(FinishReason::Stopped) => ("■", "#", Role::Warn, "stopped"),
        Activity::Finished(FinishReason::Failed) => ("✗", "x", Role::Bad, "failed"),
        Activity::Interrupted => ("✗", "x", Role::Bad, "interrupted"),
    };
    words([(theme.pick(unicode, ascii), role), (" ", Role::Text), (text, role)])
}

fn header(pen: &mut Pen<'_>, area: Rect, state: &State) {
    let dot = pen.theme.pick(" · ", " | ");
    let right = match &state.stage {
        Stage::Ready => words([("ready", Role::Label)]),
        Stage::Starting(_) if state.page.is_none() => words([("reading", Role::Active)]),
        Stage::Starting(_) => words([("preparing", Role::Active)]),
        Stage::Failed(_) => words([("could not start", Role::Bad)]),
        Stage::Run(run) => activity_words(run, pen.theme, state.leaving),
    };
    let inner = Rect { x: area.x + 1, width: area.width - 2, ..area };
    let right_at = pen.line_right(inner, 0, &right);
    let mut left = words([("finetop", Role::Title)]);
    let started = state.run().and_then(|r| r.view.started.as_ref());
    if let Some(started) = started {
        left.push(("  ".into(), Role::Text));
        left.push((model_name(started.model_name.as_deref(), &started.config).into(), Role::Text));
        for text in [method(&started.config), printable(&started.device)] {
            left.push((dot.into(), Role::Faint));
            left.push((text.into(), Role::Label));
        }
        if area.width >= 120 {
            left.push((dot.into(), Role::Faint));
            left.push((printable(&started.run_id).into(), Role::Label));
        }
    } else if let Some(entry) = state.page.as_ref().and_then(|page| page.entry()) {
        left.push(("  ".into(), Role::Text));
        left.push((printable(&entry.title).into(), Role::Label));
    }
    let room = right_at.saturating_sub(inner.x + 2);
    pen.line(Rect { width: room, ..inner }, 0, &left);
}

/// The model's own name, or the last part of where it comes from.
fn model_name(name: Option<&str>, config: &RunConfig) -> String {
    let source = &config.model.source;
    printable(name.unwrap_or_else(|| source.rsplit(['/', ':']).next().unwrap_or(source)))
}

fn method(config: &RunConfig) -> String {
    let name = match config.adapter.method {
        Method::Qlora => "QLoRA",
        Method::Lora => "LoRA",
    };
    format!("{name} r {}", config.adapter.r)
}

fn footer(pen: &mut Pen<'_>, area: Rect, state: &State) {
    let inner = Rect { x: area.x + 1, width: area.width - 2, ..area };
    let mut room = inner.width;
    if let Some(notice) = &state.notice {
        let role = match notice.kind {
            NoticeKind::Info => Role::Label,
            NoticeKind::Good => Role::Good,
            NoticeKind::Bad => Role::Bad,
        };
        // A notice takes at most two thirds; the keys take what is left.
        let text = format::fit(&notice.text, inner.width as usize * 2 / 3, pen.theme.ellipsis());
        let x = pen.line_right(inner, 0, &vec![(text.into(), role)]);
        room = x.saturating_sub(inner.x + 2);
    }
    let paused = state.run().is_some_and(|r| r.control.paused_at_ms.is_some());
    let mut left: Words = Vec::new();
    // Help and quit are always there; the others come while they fit.
    let mut pieces: Vec<(bool, Words)> = Vec::new();
    for binding in state.keymap.footer(state) {
        let Some(key) = state.keymap.key_now(binding.action, state) else { continue };
        let in_settings = state.start_page().is_some_and(|page| page.pane == Pane::Settings);
        let short = match binding.short {
            "pause" if paused => "resume",
            "settings" if in_settings => "list",
            short => short,
        };
        let always = matches!(binding.short, "help" | "quit");
        pieces.push((always, words([(&key.to_string(), Role::Key), (&format!(" {short}   "), Role::Label)])));
    }
    let mut needed: usize = pieces.iter().map(|(_, w)| pen::width(w)).sum();
    while needed > room as usize + 3 {
        let Some(last) = pieces.iter().rposition(|(always, _)| !always) else { break };
        needed -= pen::width(&pieces.remove(last).1);
    }
    left.extend(pieces.into_iter().flat_map(|(_, w)| w));
    if let Some(last) = left.last_mut() {
        last.0 = last.0.trim_end().to_owned().into();
    }
    pen.line(Rect { width: room, ..inner }, 0, &left);
}

/// What a terminal without room for panels gets: how it stands, what it is, what it would need.
fn too_small(pen: &mut Pen<'_>, area: Rect, state: &State) {
    let times = pen.theme.pick("×", "x");
    let mut lines: Vec<Words> = Vec::new();
    if let Some(run) = state.run() {
        lines.push(activity_words(run, pen.theme, state.leaving));
        let view = &run.view;
        let total = format::or_unknown(view.planned_steps(), format::count);
        let step = format!("step {} / {total}", format::count(view.steps_done()));
        lines.push(words([(&step, Role::Text)]));
        lines.push(words([
            ("loss ", Role::Label),
            (&format::or_unknown(view.smoothed.last(), format::loss), Role::Loss),
        ]));
    }
    lines.push(words([(&format!("{}{times}{} here", area.width, area.height), Role::Warn)]));
    lines.push(words([(&format!("{}{times}{} needed", NEEDS.0, NEEDS.1), Role::Label)]));
    if let Some(Overlay::Ask(question)) = state.overlay {
        lines.insert(0, words([(ask::title(question), Role::Warn), (" y / n", Role::Key)]));
    }
    let shown = lines.len().min(area.height as usize);
    let top = (area.height as usize - shown) / 2;
    for (row, line) in lines.into_iter().take(shown).enumerate() {
        let width = pen::width(&line).min(area.width as usize) as u16;
        let x = area.x + (area.width - width) / 2;
        pen.line(Rect { x, width: area.width - (x - area.x), ..area }, (top + row) as u16, &line);
    }
}
