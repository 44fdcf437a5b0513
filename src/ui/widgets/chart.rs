//! A line chart: lines that keep every spike (lowest and highest value of a column are both drawn), marked points, a crosshair, axes.
//! It knows buckets, places on the x axis and roles; which quantity it shows is its caller's business.

use ratatui::layout::Rect;

use crate::ui::state::series::Bucket;
use crate::ui::theme::Role;

use super::canvas::Canvas;
use super::pen::Pen;

/// From a step to its place on the x axis; never falls.
pub type Place<'a> = &'a dyn Fn(u64) -> f64;

/// A quantity to be drawn as a line.
pub struct Line<'a> {
    pub buckets: &'a [Bucket],
    pub place: Place<'a>,
    pub role: Role,
    pub ascii: char,
}

/// A point to be marked.
pub struct Mark {
    pub x: f64,
    pub y: f64,
    pub role: Role,
    pub unicode: char,
    pub ascii: char,
}

/// All that one chart shows.
pub struct Chart<'a> {
    pub lines: Vec<Line<'a>>,
    pub marks: Vec<Mark>,
    /// Places of points that are no numbers, or infinite: they stand at the upper edge.
    pub not_finite: Vec<f64>,
    /// What is shown, from and to.
    pub x: (f64, f64),
    pub log_y: bool,
    pub cursor: Option<f64>,
    /// How a value of y is written, in at most `AXIS` cells.
    pub y_text: &'a dyn Fn(f64) -> String,
    /// How a place is written; the last one gets the unit.
    pub x_text: &'a dyn Fn(f64) -> String,
    pub x_unit: &'a str,
    /// Places are whole numbers.
    pub whole_x: bool,
}

/// Width of the numbers at the left edge.
pub const AXIS: u16 = 7;

/// The cells that lines are drawn in, of an area that also holds the axes; nothing where the area is too small.
pub fn plot_area(area: Rect) -> Option<Rect> {
    (area.width >= AXIS + 5 && area.height >= 3).then(|| Rect {
        x: area.x + AXIS + 1,
        y: area.y,
        width: area.width - AXIS - 1,
        height: area.height - 1,
    })
}

/// What one column of dots shows of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
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

    fn level(y: f32) -> Self {
        Column { min: y, max: y, open: y, close: y }
    }
}

/// Where an x lies among so many places.
struct Scale {
    first: f64,
    span: f64,
}

impl Scale {
    fn of((first, last): (f64, f64)) -> Self {
        Scale { first, span: if last > first { last - first } else { 1.0 } }
    }

    fn place(&self, x: f64, places: usize) -> usize {
        let share = ((x - self.first) / self.span).clamp(0.0, 1.0);
        (share * (places.max(1) - 1) as f64).round() as usize
    }

    fn holds(&self, x: f64) -> bool {
        x >= self.first && x <= self.first + self.span
    }
}

/// Heights, linear or logarithmic.
struct Height {
    low: f64,
    high: f64,
    log: bool,
}

impl Height {
    fn row(&self, y: f64, rows: usize) -> usize {
        let (low, high, y) = match self.log {
            true => (self.low.ln(), self.high.ln(), y.max(self.low).ln()),
            false => (self.low, self.high, y),
        };
        let share = ((high - y) / (high - low)).clamp(0.0, 1.0);
        (share * (rows.max(1) - 1) as f64).round() as usize
    }

    fn value(&self, share: f64) -> f64 {
        match self.log {
            true => (self.high.ln() - (self.high.ln() - self.low.ln()) * share).exp(),
            false => self.high - (self.high - self.low) * share,
        }
    }
}

