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

#[test]
fn lying_headers_are_refused_by_field() {
    let one = |entry: &str| format!(r#"{{"t":{entry}}}"#);
    let f32s =
        |shape: &str, offsets: &str| one(&format!(r#"{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}"#));
    let twice =
        r#"{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    let apart =
        r#"{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"u":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}"#;
    let overlap =
        r#"{"t":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"u":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#;
    for (header, data, expected) in [
        ("[1]".to_string(), 0, "header: expected a JSON object"),
        ("{\"t\"".to_string(), 0, "header: expected its JSON"),
        (one("{\"dtype\":\"Q4\",\"shape\":[1],\"data_offsets\":[0,1]}"), 1, "tensor `t`: unknown variant `Q4`"),
        (f32s("[-1]", "[0,4]"), 4, "tensor `t`: invalid value"),
        (f32s("[2]", "[0,4]"), 4, "tensor `t`: data_offsets: expected 8 bytes for [2] of F32, found 4 bytes"),
        (f32s("[1]", "[4,0]"), 4, "tensor `t`: data_offsets: expected start"),
        (f32s("[4]", "[0,16]"), 8, "tensor `t`: data_offsets: expected start"),
        (f32s("[4294967296,4294967296,2]", "[0,4]"), 4, "tensor `t`: shape"),
        (f32s("[1]", "[0,4]"), 6, "data: expected tensors that fill all 6 bytes"),
        (twice.to_string(), 1, "`t` stands there twice"),
        (apart.to_string(), 3, "tensor `u`: data_offsets: expected a start of 1"),
        (overlap.to_string(), 3, "tensor `u`: data_offsets: expected a start of 2"),
        ("[".repeat(100_000), 0, "header: expected a JSON object"),
    ] {
        let refusal = open(&file(&header, data)).unwrap_err().to_string();
        assert!(refusal.contains(expected), "expected {expected:?} in {refusal:?}");
    }
    let mut long = file(SMALL, 20);
    long[..8].copy_from_slice(&(1u64 << 60).to_le_bytes());
    assert!(open(&long).unwrap_err().to_string().contains("header length: expected at most"));
}

#[test]
fn an_index_that_points_elsewhere_or_to_nothing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors.index.json");
    let write = |map: &str| fs::write(&path, format!(r#"{{"metadata":{{}},"weight_map":{map}}}"#)).unwrap();
    write(r#"{"b":"model-2.safetensors","a":"model-1.safetensors","c":"model-1.safetensors"}"#);
    let index = SafetensorsIndex::open(&path).unwrap();
    assert_eq!(index.file_names(), ["model-1.safetensors", "model-2.safetensors"]);
    let missing = index.files().unwrap_err().to_string();
    assert!(missing.ends_with("file `model-1.safetensors`, which it names, is missing"), "{missing}");
    for bad in [r#"{"a":"../x.safetensors"}"#, r#"{"a":"/x.safetensors"}"#, r#"{"a":"x.bin"}"#, "{}", "3"] {
        write(bad);
        assert!(SafetensorsIndex::open(&path).is_err(), "{bad}");
    }
}
