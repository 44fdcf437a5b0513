use std::fs;
use std::time::Instant;

use super::*;
use crate::formats::optional;

/// A GGUF file in the making: bytes by hand, so that every field can lie.
#[derive(Clone)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn header(version: u32, tensors: u64, entries: u64) -> Self {
        Bytes(b"GGUF".to_vec()).u32(version).u64(tensors).u64(entries)
    }
    fn u32(mut self, v: u32) -> Self {
        self.0.extend(v.to_le_bytes());
        self
    }
    fn u64(mut self, v: u64) -> Self {
        self.0.extend(v.to_le_bytes());
        self
    }
    fn text(mut self, text: &str) -> Self {
        self = self.u64(text.len() as u64);
        self.0.extend(text.bytes());
        self
    }
    fn tensor(mut self, name: &str, dims: &[u64], dtype: u32, offset: u64) -> Self {
        self = self.text(name).u32(dims.len() as u32);
        for &d in dims {
            self = self.u64(d);
        }
        self.u32(dtype).u64(offset)
    }
    fn data(mut self, len: usize) -> Self {
        self.0.resize(self.0.len().next_multiple_of(32) + len, 7);
        self
    }
    fn open(&self) -> Result<Gguf, FormatError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        fs::write(&path, &self.0).unwrap();
        let started = Instant::now();
        let opened = Gguf::open(&path);
        assert!(started.elapsed().as_secs_f64() < 1.0);
        opened
    }
    /// The refusal, after the file's name.
    fn refusal(&self) -> String {
        let text = self.open().expect_err("a lying file was taken").to_string();
        text.split_once("model.gguf: ").expect("the error names the file").1.to_string()
    }
}

fn small() -> Bytes {
    Bytes::header(3, 2, 3)
        .text("llama.block_count")
        .u32(4)
        .u32(30)
        .text("eps")
        .u32(6)
        .u32(1e-5f32.to_bits())
        .text("tokens")
        .u32(9)
        .u32(8)
        .u64(3)
        .text("a")
        .text("")
        .text("Ġé")
        .tensor("w", &[64, 3], 3, 0)
        .tensor("b", &[5], 0, 128)
        .data(128 + 20)
}

/// A whole small file, for tests of other rooms.
pub(crate) fn small_file() -> Vec<u8> {
    small().0
}

#[test]
fn a_header_gives_metadata_and_places_with_the_outermost_dimension_first() {
    let gguf = small().open().unwrap();
    assert_eq!(gguf.u32("llama.block_count").unwrap(), 30);
    assert_eq!(gguf.f32("eps").unwrap(), 1e-5);
    let tokens: Vec<&str> = gguf.str_array("tokens").unwrap().iter().collect();
    assert_eq!(tokens, ["a", "", "Ġé"]);
    let w = gguf.tensor("w").unwrap();
    assert_eq!((w.shape.as_slice(), w.dtype, w.len), (&[3, 64][..], GgmlType::Q4_1, 120));
    assert_eq!(w.offset % 32, 0);
    assert_eq!(gguf.tensor("b").unwrap().offset, w.offset + 128);
}

#[test]
fn a_getter_names_file_and_key_and_says_what_it_found() {
    let gguf = small().open().unwrap();
    let wrong = gguf.u32("tokens").unwrap_err().to_string();
    assert!(wrong.ends_with(
        "model.gguf: metadata `tokens`: expected an integer from 0 to 4294967295, found an array of 3 strings"
    ));
    assert!(gguf.string("nothing").unwrap_err().to_string().ends_with("metadata `nothing` is missing"));
    assert_eq!(optional(gguf.u32("nothing")).unwrap(), None);
    assert!(optional(gguf.u32("eps")).is_err());
    assert!(gguf.tensor("x\u{1b}[2J").unwrap_err().to_string().ends_with("tensor `x␛[2J` is missing"));
}

#[test]
fn every_prefix_of_a_file_is_refused() {
    let whole = small().0;
    for len in 0..whole.len() {
        let refusal = Bytes(whole[..len].to_vec()).refusal();
        assert!(refusal.contains("expected"), "{len}: {refusal}");
    }
    assert!(Bytes(whole).open().is_ok());
}

