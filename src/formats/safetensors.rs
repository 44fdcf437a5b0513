//! safetensors files as a format: the header's tensors and their places, and the index of a model in several files.
//! The bytes of tensors stay where they are. Layout: the format section of the safetensors README.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::{FormatError, open_regular, short};

/// The reference implementation's own limit on a header.
const HEADER_LIMIT: u64 = 100_000_000;
const LENGTH_BYTES: u64 = 8;

/// How a tensor's elements are stored. finetop computes with the first three; the others are read past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[allow(non_camel_case_types, reason = "the names are those of the format")]
pub enum Dtype {
    F32,
    F16,
    BF16,
    F64,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    BOOL,
    C64,
    F8_E4M3,
    F8_E5M2,
    F8_E8M0,
    F6_E2M3,
    F6_E3M2,
    F4,
}

impl Dtype {
    /// Bits of an element.
    pub fn bits(self) -> u64 {
        match self {
            Dtype::F64 | Dtype::I64 | Dtype::U64 | Dtype::C64 => 64,
            Dtype::F32 | Dtype::I32 | Dtype::U32 => 32,
            Dtype::F16 | Dtype::BF16 | Dtype::I16 | Dtype::U16 => 16,
            Dtype::I8 | Dtype::U8 | Dtype::BOOL | Dtype::F8_E4M3 | Dtype::F8_E5M2 | Dtype::F8_E8M0 => 8,
            Dtype::F6_E2M3 | Dtype::F6_E3M2 => 6,
            Dtype::F4 => 4,
        }
    }

    /// Whether finetop computes with it: F32, F16 or BF16.
    pub fn is_usable(self) -> bool {
        matches!(self, Dtype::F32 | Dtype::F16 | Dtype::BF16)
    }
}

/// The header of a safetensors file, checked against the file's length.
#[derive(Debug, Clone)]
pub struct Safetensors {
    pub path: PathBuf,
    pub metadata: BTreeMap<String, String>,
    /// In the order of their bytes.
    pub tensors: Vec<SafetensorsTensor>,
}

/// Where a tensor lies: `len` bytes at `offset` of the file, all of them within it, row-major, little-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetensorsTensor {
    pub name: String,
    /// Outermost dimension first; empty for a scalar.
    pub shape: Vec<usize>,
    pub dtype: Dtype,
    /// Absolute, in bytes from the start of the file.
    pub offset: u64,
    /// In bytes.
    pub len: u64,
}

impl SafetensorsTensor {
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

impl Safetensors {
    /// Reads the header of a safetensors file; the tensors' bytes are not touched.
    /// # Errors
    /// A file that cannot be read, is cut off, or whose header is no JSON of this format, claims a length that the file
    /// does not have, a shape that does not fit its bytes, or bytes that overlap, leave a hole or go past the end; each
    /// with its field.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FormatError> {
        let path = path.as_ref();
        let (mut file, file_len) = open_regular(path)?;
        let fail = |field: &str, expected: String, found: String| FormatError::unexpected(path, field, expected, found);
        if file_len < LENGTH_BYTES {
            return Err(fail("header length", "8 bytes".into(), format!("a file of {file_len}")));
        }
        let io = |error| FormatError::io(path, error);
        let mut length = [0; LENGTH_BYTES as usize];
        file.read_exact(&mut length).map_err(io)?;
        let header_len = u64::from_le_bytes(length);
        let room = (file_len - LENGTH_BYTES).min(HEADER_LIMIT);
        if header_len > room {
            let expected = format!("at most {room} in a file of {file_len} bytes");
            return Err(fail("header length", expected, header_len.to_string()));
        }
        let mut header = vec![0; header_len as usize];
        file.read_exact(&mut header).map_err(io)?;
        if header.first() != Some(&b'{') {
            let found = header.first().map_or("nothing".into(), |b| format!("`{}`", b.escape_ascii()));
            return Err(fail("header", "a JSON object, starting with `{`".into(), found));
        }
        let header: Header =
            serde_json::from_slice(&header).map_err(|e| fail("header", "its JSON".into(), e.to_string()))?;
        let data_start = LENGTH_BYTES + header_len;
        let tensors = places(path, header.tensors, data_start, file_len - data_start)?;
        Ok(Safetensors { path: path.into(), metadata: header.metadata, tensors })
    }

    /// The tensor of that name, whatever its type.
    /// # Errors
    /// [`FormatError::Missing`], naming file and tensor.
    pub fn tensor(&self, name: &str) -> Result<&SafetensorsTensor, FormatError> {
        let found = self.tensors.iter().find(|t| t.name == name);
        found.ok_or_else(|| FormatError::missing(&self.path, &format!("tensor `{name}`")))
    }

    /// The tensor of that name, of a type that finetop computes with.
    /// # Errors
    /// One that is missing, or of another type than F32, F16 and BF16.
    pub fn float_tensor(&self, name: &str) -> Result<&SafetensorsTensor, FormatError> {
        let tensor = self.tensor(name)?;
        if !tensor.dtype.is_usable() {
            let field = format!("tensor `{name}`: dtype");
            return Err(FormatError::unexpected(&self.path, &field, "F32, F16 or BF16", format!("{:?}", tensor.dtype)));
        }
        Ok(tensor)
    }
}

