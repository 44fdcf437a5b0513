//! The rows of a generation: which are live, which wait, which are put off while memory is short. Prompts go through the decoder packed, long
//! ones first; then each pass is one token of every live row, and where rows have ended others take their places.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use candle_core::{Error, Result};

use super::beam::{Beams, Step};
use super::cache::RowCache;
use super::pass::{Engine, Lane};
use super::pick::{draw, pick};
use super::{Decoding, Done, Ended, Event, Request, Rules, Totals};
use crate::memory::ledger::{Ledger, Phase};
use crate::model::adapter::Adapter;
use crate::model::decoder::Decoder;
use crate::model::frozen::Products;
use crate::model::oom::exhausted;

/// Prompt tokens of a pass, unless one prompt alone has more: enough that the weights are expanded for many, and bounded memory.
pub const PREFILL_TOKENS: usize = 1024;
/// Rows are taken up when an eighth of the places is free: prompts of a few rows cost little more than that of one.
const REFILL: usize = 8;

/// Continues every request, `batch` rows at a time (a row of beams counts as many), and tells `sink` each token and each row that is done;
/// it may end everything by `Break`.
///
/// A row's tokens do not depend on which rows are computed beside it: on a CPU each number is computed the same way, byte for byte, in any batch of
/// more than one place. A batch of one place multiplies otherwise (quicker for one row), which differs in rounding; and a row that was put off
/// while memory was short computes its cache anew as a prompt's, which does too.
/// # Errors
/// Settings that do not go together; an empty prompt, one longer than the model's context, a token outside the vocabulary; memory that does not even
/// suffice for one row (an out-of-memory as `oom::exhausted` knows it); whatever the device says.
pub fn generate_all(
    decoder: &Decoder,
    adapter: Option<&Adapter>,
    requests: &[Request],
    how: &Decoding,
    batch: usize,
    rules: &Rules,
    sink: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Totals> {
    how.check().map_err(Error::msg)?;
    if rules.mask.is_some() && how.num_beams > 1 {
        candle_core::bail!("beams are not masked: num_beams is {}; expected 1", how.num_beams);
    }
    check(decoder, requests)?;
    let products = match (batch.max(1) * how.num_beams, how.fast) {
        (1, true) => Products::Fast,
        (1, false) => Products::Stream,
        _ => Products::Panels,
    };
    let engine = Engine { decoder, adapter, products };
    let mut rows = Rows {
        engine,
        how,
        rules,
        waiting: waiting(decoder, requests, how),
        live: Vec::new(),
        places: (batch / how.num_beams).max(1),
        totals: Totals::default(),
    };
    let phase = decoder.ledger.phase();
    decoder.ledger.set_phase(Phase::Generate);
    let ended = rows.run(sink);
    decoder.ledger.set_layer(None);
    let totals = rows.totals;
    drop(rows);
    decoder.ledger.set_phase(phase);
    ended.map(|()| totals)
}

fn check(decoder: &Decoder, requests: &[Request]) -> Result<()> {
    let (context, vocabulary) = (decoder.spec.shape.max_position_embeddings, decoder.embedding.out_features);
    for Request { tokens, row } in requests {
        if tokens.is_empty() || tokens.len() >= context {
            candle_core::bail!("row {row}: a prompt has 1 to {} tokens, this one has {}", context - 1, tokens.len());
        }
        if let Some(token) = tokens.iter().find(|t| **t as usize >= vocabulary) {
            candle_core::bail!("row {row}: token {token} is not below the model's vocabulary of {vocabulary}");
        }
    }
    Ok(())
}

/// A request on its way.
struct Job<'a> {
    index: usize,
    request: &'a Request,
    /// The most tokens that it may get.
    room: usize,
    new: Vec<u32>,
    /// One, or a lane for each beam; none while it waits.
    lanes: Vec<Lane>,
    /// For each beam that goes on, the lane that it continues and its newest token.
    turns: Vec<(usize, u32)>,
    beams: Option<Beams>,
    started: Option<Instant>,
}

