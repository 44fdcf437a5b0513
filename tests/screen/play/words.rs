//! What the playground says of what a person could not know otherwise: whose text stands there, what broke off, what a key needs.

use super::rows::kept;
use super::*;

/// A run whose configuration names a schema and a prompt, its playground entered.
pub fn configured() -> State {
    let mut state = State::watching();
    update(&mut state, Message::Attached { folder: "runs/x".into(), owned: false });
    for stamped in fixture::until(&fixture::stored(), 33, 3) {
        let mut stamped = stamped.clone();
        if let RunEvent::RunStarted(started) = &mut stamped.event {
            let extract = &mut started.config.extract;
            (extract.schema, extract.prompt) = (Some("/c/own.json".into()), Some("/c/own.txt".into()));
        }
        update(&mut state, Message::Event(Box::new(stamped)));
    }
    press(&mut state, Key::Char('6'));
    state
}

fn frame(state: &State, (width, height): (u16, u16)) -> String {
    text(&draw(state, &theme("dark", GlyphSet::Braille), width, height))
}

fn notice(state: &State) -> String {
    state.notice.as_ref().map(|notice| notice.text.clone()).unwrap_or_default()
}

#[test]
fn a_schema_of_the_configuration_that_cannot_be_read_is_said_before_another_is_asked_with() {
    let mut state = configured();
    let unread = Unread { schema: Some("/c/own.json: No such file".into()), prompt: None };
    find(&mut state, Finds { unread, own_prompt: Some("{text}".into()), ..Finds::default() });
    assert!(notice(&state).contains("own.json: No such file"), "{}", notice(&state));
    update(&mut state, Message::Resized { width: 120, height: 40 });
    let shown = frame(&state, (120, 40));
    assert!(shown.contains("not the configuration's: /c/own.json"), "{shown}");
    with_text(&mut state);
    state.playground.settings.model = "x".into();
    let effects = hit(&mut state, &[Key::F(5)]);
    assert!(ask_of(&effects).is_none() && state.playground.running.is_none());
    assert!(notice(&state).contains("once more"), "{}", notice(&state));
    assert_eq!(state.playground.focus, Focus::Schema);
    let effects = hit(&mut state, &[Key::F(5)]);
    assert!(ask_of(&effects).is_some());

    // One that is chosen, or that is there at last, needs no words.
    let mut state = configured();
    let unread = Unread { schema: Some("gone".into()), prompt: Some("gone too".into()) };
    find(&mut state, Finds { unread, ..Finds::default() });
    assert!(state.playground.stands_in(Focus::Schema).is_some() && state.playground.stands_in(Focus::Prompt).is_some());
    focus(&mut state, Focus::Settings);
    press(&mut state, Key::Right);
    assert!(state.playground.stands_in(Focus::Schema).is_none());
    press(&mut state, Key::Char('R'));
    let own = Some(("own.json".to_owned(), "{}".to_owned()));
    find(&mut state, Finds { own_schema: own, own_prompt: Some("mine".into()), ..Finds::default() });
    assert!(state.playground.stands_in(Focus::Prompt).is_none() && state.playground.prompt.text() == "mine");
    assert_ne!(state.playground.settings.schema_name, "own.json", "what was chosen stays");
}

#[test]
fn a_row_that_is_opened_stands_beside_its_own_text_and_is_not_asked_again_as_ones_own() {
    let mut state = rows((120, 40));
    tell(&mut state, 1, News::Over(Ok(())));
    let own = state.playground.text.text();
    press(&mut state, Key::Enter);
    let shown = frame(&state, (120, 40));
    assert!(shown.contains("text of row 2") && shown.contains("John, 25, Seoul"), "{shown}");
    assert_eq!(state.playground.text.text(), own);
    // F5 brings one's own text back first, and asks with it then.
    assert!(ask_of(&hit(&mut state, &[Key::F(5)])).is_none());
    assert!(!frame(&state, (120, 40)).contains("text of row"));
    assert_eq!(ask_of(&hit(&mut state, &[Key::F(5)])).expect("a trial").1.text, own);

    // What is typed is one's own.
    let mut state = rows((120, 40));
    tell(&mut state, 1, News::Over(Ok(())));
    press(&mut state, Key::Enter);
    focus(&mut state, Focus::Text);
    press(&mut state, Key::Enter);
    types(&mut state, "!");
    assert!(state.playground.text.text().contains('!') && state.playground.row_text.is_none());
    hit(&mut state, &[Key::Esc, Key::Esc]);
    assert_eq!(state.playground.page, Page::Rows);
}

