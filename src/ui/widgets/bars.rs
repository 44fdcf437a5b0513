//! Bars of one row: how far something is, a row of cells that fill one by one, parts of a whole.

use ratatui::layout::Rect;

use crate::ui::theme::{GlyphSet, Role};

use super::pen::Pen;

/// A thin bar: `fraction` of it in the role `done`.
pub fn gauge(pen: &mut Pen<'_>, area: Rect, fraction: f64, done: Role) {
    let [full, half, rest] = match pen.theme.glyphs {
        GlyphSet::Braille if pen.theme.has_color => ['━', '╸', '━'],
        GlyphSet::Braille => ['━', '╸', '─'],
        GlyphSet::Block => ['█', '▌', '░'],
        GlyphSet::Ascii => ['#', '#', '-'],
    };
    let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
    let halves = (fraction * f64::from(area.width) * 2.0).round() as u16;
    for i in 0..area.width {
        let (symbol, role) = match halves.saturating_sub(i * 2) {
            0 => (rest, Role::Track),
            1 if half == full => (rest, Role::Track),
            1 => (half, done),
            _ => (full, done),
        };
        pen.cell(area.x + i, area.y, symbol, role);
    }
}

/// `total` cells of which `done` are full; the next one is at work if `active`, and the one that is selected (from 0) stands out. Too many
/// cells for the width become one bar.
pub fn cells(pen: &mut Pen<'_>, area: Rect, done: u64, total: u64, active: bool, selected: Option<u64>) {
    let total = total.max(1);
    let done = done.min(total);
    let width = u64::from(area.width);
    if total.saturating_mul(3) > width + 1 {
        return gauge(pen, area, done as f64 / total as f64, Role::Done);
    }
    let [full, at_work, empty, chosen] = match pen.theme.glyphs {
        GlyphSet::Ascii => ['#', '=', '.', '@'],
        _ => ['█', '▒', '░', '▓'],
    };
    // Cells share the width without its gaps; the first ones take what is left over.
    let room = width - (total - 1);
    let mut x = area.x;
    for i in 0..total {
        let cell_width = room / total + u64::from(i < room % total);
        let (symbol, role) = match i {
            i if i < done => (full, Role::Done),
            i if i == done && active => (at_work, Role::Active),
            _ => (empty, Role::Track),
        };
        let (symbol, role) = if selected == Some(i) { (chosen, Role::Active) } else { (symbol, role) };
        for _ in 0..cell_width {
            pen.cell(x, area.y, symbol, role);
            x += 1;
        }
        x += 1;
    }
}

/// Parts of `scale` next to each other, each in its role, with a mark at `mark`. A part that is there has at least a cell when
/// there is room for it.
pub fn parts(pen: &mut Pen<'_>, area: Rect, parts: &[(u64, Role, char)], scale: u64, mark: Option<u64>) {
    let width = u64::from(area.width);
    let scale = scale.max(1);
    let cell_of =
        |bytes: u64| ((u128::from(bytes) * u128::from(width) + u128::from(scale) / 2) / u128::from(scale)) as u64;
    let (full, rest) = match pen.theme.glyphs {
        GlyphSet::Ascii => ('#', '.'),
        _ => ('█', '░'),
    };
    let mut sum = 0u64;
    let mut cell = 0;
    for &(bytes, role, letter) in parts {
        sum = bytes.saturating_add(sum);
        let end = cell_of(sum).max(cell + u64::from(bytes.saturating_mul(width * 4) > scale)).min(width);
        let symbol = if pen.theme.has_color { full } else { letter };
        while cell < end {
            pen.cell(area.x + cell as u16, area.y, symbol, role);
            cell += 1;
        }
    }
    for i in cell..width {
        pen.cell(area.x + i as u16, area.y, rest, Role::Track);
    }
    if let Some(mark) = mark.filter(|&m| m <= scale) {
        let i = cell_of(mark).min(width.saturating_sub(1)) as u16;
        if u64::from(i) >= cell && area.width > 0 {
            let symbol = pen.theme.pick("▏", "|").chars().next().unwrap_or('|');
            pen.cell(area.x + i, area.y, symbol, Role::Warn);
        }
    }
}
