//! Signals without a screen: SIGTERM and SIGINT stop the run with a checkpoint, and a terminal that goes away stops nothing.

use std::io;
use std::sync::mpsc::Sender;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;

use super::say;
use crate::event::{Command, CommandRequest};

/// What signals do as long as this lives: the first asks the run to stop at the end of the step, the second to drop the step, the third
/// ends the process at once; what is saved by then is whole in any case.
pub struct StopOnSignals {
    handle: Handle,
}

impl StopOnSignals {
    /// # Errors
    /// What the system says; then signals end the process at once.
    pub fn start(commands: Sender<CommandRequest>) -> io::Result<Self> {
        Self::start_after(0, commands)
    }

    /// As [`Self::start`], where `said` signals were obeyed already.
    /// # Errors
    /// As there.
    pub fn start_after(mut said: u32, commands: Sender<CommandRequest>) -> io::Result<Self> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        let handle = signals.handle();
        let body = move || {
            for signal in signals.forever().filter(|s| *s != SIGHUP) {
                said += 1;
                match said {
                    1 => say("stopping with a checkpoint at the end of this step; once more drops the step"),
                    2 => say("stopping with the last whole step; once more ends at once"),
                    _ => drop(emulate_default_handler(signal)),
                }
                let _ = commands.send(CommandRequest { command: Command::Stop, reply: None });
            }
        };
        std::thread::Builder::new().name("finetop-signals".into()).spawn(body)?;
        Ok(StopOnSignals { handle })
    }
}

impl Drop for StopOnSignals {
    fn drop(&mut self) {
        self.handle.close();
    }
}
