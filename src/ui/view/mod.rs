//! From state to cells. Reads, never changes; draws the same for the same state at the same size. This file has the outer frame: header,
//! body, footer, what lies over them, and what a terminal that is too small gets. A file each for the pages and panels.

mod accumulation;
mod ask;
mod bleu_tab;
mod chart;
mod charts;
mod help;
mod log;
mod memory;
mod memory_tab;
pub mod oom;
pub mod outcome;
mod palette;
mod plan;
pub mod playground;
mod progress;
mod runs;
mod start;
mod train;

use ratatui::Frame;
use ratatui::layout::Rect;

pub use charts::crosshair;
pub use memory_tab::ledger_text;

use super::format;
use super::keymap::{Action, is_available, is_report_due};
use super::message::{Fetching, Key};
use super::state::chart::Quantity;
use super::state::playground::{Page, Playground};
use super::state::start::Pane;
use super::state::{Activity, NoticeKind, Overlay, RunStage, Stage, State, Tab};
use super::theme::{Role, Theme};
use super::widgets::pen;
use super::widgets::{Pen, Words, words};
use crate::config::RunConfig;
use crate::event::FinishReason;
use crate::units::{format_bytes, printable};

/// The smallest terminal that has room for the panels.
pub const NEEDS: (u16, u16) = (60, 20);

/// Whether a terminal of this size has no room for the panels.
pub fn is_too_small((width, height): (u16, u16)) -> bool {
    width < NEEDS.0 || height < NEEDS.1
}

/// From this width on the program's name stands before the tabs.
const WITH_NAME: u16 = 100;
/// Below this width one space is between tabs, not two: what the run is up to needs the room.
const WITH_GAPS: u16 = 66;

/// What the words of the header say in less room, one after the other as far as needed.
const SHORTER: [(&str, &str); 5] = [
    (", waits for you", ""),
    (" after this micro-batch", ""),
    (", then quitting", ""),
    (" for a trial", ""),
    ("out of memory", "OOM"),
];

/// Draws the whole screen.
pub fn view(state: &State, theme: &Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    let mut pen = Pen { buffer: frame.buffer_mut(), theme };
    if is_too_small((area.width, area.height)) {
        return too_small(&mut pen, area, state);
    }
    let header_area = Rect { height: 1, ..area };
    let footer_area = Rect { y: area.bottom() - 1, height: 1, ..area };
    let body = body(area);
    header(&mut pen, header_area, state);
    let mut cursor = None;
    match (&state.stage, state.tab) {
        (Stage::Run(run), Tab::Train) => train::draw(&mut pen, body, state, run),
        (Stage::Run(run), Tab::Charts) => charts::draw(&mut pen, body, state, run),
        (Stage::Run(run), Tab::Log) => log::draw(&mut pen, body, state, run),
        (Stage::Run(run), Tab::Memory) => memory_tab::draw(&mut pen, body, state, run),
        (Stage::Run(run), Tab::Bleu) => bleu_tab::draw(&mut pen, body, state, run),
        _ if state.in_playground() => cursor = playground::draw(&mut pen, body, state),
        _ => match state.plan_page() {
            Some(page) => plan::draw(&mut pen, body, state, page),
            None => start::draw(&mut pen, body, state),
        },
    }
    footer(&mut pen, footer_area, state);
    match &state.overlay {
        Some(Overlay::Help { scroll }) => help::draw(&mut pen, body, state, *scroll),
        Some(Overlay::Runs(picker)) => runs::draw(&mut pen, body, picker),
        Some(Overlay::Palette(palette)) => palette::draw(&mut pen, body, state, palette),
        Some(Overlay::Ask(question)) => ask::draw(&mut pen, body, state, *question),
        Some(Overlay::Outcome { selected }) => {
            if let Some(run) = state.run() {
                outcome::draw(&mut pen, body, state, run, *selected);
            }
        }
        Some(Overlay::OutOfMemory(card)) => {
            if let Some(run) = state.run() {
                oom::draw(&mut pen, body, state, run, *card);
            }
        }
        None => {}
    }
    if let Some(cursor) = cursor.filter(|_| state.overlay.is_none()) {
        frame.set_cursor_position(cursor);
    }
}

