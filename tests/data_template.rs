//! Chat templates against what transformers renders; the fixtures and the script that made them are in `fixtures/templates`.

use std::path::Path;

use finetop::data::template::{ChatTemplate, Message};
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
    let folder = std::env::var("TEMPLATE_FOLDER")
        .unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/templates").into());
    let folder = Path::new(&folder);
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
