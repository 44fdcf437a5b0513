//! Who holds how many bytes: every lasting tensor of the engine is charged to a category and gives its bytes back when it goes.
//! What the system measures from outside is in `probe`; the two are compared, and the difference is shown, never hidden.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

use crate::units::format_bytes;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Load,
    Forward,
    Backward,
    Optimizer,
    Eval,
    Checkpoint,
    Generate,
    #[default]
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

/// The highest sum of bytes by phase; a phase that was never entered is absent.
pub type ByPhase = BTreeMap<Phase, u64>;

/// Measures what the limit bounds: the resident set, or what a device's memory holds of this process; `None` where it cannot be read.
pub type Measure = fn() -> Option<u64>;

/// How what a limit bounds is measured.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub held: Measure,
    /// What there is left outside, where that can be told: others may take it while the run goes on.
    pub available: Measure,
    /// Called before a refusal: what was freed may count as held until then.
    pub give_back: fn(),
}

/// What a run may hold.
#[derive(Debug, Clone, Copy)]
struct Limit {
    bytes: u64,
    by: Bounds,
}

/// Left to the system of what is available: what is asked for is less than what a pass really touches.
const MARGIN_BYTES: u64 = 4 << 20;

#[derive(Debug, Default)]
struct Book {
    bytes: [AtomicU64; Category::ALL.len()],
    /// The sum of `bytes`.
    total: AtomicU64,
    /// The highest sum in each phase.
    highest_by_phase: [AtomicU64; Phase::ALL.len()],
    /// The largest of them, so that a charge takes the lock below only at a new height.
    highest: AtomicU64,
    at_highest: Mutex<Highest>,
    /// The most that was measured and granted together in each phase.
    granted_by_phase: [AtomicU64; Phase::ALL.len()],
    phase: AtomicU8,
    /// The layer that is computed, counted from 1; 0 outside of layers.
    layer: AtomicU64,
    limit: OnceLock<Limit>,
    /// Bytes below the limit that no question is given, see [`Ledger::hold_back`].
    held_back: AtomicU64,
    /// A test's refusal: the phase, and how many questions of that phase are left until it.
    refusal: Mutex<Option<(Phase, u64)>>,
    /// Whether there is a refusal to look at, so that a question costs no lock without one.
    refuses: AtomicBool,
}

/// The moment of the highest sum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Highest {
    pub total_bytes: u64,
    pub phase: Phase,
    pub by_category: ByCategory,
}

/// More was asked for than there is room for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("out of memory in {}{}: {} more are needed, {} of {} are free",
    phase.name(), layer.map(|l| format!(" of layer {l}")).unwrap_or_default(), format_bytes(*requested_bytes),
    format_bytes(*free_bytes), format_bytes(*limit_bytes))]
pub struct NoRoom {
    pub phase: Phase,
    /// From 0.
    pub layer: Option<u64>,
    pub requested_bytes: u64,
    pub free_bytes: u64,
    /// What was held, as the limit measures it; where others took the rest, less than the limit without what was free.
    pub held_bytes: u64,
    pub limit_bytes: u64,
    pub by_category: ByCategory,
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

/// Bytes below the limit that are held back for as long as this value lives.
#[derive(Debug)]
#[must_use = "the bytes are given free when this is dropped"]
pub struct HeldBack {
    ledger: Ledger,
    bytes: u64,
}

impl Ledger {
    /// Charges `bytes` to `category` until the returned value is dropped.
    pub fn charge(&self, category: Category, bytes: usize) -> Charge {
        self.0.bytes[category as usize].fetch_add(bytes as u64, Relaxed);
        let total = self.0.total.fetch_add(bytes as u64, Relaxed) + bytes as u64;
        self.note(total);
        Charge { ledger: self.clone(), category, bytes: bytes as u64 }
    }

    fn note(&self, total: u64) {
        self.0.highest_by_phase[self.phase() as usize].fetch_max(total, Relaxed);
        if self.0.highest.fetch_max(total, Relaxed) < total {
            let mut at = self.0.at_highest.lock().unwrap_or_else(PoisonError::into_inner);
            if at.total_bytes < total {
                *at = Highest { total_bytes: total, phase: self.phase(), by_category: self.by_category() };
            }
        }
    }

