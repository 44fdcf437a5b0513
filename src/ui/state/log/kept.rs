//! What is kept of a log: the newest entries of each class, in a room that is bounded in number and in text.

use std::collections::VecDeque;
use std::io;

use super::entry::{self, Class};
use crate::event::{RunEvent, Stamped};

/// Of text that came with the entries of one class: a run may warn with a hundred thousand characters each time.
pub(super) const MAX_TEXT_BYTES: usize = 16 << 20;

/// The newest entries of a class, in the order of their `seq`.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub entries: VecDeque<Stamped>,
    /// The text of each of them.
    lengths: VecDeque<usize>,
    most: usize,
    pub text_bytes: usize,
    pub dropped: u64,
}

impl Kept {
    pub fn new(most: usize) -> Self {
        Kept { entries: VecDeque::new(), lengths: VecDeque::new(), most, text_bytes: 0, dropped: 0 }
    }

    /// True when old entries went. They go a sixteenth at a time: whoever keeps places in the log has to look through them all then.
    pub fn push(&mut self, stamped: Stamped) -> bool {
        let length = text_bytes(&stamped.event);
        self.text_bytes += length;
        self.lengths.push_back(length);
        self.entries.push_back(stamped);
        if self.entries.len() <= self.most && self.text_bytes <= MAX_TEXT_BYTES {
            return false;
        }
        let (most, most_bytes) = (self.most - self.most / 16, MAX_TEXT_BYTES - MAX_TEXT_BYTES / 16);
        while self.entries.len() > most || self.text_bytes > most_bytes && self.entries.len() > 1 {
            self.entries.pop_front();
            self.text_bytes -= self.lengths.pop_front().unwrap_or_default();
            self.dropped += 1;
        }
        true
    }

    pub fn get(&self, seq: u64) -> Option<&Stamped> {
        self.entries.get(self.entries.binary_search_by_key(&seq, |stamped| stamped.seq).ok()?)
    }

    /// The first entry from this `seq` on.
    pub fn from(&self, seq: u64) -> Option<&Stamped> {
        self.entries.get(self.entries.partition_point(|stamped| stamped.seq < seq))
    }

    pub fn first_seq(&self) -> u64 {
        self.entries.front().map_or(u64::MAX, |stamped| stamped.seq)
    }
}

/// How much text an event brings, by its line, so that none of its fields is forgotten. Steps, micro-batches and samples are numbers alone,
/// and too many to be measured; warnings may be many too, and are two texts.
fn text_bytes(event: &RunEvent) -> usize {
    match event {
        RunEvent::Warning(warning) => return warning.kind.len() + warning.detail.len(),
        event if entry::class(event) != Class::Said => return 0,
        _ => {}
    }
    struct Length(usize);
    impl io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut length = Length(0);
    // Writing into nothing fails only for what JSON cannot say, and so much as was said counts.
    let _ = serde_json::to_writer(&mut length, event);
    length.0
}
