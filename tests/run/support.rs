//! A job that says what a trainer says and computes nothing, and what tests need to look at its run.

use std::fs;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use finetop::config::RunConfig;
use finetop::config::parse::from_toml;
use finetop::event::*;
use finetop::memory::ledger::Phase;
use finetop::run::replay::{self, Replay};
use finetop::run::store::StoreError;
use finetop::run::worker::{Job, JobContext, JobError, Outcome};

pub fn config() -> RunConfig {
    from_toml("[data]\ntrain = \"train.jsonl\"\neval = \"eval.jsonl\"\n", "x.toml", Path::new("/base"), &[]).unwrap()
}

/// What the job does: micro-batches until `steps` are done, a checkpoint every `save_every` steps, an eval every `eval_every`.
pub struct Fake {
    pub steps: u64,
    pub save_every: u64,
    pub eval_every: u64,
    /// Called before each micro-batch with its step.
    pub before_micro: Box<dyn FnMut(u64) + Send>,
}

impl Default for Fake {
    fn default() -> Self {
        Fake { steps: 6, save_every: 2, eval_every: 3, before_micro: Box::new(|_| {}) }
    }
}

pub const MICRO: u64 = 2;

pub fn started(run_id: &str, resumed_from: Option<u64>, planned_steps: u64) -> RunEvent {
    RunEvent::RunStarted(Box::new(RunStarted {
        schema: SCHEMA,
        run_id: run_id.into(),
        started_unix_ms: 0,
        config: config(),
        seed: 42,
        device: "cpu".into(),
        model_name: Some("Tiny".into()),
        trainable_params: 10,
        total_params: 1000,
        planned_steps,
        resumed_from,
        rows: vec![],
    }))
}

pub fn step_done(step: u64) -> RunEvent {
    RunEvent::StepDone(StepDone {
        step,
        epoch: 0.5,
        loss: 2.0 / step as f64,
        target_tokens: 10,
        tokens: 20,
        learning_rate: 1e-3,
        grad_norm: 1.5,
        duration_us: 1000,
    })
}

pub fn warning(detail: &str) -> RunEvent {
    RunEvent::Warning(Warning { kind: "test".into(), detail: detail.into() })
}

/// The job, made as a trainer is: commands are looked at between micro-batches; save, eval and stop wait for the end of the step.
pub fn job(mut fake: Fake) -> Job {
    Box::new(move |context| Trainer::new(context).run(&mut fake))
}

struct Trainer<'a, 'b> {
    context: &'a mut JobContext<'b>,
    step: u64,
    /// Grows with each step; what a checkpoint holds.
    weights: Vec<u8>,
    best: f64,
    saves: Vec<CommandRequest>,
    evals: Vec<CommandRequest>,
    stops: Vec<CommandRequest>,
}

enum Micro {
    Done,
    StepDropped,
}

impl<'a, 'b> Trainer<'a, 'b> {
    fn new(context: &'a mut JobContext<'b>) -> Self {
        let checkpoint = context.resume.as_ref().and_then(|r| r.checkpoint.clone());
        let weights = checkpoint.as_ref().map(|c| fs::read(c.join("weights")).unwrap()).unwrap_or_default();
        let best = checkpoint.map(|c| fs::read_to_string(c.join("best")).unwrap().parse().unwrap());
        let step = context.resume.as_ref().map_or(0, |r| r.step);
        let (best, none) = (best.unwrap_or(f64::MAX), Vec::new);
        Trainer { context, step, weights, best, saves: none(), evals: none(), stops: none() }
    }

    fn run(mut self, fake: &mut Fake) -> Result<Outcome, JobError> {
        let resumed_from = self.context.resume.as_ref().map(|r| r.step);
        let id = self.context.folder.run_id();
        self.context.memory.ledger.set_phase(Phase::Forward);
        self.context.sink.emit(started(&id, resumed_from, fake.steps));
        if resumed_from.is_none_or(|s| s == 0) {
            self.eval();
        }
        while self.step < fake.steps {
            for micro in 1..=MICRO {
                (fake.before_micro)(self.step + 1);
                self.commands();
                if let Micro::StepDropped = self.micro(micro) {
                    return self.stopped();
                }
            }
            self.step += 1;
            self.weights.push(self.step as u8);
            self.context.sink.emit(step_done(self.step));
            let asked = std::mem::take(&mut self.evals);
            let due = self.step.is_multiple_of(fake.eval_every) || self.step == fake.steps;
            let best = (due || !asked.is_empty()) && self.eval();
            answer(asked, CommandReply::done(RunState::Running, self.step));
            let asked = std::mem::take(&mut self.saves);
            let due = self.step.is_multiple_of(fake.save_every) || self.step == fake.steps;
            if best || due || !asked.is_empty() || !self.stops.is_empty() {
                let path = self.save(best)?;
                let reply = CommandReply { path: Some(path), ..CommandReply::done(RunState::Running, self.step) };
                answer(asked, reply);
            }
            if !self.stops.is_empty() {
                return self.stopped();
            }
        }
        Ok(Outcome { reason: FinishReason::Completed, steps: self.step, detail: None })
    }

