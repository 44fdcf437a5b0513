//! What the start page wants to know: what there is to start, and what the files of the selected entry are like, each on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use super::Session;
use crate::ui::Message;
use crate::ui::state::start::{Look, StartRequest};

/// A look at an entry's files, on a thread of its own.
pub(super) struct Looking {
    news: Receiver<(u64, Option<Look>)>,
    cancel: Arc<AtomicBool>,
}

impl Session {
    pub(super) fn look(&mut self, ticket: u64, request: StartRequest) {
        self.stop_looking();
        let Some(launcher) = self.launcher.clone() else { return };
        let (found, news) = channel();
        let cancel = Arc::new(AtomicBool::new(false));
        let cancelled = cancel.clone();
        let work = move || _ = found.send((ticket, launcher.look(&request, &cancelled)));
        // Without a thread the page says nothing about the files, which is no reason to stop.
        if thread::Builder::new().name("finetop-look".into()).spawn(work).is_ok() {
            self.looking = Some(Looking { news, cancel });
        }
    }

    pub(super) fn stop_looking(&mut self) {
        if let Some(looking) = self.looking.take() {
            looking.cancel.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn discover(&mut self) {
        let Some(launcher) = self.launcher.clone() else { return };
        let (found, news) = channel();
        let work = move || _ = launcher.entries().map(|entries| found.send(entries));
        if thread::Builder::new().name("finetop-discover".into()).spawn(work).is_ok() {
            self.discovering = Some(news);
        }
    }

    /// Takes in what was found for the start page.
    pub(super) fn hear_page(&mut self) {
        match self.discovering.as_ref().map(|news| news.try_recv()) {
            Some(Ok(entries)) => {
                self.discovering = None;
                self.tell(Message::Entries(entries));
            }
            Some(Err(TryRecvError::Disconnected)) => self.discovering = None,
            Some(Err(TryRecvError::Empty)) | None => {}
        }
        match self.looking.as_ref().map(|looking| looking.news.try_recv()) {
            Some(Ok((ticket, look))) => {
                self.looking = None;
                if let Some(look) = look {
                    self.tell(Message::Looked { ticket, look: Box::new(look) });
                }
            }
            Some(Err(TryRecvError::Disconnected)) => self.looking = None,
            Some(Err(TryRecvError::Empty)) | None => {}
        }
    }
}
