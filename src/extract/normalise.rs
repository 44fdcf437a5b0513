//! Local values in their international form: numbers, money, dates, times and names from a list, as people write them in
//! Korean and English. Only where the schema asks for such a value and the text gives evidence; free strings are left alone.
//! Next: `walk` goes through a value; `number`, `time`, `choose` read one text each.

mod answer;
mod choose;
mod counters;
mod decimal;
pub(super) mod denial;
mod digits;
mod english;
mod fall;
mod figure;
mod fraction;
mod index;
mod korean;
mod measure;
mod money;
pub(super) mod number;
mod percent;
mod period;
mod phrase;
mod scale;
mod text;
mod time;
mod walk;

pub use choose::{Chosen, choose};
pub(super) use money::{SIGNS, label_currency};
pub use number::{NumberReading, number};
pub(super) use text::is_struck;
pub(super) use time::why_no_day;
pub use time::{TimeReading, Want, time};
pub(super) use walk::marks;
pub use walk::{Normalised, normalise};

/// Whether a text says no more than yes or no, and the one that `is_yes` tells.
pub(super) fn answers(text: &str, is_yes: bool) -> bool {
    answer::answer(text).is_some_and(|answer| answer.is_yes == is_yes && !answer.left_over)
}

/// Whether a word, in small letters, is an English number's.
fn is_number_word(word: &str) -> bool {
    text::Text::new(word).is_some_and(|word| english::numbers(&word, 0).iter().any(|read| read.end == word.len()))
}
