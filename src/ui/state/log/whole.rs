//! An entry of the log whole: every field of its event by name, with its unit, and the line of `events.jsonl` that it is. The lines are
//! made once, when the entry is opened: a warning may be a hundred thousand characters long.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::entry;
use crate::event::Stamped;
use crate::ui::format;
use crate::units::{self, DateTime, format_bytes, printable};

/// The pane that shows an entry is at most so wide: longer lines are not read.
const WIDEST: u16 = 112;

#[derive(Debug, Clone)]
pub struct Whole {
    pub title: String,
    pub lines: Vec<Line>,
    /// The first line that is shown.
    pub scroll: usize,
    /// What is copied.
    pub json: String,
    stamped: Stamped,
}

/// A line of the pane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Blank,
    /// A name, indented by how deep it lies, and padded to the widest one; its value, or a part of it.
    Field(String, String),
    /// A part of the line of the log, broken wherever it is full, so that what is copied from the screen is what stands there.
    Json(String),
}

impl Whole {
    pub fn new(stamped: &Stamped, screen: (u16, u16)) -> Self {
        let json = serde_json::to_string(stamped).unwrap_or_default();
        let title = format!("{}  {}", entry::kind(&stamped.event), entry::clock(stamped.elapsed_ms));
        let mut whole = Whole { title, lines: Vec::new(), scroll: 0, json, stamped: stamped.clone() };
        whole.lay_out(screen);
        whole
    }

    /// Breaks the lines anew, for a screen of another size.
    pub fn lay_out(&mut self, screen: (u16, u16)) {
        let width = Whole::width(screen.0).saturating_sub(4).max(8) as usize;
        let mut fields = Vec::new();
        // A field that is not finite is null here, as it is in the log.
        match serde_json::from_str::<Tree>(&self.json) {
            Ok(tree) => flatten(&tree, "", 0, &mut fields),
            Err(_) => fields.push((String::new(), entry::words(&self.stamped.event, usize::MAX))),
        }
        let longest = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
        let names = longest.min(width * 2 / 3);
        self.lines.clear();
        for (name, value) in &fields {
            for (i, part) in format::wrap(value, width - names).into_iter().enumerate() {
                let name = if i == 0 { format::fit(name, names - 1, "~") } else { String::new() };
                self.lines.push(Line::Field(format!("{name:<names$}"), part));
            }
        }
        self.lines.push(Line::Blank);
        let json = printable(&self.json);
        let mut rest = json.as_str();
        while !rest.is_empty() {
            let head = format::take_width(rest, width);
            let (head, tail) = rest.split_at(if head.is_empty() { rest.len() } else { head.len() });
            self.lines.push(Line::Json(head.to_owned()));
            rest = tail;
        }
        self.scroll_by(0, screen);
    }

    /// How wide the pane is.
    pub fn width(screen_width: u16) -> u16 {
        screen_width.min(WIDEST)
    }

    /// Lines of it that a screen shows at once: header, footer and the pane's edges are taken.
    pub fn page(screen: (u16, u16)) -> usize {
        screen.1.saturating_sub(4).max(1) as usize
    }

    pub fn scroll_by(&mut self, lines: isize, screen: (u16, u16)) {
        let end = self.lines.len().saturating_sub(Whole::page(screen));
        self.scroll = self.scroll.saturating_add_signed(lines).min(end);
    }
}

/// JSON that keeps the order of its fields.
enum Tree {
    Null,
    Bool(bool),
    Count(u64),
    Number(String),
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Count(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Number(if value != 0.0 && value.abs() < 1e-3 { format!("{value:e}") } else { value.to_string() }))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element()? {
            list.push(value);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Tree::Map(fields))
    }
}

fn flatten(tree: &Tree, parent: &str, depth: usize, out: &mut Vec<(String, String)>) {
    let Tree::Map(fields) = tree else { return out.push((String::new(), value(tree, parent, ""))) };
    for (name, field) in fields {
        let shown = format!("{}{}", "  ".repeat(depth), printable(name));
        match field {
            Tree::Map(inner) if !inner.is_empty() => {
                out.push((shown, String::new()));
                flatten(field, name, depth + 1, out);
            }
            Tree::List(items) if items.iter().any(|item| matches!(item, Tree::Map(_))) => {
                for (i, item) in items.iter().enumerate() {
                    out.push((format!("{shown} {}", i + 1), String::new()));
                    flatten(item, name, depth + 1, out);
                }
            }
            _ => out.push((shown, value(field, parent, name))),
        }
    }
}

