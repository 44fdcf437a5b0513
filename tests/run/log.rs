//! Lines of the log: whole, in order, on disk before anybody hears of them, and read back whatever happened to the end.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use finetop::event::{EventSink, RunEvent};
use finetop::run::log::{Clock, LogSink};
use finetop::run::replay::{self, Follow, LogState};
use finetop::run::store::RunFolder;

use super::support::*;

fn folder() -> (tempfile::TempDir, RunFolder) {
    let place = tempfile::tempdir().unwrap();
    let folder = RunFolder::create_at(&place.path().join("run"), &config()).unwrap();
    (place, folder)
}

fn clock(ms: &Arc<AtomicU64>) -> Clock {
    let ms = Arc::clone(ms);
    Box::new(move || Duration::from_millis(ms.load(SeqCst)))
}

fn segment(run: &Path) -> LogSink {
    LogSink::open(run, Box::new(|| Duration::ZERO), None).unwrap()
}

fn append(run: &Path, text: &str) {
    OpenOptions::new().append(true).open(run.join("events.jsonl")).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn seq_and_time_go_on_over_segments() {
    let (_place, folder) = folder();
    let ms = Arc::new(AtomicU64::new(0));
    for (segment, resumed_from) in [None, Some(2)].into_iter().enumerate() {
        ms.store(0, SeqCst);
        let mut sink = LogSink::open(folder.path(), clock(&ms), None).unwrap();
        sink.emit(started("x", resumed_from, 4));
        for step in 1..=3 {
            ms.store(step * 100, SeqCst);
            sink.emit(step_done(step + segment as u64 * 2));
        }
        // A clock that goes back does not take the stream with it.
        ms.store(50, SeqCst);
        sink.emit(warning("late"));
    }
    let elapsed: Vec<u64> = raw_log(folder.path()).iter().map(|l| l["elapsed_ms"].as_u64().unwrap()).collect();
    assert_eq!(elapsed, [0, 100, 200, 300, 300, 300, 400, 500, 600, 600]);
    let steps: Vec<u64> = raw_log(folder.path()).iter().filter_map(|l| l["step"].as_u64()).collect();
    assert_eq!(steps, [1, 2, 3, 3, 4, 5]);
}

#[test]
fn a_listener_finds_on_disk_whatever_it_hears_of() {
    let (_place, folder) = folder();
    let (sender, heard) = mpsc::channel();
    let mut sink = LogSink::open(folder.path(), Box::new(|| Duration::ZERO), Some(sender)).unwrap();
    let events = folder.events();
    let listener = std::thread::spawn(move || {
        let mut count = 0;
        for stamped in heard {
            let line = format!("{}\n", serde_json::to_string(&stamped).unwrap());
            assert!(fs::read_to_string(&events).unwrap().contains(&line));
            count += 1;
        }
        count
    });
    sink.emit(started("x", None, 100));
    (1..=100).for_each(|step| sink.emit(step_done(step)));
    drop(sink);
    assert_eq!(listener.join().unwrap(), 101);
}

#[test]
fn a_last_line_torn_at_any_byte_is_cut_or_completed_and_nothing_before_it_is_lost() {
    let (_place, folder) = folder();
    let path = folder.events();
    let mut sink = segment(folder.path());
    sink.emit(started("x", None, 4));
    sink.emit(step_done(1));
    let before = fs::read(&path).unwrap();
    sink.emit(step_done(2));
    drop(sink);
    let whole = fs::read(&path).unwrap();
    for end in before.len()..=whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        let kept = if end + 1 >= whole.len() { 3 } else { 2 };
        assert_eq!(replay::read(folder.path()).unwrap().events.len(), if end == whole.len() { 3 } else { 2 });
        segment(folder.path()).emit(started("x", Some(2), 4));
        let lines = raw_log(folder.path());
        assert_eq!(lines.len(), kept + 1, "cut at {end}");
        assert_eq!(lines[1]["event"], "step_done");
        assert_eq!(lines[kept]["resumed_from"], 2);
    }
    // What a power cut may leave instead of a line.
    fs::write(&path, [&before[..], &[0; 100]].concat()).unwrap();
    segment(folder.path()).emit(started("x", Some(1), 4));
    assert_eq!(raw_log(folder.path()).len(), 3);
}

