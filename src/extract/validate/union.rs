//! Of several ways (`anyOf`, `oneOf`) that all fail, which one the value was meant for, and what is wrong with it there.
//! Out of the validator's errors where they are few, by following the schema's nodes where they would multiply.

use std::collections::{HashMap, HashSet};

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};

use super::super::attempt::Fault;
use super::super::formats;
use super::super::schema::{Choice, Kind, Kinds, Node, Rest, Schema, names};
use super::{MOST_FAULTS, MOST_LISTED, excerpt, in_words, listed, one_of, told, wanted};

/// So many schemas are held against values before the validator's own errors are too many to ask for.
const FEW: usize = 20_000;
/// So many are followed in search of what is wrong.
const MOST_FOLLOWED: usize = 100_000;

pub(super) enum Meant<'c> {
    One(&'c [ValidationError<'static>]),
    /// All ways are told apart by a field, and it names none of them.
    Named(Fault),
    Unknown,
}

/// The only alternative whose kind the value has, or which its fixed field names, or whose fields most of the value's fit.
pub(super) fn meant<'c>(
    error: &ValidationError<'_>,
    context: &'c [Vec<ValidationError<'static>>],
    document: &Value,
) -> Meant<'c> {
    let here = error.instance_path().as_str();
    let of_another_kind = |inner: &ValidationError<'_>| {
        inner.instance_path().as_str() == here && matches!(inner.kind(), ValidationErrorKind::Type { .. })
    };
    let left: Vec<&Vec<_>> = context.iter().filter(|errors| !errors.iter().any(of_another_kind)).collect();
    if let [only] = left.as_slice() {
        return Meant::One(only);
    }
    let fixed = |errors: &&Vec<ValidationError<'static>>| errors.iter().position(|inner| is_fixed_field(inner, here));
    let mut named = left.iter().filter(|errors| fixed(errors).is_none());
    match (named.next(), named.next()) {
        (Some(only), None) => Meant::One(only),
        (None, _) if !left.is_empty() => {
            let fields: Vec<&ValidationError<'_>> =
                left.iter().filter_map(|errors| errors.get(fixed(errors)?)).collect();
            let Some(first) = fields.first() else { return Meant::Unknown };
            if fields.iter().any(|field| field.instance_path() != first.instance_path()) {
                return Meant::Unknown;
            }
            let mut choices: Vec<&Value> = Vec::new();
            for field in &fields {
                let listed: Vec<&Value> = match field.kind() {
                    ValidationErrorKind::Constant { expected_value } => vec![expected_value],
                    ValidationErrorKind::Enum { options } => options.as_array().into_iter().flatten().collect(),
                    _ => Vec::new(),
                };
                choices.extend(listed.into_iter().filter(|value| !choices.contains(value)).collect::<Vec<_>>());
            }
            let found = first.instance();
            Meant::Named(Fault {
                path: first.instance_path().as_str().to_string(),
                expected: one_of(choices.into_iter()),
                found: in_words(found),
                excerpt: excerpt(found),
                offset: None,
            })
        }
        (Some(_), Some(_)) => {
            let open = |errors: &Vec<_>| left.iter().any(|one| std::ptr::eq(*one, errors)) && fixed(&errors).is_none();
            closest(error, context, document, open).map_or(Meant::Unknown, Meant::One)
        }
        _ => Meant::Unknown,
    }
}

