//! CUDA's own account of device 0: the driver's memory pool, what is free on the card, and which card it is. What the card says besides is
//! asked of NVML, by the UUID that CUDA gives.
//! Source: CUDA driver API, "Stream Ordered Memory Allocator" and "Memory Management".

use std::ffi::c_void;
use std::sync::{Arc, OnceLock};

use candle_core::cuda_backend::cudarc::driver::CudaContext;
use candle_core::cuda_backend::cudarc::driver::result::{self, DriverError, ctx, device, mem_pool};
use candle_core::cuda_backend::cudarc::driver::sys::{CUmemPool_attribute as Attribute, CUmemoryPool};

use super::device_memory::Ask;
use crate::memory::probe::nvml::{self, Nvidia};
use crate::memory::probe::{DeviceMemory, PoolMemory};

/// The device that runs compute on.
const DEVICE: usize = 0;

struct Card {
    /// Holds the primary context, which the engine's own device shares. Its checked calls are not used here: they take an error that is meant for the
    /// thread that computes.
    context: Arc<CudaContext>,
    pool: Option<Pool>,
}

#[derive(Clone, Copy)]
struct Pool(CUmemoryPool);

// SAFETY: a handle of the driver, which takes calls from all threads; the pool of a device lives as long as the process.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

/// `None` without a driver or a card.
fn card() -> Option<&'static Card> {
    static CARD: OnceLock<Option<Card>> = OnceLock::new();
    CARD.get_or_init(|| {
        let context = CudaContext::new(DEVICE).ok()?;
        // SAFETY: the device is that of a living context.
        let pool = context.has_async_alloc().then(|| unsafe { device::get_mem_pool(context.cu_device()) });
        let pool = pool.and_then(Result::ok).map(Pool);
        if let Some(pool) = pool {
            // By default each synchronisation gives all free memory back to the driver, and the next step asks for it anew. A refusal costs time alone.
            let _ = pool.set(Attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, u64::MAX);
        }
        Some(Card { context, pool })
    })
    .as_ref()
}

/// How to ask the card for its memory, where there is one. From here on the pool keeps what is freed.
pub fn open() -> Option<Ask> {
    let card = card()?;
    let uuid = card.context.uuid().ok().map(|id| id.bytes.map(|b| b as u8));
    let mut gpu = uuid.and_then(Nvidia::with_uuid);
    Some(Box::new(move || read(card, gpu.as_mut())))
}

fn read(card: &Card, gpu: Option<&mut Nvidia>) -> DeviceMemory {
    let mut told = match gpu.map(Nvidia::read) {
        Some(Ok(reading)) => nvml::device_memory(&reading, std::process::id()),
        Some(Err(trouble)) => DeviceMemory { trouble: Some(trouble), ..DeviceMemory::default() },
        None => DeviceMemory::default(),
    };
    // CUDA's numbers are those of this moment, and there without the library too.
    match card.free_and_total() {
        Ok((free, total)) => (told.free_bytes, told.total_bytes) = (Some(free), Some(total)),
        Err(e) => told.trouble = Some(format!("CUDA: {e}")),
    }
    match card.pool.map(Pool::read) {
        Some(Ok(pool)) => told.pool = Some(pool),
        Some(Err(e)) => told.trouble = Some(format!("CUDA's memory pool: {e}")),
        None => {}
    }
    told
}

/// What this process holds of the card's memory through the pool: in use, not merely reserved, for the pool gives the rest to who asks.
pub fn held_bytes() -> Option<u64> {
    card()?.pool?.read().ok().map(|pool| pool.used_bytes)
}

/// What this process may come to hold of the card's memory: what is free, and what the pool has reserved already.
pub fn auto_limit_bytes() -> Option<u64> {
    let card = card()?;
    let (free, _) = card.free_and_total().ok()?;
    Some(free + card.pool.and_then(|p| p.read().ok()).map_or(0, |pool| pool.reserved_bytes))
}

/// Waits for what is being computed and gives back what the pool keeps: once, after an out-of-memory and before what failed is tried anew.
pub fn trim() {
    let Some(card) = card() else { return };
    // What fails here fails again, and is told, when the engine goes on.
    let _ = card.enter().and_then(|()| ctx::synchronize());
    if let Some(pool) = card.pool {
        // SAFETY: the pool of a device lives as long as the process.
        let _ = unsafe { mem_pool::trim_to(pool.0, 0) };
    }
}

impl Card {
    /// Makes the context this thread's own.
    fn enter(&self) -> Result<(), DriverError> {
        // SAFETY: the context is held by `self`.
        unsafe { ctx::set_current(self.context.cu_ctx()) }
    }

    fn free_and_total(&self) -> Result<(u64, u64), DriverError> {
        self.enter()?;
        let (free, total) = result::mem_get_info()?;
        Ok((free as u64, total as u64))
    }
}

impl Pool {
    fn read(self) -> Result<PoolMemory, DriverError> {
        Ok(PoolMemory {
            used_bytes: self.get(Attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)?,
            used_high_bytes: self.get(Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH)?,
            reserved_bytes: self.get(Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)?,
            reserved_high_bytes: self.get(Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH)?,
        })
    }

    fn get(self, attribute: Attribute) -> Result<u64, DriverError> {
        let mut value = 0u64;
        // SAFETY: these attributes are cuuint64_t.
        unsafe { mem_pool::get_attribute(self.0, attribute, (&raw mut value).cast::<c_void>()) }?;
        Ok(value)
    }

    fn set(self, attribute: Attribute, mut value: u64) -> Result<(), DriverError> {
        // SAFETY: these attributes are cuuint64_t.
        unsafe { mem_pool::set_attribute(self.0, attribute, (&raw mut value).cast::<c_void>()) }
    }
}
