//! Broken JSON.
pub mod bare;
pub mod cursor;
pub mod machine;
pub mod quoted;
