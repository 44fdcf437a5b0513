//! The engine: explicit forward and backward of a decoder, room by room.

pub mod source;
