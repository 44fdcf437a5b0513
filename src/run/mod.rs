//! A run as a thing on disk and in this process.

pub mod control;
pub mod log;
pub mod replay;
pub mod store;
pub mod worker;
