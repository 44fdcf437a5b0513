//! What the engine holds at the moments that may be the highest: each formula follows the function of `model` or `train` that it names.
//! A `value` is an element of the type that is computed with; widths are values a token.

use super::rows::Batch;
use super::weights::{F32, base_bytes, compute_bytes, held_bytes, is_packed, loading_bytes};
use super::{Moment, Subject, WeightRole};
use crate::config::{RunConfig, TargetModule};
use crate::memory::ledger::{Category, Phase};
use crate::units::ModelShape;

/// Rows of the head that are dequantised at once: `model::head`'s `VOCABULARY_BLOCK`.
const VOCABULARY_BLOCK: u64 = 4096;
/// Queries whose scores are held at once: `model::attention`'s `QUERY_BLOCK`.
const QUERY_BLOCK: u64 = 128;

/// Widths of a block's tensors.
struct Widths {
    hidden: u64,
    q: u64,
    kv: u64,
    gate: u64,
    head_dim: u64,
    /// `x·Aᵀ` of all adapted modules of a block, and those of the feed-forward part's first two.
    lows: u64,
    gate_up_lows: u64,
    down_low: u64,
}

impl Widths {
    fn of(shape: &ModelShape, config: &RunConfig) -> Self {
        let modules = &config.adapter.target_modules;
        let low =
            |wanted: &[TargetModule]| (modules.iter().filter(|m| wanted.contains(m)).count() * config.adapter.r) as u64;
        Widths {
            hidden: shape.hidden_size as u64,
            q: (shape.num_attention_heads * shape.head_dim) as u64,
            kv: (shape.num_key_value_heads * shape.head_dim) as u64,
            gate: shape.intermediate_size as u64,
            head_dim: shape.head_dim as u64,
            lows: low(&TargetModule::ALL),
            gate_up_lows: low(&[TargetModule::GateProj, TargetModule::UpProj]),
            down_low: low(&[TargetModule::DownProj]),
        }
    }

    /// What `block::Full` keeps besides its input: q, k, v, attended, residual, gate, up.
    fn full(&self) -> u64 {
        2 * self.q + 2 * self.kv + self.hidden + 2 * self.gate
    }
}

/// Values that an adapter trains.
pub fn adapter_values(shape: &ModelShape, config: &RunConfig) -> u64 {
    let per_layer: u64 = config.adapter.target_modules.iter().map(|m| features(shape, *m)).map(|(i, o)| i + o).sum();
    per_layer * (config.adapter.r * shape.num_hidden_layers) as u64
}

/// Columns and rows of a projection.
fn features(shape: &ModelShape, module: TargetModule) -> (u64, u64) {
    let hidden = shape.hidden_size as u64;
    let (q, kv) = (shape.num_attention_heads * shape.head_dim, shape.num_key_value_heads * shape.head_dim);
    let gate = shape.intermediate_size as u64;
    match module {
        TargetModule::QProj => (hidden, q as u64),
        TargetModule::KProj | TargetModule::VProj => (hidden, kv as u64),
        TargetModule::OProj => (q as u64, hidden),
        TargetModule::GateProj | TargetModule::UpProj => (hidden, gate),
        TargetModule::DownProj => (gate, hidden),
    }
}

/// The moments of a run, each of which may be the one with the most bytes.
pub(super) fn moments(subject: &Subject, config: &RunConfig, batch: Batch) -> Vec<Moment> {
    let run = Run::new(subject, config);
    let mut moments = vec![run.load(), run.optimizer(), run.checkpoint()];
    if batch.longest.tokens > 0 {
        moments.extend([run.forward(batch), run.head(batch), run.backward(batch)]);
        if !subject.eval_rows.is_empty() {
            // `train::evaluate::longest_batch`: an eval batch has no more tokens than training's longest.
            let eval = Batch::of_eval(&subject.eval_rows, config.data.max_seq_length, batch.longest.tokens);
            moments.extend(run.eval(eval));
        }
    }
    moments
}

/// What all moments are worked out from.
struct Run<'a> {
    subject: &'a Subject,
    config: &'a RunConfig,
    widths: Widths,
    /// Bytes of a value.
    value: u64,
    base: u64,
    /// Bytes of the trained values in f32: `lora::Param`.
    adapter: u64,
}

impl<'a> Run<'a> {
    fn new(subject: &'a Subject, config: &'a RunConfig) -> Self {
        Run {
            subject,
            config,
            widths: Widths::of(&subject.shape, config),
            value: compute_bytes(&config.model),
            base: base_bytes(&subject.weights, config, subject.on_device),
            adapter: adapter_values(&subject.shape, config) * F32,
        }
    }

