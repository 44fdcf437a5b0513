//! A JSON value put together from the outside in, with an explicit stack: where the next value goes, what was changed on the way.
//! No text is read here. Next: `strict` and `repair`, which feed it.

use serde_json::{Map, Value};

use crate::extract::attempt::Change;
use crate::extract::schema::names;

/// Containers within containers beyond this are refused: dropping or walking a value recurses, so its depth is bounded here.
pub const DEPTH: usize = 512;

/// So many changes of each class are recorded one by one; those beyond are counted, so that a hostile text costs no memory.
const RECORDED: usize = 1000;

/// Room is made for at most so many fields at once.
const ROOM: usize = 32;

/// Nested deeper than [`DEPTH`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooDeep;

enum Open {
    /// The key is there from the moment it was read until its value is.
    Object(Map<String, Value>, Option<String>),
    Array(Vec<Value>),
    /// What a function was called with: one value stands for itself.
    Group(Vec<Value>),
}

/// What has been read so far.
#[derive(Default)]
pub struct Assembly {
    open: Vec<Open>,
    /// By depth, how many fields the last object had: the next one of a list mostly has as many.
    fields: Vec<usize>,
    /// Values that stand outside any container.
    roots: Vec<Value>,
    changes: Vec<Change>,
    /// Changes beyond [`RECORDED`]: kind, how many, whether one of them was lossy.
    more: Vec<(&'static str, u64, bool)>,
    recorded: [usize; 2],
}

impl Assembly {
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// # Errors
    /// The depth is used up.
    pub fn open_object(&mut self) -> Result<(), TooDeep> {
        let room = self.fields.get(self.open.len()).copied().unwrap_or(0);
        self.push(Open::Object(Map::with_capacity(room.min(ROOM)), None))
    }

    /// # Errors
    /// The depth is used up.
    pub fn open_array(&mut self) -> Result<(), TooDeep> {
        self.push(Open::Array(Vec::new()))
    }

    /// A call's arguments: a single one takes the call's place.
    /// # Errors
    /// The depth is used up.
    pub fn open_group(&mut self) -> Result<(), TooDeep> {
        self.push(Open::Group(Vec::new()))
    }

    /// What looked like an object's key was an array's item: `{1, 2}`.
    pub fn object_to_array(&mut self) {
        if let Some(open @ Open::Object(..)) = self.open.last_mut() {
            *open = Open::Array(Vec::new());
        }
    }

    fn push(&mut self, open: Open) -> Result<(), TooDeep> {
        if self.open.len() >= DEPTH {
            return Err(TooDeep);
        }
        self.open.push(open);
        Ok(())
    }

    /// The key of the value that comes next. Without an open object it is nothing.
    pub fn key(&mut self, name: String) {
        if let Some(Open::Object(_, key)) = self.open.last_mut() {
            *key = Some(name);
        }
    }

    /// The key whose value has not come.
    pub fn take_key(&mut self) -> Option<String> {
        match self.open.last_mut() {
            Some(Open::Object(_, key)) => key.take(),
            _ => None,
        }
    }

    pub fn value(&mut self, value: Value) {
        match self.open.last_mut() {
            None => self.roots.push(value),
            Some(Open::Array(items) | Open::Group(items)) => items.push(value),
            Some(Open::Object(map, key)) => {
                let Some(name) = key.take() else { return };
                // The common case costs one look-up: insert, and look only at what was there.
                match map.entry(name) {
                    serde_json::map::Entry::Vacant(entry) => {
                        entry.insert(value);
                    }
                    serde_json::map::Entry::Occupied(mut entry) => {
                        let name = entry.key().clone();
                        let after = brief(&value);
                        let before = entry.insert(value);
                        // Said twice alike loses nothing.
                        let lossy = map.get(&name) != Some(&before);
                        let mut path = self.container();
                        names::push(&mut path, &name);
                        self.change_at(path, "duplicate_key", before, after, lossy);
                    }
                }
            }
        }
    }

    /// Ends the innermost container. A key without a value is dropped: see [`Assembly::take_key`].
    pub fn close(&mut self) {
        match self.open.pop() {
            Some(Open::Object(map, _)) => {
                let depth = self.open.len();
                if self.fields.len() <= depth {
                    self.fields.resize(depth + 1, 0);
                }
                self.fields[depth] = map.len();
                self.value(Value::Object(map));
            }
            Some(Open::Array(items)) => self.value(Value::Array(items)),
            Some(Open::Group(mut items)) => {
                let value = if items.len() == 1 { items.pop() } else { None };
                self.value(value.unwrap_or(Value::Array(items)));
            }
            None => {}
        }
    }

