//! How fast a text becomes a value, how the time grows with the text, and whether random texts bring it down.
//!     cargo bench --bench repair            speeds, and growth on hostile texts
//!     cargo bench --bench repair -- growth 4000000   growth alone, up to so many bytes
//!     cargo bench --bench repair -- fuzz 300   random texts for so many seconds; the seed is printed, and the text that fails
//! Nothing here is a test: times depend on the machine.

use std::any::Any;
use std::hint::black_box;
use std::time::{Duration, Instant};

use finetop::extract::chain::{self, Reading};
use finetop::extract::schema::Schema;
use finetop::extract::validate::validate;
use finetop::extract::{parse, plain, repair};
use serde_json::{Value, json};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["fuzz", rest @ ..] => {
            let number = |at: usize, default: u64| rest.get(at).and_then(|n| n.parse().ok()).unwrap_or(default);
            fuzz(Duration::from_secs(number(0, 60)), number(1, 1));
        }
        ["growth", bytes] => growth(bytes.parse().unwrap_or(1_000_000)),
        _ => {
            speeds();
            growth(1_000_000);
        }
    }
}

/// The best of five, in seconds of this process's own time where the system tells it: others on the machine do not count. It is the time
/// until what is made is there; letting go of it comes after.
fn time<T>(work: impl Fn() -> T) -> f64 {
    let start = Instant::now();
    let clock = || {
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
        let told = told.and_then(|told| told.split(' ').next()?.parse::<f64>().ok());
        told.map_or_else(|| start.elapsed().as_secs_f64(), |nanoseconds| nanoseconds * 1e-9)
    };
    let once = || {
        let before = clock();
        let made = work();
        let took = clock() - before;
        drop(black_box(made));
        took
    };
    (0..5).map(|_| once()).fold(f64::INFINITY, f64::min)
}

fn speeds() {
    let row = |n: usize| {
        json!({"id": n, "name": format!("Person {n}"), "price": n as f64 * 1.25, "tags": ["a", "중고", "c\n"], "ok": n.is_multiple_of(2),
            "note": "a sentence, with a comma; and \"quotes\"", "nested": {"x": null, "y": [1, 2, 3]}})
    };
    let clean = Value::from((0..40_000).map(row).collect::<Vec<_>>()).to_string();
    let report = |name: &str, text: &str, work: &dyn Fn(&str) -> Box<dyn Any>| {
        let seconds = time(|| work(text));
        println!("{name:34} {:8.1} MB/s  ({:.1} MB)", text.len() as f64 / 1e6 / seconds, text.len() as f64 / 1e6);
    };
    let repaired = |text: &str| -> Box<dyn Any> { Box::new(repair::candidates(text, None)) };
    report("clean JSON, strict", &clean, &|text| Box::new(parse::strict::value(text).ok()));
    report("clean JSON, as candidates", &clean, &|text| Box::new(parse::candidates(text, None)));
    report("clean JSON, serde_json", &clean, &|text| Box::new(serde_json::from_str::<Value>(text).ok()));
    report("single quotes", &clean.replace("\\\"", "`").replace('"', "'"), &repaired);
    report("no quotes around keys", &clean.replace("\":", ":").replace(",\"", ",").replace("{\"", "{"), &repaired);
    report("trailing commas and comments", &clean.replace('}', ",} // end\n"), &repaired);
    report("cut off", &clean[..clean.len() - 20], &repaired);
    report("quotes within, not escaped", &clean.replace("\\\"", "\""), &repaired);
    report("new lines for commas", &clean.replace("},{", "}\n{"), &repaired);
    let schema = person();
    let lines = "Name: John\nAge: 25\nCity: Seoul\nsome other line, with words\n\n".repeat(100_000);
    report("lines, by a schema", &lines, &|text| Box::new(plain::candidates(text, Some(&schema))));
    let now = "2026-11-30T09:00".parse().expect("a time");
    let offers = offers();
    let whole = |text: &str| -> Box<dyn Any> { Box::new(chain::repair_value(text, Some(&offers), now)) };
    report("values side by side, the chain", &"{\"item\":\"a\"}".repeat(100_000), &whole);
    let rows = |row: &dyn Fn(usize) -> String| (0..20_000).map(row).collect::<String>();
    let broken = |n| format!("{{item: 'chair {n}', \"price\": {n}, \"state\": \"new\",}}\n");
    report("a fault in each line, the chain", &rows(&broken), &whole);
    let head = "| 물건 | 가격 | 날짜 | 상태 |\n|---|---|---|---|\n";
    let korean = |n| format!("| 의자 {n} | {n}만 원 | 11월 {}일 | 아주 좋음 |\n", n % 28 + 1);
    report("a table in Korean, the chain", &(head.to_owned() + &rows(&korean)), &whole);
    let unfit = |n| format!("| 의자 {n} | 문의 바랍니다 | 나중에 | 모름 | {n} |\n");
    report("one that does not fit, the chain", &(head.to_owned() + &rows(&unfit)), &whole);
}

