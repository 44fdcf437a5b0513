//! Which room may name which: the table of the design, held against every `crate::` path in `src`.
//! Next: `src/lib.rs`, the map of the rooms.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A room, and the rooms that it may name besides itself.
const TABLE: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("disk", &[]),
    ("config", &["units"]),
    ("formats", &["units", "disk"]),
    ("memory", &["units", "config"]),
    ("data", &["units", "disk", "config", "formats"]),
    ("model", &["units", "disk", "config", "formats", "memory"]),
    ("eval", &["units"]),
    ("extract", &["units"]),
    ("event", &["units", "config", "memory", "eval", "extract"]),
    ("pace", &["event"]),
    ("train", &["units", "disk", "config", "memory", "formats", "data", "model", "event"]),
    ("task", &["units", "disk", "config", "formats", "memory", "data", "model", "eval", "extract", "event"]),
    (
        "run",
        &[
            "units", "disk", "config", "formats", "memory", "data", "model", "eval", "extract", "event", "pace",
            "train", "task",
        ],
    ),
    ("ui", &["units", "config", "memory", "eval", "extract", "event", "pace"]),
    ("app", EVERY),
    ("cli", EVERY),
];

const EVERY: &[&str] = &[
    "units", "disk", "config", "formats", "memory", "data", "model", "eval", "extract", "event", "pace", "train",
    "task", "run", "ui", "app", "cli",
];

/// Rooms that may hold tensors; in all others not even candle's name occurs.
const TENSORS: &[&str] = &["model", "train", "task", "cli"];

#[test]
fn rooms_name_only_the_rooms_that_the_design_allows() {
    let mut wrong = Vec::new();
    for file in sources() {
        let room = room_of(&file);
        let text = fs::read_to_string(&file).unwrap();
        let code = without_comments_and_text(&text);
        // The map and the entry belong to no room and may name all.
        let Some(room) = room else { continue };
        let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{}: the room {room} is not in the table", file.display()));
            continue;
        };
        for other in rooms_named(&code) {
            if other != room && !allowed.contains(&other.as_str()) {
                wrong.push(format!("{}: {room} names {other}", file.display()));
            }
        }
        let depth = file.strip_prefix(src()).unwrap().components().count() - usize::from(file.ends_with("mod.rs"));
        if climbs(&code) >= depth {
            wrong.push(format!("{}: super leaves the room; name the other one by crate::", file.display()));
        }
        if !TENSORS.contains(&room.as_str()) && words(&code).any(|w| w.starts_with("candle")) {
            wrong.push(format!("{}: {room} holds no tensors and names candle", file.display()));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_table_has_no_circles() {
    let edges: BTreeMap<&str, BTreeSet<&str>> = TABLE
        .iter()
        .filter(|(room, _)| !["app", "cli"].contains(room))
        .map(|(room, allowed)| (*room, allowed.iter().copied().collect()))
        .collect();
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    while settled.len() < edges.len() {
        let ready: Vec<&str> = edges
            .iter()
            .filter(|(room, allowed)| !settled.contains(*room) && allowed.is_subset(&settled))
            .map(|(room, _)| *room)
            .collect();
        assert!(!ready.is_empty(), "{:?} need each other", edges.keys().filter(|r| !settled.contains(*r)));
        settled.extend(ready);
    }
}

#[test]
fn every_file_says_what_lives_there() {
    let is_test = |file: &Path| file.to_str().is_some_and(|name| name.ends_with("tests.rs"));
    for file in sources().into_iter().filter(|f| !is_test(f)) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} does not open with //!", file.display());
    }
}