/// Draws a chart; the lowest row of the area is the x axis.
pub fn draw(pen: &mut Pen<'_>, area: Rect, chart: &Chart<'_>) {
    let Some(plot) = plot_area(area) else { return };
    let mut canvas = Canvas::new(plot, pen.theme.glyphs);
    let (dots_x, dots_y) = (canvas.width(), canvas.height());
    let x_scale = Scale::of(chart.x);
    let marks: Vec<&Mark> = chart.marks.iter().filter(|m| m.y.is_finite() && x_scale.holds(m.x)).collect();
    let columns: Vec<Vec<Option<Column>>> = chart.lines.iter().map(|l| columns(l, &x_scale, dots_x)).collect();
    let Some(height) = range(&columns, &marks, chart.log_y) else {
        lost(pen, plot, &x_scale, chart);
        return;
    };

    axes(pen, area, plot, &height, chart);
    if let Some(cursor) = chart.cursor.filter(|&c| x_scale.holds(c)) {
        let x = plot.x + x_scale.place(cursor, plot.width as usize) as u16;
        let symbol = pen.theme.pick("┊", ":").chars().next().unwrap_or(':');
        for row in 0..plot.height {
            pen.cell(x, plot.y + row, symbol, Role::Active);
        }
    }
    for (line, columns) in chart.lines.iter().zip(&columns) {
        canvas.layer(line.role, line.ascii);
        let mut previous: Option<(usize, f32)> = None;
        for (x, column) in columns.iter().enumerate().filter_map(|(x, c)| Some((x, (*c)?))) {
            if let Some((from, close)) = previous {
                canvas.line((from, height.row(close.into(), dots_y)), (x, height.row(column.open.into(), dots_y)));
            }
            canvas.column(x, height.row(column.max.into(), dots_y), height.row(column.min.into(), dots_y));
            previous = Some((x, column.close));
        }
    }
    canvas.paint(pen);
    for mark in marks {
        let x = plot.x + x_scale.place(mark.x, plot.width as usize) as u16;
        let y = plot.y + height.row(mark.y, plot.height as usize) as u16;
        let symbol = if pen.theme.is_ascii() { mark.ascii } else { mark.unicode };
        pen.cell(x, y, symbol, mark.role);
    }
    lost(pen, plot, &x_scale, chart);
}

/// Points that are no numbers have no height: they stand at the upper edge.
fn lost(pen: &mut Pen<'_>, plot: Rect, scale: &Scale, chart: &Chart<'_>) {
    let symbol = pen.theme.pick("✗", "x").chars().next().unwrap_or('x');
    for &x in chart.not_finite.iter().filter(|&&x| scale.holds(x)) {
        pen.cell(plot.x + scale.place(x, plot.width as usize) as u16, plot.y, symbol, Role::Bad);
    }
}

/// What each column of dots shows of a line. Places grow with the steps, so that the buckets of a column stand next to each other.
fn columns(line: &Line<'_>, scale: &Scale, count: usize) -> Vec<Option<Column>> {
    let mut columns = vec![None; count];
    let (buckets, place) = (line.buckets, line.place);
    let (left, right) = (scale.first, scale.first + scale.span);
    let begin = buckets.partition_point(|b| place(b.last) < left);
    let end = buckets.partition_point(|b| place(b.first) <= right).max(begin);
    // The line comes in from what lies before the left edge, and goes out to what lies behind the right one.
    let between = |a: &Bucket, b: &Bucket, x: f64| {
        let (from, to) = (place(a.last), place(b.first));
        let share = if to > from { (x - from) / (to - from) } else { 0.0 };
        Column::level(a.close + (b.open - a.close) * share as f32)
    };
    if let (Some(before), Some(first)) = (begin.checked_sub(1).and_then(|i| buckets.get(i)), buckets.get(begin))
        && place(first.first) > left
        && let Some(slot) = columns.first_mut()
    {
        Column::merge(slot, between(before, first, left));
    }
    let mut rest = &buckets[begin..end];
    while let Some(first) = rest.first() {
        let at = scale.place(place(first.first), count);
        let (here, behind) = rest.split_at(rest.partition_point(|b| scale.place(place(b.first), count) <= at).max(1));
        let last = here.last().unwrap_or(first);
        let (min, max) = here.iter().fold((first.min, first.max), |(min, max), b| (min.min(b.min), max.max(b.max)));
        if let Some(slot) = columns.get_mut(at) {
            Column::merge(slot, Column { min, max, open: first.open, close: last.close });
        }
        // A bucket of many points may reach into a later column.
        let reach = scale.place(place(last.last), count);
        if let Some(slot) = columns.get_mut(reach).filter(|_| reach > at) {
            Column::merge(slot, Column { min: last.min, max: last.max, open: last.close, close: last.close });
        }
        rest = behind;
    }
    if let (Some(last), Some(after)) = (end.checked_sub(1).and_then(|i| buckets.get(i)), buckets.get(end))
        && place(last.last) < right
        && let Some(slot) = columns.last_mut()
    {
        Column::merge(slot, between(last, after, right));
    }
    columns
}

