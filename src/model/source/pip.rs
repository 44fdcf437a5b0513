//! The machine's own pip as a way to fetch a wheel: found, run, watched, stopped. pip checks the wheel against the hash
//! that its index gives; what is in the wheel is the business of `wheel`.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;

use super::cache::BEAT;
use super::{Job, SourceError, has_extension};

/// How many of pip's last lines an error quotes.
const QUOTED_LINES: usize = 4;
const QUOTED_CHARS: usize = 300;
/// The first pip that reports its progress as plain numbers.
const RAW_PROGRESS: (u32, u32) = (24, 1);
/// The first pip that goes on with a cut download.
const RESUMES: (u32, u32) = (25, 1);

/// A command that runs pip, and its version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pip {
    command: Vec<String>,
    version: (u32, u32),
}

/// The first of the environment's commands that is a pip.
/// # Errors
/// [`SourceError::NoPip`], naming all that were tried.
pub(super) fn find(job: &Job, spec: &str) -> Result<Pip, SourceError> {
    let commands = &job.environment.pip;
    for command in commands {
        job.check_cancelled()?;
        let Some((program, arguments)) = command.split_first() else { continue };
        let ran = Command::new(program).args(arguments).arg("--version").stdin(Stdio::null()).output();
        let Ok(output) = ran else { continue };
        if let Some(version) = version(&String::from_utf8_lossy(&output.stdout)).filter(|_| output.status.success()) {
            return Ok(Pip { command: command.clone(), version });
        }
    }
    let tried = commands.iter().map(|words| format!("`{}`", words.join(" "))).collect();
    Err(SourceError::NoPip { spec: spec.into(), tried })
}

/// Reads `pip 23.2.1 from …`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("pip ")?.split(['.', ' ']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

impl Pip {
    /// Downloads the one wheel of `spec` into `folder`, which is empty and of the caller's making.
    /// # Errors
    /// pip's own last words where it fails; cancelled, with pip stopped.
    pub fn download(&self, job: &mut Job, spec: &str, folder: &Path) -> Result<PathBuf, SourceError> {
        // pip keeps an unfinished download in its temporary folder: here it can be watched, and is removed with the
        // rest
        let unfinished = folder.join("unfinished");
        fs::create_dir_all(&unfinished).map_err(|e| SourceError::io(&unfinished, e))?;
        let failed = |said: String| SourceError::Pip { spec: spec.into(), said };
        let child = self.command(spec, folder, &unfinished).spawn().map_err(|e| failed(e.to_string()))?;
        let mut child = Stopped(child);
        let (sender, said) = mpsc::channel();
        let readers = [
            child.0.stdout.take().map(|out| read_lines(out, sender.clone())),
            child.0.stderr.take().map(|err| read_lines(err, sender)),
        ];
        let mut last = self.follow(job, spec, &said, &unfinished)?;
        for reader in readers.into_iter().flatten() {
            let _ = reader.join();
        }
        let status = child.0.wait().map_err(|e| failed(e.to_string()))?;
        if !status.success() {
            return Err(failed(if last.is_empty() { status.to_string() } else { complaint(last.make_contiguous()) }));
        }
        let mut wheels = fs::read_dir(folder).map_err(|e| SourceError::io(folder, e))?.flatten().map(|e| e.path());
        let wheel = wheels.find(|path| has_extension(path, "whl"));
        wheel.ok_or_else(|| failed("it ended well and left no wheel".into()))
    }

    fn command(&self, spec: &str, folder: &Path, unfinished: &Path) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        command.args(["download", "--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check"]);
        command.args(["--retries", "2", "--progress-bar", if self.version >= RAW_PROGRESS { "raw" } else { "off" }]);
        if self.version >= RESUMES {
            command.args(["--resume-retries", "5"]);
        }
        command.arg("--dest").arg(folder).arg(spec);
        // nothing is installed, so a rule that only virtual environments may be touched is kept
        command.env("PIP_REQUIRE_VIRTUALENV", "false").env("TMPDIR", unfinished).env("PYTHONUNBUFFERED", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        command
    }

