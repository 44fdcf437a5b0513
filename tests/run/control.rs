//! The socket of a run: who may connect, what is answered and when, and clients that do not behave.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use finetop::event::*;
use finetop::run::control::{self, ControlError};
use finetop::run::store::{self, RunFolder};
use finetop::run::worker::{self, Running};

use super::support::*;

/// A run that waits before each micro-batch until it is let go.
struct Held {
    path: PathBuf,
    handle: RunHandle,
    running: Running,
    go: Sender<()>,
    place: tempfile::TempDir,
}

fn held_at(place: tempfile::TempDir, path: PathBuf, fake: Fake) -> Held {
    let (go, wait) = mpsc::channel();
    // Once nobody lets it go any more it runs freely.
    let before_micro = Box::new(move |_| wait.recv().unwrap_or(()));
    let folder = RunFolder::create_at(&path, &config()).unwrap();
    let (handle, running) = worker::start(folder, job(Fake { before_micro, ..fake })).unwrap();
    Held { path, handle, running, go, place }
}

fn held() -> Held {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    held_at(place, path, Fake::default())
}

/// More steps than a test lets go one by one.
fn long() -> Fake {
    Fake { steps: 500, save_every: 500, eval_every: 500, ..Fake::default() }
}

fn held_long() -> Held {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    held_at(place, path, long())
}

impl Held {
    /// Sends from a thread of its own, for an answer may have to wait for `go`; returns once the job has the command.
    fn send(&self, command: Command) -> mpsc::Receiver<CommandReply> {
        let (answer, answered) = mpsc::channel();
        let path = self.path.clone();
        std::thread::spawn(move || answer.send(control::send(&path, &command, Some(Duration::from_secs(60))).unwrap()));
        answered
    }

    /// Lets the run go to its end; its folder lives as long as what comes back.
    fn finish(self) -> tempfile::TempDir {
        drop(self.go);
        self.running.wait();
        self.place
    }
}

fn answer(answered: &mpsc::Receiver<CommandReply>) -> CommandReply {
    answered.recv_timeout(Duration::from_secs(60)).expect("an answer")
}

