//! A value brought to the schema's types by Pydantic's lax table, and to its shape where nothing is lost by it. What is refused is left
//! as it is and named: local numbers and dates are `normalise`'s, the last word is `validate`'s.
//! Numbers and booleans are read in `scalars`, times in `times`; listed values are `listed`'s, alternatives `alternatives`', what says that
//! there is nothing `absent`'s, what stands in brackets behind names `bracket`'s.

mod absent;
mod alternatives;
pub mod bracket;
mod listed;
pub mod scalars;
pub mod times;

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Number, Value};

use super::attempt::{Change, Fault};
use super::normalise::{is_struck, label_currency};
use super::schema::node::Property;
use super::schema::{Kind, Kinds, Node, Rest, Schema, names};
use super::validate::{excerpt, in_words, size, wanted};

/// How deep values are looked into; what is deeper stays as it is.
const MOST_DEPTH: usize = 128;
/// How many shapes may be put around a value one in the other (a list for one value, an object for its only field).
const MOST_IMPLIED: usize = 2;
/// The most faults that are told.
const MOST_FAULTS: usize = 50;
/// How much may be tried for each value in the input before alternatives are left alone: what they hold is tried once for each of them.
const WORK_PER_VALUE: usize = 256;

/// What became of a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Coerced {
    pub value: Value,
    pub changes: Vec<Change>,
    /// What could not be converted, and was handed on as it is.
    pub faults: Vec<Fault>,
    /// The first alternatives that were left alone since trying them would have gone on too long.
    pub limit: Option<Fault>,
}

/// Converts a value towards the schema.
pub fn coerce(value: Value, schema: &Schema) -> Coerced {
    convert(value, schema, Walk::default())
}

/// The same, but what says that there is nothing stays as it is, as with Pydantic.
pub fn coerce_what_is_said(value: Value, schema: &Schema) -> Coerced {
    convert(value, schema, Walk { keeps_nothing: true, ..Walk::default() })
}

fn convert(mut value: Value, schema: &Schema, walk: Walk) -> Coerced {
    let allowed = 1_000 + WORK_PER_VALUE * size(&value);
    let mut walk = Walk { budget: allowed, ..walk };
    walk.visit(&mut value, schema.root(), &Path::Root, 0);
    let limit =
        walk.limit.map(|fault| Fault { expected: format!("alternatives that are tried in {allowed} steps"), ..fault });
    Coerced { value, changes: walk.changes, faults: walk.faults, limit }
}

/// Writes the durations of a value that fits the schema as their length in seconds, and tells which. What is longer than Pydantic's longest
/// stays as it is.
pub fn durations_in_seconds(value: &mut Value, schema: &Schema) -> Vec<Change> {
    let mut walk = Walk { budget: 1_000 + WORK_PER_VALUE * size(value), in_seconds: true, ..Walk::default() };
    let mut written = value.clone();
    walk.visit(&mut written, schema.root(), &Path::Root, 0);
    // The value fits: nothing but durations has a reason to change.
    if walk.faults.is_empty() && walk.changes.iter().all(|change| change.kind == IN_SECONDS) {
        *value = written;
        return walk.changes;
    }
    Vec::new()
}

/// Where a value is, as a list that lies on the stack: most places are never written down.
enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl Path<'_> {
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        self.write(&mut pointer);
        pointer
    }

    fn write(&self, pointer: &mut String) {
        let (Path::Key(before, _) | Path::Index(before, _)) = self else { return };
        before.write(pointer);
        match self {
            Path::Key(_, key) => names::push(pointer, key),
            Path::Index(_, index) => names::push(pointer, &index.to_string()),
            Path::Root => {}
        }
    }
}

