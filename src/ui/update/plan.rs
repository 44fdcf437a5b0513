//! What keys do on the page of the memory plan: a knob is chosen and turned, and what was turned becomes settings of the entry, or of its file.

use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::message::Effect;
use crate::ui::state::knobs::Knob;
use crate::ui::state::plan::{Ground, Half, Known, PlanPage};
use crate::ui::state::start::{Entry, Look, ModelPlace, Rows, StartPage, Target};
use crate::ui::state::{NoticeKind, Overlay, Question, Stage, State};
use crate::units::printable;

use super::notify;

/// Data of more lines is only read when the plan is asked for.
const READ_UNASKED: u64 = 10_000;

/// Opens the plan of the selected entry, or leaves it; what it stands on is read meanwhile.
pub(super) fn toggle(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(page) = &mut state.page else { return };
    if page.plan.take().is_some() {
        return;
    }
    let Some(plan) = page.entry().and_then(PlanPage::of) else { return };
    if plan.known == Known::Reading {
        ask(page, effects);
    }
    page.plan = Some(Box::new(plan));
}

/// Asks for what plans of the selected entry stand on.
fn ask(page: &mut StartPage, effects: &mut Vec<Effect>) {
    if page.plan_asked == Some(page.plan_ticket) {
        return;
    }
    page.plan_ticket += 1;
    let ticket = page.plan_ticket;
    page.plan_asked = Some(ticket);
    effects.extend(page.entry().map(|entry| Effect::Plan { ticket, request: Box::new(entry.request()) }));
}

/// The files of an entry were looked at: what is read quickly is read unasked, so that the page says whether the run fits.
pub(super) fn looked(page: &mut StartPage, look: &Look, effects: &mut Vec<Effect>) {
    let quick = |look: &Look| {
        let rows = look.splits.iter().map(|split| &split.rows);
        let few = |rows: &Rows| matches!(rows, Rows::Counted(rows) if *rows <= READ_UNASKED);
        matches!(look.model, ModelPlace::Here { .. }) && rows.clone().all(few)
    };
    let unknown = page.entry().is_some_and(|entry| entry.can_start() && entry.ground().is_none());
    if unknown && quick(look) {
        ask(page, effects);
    }
}

/// The list is another: what was asked for is asked again.
pub(super) fn entries_changed(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(page) = &mut state.page else { return };
    if page.plan.as_ref().is_some_and(|plan| plan.known == Known::Reading) {
        ask(page, effects);
    }
}

pub(super) fn planned(state: &mut State, ticket: u64, result: Result<Box<Ground>, String>) {
    let Some(page) = state.page.as_mut().filter(|page| page.plan_ticket == ticket) else { return };
    page.plan_asked = None;
    match result {
        Ok(ground) => {
            if let Some(plan) = &mut page.plan {
                plan.learn(Ground::clone(&ground));
            }
            if let Some(entry) = page.entry_mut() {
                entry.learn(*ground);
            }
        }
        Err(why) => {
            if let Some(plan) = &mut page.plan {
                plan.known = Known::Not(why);
            }
        }
    }
    state.revision += 1;
}

/// Carries out an action of the plan's page; false where it is none.
pub(super) fn act(state: &mut State, action: Action) -> bool {
    let Some(plan) = state.page.as_mut().and_then(|page| page.plan.as_deref_mut()) else { return false };
    match action {
        Action::SelectUp | Action::SelectDown | Action::First | Action::Last => {
            let others = plan.figures().map_or(0, |figures| figures.elsewhere.len());
            let (at, last) = match plan.half {
                Half::Levers => (&mut plan.knob, Knob::ALL.len() - 1),
                Half::Elsewhere => (&mut plan.other, others),
            };
            *at = match action {
                Action::SelectUp => at.saturating_sub(1),
                Action::SelectDown => (*at + 1).min(last),
                Action::First => 0,
                _ => last,
            };
        }
        Action::NextValue | Action::PreviousValue => {
            let more = action == Action::NextValue;
            if let Some(config) = plan.knob().turned(&plan.config, &plan.before, more) {
                plan.look_at(config);
            }
        }
        Action::ResetSetting => {
            let mut config = plan.config.clone();
            plan.knob().reset(&mut config, &plan.before);
            plan.look_at(config);
        }
        Action::Elsewhere => {
            plan.half = if plan.half == Half::Levers { Half::Elsewhere } else { Half::Levers };
        }
        Action::Formula => plan.formula = !plan.formula,
        Action::ApplyPlan => apply(state),
        Action::Clear | Action::MemoryPlan => {
            if let Some(page) = &mut state.page {
                page.plan = None;
            }
        }
        _ => return false,
    }
    true
}

