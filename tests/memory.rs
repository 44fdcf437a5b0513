//! What happens when memory runs out: in every phase, at random limits, to a run that asks, to one that was killed. The losses stay those of
//! a run that had room. Which bytes are where is tested beside the engine, what was the cause beside `memory::triage`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use finetop::config::parse;
use finetop::config::{Quantization, RunConfig};
use finetop::event::*;
use finetop::memory::ledger::{ByPhase, Ledger, Phase};
use finetop::memory::lever::changed;
use finetop::memory::triage::{Cause, Origin};
use finetop::model::source::{self, Source};
use finetop::run::recovery::Interactive;
use finetop::run::store::RunFolder;
use finetop::run::worker::{self, Ending, Job, JobContext};
use finetop::run::{control, replay, training};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny")
}

fn rows(n: usize, first: usize, most: usize) -> String {
    let row = |i: usize| {
        let (name, price) = (["lamp", "old bicycle", "wooden table"][i % 3], 10 + 7 * i);
        let text = format!("The {name} costs {price} won and more. ").repeat(1 + i % most);
        format!("{{\"prompt\": \"name[{name}], price[{price} won]\\n\", \"completion\": \"{text}\"}}\n")
    };
    (first..first + n).map(row).collect()
}

/// Data, and a configuration whose activations are more than the process itself: four rows at once, nothing checkpointed.
fn prepared(more: &str) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("train.jsonl"), rows(22, 0, 9)).unwrap();
    fs::write(place.path().join("eval.jsonl"), rows(5, 40, 9)).unwrap();
    let text = format!(
        "[model]\nsource = {:?}\n[adapter]\nr = 4\nlora_alpha = 8\nlora_dropout = 0.1\n\
         [data]\ntrain = \"train.jsonl\"\neval = \"eval.jsonl\"\nmax_seq_length = 512\n[bleu]\nrun_after_training = false\n\
         [train]\nper_device_train_batch_size = 4\ngradient_accumulation_steps = 1\ngradient_checkpointing = false\n\
         learning_rate = 5e-3\nmax_steps = 6\neval_steps = 2\nsave_steps = 2\nsave_total_limit = 0\n[memory]\n{more}",
        fixtures().join("llama")
    );
    fs::write(place.path().join("tiny.toml"), text).unwrap();
    place
}

fn config(at: &Path, set: &[&str]) -> RunConfig {
    let set: Vec<String> = set.iter().map(ToString::to_string).collect();
    parse::load(&at.join("tiny.toml"), &set).unwrap()
}

/// Calls `heard` with each event after it was said.
struct Hook<'a> {
    sink: &'a mut dyn EventSink,
    heard: &'a mut dyn FnMut(&RunEvent),
}

impl EventSink for Hook<'_> {
    fn emit(&mut self, event: RunEvent) {
        self.sink.emit(event.clone());
        (self.heard)(&event);
    }
}

type Heard = Box<dyn FnMut(&RunEvent, &Ledger) + Send>;

/// The job of training, which tells `heard` what happens and lets it reach the ledger.
fn hooked(config: RunConfig, asks: bool, mut heard: Heard) -> Job {
    let never = std::sync::atomic::AtomicBool::new(false);
    let files = source::resolve(&Source::parse(&config.model.source).unwrap(), &mut |_| {}, &never).unwrap();
    let job = training::job(config, files, None, Interactive::new(asks.into()));
    Box::new(move |context: &mut JobContext<'_>| {
        let ledger = context.memory.ledger.clone();
        let mut hook = Hook { sink: context.sink, heard: &mut |event| heard(event, &ledger) };
        let mut inner = JobContext {
            folder: context.folder,
            sink: &mut hook,
            commands: context.commands,
            memory: context.memory,
            resume: context.resume.clone(),
        };
        job(&mut inner)
    })
}

