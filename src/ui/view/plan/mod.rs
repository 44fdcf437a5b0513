//! The page of the memory plan: the verdict first, then the peak as a bar against the limit, the levers, and where the bytes go. What the same
//! run needs done otherwise is in `elsewhere`, the tables are in `tables`.

mod elsewhere;
mod tables;

use ratatui::layout::Rect;

use crate::memory::plan::{Basis, Plan};
use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::state::State;
use crate::ui::state::knobs::Knob;
use crate::ui::state::plan::{Figures, Half, Known, PlanPage};
use crate::ui::theme::Role;
use crate::ui::view::memory;
use crate::ui::view::oom::{change, lever_name};
use crate::ui::widgets::{Pen, Words, bars, pen, words};
use crate::units::{format_bytes, printable};

/// From this width on levers and tables stand side by side.
const BESIDE: u16 = 100;
/// Cells of a knob's name.
const NAME: usize = 15;

/// What a plan's numbers stand on, in words.
fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Calibrated => "calibrated on this kind of device",
        Basis::Formula => "formulas alone, not measured on this kind of device",
        Basis::Fitted => "fitted to what was measured",
    }
}

/// Whether it fits, in one line; and its colour.
pub fn verdict(plan: &Plan) -> (String, Role) {
    let peak = format_bytes(plan.peak_bytes);
    let Some(limit) = plan.limit_bytes else {
        return (format!("peak {peak}, the limit is unknown"), Role::Warn);
    };
    let limit_text = format_bytes(limit);
    match plan.peak_bytes.checked_sub(limit) {
        None | Some(0) => {
            let left = format_bytes(limit - plan.peak_bytes);
            (format!("fits: peak {peak} of {limit_text}, headroom {left}"), Role::Good)
        }
        Some(over) => {
            (format!("does not fit: peak {peak} of {limit_text}, {} too much", format_bytes(over)), Role::Bad)
        }
    }
}

/// A change of bytes against before: `−120 MiB`; nothing where there is none.
fn difference(before: u64, now: u64) -> Option<(String, Role)> {
    match now.cmp(&before) {
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Less => Some((format!("-{}", format_bytes(before - now)), Role::Good)),
        std::cmp::Ordering::Greater => Some((format!("+{}", format_bytes(now - before)), Role::Warn)),
    }
}

pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State, page: &PlanPage) {
    let right = page.figures().map_or_else(Vec::new, |f| words([(basis(f.now.basis), Role::Label)]));
    let inner = pen.panel(body, "memory plan", &right);
    if inner.height < 4 {
        return;
    }
    let top = match &page.known {
        Known::Reading => {
            pen.text(inner, 0, "reading the model's header and the data's lengths", Role::Active);
            2
        }
        Known::Not(why) => not_known(pen, inner, why),
        Known::Is(figures) if page.half == Half::Elsewhere => {
            head(pen, inner, figures);
            let rest = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
            return elsewhere::draw(pen, rest, state, page, figures);
        }
        Known::Is(figures) => {
            head(pen, inner, figures);
            peak_bar(pen, Rect { y: inner.y + 1, height: 1, ..inner }, figures);
            pen.line(inner, 2, &batch(figures, inner.width));
            3 + help(pen, inner, figures)
        }
    };
    let rest = Rect { y: inner.y + top, height: inner.height.saturating_sub(top), ..inner };
    if rest.width >= BESIDE {
        let gap = u16::from(rest.height > 12);
        let rest = Rect { y: rest.y + gap, height: rest.height - gap, ..rest };
        let width = rest.width / 2 - 2;
        levers(pen, Rect { width, ..rest }, page);
        if let Some(figures) = page.figures() {
            let x = rest.x + width + 4;
            tables::draw(pen, Rect { x, width: rest.right().saturating_sub(x), ..rest }, figures);
        }
        return;
    }
    let used = levers(pen, rest, page);
    if let Some(figures) = page.figures() {
        let gap = u16::from(rest.height > used + 8);
        let y = rest.y + used + gap;
        tables::draw(pen, Rect { y, height: rest.bottom().saturating_sub(y), ..rest }, figures);
    }
}

/// The verdict, and how the peak changed.
fn head(pen: &mut Pen<'_>, inner: Rect, figures: &Figures) {
    let change = difference(figures.before.peak_bytes, figures.now.peak_bytes);
    let change: Words = change.map_or_else(Vec::new, |(text, role)| vec![(text.into(), role)]);
    let x = pen.line_right(inner, 0, &change);
    let (text, role) = verdict(&figures.now);
    let room = Rect { width: x.saturating_sub(inner.x + 1).max(1), ..inner };
    let shorter = text.split(", headroom").next().unwrap_or_default();
    let text = if pen::width(&words([(&text, role)])) > room.width as usize { shorter } else { &text };
    pen.text(if change.is_empty() { inner } else { room }, 0, text, role);
}

/// Why there are no numbers; the rows it took.
fn not_known(pen: &mut Pen<'_>, inner: Rect, why: &str) -> u16 {
    let lines = format::wrap(&printable(why), inner.width as usize);
    let room = (inner.height / 3).max(1) as usize;
    for (row, line) in lines.iter().take(room).enumerate() {
        pen.text(inner, row as u16, line, Role::Warn);
    }
    lines.len().min(room) as u16 + 1
}

