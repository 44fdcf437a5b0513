//! What a run said, as entries that can be read one by one, and how a person looks at them: filter, search, selection.
//! Keys are in `update::log`, how it looks is `view::log`.

#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogView {}
