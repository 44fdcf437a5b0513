//! Help, made from the keymap itself, so that it cannot lie; below it what the signs on the screen mean.

use ratatui::layout::Rect;

use crate::ui::state::State;
use crate::ui::theme::Role;
use crate::ui::widgets::pen::centered;
use crate::ui::widgets::{Pen, Words, words};

use super::problems;

const WIDTH: u16 = 80;

fn lines(pen: &Pen<'_>, state: &State) -> Vec<Words> {
    let mut lines = problems::lines(state, pen.buffer.area.width.min(WIDTH));
    for binding in state.keymap.bindings() {
        let keys: Vec<String> = binding.keys.iter().map(ToString::to_string).collect();
        let keys = format!("{:<12}", keys.join(", "));
        lines.push(words([(&keys, Role::Key), (binding.description, Role::Text)]));
    }
    let theme = pen.theme;
    lines.push(Vec::new());
    let mut meaning = |sign: &str, role, text: &str| {
        lines.push(words([(&format!("{sign:<12}"), role), (text, Role::Label)]));
    };
    meaning(theme.pick("━━", "**"), Role::Loss, "the loss, smoothed; each step's own lies faint behind it");
    meaning(theme.pick("●", "o"), Role::Eval, "eval loss, in nats per target token");
    meaning(theme.pick("◆", "@"), Role::Best, "the best eval so far; its checkpoint is kept as `best`");
    meaning("targets", Role::Label, "tokens that have a loss; `tokens` counts prompts too");
    meaning("unaccounted", Role::Label, "memory that is measured, but charged to no part of the engine");
    meaning("F B O E S", Role::Label, "phases: forward, backward, optimizer, eval, checkpoint; L load, - idle");
    meaning("ETA", Role::Label, "what is left to do, by what it took so far; pauses do not count");
    meaning(theme.pick("—", "-"), Role::Label, "not known");
    lines
}

pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State, scroll: u16) {
    let lines = lines(pen, state);
    let area = centered(body, WIDTH, lines.len() as u16 + 2);
    pen.clear(area);
    let hidden = (lines.len() as u16).saturating_sub(area.height.saturating_sub(2));
    let right = if hidden > 0 { words([("j k", Role::Key), (" scroll", Role::Label)]) } else { Vec::new() };
    let inner = pen.panel(area, &format!("finetop {}", env!("CARGO_PKG_VERSION")), &right);
    let from = scroll.min(hidden) as usize;
    for (row, line) in lines.iter().skip(from).enumerate() {
        pen.line(inner, row as u16, line);
    }
}
