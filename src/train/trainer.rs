//! The loop: steps of micro-batches, evals and checkpoints at their places, commands between micro-batches. It never generates text.
//! What it says goes to an `EventSink`; where its thread, log and folder come from is `run`'s business.

use std::time::{Duration, Instant};

use super::accumulate::Steps;
use super::checkpoint::{self, Best, Checkpoints, TrainerState};
use super::evaluate::{EvalError, Most, packed, split_loss};
use super::optimizer::{AdamW, clip_factor, grad_norm};
use super::orders::{Live, Orders, Stop, answer};
use super::schedule::Schedule;
use super::shortage::{Place, Shortage};
use crate::config::RunConfig;
use crate::data::batch::epoch_order;
use crate::data::dataset::{Dataset, DatasetError};
use crate::event::*;
use crate::memory::ledger::{Ledger, Phase};
use crate::memory::probe;
use crate::model::adapter::{Adapter, AdapterError};
use crate::model::decoder::{Decoder, Packed, TrainPass};
use crate::model::device_memory;

/// Why training ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error(transparent)]
    Data(#[from] DatasetError),
    #[error(transparent)]
    Checkpoint(#[from] AdapterError),
    #[error("step {step}: {source}")]
    Engine { step: u64, source: candle_core::Error },
    #[error(
        "step {step}: the loss is {loss}; a lower train.learning_rate, warmup_steps or max_grad_norm usually keeps it finite"
    )]
    NotFinite { step: u64, loss: f64 },
    /// The trainer stands where it stood after its last whole step, and may run again, as it is or with other settings.
    #[error(transparent)]
    OutOfMemory(Box<Shortage>),
}

/// How training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    pub reason: FinishReason,
    pub steps: u64,
}

/// What training has come to after a whole step: it goes on from here, with other settings too.
pub struct Progress {
    pub adapter: Adapter,
    pub optimizer: AdamW,
    /// Optimizer steps done.
    step: u64,
    best: Option<Best>,
    saved: Option<(u64, checkpoint::SavedAt)>,
    evaluated: Option<u64>,
    /// The eval and the checkpoint of this step that are still to be made.
    eval_due: bool,
    save_due: bool,
}

impl Progress {
    /// Before the first step, with the eval before training still to come.
    /// # Errors
    /// Whatever the device says to new moments.
    pub fn new(adapter: Adapter, config: &RunConfig, ledger: &Ledger) -> Result<Self, candle_core::Error> {
        let optimizer = AdamW::new(&adapter, config.train.weight_decay, ledger)?;
        let (step, best, saved, evaluated) = (0, None, None, None);
        Ok(Progress { adapter, optimizer, step, best, saved, evaluated, eval_due: true, save_due: false })
    }

    pub fn step(&self) -> u64 {
        self.step
    }

    /// Whether anything would be lost if the run ended here.
    pub fn is_saved(&self) -> bool {
        // A best eval whose save did not fit is still to be saved as the best.
        let saved = self.saved.as_ref().is_some_and(|(step, _)| *step == self.step);
        self.step == 0 || (saved && !self.save_due)
    }

    /// Where the checkpoint of this step lies, relative to the run's folder.
    pub fn saved_path(&self) -> Option<&str> {
        self.saved.as_ref().filter(|(step, _)| *step == self.step).map(|(_, at)| at.path.as_str())
    }

    /// Another adapter, made when the one before it is gone, for a run that has learned nothing yet: it changes as little as the one before it.
    /// # Errors
    /// Whatever the device says to a new adapter and new moments.
    pub fn replaced(
        self,
        make: impl FnOnce() -> Result<Adapter, AdapterError>,
        config: &RunConfig,
        ledger: &Ledger,
    ) -> Result<Self, AdapterError> {
        let Progress { evaluated, eval_due, adapter, optimizer, .. } = self;
        // Two adapters with their moments at once are what there may be no room for.
        drop((adapter, optimizer));
        Ok(Progress { evaluated, eval_due, ..Progress::new(make()?, config, ledger)? })
    }
}