/// Rows that the run is asked for.
fn rows_of_the_run() -> (State, u64) {
    let mut state = entered(own_run(), (80, 24));
    state.playground.finds.has_run = true;
    state.playground.settings.who = Who::Run;
    press(&mut state, Key::Char('B'));
    types(&mut state, "data/test.jsonl");
    let (ticket, _) = ask_of(&hit(&mut state, &[Key::Enter])).expect("rows are asked for");
    tell(&mut state, ticket, News::Rows(4));
    (state, ticket)
}

#[test]
fn stopping_the_run_says_that_its_rows_end_and_afterwards_that_it_was_stopped() {
    let over = || News::Over(Err(format!("row 1: {CANCELLED_THERE}")));
    let (mut state, ticket) = rows_of_the_run();
    press(&mut state, Key::Char('s'));
    assert!(matches!(state.overlay, Some(Overlay::Ask(Question::Stop))));
    let shown = frame(&state, (80, 24));
    assert!(shown.contains("answering rows of the") && shown.contains("are kept"), "{shown}");
    hit(&mut state, &[Key::Esc, Key::Char('q')]);
    assert!(frame(&state, (80, 24)).contains("in no report"), "quitting keeps no rows");
    hit(&mut state, &[Key::Esc, Key::Char('s'), Key::Char('y')]);
    tell(&mut state, ticket, over());
    assert_eq!(state.playground.batch.failure.as_deref(), Some("row 1: the run was stopped"));

    let (mut state, ticket) = rows_of_the_run();
    tell(&mut state, ticket, over());
    assert_eq!(state.playground.batch.failure, Some(format!("row 1: {CANCELLED_THERE}")));
}

#[test]
fn rows_tell_the_time_by_the_clock_and_how_many_came_in_a_second() {
    let mut state = entered(no_run(), (80, 24));
    with_text(&mut state);
    press(&mut state, Key::Char('B'));
    types(&mut state, "data/test.jsonl");
    let (ticket, _) = ask_of(&hit(&mut state, &[Key::Enter])).expect("rows are asked for");
    let at = |state: &mut State, ms: u64| {
        let unix_ms = state.clock.unix_ms;
        update(state, Message::Tick(Clock { ms, unix_ms }));
    };
    tell(&mut state, ticket, News::Rows(4));
    // A model that is opened answers nobody yet.
    at(&mut state, 10_000);
    tell(&mut state, ticket, News::Asked(Stage::Generate));
    at(&mut state, 12_000);
    let row = Row { id: None, text: Some("t".into()), prompt: None, value: None, completion: None, now: None };
    for n in 1..=4 {
        tell(&mut state, ticket, News::Row(Box::new(RowResult::new(n, &row, saved(), true))));
    }
    assert!(frame(&state, (80, 24)).contains("at work  2s, 2.00 rows/s"), "{}", frame(&state, (80, 24)));
    tell(&mut state, ticket, News::Over(Ok(())));
    at(&mut state, 99_000);
    let shown = frame(&state, (80, 24));
    assert!(shown.contains("4 of 4 rows  in 2s, 2.00 rows/s") && !shown.contains("times"), "{shown}");
}

#[test]
fn a_place_in_a_text_is_a_line_and_a_column_in_characters_wherever_it_is_told() {
    let mut state = entered(no_run(), (80, 24));
    with_text(&mut state);
    focus(&mut state, Focus::Schema);
    press(&mut state, Key::Enter);
    hit(&mut state, &[Key::Alt('a')]);
    types(&mut state, "{\"나이\": 정수}");
    assert!(frame(&state, (80, 24)).contains("line 1, column 8: "), "{}", frame(&state, (80, 24)));
    hit(&mut state, &[Key::F(5)]);
    assert!(notice(&state).contains("line 1, column 8: "), "{}", notice(&state));
}

