//! Nodes out of a schema's places: references followed, `allOf` joined, kinds and choices worked out, once.
//! How a node is looked at from outside is `node`'s.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use regex::Regex;
use serde_json::{Map, Value};

use super::names::{self, fold};
use super::node::{Choice, Kind, Kinds};
use super::read::Positions;
use super::{MOST_DEPTH, SchemaError};

/// How many properties may be joined in all, so that small schemas do not become large ones.
const MOST_JOINED: usize = 200_000;

/// The most of [`NodeData::weight`].
const MOST_WEIGHT: usize = 100_000;

/// A place of the schema: what it is, and what is said of it there.
#[derive(Debug, Clone, Default)]
pub(super) struct NodeData {
    pub core: Arc<Core>,
    pub title: Option<String>,
    pub description: Option<String>,
    pub default: Option<Value>,
    /// The name of the definition that it refers to.
    pub name: Option<String>,
    /// How many schemas a value is held against here before it is looked into: references and alternatives that name the same ones
    /// again and again would multiply.
    pub weight: usize,
}

/// What a value must be like. Nodes are named by their number.
#[derive(Debug, Clone, Default)]
pub(super) struct Core {
    pub kinds: Kinds,
    pub properties: Vec<Field>,
    pub by_key: HashMap<String, usize>,
    /// By folded name; a name that could mean two properties is in here for neither.
    pub by_name: HashMap<String, usize>,
    pub required: Vec<String>,
    pub prefix: Vec<usize>,
    pub items: Remaining,
    pub additional: Remaining,
    pub patterns: Vec<(Regex, usize)>,
    pub branches: Vec<usize>,
    pub choices: Option<Vec<Choice>>,
    pub format: Option<String>,
    /// The patterns of a text.
    pub forms: Vec<Regex>,
    /// Bounds and patterns as the short form tells them: keyword and value.
    pub limits: Vec<(String, Value)>,
}

#[derive(Debug, Clone)]
pub(super) struct Field {
    pub key: String,
    pub node: usize,
    pub required: bool,
    /// What it may be called in free text, the key first.
    pub names: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum Remaining {
    #[default]
    Any,
    Forbidden,
    Node(usize),
}

const LIMITS: [&str; 13] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];

/// Builds all nodes, in the order of the places.
/// # Errors
/// A place that leads back to itself with nothing between, and schemas whose joined form is too large.
pub(super) fn nodes(positions: &Positions<'_>) -> Result<Vec<NodeData>, SchemaError> {
    let states = vec![State::Open; positions.at.len()];
    let mut builder = Builder { positions, states, joined: 0 };
    (0..positions.at.len()).map(|id| builder.node(id, 0)).collect()
}

#[derive(Clone)]
enum State {
    Open,
    Going,
    Done(NodeData),
}

struct Builder<'p, 'd> {
    positions: &'p Positions<'d>,
    states: Vec<State>,
    joined: usize,
}

impl Builder<'_, '_> {
    fn node(&mut self, id: usize, depth: usize) -> Result<NodeData, SchemaError> {
        let pointer = || self.positions.at[id].pointer.clone();
        match &self.states[id] {
            State::Done(data) => return Ok(data.clone()),
            State::Going => return Err(SchemaError::Circle { pointer: pointer() }),
            State::Open if depth > MOST_DEPTH => {
                return Err(SchemaError::TooLarge(format!(
                    "references at \"{}\" go deeper than {MOST_DEPTH}",
                    pointer()
                )));
            }
            State::Open => self.states[id] = State::Going,
        }
        let mut data = match self.positions.at[id].schema {
            Value::Object(fields) => self.object(id, fields, depth)?,
            Value::Bool(false) => {
                NodeData { core: Arc::new(Core { kinds: Kinds::NONE, ..Core::default() }), ..NodeData::default() }
            }
            _ => NodeData::default(),
        };
        data.weight += 1;
        if data.weight > MOST_WEIGHT {
            let pointer = &self.positions.at[id].pointer;
            return Err(SchemaError::TooLarge(format!(
                "\"{pointer}\" stands for more than {MOST_WEIGHT} schemas at once"
            )));
        }
        self.states[id] = State::Done(data.clone());
        Ok(data)
    }

