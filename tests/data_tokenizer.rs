//! Tokenizers against the libraries that the models were trained with, and files that lie. The fixtures and the script
//! that made them are in `fixtures/tokenizer`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use finetop::data::tokenizer::{Tokenizer, TokenizerError};
use finetop::formats::gguf::Gguf;
use serde::Deserialize;
use serde_json::json;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tokenizer");

#[derive(Deserialize)]
struct Expected {
    files: BTreeMap<String, Vec<Row>>,
}

#[derive(Deserialize)]
struct Row {
    text: String,
    ids: Vec<u32>,
    decoded: String,
}

fn expected() -> BTreeMap<String, Vec<Row>> {
    let bytes = fs::read(Path::new(FIXTURES).join("expected.json")).unwrap();
    serde_json::from_slice::<Expected>(&bytes).unwrap().files
}

fn fixture(name: &str) -> Tokenizer {
    load(&Path::new(FIXTURES).join(name)).unwrap()
}

fn load(path: &Path) -> Result<Tokenizer, TokenizerError> {
    Tokenizer::from_gguf(&Gguf::open(path).unwrap())
}

#[test]
fn every_family_gives_the_tokens_of_its_reference() {
    let files = expected();
    assert_eq!(files.len(), 6);
    for (name, rows) in files {
        let tokenizer = fixture(&name);
        for row in rows {
            assert_eq!(tokenizer.encode(&row.text).unwrap(), row.ids, "{name}: {:?}", row.text);
            assert_eq!(tokenizer.decode(&row.ids), row.decoded, "{name}: {:?}", row.text);
        }
    }
}

#[test]
fn offsets_name_the_bytes_that_each_token_stands_for() {
    for name in expected().keys() {
        let tokenizer = fixture(name);
        let text = "hi 가격 12 won<|end|> the station";
        let encoded = tokenizer.encode_with_offsets(text).unwrap();
        assert!(encoded.iter().map(|(id, _)| *id).eq(tokenizer.encode(text).unwrap()), "{name}");
        assert!(encoded.iter().all(|(_, bytes)| text.is_char_boundary(bytes.start) && bytes.end <= text.len()));
        assert!(encoded.windows(2).all(|pair| pair[0].1.start <= pair[1].1.start), "{name}: {encoded:?}");
        let end = text.find("<|end|>").unwrap();
        assert!(encoded.contains(&(tokenizer.encode("<|end|>").unwrap()[0], end..end + 7)), "{name}");
    }
}

#[test]
fn a_start_token_is_asked_for_by_the_metadata_or_by_the_family() {
    for (name, add_bos) in [
        ("smollm.gguf", false),
        ("gpt-2.gguf", false),
        ("qwen2.gguf", false),
        ("llama-bpe.gguf", true),
        ("llama.gguf", true),
    ] {
        let tokenizer = fixture(name);
        assert_eq!(tokenizer.add_bos(), add_bos, "{name}");
        let bos = tokenizer.bos_token_id().unwrap();
        assert_eq!(tokenizer.encode_prompt("the").unwrap()[0] == bos, add_bos, "{name}");
    }
}

#[test]
fn special_tokens_are_named_and_left_out_of_text() {
    let tokenizer = fixture("smollm.gguf");
    assert_eq!((tokenizer.bos_token(), tokenizer.eos_token()), (Some("<|begin|>"), "<|end|>"));
    assert_eq!((tokenizer.bos_token_id(), tokenizer.eos_token_id()), (Some(0), 1));
    assert_eq!(tokenizer.end_token_ids(), [1]);
    assert_eq!(tokenizer.chat_template(), Some("{{ messages[0].content }}"));
    assert_eq!(tokenizer.token_text(1).as_deref(), Some("<|end|>"));
    assert_eq!(tokenizer.token_text(99_999), None);
    assert_eq!(tokenizer.decode(&[0, 99_999, 1]), "");
    let thought = tokenizer.encode("<think>").unwrap();
    assert_eq!((thought.len(), tokenizer.decode(&thought).as_str()), (1, "<think>"));
}