#[test]
fn a_file_that_was_stopped_names_its_rows_and_one_that_was_not_read_says_that_none_was_asked() {
    let mut state = entered(no_run(), (80, 24));
    with_text(&mut state);
    press(&mut state, Key::Char('B'));
    types(&mut state, "data/test.jsonl");
    let (ticket, _) = ask_of(&hit(&mut state, &[Key::Enter])).expect("rows are asked for");
    assert!(frame(&state, (80, 24)).contains("reading the file"));
    tell(&mut state, ticket, News::Over(Err("data/test.jsonl: no file".into())));
    let shown = frame(&state, (80, 24));
    assert!(shown.contains("no row was asked") && !shown.contains("stopped"), "{shown}");

    let mut state = rows((80, 24));
    let made = kept(&state, 9);
    tell(&mut state, 1, News::Over(Ok(())));
    state.playground.finds.trials = vec![made];
    press(&mut state, Key::Char('H'));
    let shown = frame(&state, (80, 24));
    assert!(shown.contains("stopped  9 rows of data/"), "{shown}");
}

#[test]
fn what_is_being_written_has_no_time_yet_and_what_was_broken_off_tells_its_characters() {
    let mut state = streaming((120, 40));
    let shown = frame(&state, (120, 40));
    assert!(shown.contains("writes") && !shown.contains("0.0 ms"), "{shown}");
    let mut trace = saved();
    trace.attempts.truncate(1);
    let cut = &mut trace.attempts[0];
    cut.output = "{\"이름\"".into();
    (cut.prompt_tokens, cut.completion_tokens) = (None, None);
    let error = Refusal { stage: Stage::Generate, message: "cancelled".into(), errors: Vec::new() };
    (trace.ok, trace.value, trace.error) = (false, None, Some(error));
    tell(&mut state, 1, News::Done(Box::new(trace)));
    tell(&mut state, 1, News::Over(Ok(())));
    let shown = frame(&state, (120, 40));
    assert!(shown.contains("in 1.24s  5 characters written"), "{shown}");
}

#[test]
fn the_reports_key_says_where_it_works_and_esc_on_what_is_done_says_nothing() {
    let mut state = rows((80, 24));
    tell(&mut state, 1, News::Over(Ok(())));
    press(&mut state, Key::Esc);
    assert_eq!(state.playground.page, Page::Panels);
    focus(&mut state, Focus::Attempts);
    press(&mut state, Key::Char('J'));
    assert_eq!(notice(&state), "B shows the rows; J writes their report there");
    let mut state = done((80, 24));
    state.notice = None;
    focus(&mut state, Focus::Attempts);
    press(&mut state, Key::Esc);
    assert_eq!(notice(&state), "");
    press(&mut state, Key::Char('J'));
    assert!(notice(&state).starts_with("no rows to report"), "{}", notice(&state));
}

#[test]
fn the_path_of_rows_and_the_footer_say_the_same_of_its_keys() {
    let mut state = entered(no_run(), (80, 24));
    press(&mut state, Key::Char('B'));
    let shown = frame(&state, (80, 24));
    let lines: Vec<&str> = shown.lines().collect();
    for line in [lines[1], lines[23]] {
        assert!(line.contains("Enter run them") && line.contains("Esc leave"), "{shown}");
    }
}

#[test]
fn under_a_question_the_footer_has_the_keys_that_answer_it() {
    let mut state = rows((80, 24));
    tell(&mut state, 1, News::Over(Ok(())));
    state.notice = None;
    press(&mut state, Key::Char('q'));
    assert!(matches!(state.overlay, Some(Overlay::Ask(Question::QuitPlayground))));
    let shown = frame(&state, (80, 24));
    assert_eq!(shown.lines().last().map(str::trim), Some("y yes   n no   Esc no"), "{shown}");
}

