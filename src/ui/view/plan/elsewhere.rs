//! What the same run would need done otherwise, as bars on one scale, and the formula of the selected one where it is asked for.

use ratatui::layout::Rect;

use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::state::State;
use crate::ui::state::plan::{Figures, PlanPage};
use crate::ui::theme::Role;
use crate::ui::view::memory;
use crate::ui::widgets::{Pen, Words, bars, words};
use crate::units::{format_bytes, printable};

const OWN: &str = "this run";

pub fn draw(pen: &mut Pen<'_>, area: Rect, state: &State, page: &PlanPage, figures: &Figures) {
    pen.text(area, 1, "The same run, done otherwise:", Role::Title);
    let own = figures.now.peak_bytes;
    let rows = std::iter::once((OWN.to_owned(), own))
        .chain(figures.elsewhere.iter().map(|e| (printable(&e.name), e.peak_bytes)));
    let rows: Vec<(String, u64)> = rows.collect();
    let scale = rows.iter().map(|&(_, bytes)| bytes).max().unwrap_or(0).max(1);
    let two_lines = area.width < 90;
    let lines_of_one = if two_lines { 2 } else { 1 };
    let room = area.height.saturating_sub(3 + 6) / lines_of_one;
    let from = (page.other + 1).saturating_sub(room.max(1) as usize);
    let mut y = 3;
    for (index, (name, bytes)) in rows.iter().enumerate().skip(from).take(room.max(1) as usize) {
        let selected = index == page.other;
        let pointer = if selected { pen.theme.pick("▸ ", "> ") } else { "  " };
        let times = match (index, own) {
            (0, _) | (_, 0) => String::new(),
            _ => format!("{:.1}{}", *bytes as f64 / own as f64, pen.theme.pick("×", "x")),
        };
        let role = if selected { Role::Selected } else { Role::Text };
        let over = figures.now.limit_bytes.is_some_and(|limit| *bytes > limit);
        let right: Words = words([
            (&format!("{:>9}", format_bytes(*bytes)), if over { Role::Bad } else { Role::Text }),
            (&format!("{times:>8}"), Role::Label),
        ]);
        let x = pen.line_right(area, y, &right);
        let name_width = if two_lines { x.saturating_sub(area.x + 3) } else { (area.width / 3).min(44) };
        let place = Rect { width: name_width, ..area };
        let name = format::fit(name, name_width.saturating_sub(2) as usize, pen.theme.ellipsis());
        pen.line(place, y, &words([(pointer, Role::Key), (&name, role)]));
        let bar = if two_lines {
            y += 1;
            Rect { x: area.x + 2, y: area.y + y, width: area.width.saturating_sub(2), height: 1 }
        } else {
            let from = area.x + name_width + 1;
            Rect { x: from, y: area.y + y, width: x.saturating_sub(from + 1), height: 1 }
        };
        let own_parts = memory::parts(&figures.now.by_category);
        let whole = [(*bytes, Role::Compare, '=')];
        let parts = if index == 0 && !own_parts.is_empty() { &own_parts[..] } else { &whole[..] };
        if bar.y < area.bottom() {
            bars::parts(pen, bar, parts, scale, figures.now.limit_bytes.filter(|&limit| limit < scale));
        }
        y += 1;
    }
    below(pen, Rect { y: area.y + y + 1, height: area.height.saturating_sub(y + 1), ..area }, state, page, figures);
}

/// The formula, or how it is to be had.
fn below(pen: &mut Pen<'_>, area: Rect, state: &State, page: &PlanPage, figures: &Figures) {
    let Some(selected) = page.other.checked_sub(1).and_then(|at| figures.elsewhere.get(at)) else {
        let text = "What finetop needs, as the levers stand: the base stays as it is, only blocks' inputs are kept, and the \
                    logits of a few positions at a time.";
        for (row, line) in format::wrap(text, area.width as usize).iter().enumerate() {
            pen.text(area, row as u16, line, Role::Label);
        }
        return;
    };
    if !page.formula {
        let key = state.keymap.key_now(Action::Formula, state).map(|key| key.to_string()).unwrap_or_default();
        pen.line(area, 0, &words([(&key, Role::Key), ("  how that comes about", Role::Text)]));
        return;
    }
    let lines = format::wrap(&printable(&selected.formula), area.width as usize);
    for (row, line) in lines.iter().take(area.height as usize).enumerate() {
        pen.text(area, row as u16, line, Role::Text);
    }
}
