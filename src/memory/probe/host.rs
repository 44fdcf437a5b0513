//! The resident set of this process, its peak and what of it is in swap, and what the machine or its cgroup has in all and still free.
//! Read from `/proc` and `/sys/fs/cgroup`. The kernel's high-water mark is only read, never reset: whoever measures from outside reads it too.

use std::fs;
use std::path::Path;

use super::cgroup::{Cgroup, own_cgroups};

/// One reading of the process's memory, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostMemory {
    /// The resident set now.
    pub used_bytes: Option<u64>,
    /// The kernel's own high-water mark of the resident set.
    pub peak_bytes: Option<u64>,
    /// What of this process was written out to swap.
    pub swap_bytes: Option<u64>,
}

/// Reads this process's resident set, its peak and its swap from `/proc/self/status`.
pub fn host_memory() -> HostMemory {
    fs::read_to_string("/proc/self/status").map(|s| parse_status(&s)).unwrap_or_default()
}

/// The resident set alone, for who asks many times a second: one file that stays open, read in one call. Up to some hundred KiB behind the
/// truth, since the kernel counts pages in batches.
pub fn resident_bytes() -> Option<u64> {
    use std::os::unix::fs::FileExt;
    static STATM: std::sync::OnceLock<Option<fs::File>> = std::sync::OnceLock::new();
    let file = STATM.get_or_init(|| fs::File::open("/proc/self/statm").ok()).as_ref()?;
    let mut text = [0u8; 128];
    let read = file.read_at(&mut text, 0).ok()?;
    let pages = std::str::from_utf8(&text[..read]).ok()?.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()?;
    // SAFETY: the call has no preconditions.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Some(pages * u64::try_from(page).ok()?)
}

fn parse_status(status: &str) -> HostMemory {
    HostMemory {
        used_bytes: kib_field(status, "VmRSS:"),
        peak_bytes: kib_field(status, "VmHWM:"),
        swap_bytes: kib_field(status, "VmSwap:"),
    }
}

fn kib_field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// What the machine, or a cgroup of this process where that is tighter, has for all its processes, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MachineMemory {
    pub total_bytes: Option<u64>,
    /// Free, or taken back by the system as soon as somebody needs it.
    pub available_bytes: Option<u64>,
}

/// Reads `/proc/meminfo` and the cgroups that this process lives in.
pub fn machine_memory() -> MachineMemory {
    read_machine(Path::new("/proc"), Path::new("/sys/fs/cgroup"))
}

fn read_machine(proc: &Path, cgroups: &Path) -> MachineMemory {
    let meminfo = fs::read_to_string(proc.join("meminfo")).unwrap_or_default();
    let own = fs::read_to_string(proc.join("self/cgroup")).unwrap_or_default();
    let limits: Vec<_> = own_cgroups(&own, cgroups).iter().filter_map(Cgroup::limit_and_free).collect();
    let tightest = |machine: Option<u64>, of_cgroups: Option<u64>| [machine, of_cgroups].into_iter().flatten().min();
    MachineMemory {
        total_bytes: tightest(kib_field(&meminfo, "MemTotal:"), limits.iter().map(|&(limit, _)| limit).min()),
        available_bytes: tightest(
            kib_field(&meminfo, "MemAvailable:"),
            limits.iter().filter_map(|&(_, free)| free).min(),
        ),
    }
}

/// What the machine, or a cgroup of this process where that is tighter, has left for this process. Bytes.
pub fn available_bytes() -> Option<u64> {
    machine_memory().available_bytes
}