    /// The highest sum so far, or since [`Ledger::forget_highest`].
    pub fn highest(&self) -> Highest {
        self.0.at_highest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The highest sum in each phase that was entered.
    pub fn highest_by_phase(&self) -> ByPhase {
        by_phase(&self.0.highest_by_phase)
    }

    /// The most that was held when something was asked for, as the limit measures it, with what was granted then, in each phase since
    /// [`Ledger::forget_granted`]. A phase in which nothing was granted is absent; all are where there is no limit, or nothing can be
    /// measured.
    pub fn granted_by_phase(&self) -> ByPhase {
        by_phase(&self.0.granted_by_phase)
    }

    /// Starts [`Ledger::granted_by_phase`] anew.
    pub fn forget_granted(&self) {
        self.0.granted_by_phase.iter().for_each(|p| p.store(0, Relaxed));
    }

    /// Starts the records of the highest sums anew, from what is held now.
    pub fn forget_highest(&self) {
        *self.0.at_highest.lock().unwrap_or_else(PoisonError::into_inner) = Highest::default();
        self.0.highest.store(0, Relaxed);
        self.0.highest_by_phase.iter().for_each(|p| p.store(0, Relaxed));
        self.note(self.total());
    }

    /// What the run may hold, and how that is measured. The first limit holds.
    pub fn set_limit(&self, bytes: u64, by: Bounds) {
        let _ = self.0.limit.set(Limit { bytes, by });
    }

    /// Answers every question as if the limit were `bytes` lower, until the returned value is dropped: for what comes later and is asked
    /// for by nobody.
    pub fn hold_back(&self, bytes: u64) -> HeldBack {
        self.0.held_back.fetch_add(bytes, Relaxed);
        HeldBack { ledger: self.clone(), bytes }
    }

    /// Charges `bytes` that are about to be allocated, if they fit below the limit.
    /// # Errors
    /// They do not fit.
    pub fn ask(&self, category: Category, bytes: usize) -> Result<Charge, NoRoom> {
        self.has_room(bytes)?;
        Ok(self.charge(category, bytes))
    }

    /// Whether `bytes` more fit below the limit, whoever holds them.
    /// # Errors
    /// They do not fit.
    pub fn has_room(&self, bytes: usize) -> Result<(), NoRoom> {
        if self.0.refuses.load(Relaxed) && self.refused_now() {
            return Err(self.no_room(bytes, 0, self.limit_bytes().unwrap_or_else(|| self.total())));
        }
        let Some(&Limit { bytes: limit_bytes, by: Bounds { held, available, give_back } }) = self.0.limit.get() else {
            return Ok(());
        };
        let look = || {
            let measured = held();
            let holds = measured.unwrap_or_else(|| self.total());
            let below = limit_bytes.saturating_sub(holds).saturating_sub(self.0.held_back.load(Relaxed));
            let free = available().map_or(below, |outside| below.min(outside.saturating_sub(MARGIN_BYTES)));
            if let Some(measured) = measured
                && bytes as u64 <= free
            {
                self.0.granted_by_phase[self.phase() as usize].fetch_max(measured + bytes as u64, Relaxed);
            }
            (free, holds)
        };
        if bytes as u64 <= look().0 {
            return Ok(());
        }
        give_back();
        let (free_bytes, held_bytes) = look();
        if bytes as u64 <= free_bytes {
            return Ok(());
        }
        // Where the machine has less than the limit, that is what had to be kept.
        let limit_bytes = limit_bytes.min(held_bytes.saturating_add(free_bytes));
        Err(NoRoom { held_bytes, ..self.no_room(bytes, free_bytes, limit_bytes) })
    }

    fn no_room(&self, bytes: usize, free_bytes: u64, limit_bytes: u64) -> NoRoom {
        let (phase, layer, by_category) = (self.phase(), self.layer(), self.by_category());
        let held_bytes = limit_bytes.saturating_sub(free_bytes);
        NoRoom { phase, layer, requested_bytes: bytes as u64, free_bytes, held_bytes, limit_bytes, by_category }
    }

    /// What `set_limit` was told.
    pub fn limit_bytes(&self) -> Option<u64> {
        self.0.limit.get().map(|limit| limit.bytes)
    }

    /// Answers the `nth` question (from 1) that is asked in `phase` from now on as if the limit were reached, once. Tests reach every
    /// phase's out-of-memory with it, whatever the machine has.
    pub fn refuse(&self, phase: Phase, nth: u64) {
        *self.0.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some((phase, nth.max(1)));
        self.0.refuses.store(true, Relaxed);
    }

    /// Whether the question that is asked now is the one to refuse.
    fn refused_now(&self) -> bool {
        let mut refusal = self.0.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, left)) = refusal.as_mut().filter(|(phase, _)| *phase == self.phase()) else { return false };
        *left -= 1;
        if *left > 0 {
            return false;
        }
        *refusal = None;
        self.0.refuses.store(false, Relaxed);
        true
    }

    /// The layer (from 0) that is computed now.
    pub fn set_layer(&self, layer: Option<usize>) {
        self.0.layer.store(layer.map_or(0, |l| l as u64 + 1), Relaxed);
    }

    pub fn layer(&self) -> Option<u64> {
        self.0.layer.load(Relaxed).checked_sub(1)
    }

    pub fn set_phase(&self, phase: Phase) {
        self.0.phase.store(phase as u8, Relaxed);
        self.note(self.total());
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
        self.0.total.load(Relaxed)
    }
}

