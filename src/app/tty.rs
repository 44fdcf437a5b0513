//! The terminal itself: raw mode and alternate screen, and their end whatever happens; one `poll` over keyboard, hang-up and signals;
//! output. What the bytes mean is in `input` and `backend`, what others print meanwhile goes to `stray`.
//!
//! Reading is done here and not by a library: a reader that does not look for hang-up spins for ever when the terminal is gone.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ratatui::layout::Size;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGWINCH};
use signal_hook::{flag, low_level};

use super::stray::Diverted;

/// Alternate screen, hidden cursor, pasted text marked as such.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[2J";
/// Presses and the wheel, drags, both in a form that knows no widest column.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1002l\x1b[?1000l";
/// Whatever was under way ends, then all of that backwards; the mouse too, whether it was on or not: whoever leaves may not know it.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[m\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?2004l\x1b[?25h\x1b[?1049l";

/// How long a terminal that takes nothing is waited for when it is given back.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// What the terminal was like, for whoever has to restore it: the guard, or the panic hook.
struct Saved {
    input: RawFd,
    output: RawFd,
    termios: libc::termios,
    diverted: Diverted,
}

static SAVED: Mutex<Option<Saved>> = Mutex::new(None);

fn saved() -> MutexGuard<'static, Option<Saved>> {
    SAVED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the terminal back as it was; a second time does nothing. What others printed meanwhile comes back. A terminal that takes nothing
/// (its window is frozen, its line is dead) is as one that is gone: whoever printed to it would wait for ever.
pub fn restore() -> String {
    let Some(saved) = saved().take() else { return String::new() };
    // First the settings: a terminal that takes no output does not keep them.
    // SAFETY: both descriptors are open, and the settings are those that `tcgetattr` gave.
    unsafe { libc::tcsetattr(saved.input, libc::TCSANOW, &saved.termios) };
    if !leave(saved.output) {
        saved.diverted.abandon(None);
        return String::new();
    }
    saved.diverted.end()
}

/// Whether the terminal took it.
fn leave(output: RawFd) -> bool {
    let by = Instant::now() + LEAVE_WITHIN;
    write_all(output, LEAVE, || Instant::now() >= by).is_ok()
}

/// Why waiting ended.
#[derive(Debug, Default)]
pub struct Woken {
    pub bytes: Vec<u8>,
    /// The terminal is gone: hung up, closed, or SIGHUP.
    pub gone: bool,
    /// SIGTERM or SIGINT.
    pub ended_by: Option<i32>,
    pub resized: bool,
    /// The process was stopped and goes on.
    pub continued: bool,
}

/// The terminal while the screen is up.
pub struct Tty {
    input: Input,
    output: OwnedFd,
    signals: Signals,
    mouse: bool,
}

/// Standard input where that is the terminal, else the terminal by its own name.
enum Input {
    Standard,
    Opened(OwnedFd),
}

struct Signals {
    pipe: UnixStream,
    hangup: Arc<AtomicBool>,
    terminate: Arc<AtomicBool>,
    interrupt: Arc<AtomicBool>,
    resize: Arc<AtomicBool>,
    go_on: Arc<AtomicBool>,
    /// Once set, SIGTERM and SIGINT end the process as they always do.
    default_end: Arc<AtomicBool>,
    defaults: Vec<signal_hook::SigId>,
    /// The process goes on without a screen, and its signals are its caller's.
    handed_over: bool,
    registered: Vec<signal_hook::SigId>,
}

impl Tty {
    /// Takes the terminal: raw mode, alternate screen, signals.
    /// # Errors
    /// There is no terminal, or it does not let itself be set.
    pub fn open() -> io::Result<Self> {
        let input = if is_terminal(libc::STDIN_FILENO) { Input::Standard } else { Input::Opened(open_terminal()?) };
        let output = if is_terminal(libc::STDOUT_FILENO) { open_output()? } else { open_terminal()? };
        let tty = Tty { input, output, signals: Signals::register()?, mouse: false };
        tty.enter()?;
        Ok(tty)
    }

    /// Takes the terminal again after `leave`.
    pub fn enter(&self) -> io::Result<()> {
        let mut slot = saved();
        if slot.is_some() {
            return Ok(());
        }
        let (input, output) = (self.input.fd(), self.output.as_raw_fd());
        // SAFETY: `termios` is plain data that `tcgetattr` fills; the descriptor is open.
        let mut termios: libc::termios = unsafe { std::mem::zeroed() };
        check(unsafe { libc::tcgetattr(input, &mut termios) })?;
        make_raw(input, termios)?;
        *slot = Some(Saved { input, output, termios, diverted: Diverted::begin() });
        drop(slot);
        self.set_up()
    }

