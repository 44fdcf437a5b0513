//! Alternatives that nest: bounded in what they cost, and the wrong one named.

use serde_json::json;

use super::super::super::coerce::coerce;
use super::super::validate;
use super::*;

fn schema(value: Value) -> Schema {
    Schema::from_value(&value).unwrap()
}

/// Statements within statements, told apart by `op`.
fn statements() -> Schema {
    let way = |name: &str| {
        let properties = json!({"inner": {"$ref": "#/$defs/Any"}, "op": {"const": name}});
        json!({"type": "object", "properties": properties, "required": ["op"]})
    };
    let any = json!({"anyOf": [{"$ref": "#/$defs/Add"}, {"$ref": "#/$defs/Negate"}]});
    schema(json!({"$defs": {"Any": any, "Add": way("add"), "Negate": way("negate")}, "$ref": "#/$defs/Any"}))
}

fn nested(depth: usize, innermost: &str) -> Value {
    (0..depth).fold(json!({"op": innermost}), |inner, _| json!({"op": "negate", "inner": inner}))
}

#[test]
fn a_wrong_name_deep_in_nested_alternatives_is_told_at_its_place() {
    let schema = statements();
    for depth in [1, 4, 16, 40, 100] {
        let faults = validate(&nested(depth, "divide"), &schema);
        let [fault] = faults.as_slice() else { panic!("{depth}: {faults:?}") };
        assert_eq!(fault.path, format!("{}/op", "/inner".repeat(depth)));
        assert_eq!(
            (fault.expected.as_str(), fault.found.as_str()),
            (r#"one of "add", "negate""#, r#"the text "divide""#)
        );
        assert_eq!(validate(&nested(depth, "add"), &schema), []);
    }
}

#[test]
fn alternatives_that_multiply_are_refused_before_they_take_long() {
    let mut defs = Map::from_iter([("D0".to_string(), json!({"type": "integer"}))]);
    for n in 1..40 {
        let before = json!({"$ref": format!("#/$defs/D{}", n - 1)});
        defs.insert(format!("D{n}"), json!({"anyOf": [before, {"type": "array", "items": before}]}));
    }
    let schema = schema(json!({"$defs": defs, "$ref": "#/$defs/D39"}));
    // Without a bound it is hours.
    let value = (0..10).fold(json!(["5x"]), |inner, _| json!([inner]));
    let faults = validate(&coerce(value, &schema).value, &schema);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].found.contains("too deeply nested alternatives"), "{faults:?}");
}

#[test]
fn of_alternatives_the_one_that_a_fixed_field_names_is_explained() {
    let of = |kind: &str, field: &str| {
        let properties = Map::from_iter([
            ("kind".to_string(), json!({"const": kind})),
            (field.to_string(), json!({"type": "string"})),
        ]);
        json!({"type": "object", "properties": properties, "required": ["kind", field], "additionalProperties": false})
    };
    let schema =
        schema(json!({"type": "object", "properties": {"tool": {"oneOf": [of("saw", "teeth"), of("file", "cut")]}}}));
    let said = |value: Value| {
        let faults = validate(&json!({"tool": value}), &schema);
        faults.into_iter().map(|f| (f.path, f.expected, f.found)).collect::<Vec<_>>()
    };
    let other = ("/tool/kind".to_string(), r#"one of "saw", "file""#.to_string(), r#"the text "axe""#.to_string());
    assert_eq!(said(json!({"kind": "axe"})), [other]);
    let unknown =
        ("/tool".to_string(), "no fields but those of the schema".to_string(), r#"the fields "teeth""#.to_string());
    assert_eq!(said(json!({"kind": "file", "cut": "fine", "teeth": "many"})), [unknown]);
}
