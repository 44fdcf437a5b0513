//! The start page: a list of what can be run or looked at, what the selected entry would do, its settings, and below what is missing, how far
//! the preparation is, or why it failed. Here is who gets which part of the screen; the parts are in the files beside.

mod checks;
mod list;
mod settings;
mod summary;

use ratatui::layout::Rect;

use crate::ui::state::State;
use crate::ui::state::start::Pane;
use crate::ui::theme::Role;
use crate::ui::widgets::Pen;

/// From this width on list and settings stand side by side.
const BESIDE: u16 = 76;
/// From this size on the settings are always shown, not only while they have the keys.
const ROOMY: (u16, u16) = (110, 34);

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
    let below = checks::height(body, state);
    let above = Rect { height: body.height - below, ..body };
    let below = Rect { y: above.bottom(), height: below, ..body };
    let roomy = body.width >= ROOMY.0 && body.height >= ROOMY.1;
    let in_settings = page.pane == Pane::Settings;
    let listed = list::rows(page);
    let (list_area, rest) = if body.width >= BESIDE {
        let width = match body.width {
            180.. => 64,
            110.. => 46,
            _ => 27,
        };
        (Rect { width, ..above }, Rect { x: above.x + width, width: above.width - width, ..above })
    } else {
        // While settings are looked at, the list keeps no more than the selected entry.
        let height = if in_settings { 3 } else { (listed + 2).min(7) };
        (Rect { height, ..above }, Rect { y: above.y + height, height: above.height - height, ..above })
    };
    list::draw(pen, list_area, state, page);
    if roomy && rest.width >= 120 {
        let width = (rest.width / 2).min(64);
        summary::draw(pen, Rect { width, ..rest }, state, entry);
        settings::draw(pen, Rect { x: rest.x + width, width: rest.width - width, ..rest }, state, page, entry);
    } else if roomy {
        let height = 14;
        summary::draw(pen, Rect { height, ..rest }, state, entry);
        settings::draw(pen, Rect { y: rest.y + height, height: rest.height - height, ..rest }, state, page, entry);
    } else if in_settings {
        settings::draw(pen, rest, state, page, entry);
    } else {
        summary::draw(pen, rest, state, entry);
    }
    checks::draw(pen, below, state, page, entry, roomy);
}
