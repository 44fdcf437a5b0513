//! From what the engine holds to what the system counts: the process before the model is there, its threads, and what the allocator keeps.
//! The constants were measured: tests/peer/plan_accuracy.py compares plan and measured peak over a grid, and is the way to check them anew.

use super::{Moment, Subject};
use crate::memory::ledger::Category;
use crate::units::MIB;

/// What the run's threads, the products' packing and the log take beside what the engine holds: on the grid 3 to 9 MiB, where little comes
/// and goes.
const RUNTIME_BYTES: u64 = 8 * MIB;
/// The part of what comes and goes that the allocator (glibc) holds on top: places below its threshold for maps of their own (at most 32 MiB)
/// stay in its heap when they are freed, and what is asked next may not fit there. On the grid 0 to 18 MiB.
const HEAP_SLACK: f64 = 0.02;
/// A CUDA context with its kernels, which the device's memory holds for each process. A guess: nobody has measured it here.
pub const CUDA_CONTEXT_BYTES: u64 = 400 * MIB;

/// The moment with what no ledger knows: the resident set of the process, or what a device's memory holds of it.
pub fn resident(subject: &Subject, moment: Moment) -> Moment {
    let around = if subject.on_device { CUDA_CONTEXT_BYTES } else { subject.before_bytes + RUNTIME_BYTES };
    let slack = (moment.passing_bytes as f64 * HEAP_SLACK) as u64;
    moment.lasting(Category::Unaccounted, around).passing(Category::Unaccounted, slack)
}
