//! Parts over time with axes: the stacks of `stack`, lines across them at given heights, marks above, a crosshair. Heights are bytes, and
//! their ticks powers of two; times are milliseconds.

use ratatui::layout::Rect;
use ratatui::style::Color;

use crate::ui::format;
use crate::ui::theme::{GlyphSet, Role};
use crate::units::format_duration;

use super::chart::{AXIS, XLabels, x_axis};
use super::pen::{Pen, width, words};
use super::stack::{self, Moment, Part};

/// A height that is drawn across, or named at the top where it lies beyond the scale.
pub struct Level {
    pub bytes: u64,
    pub role: Role,
    pub unicode: char,
    pub ascii: char,
    pub label: String,
}

/// Something that happened, as a letter above the stacks. Of two at one place the one with the lower rank is shown, the other beside it.
pub struct Mark {
    pub at: u64,
    pub symbol: char,
    pub role: Role,
    pub rank: u8,
}

pub struct Timeline<'a> {
    pub parts: &'a [Part],
    /// What is shown, from and to.
    pub x: (u64, u64),
    /// The highest that is shown.
    pub highest: u64,
    /// The strongest last.
    pub levels: Vec<Level>,
    pub marks: Vec<Mark>,
    pub cursor: Option<u64>,
}

/// Where the pieces lie: marks, stacks, a strip under them that the caller fills, times.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    pub marks: Rect,
    pub plot: Rect,
    pub strip: Rect,
    pub axis: Rect,
}

/// Nothing where the area is too small.
pub fn places(area: Rect) -> Option<Places> {
    if area.width < AXIS + 5 || area.height < 5 {
        return None;
    }
    let inner = Rect { x: area.x + AXIS + 1, width: area.width - AXIS - 1, ..area };
    let row = |y: u16| Rect { y, height: 1, ..inner };
    Some(Places {
        marks: row(area.y),
        plot: Rect { y: area.y + 1, height: area.height - 3, ..inner },
        strip: row(area.bottom() - 2),
        axis: row(area.bottom() - 1),
    })
}

/// A level this many times the highest stack is still worth room on the scale.
const WITHIN_REACH: f64 = 1.5;

pub fn draw<'a>(
    pen: &mut Pen<'_>,
    places: &Places,
    moments: impl Iterator<Item = Moment<'a>>,
    timeline: &Timeline<'_>,
) {
    let Places { plot, .. } = *places;
    let is_near = |level: &&Level| level.bytes as f64 <= timeline.highest as f64 * WITHIN_REACH;
    let highest = timeline.levels.iter().filter(is_near).map(|l| l.bytes).max().unwrap_or(0).max(timeline.highest);
    // A little air, so that the highest stack and the highest line are seen to end.
    let scale = highest.saturating_add(highest / 24).max(1);
    stack::draw(pen, plot, moments, timeline.parts, timeline.x, scale);
    let row_of = |bytes: u64| {
        let from_below = u128::from(bytes) * u128::from(plot.height) / u128::from(scale);
        plot.bottom() - 1 - from_below.min(u128::from(plot.height) - 1) as u16
    };
    y_axis(pen, plot, scale, &row_of);
    let (within, beyond): (Vec<&Level>, Vec<&Level>) = timeline.levels.iter().partition(|l| l.bytes <= scale);
    for level in &within {
        let symbol = if pen.theme.is_ascii() { level.ascii } else { level.unicode };
        let y = row_of(level.bytes);
        for x in plot.x..plot.right() {
            // Where a stack ends, or a letter stands for it, the line lies behind: the stack that goes beyond it is what must be seen.
            let is_free = pen.buffer.cell((x, y)).is_some_and(|cell| cell.symbol() == " ");
            if is_free || ground(pen, x, y).is_some() {
                over(pen, x, y, symbol, level.role);
            }
        }
    }
    if let Some(at) = timeline.cursor.filter(|at| (timeline.x.0..=timeline.x.1).contains(at)) {
        let x = plot.x + stack::column(at, timeline.x, plot.width as usize) as u16;
        let symbol = pen.theme.pick("┊", ":").chars().next().unwrap_or(':');
        (places.marks.y..plot.bottom()).for_each(|y| over(pen, x, y, symbol, Role::Active));
    }
    // Names stand at the left, where a run is lowest; two lines of one row share it.
    let up = pen.theme.pick("↑", "^");
    let mut taken: Vec<(u16, u16)> = Vec::new();
    for (level, is_beyond) in within.iter().rev().map(|l| (l, false)).chain(beyond.iter().rev().map(|l| (l, true))) {
        let y = if is_beyond { plot.y } else { row_of(level.bytes) };
        let text = if is_beyond { format!(" {} {up} ", level.label) } else { format!(" {} ", level.label) };
        let text = words([(&text, level.role)]);
        let x = taken.iter().filter(|(row, _)| *row == y).map(|&(_, x)| x).max().unwrap_or(plot.x + 1);
        if x + width(&text) as u16 <= plot.right() {
            taken.push((y, pen.line(Rect { x, y, width: plot.right() - x, height: 1 }, 0, &text)));
        }
    }
    marks(pen, places.marks, timeline);
    let labels = XLabels {
        x: (timeline.x.0 as f64, timeline.x.1 as f64),
        cursor: timeline.cursor.map(|at| at as f64),
        x_text: &|ms| format_duration(ms / 1e3),
        x_unit: "",
        whole_x: false,
    };
    x_axis(pen, places.axis, &labels);
}