#[test]
fn lying_counts_and_lengths_are_refused_by_name_before_anything_is_allocated() {
    let huge = 1 << 60;
    let entry = || Bytes::header(3, 0, 1).text("k");
    for (lie, field) in [
        (Bytes(b"GGML".to_vec()).u32(3), "magic: expected `GGUF`"),
        (Bytes::header(1, 0, 0), "version: expected 2 or 3, found 1"),
        (Bytes::header(3u32.swap_bytes(), 0, 0), "version: expected 2 or 3, little-endian, found 3, big-endian"),
        (Bytes::header(3, huge, 0), "tensor count: expected at most 0"),
        (Bytes::header(3, 0, huge), "metadata count: expected at most 0"),
        (Bytes::header(3, 0, 1).u64(huge).u64(0), "metadata entry 0: key: expected a text of at most 65535 bytes"),
        (entry().u32(8).u64(huge), "metadata `k`: expected 1152921504606846976 bytes"),
        (entry().u32(99).u64(0), "metadata `k`: type: expected a metadata type from 0 to 12, found 99"),
        (entry().u32(7).u32(7), "metadata `k`: expected a bool of 0 or 1, found 7"),
        (entry().u32(9).u32(4).u64(huge), "metadata `k`: length: expected at most 0"),
        (entry().u32(9).u32(8).u64(huge), "metadata `k`: length: expected at most 0"),
        (entry().u32(9).u32(9).u64(1).u32(9).u64(1).u32(9).u64(1).u32(9).u64(1).u32(9).u64(1), "nested at most 4"),
        (
            Bytes::header(3, 0, 2).text("k").u32(4).u32(1).text("k").u32(4).u32(1),
            "metadata `k`: expected each key once",
        ),
        (Bytes::header(3, 0, 1).text("general.alignment").u32(4).u32(7), "expected a power of two, found 7"),
        (Bytes::header(3, 1, 0).tensor("t", &[32, 1 << 32, 1 << 32], 0, 0), "whose product fits 64 bits"),
        (Bytes::header(3, 1, 0).tensor("t", &[32, 0], 0, 0), "sizes from 1"),
        (Bytes::header(3, 1, 0).tensor("t", &[1; 5], 0, 0), "count of dimensions: expected 1 to 4, found 5"),
        (Bytes::header(3, 1, 0).tensor("t", &[40], 2, 0), "a multiple of 32, the block of Q4_0, found 40"),
        (Bytes::header(3, 1, 0).tensor("t", &[32], 16, 0), "type: expected one of F32, F16"),
        (Bytes::header(3, 1, 0).tensor("t", &[32], 0, 8), "offset: expected a multiple of the alignment 32, found 8"),
        (
            Bytes::header(3, 1, 0).tensor("t", &[32], 0, 0).data(127),
            "tensor `t`: end: expected at most the file's length",
        ),
        (Bytes::header(3, 1, 0).tensor("t", &[32], 0, u64::MAX - 31), "more than fits 64 bits"),
        (Bytes::header(3, 2, 0).tensor("t", &[32], 0, 0).tensor("t", &[32], 0, 128).data(256), "each name once"),
        (Bytes::header(3, 2, 0).tensor("t", &[32], 0, 0).tensor("u", &[32], 0, 96).data(256), "tensor `u`: offset"),
    ] {
        let refusal = lie.refusal();
        assert!(refusal.contains(field), "expected {field:?} in {refusal:?}");
    }
    let mut not_utf8 = entry().u32(8).u64(4).0;
    not_utf8.extend(b"ab\xff\x1b");
    let refusal = Bytes(not_utf8).refusal();
    assert_eq!(refusal, "metadata `k`: expected UTF-8, found a byte that is none, 2 bytes into the text");
}

#[test]
fn a_count_within_a_large_file_is_still_bounded_by_the_limit_of_a_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let lie = Bytes::header(3, 0, 1).text("k").u32(9).u32(0).u64(8 << 30);
    fs::write(&path, &lie.0).unwrap();
    // sparse: 16 GiB that take no room
    fs::File::options().write(true).open(&path).unwrap().set_len(16 << 30).unwrap();
    let started = Instant::now();
    let refusal = Gguf::open(&path).unwrap_err().to_string();
    assert!(refusal.contains("that a header may have"), "{refusal}");
    assert!(started.elapsed().as_secs_f64() < 1.0);
}

#[test]
fn a_pipe_or_a_folder_is_refused_without_waiting_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = Gguf::open(folder.path()).unwrap_err().to_string();
    assert!(refusal.ends_with("path: expected a file, found a folder"), "{refusal}");
    assert!(Gguf::open("/dev/zero").is_err());
}

#[test]
fn names_of_types_and_their_blocks_are_those_of_ggml() {
    for (id, name, block, bytes) in [
        (0, "F32", 1, 4),
        (1, "F16", 1, 2),
        (2, "Q4_0", 32, 18),
        (3, "Q4_1", 32, 20),
        (6, "Q5_0", 32, 22),
        (7, "Q5_1", 32, 24),
        (8, "Q8_0", 32, 34),
        (10, "Q2_K", 256, 84),
        (11, "Q3_K", 256, 110),
        (12, "Q4_K", 256, 144),
        (13, "Q5_K", 256, 176),
        (14, "Q6_K", 256, 210),
        (15, "Q8_K", 256, 292),
        (30, "BF16", 1, 2),
    ] {
        let found = GgmlType::from_id(id).unwrap();
        assert_eq!((found.name(), found.block_size(), found.block_bytes()), (name, block, bytes));
    }
    assert_eq!(GgmlType::from_id(4), None);
}
