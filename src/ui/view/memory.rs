//! The memory panel: used of the limit as a bar of categories, peak and headroom, the host, categories and phases over time, and a legend that
//! leaves nothing out: what is measured but not charged to anybody has its own place.

use ratatui::layout::Rect;

use crate::memory::ledger::{ByCategory, Category, Phase};
use crate::ui::format;
use crate::ui::state::RunStage;
use crate::ui::state::memory::{MemoryPoint, sum};
use crate::ui::theme::Role;
use crate::ui::widgets::stack::{self, Moment};
use crate::ui::widgets::{Pen, Words, bars, pen, words};
use crate::units::format_bytes;

/// The category in words.
pub fn name(category: Category) -> &'static str {
    match category {
        Category::BaseWeights => "base weights",
        Category::DequantScratch => "dequant",
        Category::Adapter => "adapter",
        Category::Gradients => "gradients",
        Category::Optimizer => "optimizer",
        Category::Activations => "activations",
        Category::BlockWork => "block work",
        Category::HeadChunk => "head chunk",
        Category::KvCache => "kv cache",
        Category::Data => "data",
        Category::Other => "other",
        Category::Unaccounted => "unaccounted",
    }
}

/// The category in at most seven cells.
fn short_name(category: Category) -> &'static str {
    match category {
        Category::BaseWeights => "weights",
        Category::DequantScratch => "dequant",
        Category::Adapter => "adapter",
        Category::Gradients => "grads",
        Category::Optimizer => "optim",
        Category::Activations => "activ",
        Category::BlockWork => "block",
        Category::HeadChunk => "head",
        Category::KvCache => "kv",
        Category::Data => "data",
        Category::Other => "other",
        Category::Unaccounted => "unacc.",
    }
}

/// Bytes by category as parts of a bar.
pub fn parts(by_category: &ByCategory) -> Vec<(u64, Role, char)> {
    let all = Category::ALL.map(|c| (by_category.get(&c).copied().unwrap_or(0), Role::Category(c), letter(c)));
    all.into_iter().filter(|&(bytes, _, _)| bytes > 0).collect()
}

/// What stands for a category where there are no colours.
pub fn letter(category: Category) -> char {
    match category {
        Category::BaseWeights => 'W',
        Category::DequantScratch => 'Q',
        Category::Adapter => 'L',
        Category::Gradients => 'G',
        Category::Optimizer => 'O',
        Category::Activations => 'A',
        Category::BlockWork => 'B',
        Category::HeadChunk => 'H',
        Category::KvCache => 'K',
        Category::Data => 'D',
        Category::Other => 'o',
        Category::Unaccounted => '?',
    }
}

/// What stands for a phase in the strip under the timeline.
pub fn phase_letter(phase: Phase) -> char {
    match phase {
        Phase::Load => 'L',
        Phase::Forward => 'F',
        Phase::Backward => 'B',
        Phase::Optimizer => 'O',
        Phase::Eval => 'E',
        Phase::Checkpoint => 'S',
        Phase::Generate => 'G',
        Phase::Idle => '-',
    }
}

pub fn draw(pen: &mut Pen<'_>, area: Rect, run: &RunStage) {
    let memory = &run.view.memory;
    let phase = memory.last.as_ref().filter(|_| run.is_live()).map(|m| m.phase.name());
    let right = phase.map_or_else(Vec::new, |p| words([(p, Role::Active)]));
    let inner = pen.panel(area, "memory", &right);
    if inner.height < 3 {
        return;
    }
    let newest = memory.newest();
    let limit = memory.limit_bytes.or_else(|| run.view.plan.as_ref().and_then(|p| p.limit_bytes));
    let parts = newest.map_or_else(Vec::new, parts_of);
    let top = memory.peak_bytes.max(newest.map(|p| p.height())).unwrap_or(0);
    bars::parts(pen, Rect { height: 1, ..inner }, &parts, limit.unwrap_or(top).max(top), memory.peak_bytes);
    used_and_peak(pen, Rect { y: inner.y + 1, height: 1, ..inner }, run, limit);

    let mut body = Rect { y: inner.y + 2, height: inner.height - 2, ..inner };
    if body.height >= 6 {
        let line = Rect { height: 1, ..body };
        pen.line(line, 0, &fitting(room_left(run, limit, line.width), line.width));
        (body.y, body.height) = (body.y + 1, body.height - 1);
    }
    if inner.height >= 12 {
        more(pen, &mut body, run);
    }
    let legend = legend_rows(&parts, body);
    let height = body.height - legend;
    draw_legend(pen, Rect { y: body.y + height, height: legend, ..body }, &parts);
    timeline(pen, Rect { height, ..body }, run);
}

