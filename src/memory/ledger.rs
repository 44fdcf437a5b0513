//! Who holds how many bytes: every lasting tensor of the engine is charged to a category and gives its bytes back when it goes.
//! What the system measures from outside is in `probe`; the two are compared, and the difference is shown, never hidden.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

/// What a byte is for. The names are those of the event stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    BaseWeights,
    DequantScratch,
    Adapter,
    Gradients,
    Optimizer,
    Activations,
    BlockWork,
    HeadChunk,
    KvCache,
    Data,
    Other,
    Unaccounted,
}

impl Category {
    pub const ALL: [Category; 12] = [
        Category::BaseWeights,
        Category::DequantScratch,
        Category::Adapter,
        Category::Gradients,
        Category::Optimizer,
        Category::Activations,
        Category::BlockWork,
        Category::HeadChunk,
        Category::KvCache,
        Category::Data,
        Category::Other,
        Category::Unaccounted,
    ];

    /// The name used in events, in the plan and on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Category::BaseWeights => "base_weights",
            Category::DequantScratch => "dequant_scratch",
            Category::Adapter => "adapter",
            Category::Gradients => "gradients",
            Category::Optimizer => "optimizer",
            Category::Activations => "activations",
            Category::BlockWork => "block_work",
            Category::HeadChunk => "head_chunk",
            Category::KvCache => "kv_cache",
            Category::Data => "data",
            Category::Other => "other",
            Category::Unaccounted => "unaccounted",
        }
    }
}

/// What the run is doing. The names are those of the event stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Load,
    Forward,
    Backward,
    Optimizer,
    Eval,
    Checkpoint,
    Generate,
    Idle,
}

impl Phase {
    pub const ALL: [Phase; 8] = [
        Phase::Load,
        Phase::Forward,
        Phase::Backward,
        Phase::Optimizer,
        Phase::Eval,
        Phase::Checkpoint,
        Phase::Generate,
        Phase::Idle,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Phase::Load => "load",
            Phase::Forward => "forward",
            Phase::Backward => "backward",
            Phase::Optimizer => "optimizer",
            Phase::Eval => "eval",
            Phase::Checkpoint => "checkpoint",
            Phase::Generate => "generate",
            Phase::Idle => "idle",
        }
    }
}

/// Bytes by category; a category without bytes may be absent.
pub type ByCategory = BTreeMap<Category, u64>;

#[derive(Debug, Default)]
struct Book {
    bytes: [AtomicU64; Category::ALL.len()],
    phase: AtomicU8,
}

/// A shared account of bytes; clones speak of the same account.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Book>);

/// Bytes charged to a category for as long as this value lives.
#[derive(Debug)]
#[must_use = "the charge ends when this is dropped"]
pub struct Charge {
    ledger: Ledger,
    category: Category,
    bytes: u64,
}

impl Ledger {
    /// Charges `bytes` to `category` until the returned value is dropped.
    pub fn charge(&self, category: Category, bytes: usize) -> Charge {
        self.0.bytes[category as usize].fetch_add(bytes as u64, Relaxed);
        Charge { ledger: self.clone(), category, bytes: bytes as u64 }
    }

    pub fn set_phase(&self, phase: Phase) {
        self.0.phase.store(phase as u8, Relaxed);
    }

    pub fn phase(&self) -> Phase {
        Phase::ALL[self.0.phase.load(Relaxed) as usize % Phase::ALL.len()]
    }

    /// What each category holds now; empty categories are left out.
    pub fn by_category(&self) -> ByCategory {
        Category::ALL.iter().map(|&c| (c, self.0.bytes[c as usize].load(Relaxed))).filter(|&(_, b)| b > 0).collect()
    }

    /// The sum over all categories, in bytes.
    pub fn total(&self) -> u64 {
        self.0.bytes.iter().map(|b| b.load(Relaxed)).sum()
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.ledger.0.bytes[self.category as usize].fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_ends_with_its_value() {
        let ledger = Ledger::default();
        let a = ledger.charge(Category::Activations, 100);
        let b = ledger.charge(Category::Activations, 20);
        assert_eq!(ledger.by_category().get(&Category::Activations), Some(&120));
        drop(a);
        assert_eq!(ledger.total(), 20);
        drop(b);
        assert!(ledger.by_category().is_empty());
    }

    #[test]
    fn names_are_those_of_the_event_stream() {
        for category in Category::ALL {
            assert_eq!(serde_json::to_value(category).unwrap(), category.name());
        }
        for phase in Phase::ALL {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.name());
        }
    }
}