/// Where the panels of this state lie on a terminal that is large enough for them.
pub fn panels(state: &State, area: Rect) -> Vec<Rect> {
    let body = body(area);
    match (&state.stage, state.tab) {
        (Stage::Run(_), Tab::Train) => train::areas(body).to_vec(),
        (Stage::Run(_), Tab::Charts) => charts::areas(body, state).into_iter().map(|(_, area)| area).collect(),
        (Stage::Run(_), Tab::Log) => vec![body],
        (Stage::Run(_), Tab::Memory) => memory_tab::areas(body).all(),
        (Stage::Run(_), Tab::Bleu) => bleu_tab::areas(body, state),
        _ if state.in_playground() => playground::areas(body, state),
        _ if state.plan_page().is_some() => vec![body],
        _ => state.page.as_ref().map_or_else(Vec::new, |page| {
            let areas = start::areas(body, state, page);
            [Some(areas.list), areas.summary, areas.settings, Some(areas.below)].into_iter().flatten().collect()
        }),
    }
}

/// The chart under a cell of the terminal, and the part of its panel that holds plot and axes.
pub fn place_of_chart(state: &State, column: u16, row: u16) -> Option<(Quantity, Rect)> {
    let (width, height) = state.size;
    if is_too_small(state.size) || state.run().is_none() {
        return None;
    }
    let body = body(Rect { x: 0, y: 0, width, height });
    let charts = match state.tab {
        Tab::Train => vec![(state.chart.on_train, train::areas(body)[0])],
        Tab::Charts => charts::areas(body, state),
        Tab::Log | Tab::Memory | Tab::Bleu | Tab::Playground => Vec::new(),
    };
    let charts = charts.into_iter().map(|(quantity, area)| (quantity, chart::chart_area(area)));
    charts.into_iter().find(|(_, area)| area.contains(ratatui::layout::Position { x: column, y: row }))
}

/// Where memory over time is drawn on its tab.
pub fn place_of_timeline(state: &State) -> Option<Rect> {
    let (width, height) = state.size;
    let is_shown = state.tab == Tab::Memory && state.run().is_some() && !is_too_small(state.size);
    is_shown.then(|| memory_tab::plot(body(Rect { x: 0, y: 0, width, height }))).flatten()
}

/// Where the reports and the rows of the selected one stand on their tab, and which report is the first.
pub fn place_of_reports(state: &State) -> Option<(Rect, usize, Rect)> {
    let (width, height) = state.size;
    let is_shown = state.tab == Tab::Bleu && state.run().is_some() && !is_too_small(state.size);
    is_shown.then(|| bleu_tab::places(body(Rect { x: 0, y: 0, width, height }), state)).flatten()
}

/// Rows of a report that the screen has room for.
pub fn bleu_rows(state: &State) -> usize {
    place_of_reports(state).map_or(1, |(.., rows)| rows.height.max(1) as usize)
}

/// What lies between header and footer.
fn body(area: Rect) -> Rect {
    Rect { y: area.y + 1, height: area.height - 2, ..area }
}

/// What the run is up to, with the mark and the colour that say it at a glance.
fn activity_words(run: &RunStage, theme: &Theme, leaving: bool, play: &Playground) -> Words {
    let (unicode, ascii, role, text) = match run.activity() {
        Activity::Loading => ("◌", "o", Role::Active, "loading"),
        Activity::Running if play.asks_run() || run.answers() => ("‖", "=", Role::Warn, "pauses to answer"),
        Activity::Running => ("●", "*", Role::Good, "running"),
        Activity::Pausing => ("‖", "=", Role::Warn, "pausing after this micro-batch"),
        Activity::Paused if play.holds_run() => ("‖", "=", Role::Warn, "paused for a trial"),
        Activity::Paused if play.asks_run() => ("‖", "=", Role::Warn, "paused by hand"),
        Activity::Paused => ("‖", "=", Role::Warn, "paused"),
        Activity::Waiting => ("‖", "=", Role::Bad, "out of memory, waits for you"),
        Activity::Stopping if leaving => ("◌", "o", Role::Warn, "stopping, then quitting"),
        Activity::Stopping => ("◌", "o", Role::Warn, "stopping"),
        Activity::Finished(FinishReason::Completed) => ("✓", "+", Role::Good, "finished"),
        Activity::Finished(FinishReason::Stopped) => ("■", "#", Role::Warn, "stopped"),
        Activity::Finished(FinishReason::Failed) => ("✗", "x", Role::Bad, "failed"),
        Activity::Interrupted => ("✗", "x", Role::Bad, "interrupted"),
    };
    words([(theme.pick(unicode, ascii), role), (" ", Role::Text), (text, role)])
}