/// Refuses the `nth` question of a phase, from the end of step `after` on.
fn refusing(after: u64, phase: Phase, nth: u64) -> Heard {
    Box::new(move |event, ledger| {
        if matches!(event, RunEvent::StepDone(e) if e.step == after) {
            ledger.refuse(phase, nth);
        }
    })
}

fn run(at: &Path, name: &str, set: &[&str], heard: Heard) -> (Vec<Stamped>, Ending) {
    let config = config(at, set);
    let folder = RunFolder::create_at(&at.join(name), &config).unwrap();
    let (handle, running) = worker::start(folder, hooked(config, false, heard)).unwrap();
    let events = handle.events.iter().collect();
    (events, running.wait())
}

fn ooms(events: &[Stamped]) -> Vec<&OutOfMemory> {
    events
        .iter()
        .filter_map(|s| match &s.event {
            RunEvent::OutOfMemory(oom) => Some(&**oom),
            _ => None,
        })
        .collect()
}

/// The loss of each step and of each eval, as said last; an eval by its step and a half.
fn losses(events: &[Stamped]) -> BTreeMap<u64, f64> {
    let loss = |s: &Stamped| match &s.event {
        RunEvent::StepDone(e) => Some((2 * e.step, e.loss)),
        RunEvent::EvalDone(e) => Some((2 * e.step + 1, e.eval_loss)),
        _ => None,
    };
    events.iter().filter_map(loss).collect()
}

fn assert_equal_losses(a: &BTreeMap<u64, f64>, b: &BTreeMap<u64, f64>, what: &str) {
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>(), "{what}");
    for (at, loss) in a {
        assert!((loss / b[at] - 1.0).abs() < 1e-3, "{what}: {loss} against {}", b[at]);
    }
}

fn finetop(at: &Path, arguments: &[&str]) -> Output {
    Process::new(env!("CARGO_BIN_EXE_finetop")).args(arguments).current_dir(at).stdin(Stdio::null()).output().unwrap()
}

fn texts(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into(), String::from_utf8_lossy(&output.stderr).into())
}

fn events(run: &Path) -> Vec<Stamped> {
    replay::read(run).unwrap().events
}

fn checkpoints(run: &Path) -> Vec<u64> {
    finetop::run::store::checkpoints(run)
}

#[test]
fn the_limit_at_every_phase_is_recovered_from_with_the_losses_of_a_run_that_had_room() {
    let place = prepared("on_oom = \"recover\"\n");
    let at = place.path();
    let (roomy, ending) = run(at, "roomy", &[], Box::new(|_, _| {}));
    assert_eq!(ending.error, None);
    assert!(ooms(&roomy).is_empty());
    let mut head = false;
    let forward = (1..=8).map(|nth| (2, Phase::Forward, nth));
    let others =
        [(Phase::Backward, 1), (Phase::Backward, 2), (Phase::Optimizer, 1), (Phase::Eval, 1), (Phase::Eval, 3)];
    let others = others.into_iter().map(|(phase, nth)| (2, phase, nth)).chain([(2, Phase::Checkpoint, 1)]);
    for (i, (after, phase, nth)) in forward.chain(others).enumerate() {
        let name = format!("run-{i}");
        let (events, ending) = run(at, &name, &[], refusing(after, phase, nth));
        let what = format!("{} {nth}", phase.name());
        assert_eq!(ending.error, None, "{what}");
        assert_eq!(ending.finished.unwrap().reason, FinishReason::Completed, "{what}");
        let ooms = ooms(&events);
        let [oom] = ooms[..] else { panic!("{what}: {} out-of-memories", ooms.len()) };
        assert_eq!((oom.phase, oom.applied.as_deref(), oom.rehearsal), (phase, Some("gradient_checkpointing"), false));
        assert!(oom.requested_bytes >= oom.free_bytes && oom.limit_bytes.is_some() && oom.cause.is_some(), "{oom:?}");
        head |= phase == Phase::Forward && oom.layer.is_none() && nth > 1;
        assert_equal_losses(&losses(&roomy), &losses(&events), &what);
        assert_eq!(checkpoints(&at.join(&name)), [2, 4, 6], "{what}");
        assert!(parse::load(&at.join(&name).join("config.toml"), &[]).unwrap().train.gradient_checkpointing, "{what}");
    }
    assert!(head, "no question came from the head");
}

