//! Where in a line a field's name and its separator stand, and what a field's text becomes.
//! Which lines belong together is `block`'s. Next: `block`.

use std::ops::Range;

use serde_json::Value;

use super::heading;
use super::quotes::{Closes, unescaped, unquoted};
use crate::extract::coerce::scalars::may_be_grouped;
use crate::extract::parse::{segments, strict};
use crate::extract::repair;
use crate::extract::schema::names::{self, is_alphanumeric};
use crate::extract::schema::node::{Kind, Node, Property, Rest};

/// No name in a text is longer than this, nor has more words.
const LONGEST_NAME: usize = 64;
const MOST_WORDS: usize = 5;

/// A field found in a line.
#[derive(Debug, Clone)]
pub struct Field<'s> {
    pub property: Property<'s>,
    /// Where its name begins.
    pub start: usize,
    /// Where what is said of it begins.
    pub value: usize,
    /// Whether its label has a bracket that is none of the name.
    pub bracketed: bool,
}

/// A line: how far it is set in, whether a list mark begins it, and what follows that.
#[derive(Debug, Clone)]
pub struct Line {
    pub indent: usize,
    /// Where in the line, behind the mark, its text begins.
    pub column: usize,
    pub marked: bool,
    /// Whether a check box is part of the mark: `- [x] `.
    pub boxed: bool,
    pub body: Range<usize>,
    /// Whether white space alone parts fields in it.
    pub loose: bool,
    /// Whether it is a comment: `# …` in a text of fields.
    pub comment: bool,
    /// Whether several lines of the text are fields: behind what is no free text, a hash after white space begins a comment.
    pub hashes: bool,
    /// Whether all of these have names as YAML has them: then it does behind free text, too.
    pub yaml: bool,
    /// Whether it is in a fence, quoted or set in as code below a heading.
    pub set_off: bool,
}

/// The lines of a text, without what marks quotations.
pub fn lines(text: &str, within: Range<usize>) -> Vec<Line> {
    let mut at = within.start;
    let keyed = |line: &&str| {
        let line = line.trim_start();
        let name = line.find([':', '=']).unwrap_or(0);
        name > 0 && name <= LONGEST_NAME && !line.starts_with('#')
    };
    let hashes = text[within.clone()].lines().filter(keyed).take(2).count() > 1;
    let alone = text[within.clone()].lines().filter(keyed).take(1).count() > 0;
    let yaml = hashes && text[within.clone()].lines().filter(keyed).all(has_yaml_key);
    let split = text[within].split_inclusive('\n');
    let mut lines: Vec<Line> = split
        .map(|line| {
            let start = at;
            at += line.len();
            let shown = line.trim_end();
            let body = shown.trim_start_matches([' ', '\t', '>', '\u{a0}']);
            let indent = shown.len() - body.len();
            let mark = list_mark(body);
            let boxed = segments::check_box(line, indent + mark).filter(|_| mark > 0).unwrap_or(0);
            let lead = indent + mark + boxed;
            // `##` is a heading, `#` of a text whose other lines are fields is not.
            let comment =
                alone && mark == 0 && (body.starts_with("//") || body.starts_with('#') && !body.starts_with("##"));
            Line {
                indent,
                column: lead,
                marked: mark > 0,
                boxed: boxed > 0,
                loose: false,
                body: start + lead..start + shown.len(),
                comment,
                hashes,
                yaml,
                set_off: false,
            }
        })
        .collect();
    heading::set_off(text, &mut lines);
    lines
}

/// `name: …`, `- name: …`, small letters alone: prose and Markdown begin their names with capitals, stars and words.
fn has_yaml_key(line: &str) -> bool {
    let line = line.trim_start();
    let (key, rest) = line.strip_prefix("- ").unwrap_or(line).split_once(':').unwrap_or_default();
    let named = key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
    named && (rest.is_empty() || rest.starts_with([' ', '\t']))
}

