//! Files of rows in the playground: counted while they come, opened, held against what is right, told as a report, kept as a trial.

use super::*;

#[test]
fn rows_are_counted_while_they_come_and_each_can_be_opened() {
    let mut state = rows((80, 24));
    let batch = &state.playground.batch;
    assert_eq!((batch.done(), batch.failed(), batch.len(), batch.total), (3, 2, 2, Some(4)));
    assert_eq!(hit(&mut state, &[Key::Esc]), [Effect::CancelTrial]);
    tell(&mut state, 1, News::Over(Ok(())));
    assert!(state.playground.batch.cancelled);
    hit(&mut state, &[Key::Right, Key::Home, Key::Enter]);
    assert_eq!(state.playground.page, Page::Panels);
    assert_eq!(state.playground.outcomes[0].label, "row 1");
    assert_eq!(state.playground.outcomes[0].trace, saved());
    press(&mut state, Key::Esc);
    assert!(state.playground.page == Page::Rows && state.in_playground());
}

#[test]
fn the_selected_row_stands_beside_what_is_right() {
    let ascii = theme("mono", GlyphSet::Ascii);
    let mut state = rows((80, 24));
    let frame = text(&draw(&state, &ascii, 80, 24));
    let line = |frame: &str, path: &str| frame.lines().find(|l| l.contains(path)).unwrap_or_default().to_owned();
    assert!(frame.contains("row 2: expected, found"), "{frame}");
    assert!(line(&frame, "/city").contains("* /city") && line(&frame, "/city").contains("\"Busan\""), "{frame}");
    assert!(line(&frame, "|   /age").contains("25"), "what is right has no mark: {frame}");
    press(&mut state, Key::Down);
    let frame = text(&draw(&state, &ascii, 80, 24));
    assert!(line(&frame, "/name").contains("* /name") && line(&frame, "/name").contains(" - "), "{frame}");
    // A file without right values has no room taken for them.
    let row = Row { id: None, text: Some("t".into()), prompt: None, value: None, completion: None, now: None };
    let mut state = entered(no_run(), (80, 24));
    with_text(&mut state);
    press(&mut state, Key::Char('B'));
    types(&mut state, "x");
    let (ticket, _) = ask_of(&hit(&mut state, &[Key::Enter])).expect("rows are asked for");
    tell(&mut state, ticket, News::Row(Box::new(RowResult::new(1, &row, refused(), true))));
    let frame = text(&draw(&state, &ascii, 80, 24));
    assert!(!frame.contains("expected, found"), "{frame}");
}

#[test]
fn the_report_of_rows_is_written_beside_them_and_over_another_file_only_when_asked() {
    let mut state = rows((80, 24));
    assert_eq!(hit(&mut state, &[Key::Char('J')]), [], "not before the rows are done");
    tell(&mut state, 1, News::Over(Ok(())));
    // Another path that is typed meanwhile is not that of these rows.
    press(&mut state, Key::Char('i'));
    types(&mut state, "x");
    press(&mut state, Key::Esc);
    let written = |effects: &[Effect]| match effects {
        [Effect::WriteReport { path, report, replaces }] => (path.clone(), report.clone(), *replaces),
        other => panic!("{other:?}"),
    };
    let (path, report, replaces) = written(&hit(&mut state, &[Key::Char('J')]));
    assert_eq!((path.as_path(), replaces), ("data/test.report.json".as_ref(), false));
    let whole: Value = serde_json::from_str(&report.text().expect("JSON")).expect("JSON");
    assert_eq!(
        (&whole["provider"], &whole["model"]),
        (&"local".into(), &state.playground.settings.model.clone().into())
    );
    assert_eq!(whole["exact"], json!({"count": 1, "of": 3}));
    assert_eq!(whole["json_schema"]["type"], "object");
    assert_eq!(whole["rows"][1]["expected"]["city"], "Busan");
    assert!(whole["rows"].as_array().is_some_and(|rows| rows.len() == 3 && rows[0].get("trace").is_none()));
    let exists = Message::ReportWritten { path: path.clone(), result: Err(NotWritten::Exists) };
    update(&mut state, exists.clone());
    assert_eq!(state.overlay, Some(Overlay::Ask(Question::ReplaceReport)));
    let frame = text(&draw(&state, &theme("mono", GlyphSet::Ascii), 80, 24));
    assert!(frame.contains("data/test.report.json"), "{frame}");
    assert_eq!(hit(&mut state, &[Key::Char('n')]), []);
    hit(&mut state, &[Key::Char('J')]);
    update(&mut state, exists.clone());
    let (_, _, replaces) = written(&hit(&mut state, &[Key::Char('y')]));
    assert!(replaces);
    update(&mut state, Message::ReportWritten { path: path.clone(), result: Ok(()) });
    let frame = text(&draw(&state, &theme("mono", GlyphSet::Ascii), 80, 24));
    assert!(frame.contains("the report is in data/test.report.json"), "{frame}");
    // Nobody who left the page is asked there, and a failure says why.
    press(&mut state, Key::Esc);
    update(&mut state, exists);
    assert_eq!(state.overlay, None);
    update(&mut state, Message::ReportWritten { path, result: Err(NotWritten::Failed(HOSTILE.into())) });
    assert!(
        state
            .notice
            .as_ref()
            .is_some_and(|notice| notice.text.starts_with("not written") && !notice.text.contains('\u{1b}'))
    );
}

