//! What one thread asks of the allocator, counted: the same on every machine, whatever other threads do meanwhile.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with a count for each thread.
pub struct Counting;

/// How often memory was asked for, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Allocations {
    pub count: u64,
    pub bytes: u64,
}

thread_local! {
    static SO_FAR: Cell<Allocations> = const { Cell::new(Allocations { count: 0, bytes: 0 }) };
}

fn count(bytes: usize) {
    // A thread that is on its way out allocates too, and has no counter any more.
    let _ = SO_FAR.try_with(|so_far| {
        let Allocations { count, bytes: before } = so_far.get();
        so_far.set(Allocations { count: count + 1, bytes: before + bytes as u64 });
    });
}

// SAFETY: everything is done by the system's allocator; counting allocates nothing, since the counter has no destructor and is no lazy value.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size);
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What this thread asks for while `work` is done.
pub fn during<T>(work: impl FnOnce() -> T) -> (T, Allocations) {
    let before = SO_FAR.get();
    let done = work();
    let after = SO_FAR.get();
    (done, Allocations { count: after.count - before.count, bytes: after.bytes - before.bytes })
}
