//! A template value as Python's `json.dumps` writes it, byte for byte: what transformers' `tojson` filter gives.
//! Nothing else.

use std::fmt::Write;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

/// Lists within lists beyond this are refused: a template can nest deeper than a thread's stack is.
const DEPTH: usize = 128;

/// The keyword arguments of `json.dumps` that templates use; the defaults are transformers' (`ensure_ascii` is off).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Style {
    pub ensure_ascii: bool,
    pub indent: Option<usize>,
    /// Between items, then between key and value; without them `", "` (with an indent `","`) and `": "`.
    pub separators: Option<Vec<String>>,
    pub sort_keys: bool,
}

/// `json.dumps(value)`.
/// # Errors
/// A value that has no JSON (undefined, a function), or one that is nested too deeply.
pub fn dumps(value: &Value, style: &Style) -> Result<String, Error> {
    let (item, key) = match style.separators.as_deref() {
        None if style.indent.is_some() => (",", ": "),
        None => (", ", ": "),
        Some([item, key]) => (item.as_str(), key.as_str()),
        Some(_) => return Err(Error::new(ErrorKind::InvalidOperation, "tojson: separators are two texts")),
    };
    let mut writer = Writer { out: String::new(), style, item, key };
    writer.value(value, 0)?;
    Ok(writer.out)
}

struct Writer<'a> {
    out: String,
    style: &'a Style,
    item: &'a str,
    key: &'a str,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        let wrong = |what: String| Err(Error::new(ErrorKind::BadSerialization, what));
        if depth > DEPTH {
            return wrong(format!("tojson: nested deeper than {DEPTH}"));
        }
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number if value.is_integer() => self.out.push_str(&value.to_string()),
            ValueKind::Number => self.out.push_str(&python_float(f64::try_from(value.clone())?)),
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.checked().collect::<Result<_, _>>()?;
                self.open('[');
                for (index, item) in items.iter().enumerate() {
                    self.between(index, depth + 1);
                    self.value(item, depth + 1)?;
                }
                self.close(']', items.is_empty(), depth);
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.checked().collect::<Result<_, _>>()?;
                if self.style.sort_keys {
                    keys.sort();
                }
                self.open('{');
                for (index, key) in keys.iter().enumerate() {
                    self.between(index, depth + 1);
                    match key.kind() {
                        ValueKind::String => self.string(key.as_str().unwrap_or_default()),
                        ValueKind::None | ValueKind::Bool | ValueKind::Number => {
                            self.out.push('"');
                            self.value(key, depth + 1)?;
                            self.out.push('"');
                        }
                        kind => return wrong(format!("tojson: a {kind} is no key")),
                    }
                    self.out.push_str(self.key);
                    self.value(&value.get_item(key)?, depth + 1)?;
                }
                self.close('}', keys.is_empty(), depth);
            }
            kind => return wrong(format!("tojson: {kind} has no JSON")),
        }
        Ok(())
    }

    fn open(&mut self, bracket: char) {
        self.out.push(bracket);
    }

    fn between(&mut self, index: usize, depth: usize) {
        if index > 0 {
            self.out.push_str(self.item);
        }
        self.line(depth);
    }

    fn close(&mut self, bracket: char, empty: bool, depth: usize) {
        if !empty {
            self.line(depth);
        }
        self.out.push(bracket);
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = self.style.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', indent.min(16) * depth));
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if c < ' ' || (self.style.ensure_ascii && !c.is_ascii()) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        // Writing to a String cannot fail.
                        let _ = write!(self.out, "\\u{unit:04x}");
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

/// `repr(float)`: the shortest digits, with an exponent below 1e-4 and from 1e16 on.
fn python_float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number == 0.0 || (-4..16).contains(&exponent) {
        let fixed = number.to_string();
        return if fixed.contains('.') { fixed } else { format!("{fixed}.0") };
    }
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e-5, "1.5e-05"),
            (0.0001, "0.0001"),
            (1e300, "1e+300"),
            (123456.789, "123456.789"),
        ] {
            assert_eq!(python_float(number), text);
        }
    }

    #[test]
    fn values_keep_their_order_and_are_not_escaped_for_html() {
        let value: Value = serde_json::from_str(r#"{"b":1,"a":["<é>","\u0001\"",null,true,2.5,{}, []]}"#).unwrap();
        assert_eq!(
            dumps(&value, &Style::default()).unwrap(),
            "{\"b\": 1, \"a\": [\"<é>\", \"\\u0001\\\"\", null, true, 2.5, {}, []]}"
        );
        let indented = Style { indent: Some(2), sort_keys: true, ensure_ascii: true, ..Style::default() };
        assert_eq!(
            dumps(&value, &indented).unwrap(),
            concat!(
                "{\n  \"a\": [\n    \"<\\u00e9>\",\n    \"\\u0001\\\"\",\n    null,\n    true,\n    2.5,\n",
                "    {},\n    []\n  ],\n  \"b\": 1\n}"
            )
        );
    }
}