#[test]
fn what_is_said_too_early_follows_run_started() {
    let (_place, folder) = folder();
    let mut sink = segment(folder.path());
    sink.emit(warning("two rows were skipped"));
    assert!(raw_log(folder.path()).is_empty());
    sink.emit(started("x", None, 4));
    let names: Vec<_> = raw_log(folder.path()).iter().map(|l| l["event"].clone()).collect();
    assert_eq!(names, ["run_started", "warning"]);
}

#[test]
fn a_number_that_json_does_not_have_becomes_a_warning_and_never_null() {
    let (_place, folder) = folder();
    let mut sink = segment(folder.path());
    sink.emit(started("x", None, 4));
    for loss in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let RunEvent::StepDone(mut step) = step_done(1) else { unreachable!() };
        step.loss = loss;
        sink.emit(RunEvent::StepDone(step));
    }
    let lines = raw_log(folder.path());
    for line in &lines[1..] {
        assert_eq!((line["event"].as_str(), line["kind"].as_str()), (Some("warning"), Some("not_finite")));
        assert_eq!(line["detail"], "step_done.loss is not a finite number");
    }
}

#[test]
fn a_reader_drops_what_a_resumed_segment_does_again() {
    let (_place, folder) = folder();
    let eval = |step| {
        RunEvent::EvalDone(finetop::event::EvalDone {
            step,
            eval_loss: 1.0,
            target_tokens: 1,
            duration_us: 1,
            best: false,
        })
    };
    let mut sink = segment(folder.path());
    sink.emit(started("x", None, 4));
    for event in [eval(0), step_done(1), step_done(2), eval(2), warning("stays"), step_done(3)] {
        sink.emit(event);
    }
    sink.emit(started("x", Some(2), 4));
    sink.emit(step_done(3));
    let steps = |run: &Path| -> Vec<(u64, String)> {
        let events = read(run).events;
        let named = events.iter().map(|s| (s.seq, serde_json::to_value(&s.event).unwrap()));
        named.map(|(seq, e)| (seq, format!("{} {}", e["event"].as_str().unwrap(), e["step"]))).collect()
    };
    let kept: Vec<u64> = steps(folder.path()).into_iter().map(|(seq, _)| seq).collect();
    assert_eq!(kept, [0, 1, 2, 3, 4, 5, 7, 8]);
    assert_eq!(read(folder.path()).last_step(), 3);
    // Without a checkpoint everything is done again, the eval before training too.
    sink.emit(started("x", Some(0), 4));
    sink.emit(eval(0));
    let kept: Vec<u64> = steps(folder.path()).into_iter().map(|(seq, _)| seq).collect();
    assert_eq!(kept, [0, 5, 7, 9, 10]);
    assert_eq!(read(folder.path()).last_step(), 0);
}

#[test]
fn events_and_fields_of_other_versions_are_skipped_and_counted() {
    let (_place, folder) = folder();
    segment(folder.path()).emit(started("x", None, 4));
    append(folder.path(), "{\"seq\":1,\"elapsed_ms\":70,\"event\":\"moon_phase\",\"phase\":\"full\"}\n");
    append(
        folder.path(),
        "{\"seq\":2,\"elapsed_ms\":80,\"event\":\"warning\",\"kind\":\"k\",\"detail\":\"d\",\"mood\":1}\n",
    );
    append(folder.path(), "no event at all\n\n");
    let replay = replay::read(folder.path()).unwrap();
    assert_eq!((replay.events.len(), replay.skipped), (2, 3));
    // The next line counts on from the last place that can be read.
    let mut sink = segment(folder.path());
    sink.emit(started("x", Some(0), 4));
    let last = replay::read(folder.path()).unwrap().events.pop().unwrap();
    assert_eq!((last.seq, last.elapsed_ms), (3, 80));
}

#[test]
fn a_line_longer_than_any_of_ours_is_passed_over() {
    let (_place, folder) = folder();
    segment(folder.path()).emit(started("x", None, 4));
    append(folder.path(), &"x".repeat(40 << 20));
    append(folder.path(), "\n{\"seq\":1,\"elapsed_ms\":80,\"event\":\"warning\",\"kind\":\"k\",\"detail\":\"d\"}\n");
    let replay = replay::read(folder.path()).unwrap();
    assert_eq!((replay.events.len(), replay.skipped), (2, 1));
}

