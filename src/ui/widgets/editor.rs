//! An editor in a panel: its rows, the cursor, what is selected, marks under pieces of the text, and whether there is more above or below.

use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;

use crate::ui::format;
use crate::ui::state::editor::rows::{Row, column, shown};
use crate::ui::state::editor::{Editor, Place};
use crate::ui::theme::Role;

use super::pen::{self, Pen, Words};

/// From this inner width on lines have numbers, in so many cells.
const WITH_NUMBERS: u16 = 56;
const NUMBERS: u16 = 6;

/// A piece of the text that something is to be said about; the frame beside it gets an exclamation mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub from: Place,
    pub to: Place,
    pub role: Role,
}

/// What is drawn besides the text.
#[derive(Debug, Clone, Default)]
pub struct Look<'a> {
    pub title: &'a str,
    /// Whether keys go here: then the title has a pointer, and the cursor is shown.
    pub is_focused: bool,
    pub marks: &'a [Mark],
    /// On the right of the upper edge, before the place of the cursor.
    pub right: Words,
    /// On the left of the lower edge, unless the editor has something to say there itself.
    pub below: Words,
    /// What is there while there is no text.
    pub hint: &'a str,
}

/// The cells of the text in an editor's panel: what `Editor::resize` and `Editor::click` ask for.
pub fn room(area: Rect) -> Rect {
    let inner = pen::inside(area);
    let numbers = if inner.width >= WITH_NUMBERS { NUMBERS } else { 0 };
    Rect { x: inner.x + numbers, width: inner.width - numbers, ..inner }
}

/// Draws the panel. The cell of the cursor comes back where it is shown, so that an input method can be told of it.
pub fn draw(pen: &mut Pen<'_>, area: Rect, editor: &Editor, look: &Look<'_>) -> Option<Position> {
    let area = area.intersection(pen.buffer.area);
    let pointer = if look.is_focused { pen.theme.pick("▸ ", "> ") } else { "" };
    let mut right = look.right.clone();
    if look.is_focused {
        let Place { line, byte } = editor.cursor();
        // Its column in the line would cost as much as the line is long.
        let text = match editor.lines().get(line) {
            Some(text) if byte <= 4_096 => format!("  {}:{}", line + 1, column(text, 0, byte) + 1),
            _ => format!("  {}", line + 1),
        };
        right.push((text.into(), Role::Label));
    }
    let inner = pen.panel(area, &format!("{pointer}{}", look.title), &right);
    let text = room(area);
    if inner.height == 0 || text.width == 0 {
        return None;
    }
    let seen = editor.seen(text.width, text.height);
    let mut cursor = None;
    for (at, row) in seen.iter().enumerate() {
        let at = at as u16;
        if text.x > inner.x && row.from == 0 {
            let number = format!("{:>width$}", format::short_count(row.line as u64 + 1), width = NUMBERS as usize - 1);
            pen.text(inner, at, &number, Role::Faint);
        }
        let here = draw_row(pen, text, at, editor, row, look);
        cursor = cursor.or(here);
        if let Some(mark) = look.marks.iter().find(|mark| touches(mark, row)) {
            pen.cell(area.x, text.y + at, '!', mark.role);
        }
    }
    if editor.is_empty() {
        let hint = Rect { x: text.x + 1, width: text.width - 1, ..text };
        pen.text(hint, 0, look.hint, Role::Faint);
    }
    let x = area.right() - 1;
    let (up, down) = if pen.theme.is_ascii() { ('^', 'v') } else { ('▲', '▼') };
    if seen.first().is_some_and(|row| row.line > 0 || row.from > 0) {
        pen.cell(x, text.y, up, Role::Key);
    }
    if seen.last().is_some_and(|row| !row.is_last || row.line + 1 < editor.lines().len()) {
        pen.cell(x, text.bottom() - 1, down, Role::Key);
    }
    let edge = Rect { x: area.x + 2, y: area.bottom() - 1, width: area.width.saturating_sub(4), height: 1 };
    match editor.notice() {
        Some(notice) => _ = pen.text(edge, 0, &format!(" {notice} "), Role::Warn),
        None => _ = pen.line(edge, 0, &look.below),
    }
    cursor
}

