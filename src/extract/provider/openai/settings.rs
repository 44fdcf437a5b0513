//! Where a server is, how patient to be with it, and its key.

use std::fmt;
use std::time::Duration;

/// A key that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub(super) String);

impl Key {
    /// None for a key of white space.
    pub fn new(key: &str) -> Option<Key> {
        let key = key.trim();
        (!key.is_empty()).then(|| Key(key.to_string()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(hidden)")
    }
}

/// Where a server is and how patient to be with it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Up to `/v1`, as OpenAI's own libraries take it.
    pub base_url: String,
    pub model: String,
    pub key: Option<Key>,
    pub connect_limit: Duration,
    /// The longest silence between two pieces of an answer. Before its first, a server may still be reading a long prompt.
    pub silence_limit: Duration,
    /// The longest that one answer may take in all.
    pub total_limit: Duration,
    /// Tries after the first, on 429, 5xx, and connections that fail or are cut.
    pub max_retries: u32,
    /// The first wait before a new try; it doubles each time. A server's `Retry-After` is kept where it is longer.
    pub backoff: Duration,
    /// A longer wait than this is not made: the server's refusal is told instead.
    pub longest_wait: Duration,
}

impl Settings {
    pub fn new(base_url: &str, model: &str, key: Option<Key>) -> Self {
        Settings {
            base_url: base_url.to_string(),
            model: model.to_string(),
            key,
            connect_limit: Duration::from_secs(5),
            silence_limit: Duration::from_secs(60),
            total_limit: Duration::from_secs(600),
            max_retries: 4,
            backoff: Duration::from_millis(500),
            longest_wait: Duration::from_secs(60),
        }
    }
}
