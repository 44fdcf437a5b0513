//! What the engine holds at the moments that may be the highest: each formula follows the function of `model` or `train` that it names.
//! A `value` is an element of the type that is computed with; widths are values a token.

use super::generation;
use super::process::resident;
use super::rows::Batch;
use super::weights::{F32, base_bytes, compute_bytes, held_bytes, is_packed, loading_bytes};
use super::{Moment, Subject, WeightFacts, WeightRole};
use crate::config::{RunConfig, TargetModule};
use crate::memory::ledger::{Category, Phase};
use crate::units::ModelShape;

/// Rows of the head that are dequantised at once: `model::head`'s `VOCABULARY_BLOCK`.
const VOCABULARY_BLOCK: u64 = 4096;
/// Queries whose scores are held at once: `model::attention`'s `QUERY_BLOCK`.
const QUERY_BLOCK: u64 = 128;

/// Values a token, by what they are: `model::needs`' `Widths`.
struct Widths {
    hidden: u64,
    q: u64,
    kv: u64,
    gate: u64,
    head_dim: u64,
    /// `x·Aᵀ` of the adapter's groups, in the order of [`GROUPS`].
    lows: [u64; 4],
    /// What `LoraGroup::down` and `LoraGroup::backward` of each group hold besides.
    down: [u64; 4],
    back: [u64; 4],
}

/// The modules that share an input: `model::adapter`'s groups.
const GROUPS: [&[TargetModule]; 4] = [
    &[TargetModule::QProj, TargetModule::KProj, TargetModule::VProj],
    &[TargetModule::OProj],
    &[TargetModule::GateProj, TargetModule::UpProj],
    &[TargetModule::DownProj],
];

impl Widths {
    fn of(shape: &ModelShape, config: &RunConfig, training: bool) -> Self {
        let (hidden, gate) = (shape.hidden_size as u64, shape.intermediate_size as u64);
        let q = (shape.num_attention_heads * shape.head_dim) as u64;
        let modules = GROUPS.map(|group| group.iter().filter(|m| config.adapter.target_modules.contains(m)).count());
        let lows = modules.map(|n| (n * config.adapter.r) as u64);
        let (mut down, mut back) = ([0; 4], [0; 4]);
        let dropout = training && config.adapter.lora_dropout > 0.0;
        for (i, width) in [hidden, q, hidden, gate].into_iter().enumerate().filter(|(i, _)| modules[*i] > 0) {
            // `LoraGroup::down_work` and `LoraGroup::backward_work`.
            down[i] = if dropout { width + lows[i] } else { 0 };
            let joined = if modules[i] > 1 { lows[i] } else { 0 };
            back[i] = lows[i] + if dropout { 3 * width } else { joined };
        }
        let kv = (shape.num_key_value_heads * shape.head_dim) as u64;
        Widths { hidden, q, kv, gate, head_dim: shape.head_dim as u64, lows, down, back }
    }

    /// Queries, keys, values and what attention made of them.
    fn attention(&self) -> u64 {
        2 * self.q + 2 * self.kv
    }

