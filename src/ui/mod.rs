//! The screen as values: `update(state, message) -> effects` and `view(state, theme, frame)`, both without side effects; time comes in
//! as a message. No terminal, no thread, no file, and nothing of the engine lives here: `app` carries the effects out. A run is
//! known by its event stream alone. Read `state`, then `update`, then `view`.

pub mod format;
pub mod help;
pub mod keymap;
pub mod keys;
pub mod message;
pub mod state;
pub mod theme;
pub mod update;
pub mod view;
pub mod widgets;

pub use message::{Clock, Effect, ExportForm, Fetching, Key, Message, Mouse, MouseKind, NotWritten, Preferred};
pub use state::State;
pub use theme::Theme;
pub use update::update;
pub use view::view;
