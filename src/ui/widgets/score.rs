//! A score between 0 and 100 with its interval, and how many scores lie where: a bar of one row, and a histogram of any height.

use ratatui::layout::Rect;

use crate::ui::theme::{GlyphSet, Role};

use super::pen::Pen;

/// A scale from 0 to 100 in one row: the interval as a band, the score as a mark on it.
pub fn interval(pen: &mut Pen<'_>, area: Rect, score: f64, interval: Option<(f64, f64)>, role: Role) {
    let [rest, band, mark] = match pen.theme.glyphs {
        GlyphSet::Braille => ['─', '━', '●'],
        GlyphSet::Block => ['─', '█', '●'],
        GlyphSet::Ascii => ['-', '=', 'o'],
    };
    let last = f64::from(area.width.saturating_sub(1));
    let cell = |score: f64| (score.clamp(0.0, 100.0) / 100.0 * last).round() as u16;
    let band_cells = interval.filter(|(low, high)| low.is_finite() && high.is_finite());
    let band_cells = band_cells.map(|(low, high)| cell(low)..=cell(high));
    for x in 0..area.width {
        let is_band = band_cells.as_ref().is_some_and(|cells| cells.contains(&x));
        let (symbol, role) = if is_band { (band, role) } else { (rest, Role::Track) };
        pen.cell(area.x + x, area.y, symbol, role);
    }
    if score.is_finite() && area.width > 0 {
        pen.cell(area.x + cell(score), area.y, mark, Role::Active);
    }
}

/// Columns of equal width, the highest as high as the area; what is there at all has something to see.
pub fn histogram(pen: &mut Pen<'_>, area: Rect, counts: &[u64], role: Role) {
    let levels: &[char] = match pen.theme.glyphs {
        GlyphSet::Braille => &['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
        GlyphSet::Block => &['▄', '█'],
        // A low column has other signs than a high one where one row is all there is.
        GlyphSet::Ascii if area.height == 1 => &['.', ':', '=', '#'],
        GlyphSet::Ascii => &['#'],
    };
    let columns = counts.len() as u16;
    let most = counts.iter().copied().max().unwrap_or(0);
    if most == 0 || columns == 0 || area.width < columns || area.height == 0 {
        return;
    }
    let width = area.width / columns;
    // A gap between columns where there is room for one.
    let filled = if width > 2 { width - 1 } else { width };
    let steps = u128::from(area.height) * levels.len() as u128;
    for (column, &count) in counts.iter().enumerate() {
        let wanted = (u128::from(count) * steps).div_ceil(u128::from(most)) as usize;
        for row in 0..area.height {
            let here = wanted.saturating_sub(row as usize * levels.len()).min(levels.len());
            let Some(&symbol) = here.checked_sub(1).and_then(|level| levels.get(level)) else { break };
            let y = area.bottom() - 1 - row;
            for x in 0..filled {
                pen.cell(area.x + column as u16 * width + x, y, symbol, role);
            }
        }
    }
}