    fn micro(&mut self, micro: u64) -> Micro {
        if self.stops.len() > 1 {
            return Micro::StepDropped;
        }
        self.context.sink.emit(RunEvent::MicroBatchDone(MicroBatchDone {
            step: self.step + 1,
            micro,
            micro_per_step: MICRO,
            loss_sum_nats: 1.0,
            target_tokens: 5,
            tokens: 10,
            duration_us: 500,
            used_bytes: None,
            peak_bytes: None,
        }));
        Micro::Done
    }

    fn commands(&mut self) {
        let mut paused = false;
        loop {
            let request = match paused {
                true => self.context.commands.recv().ok(),
                false => self.context.commands.try_recv().ok(),
            };
            let Some(request) = request else { return };
            match request.command {
                Command::Pause => {
                    paused = true;
                    self.context.memory.ledger.set_phase(Phase::Idle);
                    answer(vec![request], CommandReply::done(RunState::Paused, self.step));
                }
                Command::Resume => {
                    paused = false;
                    self.context.memory.ledger.set_phase(Phase::Forward);
                    answer(vec![request], CommandReply::done(RunState::Running, self.step));
                }
                Command::Stop => {
                    paused = false;
                    self.stops.push(request);
                }
                Command::Save => self.saves.push(request),
                Command::Eval => self.evals.push(request),
                Command::ApplyLever { .. } => answer(vec![request], CommandReply::refused("nothing to apply")),
                Command::Bleu | Command::Extract(_) | Command::Cancel => {
                    answer(vec![request], CommandReply::refused("there is no model"));
                }
            }
        }
    }

    fn eval(&mut self) -> bool {
        let eval_loss = 3.0 / (self.step + 1) as f64;
        let best = self.step > 0 && eval_loss < self.best;
        if best {
            self.best = eval_loss;
        }
        self.context.sink.emit(RunEvent::EvalDone(EvalDone {
            step: self.step,
            eval_loss,
            target_tokens: 30,
            duration_us: 2000,
            best,
        }));
        best
    }

    fn save(&mut self, best: bool) -> Result<String, JobError> {
        let saved = self.context.folder.save_checkpoint::<StoreError>(self.step, best, 2, |folder| {
            fs::write(folder.join("weights"), &self.weights).unwrap();
            fs::write(folder.join("best"), self.best.to_string()).unwrap();
            Ok(())
        })?;
        let (step, path) = (self.step, saved.path.clone());
        let event = CheckpointSaved { step, path: saved.path, size_bytes: saved.size_bytes };
        self.context.sink.emit(RunEvent::CheckpointSaved(event));
        Ok(path)
    }

    fn stopped(self) -> Result<Outcome, JobError> {
        Ok(Outcome { reason: FinishReason::Stopped, steps: self.step, detail: None })
    }
}

fn answer(requests: Vec<CommandRequest>, with: CommandReply) {
    for request in requests {
        if let Some(reply) = request.reply {
            let _ = reply.send(with.clone());
        }
    }
}

pub fn read(run: &Path) -> Replay {
    let replay = replay::read(run).unwrap();
    assert_eq!(replay.skipped, 0);
    replay
}

/// Every line of the log on disk, parsed; `seq` has no gaps and time never goes back.
pub fn raw_log(run: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(run.join("events.jsonl")).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "a torn line: {:?}", text.lines().last());
    let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    for (i, line) in lines.iter().enumerate() {
        assert_eq!(line["seq"], i);
    }
    assert!(lines.is_sorted_by_key(|l| l["elapsed_ms"].as_u64().unwrap()));
    lines
}

/// The events without place and time, memory left out: what must be the same in every run of the same settings.
pub fn facts(replay: &Replay) -> Vec<serde_json::Value> {
    let counts = |e: &&Stamped| {
        !matches!(e.event, RunEvent::MemorySampled(_) | RunEvent::RunStarted(_) | RunEvent::RunFinished(_))
    };
    replay.events.iter().filter(counts).map(|e| serde_json::to_value(&e.event).unwrap()).collect()
}

/// Waits for something that another thread or process does, and fails if it never comes.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The next event that passes.
pub fn next(events: &Receiver<Stamped>, passes: impl Fn(&RunEvent) -> bool) -> Stamped {
    loop {
        let stamped = events.recv_timeout(Duration::from_secs(60)).expect("the event comes");
        if passes(&stamped.event) {
            return stamped;
        }
    }
}
