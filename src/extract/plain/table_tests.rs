//! Tables: of rows or of fields, and what adds up the rows.

use serde_json::json;

use super::tests::best;
use crate::extract::schema::Schema;

fn schema(kind: &str) -> Schema {
    let item = json!({"type": "object", "properties": {"name": {"type": "string"}, "price": {"type": "integer"}}});
    let shape = match kind {
        "one" => item,
        "list" => json!({"type": "array", "items": item}),
        _ => json!({"type": "object", "properties": {"name": {"type": "string"}, "price": {"type": "integer"},
            "kids": {"type": "array", "items": item}}}),
    };
    Schema::from_value(&shape).unwrap()
}

const TWO: &str = "| name | price |\n|---|---|\n| A | 1 |\n| B | 2 |";

#[test]
fn a_header_of_two_fields_is_of_rows() {
    let rows = json!([{"name": "A", "price": 1}, {"name": "B", "price": 2}]);
    assert_eq!(best(TWO, &schema("one")).value, json!(null));
    assert_eq!(best(TWO, &schema("list")).value, rows);
    let read = best(&format!("name: X\nkids:\n{TWO}"), &schema("kids"));
    assert_eq!(read.value, json!({"name": "X", "kids": rows}));
    assert!(!read.changes.iter().any(|c| c.lossy), "{:?}", read.changes);
    let one = best("name: X\n\n**Kids:**\n\n| name | price |\n|---|---|\n| A | 1 |", &schema("kids"));
    assert_eq!(one.value, json!({"name": "X", "kids": [{"name": "A", "price": 1}]}));
    assert_eq!(
        best("| Field | Value |\n|---|---|\n| name | A |\n| price | 1 |", &schema("one")).value["price"],
        json!(1)
    );
}

#[test]
fn a_row_that_adds_up_the_others_is_left_out_with_a_mark() {
    for total in ["합계", "총계", "**Total**", "Subtotal:", "sum"] {
        let read = best(&format!("{TWO}\n| {total} | 3 |"), &schema("list"));
        assert_eq!(read.value.as_array().map(Vec::len), Some(2), "{total}");
        assert!(read.changes.iter().any(|c| c.lossy && c.kind == "left_out"), "{total}: {:?}", read.changes);
    }
    assert_eq!(
        best("| name | price |\n|---|---|\n| Total | 3 |", &schema("list")).value.as_array().map(Vec::len),
        Some(1)
    );
}

#[test]
fn a_column_that_counts_the_rows_is_no_loss() {
    for name in ["#", "No.", "번호", "순번", "**#**"] {
        let table = |first: usize| {
            format!("| {name} | name | price |\n|---|---|---|\n| {first} | A | 1 |\n| {} | B | 2 |", first + 1)
        };
        let read = best(&table(1), &schema("list"));
        assert_eq!(read.value, json!([{"name": "A", "price": 1}, {"name": "B", "price": 2}]));
        assert!(read.changes.iter().all(|c| !c.lossy), "{name}: {:?}", read.changes);
        let other = best(&table(7), &schema("list"));
        assert!(other.changes.iter().any(|c| c.lossy && c.kind == "left_out"), "{name}: {:?}", other.changes);
    }
    let total = "| # | name | price |\n|---|---|---|\n| 1 | A | 1 |\n|  | Total | 1 |";
    assert!(best(total, &schema("list")).changes.iter().filter(|c| c.lossy).all(|c| c.before != "#"));
}

#[test]
fn a_column_that_counts_the_rows_is_the_field_that_is_called_so() {
    let read = |key: &str, head: &str| {
        let item = json!({"type": "object", "properties": {key: {"type": "integer"}, "title": {"type": "string"}}});
        let list = Schema::from_value(&json!({"type": "array", "items": item})).unwrap();
        let read = best(&format!("| {head} | title |\n|---|---|\n| 1 | A |\n| 2 | B |"), &list);
        let lossy = read.changes.iter().any(|c| c.lossy);
        (read.value, lossy)
    };
    for (key, head) in [("number", "#"), ("no", "#"), ("번호", "#"), ("number", "No."), ("순번", "번호")] {
        assert_eq!(read(key, head), (json!([{key: 1, "title": "A"}, {key: 2, "title": "B"}]), false), "{key} {head}");
    }
    for key in ["rank", "id", "jersey_number", "sort_order"] {
        assert_eq!(read(key, "#"), (json!([{"title": "A"}, {"title": "B"}]), true), "{key}");
    }
    assert!(!read("price", "#").1);
}
