//! Decoding under a schema: which tokens may come next so that the text stays JSON of the schema. llguidance follows the
//! grammar; here are the model's vocabulary as it wants it, and the schema as a model should write it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::{Error, Result};
use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};
use llguidance::{JsonCompileOptions, Matcher, ParserFactory};
use serde_json::{Map, Value};

use crate::data::tokenizer::Tokenizer;
use crate::extract::schema::{MOST_DEPTH, Schema, names};
use crate::units::beginning;

/// What a date-time may look like: an offset may be absent, as everywhere in finetop.
const DATE_TIME: &str = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?$";
/// Formats that the grammar knows; others are notes, as they are to a validator.
const FORMATS: [&str; 10] =
    ["date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri", "date-time"];

/// A schema that cannot be decoded under.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the schema cannot be decoded under: {0}")]
pub struct Unsupported(pub String);

/// A model's vocabulary, made ready once for any number of schemas.
pub struct Vocabulary {
    factory: ParserFactory,
}

impl std::fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vocabulary").field("tokens", &self.factory.tok_env().tok_trie().vocab_size()).finish()
    }
}

impl Vocabulary {
    /// `logits` is how many a pass gives: the embedding may have more rows than the tokenizer has tokens.
    /// # Errors
    /// A vocabulary that llguidance does not take.
    pub fn new(tokenizer: &Tokenizer, logits: usize) -> std::result::Result<Self, Unsupported> {
        let refused = |e: &dyn std::fmt::Display| Unsupported(e.to_string());
        let size = u32::try_from(logits).map_err(|e| refused(&e))?;
        let eos = tokenizer.eos_token_id();
        if eos >= size {
            return Err(Unsupported(format!("the end token {eos} is not below the model's vocabulary of {size}")));
        }
        let words: Vec<Vec<u8>> = (0..size).map(|id| word(tokenizer, id)).collect();
        let trie = TokTrie::from(&TokRxInfo::new(size, eos), &words);
        let environment: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new_simple(&environment).map_err(|e| refused(&e))?;
        factory.quiet();
        factory.limits_mut().verbose_errors = false;
        Ok(Vocabulary { factory })
    }

    /// The grammar of a schema, at its beginning.
    /// # Errors
    /// What in the schema cannot be followed, by its name.
    pub fn grammar(&self, schema: &Schema) -> std::result::Result<Grammar, Unsupported> {
        let matcher = matcher(&self.factory, schema)?;
        Ok(Grammar { state: RefCell::new((matcher, 0)), spent: Cell::default() })
    }
}

/// Looks whether a schema can be decoded under, before there is a model.
/// # Errors
/// What in the schema cannot be followed, by its name and place.
pub fn check(schema: &Schema) -> std::result::Result<(), Unsupported> {
    let environment = ApproximateTokEnv::single_byte_env();
    let mut factory = ParserFactory::new_simple(&environment).map_err(|e| Unsupported(e.to_string()))?;
    factory.quiet();
    factory.limits_mut().verbose_errors = false;
    matcher(&factory, schema).map(drop)
}

fn matcher(factory: &ParserFactory, schema: &Schema) -> std::result::Result<Matcher, Unsupported> {
    let mut wanted = strict(schema.document());
    // One space after commas and colons, or none, as models write it; never white space without end.
    let options = JsonCompileOptions {
        item_separator: ", ?".into(),
        key_separator: ": ?".into(),
        whitespace_flexible: false,
        coerce_one_of: true,
        ..JsonCompileOptions::default()
    };
    if !wanted.is_object() {
        wanted = Value::Object(Map::new());
    }
    options.apply_to(&mut wanted);
    let parser = factory.create_parser(TopLevelGrammar::from_json_schema(wanted));
    let mut matcher = Matcher::new(parser);
    if let Some(error) = matcher.get_error() {
        return Err(Unsupported(placed(&error, schema)));
    }
    if let Some(warning) = matcher.grammar_warnings().into_iter().find(|w| !w.contains("oneOf")) {
        return Err(Unsupported(placed(&warning, schema)));
    }
    Ok(matcher)
}

/// A token's bytes for the grammar: special tokens are marked and never part of a text, and what has none stays empty.
fn word(tokenizer: &Tokenizer, id: u32) -> Vec<u8> {
    match tokenizer.token_bytes(id) {
        Some(bytes) => bytes,
        None => match tokenizer.token_text(id) {
            Some(text) => [&[TokTrie::SPECIAL_TOKEN_MARKER], text.as_bytes()].concat(),
            None => Vec::new(),
        },
    }
}

/// llguidance's words, on one line, with where in the schema the key that it names stands.
fn placed(error: &str, schema: &Schema) -> String {
    let words = error.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = beginning(&words, 300);
    if error.contains("regex") {
        let mut named = Vec::new();
        patterns(schema.document(), error, String::new(), 0, &mut named);
        // A short pattern may stand within a longer one.
        return match named.into_iter().max_by_key(|(length, _)| *length) {
            Some((_, place)) => format!("{words} (at {place})"),
            None => words.to_string(),
        };
    }
    let key = words.split('"').nth(1).filter(|key| !key.is_empty());
    match key.and_then(|key| Some((key, place_of(schema.document(), key, 0)?))) {
        Some((key, place)) => format!("{words} (at {place}/{key})"),
        None => words.to_string(),
    }
}

