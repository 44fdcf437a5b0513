//! What the bracket behind a field's name says, `Price (USD)`, and whether the field says it too: else its unit, scale or sign is lost
//! with it. Which names have one is `schema::names`'.

use std::collections::HashSet;

use serde_json::Value;

use crate::extract::normalise::label_currency;
use crate::extract::schema::names;
use crate::extract::schema::node::{Kind, Node, Property};

/// What says nothing beside other words.
const FILLERS: [&str; 16] =
    ["in", "of", "the", "a", "an", "as", "unit", "units", "out", "from", "to", "scale", "단위", "만점", "기준", "max"];
/// What says how a form is filled in, and nothing of the value.
const OF_FORMS: [&str; 9] =
    ["optional", "required", "if any", "if applicable", "선택", "필수", "선택사항", "선택 사항", "필수 항목"];
const OF_AGES: [&str; 12] = ["years", "year", "yrs", "yr", "y", "old", "in", "full", "completed", "세", "살", "만"];
const OF_TIMES: [&str; 10] = ["yyyy", "yy", "mm", "dd", "hh", "ss", "m", "d", "iso", "8601"];
const OF_YES: [&str; 7] = ["yes", "no", "y", "n", "true", "false", "or"];
/// Units in their several writings, the first of them for all.
const UNITS: [&[&str]; 14] = [
    &["kg", "kilogram", "kilo", "킬로그램", "킬로"],
    &["g", "gram", "그램"],
    &["lb", "lbs", "pound", "파운드"],
    &["km", "kilometer", "kilometre", "킬로미터"],
    &["cm", "centimeter", "centimetre", "센티미터", "센티"],
    &["mm", "millimeter", "millimetre", "밀리미터"],
    &["m", "meter", "metre", "미터"],
    &["inch", "inches", "인치"],
    &["h", "hr", "hour", "시간"],
    &["min", "minute", "분"],
    &["s", "sec", "second", "초"],
    &["year", "yr", "yrs", "년"],
    &["%", "percent", "pct", "percentage", "퍼센트"],
    &["°c", "celsius", "섭씨", "c"],
];
/// Currencies' signs, each with what else says it.
const CURRENCIES: [(&str, &[&str]); 5] = [
    ("$", &["$", "usd", "us$", "dollar", "us dollar", "달러", "미국 달러"]),
    ("€", &["€", "eur", "euro", "유로"]),
    ("£", &["£", "gbp", "pound sterling"]),
    ("¥", &["¥", "jpy", "yen", "엔"]),
    ("₩", &["₩", "krw", "won", "원"]),
];
const LONGEST_CURRENCY: usize = 32;
/// What may follow a Korean noun.
const PARTICLES: [&str; 11] = ["으로", "로", "의", "이", "가", "을", "를", "은", "는", "에", "단위"];

/// Whether the bracket at a label's end says what neither the field nor a value beside it says: of these the currencies are given. Free
/// text may say anything, and nothing is counted in it.
pub fn says_more(label: &str, property: &Property<'_>, beside: &[&str]) -> bool {
    let Some(bare) = names::without_bracket(label).filter(|_| !is_free(property.node)) else { return false };
    let inner = label[bare.len()..].trim_matches(|c: char| c.is_whitespace() || "()（）*_`\"':".contains(c));
    let said = inner.to_lowercase();
    if said.is_empty() || OF_FORMS.contains(&said.as_str()) {
        return false;
    }
    if let Some(sign) = sign(&said) {
        return !beside.contains(&sign) && is_lost_currency(sign, &said, property);
    }
    let known = about(property);
    let words = tokens(&said);
    // Alone it is no preposition.
    let says = match words.as_slice() {
        ["in"] => !is_known("inch", &known),
        [word] => !is_known(word, &known),
        words => words.iter().any(|word| !FILLERS.contains(word) && !is_known(word, &known)),
    };
    says && !is_of_kind(&words, property)
}

/// The currencies, as signs, that some of these values are.
pub fn currencies<'v>(values: impl Iterator<Item = &'v Value>) -> Vec<&'static str> {
    let mut found: Vec<&str> = values.filter_map(Value::as_str).filter_map(sign).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether a place takes any text, or a list of such.
fn is_free(node: Node<'_>) -> bool {
    let free = |node: Node<'_>| node.accepts(Kind::String) && node.format().is_none() && node.choices().is_none();
    free(node) || crate::extract::plain::items_of(node).is_some_and(free)
}

/// The sign of the currency that a text is and nothing else.
fn sign(text: &str) -> Option<&'static str> {
    let text = Some(text.trim()).filter(|text| text.len() <= LONGEST_CURRENCY)?.to_lowercase();
    let text = text.strip_prefix("in ").or_else(|| text.strip_prefix("단위:")).unwrap_or(&text).trim();
    let is = |name: &&str| text == *name || text.strip_suffix('s') == Some(name);
    CURRENCIES.iter().find(|(_, names)| names.iter().any(is)).map(|(sign, _)| *sign)
}

/// As it would be behind a number: of won nothing is lost where the field names no other currency.
fn is_lost_currency(sign: &str, said: &str, property: &Property<'_>) -> bool {
    let numeric = property.node.accepts(Kind::Integer) || property.node.accepts(Kind::Number);
    match numeric {
        true => label_currency(sign, property).is_some(),
        false => !tokens(said).iter().all(|word| is_known(word, &about(property))),
    }
}

