//! Trials to begin with: answers as models give them, each with its schema, and texts to ask a model about. The schemas of the program
//! are here too.

/// A trial that can be put into the editors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    pub name: &'static str,
    /// Whether the text is an answer, to be read without a model.
    pub is_answer: bool,
    pub text: &'static str,
    pub schema_name: &'static str,
    pub schema: &'static str,
}

const PERSON: &str = include_str!("../../../../configs/schemas/person.json");
const LISTING: &str = include_str!("../../../../configs/schemas/listing.json");
const MEETING: &str = include_str!("../../../../configs/schemas/meeting.json");
const RECEIPT: &str = include_str!("../../../../configs/schemas/receipt.json");

/// No more than a price needs.
const OFFER: &str = r#"{
  "type": "object",
  "properties": {
    "item": {"type": "string"},
    "price": {"type": "integer", "description": "won"}
  },
  "required": ["item", "price"],
  "additionalProperties": false
}"#;

/// The schemas to choose from without any file, by name.
pub const SCHEMAS: &[(&str, &str)] =
    &[("person", PERSON), ("listing", LISTING), ("meeting", MEETING), ("receipt", RECEIPT), ("offer", OFFER)];

const fn answer(name: &'static str, text: &'static str, schema: usize) -> Example {
    Example { name, is_answer: true, text, schema_name: SCHEMAS[schema].0, schema: SCHEMAS[schema].1 }
}

const fn text(name: &'static str, text: &'static str, schema: usize) -> Example {
    Example { name, is_answer: false, text, schema_name: SCHEMAS[schema].0, schema: SCHEMAS[schema].1 }
}

pub const EXAMPLES: &[Example] = &[
    answer("JSON as it should be", r#"{"name": "John", "age": 25, "city": "Seoul"}"#, 0),
    answer("a number in quotes", r#"{"name":"John","age":"25","city":"Seoul"}"#, 0),
    answer("no JSON at all", "Name: John\nAge: 25\nCity: Seoul", 0),
    answer("an address without quotes", r#"{"name": "John", "age": "25", "email": john@test.com}"#, 0),
    answer("a price: 120만원", r#"{"item": "중고 아이폰", "price": "120만원"}"#, 4),
    answer("a price: 천이백만원", r#"{"item": "중고차", "price": "천이백만원"}"#, 4),
    answer("a price: 1,200,000원", r#"{"item": "노트북", "price": "1,200,000원"}"#, 4),
    answer("a date: 11월 5일 오후 2시", r#"{"title": "회의", "start": "11월 5일 오후 2시"}"#, 2),
    answer("a field that is missing", r#"{"name": "John", "city": "Seoul"}"#, 0),
    text("ask about a person", "John, who has just turned 25, moved to Seoul in spring.", 0),
    text("ask about a listing", "중고 아이폰 13 팝니다. 상태 좋아요. 45만원, 합정역 직거래만 합니다.", 1),
    text("ask about a meeting", "다음 주 화요일 오후 3시에 디자인 리뷰 회의를 합시다.", 2),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::chain::{self, Reading};
    use crate::extract::schema::Schema;

    #[test]
    fn answers_become_values_and_nothing_is_invented_for_what_is_missing() {
        let now = jiff::civil::date(2026, 3, 1).at(9, 0, 0, 0);
        let value = |example: &Example| {
            let schema = Schema::parse(example.schema).expect("a schema");
            chain::read(example.text, Some(&schema), now, Reading::Whole).value
        };
        let values: Vec<Option<serde_json::Value>> =
            EXAMPLES.iter().filter(|example| example.is_answer).map(value).collect();
        let field =
            |at: usize, name: &str| values[at].as_ref().and_then(|value: &serde_json::Value| value.get(name)).cloned();
        assert!(values[0].is_some() && values[0] == values[1] && values[1] == values[2], "{:?}", &values[..3]);
        assert_eq!((field(3, "age"), field(3, "email")), (Some(25.into()), Some("john@test.com".into())));
        let prices = [4, 5, 6].map(|at| field(at, "price"));
        assert_eq!(prices, [Some(1_200_000.into()), Some(12_000_000.into()), Some(1_200_000.into())]);
        assert_eq!(field(7, "start"), Some("2026-11-05T14:00:00".into()));
        assert_eq!(values[8], None);
    }

    #[test]
    fn every_schema_that_is_offered_can_be_read() {
        for (name, text) in SCHEMAS {
            assert!(Schema::parse(text).is_ok(), "{name}");
        }
        for example in EXAMPLES {
            assert!(SCHEMAS.contains(&(example.schema_name, example.schema)), "{}", example.name);
        }
    }
}
