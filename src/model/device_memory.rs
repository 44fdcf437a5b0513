//! The memory of the device that a run computes on: what this process and others hold of it, how to measure against a limit there, and how to
//! give back what the driver's pool keeps. On a CPU there is no such thing. The calls to CUDA are in `cuda_pool`.

use crate::memory::ledger::{Bounds, Ledger};
use crate::memory::probe::{self, DeviceMemory};

/// Asks the device for its memory.
pub type Ask = Box<dyn FnMut() -> DeviceMemory + Send>;

#[cfg(feature = "cuda")]
pub use super::cuda_pool::{
    free_and_held, held_and_peak, held_bytes, open, room_bytes as device_room_bytes, settle, trim,
};

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

/// The same, and the highest that it was since the pool was trimmed.
#[cfg(not(feature = "cuda"))]
pub fn held_and_peak() -> Option<(u64, u64)> {
    None
}

/// What is free on the device, and what this process holds of it with what its pool keeps.
#[cfg(not(feature = "cuda"))]
pub fn free_and_held() -> Option<(u64, u64)> {
    None
}

/// What this process may come to hold of the device's memory.
#[cfg(not(feature = "cuda"))]
pub fn device_room_bytes() -> Option<u64> {
    None
}

/// Waits for what is being computed: what was freed before counts as free then.
#[cfg(not(feature = "cuda"))]
pub fn settle() {}

/// Waits for what is being computed and gives back what the pool keeps: once, after an out-of-memory and before what failed is tried anew.
#[cfg(not(feature = "cuda"))]
pub fn trim() {}

/// What a run may come to hold: of the device's memory where there is a device, else of the machine's. What it holds already is in it.
pub fn room_bytes() -> Option<u64> {
    device_room_bytes().or_else(probe::auto_limit_bytes)
}

/// Holds what is charged to `ledger` below `limit`: of the device's memory, or of the resident set.
pub fn bound(ledger: &Ledger, limit: u64, on_device: bool) {
    ledger.set_limit(
        limit,
        match on_device {
            // What others take of the device meanwhile, its driver says itself when it refuses.
            true => Bounds { held: held_bytes, available: || None, give_back: settle },
            false => Bounds {
                held: probe::resident_bytes,
                available: probe::available_bytes,
                give_back: probe::give_back_freed,
            },
        },
    );
}
