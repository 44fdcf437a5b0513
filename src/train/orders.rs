//! What a run was told and has not done yet: commands that wait for the end of the step, a stop, a pause, and the answer to an
//! out-of-memory. It outlives a trainer that is made anew with other settings. Who says commands is `run::control`'s business.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use crate::event::{Command, CommandReply, CommandRequest, RunState};
use crate::memory::ledger::{Ledger, Phase};

/// How often somebody who asks looks whether there is still anybody to answer.
const STILL_THERE: Duration = Duration::from_millis(500);

/// Commands that wait for their time, and what was decided.
pub struct Orders<'a> {
    commands: &'a Receiver<CommandRequest>,
    ledger: &'a Ledger,
    pub(super) waiting: VecDeque<CommandRequest>,
    stop: Stop,
    /// How long pauses took so far.
    pub(super) paused: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    No,
    AfterStep,
    Now,
}

/// What somebody said to an out-of-memory.
#[derive(Debug)]
pub enum Choice {
    Lever(String, CommandRequest),
    /// The same again, as it is: memory may have become free.
    Again(CommandRequest),
    Save(CommandRequest),
    Stop,
    /// There is nobody who could answer.
    Nobody,
}

impl<'a> Orders<'a> {
    pub fn new(commands: &'a Receiver<CommandRequest>, ledger: &'a Ledger) -> Self {
        Orders { commands, ledger, waiting: VecDeque::new(), stop: Stop::No, paused: Duration::ZERO }
    }

    pub fn stop(&self) -> Stop {
        self.stop
    }

    /// Takes what was said since the last look. A pause holds here until it ends; the ledger's phase is idle meanwhile.
    pub fn look(&mut self, step: u64) {
        let phase = self.ledger.phase();
        self.take(step);
        self.ledger.set_phase(phase);
    }

    fn take(&mut self, step: u64) {
        let mut paused = false;
        loop {
            let request = if paused {
                let began = Instant::now();
                let request = self.commands.recv();
                self.paused += began.elapsed();
                match request {
                    Ok(request) => request,
                    Err(_) => return,
                }
            } else {
                match self.commands.try_recv() {
                    Ok(request) => request,
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
                }
            };
            match request.command {
                Command::Pause => {
                    paused = true;
                    self.ledger.set_phase(Phase::Idle);
                    answer(request, CommandReply::done(RunState::Paused, step));
                }
                Command::Resume => {
                    paused = false;
                    answer(request, CommandReply::done(RunState::Running, step));
                }
                Command::Stop => {
                    self.say_stop();
                    paused = false;
                }
                Command::Save | Command::Eval => {
                    if paused {
                        // Within a step there is nothing whole to save: the pause ends first.
                        answer(request, CommandReply::refused("the run is paused; resume it first"));
                    } else {
                        self.waiting.push_back(request);
                    }
                }
                Command::ApplyLever { .. } => {
                    let mut reply = CommandReply::refused("there is no out-of-memory to recover from");
                    reply.state = Some(if paused { RunState::Paused } else { RunState::Running });
                    answer(request, reply);
                }
            }
        }
    }

    /// What waits for the end of a step, where no step will come any more.
    pub fn waiting(&mut self) -> Vec<CommandRequest> {
        self.waiting.drain(..).collect()
    }

    fn say_stop(&mut self) {
        self.stop = if self.stop == Stop::No { Stop::AfterStep } else { Stop::Now };
    }

    /// Waits, idle, for the answer to an out-of-memory, as long as `anybody` is there to give it.
    pub fn choice(&mut self, step: u64, anybody: &dyn Fn() -> bool) -> Choice {
        self.ledger.set_phase(Phase::Idle);
        let began = Instant::now();
        let choice = loop {
            if self.stop != Stop::No {
                break Choice::Stop;
            }
            // What waited for the end of the step that was dropped is answered as well.
            let said = self.waiting.pop_front().map_or_else(|| self.commands.recv_timeout(STILL_THERE), Ok);
            let request = match said {
                Ok(request) => request,
                Err(RecvTimeoutError::Timeout) if anybody() => continue,
                Err(_) => break Choice::Nobody,
            };
            match request.command.clone() {
                Command::ApplyLever { id } => break Choice::Lever(id, request),
                Command::Resume => break Choice::Again(request),
                Command::Save => break Choice::Save(request),
                Command::Stop => self.say_stop(),
                // It holds already.
                Command::Pause => answer(request, CommandReply::done(RunState::Paused, step)),
                Command::Eval => {
                    let mut reply = CommandReply::refused(
                        "the run is out of memory: apply a lever, resume to try the same again, or stop",
                    );
                    reply.state = Some(RunState::Paused);
                    answer(request, reply);
                }
            }
        };
        self.paused += began.elapsed();
        choice
    }
}

/// Answers a command, if an answer is wanted.
pub fn answer(request: CommandRequest, reply: CommandReply) {
    if let Some(to) = request.reply {
        // Whoever asked may be gone; that harms nobody.
        let _ = to.send(reply);
    }
}