    fn layers(&self) -> u64 {
        self.subject.shape.num_hidden_layers as u64
    }

    /// `load::load`: the weights so far, and what is held beside the one that is read.
    fn load(&self) -> Moment {
        let (mut held, mut most) = (0, (0, 0));
        for weight in self.subject.weights.iter() {
            let beside = loading_bytes(weight, self.config, self.subject.on_device);
            let own = held_bytes(weight, self.config, self.subject.on_device);
            if held + own + beside > most.0 + most.1 {
                most = (held + own, beside);
            }
            held += own;
        }
        if held > most.0 + most.1 {
            most = (held, 0);
        }
        Moment::new(Phase::Load).lasting(Category::BaseWeights, most.0).passing(Category::Other, most.1)
    }

    /// What is there from the first step on: the base, the adapter, its gradients (`lora::Param`) and moments (`optimizer::AdamW`), and the
    /// place where weights are dequantised (`frozen::Scratch`).
    fn standing(&self, phase: Phase) -> Moment {
        Moment::new(phase)
            .lasting(Category::BaseWeights, self.base)
            .lasting(Category::Adapter, self.adapter)
            .lasting(Category::Gradients, self.adapter)
            .lasting(Category::Optimizer, 2 * self.adapter)
            .lasting(Category::DequantScratch, self.scratch())
    }

    /// `frozen::Scratch` grows to the largest weight of a block that is packed, or to the rows of the head that are lent at once; on a device
    /// a whole weight is expanded to f32 and to the compute type.
    fn scratch(&self) -> u64 {
        let packed = |w: &&super::WeightFacts| is_packed(w, &self.config.adapter, self.subject.on_device);
        let tied = !self.subject.weights.iter().any(|w| w.role == WeightRole::Head);
        let expanded = self.subject.weights.iter().filter(packed).map(|w| match w.role {
            WeightRole::Projection => w.elements(),
            WeightRole::Embedding if !tied => 0,
            _ if self.subject.on_device => w.elements(),
            _ => w.in_features * w.out_features.min(VOCABULARY_BLOCK),
        });
        let value = if self.subject.on_device && self.value != F32 { F32 + self.value } else { F32 };
        expanded.max().unwrap_or(0) * value
    }

    /// The batch itself (`Packed::bytes`), the rotation's cosines and sines (`rope::Frequencies::rotation`).
    fn with_batch(&self, moment: Moment, batch: Batch) -> Moment {
        let t = batch.longest.tokens;
        let packed = 4 * (t + batch.longest.rows + 1 + t) + 8 * (t + batch.most_targets);
        moment.passing(Category::Data, packed).passing(Category::BlockWork, t * self.widths.head_dim * self.value)
    }

    /// What the blocks below the last have kept: `block::Saved`, from the lowest adapted block on.
    fn saved(&self, blocks: u64) -> u64 {
        let w = &self.widths;
        if self.config.train.gradient_checkpointing {
            blocks * w.hidden
        } else {
            blocks * (w.hidden + w.full() + w.lows)
        }
    }

    /// `attention::Heads::scratch_bytes`: a block of scores for each thread, and on the way back two. On a device whole rows at once.
    fn scores(&self, batch: Batch, blocks: u64) -> u64 {
        let (row, heads) = (batch.longest_row, self.subject.shape.num_attention_heads as u64);
        if self.subject.on_device {
            return 3 * heads * row * row * F32;
        }
        blocks * self.subject.threads as u64 * QUERY_BLOCK.min(row) * row * F32
    }

    /// `Block::forward` of the last block: the input, what `attend_and_gate` makes, the gated product; the sum goes into the residual's place,
    /// or with everything kept into a copy of it.
    fn forward_values(&self, keeps_all: bool) -> (u64, u64) {
        let w = &self.widths;
        let copy = if keeps_all { w.hidden } else { 0 };
        (w.full(), w.hidden + w.gate.max(w.hidden) + copy + w.lows)
    }

    fn forward(&self, batch: Batch) -> Moment {
        let t = batch.longest.tokens * self.value;
        let keeps_all = !self.config.train.gradient_checkpointing;
        let (kept, work) = self.forward_values(keeps_all);
        self.with_batch(self.standing(Phase::Forward), batch)
            .passing(Category::Activations, t * (self.saved(self.layers() - 1) + kept))
            .passing(Category::BlockWork, t * work + self.scores(batch, 1))
    }

