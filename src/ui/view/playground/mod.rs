//! The playground: texts on the left, what came of them on the right, where there is room for all; else the panel with the keys, and
//! below it the attempts. Here is who gets which part of the screen. The settings are in `settings`, the attempts as a list in `attempts`,
//! one of them whole in `trace`, the value in `result`, two outcomes beside each other in `compare`, lists in `lists`, rows in `rows`.

mod attempts;
mod compare;
mod lists;
pub mod result;
mod rows;
mod settings;
pub mod sheet;
pub mod trace;

use ratatui::layout::{Position, Rect};

use crate::extract::prompt;
use crate::ui::keymap::Action;
use crate::ui::state::State;
use crate::ui::state::editor::Editor;
use crate::ui::state::playground::batch::Part;
use crate::ui::state::playground::trial::Who;
use crate::ui::state::playground::{Focus, Page, Playground};
use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::editor::{self, Look, Mark};
use crate::ui::widgets::pen::inside;
use crate::ui::widgets::{Pen, Words, words};

/// From this terminal on all panels are shown at once.
const ROOMY: (u16, u16) = (110, 36);
/// In a longer prompt, in bytes, nobody looks for misspelt places with each frame.
const MOST_WATCHED: usize = 16 << 10;
/// From this width of the terminal on two outcomes stand side by side.
const BESIDE: u16 = 100;

/// Whether a terminal of this size shows all panels.
pub fn shows_all(size: (u16, u16)) -> bool {
    size.0 >= ROOMY.0 && size.1 >= ROOMY.1
}

/// Who gets which part of the body, and the line that names the panels where not all are shown.
fn split(body: Rect, state: &State) -> (Option<Rect>, Vec<(Focus, Rect)>) {
    let play = &state.playground;
    let compares = play.outcomes.len() > 1;
    if shows_all((body.width, body.height + 2)) {
        return (None, all(body, play, compares));
    }
    let strip = Rect { height: 1, ..body };
    let rest = Rect { y: body.y + 1, height: body.height - 1, ..body };
    let few = (rest.height / 4).max(5);
    let some = (rest.height * 2 / 5).clamp(5, 9);
    let (upper, lower, upper_height) = match play.focus {
        Focus::Attempts => {
            (Focus::Attempts, below_attempts(play), if compares { rest.height * 3 / 5 } else { rest.height / 2 })
        }
        Focus::Detail => (Focus::Attempts, Focus::Detail, few),
        Focus::Value => (Focus::Attempts, Focus::Value, few),
        focus => (focus, Focus::Attempts, rest.height - some),
    };
    let [above, below] = cut(rest, upper_height);
    (Some(strip), vec![(upper, above), (lower, below)])
}

/// What came of the trial, until a person looks at its attempts one by one.
fn below_attempts(play: &Playground) -> Focus {
    let is_done = play.running.is_none() && !play.outcomes.is_empty();
    if is_done && play.follows { Focus::Value } else { Focus::Detail }
}

fn all(body: Rect, play: &Playground, compares: bool) -> Vec<(Focus, Rect)> {
    let width = body.width * 9 / 20;
    let left = Rect { width, ..body };
    let right = Rect { x: body.x + width, width: body.width - width, ..body };
    let texts: Vec<Focus> = play.ring().into_iter().filter(|focus| play.editor(*focus).is_some()).collect();
    let settings = settings::height(play).min(body.height * 2 / 5);
    let [above, below] = cut(left, left.height - settings);
    let mut panels = Vec::new();
    let mut rest = above;
    for (at, focus) in texts.iter().enumerate() {
        let [this, others] = cut(rest, rest.height / (texts.len() - at) as u16);
        panels.push((*focus, this));
        rest = others;
    }
    panels.push((Focus::Settings, below));
    let list = if compares { body.height * 2 / 5 } else { body.height / 4 };
    let [attempts, others] = cut(right, list);
    let [detail, value] = cut(others, others.height / 2);
    panels.extend([(Focus::Attempts, attempts), (Focus::Detail, detail), (Focus::Value, value)]);
    panels
}