#[derive(Default)]
struct Walk {
    changes: Vec<Change>,
    faults: Vec<Fault>,
    /// Faults that are told already, where this is one of several ways to try.
    told: usize,
    /// Required fields that are not there, and fields that may not be: the validator tells of them, alternatives are weighed by them.
    misfits: usize,
    /// Fields that were left out since they said nothing: alternatives are weighed by them as if they were there.
    absent: usize,
    /// Fields that the schema knows.
    fields_set: usize,
    implied: usize,
    budget: usize,
    limit: Option<Fault>,
    /// Whether durations are written as their length in seconds.
    in_seconds: bool,
    /// Whether what says that there is nothing stays.
    keeps_nothing: bool,
}

impl Walk {
    /// For trying out from here.
    fn anew(&self) -> Self {
        let Walk { budget, implied, in_seconds, keeps_nothing, .. } = *self;
        Walk { budget, implied, in_seconds, keeps_nothing, ..Walk::default() }
    }

    fn changed(&mut self, path: &Path<'_>, kind: &str, before: Value, after: Value, lossy: bool) {
        self.changes.push(Change { path: path.pointer(), kind: kind.into(), before, after, lossy });
    }

    /// Puts another value in a value's place, and says so.
    fn replace(&mut self, value: &mut Value, path: &Path<'_>, kind: &str, after: Value, lossy: bool) {
        let before = std::mem::replace(value, after.clone());
        self.changed(path, kind, before, after, lossy);
    }

    fn refuse(&mut self, value: &Value, node: Node<'_>, path: &Path<'_>) {
        self.misfits += 1;
        if self.told + self.faults.len() < MOST_FAULTS {
            let (expected, found, excerpt) = (wanted(node), in_words(value), excerpt(value));
            self.faults.push(Fault { path: path.pointer(), expected, found, excerpt, offset: None });
        }
    }