    /// `Head::loss`: a chunk's logits, the gradient of the hidden states before and after a chunk is added to it (`index_add` makes a new
    /// one), and the chunk's rows: chosen, normed, their gradient, that before the norm.
    fn head_chunk(&self, batch: Batch, with_gradient: bool) -> u64 {
        let hidden = self.widths.hidden * self.value;
        let rows = batch.most_targets.min(self.config.memory.head_chunk as u64);
        // On a device: the logits, their exponentials, the probabilities and their gradient.
        let copies = if self.subject.on_device { 4 } else { 1 };
        let logits = copies * rows * self.subject.shape.vocab_size as u64 * F32;
        match with_gradient {
            true => logits + 2 * batch.longest.tokens * hidden + 4 * rows * hidden,
            false => logits + 2 * rows * hidden,
        }
    }

    fn head(&self, batch: Batch) -> Moment {
        let t = batch.longest.tokens * self.value;
        self.with_batch(self.standing(Phase::Forward), batch)
            .passing(Category::Activations, t * self.saved(self.layers()))
            .passing(Category::BlockWork, t * self.widths.hidden)
            .passing(Category::HeadChunk, self.head_chunk(batch, true))
    }

    /// `Block::backward` of the last block, when nothing that was saved is gone yet. Four places may be the highest: the gated product with
    /// its gradient, the gradients of gate and up beside what they come from, those of the norm's output, and those of q, k and v.
    fn backward(&self, batch: Batch) -> Moment {
        let (w, t) = (&self.widths, batch.longest.tokens * self.value);
        let recomputed = if self.config.train.gradient_checkpointing { w.full() + w.lows - w.down_low } else { 0 };
        let attended = 2 * w.q + 2 * w.kv;
        let scores = self.scores(batch, 2);
        let after_gates = w.full() - 2 * w.gate + w.lows;
        let places = [
            t * (w.full() + w.lows + 2 * w.gate + w.down_low),
            t * (w.full() + w.lows + 3 * w.gate),
            // normed and its gradient, t of both modules and their concatenation
            t * (after_gates + 2 * w.gate + 2 * w.hidden + 2 * w.gate_up_lows),
            t * (attended + w.lows + w.hidden + w.q + w.q + 2 * w.kv) + scores,
        ];
        let most = places.into_iter().max().unwrap_or(0);
        let (saved, own) = match self.config.train.gradient_checkpointing {
            true => (t * (self.saved(self.layers()) + recomputed), t * recomputed),
            false => (t * self.saved(self.layers()), t * (w.full() + w.lows)),
        };
        self.with_batch(self.standing(Phase::Backward), batch)
            .passing(Category::Activations, saved)
            // The gradient that comes from above, and what this place has beyond what was kept.
            .passing(Category::BlockWork, t * w.hidden + most.saturating_sub(own))
    }

    /// `optimizer::AdamW::update` works in place on a CPU; elsewhere a parameter's moments are made anew beside the old ones.
    fn optimizer(&self) -> Moment {
        let largest = self.largest_parameter() * F32;
        let beside = if self.subject.on_device { 4 * largest } else { 0 };
        self.standing(Phase::Optimizer).passing(Category::Other, beside)
    }

    /// The values of the largest trained matrix, A of q, k and v stacked.
    fn largest_parameter(&self) -> u64 {
        let (r, shape) = (self.config.adapter.r as u64, &self.subject.shape);
        let has = |m: &TargetModule| self.config.adapter.target_modules.contains(m);
        let qkv =
            [TargetModule::QProj, TargetModule::KProj, TargetModule::VProj].iter().filter(|m| has(m)).count() as u64;
        let widest =
            TargetModule::ALL.iter().filter(|m| has(m)).map(|m| features(shape, *m)).map(|(i, o)| i.max(o)).max();
        r * widest.unwrap_or(0).max(qkv * self.widths.hidden)
    }

    /// `evaluate::split_loss`: forward with nothing kept, then the head without a gradient.
    fn eval(&self, batch: Batch) -> [Moment; 2] {
        let t = batch.longest.tokens * self.value;
        let (kept, work) = self.forward_values(false);
        let standing = || self.with_batch(self.standing(Phase::Eval), batch);
        [
            standing()
                .passing(Category::Activations, t * kept)
                .passing(Category::BlockWork, t * work + self.scores(batch, 1)),
            standing()
                .passing(Category::BlockWork, t * self.widths.hidden)
                .passing(Category::HeadChunk, self.head_chunk(batch, false)),
        ]
    }

    /// `checkpoint::write`, the moments' file: `adapter::write_tensors` holds the bytes of all tensors and then the whole file beside them.
    fn checkpoint(&self) -> Moment {
        self.standing(Phase::Checkpoint).passing(Category::Other, 2 * 2 * self.adapter)
    }
}