/// A value as a person reads it: the unit is told from the field's name, as the stream has it.
fn value(tree: &Tree, parent: &str, name: &str) -> String {
    let is_bytes = name.ends_with("_bytes") || matches!(parent, "by_category" | "by_phase");
    match tree {
        Tree::Null => format::UNKNOWN.to_owned(),
        Tree::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Tree::Count(n) if is_bytes && *n >= units::KIB => format!("{} ({} bytes)", format_bytes(*n), format::count(*n)),
        Tree::Count(n) if is_bytes => format_bytes(*n),
        Tree::Count(n) if name.ends_with("_us") => format!("{} ({} µs)", format::took(*n), format::count(*n)),
        Tree::Count(n) if name.ends_with("unix_ms") => format!("{} UTC ({n} ms)", date_and_time(n / 1000)),
        Tree::Count(n) if name.ends_with("_ms") => format!("{} ({} ms)", entry::clock(*n), format::count(*n)),
        // Names rather than quantities.
        Tree::Count(n) if matches!(name, "seq" | "seed" | "schema") => n.to_string(),
        Tree::Count(n) => format::count(*n),
        Tree::Number(text) => match name {
            "loss" | "eval_loss" => format!("{text} nats per target token"),
            "loss_sum_nats" => format!("{text} nats"),
            _ => text.clone(),
        },
        Tree::Text(text) => printable(text),
        Tree::List(items) if items.is_empty() => "none".to_owned(),
        Tree::List(items) => items.iter().map(|item| value(item, name, "")).collect::<Vec<_>>().join(", "),
        Tree::Map(fields) if fields.is_empty() => "none".to_owned(),
        Tree::Map(_) => String::new(),
    }
}

/// `2026-05-04 10:00:00`.
fn date_and_time(unix_s: u64) -> String {
    let DateTime { year, month, day, hour, minute, second } = DateTime::from_unix(unix_s);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CheckpointSaved, EvalDone, RunEvent, Warning};

    fn fields(event: RunEvent) -> Vec<(String, String)> {
        let whole = Whole::new(&Stamped { seq: 1_234, elapsed_ms: 61_000, event }, (80, 24));
        let fields = whole.lines.into_iter().filter_map(|line| match line {
            Line::Field(name, value) => Some((name.trim().to_owned(), value)),
            _ => None,
        });
        fields.collect()
    }

    #[test]
    fn fields_have_their_units_and_keep_their_order() {
        let saved = CheckpointSaved { step: 1_200, path: "checkpoints/\u{1b}x".into(), size_bytes: 29_412_352 };
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let expected = [
            ("seq", "1234"),
            ("elapsed_ms", "0:01:01 (61,000 ms)"),
            ("event", "checkpoint_saved"),
            ("step", "1,200"),
            ("path", "checkpoints/␛x"),
            ("size_bytes", "28 MiB (29,412,352 bytes)"),
        ];
        assert_eq!(fields(RunEvent::CheckpointSaved(saved)), expected.map(own));
    }

    #[test]
    fn what_is_unknown_is_a_dash() {
        let eval = EvalDone { step: 1, eval_loss: f64::NAN, target_tokens: 1, duration_us: 5, best: false };
        let fields = fields(RunEvent::EvalDone(eval));
        assert!(fields.contains(&("eval_loss".into(), "—".into())), "{fields:?}");
        assert!(fields.contains(&("best".into(), "no".into())), "{fields:?}");
    }

    #[test]
    fn the_line_of_the_log_is_there_to_the_last_character_and_scrolls_to_its_end() {
        let detail = "no\u{301} space ".repeat(3) + &"x".repeat(100_000);
        let event = RunEvent::Warning(Warning { kind: "data".into(), detail });
        let screen = (60, 20);
        let mut whole = Whole::new(&Stamped { seq: 0, elapsed_ms: 0, event }, screen);
        let json: String =
            whole.lines.iter().map(|line| if let Line::Json(part) = line { part.as_str() } else { "" }).collect();
        assert_eq!(json, whole.json);
        whole.scroll_by(isize::MAX, screen);
        assert_eq!(whole.scroll + Whole::page(screen), whole.lines.len());
        whole.scroll_by(isize::MIN, screen);
        assert_eq!(whole.scroll, 0);
    }

    #[test]
    fn a_moment_is_written_with_its_time() {
        assert_eq!(date_and_time(1_777_888_800), "2026-05-04 10:00:00");
    }
}
