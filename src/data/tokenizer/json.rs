//! A tokenizer from Hugging Face's files: tokenizer.json, and the settings in the files beside it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Special, Tokenizer, TokenizerError, end_ids};
use crate::units::printable;

pub(super) fn load(path: &Path, config: Option<&Path>) -> Result<Tokenizer, TokenizerError> {
    let inner = read(path)?;
    let beside = |name: &str| path.with_file_name(name);
    let config = match config {
        Some(config) => settings(config)?.ok_or_else(|| not_there(config))?,
        None => settings(&beside("tokenizer_config.json"))?.unwrap_or_default(),
    };
    let generation = settings(&beside("generation_config.json"))?.unwrap_or_default();
    let model = settings(&beside("config.json"))?.unwrap_or_default();

    let by_text = |name: &str| {
        let text = match &config[name] {
            Value::String(text) => text,
            Value::Object(token) => token.get("content")?.as_str()?,
            _ => return None,
        };
        inner.token_to_id(text).map(|id| (id, text.to_owned()))
    };
    let by_id = |value: &Value| {
        let id = ids(value).next()?;
        inner.id_to_token(id).map(|text| (id, text))
    };
    let bos = by_text("bos_token").or_else(|| by_id(&model["bos_token_id"]));
    let eos =
        by_text("eos_token").or_else(|| by_id(&model["eos_token_id"])).or_else(|| by_id(&generation["eos_token_id"]));
    let Some(eos) = eos else {
        return Err(wrong(path, "no end token: tokenizer_config.json has no eos_token that the vocabulary knows"));
    };
    let named = ids(&generation["eos_token_id"]).chain(ids(&model["eos_token_id"]));
    let vocab_size = inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
    let add_bos = match (&bos, &config["add_bos_token"]) {
        (None, _) => false,
        (Some(_), Value::Bool(add)) => *add,
        // Newer files say it only through the post-processor.
        (Some((bos, _)), _) => inner.encode("a", true).is_ok_and(|encoding| encoding.get_ids().first() == Some(bos)),
    };
    let special = Special {
        end_ids: end_ids(&inner, named.filter(|id| (*id as usize) < vocab_size).chain([eos.0])),
        add_bos,
        chat_template: chat_template(path, &config)?,
        bos,
        eos,
    };
    Ok(Tokenizer::new(inner, vocab_size, special))
}

/// The vocabulary of a tokenizer.json, without the truncation and padding that some files carry.
pub(super) fn read(path: &Path) -> Result<tokenizers::Tokenizer, TokenizerError> {
    let bytes = bytes(path)?.ok_or_else(|| not_there(path))?;
    let parsed: Value = serde_json::from_slice(&bytes).map_err(|e| wrong(path, e))?;
    check_merges(&parsed["model"]).map_err(|what| wrong(path, what))?;
    drop(parsed);
    let mut inner = tokenizers::Tokenizer::from_bytes(&bytes).map_err(|e| wrong(path, e))?;
    inner.with_padding(None).with_truncation(None).map_err(|e| wrong(path, e))?;
    Ok(inner)
}

/// The reader of byte-pair merges trusts that joining two tokens gives a token no longer than the longest; a file may
/// lie.
fn check_merges(model: &Value) -> Result<(), String> {
    let (Some(vocab), Some(merges)) = (model["vocab"].as_object(), model["merges"].as_array()) else { return Ok(()) };
    let prefix = model["continuing_subword_prefix"].as_str().unwrap_or_default();
    for (rank, merge) in merges.iter().enumerate() {
        let pair = match merge {
            Value::String(pair) => pair.split_once(' '),
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(left), Value::String(right)] => Some((left.as_str(), right.as_str())),
                _ => None,
            },
            _ => None,
        };
        let joined = pair.map(|(left, right)| format!("{left}{}", right.strip_prefix(prefix).unwrap_or(right)));
        let known = |text: &str| vocab.contains_key(text);
        if !pair.is_some_and(|(left, right)| known(left) && known(right)) || !joined.is_some_and(|text| known(&text)) {
            return Err(format!("merge {rank}, {merge}, is not of two tokens to a third"));
        }
    }
    Ok(())
}

/// A file of settings, or `None` where there is no such file.
fn settings(path: &Path) -> Result<Option<Value>, TokenizerError> {
    let Some(bytes) = bytes(path)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| wrong(path, e))
}

fn bytes(path: &Path) -> Result<Option<Vec<u8>>, TokenizerError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(TokenizerError::Read { file: path.into(), error }),
    }
}

/// `chat_template.jinja`, else the template in the settings: one text, or the one named `default` of several.
fn chat_template(path: &Path, config: &Value) -> Result<Option<String>, TokenizerError> {
    if let Some(bytes) = bytes(&path.with_file_name("chat_template.jinja"))? {
        return String::from_utf8(bytes).map(Some).map_err(|e| wrong(&path.with_file_name("chat_template.jinja"), e));
    }
    Ok(match &config["chat_template"] {
        Value::String(template) => Some(template.clone()),
        Value::Array(named) => {
            let default = named.iter().find(|entry| entry["name"] == "default").or(named.first());
            default.and_then(|entry| entry["template"].as_str()).map(str::to_owned)
        }
        _ => None,
    })
}

/// An id, or each of a list of ids.
fn ids(value: &Value) -> impl Iterator<Item = u32> + '_ {
    let several = value.as_array().map(Vec::as_slice).unwrap_or(std::slice::from_ref(value));
    several.iter().filter_map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()))
}

fn wrong(path: &Path, what: impl ToString) -> TokenizerError {
    TokenizerError::Json { file: path.into(), what: printable(&what.to_string()) }
}

fn not_there(path: &Path) -> TokenizerError {
    TokenizerError::Read { file: path.into(), error: std::io::ErrorKind::NotFound.into() }
}
