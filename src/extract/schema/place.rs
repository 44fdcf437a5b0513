//! Where in a schema's text a mistake stands, for whoever shows the text: serde's line and column, or a JSON Pointer, as bytes.
//! Why a schema cannot be used is `SchemaError`'s.

use std::ops::Range;

use super::SchemaError;

impl SchemaError {
    /// The bytes of the schema's text that the mistake is about: of a value that holds others its name and opening bracket, and where the
    /// pointer leads to nothing, of the nearest value around it. None where it is about the whole. Empty where something is missing.
    /// Never more than `text.len()`, and at borders of characters.
    pub fn place(&self, text: &str) -> Option<Range<usize>> {
        match self {
            SchemaError::Syntax { line, column, what } => Some(syntax(text, *line, *column, what)),
            SchemaError::Keyword { pointer, .. }
            | SchemaError::Remote { pointer, .. }
            | SchemaError::Missing { pointer, .. }
            | SchemaError::Circle { pointer } => pointed(text, pointer),
            SchemaError::TooLarge(_) => None,
        }
    }

    /// What was expected, and what was found instead: the message without the place.
    pub fn what(&self) -> String {
        match self {
            SchemaError::Syntax { what, .. } => match what.strip_prefix("EOF while parsing ") {
                Some("a value") => "expected a value, found the end".to_owned(),
                Some(inside) => format!("the text ends within {inside}"),
                None => what.clone(),
            },
            SchemaError::Keyword { expected, found, .. } => format!("expected {expected}, found {found}"),
            SchemaError::Remote { reference, .. } => {
                format!("expected a reference that begins with #, found \"{reference}\"")
            }
            SchemaError::Missing { reference, .. } => {
                format!("expected a reference to something in it, found \"{reference}\"")
            }
            SchemaError::Circle { .. } => "leads back to itself without a property or an item between".to_owned(),
            SchemaError::TooLarge(what) => format!("too large: {what}"),
        }
    }
}

/// serde counts bytes from 1, and takes a line end for column 0 of the next line; at the end of the text it names the last byte.
fn syntax(text: &str, line: usize, column: usize, what: &str) -> Range<usize> {
    let all = text.trim_end().len();
    if what.starts_with("EOF") {
        return all..all;
    }
    let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
    let start = [0].into_iter().chain(starts).nth(line.saturating_sub(1)).unwrap_or(all);
    let mark = if line == 1 { marks(text) } else { 0 };
    let mut from = (start + mark + column).saturating_sub(1).min(text.len());
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    let length = text[from..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
    from..from + length
}

/// Bytes of the marks of order that an editor may put before a text, which are no part of the schema.
fn marks(text: &str) -> usize {
    text.len() - text.trim_start_matches('\u{feff}').len()
}

/// The place that a pointer names in a text of JSON.
fn pointed(text: &str, pointer: &str) -> Option<Range<usize>> {
    let mut reader = Reader { text, at: marks(text) };
    reader.blanks();
    let mut found = Found { name: reader.at, value: reader.at };
    let steps = pointer.strip_prefix('/').map(|rest| rest.split('/')).into_iter().flatten();
    for step in steps {
        let step = step.replace("~1", "/").replace("~0", "~");
        reader.at = found.value;
        match reader.member(&step) {
            Some(next) => found = next,
            // Where a schema was written out as something else, the pointer has steps that the text has not.
            None => break,
        }
    }
    reader.at = found.value;
    if matches!(reader.byte()?, b'{' | b'[') {
        return Some(found.name..found.value + 1);
    }
    reader.value()?;
    Some(found.value..reader.at)
}

/// Where a member begins, and its value; of an item, and of the whole, both are the same.
#[derive(Clone, Copy)]
struct Found {
    name: usize,
    value: usize,
}

/// Reads over JSON that is known to be whole; none where it is not after all.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            match self.byte()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(())
    }

    /// Passes a value, however deep it is.
    fn value(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            self.blanks();
            match self.byte()? {
                b'"' => self.string()?,
                b'{' | b'[' => {
                    open += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    open = open.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' => self.at += 1,
                _ => {
                    while self.byte().is_some_and(|b| !b" \t\r\n,:]}".contains(&b)) {
                        self.at += 1;
                    }
                }
            }
            if open == 0 {
                return Some(());
            }
        }
    }

    /// The member or item of this name in the container that begins here; of several the last, which is the one that counts.
    fn member(&mut self, name: &str) -> Option<Found> {
        let is_object = match self.byte()? {
            b'{' => true,
            b'[' => false,
            _ => return None,
        };
        self.at += 1;
        let mut found = None;
        for item in 0_usize.. {
            self.blanks();
            let begin = self.at;
            let is_it = match (self.byte()?, is_object) {
                (b'}' | b']', _) => return found,
                (b'"', true) => {
                    self.string()?;
                    let key: Result<String, _> = serde_json::from_str(&self.text[begin..self.at]);
                    self.blanks();
                    // The colon.
                    self.at += 1;
                    self.blanks();
                    key.is_ok_and(|key| key == name)
                }
                (_, true) => return None,
                (_, false) => item.to_string() == name,
            };
            let value = self.at;
            if is_it {
                found = Some(Found { name: begin, value });
            }
            self.value()?;
            self.blanks();
            if self.byte()? == b',' {
                self.at += 1;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::Schema;

    fn marked(text: &str) -> (String, usize) {
        let error = Schema::parse(text).expect_err("it is wrong");
        let place = error.place(text).expect("a place");
        let line = text[..place.start].matches('\n').count() + 1;
        (text[place].to_owned(), line)
    }

    #[test]
    fn a_keyword_is_found_by_its_pointer() {
        let nested = "{\n  \"type\": \"object\",\n  \"properties\": {\n    \"a/b~\": {\"type\": \"strnig\"}\n  }\n}";
        assert_eq!(marked(nested), ("\"strnig\"".into(), 4));
        assert_eq!(marked("{\"anyOf\": [{}, {\"type\": 3}]}"), ("3".into(), 1));
        assert_eq!(marked("{\n\"properties\": [1, {}]}"), ("\"properties\": [".into(), 2));
        assert_eq!(marked(" {\"$ref\": \"#/$defs/none\"}"), ("\"#/$defs/none\"".into(), 1));
        assert_eq!(marked("[1]"), ("[".into(), 1));
        assert_eq!(marked("\u{feff}{\"type\": \"a\", \"type\": \"중\"}"), ("\"중\"".into(), 1), "the last one counts");
    }

    #[test]
    fn a_mistake_of_syntax_is_at_its_line_and_column() {
        assert_eq!(marked("{\n  \"type\": objekt\n}"), ("o".into(), 2));
        assert_eq!(marked("{\"a\": 1,}"), ("}".into(), 1));
        assert_eq!(marked("\u{feff}{\"a\" 1}"), ("1".into(), 1));
        assert_eq!(marked("{\"중\": 중}"), ("중".into(), 1));
        assert_eq!(marked("{\n  \"a\": {\n"), (String::new(), 2), "the end is where something is missing");
    }

    #[test]
    fn every_beginning_of_a_schema_has_a_place_within_it() {
        let whole = "\u{feff}{\"$defs\": {\"이름\": {\"enum\": [\"a\\\"\", -1.5e3, null]}},\r\n \"items\": [{\"$ref\": \"#/x\"}]}";
        for (at, _) in whole.char_indices() {
            for text in [&whole[..at], &whole[at..]] {
                if let Err(error) = Schema::parse(text) {
                    let place = error.place(text).expect("a place");
                    assert!(text.get(place.clone()).is_some(), "{place:?} of {text}");
                }
            }
        }
    }
}
