//! A place of the schema as the stages see it: references followed, kinds, properties with their names, items, branches, choices.
//! A view, copied freely; built in `build`.

use std::fmt;
use std::ops::{BitAnd, BitOr};

use serde_json::Value;

use super::build::{Core, NodeData, Remaining};
use super::{Schema, names};

/// What a JSON value is. An integer is a number without a fraction; a schema's `number` takes both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    pub const ALL: [Kind; 7] =
        [Kind::Null, Kind::Boolean, Kind::Integer, Kind::Number, Kind::String, Kind::Array, Kind::Object];

    /// The kind of a value; `1.0` is an integer, as in JSON Schema.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Boolean,
            Value::Number(n) if n.is_f64() && n.as_f64().is_none_or(|n| n.fract() != 0.0) => Kind::Number,
            Value::Number(_) => Kind::Integer,
            Value::String(_) => Kind::String,
            Value::Array(_) => Kind::Array,
            Value::Object(_) => Kind::Object,
        }
    }

    /// The set of this kind alone.
    pub fn as_kinds(self) -> Kinds {
        Kinds(1 << self as u8)
    }

    /// As a schema names it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Boolean => "boolean",
            Kind::Integer => "integer",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Array => "array",
            Kind::Object => "object",
        }
    }
}

/// A set of kinds.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kinds(u8);

impl Kinds {
    pub const NONE: Kinds = Kinds(0);
    pub const ANY: Kinds = Kinds(0b111_1111);

    pub fn contains(self, kind: Kind) -> bool {
        self.0 & kind.as_kinds().0 != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Without this kind.
    pub fn without(self, kind: Kind) -> Self {
        Kinds(self.0 & !kind.as_kinds().0)
    }

    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl Default for Kinds {
    fn default() -> Self {
        Kinds::ANY
    }
}

impl BitAnd for Kinds {
    type Output = Kinds;
    fn bitand(self, other: Kinds) -> Kinds {
        Kinds(self.0 & other.0)
    }
}

impl BitOr for Kinds {
    type Output = Kinds;
    fn bitor(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// One of the values that `enum`, `const`, or branches of them allow.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub value: Value,
    pub title: Option<String>,
    pub description: Option<String>,
}

/// What holds for the fields or items that are not listed by themselves.
#[derive(Debug, Clone, Copy)]
pub enum Rest<'s> {
    Any,
    Forbidden,
    Node(Node<'s>),
}

/// A place of a schema.
#[derive(Clone, Copy)]
pub struct Node<'s> {
    schema: &'s Schema,
    id: usize,
}

/// A property of an object.
#[derive(Debug, Clone, Copy)]
pub struct Property<'s> {
    pub key: &'s str,
    pub required: bool,
    pub node: Node<'s>,
    /// What it may be called in free text: its key, its key in words, its title and aliases. Compare by [`names::fold`].
    pub names: &'s [String],
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({}, {:?})", self.id, self.kinds())
    }
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.core(), other.core())
    }
}

impl<'s> Node<'s> {
    pub(super) fn new(schema: &'s Schema, id: usize) -> Self {
        Node { schema, id }
    }

