//! A run's folder: where things are, who may write there, and checkpoints that are whole or absent.
//! What is in a checkpoint is the business of `train`; the log's lines are in `log` and `replay`.
//!
//! ```text
//! <run>/config.toml  events.jsonl  control.sock  checkpoints/step-000200/  best → checkpoints/…  last → checkpoints/…  bleu/
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::config::RunConfig;
use crate::config::parse::{self, ConfigError};
use crate::disk;
use crate::units::DateTime;

/// Why a run's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{0} exists already; go on with it by --resume, or name another folder")]
    Exists(PathBuf),
    #[error("{path} holds no run: {missing} is missing")]
    NoRun { path: PathBuf, missing: &'static str },
    #[error("{0} is being written by another process")]
    Busy(PathBuf),
    #[error("{path}: {source}")]
    Disk { path: PathBuf, source: io::Error },
    #[error("the run's own settings: {0}")]
    Config(#[from] ConfigError),
}

impl StoreError {
    /// Whether a person named the wrong folder, rather than the disk failing.
    pub fn is_wrong_use(&self) -> bool {
        !matches!(self, StoreError::Disk { .. })
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_path_buf();
    move |source| StoreError::Disk { path, source }
}

/// A checkpoint that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// Relative to the run's folder, as `checkpoint_saved` says it.
    pub path: String,
    pub size_bytes: u64,
}

/// A run's folder, held for writing: no other process writes there while this lives.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// `events.jsonl`, locked. The lock goes with the process, however it ends.
    lock: File,
}

impl RunFolder {
    /// Makes `<runs>/<time>-<name>`, with a number behind it where that exists already.
    /// # Errors
    /// What the file system says.
    pub fn create(runs: &Path, name: &str, unix_ms: u64, config: &RunConfig) -> Result<Self, StoreError> {
        let id = run_id(name, unix_ms);
        for n in 1u32.. {
            // A point is in no name, so that the second "a" is not taken for the first "a-2".
            let path = runs.join(if n == 1 { id.clone() } else { format!("{id}.{n}") });
            match Self::create_at(&path, config) {
                Err(StoreError::Exists(_)) => {}
                made => return made,
            }
        }
        Err(StoreError::Exists(runs.join(id)))
    }

