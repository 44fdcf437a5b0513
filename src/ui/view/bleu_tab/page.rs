//! A row of a report by itself.

use std::borrow::Cow;

use ratatui::layout::Rect;

use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::state::State;
use crate::ui::state::bleu::page::{Page, Part};
use crate::ui::theme::Role;
use crate::ui::view::hint;
use crate::ui::widgets::{Pen, Words, words};

fn role(part: Part) -> Role {
    match part {
        Part::Heading => Role::Title,
        Part::Label => Role::Label,
        Part::Text => Role::Text,
        Part::Missing => Role::Bad,
        Part::Added => Role::Good,
    }
}

pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State, page: &Page) {
    let rows = body.height.saturating_sub(2) as usize;
    let hidden = page.lines.len().saturating_sub(rows);
    let from = page.scroll.min(hidden);
    let mut right = Words::new();
    if hidden > 0 {
        let below = match hidden - from {
            0 => "  the end".to_owned(),
            more => format!("  {} more below", format::count(more as u64)),
        };
        right.push((below.into(), Role::Label));
    }
    if let Some(key) = hint(state, &[Action::Clear]) {
        right.extend(words([("  ", Role::Text), (&key, Role::Key), (" close", Role::Label)]));
    }
    let inner = pen.panel(body, &format!("line {}", format::count(page.row.line)), &right);
    for (row, line) in page.lines.iter().skip(from).take(rows).enumerate() {
        let line: Words = line.iter().map(|(part, text)| (Cow::Owned(text.clone()), role(*part))).collect();
        pen.line(inner, row as u16, &line);
    }
}
