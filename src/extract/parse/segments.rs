//! Where in a text JSON may stand: fenced blocks, what is between them, and within each the places that brackets enclose.
//! One scan each; nothing is parsed here. Next: `super` for what is done with them.

use std::ops::Range;

/// A piece of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// What is within the fence, or between fences.
    pub content: Range<usize>,
    pub fenced: bool,
}

/// The fenced blocks of a text in order, then the pieces around them. A text that begins with a bracket is one piece: what looks like a
/// fence stands within its strings.
pub fn segments(text: &str) -> Vec<Segment> {
    let whole = Segment { content: 0..text.len(), fenced: false };
    let trimmed = text.trim_start_matches(blank);
    if trimmed.starts_with(['{', '[']) && !trimmed[1..].starts_with("```") {
        return vec![whole];
    }
    let mut fenced = Vec::new();
    let mut around = Vec::new();
    // Where the piece outside fences began, and the open fence: its mark, its length, where its content begins.
    let mut outside = 0;
    let mut open: Option<(u8, usize, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let (mark, length, indent) = fence(line);
        let rest = line[indent + length..].trim();
        match open {
            None if length >= 3 => {
                around.push(outside..start);
                // All in one line: ```json {…}```.
                let content = start + indent + length;
                if let Some(end) = rest.rfind("```").filter(|_| mark == b'`') {
                    let lead = line[indent + length..].len() - line[indent + length..].trim_start().len();
                    fenced.push(content + language(rest) + lead..content + lead + end);
                    outside = at;
                    continue;
                }
                let inline = rest.find(['{', '[']);
                open = Some((mark, length, inline.map_or(at, |_| content + language(&line[indent + length..]))));
            }
            None => {}
            Some((by, least, content)) if mark == by && length >= least && matches!(rest, "" | "}" | "]") => {
                fenced.push(content..start);
                open = None;
                outside = at;
            }
            // …}``` closes behind the value.
            Some((b'`', least, content)) => {
                let trimmed = line.trim_end();
                let ticks = trimmed.len() - trimmed.trim_end_matches('`').len();
                if ticks >= least && trimmed[..trimmed.len() - ticks].trim_end().ends_with(['}', ']']) {
                    fenced.push(content..start + trimmed.len() - ticks);
                    open = None;
                    outside = at;
                }
            }
            Some(_) => {}
        }
    }
    match open {
        Some((_, _, content)) => fenced.push(content.min(text.len())..text.len()),
        None => around.push(outside..text.len()),
    }
    if fenced.is_empty() {
        return vec![whole];
    }
    let segment = |fenced| move |content: Range<usize>| Segment { content, fenced };
    let around = around.into_iter().filter(|piece| !text[piece.clone()].trim_matches(blank).is_empty());
    fenced.into_iter().map(segment(true)).chain(around.map(segment(false))).collect()
}

/// White space, and the mark of byte order.
pub fn blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

/// A line's fence: its mark, how many of them, and the indent before. None is a length of nought.
fn fence(line: &str) -> (u8, usize, usize) {
    let mut indent = line.len() - line.trim_start().len();
    // A fence within the brackets that belong within the fence.
    if line[indent..].starts_with("{```") || line[indent..].starts_with("[```") {
        indent += 1;
    }
    let bytes = &line.as_bytes()[indent..];
    let Some(mark) = bytes.first().copied().filter(|b| matches!(b, b'`' | b'~')) else { return (0, 0, indent) };
    let length = bytes.iter().take_while(|b| **b == mark).count();
    if length < 3 { (0, 0, indent) } else { (mark, length, indent) }
}

/// The length of a fence's language, with the white space around it.
fn language(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let space = bytes.iter().take_while(|b| **b == b' ').count();
    let name =
        bytes[space..].iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+')).count();
    // A word alone is a value: ```true```.
    let more = bytes[space + name..].iter().any(|b| !matches!(b, b'`' | b' ' | b'\n' | b'\r'));
    if more { space + name } else { 0 }
}

/// Places that brackets enclose, outermost ones only, and whether one was opened for good and never closed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Regions {
    pub closed: Vec<Range<usize>>,
    /// Where a bracket stands that begins JSON and is never closed.
    pub unclosed: Option<usize>,
}

