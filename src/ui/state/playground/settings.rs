//! The settings of a trial as rows that are turned or typed: what each is called, what it says, what comes next.

use super::trial::{Adapter, Compare, Finds, Form, Settings, Who};
use crate::extract::fix::FixMode;

/// More calls than this are no trial any more.
pub const MOST_RETRIES: u32 = 5;
const MOST_TOKENS: u32 = 1 << 20;
const HOTTEST: f64 = 2.0;

/// A setting on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    Schema,
    Who,
    Model,
    BaseUrl,
    Key,
    Adapter,
    Form,
    Constrained,
    Compare,
    Retries,
    FixMode,
    Temperature,
    Seed,
    MaxTokens,
}

impl Row {
    pub fn name(self) -> &'static str {
        match self {
            Row::Schema => "schema",
            Row::Who => "answers",
            Row::Model => "model",
            Row::BaseUrl => "base URL",
            Row::Key => "OPENAI_API_KEY",
            Row::Adapter => "adapter",
            Row::Form => "prompt goes",
            Row::Constrained => "constrained",
            Row::Compare => "compare",
            Row::Retries => "retries",
            Row::FixMode => "asked again",
            Row::Temperature => "temperature",
            Row::Seed => "seed",
            Row::MaxTokens => "max tokens",
        }
    }

    /// Whether its value can be typed.
    pub fn is_typed(self) -> bool {
        matches!(self, Row::Model | Row::BaseUrl | Row::Adapter | Row::Temperature | Row::Seed | Row::MaxTokens)
    }

    /// Whether there is a next value to turn to.
    pub fn is_turned(self) -> bool {
        !matches!(self, Row::Model | Row::BaseUrl | Row::Key)
    }
}

impl Settings {
    /// The rows that mean something, by who answers.
    pub fn rows(&self) -> &'static [Row] {
        match self.who {
            Who::Local => &[
                Row::Schema,
                Row::Who,
                Row::Adapter,
                Row::Constrained,
                Row::Compare,
                Row::Retries,
                Row::FixMode,
                Row::Form,
                Row::Temperature,
                Row::Seed,
                Row::MaxTokens,
                Row::Model,
            ],
            Who::Openai => &[
                Row::Schema,
                Row::Who,
                Row::Model,
                Row::BaseUrl,
                Row::Key,
                Row::Constrained,
                Row::Compare,
                Row::Retries,
                Row::FixMode,
                Row::Temperature,
                Row::Seed,
                Row::MaxTokens,
            ],
            Who::Run => &[
                Row::Schema,
                Row::Who,
                Row::Constrained,
                Row::Compare,
                Row::Retries,
                Row::FixMode,
                Row::Form,
                Row::Temperature,
                Row::Seed,
                Row::MaxTokens,
            ],
            Who::Given => &[Row::Schema, Row::Who],
        }
    }

    /// The value as the screen has it; a schema's name and the key are told by others.
    pub fn value(&self, row: Row) -> String {
        let on = |on: bool| if on { "on" } else { "off" }.to_owned();
        match row {
            Row::Schema => self.schema_name.clone(),
            Row::Who => match self.who {
                Who::Local => "the local model".to_owned(),
                Who::Run => "the run, as it is now".to_owned(),
                Who::Openai => "a server (OpenAI's protocol)".to_owned(),
                Who::Given => "nobody: the text is an answer".to_owned(),
            },
            Row::Model if self.who == Who::Openai => self.server_model.clone(),
            Row::Model => self.model.clone(),
            Row::BaseUrl => self.base_url.clone(),
            Row::Key => String::new(),
            Row::Adapter if self.adapter.folder.is_none() => "none: the base model".to_owned(),
            Row::Adapter => self.adapter.name.clone(),
            Row::Form => match self.form {
                Form::AsTrained => "as trained".to_owned(),
                Form::Chat => "through the chat template".to_owned(),
                Form::Raw => "as it is".to_owned(),
            },
            Row::Constrained => on(self.constrained),
            Row::Compare => match self.compare {
                Compare::Off => "off".to_owned(),
                Compare::Adapter => "base | adapter".to_owned(),
                Compare::Constrained => "free | constrained".to_owned(),
                Compare::Prompt => "prompt A | prompt B".to_owned(),
            },
            Row::Retries => self.max_retries.to_string(),
            Row::FixMode => match self.fix_mode {
                FixMode::Own => "with what is wrong".to_owned(),
                FixMode::Langchain => "as LangChain does".to_owned(),
            },
            Row::Temperature => self.temperature.to_string(),
            Row::Seed => self.seed.to_string(),
            Row::MaxTokens => self.max_new_tokens.to_string(),
        }
    }

    /// What is typed over.
    pub fn typed(&self, row: Row) -> String {
        match row {
            Row::Adapter => self.adapter.folder.as_ref().map(|f| f.display().to_string()).unwrap_or_default(),
            row => self.value(row),
        }
    }

    /// The next value, or the one before. The schema is turned by whoever has the editors.
    pub fn turn(&mut self, row: Row, by: isize, finds: &Finds) {
        match row {
            Row::Who => {
                let all: &[Who] = match finds.has_run {
                    true => &[Who::Local, Who::Run, Who::Openai, Who::Given],
                    false => &[Who::Local, Who::Openai, Who::Given],
                };
                self.who = next(all, self.who, by);
            }
            Row::Adapter => {
                let all: Vec<Adapter> =
                    std::iter::once(Adapter::default()).chain(finds.adapters.iter().cloned()).collect();
                let at = all.iter().position(|a| *a == self.adapter).unwrap_or(0);
                self.adapter = all[wrapped(at, by, all.len())].clone();
            }
            Row::Form => self.form = next(&[Form::AsTrained, Form::Chat, Form::Raw], self.form, by),
            Row::Constrained => self.constrained = !self.constrained,
            Row::Compare => {
                let all = [Compare::Off, Compare::Adapter, Compare::Constrained, Compare::Prompt];
                self.compare = next(&all, self.compare, by);
                if self.compare == Compare::Adapter && !matches!(self.who, Who::Local | Who::Run) {
                    self.compare = next(&all, self.compare, by);
                }
            }
            Row::Retries => {
                self.max_retries = self.max_retries.saturating_add_signed(by.signum() as i32).min(MOST_RETRIES);
            }
            Row::FixMode => self.fix_mode = next(&[FixMode::Own, FixMode::Langchain], self.fix_mode, by),
            Row::Temperature => {
                // Whole tenths, so that turning back and forth comes to the same.
                let tenths = (self.temperature * 10.0).round() + by.signum() as f64;
                self.temperature = (tenths / 10.0).clamp(0.0, HOTTEST);
            }
            Row::Seed => self.seed = self.seed.saturating_add_signed(by.signum() as i64),
            Row::MaxTokens => {
                let turned = if by > 0 { self.max_new_tokens.saturating_mul(2) } else { self.max_new_tokens / 2 };
                self.max_new_tokens = turned.clamp(1, MOST_TOKENS);
            }
            Row::Schema | Row::Model | Row::BaseUrl | Row::Key => {}
        }
    }

    /// Takes what was typed.
    /// # Errors
    /// What was expected.
    pub fn take(&mut self, row: Row, typed: &str) -> Result<(), &'static str> {
        let typed = typed.trim();
        match row {
            Row::Model if self.who == Who::Openai => self.server_model = typed.to_owned(),
            Row::Model => self.model = typed.to_owned(),
            Row::BaseUrl => self.base_url = typed.to_owned(),
            Row::Adapter if typed.is_empty() => self.adapter = Adapter::default(),
            Row::Adapter => self.adapter = Adapter { name: typed.to_owned(), folder: Some(typed.into()) },
            Row::Temperature => {
                let value = typed.parse::<f64>().ok().filter(|t| (0.0..=HOTTEST).contains(t));
                self.temperature = value.ok_or("expected a number from 0 to 2")?;
            }
            Row::Seed => self.seed = typed.parse().map_err(|_| "expected a whole number")?,
            Row::MaxTokens => {
                let value = typed.parse::<u32>().ok().filter(|n| (1..=MOST_TOKENS).contains(n));
                self.max_new_tokens = value.ok_or("expected a whole number from 1")?;
            }
            _ => {}
        }
        Ok(())
    }
}

