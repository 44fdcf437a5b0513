//! GGUF files as a format: metadata by key and the place of every tensor. The bytes of tensors stay where they are;
//! which tensors a model needs is the business of `model`. Layout: the GGUF specification of ggml, versions 2 and 3,
//! little-endian.

mod ggml_type;
mod reader;
mod value;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

pub use ggml_type::GgmlType;
pub use value::{Array, Strings, Value};

use super::{FormatError, open_regular, short};
use reader::Reader;

const MAGIC: u32 = u32::from_le_bytes(*b"GGUF");
const DEFAULT_ALIGNMENT: u64 = 32;
/// A metadata entry is at least a key's length, a type and one byte.
const LEAST_ENTRY: u64 = 8 + 4 + 1;
/// A tensor's entry is at least a name's length, a count of dimensions, one dimension, a type and an offset.
const LEAST_TENSOR: u64 = 8 + 4 + 8 + 4 + 8;
const MAX_DIMENSIONS: u32 = 4;

/// The header of a GGUF file, checked against the file's length.
#[derive(Debug, Clone)]
pub struct Gguf {
    pub path: PathBuf,
    pub version: u32,
    pub metadata: BTreeMap<String, Value>,
    /// In the order of the file.
    pub tensors: Vec<GgufTensor>,
}

/// Where a tensor lies: `len` bytes at `offset` of the file, all of them within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GgufTensor {
    pub name: String,
    /// Outermost dimension first, as in PyTorch: `[out, in]` for a projection. (The file has it the other way round.)
    pub shape: Vec<usize>,
    pub dtype: GgmlType,
    /// Absolute, in bytes from the start of the file.
    pub offset: u64,
    /// In bytes.
    pub len: u64,
}

impl GgufTensor {
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

impl Gguf {
    /// Reads the header of a GGUF file; the tensors' bytes are not touched.
    /// # Errors
    /// A file that cannot be read, is of another kind, is cut off, or whose counts, lengths, types, names or offsets
    /// cannot be true, with the field. Found before anything of the claimed size is allocated.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FormatError> {
        let path = path.as_ref();
        let (file, file_len) = open_regular(path)?;
        let mut reader = Reader::new(path, file, file_len);
        let version = version(&mut reader)?;
        let tensor_count = reader.count("tensor count", LEAST_TENSOR)?;
        let entries = reader.count("metadata count", LEAST_ENTRY)?;
        let metadata = metadata(&mut reader, entries)?;
        let mut gguf = Gguf { path: path.into(), version, metadata, tensors: Vec::new() };
        let alignment = gguf.alignment()?;
        gguf.tensors = tensors(&mut reader, tensor_count, alignment)?;
        gguf.place(reader.at().next_multiple_of(alignment), file_len)?;
        Ok(gguf)
    }

    /// The tensor of that name.
    /// # Errors
    /// [`FormatError::Missing`], naming file and tensor.
    pub fn tensor(&self, name: &str) -> Result<&GgufTensor, FormatError> {
        let found = self.tensors.iter().find(|t| t.name == name);
        found.ok_or_else(|| FormatError::missing(&self.path, &format!("tensor `{name}`")))
    }

    /// The value of a metadata key.
    /// # Errors
    /// [`FormatError::Missing`], naming file and key. The getters below give it too; [`super::optional`] makes it
    /// `None`.
    pub fn value(&self, key: &str) -> Result<&Value, FormatError> {
        self.metadata.get(key).ok_or_else(|| FormatError::missing(&self.path, &format!("metadata `{key}`")))
    }

    /// An integer of any width that fits.
    /// # Errors
    /// A key that is missing or holds something else; so for all getters.
    pub fn u32(&self, key: &str) -> Result<u32, FormatError> {
        let value = self.value(key)?;
        let found = value.as_integer().and_then(|i| u32::try_from(i).ok());
        found.ok_or_else(|| self.wrong(key, "an integer from 0 to 4294967295", value))
    }

    /// An integer of any width that fits.
    /// # Errors
    /// As [`Gguf::u32`].
    pub fn u64(&self, key: &str) -> Result<u64, FormatError> {
        let value = self.value(key)?;
        let found = value.as_integer().and_then(|i| u64::try_from(i).ok());
        found.ok_or_else(|| self.wrong(key, "an integer that is not negative", value))
    }

