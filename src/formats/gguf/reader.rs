//! The bytes of a GGUF header, in order, each length compared with what is left before it is believed.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use super::value::{Array, Strings, Value};
use crate::formats::FormatError;

/// Headers end before this many bytes: the largest vocabularies in use need a tenth of it.
const HEADER_LIMIT: u64 = 256 << 20;
const KEY_LIMIT: u64 = 65_535;
/// Arrays of arrays go no deeper than this.
const DEPTH_LIMIT: usize = 4;

/// Reads a header from its beginning. `at` is the place in the file, `end` the first byte that cannot belong to the
/// header.
pub(super) struct Reader<'a> {
    path: &'a Path,
    bytes: BufReader<File>,
    at: u64,
    end: u64,
    file_len: u64,
}

impl<'a> Reader<'a> {
    pub fn new(path: &'a Path, file: File, file_len: u64) -> Self {
        Self { path, bytes: BufReader::with_capacity(1 << 16, file), at: 0, end: file_len.min(HEADER_LIMIT), file_len }
    }

    pub fn at(&self) -> u64 {
        self.at
    }

    pub fn error(&self, field: &str, expected: impl Into<String>, found: impl Into<String>) -> FormatError {
        FormatError::unexpected(self.path, field, expected, found)
    }

    /// A count of things that take at least `least` bytes each, believed only if that many can follow.
    pub fn count(&mut self, field: &str, least: u64) -> Result<usize, FormatError> {
        let count = self.u64(field)?;
        let room = (self.end - self.at) / least;
        if count > room {
            return Err(self.error(field, format!("at most {room} ({})", self.left()), count.to_string()));
        }
        Ok(count as usize)
    }

    pub fn u32(&mut self, field: &str) -> Result<u32, FormatError> {
        self.fixed(field).map(u32::from_le_bytes)
    }

    pub fn u64(&mut self, field: &str) -> Result<u64, FormatError> {
        self.fixed(field).map(u64::from_le_bytes)
    }

    pub fn key(&mut self, field: &str) -> Result<String, FormatError> {
        self.string(field, KEY_LIMIT)
    }

    pub fn value(&mut self, field: &str) -> Result<Value, FormatError> {
        let kind = self.u32(&format!("{field}: type"))?;
        Ok(match kind {
            0 => Value::U8(self.fixed::<1>(field)?[0]),
            1 => Value::I8(i8::from_le_bytes(self.fixed(field)?)),
            2 => Value::U16(u16::from_le_bytes(self.fixed(field)?)),
            3 => Value::I16(i16::from_le_bytes(self.fixed(field)?)),
            4 => Value::U32(self.u32(field)?),
            5 => Value::I32(i32::from_le_bytes(self.fixed(field)?)),
            6 => Value::F32(f32::from_le_bytes(self.fixed(field)?)),
            7 => Value::Bool(self.bool(field)?),
            8 => Value::String(self.string(field, u64::MAX)?),
            9 => Value::Array(self.array(field, 0)?),
            10 => Value::U64(self.u64(field)?),
            11 => Value::I64(i64::from_le_bytes(self.fixed(field)?)),
            12 => Value::F64(f64::from_le_bytes(self.fixed(field)?)),
            other => return Err(self.unknown_type(field, other)),
        })
    }

