//! Data files: what rows come to as tokens and targets, and what becomes of lines that cannot be used.

use std::fs;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use finetop::data::dataset::{
    Dataset, DatasetError, DatasetOptions, Example, KEPT_PROBLEMS, RowLength, read_test_rows,
};
use finetop::data::tokenizer::Tokenizer;
use finetop::formats::gguf::Gguf;
use serde_json::json;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
/// ChatML with the fixture's own special tokens.
const CHATML: &str = "{% for m in messages %}{{ '<|begin|>' + m.role + '\n' + m.content + '<|end|>\n' }}{% endfor %}\
                      {% if add_generation_prompt %}{{ '<|begin|>assistant\n' }}{% endif %}";
const BEGIN: u32 = 0;
const END: u32 = 1;

fn gguf_tokenizer(name: &str) -> Arc<Tokenizer> {
    let gguf = Gguf::open(Path::new(FIXTURES).join("tokenizer").join(name)).unwrap();
    Arc::new(Tokenizer::from_gguf(&gguf).unwrap())
}

fn raw() -> Arc<Tokenizer> {
    gguf_tokenizer("gpt-2.gguf")
}

fn chat(template: &str) -> Arc<Tokenizer> {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tokenizer_config.json");
    let settings = json!({"eos_token": "<|end|>", "bos_token": "<|begin|>", "chat_template": template});
    fs::write(&config, settings.to_string()).unwrap();
    let path = Path::new(FIXTURES).join("tokenizer/smollm.tokenizer.json");
    Arc::new(Tokenizer::from_json(&path, Some(&config)).unwrap())
}