/// Of the open ways the one that has more of the value's fields, and as they are, than any other.
fn closest<'c>(
    error: &ValidationError<'_>,
    context: &'c [Vec<ValidationError<'static>>],
    document: &Value,
    open: impl Fn(&Vec<ValidationError<'static>>) -> bool,
) -> Option<&'c [ValidationError<'static>]> {
    let fields = error.instance().as_object()?;
    let here = error.instance_path().as_str();
    let ways = part(document, error.schema_path().as_str())?.as_array()?;
    let fitting = |way: &Value, errors: &Vec<ValidationError<'_>>| -> Option<usize> {
        let properties = referred(way, document).get("properties")?.as_object()?;
        let below = errors.iter().filter_map(|inner| inner.instance_path().as_str().strip_prefix(here));
        let wrong: HashSet<&str> = below.filter_map(|at| at.split('/').nth(1)).collect();
        let fits = |key: &String| properties.contains_key(key) && !wrong.contains(&names::join("", key)[1..]);
        Some(fields.keys().filter(|key| fits(key)).count())
    };
    let counted = ways.iter().zip(context).filter(|(_, errors)| open(errors));
    let counted: Vec<(usize, &Vec<_>)> =
        counted.map(|(way, errors)| (fitting(way, errors).unwrap_or(0), errors)).collect();
    only_most(counted.into_iter()).map(Vec::as_slice)
}

/// What has the greatest count, where that is not nought and nothing else has it.
fn only_most<T: Copy>(counted: impl Iterator<Item = (usize, T)>) -> Option<T> {
    let mut best = (0, None);
    for (count, one) in counted {
        if count > best.0 {
            best = (count, Some(one));
        } else if count == best.0 {
            best.1 = None;
        }
    }
    best.1
}

/// A part of the document by the path of the validator's, which follows references.
pub(super) fn part<'d>(document: &'d Value, path: &str) -> Option<&'d Value> {
    let mut at = document;
    for step in path.split('/').skip(1) {
        at = if step == "$ref" { referred(at, document) } else { at.pointer(&format!("/{step}"))? };
    }
    Some(at)
}

/// What a part refers to, or the part itself.
fn referred<'d>(part: &'d Value, document: &'d Value) -> &'d Value {
    let target = part.get("$ref").and_then(Value::as_str).and_then(|r| document.pointer(r.strip_prefix('#')?));
    target.unwrap_or(part)
}

/// Whether a field of the value here has not the value, or none of those, that a way asks for.
fn is_fixed_field(error: &ValidationError<'_>, here: &str) -> bool {
    let below = error.instance_path().as_str().strip_prefix(here).and_then(|rest| rest.strip_prefix('/'));
    matches!(error.kind(), ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. })
        && below.is_some_and(|key| !key.contains('/'))
}

/// What each way would have, of ways within ways each once; where that is deeper in the value, with the place.
pub(super) fn ways(here: &str, context: &[Vec<ValidationError<'static>>], ways: &mut Vec<String>, depth: usize) {
    for inner in context.iter().filter_map(|errors| errors.first()) {
        if ways.len() >= MOST_LISTED {
            return;
        }
        let below = inner.instance_path().as_str().strip_prefix(here).unwrap_or_default();
        match inner.kind() {
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } if depth < 8 => {
                self::ways(here, context, ways, depth + 1);
            }
            _ => {
                let expected = told(inner).0;
                let way = if below.is_empty() { expected } else { format!("{expected} at {below}") };
                if !ways.contains(&way) {
                    ways.push(way);
                }
            }
        }
    }
}

type Place = (*const Value, usize);

/// Whether the validator's errors for a value are few enough to be asked for.
pub(super) fn are_few(value: &Value, schema: &Schema) -> bool {
    tries(value, schema.root(), &mut HashMap::new(), 0) <= FEW
}

/// How many schemas the values are held against at most. What was counted once is known.
fn tries(value: &Value, node: Node<'_>, known: &mut HashMap<Place, usize>, depth: usize) -> usize {
    let place = (std::ptr::from_ref(value), node.id());
    if let Some(count) = known.get(&place) {
        return *count;
    }
    if known.len() > MOST_FOLLOWED || depth > 2 * super::MOST_DEPTH {
        return usize::MAX;
    }
    let mut sum = 1usize;
    let mut add = |value: &Value, node: Node<'_>| {
        // More than a few are not counted to the end.
        if sum > FEW {
            return;
        }
        sum = sum.saturating_add(tries(value, node, known, depth + 1));
    };
    for branch in node.branches().filter(|b| b.accepts(Kind::of(value))) {
        add(value, branch);
    }
    below(value, node, &mut |_, value, node| add(value, node));
    known.insert(place, sum);
    sum
}

