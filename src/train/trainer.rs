//! The loop: steps of micro-batches, evals and checkpoints at their places, commands between micro-batches. It never generates text.
//! What it says goes to an `EventSink`; where its thread, log and folder come from is `run`'s business.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use super::accumulate::Steps;
use super::checkpoint::{self, Best, Checkpoints, TrainerState};
use super::evaluate::{EvalError, longest_batch, packed, split_loss};
use super::optimizer::{AdamW, clip_factor, grad_norm};
use super::schedule::Schedule;
use crate::config::RunConfig;
use crate::data::batch::epoch_order;
use crate::data::dataset::{Dataset, DatasetError};
use crate::event::*;
use crate::memory::ledger::{Ledger, Phase};
use crate::memory::probe;
use crate::model::adapter::{Adapter, AdapterError};
use crate::model::decoder::{Decoder, Packed, TrainPass};

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
}

/// How training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    pub reason: FinishReason,
    pub steps: u64,
}

/// A run's training: the base, its adapter, and where they stand.
pub struct Trainer<'a> {
    pub config: &'a RunConfig,
    pub decoder: &'a Decoder,
    pub adapter: Adapter,
    pub optimizer: AdamW,
    pub train: &'a Dataset,
    pub eval: Option<&'a Dataset>,
    steps: Steps,
    schedule: Schedule,
    /// The rows of one epoch in the order of training.
    order: Option<(u64, Vec<u32>)>,
    /// Optimizer steps done.
    step: u64,
    best: Option<Best>,
    /// Tokens that an eval batch may have, so that eval never needs more memory than training.
    eval_tokens: usize,
    saved: Option<(u64, checkpoint::SavedAt)>,
    evaluated: Option<u64>,
}

/// Commands that wait for their time, and what was decided.
struct Orders<'a> {
    commands: &'a Receiver<CommandRequest>,
    ledger: &'a Ledger,
    waiting: VecDeque<CommandRequest>,
    stop: Stop,
    /// How long pauses took so far.
    paused: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    No,
    AfterStep,
    Now,
}

impl<'a> Trainer<'a> {
    /// # Errors
    /// Whatever the device says to new moments.
    pub fn new(
        config: &'a RunConfig,
        decoder: &'a Decoder,
        adapter: Adapter,
        train: &'a Dataset,
        eval: Option<&'a Dataset>,
    ) -> Result<Self, candle_core::Error> {
        let steps = Steps::new(train.len(), &config.train);
        let schedule = Schedule {
            kind: config.train.lr_scheduler_type,
            learning_rate: config.train.learning_rate,
            warmup_steps: config.train.warmup_steps as u64,
            total_steps: steps.planned,
        };
        let optimizer = AdamW::new(&adapter, config.train.weight_decay, &decoder.ledger)?;
        let eval_tokens = longest_batch(train, config.train.per_device_train_batch_size);
        Ok(Trainer {
            config,
            decoder,
            adapter,
            optimizer,
            train,
            eval,
            steps,
            schedule,
            order: None,
            step: 0,
            best: None,
            eval_tokens,
            saved: None,
            evaluated: None,
        })
    }

    pub fn planned_steps(&self) -> u64 {
        self.steps.planned
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
        checkpoint::read_moments(folder, &self.adapter, &mut self.optimizer, state.step)?;
        self.step = state.step;
        self.best = best.or(state.best);
        self.evaluated = evaluated.then_some(state.step);
        Ok(())
    }