/// The upper part of an area, of so many rows, and the lower.
fn cut(area: Rect, height: u16) -> [Rect; 2] {
    let height = height.min(area.height);
    [Rect { height, ..area }, Rect { y: area.y + height, height: area.height - height, ..area }]
}

pub fn areas(body: Rect, state: &State) -> Vec<Rect> {
    match state.playground.page {
        Page::Panels => {
            let (strip, panels) = split(body, state);
            strip.into_iter().chain(panels.into_iter().map(|(_, area)| area)).collect()
        }
        Page::Rows => rows::areas(body, &state.playground.batch),
        Page::Examples { .. } | Page::Trials { .. } => vec![body],
    }
}

fn body_of(state: &State) -> Option<Rect> {
    let (width, height) = state.size;
    (!super::is_too_small(state.size)).then(|| super::body(Rect { x: 0, y: 0, width, height }))
}

/// The panels that are shown, with their frames.
pub fn places(state: &State) -> Vec<(Focus, Rect)> {
    body_of(state).filter(|_| state.playground.page == Page::Panels).map_or_else(Vec::new, |body| split(body, state).1)
}

/// The cells of the texts that are shown.
pub fn text_places(state: &State) -> Vec<(Focus, Rect)> {
    let is_text = |(focus, _): &(Focus, Rect)| state.playground.editor(*focus).is_some();
    places(state).into_iter().filter(is_text).map(|(focus, area)| (focus, editor::room(area))).collect()
}

/// Rows of what has the keys.
pub fn page(state: &State) -> isize {
    let Some(body) = body_of(state) else { return 1 };
    let height = match &state.playground.page {
        Page::Panels => {
            let own = places(state).into_iter().find(|(focus, _)| *focus == state.playground.focus);
            own.map_or(1, |(_, area)| inside(area).height)
        }
        Page::Rows => rows::page(body, &state.playground.batch),
        Page::Examples { .. } | Page::Trials { .. } => inside(body).height,
    };
    height.max(1) as isize
}

/// The part of the rows' page at a cell.
pub fn part_at(state: &State, cell: Position) -> Option<Part> {
    let body = body_of(state).filter(|_| state.playground.page == Page::Rows)?;
    rows::parts(body, &state.playground.batch).into_iter().find(|(_, area)| area.contains(cell)).map(|(part, _)| part)
}

/// How far what has the keys can be scrolled.
pub fn scroll_limit(state: &State) -> u16 {
    let play = &state.playground;
    if let (Page::Rows, Some(body)) = (&play.page, body_of(state)) {
        return rows::scroll_limit(body, state);
    }
    let Some((_, area)) = places(state).into_iter().find(|(focus, _)| *focus == play.focus) else { return 0 };
    let inner = inside(area);
    // How a line is drawn does not change how many there are.
    let count = match play.focus {
        Focus::Detail => detail(state, inner.width).len(),
        Focus::Value => value(state, inner.width).len(),
        _ => 0,
    };
    u16::try_from(count).unwrap_or(u16::MAX).saturating_sub(inner.height)
}

/// The selected attempt, whole.
fn detail(state: &State, width: u16) -> Vec<Words> {
    let play = &state.playground;
    // What is being written says nothing but itself.
    if let Some(written) = play.written().filter(|_| play.follows) {
        let mut sheet = sheet::Sheet::new(width);
        sheet.end_of(written, Role::Text);
        return sheet.lines;
    }
    play.outcome().map_or_else(Vec::new, |outcome| trace::lines(&outcome.trace, play.attempt, width))
}

/// The value, or the two that are compared.
fn value(state: &State, width: u16) -> Vec<Words> {
    let play = &state.playground;
    match play.outcomes.as_slice() {
        [a, b] => {
            let making = [play.is_making(0), play.is_making(1)];
            let mut lines = compare::lines(a, b, making, width);
            for (outcome, _) in [a, b].into_iter().zip(making).filter(|(_, is_making)| !is_making) {
                lines.extend([Words::new(), words([(&outcome.label, Role::Title)])]);
                lines.extend(result::lines(&outcome.trace, width));
            }
            lines
        }
        // Where nothing could be asked, this is all there is to say.
        [] => {
            let mut sheet = sheet::Sheet::new(width);
            play.failure.iter().for_each(|why| sheet.line(&[(why, Role::Bad)]));
            sheet.lines
        }
        _ => play.outcome().map_or_else(Vec::new, |outcome| result::lines(&outcome.trace, width)),
    }
}

