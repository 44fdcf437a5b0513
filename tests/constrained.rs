//! Decoding under a schema with a model of random weights: whatever it would rather say, what comes out is JSON of the schema.

use std::ops::ControlFlow;
use std::path::Path;

use candle_core::Device;
use serde_json::{Value, json};

use finetop::config::{ComputeDtype, Method, Quantization};
use finetop::data::tokenizer::Tokenizer;
use finetop::extract::attempt::{Stage, Trace};
use finetop::extract::fix::{Ask, Told, extract};
use finetop::extract::many::extract_all;
use finetop::extract::provider::{Finish, Heard, Message, Provider, ProviderError, Request};
use finetop::extract::schema::Schema;
use finetop::extract::validate::validate;
use finetop::formats::gguf::Gguf;
use finetop::memory::ledger::Ledger;
use finetop::model::decoder::Decoder;
use finetop::model::generate::Decoding;
use finetop::model::load::{Placement, WeightFiles, load};
use finetop::task::local::Local;
use finetop::task::text::Stops;
use finetop::task::write::Writer;

struct Model {
    decoder: Decoder,
    tokenizer: Tokenizer,
}

impl Model {
    fn new() -> Model {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/llama-f32.gguf");
        let placement = Placement {
            method: Method::Qlora,
            quantization: Quantization::Keep,
            dtype: ComputeDtype::F32,
            device: Device::Cpu,
        };
        let decoder = load(WeightFiles::Gguf(&path), &placement, &Ledger::default(), &mut |_, _| {}).unwrap();
        Model { decoder, tokenizer: Tokenizer::from_gguf(&Gguf::open(&path).unwrap()).unwrap() }
    }

    fn local(&self) -> Local<'_> {
        let writer = Writer {
            decoder: &self.decoder,
            adapter: None,
            tokenizer: &self.tokenizer,
            how: Decoding::default(),
            stops: Stops::default(),
        };
        Local::new(writer, false)
    }
}

fn schema(value: &Value) -> Schema {
    Schema::from_value(value).unwrap()
}

fn request(schema: &Schema, seed: u64, max_tokens: u32) -> Request {
    Request {
        messages: vec![Message::user("Say it:")],
        max_tokens,
        temperature: 1.5,
        seed,
        constrained: Some(schema.document().clone()),
    }
}

