//! What needs model and text together.
