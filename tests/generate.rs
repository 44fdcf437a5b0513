//! Generation against transformers and against itself: greedy and beams token by token (tests/fixtures/make_generated.py), any batch, too little
//! memory, samples, an end from outside. Kernels and caches are tested beside their code.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Output};

use candle_core::Device;
use serde_json::Value;

use finetop::config::{ComputeDtype, Method, Quantization};
use finetop::memory::ledger::{Bounds, Category, Ledger, Phase};
use finetop::memory::plan::generation::{Extent, needs};
use finetop::model::adapter::Adapter;
use finetop::model::decoder::Decoder;
use finetop::model::generate::{Decoding, Done, Ended, Event, Request, Rules, Totals, generate_all};
use finetop::model::load::{Placement, WeightFiles, load};
use finetop::model::oom::exhausted;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn loaded(file: &str) -> Decoder {
    let placement = Placement {
        method: Method::Qlora,
        quantization: Quantization::Keep,
        dtype: ComputeDtype::F32,
        device: Device::Cpu,
    };
    let path = fixtures().join("tiny").join(file);
    load(WeightFiles::Gguf(&path), &placement, &Ledger::default(), &mut |_, _| {}).unwrap()
}

fn model(family: &str) -> Decoder {
    loaded(if family == "qwen2" { "qwen2-bf16.gguf" } else { "llama-f32.gguf" })
}

fn adapter(decoder: &Decoder, family: &str) -> Adapter {
    Adapter::load(decoder, &fixtures().join(format!("tiny/{family}-adapter"))).unwrap()
}

fn list(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

fn generated() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixtures().join("generated.json")).unwrap()).unwrap()
}

/// Ragged prompts for the llama: those of the fixture.
fn requests() -> Vec<Request> {
    let rows = generated()["cases"][0]["rows"].as_array().unwrap().clone();
    rows.iter().enumerate().map(|(i, row)| Request { tokens: list(&row["prompt"]), row: i as u64 }).collect()
}

/// All rows in the order of the requests, and what it took.
fn run(
    decoder: &Decoder,
    adapter: Option<&Adapter>,
    requests: &[Request],
    how: &Decoding,
    batch: usize,
) -> candle_core::Result<(Vec<Done>, Totals)> {
    let mut done = Vec::new();
    let mut told = vec![Vec::new(); requests.len()];
    let totals = generate_all(decoder, adapter, requests, how, batch, &Rules::NONE, &mut |event| {
        match event {
            Event::Token { index, token } => told[index].push(token),
            Event::Done(row) => done.push(row),
            Event::Reading | Event::PutOff { .. } => {}
        }
        ControlFlow::Continue(())
    })?;
    done.sort_by_key(|row| row.index);
    assert!(done.iter().map(|row| row.index).eq(0..requests.len()), "each row is done once");
    if how.num_beams == 1 {
        assert!(done.iter().zip(&told).all(|(row, told)| row.tokens == *told), "each token is told, in order");
    }
    assert_eq!(decoder.ledger.by_category().get(&Category::KvCache), None, "the caches are gone");
    Ok((done, totals))
}

fn tokens(rows: &[Done]) -> Vec<Vec<u32>> {
    rows.iter().map(|row| row.tokens.clone()).collect()
}

#[test]
fn greedy_beams_penalties_and_no_repeat_ngrams_give_transformers_tokens() {
    let fixture = generated();
    let max_new_tokens = fixture["max_new_tokens"].as_u64().unwrap() as usize;
    for (family, with_adapter) in [("llama", false), ("llama", true), ("qwen2", false), ("qwen2", true)] {
        let decoder = model(family);
        let adapter = with_adapter.then(|| adapter(&decoder, family));
        let cases = fixture["cases"].as_array().unwrap().iter();
        for case in cases.filter(|c| c["model"] == family && c["adapter"] == with_adapter) {
            let how = Decoding {
                max_new_tokens,
                num_beams: case["num_beams"].as_u64().unwrap_or(1) as usize,
                length_penalty: case["length_penalty"].as_f64().unwrap_or(1.0),
                no_repeat_ngram_size: case["no_repeat_ngram_size"].as_u64().unwrap_or(0) as usize,
                end_tokens: list(&case["end_tokens"]),
                ..Decoding::default()
            };
            let rows = case["rows"].as_array().unwrap();
            let requests: Vec<_> = rows.iter().map(|row| Request { tokens: list(&row["prompt"]), row: 0 }).collect();
            // A single stream has products of its own; beams never do.
            let single = (how.num_beams == 1 && how.end_tokens.is_empty()).then_some(1);
            for batch in single.into_iter().chain([4 * how.num_beams]) {
                let (done, _) = run(&decoder, adapter.as_ref(), &requests, &how, batch).unwrap();
                for (i, (row, done)) in rows.iter().zip(&done).enumerate() {
                    let what = format!("{family}, adapter {with_adapter}, {how:?}, batch {batch}, row {i}");
                    assert_eq!(done.tokens, list(&row["tokens"]), "{what}");
                    let ended = if row["ended"] == true { Ended::EndToken } else { Ended::Limit };
                    assert_eq!(done.ended, ended, "{what}");
                }
            }
        }
    }
}