    /// Whoever had the terminal while the process was stopped may have left it as they liked: it is set again as the screen needs it.
    pub fn retake(&self) -> io::Result<()> {
        if let Some(saved) = saved().as_ref() {
            make_raw(saved.input, saved.termios)?;
        }
        self.set_up()
    }

    fn set_up(&self) -> io::Result<()> {
        self.write(ENTER)?;
        if self.mouse { self.write(MOUSE_ON) } else { Ok(()) }
    }

    /// The terminal says what the mouse does from now on, after `leave` and `enter` too, or it does not.
    /// # Errors
    /// Those of `write`.
    pub fn set_mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        self.write(if on { MOUSE_ON } else { MOUSE_OFF })
    }

    /// Columns and rows; `None` when the terminal does not say.
    pub fn size(&self) -> Option<Size> {
        // SAFETY: `winsize` is plain data that the call fills; the descriptor is open.
        let mut size: libc::winsize = unsafe { std::mem::zeroed() };
        let done = unsafe { libc::ioctl(self.output.as_raw_fd(), libc::TIOCGWINSZ, &mut size) };
        (done == 0 && size.ws_col > 0 && size.ws_row > 0).then(|| Size::new(size.ws_col, size.ws_row))
    }

    /// Whether a frame can be written now without waiting: not while the terminal is stopped or its line is full.
    pub fn is_writable(&self) -> bool {
        ready(self.output.as_raw_fd(), libc::POLLOUT, 0)
    }

    /// Writes everything.
    /// # Errors
    /// The terminal is gone, or the process is told to end while the terminal does not take more.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        write_all(self.output.as_raw_fd(), bytes, || self.signals.is_ending())
    }

    /// Waits for keys, signals or the end of the terminal, at most so long; `None` is for ever.
    pub fn wait(&mut self, timeout_ms: Option<u64>) -> Woken {
        let timeout = timeout_ms.map_or(-1, |ms| ms.min(i32::MAX as u64) as i32);
        let mut fds = [
            libc::pollfd { fd: self.input.fd(), events: libc::POLLIN, revents: 0 },
            libc::pollfd { fd: self.signals.pipe.as_raw_fd(), events: libc::POLLIN, revents: 0 },
        ];
        // SAFETY: the array lives through the call, and its length is the one given.
        let count = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout) };
        let mut woken = Woken::default();
        if count > 0 {
            if fds[0].revents & libc::POLLIN != 0 {
                match self.read() {
                    Ok(bytes) if bytes.is_empty() => woken.gone = true,
                    Ok(bytes) => woken.bytes = bytes,
                    Err(e) if matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                    Err(_) => woken.gone = true,
                }
            }
            woken.gone |= fds[0].revents & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0;
            if fds[1].revents != 0 {
                self.signals.drain();
            }
        }
        self.signals.report(&mut woken);
        woken
    }

    /// Gives the terminal back for a while, or for good.
    pub fn leave(&self) -> String {
        restore()
    }

    /// The terminal is gone: what pointed to it points to nothing from now on, so that no print of anybody fails.
    pub fn abandon(&self) {
        let Some(saved) = saved().take() else { return };
        // A terminal that only said SIGHUP may still be there.
        // SAFETY: the descriptors are open; on a terminal that is gone the calls fail and change nothing.
        unsafe { libc::tcsetattr(saved.input, libc::TCSANOW, &saved.termios) };
        let _ = leave(saved.output);
        saved.diverted.abandon((saved.input == libc::STDIN_FILENO).then_some(libc::STDIN_FILENO));
    }

    /// The process goes on without a screen: SIGTERM and SIGINT do nothing from the end of this value on, unless the caller takes them.
    pub fn hand_signals_over(&mut self) {
        self.signals.handed_over = true;
    }

    /// Stops the process as Ctrl-Z does; comes back when it is continued.
    pub fn suspend(&self) {
        let stray = self.leave();
        if !stray.is_empty() {
            eprint!("{stray}");
        }
        // SAFETY: raising a signal has no preconditions.
        unsafe { libc::raise(libc::SIGTSTP) };
    }

    /// Keeps what others print from growing without end.
    pub fn trim_stray(&self) {
        if let Some(saved) = saved().as_ref() {
            saved.diverted.trim();
        }
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0u8; 4096];
        // SAFETY: the buffer is as long as said and lives through the call.
        let count = unsafe { libc::read(self.input.fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
        buffer.truncate(usize::try_from(count).map_err(|_| io::Error::last_os_error())?);
        Ok(buffer)
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        restore();
    }
}

impl Input {
    fn fd(&self) -> RawFd {
        match self {
            Input::Standard => libc::STDIN_FILENO,
            Input::Opened(fd) => fd.as_raw_fd(),
        }
    }
}

