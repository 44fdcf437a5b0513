//! What the same run would need done otherwise, each with its formula: estimates, to set this run's plan against.

use super::rows::Batch;
use super::weights::F32;
use super::{Elsewhere, Subject, engine, plan};
use crate::config::{Method, Quantization, RunConfig};
use crate::units::{MIB, format_bytes};

/// Copies of a micro-batch's logits that PyTorch holds at once around the loss and its gradient. From two measured runs of transformers and
/// PEFT on a CPU (SmolLM2-135M in f32, 4 rows of 256 tokens, all seven modules): 2,870 MiB with checkpointing, 4,655 MiB without; this
/// formula says 2,816 and 4,597.
const PEER_LOGITS: u64 = 8;
/// Python with torch, transformers and PEFT, from the same runs.
const PEER_PROCESS: u64 = 600 * MIB;

/// What the peer's process takes of the memory that is planned for.
fn peer_process(subject: &Subject) -> u64 {
    if subject.on_device { subject.before_bytes } else { PEER_PROCESS }
}

/// What the same run would need done otherwise.
pub fn elsewhere(subject: &Subject, config: &RunConfig) -> Vec<Elsewhere> {
    let batch = Batch::longest(&subject.train_rows, config);
    let mut ways: Vec<Elsewhere> = logits_kept(subject, config).into_iter().collect();
    if batch.longest.tokens > 0 {
        ways.push(full_fine_tuning(subject, config, batch));
    }
    ways.extend(without_quantising(subject, config));
    if batch.longest.tokens > 0 {
        ways.push(autograd(subject, config, batch));
    }
    ways
}

/// A generated metric inside the training loop, as trainers do it that gather the logits of a whole split.
fn logits_kept(subject: &Subject, config: &RunConfig) -> Option<Elsewhere> {
    let (rows, vocabulary) = (subject.eval_rows.len() as u64, subject.shape.vocab_size as u64);
    let longest = subject.eval_rows.iter().map(|r| u64::from(r.tokens).min(config.data.max_seq_length as u64)).max()?;
    let peak = plan(subject, config, None).peak_bytes;
    Some(Elsewhere {
        name: "BLEU inside the training loop, all logits kept".into(),
        peak_bytes: peak + rows * longest * vocabulary * F32,
        formula: format!(
            "{rows} rows x {longest} tokens x {vocabulary} vocabulary x 4 bytes, on top of this run's {}",
            format_bytes(peak)
        ),
    })
}

/// Values that are trained when all are; a tied matrix is one.
fn parameters(subject: &Subject) -> u64 {
    subject.weights.iter().map(|w| w.elements()).sum()
}

/// What autograd keeps of a token in a block, in values: the norms' inputs and products, the projections' inputs, q, k and v before and after
/// the rotation and repeated for their heads, gate, up, their sigmoid and products.
fn graph_width(subject: &Subject) -> u64 {
    let s = &subject.shape;
    let (q, kv) = (s.num_attention_heads * s.head_dim, s.num_key_value_heads * s.head_dim);
    (8 * s.hidden_size + 5 * q + 6 * kv + 5 * s.intermediate_size) as u64
}

/// Activations and logits of a padded micro-batch under autograd, and how they come to be.
fn graph(subject: &Subject, config: &RunConfig, batch: Batch) -> (u64, String) {
    let s = &subject.shape;
    let tokens = batch.longest.rows * batch.longest_row;
    let (layers, hidden, vocabulary) = (s.num_hidden_layers as u64, s.hidden_size as u64, s.vocab_size as u64);
    let width = graph_width(subject);
    let (kept, told) = match config.train.gradient_checkpointing {
        true => (layers * hidden + width, format!("({layers} layers x {hidden} + {width})")),
        false => (layers * width, format!("{layers} layers x {width}")),
    };
    let bytes = tokens * F32 * (kept + PEER_LOGITS * vocabulary);
    (bytes, format!("{tokens} tokens, padded, x 4 bytes x ({told} values + {PEER_LOGITS} x {vocabulary} logits)"))
}

fn full_fine_tuning(subject: &Subject, config: &RunConfig, batch: Batch) -> Elsewhere {
    let trained = parameters(subject);
    let (activations, told) = graph(subject, config, batch);
    Elsewhere {
        name: "full fine-tuning".into(),
        peak_bytes: 4 * F32 * trained + activations + peer_process(subject),
        formula: format!(
            "{trained} parameters x 16 bytes (weights, gradients, two moments) + {told} + {} for the process; an estimate",
            format_bytes(peer_process(subject))
        ),
    }
}

/// The same engine with the base in the compute type; nothing, where it is so already.
fn without_quantising(subject: &Subject, config: &RunConfig) -> Option<Elsewhere> {
    if config.adapter.method == Method::Lora {
        return None;
    }
    let mut dense = config.clone();
    dense.adapter.method = Method::Lora;
    dense.adapter.quantization = Quantization::Keep;
    let peak = plan(subject, &dense, None);
    let base = super::weights::base_bytes(&subject.weights, &dense, subject.on_device);
    let (values, bytes) = (parameters(subject), super::weights::compute_bytes(&config.model));
    Some(Elsewhere {
        name: "LoRA without quantising".into(),
        peak_bytes: peak.peak_bytes,
        formula: format!(
            "{values} weights x {bytes} bytes + {} for the rest of this run",
            format_bytes(peak.peak_bytes.saturating_sub(base))
        ),
    })
}

fn autograd(subject: &Subject, config: &RunConfig, batch: Batch) -> Elsewhere {
    let (weights, adapter) = (parameters(subject), engine::adapter_values(&subject.shape, config));
    let (activations, told) = graph(subject, config, batch);
    Elsewhere {
        name: "LoRA with whole-graph autograd, as PEFT does it".into(),
        peak_bytes: F32 * weights + 4 * F32 * adapter + activations + peer_process(subject),
        formula: format!(
            "{weights} weights x 4 bytes + {adapter} trained x 16 bytes + {told} + {} for the process; an estimate from two measured runs",
            format_bytes(peer_process(subject))
        ),
    }
}
