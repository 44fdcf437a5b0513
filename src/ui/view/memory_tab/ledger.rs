//! The ledger at one moment: each category with its share, what they come to beside what was measured, and what is left below the limit, of
//! the host and of the device.

use ratatui::layout::Rect;

use crate::memory::ledger::Category;
use crate::ui::format;
use crate::ui::state::memory::MemoryPoint;
use crate::ui::state::run::RunView;
use crate::ui::state::{RunStage, State};
use crate::ui::theme::Role;
use crate::ui::view::charts::flow;
use crate::ui::view::memory::{draw_legend, legend_rows, letter, name, parts_of};
use crate::ui::widgets::{Pen, Words, words};
use crate::units::format_duration;

use super::bytes;

/// A line of the ledger.
struct Row {
    category: Option<Category>,
    name: &'static str,
    value: String,
    share: Option<String>,
    role: Role,
    /// A line is left free above it.
    apart: bool,
}

impl Row {
    fn new(name: &'static str, value: String) -> Self {
        Row { category: None, name, value, share: None, role: Role::Text, apart: false }
    }

    fn bytes(name: &'static str, value: Option<u64>) -> Self {
        Row::new(name, format::or_unknown(value, bytes))
    }

    fn apart(self) -> Self {
        Row { apart: true, ..self }
    }
}

/// A difference with its sign.
fn signed(difference: i128) -> String {
    let size = bytes(u64::try_from(difference.unsigned_abs()).unwrap_or(u64::MAX));
    if difference < 0 { format!("-{size}") } else { size }
}