/// A run's training: the base, its adapter, and where they stand.
pub struct Trainer<'a> {
    pub config: &'a RunConfig,
    pub decoder: &'a Decoder,
    pub train: &'a Dataset,
    pub eval: Option<&'a Dataset>,
    pub(super) at: Progress,
    steps: Steps,
    schedule: Schedule,
    /// The rows of one epoch in the order of training.
    order: Option<(u64, Vec<u32>)>,
    /// What an eval batch may have, so that eval never needs more memory than training.
    pub(super) eval_most: Most,
}

impl<'a> Trainer<'a> {
    pub fn new(
        config: &'a RunConfig,
        decoder: &'a Decoder,
        train: &'a Dataset,
        eval: Option<&'a Dataset>,
        at: Progress,
    ) -> Self {
        let steps = Steps::new(train.len(), &config.train);
        let schedule = Schedule {
            kind: config.train.lr_scheduler_type,
            learning_rate: config.train.learning_rate,
            warmup_steps: config.train.warmup_steps as u64,
            total_steps: steps.planned,
        };
        let eval_most = Most::of(train, config.train.per_device_train_batch_size);
        Trainer { config, decoder, train, eval, at, steps, schedule, order: None, eval_most }
    }

    pub fn planned_steps(&self) -> u64 {
        self.steps.planned
    }

    /// Where training stands, for a trainer with other settings.
    pub fn into_progress(self) -> Progress {
        self.at
    }

    pub fn progress(&self) -> &Progress {
        &self.at
    }

    /// Goes on from a checkpoint whose adapter this trainer was made with. What the log knows of evals counts: one on command may come
    /// after its step was saved, and one that was due may have been dropped. `best` is the best one, `evaluated` whether this step has its own.
    /// # Errors
    /// Moments that are missing or lie; a checkpoint of other training data.
    pub fn restore(&mut self, folder: &std::path::Path, best: Option<Best>, evaluated: bool) -> Result<(), TrainError> {
        let state = checkpoint::read_state(folder)?;
        if state.train_fingerprint != self.train.fingerprint() {
            let what = format!(
                "was saved while training on other rows than {} has now; a resumed run needs the same data",
                self.train.path().display()
            );
            return Err(AdapterError::Content { file: folder.join(checkpoint::STATE_FILE), what }.into());
        }
        checkpoint::read_moments(folder, &self.at.adapter, &mut self.at.optimizer, state.step)?;
        self.at.step = state.step;
        self.at.best = best.or(state.best);
        self.at.evaluated = evaluated.then_some(state.step);
        self.at.eval_due = self.at.step == 0 || self.eval_is_due();
        Ok(())
    }

    /// Trains until the planned steps are done or a command ends it. `run_started` was said before, `run_finished` is said after.
    /// What is left to do is rehearsed first: see [`Trainer::rehearse`].
    /// # Errors
    /// Data that cannot be read any more, a device that gives up, a loss that is not finite, a checkpoint that cannot be written.
    /// After an out-of-memory the trainer stands as it did after the last whole step; what was due then is made when it runs again.
    pub fn run(
        &mut self,
        sink: &mut dyn EventSink,
        orders: &mut Orders,
        checkpoints: &mut dyn Checkpoints,
    ) -> Result<Ended, TrainError> {
        if self.at.step < self.steps.planned {
            self.rehearse()?;
            orders.look(self.at.step, Some(self.live()));
        }
        self.settle(sink, orders, checkpoints)?;
        while self.at.step < self.steps.planned && orders.stop() == Stop::No {
            let step = self.at.step + 1;
            if !self.one_step(step, sink, orders)? {
                break;
            }
            self.at.step = step;
            self.at.save_due = self.is_due(self.config.train.save_steps);
            self.at.eval_due = self.eval_is_due();
            self.settle(sink, orders, checkpoints)?;
        }
        // A last eval that was dropped on command is still to be made.
        if self.at.step == self.steps.planned && !self.eval_is_due() {
            return Ok(Ended { reason: FinishReason::Completed, steps: self.at.step });
        }
        self.save(sink, checkpoints)?;
        self.obey(sink, orders, checkpoints)?;
        Ok(Ended { reason: FinishReason::Stopped, steps: self.at.step })
    }