/// All requests, the longest prompts first: their attention is as long while they are in one batch.
fn waiting<'a>(decoder: &Decoder, requests: &'a [Request], how: &Decoding) -> VecDeque<Job<'a>> {
    let context = decoder.spec.shape.max_position_embeddings;
    let mut jobs: Vec<_> = requests
        .iter()
        .enumerate()
        .map(|(index, request)| Job {
            index,
            request,
            room: how.max_new_tokens.min(context - request.tokens.len()),
            new: Vec::new(),
            lanes: Vec::new(),
            turns: Vec::new(),
            beams: None,
            started: None,
        })
        .collect();
    jobs.sort_by_key(|job| std::cmp::Reverse(job.request.tokens.len()));
    jobs.into()
}

impl Job<'_> {
    /// Everything that its cache is to hold before the first step: the prompt, and what it had got when it was put off.
    fn prompt(&self) -> Vec<u32> {
        self.request.tokens.iter().chain(&self.new).copied().collect()
    }

    /// Gives its memory back, until it is taken up again from the tokens that it has.
    fn put_off(&mut self) {
        self.lanes.clear();
        self.turns.clear();
        self.beams = None;
    }

    /// Lanes ready for the next token: beams in their new order, room in each cache.
    /// # Errors
    /// No room; nothing has changed for who tries again.
    fn prepare(&mut self, engine: &Engine, ledger: &Ledger) -> Result<()> {
        let kind = engine.cache_kind();
        if !self.turns.is_empty() {
            // A beam takes its parent's cache; further children of the same parent take copies, made before anything is moved.
            let mut taken = vec![false; self.lanes.len()];
            let mut copies = Vec::with_capacity(self.turns.len());
            for (parent, _) in &self.turns {
                let first = !std::mem::replace(&mut taken[*parent], true);
                let cache = &self.lanes[*parent].cache;
                copies.push(if first { None } else { Some(cache.copied(&kind, cache.len + 1, ledger)?) });
            }
            let mut caches: Vec<Option<RowCache>> = self.lanes.drain(..).map(|lane| Some(lane.cache)).collect();
            for ((parent, token), copy) in self.turns.drain(..).zip(copies) {
                if let Some(cache) = copy.or_else(|| caches[parent].take()) {
                    self.lanes.push(Lane { cache, next: vec![token] });
                }
            }
        }
        self.lanes.iter_mut().try_for_each(|lane| {
            let tokens = lane.cache.len + lane.next.len();
            lane.cache.reserve(&kind, tokens, ledger)
        })
    }
}

struct Rows<'a> {
    engine: Engine<'a>,
    how: &'a Decoding,
    rules: &'a Rules<'a>,
    waiting: VecDeque<Job<'a>>,
    live: Vec<Job<'a>>,
    /// Rows that may be live at once: fewer after memory was short.
    places: usize,
    totals: Totals,
}

type Sink<'s> = &'s mut dyn FnMut(Event) -> ControlFlow<()>;

impl<'a> Rows<'a> {
    fn run(&mut self, sink: Sink) -> Result<()> {
        loop {
            let free = self.places.saturating_sub(self.live.len());
            let refill = free >= (self.places / REFILL).max(1) && !self.waiting.is_empty();
            let flow = match (self.live.is_empty(), self.waiting.is_empty()) {
                (true, true) => return Ok(()),
                (true, false) => self.admit(free.max(1), sink)?,
                (false, _) if refill => self.admit(free, sink)?,
                (false, _) => self.step(sink)?,
            };
            if flow.is_break() {
                self.totals.cancelled = true;
                return Ok(());
            }
        }
    }