fn share(bytes: u64, of: u64) -> String {
    match bytes as f64 / of.max(1) as f64 * 100.0 {
        percent if bytes > 0 && percent < 0.5 => "<1 %".to_owned(),
        percent if percent > 999.0 => ">999 %".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}

/// What is not measured on this machine at all is left out; what is unknown at this moment alone is a dash.
fn rows(view: &RunView, point: &MemoryPoint) -> Vec<Row> {
    let of = point.height();
    let mut rows: Vec<Row> = view
        .memory
        .categories()
        .filter(|&category| category != Category::Unaccounted)
        .map(|category| {
            let held = point.stack[category as usize];
            let role = if held == 0 { Role::Faint } else { Role::Text };
            let share = (held > 0).then(|| share(held, of));
            Row { category: Some(category), share, role, ..Row::new(name(category), bytes(held)) }
        })
        .collect();
    let device = point.device.as_deref();
    rows.push(Row { share: Some(share(point.charged(), of)), ..Row::bytes("charged", Some(point.charged())).apart() });
    let unaccounted = point.unaccounted();
    rows.push(Row {
        category: Some(Category::Unaccounted),
        share: unaccounted.and_then(|b| u64::try_from(b).ok()).map(|bytes| share(bytes, of)),
        ..Row::new("not accounted for", format::or_unknown(unaccounted, signed))
    });
    let measured = if device.is_some() { "measured on device" } else { "measured" };
    rows.push(Row::bytes(measured, point.used_bytes));
    let limit = point.limit_bytes;
    rows.push(Row::bytes("limit", limit).apart());
    let left = limit.zip(point.used_bytes).map(|(limit, used)| i128::from(limit) - i128::from(used));
    let role = if left.is_some_and(|left| left < 0) { Role::Bad } else { Role::Text };
    rows.push(Row { role, ..Row::new("headroom", format::or_unknown(left, signed)) });
    if let Some(device) = device {
        rows.push(Row::bytes("device total", device.total_bytes).apart());
        rows.push(Row::bytes("held by others", device.others_bytes));
        if let Some(pool) = device.pool {
            let reserved_unused = i128::from(pool.reserved_bytes) - i128::from(pool.used_bytes);
            let used = format!("{} of {}", bytes(pool.used_bytes), bytes(pool.reserved_bytes));
            rows.push(Row::new("pool in use", used));
            let part = u64::try_from(reserved_unused).ok().map(|bytes| share(bytes, pool.reserved_bytes));
            rows.push(Row { share: part, ..Row::new("fragmentation", signed(reserved_unused)) });
        }
        if let Some(gpu) = device.gpu {
            let busy = format::or_unknown(gpu.utilisation_percent, |p| format!("{p} %"));
            let degrees = format::or_unknown(gpu.temperature_celsius, |c| format!("{c} C"));
            let watts = gpu.power_watts.filter(|watts| watts.is_finite());
            let power = format::or_unknown(watts, |w| format!("{w:.0} W"));
            rows.push(Row::new("gpu", format!("{busy}  {degrees}  {power}")));
        }
    }
    let last = view.memory.last.as_ref();
    let mut host = Vec::new();
    if let Some(device) = device {
        host.push(Row::bytes("process on host", device.process_bytes));
    }
    if last.is_some_and(|last| last.host_available_bytes.is_some()) {
        let total = last.and_then(|last| last.host_total_bytes);
        let of = total.map(|total| format!(" of {}", bytes(total))).unwrap_or_default();
        let free = format::or_unknown(point.host_available_bytes, bytes);
        host.push(Row::new("host free", format!("{free}{of}")));
    }
    if last.is_some_and(|last| last.swap_bytes.is_some()) || point.swap_bytes.is_some() {
        host.push(Row::bytes("swapped out", point.swap_bytes));
    }
    if let Some(first) = host.first_mut() {
        first.apart = true;
    }
    rows.extend(host);
    rows
}

/// When, which step, which phase.
fn moment(point: &MemoryPoint) -> String {
    let at = format_duration(point.at_ms as f64 / 1e3);
    format!("{at}  step {}  {}", format::count(point.step), point.phase.name())
}

/// The ledger as text.
pub fn ledger_text(view: &RunView, point: &MemoryPoint) -> String {
    let mut text = format!("memory at {}\n", moment(point));
    for row in rows(view, point) {
        let share = row.share.map(|s| format!("  {s}")).unwrap_or_default();
        text.push_str(&format!("{}  {}{share}\n", row.name, row.value));
    }
    text
}

/// Which moment it is.
fn title(state: &State, run: &RunStage, point: &MemoryPoint) -> Words {
    let is_peak = run.view.memory.highest().is_some_and(|highest| highest.point == *point);
    let (what, role) = match state.timeline.cursor_ms {
        _ if is_peak => ("peak  ", Role::Warn),
        Some(_) => ("", Role::Active),
        None if run.is_live() => ("now  ", Role::Label),
        None => ("at the end  ", Role::Label),
    };
    let role_of_moment = if state.timeline.cursor_ms.is_some() { Role::Active } else { Role::Text };
    words([(what, role), (&moment(point), role_of_moment)])
}

/// The whole ledger, a line each.
pub fn draw(pen: &mut Pen<'_>, area: Rect, state: &State, run: &RunStage) {
    let Some(point) = state.timeline.looked_at(&run.view.memory) else {
        pen.panel(area, "ledger", &Words::new());
        return;
    };
    let inner = pen.panel(area, "ledger", &title(state, run, point));
    let mut rows = rows(&run.view, point);
    // Where there are too few lines, free ones go first, then categories without bytes.
    if rows.len() > inner.height as usize {
        rows.retain(|row| row.category.is_none() || row.role != Role::Faint);
    }
    let with_gaps = rows.len() + rows.iter().filter(|row| row.apart).count() <= inner.height as usize;
    let mut y = 0;
    for row in &rows {
        y += u16::from(with_gaps && row.apart);
        let mark = match row.category {
            Some(category) if !pen.theme.has_color => letter(category).to_string(),
            Some(_) => pen.theme.pick("■", "#").to_owned(),
            None => " ".to_owned(),
        };
        let mark_role = row.category.map_or(Role::Text, Role::Category);
        let columns = Rect { width: inner.width.saturating_sub(8), ..inner };
        pen.line_right(inner, y, &words([(row.share.as_deref().unwrap_or(""), Role::Label)]));
        let x = pen.line_right(columns, y, &words([(&row.value, row.role)]));
        let left = Rect { width: x.saturating_sub(inner.x + 1), ..inner };
        pen.line(left, y, &words([(&mark, mark_role), (" ", Role::Text), (row.name, Role::Label)]));
        y += 1;
    }
}

/// The same on few lines: what has bytes, then sums as far as they fit, the most important first.
pub fn draw_small(pen: &mut Pen<'_>, area: Rect, state: &State, run: &RunStage) {
    let Some(point) = state.timeline.looked_at(&run.view.memory) else {
        pen.panel(area, "ledger", &Words::new());
        return;
    };
    let inner = pen.panel(area, "ledger", &title(state, run, point));
    let parts = parts_of(point);
    let sums = 2.min(inner.height);
    let legend = Rect { height: inner.height - sums, ..inner };
    let wanted = legend_rows(&parts, Rect { height: legend.height * 2, ..legend });
    let legend = Rect { height: wanted.min(legend.height), ..legend };
    draw_legend(pen, legend, &parts);
    let below = Rect { y: legend.bottom(), height: inner.height - legend.height, ..inner };
    let of = |name: &str| !matches!(name, "device total" | "limit" | "charged" | "pool in use");
    let mut sums: Vec<Row> = rows(&run.view, point);
    // Less than was charged is no part that the legend could show.
    sums.retain(|row| of(row.name) && (row.category.is_none() || row.value.starts_with('-')));
    let limit = point.limit_bytes.map(|limit| format!(" of {}", format::short_bytes(limit))).unwrap_or_default();
    let pieces = sums.iter().map(|row| {
        let of = if row.name.starts_with("measured") { limit.as_str() } else { "" };
        words([(&format!("  {} ", row.name), Role::Label), (&row.value, row.role), (of, Role::Label)])
    });
    flow(pen, below, pieces.collect());
}