    /// A float; one of 64 bits is rounded.
    /// # Errors
    /// As [`Gguf::u32`].
    pub fn f32(&self, key: &str) -> Result<f32, FormatError> {
        match self.value(key)? {
            Value::F32(v) => Ok(*v),
            Value::F64(v) => Ok(*v as f32),
            other => Err(self.wrong(key, "a float", other)),
        }
    }

    /// # Errors
    /// As [`Gguf::u32`].
    pub fn bool(&self, key: &str) -> Result<bool, FormatError> {
        match self.value(key)? {
            Value::Bool(v) => Ok(*v),
            other => Err(self.wrong(key, "a bool", other)),
        }
    }

    /// # Errors
    /// As [`Gguf::u32`].
    pub fn string(&self, key: &str) -> Result<&str, FormatError> {
        match self.value(key)? {
            Value::String(v) => Ok(v),
            other => Err(self.wrong(key, "a string", other)),
        }
    }

    /// # Errors
    /// As [`Gguf::u32`].
    pub fn array(&self, key: &str) -> Result<&Array, FormatError> {
        match self.value(key)? {
            Value::Array(v) => Ok(v),
            other => Err(self.wrong(key, "an array", other)),
        }
    }

    /// # Errors
    /// As [`Gguf::u32`].
    pub fn str_array(&self, key: &str) -> Result<&Strings, FormatError> {
        match self.value(key)? {
            Value::Array(Array::String(v)) => Ok(v),
            other => Err(self.wrong(key, "an array of strings", other)),
        }
    }

    /// Integers of any width.
    /// # Errors
    /// As [`Gguf::u32`].
    pub fn int_array(&self, key: &str) -> Result<Vec<i64>, FormatError> {
        let value = self.value(key)?;
        let found = if let Value::Array(v) = value { v.integers() } else { None };
        found.ok_or_else(|| self.wrong(key, "an array of integers", value))
    }

    /// # Errors
    /// As [`Gguf::u32`].
    pub fn f32_array(&self, key: &str) -> Result<&[f32], FormatError> {
        match self.value(key)? {
            Value::Array(Array::F32(v)) => Ok(v),
            other => Err(self.wrong(key, "an array of f32", other)),
        }
    }

    /// The error for a metadata key whose value is well-formed and still cannot be used.
    pub fn wrong(&self, key: &str, expected: impl Into<String>, found: &Value) -> FormatError {
        let shown = match found {
            Value::String(text) => format!("`{}`", short(text)),
            Value::F32(v) => format!("{v}"),
            Value::F64(v) => format!("{v}"),
            Value::Bool(v) => format!("{v}"),
            other => other.as_integer().map_or_else(|| other.kind(), |i| i.to_string()),
        };
        FormatError::unexpected(&self.path, &format!("metadata `{key}`"), expected, shown)
    }

    fn alignment(&self) -> Result<u64, FormatError> {
        const KEY: &str = "general.alignment";
        let alignment = super::optional(self.u32(KEY))?.map_or(DEFAULT_ALIGNMENT, u64::from);
        if !alignment.is_power_of_two() {
            return Err(self.wrong(KEY, "a power of two", self.value(KEY)?));
        }
        Ok(alignment)
    }

    /// Makes offsets absolute. Tensors must lie within the file and apart from each other.
    fn place(&mut self, data_start: u64, file_len: u64) -> Result<(), FormatError> {
        for tensor in &mut self.tensors {
            let end = data_start.checked_add(tensor.offset).and_then(|o| o.checked_add(tensor.len));
            if end.is_none_or(|end| end > file_len) {
                let expected = format!("at most the file's length of {file_len} bytes");
                let found = end.map_or("more than fits 64 bits".into(), |end| end.to_string());
                let field = format!("tensor `{}`: end", tensor.name);
                return Err(FormatError::unexpected(&self.path, &field, expected, found));
            }
            tensor.offset += data_start;
        }
        let mut order: Vec<&GgufTensor> = self.tensors.iter().collect();
        order.sort_by_key(|t| t.offset);
        for pair in order.windows(2) {
            let end = pair[0].offset + pair[0].len;
            if pair[1].offset < end {
                let expected = format!("byte {end} or later, where `{}` ends", short(&pair[0].name));
                let field = format!("tensor `{}`: offset", pair[1].name);
                return Err(FormatError::unexpected(&self.path, &field, expected, pair[1].offset.to_string()));
            }
        }
        Ok(())
    }
}

