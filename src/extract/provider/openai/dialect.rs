//! What is sent to a server, and what it was found not to take. Next: `answer` for what comes back.

use serde_json::{Map, Value, json};

use super::OpenAi;
use crate::extract::provider::Request;

/// Newer and older servers differ in a few fields; what one refuses by name is sent otherwise from then on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Dialect {
    no_stream_options: bool,
    max_completion_tokens: bool,
    no_temperature: bool,
    no_seed: bool,
    /// The schema goes with `json_object`, as llama.cpp's Python server takes it.
    schema_in_object: bool,
}

impl OpenAi {
    pub(super) fn body(&self, request: &Request) -> Value {
        let messages: Vec<Value> =
            request.messages.iter().map(|m| json!({"role": m.role.as_str(), "content": m.content})).collect();
        let mut body = Map::new();
        body.insert("model".into(), self.settings.model.clone().into());
        body.insert("messages".into(), messages.into());
        let tokens = if self.dialect.max_completion_tokens { "max_completion_tokens" } else { "max_tokens" };
        body.insert(tokens.into(), request.max_tokens.into());
        if !self.dialect.no_temperature {
            body.insert("temperature".into(), request.temperature.into());
        }
        if !self.dialect.no_seed {
            body.insert("seed".into(), request.seed.into());
        }
        body.insert("stream".into(), true.into());
        if !self.dialect.no_stream_options {
            body.insert("stream_options".into(), json!({"include_usage": true}));
        }
        if let Some(schema) = &request.constrained {
            let wanted = json!({"name": "answer", "schema": schema, "strict": true});
            let format = match self.dialect.schema_in_object {
                false => json!({"type": "json_schema", "json_schema": wanted}),
                true => json!({"type": "json_object", "schema": schema}),
            };
            body.insert("response_format".into(), format);
        }
        body.into()
    }

    /// Leaves out, or names otherwise, what a server complains of. False when that was done already.
    pub(super) fn adapt(&mut self, complaint: &str) -> bool {
        let before = self.dialect;
        let d = &mut self.dialect;
        if complaint.contains("stream_options") {
            d.no_stream_options = true;
        } else if complaint.contains("response_format") {
            d.schema_in_object = true;
        } else if complaint.contains("max_completion_tokens") {
            d.max_completion_tokens = true;
        } else if complaint.contains("temperature") {
            d.no_temperature = true;
        } else if complaint.contains("seed") {
            d.no_seed = true;
        }
        before != self.dialect
    }
}
