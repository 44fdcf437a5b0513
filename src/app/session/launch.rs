//! A run on its way: it is prepared on a thread of its own, which tells how far it is, until the screen is attached or nobody wants it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::{self, JoinHandle};

use super::Session;
use crate::app::Launched;
use crate::event::{Command, CommandRequest};
use crate::ui::state::start::StartRequest;
use crate::ui::{Fetching, Message};

/// A run on its way, on a thread of its own.
pub(super) struct Launching {
    pub(super) news: Receiver<LaunchNews>,
    pub(super) cancel: Arc<AtomicBool>,
    pub(super) thread: Option<JoinHandle<()>>,
    /// Whether the run will live in this process.
    pub(super) owned: bool,
}

pub(super) enum LaunchNews {
    Fetching(Fetching),
    Done(Result<Launched, String>),
}

/// What a launch is to bring.
pub(super) enum Errand {
    Start(StartRequest),
    Open(PathBuf),
}

impl Session {
    pub(super) fn launch(&mut self, errand: Errand) {
        self.stop_looking();
        // A run needs the memory that a trial's model may still hold.
        self.player.forget();
        let Some(launcher) = self.launcher.clone() else {
            return self.tell(Message::StartFailed("there is nothing to start here".to_owned()));
        };
        let (news_in, news) = channel();
        let cancel = Arc::new(AtomicBool::new(false));
        let (cancelled, before) = (cancel.clone(), self.abandoned.take());
        let owned = matches!(errand, Errand::Start(_));
        let work = move || {
            // Two preparations would write to the same cache.
            if let Some(before) = before {
                let _ = before.join();
            }
            let progress_in = news_in.clone();
            let progress = move |fetching: Fetching| _ = progress_in.send(LaunchNews::Fetching(fetching));
            let result = match &errand {
                Errand::Start(request) => launcher.start(request, &progress, &cancelled),
                Errand::Open(folder) => launcher.open(folder),
            };
            match result {
                // A run of somebody else is nobody's to stop.
                Ok(_) if !owned && cancelled.load(Ordering::Relaxed) => {}
                // It was cancelled too late: nobody looks at this run, so it must not train on.
                Ok(launched) if cancelled.load(Ordering::Relaxed) => {
                    let _ = launched.handle.commands.send(CommandRequest { command: Command::Stop, reply: None });
                }
                result => _ = news_in.send(LaunchNews::Done(result)),
            }
        };
        match thread::Builder::new().name("finetop-launch".into()).spawn(work) {
            Ok(thread) => self.launching = Some(Launching { news, cancel, thread: Some(thread), owned }),
            Err(e) => self.tell(Message::StartFailed(format!("no thread to prepare the run on: {e}"))),
        }
    }

    pub(super) fn hear_launch(&mut self) {
        // Only the newest report matters, however many came.
        let mut newest = None;
        let done = loop {
            let Some(launching) = &self.launching else { return };
            match launching.news.try_recv() {
                Ok(LaunchNews::Fetching(fetching)) => newest = Some(fetching),
                Ok(LaunchNews::Done(result)) => break Some(result),
                Err(TryRecvError::Empty) => break None,
                Err(TryRecvError::Disconnected) => {
                    break Some(Err("the preparation broke off without a word".to_owned()));
                }
            }
        };
        if let Some(fetching) = newest {
            self.tell(Message::Fetching(fetching));
        }
        match done {
            None => {}
            Some(Ok(launched)) => {
                let owned = self.launching.take().is_some_and(|launching| launching.owned);
                self.attach(launched, owned);
            }
            Some(Err(why)) => {
                self.launching = None;
                self.tell(Message::StartFailed(why));
            }
        }
    }
}
