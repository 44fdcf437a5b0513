//! Headings that name fields: `## Summary`, `**Pros**` alone in a line. What stands below up to the next heading is said of the field.
//! A heading with a colon is a name like others, and `block`'s.

use std::ops::Range;

use super::below::follows;
use super::block::{self, Block, Inner, as_written, shapes, value_of};
use super::field::{Field, Line, fields, items, unmarked};
use super::remarks::is_courteous;
use crate::extract::schema::node::{Kind, Node, Property};

/// Below Markdown's six levels.
const BOLD: usize = 7;

/// A heading's level and its words.
pub fn heading<'t>(text: &'t str, line: &Line) -> Option<(usize, &'t str)> {
    let body = text[line.body.clone()].trim();
    if line.marked || line.comment {
        return None;
    }
    let level = body.bytes().take_while(|b| *b == b'#').count();
    if (1..BOLD).contains(&level) {
        let words = body[level..].strip_prefix([' ', '\t'])?;
        return Some((level, words.trim_matches(|c: char| c.is_whitespace() || "#*_".contains(c))));
    }
    let bold = |mark| body.strip_prefix(mark).and_then(|said| said.strip_suffix(mark)).filter(|s| !s.contains(mark));
    bold("**").or_else(|| bold("__")).filter(|words| !words.trim().is_empty()).map(|words| (BOLD, words.trim()))
}

/// Marks what is in fences, quoted or set in by four columns below a heading: where that names a field, it is its text, with no headings of
/// its own. A fence around the headings themselves counts for nothing, and one that nothing closes is none.
pub(super) fn set_off(text: &str, lines: &mut [Line]) {
    let mut above: Option<(usize, usize)> = None;
    let (mut around, mut unclosed) = (false, false);
    let mut at = 0;
    while at < lines.len() {
        let line = &lines[at];
        let body = text[line.body.clone()].trim();
        if let Some(mark) = fence(body).filter(|_| !line.marked && !unclosed) {
            if above.is_none() || around && body == mark {
                around = above.is_none() && !around;
            } else if let Some(more) = lines[at + 1..].iter().position(|line| text[line.body.clone()].trim() == mark) {
                lines[at..=at + 1 + more].iter_mut().for_each(|line| line.set_off = true);
                at += 1 + more;
            } else {
                unclosed = true;
            }
            at += 1;
            continue;
        }
        let lead = &text[line.body.start - line.column..line.body.start];
        let quotes = lead.matches('>').count();
        let columns = lead.bytes().map(|b| if b == b'\t' { 4 } else { usize::from(b == b' ') }).sum();
        let is_below = |(quoted, column): (usize, usize)| quotes > quoted || quotes == quoted && columns >= column + 4;
        let set_off = above.is_some_and(is_below);
        lines[at].set_off = set_off;
        if !set_off && heading(text, &lines[at]).is_some() {
            above = Some((quotes, columns));
        }
        at += 1;
    }
}

/// The mark of a fence that a line begins.
fn fence(body: &str) -> Option<&str> {
    let mark = body.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = body.len() - body.trim_start_matches(mark).len();
    (length > 2 && !body[length..].contains(mark)).then(|| &body[..length])
}

/// Reads what stands below the heading at this line, where it names a field; tells where it ends. What has fields of its own below it is no
/// text of one.
pub(super) fn read(
    block: &mut Block,
    text: &str,
    lines: &[Line],
    at: usize,
    node: Node<'_>,
    depth: usize,
) -> Option<usize> {
    let (level, words) = heading(text, &lines[at])?;
    let property = called(words, node)?;
    let holds_fields = !shapes(property.node).is_empty() && !property.node.accepts(Kind::String);
    let is_text = property.node.accepts(Kind::String);
    // A heading within a fence has its like beside it.
    let is_set_off = |line: &Line| line.set_off && !lines[at].set_off;
    let ends = |line: &Line| match heading(text, line) {
        _ if is_set_off(line) => false,
        Some((next, words)) => next <= level || !holds_fields && (next < BOLD || called(words, node).is_some()),
        None => false,
    };
    let end = lines[at + 1..].iter().position(ends).map_or(lines.len(), |length| at + 1 + length);
    let said = written(text, lines, at + 1..end);
    if said.is_empty()
        || !holds_fields
            && lines[said.clone()]
                .iter()
                .any(|line| !(is_set_off(line) && is_text) && begins_with_field(text, line, node))
    {
        return None;
    }
    let inner = value(text, lines, at, said.clone(), node, property, depth)?;
    block.used[at] = true;
    block::take_in_value(block, said.start, property.key, inner);
    Some(said.end)
}

