//! What keys do on the start page: choosing what to run, editing its settings, starting, watching, resuming, and coming back from a run.

use crate::config::settings::settings;
use crate::ui::keymap::Action;
use crate::ui::message::{Effect, Key};
use crate::ui::state::field::Field;
use crate::ui::state::start::{Editing, Entry, Errand, Look, Pane, StartPage, Target, choices};
use crate::ui::state::{NoticeKind, Preparation, Stage, State, Tab, log};

use super::{notify, plan, playground};

/// A selection that stays so long has its files looked at.
const LOOK_AFTER_MS: u64 = 120;
/// Rows of a page, whatever the size of the terminal is.
const PAGE: usize = 10;

/// Carries out an action of the start page; false where it is none.
pub fn act(state: &mut State, action: Action, effects: &mut Vec<Effect>) -> bool {
    match action {
        Action::CancelStart => {
            let watching = state.page.as_ref().is_some_and(|page| page.errand == Errand::Watch);
            state.stage = Stage::Ready;
            effects.push(Effect::CancelStart);
            notify(state, NoticeKind::Info, if watching { "cancelled" } else { "cancelled; what was fetched is kept" });
            look_anew(state);
            return true;
        }
        Action::BackToStart => {
            back(state, effects);
            return true;
        }
        _ => {}
    }
    if state.plan_page().is_some() {
        return plan::act(state, action);
    }
    let clock = state.clock;
    let Some(page) = state.page.as_mut().filter(|_| matches!(state.stage, Stage::Ready | Stage::Failed(_))) else {
        return false;
    };
    match action {
        Action::Start => begin(state, Errand::Start, effects),
        Action::ResumeRun => begin(state, Errand::Resume, effects),
        Action::Watch => begin(state, Errand::Watch, effects),
        Action::SwitchPane => {
            page.pane = if page.pane == Pane::List { Pane::Settings } else { Pane::List };
        }
        Action::SelectUp | Action::SelectDown | Action::PageUp | Action::PageDown | Action::First | Action::Last => {
            let (at, count) = match page.pane {
                Pane::List => (&mut page.selected, page.entries.len()),
                Pane::Settings => (&mut page.row, settings().len()),
            };
            let before = *at;
            let last = count.saturating_sub(1);
            *at = match action {
                Action::SelectUp => before.saturating_sub(1),
                Action::SelectDown => before + 1,
                Action::PageUp => before.saturating_sub(PAGE),
                Action::PageDown => before + PAGE,
                Action::First => 0,
                _ => last,
            }
            .min(last);
            if page.pane == Pane::List && *at != before {
                page.look_later(clock.ms + LOOK_AFTER_MS);
                // What failed was another entry.
                state.stage = Stage::Ready;
            }
        }
        Action::Clear => {
            page.pane = Pane::List;
            state.stage = Stage::Ready;
        }
        Action::Refresh => effects.push(Effect::Discover),
        Action::MemoryPlan => plan::toggle(state, effects),
        Action::EditSetting => {
            let text = page.entry().and_then(|entry| entry.value(page.row)?.text.clone()).unwrap_or_default();
            page.editing = Some(Editing { field: Field::new(text), problem: None });
        }
        Action::NextValue => turn_value(state, 1),
        Action::PreviousValue => turn_value(state, -1),
        Action::ResetSetting => {
            let row = page.row;
            let done = page.entry_mut().is_none_or(|entry| entry.reset(row));
            page.look_later(clock.ms + LOOK_AFTER_MS);
            if !done {
                notify(state, NoticeKind::Bad, "another edit needs this one; reset that first");
            }
        }
        _ => return false,
    }
    true
}

/// Why a key does nothing here, where that is not plain.
pub fn why_not(action: Action, state: &State) -> Option<&'static str> {
    let entry = state.start_page()?.entry()?;
    if let Some(plan) = state.plan_page() {
        return plan::why_not(action, plan);
    }
    match action {
        Action::ApplyPlan | Action::Elsewhere | Action::Formula => Some("that is for the memory plan"),
        Action::MemoryPlan => Some("mend the configuration first"),
        // Enter and S, whatever they would do elsewhere.
        Action::TakeSetting | Action::Start if entry.config().is_err() => Some("mend the configuration first"),
        Action::ResumeRun if entry.past.is_some() => Some("only a run that ended before its time can be resumed"),
        Action::EditSetting if entry.past.is_some() => Some("a run's settings stay as it began"),
        _ => None,
    }
}

fn begin(state: &mut State, errand: Errand, effects: &mut Vec<Effect>) {
    let Some(page) = &mut state.page else { return };
    let Some(request) = page.entry().map(Entry::request) else { return };
    page.errand = errand;
    page.plan = None;
    page.look_from_ms = None;
    // An answer that is on its way is about what was before.
    page.look_ticket += 1;
    effects.push(match (errand, request.target.clone()) {
        (Errand::Watch, Target::Run(folder)) => Effect::OpenRun(folder),
        _ => Effect::StartRun(Box::new(request)),
    });
    state.stage = Stage::Starting(Preparation::default());
}

