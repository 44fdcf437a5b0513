//! The control groups that this process lives in, v2 and v1: the tightest limit, what counts against it, the kernel's kills.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The tightest cgroup of this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupMemory {
    pub limit_bytes: Option<u64>,
    /// Without pages of files that the system takes back first.
    pub used_bytes: Option<u64>,
    /// Processes that the kernel has killed for want of memory in the innermost cgroup (v2: and those within it), since it was made.
    pub oom_kills: Option<u64>,
}

/// Reads the cgroups that this process lives in; `None` where none says anything of memory.
pub fn cgroup_memory() -> Option<CgroupMemory> {
    read(Path::new("/proc"), Path::new("/sys/fs/cgroup"))
}

fn read(proc: &Path, cgroups: &Path) -> Option<CgroupMemory> {
    let own = fs::read_to_string(proc.join("self/cgroup")).unwrap_or_default();
    let all = own_cgroups(&own, cgroups);
    let tightest = all.iter().filter_map(|c| Some((c.limit()?, c))).min_by_key(|(limit, _)| *limit);
    let found = CgroupMemory {
        limit_bytes: tightest.map(|(limit, _)| limit),
        used_bytes: tightest.and_then(|(_, c)| c.used()),
        oom_kills: all.iter().find_map(Cgroup::oom_kills),
    };
    (found != CgroupMemory::default()).then_some(found)
}

/// A cgroup's folder, and what its files are called there.
pub(super) struct Cgroup {
    folder: PathBuf,
    names: &'static Names,
}

struct Names {
    limit: &'static str,
    used: &'static str,
    /// A line of `memory.stat`: pages of files that were not needed lately, which the system takes back first.
    reclaimable: &'static str,
    /// The file with the line `oom_kill`.
    kills: &'static str,
}

const V2: Names =
    Names { limit: "memory.max", used: "memory.current", reclaimable: "inactive_file ", kills: "memory.events" };
const V1: Names = Names {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file ",
    kills: "memory.oom_control",
};

/// The cgroups (v2 and v1) of `/proc/self/cgroup`, with those that they are in: each of them may set a limit. The innermost comes first.
pub(super) fn own_cgroups(own: &str, root: &Path) -> Vec<Cgroup> {
    let v2 = own.lines().find_map(|l| l.strip_prefix("0::")).map(|path| (root.to_owned(), path, &V2));
    let v1 = own.lines().find_map(|l| l.split_once(":memory:")).map(|(_, path)| (root.join("memory"), path, &V1));
    let and_above = |(root, path, names): (PathBuf, &str, &'static Names)| {
        let folder = move |p: &Path| Cgroup { folder: root.join(p.strip_prefix("/").unwrap_or(p)), names };
        Path::new(path).to_owned().ancestors().map(folder).collect::<Vec<_>>()
    };
    [v2, v1].into_iter().flatten().flat_map(and_above).collect()
}

impl Cgroup {
    /// `None` where it sets none: `max`, or in v1 a number beyond any machine.
    pub(super) fn limit(&self) -> Option<u64> {
        self.number(self.names.limit).filter(|&bytes| bytes < 1 << 60)
    }

    fn used(&self) -> Option<u64> {
        let used = self.number(self.names.used)?;
        Some(used.saturating_sub(self.line("memory.stat", self.names.reclaimable).unwrap_or(0)))
    }

    pub(super) fn limit_and_free(&self) -> Option<(u64, Option<u64>)> {
        let limit = self.limit()?;
        Some((limit, self.used().map(|used| limit.saturating_sub(used))))
    }

    fn oom_kills(&self) -> Option<u64> {
        self.line(self.names.kills, "oom_kill ")
    }

    fn number(&self, file: &str) -> Option<u64> {
        fs::read_to_string(self.folder.join(file)).ok()?.trim().parse().ok()
    }

    fn line(&self, file: &str, name: &str) -> Option<u64> {
        let text = fs::read_to_string(self.folder.join(file)).ok()?;
        text.lines().find_map(|l| l.strip_prefix(name)?.trim().parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::super::host::tests::in_files;
    use super::*;

    fn cgroup(files: &[(&str, &str)]) -> Option<CgroupMemory> {
        in_files(files, read)
    }

    #[test]
    fn the_tightest_limit_is_told_with_what_counts_against_it_and_the_kills() {
        let v2 = [
            ("proc/self/cgroup", "0::/a/b\n"),
            ("cgroup/a/memory.max", "2048000\n"),
            ("cgroup/a/memory.current", "1536000\n"),
            ("cgroup/a/memory.stat", "anon 5\ninactive_file 512000\n"),
            ("cgroup/a/memory.events", "oom 9\noom_kill 8\noom_group_kill 0\n"),
            ("cgroup/a/b/memory.max", "4096000\n"),
            ("cgroup/a/b/memory.events", "low 0\nhigh 0\nmax 7\noom 4\noom_kill 3\noom_group_kill 0\n"),
        ];
        let told = CgroupMemory { limit_bytes: Some(2_048_000), used_bytes: Some(1_024_000), oom_kills: Some(3) };
        assert_eq!(cgroup(&v2), Some(told));
    }

    #[test]
    fn the_older_cgroups_count_their_kills_elsewhere() {
        let v1 = [
            ("proc/self/cgroup", "4:memory:/elsewhere\n0::/\n"),
            ("cgroup/memory/memory.limit_in_bytes", "1024000\n"),
            ("cgroup/memory/memory.usage_in_bytes", "512000\n"),
            ("cgroup/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"),
        ];
        let told = CgroupMemory { limit_bytes: Some(1_024_000), used_bytes: Some(512_000), oom_kills: Some(5) };
        assert_eq!(cgroup(&v1), Some(told));
    }

    #[test]
    fn without_a_limit_the_kills_are_told_and_without_anything_nothing_is() {
        let unlimited = [
            ("proc/self/cgroup", "4:memory:/a\n"),
            ("cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n"),
            ("cgroup/memory/a/memory.usage_in_bytes", "7\n"),
            ("cgroup/memory/a/memory.oom_control", "oom_kill 0\n"),
        ];
        assert_eq!(cgroup(&unlimited), Some(CgroupMemory { oom_kills: Some(0), ..CgroupMemory::default() }));
        assert_eq!(cgroup(&[]), None);
        let odd = [("proc/self/cgroup", "0::/a\n"), ("cgroup/a/memory.events", "oom_kill many\n")];
        assert_eq!(cgroup(&odd), None);
    }

    #[test]
    fn the_live_reading_is_within_its_own_limit() {
        let Some(told) = cgroup_memory() else { return };
        if let (Some(limit), Some(used)) = (told.limit_bytes, told.used_bytes) {
            assert!(used <= limit, "{told:?}");
        }
        assert!(told.used_bytes.is_none() || told.limit_bytes.is_some(), "{told:?}");
    }
}