/// The words of a field's names, description, choices and bounds.
fn about(property: &Property<'_>) -> HashSet<String> {
    let names = property.names.iter().map(|name| name.as_str()).chain([property.key]);
    let mut texts: Vec<String> = names.map(|text| text.replace('_', " ").to_lowercase()).collect();
    for node in property.node.branches().chain([property.node]) {
        texts.extend(node.title().into_iter().chain(node.description()).map(str::to_lowercase));
        let listed = node.choices().into_iter().flatten().map(|choice| &choice.value);
        let values = listed.chain(node.limits().iter().map(|(_, bound)| bound));
        texts.extend(values.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_lowercase)));
    }
    texts.iter().flat_map(|text| tokens(text)).map(|word| unit(word).to_owned()).collect()
}

/// The words of a text, signs that stand alone among them.
fn tokens(text: &str) -> Vec<&str> {
    let parts = text.split(|c: char| c.is_whitespace() || ",;:/·|()（）[]-–~\"'`*".contains(c));
    parts.map(|word| word.trim_matches(['.', '!', '?'])).filter(|word| !word.is_empty()).collect()
}

/// A word in the form in which words are compared: one writing of each unit, no plural.
fn unit(word: &str) -> &str {
    let single = word.strip_suffix('s').filter(|single| single.len() > 1).unwrap_or(word);
    let is = |names: &&&[&str]| names.contains(&word) || names.contains(&single);
    UNITS.iter().find(is).map_or(single, |names| names[0])
}

fn is_known(word: &str, known: &HashSet<String>) -> bool {
    let word = unit(word);
    known.contains(word)
        || word.starts_with(|c| ('가'..='힣').contains(&c))
            && PARTICLES.iter().any(|particle| known.contains(&format!("{word}{particle}")))
}

/// Whether words say no more than what a value of the field's kind is: years of an age, a date's form, yes or no.
fn is_of_kind(words: &[&str], property: &Property<'_>) -> bool {
    let all = |known: &[&str]| words.iter().all(|word| known.contains(word));
    let node = property.node;
    let is_age = || {
        let mut words = property.names.iter().flat_map(|name| tokens(name));
        words.any(|word| ["age", "나이", "연령"].contains(&word.to_lowercase().as_str()))
    };
    let is_time = || node.format().is_some_and(|format| ["date", "date-time", "time"].contains(&format));
    all(&OF_AGES) && is_age() || all(&OF_TIMES) && is_time() || all(&OF_YES) && node.accepts(Kind::Boolean)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::extract::schema::Schema;

    fn loses(label: &str, key: &str, schema: &Value, beside: &[&Value]) -> bool {
        let beside = currencies(beside.iter().copied());
        let schema = Schema::from_value(&json!({"type": "object", "properties": {key: schema}})).unwrap();
        says_more(label, &schema.root().property(key).unwrap(), &beside)
    }

    #[test]
    fn what_a_bracket_says_beyond_its_field_is_lost() {
        let number = json!({"type": "number"});
        let told = |description: &str| json!({"type": "number", "description": description});
        for (label, key, schema) in [
            ("Weight (lb)", "weight", told("in kg")),
            ("Price (KRW)", "price", told("price in USD")),
            ("Price (USD)", "price", number.clone()),
            ("Revenue (만원)", "revenue", told("단위: 억원")),
            ("Price (in thousands)", "price", number.clone()),
            ("Pop (thousands)", "pop", number.clone()),
            ("Height cm (in)", "height_cm", told("Height in cm")),
            ("Profit (negative)", "profit", number.clone()),
            ("Age (months)", "age", json!({"type": "integer"})),
            ("Salary (monthly)", "salary", number.clone()),
            ("Price (per unit)", "price", number.clone()),
            ("**Tax (8%)**", "tax", number.clone()),
            ("Due (approx)", "due", json!({"type": "string", "format": "date"})),
        ] {
            assert!(loses(label, key, &schema, &[]), "{label}");
        }
    }

    #[test]
    fn what_a_field_says_itself_and_what_forms_say_is_not_lost() {
        let number = json!({"type": "number"});
        let told = |description: &str| json!({"type": "number", "description": description});
        for (label, key, schema) in [
            ("Weight (kg)", "weight", told("in kilograms")),
            ("Weight (kg)", "weight_kg", number.clone()),
            ("Weight (kg)", "weight", json!({"anyOf": [told("in kg"), {"type": "null"}]})),
            ("Price (USD)", "price", told("price in dollars")),
            ("Price ($)", "price_usd", number.clone()),
            ("가격(원)", "가격", number.clone()),
            ("Revenue (억원)", "revenue", told("매출, 억원으로")),
            ("Height (inches)", "height", told("Height in inches.")),
            ("Age (in full years)", "age", json!({"type": "integer"})),
            ("나이 (세)", "나이", json!({"type": "integer"})),
            ("Weight (optional)", "weight", number.clone()),
            ("Weight (if any)", "weight", number.clone()),
            ("무게(선택)", "무게", number.clone()),
            ("Score (out of 5)", "score", json!({"type": "number", "maximum": 5})),
            ("Date (YYYY-MM-DD)", "date", json!({"type": "string", "format": "date"})),
            ("New (yes/no)", "new", json!({"type": "boolean"})),
            ("Size (S/M)", "size", json!({"enum": ["S", "M"]})),
            ("Note (old)", "note", json!({"type": "string"})),
            ("Tags (new)", "tags", json!({"type": "array", "items": {"type": "string"}})),
        ] {
            assert!(!loses(label, key, &schema, &[]), "{label}");
        }
        assert!(!loses("Price (USD)", "price", &number, &[&json!("x"), &json!("USD")]));
        assert!(loses("Price (USD)", "price", &number, &[&json!("EUR")]));
    }
}