    fn array(&mut self, field: &str, depth: usize) -> Result<Array, FormatError> {
        if depth == DEPTH_LIMIT {
            return Err(self.error(field, format!("arrays nested at most {DEPTH_LIMIT} deep"), "a deeper one"));
        }
        let kind = self.u32(&format!("{field}: element type"))?;
        let least = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            8 | 10..=12 => 8,
            9 => 12,
            other => return Err(self.unknown_type(field, other)),
        };
        let count = self.count(&format!("{field}: length"), least)?;
        match kind {
            8 => return self.strings(field, count).map(Array::String),
            9 => {
                // grown as elements prove to be there: an element in memory is larger than the least one in the file
                let mut arrays = Vec::new();
                for _ in 0..count {
                    arrays.push(self.array(field, depth + 1)?);
                }
                return Ok(Array::Array(arrays));
            }
            _ => {}
        }
        let raw = self.bytes(field, count as u64 * least)?;
        Ok(match kind {
            0 => Array::U8(raw),
            1 => Array::I8(each(&raw, i8::from_le_bytes)),
            2 => Array::U16(each(&raw, u16::from_le_bytes)),
            3 => Array::I16(each(&raw, i16::from_le_bytes)),
            4 => Array::U32(each(&raw, u32::from_le_bytes)),
            5 => Array::I32(each(&raw, i32::from_le_bytes)),
            6 => Array::F32(each(&raw, f32::from_le_bytes)),
            10 => Array::U64(each(&raw, u64::from_le_bytes)),
            11 => Array::I64(each(&raw, i64::from_le_bytes)),
            12 => Array::F64(each(&raw, f64::from_le_bytes)),
            _ => match raw.iter().find(|&&b| b > 1) {
                Some(b) => return Err(self.error(field, "bools of 0 or 1", b.to_string())),
                None => Array::Bool(raw.iter().map(|&b| b == 1).collect()),
            },
        })
    }

    fn strings(&mut self, field: &str, count: usize) -> Result<Strings, FormatError> {
        let mut strings = Strings::default();
        for _ in 0..count {
            strings.push(&self.string(field, u64::MAX)?);
        }
        Ok(strings)
    }

    fn bool(&mut self, field: &str) -> Result<bool, FormatError> {
        match self.fixed::<1>(field)?[0] {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.error(field, "a bool of 0 or 1", other.to_string())),
        }
    }

    fn string(&mut self, field: &str, limit: u64) -> Result<String, FormatError> {
        let len = self.u64(field)?;
        if len > limit {
            return Err(self.error(field, format!("a text of at most {limit} bytes"), format!("one of {len}")));
        }
        let raw = self.bytes(field, len)?;
        String::from_utf8(raw).map_err(|e| {
            let at = e.utf8_error().valid_up_to();
            self.error(field, "UTF-8", format!("a byte that is none, {at} bytes into the text"))
        })
    }

    fn fixed<const N: usize>(&mut self, field: &str) -> Result<[u8; N], FormatError> {
        self.room(field, N as u64)?;
        let mut raw = [0; N];
        self.bytes.read_exact(&mut raw).map_err(|e| FormatError::io(self.path, e))?;
        self.at += N as u64;
        Ok(raw)
    }

    fn bytes(&mut self, field: &str, len: u64) -> Result<Vec<u8>, FormatError> {
        self.room(field, len)?;
        let mut raw = vec![0; len as usize];
        self.bytes.read_exact(&mut raw).map_err(|e| FormatError::io(self.path, e))?;
        self.at += len;
        Ok(raw)
    }

    fn room(&self, field: &str, len: u64) -> Result<(), FormatError> {
        if len > self.end - self.at {
            return Err(self.error(field, format!("{len} bytes at byte {}", self.at), self.left()));
        }
        Ok(())
    }

    /// What is left, and whether the file or the limit ends it.
    fn left(&self) -> String {
        let left = self.end - self.at;
        if self.end == self.file_len {
            format!("{left} bytes are left of the file's {}", self.file_len)
        } else {
            format!("{left} bytes are left of the {HEADER_LIMIT} that a header may have")
        }
    }

    fn unknown_type(&self, field: &str, kind: u32) -> FormatError {
        self.error(&format!("{field}: type"), "a metadata type from 0 to 12", kind.to_string())
    }
}

fn each<const N: usize, T>(raw: &[u8], read: fn([u8; N]) -> T) -> Vec<T> {
    raw.as_chunks::<N>().0.iter().map(|&c| read(c)).collect()
}
