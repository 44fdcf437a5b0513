//! A TOML file and its overrides to a validated `RunConfig`, with errors that name file, line and the nearest valid name.