    /// Makes what is due at the end of a step: the eval, the checkpoint, and what was ordered.
    fn settle(
        &mut self,
        sink: &mut dyn EventSink,
        orders: &mut Orders,
        checkpoints: &mut dyn Checkpoints,
    ) -> Result<(), TrainError> {
        if self.at.eval_due {
            self.at.save_due |= self.evaluate(sink, orders)?;
            self.at.eval_due = false;
        }
        if self.at.save_due {
            self.save(sink, checkpoints)?;
            self.at.save_due = false;
        }
        self.obey(sink, orders, checkpoints)
    }

    /// What an error of the engine is: an out-of-memory, or the end.
    pub(super) fn failure(&self, place: Place, source: candle_core::Error) -> TrainError {
        match Shortage::of(&source, place, &self.decoder.ledger) {
            Some(shortage) => TrainError::OutOfMemory(Box::new(shortage)),
            None => TrainError::Engine { step: place.step, source },
        }
    }

    /// Whether what happens every `every` steps (0: only at the end) happens after the step that was done last.
    fn is_due(&self, every: usize) -> bool {
        self.at.step == self.steps.planned || (every > 0 && self.at.step.is_multiple_of(every as u64))
    }

    fn eval_is_due(&self) -> bool {
        let has_rows = self.eval.is_some_and(|e| e.len() > 0);
        has_rows && self.is_due(self.config.train.eval_steps) && self.at.evaluated != Some(self.at.step)
    }

