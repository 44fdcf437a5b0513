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

const PERSON: &str = r#"{
  "type": "object",
  "properties": {
    "name": {"type": "string"},
    "age": {"type": "integer", "minimum": 0},
    "city": {"type": "string"}
  },
  "required": ["name", "age", "city"],
  "additionalProperties": false
}"#;

const CONTACT: &str = r#"{
  "type": "object",
  "properties": {
    "name": {"type": "string"},
    "age": {"type": "integer", "minimum": 0},
    "email": {"type": "string", "format": "email"}
  },
  "required": ["name", "age", "email"],
  "additionalProperties": false
}"#;

const OFFER: &str = r#"{
  "type": "object",
  "properties": {
    "item": {"type": "string"},
    "price": {"type": "integer", "description": "won"}
  },
  "required": ["item", "price"],
  "additionalProperties": false
}"#;

const APPOINTMENT: &str = r#"{
  "type": "object",
  "properties": {
    "title": {"type": "string"},
    "at": {"type": "string", "format": "date-time"}
  },
  "required": ["title", "at"],
  "additionalProperties": false
}"#;

/// The schemas to choose from without any file, by name.
pub const SCHEMAS: &[(&str, &str)] =
    &[("person", PERSON), ("contact", CONTACT), ("offer", OFFER), ("appointment", APPOINTMENT)];

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
    answer("an address without quotes", r#"{"name": "John", "age": "25", "email": john@test.com}"#, 1),
    answer("a price: 120만원", r#"{"item": "중고 아이폰", "price": "120만원"}"#, 2),
    answer("a price: 천이백만원", r#"{"item": "중고차", "price": "천이백만원"}"#, 2),
    answer("a price: 1,200,000원", r#"{"item": "노트북", "price": "1,200,000원"}"#, 2),
    answer("a date: 11월 5일 오후 2시", r#"{"title": "회의", "at": "11월 5일 오후 2시"}"#, 3),
    answer("a field that is missing", r#"{"name": "John", "city": "Seoul"}"#, 0),
    text("ask about a person", "John, who has just turned 25, moved to Seoul in spring.", 0),
    text("ask about an offer", "중고 아이폰 13 팝니다. 상태 좋아요. 가격은 45만원, 직거래만 합니다.", 2),
    text("ask about a meeting", "다음 주 화요일 오후 3시에 디자인 리뷰 회의를 합시다.", 3),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::schema::Schema;

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