#[test]
fn the_name_of_a_file_of_rows_that_is_not_there_can_be_mended_at_once() {
    let mut state = entered(no_run(), (80, 24));
    with_text(&mut state);
    press(&mut state, Key::Char('B'));
    types(&mut state, "tset.jsonl");
    let (ticket, _) = ask_of(&hit(&mut state, &[Key::Enter])).expect("rows are asked for");
    tell(&mut state, ticket, News::Over(Err("tset.jsonl: No such file or directory".into())));
    // Nothing of what is typed is a command.
    assert!(hit(&mut state, &[Key::Char('p'), Key::Char('e')]).is_empty());
    assert_eq!(state.playground.batch.path.text(), "tset.jsonlpe");
    let (ticket, _) = ask_of(&hit(&mut state, &[Key::Enter])).expect("rows are asked for");
    tell(&mut state, ticket, News::Rows(1));
    tell(&mut state, ticket, News::Over(Err("row 1: no answer".into())));
    assert!(!state.playground.batch.typing, "the file was there");
}

#[test]
fn a_file_of_rows_is_kept_as_a_trial_and_run_again() {
    let mut state = rows((80, 24));
    let summary = state.playground.batch.summary.clone();
    let tried = RowsTried { file: "data/test.jsonl".into(), total: 4, summary };
    let kept = Trial { outcomes: Vec::new(), rows: Some(Box::new(tried)), ..trial("John", saved()) };
    tell(&mut state, 1, News::Kept(Ok(Box::new(kept))));
    tell(&mut state, 1, News::Over(Ok(())));
    press(&mut state, Key::Char('H'));
    let frame = text(&draw(&state, &theme("mono", GlyphSet::Ascii), 80, 24));
    assert!(frame.contains("# 2 of 3, 33.3 % exact, stopped  4 rows of data/"), "{frame}");
    hit(&mut state, &[Key::Enter, Key::Char('y')]);
    assert_eq!((&state.playground.page, state.playground.batch.path.text()), (&Page::Rows, "data/test.jsonl"));
    assert!(state.playground.batch.done() == 0 && state.playground.outcomes.is_empty());
    press(&mut state, Key::Char('H'));
    let (_, ask) = ask_of(&hit(&mut state, &[Key::F(5)])).expect("run again");
    assert_eq!(ask.rows, Some("data/test.jsonl".into()));
}