    /// Makes exactly this folder.
    /// # Errors
    /// `Exists`, or what the file system says.
    pub fn create_at(path: &Path, config: &RunConfig) -> Result<Self, StoreError> {
        let path = std::path::absolute(path).map_err(at(path))?;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(at(parent))?;
        }
        match DirBuilder::new().create(&path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(StoreError::Exists(path)),
            made => made.map_err(at(&path))?,
        }
        let lock = lock(&path, true)?;
        let folder = RunFolder { path, lock };
        let checkpoints = folder.path.join("checkpoints");
        fs::create_dir(&checkpoints).map_err(at(&checkpoints))?;
        folder.write_config(config)?;
        Ok(folder)
    }

    /// Takes hold of an existing run to go on with it, and clears away what a killed process left half done.
    /// # Errors
    /// `NoRun`, `Busy`, or what the file system says.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path = fs::canonicalize(path).map_err(|_| no_run(path, "the folder"))?;
        must_be_run(&path)?;
        let folder = RunFolder { lock: lock(&path, false)?, path };
        let checkpoints = folder.path.join("checkpoints");
        fs::create_dir_all(&checkpoints).map_err(at(&checkpoints))?;
        for place in [&folder.path, &checkpoints] {
            for entry in fs::read_dir(place).map_err(at(place))?.flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                if name.starts_with('.') && (name.ends_with(".part") || name.ends_with(".gone")) {
                    remove(&entry.path())?;
                }
            }
        }
        Ok(folder)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder's own name.
    pub fn run_id(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub fn events(&self) -> PathBuf {
        events(&self.path)
    }

    /// The settings that the run was started with.
    /// # Errors
    /// A file that is missing or was changed into something invalid.
    pub fn config(&self) -> Result<RunConfig, StoreError> {
        config(&self.path)
    }

    /// Replaces `config.toml`.
    /// # Errors
    /// What the file system says.
    pub fn write_config(&self, config: &RunConfig) -> Result<(), StoreError> {
        let path = self.path.join("config.toml");
        let text = parse::to_toml(config)?;
        disk::write_atomically(&path, |w| w.write_all(text.as_bytes())).map_err(at(&path))
    }

    /// Remembers the adapter that the run starts from, for a resume before the first checkpoint.
    /// # Errors
    /// What the file system says.
    pub fn set_init_adapter(&self, adapter: &Path) -> Result<(), StoreError> {
        let link = self.path.join("init");
        disk::relink(&link, adapter).map_err(at(&link))
    }

    /// The adapter that the run started from, where it was given one.
    pub fn init_adapter(&self) -> Option<PathBuf> {
        init_adapter(&self.path)
    }

    /// The steps of all whole checkpoints, ascending.
    pub fn checkpoints(&self) -> Vec<u64> {
        checkpoints(&self.path)
    }

    /// Where the checkpoint of a step is or would be.
    pub fn checkpoint_path(&self, step: u64) -> PathBuf {
        self.path.join(checkpoint_name(step))
    }

    /// Saves a checkpoint that is whole or absent: `fill` writes its files into a folder beside the place, which is synced and renamed; then
    /// `last`, and `best` if it is that, point at it, and the oldest checkpoints beyond `keep` (0 keeps all) go, never best or last.
    /// Everything said in the log before is on disk before the checkpoint is. A step that is saved already is not written again.
    /// # Errors
    /// What `fill` or the file system says; then no checkpoint of the step exists and both links are as they were.
    pub fn save_checkpoint<E: From<StoreError>>(
        &self,
        step: u64,
        best: bool,
        keep: usize,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Saved, E> {
        let place = self.checkpoint_path(step);
        if !place.is_dir() {
            self.lock.sync_data().map_err(at(&self.events()))?;
            let beside = place.with_file_name(format!(".step-{step:06}.part"));
            remove(&beside)?;
            fs::create_dir(&beside).map_err(at(&beside))?;
            fill(&beside).inspect_err(|_| drop(remove(&beside)))?;
            sync_tree(&beside).and_then(|()| fs::rename(&beside, &place)).map_err(at(&place))?;
            let checkpoints = self.path.join("checkpoints");
            disk::sync_folder(&checkpoints).map_err(at(&checkpoints))?;
        }
        if best {
            self.set_best(step)?;
        }
        self.set_last(step)?;
        self.prune(keep)?;
        Ok(Saved { path: checkpoint_name(step), size_bytes: size_of_folder(&place).map_err(at(&place))? })
    }

    /// Points `best` at the checkpoint of a step.
    /// # Errors
    /// What the file system says.
    pub fn set_best(&self, step: u64) -> Result<(), StoreError> {
        self.link("best", step)
    }

    /// Points `last` at the checkpoint of a step.
    /// # Errors
    /// What the file system says.
    pub fn set_last(&self, step: u64) -> Result<(), StoreError> {
        self.link("last", step)
    }

    fn link(&self, name: &str, step: u64) -> Result<(), StoreError> {
        let link = self.path.join(name);
        disk::relink(&link, Path::new(&checkpoint_name(step)))
            .and_then(|()| disk::sync_folder(&self.path))
            .map_err(at(&link))
    }

    /// Removes the oldest checkpoints until `keep` are left (0 keeps all); best and last stay even where that leaves more.
    /// # Errors
    /// What the file system says.
    pub fn prune(&self, keep: usize) -> Result<(), StoreError> {
        let kept = [linked(&self.path, "best"), linked(&self.path, "last")];
        let steps = self.checkpoints();
        let surplus = if keep == 0 { 0 } else { steps.len().saturating_sub(keep) };
        for step in steps.into_iter().filter(|s| !kept.contains(&Some(*s))).take(surplus) {
            let place = self.checkpoint_path(step);
            // Under another name first, so that a checkpoint that is half removed is never taken for a whole one.
            let gone = place.with_file_name(format!(".step-{step:06}.gone"));
            remove(&gone)?;
            fs::rename(&place, &gone).map_err(at(&place))?;
            remove(&gone)?;
        }
        Ok(())
    }

    /// Removes a run that came to nothing: only if not a line was written and no checkpoint saved. Otherwise the folder stays.
    pub fn discard(self) {
        let empty = self.lock.metadata().is_ok_and(|m| m.len() == 0) && self.checkpoints().is_empty();
        if empty {
            for name in ["config.toml", "init", "events.jsonl"] {
                let _ = fs::remove_file(self.path.join(name));
            }
            // Neither goes if somebody else put something there.
            let _ = fs::remove_dir(self.path.join("checkpoints"));
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// The bytes of `20261123-221502` in a run's name.
const TIME_LENGTH: usize = 15;

/// `20261123-221502-demo`: readable, sorted by the time of the start (UTC).
pub fn run_id(name: &str, unix_ms: u64) -> String {
    let DateTime { year, month, day, hour, minute, second } = DateTime::from_unix(unix_ms / 1000);
    let name: String = name.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '-' }).take(40).collect();
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}-{name}").trim_end_matches('-').to_string()
}

/// The log of a run.
pub fn events(run: &Path) -> PathBuf {
    run.join("events.jsonl")
}

/// The place of a checkpoint in its run: `checkpoints/step-000200`.
pub fn checkpoint_name(step: u64) -> String {
    format!("checkpoints/step-{step:06}")
}

/// The settings of a run, without taking hold of it.
/// # Errors
/// A file that is missing or was changed into something invalid.
pub fn config(run: &Path) -> Result<RunConfig, StoreError> {
    Ok(parse::load(&run.join("config.toml"), &[])?)
}

/// Whether this folder holds a run.
pub fn is_run(path: &Path) -> bool {
    must_be_run(path).is_ok()
}

/// # Errors
/// `NoRun`, naming what is missing.
pub fn must_be_run(path: &Path) -> Result<(), StoreError> {
    for missing in ["config.toml", "events.jsonl"] {
        if !path.join(missing).is_file() {
            return Err(no_run(path, missing));
        }
    }
    Ok(())
}

/// The newest run of this name, as [`RunFolder::create`] names them.
pub fn newest(runs: &Path, name: &str) -> Option<PathBuf> {
    let begun = |path: &Path| fs::metadata(path.join("events.jsonl")).and_then(|m| m.created().or(m.modified())).ok();
    let suffix = run_id(name, 0)[TIME_LENGTH..].to_string();
    let of_name = |path: &PathBuf| {
        let id = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.get(TIME_LENGTH..));
        let number = id.and_then(|id| id.strip_prefix(&suffix)).map(|rest| rest.strip_prefix('.').unwrap_or(rest));
        number.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit())) && is_run(path)
    };
    let paths = fs::read_dir(runs).ok()?.flatten().map(|e| e.path()).filter(of_name);
    // The time in the name has only seconds; the file system knows which of two came later.
    paths.max_by_key(|path| {
        (path.file_name().and_then(|n| n.to_str()).and_then(|n| n.get(..TIME_LENGTH)).map(String::from), begun(path))
    })
}