/// Finds the places within a piece of text. Strings within brackets are passed over, to the line's end where they have none.
pub fn regions(text: &str, within: Range<usize>) -> Regions {
    let bytes = text.as_bytes();
    // Open brackets: where, whether a brace, and how many places had been found before.
    let mut open: Vec<(usize, bool, usize)> = Vec::new();
    let mut count = [0_usize; 2];
    let mut closed: Vec<Range<usize>> = Vec::new();
    let mut string = false;
    let mut at = within.start;
    while at < within.end {
        let b = bytes[at];
        match b {
            b'\\' if string => at += 1,
            b'"' if !open.is_empty() => string = !string,
            b'\n' => string = false,
            _ if string => {}
            b'[' if open.is_empty() && check_box(text, at).is_some() => at += 2,
            b'{' | b'[' => {
                open.push((at, b == b'{', closed.len()));
                count[usize::from(b == b'{')] += 1;
            }
            b'}' | b']' if count[usize::from(b == b'}')] > 0 => {
                while let Some((start, brace, found)) = open.pop() {
                    count[usize::from(brace)] -= 1;
                    if brace == (b == b'}') {
                        // What was found within is part of it.
                        closed.truncate(found);
                        closed.push(start..at + 1);
                        break;
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    let unclosed = open.iter().map(|(at, _, _)| *at).find(|at| begins_json(text, *at));
    if let Some(unclosed) = unclosed {
        closed.retain(|region| region.end <= unclosed);
    }
    Regions { closed, unclosed }
}

/// The length of a check box that stands here behind a list's mark, with something said behind it: `- [x] done`, `* [ ] open`.
pub fn check_box(text: &str, at: usize) -> Option<usize> {
    let rest = text.as_bytes().get(at..)?;
    let [b'[', b' ' | b'x' | b'X', b']', b' ', ..] = rest else { return None };
    // One look back, however much stands before: a line is marked at its beginning.
    let before = &text.as_bytes()[at.saturating_sub(32)..at];
    let from = before.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
    let begins = from > 0 || at <= 32;
    let mark = before[from..].trim_ascii();
    let number = mark.strip_suffix(b".").or_else(|| mark.strip_suffix(b")"));
    let numbered = number.is_some_and(|n| !n.is_empty() && n.iter().all(u8::is_ascii_digit));
    let marked = before.ends_with(b" ") && (matches!(mark, b"-" | b"*" | b"+") || numbered);
    if !(begins && marked) {
        return None;
    }
    // As far as the first character behind it, and not to the line's end: there may be many boxes in one line.
    let first = text[at + 4..].chars().find(|c| *c == '\n' || !c.is_whitespace());
    first.is_some_and(|c| !"\n,]}".contains(c)).then_some(4)
}

/// Whether the bracket here begins JSON, or something close to it, and no remark in a sentence.
pub fn begins_json(text: &str, at: usize) -> bool {
    if check_box(text, at).is_some() {
        return false;
    }
    let bytes = text.as_bytes();
    let rest = &text[at + 1..];
    // One look, however much white space there is in all.
    let near = crate::units::beginning(rest, 256);
    let after = near.trim_start_matches(blank);
    let Some(first) = after.chars().next() else { return near.len() == rest.len() };
    let quote = matches!(first, '"' | '\'' | '“' | '‘' | '\\' | '`');
    let comment = after.starts_with("//") || after.starts_with("/*") || first == '#';
    match bytes[at] {
        b'{' => {
            let name = after.trim_start_matches(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$'));
            let colon = name.len() < after.len() && name.trim_start().starts_with(':');
            quote || comment || colon || matches!(first, '}' | ',') || after.starts_with("...")
        }
        _ => {
            let word = ["true", "false", "null", "None", "True", "False"].iter().any(|word| after.starts_with(word));
            quote
                || comment
                || word
                || first.is_ascii_digit()
                || matches!(first, '{' | '[' | ']' | '-' | ',')
                || after.starts_with("...")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(text: &str) -> Vec<(&str, bool)> {
        segments(text).into_iter().map(|s| (text[s.content].trim(), s.fenced)).collect()
    }

    #[test]
    fn fences_are_found_with_either_mark_closed_or_not() {
        assert_eq!(contents("Here:\n```json\n{}\n```\nbye"), [("{}", true), ("Here:", false), ("bye", false)]);
        assert_eq!(contents("~~~\n[1]\n~~~"), [("[1]", true)]);
        assert_eq!(contents("so\n```\n{\"a\":1}"), [("{\"a\":1}", true), ("so", false)]);
        assert_eq!(contents("```json {\"a\":1}```"), [("{\"a\":1}", true)]);
        assert_eq!(contents("```json\n{\"a\":1}```\nDone"), [("{\"a\":1}", true), ("Done", false)]);
        assert_eq!(contents("````md\n```\n[1]\n```\n````"), [("```\n[1]\n```", true)]);
    }

    #[test]
    fn a_fence_within_a_string_is_text() {
        let text = "{\"code\": \"\n```py\nx\n```\n\"}";
        assert_eq!(contents(text), [(text, false)]);
    }

    #[test]
    fn places_are_outermost_and_strings_are_passed_over() {
        let text = r#"see {"a": "}"} and [1, [2]] and {x"#;
        let found = regions(text, 0..text.len());
        let places: Vec<_> = found.closed.iter().map(|r| &text[r.clone()]).collect();
        assert_eq!(places, [r#"{"a": "}"}"#, "[1, [2]]"]);
        assert_eq!(found.unclosed, None);
    }

    #[test]
    fn a_check_box_is_one_at_its_lines_beginning_with_something_said_behind_it() {
        for (text, at, is_one) in [
            ("- [x] a", 2, true),
            ("- [ ] \t [x]", 2, true),
            ("- [x] - [x] a", 2, true),
            ("- [x] - [x] a", 8, false),
            ("- [x] \r\na", 2, false),
            ("- [x]  , 1", 2, false),
            ("- [x] \u{3000}가", 2, true),
            ("a\n1. [X] a", 5, true),
        ] {
            assert_eq!(check_box(text, at).is_some(), is_one, "{text:?} at {at}");
        }
    }

    #[test]
    fn what_stands_in_an_unclosed_bracket_is_no_place_of_its_own() {
        let text = r#"so: {"items": [{"a":1}], "total": 5"#;
        let found = regions(text, 0..text.len());
        assert_eq!((found.closed.len(), found.unclosed), (0, Some(4)));
    }

    #[test]
    fn brackets_in_a_sentence_begin_no_json() {
        for (text, json) in [
            ("{player}", false),
            ("[see below]", false),
            ("{{x}", false),
            ("{name: 1", true),
            ("[{", true),
            ("{ }", true),
            ("[1]", true),
            ("{", true),
        ] {
            assert_eq!(begins_json(text, 0), json, "{text}");
        }
    }
}