#[test]
fn what_stops_rows_is_told_on_their_page_alone() {
    let mut state = rows((80, 24));
    tell(&mut state, 1, News::Over(Err("row 4: no answer".into())));
    let frame = |state: &State| text(&draw(state, &theme("mono", GlyphSet::Ascii), 80, 24));
    state.notice = None;
    assert!(frame(&state).contains("row 4: no answer"), "{}", frame(&state));
    press(&mut state, Key::Esc);
    assert!(state.playground.page == Page::Panels && !frame(&state).contains("row 4: no answer"), "{}", frame(&state));
    press(&mut state, Key::Char('B'));
    assert!(frame(&state).contains("row 4: no answer"), "{}", frame(&state));
}

#[test]
fn what_is_being_made_is_left_by_cancelling_it_alone() {
    let mut state = rows((80, 24));
    let footer = |state: &State| text(&draw(state, &theme("mono", GlyphSet::Ascii), 80, 24));
    assert!(footer(&state).contains("Esc cancel"), "{}", footer(&state));
    assert_eq!(hit(&mut state, &[Key::Char('b')]), []);
    assert!(state.playground.open && state.playground.running.is_some());
    assert!(state.notice.as_ref().is_some_and(|notice| notice.text.contains("Esc cancels it")));
    assert_eq!(hit(&mut state, &[Key::Esc]), [Effect::CancelTrial]);

    // A text's trial is not that page's.
    let mut state = entered(no_run(), (80, 24));
    begun(&mut state);
    press(&mut state, Key::Char('B'));
    assert!(footer(&state).contains("Esc back"), "{}", footer(&state));
    assert_eq!((hit(&mut state, &[Key::Esc]), &state.playground.page), (vec![], &Page::Panels));
    assert!(state.playground.running.is_some());
}

#[test]
fn a_path_that_was_typed_and_left_does_not_stand_above_rows_of_another_file() {
    let mut state = rows((80, 24));
    tell(&mut state, 1, News::Over(Ok(())));
    press(&mut state, Key::Char('i'));
    types(&mut state, "x");
    press(&mut state, Key::Esc);
    assert_eq!(state.playground.batch.path.text(), "data/test.jsonl");
}

#[test]
fn text_that_no_trial_had_is_said_to_be_replaced_and_can_be_brought_back() {
    let mut state = entered(no_run(), (80, 24));
    press(&mut state, Key::Enter);
    types(&mut state, "precious");
    hit(&mut state, &[Key::Esc, Key::Char('H'), Key::Enter]);
    assert!(state.notice.as_ref().is_some_and(|notice| notice.text.contains("Ctrl-Z")));
    focus(&mut state, Focus::Text);
    hit(&mut state, &[Key::Enter, Key::Ctrl('_')]);
    assert_eq!(state.playground.text.text(), "precious");
}

/// Of each row its number in the file is 3 more than its place.
fn told(size: (u16, u16), asked: &[Row]) -> State {
    let mut state = entered(no_run(), size);
    with_text(&mut state);
    press(&mut state, Key::Char('B'));
    types(&mut state, "x");
    let (ticket, _) = ask_of(&hit(&mut state, &[Key::Enter])).expect("rows are asked for");
    tell(&mut state, ticket, News::Rows(asked.len() as u64));
    for (at, row) in asked.iter().enumerate() {
        tell(&mut state, ticket, News::Row(Box::new(RowResult::new(at as u64 + 3, row, saved(), true))));
    }
    tell(&mut state, ticket, News::Over(Ok(())));
    state.notice = None;
    state
}

pub fn kept(state: &State, total: u64) -> Trial {
    let tried = RowsTried { file: "data/test.jsonl".into(), total, summary: state.playground.batch.summary.clone() };
    Trial { outcomes: Vec::new(), rows: Some(Box::new(tried)), ..trial("John", saved()) }
}

fn ascii(state: &State, (width, height): (u16, u16)) -> String {
    text(&draw(state, &theme("mono", GlyphSet::Ascii), width, height))
}

