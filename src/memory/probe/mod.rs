//! What the system says about memory: `host` (the resident set, its peak and swap; what the machine has in all and free), `cgroup` (the limits
//! this process lives within, and the kernel's kills), `nvml` (a GPU). What the CUDA driver's pool says comes from `model::device_memory`.
//! What cannot be read is `None`, never zero.

mod cgroup;
mod host;
pub mod nvml;

use serde::{Deserialize, Serialize};

pub use cgroup::{CgroupMemory, cgroup_memory};
pub use host::*;

/// A GPU besides its bytes, as NVML says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct GpuState {
    pub utilisation_percent: Option<u32>,
    pub temperature_celsius: Option<u32>,
    pub power_watts: Option<f64>,
}

/// The CUDA driver's memory pool; reserved minus used is what fragmentation costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolMemory {
    pub used_bytes: u64,
    pub used_high_bytes: u64,
    pub reserved_bytes: u64,
    pub reserved_high_bytes: u64,
}

/// What a device says of its own memory, in bytes, and of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeviceMemory {
    /// Held by this process.
    pub used_bytes: Option<u64>,
    pub total_bytes: Option<u64>,
    pub free_bytes: Option<u64>,
    /// Held by other processes.
    pub others_bytes: Option<u64>,
    pub gpu: Option<GpuState>,
    pub pool: Option<PoolMemory>,
    /// Why something that should be there could not be read.
    pub trouble: Option<String>,
}