    /// Reports progress until pip has closed both its outputs; gives its last lines.
    fn follow(
        &self,
        job: &mut Job,
        spec: &str,
        said: &Receiver<String>,
        unfinished: &Path,
    ) -> Result<VecDeque<String>, SourceError> {
        let what = format!("pip: {spec}");
        let mut last = VecDeque::new();
        let (mut done, mut total) = (0, None);
        job.report(&what, 0, None);
        loop {
            job.check_cancelled()?;
            match said.recv_timeout(BEAT) {
                Ok(line) => {
                    if let Some((now, all)) = raw_progress(&line) {
                        (done, total) = (now, Some(all));
                    } else {
                        total = announced_size(&line).or(total);
                        last.push_back(line);
                        if last.len() > QUOTED_LINES {
                            last.pop_front();
                        }
                    }
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(last),
            }
            if self.version < RAW_PROGRESS {
                done = done.max(largest_file(unfinished, 4));
            }
            // an announced size is rounded; progress never passes it
            job.report(&what, total.map_or(done, |t| t.min(done)), total);
        }
    }
}

/// Kills pip when it is left early, with all its group: `python3` may be a script that starts the real one.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        if let Ok(group) = libc::pid_t::try_from(self.0.id()) {
            // SAFETY: sends a signal and touches no memory. The child leads a group of its own and was not waited for
            // yet, so that the number is still its.
            unsafe { libc::kill(-group, libc::SIGKILL) };
        }
        let _ = self.0.wait();
    }
}

fn read_lines(from: impl Read + Send + 'static, to: Sender<String>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        loop {
            line.clear();
            match from.by_ref().take(1 << 16).read_until(b'\n', &mut line) {
                Ok(0) => return,
                Ok(_) => {
                    let text = String::from_utf8_lossy(&line).trim().to_string();
                    if !text.is_empty() && to.send(text).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    })
}

/// Of pip's last lines the errors, after the last warning, which says more than they do when there is no network; all
/// lines where none complains.
fn complaint(lines: &[String]) -> String {
    let warning = lines.iter().rfind(|line| line.starts_with("WARNING"));
    let errors = lines.iter().filter(|line| line.starts_with("ERROR"));
    let mut quoted: Vec<&String> = warning.into_iter().chain(errors).collect();
    if quoted.is_empty() {
        quoted = lines.iter().collect();
    }
    let short = |line: &&String| line.chars().take(QUOTED_CHARS).collect::<String>();
    quoted.iter().map(short).collect::<Vec<_>>().join(" / ")
}

/// Reads `Progress 1024 of 4096`.
fn raw_progress(line: &str) -> Option<(u64, u64)> {
    let (done, total) = line.strip_prefix("Progress ")?.split_once(" of ")?;
    Some((done.parse().ok()?, total.parse().ok()?))
}

/// Reads `Downloading name-1-py3-none-any.whl (92.9 MB)`; pip counts in powers of ten.
fn announced_size(line: &str) -> Option<u64> {
    let size = line.strip_prefix("Downloading ")?.strip_suffix(')')?.rsplit_once(".whl (")?.1;
    let (number, unit) = size.split_once(' ')?;
    let factor = match unit {
        "bytes" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        _ => return None,
    };
    Some((number.parse::<f64>().ok()? * factor) as u64)
}

/// The bytes of the largest file below a folder.
fn largest_file(folder: &Path, depth: usize) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() && depth > 0 => largest_file(&entry.path(), depth - 1),
        Ok(found) if found.is_file() => found.len(),
        _ => 0,
    };
    entries.flatten().map(size).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_quotes_the_lines_that_complain() {
        let lines = |text: &str| text.lines().map(str::to_string).collect::<Vec<_>>();
        assert_eq!(
            complaint(&lines("Looking\nWARNING: a\nWARNING: b\nERROR: c\nERROR: d")),
            "WARNING: b / ERROR: c / ERROR: d"
        );
        assert_eq!(complaint(&lines("Traceback:\nOSError")), "Traceback: / OSError");
    }

    #[test]
    fn versions_and_progress_are_read_as_pip_writes_them() {
        assert_eq!(version("pip 23.2.1 from /x/pip (python 3.11)"), Some((23, 2)));
        assert_eq!(version("pip 25.1 from /x/pip (python 3.11)"), Some((25, 1)));
        assert_eq!(version("Python 3.11"), None);
        assert_eq!(raw_progress("Progress 1024 of 4096"), Some((1024, 4096)));
        assert_eq!(announced_size("Downloading a-1-py3-none-any.whl (92.9 MB)"), Some(92_900_000));
        assert_eq!(announced_size("Downloading a-1-py3-none-any.whl.metadata (2.6 kB)"), None);
        assert_eq!(announced_size("Successfully downloaded a"), None);
    }
}