#[test]
fn one_lever_after_the_other_is_applied_and_each_keeps_the_losses() {
    let place = prepared("on_oom = \"recover\"\n");
    let at = place.path();
    let (roomy, _) = run(at, "roomy", &[], Box::new(|_, _| {}));
    let mut refusals = 0;
    // The first out-of-memory is followed by another one, in the rehearsal of what the first lever made.
    let heard: Heard = Box::new(move |event, ledger| {
        let began = matches!(event, RunEvent::StepDone(e) if e.step == 2) && refusals == 0;
        if began || matches!(event, RunEvent::MemoryPlanned(e) if e.fitted_steps.is_none() && refusals == 1) {
            refusals += 1;
            ledger.refuse(Phase::Backward, 1);
        }
    });
    let (events, ending) = run(at, "run", &[], heard);
    assert_eq!(ending.error, None);
    let applied: Vec<_> = ooms(&events).iter().map(|o| o.applied.clone().unwrap()).collect();
    assert_eq!(applied, ["gradient_checkpointing", "micro_batch"]);
    assert_equal_losses(&losses(&roomy), &losses(&events), "after two levers");
    let micros = |step: u64| {
        let of = |s: &&Stamped| matches!(&s.event, RunEvent::MicroBatchDone(e) if e.step == step);
        events.iter().filter(of).count()
    };
    assert!(micros(2) == 1 && micros(4) > 1);
}

