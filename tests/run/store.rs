//! A run's folder: who may write there, and checkpoints that are whole or absent.

use std::fs;
use std::path::{Path, PathBuf};

use finetop::run::store::{self, RunFolder, Saved, StoreError};

use super::support::config;

fn folder(place: &tempfile::TempDir) -> RunFolder {
    RunFolder::create_at(&place.path().join("run"), &config()).unwrap()
}

fn save(folder: &RunFolder, step: u64, best: bool, keep: usize) -> Saved {
    folder
        .save_checkpoint::<StoreError>(step, best, keep, |f| {
            fs::write(f.join("adapter_model.safetensors"), step.to_string()).unwrap();
            Ok(())
        })
        .unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_new_run_has_its_settings_its_log_and_room_for_checkpoints() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(&place);
    assert_eq!(names(folder.path()), ["checkpoints", "config.toml", "events.jsonl"]);
    assert_eq!(folder.config().unwrap(), config());
    assert_eq!(folder.run_id(), "run");
    assert!(store::is_run(folder.path()) && store::is_live(folder.path()));
}

#[test]
fn runs_that_begin_in_the_same_second_get_folders_of_their_own() {
    let place = tempfile::tempdir().unwrap();
    let runs = place.path().join("deep/runs");
    let made: Vec<RunFolder> =
        (0..3).map(|_| RunFolder::create(&runs, "demo", 1_795_472_102_000, &config()).unwrap()).collect();
    let ids: Vec<String> = made.iter().map(RunFolder::run_id).collect();
    assert_eq!(ids, ["20261123-221502-demo", "20261123-221502-demo.2", "20261123-221502-demo.3"]);
    let other = RunFolder::create(&runs, "demo-2", 1_795_472_103_000, &config()).unwrap();
    assert_eq!(store::newest(&runs, "demo").unwrap(), made[2].path());
    assert_eq!(store::newest(&runs, "demo-2").unwrap(), other.path());
    assert_eq!(store::newest(&runs, "dem"), None);
}

#[test]
fn a_folder_that_exists_is_not_taken_for_a_new_run_even_if_it_is_empty() {
    let place = tempfile::tempdir().unwrap();
    let e = RunFolder::create_at(place.path(), &config()).unwrap_err();
    assert!(matches!(&e, StoreError::Exists(path) if path == place.path()) && e.is_wrong_use());
    assert!(names(place.path()).is_empty());
}

#[test]
fn two_writers_never_hold_the_same_run() {
    let place = tempfile::tempdir().unwrap();
    let first = folder(&place);
    let path = first.path().to_path_buf();
    assert!(matches!(RunFolder::open(&path), Err(StoreError::Busy(_))));
    drop(first);
    assert!(!store::is_live(&path));
    assert_eq!(RunFolder::open(&path).unwrap().path(), path.canonicalize().unwrap());
}

#[test]
fn what_is_no_run_says_what_is_missing() {
    let place = tempfile::tempdir().unwrap();
    let missing = |path: &Path| RunFolder::open(path).unwrap_err().to_string();
    assert!(missing(place.path()).ends_with("holds no run: config.toml is missing"));
    assert!(missing(&place.path().join("x")).ends_with("holds no run: the folder is missing"));
}

#[test]
fn a_checkpoint_that_fails_half_way_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(&place);
    save(&folder, 2, true, 0);
    let failed = folder.save_checkpoint::<StoreError>(4, true, 0, |f| {
        fs::write(f.join("adapter_model.safetensors"), "half").unwrap();
        Err(StoreError::Disk { path: f.to_path_buf(), source: std::io::Error::other("full") })
    });
    assert!(failed.is_err());
    assert_eq!(names(&folder.path().join("checkpoints")), ["step-000002"]);
    assert_eq!(store::linked(folder.path(), "best"), Some(2));
    assert_eq!(store::linked(folder.path(), "last"), Some(2));
}

#[test]
fn best_and_last_are_links_that_move_with_the_folder() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(&place);
    assert_eq!(save(&folder, 200, true, 0), Saved { path: "checkpoints/step-000200".into(), size_bytes: 3 });
    save(&folder, 1_234_567, false, 0);
    assert_eq!(fs::read_link(folder.path().join("best")).unwrap(), PathBuf::from("checkpoints/step-000200"));
    let moved = place.path().join("elsewhere");
    fs::rename(folder.path(), &moved).unwrap();
    assert_eq!(fs::read_to_string(moved.join("last/adapter_model.safetensors")).unwrap(), "1234567");
}

#[test]
fn the_oldest_checkpoints_go_and_never_best_or_last() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(&place);
    for step in [10, 20, 30, 40] {
        save(&folder, step, step == 10, 2);
    }
    assert_eq!(folder.checkpoints(), [10, 40]);
    save(&folder, 50, false, 1);
    assert_eq!(folder.checkpoints(), [10, 50]);
    save(&folder, 60, true, 1);
    assert_eq!(folder.checkpoints(), [60]);
    for step in [70, 80, 90] {
        save(&folder, step, false, 0);
    }
    assert_eq!(folder.checkpoints(), [60, 70, 80, 90]);
}

#[test]
fn a_step_that_is_saved_already_is_not_written_again() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(&place);
    save(&folder, 2, false, 0);
    let saved = folder.save_checkpoint::<StoreError>(2, true, 0, |_| unreachable!()).unwrap();
    assert_eq!((saved.size_bytes, store::linked(folder.path(), "best")), (1, Some(2)));
}

#[test]
fn what_a_killed_process_left_half_done_is_cleared_away() {
    let place = tempfile::tempdir().unwrap();
    let run = folder(&place);
    save(&run, 2, true, 0);
    let path = run.path().to_path_buf();
    drop(run);
    for half in ["checkpoints/.step-000004.part", "checkpoints/.step-000001.gone", ".control.part"] {
        fs::create_dir(path.join(half)).unwrap();
        fs::write(path.join(half).join("file"), "x").unwrap();
    }
    std::os::unix::fs::symlink("nowhere", path.join(".best.77.part")).unwrap();
    let run = RunFolder::open(&path).unwrap();
    assert_eq!(names(&path), ["best", "checkpoints", "config.toml", "events.jsonl", "last"]);
    assert_eq!(names(&path.join("checkpoints")), ["step-000002"]);
    assert_eq!(run.checkpoints(), [2]);
}

#[test]
fn the_adapter_that_a_run_began_with_is_remembered() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(&place);
    assert_eq!(folder.init_adapter(), None);
    folder.set_init_adapter(Path::new("/adapters/one")).unwrap();
    assert_eq!(folder.init_adapter(), Some(PathBuf::from("/adapters/one")));
}

#[test]
fn a_run_that_came_to_nothing_goes_and_one_that_said_something_stays() {
    let place = tempfile::tempdir().unwrap();
    let empty = folder(&place);
    let path = empty.path().to_path_buf();
    fs::write(path.join("notes.txt"), "mine").unwrap();
    empty.discard();
    assert_eq!(names(&path), ["notes.txt"]);
    fs::remove_file(path.join("notes.txt")).unwrap();
    fs::remove_dir(&path).unwrap();
    let empty = folder(&place);
    empty.discard();
    assert!(!path.exists());
    let said = folder(&place);
    fs::write(said.events(), "{}\n").unwrap();
    said.discard();
    assert!(store::is_run(&path));
}

#[test]
fn a_run_keeps_the_letters_of_its_configurations_name() {
    assert_eq!(store::run_id("한국어 설정", 0), "19700101-000000-한국어-설정");
    assert_eq!(store::run_id("../\u{1b}[31m x", 0), "19700101-000000------31m-x");
}