    /// Trains until the planned steps are done or a command ends it. `run_started` was said before, `run_finished` is said after.
    /// # Errors
    /// Data that cannot be read any more, a device that gives up, a loss that is not finite, a checkpoint that cannot be written.
    pub fn run(
        &mut self,
        sink: &mut dyn EventSink,
        commands: &Receiver<CommandRequest>,
        checkpoints: &mut dyn Checkpoints,
    ) -> Result<Ended, TrainError> {
        let ledger = &self.decoder.ledger;
        let mut orders = Orders { commands, ledger, waiting: VecDeque::new(), stop: Stop::No, paused: Duration::ZERO };
        if self.step == 0 {
            self.evaluate(sink, &mut orders)?;
        } else if self.eval_is_due() && self.evaluate(sink, &mut orders)? {
            self.save(sink, checkpoints)?;
        }
        self.obey(sink, &mut orders, checkpoints)?;
        while self.step < self.steps.planned && orders.stop == Stop::No {
            let step = self.step + 1;
            if !self.one_step(step, sink, &mut orders)? {
                break;
            }
            self.step = step;
            let save_due = self.is_due(self.config.train.save_steps);
            let improved = self.eval_is_due() && self.evaluate(sink, &mut orders)?;
            if improved || save_due {
                self.save(sink, checkpoints)?;
            }
            self.obey(sink, &mut orders, checkpoints)?;
        }
        // A last eval that was dropped on command is still to be made.
        if self.step == self.steps.planned && !self.eval_is_due() {
            return Ok(Ended { reason: FinishReason::Completed, steps: self.step });
        }
        self.save(sink, checkpoints)?;
        self.obey(sink, &mut orders, checkpoints)?;
        Ok(Ended { reason: FinishReason::Stopped, steps: self.step })
    }

    /// Whether what happens every `every` steps (0: only at the end) happens after the step that was done last.
    fn is_due(&self, every: usize) -> bool {
        self.step == self.steps.planned || (every > 0 && self.step.is_multiple_of(every as u64))
    }

    fn eval_is_due(&self) -> bool {
        let has_rows = self.eval.is_some_and(|e| e.len() > 0);
        has_rows && self.is_due(self.config.train.eval_steps) && self.evaluated != Some(self.step)
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
        let engine = |source| TrainError::Engine { step, source };
        let micro_batches = self.steps.micro_batches(step);
        let first = micro_batches.first().map_or(0, |m| m.start);
        let mut target_tokens = 0u64;
        for places in &micro_batches {
            let batch = self.pack(step, places.clone(), places.start - first)?;
            target_tokens += batch.targets.len() as u64;
        }
        for param in self.adapter.groups_mut().flat_map(|g| g.params_mut()) {
            param.zero_grad().map_err(engine)?;
        }
        let how = TrainPass {
            scale: 1.0 / target_tokens.max(1) as f64,
            gradient_checkpointing: self.config.train.gradient_checkpointing,
            seed: self.config.train.seed,
            step,
        };
        let (mut loss_sum, mut tokens, mut busy) = (0f64, 0u64, Duration::ZERO);
        for (i, places) in micro_batches.iter().enumerate() {
            orders.look(self.step);
            if orders.stop == Stop::Now {
                return Ok(false);
            }
            let batch = self.pack(step, places.clone(), places.start - first)?;
            let _data = self.decoder.charge_data(batch.bytes());
            let started = Instant::now();
            let nats = self.decoder.train(&mut self.adapter, &batch, how).map_err(engine)?;
            let duration = started.elapsed();
            busy += duration;
            if !nats.is_finite() {
                return Err(self.not_finite(step, nats / target_tokens as f64, sink));
            }
            loss_sum += nats;
            tokens += batch.tokens.len() as u64;
            let memory = probe::host_memory();
            sink.emit(RunEvent::MicroBatchDone(MicroBatchDone {
                step,
                micro: i as u64 + 1,
                micro_per_step: micro_batches.len() as u64,
                loss_sum_nats: nats,
                target_tokens: batch.targets.len() as u64,
                tokens: batch.tokens.len() as u64,
                duration_us: duration.as_micros() as u64,
                used_bytes: memory.used_bytes,
                peak_bytes: memory.peak_bytes,
            }));
        }
        let started = Instant::now();
        self.decoder.ledger.set_phase(Phase::Optimizer);
        let norm = grad_norm(&self.adapter).map_err(engine)?;
        if !norm.is_finite() {
            return Err(self.not_finite(step, norm, sink));
        }
        let learning_rate = self.schedule.rate(step);
        let clip = clip_factor(norm, self.config.train.max_grad_norm);
        self.optimizer.update(&mut self.adapter, learning_rate, clip).map_err(engine)?;
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
        let step = self.step;
        let (started, paused_before) = (Instant::now(), orders.paused);
        self.decoder.ledger.set_phase(Phase::Eval);
        let go_on = |_| {
            orders.look(step);
            orders.stop != Stop::Now
        };
        let loss = split_loss(self.decoder, Some(&self.adapter), eval, self.eval_tokens, go_on);
        let loss = loss.map_err(|e| match e {
            EvalError::Data(e) => TrainError::Data(e),
            EvalError::Engine(source) => TrainError::Engine { step, source },
        })?;
        let Some(loss) = loss else { return Ok(false) };
        let (eval_loss, target_tokens) = (loss.per_token(), loss.target_tokens);
        if !eval_loss.is_finite() {
            return Err(self.not_finite(step, eval_loss, sink));
        }
        let best = step > 0 && self.best.is_none_or(|b| eval_loss < b.eval_loss || b.step == step);
        if best {
            self.best = Some(Best { step, eval_loss });
        }
        self.evaluated = Some(step);
        // What a pause took is no part of the work.
        let duration_us = started.elapsed().saturating_sub(orders.paused - paused_before).as_micros() as u64;
        sink.emit(RunEvent::EvalDone(EvalDone { step, eval_loss, target_tokens, duration_us, best }));
        Ok(best)
    }