/// Gives memory that was freed but is still held by the allocator back to the system, where the allocator can.
pub fn give_back_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the call has no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The bytes that this process may come to hold: what it holds already and what the machine, or its cgroup where that has less, has free.
pub fn auto_limit_bytes() -> Option<u64> {
    Some(machine_memory().available_bytes? + host_memory().used_bytes.unwrap_or(0))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[test]
    fn status_is_read_in_bytes_and_absent_fields_are_unknown() {
        let read = parse_status("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nVmSwap:\t       4 kB\n");
        let told = HostMemory { used_bytes: Some(1 << 20), peak_bytes: Some(2 << 20), swap_bytes: Some(4 << 10) };
        assert_eq!(read, told);
        assert_eq!(parse_status("Name:\tx\n"), HostMemory::default());
    }

    #[test]
    fn the_resident_set_is_the_same_both_ways() {
        let (Some(quick), Some(status)) = (resident_bytes(), host_memory().used_bytes) else { return };
        assert!(quick.abs_diff(status) < 8 << 20, "{quick} against {status}");
    }

    /// What `read` finds where `/proc` and `/sys/fs/cgroup` hold these files.
    pub(in super::super) fn in_files<T>(files: &[(&str, &str)], read: impl FnOnce(&Path, &Path) -> T) -> T {
        let root = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let file = root.path().join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, text).expect("a file");
        }
        read(&root.path().join("proc"), &root.path().join("cgroup"))
    }

    fn machine(files: &[(&str, &str)]) -> MachineMemory {
        in_files(files, read_machine)
    }

    const MEMINFO: (&str, &str) =
        ("proc/meminfo", "MemTotal:    8000 kB\nMemFree:    1 kB\nMemAvailable:    3000 kB\n");

    fn kib(total: u64, available: u64) -> MachineMemory {
        MachineMemory { total_bytes: Some(total << 10), available_bytes: Some(available << 10) }
    }

    #[test]
    fn a_machine_without_limits_has_what_it_says_itself_and_what_cannot_be_read_is_unknown() {
        assert_eq!(machine(&[MEMINFO]), kib(8000, 3000));
        let unlimited = [MEMINFO, ("proc/self/cgroup", "0::/a\n"), ("cgroup/a/memory.max", "max\n")];
        assert_eq!(machine(&unlimited), kib(8000, 3000));
        assert_eq!(machine(&[]), MachineMemory::default());
        assert_eq!(machine(&[("proc/meminfo", "MemTotal: many\n")]), MachineMemory::default());
    }

    #[test]
    fn the_tightest_cgroup_counts_and_file_pages_that_nobody_needs_are_free() {
        let v2 = [
            MEMINFO,
            ("proc/self/cgroup", "0::/a/b\n"),
            ("cgroup/a/memory.max", "2048000\n"),
            ("cgroup/a/memory.current", "1536000\n"),
            ("cgroup/a/memory.stat", "anon 5\ninactive_file 512000\n"),
            // Its own limit is wider, and what it holds is not said.
            ("cgroup/a/b/memory.max", "4096000\n"),
        ];
        assert_eq!(machine(&v2), kib(2000, 1000));
        // A limit that is wider than the machine leaves the machine's own.
        let wide = [
            MEMINFO,
            ("proc/self/cgroup", "0::/\n"),
            ("cgroup/memory.max", "99999999999"),
            ("cgroup/memory.current", "7"),
        ];
        assert_eq!(machine(&wide), kib(8000, 3000));
    }

    #[test]
    fn the_older_cgroups_are_read_likewise() {
        let v1 = [
            MEMINFO,
            ("proc/self/cgroup", "4:memory:/a\n1:cpu:/a\n"),
            ("cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n"),
            ("cgroup/memory/memory.limit_in_bytes", "1024000\n"),
            ("cgroup/memory/memory.usage_in_bytes", "2048000\n"),
        ];
        assert_eq!(machine(&v1), kib(1000, 0));
    }

    #[test]
    fn live_readings_are_within_each_other() {
        let host = host_memory();
        assert!(
            host.used_bytes.is_none() || host.peak_bytes.is_none() || host.used_bytes <= host.peak_bytes,
            "{host:?}"
        );
        let machine = machine_memory();
        assert!(machine.available_bytes.is_none() || machine.available_bytes <= machine.total_bytes, "{machine:?}");
        assert!(auto_limit_bytes().is_none_or(|limit| limit >= host.used_bytes.unwrap_or(0) / 2));
    }
}