    /// The model as it stands.
    pub fn live(&self) -> Live<'_> {
        Live { decoder: self.decoder, adapter: &self.at.adapter }
    }

    pub(super) fn zero_grads(&mut self) -> Result<(), candle_core::Error> {
        self.at.adapter.groups_mut().flat_map(|g| g.params_mut()).try_for_each(|param| param.zero_grad())
    }

    /// The rows of a micro-batch, packed.
    fn pack(&mut self, step: u64, places: std::ops::Range<usize>, first_in_step: usize) -> Result<Packed, TrainError> {
        let epoch = self.steps.epoch(step);
        if self.order.as_ref().is_none_or(|(e, _)| *e != epoch) {
            let data = &self.config.data;
            self.order = Some((epoch, epoch_order(self.config.train.seed, epoch, self.train.len(), data.shuffle)));
        }
        let rows = self.order.as_ref().map_or(&[][..], |(_, order)| &order[places]);
        let examples = rows.iter().map(|&r| self.train.example(r as usize)).collect::<Result<Vec<_>, _>>()?;
        Ok(packed(&examples, first_in_step as u64))
    }

    /// One optimizer step; `false` when it was dropped on command. Gradients are sums over micro-batches, normalised by the target
    /// tokens of the whole step, which are counted first.
    fn one_step(&mut self, step: u64, sink: &mut dyn EventSink, orders: &mut Orders) -> Result<bool, TrainError> {
        let micro_batches = self.steps.micro_batches(step);
        let first = micro_batches.first().map_or(0, |m| m.start);
        let mut target_tokens = 0u64;
        for places in &micro_batches {
            let batch = self.pack(step, places.clone(), places.start - first)?;
            target_tokens += batch.targets.len() as u64;
        }
        self.zero_grads().map_err(|e| self.failure(Place { step, ..Place::default() }, e))?;
        let how = TrainPass {
            scale: 1.0 / target_tokens.max(1) as f64,
            gradient_checkpointing: self.config.train.gradient_checkpointing,
            seed: self.config.train.seed,
            step,
        };
        let (mut loss_sum, mut tokens, mut busy) = (0f64, 0u64, Duration::ZERO);
        for (i, places) in micro_batches.iter().enumerate() {
            orders.look(self.at.step, Some(self.live()));
            if orders.stop() == Stop::Now {
                return Ok(false);
            }
            let batch = self.pack(step, places.clone(), places.start - first)?;
            let _data = self.decoder.charge_data(batch.bytes());
            let started = Instant::now();
            let place = Place { step, micro: i as u64 + 1, tokens: Some(batch.tokens.len() as u64), rehearsal: false };
            let nats = self.decoder.train(&mut self.at.adapter, &batch, how);
            let nats = nats.map_err(|e| self.failure(place, e))?;
            let duration = started.elapsed();
            busy += duration;
            if !nats.is_finite() {
                return Err(self.not_finite(step, nats / target_tokens as f64, sink));
            }
            loss_sum += nats;
            tokens += batch.tokens.len() as u64;
            let host = probe::host_memory();
            let (used_bytes, peak_bytes) = device_memory::held_and_peak()
                .map_or((host.used_bytes, host.peak_bytes), |(held, peak)| (Some(held), Some(peak)));
            sink.emit(RunEvent::MicroBatchDone(MicroBatchDone {
                step,
                micro: i as u64 + 1,
                micro_per_step: micro_batches.len() as u64,
                loss_sum_nats: nats,
                target_tokens: batch.targets.len() as u64,
                tokens: batch.tokens.len() as u64,
                duration_us: duration.as_micros() as u64,
                used_bytes,
                peak_bytes,
            }));
        }
        let started = Instant::now();
        self.decoder.ledger.set_phase(Phase::Optimizer);
        let place = Place { step, ..Place::default() };
        let norm = grad_norm(&self.at.adapter).map_err(|e| self.failure(place, e))?;
        if !norm.is_finite() {
            return Err(self.not_finite(step, norm, sink));
        }
        let learning_rate = self.schedule.rate(step);
        let clip = clip_factor(norm, self.config.train.max_grad_norm);
        let updated = self.at.optimizer.update(&mut self.at.adapter, learning_rate, clip);
        updated.map_err(|e| self.failure(place, e))?;
        busy += started.elapsed();
        sink.emit(RunEvent::StepDone(StepDone {
            step,
            epoch: self.steps.epochs_done(step),
            loss: loss_sum / target_tokens as f64,
            target_tokens,
            tokens,
            learning_rate,
            grad_norm: norm,
            duration_us: busy.as_micros() as u64,
        }));
        Ok(true)
    }

    fn not_finite(&self, step: u64, loss: f64, sink: &mut dyn EventSink) -> TrainError {
        let detail = format!("step {step}: the loss or its gradient is {loss}");
        sink.emit(RunEvent::Warning(Warning { kind: "not_finite".into(), detail }));
        TrainError::NotFinite { step, loss }
    }

    /// The loss over the eval split, on the path that training uses. Says whether it is the best after step 0.
    fn evaluate(&mut self, sink: &mut dyn EventSink, orders: &mut Orders) -> Result<bool, TrainError> {
        let Some(eval) = self.eval.filter(|e| e.len() > 0) else { return Ok(false) };
        let step = self.at.step;
        let (started, paused_before) = (Instant::now(), orders.paused);
        // What backward freed is not eval's, though the allocator still holds it.
        probe::give_back_freed();
        self.decoder.ledger.set_phase(Phase::Eval);
        let go_on = |_| {
            orders.look(step, Some(self.live()));
            orders.stop() != Stop::Now
        };
        let loss = split_loss(self.decoder, Some(&self.at.adapter), eval, self.eval_most, go_on);
        let loss = loss.map_err(|e| match e {
            EvalError::Data(e) => TrainError::Data(e),
            EvalError::Engine(source) => self.failure(Place { step, ..Place::default() }, source),
        })?;
        let Some(loss) = loss else { return Ok(false) };
        let (eval_loss, target_tokens) = (loss.per_token(), loss.target_tokens);
        if !eval_loss.is_finite() {
            return Err(self.not_finite(step, eval_loss, sink));
        }
        let best = step > 0 && self.at.best.is_none_or(|b| eval_loss < b.eval_loss || b.step == step);
        if best {
            self.at.best = Some(Best { step, eval_loss });
        }
        self.at.evaluated = Some(step);
        // What a pause took is no part of the work.
        let duration_us = started.elapsed().saturating_sub(orders.paused - paused_before).as_micros() as u64;
        sink.emit(RunEvent::EvalDone(EvalDone { step, eval_loss, target_tokens, duration_us, best }));
        Ok(best)
    }

    /// Saves where training stands, unless that was done.
    /// # Errors
    /// A checkpoint that cannot be written, or not for want of memory.
    pub fn save(&mut self, sink: &mut dyn EventSink, checkpoints: &mut dyn Checkpoints) -> Result<(), TrainError> {
        let best = self.at.best.is_some_and(|b| b.step == self.at.step);
        if self.at.saved.as_ref().is_some_and(|(step, _)| *step == self.at.step) && !best {
            return Ok(());
        }
        probe::give_back_freed();
        self.decoder.ledger.set_phase(Phase::Checkpoint);
        let state = TrainerState {
            schema: 1,
            step: self.at.step,
            planned_steps: self.steps.planned,
            epoch: self.steps.epochs_done(self.at.step),
            seed: self.config.train.seed,
            best: self.at.best,
            train_fingerprint: self.train.fingerprint().to_owned(),
        };
        let (adapter, optimizer, base) = (&self.at.adapter, &self.at.optimizer, &self.config.model.source);
        let saved = checkpoints
            .save(self.at.step, best, &mut |folder| checkpoint::write(folder, adapter, optimizer, &state, base))
            .map_err(|e| match e {
                AdapterError::Tensor(e) => self.failure(Place { step: self.at.step, ..Place::default() }, e),
                e => e.into(),
            })?;
        let known = self.at.saved.as_ref().is_some_and(|(step, _)| *step == self.at.step);
        if !known {
            let (step, path, size_bytes) = (self.at.step, saved.path.clone(), saved.size_bytes);
            sink.emit(RunEvent::CheckpointSaved(CheckpointSaved { step, path, size_bytes }));
        }
        self.at.saved = Some((self.at.step, saved));
        Ok(())
    }

    /// Carries out what was ordered for the end of a step.
    fn obey(
        &mut self,
        sink: &mut dyn EventSink,
        orders: &mut Orders,
        checkpoints: &mut dyn Checkpoints,
    ) -> Result<(), TrainError> {
        orders.look(self.at.step, Some(self.live()));
        while let Some(request) = orders.waiting.pop_front() {
            match self.carry_out(&request.command, sink, orders, checkpoints) {
                Ok(reply) => answer(request, reply),
                Err(e) => {
                    // After an out-of-memory it is still to be done.
                    orders.waiting.push_front(request);
                    return Err(e);
                }
            }
        }
        Ok(())
    }

    fn carry_out(
        &mut self,
        command: &Command,
        sink: &mut dyn EventSink,
        orders: &mut Orders,
        checkpoints: &mut dyn Checkpoints,
    ) -> Result<CommandReply, TrainError> {
        let mut reply = CommandReply::done(RunState::Running, self.at.step);
        match command {
            Command::Save => {
                self.save(sink, checkpoints)?;
                reply.path = self.at.saved.as_ref().map(|(_, at)| at.path.clone());
            }
            Command::Eval if self.eval.is_none() => reply = CommandReply::refused("this run has no data.eval"),
            Command::Eval if self.at.evaluated != Some(self.at.step) => {
                self.at.save_due |= self.evaluate(sink, orders)?;
                if self.at.save_due {
                    self.save(sink, checkpoints)?;
                    self.at.save_due = false;
                }
            }
            _ => {}
        }
        Ok(reply)
    }
}
