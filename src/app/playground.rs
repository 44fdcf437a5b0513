//! Makes the playground's trials: one at a time, on a thread that keeps the local model between them, and tells what happens as it does.
//! How one is made is `maker`'s business, what can be chosen from `look`'s, the file of trials that of `trials`. What a trial is, is in
//! `ui::state::playground`.

mod look;
mod maker;
#[cfg(test)]
mod tests;
pub(super) mod trials;

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

pub(super) use self::look::look;
use self::maker::{Maker, Model};
use super::panic_text;
use crate::event::CommandRequest;
use crate::memory::probe;
use crate::ui::state::playground::trial::{News, TrialAsk};

/// What the thread is told to do.
enum Order {
    Make(u64, Box<TrialAsk>, Option<Sender<CommandRequest>>, Arc<AtomicBool>),
    /// Lets go of the model.
    Forget,
}

/// What the thread is told by, and what it tells by.
type Ends = (Sender<Order>, Receiver<(u64, News)>);

/// Makes trials, on a thread that begins with the first one.
#[derive(Default)]
pub(super) struct Player {
    thread: Option<Ends>,
    cancel: Arc<AtomicBool>,
    /// Trials that are not over.
    open: usize,
    /// What there is to say without a thread.
    failed: Vec<(u64, News)>,
}

impl Player {
    pub fn is_busy(&self) -> bool {
        self.open > 0 || !self.failed.is_empty()
    }

    /// `run` is where a run is spoken to that may be asked.
    pub fn begin(&mut self, ticket: u64, ask: Box<TrialAsk>, run: Option<Sender<CommandRequest>>) {
        // One that nobody waits for must not hold this one up.
        self.cancel();
        self.cancel = Arc::new(AtomicBool::new(false));
        let order = Order::Make(ticket, ask, run, self.cancel.clone());
        if self.thread.is_none() {
            let (orders, taken) = channel();
            let (told, news) = channel();
            let work = move || work(&taken, &told);
            match thread::Builder::new().name("finetop-trial".into()).spawn(work) {
                Ok(_) => self.thread = Some((orders, news)),
                Err(e) => {
                    let why = format!("no thread to make a trial on: {e}");
                    return self.failed.push((ticket, News::Over(Err(why))));
                }
            }
        }
        let sent = self.thread.as_ref().is_some_and(|(orders, _)| orders.send(order).is_ok());
        if sent {
            self.open += 1;
        } else {
            self.thread = None;
            self.failed.push((ticket, News::Over(Err("the thread that makes trials is gone".into()))));
        }
    }

    pub fn cancel(&self) {
        self.cancel.store(true, Ordering::Relaxed);
    }

    pub fn forget(&mut self) {
        self.cancel();
        if let Some((orders, _)) = &self.thread {
            let _ = orders.send(Order::Forget);
        }
    }

    /// What was told since the last time; pieces of text that follow each other are one.
    pub fn hear(&mut self) -> Vec<(u64, News)> {
        let mut heard = std::mem::take(&mut self.failed);
        let Some((_, news)) = &self.thread else { return heard };
        for (ticket, news) in news.try_iter() {
            self.open -= usize::from(matches!(news, News::Over(_)));
            match (heard.last_mut(), news) {
                (Some((last, News::Text { text, pieces })), News::Text { text: more, pieces: added })
                    if *last == ticket =>
                {
                    text.push_str(&more);
                    *pieces += added;
                }
                (_, news) => heard.push((ticket, news)),
            }
        }
        heard
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.cancel();
    }
}

fn work(orders: &Receiver<Order>, told: &Sender<(u64, News)>) {
    let mut kept: Option<Model> = None;
    for order in orders {
        let Order::Make(ticket, ask, run, cancel) = order else {
            kept = None;
            continue;
        };
        let tell = |news: News| _ = told.send((ticket, news));
        let made = || Maker::new(&ask, run.as_ref(), &cancel, &tell).whole(&mut kept);
        // A bug on the way must not keep training waiting for ever.
        let made = panic::catch_unwind(AssertUnwindSafe(made))
            .unwrap_or_else(|cause| Err(format!("the trial broke: {}", panic_text(cause.as_ref()))));
        if made.is_err() || !ask.keep_model {
            kept = None;
        }
        // What training holds is measured by the resident set.
        probe::give_back_freed();
        tell(News::Over(made));
    }
}