/// The lowest and highest value that is drawn, with a little air where all are the same. What is not above zero has no place on a
/// logarithmic scale: it lies on the lowest row.
fn range(lines: &[Vec<Option<Column>>], marks: &[&Mark], log: bool) -> Option<Height> {
    let columns = lines.iter().flatten().flatten().map(|c| (f64::from(c.min), f64::from(c.max)));
    let all = || columns.clone().chain(marks.iter().map(|m| (m.y, m.y)));
    let (low, high) = all().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    if log && high > 0.0 {
        let low = all().flat_map(|(a, b)| [a, b]).filter(|v| *v > 0.0).fold(high, f64::min);
        let (low, high) = if high > low { (low, high) } else { (low / 1.05, high * 1.05) };
        return Some(Height { low, high, log });
    }
    let air = if high > low { 0.0 } else { (high.abs() * 0.05).max(1e-6) };
    Some(Height { low: low - air, high: high + air, log: false })
}

fn axes(pen: &mut Pen<'_>, area: Rect, plot: Rect, height: &Height, chart: &Chart<'_>) {
    let vertical = pen.theme.pick("│", "|").chars().next().unwrap_or('|');
    for row in 0..plot.height {
        pen.cell(plot.x - 1, plot.y + row, vertical, Role::Border);
    }
    let middle = plot.height / 2;
    let rows: &[u16] = if plot.height >= 5 { &[0, middle, plot.height - 1] } else { &[0, plot.height - 1] };
    for &row in rows {
        let value = height.value(f64::from(row) / f64::from((plot.height - 1).max(1)));
        let label = Rect { width: AXIS, ..area };
        pen.line_right(label, row, &vec![((chart.y_text)(value).into(), Role::Faint)]);
    }
    let &Chart { x, cursor, x_text, x_unit, whole_x, .. } = chart;
    x_axis(pen, Rect { y: plot.bottom(), height: 1, ..plot }, &XLabels { x, cursor, x_text, x_unit, whole_x });
}

/// What stands under a chart.
pub struct XLabels<'a> {
    pub x: (f64, f64),
    pub cursor: Option<f64>,
    pub x_text: &'a dyn Fn(f64) -> String,
    pub x_unit: &'a str,
    pub whole_x: bool,
}