    /// What `Keep::All` keeps besides the input.
    fn full(&self) -> u64 {
        self.attention() + self.hidden + 2 * self.gate + self.lows.iter().sum::<u64>()
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

/// What forward keeps of a block: `block::Keep`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Nothing,
    Input,
    All,
}

/// The moments of a run, each of which may be the one with the most bytes.
pub(super) fn moments(subject: &Subject, config: &RunConfig, batch: Batch) -> Vec<Moment> {
    let run = Run::new(subject, config);
    let mut moments = vec![run.load(), run.optimizer(), run.checkpoint()];
    if batch.longest.tokens > 0 {
        moments.extend([run.forward(batch), run.head(batch), run.backward(batch)]);
        if !subject.eval_rows.is_empty() {
            let eval = Batch::of_eval(&subject.eval_rows, config.data.max_seq_length, batch);
            moments.extend(run.eval(eval));
        }
    }
    moments
}

/// Base and adapter after the last step; a checkpoint that is read has room for gradients, too.
fn scored(run: &Run) -> Moment {
    Moment::new(Phase::Generate)
        .lasting(Category::BaseWeights, run.base)
        .lasting(Category::Adapter, run.adapter)
        .lasting(Category::Gradients, run.adapter)
        .lasting(Category::DequantScratch, run.scratch())
}

/// Rows of the test split that are generated at once, so that the process holds no more than `most_bytes`.
pub(super) fn rows_at_once(subject: &Subject, config: &RunConfig, most_bytes: u64) -> usize {
    let rest = resident(subject, scored(&Run::new(subject, config)));
    generation::rows_at_once(subject, config, most_bytes.saturating_sub(rest.by_category.values().sum()))
}

/// After the last step, where the test split is scored within `most_bytes`.
pub(super) fn after_training(subject: &Subject, config: &RunConfig, most_bytes: u64) -> Option<Moment> {
    if !config.bleu.run_after_training {
        return None;
    }
    let rows = rows_at_once(subject, config, most_bytes);
    generation::generating(subject, config, scored(&Run::new(subject, config)), rows)
}

/// What all moments are worked out from.
struct Run<'a> {
    subject: &'a Subject,
    config: &'a RunConfig,
    /// Bytes of a value.
    value: u64,
    base: u64,
    /// Bytes of the trained values in f32: `lora::Param`.
    adapter: u64,
    keep: Keep,
}

impl<'a> Run<'a> {
    fn new(subject: &'a Subject, config: &'a RunConfig) -> Self {
        Run {
            subject,
            config,
            value: compute_bytes(&config.model),
            base: base_bytes(&subject.weights, config, subject.on_device),
            adapter: adapter_values(&subject.shape, config) * F32,
            keep: if config.train.gradient_checkpointing { Keep::Input } else { Keep::All },
        }
    }

    fn widths(&self, training: bool) -> Widths {
        Widths::of(&self.subject.shape, self.config, training)
    }

