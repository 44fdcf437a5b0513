//! Below the list: whether all that a run needs is there, how far its preparation is, or why it failed; while settings have the keys, what the
//! selected one means.

use ratatui::layout::Rect;

use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::state::start::{Entry, Errand, ModelPlace, Pane, Rows, StartPage};
use crate::ui::state::{Preparation, Stage, State};
use crate::ui::theme::Role;
use crate::ui::widgets::{Pen, Words, bars, words};
use crate::units::{format_bytes, format_duration, printable};

use super::settings;

/// What it takes; no more than half of the body.
pub fn height(body: Rect, state: &State) -> u16 {
    let wanted = match &state.stage {
        Stage::Failed(why) => format::wrap(&printable(why), body.width.saturating_sub(4) as usize).len() as u16 + 2,
        _ => 0,
    };
    let least = if body.height < 20 { 5 } else { 6 };
    wanted.clamp(least, (body.height / 2).max(least))
}

pub fn draw(pen: &mut Pen<'_>, area: Rect, state: &State, page: &StartPage, entry: &Entry, roomy: bool) {
    let area = Rect { x: area.x + 2, width: area.width.saturating_sub(4), ..area };
    match &state.stage {
        Stage::Starting(preparation) => fetching(pen, area, page, preparation),
        Stage::Failed(why) => failed(pen, area, state, page, why),
        Stage::Ready if page.pane == Pane::Settings && !roomy => {
            settings::help(pen, area, page);
            if page.editing.is_none() && entry.can_start() {
                let start = words([(&key(state, Action::Start), Role::Key), ("  start training", Role::Text)]);
                pen.line(area, area.height.saturating_sub(1), &start);
            }
        }
        Stage::Ready => {
            // Where there is room for both, they stand beside each other.
            let helps = page.pane == Pane::Settings && area.width >= 110;
            let left = if helps { Rect { width: area.width / 2 - 2, ..area } } else { area };
            ready(pen, left, state, entry);
            if helps {
                let x = area.x + area.width / 2;
                settings::help(pen, Rect { x, width: area.right() - x, ..area }, page);
            }
        }
        Stage::Run(_) => {}
    }
}

fn key(state: &State, action: Action) -> String {
    state.keymap.key_now(action, state).map(|key| key.to_string()).unwrap_or_default()
}

fn ready(pen: &mut Pen<'_>, area: Rect, state: &State, entry: &Entry) {
    let mut lines: Vec<Words> = Vec::new();
    let choice = |action, what: &str| words([(&key(state, action), Role::Key), (&format!("  {what}"), Role::Text)]);
    if entry.past.is_some() {
        lines.push(choice(Action::Watch, "look at this run"));
        if entry.can_resume() {
            lines.push(choice(Action::ResumeRun, "go on with it from where it was saved last"));
        }
    } else if entry.config().is_err() {
        lines.push(words([("It can be started once its file is mended. ", Role::Label)]));
        lines.push(choice(Action::Refresh, "look at it again"));
    } else {
        lines = checks(pen, entry);
        // Only where the key that starts keeps its place.
        if lines.len() + 1 < area.height as usize
            && let Some(plan) = entry.planned()
        {
            let (text, role) = super::planned(plan);
            let (mark, role) = match plan.fits() {
                Some(false) => (pen.theme.pick("✗", "x"), role),
                _ => (pen.theme.pick("✓", "+"), role),
            };
            let key = format!("   {}", key(state, Action::MemoryPlan));
            let mut line = words([(mark, role), ("  memory  ", Role::Label), (&text, Role::Text)]);
            line.extend(words([(&key, Role::Key), (" shows where", Role::Label)]));
            lines.push(line);
        }
        lines.push(choice(Action::Start, "start training"));
    }
    let free = area.height.saturating_sub(lines.len() as u16);
    let count = lines.len();
    for (row, line) in lines.iter().enumerate() {
        // The key stands apart where there is room.
        let apart = u16::from(row + 1 == count && free > 0 && count > 2);
        pen.line(area, row as u16 + apart, line);
    }
}

