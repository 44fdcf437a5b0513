//! The tab Memory: categories over time in `timeline`, the ledger at the crosshair in `ledger`, each phase's peak and the plan in `peaks`.
//! This file says where they lie. The small panel of tab Train is in `memory`.

mod ledger;
mod peaks;
mod timeline;

use ratatui::layout::Rect;

use crate::ui::format;
use crate::ui::state::{RunStage, State};
use crate::ui::widgets::Pen;
use crate::units::format_bytes;

pub use ledger::ledger_text;

/// From this size on the ledger stands beside the chart, and phases beside the plan.
const LARGE: (u16, u16) = (110, 30);
/// From this width on a small screen has the phases too.
const WITH_PHASES: u16 = 76;
const LEDGER_WIDTH: u16 = 44;

/// Bytes in at most ten cells.
fn bytes(bytes: u64) -> String {
    if bytes >= 1 << 50 { format::short_bytes(bytes) } else { format_bytes(bytes) }
}

pub struct Areas {
    chart: Rect,
    ledger: Rect,
    phases: Option<Rect>,
    plan: Option<Rect>,
}

impl Areas {
    pub fn all(&self) -> Vec<Rect> {
        [Some(self.chart), Some(self.ledger), self.phases, self.plan].into_iter().flatten().collect()
    }
}

/// Where the panels lie.
pub fn areas(body: Rect) -> Areas {
    let Rect { width, height, .. } = body;
    if width >= LARGE.0 && height >= LARGE.1 {
        let below = (height * 3 / 8).clamp(13, 18);
        let top = Rect { height: height - below, ..body };
        let bottom = Rect { y: top.bottom(), height: below, ..body };
        let ledger = LEDGER_WIDTH + (width - LARGE.0) / 12;
        return Areas {
            chart: Rect { width: width - ledger, ..top },
            ledger: Rect { x: top.right() - ledger, width: ledger, ..top },
            phases: Some(Rect { width: width / 2, ..bottom }),
            plan: Some(Rect { x: bottom.x + width / 2, width: width - width / 2, ..bottom }),
        };
    }
    let below = (height / 2).saturating_sub(1).clamp(8, 13).min(height);
    let chart = Rect { height: height - below, ..body };
    let bottom = Rect { y: chart.bottom(), height: below, ..body };
    let phases = if width >= WITH_PHASES { width * 9 / 20 } else { 0 };
    Areas {
        chart,
        ledger: Rect { width: width - phases, ..bottom },
        phases: (phases > 0).then(|| Rect { x: bottom.right() - phases, width: phases, ..bottom }),
        plan: None,
    }
}

/// The cells that the stacks are drawn in.
pub fn plot(body: Rect) -> Option<Rect> {
    timeline::places(areas(body).chart).map(|places| places.plot)
}

pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State, run: &RunStage) {
    let areas = areas(body);
    timeline::draw(pen, areas.chart, state, run);
    match areas.plan {
        Some(_) => ledger::draw(pen, areas.ledger, state, run),
        None => ledger::draw_small(pen, areas.ledger, state, run),
    }
    if let Some(area) = areas.phases {
        peaks::phases(pen, area, state, run);
    }
    if let Some(area) = areas.plan {
        peaks::plan(pen, area, run);
    }
}
