//! A run as others see it, with a job that computes nothing: its log (`log`), its lines (`lines`), its folder (`store`), its socket (`control`), its thread
//! (`worker`), and all of it from other processes, killed ones among them (`process`).

mod control;
mod lines;
mod log;
mod process;
mod store;
mod support;
mod worker;
