//! From what the engine holds to what the system counts: the process before the model is there, its threads, and what the allocator keeps.
//! The constants were measured: tests/peer/plan_accuracy.py compares plan and measured peak over a grid, and is the way to check them anew.

use super::{Moment, Subject};
use crate::memory::ledger::Category;
use crate::units::MIB;

/// What the run's threads, the products' packing and the log take beside what the engine holds: on the grid 3 to 8 MiB, where little comes
/// and goes.
const RUNTIME_BYTES: u64 = 6 * MIB;
/// Freed tensors below this size may stay in the heap of the allocator (glibc), where the next one may not fit: on the grid as much as one
/// of the widest is lost so, 0 to 1.5 of them. Larger ones are maps of their own, which go back to
/// the system at once; narrower tensors of the same pass still do not.
const LARGEST_IN_HEAP: u64 = 32 * MIB;
/// A CUDA context with its kernels, which the device's memory holds for each process. A guess, for where NVML does not say.
pub const CUDA_CONTEXT_BYTES: u64 = 400 * MIB;

/// The moment with what no ledger knows: the resident set of the process, or what a device's memory holds of it.
pub fn resident(subject: &Subject, moment: Moment) -> Moment {
    if subject.on_device {
        return moment.lasting(Category::Unaccounted, subject.before_bytes);
    }
    let lost = moment.widest_bytes.min(LARGEST_IN_HEAP);
    moment.lasting(Category::Unaccounted, subject.before_bytes + RUNTIME_BYTES).passing(Category::Unaccounted, lost)
}