#[test]
fn rows_without_a_report_are_asked_about_before_they_are_lost() {
    let mut state = rows((80, 24));
    let trial = kept(&state, 4);
    tell(&mut state, 1, News::Kept(Ok(Box::new(trial))));
    tell(&mut state, 1, News::Over(Ok(())));
    assert_eq!(hit(&mut state, &[Key::Char('q')]), []);
    let frame = ascii(&state, (80, 24));
    assert!(frame.contains("The rows in the playground stand in no report yet."), "{frame}");
    press(&mut state, Key::Char('n'));
    // A trial of rows takes their place, run or only put back; one of a text does not.
    for key in [Key::Enter, Key::F(5)] {
        let mut state = state.clone();
        assert_eq!(hit(&mut state, &[Key::Char('H'), key]), []);
        assert!(matches!(state.overlay, Some(Overlay::Ask(Question::DropRows { .. }))), "{key:?}");
        let mut stays = state.clone();
        press(&mut stays, Key::Char('n'));
        assert_eq!((stays.playground.batch.done(), stays.overlay), (3, None));
        let effects = hit(&mut state, &[Key::Char('y')]);
        assert_eq!((state.playground.batch.done(), &state.playground.page), (0, &Page::Rows));
        assert_eq!(ask_of(&effects).is_some(), key == Key::F(5));
    }
    let mut of_text = state.clone();
    hit(&mut of_text, &[Key::Char('H'), Key::Down, Key::Enter]);
    assert_eq!((of_text.overlay.clone(), of_text.playground.batch.done()), (None, 3));
    let path = state.playground.batch.report_path().expect("rows of a file");
    update(&mut state, Message::ReportWritten { path, result: Ok(()) });
    assert_eq!(hit(&mut state, &[Key::Char('q')]), [Effect::Quit]);
}

#[test]
fn a_trial_that_was_read_from_the_file_before_it_is_heard_of_is_listed_once() {
    let mut state = rows((80, 24));
    let trial = kept(&state, 4);
    state.playground.finds.trials.push(trial.clone());
    let count = state.playground.finds.trials.len();
    tell(&mut state, 1, News::Kept(Ok(Box::new(trial))));
    assert_eq!(state.playground.finds.trials.len(), count);
    let another = kept(&state, 5);
    tell(&mut state, 1, News::Kept(Ok(Box::new(another))));
    assert_eq!(state.playground.finds.trials.len(), count + 1);
}

#[test]
fn what_rows_of_an_earlier_trial_said_together_is_shown_again() {
    let mut state = entered(no_run(), (80, 24));
    let made = rows((80, 24));
    state.playground.finds.trials = vec![kept(&made, 4)];
    hit(&mut state, &[Key::Char('H'), Key::Enter]);
    let frame = ascii(&state, (80, 24));
    for what in ["3 of 4 rows  stopped", "1 of 3 (33.3 %)", "refused by    validate 1", "F5 asks them again"] {
        assert!(frame.contains(what), "{what} in {frame}");
    }
    // The page is left and entered again: nothing is to be typed, and no row is there to be reported.
    hit(&mut state, &[Key::Esc, Key::Char('B')]);
    assert!(!state.playground.batch.typing && ascii(&state, (80, 24)).contains("1 of 3 (33.3 %)"));
    assert_eq!(hit(&mut state, &[Key::Char('J'), Key::Char('q')]), [Effect::Quit]);
}

#[test]
fn rows_that_ended_before_the_first_answer_are_no_success_and_cost_nobody_knows_what() {
    let mut state = entered(no_run(), (80, 24));
    state.playground.finds.trials = vec![kept(&state, 4)];
    press(&mut state, Key::Char('H'));
    let frame = ascii(&state, (80, 24));
    assert!(frame.contains("# none asked, stopped  4 rows of data/test.jsonl"), "{frame}");
    press(&mut state, Key::Enter);
    let frame = ascii(&state, (80, 24));
    assert!(frame.contains("0 of 4 rows  stopped") && !frame.contains("cost 0"), "{frame}");
    let frame = ascii(&rows((80, 24)), (80, 24));
    assert!(frame.contains("cost -") || frame.contains("cost —"), "{frame}");
}

