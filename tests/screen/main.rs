//! The screen as values: frames from a stored log, what no key and no size may do, and what an idle screen costs.
//! `FINETOP_UPDATE_FRAMES=1` writes the fixture log and the frames anew. The screen under a real terminal is in `tests/pty.rs`.

mod allocations;
mod bleu;
mod cost;
mod fixture;
mod frames;
mod idle;
mod launch;
mod log;
mod memory;
mod oom;
mod overlays;
mod plan;
mod play;
mod preferences;
mod properties;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;