/// The length of `- `, `* `, `• `, `1. `, `2) ` with the space behind; nothing where the line is no list's.
fn list_mark(body: &str) -> usize {
    let mut chars = body.chars();
    let mark = match chars.next() {
        Some('-' | '*' | '+') => 1,
        Some(c @ ('•' | '◦' | '▪' | '·' | '–')) => c.len_utf8(),
        Some('0'..='9') => {
            let digits = body.bytes().take_while(u8::is_ascii_digit).count();
            if digits < 4 && body[digits..].starts_with(['.', ')']) { digits + 1 } else { return 0 }
        }
        _ => return 0,
    };
    let space = body[mark..].len() - body[mark..].trim_start().len();
    if space == 0 && mark < body.len() { 0 } else { mark + space }
}

/// The fields that a line names, in order. A name counts only right before `:`, `=`, `->` or `=>`, and only where the schema knows it. Behind
/// another field's beginning it counts only where something parts them, and not within quotes or brackets: a value may have colons of its own.
pub fn fields<'s>(text: &str, line: &Range<usize>, node: Node<'s>) -> Vec<Field<'s>> {
    fields_where(text, line, node, |last, start| is_parted(text, last, start))
}

/// The same where white space alone parts fields: a guess.
pub fn loose_fields<'s>(text: &str, line: &Range<usize>, node: Node<'s>) -> Vec<Field<'s>> {
    let spaced = |last: &Field, start: usize| {
        let before = &text[last.value..start];
        !before.trim().is_empty() && before.ends_with(char::is_whitespace)
    };
    fields_where(text, line, node, |last, start| spaced(last, start) || is_parted(text, last, start))
}

fn fields_where<'s>(
    text: &str,
    line: &Range<usize>,
    node: Node<'s>,
    parted: impl Fn(&Field, usize) -> bool,
) -> Vec<Field<'s>> {
    let mut found: Vec<Field> = Vec::new();
    let mut from = line.start;
    let mut at = line.start;
    let mut closes = Closes::default();
    while at < line.end {
        let rest = &text[at..line.end];
        let length = match rest.as_bytes()[0] {
            b':' if rest.starts_with("://") => {
                at += 3;
                continue;
            }
            b':' if rest.starts_with(":=") => 2,
            b':' => 1,
            b'=' if rest.starts_with("=>") => 2,
            b'=' => 1,
            b'-' if rest.starts_with("->") => 2,
            _ if rest.starts_with('：') || rest.starts_with('→') => 3,
            _ => {
                let bracketed = found.first().is_some_and(|first| text[first.start..].starts_with(['[', '(']));
                let passed = if found.is_empty() || bracketed { None } else { closes.passed(text, from, at..line.end) };
                at = passed.unwrap_or_else(|| at + rest.chars().next().map_or(1, char::len_utf8));
                continue;
            }
        };
        let before = found.last();
        let stands = |start: usize| before.is_none_or(|last: &Field| parted(last, start));
        if let Some((start, property, bracketed)) = name_before(text, from..at, found.is_empty(), node, stands) {
            found.push(Field { property, start, value: at + length, bracketed });
            from = at + length;
        }
        at += length;
    }
    found
}

/// Whether a name that begins here is another field's, and not in the text of the one before it. Only free text goes on with words.
fn is_parted(text: &str, last: &Field, start: usize) -> bool {
    let before = &text[last.value..start];
    let said = before.trim_end();
    let gap = &before[said.len()..];
    // What is in quotes has ended.
    let whole = said.trim_start();
    let is_quoted = unquoted(whole).len() < whole.len();
    let marked = text[start..].starts_with(['[', '*', '_', '`', '(']);
    let free = last.property.node.accepts(Kind::String) && last.property.node.choices().is_none();
    !said.is_empty()
        && (said.ends_with([',', ';', '|', '，'])
            || !gap.is_empty()
                && (!free || marked || said.ends_with(['/', '·']) || gap.contains('\t') || is_quoted || gap.len() > 1))
}