    /// How many items or fields the innermost container holds; outside any, how many values there are.
    pub fn count(&self) -> usize {
        match self.open.last() {
            None => self.roots.len(),
            Some(Open::Array(items) | Open::Group(items)) => items.len(),
            Some(Open::Object(map, _)) => map.len(),
        }
    }

    /// Takes back the last item of the innermost array, or the last value outside any container.
    pub fn take_last(&mut self) -> Option<Value> {
        match self.open.last_mut() {
            None => self.roots.pop(),
            Some(Open::Array(items) | Open::Group(items)) => items.pop(),
            Some(Open::Object(..)) => None,
        }
    }

    pub fn last(&self) -> Option<&Value> {
        match self.open.last() {
            None => self.roots.last(),
            Some(Open::Array(items) | Open::Group(items)) => items.last(),
            Some(Open::Object(..)) => None,
        }
    }

    /// Goes on with an object that had been ended too early.
    /// # Errors
    /// The depth is used up.
    pub fn reopen(&mut self) -> Result<(), TooDeep> {
        match self.take_last() {
            Some(Value::Object(map)) => self.push(Open::Object(map, None)),
            Some(other) => {
                self.value(other);
                self.open_object()
            }
            None => self.open_object(),
        }
    }

    /// The JSON Pointer of the innermost container.
    fn container(&self) -> String {
        let outer = self.open.len().saturating_sub(1);
        path(&self.open[..outer])
    }

    /// The JSON Pointer of the place where the next value goes.
    pub fn place(&self) -> String {
        path(&self.open)
    }

    /// Records a change at the place where the next value goes.
    pub fn change(&mut self, kind: &'static str, before: Value, after: Value, lossy: bool) {
        if self.counted(kind, lossy) {
            let path = self.place();
            self.changes.push(Change { path, kind: kind.to_owned(), before, after, lossy });
        }
    }

    /// Records a change of the innermost container itself: its commas, its brackets.
    pub fn change_container(&mut self, kind: &'static str, before: Value, after: Value, lossy: bool) {
        if self.counted(kind, lossy) {
            let path = self.container();
            self.changes.push(Change { path, kind: kind.to_owned(), before, after, lossy });
        }
    }

    /// Records a change at a place that was taken down before.
    pub fn change_at(&mut self, path: String, kind: &'static str, before: Value, after: Value, lossy: bool) {
        if self.counted(kind, lossy) {
            self.changes.push(Change { path, kind: kind.to_owned(), before, after, lossy });
        }
    }

    /// Whether a change is recorded by itself.
    fn counted(&mut self, kind: &'static str, lossy: bool) -> bool {
        let recorded = &mut self.recorded[usize::from(lossy)];
        if *recorded < RECORDED {
            *recorded += 1;
            return true;
        }
        match self.more.iter_mut().find(|(other, _, _)| *other == kind) {
            Some((_, times, any)) => {
                *times += 1;
                *any |= lossy;
            }
            None => self.more.push((kind, 1, lossy)),
        }
        false
    }

    /// The first value and what was changed, and nothing of it is left.
    pub fn take(&mut self) -> (Value, Vec<Change>) {
        self.end();
        let value = self.roots.drain(..).next().unwrap_or_default();
        self.recorded = [0; 2];
        (value, std::mem::take(&mut self.changes))
    }

    /// The values and what was changed.
    pub fn finish(mut self) -> (Vec<Value>, Vec<Change>) {
        self.end();
        (self.roots, self.changes)
    }

    fn end(&mut self) {
        while !self.open.is_empty() {
            self.close();
        }
        for (kind, times, lossy) in std::mem::take(&mut self.more) {
            let after = Value::from(format!("{times} more such changes"));
            self.changes.push(Change { path: String::new(), kind: kind.to_owned(), before: Value::Null, after, lossy });
        }
    }
}

/// The path to what comes next in the innermost of these containers, each within the one before.
fn path(containers: &[Open]) -> String {
    let mut path = String::new();
    for open in containers {
        match open {
            Open::Array(items) => names::push(&mut path, &items.len().to_string()),
            Open::Object(_, Some(key)) => names::push(&mut path, key),
            Open::Object(_, None) | Open::Group(_) => {}
        }
    }
    path
}

/// A scalar as it is; of a container only its form, or the copies of nested containers would add up to the square of the text.
fn brief(value: &Value) -> Value {
    match value {
        Value::Array(_) => Value::from("[…]"),
        Value::Object(_) => Value::from("{…}"),
        scalar => scalar.clone(),
    }
}
