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

impl Column {
    fn merge(slot: &mut Option<Column>, new: Column) {
        *slot = Some(slot.map_or(new, |old| Column {
            min: old.min.min(new.min),
            max: old.max.max(new.max),
            open: old.open,
            close: new.close,
        }));
    }
}

/// Where an x lies among so many places.
struct Scale {
    first: u64,
    span: f64,
}

impl Scale {
    fn place(&self, x: u64, places: usize) -> usize {
        (x.saturating_sub(self.first) as f64 / self.span * (places.max(1) - 1) as f64).round() as usize
    }
}

/// Draws lines and marks from the first x to `x_end`, the lowest row being the axis of steps.
pub fn draw(pen: &mut Pen<'_>, area: Rect, lines: &[Line<'_>], marks: &[Mark], x_end: u64) {
    if area.width < AXIS + 4 || area.height < 3 {
        return;
    }
    let plot = Rect { x: area.x + AXIS + 1, y: area.y, width: area.width - AXIS - 1, height: area.height - 1 };
    let mut canvas = Canvas::new(plot, pen.theme.glyphs);
    let (dots_x, dots_y) = (canvas.width(), canvas.height());
    let firsts = lines.iter().filter_map(|l| l.buckets.first()).map(|b| b.first).chain(marks.iter().map(|m| m.x));
    let x_start = firsts.min().unwrap_or(0);
    let x_end = x_end.max(x_start + 1);
    let x_scale = Scale { first: x_start, span: (x_end - x_start) as f64 };
    let marks: Vec<&Mark> = marks.iter().filter(|m| m.y.is_finite() && m.x <= x_end).collect();
    let columns: Vec<Vec<Option<Column>>> = lines.iter().map(|l| columns(l.buckets, &x_scale, dots_x)).collect();
    let Some((low, high)) = range(&columns, &marks) else { return };
    let at_y = |y: f64, dots: usize| ((high - y) / (high - low) * (dots.max(1) - 1) as f64).round().max(0.0) as usize;

    axes(pen, area, plot, (low, high), (x_start, x_end));
    for (line, columns) in lines.iter().zip(&columns) {
        canvas.layer(line.role, line.ascii);
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
    for mark in marks {
        let x = plot.x + x_scale.place(mark.x, plot.width as usize) as u16;
        let y = plot.y + at_y(mark.y, plot.height as usize) as u16;
        let symbol = if pen.theme.is_ascii() { mark.ascii } else { mark.unicode };
        pen.cell(x, y, symbol, mark.role);
    }
}

/// What each column of dots shows of a line. Places grow with x, so that the buckets of a column stand next to each other.
fn columns(buckets: &[Bucket], scale: &Scale, count: usize) -> Vec<Option<Column>> {
    let mut columns = vec![None; count];
    let mut rest = buckets;
    while let Some(first) = rest.first() {
        let place = scale.place(first.first, count);
        let (here, behind) = rest.split_at(rest.partition_point(|b| scale.place(b.first, count) <= place).max(1));
        let last = here.last().unwrap_or(first);
        let (min, max) = here.iter().fold((first.min, first.max), |(min, max), b| (min.min(b.min), max.max(b.max)));
        if let Some(slot) = columns.get_mut(place) {
            Column::merge(slot, Column { min, max, open: first.open, close: last.close });
        }
        // A bucket of many points may reach into a later column.
        let reach = scale.place(last.last, count);
        if let Some(slot) = columns.get_mut(reach).filter(|_| reach > place) {
            Column::merge(slot, Column { min: last.min, max: last.max, open: last.close, close: last.close });
        }
        rest = behind;
    }
    columns
}

/// The lowest and highest value that is drawn, with a little air where all are the same.
fn range(lines: &[Vec<Option<Column>>], marks: &[&Mark]) -> Option<(f64, f64)> {
    let columns = lines.iter().flatten().flatten().map(|c| (f64::from(c.min), f64::from(c.max)));
    let all = columns.chain(marks.iter().map(|m| (m.y, m.y)));
    let (low, high) = all.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::state::series::Series;

    #[test]
    fn a_spike_of_one_step_in_a_hundred_thousand_is_in_its_column() {
        let mut series = Series::default();
        (1..=100_000).for_each(|x| series.push(x, if x == 77_777 { 9.0 } else { 1.0 }));
        let scale = Scale { first: 1, span: 99_999.0 };
        let columns = columns(series.buckets(), &scale, 150);
        assert!(columns.iter().all(Option::is_some));
        let place = scale.place(77_777, 150);
        let highest: Vec<f32> = columns.iter().flatten().map(|c| c.max).collect();
        assert_eq!(highest.iter().position(|&m| m == 9.0), Some(place));
        assert_eq!(highest.iter().filter(|&&m| m == 9.0).count(), 1);
    }

    #[test]
    fn merged_buckets_still_reach_the_end_of_the_axis() {
        let mut series = Series::with_limit(4);
        (1..=31).for_each(|x| series.push(x, 1.0));
        let columns = columns(series.buckets(), &Scale { first: 1, span: 30.0 }, 60);
        assert!(columns[0].is_some() && columns[59].is_some());
    }

    #[test]
    fn one_value_alone_has_air_around_it() {
        let one = vec![Some(Column { min: 2.0, max: 2.0, open: 2.0, close: 2.0 })];
        assert_eq!(range(&[one], &[]), Some((1.9, 2.1)));
        assert_eq!(range(&[], &[]), None);
    }
}
