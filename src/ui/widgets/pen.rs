//! Text and frames that never leave their area, whatever its size. All that views draw goes through here.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::ui::format;
use crate::ui::theme::{GlyphSet, Role, Theme};

/// Pieces of a line, each with what it means.
pub type Words = Vec<(Cow<'static, str>, Role)>;

/// Collects pieces of a line.
pub fn words<const N: usize>(pieces: [(&str, Role); N]) -> Words {
    pieces.into_iter().map(|(text, role)| (Cow::Owned(text.to_owned()), role)).collect()
}

pub fn width(words: &Words) -> usize {
    words.iter().map(|(text, _)| text.width()).sum()
}

/// Draws on a frame's cells in a theme.
pub struct Pen<'a> {
    pub buffer: &'a mut Buffer,
    pub theme: &'a Theme,
}

impl Pen<'_> {
    /// One character; outside the frame nothing happens.
    pub fn cell(&mut self, x: u16, y: u16, symbol: char, role: Role) {
        let style = self.theme.style(role);
        if let Some(cell) = self.buffer.cell_mut((x, y)) {
            cell.reset();
            cell.set_char(symbol).set_style(style);
        }
    }

    /// Text from the left of an area's row, cut with an ellipsis; the x after it comes back.
    pub fn text(&mut self, area: Rect, row: u16, text: &str, role: Role) -> u16 {
        self.line(area, row, &[(Cow::Borrowed(text), role)])
    }

    /// Pieces one after the other from the left of an area's row, cut with an ellipsis.
    pub fn line(&mut self, area: Rect, row: u16, words: &[(Cow<'_, str>, Role)]) -> u16 {
        let area = area.intersection(self.buffer.area);
        let y = area.y.saturating_add(row);
        let mut x = area.x;
        if row >= area.height {
            return x;
        }
        let total: usize = words.iter().map(|(text, _)| text.width()).sum();
        let mut room = area.width as usize;
        let cut = total > room;
        for (text, role) in words {
            let fitted = if cut { format::fit(text, room, self.theme.ellipsis()) } else { text.as_ref().to_owned() };
            let ended = cut && fitted != text.as_ref();
            let piece = if self.theme.is_ascii() { to_ascii(&fitted, self.theme.has_ascii_text()) } else { fitted };
            let (next, _) = self.buffer.set_stringn(x, y, &piece, room, self.theme.style(*role));
            room -= (next - x) as usize;
            x = next;
            if room == 0 || ended {
                break;
            }
        }
        x
    }

    /// Pieces that end at the right of an area's row; what does not fit is cut at its end.
    pub fn line_right(&mut self, area: Rect, row: u16, words: &Words) -> u16 {
        let area = area.intersection(self.buffer.area);
        let used = width(words).min(area.width as usize) as u16;
        let x = area.right() - used;
        self.line(Rect { x, width: used, ..area }, row, words);
        x
    }

    /// A frame with a title on the left and words on the right of its upper edge; the area inside comes back, one cell in at the sides.
    pub fn panel(&mut self, area: Rect, title: &str, right: &Words) -> Rect {
        let area = area.intersection(self.buffer.area);
        if area.width < 2 || area.height < 2 {
            return Rect { width: 0, height: 0, ..area };
        }
        let [tl, tr, bl, br, h, v] = match self.theme.glyphs {
            GlyphSet::Braille => ['╭', '╮', '╰', '╯', '─', '│'],
            GlyphSet::Block => ['┌', '┐', '└', '┘', '─', '│'],
            GlyphSet::Ascii => ['+', '+', '+', '+', '-', '|'],
        };
        let (x0, x1, y0, y1) = (area.x, area.right() - 1, area.y, area.bottom() - 1);
        for x in x0 + 1..x1 {
            self.cell(x, y0, h, Role::Border);
            self.cell(x, y1, h, Role::Border);
        }
        for y in y0 + 1..y1 {
            self.cell(x0, y, v, Role::Border);
            self.cell(x1, y, v, Role::Border);
        }
        for (x, y, corner) in [(x0, y0, tl), (x1, y0, tr), (x0, y1, bl), (x1, y1, br)] {
            self.cell(x, y, corner, Role::Border);
        }
        let edge = Rect { x: area.x + 2, width: area.width.saturating_sub(4), height: 1, ..area };
        let title = format!(" {title} ");
        let after = self.text(edge, 0, &title, Role::Title);
        // The words on the right give way to the title, from their left, a piece at a time.
        let room = edge.right().saturating_sub(after + 1) as usize;
        let mut right = right.clone();
        while !right.is_empty() && width(&right) + 2 > room {
            right.remove(0);
        }
        if let Some(first) = right.first_mut() {
            first.0 = format!(" {}", first.0.trim_start()).into();
            right.push((" ".into(), Role::Text));
            self.line_right(edge, 0, &right);
        }
        inside(area)
    }

    /// Empties an area, for what lies over others.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for position in area.positions() {
            if let Some(cell) = self.buffer.cell_mut(position) {
                cell.reset();
            }
        }
    }
}

/// The area inside of a panel's frame, one cell in at the sides.
pub fn inside(area: Rect) -> Rect {
    if area.width < 2 || area.height < 2 {
        return Rect { width: 0, height: 0, ..area };
    }
    let pad = u16::from(area.width > 8);
    Rect { x: area.x + 1 + pad, y: area.y + 1, width: area.width - 2 - 2 * pad, height: area.height - 2 }
}

/// Text beside ASCII glyphs. What has no likeness is a person's own: it stays, or, `whole`, becomes a question mark for each of its cells.
fn to_ascii(text: &str, whole: bool) -> String {
    let mut ascii = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii() => ascii.push(c),
            '—' | '–' => ascii.push('-'),
            '…' => ascii.push('~'),
            '·' => ascii.push('|'),
            '×' => ascii.push('x'),
            'µ' => ascii.push('u'),
            c if !whole => ascii.push(c),
            c => (0..c.width().unwrap_or(0)).for_each(|_| ascii.push('?')),
        }
    }
    ascii
}

/// A rectangle of at most this size in the middle of an area. Where a rim of a few cells would be left, it takes the rim too.
pub fn centered(area: Rect, width: u16, height: u16) -> Rect {
    let take = |wanted: u16, room: u16, rim: u16| if wanted + rim >= room { room } else { wanted };
    let (width, height) = (take(width, area.width, 8), take(height, area.height, 2));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}