/// What has bytes at a moment, from the bottom up.
pub fn parts_of(point: &MemoryPoint) -> Vec<(u64, Role, char)> {
    let parts = Category::ALL.map(|c| (point.stack[c as usize], Role::Category(c), letter(c)));
    parts.into_iter().filter(|&(bytes, _, _)| bytes > 0).collect()
}

/// `289 MiB of 2.00 GiB        peak 422 MiB`
fn used_and_peak(pen: &mut Pen<'_>, row: Rect, run: &RunStage, limit: Option<u64>) {
    let memory = &run.view.memory;
    let used = memory.newest().and_then(|p| p.used_bytes);
    let bytes = if row.width < 36 { format::short_bytes } else { format_bytes };
    let mut line: Words = words([(&format::or_unknown(used, bytes), Role::Text)]);
    match limit {
        Some(limit) => line.extend(words([(" of ", Role::Label), (&bytes(limit), Role::Text)])),
        None => line.extend(words([(" used", Role::Label)])),
    }
    let over = limit.is_some_and(|l| memory.peak_bytes.is_some_and(|p| p > l));
    let peak = words([
        ("peak ", Role::Label),
        (&format::or_unknown(memory.peak_bytes, bytes), if over { Role::Bad } else { Role::Text }),
    ]);
    let x = pen.line_right(row, 0, &peak);
    pen.line(Rect { width: x.saturating_sub(row.x + 1), ..row }, 0, &line);
}

/// What is left: below the limit at the peak, on the machine, and what others hold of the device. The most important first.
fn room_left(run: &RunStage, limit: Option<u64>, width: u16) -> Vec<Words> {
    let memory = &run.view.memory;
    let bytes = if width < 48 { format::short_bytes } else { format_bytes };
    let headroom = match (limit, memory.peak_bytes) {
        (Some(limit), Some(peak)) if peak > limit => Some((format!("-{}", bytes(peak - limit)), Role::Bad)),
        (Some(limit), Some(peak)) => Some((bytes(limit - peak), Role::Text)),
        _ => None,
    };
    let (headroom, role) = headroom.unwrap_or((format::UNKNOWN.to_owned(), Role::Text));
    let mut pieces = vec![words([("headroom ", Role::Label), (&headroom, role)])];
    let Some(sample) = &memory.last else { return pieces };
    if let Some(others) = sample.others_bytes {
        pieces.push(words([("others ", Role::Label), (&bytes(others), Role::Text)]));
    }
    if let Some(free) = sample.host_available_bytes {
        let of = sample.host_total_bytes.map(|total| format!(" of {}", bytes(total))).unwrap_or_default();
        let of = if width < 30 { String::new() } else { of };
        pieces.push(words([("host free ", Role::Label), (&bytes(free), Role::Text), (&of, Role::Label)]));
    }
    pieces
}

/// Pieces on one line as far as they fit, with gaps between.
fn fitting(pieces: Vec<Words>, width: u16) -> Words {
    let mut line: Words = Vec::new();
    for mut piece in pieces {
        let gap = if line.is_empty() { 0 } else { 2 };
        // Where the total does not fit, the free part alone may.
        while pen::width(&line) + gap + pen::width(&piece) > width as usize && piece.len() > 2 {
            piece.pop();
        }
        if pen::width(&line) + gap + pen::width(&piece) > width as usize {
            continue;
        }
        if gap > 0 {
            line.push(("  ".into(), Role::Text));
        }
        line.append(&mut piece);
    }
    line
}

/// Categories over time, and under them each column's phase.
fn timeline(pen: &mut Pen<'_>, area: Rect, run: &RunStage) {
    if area.height == 0 {
        return;
    }
    let points = run.view.memory.points();
    let stacks = Category::ALL.map(|c| (Role::Category(c), letter(c)));
    let with_phases = area.height >= 2;
    let graph = Rect { height: area.height - u16::from(with_phases), ..area };
    let moments = points.iter().map(|p| Moment { x: p.at_ms, parts: &p.stack });
    let first = points.first().map_or(0, |p| p.at_ms);
    let last = points.last().map_or(0, |p| p.at_ms);
    let scale = points.iter().map(|p| p.height().max(sum(&p.stack))).max().unwrap_or(0);
    stack::draw(pen, graph, moments, &stacks, (first, last), scale);
    if !with_phases {
        return;
    }
    phases(pen, Rect { y: area.bottom() - 1, height: 1, ..area }, points, (first, last));
}