/// Where letters go, in the text that they are typed into, comes back.
pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State) -> Option<Position> {
    let play = &state.playground;
    match &play.page {
        Page::Examples { selected } => lists::examples(pen, body, *selected),
        Page::Trials { selected } => lists::trials(pen, body, state, *selected),
        Page::Rows => rows::draw(pen, body, state),
        Page::Panels => return draw_panels(pen, body, state),
    }
    None
}

fn draw_panels(pen: &mut Pen<'_>, body: Rect, state: &State) -> Option<Position> {
    let play = &state.playground;
    let mut cursor = None;
    let (strip, panels) = split(body, state);
    if let Some(strip) = strip {
        draw_strip(pen, strip, play);
    }
    for (focus, area) in panels {
        match focus {
            Focus::Settings => settings::draw(pen, area, play),
            Focus::Attempts => attempts::draw(pen, area, state),
            Focus::Detail => {
                let lines = detail(state, inside(area).width);
                draw_lines(pen, area, "attempt", play, focus, lines);
            }
            Focus::Value => {
                let title = if play.outcomes.len() > 1 { "compared" } else { "value" };
                let lines = value(state, inside(area).width);
                draw_lines(pen, area, title, play, focus, lines);
            }
            focus => cursor = cursor.or(draw_text(pen, area, play, focus)),
        }
    }
    cursor.filter(|_| play.typing)
}

/// What a key does to what is in front, where the table's word would say something else.
pub fn footer_word(action: Action, play: &Playground) -> Option<&'static str> {
    match (action, &play.page, play.focus) {
        (Action::OpenHere, Page::Examples { .. }, _) => Some("take"),
        (Action::OpenHere, Page::Trials { .. }, _) => Some("put back"),
        (Action::OpenHere, Page::Rows, _) if play.batch.is_empty() => Some("name a file"),
        (Action::OpenHere, Page::Rows, _) | (Action::OpenHere, Page::Panels, Focus::Attempts) => Some("open"),
        (Action::OpenHere, Page::Panels, Focus::Detail) => Some("attempts"),
        (Action::NextValue, Page::Rows, _) if play.batch.all => Some("those that failed"),
        (Action::NextValue, Page::Rows, _) => Some("all rows"),
        (Action::NextValue, Page::Panels, focus) if focus != Focus::Settings => Some("the other"),
        (Action::BackToStart, ..) => Some("leave"),
        (Action::Clear, Page::Panels, _) if play.running.is_none() && play.focus != Focus::Detail => Some("the rows"),
        (Action::Clear, Page::Panels, _) if play.running.is_some() => Some("cancel"),
        (Action::Clear, Page::Rows, _) if play.makes_rows() => Some("cancel"),
        _ => None,
    }
}

/// A panel's name, as it stands on its frame and in the strip.
fn name(focus: Focus, play: &Playground) -> &'static str {
    match focus {
        Focus::Prompt if play.ring().contains(&Focus::PromptB) => "prompt A",
        Focus::Prompt => "prompt",
        Focus::PromptB => "prompt B",
        Focus::Text if play.settings.who == Who::Given => "answer",
        Focus::Text => "text",
        Focus::Schema => "schema",
        Focus::Settings => "settings",
        Focus::Attempts => "attempts",
        Focus::Detail => "attempt",
        Focus::Value => "value",
    }
}

/// The panels' names, the one with the keys marked.
fn draw_strip(pen: &mut Pen<'_>, area: Rect, play: &Playground) {
    let mut line = Words::new();
    for focus in play.ring() {
        let is_here = focus == play.focus;
        let (open, close) = if is_here && !pen.theme.has_color { ("[", "]") } else { (" ", " ") };
        let role = if is_here { Role::Selected } else { Role::Label };
        line.extend(words([(open, role), (name(focus, play), role), (close, role)]));
    }
    pen.line(Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area }, 0, &line);
}