/// What was turned becomes settings of the entry; where it is a file, whether it goes into that too is asked.
fn apply(state: &mut State) {
    let ms = state.clock.ms;
    let Some(page) = &mut state.page else { return };
    let Some(plan) = page.plan.take() else { return };
    let edits = plan.edits();
    let count = edits.len() as u64;
    let Some(entry) = page.entry_mut() else { return };
    entry.edit_all(&edits);
    let is_file = matches!(entry.target(), Target::File(_)) && entry.edits() > 0;
    page.look_later(ms);
    state.stage = Stage::Ready;
    let settings = if count == 1 { "setting" } else { "settings" };
    notify(state, NoticeKind::Good, format!("{} {settings} applied to the next start", format::count(count)));
    if is_file {
        state.overlay = Some(Overlay::Ask(Question::WriteFile));
    }
}

/// Whether an action makes sense on the plan's page.
pub fn is_available(action: Action, plan: &PlanPage) -> bool {
    let levers = plan.half == Half::Levers;
    let turns = |more| plan.knob().turned(&plan.config, &plan.before, more).is_some();
    match action {
        Action::NextValue => levers && plan.editable && turns(true),
        Action::PreviousValue => levers && plan.editable && turns(false),
        Action::ResetSetting => levers && plan.knob().differs(&plan.before, &plan.config),
        Action::ApplyPlan => levers && plan.editable && plan.is_changed(),
        Action::Formula => !levers && plan.figures().is_some(),
        _ => true,
    }
}

/// Why a key does nothing there.
pub fn why_not(action: Action, plan: &PlanPage) -> Option<&'static str> {
    match action {
        Action::NextValue if plan.half == Half::Levers && plan.editable => Some("there is no more of it"),
        Action::PreviousValue if plan.half == Half::Levers && plan.editable => Some("there is no less of it"),
        Action::NextValue | Action::PreviousValue | Action::ApplyPlan if !plan.editable => {
            Some("a run's settings stay as it began")
        }
        Action::ApplyPlan if !plan.is_changed() => Some("nothing was changed"),
        Action::ResetSetting => Some("it is as it was"),
        _ => None,
    }
}

/// The person wants the edits in the file.
pub(super) fn write_file(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(entry) = state.page.as_ref().and_then(StartPage::entry) else { return };
    let Target::File(path) = entry.target() else { return };
    let own = |(section, name, value): (&str, &str, String)| (section.to_owned(), name.to_owned(), value);
    let settings = entry.edits_as_toml().into_iter().map(own).collect();
    effects.push(Effect::WriteSettings { path: path.clone(), settings });
}

pub(super) fn written(state: &mut State, result: Result<String, String>, effects: &mut Vec<Effect>) {
    match result {
        Ok(file) => {
            notify(state, NoticeKind::Good, format!("written: {}", printable(&file)));
            effects.push(Effect::Discover);
        }
        Err(why) => notify(state, NoticeKind::Bad, printable(&why)),
    }
    state.revision += 1;
}

/// What would be written, a line each.
pub fn to_write(entry: &Entry) -> Vec<String> {
    entry.edits_as_toml().into_iter().map(|(section, name, value)| format!("{section}.{name} = {value}")).collect()
}
