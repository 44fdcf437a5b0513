//! A line chart over steps: lines that keep every spike (lowest and highest value of a column are both drawn), marked points, axes.
//! It knows buckets and roles; which quantity it shows is its caller's business.

use ratatui::layout::Rect;

use crate::ui::format;
use crate::ui::state::series::Bucket;
use crate::ui::theme::Role;

use super::canvas::Canvas;
use super::pen::Pen;

/// A quantity to be drawn as a line.
pub struct Line<'a> {
    pub buckets: &'a [Bucket],
    pub role: Role,
    pub ascii: char,
}

/// A point to be marked.
pub struct Mark {
    pub x: u64,
    pub y: f64,
    pub role: Role,
    pub unicode: char,
    pub ascii: char,
}

/// Width of the numbers at the left edge.
const AXIS: u16 = 6;

/// What one column of dots shows of a line.
#[derive(Clone, Copy)]
struct Column {
    min: f32,
    max: f32,
    open: f32,
    close: f32,
}

/// Draws lines and marks from the first x to `x_end`, the lowest row being the axis of steps.
pub fn draw(pen: &mut Pen<'_>, area: Rect, lines: &[Line<'_>], marks: &[Mark], x_end: u64) {
    if area.width < AXIS + 4 || area.height < 3 {
        return;
    }
    let plot = Rect { x: area.x + AXIS + 1, y: area.y, width: area.width - AXIS - 1, height: area.height - 1 };
    let Some((low, high)) = range(lines, marks) else { return };
    let x_start = lines.iter().filter_map(|l| l.buckets.first()).map(|b| b.first);
    let x_start = x_start.chain(marks.iter().map(|m| m.x)).min().unwrap_or(0);
    let x_end = x_end.max(x_start + 1);

    let mut canvas = Canvas::new(plot, pen.theme.glyphs);
    let (dots_x, dots_y) = (canvas.width(), canvas.height());
    let at_x = |x: u64, dots: usize| {
        ((x.saturating_sub(x_start)) as f64 / (x_end - x_start) as f64 * (dots - 1) as f64).round() as usize
    };
    let at_y = |y: f64, dots: usize| ((high - y) / (high - low) * (dots - 1) as f64).round().max(0.0) as usize;

    axes(pen, area, plot, (low, high), (x_start, x_end));
    for line in lines {
        canvas.layer(line.role, line.ascii);
        let mut columns: Vec<Option<Column>> = vec![None; dots_x];
        for bucket in line.buckets {
            // A bucket of many points reaches over all columns that its points lie in.
            for x in [bucket.first, bucket.last] {
                let Some(slot) = columns.get_mut(at_x(x, dots_x)) else { continue };
                let new = Column { min: bucket.min, max: bucket.max, open: bucket.open, close: bucket.close };
                *slot = Some(slot.map_or(new, |old| Column {
                    min: old.min.min(new.min),
                    max: old.max.max(new.max),
                    open: old.open,
                    close: new.close,
                }));
            }
        }
        let mut previous: Option<(usize, f32)> = None;
        for (x, column) in columns.iter().enumerate().filter_map(|(x, c)| Some((x, (*c)?))) {
            if let Some((from, close)) = previous {
                canvas.line((from, at_y(close.into(), dots_y)), (x, at_y(column.open.into(), dots_y)));
            }
            canvas.column(x, at_y(column.max.into(), dots_y), at_y(column.min.into(), dots_y));
            previous = Some((x, column.close));
        }
    }
    canvas.paint(pen);
    for mark in marks.iter().filter(|m| m.y.is_finite() && m.x <= x_end) {
        let x = plot.x + at_x(mark.x, plot.width as usize) as u16;
        let y = plot.y + at_y(mark.y, plot.height as usize) as u16;
        let symbol = if pen.theme.is_ascii() { mark.ascii } else { mark.unicode };
        pen.cell(x, y, symbol, mark.role);
    }
}

/// The lowest and highest value that is drawn, with a little air where all are the same.
fn range(lines: &[Line<'_>], marks: &[Mark]) -> Option<(f64, f64)> {
    let buckets = lines.iter().flat_map(|l| l.buckets).map(|b| (f64::from(b.min), f64::from(b.max)));
    let marks = marks.iter().filter(|m| m.y.is_finite()).map(|m| (m.y, m.y));
    let (low, high) = buckets.chain(marks).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    let air = if high > low { 0.0 } else { (high.abs() * 0.05).max(1e-6) };
    Some((low - air, high + air))
}

fn axes(pen: &mut Pen<'_>, area: Rect, plot: Rect, y: (f64, f64), x: (u64, u64)) {
    let vertical = pen.theme.pick("│", "|").chars().next().unwrap_or('|');
    for row in 0..plot.height {
        pen.cell(plot.x - 1, plot.y + row, vertical, Role::Border);
    }
    let (low, high) = y;
    let middle = plot.height / 2;
    let rows = if plot.height >= 5 { vec![0, middle, plot.height - 1] } else { vec![0, plot.height - 1] };
    for row in rows {
        let value = high - (high - low) * f64::from(row) / f64::from((plot.height - 1).max(1));
        let text = format::loss(value);
        let label = Rect { width: AXIS, ..area };
        pen.line_right(label, row, &vec![(text.into(), Role::Faint)]);
    }
    let bottom = Rect { y: plot.bottom(), height: 1, ..plot };
    pen.text(bottom, 0, &format::count(x.0), Role::Faint);
    let end = format!("step {}", format::count(x.1));
    pen.line_right(bottom, 0, &vec![(end.into(), Role::Faint)]);
}
