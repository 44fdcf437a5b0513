//! What others print while the screen is up: libraries, panics of other threads, child processes. It is kept aside, so that it does not run
//! through the frames, and said when the terminal is back. The screen itself writes to a descriptor of its own, in `tty`.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::tty::{check, duplicate, is_terminal};
use crate::units::printable;

/// Of what was printed, this much is kept: its end.
const KEPT: u64 = 64 << 10;
/// How much may gather before it is thrown away.
const LIMIT: u64 = 1 << 20;

/// Standard output and standard error, as far as they pointed to the terminal, lead into a file without a name.
pub struct Diverted {
    /// Each descriptor, and where its own target is kept meanwhile.
    kept: Vec<(RawFd, OwnedFd)>,
    file: Option<OwnedFd>,
}

impl Diverted {
    /// Diverts both. Where that cannot be done they stay as they are: stray text is a blemish, no failure.
    pub fn begin() -> Self {
        let _ = io::stdout().flush();
        let mut kept = Vec::new();
        let file = nameless_file().ok();
        for fd in [libc::STDOUT_FILENO, libc::STDERR_FILENO] {
            if let Some(file) = &file
                && is_terminal(fd)
                && let Ok(own) = duplicate(fd)
            {
                point(fd, file.as_raw_fd());
                kept.push((fd, own));
            }
        }
        Diverted { kept, file }
    }

    /// Both point to the terminal again; what was printed comes back, safe for a terminal.
    pub fn end(self) -> String {
        let _ = io::stdout().flush();
        for (fd, own) in &self.kept {
            point(*fd, own.as_raw_fd());
        }
        self.file.map(|file| read_end(&file)).unwrap_or_default()
    }

    /// The terminal is gone: what pointed to it, `input` too if it is given, points to nothing, so that no print of anybody fails.
    pub fn abandon(self, input: Option<RawFd>) {
        if let Ok(nothing) = OpenOptions::new().read(true).write(true).open("/dev/null") {
            for fd in self.kept.iter().map(|(fd, _)| *fd).chain(input) {
                point(fd, nothing.as_raw_fd());
            }
        }
    }

    /// Keeps it from growing without end.
    pub fn trim(&self) {
        if let Some(file) = self.file.as_ref().filter(|file| length(file) > LIMIT) {
            // SAFETY: the descriptor is open; it is written with O_APPEND, so that writers go on at its new end.
            unsafe { libc::ftruncate(file.as_raw_fd(), 0) };
        }
    }
}

fn point(fd: RawFd, target: RawFd) {
    // SAFETY: two numbers; where one is no open descriptor, nothing happens.
    unsafe { libc::dup2(target, fd) };
}

#[cfg(target_os = "linux")]
fn nameless_file() -> io::Result<OwnedFd> {
    // SAFETY: a name that ends with zero; the descriptor that comes back is ours alone.
    let fd = unsafe { libc::memfd_create(c"finetop-stray".as_ptr(), libc::MFD_CLOEXEC) };
    check(fd)?;
    let file = unsafe { OwnedFd::from_raw_fd(fd) };
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_APPEND) })?;
    Ok(file)
}

#[cfg(not(target_os = "linux"))]
fn nameless_file() -> io::Result<OwnedFd> {
    Ok(OpenOptions::new().read(true).write(true).open("/dev/null")?.into())
}

fn length(file: &OwnedFd) -> u64 {
    // SAFETY: the descriptor is open; O_APPEND makes the place of reading no place of writing.
    let length = unsafe { libc::lseek(file.as_raw_fd(), 0, libc::SEEK_END) };
    u64::try_from(length).unwrap_or(0)
}

fn read_end(file: &OwnedFd) -> String {
    let length = length(file);
    let from = length.saturating_sub(KEPT);
    let mut bytes = vec![0u8; (length - from) as usize];
    // SAFETY: the buffer is as long as said and lives through the call.
    let count = unsafe { libc::pread(file.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len(), from as libc::off_t) };
    bytes.truncate(usize::try_from(count).unwrap_or(0));
    String::from_utf8_lossy(&bytes).lines().map(|line| printable(line) + "\n").collect()
}
