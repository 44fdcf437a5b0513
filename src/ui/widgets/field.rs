//! A line of text under a cursor, scrolled so that the cursor is seen.

use ratatui::layout::Rect;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::ui::state::field::Field;
use crate::ui::theme::Role;
use crate::units::printable;

use super::pen::Pen;

/// Draws the field in one row of an area.
pub fn draw(pen: &mut Pen<'_>, area: Rect, row: u16, field: &Field) {
    let room = area.width as usize;
    if room == 0 || row >= area.height {
        return;
    }
    let (before, after) = field.halves();
    let (before, after) = (printable(before), printable(after));
    let under = after.graphemes(true).next().unwrap_or(" ");
    // From the left as much goes as is needed for the cursor to be seen.
    let needed = under.width().max(1);
    let mut shown = before.as_str();
    while shown.width() + needed > room {
        let Some(first) = shown.graphemes(true).next() else { break };
        shown = &shown[first.len()..];
    }
    let x = pen.text(area, row, shown, Role::Text);
    let cursor = Rect { x, width: area.right().saturating_sub(x), ..area };
    let x = pen.text(cursor, row, under, Role::Cursor);
    let rest = Rect { x, width: area.right().saturating_sub(x), ..area };
    pen.text(rest, row, after.strip_prefix(under).unwrap_or(""), Role::Text);
}