#[test]
fn paths_are_found_however_they_are_written() {
    let code = "use crate::units::printable;\npub(crate) use crate::{\n    config::{self, parse},\n    event::Stamped as S, memory\n};\n\
                fn f() { crate::disk::relink(); let x = crate :: model::X; my_crate::nothing(); }";
    let named: Vec<String> = rooms_named(&without_comments_and_text(code)).into_iter().collect();
    assert_eq!(named, ["config", "disk", "event", "memory", "model", "units"]);
    let hidden = "// crate::run\n/* crate::run */ let s = \"crate::run\"; let r = r#\"crate::\"run\"#; let c = '\"'; 'a'; /// [`crate::run`]\n";
    assert!(rooms_named(&without_comments_and_text(hidden)).is_empty());
    assert_eq!(climbs("use super::super::x; super::y"), 2);
    assert_eq!(climbs("mod tests { use super::*; mod deep { use super::super::x; } } fn f() { super::y() }"), 1);
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![src()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(e) if e == "rs" => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

/// The first folder or file under `src`, none for `lib.rs` and `main.rs`.
fn room_of(file: &Path) -> Option<String> {
    let first = file.strip_prefix(src()).unwrap().components().next().unwrap();
    let name = first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_string();
    (!["lib", "main"].contains(&name.as_str())).then_some(name)
}

/// The rooms of all `crate::room` and `crate::{room, …}` paths.
fn rooms_named(code: &str) -> BTreeSet<String> {
    let tokens = tokens(code);
    let mut rooms = BTreeSet::new();
    for at in 0..tokens.len() {
        if tokens[at] != "crate" || tokens.get(at + 1) != Some(&"::") {
            continue;
        }
        if tokens.get(at + 2) != Some(&"{") {
            rooms.extend(tokens.get(at + 2).map(|t| t.to_string()));
            continue;
        }
        // In a group each entry begins with a room.
        let (mut depth, mut begins) = (0, false);
        for token in &tokens[at + 2..] {
            match *token {
                "{" => (depth, begins) = (depth + 1, depth == 0),
                "}" => depth -= 1,
                "," => begins = depth == 1,
                name if begins => {
                    rooms.insert(name.to_string());
                    begins = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    rooms
}

/// How far the longest chain of `super` climbs above the file's own module.
fn climbs(code: &str) -> usize {
    let tokens = tokens(code);
    // For each open brace, whether it is that of a module within the file.
    let mut braces: Vec<bool> = Vec::new();
    let (mut highest, mut chain) = (0usize, 0usize);
    for (at, token) in tokens.iter().enumerate() {
        chain = match *token {
            "super" => chain + 1,
            "::" => chain,
            _ => 0,
        };
        match *token {
            "{" => braces.push(at >= 2 && tokens[at - 2] == "mod"),
            "}" => drop(braces.pop()),
            _ => {}
        }
        let within = braces.iter().filter(|module| **module).count();
        highest = highest.max(chain.saturating_sub(within));
    }
    highest
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    tokens(code).into_iter().filter(|t| t.starts_with(|c: char| c.is_alphabetic()))
}

/// Names, `::`, and single other characters.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let length = match first {
            c if is_name(c) => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
            _ if rest.starts_with("::") => 2,
            c => c.len_utf8(),
        };
        let (token, tail) = rest.split_at(length);
        if !first.is_whitespace() {
            tokens.push(token);
        }
        rest = tail;
    }
    tokens
}

/// The code with comments, strings and characters blanked.
fn without_comments_and_text(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let skipped = match rest {
            r if r.starts_with("//") => r.find('\n').unwrap_or(r.len()),
            r if r.starts_with("/*") => block_comment(r),
            r if r.starts_with('"') => string(r),
            r if r.starts_with("r\"") || r.starts_with("r#") => raw_string(r, &code),
            r if r.starts_with('\'') => character(r),
            _ => 0,
        };
        if skipped > 0 {
            code.push(' ');
            rest = &rest[skipped..];
        } else {
            let next = rest.chars().next().unwrap();
            code.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    code
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// `r"…"`, `r#"…"#`; a name that ends in r, or `r#name`, is none.
fn raw_string(text: &str, before: &str) -> usize {
    if before.ends_with(|c: char| c.is_alphanumeric() && c != 'b' || c == '_') {
        return 0;
    }
    let hashes = text[1..].bytes().take_while(|b| *b == b'#').count();
    if !text[1 + hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    text[hashes + 2..].find(&end).map_or(text.len(), |at| hashes + 2 + at + end.len())
}

/// `'x'`, `'\n'`, `'\u{1b}'`; a lifetime is none.
fn character(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(0, |at| at + 4),
        Some(_) => characters.next().filter(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}
