//! What a person can start or look at here: the demo, configurations of this folder, recent runs; and what an entry's files are like. Logs are
//! read at both ends only, data files are counted only where that is quick. What is shown of it is in `ui`.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use super::engine;
use crate::config::parse;
use crate::config::settings::sections;
use crate::event::{FinishReason, RunEvent, Stamped};
use crate::model::source::{self, Location, Source};
use crate::run::store;
use crate::train::accumulate::Steps;
use crate::train::checkpoint::{STATE_FILE, TrainerState};
use crate::ui::state::start::{Entry, Look, ModelPlace, PastRun, PastState, Rows, SplitLook, StartRequest, Target};
use crate::units::printable;

/// So many runs are listed, the newest.
const MOST_RUNS: usize = 50;
/// No folder has more configurations that anyone would choose from in a list.
const MOST_CONFIGURATIONS: usize = 100;
/// The first line of a log is looked for in so much of it.
const HEAD: u64 = 256 << 10;
/// How much of a log's end is read: more where a step has so many micro-batches that none ends in less.
const TAILS: [u64; 2] = [64 << 10, 2 << 20];
/// A longer data file is not counted for a page.
const MOST_COUNTED: u64 = 64 << 20;
/// A run that has said its end lets go of its log soon.
const LETS_GO: Duration = Duration::from_millis(20);
const LETS_GO_TRIES: usize = 15;

/// The demo, the configurations in a folder and in its `configs`, and the newest runs in its `runs` or where a configuration's runs go.
/// `given` is a configuration from elsewhere that belongs to the list.
pub fn entries(here: &Path, given: Option<&StartRequest>) -> Vec<Entry> {
    let mut entries = vec![demo(here)];
    let mut configurations = configurations(here);
    if let Some(given) = given {
        // With its overrides it replaces the file that was found.
        configurations.retain(|entry| *entry.target() != given.target);
        let title = given.file_name.clone();
        configurations.insert(0, Entry::new(title, given.clone()));
    }
    let places = configurations.iter().filter_map(|entry| Some(entry.config().ok()?.log.dir.clone()));
    let places: Vec<PathBuf> = std::iter::once(here.join("runs")).chain(places).collect();
    entries.append(&mut configurations);
    entries.extend(runs(&places));
    entries
}

/// The demo, whose runs go to `./runs`.
fn demo(here: &Path) -> Entry {
    const TITLE: &str = "demo run";
    let text =
        engine::demo_config().and_then(|config| parse::to_toml(&config).map_err(Into::into)).map_err(|e| e.to_string());
    match text {
        Ok(text) => {
            let file_name = "the demo".into();
            let base_dir = here.to_path_buf();
            Entry::new(TITLE, StartRequest { target: Target::Demo, text, file_name, base_dir, overrides: Vec::new() })
        }
        Err(why) => Entry::broken(TITLE, Target::Demo, why),
    }
}

fn configurations(here: &Path) -> Vec<Entry> {
    let mut found = Vec::new();
    for (folder, prefix) in [(here.to_path_buf(), ""), (here.join("configs"), "configs/")] {
        let names = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
        names.retain(|name| name.ends_with(".toml") && !name.starts_with('.'));
        names.sort();
        for name in names {
            let path = folder.join(&name);
            // A pipe would be waited for.
            if found.len() >= MOST_CONFIGURATIONS || !path.is_file() {
                continue;
            }
            let Some(text) = parse::read(&path).ok().filter(|text| is_ours(text)) else { continue };
            let title = format!("{prefix}{name}");
            let request = StartRequest {
                target: Target::File(path),
                text,
                file_name: title.clone(),
                base_dir: folder.clone(),
                overrides: Vec::new(),
            };
            found.push(Entry::new(title, request));
        }
    }
    found
}

/// Whether a TOML file has a section of ours; one that does not read as TOML, whether it looks so.
fn is_ours(text: &str) -> bool {
    match text.parse::<toml::Table>() {
        Ok(table) => sections().iter().any(|section| table.get(*section).is_some_and(toml::Value::is_table)),
        Err(_) => text.lines().any(|line| {
            let name = line.trim_start().strip_prefix('[').and_then(|line| line.split(']').next());
            name.is_some_and(|name| sections().contains(&name.trim()))
        }),
    }
}

/// The newest runs of these folders.
fn runs(places: &[PathBuf]) -> Vec<Entry> {
    let mut seen = HashSet::new();
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for place in places {
        let Ok(place) = fs::canonicalize(place) else { continue };
        if !seen.insert(place.clone()) {
            continue;
        }
        let paths = fs::read_dir(&place).into_iter().flatten().flatten().map(|entry| entry.path());
        found.extend(paths.filter(|path| store::is_run(path)).map(|path| (begun(&path), path)));
    }
    found.sort_by(|a, b| b.cmp(a));
    found.truncate(MOST_RUNS);
    found.into_iter().map(|(_, path)| run(&path)).collect()
}

