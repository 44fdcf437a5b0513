//! The command palette: a few letters, and the actions that they find. Keys are in `update::palette`, how it looks is `view::palette`.

use super::field::Field;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Palette {
    pub query: Field,
    /// Of the actions found, by its place.
    pub selected: usize,
}
