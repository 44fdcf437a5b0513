//! What says that there is nothing: null where it may not stand, and `N/A` or no text at all where a text would have to have a form.
//! Where null may stand it is null; a field that may be left out is left out. A text that may be any text keeps its words.

use serde_json::{Map, Value};

use super::super::normalise::marks;
use super::super::plain::may_be_none;
use super::super::schema::{Kind, Kinds, Node};
use super::{Path, Walk};

/// Longer texts say something, in bytes.
const MOST_SAID: usize = 32;
/// So many alternatives are looked through for one that takes the text.
const MOST_WAYS: usize = 64;

/// A null that said what absence says.
pub(super) const NULL_LEFT_OUT: &str = "null_left_out";
/// A text that said so.
pub(super) const NONE_LEFT_OUT: &str = "none_left_out";
pub(super) const NONE_TO_NULL: &str = "none_to_null";

impl Walk {
    /// Leaves out the fields that say nothing, need not be there and may not be null.
    pub(super) fn leave_out(&mut self, fields: &mut Map<String, Value>, node: Node<'_>, path: &Path<'_>) {
        let says_nothing = |key: &str, value: &Value| {
            let field = node.property(key).filter(|field| !field.required && !may_be_null(field.node))?;
            match value {
                Value::Null => Some(NULL_LEFT_OUT),
                Value::String(text) if says_none(text) && is_unfit(text, field.node) => Some(NONE_LEFT_OUT),
                _ => None,
            }
        };
        // Mostly there is none.
        if node.properties().len() == 0 || fields.iter().all(|(key, value)| says_nothing(key, value).is_none()) {
            return;
        }
        fields.retain(|key, value| {
            let Some(kind) = says_nothing(key, value) else { return true };
            self.absent += 1;
            self.fields_set += 1;
            self.changed(&Path::Key(path, key), kind, value.take(), Value::Null, kind == NONE_LEFT_OUT);
            false
        });
    }

    /// Makes a text that says that there is nothing null, where null may stand and the text may not. False where it is left as it is.
    pub(super) fn is_none(&mut self, value: &mut Value, node: Node<'_>, path: &Path<'_>) -> bool {
        let Some(text) = value.as_str().filter(|text| says_none(text)) else { return false };
        // Words for a number, a time or one of a list are read by those who know such words; an answer that is empty as a whole is none.
        let is_left = if text.trim().is_empty() { matches!(path, Path::Root) } else { !is_text_alone(node) };
        if is_left || !may_be_null(node) || !is_unfit(text, node) {
            return false;
        }
        let is_null = ["null", "none"].iter().any(|word| text.eq_ignore_ascii_case(word));
        let kind = if is_null { "string_to_null" } else { NONE_TO_NULL };
        self.absent += 1;
        self.replace(value, path, kind, Value::Null, !is_null);
        true
    }
}

fn says_none(text: &str) -> bool {
    // Most texts begin otherwise than those words, which is cheap to see.
    let begins = matches!(text.trim_start().chars().next(), None | Some('n' | 'N' | '-' | '–' | '없' | '해'));
    begins && text.len() <= MOST_SAID && (text.trim().is_empty() || may_be_none(text))
}

fn may_be_null(node: Node<'_>) -> bool {
    match node.choices() {
        Some(choices) => choices.iter().any(|choice| choice.value.is_null()),
        None => node.accepts(Kind::Null),
    }
}

/// Whether a place is for texts of a form, and for nothing else but null.
fn is_text_alone(node: Node<'_>) -> bool {
    let is_text = |way: &Node<'_>| !matches!(way.format(), Some("date" | "date-time" | "time" | "duration"));
    let ways = ways(node);
    node.choices().is_none()
        && node.kinds().without(Kind::Null) == Kind::String.as_kinds()
        && ways.is_some_and(|ways| ways.iter().filter(|way| way.accepts(Kind::String)).all(is_text))
}

/// Whether no way of a place for numbers, truths or texts takes a text that says nothing.
fn is_unfit(text: &str, node: Node<'_>) -> bool {
    let is_empty = text.trim().is_empty();
    if let Some(choices) = node.choices() {
        return is_empty && !choices.iter().any(|choice| choice.value.as_str().is_some_and(|s| s.trim().is_empty()));
    }
    let scalars = [Kind::Null, Kind::Boolean, Kind::Integer, Kind::Number, Kind::String];
    let others = scalars.into_iter().fold(node.kinds(), Kinds::without);
    // 없음 is a no as well.
    others.is_empty()
        && (is_empty || !node.accepts(Kind::Boolean) && marks(text, node).is_none())
        && ways(node).is_some_and(|ways| ways.iter().all(|way| !takes(*way, text)))
}