/// The values within a value that the node says something of, with their place.
fn below<'v, 'n>(value: &'v Value, node: Node<'n>, each: &mut dyn FnMut(Step<'v>, &'v Value, Node<'n>)) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                if let Rest::Node(of_item) = node.item(index) {
                    each(Step::Index(index), item, of_item);
                }
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                if let Rest::Node(of_field) = node.field(key) {
                    each(Step::Key(key), field, of_field);
                }
            }
        }
        _ => {}
    }
}

enum Step<'v> {
    Key(&'v str),
    Index(usize),
}

impl Step<'_> {
    fn after(&self, path: &str) -> String {
        match self {
            Step::Key(key) => names::join(path, key),
            Step::Index(index) => format!("{path}/{index}"),
        }
    }
}

/// What is wrong with a value by what the nodes tell; never empty.
pub(super) fn faults(value: &Value, schema: &Schema) -> Vec<Fault> {
    let mut search = Search { known: HashMap::new(), faults: Vec::new() };
    search.explain(value, schema.root(), "", 0);
    if search.faults.is_empty() {
        search.tell("", wanted(schema.root()), in_words(value), value);
    }
    search.faults
}

struct Search {
    known: HashMap<Place, bool>,
    faults: Vec<Fault>,
}

impl Search {
    fn tell(&mut self, path: &str, expected: String, found: String, value: &Value) {
        let fault = Fault { path: path.to_string(), expected, found, excerpt: excerpt(value), offset: None };
        if self.faults.len() < MOST_FAULTS && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Whether a value is as the nodes tell; of bounds and patterns nothing is asked.
    fn fits(&mut self, value: &Value, node: Node<'_>, depth: usize) -> bool {
        let place = (std::ptr::from_ref(value), node.id());
        if let Some(fits) = self.known.get(&place) {
            return *fits;
        }
        if self.known.len() > MOST_FOLLOWED || depth > 2 * super::MOST_DEPTH {
            return true;
        }
        let mut fits = is_as_such(value, node)
            && (node.branches().len() == 0 || node.branches().any(|branch| self.fits(value, branch, depth + 1)));
        if fits {
            below(value, node, &mut |_, value, node| fits = fits && self.fits(value, node, depth + 1));
        }
        self.known.insert(place, fits);
        fits
    }

    /// Tells what is wrong with a value that does not fit.
    fn explain(&mut self, value: &Value, node: Node<'_>, path: &str, depth: usize) {
        if self.faults.len() >= MOST_FAULTS || depth > 2 * super::MOST_DEPTH || self.fits(value, node, 0) {
            return;
        }
        if !is_as_such(value, node) {
            return self.not_as_such(value, node, path);
        }
        if node.branches().len() > 0 && !node.branches().any(|branch| self.fits(value, branch, 0)) {
            let left: Vec<Node<'_>> = node.branches().filter(|b| b.accepts(Kind::of(value))).collect();
            return match (left.as_slice(), value) {
                ([only], _) => self.explain(value, *only, path, depth + 1),
                (several, Value::Object(fields)) => match named(fields, several) {
                    Named::One(way) => self.explain(value, way, path, depth + 1),
                    Named::Other { key, choices } => {
                        let found = &fields[key];
                        self.tell(&names::join(path, key), one_of(choices.into_iter()), in_words(found), found);
                    }
                    Named::Unknown => {
                        let mut fitting = |way: &Node<'_>| {
                            let mut has = |(key, field): (&String, &Value)| {
                                way.property(key).is_some_and(|p| self.fits(field, p.node, depth + 1))
                            };
                            fields.iter().filter(|field| has(*field)).count()
                        };
                        if let Some(way) = only_most(several.iter().map(|way| (fitting(way), *way))) {
                            return self.explain(value, way, path, depth + 1);
                        }
                        let expected = match several.len() {
                            0 => wanted(node),
                            ways => format!("an object as one of {ways} alternatives has it"),
                        };
                        self.tell(path, expected, in_words(value), value);
                    }
                },
                _ => self.tell(path, wanted(node), in_words(value), value),
            };
        }
        below(value, node, &mut |step, value, node| {
            // Most values of a long list fit, or come when enough is told: neither is worth a path.
            if self.faults.len() < MOST_FAULTS && !self.fits(value, node, 0) {
                self.explain(value, node, &step.after(path), depth + 1);
            }
        });
    }