#[test]
fn a_run_that_may_not_recover_saves_its_last_whole_step_and_goes_on_with_a_lever_that_is_typed() {
    let place = prepared("on_oom = \"ask\"\n");
    let at = place.path();
    let (roomy, _) = run(at, "roomy", &[], Box::new(|_, _| {}));
    // Step 3 is saved by nothing but this.
    let (first, ending) = run(at, "run", &[], refusing(3, Phase::Backward, 2));
    let finished = ending.finished.unwrap();
    assert_eq!((finished.reason, finished.steps), (FinishReason::Failed, 3));
    let detail = finished.detail.unwrap();
    assert!(detail.contains("out of memory in backward of step 4") && detail.contains("--resume --lever "), "{detail}");
    assert_eq!(ooms(&first).last().unwrap().applied, None);
    assert_eq!(checkpoints(&at.join("run")), [2, 3]);
    let refused = finetop(at, &["train", "run", "--resume", "--headless", "--lever", "r"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(texts(&refused).1.contains("has learned 3 steps"), "{}", texts(&refused).1);
    let unknown = texts(&finetop(at, &["train", "run", "--resume", "--headless", "--lever", "batch"])).1;
    assert!(unknown.contains("micro_batch"), "{unknown}");
    let output = finetop(at, &["train", "run", "--resume", "--headless", "--lever", "micro_batch"]);
    let (_, told) = texts(&output);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("train.per_device_train_batch_size was 4"), "{told}");
    assert_equal_losses(&losses(&roomy), &losses(&events(&at.join("run"))), "resumed with a lever");
    let own = parse::load(&at.join("run/config.toml"), &[]).unwrap().train;
    assert!(own.per_device_train_batch_size < 4);
    assert_eq!(own.per_device_train_batch_size * own.gradient_accumulation_steps, 4);
}

fn until(events: &Receiver<Stamped>, wanted: impl Fn(&RunEvent) -> bool) -> RunEvent {
    loop {
        let event = events.recv_timeout(Duration::from_secs(120)).expect("the event comes").event;
        if wanted(&event) {
            return event;
        }
    }
}

#[test]
fn a_run_that_asks_waits_for_a_lever_through_its_socket_and_answers_everything_else_properly() {
    let place = prepared("on_oom = \"ask\"\n");
    let at = place.path();
    let (roomy, _) = run(at, "roomy", &[], Box::new(|_, _| {}));
    let config = config(at, &[]);
    let path = at.join("run");
    let folder = RunFolder::create_at(&path, &config).unwrap();
    let (handle, running) = worker::start(folder, hooked(config, true, refusing(3, Phase::Forward, 2))).unwrap();
    let RunEvent::OutOfMemory(asked) = until(&handle.events, |e| matches!(e, RunEvent::OutOfMemory(_))) else { return };
    assert_eq!(asked.applied, None);
    let say = |command: Command| control::send(&path, &command, Some(Duration::from_secs(120))).unwrap();
    let lever = |id: &str| Command::ApplyLever { id: id.into() };
    let paused = say(Command::Pause);
    assert_eq!((paused.ok, paused.state), (true, Some(RunState::Paused)));
    let eval = say(Command::Eval);
    assert!(!eval.ok && eval.error.unwrap().contains("out of memory"));
    assert!(say(lever("nothing")).error.unwrap().contains("micro_batch"));
    assert!(say(lever("r")).error.unwrap().contains("3 steps"));
    let saved = say(Command::Save);
    assert_eq!(saved.path.as_deref(), Some("checkpoints/step-000003"), "{saved:?}");
    let output = finetop(at, &["ctl", "run", "apply_lever", "micro_batch"]);
    assert!(output.status.success(), "{:?}", texts(&output));
    let reply: CommandReply = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((reply.ok, reply.state, reply.step), (true, Some(RunState::Running), Some(3)));
    let _ = handle.events.iter().count();
    assert_eq!(running.wait().error, None);
    let events = events(&path);
    let said: Vec<_> = ooms(&events).iter().map(|o| o.applied.clone()).collect();
    assert_eq!(said, [None, Some("micro_batch".into())]);
    assert_equal_losses(&losses(&roomy), &losses(&events), "asked");
}

#[test]
fn a_run_that_asks_can_be_stopped_or_tried_again_and_levers_of_the_adapter_work_before_the_first_step() {
    let place = prepared("on_oom = \"ask\"\n");
    let at = place.path();
    let begin = |name: &str, heard: Heard| {
        let config = config(at, &[]);
        let folder = RunFolder::create_at(&at.join(name), &config).unwrap();
        worker::start(folder, hooked(config, true, heard)).unwrap()
    };
    let say = |commands: &Sender<CommandRequest>, command: Command| {
        let (reply, answer) = channel();
        commands.send(CommandRequest { command, reply: Some(reply) }).unwrap();
        answer.recv_timeout(Duration::from_secs(120))
    };
    let (handle, running) = begin("stopped", refusing(3, Phase::Backward, 1));
    until(&handle.events, |e| matches!(e, RunEvent::OutOfMemory(_)));
    handle.commands.send(CommandRequest { command: Command::Resume, reply: None }).unwrap();
    // The one refusal is over: the same again goes well.
    until(&handle.events, |e| matches!(e, RunEvent::StepDone(e) if e.step == 6));
    let _ = handle.events.iter().count();
    assert_eq!(running.wait().finished.unwrap().reason, FinishReason::Completed);

    let mut once = true;
    let first: Heard = Box::new(move |event, ledger| {
        if matches!(event, RunEvent::MemoryPlanned(_)) && std::mem::take(&mut once) {
            ledger.refuse(Phase::Forward, 3);
        }
    });
    let (handle, running) = begin("anew", first);
    let RunEvent::OutOfMemory(oom) = until(&handle.events, |e| matches!(e, RunEvent::OutOfMemory(_))) else { return };
    assert!(oom.rehearsal && oom.step == 1, "{oom:?}");
    assert!(say(&handle.commands, Command::ApplyLever { id: "r".into() }).unwrap().ok);
    until(&handle.events, |e| matches!(e, RunEvent::StepDone(_)));
    handle.commands.send(CommandRequest { command: Command::Stop, reply: None }).unwrap();
    let _ = handle.events.iter().count();
    assert_eq!(running.wait().error, None);
    let run = at.join("anew");
    assert!(parse::load(&run.join("config.toml"), &[]).unwrap().adapter.r < 4);
    let output = finetop(at, &["train", "anew", "--resume", "--headless"]);
    assert!(output.status.success(), "{:?}", texts(&output));

    let (handle, running) = begin("ended", refusing(1, Phase::Forward, 1));
    until(&handle.events, |e| matches!(e, RunEvent::OutOfMemory(_)));
    handle.commands.send(CommandRequest { command: Command::Stop, reply: None }).unwrap();
    let _ = handle.events.iter().count();
    let finished = running.wait().finished.unwrap();
    assert_eq!((finished.reason, finished.steps), (FinishReason::Stopped, 1));
    assert_eq!(checkpoints(&at.join("ended")), [1]);
}

#[test]
fn levers_of_base_and_rows_keep_the_adapter_and_the_place_in_the_data() {
    let place = prepared("on_oom = \"ask\"\n");
    let at = place.path();
    for id in ["quantization", "max_seq_length"] {
        let config = config(at, &[]);
        let folder = RunFolder::create_at(&at.join(id), &config).unwrap();
        let (handle, running) = worker::start(folder, hooked(config, true, refusing(3, Phase::Forward, 1))).unwrap();
        let RunEvent::OutOfMemory(oom) = until(&handle.events, |e| matches!(e, RunEvent::OutOfMemory(_))) else {
            return;
        };
        assert!(oom.levers.iter().any(|l| l.id == id), "{id}: {:?}", oom.levers);
        let (reply, answer) = channel();
        let command = Command::ApplyLever { id: id.into() };
        handle.commands.send(CommandRequest { command, reply: Some(reply) }).unwrap();
        let answer = answer.recv_timeout(Duration::from_secs(120)).unwrap();
        assert!(answer.ok, "{id}: {answer:?}");
        let _ = handle.events.iter().count();
        assert_eq!(running.wait().error, None, "{id}");
        let steps: Vec<u64> = events(&at.join(id))
            .iter()
            .filter_map(|s| match &s.event {
                RunEvent::StepDone(e) => Some(e.step),
                _ => None,
            })
            .collect();
        assert_eq!(steps, [1, 2, 3, 4, 5, 6], "{id}");
        // And a resume from before the lever goes on with it.
        for step in [4, 6] {
            fs::remove_dir_all(at.join(id).join(format!("checkpoints/step-{step:06}"))).unwrap();
        }
        let text = fs::read_to_string(at.join(id).join("events.jsonl")).unwrap();
        let without: String = text.lines().filter(|l| !l.contains("run_finished")).map(|l| format!("{l}\n")).collect();
        fs::write(at.join(id).join("events.jsonl"), without).unwrap();
        let output = finetop(at, &["train", id, "--resume", "--headless"]);
        assert!(output.status.success(), "{id}: {:?}", texts(&output));
    }
}

#[test]
fn random_limits_end_in_recovery_or_in_a_clear_refusal_before_the_first_step() {
    let place = prepared("on_oom = \"recover\"\n");
    let at = place.path();
    // So many rows at once that what a micro-batch takes is more than the process itself.
    let wide = "train.per_device_train_batch_size=16";
    let output = finetop(at, &["plan", "tiny.toml", "--json", "--set", wide]);
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let peak = plan["peak_bytes"].as_u64().unwrap();
    let (mut seed, mut recovered, mut refused) = (20_261_125u64, 0, 0);
    for i in 0..10 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let limit = peak / 2 + (seed >> 33) % (peak / 2);
        let (name, set) = (format!("run-{i}"), format!("memory.limit={limit}B"));
        let output =
            finetop(at, &["train", "tiny.toml", "--headless", "--run-dir", &name, "--set", wide, "--set", &set]);
        let (_, told) = texts(&output);
        let run = at.join(&name);
        let events = if run.is_dir() { events(&run) } else { Vec::new() };
        let steps = events.iter().filter(|s| matches!(s.event, RunEvent::StepDone(_))).count();
        match output.status.code() {
            Some(0) => {
                assert_eq!(steps, 6, "{limit}: {told}");
                recovered += u32::from(!ooms(&events).is_empty());
            }
            Some(1) => {
                assert_eq!(steps, 0, "{limit}: {told}");
                assert!(told.contains("out of memory") || told.contains("memory.limit is"), "{limit}: {told}");
                refused += 1;
            }
            other => panic!("{limit}: {other:?}\n{told}"),
        }
    }
    assert!(recovered > 0, "no limit was ever reached");
    println!("of 10 limits from {} to {peak} bytes: {recovered} recovered, {refused} refused", peak / 2);
}

