//! The tab Playground: a trial's attempts in `trace`, its value in `result`; lines that both are made of in `sheet`.

pub mod result;
pub mod sheet;
pub mod trace;
