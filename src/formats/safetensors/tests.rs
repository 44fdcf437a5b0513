use std::fs;

use super::*;

fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn open(bytes: &[u8]) -> Result<Safetensors, FormatError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    fs::write(&path, bytes).unwrap();
    Safetensors::open(&path)
}

const SMALL: &str = r#"{"__metadata__":{"format":"pt"},
    "b":{"dtype":"I64","shape":[],"data_offsets":[12,20]},"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}  "#;

#[test]
fn a_header_gives_tensors_in_the_order_of_their_bytes() {
    let found = open(&file(SMALL, 20)).unwrap();
    assert_eq!(found.metadata["format"], "pt");
    let start = 8 + SMALL.len() as u64;
    let a = SafetensorsTensor { name: "a".into(), shape: vec![2, 3], dtype: Dtype::BF16, offset: start, len: 12 };
    assert_eq!(found.tensors[0], a);
    assert_eq!(found.float_tensor("a").unwrap(), &a);
    let refused = found.float_tensor("b").unwrap_err().to_string();
    assert!(refused.ends_with("tensor `b`: dtype: expected F32, F16 or BF16, found I64"), "{refused}");
}

#[test]
fn every_prefix_of_a_file_is_refused() {
    let whole = file(SMALL, 20);
    for len in 0..whole.len() {
        assert!(open(&whole[..len]).is_err(), "{len}");
    }
}
