//! The start page: a list of what can be run or looked at, what the selected entry would do, its settings, and below what is missing, how far
//! the preparation is, or why it failed. Here is who gets which part of the screen; the parts are in the files beside.

mod checks;
mod list;
mod settings;
mod summary;

use ratatui::layout::Rect;

use crate::memory::plan::Plan;
use crate::ui::state::State;
use crate::ui::state::start::{Pane, StartPage};
use crate::ui::theme::Role;
use crate::ui::widgets::Pen;
use crate::units::format_bytes;

/// From this width on list and settings stand side by side.
const BESIDE: u16 = 76;
/// From this size on the settings are always shown, not only while they have the keys.
const ROOMY: (u16, u16) = (110, 34);
/// Rows of the summary above the settings.
const SUMMARY: u16 = 14;

pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State) {
    let Some(page) = &state.page else {
        pen.text(Rect { x: body.x + 2, width: body.width - 2, ..body }, 1, "reading the run's log", Role::Label);
        return;
    };
    let Some(entry) = page.entry() else {
        pen.text(
            Rect { x: body.x + 2, width: body.width - 2, ..body },
            1,
            "there is nothing to start here",
            Role::Label,
        );
        return;
    };
    let areas = areas(body, state, page);
    list::draw(pen, areas.list, state, page);
    if let Some(area) = areas.summary {
        summary::draw(pen, area, state, entry);
    }
    if let Some(area) = areas.settings {
        settings::draw(pen, area, state, page, entry);
    }
    checks::draw(pen, areas.below, state, page, entry, areas.summary.is_some() && areas.settings.is_some());
}

/// What an entry needs, in a piece of a line.
fn planned(plan: &Plan) -> (String, Role) {
    let peak = format_bytes(plan.peak_bytes);
    let of = plan.limit_bytes.map(|limit| format!(" of {}", format_bytes(limit))).unwrap_or_default();
    let (fits, role) = match plan.fits() {
        Some(true) => (", fits", Role::Good),
        Some(false) => (", does not fit", Role::Bad),
        None => (", the limit is unknown", Role::Warn),
    };
    (format!("peak {peak}{of}{fits}"), role)
}

/// Who gets which part of the body.
pub struct Areas {
    pub list: Rect,
    pub summary: Option<Rect>,
    pub settings: Option<Rect>,
    /// What is missing, how far the preparation is, or why it failed.
    pub below: Rect,
}

pub fn areas(body: Rect, state: &State, page: &StartPage) -> Areas {
    let below = checks::height(body, state);
    let above = Rect { height: body.height - below, ..body };
    let below = Rect { y: above.bottom(), height: below, ..body };
    let in_settings = page.pane == Pane::Settings;
    let (list, rest) = if body.width >= BESIDE {
        let width = match body.width {
            180.. => 64,
            110.. => 46,
            _ => 27,
        };
        (Rect { width, ..above }, Rect { x: above.x + width, width: above.width - width, ..above })
    } else {
        // While settings are looked at, the list keeps no more than the selected entry.
        let height = if in_settings { 3 } else { (list::rows(page) + 2).min(7) };
        (Rect { height, ..above }, Rect { y: above.y + height, height: above.height - height, ..above })
    };
    let (summary, settings) = if body.width >= ROOMY.0 && body.height >= ROOMY.1 {
        if rest.width >= 120 {
            let width = (rest.width / 2).min(64);
            let beside = Rect { x: rest.x + width, width: rest.width - width, ..rest };
            (Some(Rect { width, ..rest }), Some(beside))
        } else {
            let under = Rect { y: rest.y + SUMMARY, height: rest.height - SUMMARY, ..rest };
            (Some(Rect { height: SUMMARY, ..rest }), Some(under))
        }
    } else if in_settings {
        (None, Some(rest))
    } else {
        (Some(rest), None)
    };
    Areas { list, summary, settings, below }
}
