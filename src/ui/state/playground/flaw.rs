//! What is wrong with the schema as it stands in its editor, looked at whenever its text is another one.

use super::Playground;
use crate::extract::schema::Schema;
use crate::ui::state::editor::{Editor, Place};
use crate::units::printable;

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
    /// None where the schema can be used, or nothing is typed yet.
    fn of(schema: &Editor) -> Option<Flaw> {
        if schema.len() > MOST_WATCHED {
            return None;
        }
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
            self.flaw = Flaw::of(&self.schema);
        }
    }

    /// What is wrong with the schema.
    pub fn flaw(&self) -> Option<&Flaw> {
        self.flaw.as_ref()
    }
}
