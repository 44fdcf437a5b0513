//! Plain quantities that every room shares: bytes, durations, dates, text that a terminal can be sent, the shape of a model.
//! No tensors, no files. Next: `config` for settings, `memory` for where bytes go.

use std::path::Path;

use serde::{Deserialize, Serialize};

pub const KIB: u64 = 1 << 10;
pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;
pub const TIB: u64 = 1 << 40;

/// Bytes as people read them, in powers of two with their proper names: `512 B`, `3.4 MiB`, `1.25 GiB`.
pub fn format_bytes(bytes: u64) -> String {
    let in_unit = |size: u64| bytes as f64 / size as f64;
    let (kib, mib, gib, tib) = (in_unit(KIB), in_unit(MIB), in_unit(GIB), in_unit(TIB));
    match bytes {
        0..KIB => format!("{bytes} B"),
        // By what it is rounded to: 1024 of a unit are one of the next.
        _ if kib < 1023.5 => format!("{kib:.0} KiB"),
        _ if mib < 9.95 => format!("{mib:.1} MiB"),
        _ if mib < 1023.5 => format!("{mib:.0} MiB"),
        _ if gib < 9.995 => format!("{gib:.2} GiB"),
        _ if gib < 1023.95 => format!("{gib:.1} GiB"),
        _ => format!("{tib:.2} TiB"),
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
        "TiB" => TIB as f64,
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

/// A moment of the calendar (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime {
    pub year: u64,
    pub month: u64,
    pub day: u64,
    pub hour: u64,
    pub minute: u64,
    pub second: u64,
}

impl DateTime {
    /// By seconds since 1970, in the proleptic Gregorian calendar.
    /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    pub fn from_unix(unix_s: u64) -> Self {
        let days = unix_s / 86_400 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // Years begin in March here, so that the day that comes and goes is their last.
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let s = unix_s % 86_400;
        DateTime {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            hour: s / 3600,
            minute: s / 60 % 60,
            second: s % 60,
        }
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

/// The beginning of a text, of at most so many bytes.
pub fn beginning(text: &str, most_bytes: usize) -> &str {
    let mut end = most_bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// How long a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowLength {
    pub tokens: u32,
    /// Positions that have a loss.
    pub target_tokens: u32,
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

/// A path as a shell takes it back, safe for a terminal.
pub fn shell_word(path: &Path) -> String {
    let text = printable(&path.display().to_string());
    let plain = |c: char| c.is_alphanumeric() || "/._-:=@+,%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_in_powers_of_two() {
        assert_eq!(format_bytes(1023), "1023 B");
        assert_eq!(format_bytes(600 * MIB), "600 MiB");
        assert_eq!(format_bytes(GIB + GIB / 4), "1.25 GiB");
        for (bytes, text) in [
            (MIB - 1, "1.0 MiB"),
            (10 * MIB - 1, "10 MiB"),
            (GIB - 1, "1.00 GiB"),
            (10 * GIB - 1, "10.0 GiB"),
            (TIB - 1, "1.00 TiB"),
        ] {
            assert_eq!(format_bytes(bytes), text);
        }
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
    fn a_beginning_ends_between_characters() {
        assert_eq!((beginning("중고", 4), beginning("중고", 6), beginning("중고", 2)), ("중", "중고", ""));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let date = |unix_s| {
            let DateTime { year, month, day, hour, minute, second } = DateTime::from_unix(unix_s);
            format!("{year}-{month}-{day} {hour}:{minute}:{second}")
        };
        assert_eq!(date(0), "1970-1-1 0:0:0");
        assert_eq!(date(951_782_399), "2000-2-28 23:59:59");
        assert_eq!(date(951_782_400), "2000-2-29 0:0:0");
        assert_eq!(date(4_107_542_400), "2100-3-1 0:0:0");
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(format_duration(59.4), "59s");
        assert_eq!(format_duration(200.0), "3m 20s");
        assert_eq!(format_duration(7500.0), "2h 05m");
        assert_eq!(format_duration(f64::NAN), "0s");
    }
}