fn wrapped(at: usize, by: isize, count: usize) -> usize {
    (at as isize + by.signum()).rem_euclid(count.max(1) as isize) as usize
}

fn next<T: Copy + PartialEq>(all: &[T], now: T, by: isize) -> T {
    let at = all.iter().position(|t| *t == now).unwrap_or(0);
    all[wrapped(at, by, all.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_turned_within_their_bounds() {
        let (mut settings, finds) = (Settings::default(), Finds::default());
        (0..9).for_each(|_| settings.turn(Row::Retries, 1, &finds));
        (0..99).for_each(|_| settings.turn(Row::Temperature, 1, &finds));
        (0..99).for_each(|_| settings.turn(Row::MaxTokens, -1, &finds));
        assert_eq!((settings.max_retries, settings.temperature, settings.max_new_tokens), (5, 2.0, 1));
        (0..9).for_each(|_| settings.turn(Row::Retries, -1, &finds));
        assert_eq!(settings.max_retries, 0);
        settings.temperature = 0.0;
        (0..3).for_each(|_| settings.turn(Row::Temperature, 1, &finds));
        assert_eq!(settings.value(Row::Temperature), "0.3");
    }

    #[test]
    fn what_is_typed_is_taken_or_says_what_was_expected() {
        let mut settings = Settings::default();
        assert_eq!(settings.take(Row::Temperature, "NaN"), Err("expected a number from 0 to 2"));
        assert!(settings.take(Row::Seed, "-1").is_err() && settings.take(Row::MaxTokens, "0").is_err());
        assert_eq!(settings.take(Row::Temperature, " 0.7 "), Ok(()));
        assert_eq!(settings.take(Row::Adapter, "a/b"), Ok(()));
        assert_eq!((settings.temperature, settings.value(Row::Adapter).as_str()), (0.7, "a/b"));
        assert_eq!(settings.take(Row::Adapter, ""), Ok(()));
        assert_eq!(settings.adapter, Adapter::default());
    }

    #[test]
    fn a_server_is_not_compared_by_adapter() {
        let mut settings = Settings { who: Who::Openai, ..Settings::default() };
        settings.turn(Row::Compare, 1, &Finds::default());
        assert_eq!(settings.compare, Compare::Constrained);
    }
}