/// Places under the chart, the most important first: what lies under the crosshair, the ends, quarters where there is room. One that would
/// touch another is left out.
pub fn x_axis(pen: &mut Pen<'_>, row: Rect, chart: &XLabels<'_>) {
    let scale = Scale::of(chart.x);
    let column = |x: f64| scale.place(x, row.width as usize) as u16;
    let mut taken: Vec<(u16, u16, String)> = Vec::new();
    let mut put = |pen: &mut Pen<'_>, text: &str, middle: u16, role: Role| {
        let said = taken.iter().any(|(_, _, other)| other.rsplit(' ').next() == Some(text));
        let width = (text.chars().count() as u16).min(row.width);
        let from = middle.saturating_sub(width / 2).min(row.width - width);
        if !said && taken.iter().all(|&(a, b, _)| from >= b + 2 || from + width + 2 <= a) {
            taken.push((from, from + width, text.to_owned()));
            pen.text(Rect { x: row.x + from, width, ..row }, 0, text, role);
        }
    };
    if let Some(cursor) = chart.cursor.filter(|&c| scale.holds(c)) {
        put(pen, &(chart.x_text)(cursor), column(cursor), Role::Active);
    }
    let unit = if chart.x_unit.is_empty() { String::new() } else { format!("{} ", chart.x_unit) };
    put(pen, &format!("{unit}{}", (chart.x_text)(chart.x.1)), row.width, Role::Faint);
    put(pen, &(chart.x_text)(chart.x.0), 0, Role::Faint);
    if row.width >= 60 {
        for quarter in [2.0, 1.0, 3.0] {
            let x = chart.x.0 + (chart.x.1 - chart.x.0) * quarter / 4.0;
            // A number stands under the place that it names.
            let x = if chart.whole_x { x.round() } else { x };
            put(pen, &(chart.x_text)(x), column(x), Role::Faint);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::state::series::Series;

    fn columns_of(series: &Series, x: (f64, f64), count: usize) -> Vec<Option<Column>> {
        let line = Line { buckets: series.buckets(), place: &|step| step as f64, role: Role::Loss, ascii: '*' };
        columns(&line, &Scale::of(x), count)
    }

    #[test]
    fn a_spike_of_one_step_in_a_hundred_thousand_is_in_its_column() {
        let mut series = Series::default();
        (1..=100_000).for_each(|x| series.push(x, if x == 77_777 { 9.0 } else { 1.0 }));
        let whole = (1.0, 100_000.0);
        let columns = columns_of(&series, whole, 150);
        assert!(columns.iter().all(Option::is_some));
        let place = Scale::of(whole).place(77_777.0, 150);
        let highest: Vec<f32> = columns.iter().flatten().map(|c| c.max).collect();
        assert_eq!(highest.iter().position(|&m| m == 9.0), Some(place));
        assert_eq!(highest.iter().filter(|&&m| m == 9.0).count(), 1);
    }

    #[test]
    fn merged_buckets_still_reach_the_end_of_the_axis() {
        let mut series = Series::with_limit(4);
        (1..=31).for_each(|x| series.push(x, 1.0));
        let columns = columns_of(&series, (1.0, 31.0), 60);
        assert!(columns[0].is_some() && columns[59].is_some());
    }

    #[test]
    fn what_is_zoomed_in_on_is_cut_at_its_edges() {
        let mut series = Series::default();
        (0..=10).for_each(|x| series.push(x * 10, (x * 10) as f64));
        let columns = columns_of(&series, (35.0, 65.0), 31);
        assert_eq!(columns[0].map(|c| c.open), Some(35.0), "the line comes in half way between 30 and 40");
        assert_eq!(columns[5].map(|c| c.open), Some(40.0));
        assert_eq!(columns[30].map(|c| c.close), Some(65.0));
        assert!(columns_of(&series, (200.0, 300.0), 31).iter().all(Option::is_none));
        let between = columns_of(&series, (42.0, 48.0), 7);
        assert_eq!((between[0].map(|c| c.open), between[6].map(|c| c.close)), (Some(42.0), Some(48.0)));
    }

    #[test]
    fn one_value_alone_has_air_around_it_and_a_log_scale_begins_above_zero() {
        let of = |min, max| vec![Some(Column { min, max, open: min, close: max })];
        let height = range(&[of(2.0, 2.0)], &[], false).expect("a value");
        assert_eq!((height.low, height.high), (1.9, 2.1));
        assert!(range(&[], &[], false).is_none());
        let log = range(&[of(0.0, 100.0), of(1.0, 1.0)], &[], true).expect("values");
        assert_eq!((log.low, log.high), (1.0, 100.0));
        assert_eq!((log.row(100.0, 3), log.row(10.0, 3), log.row(0.0, 3)), (0, 1, 2));
        let none = range(&[of(-1.0, 0.0)], &[], true).expect("values");
        assert!(!none.log, "nothing above zero: linear");
    }
}
