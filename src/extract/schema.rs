//! What is asked for: a JSON Schema, read once into nodes that the stages walk and a validator that judges their work.
//! Reading is in `read`, nodes are built in `build` and looked at through `node`; names are `names`', the form for prompts `short`'s,
//! the place of a mistake `place`'s.
//! Next: `coerce` and `normalise`, which follow the nodes, and `validate`.

mod build;
mod effort;
pub mod names;
pub mod node;
mod place;
mod read;
mod short;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use self::build::NodeData;
pub use self::node::{Choice, Kind, Kinds, Node, Property, Rest};
use super::formats;

/// The most bytes of a schema's text.
pub const MOST_BYTES: usize = 1 << 20;
/// How deep a schema may be nested, and how long a chain of `$ref`, `allOf` and `anyOf` that leads to no new value may be.
pub const MOST_DEPTH: usize = 100;

/// Why a schema cannot be used. Places are JSON Pointers into the schema.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SchemaError {
    #[error("the schema is no JSON: line {line}, column {column}: {what}")]
    Syntax { line: usize, column: usize, what: String },
    #[error("the schema at \"{pointer}\": expected {expected}, found {found}")]
    Keyword { pointer: String, expected: String, found: String },
    #[error(
        "the schema at \"{pointer}\": \"{reference}\" lies outside it; only references that begin with # are followed"
    )]
    Remote { pointer: String, reference: String },
    #[error("the schema at \"{pointer}\": \"{reference}\" leads to nothing in it")]
    Missing { pointer: String, reference: String },
    #[error("the schema at \"{pointer}\" leads back to itself without a property or an item between")]
    Circle { pointer: String },
    #[error("the schema is too large: {0}")]
    TooLarge(String),
}

/// A JSON Schema (drafts 4 to 2020-12) with its validator. A clone shares both.
#[derive(Clone)]
pub struct Schema {
    inner: Arc<Inner>,
}

struct Inner {
    document: Value,
    nodes: Vec<NodeData>,
    validator: jsonschema::Validator,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.inner.document).finish()
    }
}

impl Schema {
    /// Reads a schema as Pydantic's `model_json_schema()`, zod and schemars write it, or a person.
    /// # Errors
    /// Text that is no JSON, with line and column; a keyword of the wrong form, a reference that leads outside, to nothing or in a
    /// circle, each with its JSON Pointer; more than [`MOST_BYTES`] or [`MOST_DEPTH`].
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        if text.len() > MOST_BYTES {
            return Err(SchemaError::TooLarge(format!("{} bytes, at most {MOST_BYTES}", text.len())));
        }
        let document = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|e| {
            let what = e.to_string();
            let what = what.split(" at line ").next().unwrap_or_default().to_string();
            SchemaError::Syntax { line: e.line(), column: e.column(), what }
        })?;
        Self::read(document)
    }

    /// The same from a value that was read already.
    /// # Errors
    /// As [`Schema::parse`].
    pub fn from_value(value: &Value) -> Result<Self, SchemaError> {
        if !super::validate::is_shallow(value, MOST_DEPTH) {
            return Err(SchemaError::TooLarge(format!("nested deeper than {MOST_DEPTH}")));
        }
        let bytes = value.to_string().len();
        if bytes > MOST_BYTES {
            return Err(SchemaError::TooLarge(format!("{bytes} bytes, at most {MOST_BYTES}")));
        }
        Self::read(value.clone())
    }

    fn read(mut document: Value) -> Result<Self, SchemaError> {
        if !super::validate::is_shallow(&document, MOST_DEPTH) {
            return Err(SchemaError::TooLarge(format!("nested deeper than {MOST_DEPTH}")));
        }
        let draft = read::draft(&document)?;
        read::nullable(&mut document);
        let positions = read::positions(&document)?;
        let nodes = build::nodes(&positions)?;
        let options = formats::into(jsonschema::options().with_draft(draft).should_validate_formats(true));
        let validator =
            effort::into(options).build(&effort::marked(&document, &positions)).map_err(|e| read::refused(&e))?;
        Ok(Schema { inner: Arc::new(Inner { document, nodes, validator }) })
    }

    /// The node of the whole value.
    pub fn root(&self) -> Node<'_> {
        Node::new(self, 0)
    }

    /// The schema itself, `nullable` written out as a type.
    pub fn document(&self) -> &Value {
        &self.inner.document
    }

    pub(super) fn validator(&self) -> &jsonschema::Validator {
        &self.inner.validator
    }

    /// Whether a value fits; none where more than `most` alternatives would have to be tried to tell.
    pub(super) fn is_valid(&self, value: &Value, most: u64) -> Option<bool> {
        effort::within(most, || self.inner.validator.is_valid(value))
    }

    /// The schema as a type in TypeScript's manner, for prompts and screens: names, types, choices, formats, what may be absent, and
    /// descriptions as comments. At most [`short::MOST_BYTES`] bytes; what does not fit ends in `…`.
    pub fn short(&self) -> String {
        short::short(self)
    }

    fn data(&self, id: usize) -> &NodeData {
        &self.inner.nodes[id]
    }
}

#[cfg(test)]
mod tests;