struct Scratch {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn file(content: impl AsRef<[u8]>) -> Scratch {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    fs::write(&path, content).unwrap();
    Scratch { _folder: folder, path }
}

fn open(content: impl AsRef<[u8]>, tokenizer: Arc<Tokenizer>, max_seq_length: usize) -> Result<Dataset, DatasetError> {
    let options = DatasetOptions { max_seq_length, ..DatasetOptions::default() };
    Dataset::open(&file(content).path, "train", tokenizer, options)
}

/// The text of the tokens that have a loss, one after the other.
fn target_texts(tokenizer: &Tokenizer, example: &Example) -> Vec<String> {
    let pairs = example.tokens.iter().zip(&example.is_target).filter(|(_, is_target)| **is_target);
    pairs.map(|(token, _)| tokenizer.token_text(*token).unwrap()).collect()
}

#[test]
fn prompt_and_completion_are_tokenised_each_by_itself_and_only_the_completion_has_targets() {
    let tokenizer = raw();
    // Tokenised as one text, "the" + "re" would not be cut where the prompt ends.
    let rows = [("What is the", "re price?"), ("중고 ", "자전거"), ("", "the station"), ("x <|end|> ", " y")];
    let lines: String = rows.iter().map(|(p, c)| json!({"prompt": p, "completion": c}).to_string() + "\n").collect();
    let dataset = open(lines, tokenizer.clone(), 512).unwrap();
    for (index, (prompt, completion)) in rows.iter().enumerate() {
        let (prompt, completion) = (tokenizer.encode(prompt).unwrap(), tokenizer.encode(completion).unwrap());
        let example = dataset.example(index).unwrap();
        assert_eq!(example.tokens, [prompt.as_slice(), &completion, &[END]].concat());
        for (t, is_target) in example.is_target.iter().enumerate() {
            assert_eq!(*is_target, t > 0 && t >= prompt.len(), "row {index}, token {t}");
        }
        let length = RowLength { tokens: example.tokens.len() as u32, target_tokens: example.target_tokens() as u32 };
        assert_eq!(dataset.row_length(index).unwrap(), length);
    }
    let total: u64 = dataset.row_lengths().map(|length| u64::from(length.target_tokens)).sum();
    assert_eq!((dataset.stats().rows, dataset.stats().target_tokens), (4, total));
    assert_eq!(Some(dataset.longest()), dataset.row_lengths().map(|length| length.tokens).max());
}

#[test]
fn a_start_token_stands_before_raw_text_when_the_metadata_asks_for_one() {
    let tokenizer = gguf_tokenizer("llama-bpe.gguf");
    let dataset = open(
        r#"{"prompt":"the","completion":" station"}
{"text":"the station"}"#,
        tokenizer.clone(),
        512,
    )
    .unwrap();
    let (first, second) = (dataset.example(0).unwrap(), dataset.example(1).unwrap());
    assert_eq!(first.tokens[0], tokenizer.bos_token_id().unwrap());
    assert_eq!(first.tokens.iter().filter(|id| **id == BEGIN).count(), 1);
    assert_eq!(second.tokens[0], BEGIN);
    assert_eq!(second.target_tokens(), second.tokens.len() - 1);
}

#[test]
fn text_rows_learn_everything_but_their_first_token_and_the_end_token_is_there_once() {
    let tokenizer = raw();
    let dataset = open("{\"text\":\"the price\"}\n{\"text\":\"the price<|end|>\"}\n", tokenizer.clone(), 512).unwrap();
    let example = dataset.example(0).unwrap();
    assert_eq!(example.tokens, [tokenizer.encode("the price").unwrap(), vec![END]].concat());
    assert_eq!(example.is_target[..2], [false, true]);
    assert_eq!(example.target_tokens(), example.tokens.len() - 1);
    assert_eq!(dataset.example(1).unwrap(), example);
}

#[test]
fn only_what_the_assistant_writes_has_targets_its_end_token_included() {
    let tokenizer = chat(CHATML);
    let line = json!({"messages": [
        {"role": "system", "content": "be"}, {"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "yes?"}, {"role": "assistant", "content": "no"}]});
    let dataset = open(line.to_string(), tokenizer.clone(), 512).unwrap();
    assert_eq!(dataset.stats().chat_rows, 1);
    let example = dataset.example(0).unwrap();
    let whole = "<|begin|>system\nbe<|end|>\n<|begin|>user\nhi<|end|>\n<|begin|>assistant\nyes<|end|>\n\
                 <|begin|>user\nyes?<|end|>\n<|begin|>assistant\nno<|end|>\n";
    assert_eq!(example.tokens, tokenizer.encode(whole).unwrap());
    assert_eq!(target_texts(&tokenizer, &example).concat(), "yes<|end|>no<|end|>");
}

#[test]
fn a_turn_of_the_assistant_may_come_first_or_twice() {
    let tokenizer = chat(CHATML);
    let turn = |text: &str| json!({"role": "assistant", "content": text});
    let line = json!({"messages": [turn("yes"), turn("no")]});
    let dataset = open(line.to_string(), tokenizer.clone(), 512).unwrap();
    assert_eq!(target_texts(&tokenizer, &dataset.example(0).unwrap()).concat(), "yes<|end|>no<|end|>");
}

#[test]
fn a_template_that_rewrites_earlier_turns_is_refused_for_rows_that_have_them() {
    let source = fs::read_to_string(Path::new(FIXTURES).join("templates/qwen3.jinja")).unwrap();
    let tokenizer = chat(&source);
    let exchange =
        |n: u32| [json!({"role": "user", "content": n.to_string()}), json!({"role": "assistant", "content": "ok"})];
    let (one, two) = (exchange(1).to_vec(), [exchange(1), exchange(2)].concat());
    let lines = format!("{}\n{}\n", json!({"messages": two}), json!({"messages": one}));
    let dataset = open(lines, tokenizer, 512).unwrap();
    assert_eq!((dataset.len(), dataset.stats().skipped, dataset.problems()[0].line), (1, 1, 1));
    let what = &dataset.problems()[0].what;
    assert!(what.contains("message 2") && what.contains("a row for each assistant turn"), "{what}");
}

#[test]
fn a_template_whose_prompt_is_not_how_a_turn_begins_is_refused() {
    let tokenizer = chat(&CHATML.replace("assistant\n' }}{% endif %}", "assistant\n<think>\n' }}{% endif %}"));
    let row = json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]});
    let error = open(row.to_string(), tokenizer, 512).unwrap_err().to_string();
    assert!(error.contains("line 1: messages: message 2") && error.contains("prompt and completion"), "{error}");
}

#[test]
fn messages_without_a_usable_template_are_problems_of_their_rows() {
    let lines = "{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\"}]}\n{\"text\":\"the price\"}\n";
    let dataset = open(lines, raw(), 512).unwrap();
    assert_eq!(dataset.problems()[0].what, "messages, but the model has no chat template");
    let dataset = open(lines, chat("{% for %}"), 512).unwrap();
    assert!(dataset.problems()[0].what.contains("no valid Jinja"), "{:?}", dataset.problems());
    let dataset = open(lines, chat("{{ raise_exception('not \u{1b}[31m today') }}"), 512).unwrap();
    assert!(dataset.problems()[0].what.contains("refuses these messages: not ␛[31m today"), "{:?}", dataset.problems());
}

#[test]
fn a_template_that_writes_the_date_gives_the_same_row_whenever_it_is_read() {
    let tokenizer = chat("{{ strftime_now('%Y') }}{% for m in messages %}{{ m.content }}<|end|>{% endfor %}");
    let row = file(json!({"messages": [{"role": "assistant", "content": "b"}]}).to_string());
    for (now, year) in [(1_000_000_000, "2001"), (1_700_000_000, "2023")] {
        let options = DatasetOptions { now: Some(now), ..DatasetOptions::default() };
        let dataset = Dataset::open(&row.path, "train", tokenizer.clone(), options).unwrap();
        assert_eq!(tokenizer.decode(&dataset.example(0).unwrap().tokens), format!("{year}b"));
    }
}

#[test]
fn rows_are_cut_at_the_limit_and_counted_and_a_row_that_loses_its_targets_is_named() {
    let tokenizer = raw();
    let long = "the price ".repeat(20);
    let lines = format!(
        "{}\n{}\n{}\n",
        json!({"prompt": "a", "completion": long}),
        json!({"prompt": long, "completion": "b"}),
        json!({"prompt": "a", "completion": "b"})
    );
    let dataset = open(&lines, tokenizer.clone(), 10).unwrap();
    let stats = dataset.stats();
    assert_eq!((stats.rows, stats.cut, stats.skipped, stats.tokens, stats.target_tokens), (2, 1, 1, 13, 11));
    assert_eq!(dataset.problems()[0].line, 2);
    assert!(dataset.problems()[0].what.contains("max_seq_length = 10"), "{}", dataset.problems()[0].what);
    let whole = open(&lines, tokenizer, 10_000).unwrap();
    assert_eq!(dataset.example(0).unwrap().tokens, whole.example(0).unwrap().tokens[..10]);
    assert_eq!((whole.stats().cut, whole.stats().skipped), (0, 0));
}

#[test]
fn every_kind_of_unusable_line_is_skipped_counted_and_named() {
    let deep = format!("{{\"messages\":{}}}", "[".repeat(100_000));
    let lines: Vec<(&[u8], &str)> = vec![
        (b"{\"prompt\":\"a\"}", "completion is missing"),
        (b"{\"completion\":\"a\"}", "prompt is missing"),
        (b"{\"prompt\":null,\"completion\":\"a\"}", "prompt is missing"),
        (b"{\"prompt\":\"a\",\"completion\":\"\"}", "completion is empty"),
        (b"{\"prompt\":7,\"completion\":\"a\"}", "prompt: expected text, found a number"),
        (b"{\"prompt\":\"a\",\"completion\":[\"a\"]}", "completion: expected text, found a list"),
        (b"{\"prompt\":\"a\",\"completion\":\"a\",\"text\":\"a\"}", "both completion and text"),
        (b"{\"text\":{}}", "text: expected text, found an object"),
        (b"{\"text\":\"\"}", "text is empty"),
        (b"{\"text\":null}", "none is there"),
        (b"{}", "none is there"),
        (b"{\"Text\":\"a\"}", "none is there"),
        (b"{\"messages\":[]}", "messages is empty"),
        (b"{\"messages\":\"a\"}", "messages: expected a list, found text"),
        (b"{\"messages\":[7]}", "message 1: expected an object"),
        (b"{\"messages\":[{\"content\":\"a\"}]}", "message 1: expected a role of text, found nothing"),
        (
            b"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\"}]}",
            "message 2: expected a content of text",
        ),
        (
            b"{\"messages\":[{\"role\":\"user\",\"content\":[\"a\"]}]}",
            "message 1: expected a content of text, found a list",
        ),
        (b"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}", "without target"),
        (b"[{\"text\":\"a\"}]", "expected an object"),
        (b"\"text\"", "expected an object"),
        (b"null", "expected an object"),
        (b"1.5", "expected an object"),
        (b"text", "no JSON: expected"),
        (b"{\"text\":\"a\"", "no JSON: EOF while parsing an object at column 11"),
        (b"{\"text\":\"a\"} {\"text\":\"b\"}", "no JSON: trailing characters at column 14"),
        (b"{\"text\":\"a\",\"text\":\"b\"}", "no JSON: duplicate field `text`"),
        (b"{\"text\":\"\\ud800\"}", "no JSON: "),
        (b"{\"text\":\"a\x00b\"}", "no JSON: control character"),
        (b"\x00\x00\x00\x00", "no JSON: "),
        (b"{\"text\":\"\xff\"}", "not UTF-8 from byte 10"),
        (b"\xff\xfe{\x00", "UTF-16"),
        (deep.as_bytes(), "recursion limit"),
    ];
    let mut content: Vec<u8> = b"{\"text\":\"the price\"}\n".to_vec();
    for (line, _) in &lines {
        content.extend_from_slice(line);
        content.push(b'\n');
    }
    let dataset = open(&content, chat(CHATML), 512).unwrap();
    assert_eq!((dataset.len() as u64, dataset.stats().skipped), (1, lines.len() as u64));
    for (index, (problem, (line, named))) in dataset.problems().iter().zip(&lines).enumerate() {
        let line = String::from_utf8_lossy(&line[..line.len().min(100)]);
        assert_eq!(problem.line, index as u64 + 2);
        assert!(problem.what.contains(named), "{line}: {:?} has no {named:?}", problem.what);
    }
}

#[test]
fn strict_refuses_the_file_with_the_first_bad_line() {
    let scratch = file("{\"text\":\"the price\"}\n\n{\"text\":\"the\"}\n{\"prompt\":\"a\"}\n{}\n");
    let options = DatasetOptions { strict: true, ..DatasetOptions::default() };
    let error = Dataset::open(&scratch.path, "train", raw(), options).unwrap_err().to_string();
    assert_eq!(error, format!("{}:4: completion is missing", scratch.path.display()));
}

#[test]
fn marks_blank_lines_and_line_ends_of_any_editor_are_no_rows() {
    let dataset = open(
        "\u{feff}{\"text\":\"the price\"}\r\n\r\n   \t\n{\"text\":\"the\"}\r\n\
         \u{feff}{\"text\":\"a\", \"id\": 7}\n\u{feff}\n{ \"text\" : \"b\" }",
        raw(),
        512,
    )
    .unwrap();
    assert_eq!((dataset.len(), dataset.stats().skipped), (4, 0));
    assert_eq!(raw().decode(&dataset.example(3).unwrap().tokens), "b");
    let nul = open("{\"text\":\"a\\u0000b\"}", raw(), 512).unwrap();
    assert_eq!(raw().decode(&nul.example(0).unwrap().tokens), "a\0b");
}

#[test]
fn a_file_of_many_blocks_keeps_its_order_lines_and_rows() {
    let mut content = String::new();
    for n in 0..30_000 {
        content += &if n % 1000 == 999 {
            "{}\n".into()
        } else {
            format!("{{\"prompt\":\"{n} is\",\"completion\":\" {n}, {}\"}}\n", "so ".repeat(n % 30))
        };
    }
    assert!(content.len() > 2 << 20);
    let mut seen = Vec::new();
    let scratch = file(&content);
    let watch = &mut |done, all| {
        seen.push((done, all));
        true
    };
    let dataset = Dataset::open_watched(&scratch.path, "train", raw(), DatasetOptions::default(), watch).unwrap();
    assert_eq!((dataset.len(), dataset.stats().skipped), (29_970, 30));
    assert_eq!(dataset.problems()[29].line, 30_000);
    for (index, n) in (0..30_000).filter(|n| n % 1000 != 999).enumerate().step_by(997) {
        assert!(raw().decode(&dataset.example(index).unwrap().tokens).starts_with(&format!("{n} is {n},")), "{n}");
    }
    assert!(seen.len() > 1 && seen.is_sorted() && seen.last() == Some(&(content.len() as u64, content.len() as u64)));
    let stopped = Dataset::open_watched(&scratch.path, "train", raw(), DatasetOptions::default(), &mut |_, _| false);
    assert!(matches!(stopped, Err(DatasetError::Stopped { .. })));
}

#[test]
fn problems_are_counted_beyond_the_ones_that_are_kept() {
    let dataset = open("{}\n".repeat(1000) + "{\"text\":\"the price\"}", raw(), 512).unwrap();
    assert_eq!((dataset.stats().skipped, dataset.problems().len()), (1000, KEPT_PROBLEMS));
}

#[test]
fn a_line_beyond_the_limit_is_passed_over() {
    let huge = format!("{{\"text\":\"{}\"}}\n{{\"text\":\"the price\"}}\n", "a".repeat(17 << 20));
    let dataset = open(&huge, raw(), 512).unwrap();
    assert_eq!((dataset.len(), dataset.problems()[0].line), (1, 1));
    assert_eq!(dataset.problems()[0].what, "longer than 16777216 bytes");
    assert_eq!(raw().decode(&dataset.example(0).unwrap().tokens), "the price");
}

#[test]
fn a_file_that_changes_underneath_is_an_error_that_names_the_line() {
    let scratch = file("{\"text\":\"the price\"}\n{\"text\":\"the chair\"}\n");
    let dataset = Dataset::open(&scratch.path, "train", raw(), DatasetOptions::default()).unwrap();
    let mut file = fs::OpenOptions::new().write(true).open(&scratch.path).unwrap();
    file.seek(std::io::SeekFrom::Start(21)).unwrap();
    file.write_all(b"{\"text\":\"the shelf\"}\n").unwrap();
    assert!(dataset.example(0).is_ok());
    let error = dataset.example(1).unwrap_err();
    assert!(matches!(error, DatasetError::Changed { line: 2, .. }), "{error}");
    file.set_len(30).unwrap();
    assert!(matches!(dataset.example(1), Err(DatasetError::Changed { line: 2, .. })));
    assert!(matches!(dataset.example(2), Err(DatasetError::OutOfRange { row: 2, rows: 2 })));
}

#[test]
fn a_file_that_is_replaced_goes_on_being_read_as_it_was() {
    let scratch = file("{\"text\":\"the price\"}\n");
    let dataset = Dataset::open(&scratch.path, "train", raw(), DatasetOptions::default()).unwrap();
    let before = dataset.example(0).unwrap();
    let beside = scratch.path.with_extension("new");
    fs::write(&beside, "{\"text\":\"other\"}\n").unwrap();
    fs::rename(&beside, &scratch.path).unwrap();
    assert_eq!(dataset.example(0).unwrap(), before);
    let again = Dataset::open(&scratch.path, "train", raw(), DatasetOptions::default()).unwrap();
    assert_ne!(again.fingerprint(), dataset.fingerprint());
}

#[test]
fn the_fingerprint_is_the_sha256_of_the_file() {
    let dataset = open("{\"text\":\"the price\"}\n", raw(), 512).unwrap();
    assert_eq!(dataset.fingerprint(), "24ce7e0671d982b5e52e5c03b11629084bee2d7459f44688dfe4bf6b1d154b7e");
}

#[test]
fn a_path_without_rows_says_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| Dataset::open(path, "eval", raw(), DatasetOptions::default()).unwrap_err().to_string();
    assert!(error(folder.path()).contains("found a folder"));
    assert!(error(&folder.path().join("absent.jsonl")).contains("No such file"));
    assert!(error(Path::new("/dev/zero")).contains("expected a file"));
    assert!(error(&file("\n\n").path).contains("no row can be used; the file is empty"));
    assert!(error(&file("\n{}\n{}").path).contains("2 were skipped, the first in line 2: expected prompt"));
}

#[test]
fn test_rows_have_a_prompt_and_the_texts_to_compare_with() {
    let scratch = file(
        "\u{feff}{\"prompt\":\"a\",\"completion\":\"b\"}\r\n\n{\"prompt\":\"\",\"references\":[\"c\",\"d\"],\
         \"completion\":\"e\"}\n\
         {\"prompt\":\"a\",\"references\":[]}\n{\"prompt\":\"a\"}\n{\"references\":[\"a\"]}\n\
         {\"prompt\":\"a\",\"references\":[\"\"]}\n\
         {\"prompt\":\"a\",\"references\":\"a\"}\n{\"prompt\":\"a\",\"references\":[7]}\n{\"messages\":[]}\n",
    );
    let split = read_test_rows(&scratch.path, false).unwrap();
    let rows: Vec<_> = split.rows.iter().map(|row| (row.line, row.prompt.as_str(), row.references.join("|"))).collect();
    assert_eq!(rows, [(1, "a", "b".into()), (3, "", "c|d".into())]);
    assert_eq!((split.skipped, split.problems.len()), (7, 7));
    assert_eq!(split.problems[0].what, "references is empty");
    assert_eq!(split.problems[1].what, "references (or completion) is missing");
    let error = read_test_rows(&scratch.path, true).unwrap_err().to_string();
    assert!(error.contains("rows.jsonl:4: references is empty"), "{error}");
    assert!(matches!(read_test_rows(&file("{}").path, false), Err(DatasetError::NoRows { skipped: 1, .. })));
}