#[test]
fn a_log_says_whether_it_is_empty_live_interrupted_or_finished() {
    let (_place, folder) = folder();
    let state = |run: &Path| replay::read(run).unwrap().state;
    let path = folder.path().to_path_buf();
    assert_eq!(state(&path), LogState::Live);
    let mut sink = segment(&path);
    sink.emit(started("x", None, 4));
    assert_eq!(state(&path), LogState::Live);
    drop(folder);
    assert_eq!(state(&path), LogState::Interrupted);
    let finished =
        finetop::event::RunFinished { reason: finetop::event::FinishReason::Stopped, steps: 0, detail: None };
    sink.emit(RunEvent::RunFinished(finished.clone()));
    assert_eq!(state(&path), LogState::Finished(finished));
    fs::write(path.join("events.jsonl"), "").unwrap();
    assert_eq!(state(&path), LogState::Empty);
}

#[test]
fn a_log_is_followed_line_by_line_through_a_torn_one() {
    let (_place, folder) = folder();
    let mut sink = segment(folder.path());
    let mut follow = Follow::open(folder.path()).unwrap();
    assert!(follow.poll().unwrap().is_empty());
    sink.emit(started("x", None, 4));
    assert_eq!(follow.poll().unwrap().len(), 1);
    append(folder.path(), "{\"seq\":1,\"elapsed");
    assert!(follow.poll().unwrap().is_empty());
    // A resume cuts the torn line off and writes another in its place.
    drop(sink);
    let mut sink = segment(folder.path());
    sink.emit(started("x", Some(0), 4));
    sink.emit(step_done(1));
    let seqs: Vec<u64> = follow.poll().unwrap().iter().map(|s| s.seq).collect();
    assert_eq!(seqs, [1, 2]);
    assert_eq!(follow.skipped(), 0);
}

#[test]
fn a_log_is_followed_on_while_somebody_prepares_to_go_on_with_it() {
    let (_place, folder) = folder();
    let finished = || {
        RunEvent::RunFinished(finetop::event::RunFinished {
            reason: finetop::event::FinishReason::Stopped,
            steps: 1,
            detail: None,
        })
    };
    let mut sink = segment(folder.path());
    [started("x", None, 4), step_done(1), finished()].into_iter().for_each(|event| sink.emit(event));
    let events = Follow::open(folder.path()).unwrap().into_receiver();
    let heard = next(&events, |e| matches!(e, RunEvent::RunFinished(_)));
    assert_eq!(heard.seq, 2);
    // The model is being loaded.
    assert_eq!(events.recv_timeout(Duration::from_millis(300)), Err(mpsc::RecvTimeoutError::Timeout));
    segment(folder.path()).emit(started("x", Some(1), 4));
    assert_eq!(next(&events, |e| matches!(e, RunEvent::RunStarted(_))).seq, 3);
    drop(folder);
    assert!(events.recv_timeout(Duration::from_secs(60)).is_err(), "nobody holds it any more");
}

#[test]
fn what_stands_before_a_segment_is_handed_over_whole_and_nothing_of_the_segment() {
    let (_place, folder) = folder();
    let mut sink = segment(folder.path());
    sink.emit(started("x", None, 4));
    (1..=3).for_each(|step| sink.emit(step_done(step)));
    append(folder.path(), "{\"seq\":4,\"elapsed");
    let mut sink = segment(folder.path());
    let first = sink.next_seq();
    sink.emit(started("x", Some(2), 4));
    sink.emit(step_done(3));
    let seqs: Vec<u64> = replay::before(folder.path(), first).unwrap().iter().map(|s| s.seq).collect();
    assert_eq!(seqs, [0, 1, 2, 3], "the step that is done again too");
    assert_eq!(replay::before(folder.path(), 0).unwrap().iter().count(), 0);
}

#[test]
fn a_long_history_is_read_no_further_than_it_is_taken() {
    let (_place, folder) = folder();
    let line =
        |seq| format!("{{\"seq\":{seq},\"elapsed_ms\":0,\"event\":\"warning\",\"kind\":\"k\",\"detail\":\"d\"}}\n");
    append(folder.path(), &(0..80_000).map(line).collect::<String>());
    let history = replay::before(folder.path(), u64::MAX).unwrap();
    history.recv().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    fs::write(folder.path().join("events.jsonl"), "").unwrap();
    assert!(history.iter().count() < 40_000, "what was not read yet is gone");
}
