//! The list of the start page: the demo, configurations, recent runs.

use ratatui::layout::Rect;

use crate::ui::format;
use crate::ui::message::Clock;
use crate::ui::state::start::{Entry, Pane, PastState, StartPage, Target};
use crate::ui::state::{Stage, State};
use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::pen;
use crate::ui::widgets::{Pen, Words, words};
use crate::units::printable;

const HINT: &str = "a .toml file here or in ./configs is listed too";

/// How many rows the whole list takes.
pub fn rows(page: &StartPage) -> u16 {
    (page.entries.len() + usize::from(has_hint(page))).min(1000) as u16
}

/// Whether nobody has put a configuration here yet.
fn has_hint(page: &StartPage) -> bool {
    page.entries.iter().all(|entry| *entry.target() == Target::Demo)
}

/// The mark, the colour and the word for how a run stands.
pub fn standing(state: PastState, theme: &Theme) -> (&str, Role, &'static str) {
    match state {
        PastState::Live => (theme.pick("●", "*"), Role::Active, "live"),
        PastState::Finished => (theme.pick("✓", "+"), Role::Good, "finished"),
        PastState::Stopped => (theme.pick("■", "#"), Role::Warn, "stopped"),
        PastState::Failed => (theme.pick("✗", "x"), Role::Bad, "failed"),
        PastState::Interrupted => (theme.pick("✗", "x"), Role::Bad, "interrupted"),
    }
}

/// How long ago that was, in one word and a unit; `—` where nobody knows.
pub fn ago(unix_ms: Option<u64>, clock: Clock) -> String {
    let seconds = unix_ms.filter(|_| clock.unix_ms > 0).map(|at| clock.unix_ms.saturating_sub(at) / 1000);
    format::or_unknown(seconds, |s| match s {
        0..60 => "just now".to_owned(),
        60..3_600 => format!("{}m ago", s / 60),
        3_600..86_400 => format!("{}h ago", s / 3_600),
        _ => format!("{}d ago", s / 86_400),
    })
}

/// A run's name without the time before it, which is said in another way.
pub fn name(entry: &Entry) -> &str {
    let is_time = |time: &str| time.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let named = entry.title.get(..16).filter(|time| time.ends_with('-') && is_time(time));
    match (entry.past, named) {
        (Some(_), Some(_)) => entry.title.get(16..).filter(|rest| !rest.is_empty()).unwrap_or(&entry.title),
        _ => &entry.title,
    }
}

/// What stands on the right of an entry: more of it where there is more room.
fn facts(entry: &Entry, theme: &Theme, clock: Clock, room: u16) -> Words {
    let Some(past) = &entry.past else {
        return match entry.config() {
            // The mark says it too.
            Err(_) if room < 38 => Vec::new(),
            Err(_) => words([("broken", Role::Bad)]),
            Ok(_) if entry.edits() > 0 => words([("edited", Role::Warn)]),
            Ok(_) => Vec::new(),
        };
    };
    let when = ago(past.began_unix_ms, clock);
    if room < 38 {
        return words([(&when, Role::Label)]);
    }
    let (_, role, word) = standing(past.state, theme);
    let steps = format!(
        "{} / {}",
        format::or_unknown(past.steps, format::short_count),
        format::or_unknown(past.planned, format::short_count)
    );
    let best = format::or_unknown(past.best_eval, format::loss);
    // The mark says the state too.
    let word = if room < 52 { String::new() } else { format!("{word:<11}") };
    words([
        (&word, role),
        (&format!("{steps:>11}"), Role::Text),
        (&format!("{best:>8}"), if past.best_eval.is_some() { Role::Best } else { Role::Faint }),
        (&format!("{when:>9}"), Role::Label),
    ])
}

pub fn draw(pen: &mut Pen<'_>, area: Rect, state: &State, page: &StartPage) {
    let has_keys = page.pane == Pane::List && !matches!(state.stage, Stage::Starting(_));
    let count = page.entries.len();
    let room = area.height.saturating_sub(2) as usize;
    let place = format!("{} of {count}", page.selected + 1);
    let right = if count > room { words([(&place, Role::Label)]) } else { Vec::new() };
    let inner = pen.panel(area, "what to run", &right);
    let first = (page.selected + 1).saturating_sub(room.saturating_sub(room / 4)).min(count.saturating_sub(room));
    for (row, (index, entry)) in page.entries.iter().enumerate().skip(first).take(room).enumerate() {
        let row = row as u16;
        let (mark, role) = match &entry.past {
            Some(past) => {
                let (mark, role, _) = standing(past.state, pen.theme);
                (mark, role)
            }
            None if entry.config().is_err() => (pen.theme.pick("✗", "x"), Role::Bad),
            None => (pen.theme.pick("·", "."), Role::Label),
        };
        let mark = mark.to_owned();
        let selected = index == page.selected;
        let facts = facts(entry, pen.theme, state.clock, inner.width);
        let x = pen.line_right(inner, row, &facts);
        let pointer = if selected { pen.theme.pick("▸", ">") } else { " " };
        let at =
            pen.line(Rect { width: 2.min(inner.width), ..inner }, row, &words([(pointer, Role::Key), (&mark, role)]));
        let left = at.saturating_add(1);
        let title = Rect { x: left, width: x.saturating_sub(left + u16::from(!facts.is_empty())), ..inner };
        let shown = if inner.width >= 70 { entry.title.as_str() } else { name(entry) };
        let role = match (selected, has_keys) {
            (true, true) => Role::Selected,
            (true, false) => Role::Title,
            _ => Role::Text,
        };
        let text = printable(shown);
        // Selected it is as wide as its place, so that it is found without colours too.
        let text = if selected && has_keys {
            let fitted = format::fit(&text, title.width as usize, pen.theme.ellipsis());
            let gap = (title.width as usize).saturating_sub(pen::width(&words([(&fitted, role)])));
            format!("{fitted}{}", " ".repeat(gap))
        } else {
            text
        };
        pen.text(title, row, &text, role);
    }
    if has_hint(page) && room > count {
        for (row, line) in format::wrap(HINT, inner.width as usize).iter().enumerate() {
            pen.text(inner, (count + row) as u16, line, Role::Faint);
        }
    }
}