fn draw_text(pen: &mut Pen<'_>, area: Rect, play: &Playground, focus: Focus) -> Option<Position> {
    let text = play.editor(focus)?;
    let is_here = play.focus == focus;
    let mut right = Words::new();
    if focus == Focus::Schema {
        let edited = if play.schema_is_edited() { ", edited" } else { "" };
        let name = crate::units::printable(&play.settings.schema_name);
        right.push((format!("  {name}{edited}").into(), Role::Label));
    }
    let row = play.row_text.as_ref().filter(|_| focus == Focus::Text);
    let name = row.map_or_else(|| name(focus, play).to_owned(), |(label, _)| format!("text of {label}"));
    if is_here {
        let own = if row.is_some() { "  Enter: your own text" } else { "  Enter types" };
        let (text, role) = if play.typing { ("  typing", Role::Active) } else { (own, Role::Label) };
        right.push((text.into(), role));
    }
    let hint = match focus {
        Focus::Prompt | Focus::PromptB => "what the model is told; {text} and {schema} are filled in",
        Focus::Text if row.is_some() => "not told",
        Focus::Text if play.settings.who == Who::Given => "an answer to be read, as a model would give it",
        Focus::Text => "the text to extract from; x has examples",
        _ => "a JSON Schema",
    };
    let flaw = play.flaw().filter(|_| focus == Focus::Schema);
    let mark = flaw.and_then(|flaw| flaw.place).map(|(from, to)| Mark { from, to, role: Role::Bad });
    let marks = mark.as_slice();
    let stands_in = || {
        let why =
            play.stands_in(focus).map(|why| format!(" not the configuration's: {} ", crate::units::printable(why)));
        why.map_or_else(Words::new, |why| words([(&why, Role::Bad)]))
    };
    let unfilled = || {
        let word = Some(text).filter(|_| matches!(focus, Focus::Prompt | Focus::PromptB)).and_then(unfilled)?;
        let places = prompt::PLACES.join(" ");
        Some(words([(&format!(" {word} is sent as it stands; filled in are {places} "), Role::Warn)]))
    };
    let below = match flaw {
        Some(flaw) => words([(&format!(" {} ", flaw.told(text)), Role::Bad)]),
        None => unfilled().unwrap_or_else(stands_in),
    };
    editor::draw(pen, area, text, &Look { title: &name, is_focused: is_here, marks, right, below, hint })
}

/// What looks like a place of a prompt and is none.
fn unfilled(prompt: &Editor) -> Option<&str> {
    let lines = Some(prompt).filter(|prompt| prompt.len() <= MOST_WATCHED)?.lines();
    lines.iter().find_map(|line| prompt::unknown_place(line))
}

/// A title that shows which panel has the keys, without colours too.
fn title(theme: &Theme, text: &str, has_keys: bool) -> String {
    if has_keys { format!("{}{text}", theme.pick("▸ ", "> ")) } else { text.to_owned() }
}

fn draw_lines(pen: &mut Pen<'_>, area: Rect, text: &str, play: &Playground, focus: Focus, lines: Vec<Words>) {
    let has_keys = play.focus == focus;
    let title = title(pen.theme, text, has_keys);
    let inner = pen.panel(area, &title, &Words::new());
    let limit = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_sub(inner.height);
    // What is being written is read at its end.
    let streams = focus == Focus::Detail && play.follows && play.running.is_some();
    let from = match (has_keys, streams) {
        (true, true) if play.at_end => limit,
        (true, _) => play.scroll.min(limit),
        (false, true) => limit,
        (false, false) => 0,
    };
    for (row, line) in lines.iter().skip(from.into()).take(inner.height.into()).enumerate() {
        pen.line(inner, row as u16, line);
    }
    more_marks(pen, area, from > 0, from < limit);
}

/// Marks on a panel's frame where it has more than it shows.
fn more_marks(pen: &mut Pen<'_>, area: Rect, above: bool, below: bool) {
    if area.height < 3 || area.width == 0 {
        return;
    }
    let (up, down) = if pen.theme.is_ascii() { ('^', 'v') } else { ('▲', '▼') };
    if above {
        pen.cell(area.right() - 1, area.y + 1, up, Role::Key);
    }
    if below {
        pen.cell(area.right() - 1, area.bottom() - 2, down, Role::Key);
    }
}