pub(super) fn called<'s>(words: &str, node: Node<'s>) -> Option<Property<'s>> {
    let unnumbered = words.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(['.', ')']);
    node.called(words).or_else(|| node.called_but_for_bracket(words)).or_else(|| node.called(unnumbered))
}

fn begins_with_field(text: &str, line: &Line, node: Node<'_>) -> bool {
    fields(text, &line.body, node)
        .first()
        .is_some_and(|field| text[line.body.start..field.start].trim_matches(['*', '_', ' ']).is_empty())
}

/// The lines with something in them but rules, without courtesy at the text's end.
fn written(text: &str, lines: &[Line], within: Range<usize>) -> Range<usize> {
    let body = |at: &usize| text[lines[*at].body.clone()].trim();
    let says = |at: &usize| !body(at).bytes().all(|b| b"-*_= ".contains(&b)) || lines[*at].marked;
    let start = within.clone().find(says).unwrap_or(within.end);
    let mut end = (start..within.end).rev().find(says).map_or(start, |last| last + 1);
    let courteous = |at: usize| (!lines[at].set_off || lines[within.start - 1].set_off) && is_courteous(body(&at));
    while within.end == lines.len() && end > start + 1 && courteous(end - 1) {
        end = (start..end - 1).rev().find(says).map_or(start, |last| last + 1);
    }
    start..end
}

