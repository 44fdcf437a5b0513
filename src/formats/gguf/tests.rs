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
