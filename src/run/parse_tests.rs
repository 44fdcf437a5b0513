use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::event::*;
use crate::memory::ledger::{Category, Phase};

/// Deterministic numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }

    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

/// The events that come often.
fn often() -> Vec<RunEvent> {
    let micro = MicroBatchDone {
        step: 3,
        micro: 1,
        micro_per_step: 4,
        loss_sum_nats: 293.013_788_779_693_6,
        target_tokens: 129,
        tokens: 446,
        duration_us: 1_460_099,
        used_bytes: Some(296_040_874),
        peak_bytes: None,
    };
    let step = StepDone {
        step: u64::MAX,
        epoch: 0.026_666_666_666_666_67,
        loss: 2.461_247_380_113_351,
        target_tokens: 397,
        tokens: 0,
        learning_rate: 5e-324,
        grad_norm: 1.797_693_134_862_315_7e308,
        duration_us: 4_418_985,
    };
    let by_category = BTreeMap::from([(Category::Adapter, 9_751_756), (Category::Unaccounted, 1)]);
    let sample = MemorySampled {
        phase: Phase::Backward,
        used_bytes: Some(0),
        limit_bytes: None,
        device_used_bytes: Some(7),
        device_total_bytes: None,
        others_bytes: None,
        host_total_bytes: Some(8 << 30),
        host_available_bytes: None,
        by_category,
        ..Default::default()
    };
    let eval = EvalDone { step: 0, eval_loss: -0.0, target_tokens: 7739, duration_us: 3_100_000, best: true };
    let path = "checkpoints/\"ä\"\n\u{1f600}\\step-000012".to_owned();
    vec![
        RunEvent::MicroBatchDone(micro),
        RunEvent::StepDone(step),
        RunEvent::MemorySampled(MemorySampled { by_category: BTreeMap::new(), ..sample.clone() }),
        RunEvent::MemorySampled(sample),
        RunEvent::EvalDone(eval),
        RunEvent::CheckpointSaved(CheckpointSaved { step: 12, path: "checkpoints/step-000012".into(), size_bytes: 2 }),
        RunEvent::CheckpointSaved(CheckpointSaved { step: 12, path, size_bytes: 29_412_352 }),
    ]
}

fn rarely() -> Vec<RunEvent> {
    let config = crate::config::parse::from_toml("[data]\ntrain = \"t\"\n", "x.toml", std::path::Path::new("/"), &[]);
    let oom = OutOfMemory {
        phase: Phase::Forward,
        step: 1,
        micro: 1,
        layer: Some(2),
        requested_bytes: None,
        free_bytes: None,
        by_category: BTreeMap::new(),
        levers: vec![Lever {
            id: "batch".into(),
            changes: vec![LeverChange { key: "k".into(), from: json!([1, null]), to: json!({"a": 0.5}) }],
            predicted_peak_bytes: 1,
            price: "none".into(),
            rows_cut: 0,
            ..Default::default()
        }],
        applied: None,
        ..Default::default()
    };
    vec![
        RunEvent::RunStarted(Box::new(RunStarted {
            schema: SCHEMA,
            run_id: "x".into(),
            started_unix_ms: 0,
            config: config.expect("a small configuration"),
            seed: 1,
            device: "cpu".into(),
            model_name: None,
            trainable_params: 1,
            total_params: 2,
            planned_steps: 3,
            resumed_from: Some(0),
            rows: vec![],
        })),
        RunEvent::MemoryPlanned(MemoryPlanned {
            peak_bytes: 1,
            limit_bytes: None,
            by_category: BTreeMap::new(),
            by_phase: BTreeMap::from([(Phase::Backward, 3)]),
            ..Default::default()
        }),
        RunEvent::OutOfMemory(Box::new(oom)),
        RunEvent::BleuDone(BleuDone {
            report: "r".into(),
            score: 1.5,
            split: "s".into(),
            adapter: "a".into(),
            step: Some(3),
            signature: None,
            ci: None,
            rows: None,
        }),
        RunEvent::Warning(Warning { kind: "k".into(), detail: "d\u{0}\u{7f}".into() }),
        RunEvent::RunFinished(RunFinished { reason: FinishReason::Stopped, steps: 3, detail: None }),
    ]
}

fn lines(events: Vec<RunEvent>) -> Vec<String> {
    let stamped = events.into_iter().enumerate();
    let stamped = stamped.map(|(i, event)| Stamped { seq: i as u64, elapsed_ms: 310 * i as u64, event });
    stamped.map(|s| serde_json::to_string(&s).expect("an event is JSON")).collect()
}

/// Both ways, whose words must be the same (as words, for 0 and -0 are equal as numbers).
fn both_ways(line: &[u8]) {
    let (ours, theirs) = (format!("{:?}", parse(line)), format!("{:?}", thoroughly(line)));
    assert_eq!(ours, theirs, "{}", String::from_utf8_lossy(line));
}