fn value(
    text: &str,
    lines: &[Line],
    at: usize,
    said: Range<usize>,
    node: Node<'_>,
    property: Property<'_>,
    depth: usize,
) -> Option<Inner> {
    let place = property.node;
    let below = &lines[said.clone()];
    let all = || vec![true; below.len()];
    let marked = below.iter().any(|line| line.marked);
    if let Some(item) = items(place) {
        if marked || !shapes(item).is_empty() {
            let (values, changes, used) = block::array(text, below, item, depth + 1);
            return (!values.is_empty()).then_some(Inner { value: Some(values.into()), changes, used });
        }
        let field = Field { property, start: lines[at].body.start, value: lines[at].body.end, bracketed: false };
        let mut inner = follows(text, &lines[..said.end], at, "", node, &field)?;
        inner.used.drain(..(said.start - at - 1).min(inner.used.len()));
        return Some(inner);
    }
    if place.accepts(Kind::String) && place.choices().is_none() && place.format().is_none() {
        // A mark before one line alone makes no list.
        let written = match below {
            [line] if line.marked => text[line.body.clone()].to_owned(),
            lines => as_written(text, lines),
        };
        return Some(Inner { value: Some(written.trim().into()), changes: Vec::new(), used: all() });
    }
    if let [line] = below
        && let Some(value) = value_of(unmarked(&text[line.body.clone()]), place)
    {
        return Some(Inner { value: Some(value), changes: Vec::new(), used: all() });
    }
    let read = shapes(place).into_iter().map(|shape| block::object(text, below, shape, depth + 1));
    let inner = read.reduce(|best, next| if next.map.len() > best.map.len() { next } else { best })?;
    (!inner.map.is_empty()).then_some(Inner { value: Some(inner.map.into()), changes: inner.changes, used: inner.used })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::best;
    use crate::extract::schema::Schema;

    fn review() -> Schema {
        let kid = json!({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}});
        let schema = json!({"type": "object", "properties": {
            "summary": {"type": "string"}, "pros": {"type": "array", "items": {"type": "string"}}, "score": {"type": "number"},
            "reviewer": kid, "kids": {"type": "array", "items": kid}}});
        Schema::from_value(&schema).unwrap()
    }

    fn read(text: &str) -> (Value, Vec<String>) {
        let read = best(text, &review());
        let lossy = read.changes.iter().filter(|c| c.lossy).map(|c| c.before.as_str().unwrap_or_default().to_owned());
        (read.value, lossy.collect())
    }

    #[test]
    fn what_stands_below_a_heading_is_said_of_the_field_that_it_names() {
        let both = json!({"summary": "Good phone.", "pros": ["Battery", "Screen"]});
        for text in [
            "## Summary\nGood phone.\n\n## Pros\n- Battery\n- Screen\n",
            "# Review\n\nHere it is.\n\n### Summary\n\nGood phone.\n\n### **Pros** ###\n\n* Battery\n* Screen",
            "**Summary**\n\nGood phone.\n\n**Pros**\n\n- Battery\n- Screen\n\nI hope this helps!",
            "## 1. Summary\nGood phone.\n\n## 2. Pros\n1. Battery\n2. Screen",
            "## Summary\nGood phone.\n\n## Pros\nBattery, Screen",
            "## Summary:\nGood phone.\n\n**Pros:**\n- Battery\n- Screen",
            "## Pros\n- Battery\n- Screen\n\n---\n\n## Summary\nGood phone.\n\nLet me know if you need more!",
        ] {
            assert_eq!(read(text), (both.clone(), Vec::new()), "{text}");
        }
        assert_eq!(read("## Summary\n- One.").0, json!({"summary": "One."}));
        let (value, lossy) = read("## Summary\nOne.\n**Not** two.\n\nThree.\n\n## Score\n4.5");
        assert_eq!((value, lossy), (json!({"summary": "One.\n**Not** two.\n\nThree.", "score": 4.5}), Vec::new()));
        let (value, lossy) = read("## Summary\n```\nx = 1\n```\nSays it all. Pros: many.\n\n## Score\n4.5");
        let summary = "```\nx = 1\n```\nSays it all. Pros: many.";
        assert_eq!((value, lossy), (json!({"summary": summary, "score": 4.5}), Vec::new()));
        let (value, lossy) =
            read("## Reviewer\nName: Kim\nAge: 30\n\n## Kids\n- name: A\n  age: 1\n- name: B\n  age: 2");
        let kids = json!([{"name": "A", "age": 1}, {"name": "B", "age": 2}]);
        assert_eq!((value, lossy), (json!({"reviewer": {"name": "Kim", "age": 30}, "kids": kids}), Vec::new()));
    }

    #[test]
    fn a_heading_that_names_no_field_is_left_out_with_its_text() {
        for text in [
            "## Summary\nGood phone.\n\n## Verdict\nBuy it.\n\n## Pros\n- Battery",
            "## Summary\nGood phone.\n\n## Pros\n- Battery\n\n## Verdict\nBuy it.",
            "**Summary**\nGood phone.\n\n**Verdict**\nBuy it.\n\n**Pros**\n- Battery",
        ] {
            let (value, lossy) = read(text);
            assert_eq!(value, json!({"summary": "Good phone.", "pros": ["Battery"]}), "{text}");
            assert!(lossy.iter().any(|said| said.contains("Buy it.")), "{text}: {lossy:?}");
        }
    }

    #[test]
    fn a_heading_above_fields_and_one_said_twice_take_nothing_in_silence() {
        let (value, lossy) = read("## Summary\nScore: 5");
        assert_eq!((value, lossy), (json!({"score": 5}), Vec::new()));
        let (value, lossy) = read("## Summary\nGood.\n\n## Summary\nBad.");
        assert_eq!((value, lossy.len()), (json!({"summary": "Good."}), 1));
        assert_eq!(read("**Summary**").0, json!(null));
    }

    #[test]
    fn what_is_in_a_fence_quoted_or_set_in_as_code_is_text_of_the_heading_above() {
        let both = |summary: &str| json!({"summary": summary, "score": 5});
        for (below, summary) in [
            ("```sh\n# Pros\nls\n```", "```sh\n# Pros\nls\n```"),
            ("text\n```\n## Pros\nScore: 4\n```\nend", "text\n```\n## Pros\nScore: 4\n```\nend"),
            ("text\n> **Pros**\n> quoted\nend", "text\n> **Pros**\n> quoted\nend"),
            ("text\n\n    # Pros\n    code\nend", "text\n\n    # Pros\n    code\nend"),
            ("~~~\n```\n# Pros\n~~~", "~~~\n```\n# Pros\n~~~"),
        ] {
            let (value, lossy) = read(&format!("## Summary\n{below}\n\n## Score\n5"));
            assert_eq!((value, lossy), (both(summary), Vec::new()), "{below}");
        }
        for around in [
            "> ## Summary\n> Good.\n> ## Score\n> 5",
            "    ## Summary\n    Good.\n    ## Score\n    5",
            "```markdown\n## Summary\nGood.\n## Score\n5\n```",
            "# Answer\n```markdown\n## Summary\nGood.\n\n## Score\n5\n```\nHope this helps!",
            "# Answer\n> ## Summary\n> Good.\n> ## Score\n> 5",
            "# Review\n- item\n    ## Summary\n    Good.\n    ## Score\n    5",
        ] {
            assert_eq!(read(around).0, both("Good."), "{around}");
        }
        assert_eq!(read("## Summary\n```\nx\n## Score\n5").0, both("```\nx"), "nothing closes it");
        assert_eq!(read("## Score\n5\n## Summary\n```\nx\n```").0, both("```\nx\n```"));
    }
}
