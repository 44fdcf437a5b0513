//! From whatever a model said to a typed value: the schema, and a chain of stages that record each change they make.
//! Text and JSON only, no tensors and no screen. Next: `attempt` for the trace, `schema` for what is asked for.

pub mod attempt;
pub mod chain;
pub mod fix;
pub mod formats;
pub mod origin;
pub mod prompt;
pub mod provider;
pub mod report;
pub mod schema;
pub mod validate;
