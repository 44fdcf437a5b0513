//! Quotes around the whole of what is said, what is escaped within them, and where quotes and brackets within a line end. Next: `field`.

use std::borrow::Cow;
use std::ops::Range;

/// Without quotes around the whole, and what they escape as it is meant: `"a\nb"` as JSON has it, `'it''s'` as YAML.
pub fn unescaped(said: &str) -> Cow<'_, str> {
    let inner = |quote| said.strip_prefix(quote).and_then(|said| said.strip_suffix(quote));
    if inner('"').is_some_and(|inner| inner.contains('\\') && !is_path(inner))
        && let Ok(text) = serde_json::from_str(said)
    {
        return Cow::Owned(text);
    }
    let doubled = inner('\'').filter(|inner| inner.contains("''") && !inner.starts_with('\''));
    match doubled.filter(|inner| !inner.replace("''", "").contains('\'')) {
        Some(inner) => Cow::Owned(inner.replace("''", "'")),
        None => Cow::Borrowed(unquoted(said)),
    }
}

/// Whether the strokes are a path's, and escape nothing: `C:\temp`.
pub fn is_path(inner: &str) -> bool {
    inner.as_bytes().get(1..3) == Some(br":\") && !inner[2..].starts_with(r"\\")
}

/// Without quotes around the whole.
pub fn unquoted(said: &str) -> &str {
    for (open, close) in [('"', '"'), ('\'', '\''), ('“', '”'), ('‘', '’')] {
        let inner = said.strip_prefix(open).and_then(|said| said.strip_suffix(close));
        if let Some(inner) = inner.filter(|inner| !inner.contains([open, close])) {
            return inner;
        }
    }
    said
}

/// The places within quotes and brackets on a line. A mark that was never closed is not looked for again: the scan stays linear.
#[derive(Default)]
pub struct Closes {
    open: Vec<char>,
}

impl Closes {
    /// The place behind the quotes or brackets that begin here. `from`: where the text begins that they are part of.
    pub fn passed(&mut self, text: &str, from: usize, within: Range<usize>) -> Option<usize> {
        let rest = &text[within.clone()];
        let open = rest.chars().next()?;
        let close = match open {
            '"' | '`' => open,
            '\'' => open,
            '“' => '”',
            '‘' => '’',
            '(' => ')',
            '[' => ']',
            '{' => '}',
            '（' => '）',
            _ => return None,
        };
        // An inch, an apostrophe.
        let before = text[from..within.start].chars().next_back();
        if open == close && before.is_some_and(|c| !c.is_whitespace() && !"([{:=,;|".contains(c))
            || self.open.contains(&open)
        {
            return None;
        }
        let mut depth = 1_usize;
        for (at, c) in rest.char_indices().skip(1) {
            if c == close {
                depth -= 1;
            } else if c == open {
                depth += 1;
            }
            if depth == 0 {
                return Some(within.start + at + c.len_utf8());
            }
        }
        self.open.push(open);
        None
    }
}

/// What is in quotes, and what stands behind a comma there where it has a name of its own: `'Foo', stock=3`.
pub fn ended(said: &str) -> (&str, &str) {
    let all = (said, "");
    if !said.starts_with(['"', '\'']) {
        return all;
    }
    let Some(end) = Closes::default().passed(said, 0, 0..said.len()) else { return all };
    let Some(rest) = said[end..].trim_start().strip_prefix(',').map(str::trim_start) else { return all };
    let name = rest.split([':', '=']).next().unwrap_or_default().trim_end();
    let is_name = name.len() < rest.len() && name.starts_with(char::is_alphabetic);
    if is_name && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) {
        (&said[..end], rest)
    } else {
        all
    }
}

/// What is in quotes that end in a line below, as YAML joins it: a line's break is a blank, an empty line a break. With how many lines it
/// takes.
pub fn over_lines<'t>(said: &str, lines: impl Iterator<Item = &'t str>) -> Option<(String, usize)> {
    let quote = said.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let is_open = |piece: &str| !piece.contains(quote);
    if !is_open(&said[1..]) {
        return None;
    }
    let mut joined = said.to_owned();
    for (at, line) in lines.enumerate() {
        joined.push_str(match line {
            "" => "\n",
            _ if joined.ends_with('\n') => "",
            _ => " ",
        });
        joined.push_str(line);
        match line.strip_suffix(quote) {
            Some(end) => return is_open(end).then_some((joined, at + 1)),
            None if !is_open(line) => return None,
            None => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_name_behind_quotes_is_none_of_the_text() {
        assert_eq!(ended("'Foo', stock=3"), ("'Foo'", "stock=3"));
        assert_eq!(ended("\"Foo, Inc.\", in_stock: yes, x=1"), ("\"Foo, Inc.\"", "in_stock: yes, x=1"));
        for said in ["'Foo', 'Bar'", "\"Foo\", he said: no", "Foo, stock=3", "'Foo'", "'it''s', a=b", "\"Foo\" is, a=b"]
        {
            assert_eq!(ended(said), (said, ""), "{said}");
        }
    }

    #[test]
    fn quotes_that_end_in_a_line_below_are_joined_as_yaml_has_it() {
        for (said, lines, joined) in [
            ("\"This is a long", &["text\""][..], Some(("\"This is a long text\"", 1))),
            ("'a", &["b", "", "c'", "d"], Some(("'a b\nc'", 3))),
            ("\"a", &["b"], None),
            ("\"a\"", &["b\""], None),
            ("\"a", &["b\" and \"c\""], None),
            ("a", &["b\""], None),
        ] {
            let read = over_lines(said, lines.iter().copied());
            assert_eq!(read, joined.map(|(text, count)| (text.to_owned(), count)), "{said}");
        }
    }

    #[test]
    fn quotes_are_undone_as_json_and_yaml_have_them() {
        for (said, text) in [
            (r#""a\nb""#, "a\nb"),
            (r#""say \"hi\"""#, "say \"hi\""),
            (r#""\u00e9""#, "é"),
            ("'it''s'", "it's"),
            (r"'a\nb'", r"a\nb"),
            (r#""C:\temp""#, r"C:\temp"),
            (r#""C:\\temp""#, r"C:\temp"),
            (r#""\d+""#, r"\d+"),
            ("''", ""),
        ] {
            assert_eq!(unescaped(said), text, "{said}");
        }
        for said in [r#""a" and "b\n""#, "'a' and 'b'", "'a''b' and 'c'", "'''a'''", "it''s", r"a\nb", "\""] {
            assert_eq!(unescaped(said), said);
        }
    }
}