/// A strip of phases: each column's, by their letters.
pub fn phases(pen: &mut Pen<'_>, row: Rect, points: &[MemoryPoint], x: (u64, u64)) {
    let width = row.width as usize;
    // Forward and backward are everywhere: a rarer phase is shown where there was one, else that of the highest moment.
    let rarity = |phase: Phase| match phase {
        Phase::Checkpoint => 4,
        Phase::Eval | Phase::Generate => 3,
        Phase::Load | Phase::Optimizer => 2,
        Phase::Idle => 1,
        Phase::Forward | Phase::Backward => 0,
    };
    let mut telling: Vec<Option<(u8, u64, Phase)>> = vec![None; width];
    let mut shown = None;
    for point in points {
        if point.at_ms < x.0 {
            shown = Some(point.phase);
            continue;
        }
        let Some(slot) = telling.get_mut(stack::column(point.at_ms, x, width)) else { continue };
        let (rare, height) = (rarity(point.phase), point.height());
        if slot.is_none_or(|(r, h, _)| (rare, height) >= (r, h)) {
            *slot = Some((rare, height, point.phase));
        }
    }
    for (i, column) in telling.into_iter().enumerate() {
        shown = column.map(|(_, _, phase)| phase).or(shown);
        let Some(phase) = shown else { continue };
        let role = match phase {
            Phase::Eval => Role::Eval,
            Phase::Checkpoint => Role::Good,
            Phase::Idle | Phase::Load => Role::Faint,
            _ => Role::Label,
        };
        pen.cell(row.x + i as u16, row.y, phase_letter(phase), role);
    }
}

/// Rows that only a large panel has: the prediction, the device, others on it.
fn more(pen: &mut Pen<'_>, body: &mut Rect, run: &RunStage) {
    let mut lines: Vec<Words> = Vec::new();
    if let Some(plan) = &run.view.plan {
        lines.push(words([("predicted peak  ", Role::Label), (&format_bytes(plan.peak_bytes), Role::Text)]));
    }
    if let Some(sample) = &run.view.memory.last
        && let (Some(used), Some(total)) = (sample.device_used_bytes, sample.device_total_bytes)
    {
        let text = format!("{} of {}", format_bytes(used), format_bytes(total));
        lines.push(words([("on the device   ", Role::Label), (&text, Role::Text)]));
        let host = format::or_unknown(sample.used_bytes, format_bytes);
        lines.push(words([("on the host     ", Role::Label), (&host, Role::Text)]));
    }
    for line in &lines {
        pen.line(*body, 0, line);
        body.y += 1;
        body.height -= 1;
    }
    body.y += 1;
    body.height -= 1;
}

/// Cells that an entry of the legend needs with its whole name, and with its short one.
const LONG_ENTRY: u16 = 24;
const SHORT_ENTRY: u16 = 15;

/// How many entries stand side by side, and whether they are short.
fn legend_columns(width: u16) -> (u16, bool) {
    match width {
        w if w >= 2 * LONG_ENTRY => (w / LONG_ENTRY, false),
        w if w > 2 * SHORT_ENTRY => (w / (SHORT_ENTRY + 1).min(w), true),
        _ => (1, false),
    }
}

/// Rows that the legend takes: all categories if there is room, else about half of the body.
pub fn legend_rows(parts: &[(u64, Role, char)], body: Rect) -> u16 {
    let wanted = (parts.len() as u16).div_ceil(legend_columns(body.width).0);
    wanted.min(body.height.div_ceil(2))
}

/// Categories by size, the largest first. What is not accounted for comes last, and is never the one that is left out.
pub fn draw_legend(pen: &mut Pen<'_>, area: Rect, parts: &[(u64, Role, char)]) {
    if area.height == 0 {
        return;
    }
    let mut sorted: Vec<(u64, Category)> = parts
        .iter()
        .filter_map(
            |&(bytes, role, _)| if let Role::Category(category) = role { Some((bytes, category)) } else { None },
        )
        .collect();
    sorted.sort_by_key(|&(bytes, category)| (category == Category::Unaccounted, std::cmp::Reverse(bytes)));
    let (columns, short) = legend_columns(area.width);
    let places = usize::from(area.height * columns);
    if sorted.len() > places {
        let unaccounted = sorted.pop_if(|(_, c)| *c == Category::Unaccounted);
        sorted.truncate(places - usize::from(unaccounted.is_some()));
        sorted.extend(unaccounted);
    }
    let width = area.width / columns;
    for (i, (bytes, category)) in sorted.into_iter().enumerate() {
        let (row, column) = ((i / columns as usize) as u16, (i % columns as usize) as u16);
        let gap = if column + 1 < columns { if short { 1 } else { 2 } } else { 0 };
        let place = Rect { x: area.x + column * width, width: width.saturating_sub(gap), ..area };
        let mark =
            if pen.theme.has_color { pen.theme.pick("■", "#").to_owned() } else { letter(category).to_string() };
        let (name, bytes) = match short {
            true => (short_name(category), format::short_bytes(bytes)),
            false => (name(category), format_bytes(bytes)),
        };
        let x = pen.line_right(place, row, &words([(&bytes, Role::Text)]));
        let left = words([(&mark, Role::Category(category)), (" ", Role::Text), (name, Role::Label)]);
        pen.line(Rect { width: x.saturating_sub(place.x + 1), ..place }, row, &left);
    }
}
