//! CUDA's own account of device 0: the driver's memory pool, what is free on the card, and which card it is. What the card says besides is
//! asked of NVML, by the UUID that CUDA gives.
//! Source: CUDA driver API, "Stream Ordered Memory Allocator" and "Memory Management".

use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use candle_core::cuda_backend::cudarc::driver::CudaContext;
use candle_core::cuda_backend::cudarc::driver::result::{self, DriverError, ctx, device, mem_pool};
use candle_core::cuda_backend::cudarc::driver::sys::{CUmemPool_attribute as Attribute, CUmemoryPool};

use super::device_memory::Ask;
use crate::memory::plan::CUDA_CONTEXT_BYTES;
use crate::memory::probe::nvml::{self, Nvidia};
use crate::memory::probe::{DeviceMemory, PoolMemory};

/// The device that runs compute on.
const DEVICE: usize = 0;

struct Card {
    /// Holds the primary context, which the engine's own device shares. Its checked calls are not used here: they take an error that is meant for the
    /// thread that computes.
    context: Arc<CudaContext>,
    pool: Option<Pool>,
    nvidia: Mutex<Option<Nvidia>>,
    /// What this process holds beside the pool: its context, with kernels and the libraries' own. A guess until NVML says it, which in a container
    /// it may never do.
    beside_bytes: AtomicU64,
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
        let uuid = context.uuid().ok().map(|id| id.bytes.map(|b| b as u8));
        let nvidia = Mutex::new(uuid.and_then(Nvidia::with_uuid));
        let card = Card { context, pool, nvidia, beside_bytes: AtomicU64::new(CUDA_CONTEXT_BYTES) };
        card.ask_nvml();
        Some(card)
    })
    .as_ref()
}

/// How to ask the card for its memory, where there is one. From here on the pool keeps what is freed.
pub fn open() -> Option<Ask> {
    let card = card()?;
    Some(Box::new(|| card.read()))
}

/// What this process holds of the card's memory: what is in use of the pool, not what is merely reserved, for the pool gives the rest to who asks;
/// and what is beside it.
pub fn held_bytes() -> Option<u64> {
    let card = card()?;
    Some(card.pool?.get(Attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT).ok()? + card.beside_bytes.load(Relaxed))
}

/// The same, and the highest that it was since the pool was trimmed.
pub fn held_and_peak() -> Option<(u64, u64)> {
    let card = card()?;
    let (pool, beside) = (card.pool?.read().ok()?, card.beside_bytes.load(Relaxed));
    Some((pool.used_bytes + beside, pool.used_high_bytes + beside))
}

/// What this process may come to hold of the card's memory, measured as [`held_bytes`]: what is free, and what it has already.
pub fn room_bytes() -> Option<u64> {
    let card = card()?;
    let (free, total) = card.free_and_total().ok()?;
    let has = card.reserved_bytes().map_or(0, |reserved| reserved + card.beside_bytes.load(Relaxed));
    // What is beside the pool may be a guess.
    Some((free + has).min(total))
}

/// What is free on the card, and what this process holds of it with what the pool keeps.
pub fn free_and_held() -> Option<(u64, u64)> {
    let card = card()?;
    let (free, _) = card.free_and_total().ok()?;
    Some((free, card.reserved_bytes()? + card.beside_bytes.load(Relaxed)))
}

/// Waits for what is being computed: what was freed before may count as used until then.
pub fn settle() {
    // What fails here fails again, and is told, when the engine goes on.
    let _ = card().map(|card| card.enter().and_then(|()| ctx::synchronize()));
}

/// Waits for what is being computed and gives back what the pool keeps: once, after an out-of-memory and before what failed is tried anew. The
/// pool's high-water marks start anew with it.
pub fn trim() {
    settle();
    if let Some(pool) = card().and_then(|card| card.pool) {
        // SAFETY: the pool of a device lives as long as the process.
        let _ = unsafe { mem_pool::trim_to(pool.0, 0) };
        let _ = pool.set(Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH, 0);
        let _ = pool.set(Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH, 0);
    }
}

impl Card {
    fn read(&self) -> DeviceMemory {
        let mut told = self.ask_nvml();
        // CUDA's numbers are those of this moment, and there without the library too.
        match self.free_and_total() {
            Ok((free, total)) => (told.free_bytes, told.total_bytes) = (Some(free), Some(total)),
            Err(e) => told.trouble = Some(format!("CUDA: {e}")),
        }
        match self.pool.map(Pool::read) {
            Some(Ok(pool)) => {
                told.used_bytes = Some(pool.reserved_bytes + self.beside_bytes.load(Relaxed));
                told.pool = Some(pool);
            }
            Some(Err(e)) => told.trouble = Some(format!("CUDA's memory pool: {e}")),
            None => {}
        }
        told
    }

    /// What NVML says; and by it, what this process holds beside the pool.
    fn ask_nvml(&self) -> DeviceMemory {
        let reserved = self.reserved_bytes();
        let mut nvidia = self.nvidia.lock().unwrap_or_else(PoisonError::into_inner);
        let (reading, is_new) = match nvidia.as_mut().map(Nvidia::read) {
            Some(Ok(told)) => told,
            Some(Err(trouble)) => return DeviceMemory { trouble: Some(trouble), ..DeviceMemory::default() },
            None => return DeviceMemory::default(),
        };
        let told = nvml::device_memory(&reading, std::process::id());
        // Where the pool grew meanwhile, the next word will do.
        if let (Some(ours), Some(reserved), true) = (told.used_bytes, reserved, is_new)
            && self.reserved_bytes() == Some(reserved)
        {
            self.beside_bytes.store(ours.saturating_sub(reserved), Relaxed);
        }
        told
    }

    fn reserved_bytes(&self) -> Option<u64> {
        self.pool?.get(Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT).ok()
    }

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