fn stage_words(state: &State, theme: &Theme) -> Words {
    match &state.stage {
        Stage::Ready => words([("ready", Role::Label)]),
        Stage::Starting(_) if state.page.is_none() => words([("reading", Role::Active)]),
        Stage::Starting(_) => words([("preparing", Role::Active)]),
        Stage::Failed(_) => words([("could not start", Role::Bad)]),
        Stage::Run(run) => activity_words(run, theme, state.leaving, &state.playground),
    }
}

fn header(pen: &mut Pen<'_>, area: Rect, state: &State) {
    let dot = pen.theme.pick(" · ", " | ");
    let mut right = stage_words(state, pen.theme);
    let inner = Rect { x: area.x + 1, width: area.width - 2, ..area };
    // The tabs stay, whatever else there is no room for.
    let mut first = words([("finetop", Role::Title)]);
    if state.run().is_some() {
        if area.width < WITH_NAME {
            first.clear();
        } else {
            first.push((" ".into(), Role::Text));
        }
        first.extend(tabs(pen.theme, state, area.width < WITH_GAPS));
    }
    let x = pen.line(inner, 0, &first);
    let gap = if area.width < WITH_GAPS { 1 } else { 2 };
    let rest = Rect { x: x + gap, width: inner.right().saturating_sub(x + gap), ..inner };
    // With the tabs there may be no room for all of it; the beginning says what is the matter.
    for (long, short) in SHORTER {
        if pen::width(&right) > usize::from(rest.width) {
            right.iter_mut().for_each(|(text, _)| *text = text.replace(long, short).into());
        }
    }
    let right_at = pen.line_right(rest, 0, &right);
    let mut left: Words = Vec::new();
    let started = state.run().and_then(|r| r.view.started.as_ref());
    if let Some(started) = started {
        left.push((model_name(started.model_name.as_deref(), &started.config).into(), Role::Text));
        // The method is in the panel of progress too.
        for text in [printable(&started.device), format::method(&started.config)] {
            left.push((dot.into(), Role::Faint));
            left.push((text.into(), Role::Label));
        }
        if area.width >= 120 {
            left.push((dot.into(), Role::Faint));
            left.push((printable(&started.run_id).into(), Role::Label));
        }
    } else if state.in_playground() {
        left.push(("  playground".into(), Role::Text));
    } else if let Some(entry) = state.page.as_ref().and_then(|page| page.entry()) {
        left.push(("  ".into(), Role::Text));
        left.push((printable(&entry.title).into(), Role::Label));
    }
    let room = right_at.saturating_sub(rest.x + 2);
    pen.line(Rect { width: room, ..rest }, 0, &left);
}

/// The tabs with their keys. The one that is shown is marked by its colours, and by brackets where there are none.
fn tabs(theme: &Theme, state: &State, is_narrow: bool) -> Words {
    let mut tabs = Vec::new();
    let with_actions = [
        (Tab::Train, Action::TabTrain),
        (Tab::Charts, Action::TabCharts),
        (Tab::Log, Action::TabLog),
        (Tab::Memory, Action::TabMemory),
        (Tab::Bleu, Action::TabBleu),
        (Tab::Playground, Action::TabPlayground),
    ];
    for (tab, action) in with_actions {
        let key = state.keymap.key(action).map(|key| key.to_string()).unwrap_or_default();
        let is_shown = tab == state.tab;
        let (open, close) = match is_shown && !theme.has_color {
            true if is_narrow => (" [", "]"),
            true => ("[", "]"),
            false if is_narrow && !is_shown => (" ", ""),
            false => (" ", " "),
        };
        let name = if is_narrow && tab == Tab::Memory { "mem" } else { tab.name() };
        let (key_role, role) = if is_shown { (Role::Selected, Role::Selected) } else { (Role::Key, Role::Label) };
        tabs.extend(words([(open, role), (&key, key_role), (" ", role), (name, role), (close, role)]));
    }
    tabs
}

/// The model's own name, or the last part of where it comes from.
fn model_name(name: Option<&str>, config: &RunConfig) -> String {
    let source = &config.model.source;
    printable(name.unwrap_or_else(|| source.rsplit(['/', ':']).next().unwrap_or(source)))
}

