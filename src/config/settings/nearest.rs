//! What somebody meant who wrote a name that is none: a setting, a section, one of some names.

use super::{Setting, sections, settings};

/// The setting that somebody who wrote `section.name` most likely meant; `section` may be empty.
pub fn nearest(section: &str, name: &str) -> Option<&'static Setting> {
    let name = plain(name);
    let mut best: Option<(f64, &Setting)> = None;
    for setting in settings() {
        let known = if setting.also.contains(&name.as_str()) { 0.95 } else { likeness(&name, setting.name) };
        let score = known + if setting.section == section { 0.1 } else { 0.0 };
        if known >= 0.55 && best.is_none_or(|(b, _)| score > b) {
            best = Some((score, setting));
        }
    }
    best.map(|(_, setting)| setting)
}

/// The section that somebody who wrote `name` most likely meant.
pub fn nearest_section(name: &str) -> Option<&'static str> {
    let name = plain(name);
    let meant = match name.as_str() {
        "lora" | "qlora" | "peft" => "adapter",
        "training" | "trainer" | "optimizer" | "optim" => "train",
        "dataset" | "datasets" => "data",
        "logging" | "output" => "log",
        "extraction" | "playground" => "extract",
        name => return nearest_name(name, sections()),
    };
    Some(meant)
}

/// The one of `names` that is nearest to `name`, when one is near at all.
pub fn nearest_name<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let name = plain(name);
    let score = |n: &&&str| likeness(&name, n);
    names.iter().max_by(|a, b| score(a).total_cmp(&score(b))).filter(|n| score(n) >= 0.55).copied()
}

/// 1 for the same text, 0 for nothing in common: edits, or a shared beginning that is long enough to mean something.
fn likeness(a: &str, b: &str) -> f64 {
    let edits = strsim::normalized_damerau_levenshtein(a, b);
    let beginning = strsim::jaro_winkler(a, b);
    if beginning >= 0.88 { edits.max(beginning - 0.1) } else { edits }
}

fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;

    #[test]
    fn a_misspelt_name_leads_to_the_nearest_setting() {
        for (section, written, meant) in [
            ("train", "learning_rte", "train.learning_rate"),
            ("train", "lr", "train.learning_rate"),
            ("train", "warmup", "train.warmup_steps"),
            ("train", "r", "adapter.r"),
            ("adapter", "alpha", "adapter.lora_alpha"),
            ("adapter", "learning_rate", "train.learning_rate"),
            ("", "seed", "train.seed"),
            ("train", "Batch-Size", "train.per_device_train_batch_size"),
            ("data", "max_seq_len", "data.max_seq_length"),
            ("train", "eval_step", "train.eval_steps"),
            ("train", "path", "model.source"),
            ("data", "path", "data.train"),
        ] {
            assert_eq!(nearest(section, written).map(Setting::key).as_deref(), Some(meant), "{section}.{written}");
        }
        assert!(nearest("train", "zzzzzz").is_none());
    }

    #[test]
    fn a_misspelt_section_leads_to_the_nearest_section() {
        for (written, meant) in [("trian", "train"), ("LoRA", "adapter"), ("models", "model"), ("dataset", "data")] {
            assert_eq!(nearest_section(written), Some(meant), "{written}");
        }
        assert_eq!(nearest_section("zzzz"), None);
    }

    #[test]
    fn no_suggestion_is_also_a_name() {
        for setting in settings() {
            assert!(setting.also.iter().all(|a| find(setting.section, a).is_none()), "{}", setting.key());
        }
    }
}
