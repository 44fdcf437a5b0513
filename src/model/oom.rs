//! An out-of-memory as the engine's errors carry it: raised by the ledger before an allocation, or by CUDA after one.

use candle_core::Error;

use crate::memory::ledger::NoRoom;

/// What went out of memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exhausted {
    /// The ledger refused before the allocation was made.
    Limit(NoRoom),
    /// The device refused.
    Device(String),
}

/// The ledger's refusal on its way through candle's results: the same variant that CUDA's own is.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Raised(NoRoom);

/// The ledger's refusal as an error of the engine.
pub fn raised(e: NoRoom) -> Error {
    Error::Cuda(Box::new(Raised(e)))
}

/// The out-of-memory behind an error of the engine, if it is one.
pub fn exhausted(error: &Error) -> Option<Exhausted> {
    match error {
        Error::Cuda(inner) => match inner.downcast_ref::<Raised>() {
            Some(raised) => Some(Exhausted::Limit(raised.0.clone())),
            None => {
                let told = inner.to_string();
                told.contains("OUT_OF_MEMORY").then_some(Exhausted::Device(told))
            }
        },
        Error::WithBacktrace { inner, .. } | Error::WithPath { inner, .. } | Error::Context { inner, .. } => {
            exhausted(inner)
        }
        Error::WrappedContext { wrapped, .. } => wrapped.downcast_ref::<Error>().and_then(exhausted),
        _ => None,
    }
}
