//! What a model is told: a person's prompt with its places filled, and what is said when an answer did not fit.
//! Bounded, so that asking again never grows with the history. Next: `fix`, which sends it.

use serde_json::Value;

use super::attempt::Fault;
use super::fix::FixMode;
use super::schema::Schema;

/// The prompt where a person gives none.
pub const DEFAULT: &str =
    "Extract a JSON value of this type from the text. Answer with the JSON alone.\n\n{schema}\n\nText:\n{text}";

/// What of a prompt is filled in.
pub const PLACES: [&str; 4] = ["{text}", "{schema}", "{json_schema}", "{now}"];

/// How much of an answer, and of the text, is told again.
const ANSWER_CHARS: usize = 2_000;
const TEXT_CHARS: usize = 4_000;
/// How many faults are told; the first ones are what the others often follow from.
const MOST_FAULTS: usize = 8;

/// Fills a prompt's places: `{schema}` the short form, `{json_schema}` the whole one, `{text}`, `{now}`. Other braces stay as they
/// are, and what is filled in is not looked at again. Without `{text}` the text follows after an empty line.
pub fn fill(template: &str, schema: &Schema, text: &str, now: jiff::civil::DateTime) -> String {
    let mut out = String::with_capacity(template.len() + text.len());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let place = |name: &str| rest.strip_prefix(name);
        if let Some(after) = place("{schema}") {
            out.push_str(&schema.short());
            rest = after;
        } else if let Some(after) = place("{json_schema}") {
            out.push_str(&schema.document().to_string());
            rest = after;
        } else if let Some(after) = place("{text}") {
            out.push_str(text);
            rest = after;
        } else if let Some(after) = place("{now}") {
            out.push_str(&now.to_string());
            rest = after;
        } else {
            out.push('{');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    if !template.contains("{text}") {
        out.push_str("\n\n");
        out.push_str(text);
    }
    out
}

/// The first `{word}` of a text that is no place, and goes out as it stands: often one that is misspelt.
pub fn unknown_place(template: &str) -> Option<&str> {
    let words = template.match_indices('{').filter_map(|(at, _)| {
        let rest = &template[at..];
        let inside = rest[1..].bytes().take_while(|b| b.is_ascii_lowercase() || *b == b'_').count();
        (inside > 0 && rest[1 + inside..].starts_with('}')).then(|| &rest[..inside + 2])
    });
    words.into_iter().find(|word| !PLACES.contains(word))
}

/// What is said after an answer that did not fit.
pub fn again(mode: FixMode, schema: &Schema, text: &str, answer: &str, faults: &[Fault]) -> String {
    match mode {
        FixMode::Own => {
            let wrong: Vec<String> = faults.iter().take(MOST_FAULTS).map(line).collect();
            format!(
                "An answer did not fit. Write it again so that it fits, taking what it lacks from the text. Answer with the JSON alone.\n\n\
                 Type:\n{}\n\nWrong in the answer:\n{}\n\nAnswer:\n{}\n\nText:\n{}",
                schema.short(),
                wrong.join("\n"),
                middle_left_out(answer, ANSWER_CHARS),
                middle_left_out(text, TEXT_CHARS)
            )
        }
        // As LangChain's OutputFixingParser asks: the instructions, the whole completion, the error's text with the completion in
        // it once more; neither the prompt nor the text nor a path.
        FixMode::Langchain => {
            let error = format!("Failed to parse from completion {answer}. Got: {}", plain_error(faults));
            format!(
                "Instructions:\n---\nWrite JSON that conforms to this JSON schema:\n{}\n---\nCompletion:\n---\n{answer}\n---\n\n\
                 The completion does not follow the instructions.\nError:\n---\n{error}\n---\n\n\
                 Answer again with nothing but what follows the instructions:",
                without_notes(schema.document())
            )
        }
    }
}

fn line(fault: &Fault) -> String {
    let place = if fault.path.is_empty() { "the whole".to_string() } else { fault.path.clone() };
    let near = if fault.excerpt.is_empty() || fault.found.contains(&fault.excerpt) {
        String::new()
    } else {
        format!(", near `{}`", fault.excerpt)
    };
    format!("- {place}: expected {}, found {}{near}", fault.expected, fault.found)
}

/// A validation's text as LangChain's users see it: a count, and each message without what we know besides.
fn plain_error(faults: &[Fault]) -> String {
    let one = |f: &Fault| format!("{}\n  expected {}", f.path.trim_start_matches('/').replace('/', "."), f.expected);
    format!("{} validation error(s)\n{}", faults.len(), faults.iter().map(one).collect::<Vec<_>>().join("\n"))
}

/// LangChain leaves the title and the type of the whole out of its instructions.
fn without_notes(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(object) = schema.as_object_mut() {
        object.shift_remove("title");
        object.shift_remove("type");
    }
    schema
}

/// A text of at most so many characters: its two ends, and between them how much is left out.
fn middle_left_out(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_string();
    }
    let (head, tail) = (most * 2 / 3, most - most * 2 / 3);
    let at = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(i, _)| i);
    format!("{}\n[{} characters left out]\n{}", &text[..at(head)], count - most, &text[at(count - tail)..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> Schema {
        Schema::parse(r#"{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},"required":["name","age"]}"#)
            .unwrap()
    }

    fn now() -> jiff::civil::DateTime {
        jiff::civil::date(2026, 11, 5).at(14, 0, 0, 0)
    }

    #[test]
    fn places_are_filled_once_and_other_braces_stay() {
        let filled = fill("{\"a\": {text}} {now} {", &person(), "{schema}", now());
        assert_eq!(filled, "{\"a\": {schema}} 2026-11-05T14:00:00 {");
        assert_eq!(fill("Who?", &person(), "John", now()), "Who?\n\nJohn");
    }

    #[test]
    fn asking_again_names_path_expected_and_found_and_does_not_grow_with_the_answer() {
        let fault = Fault {
            path: "/age".into(),
            expected: "an integer".into(),
            found: "the text \"old\"".into(),
            excerpt: "old".into(),
            offset: None,
        };
        let said = again(FixMode::Own, &person(), "John is old", "{\"age\":\"old\"}", std::slice::from_ref(&fault));
        assert!(said.contains("- /age: expected an integer, found the text \"old\"\n"), "{said}");
        let long = again(FixMode::Own, &person(), &"가".repeat(100_000), &"x".repeat(100_000), &[fault]);
        assert!(long.chars().count() < 8_000);
        assert!(long.contains("[98000 characters left out]"));
    }
}
