//! Keys on the start page: values that are typed and turned, runs that are opened, answers about what is selected.

use super::*;

fn request(target: Target) -> StartRequest {
    StartRequest {
        target,
        text: "[data]\ntrain = \"t.jsonl\"\n[adapter]\nmethod = \"lora\"\n".into(),
        file_name: "x.toml".into(),
        base_dir: "/base".into(),
        overrides: Vec::new(),
    }
}

/// A configuration, a run in this state, and a broken configuration.
fn listed(past: PastState) -> State {
    let past = PastRun { state: past, steps: Some(3), planned: Some(9), best_eval: None, began_unix_ms: None };
    State::ready(StartPage::new(vec![
        Entry::new("x.toml", request(Target::File("/base/x.toml".into()))),
        Entry::run("a run", request(Target::Run("runs/a".into())), past),
        Entry::broken("broken.toml", Target::File("/base/broken.toml".into()), "no file"),
    ]))
}

fn select(state: &mut State, key: &str) {
    let row = crate::config::settings::settings().iter().position(|s| s.key() == key);
    if let Some(page) = &mut state.page {
        page.pane = Pane::Settings;
        page.row = row.expect("a setting");
    }
}

#[test]
fn a_value_is_taken_only_when_it_can_be_and_says_why_not() {
    let mut state = listed(PastState::Stopped);
    press(&mut state, Key::Tab);
    select(&mut state, "train.learning_rate");
    press(&mut state, Key::Enter);
    press(&mut state, Key::Ctrl('u'));
    // Letters that are keys elsewhere are text here.
    "qS?b".chars().for_each(|c| assert_eq!(key(&mut state, c), []));
    press(&mut state, Key::Enter);
    let editing = page_of(&state).editing.clone().expect("it was not taken");
    assert_eq!(editing.field.text(), "qS?b");
    assert_eq!(editing.problem.as_deref(), Some("expected a finite number above 0, found qS?b"));
    press(&mut state, Key::Ctrl('u'));
    update(&mut state, Message::Paste("1e-3".into()));
    assert_eq!(page_of(&state).editing.as_ref().and_then(|e| e.problem.clone()), None);
    press(&mut state, Key::Enter);
    assert_eq!(page_of(&state).editing, None);
    let effects = press(&mut state, Key::Char('S'));
    let [Effect::StartRun(started)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(started.overrides, ["train.learning_rate=1e-3"]);
}

#[test]
fn an_edit_is_dropped_by_esc_and_taken_back_by_reset() {
    let mut state = listed(PastState::Stopped);
    select(&mut state, "train.seed");
    let edits = |state: &State| page_of(state).entries[0].edits();
    for (last, expected) in [(Key::Esc, 0), (Key::Enter, 1)] {
        press(&mut state, Key::Char('i'));
        press(&mut state, Key::Char('1'));
        press(&mut state, last);
        assert_eq!(edits(&state), expected);
    }
    press(&mut state, Key::Char('u'));
    assert_eq!(edits(&state), 0);
    press(&mut state, Key::Esc);
    assert_eq!(page_of(&state).pane, Pane::List);
}

#[test]
fn choices_are_gone_through_and_those_that_contradict_others_are_left_out() {
    let mut state = listed(PastState::Stopped);
    let value = |state: &State| page_of(state).entries[0].value(page_of(state).row).and_then(|v| v.text.clone());
    select(&mut state, "adapter.quantization");
    key(&mut state, ' ');
    assert_eq!(value(&state).as_deref(), Some("keep"), "method lora takes no other");
    assert!(state.notice.is_some());
    select(&mut state, "data.shuffle");
    key(&mut state, ' ');
    assert_eq!(value(&state).as_deref(), Some("false"));
    press(&mut state, Key::Left);
    assert_eq!((value(&state).as_deref(), page_of(&state).entries[0].edits()), (Some("true"), 0));
    select(&mut state, "train.lr_scheduler_type");
    press(&mut state, Key::Enter);
    press(&mut state, Key::Right);
    press(&mut state, Key::Enter);
    assert_eq!(value(&state).as_deref(), Some("cosine"));
}

#[test]
fn a_run_is_watched_or_resumed_and_a_broken_configuration_does_nothing() {
    let mut state = listed(PastState::Interrupted);
    key(&mut state, 'j');
    assert_eq!(press(&mut state.clone(), Key::Enter), [Effect::OpenRun("runs/a".into())]);
    let resume = request(Target::Run("runs/a".into()));
    assert_eq!(key(&mut state.clone(), 'r'), [Effect::StartRun(Box::new(resume))]);
    assert_eq!(key(&mut state.clone(), 'S'), []);
    key(&mut state, 'j');
    assert_eq!(press(&mut state, Key::Enter), []);
    assert!(state.notice.is_some() && state.stage == Stage::Ready);
    for past in [PastState::Live, PastState::Finished] {
        let mut state = listed(past);
        key(&mut state, 'j');
        assert_eq!(key(&mut state, 'r'), []);
    }
}

#[test]
fn a_run_leads_back_to_the_page_unless_it_lives_here() {
    let mut state = listed(PastState::Live);
    update(&mut state, Message::Attached { folder: "runs/x".into(), owned: true });
    micro(&mut state, 0, 1);
    assert_eq!(key(&mut state, 'b'), []);
    assert!(state.run().is_some());
    finish(&mut state, 1);
    assert_eq!(key(&mut state, 'b'), [Effect::LeaveRun, Effect::Discover]);
    assert_eq!((&state.stage, &state.overlay), (&Stage::Ready, &None));
    // One that lives elsewhere goes on without being looked at.
    update(&mut state, Message::Attached { folder: "runs/x".into(), owned: false });
    micro(&mut state, 0, 1);
    assert_eq!(key(&mut state, 'b'), [Effect::LeaveRun, Effect::Discover]);
    // A screen that only watches has nothing to go back to.
    assert_eq!(key(&mut attached(false), 'b'), []);
}

#[test]
fn only_the_answer_about_what_is_selected_now_counts() {
    let mut state = listed(PastState::Live);
    let look = Look { model: ModelPlace::Here { bytes: 1 }, splits: Vec::new(), planned_steps: None };
    let asked = |effects: Vec<Effect>| match effects.as_slice() {
        [Effect::Look { ticket, .. }] => *ticket,
        other => panic!("{other:?}"),
    };
    let first = asked(at(&mut state, 1_000));
    assert_eq!(at(&mut state, 2_000), [], "it is asked once");
    select(&mut state, "train.seed");
    [Key::Enter, Key::Char('1'), Key::Enter].into_iter().for_each(|k| _ = press(&mut state, k));
    assert_eq!(at(&mut state, 2_050), [], "somebody may still be typing");
    let second = asked(at(&mut state, 3_000));
    update(&mut state, Message::Looked { ticket: first, look: Box::new(look.clone()) });
    assert_eq!(page_of(&state).entries[0].look, None);
    update(&mut state, Message::Looked { ticket: second, look: Box::new(look.clone()) });
    assert_eq!(page_of(&state).entries[0].look, Some(look));
}
