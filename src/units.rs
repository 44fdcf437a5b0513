//! Plain quantities that every room shares: bytes, durations, rates as text, the shape of a model.
//! No tensors, no files. Next: `config` for settings, `memory` for where bytes go.

use serde::{Deserialize, Serialize};

pub const KIB: u64 = 1 << 10;
pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;

/// Bytes as people read them, in powers of two with their proper names: `512 B`, `3.4 MiB`, `1.25 GiB`.
pub fn format_bytes(bytes: u64) -> String {
    match bytes {
        b if b >= 10 * GIB => format!("{:.1} GiB", b as f64 / GIB as f64),
        b if b >= GIB => format!("{:.2} GiB", b as f64 / GIB as f64),
        b if b >= 10 * MIB => format!("{:.0} MiB", b as f64 / MIB as f64),
        b if b >= MIB => format!("{:.1} MiB", b as f64 / MIB as f64),
        b if b >= KIB => format!("{:.0} KiB", b as f64 / KIB as f64),
        b => format!("{b} B"),
    }
}

/// Reads a size such as `600MiB`, `2 GiB`, `1.5GiB`, `4096` (bytes). Decimal units (`GB`) are taken at their word, 10^9.
/// # Errors
/// What was expected, when the text is no size.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let expected = || format!("`{text}` is no size; expected a number with B, KiB, MiB, GiB or TiB, such as \"2GiB\"");
    let number: f64 = number.parse().map_err(|_| expected())?;
    let factor = match unit.trim() {
        "" | "B" => 1.0,
        "KiB" => KIB as f64,
        "MiB" => MIB as f64,
        "GiB" => GIB as f64,
        "TiB" => (GIB << 10) as f64,
        "KB" | "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        _ => return Err(expected()),
    };
    let bytes = number * factor;
    if bytes.is_finite() && bytes >= 0.0 && bytes < u64::MAX as f64 { Ok(bytes as u64) } else { Err(expected()) }
}

/// A duration as people read it: `45s`, `3m 20s`, `2h 05m`, `3d 04h`.
pub fn format_duration(seconds: f64) -> String {
    let s = if seconds.is_finite() && seconds > 0.0 { seconds.round() as u64 } else { 0 };
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m {:02}s", s / 60, s % 60),
        3600..86400 => format!("{}h {:02}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d {:02}h", s / 86400, s % 86400 / 3600),
    }
}

/// Text that came from a model, a data row or a file, safe for a terminal: control characters (escape sequences among them) and
/// bidirectional overrides become visible, tabs and line ends become spaces.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            '\u{1b}' => '␛',
            c if c.is_control() => '�',
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '�',
            c => c,
        })
        .collect()
}

/// The numbers that describe a decoder, enough to count its parameters and its bytes without loading it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelShape {
    pub num_hidden_layers: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_attention_heads: usize,
    pub num_key_value_heads: usize,
    pub head_dim: usize,
    pub vocab_size: usize,
    pub max_position_embeddings: usize,
    pub tie_word_embeddings: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_in_powers_of_two() {
        assert_eq!(format_bytes(1023), "1023 B");
        assert_eq!(format_bytes(600 * MIB), "600 MiB");
        assert_eq!(format_bytes(GIB + GIB / 4), "1.25 GiB");
    }

    #[test]
    fn sizes_are_read_with_their_unit_and_refused_without_sense() {
        assert_eq!(parse_bytes("2GiB"), Ok(2 * GIB));
        assert_eq!(parse_bytes("1.5 MiB"), Ok(3 * MIB / 2));
        assert_eq!(parse_bytes("1GB"), Ok(1_000_000_000));
        for bad in ["", "GiB", "-1GiB", "2 gigs", "1e400GiB"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn escape_sequences_become_visible_text() {
        assert_eq!(printable("a\u{1b}[31mb\nc\u{202e}d\u{9b}"), "a␛[31mb c�d�");
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(format_duration(59.4), "59s");
        assert_eq!(format_duration(200.0), "3m 20s");
        assert_eq!(format_duration(7500.0), "2h 05m");
        assert_eq!(format_duration(f64::NAN), "0s");
    }
}
