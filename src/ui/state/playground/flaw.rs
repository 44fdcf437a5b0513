//! What is wrong with the schema as it stands in its editor, looked at whenever its text is another one.

use super::Playground;
use crate::extract::schema::Schema;
use crate::ui::state::editor::{Editor, Place};
use crate::units::{beginning, printable};

/// A longer schema, in bytes, is looked at when a trial begins and not with each key: reading it takes longer than typing does.
const MOST_WATCHED: usize = 128 << 10;

/// A mistake in the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// From where to where, where it has a place; both the same where something is missing.
    pub place: Option<(Place, Place)>,
    /// What was expected, and found; printable.
    pub what: String,
}

impl Flaw {
    /// Where it is for a person, line and column in characters from 1, and what.
    pub fn told(&self, schema: &Editor) -> String {
        let Some((Place { line, byte }, _)) = self.place else { return self.what.clone() };
        let text = schema.lines().get(line).map_or("", |line| beginning(line, byte));
        format!("line {}, column {}: {}", line + 1, text.chars().count() + 1, self.what)
    }

    /// None where the schema can be used, or nothing is typed yet.
    fn watched(schema: &Editor) -> Option<Flaw> {
        if schema.len() > MOST_WATCHED { None } else { Flaw::of(schema) }
    }

    fn of(schema: &Editor) -> Option<Flaw> {
        let text = schema.text();
        if text.trim().is_empty() {
            return None;
        }
        let error = Schema::parse(&text).err()?;
        let place = error.place(&text).map(|bytes| (schema.place(bytes.start), schema.place(bytes.end)));
        Some(Flaw { place, what: printable(&error.what()) })
    }
}

impl Playground {
    /// Looks at the schema, where it is not the one that was looked at last.
    pub(in crate::ui) fn look_at_schema(&mut self) {
        let revision = self.schema.revision();
        if self.flaw_revision.replace(revision) != Some(revision) {
            self.flaw = Flaw::watched(&self.schema);
        }
    }

    /// Why nothing can be asked with the schema as it stands, an empty one too; for a person.
    pub(in crate::ui) fn schema_is_wrong(&self) -> Option<String> {
        let why = Schema::parse(&self.schema.text()).err()?;
        let told = Flaw::of(&self.schema).map_or_else(|| printable(&why.to_string()), |flaw| flaw.told(&self.schema));
        Some(format!("the schema, {told}"))
    }

    /// What is wrong with the schema.
    pub fn flaw(&self) -> Option<&Flaw> {
        self.flaw.as_ref()
    }
}
