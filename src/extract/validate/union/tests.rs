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

#[test]
fn of_alternatives_without_a_fixed_field_the_one_that_most_fields_fit_is_explained() {
    let of = |first: &str, second: &str| {
        let integer = json!({"type": "integer"});
        json!({"type": "object", "properties": {first: integer, second: integer}, "required": [first, second]})
    };
    let defs = json!({"AB": of("a", "b"), "CD": of("c", "d"),
        "Any": {"anyOf": [{"$ref": "#/$defs/AB"}, {"$ref": "#/$defs/CD"}]}});
    let schema = schema(json!({"$defs": defs, "type": "array", "items": {"$ref": "#/$defs/Any"}}));
    let said = |value: Value| {
        let value = json!([value]);
        let of_the_errors = validate(&value, &schema);
        let of_the_nodes = faults(&value, &schema);
        for faults in [&of_the_errors, &of_the_nodes] {
            assert_eq!(faults.len(), 1, "{value}: {faults:?}");
        }
        assert_eq!(of_the_errors[0].path, of_the_nodes[0].path);
        let fault = of_the_errors.into_iter().next().unwrap();
        (fault.path, fault.expected)
    };
    let integer = |path: &str| (path.to_string(), "an integer".to_string());
    assert_eq!(said(json!({"c": 1, "d": "x"})), integer("/0/d"));
    assert_eq!(said(json!({"a": 1, "d": "x"})), integer("/0/b"));
    assert_eq!(said(json!({"c": 1})), integer("/0/d"));
    // Of each as many: none is named.
    assert_eq!(said(json!({"a": 1, "c": 1})).0, "/0");
}

#[test]
fn a_field_that_is_missing_is_told_with_what_it_is_to_be() {
    let properties = json!({"kind": {"const": "rect"}, "n": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "any": {}, "mode": {"type": "string", "enum": ["x"]}});
    let object = json!({"type": "object", "properties": properties, "required": ["kind", "n", "any", "mode"]});
    let schema = schema(json!({"$defs": {"O": object}, "type": "array", "items": {"$ref": "#/$defs/O"}}));
    let told: Vec<_> = validate(&json!([{}]), &schema).into_iter().map(|f| (f.path, f.expected)).collect();
    for (path, expected) in
        [("/0/kind", "\"rect\""), ("/0/n", "an integer or null"), ("/0/any", "a value"), ("/0/mode", "\"x\"")]
    {
        assert!(told.contains(&(path.to_string(), expected.to_string())), "{path}: {told:?}");
    }
}