/// The fields whose names stand in what is said of another, outside quotes and brackets.
pub fn names_within<'s>(text: &str, said: Range<usize>, node: Node<'s>) -> Vec<Property<'s>> {
    let mut found = Vec::new();
    let mut closes = Closes::default();
    let mut at = said.start;
    while let Some(c) = text[at..said.end].chars().next() {
        if let Some(end) = closes.passed(text, said.start, at..said.end) {
            at = end;
            continue;
        }
        let separates = matches!(c, ':' | '=' | '：') && !text[at..].starts_with("://");
        if separates
            && let Some((_, property, _)) =
                name_before(text, said.start..at, false, node, |start| !text[..start].ends_with('/'))
        {
            found.push(property);
        }
        at += c.len_utf8();
    }
    found
}

/// Whether a line names a field, wherever in a sentence, and says something of it.
pub fn names_one(text: &str, line: &Range<usize>, node: Node<'_>) -> bool {
    let body = &text[line.clone()];
    body.char_indices().filter(|(_, c)| matches!(c, ':' | '=' | '：')).any(|(at, c)| {
        let url = body[at..].starts_with("://");
        let said = text[line.start + at + c.len_utf8()..].trim_start_matches(|c: char| c.is_whitespace() || c == '`');
        !url && !said.is_empty() && name_before(text, line.start..line.start + at, false, node, |_| true).is_some()
    })
}

/// The longest name that ends here, or before a bracket that ends here, and whether one does.
fn name_before<'s>(
    text: &str,
    within: Range<usize>,
    first: bool,
    node: Node<'s>,
    stands: impl Fn(usize) -> bool,
) -> Option<(usize, Property<'s>, bool)> {
    if let Some((start, property)) = name_at_end(text, within.clone(), first, node, &stands) {
        return Some((start, property, false));
    }
    let near = from_boundary(text, within.end.saturating_sub(LONGEST_NAME).max(within.start));
    let bare = names::without_bracket(&text[near..within.end])?;
    let (start, property) = name_at_end(text, within.start..near + bare.len(), first, node, &stands)?;
    Some((start, property, true))
}

/// The first character's place from here on.
fn from_boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

/// The longest name that ends here: the whole beginning of the line, or up to five words behind a comma or white space.
fn name_at_end<'s>(
    text: &str,
    within: Range<usize>,
    first: bool,
    node: Node<'s>,
    stands: impl Fn(usize) -> bool,
) -> Option<(usize, Property<'s>)> {
    // Most separators in a hostile text have no word before them.
    if !text[within.clone()].trim_end().ends_with(|c: char| is_alphanumeric(c) || is_around(c)) {
        return None;
    }
    let start = from_boundary(text, within.end.saturating_sub(LONGEST_NAME).max(within.start));
    let near = &text[start..within.end];
    let cut = start > within.start;
    // From the farthest word to the nearest: the longest name wins.
    let mut starts: Vec<usize> = near
        .char_indices()
        .filter(|(at, c)| {
            let before = near[..*at].chars().next_back();
            let begins =
                before.map_or(!cut, |b| b.is_whitespace() || matches!(b, ',' | ';' | '|' | '.' | '，' | '(' | '/'));
            begins && !c.is_whitespace()
        })
        .map(|(at, _)| at)
        .collect();
    let words = starts.len();
    starts.drain(..words.saturating_sub(MOST_WORDS));
    starts.into_iter().find_map(|at| {
        let name = &near[at..];
        let bare = name.trim_matches(|c: char| c.is_whitespace() || is_around(c));
        // Within a line, a name behind another word is a name only if nothing is left over between.
        let comma = near[..at].trim_end().ends_with([',', ';', '|', '.', '，']) || near[..at].trim().is_empty();
        let property = node.called(bare)?;
        (!first || comma).then_some((start + at, property)).filter(|(start, _)| stands(*start))
    })
}

/// Whether a mark may stand around a name: Markdown's, quotes, brackets.
fn is_around(c: char) -> bool {
    matches!(c, '*' | '_' | '`' | '"' | '\'' | '#' | '[' | ']' | '(' | ')' | '{' | '}')
}

