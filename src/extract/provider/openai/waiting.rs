//! Waiting for a server, by callers that may want no more of it meanwhile.

use std::future::Future;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::extract::provider::Heard;

/// How often a caller that waits is asked whether it still wants to.
const BEAT: Duration = Duration::from_millis(50);

pub(super) enum Waited<T> {
    Came(T),
    Late,
    /// Nothing came for as long as the silence may be.
    Silent,
    Cancelled,
}

/// Waits for a future, no longer than until then nor than `silence`, asking now and then whether it is still wanted. It is made inside, where the runtime's clock is known.
pub(super) fn waited<T, F: Future<Output = T>>(
    runtime: &Runtime,
    until: Instant,
    silence: Option<Duration>,
    heard: &mut dyn FnMut(Heard) -> ControlFlow<()>,
    future: impl FnOnce() -> F,
) -> Waited<T> {
    let began = Instant::now();
    runtime.block_on(async {
        let mut future = std::pin::pin!(future());
        loop {
            match tokio::time::timeout(BEAT, &mut future).await {
                Ok(value) => return Waited::Came(value),
                Err(_) if Instant::now() >= until => return Waited::Late,
                Err(_) if silence.is_some_and(|most| began.elapsed() >= most) => return Waited::Silent,
                Err(_) if heard(Heard::Waiting).is_break() => return Waited::Cancelled,
                Err(_) => {}
            }
        }
    })
}