#[test]
fn a_rows_tokens_do_not_depend_on_the_batch_also_when_they_are_drawn() {
    let decoder = loaded("llama-mixed.gguf");
    let adapter = adapter(&decoder, "llama");
    let requests = requests();
    let hot = Decoding {
        max_new_tokens: 20,
        temperature: 1.5,
        top_k: Some(60),
        top_p: Some(0.98),
        no_repeat_ngram_size: 3,
        end_tokens: vec![3, 7, 11],
        ..Decoding::default()
    };
    let all = run(&decoder, Some(&adapter), &requests, &hot, 32).unwrap().0;
    for batch in [2, 3, 5] {
        assert_eq!(tokens(&run(&decoder, Some(&adapter), &requests, &hot, batch).unwrap().0), tokens(&all));
    }
    for (request, row) in requests.iter().zip(&all) {
        let alone = run(&decoder, Some(&adapter), std::slice::from_ref(request), &hot, 32).unwrap().0;
        assert_eq!((&alone[0].tokens, alone[0].ended), (&row.tokens, row.ended));
    }
    let other = run(&decoder, Some(&adapter), &requests, &Decoding { seed: 43, ..hot.clone() }, 32).unwrap().0;
    assert_ne!(tokens(&other), tokens(&all));
    // The same prompt in another row of the file is another draw.
    let twice = [0, 1].map(|row| Request { tokens: requests[0].tokens.clone(), row });
    let rows = run(&decoder, None, &twice, &hot, 32).unwrap().0;
    assert_ne!(rows[0].tokens, rows[1].tokens);
}

#[test]
fn a_refusal_at_any_question_puts_rows_off_and_changes_no_token() {
    let requests = requests()[1..5].to_vec();
    let decoder = model("llama");
    for how in [
        // Long enough that caches grow.
        Decoding { max_new_tokens: 20, ..Decoding::default() },
        Decoding { max_new_tokens: 5, num_beams: 3, ..Decoding::default() },
        Decoding { max_new_tokens: 5, temperature: 0.8, ..Decoding::default() },
    ] {
        let expected = tokens(&run(&decoder, None, &requests, &how, 12).unwrap().0);
        let mut put_off = 0;
        for nth in (1..14).chain([19, 31, 47, 80, 120]) {
            decoder.ledger.refuse(Phase::Generate, nth);
            let (rows, totals) = run(&decoder, None, &requests, &how, 12).unwrap();
            assert_eq!(tokens(&rows), expected, "{how:?}, refused at question {nth}");
            put_off += totals.put_off;
        }
        assert!(put_off > 3, "{put_off} rows were put off");
    }
}

#[test]
fn a_limit_splits_the_batch_and_only_one_that_is_too_small_for_a_row_is_an_error() {
    let requests = requests();
    let how = Decoding { max_new_tokens: 20, ..Decoding::default() };
    let free = model("llama");
    let expected = tokens(&run(&free, None, &requests, &how, 7).unwrap().0);
    let highest = free.ledger.highest_by_phase()[&Phase::Generate];
    let base = free.ledger.total();
    let mut outcomes = Vec::new();
    for share in [100, 80, 60, 3] {
        let decoder = model("llama");
        let by = Bounds { held: || None, available: || None, give_back: || () };
        decoder.ledger.set_limit(base + (highest - base) * share / 100, by);
        match run(&decoder, None, &requests, &how, 7) {
            Ok((rows, totals)) => {
                assert_eq!(tokens(&rows), expected, "{share} % of what the whole batch takes");
                assert!(decoder.ledger.highest().total_bytes <= decoder.ledger.limit_bytes().unwrap());
                outcomes.push(Some(totals.put_off));
            }
            Err(e) => {
                assert!(exhausted(&e).is_some(), "{e}");
                assert!(e.to_string().contains("out of memory in generate"), "{e}");
                outcomes.push(None);
            }
        }
    }
    assert_eq!(outcomes.first(), Some(&Some(0)), "{outcomes:?}");
    assert_eq!(outcomes.last(), Some(&None), "{outcomes:?}");
    assert!(outcomes.iter().filter(|o| o.is_some()).count() == 3, "{outcomes:?}");
}

