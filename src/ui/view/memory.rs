//! The memory panel: used of the limit as a bar of categories, peak, categories over time, and a legend that leaves nothing out:
//! what is measured but not charged to anybody has its own place.

use ratatui::layout::Rect;

use crate::memory::ledger::Category;
use crate::ui::format;
use crate::ui::state::RunStage;
use crate::ui::theme::Role;
use crate::ui::widgets::stack::{self, Moment};
use crate::ui::widgets::{Pen, Words, bars, words};
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

/// What stands for a category where there are no colours.
fn letter(category: Category) -> char {
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
    let used = newest.and_then(|p| p.used_bytes);
    let parts: Vec<(u64, Role, char)> = newest
        .iter()
        .flat_map(|p| Category::ALL.map(|c| (p.stack[c as usize], Role::Category(c), letter(c))))
        .filter(|&(bytes, _, _)| bytes > 0)
        .collect();
    let top = memory.peak_bytes.max(newest.map(|p| p.height())).unwrap_or(0);
    bars::parts(pen, Rect { height: 1, ..inner }, &parts, limit.unwrap_or(top).max(top), memory.peak_bytes);

    let bytes = if inner.width < 36 { format::short_bytes } else { format_bytes };
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
    let x = pen.line_right(inner, 1, &peak);
    pen.line(Rect { width: x.saturating_sub(inner.x + 1), ..inner }, 1, &line);

    let mut body = Rect { y: inner.y + 2, height: inner.height - 2, ..inner };
    if inner.height >= 12 {
        more(pen, &mut body, run);
    }
    let legend = legend_rows(&parts, body);
    let height = body.height - legend;
    draw_legend(pen, Rect { y: body.y + height, height: legend, ..body }, &parts);
    if height > 0 {
        let stacks = Category::ALL.map(|c| (Role::Category(c), letter(c)));
        let points = memory.points();
        let moments = points.iter().map(|p| Moment { x: p.elapsed_ms, parts: &p.stack });
        let first = points.first().map_or(0, |p| p.elapsed_ms);
        let last = points.last().map_or(0, |p| p.elapsed_ms);
        let scale = points.iter().map(|p| p.height().max(p.stack.iter().sum())).max().unwrap_or(0);
        stack::draw(pen, Rect { height, ..body }, moments, &stacks, (first, last), scale);
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
        let mut line = words([("whole device    ", Role::Label), (&text, Role::Text)]);
        if let Some(others) = sample.others_bytes {
            line.extend(words([("  others ", Role::Label), (&format_bytes(others), Role::Text)]));
        }
        lines.push(line);
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
fn legend_rows(parts: &[(u64, Role, char)], body: Rect) -> u16 {
    let wanted = (parts.len() as u16).div_ceil(legend_columns(body.width).0);
    wanted.min(body.height.div_ceil(2))
}

/// Categories by size, the largest first. What is not accounted for comes last, and is never the one that is left out.
fn draw_legend(pen: &mut Pen<'_>, area: Rect, parts: &[(u64, Role, char)]) {
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