/// When a run began, as names of runs have it, so that texts sort as times do.
fn begun(run: &Path) -> String {
    let id = run.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let time = id
        .get(..15)
        .filter(|time| time.bytes().enumerate().all(|(i, b)| if i == 8 { b == b'-' } else { b.is_ascii_digit() }));
    let log = || fs::metadata(store::events(run)).and_then(|found| found.created().or(found.modified())).ok();
    match time {
        Some(_) => id.to_owned(),
        None => {
            let ms = log().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |at| at.as_millis() as u64);
            store::run_id("", ms)
        }
    }
}

fn run(path: &Path) -> Entry {
    let title = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = path.join("config.toml");
    let request = StartRequest {
        target: Target::Run(path.to_path_buf()),
        text: parse::read(&file).unwrap_or_default(),
        file_name: "config.toml".into(),
        base_dir: path.to_path_buf(),
        overrides: Vec::new(),
    };
    Entry::run(title, request, past(path))
}

/// What a log says of itself at its two ends.
#[derive(Default)]
struct Ends {
    began_unix_ms: Option<u64>,
    planned: Option<u64>,
    steps: Option<u64>,
    best: Option<(u64, f64)>,
    finished: Option<FinishReason>,
}

impl Ends {
    fn fold(&mut self, event: &RunEvent) {
        match event {
            RunEvent::RunStarted(started) => {
                self.began_unix_ms.get_or_insert(started.started_unix_ms);
                self.planned = Some(started.planned_steps);
                self.finished = None;
                if let Some(from) = started.resumed_from {
                    self.steps = Some(from);
                    self.best = self.best.filter(|(step, _)| *step <= from);
                }
            }
            RunEvent::StepDone(step) => self.steps = Some(step.step),
            RunEvent::EvalDone(eval) if eval.best && eval.step > 0 => self.best = Some((eval.step, eval.eval_loss)),
            RunEvent::RunFinished(finished) => {
                self.steps = Some(finished.steps);
                self.finished = Some(finished.reason);
            }
            _ => {}
        }
    }
}

pub fn past(run: &Path) -> PastRun {
    let ends = read_ends(run);
    let saved = || store::linked(run, "last").or_else(|| store::checkpoints(run).last().copied());
    let mut live = store::is_live(run);
    for _ in 0..LETS_GO_TRIES {
        if !live || ends.finished.is_none() {
            break;
        }
        thread::sleep(LETS_GO);
        live = store::is_live(run);
    }
    let state = match ends.finished {
        _ if live => PastState::Live,
        Some(FinishReason::Completed) => PastState::Finished,
        Some(FinishReason::Stopped) => PastState::Stopped,
        Some(FinishReason::Failed) => PastState::Failed,
        None => PastState::Interrupted,
    };
    PastRun {
        state,
        steps: ends.steps.or_else(saved),
        planned: ends.planned,
        best_eval: ends.best.map(|(_, loss)| loss),
        began_unix_ms: ends.began_unix_ms,
    }
}

fn read_ends(run: &Path) -> Ends {
    let mut ends = Ends::default();
    let Ok(mut file) = File::open(store::events(run)) else { return ends };
    let length = file.metadata().map_or(0, |found| found.len());
    let fold = |bytes: &[u8], ends: &mut Ends| {
        let mut told = false;
        for line in bytes.split(|b| *b == b'\n').filter_map(|line| std::str::from_utf8(line).ok()) {
            // Most lines are of micro-batches and memory: they need no reading.
            let matters =
                ["run_started", "step_done", "eval_done", "run_finished"].iter().any(|name| line.contains(name));
            if let Some(stamped) = matters.then(|| serde_json::from_str::<Stamped>(line).ok()).flatten() {
                told |= !matches!(stamped.event, RunEvent::EvalDone(_));
                ends.fold(&stamped.event);
            }
        }
        told
    };
    let head = read_at(&mut file, 0, HEAD);
    if length <= HEAD {
        fold(&head, &mut ends);
        return ends;
    }
    fold(head.split(|b| *b == b'\n').next().unwrap_or_default(), &mut ends);
    // What the last checkpoint knew is older than what the end of the log says.
    let state = run.join("last").join(STATE_FILE);
    let state = File::open(state).ok().and_then(|f| serde_json::from_reader::<_, TrainerState>(f.take(1 << 20)).ok());
    ends.best = state.and_then(|state| state.best).map(|best| (best.step, best.eval_loss));
    for size in TAILS {
        let tail = read_at(&mut file, length.saturating_sub(size), size);
        // The first line is most likely only the end of one.
        let whole = tail.iter().position(|b| *b == b'\n').map_or(&[][..], |end| &tail[end..]);
        if fold(whole, &mut ends) {
            break;
        }
    }
    ends
}

