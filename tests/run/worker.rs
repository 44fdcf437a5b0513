//! The thread of a run: every segment ends, whatever the job does, and nobody who listens can stop it.

use std::fs;
use std::sync::mpsc;

use finetop::event::*;
use finetop::run::replay::LogState;
use finetop::run::store::{self, RunFolder};
use finetop::run::worker::{self, Ending, Job, JobError, Outcome, ResumePoint};

use finetop::train::checkpoint::Best;

use super::support::*;

fn folder(place: &tempfile::TempDir) -> RunFolder {
    RunFolder::create_at(&place.path().join("run"), &config()).unwrap()
}

fn run(folder: RunFolder, job: Job) -> Ending {
    worker::start(folder, job).unwrap().1.wait()
}

#[test]
fn a_run_ends_with_run_finished_and_leaves_lock_and_socket_behind() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    let (handle, running) = worker::start(folder(&place), job(Fake::default())).unwrap();
    let heard: Vec<Stamped> = handle.events.iter().collect();
    let ending = running.wait();
    assert_eq!(ending.error, None);
    assert_eq!(ending.finished.unwrap().reason, FinishReason::Completed);
    let replay = read(&path);
    assert_eq!(replay.events, heard);
    assert!(matches!(&heard.first().unwrap().event, RunEvent::RunStarted(_)));
    assert!(matches!(&heard.last().unwrap().event, RunEvent::RunFinished(_)));
    assert!(!store::is_live(&path) && !path.join("control.sock").exists());
    assert_eq!(store::linked(&path, "best"), Some(6));
    assert!(handle.commands.send(CommandRequest { command: Command::Save, reply: None }).is_err());
}

#[test]
fn a_panic_of_the_job_ends_its_segment_as_failed_and_says_where() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    let before_micro = Box::new(|step| assert!(step < 3, "the third step is too much"));
    let ending = run(folder(&place), job(Fake { before_micro, ..Fake::default() }));
    let finished = ending.finished.unwrap();
    assert_eq!((finished.reason, finished.steps), (FinishReason::Failed, 2));
    let detail = finished.detail.clone().unwrap();
    assert!(detail.contains("the third step is too much at tests/run/worker.rs"), "{detail}");
    assert_eq!(ending.error, Some(JobError::Failed(detail)));
    assert_eq!(read(&path).state, LogState::Finished(finished));
    // And it can be gone on with.
    let ending = run(RunFolder::open(&path).unwrap(), job(Fake::default()));
    assert_eq!(ending.finished.unwrap().steps, 6);
    assert_eq!(raw_log(&path).iter().filter(|l| l["event"] == "run_started").count(), 2);
}

#[test]
fn an_error_ends_the_segment_and_is_handed_back() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    let error = JobError::Input("rows are gone".into());
    let given = error.clone();
    let ending = run(
        folder(&place),
        Box::new(move |context| {
            context.sink.emit(started("run", None, 2));
            context.sink.emit(step_done(1));
            Err(given)
        }),
    );
    assert_eq!(ending.error, Some(error));
    let finished = RunFinished { reason: FinishReason::Failed, steps: 1, detail: Some("rows are gone".into()) };
    assert_eq!(read(&path).state, LogState::Finished(finished));
}

#[test]
fn a_run_that_fails_before_it_begins_leaves_no_folder_but_a_resumed_one_stays() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    let failing = || -> Job { Box::new(|_| Err(JobError::Input("no such model".into()))) };
    let ending = run(folder(&place), failing());
    assert_eq!(ending, Ending { finished: None, error: Some(JobError::Input("no such model".into())) });
    assert!(!path.exists());
    run(folder(&place), job(Fake::default()));
    let before = raw_log(&path);
    assert_eq!(run(RunFolder::open(&path).unwrap(), failing()).finished, None);
    assert_eq!(raw_log(&path), before);
    assert!(run(folder_again(&place), Box::new(|_| panic!("while loading"))).error.is_some());
}

fn folder_again(place: &tempfile::TempDir) -> RunFolder {
    RunFolder::create_at(&place.path().join("again"), &config()).unwrap()
}

