//! What a run does for somebody else between two micro-batches: a text becomes a typed value by the model that is being trained, as it is
//! now, without a second copy of it. When that may happen is `train::orders`' business.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use jiff::ZonedDateTime;
use serde_json::Value;

use crate::config::RunConfig;
use crate::data::tokenizer::Tokenizer;
use crate::event::ExtractAsk;
use crate::extract::attempt::Trace;
use crate::extract::fix::{self, Ask};
use crate::extract::prompt;
use crate::extract::provider::Price;
use crate::extract::rows::moment;
use crate::extract::schema::Schema;
use crate::model::generate::Decoding;
use crate::task::local::Local;
use crate::task::text::Stops;
use crate::task::write::Writer;
use crate::train::orders::Live;

/// Extracts as asked, until `over` says that nobody waits for it.
/// # Errors
/// A schema, a prompt or a time that cannot be used; what the model answers, or fails with, is in the trace.
pub fn extract(
    asked: &ExtractAsk,
    live: Live,
    tokenizer: &Tokenizer,
    config: &RunConfig,
    over: &mut dyn FnMut() -> bool,
) -> Result<Value, String> {
    let ask = resolved(asked, config)?;
    let adapter = (!asked.base).then_some(live.adapter);
    let as_trained = adapter.map_or(tokenizer.chat_template().is_some(), |adapter| adapter.chat.unwrap_or(false));
    let (how, stops) = (Decoding::default(), Stops::default());
    let writer = Writer { decoder: live.decoder, adapter, tokenizer, how, stops };
    let mut local = Local::new(writer, asked.chat.unwrap_or(as_trained));
    if ask.constrained {
        local.check(&ask.schema).map_err(|e| e.to_string())?;
    }
    let trace: Trace = fix::extract(&ask, &mut local, &mut |_| match over() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    serde_json::to_value(&trace).map_err(|e| e.to_string())
}

/// What is asked, with the run's own settings where it is silent.
fn resolved(asked: &ExtractAsk, config: &RunConfig) -> Result<Ask, String> {
    let set = &config.extract;
    let schema = match (&asked.schema, &set.schema) {
        (Some(schema), _) => Schema::from_value(schema).map_err(|e| e.to_string())?,
        (None, Some(path)) => Schema::parse(&read(path)?).map_err(|e| format!("{}: {e}", path.display()))?,
        (None, None) => return Err("no schema; give one, or extract.schema in the run's configuration".into()),
    };
    let template = match (&asked.prompt, &set.prompt) {
        (Some(prompt), _) => prompt.clone(),
        // A file's last line end is an editor's, not the prompt's.
        (None, Some(path)) => read(path)?.trim_end_matches(['\r', '\n']).to_owned(),
        (None, None) => prompt::DEFAULT.to_owned(),
    };
    if asked.text.trim().is_empty() {
        return Err("text: it is empty".into());
    }
    if !(asked.temperature >= 0.0 && asked.temperature.is_finite()) {
        return Err(format!("temperature is {}; expected 0 (greedy) or more", asked.temperature));
    }
    let max_new_tokens = asked.max_new_tokens.unwrap_or(set.max_new_tokens);
    if max_new_tokens == 0 {
        return Err("max_new_tokens is 0; expected 1 or more".into());
    }
    let now = match &asked.now {
        Some(now) => moment(now).map_err(|what| format!("now: {what}"))?,
        None => ZonedDateTime::now().datetime(),
    };
    let plain = Ask::new(schema, asked.text.clone(), now);
    Ok(Ask {
        prompt: template,
        max_retries: asked.max_retries.unwrap_or(set.max_retries),
        fix_mode: asked.fix_mode,
        token_budget: asked.token_budget.unwrap_or(set.token_budget),
        max_new_tokens,
        temperature: asked.temperature,
        seed: asked.seed.unwrap_or(plain.seed),
        constrained: asked.constrained,
        price: Price { prompt_per_million: set.prompt_price, completion_per_million: set.completion_price },
        ..plain
    })
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}