/// Numbers at powers of two and whole multiples of them, some three rows apart.
fn y_axis(pen: &mut Pen<'_>, plot: Rect, scale: u64, row_of: &dyn Fn(u64) -> u16) {
    let vertical = pen.theme.pick("│", "|").chars().next().unwrap_or('|');
    (plot.y..plot.bottom()).for_each(|y| pen.cell(plot.x - 1, y, vertical, Role::Border));
    let step = tick(scale, u64::from(plot.height / 3).max(1));
    let ticks = (0..=plot.height).map_while(|i| step.checked_mul(u64::from(i))).take_while(|&bytes| bytes <= scale);
    for bytes in ticks {
        let label = Rect { x: plot.x - 1 - AXIS, y: row_of(bytes), width: AXIS, height: 1 };
        pen.line_right(label, 0, &words([(&format::short_bytes(bytes), Role::Faint)]));
    }
}

/// The least power of two that is at most so many times in `scale`.
fn tick(scale: u64, most: u64) -> u64 {
    scale.div_ceil(most.max(1)).checked_next_power_of_two().unwrap_or(1 << 63)
}

fn marks(pen: &mut Pen<'_>, row: Rect, timeline: &Timeline<'_>) {
    let mut marks: Vec<&Mark> = timeline.marks.iter().collect();
    marks.sort_by_key(|mark| mark.rank);
    let mut taken: Vec<Option<char>> = vec![None; row.width as usize];
    for mark in marks.into_iter().filter(|m| (timeline.x.0..=timeline.x.1).contains(&m.at)) {
        let at = stack::column(mark.at, timeline.x, row.width as usize);
        let free = [Some(at), at.checked_add(1), at.checked_sub(1)].into_iter().flatten();
        // The same again at the same place says nothing new.
        let mut free = free.take_while(|&at| taken.get(at) != Some(&Some(mark.symbol)));
        if let Some(at) = free.find(|&at| taken.get(at) == Some(&None)) {
            taken[at] = Some(mark.symbol);
            pen.cell(row.x + at as u16, row.y, mark.symbol, mark.role);
        }
    }
}

/// A sign over the stacks; what is full behind it stays its ground.
fn over(pen: &mut Pen<'_>, x: u16, y: u16, symbol: char, role: Role) {
    let ground = ground(pen, x, y);
    pen.cell(x, y, symbol, role);
    if let (Some(color), Some(cell)) = (ground, pen.buffer.cell_mut((x, y))) {
        cell.set_bg(color);
    }
}

/// The colour of a cell that is full.
fn ground(pen: &Pen<'_>, x: u16, y: u16) -> Option<Color> {
    let cell = pen.buffer.cell((x, y))?;
    let is_full = cell.symbol() == "█" || cell.bg != Color::Reset;
    (is_full && pen.theme.has_color && pen.theme.glyphs != GlyphSet::Ascii).then_some(cell.fg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{GIB, MIB};

    #[test]
    fn ticks_are_powers_of_two_and_few() {
        assert_eq!(tick(301 * MIB, 4), 128 * MIB);
        assert_eq!(tick(2 * GIB, 4), 512 * MIB);
        assert_eq!((tick(1, 4), tick(0, 0), tick(u64::MAX, 1)), (1, 1, 1 << 63));
    }
}