fn read_at(file: &mut File, offset: u64, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if file.seek(SeekFrom::Start(offset)).is_ok() {
        // What could be read before a failure is as good as it gets.
        let _ = file.take(most).read_to_end(&mut bytes);
    }
    bytes
}

/// Looks at the files of an entry: model, rows, and how many steps come of them.
pub fn look(request: &StartRequest, cancel: &AtomicBool) -> Option<Look> {
    let StartRequest { text, file_name, base_dir, overrides, .. } = request;
    let config = parse::from_toml(text, file_name, base_dir, overrides).ok()?;
    let data = &config.data;
    let files = [("train", Some(&data.train)), ("eval", data.eval.as_ref()), ("test", data.test.as_ref())];
    let mut splits = Vec::new();
    for (split, path) in files {
        let Some(path) = path else { continue };
        splits.push(SplitLook { split, path: path.clone(), rows: rows(path, cancel)? });
    }
    let planned_steps = match splits.first().map(|split| &split.rows) {
        _ if config.train.max_steps > 0 => Some(config.train.max_steps.unsigned_abs()),
        Some(Rows::Counted(rows)) if *rows > 0 => Some(Steps::new(*rows as usize, &config.train).planned),
        _ => None,
    };
    let model = match Source::parse(&config.model.source).and_then(|source| source::locate(&source, cancel)) {
        Ok(Location::Here { bytes }) => ModelPlace::Here { bytes },
        Ok(Location::Missing { from, bytes }) => ModelPlace::Missing { from, bytes },
        Err(e) => ModelPlace::Wrong(e.to_string()),
    };
    (!cancel.load(Ordering::Relaxed)).then_some(Look { model, splits, planned_steps })
}