/// The runs in a folder, the newest first.
pub fn runs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).map(|entries| entries.flatten().map(|e| e.path()).collect()).unwrap_or_default();
    let mut runs: Vec<PathBuf> = Vec::into_iter(entries).filter(|path| is_run(path)).collect();
    let changed = |path: &PathBuf| fs::metadata(events(path)).and_then(|m| m.modified()).ok();
    runs.sort_by_cached_key(|path| std::cmp::Reverse(changed(path)));
    runs
}

fn no_run(path: &Path, missing: &'static str) -> StoreError {
    StoreError::NoRun { path: path.to_path_buf(), missing }
}

/// Whether a process is writing this run now.
pub fn is_live(run: &Path) -> bool {
    disk::is_locked(&events(run))
}

/// The steps of all whole checkpoints of a run, ascending.
pub fn checkpoints(run: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(run.join("checkpoints")) else { return Vec::new() };
    let step = |name: &str| name.strip_prefix("step-")?.parse().ok();
    let mut steps: Vec<u64> = entries.flatten().filter_map(|e| step(e.file_name().to_str()?)).collect();
    steps.sort_unstable();
    steps
}

/// The adapter that a run started from, where it was given one.
pub fn init_adapter(run: &Path) -> Option<PathBuf> {
    fs::read_link(run.join("init")).ok()
}

/// The step that `best` or `last` points at, if its checkpoint is there.
pub fn linked(run: &Path, name: &str) -> Option<u64> {
    let target = fs::read_link(run.join(name)).ok()?;
    let step = target.file_name()?.to_str()?.strip_prefix("step-")?.parse().ok()?;
    run.join(checkpoint_name(step)).is_dir().then_some(step)
}

fn lock(run: &Path, new: bool) -> Result<File, StoreError> {
    let path = events(run);
    let file = OpenOptions::new().read(true).append(true).create(new).open(&path).map_err(at(&path))?;
    match disk::lock(&file) {
        Ok(true) => Ok(file),
        Ok(false) => Err(StoreError::Busy(run.to_path_buf())),
        Err(e) => Err(at(&path)(e)),
    }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(m) if m.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) => Err(e),
    };
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(at(path)(e)),
        _ => Ok(()),
    }
}

fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()? {
            t if t.is_dir() => sync_tree(&entry.path())?,
            t if t.is_file() => File::open(entry.path())?.sync_all()?,
            _ => {}
        }
    }
    disk::sync_folder(folder)
}

/// The bytes of all files in a folder.
pub fn size_of_folder(folder: &Path) -> io::Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        size += match entry.file_type()? {
            t if t.is_dir() => size_of_folder(&entry.path())?,
            _ => entry.metadata()?.len(),
        };
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_are_the_time_of_the_start_and_a_name_without_surprises() {
        assert_eq!(run_id("demo", 1_795_472_102_999), "20261123-221502-demo");
        assert_eq!(run_id("../my run\u{1b}.v2", 951_782_400_000), "20000229-000000----my-run--v2");
        assert_eq!(run_id("", 0), "19700101-000000");
        assert_eq!(run_id("x", 4_107_542_399_000), "21000228-235959-x");
        assert_eq!(run_id("x", 4_107_542_400_000), "21000301-000000-x");
    }
}