impl Signals {
    fn register() -> io::Result<Self> {
        let (pipe, sender) = UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        sender.set_nonblocking(true)?;
        let flags: [Arc<AtomicBool>; 5] = Default::default();
        let default_end = Arc::new(AtomicBool::new(false));
        let (mut registered, mut defaults) = (Vec::new(), Vec::new());
        for signal in [SIGTERM, SIGINT] {
            // The first one ends the screen in good order; if that does not come about, the second one ends the process.
            defaults.push(flag::register_conditional_default(signal, default_end.clone())?);
            registered.push(flag::register(signal, default_end.clone())?);
        }
        for (signal, flag_of) in [SIGHUP, SIGTERM, SIGINT, SIGWINCH, SIGCONT].into_iter().zip(&flags) {
            // SIGHUP stays with us: without a terminal the training goes on.
            let id = flag::register(signal, flag_of.clone())?;
            let waker = low_level::pipe::register(signal, sender.try_clone()?)?;
            if signal != SIGHUP {
                registered.push(id);
            }
            registered.push(waker);
        }
        let [hangup, terminate, interrupt, resize, go_on] = flags;
        let handed_over = false;
        Ok(Signals {
            pipe,
            hangup,
            terminate,
            interrupt,
            resize,
            go_on,
            default_end,
            defaults,
            handed_over,
            registered,
        })
    }

    fn is_ending(&self) -> bool {
        [&self.hangup, &self.terminate, &self.interrupt].iter().any(|f| f.load(Ordering::Relaxed))
    }

    fn drain(&mut self) {
        let mut buffer = [0u8; 64];
        while matches!(io::Read::read(&mut self.pipe, &mut buffer), Ok(count) if count > 0) {}
    }

    fn report(&self, woken: &mut Woken) {
        let take = |flag: &AtomicBool| flag.swap(false, Ordering::Relaxed);
        woken.gone |= take(&self.hangup);
        woken.resized = take(&self.resize);
        woken.continued = take(&self.go_on);
        if take(&self.interrupt) {
            woken.ended_by = Some(SIGINT);
        }
        if take(&self.terminate) {
            woken.ended_by = Some(SIGTERM);
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        if self.handed_over {
            self.registered.append(&mut self.defaults);
        } else {
            // Without a screen they do what they always do.
            self.default_end.store(true, Ordering::Relaxed);
        }
        for id in self.registered.drain(..) {
            low_level::unregister(id);
        }
    }
}

/// Sets a terminal with these settings to raw mode.
fn make_raw(input: RawFd, mut termios: libc::termios) -> io::Result<()> {
    // SAFETY: `termios` is whole, and the descriptor is open.
    unsafe { libc::cfmakeraw(&mut termios) };
    check(unsafe { libc::tcsetattr(input, libc::TCSANOW, &termios) })
}

pub(super) fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

pub(super) fn is_terminal(fd: RawFd) -> bool {
    // SAFETY: asks about a number; one that is no open descriptor is no terminal.
    unsafe { libc::isatty(fd) == 1 }
}

/// The terminal of standard output, opened anew where that can be done: then writing can be told not to wait, and nobody else's writing is.
fn open_output() -> io::Result<OwnedFd> {
    let mut name = [0u8; 256];
    // SAFETY: the buffer is as long as said.
    let found = unsafe { libc::ttyname_r(libc::STDOUT_FILENO, name.as_mut_ptr().cast(), name.len()) } == 0;
    if let Some(name) = CStr::from_bytes_until_nul(&name).ok().filter(|_| found) {
        // SAFETY: the name ends with zero; the descriptor that comes back is ours alone.
        let flags = libc::O_WRONLY | libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_CLOEXEC;
        let fd = unsafe { libc::open(name.as_ptr(), flags) };
        if fd >= 0 {
            return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
    duplicate(libc::STDOUT_FILENO)
}

fn open_terminal() -> io::Result<OwnedFd> {
    Ok(std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty")?.into())
}

pub(super) fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: a new descriptor of our own, or an error; it is owned by nobody else.
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) };
    check(copy)?;
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

fn ready(fd: RawFd, events: libc::c_short, timeout_ms: i32) -> bool {
    let mut poll = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: one entry that lives through the call. An error on the descriptor counts as ready: the next call tells it.
    unsafe { libc::poll(&mut poll, 1, timeout_ms) > 0 }
}

/// Writes in parts, and between them looks whether to give up.
fn write_all(fd: RawFd, mut bytes: &[u8], gives_up: impl Fn() -> bool) -> io::Result<()> {
    while !bytes.is_empty() {
        while !ready(fd, libc::POLLOUT, 200) {
            if gives_up() {
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        // SAFETY: the slice is longer than what is written of it, and lives through the call.
        let written = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len().min(1024)) };
        match usize::try_from(written) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(_) => match io::Error::last_os_error() {
                e if matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {
                    if gives_up() {
                        return Err(e);
                    }
                }
                e => return Err(e),
            },
        }
    }
    Ok(())
}
