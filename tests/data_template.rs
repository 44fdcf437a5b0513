//! Chat templates against what transformers renders; the fixtures and the script that made them are in
//! `fixtures/templates`.

use std::path::Path;

use finetop::data::template::{ChatTemplate, Message, TemplateError};
use minijinja::Value;
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    bos_token: String,
    eos_token: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    template: String,
    name: String,
    messages: Vec<Value>,
    add_generation_prompt: bool,
    tools: Option<Value>,
    text: Option<String>,
}

#[test]
fn templates_render_as_in_transformers() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/templates"));
    let expected: Expected = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for case in &expected.cases {
        let source = std::fs::read_to_string(folder.join(&case.template)).unwrap();
        let template = ChatTemplate::new(&source, Some(&expected.bos_token), Some(&expected.eos_token)).unwrap();
        let messages: Result<Vec<_>, _> =
            case.messages.iter().enumerate().map(|(i, m)| Message::from_value(m.clone(), i)).collect();
        let rendered =
            messages.and_then(|m| template.render_with_tools(&m, case.tools.as_ref(), case.add_generation_prompt));
        if rendered.as_ref().ok() != case.text.as_ref() {
            wrong.push((&case.template, &case.name, rendered, &case.text));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ, the first: {:#?}", wrong.len(), expected.cases.len(), wrong[0]);
}

fn render(source: &str) -> Result<String, TemplateError> {
    ChatTemplate::new(source, Some("<s>"), Some("</s>"))?.render(&[Message::user("hi")], true)
}

#[test]
fn a_hostile_template_ends_with_an_error_soon() {
    for source in [
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% for i in range(100000000000) %}{% endfor %}",
        "{{ 'a' * 100000000000 }}",
        "{{ [1] * 100000000000 }}",
        "{% set ns = namespace(x='aaaa') %}{% for i in range(1000) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set n = namespace(x=1) %}{% for i in range(9999) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x | tojson }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ messages | tojson(indent=100000000000) }}",
        "{{ strftime_now('%Y' * 1000000) }}",
        "{{ 1 // 0 }}",
        "{% include 'chat template' %}",
        "{% extends 'chat template' %}",
    ] {
        let started = std::time::Instant::now();
        let error = render(source);
        assert!(error.is_err() || error.as_ref().is_ok_and(|text| text.len() < 1 << 20), "{source}");
        assert!(started.elapsed().as_secs() < 20, "{source}: {error:?}");
    }
}

#[test]
fn deep_values_of_a_template_are_dropped_without_harm() {
    let nest = |wrapped: &str, after: &str| {
        format!(
            "{{% set ns = namespace(x=[1], y=1) %}}{{% for j in range(100) %}}{{% for i in range(100000) %}}\
             {{% set ns.x = {wrapped} %}}{{% endfor %}}{{% if j == {after} %}}{{% break %}}{{% endif %}}\
             {{% endfor %}}done"
        )
    };
    for wrapped in
        ["[ns.x]", "{'a': ns.x}", "(ns.x, 1)", "ns.x | reverse", "ns.x | map('string')", "ns.x + [1]", "dict(a=ns.x)"]
    {
        for after in ["0", "99"] {
            assert_eq!(render(&nest(wrapped, after)), Err(TemplateError::OutOfFuel), "{wrapped}");
        }
        let used = nest(wrapped, "0").replace("done", "{{ ns.x }}{{ ns.x | tojson }}").replace("100000", "2000");
        assert!(render(&used).map_or_else(|_| true, |text| text.len() < 1 << 20), "{wrapped}");
    }
    let unrolled = format!("{{% set x = 1 %}}{}", "{% set x = [x] %}".repeat(50_000));
    assert_eq!(render(&unrolled), Err(TemplateError::OutOfFuel));
    assert!(render(&format!("{{{{ {}1{} }}}}", "[".repeat(50_000), "]".repeat(50_000))).is_err());
    assert!(render(&"{% if true %}".repeat(50_000)).is_err());
}

#[test]
fn a_long_conversation_fits_the_fuel() {
    let source = include_str!("fixtures/templates/qwen2.5.jinja");
    let template = ChatTemplate::new(source, None, Some("</s>")).unwrap();
    let messages: Vec<_> =
        (0..2_000).map(|i| Message::new(["user", "assistant"][i % 2], &"word ".repeat(200))).collect();
    assert!(template.render(&messages, true).unwrap().len() > 2_000_000);
}

#[test]
fn errors_say_what_the_template_said_and_where() {
    let is = |source: &str, text: &str| assert_eq!(render(source).unwrap_err().to_string(), text);
    is("a\n{% if %}", "the chat template is no valid Jinja: syntax error: unexpected end of block (line 2)");
    is("{{ raise_exception('no \u{1b}[2J system') }}", "the chat template refuses these messages: no ␛[2J system");
    is("\n\n{{ messages[0].a.b }}", "the chat template failed: undefined value (line 3)");
    assert!(matches!(render("{{ x() }}"), Err(TemplateError::Failed(_))));
}

#[test]
fn the_date_is_the_one_that_was_set() {
    let template = ChatTemplate::new("{{ strftime_now('%d %b %Y %%') }}{{ strftime_now('') }}", None, None).unwrap();
    assert_eq!(template.at(1_721_952_000 + 43_200).render(&[], false).unwrap(), "26 Jul 2024 %");
}

#[test]
fn assistant_turns_are_the_text_between_prefixes() {
    let source = include_str!("fixtures/templates/mistral-nemo.jinja");
    let template = ChatTemplate::new(source, Some("<s>"), Some("</s>")).unwrap();
    let messages =
        [Message::user("One?"), Message::assistant("Two."), Message::user("Three?"), Message::assistant("Four.")];
    let conversation = template.conversation(&messages, None).unwrap();
    assert_eq!(conversation.text, "<s>[INST]One?[/INST]Two.</s>[INST]Three?[/INST]Four.</s>");
    let turns: Vec<_> = conversation.assistant.iter().map(|turn| &conversation.text[turn.clone()]).collect();
    assert_eq!(turns, ["Two.</s>", "Four.</s>"]);
}
