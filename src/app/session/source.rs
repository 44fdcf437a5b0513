//! The run that the screen is attached to: what it says, read before it says more, and what it is told and answers.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use super::{FRAME_MS, Session};
use crate::app::{Cause, Launched};
use crate::event::{Command, CommandReply, CommandRequest, RunHandle, Stamped};
use crate::ui::Message;

/// Events taken in between two looks at the keyboard.
const EVENTS_PER_TURN: usize = 4096;
/// So many in one turn come from a log, not from training: more of it is on its way.
const POURING: usize = 64;
/// How soon events are looked for again then; without new ones twice as late each time, until it is as seldom as ever.
pub(super) const POURING_MS: u64 = 1;

/// A run that the screen is attached to.
pub struct Source {
    pub handle: RunHandle,
    pub folder: PathBuf,
    pub owned: bool,
    /// What was said before this process, as far as it was not taken in yet: it comes before anything that the run says now.
    history: Option<Receiver<Stamped>>,
    cause: Option<Cause>,
    pub(super) closed: bool,
}

impl Source {
    pub(super) fn new(launched: Launched, owned: bool) -> Self {
        let Launched { handle, folder, history, cause } = launched;
        Source { handle, folder, owned, history, cause, closed: false }
    }

    /// The next event, and whether it belongs to what was said before.
    pub(super) fn next(&mut self) -> Result<(Stamped, bool), TryRecvError> {
        match self.history.as_ref().map(Receiver::try_recv) {
            Some(Ok(stamped)) => return Ok((stamped, true)),
            Some(Err(TryRecvError::Empty)) => return Err(TryRecvError::Empty),
            Some(Err(TryRecvError::Disconnected)) => self.history = None,
            None => {}
        }
        self.handle.events.try_recv().map(|stamped| (stamped, false))
    }
}

impl Session {
    pub(super) fn send(&mut self, command: Command) {
        let (reply, answer) = channel();
        let request = CommandRequest { command: command.clone(), reply: Some(reply) };
        let sent = self.source.as_ref().is_some_and(|s| s.handle.commands.send(request).is_ok());
        if sent {
            self.answers.push((command, answer));
        } else {
            let reply = CommandReply::refused("the run does not listen any more");
            self.tell(Message::Answered { command, reply });
        }
    }

    pub(super) fn fetch_answers(&mut self) -> Vec<(Command, CommandReply)> {
        let mut answered = Vec::new();
        // An answer is about what the run says now: that is not read yet.
        if self.source.as_ref().is_some_and(|source| source.history.is_some()) {
            return answered;
        }
        self.answers.retain(|(command, answer)| match answer.try_recv() {
            Ok(reply) => {
                answered.push((command.clone(), reply));
                false
            }
            Err(TryRecvError::Empty) => true,
            Err(TryRecvError::Disconnected) => {
                // A stop may end the run before it answers: that is its answer.
                if *command != Command::Stop {
                    answered.push((command.clone(), CommandReply::refused("the run ended without an answer")));
                }
                false
            }
        });
        answered
    }

    pub(super) fn hear_events(&mut self) {
        for count in 0..EVENTS_PER_TURN {
            let Some(source) = self.source.as_mut().filter(|s| !s.closed) else { return };
            match source.next() {
                Ok((stamped, true)) => self.tell(Message::History(Box::new(stamped))),
                Ok((stamped, false)) => self.tell(Message::Event(Box::new(stamped))),
                Err(TryRecvError::Empty) => {
                    let later = self.look_again_ms.saturating_mul(2).clamp(POURING_MS, FRAME_MS);
                    self.look_again_ms = if count >= POURING { POURING_MS } else { later };
                    return;
                }
                Err(TryRecvError::Disconnected) => {
                    source.closed = true;
                    // How it ended before says nothing about why it does not go on.
                    let ended = self.state.run().is_some_and(|run| !run.is_live());
                    let cause = if ended { None } else { source.cause.take() };
                    return self.tell(Message::StreamClosed { cause: cause.and_then(|ask| ask()) });
                }
            }
        }
        // There are more already.
        self.look_again_ms = 0;
    }
}
