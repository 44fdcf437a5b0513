//! finetop: `htop` for fine-tuning. This file is the map of the crate; each room says in its first lines what lives there.

pub mod app;
pub mod cli;
pub mod config;
pub mod data;
pub mod disk;
pub mod eval;
pub mod event;
pub mod extract;
pub mod formats;
pub mod memory;
pub mod model;
pub mod pace;
pub mod run;
pub mod task;
pub mod train;
pub mod ui;
pub mod units;
