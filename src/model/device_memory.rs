//! The memory of the device that a run computes on: what this process and others hold of it, how to measure against a limit there, and how to
//! give back what the driver's pool keeps. On a CPU there is no such thing. The calls to CUDA are in `cuda_pool`.

use crate::memory::probe::DeviceMemory;

/// Asks the device for its memory.
pub type Ask = Box<dyn FnMut() -> DeviceMemory + Send>;

#[cfg(feature = "cuda")]
pub use super::cuda_pool::{auto_limit_bytes, held_bytes, open, trim};

/// How to ask the device that this build computes on, where it has memory of its own. From here on the pool keeps what is freed.
#[cfg(not(feature = "cuda"))]
pub fn open() -> Option<Ask> {
    None
}

/// What this process holds of the device's memory; a `ledger::Measure`.
#[cfg(not(feature = "cuda"))]
pub fn held_bytes() -> Option<u64> {
    None
}

/// What this process may come to hold of the device's memory.
#[cfg(not(feature = "cuda"))]
pub fn auto_limit_bytes() -> Option<u64> {
    None
}

/// Waits for what is being computed and gives back what the pool keeps: once, after an out-of-memory and before what failed is tried anew.
#[cfg(not(feature = "cuda"))]
pub fn trim() {}