    fn object(&mut self, id: usize, fields: &Map<String, Value>, depth: usize) -> Result<NodeData, SchemaError> {
        let text = |keyword: &str| fields.get(keyword).and_then(Value::as_str).map(str::to_string);
        let mut data = NodeData {
            title: text("title"),
            description: text("description"),
            default: fields.get("default").cloned(),
            ..NodeData::default()
        };
        let mut parts = Vec::new();
        if let Some(target) = self.positions.at[id].reference {
            let part = self.node(target, depth + 1)?;
            data.name = part.name.clone().or_else(|| names::last(&self.positions.at[target].pointer));
            parts.push(part);
        }
        for member in members(fields, "allOf") {
            let Some(member) = self.positions.id(member) else { continue };
            parts.push(self.node(member, depth + 1)?);
        }
        for part in &parts {
            data.weight = data.weight.saturating_add(part.weight);
            data.title = data.title.or_else(|| part.title.clone());
            data.description = data.description.or_else(|| part.description.clone());
            data.default = data.default.or_else(|| part.default.clone());
            data.name = data.name.or_else(|| part.name.clone());
        }
        let own = self.own(fields, depth, &mut data.weight)?;
        // Mostly a reference alone: its node is shared, not copied.
        let mut parts = parts.into_iter().map(|part| part.core);
        data.core = match (own, parts.next()) {
            (None, None) => Arc::default(),
            (None, Some(first)) => first,
            (Some(own), None) => Arc::new(own),
            (Some(own), Some(first)) => Arc::new(self.join(own, &first)?),
        };
        for part in parts {
            data.core = Arc::new(self.join((*data.core).clone(), &part)?);
        }
        Ok(data)
    }

    /// What the keywords beside `$ref` and `allOf` say; none where they say nothing of the value.
    fn own(
        &mut self,
        fields: &Map<String, Value>,
        depth: usize,
        weight: &mut usize,
    ) -> Result<Option<Core>, SchemaError> {
        let mut core = Core::default();
        let node = |schema: &Value| self.positions.id(schema);
        let remaining = |keyword: &str| match fields.get(keyword) {
            Some(Value::Bool(false)) => Remaining::Forbidden,
            Some(schema @ Value::Object(_)) => node(schema).map_or(Remaining::Any, Remaining::Node),
            _ => Remaining::Any,
        };
        let required: Vec<&str> = members(fields, "required").filter_map(Value::as_str).collect();
        let wanted: HashSet<&str> = required.iter().copied().collect();
        for (key, schema) in fields.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let Some(node) = node(schema) else { continue };
            let required = wanted.contains(key.as_str());
            core.properties.push(Field { key: key.clone(), node, required, names: names::names(key, schema) });
        }
        core.required = required.into_iter().map(str::to_string).collect();
        core.additional = remaining("additionalProperties");
        for (pattern, schema) in fields.get("patternProperties").and_then(Value::as_object).into_iter().flatten() {
            // One that this engine does not know (look-around) is left to the validator.
            if let (Ok(pattern), Some(node)) = (Regex::new(pattern), node(schema)) {
                core.patterns.push((pattern, node));
            }
        }
        core.prefix = members(fields, "prefixItems").chain(members(fields, "items")).filter_map(node).collect();
        core.items =
            remaining(if fields.get("items").is_some_and(Value::is_array) { "additionalItems" } else { "items" });
        core.format = fields.get("format").and_then(Value::as_str).map(str::to_string);
        core.limits = LIMITS.iter().filter_map(|k| Some((k.to_string(), fields.get(*k)?.clone()))).collect();
        // One that this engine does not know is left to the validator here, too.
        core.forms =
            fields.get("pattern").and_then(Value::as_str).and_then(|p| Regex::new(p).ok()).into_iter().collect();
        core.choices = choices(fields);
        core.kinds = types(fields);
        if let Some(choices) = &core.choices {
            core.kinds =
                core.kinds & choices.iter().map(|c| Kind::of(&c.value).as_kinds()).fold(Kinds::NONE, |a, b| a | b);
        }
        for keyword in ["anyOf", "oneOf"] {
            let ids: Vec<usize> = members(fields, keyword).filter_map(node).collect();
            let branches = ids.iter().map(|id| self.node(*id, depth + 1)).collect::<Result<Vec<_>, _>>()?;
            if branches.is_empty() {
                continue;
            }
            *weight = branches.iter().fold(*weight, |sum, b| sum.saturating_add(b.weight));
            core.kinds = core.kinds & branches.iter().map(|b| b.core.kinds).fold(Kinds::NONE, |a, b| a | b);
            // Branches that only tell which fields must be there give the stages nothing to follow.
            let tells = |b: &NodeData| b.core.kinds != Kinds::ANY || !b.core.properties.is_empty();
            if core.branches.is_empty() && branches.iter().any(tells) {
                core.branches = ids;
            }
            let all: Option<Vec<Choice>> = branches.iter().map(listed).collect::<Option<Vec<_>>>().map(|c| c.concat());
            core.choices = core.choices.or(all);
        }
        let silent = core.kinds == Kinds::ANY
            && core.properties.is_empty()
            && core.required.is_empty()
            && (core.additional, core.items) == (Remaining::Any, Remaining::Any)
            && core.patterns.is_empty()
            && core.prefix.is_empty()
            && core.branches.is_empty()
            && core.format.is_none()
            && core.limits.is_empty();
        index(&mut core);
        Ok((!silent).then_some(core))
    }

    /// A value must be as both say.
    fn join(&mut self, mut a: Core, b: &Core) -> Result<Core, SchemaError> {
        self.joined += a.properties.len() + b.properties.len();
        if self.joined > MOST_JOINED {
            return Err(SchemaError::TooLarge(format!("allOf and $ref join more than {MOST_JOINED} properties")));
        }
        a.kinds = a.kinds & b.kinds;
        for field in &b.properties {
            match a.by_key.get(&field.key) {
                Some(at) => a.properties[*at].required |= field.required,
                None => a.properties.push(field.clone()),
            }
        }
        let wanted: HashSet<String> = a.required.iter().cloned().collect();
        a.required.extend(b.required.iter().filter(|name| !wanted.contains(*name)).cloned());
        let wanted: HashSet<&String> = a.required.iter().collect();
        a.properties.iter_mut().for_each(|field| field.required |= wanted.contains(&field.key));
        let either = |a, b| if a == Remaining::Any { b } else { a };
        (a.items, a.additional) = (either(a.items, b.items), either(a.additional, b.additional));
        a.patterns.extend(b.patterns.iter().cloned());
        if a.prefix.is_empty() {
            a.prefix.clone_from(&b.prefix);
        }
        if a.branches.is_empty() {
            a.branches.clone_from(&b.branches);
        }
        a.choices = match (a.choices, &b.choices) {
            (Some(ours), Some(theirs)) => {
                Some(ours.into_iter().filter(|c| theirs.iter().any(|t| t.value == c.value)).collect())
            }
            (ours, theirs) => ours.or_else(|| theirs.clone()),
        };
        a.format = a.format.or_else(|| b.format.clone());
        a.limits.extend(b.limits.iter().cloned());
        a.forms.extend(b.forms.iter().cloned());
        index(&mut a);
        Ok(a)
    }
}