/// Checks every tensor's bytes against its shape and its neighbours, and makes offsets absolute.
fn places(
    path: &Path,
    entries: Vec<(String, Entry)>,
    data_start: u64,
    data_len: u64,
) -> Result<Vec<SafetensorsTensor>, FormatError> {
    let mut tensors = Vec::with_capacity(entries.len());
    for (name, entry) in entries {
        let fail = |what: &str, expected: String, found: String| {
            FormatError::unexpected(path, &format!("tensor `{name}`: {what}"), expected, found)
        };
        let [start, end] = entry.data_offsets;
        if start > end || end > data_len {
            let expected = format!("start ≤ end ≤ {data_len}, the bytes that follow the header");
            return Err(fail("data_offsets", expected, format!("[{start}, {end}]")));
        }
        let bits = entry.shape.iter().try_fold(entry.dtype.bits(), |product, &d| product.checked_mul(d));
        let Some(bits) = bits.filter(|bits| bits.is_multiple_of(8)) else {
            return Err(fail(
                "shape",
                "sizes that make whole bytes within 64 bits".into(),
                format!("{:?}", entry.shape),
            ));
        };
        if bits / 8 != end - start {
            let expected = format!("{} bytes for {:?} of {:?}", bits / 8, entry.shape, entry.dtype);
            return Err(fail("data_offsets", expected, format!("{} bytes in [{start}, {end}]", end - start)));
        }
        let shape = entry.shape.iter().map(|&d| d as usize).collect();
        let (offset, len) = (data_start + start, end - start);
        tensors.push(SafetensorsTensor { name, shape, dtype: entry.dtype, offset, len });
    }
    tensors.sort_by_key(|t| (t.offset, t.len));
    let mut next = data_start;
    for tensor in &tensors {
        if tensor.offset != next {
            let field = format!("tensor `{}`: data_offsets", tensor.name);
            let expected = format!("a start of {}, where the one before ends", next - data_start);
            return Err(FormatError::unexpected(path, &field, expected, (tensor.offset - data_start).to_string()));
        }
        next += tensor.len;
    }
    if next != data_start + data_len {
        let expected = format!("tensors that fill all {data_len} bytes after the header");
        return Err(FormatError::unexpected(path, "data", expected, format!("{}", next - data_start)));
    }
    Ok(tensors)
}

#[derive(Deserialize)]
struct Entry {
    dtype: Dtype,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

#[derive(Default)]
struct Header {
    metadata: BTreeMap<String, String>,
    tensors: Vec<(String, Entry)>,
}

// By hand, because a map would take the last of two tensors of one name without a word.
impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of tensors")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                use serde::de::Error;
                let mut header = Header::default();
                let mut names = BTreeSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom(format!("`{}` stands there twice", short(&name))));
                    }
                    if name == "__metadata__" {
                        header.metadata = map.next_value()?;
                    } else {
                        let entry = map.next_value();
                        let entry = entry.map_err(|e| A::Error::custom(format!("tensor `{}`: {e}", short(&name))))?;
                        header.tensors.push((name, entry));
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// `model.safetensors.index.json`: which file holds which tensor of a model in several files.
#[derive(Debug, Clone)]
pub struct SafetensorsIndex {
    pub path: PathBuf,
    /// Tensor name to the file's plain name, which lies beside the index.
    pub weight_map: BTreeMap<String, String>,
}

impl SafetensorsIndex {
    /// Reads an index. Whether its files are there is asked by [`SafetensorsIndex::files`].
    /// # Errors
    /// A file that cannot be read, is no such JSON, or points outside its folder.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FormatError> {
        #[derive(Deserialize)]
        struct Index {
            weight_map: BTreeMap<String, String>,
        }
        let path = path.as_ref();
        let (file, len) = open_regular(path)?;
        if len > HEADER_LIMIT {
            return Err(FormatError::unexpected(path, "length", format!("at most {HEADER_LIMIT}"), len.to_string()));
        }
        let mut text = Vec::new();
        file.take(len).read_to_end(&mut text).map_err(|e| FormatError::io(path, e))?;
        let Index { weight_map } = serde_json::from_slice(&text)
            .map_err(|e| FormatError::unexpected(path, "index", "JSON with a `weight_map`", e.to_string()))?;
        for (tensor, file) in &weight_map {
            let mut parts = Path::new(file).components();
            let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
            if !plain || !file.ends_with(".safetensors") {
                let field = format!("weight_map: `{tensor}`");
                let found = format!("`{}`", short(file));
                return Err(FormatError::unexpected(path, &field, "a .safetensors file beside the index", found));
            }
        }
        if weight_map.is_empty() {
            return Err(FormatError::unexpected(path, "weight_map", "at least one tensor", "none"));
        }
        Ok(Self { path: path.into(), weight_map })
    }

    /// The plain names of the files, each once, sorted.
    pub fn file_names(&self) -> Vec<&str> {
        let names: BTreeSet<&str> = self.weight_map.values().map(String::as_str).collect();
        names.into_iter().collect()
    }

    /// The paths of the files beside the index, each once, sorted.
    /// # Errors
    /// [`FormatError::Missing`], naming the first file that is not there.
    pub fn files(&self) -> Result<Vec<PathBuf>, FormatError> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let beside = |name: &str| {
            let path = folder.join(name);
            if path.is_file() {
                return Ok(path);
            }
            Err(FormatError::missing(&self.path, &format!("file `{name}`, which it names,")))
        };
        self.file_names().into_iter().map(beside).collect()
    }
}

#[cfg(test)]
mod tests;
