//! What a run was told and has not done yet: commands that wait for the end of the step or of the run, a stop, a pause, an extraction beside
//! training, and the answer to an out-of-memory. It outlives a trainer that is made anew with other settings. Who says commands is
//! `run::control`'s business, how something is extracted that of whoever makes this.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::event::{Command, CommandReply, CommandRequest, ExtractAsk, RunState};
use crate::memory::ledger::{Ledger, Phase};
use crate::model::adapter::Adapter;
use crate::model::decoder::Decoder;

/// How often somebody who asks looks whether there is still anybody to answer.
const STILL_THERE: Duration = Duration::from_millis(500);

/// The model as it stands between two micro-batches.
#[derive(Clone, Copy)]
pub struct Live<'m> {
    pub decoder: &'m Decoder,
    pub adapter: &'m Adapter,
}

/// Makes a typed value with a model that is being trained, and asks now and then whether that is to end. The trace, or why there is none.
pub type Extract<'a> = dyn Fn(&ExtractAsk, Live, &mut dyn FnMut() -> bool) -> Result<Value, String> + 'a;

/// Commands that wait for their time, and what was decided.
pub struct Orders<'a> {
    commands: &'a Receiver<CommandRequest>,
    ledger: &'a Ledger,
    extract: &'a Extract<'a>,
    /// Heard while something was extracted, and not looked at yet.
    unread: VecDeque<CommandRequest>,
    pub(super) waiting: VecDeque<CommandRequest>,
    /// Those who wait for the report of the test split.
    scored: Vec<CommandRequest>,
    /// Why there will be no such report.
    unscorable: Option<String>,
    /// The test split is being scored, and whether that is to end.
    scoring: bool,
    cancelled: bool,
    stop: Stop,
    /// How long pauses took so far, and what was extracted meanwhile.
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
    /// `unscorable` is why the test split cannot be scored, where it cannot.
    pub fn new(
        commands: &'a Receiver<CommandRequest>,
        ledger: &'a Ledger,
        extract: &'a Extract<'a>,
        unscorable: Option<String>,
    ) -> Self {
        let (unread, waiting, scored) = (VecDeque::new(), VecDeque::new(), Vec::new());
        let (scoring, cancelled, stop, paused) = (false, false, Stop::No, Duration::ZERO);
        Orders { commands, ledger, extract, unread, waiting, scored, unscorable, scoring, cancelled, stop, paused }
    }

    pub fn stop(&self) -> Stop {
        self.stop
    }

    /// Whether a report of the test split was ordered.
    pub fn wants_scoring(&self) -> bool {
        !self.scored.is_empty()
    }

    /// The test split is scored from now on: a cancel ends that.
    pub fn begin_scoring(&mut self) {
        self.scoring = true;
    }

    /// Whether the scoring is to end.
    pub fn ends_scoring(&self) -> bool {
        self.cancelled || self.stop != Stop::No
    }

    /// Answers those who wait for the report of the test split.
    pub fn scored(&mut self, reply: &CommandReply) {
        self.scoring = false;
        self.scored.drain(..).for_each(|request| answer(request, reply.clone()));
    }

    /// Takes what was said since the last look. A pause holds here until it ends; the ledger's phase is idle meanwhile. What is to be
    /// extracted is extracted with `live`.
    pub fn look(&mut self, step: u64, live: Option<Live>) {
        let phase = self.ledger.phase();
        self.take(step, live);
        self.ledger.set_phase(phase);
    }

    fn take(&mut self, step: u64, live: Option<Live>) {
        let mut paused = false;
        loop {
            let request = if let Some(request) = self.unread.pop_front() {
                request
            } else if paused {
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
                Command::Extract(ref ask) => {
                    let state = if paused { RunState::Paused } else { RunState::Running };
                    let reply = self.extracted(ask, live, state, step);
                    answer(request, reply);
                    if paused {
                        self.ledger.set_phase(Phase::Idle);
                        // A stop that came meanwhile ends the pause as well.
                        paused = self.stop == Stop::No;
                    }
                }
                Command::Bleu => self.order_scoring(request),
                Command::Cancel => {
                    let reply = match self.scoring || self.wants_scoring() {
                        true => CommandReply::done(RunState::Running, step),
                        false => CommandReply::refused("nothing is extracted or scored now"),
                    };
                    if self.scoring {
                        self.cancelled = true;
                    } else {
                        // Also of somebody who does not wait for it any more.
                        self.scored(&CommandReply::refused("the order was taken back"));
                    }
                    answer(request, reply);
                }
            }
        }
    }

    fn order_scoring(&mut self, request: CommandRequest) {
        match &self.unscorable {
            Some(why) => answer(request, CommandReply::refused(why.clone())),
            None => self.scored.push(request),
        }
    }

    fn extracted(&mut self, ask: &ExtractAsk, live: Option<Live>, state: RunState, step: u64) -> CommandReply {
        let Some(live) = live else {
            return CommandReply::refused("training is over; its test split is being scored");
        };
        let began = Instant::now();
        let (extract, mut cancelled) = (self.extract, false);
        let made = extract(ask, live, &mut || {
            cancelled |= self.hear(step);
            cancelled
        });
        self.paused += began.elapsed();
        match made {
            Ok(trace) => CommandReply { trace: Some(Box::new(trace)), ..CommandReply::done(state, step) },
            Err(why) => CommandReply { state: Some(state), ..CommandReply::refused(why) },
        }
    }

    /// Listens while something is extracted. Whether that is to end.
    fn hear(&mut self, step: u64) -> bool {
        let mut ends = false;
        while let Ok(request) = self.commands.try_recv() {
            match request.command {
                Command::Cancel => {
                    answer(request, CommandReply::done(RunState::Running, step));
                    ends = true;
                }
                Command::Stop => {
                    self.say_stop();
                    ends = true;
                }
                _ => self.unread.push_back(request),
            }
        }
        ends
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
            let earlier = self.waiting.pop_front().or_else(|| self.unread.pop_front());
            let said = earlier.map_or_else(|| self.commands.recv_timeout(STILL_THERE), Ok);
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
                Command::Bleu => self.order_scoring(request),
                Command::Cancel => answer(request, CommandReply::refused("nothing is extracted or scored now")),
                Command::Eval | Command::Extract(_) => {
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