#[test]
fn a_base_beyond_the_limit_is_refused_before_it_is_read() {
    let place = prepared("limit = \"1MiB\"\n");
    let output = finetop(place.path(), &["train", "tiny.toml", "--headless", "--run-dir", "run"]);
    let (_, told) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("the base's weights take") && told.contains("1.0 MiB"), "{told}");
    assert!(!place.path().join("run").exists());
}

/// A run whose log ends as a kill leaves it, after step 5, with the memory of the machine all but gone.
fn killed(at: &Path, config: &[&str]) -> PathBuf {
    let (_, ending) = run(at, "run", config, Box::new(|_, _| {}));
    assert_eq!(ending.error, None);
    let run = at.join("run");
    let mut lines: Vec<String> = Vec::new();
    for stamped in events(&run) {
        let done = matches!(&stamped.event, RunEvent::StepDone(e) if e.step == 5);
        let cgroup = |event: RunEvent| match event {
            RunEvent::MemorySampled(e) => RunEvent::MemorySampled(MemorySampled { cgroup: None, ..e }),
            event => event,
        };
        lines.push(serde_json::to_string(&Stamped { event: cgroup(stamped.event), ..stamped }).unwrap());
        if done {
            let sample = MemorySampled {
                phase: Phase::Backward,
                used_bytes: Some(900 << 20),
                host_total_bytes: Some(1000 << 20),
                host_available_bytes: Some(5 << 20),
                ..MemorySampled::default()
            };
            let event = RunEvent::MemorySampled(sample);
            lines.push(serde_json::to_string(&Stamped { seq: stamped.seq + 1, event, ..stamped }).unwrap());
            break;
        }
    }
    fs::write(run.join("events.jsonl"), lines.join("\n") + "\n").unwrap();
    fs::remove_dir_all(run.join("checkpoints/step-000006")).unwrap();
    run
}