#[test]
fn rows_without_a_report_keep_its_key_in_the_footer_under_a_message_and_on_the_smallest_screen() {
    for size in SIZES {
        let mut state = rows(size);
        tell(&mut state, 1, News::Over(Err("row 4: the server is gone, and has been for quite a while now".into())));
        for _ in 0..2 {
            let shown = frame(&state, size);
            let last = shown.lines().last().unwrap_or_default();
            assert!(last.contains("J report") && last.contains("q quit"), "{size:?} {last}");
            state.notice = None;
        }
    }
    // What tells how work comes back is short enough for any of them.
    let mut state = entered(no_run(), (60, 20));
    press(&mut state, Key::Enter);
    types(&mut state, "precious");
    hit(&mut state, &[Key::Esc, Key::Char('x'), Key::Enter]);
    assert!(notice(&state).contains("Ctrl-Z") && frame(&state, (60, 20)).contains(&notice(&state)));
}

#[test]
fn the_selected_row_stays_it_when_all_are_listed_and_again_only_those_that_failed() {
    let mut state = rows((80, 24));
    tell(&mut state, 1, News::Over(Ok(())));
    let selected = |state: &State| state.playground.batch.row(state.playground.batch.selected).map(|row| row.row);
    assert_eq!(selected(&state), Some(2));
    assert!(frame(&state, (80, 24)).contains("* differs"), "{}", frame(&state, (80, 24)));
    for (key, row) in
        [(Key::Right, 2), (Key::Up, 1), (Key::Left, 2), (Key::Down, 3), (Key::Char(' '), 3), (Key::Left, 3)]
    {
        press(&mut state, key);
        assert_eq!(selected(&state), Some(row), "{key:?}");
    }
    press(&mut state, Key::Char('H'));
    assert!(frame(&state, (80, 24)).contains(" s ago"), "{}", frame(&state, (80, 24)));
}

#[test]
fn ascii_glyphs_leave_a_persons_own_text_as_it_is() {
    let mut state = entered(no_run(), (80, 24));
    focus(&mut state, Focus::Text);
    press(&mut state, Key::Enter);
    types(&mut state, "중고 — 아이폰");
    let shown = text(&draw(&state, &theme("mono", GlyphSet::Ascii).with_any_text(), 80, 24));
    assert!(shown.contains("중고") && shown.contains("아이폰") && !shown.contains('│'), "{shown}");
    let shown = text(&draw(&state, &theme("mono", GlyphSet::Ascii), 80, 24));
    assert!(shown.is_ascii() && shown.contains("????"), "{shown}");
}

#[test]
fn a_schema_that_is_wrong_leaves_the_page_of_rows_open_and_refuses_to_run_them() {
    let mut state = entered(no_run(), (80, 24));
    focus(&mut state, Focus::Schema);
    press(&mut state, Key::Enter);
    types(&mut state, "{,");
    hit(&mut state, &[Key::Esc, Key::Char('B')]);
    assert_eq!(state.playground.page, Page::Rows);
    types(&mut state, "data/test.jsonl");
    assert!(ask_of(&hit(&mut state, &[Key::Enter])).is_none());
    let shown = frame(&state, (80, 24));
    assert!(state.playground.page == Page::Rows && shown.contains("the schema, line 1, column "), "{shown}");
}

#[test]
fn nothing_is_asked_before_the_configurations_own_schema_is_read() {
    let mut state = configured();
    let now = Clock { ms: state.clock.ms + 10, ..state.clock };
    update(&mut state, Message::Tick(now));
    press(&mut state, Key::Enter);
    types(&mut state, "John");
    let effects = hit(&mut state, &[Key::F(5)]);
    assert!(ask_of(&effects).is_none() && notice(&state).contains("is being read"), "{}", notice(&state));
}