/// The peak by category on a scale with the limit, as far as that is near.
fn peak_bar(pen: &mut Pen<'_>, row: Rect, figures: &Figures) {
    let scale = scale(figures);
    let limit = figures.now.limit_bytes;
    let mut bar = row;
    // A limit beyond the scale is said: a bar that is nearly full must not look as if the limit were near.
    if let Some(limit) = limit.filter(|&limit| limit > scale) {
        let far = format!(" {} limit {}", pen.theme.pick("▸", ">"), format_bytes(limit));
        let x = pen.line_right(row, 0, &words([(&far, Role::Label)]));
        bar.width = x.saturating_sub(row.x);
    }
    bars::parts(pen, bar, &memory::parts(&figures.now.by_category), scale, limit);
}

/// What bars of bytes are measured by: the limit, unless it is so far away that nothing would be seen.
fn scale(figures: &Figures) -> u64 {
    let highest = figures.before.peak_bytes.max(figures.now.peak_bytes);
    let near = figures.now.limit_bytes.filter(|&limit| limit <= highest.saturating_mul(3));
    near.unwrap_or(0).max(highest.saturating_add(highest / 16)).max(1)
}

fn batch(figures: &Figures, width: u16) -> Words {
    let batch = figures.now.longest_batch;
    let rows = if batch.rows == 1 { "row" } else { "rows" };
    let (count, tokens) = (format::count(batch.rows), format::count(batch.tokens));
    let mut line =
        words([("longest micro-batch ", Role::Label), (&format!("{count} {rows}, {tokens} tokens"), Role::Text)]);
    if batch.target_tokens > 0 && width >= 76 {
        line.extend(words([(&format!(", {} with a loss", format::count(batch.target_tokens)), Role::Label)]));
    }
    if figures.rows_cut > 0 {
        let rows = if figures.rows_cut == 1 { "row" } else { "rows" };
        line.extend(words([(&format!("; cuts {} {rows}", format::count(figures.rows_cut)), Role::Warn)]));
    }
    line
}

/// Where it does not fit, what would be the cheapest way out; the rows it took.
fn help(pen: &mut Pen<'_>, inner: Rect, figures: &Figures) -> u16 {
    if figures.now.fits() != Some(false) {
        return 0;
    }
    let Some(lever) = &figures.helps else {
        pen.text(inner, 3, "no single lever makes it fit: turn several of them", Role::Warn);
        return 1;
    };
    let changes = lever.changes.first().map(change).unwrap_or_default();
    let text = format!("fits with {} {changes}: peak ", lever_name(&lever.id));
    pen.line(inner, 3, &words([(&text, Role::Warn), (&format_bytes(lever.predicted_peak_bytes), Role::Text)]));
    1
}

/// The knobs, a row each, and what the selected one means where there is room; the rows they took.
fn levers(pen: &mut Pen<'_>, area: Rect, page: &PlanPage) -> u16 {
    let mut row = 0;
    for (index, knob) in Knob::ALL.into_iter().enumerate() {
        let selected = index == page.knob;
        let pointer = if selected { pen.theme.pick("▸ ", "> ") } else { "  " };
        let name = format!("{:<NAME$}", knob.name());
        let name_role = if selected { Role::Selected } else { Role::Label };
        let changed = knob.differs(&page.before, &page.config);
        let [less, more] = [false, true].map(|more| knob.turned(&page.config, &page.before, more).is_some());
        let arrow = |there: bool, shown: &'static str| if there && selected && page.editable { shown } else { " " };
        let (left, right) = (arrow(less, pen.theme.pick("‹", "<")), arrow(more, pen.theme.pick("›", ">")));
        let value_role = if changed { Role::Warn } else { Role::Text };
        let mut line = words([
            (pointer, Role::Key),
            (&name, name_role),
            (" ", Role::Text),
            (left, Role::Key),
            (" ", Role::Text),
            (&knob.value(&page.config), value_role),
            (" ", Role::Text),
            (right, Role::Key),
        ]);
        if changed {
            line.extend(words([(&format!("  was {}", knob.value(&page.before)), Role::Label)]));
        }
        pen.line(area, row, &line);
        row += 1;
    }
    // As many lines as the longest of them takes: nothing moves when another is selected.
    let text = |knob: Knob| format::wrap(knob.doc(), area.width.saturating_sub(2) as usize);
    let most = Knob::ALL.into_iter().map(|knob| text(knob).len() as u16).max().unwrap_or(0);
    if area.height >= row + most + 10 || area.width < BESIDE && area.height >= row + most + 8 {
        for (line, part) in text(page.knob()).iter().enumerate() {
            pen.text(area, row + 1 + line as u16, &format!("  {part}"), Role::Faint);
        }
        row += most + 1;
    }
    row
}

/// The keys of the page, for the footer: what is done with both arrows is said once.
pub fn footer_word(action: Action, page: &PlanPage) -> Option<&'static str> {
    match action {
        Action::PreviousValue | Action::NextValue => Some("turn"),
        Action::SelectDown => Some("choose"),
        Action::Elsewhere if page.half == Half::Elsewhere => Some("levers"),
        Action::Formula if page.formula => Some("no formula"),
        Action::Clear => Some("leave"),
        _ => None,
    }
}