    fn data(self) -> &'s NodeData {
        self.schema.data(self.id)
    }

    fn core(self) -> &'s Core {
        &self.data().core
    }

    fn at(self, id: usize) -> Node<'s> {
        Node { schema: self.schema, id }
    }

    /// A number that is this place's alone within the schema.
    pub fn id(self) -> usize {
        self.id
    }

    /// The kinds of value that it takes, branches counted.
    pub fn kinds(self) -> Kinds {
        self.core().kinds
    }

    /// Whether it takes values of this kind; of [`Kind::Integer`] a schema's `number` takes as well.
    pub fn accepts(self, kind: Kind) -> bool {
        self.kinds().contains(kind)
    }

    pub fn title(self) -> Option<&'s str> {
        self.data().title.as_deref()
    }

    pub fn description(self) -> Option<&'s str> {
        self.data().description.as_deref()
    }

    pub fn default(self) -> Option<&'s Value> {
        self.data().default.as_ref()
    }

    /// The name of the definition that it refers to.
    pub fn name(self) -> Option<&'s str> {
        self.data().name.as_deref()
    }

    pub fn format(self) -> Option<&'s str> {
        self.core().format.as_deref()
    }

    /// Bounds, lengths and patterns: keyword and value.
    pub fn limits(self) -> &'s [(String, Value)] {
        &self.core().limits
    }

    /// Whether a text is long enough and has the form of the patterns that are known.
    pub fn takes_text(self, text: &str) -> bool {
        let least = self.limits().iter().filter(|(keyword, _)| keyword == "minLength").filter_map(|(_, n)| n.as_u64());
        let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        least.max().is_none_or(|least| length >= least) && self.core().forms.iter().all(|form| form.is_match(text))
    }

    /// The properties in the schema's order.
    pub fn properties(self) -> impl ExactSizeIterator<Item = Property<'s>> + Clone {
        (0..self.core().properties.len()).map(move |at| self.property_at(at))
    }

    fn property_at(self, at: usize) -> Property<'s> {
        let field = &self.core().properties[at];
        Property { key: &field.key, required: field.required, node: self.at(field.node), names: &field.names }
    }

    /// The property with exactly this key.
    pub fn property(self, key: &str) -> Option<Property<'s>> {
        let core = self.core();
        // Of a few, comparing is quicker than hashing, and this is asked of every field.
        let at = match core.properties.len() {
            0..=12 => core.properties.iter().position(|field| field.key == key),
            _ => core.by_key.get(key).copied(),
        };
        at.map(|at| self.property_at(at))
    }

    /// The property that this name means: by key, or by any of its names in whatever case, width and way of joining words. None where
    /// it could mean two.
    pub fn called(self, name: &str) -> Option<Property<'s>> {
        self.property(name).or_else(|| self.core().by_name.get(&names::fold(name)).map(|at| self.property_at(*at)))
    }

    /// The property that a name means but for the bracket at its end, `Price (USD)`; none where it means one with it.
    pub fn called_but_for_bracket(self, name: &str) -> Option<Property<'s>> {
        let bare = names::without_bracket(name)?;
        if self.called(name).is_some() { None } else { self.called(bare) }
    }

    /// All names that must be there, those without a schema of their own too.
    pub fn required(self) -> &'s [String] {
        &self.core().required
    }

    /// What holds for the field with this key: its own schema, that of a pattern, or what holds for the rest.
    pub fn field(self, key: &str) -> Rest<'s> {
        let core = self.core();
        if let Some(property) = self.property(key) {
            return Rest::Node(property.node);
        }
        let by_pattern = core.patterns.iter().find(|(pattern, _)| pattern.is_match(key));
        by_pattern.map_or(self.additional(), |(_, node)| Rest::Node(self.at(*node)))
    }

    /// What holds for fields that no property and no pattern names.
    pub fn additional(self) -> Rest<'s> {
        self.rest(self.core().additional)
    }

    fn rest(self, remaining: Remaining) -> Rest<'s> {
        match remaining {
            Remaining::Any => Rest::Any,
            Remaining::Forbidden => Rest::Forbidden,
            Remaining::Node(id) => Rest::Node(self.at(id)),
        }
    }

    /// The schemas of the first items, each its own (`prefixItems`).
    pub fn prefix_items(self) -> impl ExactSizeIterator<Item = Node<'s>> + Clone {
        self.core().prefix.iter().map(move |id| self.at(*id))
    }

    /// What holds for the items after those of [`Node::prefix_items`]: of most arrays, for all.
    pub fn items(self) -> Rest<'s> {
        self.rest(self.core().items)
    }

    /// What holds for the item at this index.
    pub fn item(self, index: usize) -> Rest<'s> {
        self.core().prefix.get(index).map_or(self.items(), |id| Rest::Node(self.at(*id)))
    }

    /// The alternatives of `anyOf` or `oneOf`, in order; none where there is only one way.
    pub fn branches(self) -> impl ExactSizeIterator<Item = Node<'s>> + Clone {
        self.core().branches.iter().map(move |id| self.at(*id))
    }

    /// The values allowed, where they are listed; of alternatives, where each lists its own.
    pub fn choices(self) -> Option<&'s [Choice]> {
        self.core().choices.as_deref()
    }
}