#[test]
fn what_is_planned_from_the_shape_alone_is_what_is_held_at_most() {
    for (num_beams, no_repeat_ngram_size) in [(1, 0), (1, 2), (3, 0)] {
        let decoder = loaded("llama-mixed.gguf");
        let how = Decoding { max_new_tokens: 20, num_beams, no_repeat_ngram_size, ..Decoding::default() };
        let requests: Vec<_> = (0..6).map(|row| Request { tokens: vec![5 + row as u32; 50], row }).collect();
        let base = decoder.ledger.total();
        run(&decoder, None, &requests, &how, 6 * num_beams).unwrap();
        let held = decoder.ledger.highest_by_phase()[&Phase::Generate] - base;
        let logits = num_beams > 1 || no_repeat_ngram_size > 0;
        let extent = Extent {
            rows: 6,
            prompt_tokens: 50,
            new_tokens: 20,
            num_beams,
            logits,
            threads: rayon::current_num_threads(),
        };
        let planned = needs(&decoder.spec.shape, extent).total();
        assert!(planned >= held, "{extent:?}: {planned} planned, {held} held");
        assert!(planned < held * 2, "{extent:?}: {planned} planned, {held} held");
    }
}

#[test]
fn whoever_listens_can_end_everything_and_hears_nothing_more() {
    let decoder = model("llama");
    let requests = requests();
    for at in [1, 4, 30] {
        let mut heard = 0;
        let totals = generate_all(&decoder, None, &requests, &Decoding::default(), 3, &Rules::NONE, &mut |_| {
            heard += 1;
            if heard == at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        assert!(totals.cancelled);
        assert_eq!(heard, at);
        assert_eq!(decoder.ledger.by_category().get(&Category::KvCache), None);
        assert_eq!(decoder.ledger.phase(), Phase::Idle);
    }
}

#[test]
fn whoever_listens_is_asked_while_prompts_are_read() {
    let decoder = model("llama");
    let (layers, requests) = (decoder.blocks.len(), requests());
    for at in 1..=layers {
        let (mut heard, mut tokens) = (0, 0);
        let totals = generate_all(&decoder, None, &requests, &Decoding::default(), 3, &Rules::NONE, &mut |event| {
            heard += usize::from(matches!(event, Event::Reading));
            tokens += usize::from(matches!(event, Event::Token { .. }));
            if heard == at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        assert!(totals.cancelled);
        assert_eq!((heard, tokens, totals.prompt_tokens), (at, 0, 0));
        assert_eq!(decoder.ledger.by_category().get(&Category::KvCache), None);
    }
}

#[test]
fn a_stop_of_the_askers_own_ends_a_row_with_the_token_that_brought_it() {
    let decoder = model("llama");
    let requests = requests();
    for num_beams in [1, 2] {
        let how = Decoding { num_beams, max_new_tokens: 9, ..Decoding::default() };
        let mut done = Vec::new();
        let rules = Rules { stop: &|index, new| index == 2 && new.len() == 5, ..Rules::NONE };
        generate_all(&decoder, None, &requests, &how, 4, &rules, &mut |event| {
            if let Event::Done(row) = event {
                done.push(row);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
        done.sort_by_key(|row| row.index);
        let lens: Vec<_> = done.iter().map(|row| row.tokens.len()).collect();
        assert_eq!(lens, [9, 9, 5, 9, 9, 9, 9]);
        assert!(done.iter().all(|row| (row.ended == Ended::Stop) == (row.index == 2)));
    }
}

#[test]
fn what_cannot_be_generated_is_refused_by_name() {
    let decoder = model("llama");
    let context = decoder.spec.shape.max_position_embeddings;
    let good = requests();
    let with = |tokens: Vec<u32>| [good[0].clone(), Request { tokens, row: 17 }];
    for (tokens, told) in
        [(vec![], "row 17: a prompt has 1 to"), (vec![1; context], "this one has"), (vec![320], "row 17: token 320")]
    {
        let error = run(&decoder, None, &with(tokens), &Decoding::default(), 4).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    let wrong = [
        (Decoding { temperature: -1.0, ..Decoding::default() }, "temperature is -1"),
        (Decoding { temperature: f64::NAN, ..Decoding::default() }, "temperature is NaN"),
        (Decoding { top_p: Some(1.5), ..Decoding::default() }, "top_p is 1.5"),
        (Decoding { num_beams: 0, ..Decoding::default() }, "num_beams is 0"),
        (Decoding { num_beams: 2, temperature: 1.0, ..Decoding::default() }, "beams are not sampled"),
        (Decoding { length_penalty: f64::INFINITY, ..Decoding::default() }, "length_penalty is inf"),
    ];
    for (how, told) in wrong {
        let error = run(&decoder, None, &good, &how, 4).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    // A row at the end of the context gets what is left of it; a limit of 0 gives nothing.
    let long = [Request { tokens: vec![5; context - 2], row: 0 }];
    assert_eq!(run(&decoder, None, &long, &Decoding::default(), 4).unwrap().0[0].tokens.len(), 2);
    let none = Decoding { max_new_tokens: 0, ..Decoding::default() };
    assert!(run(&decoder, None, &good, &none, 4).unwrap().0.iter().all(|row| row.tokens.is_empty()));
    assert!(run(&decoder, None, &[], &Decoding::default(), 4).unwrap().0.is_empty());
}

fn finetop(arguments: &[&str]) -> Output {
    let model = fixtures().join("tiny/llama-f32.gguf");
    let start = ["generate", "--model", model.to_str().unwrap(), "--max-new-tokens", "8"];
    Process::new(env!("CARGO_BIN_EXE_finetop")).args(start).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_file_of_prompts_becomes_a_line_of_json_for_each_and_the_same_text_as_each_alone() {
    let place = tempfile::tempdir().unwrap();
    let rows = place.path().join("rows.jsonl");
    let prompts = ["name[lamp]\n", "price[45 won]\n", "name[old bicycle], time[18:30]\n"];
    let line = |prompt: &&str| format!("{}\n", serde_json::json!({"prompt": prompt, "references": ["x"]}));
    std::fs::write(&rows, format!("{}\n{}{}", line(&prompts[0]), line(&prompts[1]), line(&prompts[2]))).unwrap();
    let all = finetop(&["--file", rows.to_str().unwrap()]);
    assert!(all.status.success(), "{}", text(&all.stderr));
    let mut lines: Vec<Value> = text(&all.stdout).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    lines.sort_by_key(|line| line["row"].as_u64());
    // The second line is empty: rows are numbered as the file's lines.
    assert_eq!(lines.iter().map(|line| line["row"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 3, 4]);
    for (prompt, line) in prompts.iter().zip(&lines) {
        let alone = text(&finetop(&[prompt]).stdout);
        assert_eq!(alone.strip_suffix('\n'), line["text"].as_str());
    }
    // A string that occurs ends the text before it.
    let whole = lines[0]["text"].as_str().unwrap();
    let (at, stop) = whole.char_indices().filter(|(_, c)| c.is_alphanumeric()).nth(2).unwrap();
    let cut = text(&finetop(&["--stop", &stop.to_string(), prompts[0]]).stdout);
    assert_eq!(cut, format!("{}\n", &whole[..whole.find(stop).unwrap_or(at)]));

    std::fs::write(&rows, "{\"prompt\": \"a\"}\n{\"completion\": \"b\"}\n").unwrap();
    for (arguments, told) in [
        (vec!["--file", rows.to_str().unwrap()], "rows.jsonl:2: expected {\"prompt\": …}"),
        (vec!["--num-beams", "2", "--temperature", "1", "x"], "beams are not sampled"),
        (vec!["--top-p", "2", "x"], "top_p is 2"),
        (vec!["--fast", "--num-beams", "2", "x"], "cannot be used with"),
        (vec![""], "the prompt has no token"),
        (vec![], "PROMPT"),
    ] {
        let refused = finetop(&arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(text(&refused.stderr).contains(told), "{arguments:?}: {}", text(&refused.stderr));
    }
}