/// The patterns of a schema that an error quotes: how long each is, and where it stands.
fn patterns(schema: &Value, error: &str, place: String, depth: usize, named: &mut Vec<(usize, String)>) {
    let below = match schema {
        _ if depth > MOST_DEPTH => return,
        Value::Object(fields) => {
            let of_text = fields.get("pattern").and_then(Value::as_str).map(|p| (p, names::join(&place, "pattern")));
            let of_keys = fields.get("patternProperties").and_then(Value::as_object);
            let of_keys = of_keys
                .into_iter()
                .flat_map(|keys| keys.keys())
                .map(|p| (p.as_str(), names::join(&names::join(&place, "patternProperties"), p)));
            let quoted = of_text.into_iter().chain(of_keys).filter(|(p, _)| !p.is_empty() && error.contains(p));
            named.extend(quoted.map(|(pattern, place)| (pattern.len(), place)));
            fields.iter().map(|(name, value)| (name.clone(), value)).collect::<Vec<_>>()
        }
        Value::Array(items) => items.iter().enumerate().map(|(i, value)| (i.to_string(), value)).collect(),
        _ => return,
    };
    for (name, value) in below {
        patterns(value, error, names::join(&place, &name), depth + 1, named);
    }
}

/// The JSON Pointer of the first object that has such a key.
fn place_of(schema: &Value, key: &str, depth: usize) -> Option<String> {
    let inner = |name: String, value: &Value| Some(format!("/{name}{}", place_of(value, key, depth + 1)?));
    match schema {
        _ if depth > MOST_DEPTH => None,
        Value::Object(fields) if fields.contains_key(key) => Some(String::new()),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| inner(name.clone(), value)),
        Value::Array(items) => items.iter().enumerate().find_map(|(i, value)| inner(i.to_string(), value)),
        _ => None,
    }
}

/// The schema as a model is to write it: an object with named properties has no others unless the schema speaks of them (else the
/// model could go on naming some for ever), and formats are such that the grammar and our validator agree.
fn strict(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let mut out = Map::new();
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("format", Value::String(format)) if format == "date-time" => {
                        out.entry("pattern").or_insert_with(|| DATE_TIME.into());
                    }
                    ("format", Value::String(format)) if !FORMATS.contains(&format.as_str()) => {}
                    // Values as they are, and notes that the grammar would not know.
                    ("enum" | "const" | "default" | "examples" | "required", _) => {
                        out.insert(key.clone(), value.clone());
                    }
                    ("aliases" | "alias" | "discriminator", _) => {}
                    (key, _) if key.starts_with("x-") => {}
                    ("properties" | "$defs" | "definitions" | "patternProperties", Value::Object(named)) => {
                        let named = named.iter().map(|(name, value)| (name.clone(), strict(value))).collect();
                        out.insert(key.clone(), Value::Object(named));
                    }
                    _ => {
                        out.insert(key.clone(), strict(value));
                    }
                }
            }
            let closes = out.contains_key("properties")
                && !["additionalProperties", "unevaluatedProperties", "patternProperties", "allOf", "anyOf", "oneOf"]
                    .iter()
                    .any(|key| out.contains_key(*key));
            if closes {
                out.insert("additionalProperties".into(), false.into());
            }
            Value::Object(out)
        }
        Value::Array(items) => items.iter().map(strict).collect(),
        other => other.clone(),
    }
}

/// A text on its way through a schema.
pub struct Grammar {
    /// The parser, and how many new tokens it has taken.
    state: RefCell<(Matcher, usize)>,
    spent: Cell<Duration>,
}

impl std::fmt::Debug for Grammar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grammar").field("taken", &self.state.borrow().1).finish()
    }
}

impl Grammar {
    /// Forbids every token that could not come after `new`.
    /// # Errors
    /// Tokens that the grammar never allowed, or a mask beyond its bounds.
    pub fn mask(&self, new: &[u32], logits: &mut [f32]) -> Result<()> {
        let began = Instant::now();
        let (matcher, taken) = &mut *self.state.borrow_mut();
        let refused = |e: &dyn std::fmt::Display| Error::msg(format!("decoding under the schema: {e}"));
        matcher.consume_tokens(new.get(*taken..).unwrap_or_default()).map_err(|e| refused(&e))?;
        *taken = new.len().max(*taken);
        let allowed = matcher.compute_mask_or_eos().map_err(|e| refused(&e))?;
        for (id, logit) in logits.iter_mut().enumerate() {
            if id >= allowed.len() || !allowed.get(id) {
                *logit = f32::NEG_INFINITY;
            }
        }
        self.spent.set(self.spent.get() + began.elapsed());
        Ok(())
    }

    /// Time that masks took.
    pub fn spent(&self) -> Duration {
        self.spent.get()
    }
}
