//! Many extractions at once: each goes its own way through `fix`, and the calls of those that are under way are answered together, which a
//! local model does in a fraction of the time. Who answers is the provider's business.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use super::attempt::Trace;
use super::fix::{self, Ask};
use super::provider::{Completion, Heard, Provider, ProviderError, Request};

/// So many rows at once are asked of a local model, unless somebody says otherwise.
pub const AT_ONCE: usize = 32;

/// What an extraction says to whoever has the provider.
enum Said {
    Call(Request, Sender<Result<Completion, ProviderError>>),
    Done(usize, Box<Trace>),
    /// There is nothing left to begin.
    Left,
}

/// A provider that passes its calls on.
struct Desk {
    said: Sender<Said>,
}

impl Provider for Desk {
    fn complete(
        &mut self,
        request: &Request,
        _: &mut dyn FnMut(Heard) -> ControlFlow<()>,
    ) -> Result<Completion, ProviderError> {
        let gone = || ProviderError::Unusable("nobody answers any more".into());
        let (answer, answered) = channel();
        self.said.send(Said::Call(request.clone(), answer)).map_err(|_| gone())?;
        answered.recv().unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Desk {
    // Also after a panic: the others must not wait for it.
    fn drop(&mut self) {
        let _ = self.said.send(Said::Left);
    }
}

/// Extracts `count` values, `ask` telling what each is, at most `at_once` at a time. `done` gets each trace in the order of their numbers and
/// ends the work by breaking, as `waits` does, which is called ten times a second; what is under way then comes to nothing.
pub fn extract_all(
    count: usize,
    at_once: usize,
    ask: &(dyn Fn(usize) -> Ask + Sync),
    provider: &mut dyn Provider,
    waits: &mut dyn FnMut() -> ControlFlow<()>,
    done: &mut dyn FnMut(Trace) -> ControlFlow<()>,
) {
    // Those that were done before one that stands before them, and how many were told.
    let (mut early, mut told) = (BTreeMap::new(), 0);
    let next = AtomicUsize::new(0);
    let (said, heard) = channel();
    let work = |said: Sender<Said>| {
        let mut desk = Desk { said: said.clone() };
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return;
            }
            let trace = fix::extract(&ask(at), &mut desk, &mut |_| ControlFlow::Continue(()));
            let _ = said.send(Said::Done(at, Box::new(trace)));
        }
    };
    thread::scope(|scope| {
        let begin = |n: usize| {
            let said = said.clone();
            let body = || work(said);
            thread::Builder::new().name(format!("finetop-extract-{n}")).spawn_scoped(scope, body).is_ok()
        };
        // Fewer threads than asked for do the same work.
        let mut working = (0..at_once.min(count)).take_while(|n| begin(*n)).count();
        drop(said);
        let (mut calls, mut is_over) = (Vec::new(), false);
        while working > 0 {
            let Ok(heard) = heard.recv() else { break };
            match heard {
                Said::Call(request, answer) => calls.push((request, answer)),
                Said::Done(..) if is_over => {}
                Said::Done(at, trace) => {
                    early.insert(at, *trace);
                    while let Some(trace) = early.remove(&told).filter(|_| !is_over) {
                        told += 1;
                        is_over = done(trace).is_break();
                    }
                }
                Said::Left => working -= 1,
            }
            if is_over {
                next.store(count, Ordering::Relaxed);
                calls.clear();
            } else if !calls.is_empty() && calls.len() == working {
                let (requests, answers): (Vec<_>, Vec<_>) = calls.drain(..).unzip();
                let mut asked = || {
                    is_over = waits().is_break();
                    if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                };
                for (answer, completion) in answers.into_iter().zip(provider.complete_all(&requests, &mut asked)) {
                    let _ = answer.send(completion);
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use jiff::civil::DateTime;
    use serde_json::json;

    use super::*;
    use crate::extract::provider::Finish;
    use crate::extract::schema::Schema;

    /// Answers with the number that the text asks for, in quotes of no JSON the first time; notes how many calls came together.
    struct Counting {
        together: Vec<usize>,
    }

    fn completion(request: &Request) -> Completion {
        let said = &request.messages[0].content;
        let number = said.rsplit("number ").next().unwrap_or_default().split_whitespace().next().unwrap_or_default();
        let again = said.contains("found");
        Completion {
            text: if again { number.to_owned() } else { format!("none yet, {number}?!") },
            prompt_tokens: Some(1),
            completion_tokens: Some(1),
            finish: Finish::Stop,
            prompt: said.clone(),
        }
    }

    impl Provider for Counting {
        fn complete(
            &mut self,
            request: &Request,
            _: &mut dyn FnMut(Heard) -> ControlFlow<()>,
        ) -> Result<Completion, ProviderError> {
            Ok(completion(request))
        }

        fn complete_all(
            &mut self,
            requests: &[Request],
            waits: &mut dyn FnMut() -> ControlFlow<()>,
        ) -> Vec<Result<Completion, ProviderError>> {
            self.together.push(requests.len());
            let is_over = waits().is_break();
            let finish = if is_over { Finish::Cancelled } else { Finish::Stop };
            requests.iter().map(|request| Ok(Completion { finish, ..completion(request) })).collect()
        }
    }

    fn ask(at: usize) -> Ask {
        let schema = Schema::from_value(&json!({"type": "integer", "minimum": 1000})).unwrap();
        Ask::new(schema, format!("number {}", 1000 + at), DateTime::constant(2026, 11, 30, 9, 0, 0, 0))
    }

    fn goes_on() -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn all(count: usize, at_once: usize) -> (Vec<Trace>, Vec<usize>) {
        let (mut provider, mut traces) = (Counting { together: Vec::new() }, Vec::new());
        extract_all(count, at_once, &ask, &mut provider, &mut goes_on, &mut |trace| {
            traces.push(trace);
            goes_on()
        });
        (traces, provider.together)
    }

    #[test]
    fn calls_that_are_under_way_are_answered_together_and_come_to_what_each_alone_does() {
        let (traces, together) = all(10, 4);
        assert_eq!((traces.len(), together[0]), (10, 4));
        for (at, trace) in traces.iter().enumerate() {
            let mut alone = Counting { together: Vec::new() };
            let alone = fix::extract(&ask(at), &mut alone, &mut |_| ControlFlow::Continue(()));
            assert_eq!((&trace.value, trace.totals.calls), (&alone.value, alone.totals.calls));
        }
        assert_eq!(together.iter().sum::<usize>() as u64, traces.iter().map(|trace| trace.totals.calls).sum::<u64>());
        assert!(all(0, 4).0.is_empty() && all(1, 4).0.len() == 1);
    }

    #[test]
    fn who_listens_ends_the_work() {
        let (mut provider, mut heard) = (Counting { together: Vec::new() }, 0);
        extract_all(1000, 4, &ask, &mut provider, &mut goes_on, &mut |_| {
            heard += 1;
            if heard == 5 { ControlFlow::Break(()) } else { goes_on() }
        });
        assert_eq!(heard, 5);

        let (mut provider, mut waited, mut heard) = (Counting { together: Vec::new() }, 0, 0);
        let mut waits = || {
            waited += 1;
            if waited == 3 { ControlFlow::Break(()) } else { goes_on() }
        };
        extract_all(1000, 4, &ask, &mut provider, &mut waits, &mut |_| {
            heard += 1;
            goes_on()
        });
        // Two answers make a value here.
        assert!(heard <= 4 && provider.together.len() == 3, "{heard} {:?}", provider.together);
    }
}
