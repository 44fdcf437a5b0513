//! A GPU as NVIDIA's management library says it: bytes in all, of this process and of others, how busy, how hot, how much power.
//! The library belongs to the driver and is loaded at run time: without it there is quietly nothing to read.

use std::time::{Duration, Instant};

use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::{Device, Nvml};

use super::{DeviceMemory, GpuState};

/// Some drivers need milliseconds for an answer.
const AGE: Duration = Duration::from_millis(500);

/// What the library answered; `None` where this card or driver has no answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NvmlReading {
    pub total_bytes: Option<u64>,
    /// Held by all processes.
    pub used_bytes: Option<u64>,
    pub free_bytes: Option<u64>,
    /// The processes that compute on it, by their ids as the driver's own namespace counts them, and what each holds.
    pub processes: Option<Vec<(u32, Option<u64>)>>,
    pub utilisation_percent: Option<u32>,
    pub temperature_celsius: Option<u32>,
    pub power_milliwatts: Option<u32>,
}

/// A reading as process `pid` sees it. In a container the driver's ids may be others than the process's own: then its share is unknown, and so is
/// that of others.
pub fn device_memory(reading: &NvmlReading, pid: u32) -> DeviceMemory {
    let ours = reading.processes.as_ref().and_then(|all| {
        let mut own = all.iter().filter(|(id, _)| *id == pid).peekable();
        own.peek()?;
        own.map(|(_, bytes)| *bytes).sum::<Option<u64>>()
    });
    let state = GpuState {
        utilisation_percent: reading.utilisation_percent,
        temperature_celsius: reading.temperature_celsius,
        power_watts: reading.power_milliwatts.map(|mw| f64::from(mw) / 1000.0),
    };
    DeviceMemory {
        used_bytes: ours,
        total_bytes: reading.total_bytes,
        free_bytes: reading.free_bytes,
        others_bytes: reading.used_bytes.zip(ours).map(|(all, ours)| all.saturating_sub(ours)),
        gpu: (state != GpuState::default()).then_some(state),
        pool: None,
        trouble: None,
    }
}

/// The names that the library may know a device by whose bytes these are: of a whole GPU, or of a part of one.
fn names(uuid: [u8; 16]) -> [String; 2] {
    let hex = |range: std::ops::Range<usize>| uuid[range].iter().map(|b| format!("{b:02x}")).collect::<String>();
    let tail = format!("{}-{}-{}-{}-{}", hex(0..4), hex(4..6), hex(6..8), hex(8..10), hex(10..16));
    [format!("GPU-{tail}"), format!("MIG-{tail}")]
}

/// One GPU, by the library's handle.
pub struct Nvidia {
    nvml: Nvml,
    which: Which,
    last: Option<(Instant, NvmlReading)>,
}

enum Which {
    Uuid(String),
    Index(u32),
}

impl Nvidia {
    /// The GPU with this UUID, which CUDA says of its own devices: CUDA counts them by speed and by `CUDA_VISIBLE_DEVICES`, the library by slots.
    /// `None` without a driver, or where it knows no such GPU.
    pub fn with_uuid(uuid: [u8; 16]) -> Option<Self> {
        let nvml = Nvml::init().ok()?;
        let which = names(uuid).into_iter().find(|name| nvml.device_by_uuid(name.as_str()).is_ok())?;
        Some(Nvidia { nvml, which: Which::Uuid(which), last: None })
    }

    /// The GPU at this place of the library's own order. `None` without a driver, or without such a GPU.
    pub fn at(index: u32) -> Option<Self> {
        let nvml = Nvml::init().ok()?;
        nvml.device_by_index(index).ok()?;
        Some(Nvidia { nvml, which: Which::Index(index), last: None })
    }

    /// The state now, or of up to half a second ago; and whether it is new.
    /// # Errors
    /// The GPU was there and answers no more.
    pub fn read(&mut self) -> Result<(NvmlReading, bool), String> {
        if let Some((at, reading)) = &self.last
            && at.elapsed() < AGE
        {
            return Ok((reading.clone(), false));
        }
        let device = match &self.which {
            Which::Uuid(uuid) => self.nvml.device_by_uuid(uuid.as_str()),
            Which::Index(index) => self.nvml.device_by_index(*index),
        };
        let reading = ask(&device.map_err(|e| format!("NVML: {e}"))?)?;
        self.last = Some((Instant::now(), reading.clone()));
        Ok((reading, true))
    }
}

