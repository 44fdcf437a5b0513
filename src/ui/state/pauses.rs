//! How long a run was paused. The log's clock goes on meanwhile, so the time at work is that clock less these pauses; the estimate of what is
//! left looks at the piece of work under way in the same manner. When a pause begins and ends is decided in `update`.

/// All times are the run's own, as in `Stamped::elapsed_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pauses {
    since_ms: Option<u64>,
    /// Those that are over.
    total_ms: u64,
    /// Those that are over and lay within the step, eval or checkpoint that is under way.
    in_piece_ms: u64,
}

impl Pauses {
    /// When the pause began that lasts.
    pub fn since_ms(&self) -> Option<u64> {
        self.since_ms
    }

    pub fn begin(&mut self, at_ms: u64) {
        self.since_ms.get_or_insert(at_ms);
    }

    /// True when there was a pause to end.
    pub fn end(&mut self, at_ms: u64) -> bool {
        let Some(since_ms) = self.since_ms.take() else { return false };
        let lasted_ms = at_ms.saturating_sub(since_ms);
        self.total_ms = self.total_ms.saturating_add(lasted_ms);
        self.in_piece_ms = self.in_piece_ms.saturating_add(lasted_ms);
        true
    }

    /// Another segment begins: what its clock left out was no pause of it.
    pub fn begin_segment(&mut self) {
        (self.since_ms, self.in_piece_ms) = (None, 0);
    }

    /// Another piece of work begins.
    pub fn begin_piece(&mut self) {
        self.in_piece_ms = 0;
    }

    /// The time at work when the run's clock says `now_ms`; it stands during a pause.
    pub fn at_work_ms(&self, now_ms: u64) -> u64 {
        self.since_ms.unwrap_or(now_ms).saturating_sub(self.total_ms)
    }

    /// The run's clock, as if the piece under way had gone on without a pause.
    pub fn in_piece_clock_ms(&self, now_ms: u64) -> u64 {
        self.since_ms.unwrap_or(now_ms).saturating_sub(self.in_piece_ms)
    }
}
