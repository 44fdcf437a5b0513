//! Quotes around the whole of what is said, and what is escaped within them. Next: `field`.

use std::borrow::Cow;

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
fn is_path(inner: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

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