/// What is said of a field, as a value: text as written, unless the schema takes no text there and it plainly is JSON.
pub fn scalar(said: &str, node: Node<'_>) -> Value {
    let said = unmarked(said);
    if said.starts_with(['[', '{']) && !node.accepts(Kind::String) {
        if let Ok((value, _)) = strict::value(said) {
            return value;
        }
        let mut read = repair::candidates(said, None);
        // What was cut off is told by who reads the whole.
        if read.len() == 1
            && let Some(candidate) = read.pop().filter(|read| read.changes.iter().all(|c| !c.lossy))
        {
            return candidate.value;
        }
    }
    let text = &*unescaped(said);
    // Of `150.000` the zeros are kept: whether they are a group is told of text alone.
    if !node.accepts(Kind::String)
        && !may_be_grouped(text)
        && let Ok((value, _)) = strict::value(text)
        && (!value.is_null() || node.accepts(Kind::Null))
    {
        return value;
    }
    Value::from(text)
}

/// What is said of a field that takes a list, on one line: `a, b and c`. A comma within digits in groups of three parts nothing.
pub fn list(said: &str, item: Node<'_>) -> Vec<Value> {
    let said = bracketed(said).unwrap_or(said);
    let mut parts: Vec<&str> = parts(said).into_iter().map(str::trim).filter(|part| !part.is_empty()).collect();
    // Of numbers, what stands around `and` is theirs to read.
    if item.accepts(Kind::String)
        && item.choices().is_none()
        && let Some((before, last)) = last_two(said)
        && !parts.last().is_some_and(|part| part.contains(" & "))
        && parts.last().is_some_and(|part| part.ends_with(last))
    {
        parts.pop();
        parts.extend([before, last]);
    }
    let part = |part: &str| scalar(part.strip_prefix("and ").unwrap_or(part), item);
    parts.into_iter().map(part).collect()
}

/// The two items at the end of a list in a sentence's form: `a, b and c`. Whether they are two is a guess: `a, rock and roll`;
/// with `&` they stay one, as in a firm's name.
pub fn last_two(said: &str) -> Option<(&str, &str)> {
    let last = parts(said).into_iter().skip(1).next_back()?.trim();
    let two = [" and ", " & ", " 및 ", " 그리고 "].into_iter().find_map(|word| last.split_once(word))?;
    let plain = |said: &str| !said.contains(['"', '(', '[', '“', '\'']);
    let (before, last) = (two.0.trim(), two.1.trim());
    (plain(before) && plain(last) && !before.is_empty() && !last.is_empty()).then_some((before, last))
}

/// What brackets without quotes enclose, which is no JSON: `[Kim (a, b), Lee]`.
fn bracketed(said: &str) -> Option<&str> {
    let inner = said.strip_prefix('[')?.strip_suffix(']')?;
    (!inner.contains(['"', '\'', '[', ']', '{', '}'])).then_some(inner)
}

/// Whether a list is written in brackets as words are, without quotes.
pub fn is_bare_list(said: &str, item: Node<'_>) -> bool {
    item.accepts(Kind::String) && bracketed(said).is_some_and(|inner| inner.contains(char::is_alphanumeric))
}