/// What a run needs, each with a mark that says whether it is there.
fn checks(pen: &Pen<'_>, entry: &Entry) -> Vec<Words> {
    let theme = pen.theme;
    let good = (theme.pick("✓", "+"), Role::Good);
    let bad = (theme.pick("✗", "x"), Role::Bad);
    let fetch = (theme.pick("↓", "v"), Role::Warn);
    let line = |(mark, role): (&str, Role), name: &str, text: &str| {
        let text = format!("  {}", printable(text));
        words([(mark, role), (&format!("  {name:<6}"), Role::Label), (&text, Role::Text)])
    };
    let Some(look) = &entry.look else {
        return vec![words([(theme.pick("…", "~"), Role::Faint), ("  looking at model and data", Role::Label)])];
    };
    let mut lines = Vec::new();
    lines.push(match &look.model {
        ModelPlace::Here { bytes } => line(good, "model", &format!("is here, {}", format_bytes(*bytes))),
        ModelPlace::Missing { from, bytes } => {
            let size = match bytes {
                Some(bytes) => format!("{} to fetch {from}", format_bytes(*bytes)),
                None => format!("to fetch {from}, size unknown"),
            };
            line(fetch, "model", &format!("not here yet: {size}"))
        }
        ModelPlace::Wrong(why) => line(bad, "model", why),
    });
    let mut counted = Vec::new();
    for split in &look.splits {
        match &split.rows {
            Rows::Counted(0) => lines.push(line(bad, "data", &format!("{} is empty", split.split))),
            Rows::Counted(rows) => {
                let unit = if counted.is_empty() { " lines" } else { "" };
                counted.push(format!("{} {}{unit}", split.split, format::count(*rows)));
            }
            Rows::Uncounted { bytes } => counted.push(format!("{} {}", split.split, format_bytes(*bytes))),
            Rows::Missing(why) => {
                lines.push(line(bad, "data", &format!("{}: {why}: {}", split.split, split.path.display())));
            }
        }
    }
    if !counted.is_empty() {
        lines.push(line(good, "data", &counted.join(", ")));
    }
    if let Some(steps) = look.planned_steps {
        lines.push(line(good, "length", &format!("{} steps", format::count(steps))));
    }
    lines
}

fn fetching(pen: &mut Pen<'_>, area: Rect, page: &StartPage, preparation: &Preparation) {
    let Some(now) = &preparation.now else {
        let text = if page.errand == Errand::Watch { "opening the run" } else { "preparing" };
        pen.text(area, 0, text, Role::Active);
        return;
    };
    pen.text(area, 0, &printable(&now.what), Role::Active);
    let total = now.total.filter(|&t| t > 0);
    if area.height > 1 {
        let bar = Rect { y: area.y + 1, height: 1, ..area };
        if let Some(total) = total {
            bars::gauge(pen, bar, now.done as f64 / total as f64, Role::Done);
        }
    }
    if now.done == 0 && total.is_none() {
        return;
    }
    let mut text = format_bytes(now.done);
    if let Some(total) = total {
        text.push_str(&format!(" of {}", format_bytes(total)));
    }
    if let Some(speed) = preparation.speed.filter(|s| *s > 0.0) {
        text.push_str(&format!("   {}/s", format_bytes(speed as u64)));
        if let Some(total) = total {
            text.push_str(&format!("   {} left", format_duration(total.saturating_sub(now.done) as f64 / speed)));
        }
    }
    pen.text(area, 2, &text, Role::Label);
}

fn failed(pen: &mut Pen<'_>, area: Rect, state: &State, page: &StartPage, why: &str) {
    let (what, again) = match page.errand {
        Errand::Start => ("The run could not be started.", Action::Start),
        Errand::Resume => ("The run could not be resumed.", Action::ResumeRun),
        Errand::Watch => ("The run could not be opened.", Action::Watch),
    };
    pen.text(area, 0, what, Role::Bad);
    let room = area.height.saturating_sub(2) as usize;
    let lines = format::wrap(&printable(why), area.width as usize);
    for (row, line) in lines.iter().take(room).enumerate() {
        // Its end is the advice, but the beginning has to be read first: where it is cut, that is seen.
        let cut = row + 1 == room && lines.len() > room;
        let text = if cut { format!("{line}{}", pen.theme.ellipsis()) } else { line.clone() };
        pen.text(area, row as u16 + 1, &text, Role::Text);
    }
    let row = (lines.len().min(room) + 1) as u16;
    pen.line(area, row, &words([(&key(state, again), Role::Key), ("  try again", Role::Text)]));
}
