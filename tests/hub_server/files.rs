//! Small model files for tests, as bytes: whole by their headers, without sense in their weights.

use serde_json::json;

/// A safetensors file with F32 tensors of these names and lengths.
pub fn safetensors(tensors: &[(&str, usize)]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for (name, len) in tensors {
        header
            .insert(name.to_string(), json!({ "dtype": "F32", "shape": [len], "data_offsets": [end, end + 4 * len] }));
        end += 4 * len;
    }
    let header = serde_json::Value::Object(header).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend((0..end).map(|i| (i % 251) as u8));
    bytes
}

/// An index of safetensors files.
pub fn index(map: &[(&str, &str)]) -> Vec<u8> {
    let map: serde_json::Map<_, _> = map.iter().map(|(tensor, file)| (tensor.to_string(), json!(file))).collect();
    json!({ "metadata": {}, "weight_map": map }).to_string().into_bytes()
}

/// A GGUF file with one F32 tensor of this length.
pub fn gguf(len: usize) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3u32.to_le_bytes());
    bytes.extend([1u64.to_le_bytes(), 0u64.to_le_bytes()].concat());
    bytes.extend(1u64.to_le_bytes());
    bytes.extend(b"t");
    bytes.extend(1u32.to_le_bytes());
    bytes.extend((len as u64).to_le_bytes());
    bytes.extend(0u32.to_le_bytes());
    bytes.extend(0u64.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    bytes.extend((0..4 * len).map(|i| (i % 251) as u8));
    bytes
}