/// Lines that are not blank; `None` when it was cancelled.
fn rows(path: &Path, cancel: &AtomicBool) -> Option<Rows> {
    let missing = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => Rows::Missing("no such file".into()),
        _ => Rows::Missing(printable(&e.to_string())),
    };
    let found = match fs::metadata(path) {
        Ok(found) if !found.is_file() => return Some(Rows::Missing("not a file".into())),
        Ok(found) if found.len() > MOST_COUNTED => return Some(Rows::Uncounted { bytes: found.len() }),
        Ok(_) => File::open(path),
        Err(e) => return Some(missing(e)),
    };
    let mut file = match found {
        Ok(file) => file,
        Err(e) => return Some(missing(e)),
    };
    let (mut rows, mut blank) = (0, true);
    let mut buffer = vec![0; 1 << 16];
    loop {
        if cancel.load(Ordering::Relaxed) {
            return None;
        }
        match file.read(&mut buffer) {
            Ok(0) => return Some(Rows::Counted(rows + u64::from(!blank))),
            Ok(count) => {
                for &byte in buffer.get(..count).unwrap_or_default() {
                    if byte == b'\n' {
                        rows += u64::from(!blank);
                        blank = true;
                    } else if !byte.is_ascii_whitespace() {
                        blank = false;
                    }
                }
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Some(missing(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = include_str!("../../tests/fixtures/screen/run/events.jsonl");
    const CONFIG: &str = include_str!("../../tests/fixtures/screen/run/config.toml");

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn run_of(folder: &Path, name: &str, log: &str) -> PathBuf {
        let run = folder.join(name);
        write(&run.join("config.toml"), CONFIG);
        write(&run.join("events.jsonl"), log);
        run
    }

    fn lines(from: usize, to: usize) -> String {
        LOG.lines().skip(from).take(to - from).map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn configurations_are_those_with_a_section_of_ours_and_broken_ones_say_why() {
        let here = tempfile::tempdir().expect("a folder");
        let here = here.path();
        write(&here.join("good.toml"), "[data]\ntrain = \"t.jsonl\"\n");
        write(&here.join("Cargo.toml"), "[package]\nname = \"x\"\n[dependencies]\n");
        write(&here.join("notes.txt"), "[data]\n");
        write(&here.join(".hidden.toml"), "[data]\n");
        write(&here.join("configs/syntax.toml"), "[data\ntrain = \n[train]\n");
        write(&here.join("configs/wrong.toml"), "[data]\ntrain = \"t\"\n[train]\nseed = -1\n");
        fs::create_dir(here.join("folder.toml")).expect("a folder");
        let found = configurations(here);
        let titles: Vec<&str> = found.iter().map(|entry| entry.title.as_str()).collect();
        assert_eq!(titles, ["good.toml", "configs/syntax.toml", "configs/wrong.toml"]);
        assert!(found[0].can_start() && !found[1].can_start() && !found[2].can_start());
        assert_eq!(found[0].config().expect("it is good").log.dir, here.join("runs"));
        assert!(found[2].config().expect_err("it is wrong")[0].starts_with("configs/wrong.toml:4: train.seed"));
    }

    #[test]
    fn runs_are_told_newest_first_with_how_they_stand() {
        let here = tempfile::tempdir().expect("a folder");
        let runs_in = here.path().join("runs");
        let count = LOG.lines().count();
        run_of(&runs_in, "20260504-100000-a", &lines(0, count));
        run_of(&runs_in, "20260505-100000-b", &lines(0, count - 1));
        run_of(&runs_in, "20260506-100000-c", "");
        write(&runs_in.join("20260507-100000-no-run/config.toml"), CONFIG);
        // The same folder under two names is one.
        let found = runs(&[runs_in.clone(), here.path().join("x/../runs"), runs_in.clone()]);
        let of = |entry: &Entry| entry.past.expect("a run");
        let titles: Vec<&str> = found.iter().map(|entry| entry.title.as_str()).collect();
        assert_eq!(titles, ["20260506-100000-c", "20260505-100000-b", "20260504-100000-a"]);
        let states: Vec<PastState> = found.iter().map(|entry| of(entry).state).collect();
        assert_eq!(states, [PastState::Interrupted, PastState::Interrupted, PastState::Finished]);
        let whole = of(&found[2]);
        assert_eq!((whole.steps, whole.planned, whole.best_eval), (Some(48), Some(48), Some(1.188)));
        assert_eq!((of(&found[0]).steps, of(&found[0]).best_eval), (None, None));
        assert!(found[1].can_resume() && !found[2].can_resume());
    }

    #[test]
    fn a_run_that_somebody_writes_is_live() {
        let here = tempfile::tempdir().expect("a folder");
        let run = run_of(here.path(), "20260504-100000-a", &lines(0, 60));
        let _held = store::RunFolder::open(&run).expect("a run");
        assert_eq!(past(&run).state, PastState::Live);
    }

    #[test]
    fn of_a_long_log_both_ends_are_read_and_what_lies_between_comes_from_the_checkpoint() {
        let here = tempfile::tempdir().expect("a folder");
        let count = LOG.lines().count();
        let between = format!("{}\n", LOG.lines().find(|l| l.contains("memory_sampled")).expect("a sample"));
        let between = between.repeat((3 << 20) / between.len());
        let log = [lines(0, count - 40), between.clone(), lines(count - 40, count - 1)].concat();
        let run = run_of(here.path(), "20260504-100000-a", &log);
        write(
            &run.join("last/trainer_state.json"),
            r#"{"schema":1,"step":24,"planned_steps":48,"epoch":0.5,"seed":42,"best":{"step":24,"eval_loss":1.314},"train_fingerprint":""}"#,
        );
        let found = past(&run);
        assert_eq!((found.steps, found.planned, found.best_eval), (Some(48), Some(48), Some(1.314)));
        // Where even the end says nothing, the last checkpoint does.
        let run = run_of(here.path(), "20260504-100000-b", &[lines(0, 100), between].concat());
        fs::create_dir_all(run.join("checkpoints/step-000012")).expect("a folder");
        assert_eq!(past(&run).steps, Some(12));
    }

    #[test]
    fn a_look_counts_rows_that_are_not_blank_and_plans_steps() {
        let here = tempfile::tempdir().expect("a folder");
        let here = here.path();
        write(&here.join("t.jsonl"), "{}\n\n  \n{}\n{}");
        let request = |text: &str| StartRequest {
            target: Target::Given,
            text: text.into(),
            file_name: "x.toml".into(),
            base_dir: here.to_path_buf(),
            overrides: vec!["train.per_device_train_batch_size=1".into(), "train.gradient_accumulation_steps=2".into()],
        };
        let go_on = AtomicBool::new(false);
        let text = "[model]\nsource = \"nowhere\"\n[data]\ntrain = \"t.jsonl\"\neval = \"e.jsonl\"\n";
        let found = look(&request(text), &go_on).expect("nobody cancelled");
        assert_eq!(found.planned_steps, Some(2));
        let rows: Vec<&Rows> = found.splits.iter().map(|split| &split.rows).collect();
        assert_eq!(rows, [&Rows::Counted(3), &Rows::Missing("no such file".into())]);
        assert!(matches!(found.model, ModelPlace::Wrong(_)));
        go_on.store(true, Ordering::Relaxed);
        assert_eq!(look(&request(text), &go_on), None);
        assert_eq!(look(&request("[data]\n"), &AtomicBool::new(false)), None);
    }
}