/// Whether a mark has something of a row, its end among it.
fn touches(mark: &Mark, row: &Row) -> bool {
    let (from, to) = (Place::new(row.line, row.from), Place::new(row.line, row.to));
    let begins = mark.from >= from && (mark.from < to || mark.from == to && row.is_last);
    begins || mark.from < from && mark.to > from
}

/// Whether a mark has the character from one place on; a mark of nothing has the one that it stands before.
fn has(mark: &Mark, place: Place) -> bool {
    mark.from <= place && (place < mark.to || place == mark.from)
}

fn draw_row(pen: &mut Pen<'_>, area: Rect, at: u16, editor: &Editor, row: &Row, look: &Look<'_>) -> Option<Position> {
    let line = editor.lines().get(row.line)?;
    let selection = editor.selection();
    let is_cursor = |byte: usize| look.is_focused && editor.cursor() == Place::new(row.line, byte);
    let y = area.y + at;
    let mut cursor = None;
    let mut words = Words::new();
    let mut underlined: Vec<(u16, u16, Role)> = Vec::new();
    let mut x = area.x;
    let blank = (row.to, " ".into(), 1);
    let characters = shown(line, row.from).take_while(|c| c.from < row.to).map(|c| (c.from, c.text, c.width));
    for (from, text, width) in characters.chain(row.is_last.then_some(blank)) {
        let place = Place::new(row.line, from);
        let role = if is_cursor(from) {
            cursor = Some(Position { x: x.min(area.right() - 1), y });
            Role::Cursor
        } else if selection.is_some_and(|(from, to)| from <= place && place < to) {
            Role::Selected
        } else {
            let mark = look.marks.iter().find(|mark| has(mark, place) && touches(mark, row));
            underlined.extend(mark.map(|mark| (x, width as u16, mark.role)));
            Role::Text
        };
        let text = if pen.theme.has_ascii_text() && !text.is_ascii() { "?".repeat(width).into() } else { text };
        match words.last_mut() {
            Some((last, same)) if *same == role => last.to_mut().push_str(&text),
            _ => words.push((text.into_owned().into(), role)),
        }
        x = x.saturating_add(width as u16);
    }
    pen.line(area, at, &words);
    for (x, width, role) in underlined {
        let style = pen.theme.style(role).add_modifier(Modifier::UNDERLINED);
        for x in x..x.saturating_add(width).min(area.right()) {
            if let Some(cell) = pen.buffer.cell_mut((x, y)) {
                cell.set_style(style);
            }
        }
    }
    cursor
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::*;
    use crate::ui::message::Key;
    use crate::ui::theme::{ColorDepth, GlyphSet, Palette, Theme};

    fn theme(name: &str, glyphs: GlyphSet) -> Theme {
        let palette = Palette::embedded().into_iter().find(|p| p.name == name).expect("an embedded theme");
        Theme::new(&palette, ColorDepth::None, glyphs)
    }

    fn drawn(editor: &Editor, size: (u16, u16), look: &Look<'_>, theme: &Theme) -> (Buffer, Option<Position>) {
        let area = Rect::new(0, 0, size.0, size.1);
        let mut buffer = Buffer::empty(area);
        let cursor = draw(&mut Pen { buffer: &mut buffer, theme }, area, editor, look);
        (buffer, cursor)
    }

    fn rows(buffer: &Buffer) -> Vec<String> {
        let line = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..buffer.area.height).map(line).collect()
    }

    #[test]
    fn the_panel_with_the_keys_has_a_pointer_and_a_cursor_without_colours() {
        let mono = theme("mono", GlyphSet::Ascii);
        let editor = Editor::new("tell me");
        let (focused, cursor) =
            drawn(&editor, (30, 5), &Look { title: "text", is_focused: true, ..Look::default() }, &mono);
        assert!(rows(&focused)[0].contains("> text") && rows(&focused)[0].contains("1:1"), "{:?}", rows(&focused));
        assert_eq!(cursor, Some(Position { x: 2, y: 1 }));
        assert!(focused[(2, 1)].modifier.contains(Modifier::REVERSED));
        let (other, cursor) = drawn(&editor, (30, 5), &Look { title: "text", ..Look::default() }, &mono);
        assert!(!rows(&other)[0].contains('>') && cursor.is_none());
        assert!(!other[(2, 1)].modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn marks_underline_their_piece_and_call_from_the_frame() {
        let mono = theme("mono", GlyphSet::Braille);
        let editor = Editor::new("{\n  \"type\": \"objekt\"\n}");
        let (from, to) = (editor.place(12), editor.place(20));
        let marks = [Mark { from, to, role: Role::Warn }];
        let (frame, _) = drawn(&editor, (40, 6), &Look { marks: &marks, ..Look::default() }, &mono);
        let under: String = (0..40)
            .filter(|x| frame[(*x, 2)].modifier.contains(Modifier::UNDERLINED))
            .map(|x| frame[(x, 2)].symbol().to_owned())
            .collect();
        assert_eq!(under, "\"objekt\"");
        assert_eq!((frame[(0, 1)].symbol(), frame[(0, 2)].symbol()), ("│", "!"));
        // At the very end there is a cell for it too; one that is not there harms nothing.
        let marks = [Mark { from: editor.place(99), to: editor.place(99), role: Role::Bad }];
        let (frame, _) = drawn(&editor, (40, 6), &Look { marks: &marks, ..Look::default() }, &mono);
        assert!(frame[(3, 3)].modifier.contains(Modifier::UNDERLINED));
        let nowhere = Mark { from: Place::new(9, 9), to: Place::new(7, 1), role: Role::Bad };
        drawn(&editor, (40, 6), &Look { marks: &[nowhere], ..Look::default() }, &mono);
    }

    #[test]
    fn more_above_and_below_is_said_and_numbers_have_room_or_are_left_out() {
        let mono = theme("mono", GlyphSet::Ascii);
        let mut editor = Editor::new(&"line\n".repeat(50));
        let look = Look { title: "t", is_focused: true, ..Look::default() };
        let (wide, _) = drawn(&editor, (80, 8), &look, &mono);
        assert!(rows(&wide)[1].contains("    1 line"), "{:?}", rows(&wide));
        assert_eq!((wide[(79, 1)].symbol(), wide[(79, 6)].symbol()), ("|", "v"));
        (0..20).for_each(|_| _ = editor.key(Key::Down));
        let (narrow, cursor) = drawn(&editor, (40, 8), &look, &mono);
        assert!(cursor.is_some() && !rows(&narrow)[2].contains('1'));
        assert_eq!((narrow[(39, 1)].symbol(), narrow[(39, 6)].symbol()), ("^", "v"));
    }

    #[test]
    fn hostile_text_stays_in_its_cells_at_every_size() {
        let zalgo = format!("e{}", "\u{301}".repeat(10_000));
        let hostile = format!(
            "\u{1b}[31mred\u{0} \u{202e}back\u{202c}\u{200b}\u{feff} 중고👨\u{200d}👩\u{200d}👧 \tx {zalgo}\r\n한\u{301}"
        );
        for glyphs in [GlyphSet::Braille, GlyphSet::Ascii] {
            let theme = theme("mono", glyphs);
            for (width, height) in [(0, 0), (1, 1), (2, 2), (3, 3), (5, 4), (9, 5), (24, 6), (80, 12)] {
                let mut editor = Editor::new(&hostile);
                for key in [Key::Alt('>'), Key::Up, Key::Alt('a'), Key::End] {
                    editor.key(key);
                    let (frame, cursor) =
                        drawn(&editor, (width, height), &Look { is_focused: true, ..Look::default() }, &theme);
                    let text = rows(&frame).concat();
                    assert!(
                        !text.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)),
                        "{text:?}"
                    );
                    assert!(glyphs != GlyphSet::Ascii || text.is_ascii(), "{text}");
                    assert!(cursor.is_none_or(|at| frame.area.contains(at)));
                    assert!(cursor.is_some() || width < 3 || height < 3, "{width}x{height}");
                }
            }
        }
    }
}