/// Schemas whose texts are short whatever is chosen.
fn bounded() -> Vec<Value> {
    vec![
        json!({"enum": ["new", "good", "거의 새것"]}),
        json!({"type": "boolean"}),
        json!({"type": "object", "properties": {"a": {"enum": [1, 2, 3]}, "b": {"type": "boolean"}}, "required": ["a", "b"]}),
        json!({"type": "object", "properties": {"a": {"const": "x"}, "b": {"type": ["boolean", "null"]}}, "required": ["b"]}),
        json!({"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3}),
        json!({"type": "string", "maxLength": 4}),
        json!({"type": "string", "format": "date"}),
        json!({"type": "object", "properties": {"at": {"type": "string", "format": "date-time"}}, "required": ["at"]}),
        json!({"$ref": "#/$defs/Node", "$defs": {"Node": {"type": "object", "properties": {"n": {"enum": [0]}}, "required": ["n"]}}}),
        json!({"oneOf": [{"const": 1}, {"const": "one"}]}),
    ]
}

#[test]
fn every_text_is_json_of_the_schema_whatever_the_model_would_rather_say() {
    let model = Model::new();
    let mut local = model.local();
    for document in bounded() {
        let schema = schema(&document);
        for seed in 0..6 {
            let answer = local.complete(&request(&schema, seed, 60), &mut |_| ControlFlow::Continue(())).unwrap();
            assert_eq!(answer.finish, Finish::Stop, "{document}: {}", answer.text);
            let value: Value = serde_json::from_str(&answer.text).unwrap_or_else(|e| panic!("{e}: {}", answer.text));
            // The grammar knows days of a month, not leap years.
            let faults = validate(&value, &schema);
            assert!(faults.is_empty() || answer.text.contains("-02-"), "{document}: {}: {faults:?}", answer.text);
        }
    }
}

#[test]
fn a_text_that_reaches_the_limit_is_an_error_with_the_whole_trace() {
    let model = Model::new();
    let schema = schema(&json!({"type": "string", "minLength": 500}));
    let mut ask = Ask::new(schema, "text", jiff::civil::date(2026, 11, 5).at(14, 0, 0, 0));
    ask.prompt = "Say it:".into();
    (ask.constrained, ask.max_new_tokens, ask.max_retries) = (true, 10, 3);
    let mut texts = 0;
    let trace = extract(&ask, &mut model.local(), &mut |told| {
        texts += usize::from(matches!(told, Told::Text(_)));
        ControlFlow::Continue(())
    });
    assert!(texts > 0 && !trace.ok && trace.value.is_none());
    assert_eq!((trace.totals.calls, trace.attempts[0].stage), (1, Stage::Constrained));
    let error = trace.error.unwrap();
    assert!(error.message.contains("expected an answer that ends within 10 tokens"), "{}", error.message);
}

#[test]
fn rows_that_are_asked_together_come_to_what_each_alone_does_cut_ones_too() {
    let model = Model::new();
    let schema = schema(&json!({"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}));
    let ask = |at: usize| Ask {
        prompt: "{text}".into(),
        constrained: !at.is_multiple_of(3),
        max_new_tokens: 12 + 9 * (at as u32 % 2),
        max_retries: 1,
        ..Ask::new(
            schema.clone(),
            format!("name[{at}], price[{}]", "1 ".repeat(at)),
            "2026-11-30T09:00".parse().unwrap(),
        )
    };
    let (count, mut traces) = (14, Vec::new());
    let mut goes_on = || ControlFlow::Continue(());
    extract_all(count, 5, &ask, &mut model.local(), &mut goes_on, &mut |trace| {
        traces.push(trace);
        ControlFlow::Continue(())
    });
    assert_eq!(traces.len(), count);
    let said = |trace: &Trace| -> Vec<Value> { trace.attempts.iter().map(|a| a.output.clone()).collect() };
    let mut cut = 0;
    for (at, trace) in traces.iter().enumerate() {
        let alone = extract(&ask(at), &mut model.local(), &mut |_| ControlFlow::Continue(()));
        assert_eq!((said(trace), &trace.value, &trace.error), (said(&alone), &alone.value, &alone.error), "{at}");
        assert_eq!(
            (trace.totals.calls, trace.totals.completion_tokens),
            (alone.totals.calls, alone.totals.completion_tokens)
        );
        // An answer that is not whole is a row's result, and no failure of the model.
        assert!(trace.call_error().is_none(), "{:?}", trace.error);
        cut += usize::from(trace.error.as_ref().is_some_and(|error| error.stage == Stage::Constrained));
    }
    assert!(cut > 0, "no answer was cut off under the grammar");
}

#[test]
fn what_cannot_be_decoded_under_is_named_before_anything_is_asked() {
    let model = Model::new();
    for (document, says) in [
        (json!({"type": "array", "items": {"type": "boolean"}, "uniqueItems": true}), "(at /uniqueItems)"),
        (json!({"not": {"type": "string"}}), "not"),
        (
            json!({"type": "object", "properties": {"a": {"type": "object", "dependentRequired": {"a": ["b"]}}}}),
            "dependentRequired",
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}, "b": {"type": "string", "pattern": "^(?=x)y$"}}}),
            "(at /properties/b/pattern)",
        ),
        (
            json!({"type": "object", "patternProperties": {"^(?!x)": {"type": "string"}}}),
            "(at /patternProperties/^(?!x))",
        ),
    ] {
        let error = model.local().check(&schema(&document)).unwrap_err();
        assert!(matches!(&error, ProviderError::Unusable(what) if what.contains(says)), "{document}: {error}");
        let without_a_model = finetop::task::grammar::check(&schema(&document)).unwrap_err();
        assert_eq!(error.to_string(), without_a_model.to_string());
    }
}

#[test]
fn an_answer_can_be_left_at_any_token() {
    let model = Model::new();
    let free = Request { constrained: None, ..request(&schema(&json!(true)), 3, 40) };
    let mut heard = 0;
    let answer = model.local().complete(&free, &mut |what| {
        heard += usize::from(matches!(what, Heard::Text(_)));
        if heard == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let answer = answer.unwrap();
    assert_eq!((answer.finish, heard), (Finish::Cancelled, 5));
    assert!(answer.completion_tokens.unwrap() >= 5 && !answer.text.is_empty());
}

#[test]
fn an_answer_can_be_left_while_its_prompt_is_read() {
    let model = Model::new();
    let free = Request { constrained: None, ..request(&schema(&json!(true)), 3, 40) };
    let mut heard = 0;
    let answer = model.local().complete(&free, &mut |what| {
        heard += 1;
        assert_eq!(what, Heard::Waiting);
        ControlFlow::Break(())
    });
    let answer = answer.unwrap();
    assert_eq!(
        (answer.finish, answer.completion_tokens, answer.text.as_str(), heard),
        (Finish::Cancelled, Some(0), "", 1)
    );
}

#[test]
fn a_prompt_longer_than_the_context_is_an_error_of_the_model_and_not_a_panic() {
    let model = Model::new();
    let long = Request { messages: vec![Message::user("word ".repeat(5_000))], ..request(&schema(&json!(true)), 1, 4) };
    let error = model.local().complete(&long, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(error.to_string().contains("the model takes 1 to"), "{error}");
}
