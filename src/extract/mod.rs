//! From whatever a model said to a typed value: the schema, and a chain of stages that record each change they make.
//! Text and JSON only, no tensors and no screen. Next: `attempt` for the trace, `schema` for what is asked for.

pub mod attempt;
pub mod chain;
pub mod coerce;
pub mod durations;
pub mod fix;
pub mod formats;
pub mod many;
pub mod normalise;
pub mod origin;
pub mod parse;
pub mod plain;
pub mod prompt;
pub mod provider;
pub mod repair;
pub mod report;
pub mod rows;
pub mod schema;
pub mod validate;