fn footer(pen: &mut Pen<'_>, area: Rect, state: &State) {
    let inner = Rect { x: area.x + 1, width: area.width - 2, ..area };
    let paused = state.run().is_some_and(|r| r.control.paused_at_ms.is_some());
    let mut left: Words = Vec::new();
    // Help and quit are always there; the others come while they fit.
    let mut pieces: Vec<(bool, Words)> = Vec::new();
    let of_what_is_in_front = in_front(state);
    for (key, what) in &of_what_is_in_front {
        pieces.push((false, words([(key, Role::Key), (&format!(" {what}   "), Role::Label)])));
    }
    for binding in state.keymap.footer(state) {
        let key = state.keymap.key_now(binding.action, state).filter(|_| of_what_is_in_front.is_empty());
        let Some(key) = key else { continue };
        let in_settings = state.start_page().is_some_and(|page| page.pane == Pane::Settings);
        let short = match binding.short {
            "pause" if paused => "resume",
            "settings" if in_settings => "list",
            "search" if state.run().is_some() && state.tab == Tab::Bleu => "filter",
            "down" if state.run().is_some() && state.tab == Tab::Memory => "phases",
            short if state.in_playground() => {
                playground::footer_word(binding.action, &state.playground).unwrap_or(short)
            }
            short => state.plan_page().and_then(|page| plan::footer_word(binding.action, page)).unwrap_or(short),
        };
        // Both arrows turn a knob: they are named once.
        let turns = |action| is_available(action, state) && state.plan_page().is_some();
        if binding.action == Action::NextValue && turns(Action::PreviousValue) {
            continue;
        }
        // Two keys do it together.
        let key = match (binding.action, key) {
            (Action::PreviousValue | Action::NextValue, _)
                if !turns(Action::NextValue) || !turns(Action::PreviousValue) =>
            {
                key.to_string()
            }
            (Action::SelectDown, Key::Down) => pen.theme.pick("↑ ↓", "j k").to_owned(),
            (Action::CursorRight | Action::SortNext, Key::Right) | (Action::PreviousValue, Key::Left) => {
                pen.theme.pick("← →", "h l").to_owned()
            }
            (_, key) => key.to_string(),
        };
        let always = matches!(binding.short, "help" | "quit");
        pieces.push((always, words([(&key, Role::Key), (&format!(" {short}   "), Role::Label)])));
    }
    let mut room = inner.width;
    if let Some(notice) = &state.notice {
        // A notice takes at most two thirds; the keys take what is left. One that a person needs now is among them.
        let due = pieces.iter().find(|(always, _)| !always).filter(|_| is_report_due(state));
        let kept: usize = pieces.iter().filter(|(always, _)| *always).chain(due).map(|(_, w)| pen::width(w)).sum();
        let kept = if due.is_some() { kept } else { 0 };
        let most = (inner.width as usize * 2 / 3).min((inner.width as usize).saturating_sub(kept));
        let text = format::fit(&notice.text, most, pen.theme.ellipsis());
        let x = pen.line_right(inner, 0, &vec![(text.into(), role_of(notice.kind))]);
        room = x.saturating_sub(inner.x + 2);
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

fn role_of(kind: NoticeKind) -> Role {
    match kind {
        NoticeKind::Info => Role::Label,
        NoticeKind::Good => Role::Good,
        NoticeKind::Bad => Role::Bad,
    }
}

/// Keys of what lies over the panels, or is being typed: the others do nothing then, or something else.
fn in_front(state: &State) -> Vec<(String, &'static str)> {
    let fixed = |key: Key, what: &'static str| Some((key.to_string(), what));
    let up_and_down =
        |what: &'static str| hint(state, &[Action::SelectDown, Action::SelectUp]).map(|keys| (keys, what));
    let keys = match &state.overlay {
        Some(Overlay::Palette(_)) => [fixed(Key::Enter, "do it"), fixed(Key::Tab, "next"), fixed(Key::Esc, "close")],
        Some(Overlay::Runs(_)) => [fixed(Key::Enter, "lay over"), up_and_down("choose"), fixed(Key::Esc, "close")],
        Some(Overlay::Help { .. }) => {
            [up_and_down("scroll"), fixed(Key::Char(' '), "a page"), fixed(Key::Esc, "close")]
        }
        Some(Overlay::OutOfMemory(_)) => [
            up_and_down("choose"),
            state.keymap.letter(Action::Copy).map(|key| (key.to_string(), "copy the command")),
            fixed(Key::Esc, "close"),
        ],
        // What each of them does stands in the question.
        Some(Overlay::Ask(_)) => [fixed(Key::Char('y'), "yes"), fixed(Key::Char('n'), "no"), fixed(Key::Esc, "no")],
        Some(Overlay::Outcome { .. }) => return Vec::new(),
        None if state.in_playground() && super::update::takes_text(state) => {
            let run = state.keymap.keys(Action::RunTrial).iter().find(|key| key.types_nothing());
            let run = run.map(|key| (key.to_string(), "run"));
            match super::update::playground::edits(state) {
                true => [fixed(Key::Esc, "leave the text"), run, fixed(Key::Tab, "next")],
                // In a path, both keys run its rows.
                false if state.playground.page == Page::Rows => {
                    [fixed(Key::Enter, "run them"), fixed(Key::Esc, "leave"), None]
                }
                false => [fixed(Key::Esc, "as before"), run, fixed(Key::Enter, "take")],
            }
        }
        None if state.run().is_some() && state.tab == Tab::Bleu && state.bleu.typing.is_some() => {
            [fixed(Key::Enter, "keep"), fixed(Key::Esc, "as before"), fixed(Key::Ctrl('u'), "empty")]
        }
        None if state.run().is_some() && state.tab == Tab::Bleu && state.bleu.page.is_some() => [
            up_and_down("scroll"),
            hint(state, &[Action::Clear]).map(|key| (key, "close")),
            state.keymap.key(Action::Copy).map(|key| (key.to_string(), "copy")),
        ],
        None if state.run().is_none() || state.tab != Tab::Log => return Vec::new(),
        None if state.log.typing.is_some() => {
            [fixed(Key::Enter, "keep"), fixed(Key::Esc, "as before"), fixed(Key::Ctrl('u'), "empty")]
        }
        None if state.log.open.is_some() => [
            up_and_down("scroll"),
            hint(state, &[Action::Clear]).map(|key| (key, "close")),
            state.keymap.key(Action::Copy).map(|key| (key.to_string(), "copy")),
        ],
        None => return Vec::new(),
    };
    keys.into_iter().flatten().collect()
}

/// The keys of some actions in a hint: `j k`. None where none of them has a key.
fn hint(state: &State, actions: &[Action]) -> Option<String> {
    let keys = actions.iter().filter_map(|&action| state.keymap.hint(action, state)).map(|key| key.to_string());
    Some(keys.collect::<Vec<_>>().join(" ")).filter(|keys| !keys.is_empty())
}

/// What a terminal without room for panels gets: how it stands, what it is, what it would need.
fn too_small(pen: &mut Pen<'_>, area: Rect, state: &State) {
    let times = pen.theme.pick("×", "x");
    let mut lines: Vec<Words> = vec![stage_words(state, pen.theme)];
    if let Stage::Starting(preparation) = &state.stage
        && let Some(Fetching { done, total: Some(total), .. }) = preparation.now
    {
        lines.push(words([(&format!("{} of {}", format_bytes(done), format_bytes(total)), Role::Text)]));
    }
    if let Some(run) = state.run() {
        let view = &run.view;
        let total = format::or_unknown(view.planned_steps(), format::count);
        let step = format!("step {} / {total}", format::count(view.steps_done()));
        lines.push(words([(&step, Role::Text)]));
        lines.push(words([
            ("smoothed loss ", Role::Label),
            (&format::or_unknown(view.smoothed.last(), format::loss), Role::Loss),
        ]));
    }
    lines.push(words([(&format!("{}{times}{} here", area.width, area.height), Role::Warn)]));
    lines.push(words([(&format!("{}{times}{} needed", NEEDS.0, NEEDS.1), Role::Label)]));
    if let Some(Overlay::Ask(question)) = state.overlay {
        lines.insert(0, words([(ask::title(question), Role::Warn), (" y / n", Role::Key)]));
    } else if let Some(notice) = &state.notice {
        lines.insert(0, words([(&notice.text, role_of(notice.kind))]));
    }
    let shown = lines.len().min(area.height as usize);
    let top = (area.height as usize - shown) / 2;
    for (row, line) in lines.into_iter().take(shown).enumerate() {
        let width = pen::width(&line).min(area.width as usize) as u16;
        let x = area.x + (area.width - width) / 2;
        pen.line(Rect { x, width: area.width - (x - area.x), ..area }, (top + row) as u16, &line);
    }
}
