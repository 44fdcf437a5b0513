//! What the system says about memory: the resident set of this process, its peak, and the limit that the machine or its cgroup sets.
//! Read from `/proc` and `/sys/fs/cgroup`; what cannot be read is `None`, never zero.

use std::fs;

/// One reading of the process's memory, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostMemory {
    /// The resident set now.
    pub used_bytes: Option<u64>,
    /// The kernel's own high-water mark of the resident set.
    pub peak_bytes: Option<u64>,
}

/// Reads this process's resident set and its peak from `/proc/self/status`.
pub fn host_memory() -> HostMemory {
    fs::read_to_string("/proc/self/status").map(|s| parse_status(&s)).unwrap_or_default()
}

fn parse_status(status: &str) -> HostMemory {
    HostMemory { used_bytes: kib_field(status, "VmRSS:"), peak_bytes: kib_field(status, "VmHWM:") }
}

fn kib_field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// Gives memory that was freed but is still held by the allocator back to the system, where the allocator can.
pub fn give_back_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the call has no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The bytes that this process may come to hold: what is available on the machine plus what it holds already, within the cgroup's limit.
pub fn auto_limit_bytes() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let held = host_memory().used_bytes.unwrap_or(0);
    let machine = kib_field(&meminfo, "MemAvailable:")? + held;
    Some(cgroup_limit_bytes().map_or(machine, |c| c.min(machine)))
}

/// The tightest memory limit among the cgroups (v2, else v1) that this process lives in.
fn cgroup_limit_bytes() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let v2 = own.lines().find_map(|l| l.strip_prefix("0::")).map(|p| ("/sys/fs/cgroup", p, "memory.max"));
    let v1 = own
        .lines()
        .find_map(|l| l.split_once(":memory:"))
        .map(|(_, p)| ("/sys/fs/cgroup/memory", p, "memory.limit_in_bytes"));
    [v2, v1].into_iter().flatten().filter_map(|(root, path, file)| tightest(root, path, file)).min()
}

fn tightest(root: &str, path: &str, file: &str) -> Option<u64> {
    std::path::Path::new(path)
        .ancestors()
        .filter_map(|p| {
            let text = fs::read_to_string(format!("{root}{}/{file}", p.display())).ok()?;
            text.trim().parse::<u64>().ok().filter(|&b| b < 1 << 60)
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_read_in_bytes_and_absent_fields_are_unknown() {
        let read = parse_status("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n");
        assert_eq!(read, HostMemory { used_bytes: Some(1 << 20), peak_bytes: Some(2 << 20) });
        assert_eq!(parse_status("Name:\tx\n"), HostMemory::default());
    }
}