/// Whether a text may stand in a place as it is, as far as can be told here.
fn takes(node: Node<'_>, text: &str) -> bool {
    let has_form = match node.format() {
        Some("email" | "idn-email" | "uri" | "iri" | "ipv4" | "ipv6") => false,
        Some(format) => super::super::formats::fits(format, text),
        None => true,
    };
    node.accepts(Kind::String) && has_form && node.takes_text(text)
}

/// A place's alternatives, and theirs; none where they are too many.
fn ways(node: Node<'_>) -> Option<Vec<Node<'_>>> {
    let (mut open, mut ways) = (vec![node], Vec::new());
    while let Some(node) = open.pop() {
        if node.branches().len() > 0 {
            open.extend(node.branches().take(MOST_WAYS));
        } else {
            ways.push(node);
        }
        if open.len() + ways.len() > MOST_WAYS {
            return None;
        }
    }
    Some(ways)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Coerced, coerce};
    use super::*;
    use crate::extract::schema::Schema;

    fn run(schema: Value, value: Value) -> Coerced {
        coerce(value, &Schema::from_value(&schema).expect("a schema"))
    }

    /// As a field, which need not be there.
    fn of_field(schema: Value, value: &str) -> (Value, Vec<(String, bool)>) {
        let made = run(json!({"properties": {"v": schema}}), json!({"v": value}));
        assert!(made.faults.is_empty(), "{value} {:?}", made.faults);
        (made.value["v"].clone(), made.changes.into_iter().map(|c| (c.kind, c.lossy)).collect())
    }

    fn told(made: &Coerced) -> Vec<(&str, &str, bool)> {
        made.changes.iter().map(|c| (c.path.as_str(), c.kind.as_str(), c.lossy)).collect()
    }

    #[test]
    fn a_field_that_says_nothing_keeps_no_other_one_from_its_name() {
        let schema =
            json!({"properties": {"name": {"type": "string"}, "email": {"type": "string", "format": "email"}}});
        let made = run(schema.clone(), json!({"name": null, "Name": "John"}));
        assert_eq!((&made.value, made.faults.len()), (&json!({"name": "John"}), 0));
        let made = run(schema, json!({"email": "N/A", "E-mail": "a@b.co", "Name": null}));
        assert_eq!((&made.value, made.faults.len()), (&json!({"email": "a@b.co"}), 0));
    }

    #[test]
    fn a_null_for_a_field_that_need_not_be_there_is_left_out_whatever_the_type() {
        for kind in ["string", "integer", "number", "boolean", "array", "object"] {
            let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}, "v": {"type": kind}, "z": {"type": "integer"}}});
            let made = run(schema, json!({"a": 1, "v": null, "z": 2}));
            assert!(made.faults.is_empty());
            assert_eq!(made.value.to_string(), r#"{"a":1,"z":2}"#, "{kind}: the order stays");
            assert_eq!(told(&made), [("/v", "null_left_out", false)]);
        }
        let tree = json!({"$ref": "#/$defs/T", "$defs": {"T": {"type": "object", "required": ["n"], "properties": {
            "n": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#/$defs/T"}}}}}});
        let made = run(tree, json!({"n": 1, "children": [{"n": 2, "children": null}]}));
        assert_eq!(made.value, json!({"n": 1, "children": [{"n": 2}]}));
        assert_eq!(told(&made), [("/children/0/children", "null_left_out", false)]);
    }

    #[test]
    fn a_null_stays_where_the_field_is_required_or_may_be_null_or_is_not_known() {
        let schema = json!({"required": ["r"], "properties": {
            "r": {"type": "string"}, "n": {"type": ["string", "null"]}, "e": {"enum": ["a", null]}, "any": {}}});
        let given = json!({"r": null, "n": null, "e": null, "any": null, "other": null});
        let made = run(schema, given.clone());
        assert_eq!(made.value, given);
        assert_eq!((made.faults.len(), made.faults[0].path.as_str(), made.changes.len()), (1, "/r", 0));
    }

    #[test]
    fn what_is_left_out_makes_no_other_alternative_win() {
        let schema = json!({"anyOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}, "note": {"type": "string"}}, "title": "A"},
            {"type": "object", "properties": {"a": {"type": "string"}, "note": {"type": ["string", "null"]}}}]});
        // The first would convert less, but for the note.
        assert_eq!(run(schema.clone(), json!({"a": "5", "note": null})).value, json!({"a": "5", "note": null}));
        let first =
            json!({"anyOf": [schema["anyOf"][0], {"type": "object", "required": ["b"], "properties": {"b": {}}}]});
        assert_eq!(run(first, json!({"a": 5, "note": null})).value, json!({"a": 5}));
    }

    #[test]
    fn an_alternative_that_fitted_alone_stays_the_one() {
        let mail = json!({"anyOf": [{"type": "string", "format": "email"}, {"type": "null"}]});
        let two = json!({"anyOf": [
            {"type": "object", "required": ["a", "mail"], "properties": {"a": {"type": "integer"}, "mail": mail, "x": {"type": "integer"}}},
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}, "mail": {"type": "string"}}}]});
        let made = run(two, json!({"a": 1, "mail": "N/A", "x": 1}));
        assert_eq!(made.value, json!({"a": 1, "mail": "N/A", "x": 1}));
        assert!(made.changes.is_empty(), "{:?}", made.changes);
    }

    #[test]
    fn a_default_stands_where_a_null_was_left_out() {
        let made = run(json!({"properties": {"tags": {"type": "array", "default": []}}}), json!({"tags": null}));
        assert_eq!(made.value, json!({"tags": []}));
        assert_eq!(told(&made), [("/tags", "null_left_out", false), ("/tags", "default_used", false)]);
    }

    #[test]
    fn a_text_that_says_none_is_null_where_a_text_has_a_form() {
        let forms = [
            json!({"format": "email"}),
            json!({"format": "uri"}),
            json!({"format": "uuid"}),
            json!({"pattern": "^[0-9]+$"}),
        ];
        for form in forms {
            let mut text = form.clone();
            text["type"] = json!("string");
            let schema = json!({"anyOf": [text, {"type": "null"}]});
            for said in ["N/A", "", "-", "없음"] {
                let (value, told) = of_field(schema.clone(), said);
                assert_eq!((value, told), (Value::Null, vec![("none_to_null".into(), true)]), "{form} {said}");
            }
            assert_eq!(of_field(schema, "None").1, [("string_to_null".into(), false)]);
        }
        let long = json!({"anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}]});
        assert_eq!(of_field(long.clone(), "").0, Value::Null);
        assert_eq!(of_field(long, "N/A").0, json!("N/A"));
        for free in [json!({"type": ["string", "null"]}), json!({"type": ["string", "null"], "pattern": "^N"})] {
            assert_eq!(of_field(free, "N/A").0, json!("N/A"));
        }
    }

    #[test]
    fn no_text_at_all_is_null_where_no_text_may_stand() {
        for kind in [
            json!({"type": "number"}),
            json!({"type": "boolean"}),
            json!({"type": "string", "format": "date"}),
            json!({"enum": ["a", "b"]}),
        ] {
            let optional = json!({"anyOf": [kind, {"type": "null"}]});
            assert_eq!(of_field(optional.clone(), "").0, Value::Null, "{kind}");
            assert_eq!(run(optional, json!("")).value, json!(""), "an answer that is empty as a whole");
        }
        assert_eq!(of_field(json!({"type": ["string", "null"]}), "").0, json!(""));
    }

    #[test]
    fn a_text_that_says_none_for_a_field_that_need_not_be_there_is_left_out_and_marked() {
        for field in [
            json!({"type": "number"}),
            json!({"type": "integer"}),
            json!({"type": "string", "format": "date"}),
            json!({"type": "string", "format": "email"}),
        ] {
            for said in ["N/A", "", "없음", "none", "nil", "-"] {
                let made = run(json!({"properties": {"v": field}}), json!({"v": said}));
                assert_eq!((&made.value, made.faults.len()), (&json!({}), 0), "{field} {said}");
                assert_eq!(told(&made), [("/v", "none_left_out", true)]);
                let required = run(json!({"required": ["v"], "properties": {"v": field}}), json!({"v": said}));
                assert_eq!(required.value, json!({"v": said}));
            }
        }
        for field in [json!({"type": "string"}), json!({"enum": ["a"]}), json!({"type": "boolean"})] {
            assert_eq!(run(json!({"properties": {"v": field}}), json!({"v": "없음"})).value, json!({"v": "없음"}));
        }
    }
}