fn person() -> Schema {
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "city": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}}, "at": {"type": "object", "properties": {"name": {"type": "string"}}}}});
    Schema::from_value(&schema).expect("the schema is this program's own")
}

/// A list of what is for sale.
fn offers() -> Schema {
    let item = json!({"type": "object", "properties": {"item": {"type": "string", "title": "물건"},
        "price": {"type": "integer", "title": "가격"}, "date": {"type": "string", "format": "date", "title": "날짜"},
        "state": {"enum": ["새것", "좋음", "new"], "title": "상태"}}});
    Schema::from_value(&json!({"type": "array", "items": item})).expect("the schema is this program's own")
}

/// What the program ships, and one that has a bit of everything.
fn schemas() -> Vec<Schema> {
    const SHIPPED: [&str; 4] = [
        include_str!("../configs/schemas/person.json"),
        include_str!("../configs/schemas/listing.json"),
        include_str!("../configs/schemas/meeting.json"),
        include_str!("../configs/schemas/receipt.json"),
    ];
    let wide = json!({"anyOf": [
        {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "null"}, {"type": "string", "format": "date-time"}]}},
        {"type": "object", "properties": {"name": {"type": "string", "format": "duration"}, "a": {"enum": ["a", "True", 1, null]},
            "price": {"type": "number", "exclusiveMinimum": 0}, "ok": {"type": "boolean"}, "id": {"type": ["integer", "boolean"]}},
            "additionalProperties": {"$ref": "#"}},
        {"type": "string", "format": "time"}, {"type": "integer", "multipleOf": 5}]});
    let wide = Schema::from_value(&wide).expect("the schema is this program's own");
    SHIPPED.iter().filter_map(|text| Schema::parse(text).ok()).chain([wide]).collect()
}

/// Texts that invite a second look at what was already seen, at one, two and four times a length.
fn growth(most: usize) {
    const SEEDS: &[&str] = &[
        "[",
        "]",
        "{",
        "}",
        "[{",
        "{\"a\":",
        "\"",
        "'",
        "`",
        "\\",
        "\\\"",
        "\0",
        ",",
        ":",
        "/*",
        "//",
        "#",
        "/",
        "```\n",
        "```",
        "~~~\n",
        "~~~json\n{",
        " ",
        "\n",
        "\u{3000}",
        "a",
        "1",
        "-",
        ".",
        "...",
        "…",
        "(",
        "a(",
        "=",
        "+",
        "\"a\" ",
        "\"a {x ",
        "'a\"b",
        "{a:b,",
        "{\"a\":\"b, ",
        "[\"a, ",
        "\"a\\\"",
        "“",
        "{\"a\":\"x\"y\" ",
        "{a:x \"y\" ",
        "[\"(\")",
        "\"[\"]",
        "\"\"\"",
        "\"\"a",
        "{'k':\"y} ",
        "<name>",
        "</name>",
        "<",
        "|",
        "| a |\n|---|\n",
        "name:",
        "name: x\n",
        "- ",
        "- name: x\n",
        "**",
        "[a]\n",
        "&quot;",
        "{}",
        "{} ",
        "{a:1} /* ",
        "{a:1} // ",
        "{a:1}#",
        "{a:'x'} [b] ",
        "[\"x {'y\": ",
        "[1] ",
        "{x} ",
        "text {a ",
        "\\u",
        "\"+\"",
        "a\": ",
        "{\"a\"}",
        "{a b: ",
        "\"/* ",
        "\"// ",
        "\n \n ",
        "name:\n ",
        "이름：",
        "{\"a\":1,\"a\":[",
        "r'",
        "&",
        "/a",
        "12:",
        "a,b\n",
        "{a:b c\n",
        "{a:\"b\n",
        "{\"a\":1}:",
        "{'a':1,}\n",
        "| a |\n|---|\n| 1 |\n\n",
    ];
    let schema = person();
    println!(
        "\n{:26} {:>10} {:>10} {most:>10}  growth from the second to the third (linear: 2)",
        "bytes of a text repeated",
        most / 4,
        most / 2
    );
    let mut worst = 0_f64;
    for seed in SEEDS {
        let run = |bytes: usize| {
            let text = seed.repeat(bytes / seed.len());
            time(|| {
                black_box(parse::candidates(&text, Some(&schema)));
                black_box(repair::candidates(&text, None));
                black_box(plain::candidates(&text, Some(&schema)));
            })
        };
        let times = [run(most / 4), run(most / 2), run(most)];
        let ratio = times[2] / times[1].max(1e-3);
        worst = worst.max(times[2]);
        let mark = if ratio > 3.0 || times[2] > 1.0 { "  <---" } else { "" };
        println!(
            "{:26} {:8.1}ms {:8.1}ms {:8.1}ms  {ratio:4.1}{mark}",
            format!("{seed:?}"),
            times[0] * 1e3,
            times[1] * 1e3,
            times[2] * 1e3
        );
    }
    println!("slowest: {worst:.2} s for {most} bytes, parse, repair and plain together");
}