#[test]
fn what_a_log_is_full_of_is_read_the_quick_way_as_we_write_it() {
    for line in lines(often()) {
        let quick = serde_json::from_str::<Quick>(&line).map(|q| q.0);
        assert_eq!(quick.ok(), thoroughly(line.as_bytes()).ok(), "{line}");
    }
    lines(often()).iter().chain(&lines(rarely())).for_each(|line| both_ways(line.as_bytes()));
}

#[test]
fn a_line_torn_or_changed_at_any_byte_reads_the_same_both_ways() {
    let mut dice = Dice(5);
    for line in lines(often()).into_iter().chain(lines(rarely())) {
        for at in 0..=line.len() {
            both_ways(&line.as_bytes()[..at]);
        }
        for at in 0..line.len() {
            let mut changed = line.clone().into_bytes();
            changed[at] = *dice.of(b"\"\\{}[],:-+.eE019 \t\0\xff\xc3ux");
            both_ways(&changed);
            let mut longer = line.clone().into_bytes();
            longer.insert(at, *dice.of(b"\"\\{}[],:-+.eE019 \t\0\xff\xc3ux"));
            both_ways(&longer);
        }
    }
}

/// Values that fields are given here, as JSON or nearly.
const VALUES: &[&[u8]] = &[
    b"null",
    b"true",
    b"0",
    b"-0",
    b"-1",
    b"7",
    b"1.0",
    b"1e3",
    b"1e999",
    b"0.1e-400",
    b"18446744073709551615",
    b"18446744073709551616",
    b"123456789012345678901234567890.5",
    b"01",
    b"\"\"",
    b"\"backward\"",
    b"\"step_done\"",
    b"\"\\ud800\"",
    b"\"\\u00e4\\n\"",
    b"\"\xff\"",
    b"\"a\tb\"",
    b"[]",
    b"[1,2,3,4,5,6,7,8,9]",
    b"{}",
    b"{\"backward\":null}",
    b"{\"step_done\":null}",
    b"{\"adapter\":1,\"adapter\":2}",
    b"{\"moon\":1}",
    b" 7 ",
];

#[test]
fn fields_in_any_order_twice_unknown_left_out_or_of_another_kind_read_the_same_both_ways() {
    let deep = [b"[".repeat(200), b"]".repeat(200)].concat();
    let values: Vec<&[u8]> = VALUES.iter().copied().chain([deep.as_slice()]).collect();
    let mut dice = Dice(17);
    let all: Vec<String> = lines(often()).into_iter().chain(lines(rarely())).collect();
    let mut read = [0, 0, 0];
    for round in 0..12_000 {
        let line = &all[round % all.len()];
        let Value::Object(fields) = serde_json::from_str(line).expect("a line of ours") else { unreachable!() };
        // Without `preserve_order` the fields come sorted; they are put as we write them.
        let at = |name: &String| line.find(&format!("\"{name}\":"));
        let mut fields: Vec<(String, Vec<u8>)> =
            fields.iter().map(|(k, v)| (k.clone(), v.to_string().into())).collect();
        fields.sort_by_key(|(name, _)| at(name));
        for _ in 0..dice.below(3) {
            let (a, b) = (dice.below(fields.len()), dice.below(fields.len()));
            let other = if dice.below(2) == 0 { dice.below(3) } else { b };
            match dice.below(8) {
                0 => fields.swap(a, b),
                1 => _ = fields.remove(a),
                2 => fields.insert(b, fields[a].clone()),
                3 => fields.insert(b, ("mood".into(), dice.of(&values).to_vec())),
                4 => fields.push((fields[other].0.clone(), dice.of(&values).to_vec())),
                // A name written in another way is the same name.
                5 => fields[a].0 = format!("\\u{:04x}{}", u32::from(fields[a].0.as_bytes()[0]), &fields[a].0[1..]),
                6 => fields[a].1 = [b" ", fields[a].1.as_slice(), b"\t "].concat(),
                _ => fields[other].1 = dice.of(&values).to_vec(),
            }
            if fields.is_empty() {
                break;
            }
        }
        let fields: Vec<Vec<u8>> = fields.iter().map(|(k, v)| [b"\"", k.as_bytes(), b"\":", v].concat()).collect();
        let line = [b"{", fields.join(&b","[..]).as_slice(), b"}"].concat();
        both_ways(&line);
        let kind = match parse(&line) {
            Ok(_) => 0,
            Err(NoEvent::Unknown { .. }) => 1,
            Err(NoEvent::Broken) => 2,
        };
        read[kind] += 1;
    }
    assert!(read.iter().all(|&n| n > 300), "the lines tried were of one kind: {read:?}");
}
