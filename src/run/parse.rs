//! A line of the log as an event. What a log is full of is read field by field in one pass; all else, and whatever is not as we write it,
//! goes the way that `Stamped` itself says, which first gathers the whole line. Both ways give the same event for the same line.
//! Where lines begin and end is in `replay`.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use crate::event::{RunEvent, Stamped};

/// Why a line is no event.
#[derive(Debug, PartialEq)]
pub(super) enum NoEvent {
    /// An event of another version; its place in the stream counts.
    Unknown {
        seq: u64,
        elapsed_ms: u64,
    },
    Broken,
}

pub(super) fn parse(line: &[u8]) -> Result<Stamped, NoEvent> {
    // One look at all characters is quicker than one at each name.
    match std::str::from_utf8(line).ok().map(serde_json::from_str) {
        Some(Ok(Quick(stamped))) => Ok(stamped),
        _ => thoroughly(line),
    }
}

fn thoroughly(line: &[u8]) -> Result<Stamped, NoEvent> {
    #[derive(Deserialize)]
    struct Place {
        seq: u64,
        elapsed_ms: u64,
    }
    serde_json::from_slice(line).map_err(|_| match serde_json::from_slice(line) {
        Ok(Place { seq, elapsed_ms }) => NoEvent::Unknown { seq, elapsed_ms },
        Err(_) => NoEvent::Broken,
    })
}

/// A line exactly as we write it: place and name first, then the fields of an event that comes often, and no others.
struct Quick(Stamped);

impl<'de> Deserialize<'de> for Quick {
    fn deserialize<D: Deserializer<'de>>(line: D) -> Result<Self, D::Error> {
        line.deserialize_map(Quickly)
    }
}

struct Quickly;

impl<'de> Visitor<'de> for Quickly {
    type Value = Quick;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a line as we write it")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Quick, A::Error> {
        let seq = named(&mut fields, "seq")?;
        let elapsed_ms = named(&mut fields, "elapsed_ms")?;
        let event = match named(&mut fields, "event")? {
            "micro_batch_done" => RunEvent::MicroBatchDone(rest(fields)?),
            "step_done" => RunEvent::StepDone(rest(fields)?),
            "memory_sampled" => RunEvent::MemorySampled(rest(fields)?),
            "eval_done" => RunEvent::EvalDone(rest(fields)?),
            "checkpoint_saved" => RunEvent::CheckpointSaved(rest(fields)?),
            _ => return Err(A::Error::custom("a rare event")),
        };
        Ok(Quick(Stamped { seq, elapsed_ms, event }))
    }
}

/// The value of the next field, if that is its name.
fn named<'de, T: Deserialize<'de>, A: MapAccess<'de>>(fields: &mut A, name: &str) -> Result<T, A::Error> {
    match fields.next_key::<&str>()? {
        Some(next) if next == name => fields.next_value(),
        _ => Err(A::Error::custom("another order of fields")),
    }
}

fn rest<'de, T: Deserialize<'de>, A: MapAccess<'de>>(fields: A) -> Result<T, A::Error> {
    T::deserialize(MapAccessDeserializer::new(Known(fields)))
}

/// Fields, each of which must be known. What is passed over is not looked at as closely as the other way does (its characters, its depth),
/// and a place that is said twice would go unseen.
struct Known<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Known<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        // What a field is read into has a size; `IgnoredAny` has none.
        if size_of::<V::Value>() == 0 {
            return Err(A::Error::custom("an unknown field"));
        }
        self.0.next_value_seed(seed)
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