/// xorshift64*, so that a seed names a run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn value(random: &mut Random, depth: usize) -> Value {
    const TEXTS: &[&str] = &[
        "",
        "a",
        "a, b",
        "x: y",
        "it's",
        "say \"hi\"",
        "중고",
        "{}",
        "[1]",
        "\\",
        "\n",
        "//",
        "\u{1f600}",
        "null",
        "12",
    ];
    match random.below(if depth > 4 { 5 } else { 8 }) {
        0 => Value::Null,
        1 => Value::from(random.below(2) == 0),
        2 => Value::from(random.next() as i64 >> random.below(60)),
        3 => Value::from(random.below(1_000_000) as f64 / 128.0),
        4 => Value::from(TEXTS[random.below(TEXTS.len())]),
        5 => (0..random.below(4)).map(|_| value(random, depth + 1)).collect(),
        _ => Value::Object(
            (0..random.below(4))
                .map(|n| (format!("{}{n}", TEXTS[random.below(TEXTS.len())]), value(random, depth + 1)))
                .collect(),
        ),
    }
}

fn fuzz(duration: Duration, seed: u64) {
    const MARKS: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        ":",
        ",",
        "\"",
        "'",
        "\\",
        "\n",
        " ",
        "a",
        "1",
        "-",
        ".",
        "...",
        "//",
        "/*",
        "*/",
        "#",
        "```",
        "```json\n",
        "`",
        "“",
        "”",
        "가",
        "\u{3000}",
        "\0",
        "+",
        "=",
        "\\u",
        "\"\"\"",
        "name: ",
        "- ",
        "| ",
        "|---|\n",
        "<name>",
        "</name>",
        "…",
        "\\\"",
        "cb(",
        "True",
        "None",
        "&quot;",
        "~~~",
        "：",
        "，",
        "\u{feff}",
        "\r",
        "120만",
        "원",
        "3.5억",
        "약 ",
        "-",
        "11월 5일",
        "오후 2시",
        "다음 주 ",
        "next ",
        "2026-11-",
        "05T14:00",
        "P1D",
        "1e400",
        "NaN",
        "%",
        "yes",
    ];
    let schema = person();
    let schemas = schemas();
    let now = "2026-11-30T09:00".parse().expect("a time");
    let mut random = Random(seed.max(1));
    let start = Instant::now();
    let (mut texts, mut bytes, mut slowest) = (0_u64, 0_usize, (0_f64, String::new()));
    while start.elapsed() < duration {
        let whole = value(&mut random, 0);
        let valid = if random.below(2) == 0 {
            whole.to_string()
        } else {
            serde_json::to_string_pretty(&whole).unwrap_or_default()
        };
        let (made, changes) =
            parse::strict::value(&valid).unwrap_or_else(|e| panic!("valid JSON refused: {valid:?}: {e}"));
        assert!(made == whole && changes.is_empty(), "valid JSON changed: {valid:?}");
        let mut text = valid;
        for _ in 0..random.below(8) {
            let mut at = random.below(text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            match random.below(5) {
                0 => text.truncate(at),
                1 if at < text.len() => {
                    text.remove(at);
                }
                2 => text = format!("{}{}", &text[at..], &text[..at]),
                _ => text.insert_str(
                    at,
                    &MARKS[random.below(MARKS.len())].repeat(1 + random.below(3) * random.below(20) / 10),
                ),
            }
        }
        let run = Instant::now();
        // Nothing that is looked at after a panic: the run ends there.
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut found = parse::candidates(&text, Some(&schema));
            found.extend(parse::candidates(&text, None));
            found.extend(repair::candidates(&text, None));
            found.extend(repair::candidates(&text, Some(&schema)));
            found.extend(plain::candidates(&text, Some(&schema)));
            for schema in &schemas {
                let trace = chain::read(&text, Some(schema), now, Reading::Whole);
                let Some(value) = trace.value else { continue };
                assert!(validate(&value, schema).is_empty(), "{value} does not fit");
                let again = chain::repair_value(&value.to_string(), Some(schema), now);
                assert_eq!(again.result.ok(), Some(value), "a value that fits was changed");
            }
            found.iter().all(|candidate| text.get(candidate.span.clone()).is_some())
        }));
        assert!(matches!(checked, Ok(true)), "seed {seed}, text {texts}: {text:?}");
        let rate = run.elapsed().as_secs_f64() / (text.len() + 100) as f64;
        if rate > slowest.0 {
            slowest = (rate, text.clone());
        }
        texts += 1;
        bytes += text.len();
    }
    println!(
        "{texts} texts, {bytes} bytes, seed {seed}, {:.0} s: no panic; slowest {:.0} ns a byte",
        start.elapsed().as_secs_f64(),
        slowest.0 * 1e9
    );
}
