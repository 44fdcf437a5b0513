//! The screen as values: state, update, view.
