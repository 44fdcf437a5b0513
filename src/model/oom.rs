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

/// How the driver, cuBLAS and cuRAND name it.
const REFUSALS: [&str; 3] =
    ["CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED", "CURAND_STATUS_ALLOCATION_FAILED"];

/// The out-of-memory behind an error of the engine, if it is one.
pub fn exhausted(error: &Error) -> Option<Exhausted> {
    let device = |told: String| REFUSALS.iter().any(|name| told.contains(name)).then_some(Exhausted::Device(told));
    match error {
        Error::Cuda(inner) => match inner.downcast_ref::<Raised>() {
            Some(raised) => Some(Exhausted::Limit(raised.0.clone())),
            None => device(inner.to_string()),
        },
        // So a synchronisation tells what failed before it.
        Error::Wrapped(inner) => device(inner.to_string()),
        Error::WithBacktrace { inner, .. } | Error::WithPath { inner, .. } | Error::Context { inner, .. } => {
            exhausted(inner)
        }
        Error::WrappedContext { wrapped, .. } => wrapped.downcast_ref::<Error>().and_then(exhausted),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_refuses_is_known_by_whichever_library_says_so() {
        let said = [
            "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")",
            "CublasError(CUBLAS_STATUS_ALLOC_FAILED)",
            "CurandError(CURAND_STATUS_ALLOCATION_FAILED)",
        ];
        for said in said {
            let device = Some(Exhausted::Device(said.into()));
            assert_eq!(exhausted(&Error::Cuda(said.into())), device);
            assert_eq!(exhausted(&Error::Cuda(said.into()).bt().with_path("weights")), device);
            assert_eq!(exhausted(&Error::wrap(said)), device);
        }
        assert_eq!(exhausted(&Error::Cuda("CublasError(CUBLAS_STATUS_EXECUTION_FAILED)".into())), None);
        assert_eq!(exhausted(&Error::wrap("a file is missing")), None);
    }
}