#[test]
fn a_killed_run_is_explained_at_the_next_start_and_recovers_if_it_may() {
    for on_oom in ["recover", "stop"] {
        let place = prepared(&format!("on_oom = \"{on_oom}\"\n"));
        let at = place.path();
        let run = killed(at, &[]);
        let log = fs::read(run.join("events.jsonl")).unwrap();
        let (watched, _) = texts(&finetop(at, &["watch", "run", "--headless"]));
        assert!(watched.contains("was killed for want of memory in backward of step 6"), "{watched}");
        let shown: Vec<Stamped> = finetop::run::attach(&run).unwrap().events.iter().collect();
        assert!(matches!(&shown.last().unwrap().event, RunEvent::OutOfMemory(e) if e.origin == Some(Origin::Killed)));
        assert!(log == fs::read(run.join("events.jsonl")).unwrap(), "whoever looks writes nothing");
        let output = finetop(at, &["train", "run", "--resume", "--headless"]);
        let (_, told) = texts(&output);
        assert!(output.status.success(), "{told}");
        assert!(told.contains("was killed for want of memory in backward of step 6"), "{told}");
        let events = events(&run);
        let ooms = ooms(&events);
        let [oom] = ooms[..] else { panic!("{} out-of-memories", ooms.len()) };
        assert_eq!((oom.origin, oom.step, oom.used_bytes), (Some(Origin::Killed), 6, Some(900 << 20)));
        assert!(!oom.levers.is_empty() && oom.cause.is_some());
        let begin = events.iter().rposition(|s| matches!(s.event, RunEvent::RunStarted(_))).unwrap();
        assert!(events[..begin].iter().all(|s| !matches!(s.event, RunEvent::OutOfMemory(_))), "in the new segment");
        assert_eq!(oom.applied.is_some(), on_oom == "recover");
        // What was applied stands where the next start reads it.
        let before = config(at, &[]);
        let lever = oom.levers.iter().find(|l| Some(&l.id) == oom.applied.as_ref());
        let after = lever.map_or(before.clone(), |l| changed(&before, &l.changes).unwrap());
        assert_eq!(parse::load(&run.join("config.toml"), &[]).unwrap().train, after.train);
    }
}

