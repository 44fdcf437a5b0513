//! Things that are drawn in more than one place, or are worth a file: text that stays in its area, panels, bars, charts.
//! They know roles and glyphs, and nothing of a run.

pub mod bars;
pub mod canvas;
pub mod chart;
pub mod editor;
pub mod field;
pub mod pen;
pub mod score;
pub mod stack;
pub mod timeline;

pub use pen::{Pen, Words, words};
