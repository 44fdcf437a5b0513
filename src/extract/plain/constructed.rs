//! `Product(name='Foo', price=5.0)`: an object as Python writes one. Its fields are read as `block` reads them, its texts here, since their
//! escapes are Python's.

use std::ops::Range;

use serde_json::Value;

use super::block;
use super::quotes::{Closes, is_path};
use crate::extract::attempt::Change;
use crate::extract::parse::{Candidate, change};
use crate::extract::repair::python_text;
use crate::extract::schema::names;
use crate::extract::schema::node::Node;

/// `Product(name='Foo', price=5.0)`, as Python writes an object: its class, and where its fields stand.
pub(super) fn found(text: &str) -> Option<(&str, Range<usize>)> {
    let said = text.trim();
    let (name, arguments) = said.strip_suffix(')')?.split_once('(')?;
    let is_class = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let field = arguments.split('=').next()?;
    let is_field = field.len() < arguments.len() && field.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let open = text.len() - text.trim_start().len() + name.len();
    let whole = Closes::default().passed(text, open, open..text.len()) == Some(open + arguments.len() + 2);
    (is_class && is_field && whole).then(|| (name, open + 1..open + 1 + arguments.len()))
}

/// Puts Python's texts and its None in the places of what was read of them.
pub(super) fn mend(candidate: &mut Candidate, arguments: &str, root: Node<'_>) {
    let Value::Object(fields) = &mut candidate.value else { return };
    let shapes = block::shapes(root);
    // Of one that is said twice the first counts.
    for (name, quoted) in texts(arguments).into_iter().rev() {
        let inner = &quoted[1..quoted.len() - 1];
        let Some(property) = shapes.iter().find_map(|shape| shape.property(name)) else { continue };
        if is_path(inner) || !fields.get(property.key).is_some_and(Value::is_string) {
            continue;
        }
        let (said, lossy) = python_text(inner);
        for kind in lossy {
            let told = change(kind, Value::from(quoted), Value::from(said.as_str()), true);
            candidate.changes.push(Change { path: names::join("", property.key), ..told });
        }
        fields.insert(property.key.to_owned(), said.into());
    }
    nones(&mut candidate.value, arguments);
}

/// The arguments that are texts: their names, and the texts with their quotes. What stands behind one that is no literal is not looked at.
fn texts(arguments: &str) -> Vec<(&str, &str)> {
    let bytes = arguments.as_bytes();
    let mut found = Vec::new();
    let (mut start, mut depth, mut at) = (0, 0_usize, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\'' | b'"' => {
                let Some(end) = literal_end(bytes, at) else { break };
                let name = arguments[start..at].trim().strip_suffix('=').map(str::trim_end);
                let ends = matches!(arguments[end..].trim_start().as_bytes().first(), None | Some(b','));
                if let Some(name) = name.filter(|_| depth == 0 && ends) {
                    found.push((name, &arguments[at..end]));
                }
                at = end;
                continue;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => start = at + 1,
            _ => {}
        }
        at += 1;
    }
    found
}

/// The place behind the literal whose quote stands here.
fn literal_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b if b == bytes[start] => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Python's None without quotes as null.
fn nones(value: &mut Value, arguments: &str) {
    let fields = value.as_object_mut().into_iter().flatten();
    for (key, said) in fields.filter(|(_, said)| *said == "None") {
        if arguments.contains(&format!("{key}=None")) {
            *said = Value::Null;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::best;
    use super::*;
    use crate::extract::schema::Schema;

    #[test]
    fn the_texts_of_an_object_as_python_writes_it_are_read_with_their_escapes() {
        let text = json!({"type": "string"});
        let schema = json!({"type": "object", "properties": {"title": text, "body": text, "n": {"type": "integer"}}});
        let schema = Schema::from_value(&schema).unwrap();
        for (body, wanted) in [
            (r"'line1\nline2'", "line1\nline2"),
            (r#"'say "it\'s" ok'"#, "say \"it's\" ok"),
            (r"'C:\\temp\\new'", r"C:\temp\new"),
            (r"'a\xe9b'", "aéb"),
            (r#""it's""#, "it's"),
            ("'a, n=3'", "a, n=3"),
            (r"'\\'", r"\"),
        ] {
            let read = best(&format!("Article(title='A', body={body}, n=5)"), &schema);
            assert_eq!(read.value["body"], json!(wanted), "{body}");
            assert_eq!((&read.value["title"], &read.value["n"]), (&json!("A"), &json!(5)), "{body}");
        }
        assert_eq!(texts("a='x', b=[c='y'], d='z' 'w', e=5"), [("a", "'x'")]);
        assert_eq!(texts(r"a='x\', b='y'"), []);
    }
}