#[test]
fn a_long_micro_batch_is_named_as_the_cause_and_the_plan_is_fitted_after_three_steps() {
    let place = prepared("on_oom = \"stop\"\n");
    let at = place.path();
    let (events, _) = run(at, "run", &[], refusing(4, Phase::Forward, 1));
    let plans: Vec<&MemoryPlanned> = events
        .iter()
        .filter_map(|s| match &s.event {
            RunEvent::MemoryPlanned(e) => Some(e),
            _ => None,
        })
        .collect();
    assert_eq!(plans.iter().map(|p| p.fitted_steps).collect::<Vec<_>>(), [None, Some(3)]);
    assert!(plans[0].longest_batch.unwrap().tokens > 0);
    let oom = ooms(&events)[0];
    assert_eq!(oom.planned_peak_bytes, Some(plans[1].peak_bytes));
    assert!(!matches!(oom.cause, None | Some(Cause::Creep { .. })), "{:?}", oom.cause);
}

/// The highest sums of the ledger by phase in a run of one step.
fn highest(at: &Path, set: &[&str]) -> ByPhase {
    let (sender, receiver) = channel();
    let heard: Heard = Box::new(move |event, ledger| {
        if matches!(event, RunEvent::EvalDone(_)) {
            let _ = sender.send(ledger.highest_by_phase());
        }
    });
    let set = [set, &["train.max_steps=1"]].concat();
    let (_, ending) = run(at, &set.join("_").replace(['.', '='], "-"), &set, heard);
    assert_eq!(ending.error, None);
    receiver.iter().last().unwrap()
}

#[test]
fn eval_never_needs_more_than_training_on_a_grid() {
    let place = prepared("");
    let at = place.path();
    let mut grid = Vec::new();
    for batch in ["1", "2", "4"] {
        for length in ["64", "128", "512"] {
            for checkpointing in ["true", "false"] {
                let set = [
                    format!("train.per_device_train_batch_size={batch}"),
                    format!("data.max_seq_length={length}"),
                    format!("train.gradient_checkpointing={checkpointing}"),
                ];
                let set: Vec<&str> = set.iter().map(String::as_str).collect();
                let highest = highest(at, &set);
                let training = highest[&Phase::Forward].max(highest[&Phase::Backward]);
                let ratio = highest[&Phase::Eval] as f64 / training as f64;
                grid.push(format!("batch {batch}, length {length}, checkpointing {checkpointing}: {ratio:.3}"));
                assert!(ratio <= 1.0, "{}", grid.join("\n"));
            }
        }
    }
    println!("{}", grid.join("\n"));
}

