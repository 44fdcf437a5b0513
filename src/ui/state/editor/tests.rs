use super::*;
use crate::ui::message::Key;

fn typed(editor: &mut Editor, text: &str) {
    for c in text.chars() {
        assert!(editor.key(if c == '\n' { Key::Enter } else { Key::Char(c) }));
    }
}

fn press(editor: &mut Editor, keys: &[Key]) {
    keys.iter().for_each(|key| assert!(editor.key(*key), "{key:?}"));
}

fn at(editor: &Editor) -> (usize, usize) {
    (editor.cursor().line, editor.cursor().byte)
}

#[test]
fn text_of_several_lines_is_typed_and_rubbed_out() {
    let mut editor = Editor::default();
    typed(&mut editor, "one\ntwo\nthree");
    assert_eq!(editor.text(), "one\ntwo\nthree");
    press(&mut editor, &[Key::Up, Key::Home, Key::Backspace]);
    assert_eq!((editor.text().as_str(), at(&editor)), ("onetwo\nthree", (0, 3)));
    press(&mut editor, &[Key::Ctrl('k'), Key::Ctrl('k')]);
    assert_eq!(editor.text(), "onethree", "a second one joins the next line");
    press(&mut editor, &[Key::Ctrl('u'), Key::Delete, Key::Alt('>')]);
    assert_eq!(editor.text(), "hree");
    assert!(!editor.key(Key::Esc) && !editor.key(Key::Tab) && !editor.key(Key::F(5)));
    assert_eq!(editor.len(), 4);
}

#[test]
fn a_character_is_what_a_person_sees_as_one() {
    let mut editor = Editor::new("e\u{301}👨\u{200d}👩\u{200d}👧중");
    press(&mut editor, &[Key::Right]);
    assert_eq!(at(&editor), (0, 3));
    press(&mut editor, &[Key::Right, Key::Delete, Key::Backspace]);
    assert_eq!(editor.text(), "e\u{301}");
    // Jamo that are typed one by one are one syllable, which the cursor does not enter.
    let mut editor = Editor::default();
    typed(&mut editor, "\u{1112}\u{1161}\u{11ab}");
    press(&mut editor, &[Key::Left]);
    assert_eq!(at(&editor), (0, 0));
    // What joins the character before the cursor takes the cursor along.
    let mut editor = Editor::new("\u{301}x");
    typed(&mut editor, "e");
    assert_eq!(at(&editor), (0, 3));
}

#[test]
fn words_are_passed_and_rubbed_out() {
    let mut editor = Editor::new("learning rate\n2e-4");
    press(&mut editor, &[Key::Alt('f')]);
    assert_eq!(at(&editor), (0, 8));
    press(&mut editor, &[Key::Alt('d'), Key::Alt('f')]);
    assert_eq!((editor.text().as_str(), at(&editor)), ("learning\n2e-4", (1, 0)));
    press(&mut editor, &[Key::Alt('f'), Key::Alt('b'), Key::Alt('b'), Key::Ctrl('w')]);
    assert_eq!((editor.text().as_str(), at(&editor)), ("\n2e-4", (0, 0)));
}

#[test]
fn up_and_down_keep_the_wished_column_in_cells() {
    let mut editor = Editor::new("abcdef\n중고\n\nabcdef");
    editor.resize(40, 10);
    press(&mut editor, &[Key::Right; 5]);
    press(&mut editor, &[Key::Down]);
    assert_eq!(at(&editor), (1, 6), "its end is the nearest");
    press(&mut editor, &[Key::Down, Key::Down]);
    assert_eq!(at(&editor), (3, 5));
    press(&mut editor, &[Key::Left, Key::Left, Key::Up, Key::Up]);
    assert_eq!(at(&editor), (1, 3), "before the character that has the cell");
    press(&mut editor, &[Key::PageDown, Key::PageDown]);
    assert_eq!(at(&editor), (3, 3));
    press(&mut editor, &[Key::PageUp]);
    assert_eq!(at(&editor), (0, 3));
}

#[test]
fn typing_is_undone_by_lines_and_a_move_ends_a_step() {
    let mut editor = Editor::default();
    typed(&mut editor, "first line\nsecond");
    press(&mut editor, &[Key::Ctrl('_')]);
    assert_eq!(editor.text(), "first line\n");
    press(&mut editor, &[Key::Ctrl('_'), Key::Ctrl('_')]);
    assert_eq!(editor.text(), "");
    press(&mut editor, &[Key::Ctrl('_')]);
    assert_eq!(editor.notice(), Some("nothing to undo"));
    press(&mut editor, &[Key::Ctrl('y'), Key::Ctrl('y'), Key::Ctrl('y')]);
    assert_eq!((editor.text().as_str(), at(&editor), editor.notice()), ("first line\nsecond", (1, 6), None));
    press(&mut editor, &[Key::Backspace, Key::Backspace, Key::Left, Key::Backspace, Key::Alt('z')]);
    assert_eq!(editor.text(), "first line\nseco");
    press(&mut editor, &[Key::Alt('z')]);
    assert_eq!((editor.text().as_str(), at(&editor)), ("first line\nsecond", (1, 6)));
    typed(&mut editor, "!");
    assert!(editor.key(Key::Ctrl('y')) && editor.notice() == Some("nothing to do again"));
}

#[test]
fn history_is_bounded_and_undoes_what_it_has() {
    let mut editor = Editor::default();
    for n in 0..1_500 {
        editor.paste(&n.to_string());
    }
    let full = editor.text();
    let mut steps = 0;
    while editor.key(Key::Ctrl('_')) && editor.notice().is_none() {
        steps += 1;
    }
    assert_eq!(steps, 1_000);
    (0..1_000).for_each(|_| editor.redo());
    assert_eq!(editor.text(), full);
}