/// A folder with a copy of a fixture as `model.gguf`, and of files beside it.
fn folder(gguf: &str, beside: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    fs::copy(Path::new(FIXTURES).join(gguf), &path).unwrap();
    for (name, content) in beside {
        fs::write(folder.path().join(name), content).unwrap();
    }
    (folder, path)
}

fn smollm_json() -> serde_json::Value {
    serde_json::from_slice(&fs::read(Path::new(FIXTURES).join("smollm.tokenizer.json")).unwrap()).unwrap()
}

#[test]
fn a_tokenizer_json_beside_the_file_is_used_with_the_special_tokens_of_the_metadata() {
    let mut changed = smollm_json();
    changed["truncation"] = json!({"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0});
    changed["pre_tokenizer"] = json!(null);
    let (_folder, path) = folder("smollm.gguf", &[("tokenizer.json", &changed.to_string())]);
    let tokenizer = load(&path).unwrap();
    assert_eq!((tokenizer.eos_token(), tokenizer.chat_template()), ("<|end|>", Some("{{ messages[0].content }}")));
    // Without a pre-tokenizer the spaces of this text, which are no bytes of the alphabet, have no token.
    assert_ne!(tokenizer.encode("a b c").unwrap(), fixture("smollm.gguf").encode("a b c").unwrap());
    assert!(tokenizer.encode("station12345").unwrap().len() > 2, "a file's truncation is not ours");
}

#[test]
fn a_tokenizer_json_of_another_model_is_refused_naming_the_first_token() {
    let mut other = smollm_json();
    let vocab = other["model"]["vocab"].as_object_mut().unwrap();
    let (a, b) = (vocab["Ġzebra"].clone(), vocab["!"].clone());
    vocab.insert("Ġzebra".into(), b);
    vocab.insert("!".into(), a);
    let (_folder, path) = folder("smollm.gguf", &[("tokenizer.json", &other.to_string())]);
    let error = load(&path).unwrap_err().to_string();
    assert!(error.contains("`Ġzebra`") && error.contains("`!`") && error.contains("another model's"), "{error}");
}

#[test]
fn a_lying_tokenizer_json_is_an_error_and_no_panic() {
    let (_folder, path) = folder("smollm.gguf", &[]);
    let json_path = path.with_file_name("tokenizer.json");
    let mut long_merge = smollm_json();
    let longest = "x".repeat(10_000);
    long_merge["model"]["merges"].as_array_mut().unwrap().push(json!([longest, longest]));
    let mut out_of_vocabulary = smollm_json();
    out_of_vocabulary["model"]["merges"].as_array_mut().unwrap().push(json!(["Ġzebra", "Ġzebra"]));
    for content in ["", "{}", "[1]", "{\"model\":{}}", &long_merge.to_string(), &out_of_vocabulary.to_string(), "\u{0}"]
    {
        fs::write(&json_path, content).unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains("tokenizer.json: no tokenizer"), "{error}");
    }
}

#[test]
fn a_folder_of_hugging_face_files_says_its_special_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let write =
        |name: &str, content: serde_json::Value| fs::write(folder.path().join(name), content.to_string()).unwrap();
    write("tokenizer.json", smollm_json());
    let none = Tokenizer::from_json(&path, None).unwrap_err().to_string();
    assert!(none.contains("no end token"), "{none}");

    write("config.json", json!({"eos_token_id": [1, 5], "bos_token_id": 0}));
    let tokenizer = Tokenizer::from_json(&path, None).unwrap();
    assert_eq!((tokenizer.eos_token(), tokenizer.end_token_ids()), ("<|end|>", [1, 5].as_slice()));
    assert_eq!((tokenizer.bos_token_id(), tokenizer.add_bos(), tokenizer.chat_template()), (Some(0), false, None));

    let templates = json!([{"name": "tool", "template": "T"}, {"name": "default", "template": "D"}]);
    write("generation_config.json", json!({"eos_token_id": 7}));
    write(
        "tokenizer_config.json",
        json!({"eos_token": {"content": "<|begin|>"}, "bos_token": "<|end|>", "chat_template": templates}),
    );
    let tokenizer = Tokenizer::from_json(&path, None).unwrap();
    assert_eq!((tokenizer.eos_token_id(), tokenizer.bos_token_id()), (0, Some(1)));
    assert_eq!((tokenizer.end_token_ids(), tokenizer.chat_template()), ([0, 1, 5, 7].as_slice(), Some("D")));
    fs::write(folder.path().join("chat_template.jinja"), "J").unwrap();
    assert_eq!(Tokenizer::from_json(&path, None).unwrap().chat_template(), Some("J"));

    let other = folder.path().join("other.json");
    fs::write(&other, json!({"eos_token": "<|end|>", "bos_token": "<|begin|>", "add_bos_token": true}).to_string())
        .unwrap();
    assert!(Tokenizer::from_json(&path, Some(&other)).unwrap().add_bos());
    assert!(Tokenizer::from_json(&path, Some(&folder.path().join("absent.json"))).is_err());
}