/// The pieces between commas and their like, outside quotes and brackets. `1,000, 2,000` are two: white space stands behind the commas that part them, or a group
/// begins with a nought, as no number of its own does.
fn parts(said: &str) -> Vec<&str> {
    let bytes = said.as_bytes();
    let digits = |at: usize| bytes[at.min(bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).take(4).count();
    let grouping = |at: usize| bytes[at] == b',' && at > 0 && bytes[at - 1].is_ascii_digit() && digits(at + 1) == 3;
    let commas = || said.bytes().enumerate().filter(|(_, b)| *b == b',').map(|(at, _)| at);
    let apart = commas().any(|at| bytes.get(at + 1) == Some(&b' '));
    let nought = commas().any(|at| grouping(at) && bytes[at + 1] == b'0' && bytes[at + 2].is_ascii_digit());
    let grouped = (apart || nought) && commas().any(grouping);
    let mut parts = Vec::new();
    let mut from = 0;
    let mut closes = Closes::default();
    let mut within = 0;
    for (at, c) in said.char_indices() {
        if at < within {
            continue;
        }
        if let Some(end) = closes.passed(said, from, at..said.len()) {
            within = end;
            continue;
        }
        if !matches!(c, ',' | ';' | '、' | '，') {
            continue;
        }
        if grouped && grouping(at) && group_may_go_on(&said[from..at]) {
            continue;
        }
        parts.push(&said[from..at]);
        from = at + c.len_utf8();
    }
    parts.push(&said[from..]);
    parts
}

/// Whether what was read as a list of numbers may be one in groups of three: `1,200`, where nothing parts the items but the comma.
pub fn may_be_one_number(said: &str) -> bool {
    let bytes = said.as_bytes();
    let group = |at: usize| bytes[at + 1..].iter().take_while(|b| b.is_ascii_digit()).take(4).count() == 3;
    let stands = |at: usize| at > 0 && bytes[at - 1].is_ascii_digit() && group(at);
    let mut commas = said.bytes().enumerate().filter(|(_, b)| *b == b',').map(|(at, _)| at).peekable();
    commas.peek().is_some() && commas.all(|at| stands(at) && group_may_go_on(&said[..at]))
}

/// Whether what stands before a comma is the beginning of a number in groups of three: one to three digits, then threes.
fn group_may_go_on(before: &str) -> bool {
    let number = before.rsplit(|c: char| !(c.is_ascii_digit() || c == ',')).next().unwrap_or_default();
    number.split(',').enumerate().all(|(at, group)| {
        let long = if at == 0 { (1..=3).contains(&group.len()) && !group.starts_with('0') } else { group.len() == 3 };
        long && group.bytes().all(|b| b.is_ascii_digit())
    })
}

/// The items' place, where a place takes lists and no text.
pub fn items(node: Node<'_>) -> Option<Node<'_>> {
    if node.accepts(Kind::String) { None } else { any_items(node) }
}

/// The items' place, of the place itself or of a branch.
pub fn any_items(node: Node<'_>) -> Option<Node<'_>> {
    if !node.accepts(Kind::Array) {
        return None;
    }
    own_items(node).or_else(|| node.branches().filter(|branch| branch.accepts(Kind::Array)).find_map(own_items))
}

fn own_items(node: Node<'_>) -> Option<Node<'_>> {
    match node.items() {
        Rest::Node(item) => Some(item),
        Rest::Any | Rest::Forbidden => None,
    }
}

/// What is said without the comment behind it, and the comment. A hash within quotes, or right before a word, is text.
pub fn uncommented(said: &str) -> (&str, &str) {
    let quote = said.chars().next().filter(|c| matches!(c, '"' | '\''));
    let from = quote.and_then(|quote| said[1..].find(quote)).map_or(0, |end| end + 2);
    if quote.is_some() && from == 0 {
        return (said, "");
    }
    let hash = said[from..].char_indices().find(|(at, c)| {
        let (before, rest) = said.split_at(from + at);
        *c == '#' && before.ends_with([' ', '\t']) && rest[1..].chars().next().is_none_or(char::is_whitespace)
    });
    let (said, comment) = said.split_at(hash.map_or(said.len(), |(at, _)| from + at));
    (said.trim_end(), comment)
}

/// Without Markdown's marks around the whole, and a comma behind.
pub fn unmarked(said: &str) -> &str {
    let mut said = said.trim().trim_end_matches([',', ';']).trim_end();
    // A blank that was left to be filled in.
    if said.len() > 2 && said.bytes().all(|b| b == b'_') {
        return "";
    }
    // The end of bold that began before the name: `**Name:** John`.
    for mark in ["**", "__"] {
        if said.starts_with(mark) && said.matches(mark).count() % 2 == 1 {
            said = said[mark.len()..].trim_start();
        }
        if said.ends_with(mark) && said.matches(mark).count() % 2 == 1 {
            said = said[..said.len() - mark.len()].trim_end();
        }
    }
    for mark in ["**", "__", "`", "*"] {
        let inner = said.strip_prefix(mark).and_then(|said| said.strip_suffix(mark));
        if let Some(inner) = inner.filter(|inner| !inner.is_empty() && !inner.contains(mark)) {
            said = inner.trim();
        }
    }
    said
}
