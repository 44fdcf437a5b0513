//! The last steps of a run as triage looks at them: folded from what the run says, bounded whatever its length.

use std::collections::VecDeque;

use super::{Cause, Facts, cause, median};

/// Steps that are kept.
const STEPS: usize = 64;
/// Micro-batches of one step that its usual length is taken from.
const MICRO_BATCHES: usize = 256;

/// One optimizer step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    pub step: u64,
    /// The most that was seen in use during it: of the process, or on a device of that. Never the kernel's own high-water mark, which cannot
    /// fall and would look like a creep.
    pub peak_bytes: Option<u64>,
    /// Of its longest micro-batch.
    pub longest_tokens: u64,
    /// Of the one in the middle.
    pub usual_tokens: u64,
    /// What the run could have held at all: what it held and what was free for any process.
    pub room_bytes: Option<u64>,
    /// What other processes held of the device.
    pub others_bytes: Option<u64>,
}

/// The last steps, oldest first, and the one that is being done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    done: VecDeque<Moment>,
    open: Moment,
    micro_tokens: Vec<u64>,
}

impl History {
    /// A micro-batch went well; `used_bytes` as it was measured then.
    pub fn micro_batch(&mut self, step: u64, tokens: u64, used_bytes: Option<u64>) {
        self.open.step = step;
        self.open.longest_tokens = self.open.longest_tokens.max(tokens);
        if self.micro_tokens.len() < MICRO_BATCHES {
            self.micro_tokens.push(tokens);
        }
        self.open.peak_bytes = self.open.peak_bytes.max(used_bytes);
    }

    /// Memory was looked at. Of an eval or a checkpoint nothing is to be said here: they are no steps.
    pub fn sample(&mut self, used_bytes: Option<u64>, available_bytes: Option<u64>, others_bytes: Option<u64>) {
        let open = &mut self.open;
        open.peak_bytes = open.peak_bytes.max(used_bytes);
        let room = used_bytes.zip(available_bytes).map(|(used, free)| used.saturating_add(free));
        open.room_bytes = room.or(open.room_bytes);
        open.others_bytes = others_bytes.or(open.others_bytes);
    }

    /// A step went well, its update too.
    pub fn step_done(&mut self, step: u64) {
        let usual_tokens = median(std::mem::take(&mut self.micro_tokens).into_iter()).unwrap_or(0);
        let done = Moment { step, usual_tokens, ..std::mem::take(&mut self.open) };
        if done.longest_tokens == 0 {
            return;
        }
        if self.done.len() == STEPS {
            self.done.pop_front();
        }
        self.done.push_back(done);
    }

    /// Other settings, or another process: what was before is no measure any more.
    pub fn forget(&mut self) {
        *self = History::default();
    }

    /// The steps, oldest first; the last one may be unfinished, with what of it went well.
    pub fn moments(&self) -> Vec<Moment> {
        let open = median(self.micro_tokens.iter().copied()).map(|usual_tokens| Moment { usual_tokens, ..self.open });
        self.done.iter().copied().chain(open).collect()
    }

    /// Why it did not fit now.
    pub fn cause(&self, now: &Facts) -> Cause {
        cause(&self.moments(), now)
    }
}