    fn save(&mut self, sink: &mut dyn EventSink, checkpoints: &mut dyn Checkpoints) -> Result<(), TrainError> {
        let best = self.best.is_some_and(|b| b.step == self.step);
        if self.saved.as_ref().is_some_and(|(step, _)| *step == self.step) && !best {
            return Ok(());
        }
        self.decoder.ledger.set_phase(Phase::Checkpoint);
        let state = TrainerState {
            schema: 1,
            step: self.step,
            planned_steps: self.steps.planned,
            epoch: self.steps.epochs_done(self.step),
            seed: self.config.train.seed,
            best: self.best,
            train_fingerprint: self.train.fingerprint().to_owned(),
        };
        let (adapter, optimizer, base) = (&self.adapter, &self.optimizer, &self.config.model.source);
        let saved = checkpoints
            .save(self.step, best, &mut |folder| checkpoint::write(folder, adapter, optimizer, &state, base))?;
        let known = self.saved.as_ref().is_some_and(|(step, _)| *step == self.step);
        if !known {
            let (step, path, size_bytes) = (self.step, saved.path.clone(), saved.size_bytes);
            sink.emit(RunEvent::CheckpointSaved(CheckpointSaved { step, path, size_bytes }));
        }
        self.saved = Some((self.step, saved));
        Ok(())
    }

    /// Carries out what was ordered for the end of a step.
    fn obey(
        &mut self,
        sink: &mut dyn EventSink,
        orders: &mut Orders,
        checkpoints: &mut dyn Checkpoints,
    ) -> Result<(), TrainError> {
        orders.look(self.step);
        while let Some(request) = orders.waiting.pop_front() {
            let mut reply = CommandReply::done(RunState::Running, self.step);
            match request.command {
                Command::Save => {
                    self.save(sink, checkpoints)?;
                    reply.path = self.saved.as_ref().map(|(_, at)| at.path.clone());
                }
                Command::Eval if self.eval.is_none() => {
                    reply = CommandReply::refused("this run has no data.eval");
                }
                Command::Eval if self.evaluated != Some(self.step) => {
                    let improved = self.evaluate(sink, orders)?;
                    if improved {
                        self.save(sink, checkpoints)?;
                    }
                }
                _ => {}
            }
            answer(request, reply);
        }
        Ok(())
    }
}

impl Orders<'_> {
    /// Takes what was said since the last look. A pause holds here until it ends; the ledger's phase is idle meanwhile.
    fn look(&mut self, step: u64) {
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
            let state = |paused| if paused { RunState::Paused } else { RunState::Running };
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
                    self.stop = if self.stop == Stop::No { Stop::AfterStep } else { Stop::Now };
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
                    reply.state = Some(state(paused));
                    answer(request, reply);
                }
            }
        }
    }
}

fn answer(request: CommandRequest, reply: CommandReply) {
    if let Some(to) = request.reply {
        // Whoever asked may be gone; that harms nobody.
        let _ = to.send(reply);
    }
}
