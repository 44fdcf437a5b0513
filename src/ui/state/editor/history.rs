//! What can be undone and done again: edits with what they removed and put in. What is typed or rubbed out in one go is one of them.

use std::collections::VecDeque;

use super::Place;

/// Bounds on what is kept: steps, and bytes of their texts. The latest step is always kept.
const STEPS: usize = 1_000;
const BYTES: usize = 8 << 20;
/// One go of typing is no longer.
const GO: usize = 1_024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    pub at: Place,
    pub removed: String,
    pub inserted: String,
    /// Where the cursor stood before.
    pub cursor: Place,
}

impl Edit {
    fn bytes(&self) -> usize {
        self.removed.len() + self.inserted.len()
    }
}

/// Which edits go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Typed,
    RubbedOut,
    Other,
}

#[derive(Debug, Clone, Default)]
pub struct History {
    done: VecDeque<Edit>,
    undone: Vec<Edit>,
    /// What the last edit was, while more can join it.
    open: Option<Kind>,
    bytes: usize,
}

impl History {
    /// The next edit is a step of its own.
    pub fn seal(&mut self) {
        self.open = None;
    }

    pub fn push(&mut self, edit: Edit, kind: Kind) {
        let forgotten: usize = self.undone.drain(..).map(|edit| edit.bytes()).sum();
        self.bytes = self.bytes - forgotten + edit.bytes();
        let joins = self.open == Some(kind) && self.done.back_mut().is_some_and(|last| join(last, &edit, kind));
        if !joins {
            self.done.push_back(edit);
        }
        self.open = Some(kind);
        while self.done.len() > 1 && (self.done.len() > STEPS || self.bytes > BYTES) {
            self.bytes -= self.done.pop_front().map_or(0, |edit| edit.bytes());
        }
    }

    pub fn undo(&mut self) -> Option<Edit> {
        self.seal();
        let edit = self.done.pop_back()?;
        self.undone.push(edit.clone());
        Some(edit)
    }

    pub fn redo(&mut self) -> Option<Edit> {
        self.seal();
        let edit = self.undone.pop()?;
        self.done.push_back(edit.clone());
        Some(edit)
    }
}

/// Takes an edit into the one before it where both are one go.
fn join(last: &mut Edit, edit: &Edit, kind: Kind) -> bool {
    if last.bytes() + edit.bytes() > GO {
        return false;
    }
    match kind {
        Kind::Typed if edit.removed.is_empty() && last.at.after(&last.inserted) == edit.at => {
            // A line is a step: what stands above its end is another one.
            let ends = edit.inserted.contains('\n') || last.inserted.ends_with('\n');
            if !ends {
                last.inserted.push_str(&edit.inserted);
            }
            !ends
        }
        Kind::RubbedOut if edit.at.after(&edit.removed) == last.at => {
            last.removed.insert_str(0, &edit.removed);
            last.at = edit.at;
            true
        }
        Kind::RubbedOut if edit.at == last.at => {
            last.removed.push_str(&edit.removed);
            true
        }
        _ => false,
    }
}
