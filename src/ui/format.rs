//! Numbers as the screen writes them: short, of steady width, and a dash for what is unknown. Bytes and long durations are in `units`.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::config::{Method, RunConfig};
use crate::units;

/// What stands for an unknown value.
pub const UNKNOWN: &str = "—";

/// A value's text, or the dash.
pub fn or_unknown<T>(value: Option<T>, text: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), text)
}

/// `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count in at most six cells: `9999`, `12.3k`, `4.6M`, `137M`.
pub fn short_count(n: u64) -> String {
    const UNITS: [(f64, char); 5] = [(1e3, 'k'), (1e6, 'M'), (1e9, 'G'), (1e12, 'T'), (1e15, 'P')];
    if n < 10_000 {
        return n.to_string();
    }
    // What is rounded up to a thousand belongs to the next unit.
    let (value, unit) = UNITS
        .iter()
        .map(|(size, unit)| (n as f64 / size, unit))
        .find(|(value, unit)| *value < if **unit == 'k' { 999.95 } else { 999.5 })
        .unwrap_or((n as f64 / 1e18, &'E'));
    if *unit == 'k' || value < 99.95 { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") }
}

/// Bytes in at most six cells, in powers of two as `units` has them: `98Mi`, `1.2Gi`.
pub fn short_bytes(bytes: u64) -> String {
    let in_unit = |size: u64| bytes as f64 / size as f64;
    let (ki, mi, gi, ti) = (in_unit(units::KIB), in_unit(units::MIB), in_unit(units::GIB), in_unit(units::TIB));
    match bytes {
        0..1000 => format!("{bytes}B"),
        _ if ki < 999.5 => format!("{ki:.0}Ki"),
        _ if mi < 999.5 => format!("{mi:.0}Mi"),
        _ if gi < 99.95 => format!("{gi:.1}Gi"),
        _ if gi < 999.5 => format!("{gi:.0}Gi"),
        _ if ti < 99.95 => format!("{ti:.1}Ti"),
        _ if ti < 9999.5 => format!("{ti:.0}Ti"),
        _ if ti < 9999.5 * 1024.0 => format!("{:.0}Pi", ti / 1024.0),
        _ => format!("{:.1}Ei", ti / (1u64 << 20) as f64),
    }
}

/// A loss in nats: three places where that says something.
pub fn loss(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => value.to_string(),
        // By what it is rounded to: a width must not break at a border.
        v if v >= 99_999.95 => format!("{value:.2e}"),
        v if v >= 99.999_5 => format!("{value:.1}"),
        v if v > 0.0 && v < 1e-3 => format!("{value:.1e}"),
        _ => format!("{value:.3}"),
    }
}

/// A small factor such as a learning rate: `2.00e-4`, `0`.
pub fn scientific(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { format!("{value:.2e}") }
}

/// A rate a second: `3.1`, `312`, `12.3k`.
pub fn rate(value: f64) -> String {
    match value {
        v if !v.is_finite() => UNKNOWN.to_owned(),
        v if v < 9.95 => format!("{v:.1}"),
        v => short_count(v.round() as u64),
    }
}

/// `QLoRA r 8`.
pub fn method(config: &RunConfig) -> String {
    let name = match config.adapter.method {
        Method::Qlora => "QLoRA",
        Method::Lora => "LoRA",
    };
    format!("{name} r {}", config.adapter.r)
}

/// How long something took: `640ms`, `1.42s`, `12.3s`, then as `units` writes it.
pub fn took(us: u64) -> String {
    let seconds = us as f64 / 1e6;
    match us {
        0..1_000 => format!("{us}µs"),
        1_000..1_000_000 => format!("{}ms", us / 1_000),
        1_000_000..9_995_000 => format!("{seconds:.2}s"),
        9_995_000..99_950_000 => format!("{seconds:.1}s"),
        _ => units::format_duration(seconds),
    }
}