    fn not_as_such(&mut self, value: &Value, node: Node<'_>, path: &str) {
        let Value::Object(fields) = value else { return self.tell(path, wanted(node), in_words(value), value) };
        if !node.accepts(Kind::Object) || node.choices().is_some() {
            return self.tell(path, wanted(node), in_words(value), value);
        }
        for key in node.required().iter().filter(|key| !fields.contains_key(*key)) {
            let expected = node.property(key).map_or_else(|| "a value".into(), |p| wanted(p.node));
            self.tell(&names::join(path, key), expected, super::NOTHING.into(), value);
        }
        let unknown: Vec<&String> = fields.keys().filter(|key| matches!(node.field(key), Rest::Forbidden)).collect();
        if !unknown.is_empty() {
            let found = listed(unknown.into_iter().map(|key| Value::from(key.as_str()).to_string()));
            self.tell(path, "no fields but those of the schema".into(), format!("the fields {found}"), value);
        }
    }
}

/// Whether a value's kind, choice, format, required and forbidden fields are right, whatever is in them.
fn is_as_such(value: &Value, node: Node<'_>) -> bool {
    let listed = |choices: &[Choice]| {
        let number = |c: &Choice| c.value.as_f64().is_some() && c.value.as_f64() == value.as_f64();
        choices.iter().any(|c| c.value == *value || number(c))
    };
    let formatted = |format: &str| value.as_str().is_none_or(|text| formats::fits(format, text));
    let whole = match value {
        Value::Object(fields) => {
            node.required().iter().all(|key| fields.contains_key(key))
                && !fields.keys().any(|key| matches!(node.field(key), Rest::Forbidden))
        }
        Value::Array(items) => !(0..items.len()).any(|index| matches!(node.item(index), Rest::Forbidden)),
        _ => true,
    };
    let kind = node.kinds() == Kinds::ANY || node.accepts(Kind::of(value));
    kind && node.choices().is_none_or(listed) && node.format().is_none_or(formatted) && whole
}

enum Named<'n> {
    One(Node<'n>),
    Other { key: &'n str, choices: Vec<&'n Value> },
    Unknown,
}

/// The way that a field names which has a fixed value, or some, in each of them.
fn named<'n>(fields: &Map<String, Value>, several: &[Node<'n>]) -> Named<'n> {
    let Some(first) = several.first() else { return Named::Unknown };
    for property in first.properties() {
        let Some(said) = fields.get(property.key) else { continue };
        let lists: Option<Vec<&'n [Choice]>> =
            several.iter().map(|way| way.property(property.key)?.node.choices()).collect();
        let Some(lists) = lists else { continue };
        let mut meant = several.iter().zip(&lists).filter(|(_, list)| list.iter().any(|c| c.value == *said));
        match (meant.next(), meant.next()) {
            (Some((way, _)), None) => return Named::One(*way),
            (Some(_), Some(_)) => continue,
            (None, _) => {
                let mut choices: Vec<&Value> = Vec::new();
                lists.iter().flat_map(|list| list.iter()).for_each(|choice| {
                    if !choices.contains(&&choice.value) {
                        choices.push(&choice.value);
                    }
                });
                return Named::Other { key: property.key, choices };
            }
        }
    }
    Named::Unknown
}

#[cfg(test)]
mod tests;