fn members<'f>(fields: &'f Map<String, Value>, keyword: &str) -> impl Iterator<Item = &'f Value> {
    fields.get(keyword).and_then(Value::as_array).into_iter().flatten()
}

/// Of the keyword `type`; all kinds where there is none.
fn types(fields: &Map<String, Value>) -> Kinds {
    let one = |name: &Value| match name.as_str() {
        Some("null") => Kind::Null.as_kinds(),
        Some("boolean") => Kind::Boolean.as_kinds(),
        Some("integer") => Kind::Integer.as_kinds(),
        Some("number") => Kind::Integer.as_kinds() | Kind::Number.as_kinds(),
        Some("string") => Kind::String.as_kinds(),
        Some("array") => Kind::Array.as_kinds(),
        Some("object") => Kind::Object.as_kinds(),
        _ => Kinds::NONE,
    };
    match fields.get("type") {
        None => Kinds::ANY,
        Some(Value::Array(names)) => names.iter().map(one).fold(Kinds::NONE, |a, b| a | b),
        Some(name) => one(name),
    }
}

/// Of `enum` and `const`; a single value carries the title and description beside it.
fn choices(fields: &Map<String, Value>) -> Option<Vec<Choice>> {
    let text = |keyword: &str| fields.get(keyword).and_then(Value::as_str).map(str::to_string);
    if let Some(value) = fields.get("const") {
        return Some(vec![Choice { value: value.clone(), title: text("title"), description: text("description") }]);
    }
    let listed: Vec<&Value> = members(fields, "enum").collect();
    // What code generators write beside an enum to name its members.
    let named = |keyword: &str, at: usize| Some(fields.get(keyword)?.as_array()?.get(at)?.as_str()?.to_string());
    let choice = |(at, value): (usize, &&Value)| Choice {
        value: (*value).clone(),
        title: named("x-enumNames", at).or_else(|| named("x-enum-varnames", at)),
        description: named("x-enum-descriptions", at).or_else(|| text("description").filter(|_| listed.len() == 1)),
    };
    (!listed.is_empty()).then(|| listed.iter().enumerate().map(choice).collect())
}

/// The choices of a branch, and null for a branch that is null.
fn listed(branch: &NodeData) -> Option<Vec<Choice>> {
    let null = || vec![Choice { value: Value::Null, title: None, description: None }];
    branch.core.choices.clone().or_else(|| (branch.core.kinds == Kind::Null.as_kinds()).then(null))
}

fn index(core: &mut Core) {
    core.by_key = core.properties.iter().enumerate().map(|(at, field)| (field.key.clone(), at)).collect();
    let mut by_name: HashMap<String, Option<usize>> = HashMap::new();
    let call = |name: &str, at: usize, by_name: &mut HashMap<String, Option<usize>>| {
        let entry = by_name.entry(fold(name)).or_insert(Some(at));
        if *entry != Some(at) {
            *entry = None;
        }
    };
    for (at, field) in core.properties.iter().enumerate() {
        call(&field.key, at, &mut by_name);
    }
    // A title or alias never takes the name that is another's key.
    let mut others = HashMap::new();
    for (at, field) in core.properties.iter().enumerate() {
        for name in field.names.iter().skip(1).filter(|name| !by_name.contains_key(&fold(name))) {
            call(name, at, &mut others);
        }
    }
    by_name.extend(others);
    core.by_name =
        by_name.into_iter().filter_map(|(name, at)| Some((name, at?))).filter(|(name, _)| !name.is_empty()).collect();
}
