//! The terminal loop.