fn ask(device: &Device) -> Result<NvmlReading, String> {
    use nvml_wrapper::error::NvmlError::{FailedToLoadSymbol, FunctionNotFound, NotSupported};
    let memory = match device.memory_info() {
        Ok(memory) => Some(memory),
        // An old driver, or a card that shares the machine's memory.
        Err(NotSupported | FunctionNotFound | FailedToLoadSymbol(_)) => None,
        Err(e) => return Err(format!("NVML: {e}")),
    };
    let bytes = |used: UsedGpuMemory| match used {
        UsedGpuMemory::Used(bytes) => Some(bytes),
        UsedGpuMemory::Unavailable => None,
    };
    let processes = device.running_compute_processes();
    Ok(NvmlReading {
        total_bytes: memory.as_ref().map(|m| m.total),
        used_bytes: memory.as_ref().map(|m| m.used),
        free_bytes: memory.as_ref().map(|m| m.free),
        processes: processes.ok().map(|all| all.into_iter().map(|p| (p.pid, bytes(p.used_gpu_memory))).collect()),
        utilisation_percent: device.utilization_rates().ok().map(|u| u.gpu),
        temperature_celsius: device.temperature(TemperatureSensor::Gpu).ok(),
        power_milliwatts: device.power_usage().ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading() -> NvmlReading {
        NvmlReading {
            total_bytes: Some(1000),
            used_bytes: Some(700),
            free_bytes: Some(280),
            processes: Some(vec![(7, Some(100)), (42, Some(400)), (9, None)]),
            utilisation_percent: Some(93),
            temperature_celsius: Some(61),
            power_milliwatts: Some(250_500),
        }
    }

    #[test]
    fn what_is_not_ours_is_held_by_others() {
        let told = device_memory(&reading(), 42);
        let bytes = (told.used_bytes, told.others_bytes, told.total_bytes, told.free_bytes);
        assert_eq!(bytes, (Some(400), Some(300), Some(1000), Some(280)));
        let state = GpuState { utilisation_percent: Some(93), temperature_celsius: Some(61), power_watts: Some(250.5) };
        assert_eq!(told.gpu, Some(state));
    }

    #[test]
    fn where_our_share_is_not_known_neither_is_that_of_others() {
        let unknown = |reading: &NvmlReading, pid| {
            let told = device_memory(reading, pid);
            (told.used_bytes, told.others_bytes, told.total_bytes)
        };
        // In a container the driver counts processes otherwise; on some systems it does not say what each holds.
        assert_eq!(unknown(&reading(), 1), (None, None, Some(1000)));
        assert_eq!(unknown(&reading(), 9), (None, None, Some(1000)));
        assert_eq!(unknown(&NvmlReading { processes: None, ..reading() }, 42), (None, None, Some(1000)));
        assert_eq!(device_memory(&NvmlReading::default(), 42), DeviceMemory::default());
    }

    #[test]
    fn a_process_that_stands_there_twice_holds_both() {
        let twice = NvmlReading { processes: Some(vec![(42, Some(100)), (42, Some(50))]), ..reading() };
        assert_eq!(device_memory(&twice, 42).used_bytes, Some(150));
    }

    #[test]
    fn a_gpu_is_found_by_the_bytes_of_its_uuid() {
        let bytes = [0x5a, 0x10, 0x0f, 0xab, 0x01, 0x02, 0x43, 0x04, 0x85, 0x06, 1, 2, 3, 4, 5, 0xff];
        assert_eq!(names(bytes)[0], "GPU-5a100fab-0102-4304-8506-0102030405ff");
        assert_eq!(names(bytes)[1], "MIG-5a100fab-0102-4304-8506-0102030405ff");
    }

    /// Also what `tests/peer/fake_nvml.sh` runs.
    #[test]
    fn a_live_gpu_says_numbers_that_fit_and_without_one_there_is_quietly_none() {
        let Some(mut gpu) = Nvidia::at(0) else {
            println!("no NVIDIA driver, or no GPU");
            return;
        };
        assert!(Nvidia::at(u32::MAX).is_none());
        assert!(Nvidia::with_uuid([0; 16]).is_none());
        let (reading, is_new) = gpu.read().expect("a reading");
        assert!(is_new && gpu.read() == Ok((reading.clone(), false)));
        println!("{reading:?}");
        let told = device_memory(&reading, std::process::id());
        println!("{told:?}");
        for part in [told.used_bytes, told.others_bytes, told.free_bytes] {
            assert!(part.is_none() || part <= told.total_bytes, "{told:?}");
        }
        assert!(reading.utilisation_percent.is_none_or(|percent| percent <= 100), "{reading:?}");
    }
}