/// Leaves a run that needs nobody any more, and looks around again.
fn back(state: &mut State, effects: &mut Vec<Effect>) {
    state.stage = Stage::Ready;
    state.overlay = None;
    state.notice = None;
    // What was looked at belongs to the run that is left.
    state.tab = Tab::default();
    state.chart.forget_run();
    state.log = log::LogView::default();
    playground::drop_trial(state, effects);
    state.playground.forget_run();
    if let Some(page) = &mut state.page {
        page.pane = Pane::List;
        page.editing = None;
        page.plan = None;
    }
    effects.extend([Effect::LeaveRun, Effect::Discover]);
}

/// The model may have come meanwhile, whole or in part.
pub fn look_anew(state: &mut State) {
    let ms = state.clock.ms;
    if let Some(page) = &mut state.page {
        page.entries.iter_mut().for_each(|entry| entry.look = None);
        page.look_later(ms);
    }
}

/// Asks for a look at the selected entry's files, when it is time and nobody did.
pub fn tick(state: &mut State, effects: &mut Vec<Effect>) {
    let ms = state.clock.ms;
    if !matches!(state.stage, Stage::Ready | Stage::Failed(_)) {
        return;
    }
    let Some(page) = state.page.as_mut().filter(|page| page.look_from_ms.is_some_and(|from| ms >= from)) else {
        return;
    };
    page.look_from_ms = None;
    let ticket = page.look_ticket;
    if let Some(entry) = page.entry().filter(|entry| entry.look.is_none() && entry.can_start()) {
        effects.push(Effect::Look { ticket, request: Box::new(entry.request()) });
    }
}

pub fn looked(state: &mut State, ticket: u64, look: Look, effects: &mut Vec<Effect>) {
    let Some(page) = state.page.as_mut().filter(|page| page.look_ticket == ticket) else { return };
    plan::looked(page, &look, effects);
    if let Some(entry) = page.entry_mut() {
        entry.look = Some(look);
        state.revision += 1;
    }
}

pub fn entries(state: &mut State, entries: Vec<Entry>) {
    if let Some(page) = &mut state.page {
        page.refresh(entries);
        state.revision += 1;
    }
}

/// Whether a value is being typed.
pub fn takes_text(state: &State) -> bool {
    state.start_page().is_some_and(|page| page.editing.is_some())
}

/// A key while a value is being typed.
pub fn key(state: &mut State, key: Key) {
    let action = state.keymap.action(key, state);
    let ms = state.clock.ms;
    let Some(page) = &mut state.page else { return };
    let kind = page.setting().map(|setting| setting.kind);
    let Some(editing) = &mut page.editing else { return };
    let names = kind.and_then(choices);
    let turn = match key {
        Key::Char(' ') | Key::Right | Key::Down => 1,
        Key::Left | Key::Up => -1,
        _ => 0,
    };
    match (names, action) {
        (Some(names), _) if turn != 0 => {
            let next = next_of(&names, editing.field.text(), turn, 1);
            editing.field = Field::new(next);
        }
        // What edits comes before what the keymap says: Backspace is no reset here.
        _ if editing.field.key(key) => {}
        (_, Some(Action::TakeSetting)) => {
            let (row, text) = (page.row, editing.field.text().to_owned());
            if let Some(entry) = page.entry_mut()
                && entry.problem(row, &text).is_none()
            {
                entry.edit(row, &text);
                page.editing = None;
                page.look_later(ms + LOOK_AFTER_MS);
                state.stage = Stage::Ready;
            }
            return check(state);
        }
        (_, Some(Action::DropSetting)) => page.editing = None,
        _ => {}
    }
    check(state);
}

pub fn pasted(state: &mut State, text: &str) {
    if let Some(editing) = state.page.as_mut().and_then(|page| page.editing.as_mut()) {
        editing.field.insert(text);
        check(state);
    }
}

/// Says what is wrong with what was typed so far.
fn check(state: &mut State) {
    let Some(StartPage { entries, selected, row, editing: Some(editing), .. }) = &mut state.page else { return };
    editing.problem = entries.get(*selected).and_then(|entry| entry.problem(*row, editing.field.text()));
}

/// The next value of a choice that goes together with the others.
fn turn_value(state: &mut State, by: isize) {
    let ms = state.clock.ms;
    let Some(page) = &mut state.page else { return };
    let (row, names) = (page.row, page.setting().and_then(|setting| choices(setting.kind)));
    let (Some(names), Some(entry)) = (names, page.entry_mut()) else { return };
    let now = entry.value(row).and_then(|value| value.text.clone()).unwrap_or_default();
    let next: Vec<&str> = (1..names.len()).map(|times| next_of(&names, &now, by, times)).collect();
    let taken = next.iter().find(|name| entry.problem(row, name).is_none());
    let why = next.first().and_then(|name| entry.problem(row, name));
    match (taken, why) {
        (Some(name), _) => {
            entry.edit(row, name);
            page.look_later(ms + LOOK_AFTER_MS);
            state.stage = Stage::Ready;
        }
        (None, Some(why)) => notify(state, NoticeKind::Bad, crate::units::printable(&why)),
        (None, None) => {}
    }
}

fn next_of<'a>(names: &[&'a str], now: &str, by: isize, times: usize) -> &'a str {
    let count = names.len().max(1) as isize;
    // A text that is none of them comes before the first, or behind the last.
    let at = names.iter().position(|name| *name == now).map_or(if by > 0 { -1 } else { 0 }, |at| at as isize);
    names.get((at + by * times as isize).rem_euclid(count) as usize).copied().unwrap_or_default()
}
