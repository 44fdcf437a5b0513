//! The training loop: `schedule` (learning rate), `accumulate` (which rows a step takes), `optimizer` (AdamW), `evaluate` (the loss of a split), `checkpoint` (what a run
//! goes on from), `rehearse` (the longest micro-batch before the first step), `orders` (what it was told), `shortage` (what did not fit),
//! `trainer` (the loop itself). Gradients are `model`'s business, folders and threads `run`'s.

pub mod accumulate;
pub mod checkpoint;
pub mod evaluate;
pub mod optimizer;
pub mod orders;
pub mod rehearse;
pub mod schedule;
pub mod shortage;
pub mod trainer;
