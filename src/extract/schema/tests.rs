use serde_json::json;

use super::*;
use crate::extract::validate::validate;

fn schema(value: &Value) -> Schema {
    Schema::from_value(value).unwrap()
}

fn refused(text: &str) -> String {
    Schema::parse(text).unwrap_err().to_string()
}

/// As Pydantic writes it: definitions, optional fields, titles, a default beside a reference.
fn person() -> Schema {
    schema(&json!({
        "title": "Person", "type": "object", "required": ["full_name", "home"],
        "properties": {
            "full_name": {"title": "Full Name", "type": "string"},
            "age": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}], "default": null, "title": "Age"},
            "home": {"$ref": "#/$defs/Address"},
            "colour": {"allOf": [{"$ref": "#/$defs/Colour"}], "default": "red"},
            "friends": {"type": "array", "items": {"$ref": "#"}, "x-aliases": ["친구"]},
        },
        "$defs": {
            "Address": {"type": "object", "title": "Address", "properties": {"street": {"type": "string"}}, "required": ["street"]},
            "Colour": {"enum": ["red", "green"], "title": "Colour", "type": "string"},
        },
    }))
}

#[test]
fn what_pydantic_writes_becomes_nodes() {
    let schema = person();
    let root = schema.root();
    assert_eq!(root.kinds(), Kind::Object.as_kinds());
    let keys: Vec<(&str, bool)> = root.properties().map(|p| (p.key, p.required)).collect();
    assert_eq!(keys, [("full_name", true), ("age", false), ("home", true), ("colour", false), ("friends", false)]);
    let at = |key| root.property(key).unwrap().node;
    assert!(at("age").accepts(Kind::Integer) && at("age").accepts(Kind::Null) && !at("age").accepts(Kind::String));
    assert_eq!((at("age").branches().len(), at("age").default()), (2, Some(&Value::Null)));
    assert!(at("home").property("street").unwrap().required);
    assert_eq!(at("home").name(), Some("Address"));
    assert_eq!((at("colour").choices().unwrap().len(), at("colour").default()), (2, Some(&json!("red"))));
    let Rest::Node(friend) = at("friends").items() else { panic!("friends have no items") };
    assert_eq!(friend, root);
}

#[test]
fn a_property_is_found_by_key_title_alias_and_words() {
    let schema = person();
    let key = |name: &str| schema.root().called(name).map(|p| p.key);
    for name in ["full_name", "Full Name", "fullName", "FULL NAME:", "ｆｕｌｌ name"] {
        assert_eq!(key(name), Some("full_name"), "{name}");
    }
    assert_eq!(key("친구"), Some("friends"));
    assert_eq!(key("phone"), None);
    let two =
        json!({"properties": {"a_b": {}, "aB": {}, "c": {"title": "a_b"}, "d": {"title": "x"}, "e": {"title": "X"}}});
    let two = self::schema(&two);
    let key = |name: &str| two.root().called(name).map(|p| p.key);
    assert_eq!((key("a_b"), key("aB"), key("A B"), key("X")), (Some("a_b"), Some("aB"), None, None));
}

#[test]
fn branches_of_constants_are_choices_with_their_descriptions() {
    let schema = schema(&json!({"oneOf": [
        {"const": "new", "description": "never used"}, {"enum": ["used", "worn"]}, {"type": "null"},
    ]}));
    let choices = schema.root().choices().unwrap();
    let values: Vec<&Value> = choices.iter().map(|c| &c.value).collect();
    assert_eq!(values, [&json!("new"), &json!("used"), &json!("worn"), &Value::Null]);
    assert_eq!(choices[0].description.as_deref(), Some("never used"));
    assert!(
        schema.root().accepts(Kind::String)
            && schema.root().accepts(Kind::Null)
            && !schema.root().accepts(Kind::Integer)
    );
}

#[test]
fn all_of_joins_what_each_says() {
    let schema = schema(&json!({
        "allOf": [{"$ref": "#/definitions/Base"}, {"properties": {"b": {"type": "integer"}}, "required": ["b", "a"]}],
        "definitions": {"Base": {"type": "object", "properties": {"a": {"type": "string"}}}},
    }));
    let keys: Vec<(&str, bool)> = schema.root().properties().map(|p| (p.key, p.required)).collect();
    assert_eq!(keys, [("a", true), ("b", true)]);
    assert_eq!(schema.root().kinds(), Kind::Object.as_kinds());
}

