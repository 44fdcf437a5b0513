//! Numbers as the screen writes them: short, of steady width, and a dash for what is unknown. Bytes and long durations are in `units`.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

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

/// A count in at most five cells: `999`, `12.3k`, `4.56M`.
pub fn short_count(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{:.1}k", n as f64 / 1e3),
        1_000_000..100_000_000 => format!("{:.1}M", n as f64 / 1e6),
        100_000_000..1_000_000_000 => format!("{:.0}M", n as f64 / 1e6),
        _ => format!("{:.1}G", n as f64 / 1e9),
    }
}

/// Bytes in at most five cells, in powers of two as `units` has them: `98Mi`, `1.2Gi`.
pub fn short_bytes(bytes: u64) -> String {
    match bytes {
        b if b >= 100 * units::GIB => format!("{:.0}Gi", b as f64 / units::GIB as f64),
        b if b >= 1000 * units::MIB => format!("{:.1}Gi", b as f64 / units::GIB as f64),
        b if b >= 1000 * units::KIB => format!("{:.0}Mi", b as f64 / units::MIB as f64),
        b if b >= 1000 => format!("{:.0}Ki", b as f64 / units::KIB as f64),
        b => format!("{b}B"),
    }
}

/// A loss in nats: three places where that says something.
pub fn loss(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => value.to_string(),
        v if v >= 1e5 => format!("{value:.2e}"),
        v if v >= 100.0 => format!("{value:.1}"),
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
        v if v < 10.0 => format!("{v:.1}"),
        v => short_count(v.round() as u64),
    }
}

/// How long something took: `640ms`, `1.42s`, `12.3s`, then as `units` writes it.
pub fn took(us: u64) -> String {
    let seconds = us as f64 / 1e6;
    match us {
        0..1_000 => format!("{us}µs"),
        1_000..1_000_000 => format!("{}ms", us / 1_000),
        1_000_000..10_000_000 => format!("{seconds:.2}s"),
        10_000_000..100_000_000 => format!("{seconds:.1}s"),
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