#[test]
fn rows_say_that_they_are_not_compared_and_which_way_they_are_asked() {
    let mut state = entered(no_run(), (80, 24));
    with_text(&mut state);
    let ways = [
        (Compare::Adapter, "without an adapter"),
        (Compare::Constrained, "decoded freely"),
        (Compare::Prompt, "with prompt A"),
    ];
    for (compare, way) in ways {
        press(&mut state, Key::Char('c'));
        assert_eq!(state.playground.settings.compare, compare);
        press(&mut state, Key::Char('B'));
        let frame = ascii(&state, (80, 24));
        assert!(frame.contains(&format!("not compared: each row is asked once, {way}")), "{frame}");
        press(&mut state, Key::Esc);
        press(&mut state, Key::Char('B'));
    }
    hit(&mut state, &[Key::Char('c')]);
    press(&mut state, Key::Char('B'));
    let frame = ascii(&state, (80, 24));
    assert!(!frame.contains("not compared"), "{frame}");
}

#[test]
fn on_the_smallest_screen_every_line_of_the_rows_page_is_reached_by_scrolling() {
    let size = (60, 20);
    let many: serde_json::Map<String, Value> = (0..30).map(|n| (format!("field_{n:02}"), n.into())).collect();
    let long = json!({"name": "x".repeat(200) + "END"});
    let row =
        |value| Row { id: None, text: Some("t".into()), prompt: None, value: Some(value), completion: None, now: None };
    let mut state = told(size, &[row(long), row(Value::Object(many))]);
    let seen = |state: &mut State, keys: &[Key]| {
        let mut all = String::new();
        for _ in 0..60 {
            all += &ascii(state, size);
            hit(state, keys);
        }
        all
    };
    assert!(ascii(&state, size).contains("more: Tab"), "{}", ascii(&state, size));
    press(&mut state, Key::Tab);
    let frames = seen(&mut state, &[Key::Down]);
    assert!(frames.contains("> row 3: expected, found") && frames.contains("END"), "the right value whole");
    hit(&mut state, &[Key::Tab]);
    let frames = seen(&mut state, &[Key::PageDown]);
    for what in ["> together", "as answered", "refused by", "cost", "name 0 %", "field_29 0 %"] {
        assert!(frames.contains(what), "{what} in {}", ascii(&state, size));
    }
    // The end is the end: the way back begins at once.
    let last = ascii(&state, size);
    press(&mut state, Key::Up);
    assert_ne!(ascii(&state, size), last);
    hit(&mut state, &[Key::Tab, Key::Down, Key::Tab]);
    let frames = seen(&mut state, &[Key::Down]);
    assert!(frames.contains("> row 4: expected, found"), "{frames}");
    assert!((0..30).all(|n| frames.contains(&format!("* /field_{n:02}"))), "{frames}");
    // The mouse gives a part the keys as well.
    update(&mut state, Message::Mouse(Mouse { kind: MouseKind::Press, column: 5, row: 5 }));
    assert!(ascii(&state, size).contains("> together"));
}

#[test]
fn a_right_value_that_cannot_be_read_is_told_with_its_line_and_why() {
    let row = |completion: &str| Row {
        id: None,
        text: None,
        prompt: Some("p".into()),
        value: None,
        completion: Some(completion.into()),
        now: None,
    };
    let mut state =
        told((120, 40), &[row("John, 25"), row(r#"{"name": "John", "age": 25, "city": "Seoul"}"#), row("?")]);
    press(&mut state, Key::Right);
    let frame = ascii(&state, (120, 40));
    for what in [
        "unreadable in 2 of 3 rows; row 3: its completion is no JSON: expected value at line 1",
        "> row 3      coerce, no right value: its completion is no JSON",
        "this row has no right value: its completion is no JSON",
    ] {
        assert!(frame.contains(what), "{what} in {frame}");
    }
    let effects = hit(&mut state, &[Key::Char('J')]);
    let [Effect::WriteReport { report, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    let whole: Value = serde_json::from_str(&report.text().expect("JSON")).expect("JSON");
    assert!(whole["rows"][0]["gold_error"].is_string() && whole["rows"][1].get("gold_error").is_none());
}