    /// `load::load`: the weights so far, and what is held while the next one is read.
    fn load(&self) -> Moment {
        let (mut held, mut most) = (0, (0, 0));
        for weight in self.subject.weights.iter() {
            let reading = loading_bytes(weight, self.config, self.subject.on_device);
            if held + reading > most.0 + most.1 {
                most = (held, reading);
            }
            held += held_bytes(weight, self.config, self.subject.on_device);
        }
        if held > most.0 + most.1 {
            most = (held, 0);
        }
        Moment::new(Phase::Load).lasting(Category::BaseWeights, most.0).lasting(Category::Other, most.1)
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

    fn packed(&self) -> impl Iterator<Item = &WeightFacts> {
        let (adapter, on_device) = (&self.config.adapter, self.subject.on_device);
        self.subject.weights.iter().filter(move |w| is_packed(w, adapter, on_device))
    }

    /// `frozen::Scratch` grows to the largest packed weight of a block, or to the rows of the head that are lent at once; a device has none.
    fn scratch(&self) -> u64 {
        if self.subject.on_device {
            return 0;
        }
        let expanded = self.packed().map(|w| match w.role {
            WeightRole::Projection => w.elements(),
            _ if self.is_head(w) => w.in_features * w.out_features.min(VOCABULARY_BLOCK),
            _ => 0,
        });
        expanded.max().unwrap_or(0) * F32
    }

    /// Whether the logits come from this weight: a tied embedding is the head too.
    fn is_head(&self, weight: &WeightFacts) -> bool {
        weight.role == WeightRole::Head
            || (weight.role == WeightRole::Embedding && self.subject.shape.tie_word_embeddings)
    }

    /// `Frozen::copy_bytes`: on a device a packed weight is expanded as a whole, to f32 and from there to a narrower type.
    fn copy_bytes(&self, of: impl Fn(&WeightFacts) -> bool) -> u64 {
        let widened = if self.value < F32 { self.value } else { 0 };
        let largest = self.packed().filter(|w| self.subject.on_device && of(w)).map(WeightFacts::elements).max();
        largest.unwrap_or(0) * (F32 + widened)
    }

    /// A pass before its first block: the batch itself (`Packed::bytes`), the stream of hidden states, the rotation (`Decoder::enter`).
    fn entered(&self, phase: Phase, batch: Batch, training: bool) -> Moment {
        let (w, t) = (self.widths(training), batch.longest.tokens);
        let data = 4 * (2 * t + batch.longest.rows + 1) + 8 * (t + batch.most_targets);
        self.standing(phase)
            .passing(Category::Data, data)
            .passing(Category::BlockWork, t * w.hidden * self.value)
            .passing(Category::Other, t * w.head_dim * self.value)
            .with_tensors_of(t * w.gate.max(w.q) * self.value)
    }

    /// What a block keeps for backward, in values a token.
    fn kept(&self, keep: Keep, w: &Widths) -> u64 {
        match keep {
            Keep::Nothing => 0,
            Keep::Input => w.hidden,
            Keep::All => w.full() + w.hidden,
        }
    }

    /// `Block::scores_bytes`: a block of scores for each thread, two on the way back; on a device whole matrices of the longest row.
    fn scores(&self, batch: Batch, backward: bool) -> u64 {
        let row = batch.longest_row;
        if !self.subject.on_device {
            let blocks = self.subject.threads as u64 * if backward { 2 } else { 1 };
            return blocks * QUERY_BLOCK.min(row) * row * F32;
        }
        let matrix = self.subject.shape.num_attention_heads as u64 * row * row * F32;
        matrix * if backward { 7 } else { 5 }
    }

    /// `Block::attention_moments`.
    fn attention_moments(&self, w: &Widths, batch: Batch, residual: u64) -> [u64; 3] {
        let t = batch.longest.tokens * self.value;
        [
            t * (w.hidden + w.lows[0] + (w.q + 2 * w.kv).max(w.down[0])),
            t * (w.lows[0] + w.attention()) + self.scores(batch, false),
            t * (w.lows[0] + w.lows[1] + w.attention() + residual.max(w.down[1])),
        ]
    }

    /// `Block::needs`: what composed operations on a device hold besides.
    fn composed(&self, batch: Batch, w: &Widths) -> u64 {
        if !self.subject.on_device {
            return 0;
        }
        self.copy_bytes(|weight| weight.role == WeightRole::Projection) + 8 * batch.longest.tokens * w.gate * F32
    }

    /// `Block::forward_needs`: what a block works with besides its input and what it keeps.
    fn forward_work(&self, batch: Batch, keep: Keep, w: &Widths) -> u64 {
        let t = batch.longest.tokens * self.value;
        let residual = if keep == Keep::Nothing { 0 } else { w.hidden };
        let gated = match keep {
            Keep::All => [w.full() - w.lows[3] + w.hidden + w.down[2], w.full() + w.gate + w.hidden.max(w.down[3])],
            _ => [
                residual + 2 * w.gate + w.hidden + w.lows[2] + w.down[2],
                residual + 2 * w.gate + w.lows[3] + w.down[3],
            ],
        };
        let attention = self.attention_moments(w, batch, residual);
        let most = attention.into_iter().chain(gated.map(|width| t * width)).max().unwrap_or(0);
        most.saturating_sub(t * self.kept(keep, w)) + self.composed(batch, w)
    }

    /// `Block::backward_needs`: the same of the way back.
    fn backward_work(&self, batch: Batch, w: &Widths) -> u64 {
        let t = batch.longest.tokens * self.value;
        let full = w.full();
        let attention = full - 2 * w.gate - w.hidden;
        let mut most = t * (full + w.gate + w.down[3]);
        most = most.max(t * (full + 2 * w.gate + w.back[3]));
        // From here on the gradients of gate and up lie in the places of gate and up.
        most = most.max(t * (full + 2 * w.hidden + w.back[2]));
        most = most.max(t * (attention + w.q + w.back[1]));
        most = most.max(t * (attention + w.q + 2 * w.kv) + self.scores(batch, true));
        most = most.max(t * (w.q + 2 * w.kv + 2 * w.hidden + w.lows.iter().sum::<u64>() + w.back[0]));
        if self.keep == Keep::All {
            most = most.saturating_sub(t * full);
        } else {
            let again = self.attention_moments(w, batch, w.hidden).into_iter().max().unwrap_or(0);
            most = most.max(again).max(t * (full - w.lows[3] + w.hidden + w.down[2]));
        }
        most + self.composed(batch, w)
    }

    fn layers(&self) -> u64 {
        self.subject.shape.num_hidden_layers as u64
    }

    /// `Decoder::train` in its last block: what all of them have kept, and what the last works with.
    fn forward(&self, batch: Batch) -> Moment {
        let (w, t) = (self.widths(true), batch.longest.tokens * self.value);
        self.entered(Phase::Forward, batch, true)
            .passing(Category::Activations, t * self.layers() * self.kept(self.keep, &w))
            .passing(Category::BlockWork, self.forward_work(batch, self.keep, &w))
    }

    /// `Head::chunk_bytes`: logits, the chosen rows before and after the norm, and with gradients theirs.
    fn chunk(&self, batch: Batch, gradients: bool) -> u64 {
        let s = &self.subject.shape;
        let rows = batch.most_targets.min(self.config.memory.head_chunk as u64);
        let logits = rows * s.vocab_size as u64 * F32;
        let chosen = rows * s.hidden_size as u64 * self.value * if gradients { 4 } else { 2 };
        if !self.subject.on_device {
            return logits + chosen;
        }
        logits * if gradients { 5 } else { 4 } + chosen + self.copy_bytes(|w| self.is_head(w))
    }

    /// `Head::loss` after all blocks: a chunk, and the gradient of the hidden states.
    fn head(&self, batch: Batch) -> Moment {
        let (w, t) = (self.widths(true), batch.longest.tokens * self.value);
        self.entered(Phase::Forward, batch, true)
            .passing(Category::Activations, t * self.layers() * self.kept(self.keep, &w))
            .passing(Category::BlockWork, t * w.hidden)
            .passing(Category::HeadChunk, self.chunk(batch, true))
    }

    /// `Decoder::train` on its way back in the last block, when nothing that was kept is gone yet. The gradient has the stream's size.
    fn backward(&self, batch: Batch) -> Moment {
        let (w, t) = (self.widths(true), batch.longest.tokens * self.value);
        self.entered(Phase::Backward, batch, true)
            .passing(Category::Activations, t * self.layers() * self.kept(self.keep, &w))
            .passing(Category::BlockWork, self.backward_work(batch, &w))
    }

    /// The bytes of the largest trained matrix: A of q, k and v is one.
    fn largest_parameter(&self) -> u64 {
        let (shape, r) = (&self.subject.shape, self.config.adapter.r as u64);
        let adapted = |m: &&TargetModule| self.config.adapter.target_modules.contains(m);
        let groups = GROUPS.iter().map(|group| {
            let members: Vec<_> = group.iter().filter(adapted).map(|m| features(shape, *m)).collect();
            let stacked = members.iter().map(|(inner, _)| inner).sum::<u64>();
            members.iter().map(|(_, out)| *out).max().unwrap_or(0).max(stacked)
        });
        r * groups.max().unwrap_or(0) * F32
    }

    /// `optimizer::working_bytes`: on a CPU every value is changed in its place, a device makes values and moments once more.
    fn optimizer(&self) -> Moment {
        let beside = if self.subject.on_device { 3 * self.adapter + 6 * self.largest_parameter() } else { 0 };
        self.standing(Phase::Optimizer).passing(Category::Other, beside)
    }

    /// `evaluate::split_loss`: forward with nothing kept, then the head without a gradient.
    fn eval(&self, batch: Batch) -> [Moment; 2] {
        let w = self.widths(false);
        let entered = || self.entered(Phase::Eval, batch, false);
        [
            entered().passing(Category::BlockWork, self.forward_work(batch, Keep::Nothing, &w)),
            entered().passing(Category::HeadChunk, self.chunk(batch, false)),
        ]
    }

    /// `adapter::write_bytes`: copies of the largest matrix.
    fn checkpoint(&self) -> Moment {
        self.standing(Phase::Checkpoint).passing(Category::Other, 3 * self.largest_parameter())
    }
}