fn line_of(stream: &UnixStream) -> String {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

fn connect(run: &Path) -> UnixStream {
    eventually("the socket is there", || run.join("control.sock").exists());
    let stream = UnixStream::connect(run.join("control.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

#[test]
fn only_the_user_can_connect_and_the_socket_goes_with_the_run() {
    let run = held();
    connect(&run.path);
    let mode = fs::metadata(run.path.join("control.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let path = run.path.clone();
    let _place = run.finish();
    assert!(!path.join("control.sock").exists());
}

#[test]
fn commands_are_answered_when_they_have_taken_effect() {
    let run = held_long();
    next(&run.handle.events, |e| matches!(e, RunEvent::EvalDone(_)));
    let paused = run.send(Command::Pause);
    assert!(paused.recv_timeout(Duration::from_millis(50)).is_err(), "not before the micro-batch is done");
    // Commands are looked at when the job is let go; it may take more than one look until the line has come through.
    let paused = let_go_until(&run, &paused);
    assert_eq!(paused.state, Some(RunState::Paused));
    let save = run.send(Command::Save);
    let resumed = answer(&run.send(Command::Resume));
    assert_eq!((resumed.ok, resumed.state), (true, Some(RunState::Running)));
    let saved = let_go_until(&run, &save);
    let path = saved.path.clone().unwrap();
    assert_eq!(path, format!("checkpoints/step-{:06}", saved.step.unwrap()));
    assert!(run.path.join(path).join("weights").is_file());
    let evaluated = run.send(Command::Eval);
    let evaluated = let_go_until(&run, &evaluated);
    assert!(raw_events(&run.path, "eval_done").contains(&evaluated.step.unwrap()));
    assert_eq!(answer_of(&run, Command::ApplyLever { id: "x".into() }).error.unwrap(), "nothing to apply");
    run.finish();
}

fn raw_events(run: &Path, name: &str) -> Vec<u64> {
    raw_log(run).iter().filter(|l| l["event"] == name).filter_map(|l| l["step"].as_u64()).collect()
}

fn answer_of(run: &Held, command: Command) -> CommandReply {
    let answered = run.send(command);
    let_go_until(run, &answered)
}

/// Lets the job go one micro-batch at a time until the answer is there.
fn let_go_until(run: &Held, answered: &mpsc::Receiver<CommandReply>) -> CommandReply {
    for _ in 0..1000 {
        if let Ok(reply) = answered.recv_timeout(Duration::from_millis(20)) {
            return reply;
        }
        let _ = run.go.send(());
    }
    panic!("no answer");
}

#[test]
fn stop_is_answered_by_the_end_and_saves_the_step() {
    let run = held_long();
    let path = run.path.clone();
    next(&run.handle.events, |e| matches!(e, RunEvent::EvalDone(_)));
    let reply = answer_of(&run, Command::Stop);
    assert_eq!((reply.ok, reply.state), (true, Some(RunState::Finished)));
    let last = raw_log(&path).pop().unwrap();
    assert_eq!((last["event"].as_str(), last["reason"].as_str()), (Some("run_finished"), Some("stopped")));
    assert_eq!(last["steps"], reply.step.unwrap());
    assert_eq!(store::linked(&path, "last"), reply.step);
    let _place = run.finish();
}

#[test]
fn a_second_stop_drops_the_step_and_the_channels_close_at_the_end() {
    let run = held();
    next(&run.handle.events, |e| matches!(e, RunEvent::EvalDone(_)));
    let answers = [(); 2].map(|()| {
        let (reply, answered) = mpsc::channel();
        run.handle.commands.send(CommandRequest { command: Command::Stop, reply: Some(reply) }).unwrap();
        answered
    });
    run.go.send(()).unwrap();
    let finished = run.running.wait().finished.unwrap();
    assert_eq!((finished.reason, finished.steps), (FinishReason::Stopped, 0));
    assert!(raw_events(&run.path, "micro_batch_done").is_empty());
    assert!(answers.iter().all(|answered| answered.recv().is_err()));
}

#[test]
fn lines_that_are_no_command_are_refused_and_the_connection_goes_on() {
    let run = held();
    let mut stream = connect(&run.path);
    for (line, said) in [
        ("save", "no valid JSON"),
        ("[1,2]", "expected an object such as"),
        (r#"{"command":7}"#, "expected an object such as"),
        (r#"{"command":"sav"}"#, "sav is no command; did you mean save?"),
        (r#"{"command":"xyzzy"}"#, "xyzzy is no command; expected one of pause, resume, stop"),
        (r#"{"command":"apply_lever"}"#, "apply_lever: missing field `id`"),
    ] {
        stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        let reply: serde_json::Value = serde_json::from_str(&line_of(&stream)).unwrap();
        assert_eq!(reply["ok"], false);
        assert!(reply["error"].as_str().unwrap().starts_with(said), "{reply}");
        assert_eq!(reply.as_object().unwrap().len(), 2);
    }
    stream.write_all(b"\xff\xfe\n").unwrap();
    assert!(line_of(&stream).contains("no valid JSON"));
    let mut flood = connect(&run.path);
    let _ = flood.write_all(&vec![b'x'; 1 << 20]);
    assert!(line_of(&flood).contains("at most 65536 bytes"));
    run.finish();
}

#[test]
fn clients_that_hang_or_leave_harm_nobody() {
    let run = held_long();
    next(&run.handle.events, |e| matches!(e, RunEvent::EvalDone(_)));
    let mut hanging: Vec<UnixStream> = Vec::new();
    for i in 0..100 {
        let mut stream = connect(&run.path);
        match i % 3 {
            0 => stream.write_all(b"{\"command\":").unwrap(),
            1 => drop(stream.write_all(b"{\"command\":\"save\"}\n")),
            _ => {}
        }
        if i % 2 == 0 {
            hanging.push(stream);
        }
    }
    let reply = answer_of(&run, Command::Save);
    assert!(reply.ok || reply.error.is_some());
    drop(run.go);
    assert_eq!(run.running.wait().finished.unwrap().reason, FinishReason::Completed);
}

#[test]
fn the_socket_of_a_dead_process_is_replaced() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    drop(RunFolder::create_at(&path, &config()).unwrap());
    drop(UnixListener::bind(path.join("control.sock")).unwrap());
    assert!(matches!(control::send(&path, &Command::Save, None), Err(ControlError::NotRunning(_))));
    let (go, wait) = mpsc::channel::<()>();
    let before_micro = Box::new(move |_| wait.recv().unwrap_or(()));
    let folder = RunFolder::open(&path).unwrap();
    let (_handle, running) = worker::start(folder, job(Fake { before_micro, ..Fake::default() })).unwrap();
    let answered = std::thread::spawn({
        let path = path.clone();
        move || control::send(&path, &Command::Stop, Some(Duration::from_secs(60))).unwrap()
    });
    drop(go);
    assert!(answered.join().unwrap().step.is_some());
    running.wait();
}

#[test]
fn a_run_that_has_finished_answers_through_its_log() {
    let run = held();
    let path = run.path.clone();
    let _place = run.finish();
    let send = |command| control::send(&path, &command, None).unwrap();
    let stopped = send(Command::Stop);
    assert_eq!((stopped.ok, stopped.state, stopped.step), (true, Some(RunState::Finished), Some(6)));
    assert_eq!(send(Command::Save).path.unwrap(), "checkpoints/step-000006");
    let paused = send(Command::Pause);
    assert_eq!((paused.ok, paused.state), (false, Some(RunState::Finished)));
    assert_eq!(paused.error.unwrap(), "the run has finished at step 6");
    assert!(matches!(control::send(path.parent().unwrap(), &Command::Stop, None), Err(ControlError::Store(_))));
}

#[test]
fn a_path_too_long_for_a_socket_gets_a_link_to_one_that_is_private() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("long-".repeat(30)).join("run");
    let run = held_at(place, path.clone(), long());
    let link = path.join("control.sock");
    eventually("the link is there", || link.is_symlink());
    let real = fs::read_link(&link).unwrap();
    eventually("the socket is there", || real.exists());
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(real.parent().unwrap()).unwrap().permissions().mode() & 0o022, 0);
    assert!(answer_of(&run, Command::Pause).ok);
    assert!(answer(&run.send(Command::Resume)).ok);
    let _place = run.finish();
    assert!(!real.exists() && !link.is_symlink());
}

#[test]
fn a_socket_is_reached_by_a_longer_name_than_its_own() {
    let run = held_long();
    let long = run.place.path().join("long-".repeat(30));
    std::os::unix::fs::symlink(&run.path, &long).unwrap();
    connect(&run.path);
    let answered = std::thread::spawn(move || control::send(&long, &Command::Stop, Some(Duration::from_secs(60))));
    eventually("the command arrived", || run.go.send(()).is_err() || answered.is_finished());
    assert!(answered.join().unwrap().unwrap().ok);
    run.finish();
}

#[test]
fn an_attached_handle_is_like_that_of_the_process_itself() {
    let run = held_long();
    let attached = finetop::run::attach(&run.path).unwrap();
    next(&attached.events, |e| matches!(e, RunEvent::EvalDone(_)));
    let (reply, answered) = mpsc::channel();
    attached.commands.send(CommandRequest { command: Command::Save, reply: Some(reply) }).unwrap();
    assert!(let_go_until(&run, &answered).path.is_some());
    let path = run.path.clone();
    let _place = run.finish();
    // The rest comes, and then the end.
    let rest: Vec<Stamped> = attached.events.iter().collect();
    assert_eq!(rest.last(), read(&path).events.last());
    let whole: Vec<Stamped> = finetop::run::attach(&path).unwrap().events.iter().collect();
    assert_eq!(whole, read(&path).events);
}

#[test]
fn an_answer_that_does_not_come_is_given_up_in_time() {
    let run = held();
    next(&run.handle.events, |e| matches!(e, RunEvent::EvalDone(_)));
    let given_up = control::send(&run.path, &Command::Save, Some(Duration::from_millis(50)));
    assert!(matches!(given_up, Err(ControlError::Timeout(_))));
    run.finish();
}
