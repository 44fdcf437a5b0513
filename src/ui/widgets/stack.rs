//! Parts of a height over time, one upon the other: each column shows its highest moment. Where colours are missing, a letter stands
//! for each part.

use ratatui::layout::Rect;

use crate::ui::theme::{GlyphSet, Role};

use super::pen::Pen;

/// A moment: how high each part is, from the bottom up, in the order of the roles given to `draw`.
pub struct Moment<'a> {
    pub x: u64,
    pub parts: &'a [u64],
}

/// A part's role and the letter that stands for it without colours.
pub type Part = (Role, char);

/// Draws moments between `x` (from, to) up to the height `scale`. A column without a moment of its own shows the one before it, which may
/// lie before `x`.
pub fn draw<'a>(
    pen: &mut Pen<'_>,
    area: Rect,
    moments: impl Iterator<Item = Moment<'a>>,
    parts: &[Part],
    x: (u64, u64),
    scale: u64,
) {
    let area = area.intersection(pen.buffer.area);
    if area.is_empty() || scale == 0 {
        return;
    }
    let width = area.width as usize;
    let mut columns: Vec<Option<&[u64]>> = vec![None; width];
    let mut shown: Option<&[u64]> = None;
    for moment in moments {
        if moment.x < x.0 {
            shown = Some(moment.parts);
            continue;
        }
        let Some(slot) = columns.get_mut(column(moment.x, x, width)) else { continue };
        let height = |parts: &[u64]| parts.iter().fold(0u64, |sum, &part| sum.saturating_add(part));
        if slot.is_none_or(|old| height(moment.parts) >= height(old)) {
            *slot = Some(moment.parts);
        }
    }
    for (i, column) in columns.into_iter().enumerate() {
        shown = column.or(shown);
        if let Some(heights) = shown {
            draw_column(pen, Rect { x: area.x + i as u16, width: 1, ..area }, heights, parts, scale);
        }
    }
}

/// The column that a moment between `x` (from, to) falls into.
pub fn column(at: u64, x: (u64, u64), width: usize) -> usize {
    let span = x.1.saturating_sub(x.0).max(1);
    (u128::from(at.saturating_sub(x.0)) * (width.max(1) as u128 - 1) / u128::from(span)) as usize
}

/// Eighths of a cell from the bottom: a cell that two parts share shows the lower one as a block on the upper one's colour.
fn draw_column(pen: &mut Pen<'_>, area: Rect, heights: &[u64], parts: &[Part], scale: u64) {
    const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let fine = pen.theme.has_color && pen.theme.glyphs == GlyphSet::Braille;
    let per_cell: u64 = if fine { 8 } else { 1 };
    let rows = u64::from(area.height) * per_cell;
    let row_of =
        |bytes: u64| ((u128::from(bytes) * u128::from(rows) + u128::from(scale) / 2) / u128::from(scale)) as u64;
    let mut tops = Vec::with_capacity(parts.len());
    let mut sum = 0u64;
    for (&bytes, &part) in heights.iter().zip(parts) {
        sum = sum.saturating_add(bytes);
        tops.push((row_of(sum).min(rows), part));
    }
    for cell in 0..u64::from(area.height) {
        let (bottom, top) = (cell * per_cell, (cell + 1) * per_cell);
        let y = area.bottom() - 1 - cell as u16;
        // What is seen in this cell, from the bottom up, with how much of it.
        let mut seen: Vec<(u64, Part)> = Vec::new();
        let mut from = bottom;
        for &(end, part) in &tops {
            let end = end.min(top);
            if end > from {
                seen.push((end - from, part));
                from = end;
            }
        }
        let empty = top - from;
        let Some(&(_, lowest)) = seen.first() else { continue };
        if !fine {
            let symbol = match pen.theme.glyphs {
                _ if !pen.theme.has_color => lowest.1,
                GlyphSet::Ascii => '#',
                _ => '█',
            };
            pen.cell(area.x, y, symbol, lowest.0);
            continue;
        }
        if empty > 0 {
            // The upper edge: its own height counts more than which part ends it.
            let largest = seen.iter().max_by_key(|(size, _)| *size).map_or(lowest, |(_, part)| *part);
            pen.cell(area.x, y, EIGHTHS[(8 - empty) as usize], largest.0);
            continue;
        }
        seen.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
        let mut pair: Vec<(u64, Part)> = seen.into_iter().take(2).collect();
        pair.sort_by_key(|(_, part)| parts.iter().position(|p| p == part));
        match pair[..] {
            [(size, lower), (other, upper)] => {
                let eighths = (8 * size / (size + other)).clamp(1, 7) as usize;
                pen.cell(area.x, y, EIGHTHS[eighths], lower.0);
                let over = pen.theme.style(upper.0).fg;
                if let (Some(color), Some(cell)) = (over, pen.buffer.cell_mut((area.x, y))) {
                    cell.set_bg(color);
                }
            }
            _ => pen.cell(area.x, y, '█', lowest.0),
        }
    }
}