#[test]
fn a_lever_that_cannot_be_applied_says_why_and_is_never_told_as_applied() {
    let place = prepared("on_oom = \"ask\"\n");
    let at = place.path();
    let model = at.join("model");
    fs::create_dir(&model).unwrap();
    for file in fs::read_dir(fixtures().join("llama")).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), model.join(file.file_name())).unwrap();
    }
    let config = config(at, &[&format!("model.source={model:?}")]);
    let folder = RunFolder::create_at(&at.join("run"), &config).unwrap();
    let (handle, running) = worker::start(folder, hooked(config, true, refusing(3, Phase::Forward, 1))).unwrap();
    until(&handle.events, |e| matches!(e, RunEvent::OutOfMemory(_)));
    // The base has to be read anew for this lever, and is gone.
    fs::remove_dir_all(&model).unwrap();
    let (reply, answer) = channel();
    let command = Command::ApplyLever { id: "quantization".into() };
    handle.commands.send(CommandRequest { command, reply: Some(reply) }).unwrap();
    let answer = answer.recv_timeout(Duration::from_secs(120)).unwrap();
    assert!(!answer.ok && answer.error.as_ref().unwrap().contains("safetensors"), "{answer:?}");
    let _ = handle.events.iter().count();
    let error = running.wait().error.unwrap().to_string();
    assert!(error.contains("safetensors"), "{error}");
    let run = at.join("run");
    assert_eq!(ooms(&events(&run)).iter().map(|o| o.applied.clone()).collect::<Vec<_>>(), [None]);
    assert_eq!(checkpoints(&run), [2, 3], "the last whole step was saved before the base was given up");
    assert_eq!(parse::load(&run.join("config.toml"), &[]).unwrap().adapter.quantization, Quantization::Keep);
}

#[test]
fn an_eval_row_with_more_targets_than_training_is_rehearsed() {
    let place = prepared("on_oom = \"stop\"\n");
    let at = place.path();
    let row = |prompt: &str, completion: &str| format!("{{\"prompt\": {prompt:?}, \"completion\": {completion:?}}}\n");
    let (long, short) = ("many words are here. ".repeat(12), "few");
    fs::write(at.join("train.jsonl"), row(&long, short).repeat(8)).unwrap();
    fs::write(at.join("eval.jsonl"), row(short, &long).repeat(3)).unwrap();
    let heard: Heard = Box::new(|event, ledger| {
        if matches!(event, RunEvent::MemoryPlanned(_)) {
            ledger.refuse(Phase::Eval, 1);
        }
    });
    let (events, ending) = run(at, "run", &["train.per_device_train_batch_size=4"], heard);
    assert!(ending.error.is_some());
    let oom = ooms(&events)[0];
    assert!(oom.rehearsal && oom.phase == Phase::Eval, "{oom:?}");
}

#[test]
fn an_eval_row_that_is_longer_than_all_of_training_is_rehearsed() {
    let place = prepared("on_oom = \"stop\"\n");
    let at = place.path();
    fs::write(at.join("train.jsonl"), rows(22, 0, 1)).unwrap();
    let heard: Heard = Box::new(|event, ledger| {
        if matches!(event, RunEvent::MemoryPlanned(_)) {
            ledger.refuse(Phase::Eval, 1);
        }
    });
    let (events, ending) = run(at, "run", &["train.per_device_train_batch_size=1"], heard);
    assert!(ending.error.is_some());
    let oom = ooms(&events)[0];
    assert!(oom.rehearsal && oom.phase == Phase::Eval && oom.tokens > Some(100), "{oom:?}");
    assert!(!events.iter().any(|s| matches!(s.event, RunEvent::EvalDone(_))));
}

#[test]
fn a_metric_that_needs_generation_is_refused_with_what_it_would_have_cost() {
    let place = prepared("");
    for set in ["train.metric_for_best_model=bleu", "train.predict_with_generate=true"] {
        let output = finetop(place.path(), &["train", "tiny.toml", "--headless", "--run-dir", "run", "--set", set]);
        let (_, told) = texts(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        let (key, _) = set.split_once('=').unwrap();
        for part in [key, "5 rows x", "vocabulary x 4 bytes", "finetop eval RUN --metrics bleu"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!place.path().join("run").exists());
    }
    let output = finetop(place.path(), &["train", "tiny.toml", "--headless", "--set", "train.compute_metrics=true"]);
    assert!(texts(&output).1.contains("predict_with_generate"), "{}", texts(&output).1);
}