    /// Takes up to `most` waiting rows: their prompts in one pass. Fewer, or none beside the live ones, where memory is short.
    fn admit(&mut self, most: usize, sink: Sink) -> Result<ControlFlow<()>> {
        let mut most = most;
        loop {
            let mut taken = Vec::new();
            let mut tokens = 0;
            while let Some(job) = self.waiting.front().filter(|_| taken.len() < most) {
                tokens += job.request.tokens.len() + job.new.len();
                if !taken.is_empty() && tokens > PREFILL_TOKENS {
                    break;
                }
                taken.extend(self.waiting.pop_front());
            }
            let started = Instant::now();
            if taken.iter().any(|job| job.room == 0) {
                return self.finish_empty(taken, sink);
            }
            match self.prefill(&mut taken, sink) {
                Ok(hidden) => {
                    let Some(hidden) = hidden else { return Ok(ControlFlow::Break(())) };
                    let flow = self.choose(&hidden, &mut taken, sink);
                    self.totals.prefill += started.elapsed();
                    return self.settle(flow, taken, sink);
                }
                Err(e) if exhausted(&e).is_some() && (taken.len() > 1 || !self.live.is_empty()) => {
                    most = taken.len() / 2;
                    taken.iter_mut().for_each(Job::put_off);
                    for job in taken.into_iter().rev() {
                        self.waiting.push_front(job);
                    }
                    if most == 0 {
                        self.places = self.live.len();
                        return Ok(ControlFlow::Continue(()));
                    }
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// The prompts of rows through the decoder; `None` where `sink` broke it off.
    fn prefill(&mut self, jobs: &mut [Job<'a>], sink: Sink) -> Result<Option<candle_core::Tensor>> {
        let (kind, ledger) = (self.engine.cache_kind(), &self.engine.decoder.ledger);
        for job in jobs.iter_mut() {
            let next = job.prompt();
            job.lanes = vec![Lane { cache: RowCache::new(&kind, next.len() + 1, ledger)?, next }];
            job.beams = (self.how.num_beams > 1).then(|| Beams::new(self.how.num_beams));
            job.started.get_or_insert_with(Instant::now);
        }
        let mut lanes: Vec<_> = jobs.iter_mut().flat_map(|job| &mut job.lanes).collect();
        let hidden = self.engine.advance(&mut lanes, &mut || sink(Event::Reading))?;
        if hidden.is_some() {
            self.totals.prompt_tokens += lanes.iter().map(|lane| lane.next.len() as u64).sum::<u64>();
        }
        Ok(hidden)
    }

    /// Rows of which some may get no token at all: those are done, the others wait on.
    fn finish_empty(&mut self, taken: Vec<Job<'a>>, sink: Sink) -> Result<ControlFlow<()>> {
        let (empty, others): (Vec<_>, Vec<_>) = taken.into_iter().partition(|job| job.room == 0);
        for job in others.into_iter().rev() {
            self.waiting.push_front(job);
        }
        for job in empty {
            let (tokens, duration) = (Vec::new(), Duration::ZERO);
            let done = Done { index: job.index, tokens, ended: Ended::Limit, duration };
            if sink(Event::Done(done)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// One token of every live row. Where memory is short, the row that has the fewest new tokens is put off.
    fn step(&mut self, sink: Sink) -> Result<ControlFlow<()>> {
        let started = Instant::now();
        let ledger = &self.engine.decoder.ledger;
        let prepared = self.live.iter_mut().try_for_each(|job| job.prepare(&self.engine, ledger));
        let advanced = prepared.and_then(|()| {
            let mut lanes: Vec<_> = self.live.iter_mut().flat_map(|job| &mut job.lanes).collect();
            // A token a row takes little.
            self.engine.advance(&mut lanes, &mut || ControlFlow::Continue(()))
        });
        let hidden = match advanced {
            Ok(Some(hidden)) => hidden,
            Ok(None) => return Ok(ControlFlow::Break(())),
            Err(e) if exhausted(&e).is_some() && self.live.len() > 1 => return Ok(self.put_one_off(sink)),
            Err(e) => return Err(e),
        };
        let mut jobs = std::mem::take(&mut self.live);
        let rows = jobs.len() as u64;
        let flow = self.choose(&hidden, &mut jobs, sink);
        self.totals.decode += started.elapsed();
        self.totals.decoded_tokens += rows;
        self.settle(flow, jobs, sink)
    }

    fn put_one_off(&mut self, sink: Sink) -> ControlFlow<()> {
        let fewest = self.live.iter().enumerate().min_by_key(|(_, job)| job.new.len()).map_or(0, |(i, _)| i);
        let mut job = self.live.remove(fewest);
        job.put_off();
        self.waiting.push_front(job);
        self.places = self.live.len();
        self.totals.put_off += 1;
        sink(Event::PutOff { rows: 1 })
    }

    /// What comes of choosing tokens for `jobs`: they are live, or put off where there was no room for logits.
    fn settle(
        &mut self,
        chosen: Result<ControlFlow<()>>,
        mut jobs: Vec<Job<'a>>,
        sink: Sink,
    ) -> Result<ControlFlow<()>> {
        match chosen {
            Err(e) if exhausted(&e).is_some() && jobs.len() + self.live.len() > 1 => {
                // The pass is done, but its tokens are not chosen: all begin again from what they have, fewer at a time.
                let rows = jobs.len();
                jobs.iter_mut().for_each(Job::put_off);
                for job in jobs.into_iter().rev() {
                    self.waiting.push_front(job);
                }
                self.places = (self.live.len() + rows / 2).max(1);
                self.totals.put_off += rows as u64;
                Ok(sink(Event::PutOff { rows }))
            }
            Err(e) => Err(e),
            Ok(flow) => {
                self.live.extend(jobs);
                Ok(flow)
            }
        }
    }

    /// The next token of each job, from the hidden states of its lanes; jobs that are done leave.
    /// # Errors
    /// No room for logits, before any job has changed; logits that are no numbers.
    fn choose(&self, hidden: &candle_core::Tensor, jobs: &mut Vec<Job<'a>>, sink: Sink) -> Result<ControlFlow<()>> {
        let how = self.how;
        let ends: Vec<Option<(Vec<u32>, Ended)>> = if how.num_beams > 1 {
            let owners: Vec<_> =
                jobs.iter().enumerate().flat_map(|(j, job)| (0..job.lanes.len()).map(move |lane| (j, lane))).collect();
            let scored = self.engine.with_logits(hidden, |row, logits| {
                let (job, lane) = (&jobs[owners[row].0], owners[row].1);
                let beams = job.beams.as_ref().map(|beams| beams.scored(lane, logits, &job.request.tokens, how));
                Ok(beams.unwrap_or_default())
            })?;
            let mut scored = scored.into_iter();
            jobs.iter_mut()
                .map(|job| job.search(scored.by_ref().take(job.lanes.len()).collect(), how, self.rules.stop))
                .collect()
        } else {
            let greedy = how.temperature <= 0.0 && how.no_repeat_ngram_size == 0 && self.rules.mask.is_none();
            let tokens = if greedy {
                self.engine.likeliest(hidden)?
            } else {
                self.engine.with_logits(hidden, |row, logits| {
                    let job = &jobs[row];
                    if let Some(mask) = self.rules.mask {
                        mask(job.index, &job.new, logits)?;
                    }
                    pick(logits, &job.prompt(), how, draw(how.seed, job.request.row, job.new.len()))
                })?
            };
            let mut ends = Vec::with_capacity(jobs.len());
            let mut flow = ControlFlow::Continue(());
            for (job, token) in jobs.iter_mut().zip(tokens) {
                let ended = job.take(token, how, self.rules.stop);
                if ended != Some(Ended::EndToken) && flow.is_continue() {
                    flow = sink(Event::Token { index: job.index, token });
                }
                ends.push(ended.map(|ended| (std::mem::take(&mut job.new), ended)));
            }
            if flow.is_break() {
                return Ok(flow);
            }
            ends
        };
        let mut ends = ends.into_iter();
        let mut flow = ControlFlow::Continue(());
        jobs.retain(|job| {
            let Some((tokens, ended)) = ends.next().flatten() else { return true };
            let duration = job.started.map_or(Duration::ZERO, |started| started.elapsed());
            if flow.is_continue() {
                flow = sink(Event::Done(Done { index: job.index, tokens, ended, duration }));
            }
            false
        });
        Ok(flow)
    }
}

impl Job<'_> {
    /// One more token; why it was the last, if it was.
    fn take(&mut self, token: u32, how: &Decoding, stop: &dyn Fn(usize, &[u32]) -> bool) -> Option<Ended> {
        if how.end_tokens.contains(&token) {
            return Some(Ended::EndToken);
        }
        self.new.push(token);
        if let Some(lane) = self.lanes.first_mut() {
            lane.next = vec![token];
        }
        if stop(self.index, &self.new) {
            return Some(Ended::Stop);
        }
        (self.new.len() >= self.room).then_some(Ended::Limit)
    }

    /// One step of its beams; what it found and why it ended, if it did.
    fn search(
        &mut self,
        scored: Vec<Vec<(f32, u32)>>,
        how: &Decoding,
        stop: &dyn Fn(usize, &[u32]) -> bool,
    ) -> Option<(Vec<u32>, Ended)> {
        let index = self.index;
        match self.beams.as_mut()?.step(&scored, how, self.room, &|tokens| stop(index, tokens)) {
            Step::On(turns) => {
                self.turns = turns;
                None
            }
            Step::Done(tokens, ended) => Some((tokens, ended)),
        }
    }
}