    fn visit(&mut self, value: &mut Value, node: Node<'_>, path: &Path<'_>, depth: usize) {
        self.budget = self.budget.saturating_sub(1);
        if depth > MOST_DEPTH
            || node.kinds() == Kinds::ANY && node.properties().len() == 0 && node.branches().len() == 0
        {
            return;
        }
        if !self.keeps_nothing && self.is_none(value, node, path) {
            return;
        }
        if let Some(choices) = node.choices() {
            return self.choose(value, node, choices, path);
        }
        if node.branches().len() > 0 {
            self.alternatives(value, node, path, depth);
            // Fields told beside the alternatives hold for each.
            if node.properties().len() > 0
                && let Value::Object(fields) = value
            {
                self.fields(fields, node, path, depth);
            }
            return;
        }
        if !node.accepts(Kind::of(value)) && !self.converted(value, node, path, depth) {
            return self.refuse(value, node, path);
        }
        match value {
            Value::Object(fields) => self.fields(fields, node, path, depth),
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    match node.item(index) {
                        Rest::Node(of_item) => {
                            let path = Path::Index(path, index);
                            self.visit(item, of_item, &path, depth + 1);
                            self.tell_others(item, of_item, &path);
                        }
                        Rest::Any => {}
                        Rest::Forbidden => self.misfits += 1,
                    }
                }
            }
            Value::String(text) => {
                let Some(format) = node.format() else { return self.tell_struck(value, path) };
                if super::formats::fits(format, text) {
                    if self.in_seconds
                        && let Some(seconds) = times::seconds(format, text)
                    {
                        self.replace(value, path, IN_SECONDS, seconds.into(), false);
                    }
                    return;
                }
                // Digits for a date alone are read with the dates in words.
                if format == "date-time"
                    && let Some(read) = times::packed(format, text)
                {
                    return self.replace(value, path, PACKED, read.into(), true);
                }
                match times::text(format, text) {
                    Some(read) => {
                        let counted = times::is_counted(text) && !times::is_likely(&read);
                        let guessed = counted || format != "date" && times::may_be_a_range(text);
                        self.replace(value, path, &format!("{}_read", format.replace('-', "_")), read.into(), guessed)
                    }
                    None => self.refuse(value, node, path),
                }
            }
            Value::Number(number) if !node.accepts(Kind::Number) => {
                if let Some(whole) = scalars::whole(number) {
                    self.replace(value, path, "float_to_integer", Value::Number(whole), false);
                }
            }
            _ => {}
        }
    }

    /// A text that is struck out is kept: whether it is said all the same is not for here to say.
    fn tell_struck(&mut self, value: &Value, path: &Path<'_>) {
        if !self.in_seconds && value.as_str().is_some_and(is_struck) {
            self.changed(path, "struck_out", value.clone(), value.clone(), true);
        }
    }

    /// An item that stands for others is no item.
    fn tell_others(&mut self, item: &Value, node: Node<'_>, path: &Path<'_>) {
        if !self.in_seconds && node.choices().is_none() && item.as_str().is_some_and(super::plain::says_others) {
            self.changed(path, "others_not_named", item.clone(), item.clone(), true);
        }
    }

    /// Brings a value of a kind that the node does not take to one that it takes. False where that cannot be.
    fn converted(&mut self, value: &mut Value, node: Node<'_>, path: &Path<'_>, depth: usize) -> bool {
        if let Some((after, kind, lossy)) = scalar(value, node) {
            self.replace(value, path, kind, after, lossy);
            return true;
        }
        if let Some((read, lossy)) = self.written(value, node, path, depth) {
            self.replace(value, path, "string_unwrapped", read, lossy);
            return true;
        }
        self.reshaped(value, node, path, depth)
    }

    /// A list or an object that was written into a text, where it fits; and whether something is lost.
    fn written(&mut self, value: &Value, node: Node<'_>, path: &Path<'_>, depth: usize) -> Option<(Value, bool)> {
        let text = value.as_str().map(str::trim).filter(|text| text.starts_with(['[', '{']))?;
        let (read, changes) =
            super::parse::strict::value(text).ok().filter(|(read, _)| node.accepts(Kind::of(read)))?;
        let budget = self.budget.checked_sub(size(&read))?;
        let mut trial = Walk { budget, implied: self.implied, told: MOST_FAULTS, ..Walk::default() };
        trial.visit(&mut read.clone(), node, path, depth + 1);
        self.budget = trial.budget;
        (trial.misfits == 0).then(|| (read, changes.iter().any(|c| c.lossy)))
    }

    /// A list where one value is wanted, a value where a list is, a value for an object of one field: as long as it fits as it is.
    fn reshaped(&mut self, value: &mut Value, node: Node<'_>, path: &Path<'_>, depth: usize) -> bool {
        if self.implied >= MOST_IMPLIED || value.is_null() {
            return false;
        }
        if let Value::Array(items) = value
            && !node.accepts(Kind::Array)
        {
            if let [item] = items.as_mut_slice()
                && (fits(item, node) || item.is_object() && node.accepts(Kind::Object))
            {
                let item = item.take();
                self.replace(value, path, "value_unwrapped", item, false);
                return true;
            }
        } else if node.accepts(Kind::Array) && node.prefix_items().len() == 0 {
            // A blank text in a list's place is no item of it.
            if matches!(path, Path::Key(..)) && value.as_str().is_some_and(|text| text.trim().is_empty()) {
                let needs_some = |(name, limit): &(String, Value)| name == "minItems" && limit.as_f64() > Some(0.0);
                let may_be_empty = !node.limits().iter().any(needs_some);
                if may_be_empty {
                    self.replace(value, path, "blank_to_list", Value::Array(Vec::new()), true);
                }
                return may_be_empty;
            }
            let mut wrapped = Value::Array(vec![value.clone()]);
            if let Rest::Node(item) = node.items()
                && let Value::Array(items) = &mut wrapped
            {
                // Whether it fits is all that is asked.
                let told = MOST_FAULTS;
                let mut trial = Walk { budget: self.budget, implied: self.implied + 1, told, ..Walk::default() };
                items.iter_mut().for_each(|v| trial.visit(v, item, path, depth + 1));
                self.budget = trial.budget;
                if trial.misfits > 0 {
                    return false;
                }
            }
            // Pydantic refuses a text for a list. As one item nothing of it is lost, but `a, b, c` may have been meant as three.
            let doubtful = |text: &str| {
                super::plain::may_be_a_list(text)
                    || super::plain::may_be_none(text)
                    || super::plain::may_be_several(text)
            };
            let guessed = value.as_str().is_some_and(doubtful);
            self.replace(value, path, "value_wrapped", Value::Array(vec![value.clone()]), guessed);
            return true;
        }
        // Text is left out: prose is not the value of a field that it does not name.
        let mut properties = node.properties();
        if let (Some(only), None) = (properties.next(), properties.next())
            && node.accepts(Kind::Object)
            && !value.is_string()
            && !value.is_object()
            && fits(value, only.node)
        {
            let object = Map::from_iter([(only.key.to_string(), value.clone())]);
            self.replace(value, path, "field_implied", Value::Object(object), false);
            return true;
        }
        false
    }

    fn fields(&mut self, fields: &mut Map<String, Value>, node: Node<'_>, path: &Path<'_>, depth: usize) {
        // A field that says nothing keeps no other one from its name.
        if !self.keeps_nothing {
            self.leave_out(fields, node, path);
        }
        if node.properties().len() > 0 && self.rename(fields, node, path) && !self.keeps_nothing {
            self.leave_out(fields, node, path);
        }
        for (key, value) in fields.iter_mut() {
            match node.field(key) {
                Rest::Node(of_field) => {
                    self.fields_set += 1;
                    self.visit(value, of_field, &Path::Key(path, key), depth + 1);
                }
                Rest::Any => {}
                Rest::Forbidden => self.misfits += 1,
            }
        }
        for property in node.properties() {
            if fields.contains_key(property.key) {
                continue;
            }
            let of_field = property.node;
            let (kind, value) = match of_field.default() {
                Some(default) => ("default_used", default.clone()),
                None if property.required => {
                    self.misfits += 1;
                    continue;
                }
                // What may be left out or null and was left out is null: readers find the field either way.
                None if of_field.accepts(Kind::Null) && of_field.kinds() != Kinds::ANY => ("null_filled", Value::Null),
                None => continue,
            };
            // What has to be said and was not is a guess, default or not.
            let guessed = property.required && kind == "default_used";
            self.changed(&Path::Key(path, property.key), kind, Value::Null, value.clone(), guessed);
            fields.insert(property.key.to_string(), value);
        }
    }

    /// Gives fields that are called by another of their names their keys; whether there were any.
    fn rename(&mut self, fields: &mut Map<String, Value>, node: Node<'_>, path: &Path<'_>) -> bool {
        let absent = |property: &Property<'_>| !fields.contains_key(property.key);
        let means = |key: &str| match node.property(key) {
            Some(_) => None,
            None => node.called(key).filter(absent).map(|p| p.key),
        };
        let nearly = |key: &str| node.called_but_for_bracket(key).filter(absent).map(|p| p.key);
        // Mostly all have their keys.
        if fields.keys().all(|key| means(key).is_none() && nearly(key).is_none()) {
            return false;
        }
        let meant: Vec<Option<&str>> = fields.keys().map(|key| means(key)).collect();
        let taken: HashSet<&str> = meant.iter().flatten().copied().collect();
        let with_brackets = |key: &String| nearly(key).filter(|meant| !taken.contains(meant));
        let meant: Vec<Option<&str>> =
            fields.keys().zip(&meant).map(|(key, meant)| meant.or_else(|| with_brackets(key))).collect();
        let currencies = bracket::currencies(fields.values());
        let mut named: HashMap<&str, usize> = HashMap::new();
        meant.iter().flatten().for_each(|meant| *named.entry(*meant).or_default() += 1);
        let loses = |key: &str, field: Property<'_>| {
            let doubled = named.get(field.key).is_some_and(|count| *count > 1) && names::without_bracket(key).is_some();
            doubled || label_currency(key, &field).is_some() || bracket::says_more(key, &field, &currencies)
        };
        let renamed = std::mem::take(fields);
        for ((key, value), meant) in renamed.into_iter().zip(meant) {
            // A second field that means the same stays what it is.
            match meant.filter(|meant| !fields.contains_key(*meant)) {
                Some(meant) => {
                    let lossy = node.property(meant).is_some_and(|field| loses(&key, field));
                    self.changed(&Path::Key(path, meant), "key_matched", key.into(), meant.into(), lossy);
                    fields.insert(meant.to_string(), value);
                }
                None => drop(fields.insert(key, value)),
            }
        }
        true
    }
}