/// Text in at most `width` cells; what does not fit ends in an ellipsis.
pub fn fit(text: &str, width: usize, ellipsis: &str) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(ellipsis.width());
    let mut fitted = take_width(text, room).to_owned();
    if ellipsis.width() <= width {
        fitted.push_str(ellipsis);
    }
    fitted
}

/// The longest beginning of a text that takes at most `width` cells; what a person sees as one character stays whole.
pub fn take_width(text: &str, width: usize) -> &str {
    let mut taken = 0;
    for (index, grapheme) in text.grapheme_indices(true) {
        taken += grapheme.width();
        if taken > width {
            return &text[..index];
        }
    }
    text
}

/// Lines of at most `width` cells, broken between words where there are any.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    // A word may be as long as a file: it is measured no further than a line goes.
    let too_wide = |word: &str, room: usize| take_width(word, room).len() < word.len();
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word;
        if !line.is_empty() && too_wide(word, width.saturating_sub(line.width() + 1)) {
            lines.push(std::mem::take(&mut line));
        }
        while too_wide(word, width) {
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            let head = take_width(word, width);
            // A character wider than the line still has to go somewhere.
            let head = if head.is_empty() { word.graphemes(true).next().unwrap_or(word) } else { head };
            lines.push(head.to_owned());
            word = &word[head.len()..];
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_exact_enough() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
        assert_eq!(short_count(12_345), "12.3k");
        assert_eq!(short_count(136_957_248), "137M");
        assert_eq!(loss(2.55391), "2.554");
        assert_eq!(loss(1234.5), "1234.5");
        assert_eq!(scientific(2e-4), "2.00e-4");
        assert_eq!(took(1_420_000), "1.42s");
        assert_eq!(took(200_000_000), "3m 20s");
        assert_eq!(or_unknown(None::<f64>, loss), "—");
    }

    /// Numbers on both sides of every border, those that are rounded over it among them.
    fn near_borders() -> impl Iterator<Item = u64> {
        let bases = (0..20).map(|n| 10u64.pow(n)).chain((0..64).map(|n| 1 << n));
        let parts = [0.995, 0.999_4, 0.999_6, 0.999_96, 0.999_999, 1.0, 9.94, 9.96, 9.996, 99.94, 99.96, 999.4, 999.6];
        bases.flat_map(move |base| parts.map(|part| (base as f64 * part) as u64)).chain([u64::MAX])
    }

    #[test]
    fn no_number_is_wider_at_a_border() {
        for n in near_borders() {
            for text in [short_count(n), short_bytes(n), rate(n as f64)] {
                assert!(text.width() <= 6 && !text.starts_with("1000.") && !text.starts_with("0.0E"), "{n}: {text}");
            }
            let seconds = took(n);
            assert!(seconds.width() <= 5 || seconds.contains(' '), "{n}: {seconds}");
            for value in [n as f64, n as f64 / 1e4] {
                assert!(loss(value).width() <= 7 || value >= 1e99, "{value}: {}", loss(value));
            }
        }
        for (n, text) in [(999_949, "999.9k"), (999_950, "1.0M"), (99_950_000, "100M"), (999_600_000, "1.0G")] {
            assert_eq!(short_count(n), text);
        }
        assert_eq!((short_bytes(1000 * units::MIB), short_bytes(999 * units::MIB)), ("1.0Gi".into(), "999Mi".into()));
        assert_eq!((took(9_996_000), took(99_960_000)), ("10.0s".into(), "1m 40s".into()));
        assert_eq!((loss(99_999.97), loss(99.999_7)), ("1.00e5".into(), "100.0".into()));
        assert_eq!(rate(9.97), "10");
    }

    #[test]
    fn text_is_cut_by_its_width_on_the_screen() {
        assert_eq!(fit("abcdef", 4, "…"), "abc…");
        assert_eq!(fit("중고거래", 5, "…"), "중고…");
        assert_eq!(fit("중고거래", 8, "…"), "중고거래");
        assert_eq!(fit("abc", 0, "…"), "");
    }

    #[test]
    fn long_text_is_wrapped_at_words_and_long_words_are_broken() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("중고", 1), ["중", "고"]);
    }
}