#[test]
fn quitting_while_training_says_what_of_the_playground_goes_with_the_program() {
    let mut state = entered(own_run(), (80, 24));
    press(&mut state, Key::Char('q'));
    assert!(!frame(&state, (80, 24)).contains("playground"), "nothing is lost there");
    press(&mut state, Key::Esc);
    update(&mut state, Message::Paste("John".into()));
    press(&mut state, Key::Char('q'));
    assert_eq!(state.overlay, Some(Overlay::Ask(Question::StopAndQuit)));
    let shown = frame(&state, (80, 24));
    assert!(shown.contains("with a checkpoint") && shown.contains("nowhere else"), "{shown}");
    press(&mut state, Key::Esc);
    hit(&mut state, &[Key::F(5), Key::Char('q')]);
    let shown = frame(&state, (80, 24));
    assert!(shown.contains("A trial is being") && shown.contains("cancelled"), "{shown}");
}

#[test]
fn what_came_of_other_texts_than_those_that_stand_there_says_so() {
    const STALE: &str = "of what stood there before";
    for size in [(80, 24), (160, 48)] {
        let mut state = done(size);
        focus(&mut state, Focus::Value);
        assert!(!frame(&state, size).contains(STALE));
        focus(&mut state, Focus::Text);
        hit(&mut state, &[Key::Enter, Key::Char('!'), Key::Esc]);
        focus(&mut state, Focus::Value);
        let shown = frame(&state, size);
        assert!(shown.contains(STALE) && shown.contains("F5 asks anew"), "{shown}");
        hit(&mut state, &[Key::F(5)]);
        assert!(!frame(&state, size).contains(STALE), "another one is being made");
    }
}

#[test]
fn a_word_of_the_prompt_that_is_no_place_is_named_beside_it() {
    let mut state = entered(no_run(), (120, 40));
    assert!(!frame(&state, (120, 40)).contains("as it stands"));
    state.playground.prompt.set_text("Read {txt} as {schema}, {\"a\": 1}, {}");
    let shown = frame(&state, (120, 40));
    assert!(shown.contains("{txt} is sent as it stands"), "{shown}");
}

#[test]
fn two_that_are_compared_are_told_whole_below_each_other_too() {
    let size = (120, 40);
    let mut state = compared(size);
    let shown = frame(&state, size);
    assert!(shown.contains("a value, LOSSY"), "{shown}");
    focus(&mut state, Focus::Value);
    let mut seen = String::new();
    for _ in 0..9 {
        seen += &frame(&state, size);
        press(&mut state, Key::PageDown);
    }
    for told in ["how obtained", "may be missing", "as JSON", "\"town\"", "coerced"] {
        assert!(seen.contains(told), "{told}: {seen}");
    }
}

#[test]
fn an_example_is_not_asked_about_with_the_configurations_own_prompt() {
    let mut state = configured();
    let own_schema = Some(("own.json".to_owned(), "{}".to_owned()));
    find(&mut state, Finds { own_schema, own_prompt: Some("The listing of {text}".into()), ..Finds::default() });
    assert_eq!(state.playground.prompt.text(), "The listing of {text}");
    with_text(&mut state);
    assert_eq!(state.playground.prompt.text(), finetop::extract::prompt::DEFAULT);
    state.playground.prompt.set_text("What I wrote about {text}");
    with_text(&mut state);
    assert_eq!(state.playground.prompt.text(), "What I wrote about {text}");
}

#[test]
fn a_run_that_answers_somebody_else_says_that_it_pauses_for_it() {
    use finetop::memory::ledger::Phase::{Forward, Generate};
    let mut state = entered(own_run(), (120, 40));
    training::sampled(&mut state, Generate);
    assert!(frame(&state, (120, 40)).contains("pauses to answer"));
    training::sampled(&mut state, Forward);
    assert!(frame(&state, (120, 40)).contains("running"));
}

#[test]
fn the_wait_before_another_try_is_counted_down() {
    let mut state = streaming((120, 40));
    tell(&mut state, 1, News::Again { why: "429".into(), wait_ms: 8_000 });
    assert!(frame(&state, (120, 40)).contains("another try in 8s: 429"), "{}", frame(&state, (120, 40)));
    let ms = state.clock.ms + 5_500;
    let clock = Clock { ms, ..state.clock };
    update(&mut state, Message::Tick(clock));
    assert!(frame(&state, (120, 40)).contains("another try in 3s: 429"), "{}", frame(&state, (120, 40)));
}