fn by_phase(bytes: &[AtomicU64; Phase::ALL.len()]) -> ByPhase {
    let of = |&p: &Phase| (p, bytes[p as usize].load(Relaxed));
    Phase::ALL.iter().map(of).filter(|&(_, bytes)| bytes > 0).collect()
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        self.ledger.0.held_back.fetch_sub(self.bytes, Relaxed);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.ledger.0.bytes[self.category as usize].fetch_sub(self.bytes, Relaxed);
        self.ledger.0.total.fetch_sub(self.bytes, Relaxed);
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
    fn the_highest_sum_is_remembered_with_its_phase_and_what_made_it() {
        let ledger = Ledger::default();
        ledger.set_phase(Phase::Load);
        let kept = ledger.charge(Category::BaseWeights, 100);
        ledger.set_phase(Phase::Forward);
        drop(ledger.charge(Category::BlockWork, 50));
        ledger.set_phase(Phase::Backward);
        drop(ledger.charge(Category::BlockWork, 70));
        ledger.set_phase(Phase::Optimizer);
        let by_category = ByCategory::from([(Category::BaseWeights, 100), (Category::BlockWork, 70)]);
        assert_eq!(ledger.highest(), Highest { total_bytes: 170, phase: Phase::Backward, by_category });
        let by_phase = [(Phase::Load, 100), (Phase::Forward, 150), (Phase::Backward, 170), (Phase::Optimizer, 100)];
        assert_eq!(ledger.highest_by_phase(), ByPhase::from(by_phase));
        ledger.forget_highest();
        assert_eq!(ledger.highest().total_bytes, 100);
        drop(kept);
    }

    #[test]
    fn what_does_not_fit_below_the_limit_is_refused_with_what_is_free() {
        let ledger = Ledger::default();
        let by = |held, available| Bounds { held, available, give_back: || () };
        ledger.set_limit(1000, by(|| Some(900), || None));
        assert!(ledger.has_room(100).is_ok());
        let error = ledger.has_room(101).unwrap_err();
        assert_eq!((error.free_bytes, error.limit_bytes, error.requested_bytes), (100, 1000, 101));
        let held_back = ledger.hold_back(30);
        assert!(ledger.ask(Category::KvCache, 71).is_err());
        assert!(ledger.ask(Category::KvCache, 70).is_ok());
        drop(held_back);
        ledger.set_phase(Phase::Forward);
        assert!(ledger.ask(Category::KvCache, 99).is_ok());
        assert!(ledger.has_room(10_000).is_err());
        assert_eq!(ledger.granted_by_phase(), ByPhase::from([(Phase::Load, 1000), (Phase::Forward, 999)]));
        ledger.forget_granted();
        assert!(ledger.granted_by_phase().is_empty());
        assert!(ledger.ask(Category::KvCache, 100).is_ok());

        let unknown = Ledger::default();
        unknown.set_limit(1000, by(|| None, || None));
        let _held = unknown.charge(Category::Data, 950);
        assert!(unknown.has_room(50).is_ok() && unknown.has_room(51).is_err());
        assert!(unknown.granted_by_phase().is_empty(), "the ledger's own sum is no measurement");
        let pressed = Ledger::default();
        pressed.set_limit(1 << 30, by(|| Some(0), || Some(MARGIN_BYTES + 10)));
        assert!(pressed.has_room(10).is_ok());
        let error = pressed.has_room(11).unwrap_err();
        assert_eq!((error.free_bytes, error.held_bytes, error.limit_bytes), (10, 0, 10));
    }

    #[test]
    fn what_was_freed_is_given_back_before_a_refusal() {
        static KEPT: AtomicU64 = AtomicU64::new(300);
        let ledger = Ledger::default();
        let held = || Some(600 + KEPT.load(Relaxed));
        ledger.set_limit(1000, Bounds { held, available: || None, give_back: || KEPT.store(0, Relaxed) });
        assert!(ledger.has_room(100).is_ok() && KEPT.load(Relaxed) == 300);
        assert!(ledger.has_room(400).is_ok() && KEPT.load(Relaxed) == 0);
        assert!(ledger.has_room(401).is_err());
    }

    #[test]
    fn the_question_that_a_test_chose_is_refused_once() {
        let ledger = Ledger::default();
        ledger.refuse(Phase::Backward, 2);
        ledger.set_phase(Phase::Forward);
        assert!((0..5).all(|_| ledger.has_room(1).is_ok()));
        ledger.set_phase(Phase::Backward);
        ledger.set_layer(Some(3));
        assert!(ledger.ask(Category::BlockWork, 7).is_ok());
        let error = ledger.ask(Category::BlockWork, 7).unwrap_err();
        assert_eq!((error.phase, error.layer, error.requested_bytes), (Phase::Backward, Some(3), 7));
        assert!(ledger.ask(Category::BlockWork, 7).is_ok());
        assert_eq!(ledger.total(), 0);
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