#[test]
fn items_fields_and_patterns_have_their_schemas() {
    let schema = schema(&json!({
        "type": "object",
        "properties": {"pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false}},
        "patternProperties": {"^n_": {"type": "number"}},
        "additionalProperties": {"type": "boolean"},
    }));
    let kind = |rest: Rest| match rest {
        Rest::Node(node) => node.kinds().iter().next(),
        _ => None,
    };
    let root = schema.root();
    assert_eq!(kind(root.field("n_1")), Some(Kind::Integer));
    assert_eq!(kind(root.field("other")), Some(Kind::Boolean));
    let pair = root.property("pair").unwrap().node;
    assert_eq!((kind(pair.item(0)), kind(pair.item(1))), (Some(Kind::String), Some(Kind::Integer)));
    assert!(matches!(pair.item(2), Rest::Forbidden));
}

#[test]
fn drafts_are_told_apart_by_their_forms() {
    let older = schema(&json!({"items": [{"type": "string"}], "additionalItems": false}));
    assert!(validate(&json!(["a"]), &older).is_empty());
    assert!(!validate(&json!(["a", 1]), &older).is_empty());
    let oldest = schema(&json!({"type": "integer", "minimum": 0, "exclusiveMinimum": true}));
    assert!(!validate(&json!(0), &oldest).is_empty());
    assert!(refused(r#"{"$schema": "http://example.com/mine"}"#).contains("/$schema"));
}

#[test]
fn nullable_takes_null() {
    let schema = schema(&json!({
        "properties": {
            "a": {"type": "string", "nullable": true},
            "b": {"$ref": "#/$defs/B", "nullable": true, "title": "Bee"},
            "nullable": {"type": "string"},
        },
        "$defs": {"B": {"type": "object"}},
    }));
    let at = |key| schema.root().property(key).unwrap().node;
    assert!(at("a").accepts(Kind::Null) && at("b").accepts(Kind::Null) && !at("nullable").accepts(Kind::Null));
    assert_eq!(at("b").title(), Some("Bee"));
    assert!(validate(&json!({"a": null, "b": null}), &schema).is_empty());
}

#[test]
fn a_wrong_schema_says_where() {
    assert_eq!(refused("{\n  \"type\": ,\n}"), "the schema is no JSON: line 2, column 11: expected value");
    for (text, at, words) in [
        (r#"{"type": "strin"}"#, "\"/type\"", "did you mean \"string\""),
        (r#"{"properties": {"a": {"type": "int"}}}"#, "\"/properties/a/type\"", "did you mean \"integer\""),
        (r#"{"properties": ["a"]}"#, "\"/properties\"", "a list of 1"),
        (r#"{"properties": {"a/b": 3}}"#, "\"/properties/a~1b\"", "the number 3"),
        (r#"{"required": true}"#, "\"/required\"", "a list of property names"),
        (r#"{"enum": []}"#, "\"/enum\"", "an empty list"),
        (r#"{"anyOf": {"type": "string"}}"#, "\"/anyOf\"", "a list of schemas"),
        (r#"{"minimum": "3"}"#, "\"/minimum\"", "a number"),
        (r#"{"pattern": "("}"#, "/pattern", "("),
        (r#"{"$ref": "https://example.com/a.json"}"#, "\"/$ref\"", "lies outside"),
        (r##"{"properties": {"a": {"$ref": "#/$defs/B"}}}"##, "\"/properties/a/$ref\"", "leads to nothing"),
        ("[]", "\"\"", "an empty list"),
    ] {
        let message = refused(text);
        assert!(message.contains(at) && message.contains(words), "{text}: {message}");
    }
}

#[test]
fn circles_depth_and_size_are_bounded() {
    assert!(matches!(Schema::parse(r##"{"$ref": "#"}"##), Err(SchemaError::Circle { .. })));
    let around = r##"{"anyOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"allOf": [{"$ref": "#"}]}}}"##;
    assert!(matches!(Schema::parse(around), Err(SchemaError::Circle { .. })));
    let deep = format!("{}true{}", "{\"items\":".repeat(120), "}".repeat(120));
    assert!(matches!(Schema::parse(&deep), Err(SchemaError::TooLarge(_))));
    assert!(Schema::parse(&"[".repeat(1_000_000)).is_err());
    assert!(matches!(Schema::parse(&" ".repeat(MOST_BYTES + 1)), Err(SchemaError::TooLarge(_))));
    let mut chain = json!({"type": "string"});
    let definitions: Value =
        (0..5_000).map(|i| (i.to_string(), json!({"$ref": format!("#/$defs/{}", i + 1)}))).collect();
    chain["$defs"] = definitions;
    chain["$defs"]["5000"] = json!(true);
    assert!(matches!(Schema::from_value(&chain), Err(SchemaError::TooLarge(_))));
    // Each holds twice what the next one holds.
    let doubling = |levels: usize| {
        let one = |i: usize| {
            let next = json!({"$ref": format!("#/$defs/d{}", i + 1)});
            (format!("d{i}"), json!({"properties": {format!("p{i}"): true}, "allOf": [next, next]}))
        };
        let last = (format!("d{levels}"), json!({"properties": {"p": true}}));
        let definitions: Value = (0..levels).map(one).chain([last]).collect();
        Schema::from_value(&json!({"$ref": "#/$defs/d0", "$defs": definitions}))
    };
    assert_eq!(doubling(8).unwrap().root().properties().len(), 9);
    assert!(matches!(doubling(30), Err(SchemaError::TooLarge(_))));
}

#[test]
fn the_short_form_tells_names_types_choices_and_what_may_be_absent() {
    let short = person().short();
    assert_eq!(
        short,
        "{\n  full_name: string,\n  age?: integer | null,\n  home: {\n    street: string,\n  },\n  colour?: \"red\" | \"green\", // default \"red\"\n  friends?: Person[],\n}\ntype Person = {\n  full_name: string,\n  age?: integer | null,\n  home: {\n    street: string,\n  },\n  colour?: \"red\" | \"green\", // default \"red\"\n  friends?: Person[],\n}"
    );
    let dates = schema(&json!({"type": "array", "items": {"type": "string", "format": "date"}}));
    assert_eq!(dates.short(), "(string (date))[]");
    let wide: Value =
        (0..5_000).map(|i| (format!("field_{i}"), json!({"type": "string", "description": "x".repeat(100)}))).collect();
    assert!(schema(&json!({"type": "object", "properties": wide})).short().len() < 7_000);
}