/// Whether a value has a kind, format and choice that the node takes, as it is. Of objects and lists the kind alone is looked at.
fn fits(value: &Value, node: Node<'_>) -> bool {
    if let Some(choices) = node.choices() {
        return listed::chosen(value, choices).is_some();
    }
    if node.branches().len() > 0 {
        return node.branches().any(|branch| fits_flat(value, branch));
    }
    fits_flat(value, node)
}

fn fits_flat(value: &Value, node: Node<'_>) -> bool {
    let formatted = match (value, node.format()) {
        (Value::String(text), Some(format)) => super::formats::fits(format, text),
        _ => true,
    };
    let listed = node.choices().is_none_or(|choices| choices.iter().any(|c| listed::equal(&c.value, value)));
    let items = match (value, node.items()) {
        (Value::Array(items), Rest::Node(of_item)) => items.iter().all(|item| of_item.accepts(Kind::of(item))),
        _ => true,
    };
    node.accepts(Kind::of(value)) && formatted && listed && items
}

/// A scalar as the kind that the node asks for, with the change's name and whether something may be lost.
fn scalar(value: &Value, node: Node<'_>) -> Option<(Value, &'static str, bool)> {
    let takes = |kind| node.accepts(kind);
    match value {
        Value::String(text) => {
            if takes(Kind::Integer)
                && !takes(Kind::Number)
                && let Some(read) = scalars::integer(text)
            {
                let lossy = !read.exact || scalars::has_leading_zero(text) || scalars::may_be_grouped(text);
                return Some((read.value, "string_to_integer", lossy));
            }
            if takes(Kind::Number)
                && let Some(read) = scalars::number(text)
            {
                let lossy = scalars::is_rounded(text, &read) || scalars::may_be_grouped(text);
                return Some((read, "string_to_number", lossy));
            }
            if takes(Kind::Boolean)
                && let Some(read) = scalars::boolean(text)
            {
                return Some((read.into(), "string_to_boolean", false));
            }
            let none = ["null", "none"].iter().any(|word| text.eq_ignore_ascii_case(word));
            (takes(Kind::Null) && none).then_some((Value::Null, "string_to_null", false))
        }
        Value::Number(number) => {
            if takes(Kind::Boolean)
                && let Some(is) = number.as_f64().filter(|n| *n == 0.0 || *n == 1.0)
            {
                return Some(((is == 1.0).into(), "number_to_boolean", false));
            }
            let format = node.format().filter(|_| takes(Kind::String))?;
            if let Some(read) = times::packed(format, &number.to_string()) {
                return Some((read.into(), PACKED, format != "date"));
            }
            let read = times::number(format, number)?;
            // As seconds 14 and 1400 are soon after midnight, as people write them two in the afternoon.
            let clock = || format == "time" && number.as_f64().is_some_and(|n| n <= 2400.0);
            let guessed = matches!(format, "date" | "date-time") && !times::is_likely(&read) || clock();
            Some((read.into(), number_read(format), guessed))
        }
        Value::Bool(is) if takes(Kind::Integer) || takes(Kind::Number) => {
            Some((Value::Number(Number::from(u8::from(*is))), "boolean_to_number", false))
        }
        _ => None,
    }
}

/// Digits without separators as a day: `20261105`.
const PACKED: &str = "packed_date_read";

/// A duration as its length in seconds.
const IN_SECONDS: &str = "duration_to_seconds";

fn number_read(format: &str) -> &'static str {
    match format {
        "date" => "unix_time_to_date",
        "date-time" => "unix_time_to_date_time",
        "time" => "seconds_to_time",
        _ => "seconds_to_duration",
    }
}

#[cfg(test)]
mod tests;