#[test]
fn what_is_pasted_stays_as_it_is_and_is_one_step() {
    let mut editor = Editor::new("  indented");
    press(&mut editor, &[Key::End]);
    editor.paste("{\r\n\t\"a\": 1,\r    \"b\": 2\n}\u{1b}\0");
    assert_eq!(editor.text(), "  indented{\n\t\"a\": 1,\n    \"b\": 2\n}\u{1b}\0");
    assert_eq!(editor.len(), editor.text().len());
    editor.undo();
    assert_eq!((editor.text().as_str(), at(&editor)), ("  indented", (0, 10)));
}

#[test]
fn a_text_has_a_bound_and_says_so() {
    let mut editor = Editor::new("kept");
    editor.paste(&"x".repeat(LONGEST));
    assert_eq!(editor.text(), "kept");
    let notice = editor.notice().map(str::to_owned);
    assert_eq!(notice.as_deref(), Some("a text has room for 1.0 MiB: 1.0 MiB more do not fit, nothing was put in"));
    editor.paste(&"x".repeat(LONGEST - 4));
    assert_eq!((editor.len(), editor.notice()), (LONGEST, None));
    typed(&mut editor, "y");
    assert_eq!(editor.len(), LONGEST);
    assert!(editor.notice().is_some());
    press(&mut editor, &[Key::Left]);
    assert!(editor.notice().is_none());
    editor.set_text(&"중".repeat(LONGEST));
    assert!(editor.len() <= LONGEST && editor.notice().is_some_and(|n| n.starts_with("cut: a text of 3.0 MiB")));
}

#[test]
fn all_of_it_is_selected_replaced_and_brought_back() {
    let mut editor = Editor::new("one\ntwo");
    press(&mut editor, &[Key::Alt('a')]);
    assert_eq!(editor.selected().as_deref(), Some("one\ntwo"));
    typed(&mut editor, "new");
    assert_eq!(editor.text(), "new");
    press(&mut editor, &[Key::Ctrl('_')]);
    assert_eq!(editor.text(), "one\ntwo");
    press(&mut editor, &[Key::Alt('<'), Key::Ctrl(' '), Key::Down, Key::Right]);
    assert_eq!(editor.selected().as_deref(), Some("one\nt"));
    press(&mut editor, &[Key::Esc]);
    assert!(editor.selected().is_none() && editor.text() == "one\ntwo");
    let before = editor.revision();
    editor.clear();
    assert!(editor.is_empty() && editor.revision() != before);
    editor.undo();
    assert_eq!(editor.text(), "one\ntwo");
}

#[test]
fn rows_are_broken_after_blanks_and_hold_all_of_the_line() {
    let editor = Editor::new("sell the old phone quickly\n중고거래중고거래\nx");
    let rows: Vec<String> =
        editor.seen(11, 9).iter().map(|row| editor.lines()[row.line][row.from..row.to].to_owned()).collect();
    assert_eq!(rows, ["sell the ", "old phone ", "quickly", "중고거래중", "고거래", "x"]);
}

#[test]
fn the_cursor_is_always_seen_and_rows_agree_with_the_line_from_its_beginning() {
    let text = "a b  c 중고 거래 wide\tword\n\nunbrokenunbrokenunbroken e\u{301}e\u{301} end of it all\nlast";
    let keys = [
        Key::Right,
        Key::Down,
        Key::Char('w'),
        Key::Char(' '),
        Key::Backspace,
        Key::Up,
        Key::Ctrl('w'),
        Key::End,
        Key::Enter,
        Key::Ctrl('_'),
        Key::PageDown,
        Key::Char('고'),
        Key::PageUp,
        Key::Ctrl('k'),
        Key::Alt('>'),
        Key::Ctrl('y'),
        Key::Left,
    ];
    let mut dice = 7u64;
    for (width, height) in [(1, 1), (2, 2), (7, 3), (12, 4), (40, 2)] {
        let mut editor = Editor::new(text);
        editor.resize(width, height);
        for _ in 0..400 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            editor.key(keys[(dice >> 33) as usize % keys.len()]);
            assert_eq!(editor.len(), editor.text().len());
            let seen = editor.seen(width, height);
            let Place { line, byte } = editor.cursor();
            let holds = |row: &&Row| row.line == line && row.from <= byte && (byte < row.to || row.is_last);
            assert!(seen.iter().any(|row| holds(&row)), "{width}x{height} {:?} {seen:?}", editor.cursor());
            let mut rows = Rows::default();
            let fresh = rows.of(line, &editor.lines()[line], rows::cells_of(width), byte);
            let seen_row = seen.iter().find(holds).map(|row| row.from);
            assert_eq!(seen_row, Some(rows.starts()[fresh]), "{width}x{height} {:?}", editor.lines()[line]);
        }
    }
}

#[test]
fn the_mouse_puts_the_cursor_before_what_it_points_at() {
    let mut editor = Editor::new("one two\n중고");
    editor.resize(20, 5);
    editor.click(5, 0);
    assert_eq!(at(&editor), (0, 5));
    editor.click(1, 1);
    assert_eq!(at(&editor), (1, 0));
    editor.click(19, 4);
    assert_eq!(at(&editor), (1, 6));
}

#[test]
fn a_line_of_a_megabyte_is_walked_no_more_than_the_screen_for_a_frame() {
    let mut editor = Editor::new(&"word ".repeat(LONGEST / 5));
    editor.resize(60, 10);
    press(&mut editor, &[Key::End]);
    typed(&mut editor, "x");
    let rows = editor.seen(60, 10);
    assert_eq!(rows.len(), 10);
    assert!(rows[9].is_last && rows[0].from > LONGEST - 700);
}
