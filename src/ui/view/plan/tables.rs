//! Where the bytes of a plan go: by category at the peak, and the highest sum of each phase, as bars on one scale.

use ratatui::layout::Rect;

use crate::memory::ledger::{Category, Phase};
use crate::ui::state::plan::Figures;
use crate::ui::theme::Role;
use crate::ui::view::memory;
use crate::ui::widgets::{Pen, Words, bars, words};
use crate::units::format_bytes;

use super::{difference, scale};

/// Cells of a name, of bytes, and of a change.
const NAME: u16 = 15;
const BYTES: usize = 9;
const CHANGE: u16 = 11;

/// Phases that a plan speaks of, in the order of a run.
fn phases(figures: &Figures) -> Vec<(Phase, u64, u64)> {
    let of = |plan: &crate::memory::plan::Plan, phase| plan.by_phase.get(&phase).copied().unwrap_or(0);
    let all = Phase::ALL.map(|phase| (phase, of(&figures.before, phase), of(&figures.now, phase)));
    all.into_iter().filter(|&(_, before, now)| before.max(now) > 0).collect()
}

/// Categories by size, the largest first; those that were there before stay.
fn categories(figures: &Figures) -> Vec<(Category, u64, u64)> {
    let of = |plan: &crate::memory::plan::Plan, category| plan.by_category.get(&category).copied().unwrap_or(0);
    let all = Category::ALL.map(|category| (category, of(&figures.before, category), of(&figures.now, category)));
    let mut found: Vec<_> = all.into_iter().filter(|&(_, before, now)| before.max(now) > 0).collect();
    // By what was before: rows must not jump while a knob is turned.
    found.sort_by_key(|&(_, before, now)| std::cmp::Reverse(if before > 0 { before } else { now }));
    found
}

pub fn draw(pen: &mut Pen<'_>, area: Rect, figures: &Figures) {
    let (phases, categories) = (phases(figures), categories(figures));
    let scale = scale(figures);
    let (all_phases, all_categories) = (phases.len() as u16, categories.len() as u16);
    if area.height >= all_phases + all_categories + 3 {
        pen.text(area, 0, "at the peak", Role::Title);
        for (row, &(category, before, now)) in (1..).zip(&categories) {
            let part = [(now, Role::Category(category), memory::letter(category))];
            line(pen, area, row, memory::name(category), before, now, &part, scale, None);
        }
        let below = Rect { y: area.y + all_categories + 2, height: area.height - all_categories - 2, ..area };
        pen.text(below, 0, "highest in each phase", Role::Title);
        self::by_phase(pen, Rect { y: below.y + 1, height: below.height - 1, ..below }, figures, &phases, scale);
        return;
    }
    // With less room the categories are a legend of the bar above, and phases get what is left.
    let parts: Vec<_> =
        categories.iter().map(|&(c, _, now)| (now, Role::Category(c), memory::letter(c))).filter(|p| p.0 > 0).collect();
    let legend = memory::legend_rows(&parts, area).min(area.height);
    memory::draw_legend(pen, Rect { height: legend, ..area }, &parts);
    let below = Rect { y: area.y + legend, height: area.height - legend, ..area };
    let gap = u16::from(below.height > all_phases);
    by_phase(
        pen,
        Rect { y: below.y + gap, height: below.height.saturating_sub(gap), ..below },
        figures,
        &phases,
        scale,
    );
}

/// A bar of categories for each phase. Where there is no room for all, the highest stay.
fn by_phase(pen: &mut Pen<'_>, area: Rect, figures: &Figures, phases: &[(Phase, u64, u64)], scale: u64) {
    let mut sizes: Vec<u64> = phases.iter().map(|&(_, _, now)| now).collect();
    sizes.sort_unstable_by_key(|&bytes| std::cmp::Reverse(bytes));
    let least = sizes.get((area.height as usize).saturating_sub(1)).copied().unwrap_or(0);
    let shown = phases.iter().filter(|&&(_, _, now)| now >= least).take(area.height as usize);
    for (row, &(phase, before, now)) in (0..).zip(shown) {
        let parts = figures.now.phases.get(&phase).map(memory::parts).unwrap_or_default();
        line(pen, area, row, phase.name(), before, now, &parts, scale, figures.now.limit_bytes);
    }
}

/// `activations  ██████░░░  120 MiB  -40 MiB`
#[expect(clippy::too_many_arguments, reason = "a row of a table")]
fn line(
    pen: &mut Pen<'_>,
    area: Rect,
    row: u16,
    name: &str,
    before: u64,
    now: u64,
    parts: &[(u64, Role, char)],
    scale: u64,
    mark: Option<u64>,
) {
    if row >= area.height {
        return;
    }
    let wide = area.width >= 44;
    let change = difference(before, now).filter(|_| wide);
    let change: Words = change.map_or_else(Vec::new, |(text, role)| vec![(text.into(), role)]);
    pen.line_right(area, row, &change);
    let width = area.width.saturating_sub(if wide { CHANGE } else { 0 });
    let bytes = words([(&format!("{:>BYTES$}", format_bytes(now)), Role::Text)]);
    let x = pen.line_right(Rect { width, ..area }, row, &bytes);
    pen.text(Rect { width: NAME.min(area.width), ..area }, row, name, Role::Label);
    let from = area.x + NAME;
    let bar = Rect { x: from, y: area.y + row, width: x.saturating_sub(from + 1), height: 1 };
    if bar.width >= 4 {
        bars::parts(pen, bar, parts, scale, mark.filter(|&mark| mark < scale));
    }
}
