//! The pane of help: keys that do something now stand out against the others.

use ratatui::layout::Rect;

use super::hint;
use crate::ui::help::{self, Layout, Left, Line};
use crate::ui::keymap::Action;
use crate::ui::state::State;
use crate::ui::theme::Role;
use crate::ui::widgets::pen::centered;
use crate::ui::widgets::{Pen, Words, words};

fn line(pen: &Pen<'_>, line: &Line) -> Words {
    let (left, text) = match line {
        Line::Blank => return Vec::new(),
        Line::Problem(goes_on, text) => {
            return words([(if *goes_on { "  " } else { "" }, Role::Text), (text, Role::Warn)]);
        }
        Line::Title(title) => return words([(title, Role::Title)]),
        Line::Words(left, text) => (left, text),
    };
    let (left, left_role, role) = match left {
        Left::Keys(keys, true) => (keys.as_str(), Role::Key, Role::Text),
        Left::Keys(keys, false) => (keys.as_str(), Role::Faint, Role::Faint),
        Left::Sign(sign, ascii, role) => (pen.theme.pick(sign, ascii), *role, Role::Label),
        Left::Nothing(true) => ("", Role::Text, Role::Text),
        Left::Nothing(false) => ("", Role::Text, Role::Faint),
    };
    words([(&format!("{left:<width$}", width = help::KEYS), left_role), (text, role)])
}

pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State, scroll: u16) {
    let layout = Layout::new(state, body.width);
    let columns = layout.columns.len() as u16;
    let width = layout.width * columns + help::GAP * (columns - 1) + 4;
    let area = centered(body, width, layout.height() + 2);
    pen.clear(area);
    let hidden = layout.hidden(area.height.saturating_sub(2));
    let from = scroll.min(hidden);
    let title = format!("finetop {}", env!("CARGO_PKG_VERSION"));
    let mut right = Vec::new();
    if hidden > 0 {
        let below = if from < hidden { format!("{} more below  ", hidden - from) } else { "the end  ".to_owned() };
        right = words([(&below, Role::Label)]);
        if let Some(keys) = hint(state, &[Action::SelectDown, Action::SelectUp]) {
            right.extend(words([(&keys, Role::Key), (" scroll", Role::Label)]));
        }
    }
    let inner = pen.panel(area, &title, &right);
    for (i, column) in layout.columns.iter().enumerate() {
        let x = inner.x + i as u16 * (layout.width + help::GAP);
        let place = Rect { x, width: layout.width.min(inner.right().saturating_sub(x)), ..inner };
        for (row, at) in column.iter().skip(from as usize).take(inner.height as usize).enumerate() {
            let words = line(pen, at);
            pen.line(place, row as u16, &words);
        }
    }
}