#[test]
fn a_screen_that_is_gone_stops_nothing() {
    let place = tempfile::tempdir().unwrap();
    let (go, wait) = mpsc::channel::<()>();
    let before_micro = Box::new(move |step| {
        if step == 2 {
            wait.recv().unwrap_or(())
        }
    });
    let (handle, running) = worker::start(folder(&place), job(Fake { before_micro, ..Fake::default() })).unwrap();
    next(&handle.events, |e| matches!(e, RunEvent::StepDone(_)));
    drop(handle);
    drop(go);
    assert_eq!(running.wait().finished.unwrap().reason, FinishReason::Completed);
    assert_eq!(read(&place.path().join("run")).last_step(), 6);
}

#[test]
fn a_resumed_run_says_and_saves_what_an_uninterrupted_one_does_wherever_it_was_killed() {
    let place = tempfile::tempdir().unwrap();
    let whole = place.path().join("whole");
    run(RunFolder::create_at(&whole, &config()).unwrap(), job(Fake::default()));
    let expected = facts(&read(&whole));
    for kill_at in 1..=11 {
        let path = place.path().join(format!("killed-{kill_at}"));
        let mut micro = 0;
        let before_micro = Box::new(move |_| {
            micro += 1;
            assert!(micro < kill_at, "killed");
        });
        run(RunFolder::create_at(&path, &config()).unwrap(), job(Fake { before_micro, ..Fake::default() }));
        // A process that is killed has no time for a last line.
        let log = fs::read_to_string(path.join("events.jsonl")).unwrap();
        let lines: Vec<&str> = log.lines().filter(|l| !l.contains("run_finished")).collect();
        fs::write(path.join("events.jsonl"), lines.join("\n") + "\n{\"seq\":").unwrap();
        assert_eq!(read(&path).state, LogState::Interrupted);
        run(RunFolder::open(&path).unwrap(), job(Fake::default()));
        assert_eq!(facts(&read(&path)), expected, "killed before micro-batch {kill_at}");
        raw_log(&path);
        for link in ["best", "last"] {
            assert_eq!(store::linked(&path, link), store::linked(&whole, link));
            let weights = |run: &std::path::Path| fs::read(run.join(link).join("weights")).unwrap();
            assert_eq!(weights(&path), weights(&whole));
        }
    }
}

#[test]
fn links_and_log_catch_up_with_a_checkpoint_saved_in_the_last_moment() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    let before_micro = Box::new(|step| assert!(step < 4, "killed"));
    run(folder(&place), job(Fake { before_micro, ..Fake::default() }));
    // As if it had died after the rename of step 3, which an eval had found best, and before links and line.
    let log = fs::read_to_string(path.join("events.jsonl")).unwrap();
    let until = log.find(r#""event":"checkpoint_saved","step":3"#).map(|i| log[..i].rfind('\n').unwrap() + 1).unwrap();
    fs::write(path.join("events.jsonl"), &log[..until]).unwrap();
    for link in ["best", "last"] {
        fs::remove_file(path.join(link)).unwrap();
    }
    let (seen, resumes) = mpsc::channel();
    let ending = run(
        RunFolder::open(&path).unwrap(),
        Box::new(move |context| {
            seen.send(context.resume.clone()).unwrap();
            Ok(Outcome { reason: FinishReason::Stopped, steps: 3, detail: None })
        }),
    );
    assert_eq!(ending.finished, None);
    let checkpoint = path.canonicalize().unwrap().join("checkpoints/step-000003");
    let best = Some(Best { step: 3, eval_loss: 0.75 });
    let expected = ResumePoint { step: 3, checkpoint: Some(checkpoint), best, evaluated: true, killed: None };
    assert_eq!(resumes.recv().unwrap(), Some(expected));
    assert_eq!((store::linked(&path, "best"), store::linked(&path, "last")), (Some(3), Some(3)));
    let said: Vec<_> = raw_log(&path).into_iter().filter(|l| l["event"] == "checkpoint_saved").collect();
    assert_eq!(said.last().unwrap()["path"], "checkpoints/step-000003");
    assert_eq!(said.iter().filter(|l| l["step"] == 3).count(), 1);
}

#[test]
fn a_run_killed_before_its_first_checkpoint_begins_anew() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    let before_micro = Box::new(|step| assert!(step < 2, "killed"));
    run(folder(&place), job(Fake { before_micro, ..Fake::default() }));
    run(RunFolder::open(&path).unwrap(), job(Fake::default()));
    assert_eq!(raw_log(&path).iter().filter_map(|l| l["resumed_from"].as_u64()).collect::<Vec<_>>(), [0]);
    let steps: Vec<_> = facts(&read(&path)).into_iter().filter(|e| e["event"] == "step_done").collect();
    assert_eq!(steps.len(), 6);
}