fn version(reader: &mut Reader) -> Result<u32, FormatError> {
    let magic = reader.u32("magic")?;
    if magic != MAGIC {
        let found = magic.to_le_bytes().escape_ascii().to_string();
        return Err(reader.error("magic", "`GGUF`, the start of a GGUF file", format!("`{found}`")));
    }
    let version = reader.u32("version")?;
    match version {
        2 | 3 => Ok(version),
        v if matches!(v.swap_bytes(), 1..=3) => {
            Err(reader.error("version", "2 or 3, little-endian", format!("{}, big-endian", v.swap_bytes())))
        }
        v => Err(reader.error("version", "2 or 3", v.to_string())),
    }
}

fn metadata(reader: &mut Reader, count: usize) -> Result<BTreeMap<String, Value>, FormatError> {
    let mut metadata = BTreeMap::new();
    for n in 0..count {
        let key = reader.key(&format!("metadata entry {n}: key"))?;
        let field = format!("metadata `{key}`");
        let value = reader.value(&field)?;
        if metadata.insert(key, value).is_some() {
            return Err(reader.error(&field, "each key once", "a second one"));
        }
    }
    Ok(metadata)
}

/// The tensors' entries, offsets still counted from the start of the data.
fn tensors(reader: &mut Reader, count: usize, alignment: u64) -> Result<Vec<GgufTensor>, FormatError> {
    let mut tensors = Vec::with_capacity(count.min(4096));
    let mut names = HashSet::new();
    for n in 0..count {
        let tensor = tensor(reader, n, alignment)?;
        if !names.insert(tensor.name.clone()) {
            return Err(reader.error(&format!("tensor `{}`", tensor.name), "each name once", "a second one"));
        }
        tensors.push(tensor);
    }
    Ok(tensors)
}

fn tensor(reader: &mut Reader, n: usize, alignment: u64) -> Result<GgufTensor, FormatError> {
    let name = reader.key(&format!("tensor {n}: name"))?;
    let field = format!("tensor `{name}`");
    let dimensions = reader.u32(&format!("{field}: count of dimensions"))?;
    if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
        let field = format!("{field}: count of dimensions");
        return Err(reader.error(&field, format!("1 to {MAX_DIMENSIONS}"), dimensions.to_string()));
    }
    let mut dims = Vec::with_capacity(dimensions as usize);
    for _ in 0..dimensions {
        dims.push(reader.u64(&format!("{field}: dimensions"))?);
    }
    let id = reader.u32(&format!("{field}: type"))?;
    let dtype = GgmlType::from_id(id).ok_or_else(|| {
        let known = GgmlType::ALL.map(GgmlType::name).join(", ");
        reader.error(&format!("{field}: type"), format!("one of {known}"), format!("ggml type number {id}"))
    })?;
    let inner = dims[0];
    if !inner.is_multiple_of(dtype.block_size() as u64) {
        let expected = format!("an inner dimension that is a multiple of {}, the block of {dtype}", dtype.block_size());
        return Err(reader.error(&format!("{field}: dimensions"), expected, inner.to_string()));
    }
    let elements = dims.iter().try_fold(1u64, |product, &d| product.checked_mul(d).filter(|&p| p > 0));
    let Some(len) = elements.and_then(|e| dtype.bytes_of(e)) else {
        let field = format!("{field}: dimensions");
        return Err(reader.error(&field, "sizes from 1 whose product fits 64 bits", format!("{dims:?}")));
    };
    let offset = reader.u64(&format!("{field}: offset"))?;
    if !offset.is_multiple_of(alignment) {
        let expected = format!("a multiple of the alignment {alignment}");
        return Err(reader.error(&format!("{field}: offset"), expected, offset.to_string()));
    }
    let shape = dims.iter().rev().map(|&d| d as usize).collect();
    Ok(GgufTensor { name, shape, dtype, offset, len })
}

#[cfg(test)]
pub(crate) mod tests;