#[test]
fn a_start_token_is_found_in_the_post_processor() {
    let mut file = smollm_json();
    file["post_processor"] = json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|begin|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<|begin|>": {"id": "<|begin|>", "ids": [0], "tokens": ["<|begin|>"]}}
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    fs::write(&path, file.to_string()).unwrap();
    fs::write(
        folder.path().join("tokenizer_config.json"),
        json!({"eos_token": "<|end|>", "bos_token": "<|begin|>"}).to_string(),
    )
    .unwrap();
    let tokenizer = Tokenizer::from_json(&path, None).unwrap();
    assert!(tokenizer.add_bos());
    assert_eq!(tokenizer.encode("the").unwrap(), fixture("smollm.gguf").encode("the").unwrap());
}

/// A metadata value, as GGUF files write it.
#[derive(Clone)]
enum Field {
    U32(u32),
    Text(&'static str),
    Texts(Vec<&'static str>),
    Ints(Vec<i32>),
    Floats(Vec<f32>),
}

fn gguf_bytes(fields: &[(&str, Field)]) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(0u64.to_le_bytes());
    bytes.extend((fields.len() as u64).to_le_bytes());
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    let array = |bytes: &mut Vec<u8>, kind: u32, len: usize| {
        bytes.extend(9u32.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend((len as u64).to_le_bytes());
    };
    for (key, field) in fields {
        text(&mut bytes, key);
        match field {
            Field::U32(value) => bytes.extend([4u32.to_le_bytes(), value.to_le_bytes()].concat()),
            Field::Text(value) => {
                bytes.extend(8u32.to_le_bytes());
                text(&mut bytes, value);
            }
            Field::Texts(values) => {
                array(&mut bytes, 8, values.len());
                values.iter().for_each(|value| text(&mut bytes, value));
            }
            Field::Ints(values) => {
                array(&mut bytes, 5, values.len());
                values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
            }
            Field::Floats(values) => {
                array(&mut bytes, 6, values.len());
                values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
            }
        }
    }
    bytes
}

/// A small honest file with one field replaced, or left out.
fn lie(model: &'static str, key: &'static str, field: Option<Field>) -> Result<Tokenizer, TokenizerError> {
    let mut fields = vec![
        ("tokenizer.ggml.model", Field::Text(model)),
        ("tokenizer.ggml.pre", Field::Text("gpt-2")),
        ("tokenizer.ggml.tokens", Field::Texts(vec!["</s>", "a", "b", "ab"])),
        ("tokenizer.ggml.token_type", Field::Ints(vec![3, 1, 1, 1])),
        ("tokenizer.ggml.scores", Field::Floats(vec![0.0, -1.0, -2.0, -3.0])),
        ("tokenizer.ggml.merges", Field::Texts(vec!["a b"])),
        ("tokenizer.ggml.eos_token_id", Field::U32(0)),
    ];
    fields.retain(|(name, _)| *name != key);
    fields.extend(field.map(|field| (key, field)));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lie.gguf");
    fs::write(&path, gguf_bytes(&fields)).unwrap();
    load(&path)
}

#[test]
fn the_small_file_is_honest_without_a_lie() {
    for model in ["gpt2", "llama"] {
        let tokenizer = lie(model, "general.name", None).unwrap();
        assert_eq!((tokenizer.vocab_size(), tokenizer.end_token_ids()), (4, [0].as_slice()));
    }
    assert_eq!(lie("gpt2", "general.name", None).unwrap().encode("aab").unwrap(), [1, 3]);
}

#[test]
fn lying_metadata_is_an_error_that_names_the_field() {
    let texts = |texts: &[&'static str]| Some(Field::Texts(texts.to_vec()));
    for (model, key, field, named) in [
        ("gpt2", "tokenizer.ggml.pre", Some(Field::Text("smolllm")), "tokenizer.ggml.pre = \"smolllm\""),
        ("gpt2", "tokenizer.ggml.pre", Some(Field::Text("default")), "tokenizer.ggml.pre = \"default\""),
        ("gpt2", "tokenizer.ggml.pre", None, "tokenizer.ggml.pre = \"\""),
        ("gpt2", "tokenizer.ggml.pre", Some(Field::U32(3)), "tokenizer.ggml.pre"),
        ("bert", "tokenizer.ggml.pre", None, "tokenizer.ggml.model = \"bert\""),
        ("gpt2", "tokenizer.ggml.tokens", None, "tokenizer.ggml.tokens"),
        ("gpt2", "tokenizer.ggml.tokens", texts(&[]), "tokenizer.ggml.tokens"),
        ("gpt2", "tokenizer.ggml.tokens", texts(&["</s>", "a"]), "4 types for 2 tokens"),
        ("gpt2", "tokenizer.ggml.merges", None, "tokenizer.ggml.merges"),
        ("gpt2", "tokenizer.ggml.merges", texts(&["a b", "ab"]), "merge 1, `ab`"),
        ("gpt2", "tokenizer.ggml.merges", texts(&["ab ab"]), "merge 0, `ab ab`"),
        ("gpt2", "tokenizer.ggml.merges", texts(&["a \u{1b}[31m"]), "merge 0, `a ␛[31m`"),
        ("gpt2", "tokenizer.ggml.eos_token_id", None, "tokenizer.ggml.eos_token_id"),
        ("gpt2", "tokenizer.ggml.eos_token_id", Some(Field::U32(4)), "tokenizer.ggml.eos_token_id: 4 is outside"),
        ("gpt2", "tokenizer.ggml.bos_token_id", Some(Field::U32(u32::MAX)), "tokenizer.ggml.bos_token_id"),
        ("llama", "tokenizer.ggml.scores", None, "tokenizer.ggml.scores"),
        ("llama", "tokenizer.ggml.scores", Some(Field::Floats(vec![0.0])), "1 scores for 4 tokens"),
        ("llama", "tokenizer.ggml.scores", Some(Field::Floats(vec![f32::NAN; 4])), "a score is not a number"),
    ] {
        let error = lie(model, key, field).unwrap_err().to_string();
        assert!(error.contains(named) && error.contains("lie.gguf"), "{named}: {error}");
    }
}

#[test]
fn an_unknown_pre_tokenizer_lists_the_known_ones() {
    let error = lie("gpt2", "tokenizer.ggml.pre", Some(Field::Text("viking"))).unwrap_err().to_string();
    assert!(error.contains("smollm") && error.contains("qwen2") && error.contains("tokenizer.json beside"), "{error}");
}
