//! A decoder as a whole: tokens in, loss and the adapters' gradients out. Sampling is in `generate`, files in `load` and `adapter`.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};

use super::adapter::Adapter;
use super::attention::Segments;
use super::block::{Block, BlockAdapter, Keep, Pass};
use super::frozen::{Frozen, Products};
use super::head::{Head, Target};
use super::lora::DropoutKey;
use super::oom::raised;
use super::rope::Rotation;
use super::spec::Spec;
use crate::memory::ledger::{Category, Charge, Ledger, Phase};

/// A frozen decoder in memory.
#[derive(Debug)]
pub struct Decoder {
    pub spec: Spec,
    pub embedding: Arc<Frozen>,
    pub blocks: Vec<Block>,
    pub head: Head,
    pub device: Device,
    pub dtype: DType,
    pub ledger: Ledger,
}

/// Rows of tokens laid end to end; rows of different length need no padding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packed {
    pub tokens: Vec<u32>,
    /// Row i occupies `starts[i]..starts[i + 1]`.
    pub starts: Vec<u32>,
    /// Each token's position in its row.
    pub positions: Vec<u32>,
    /// Each token's row in the step, for dropout.
    pub rows: Vec<u64>,
    pub targets: Vec<Target>,
}

impl Packed {
    /// The bytes that the batch itself takes.
    pub fn bytes(&self) -> usize {
        4 * (self.tokens.len() + self.starts.len() + self.positions.len()) + 8 * (self.rows.len() + self.targets.len())
    }
}

/// How a training pass is done.
#[derive(Debug, Clone, Copy)]
pub struct TrainPass {
    /// What the sum of nats is multiplied by: 1 / target tokens of the whole step.
    pub scale: f64,
    pub gradient_checkpointing: bool,
    /// The seed and the step that dropout's bits come from.
    pub seed: u64,
    pub step: u64,
}

impl Decoder {
    /// The number of weights of the base, a tied matrix counted once.
    pub fn parameters(&self) -> u64 {
        let blocks: usize = self.blocks.iter().map(Block::parameters).sum();
        let tied = Arc::ptr_eq(&self.embedding, &self.head.weight);
        let head = if tied { 0 } else { self.head.weight.parameters() };
        (blocks + self.embedding.parameters() + head + self.spec.shape.hidden_size) as u64
    }

    pub(super) fn embed(&self, tokens: &[u32]) -> Result<Tensor> {
        let vocabulary = self.embedding.out_features;
        if let Some(token) = tokens.iter().find(|&&t| t as usize >= vocabulary) {
            candle_core::bail!("token {token} is not below the model's vocabulary of {vocabulary}");
        }
        self.embedding.rows(tokens, &self.device)?.to_dtype(self.dtype)
    }

    /// The rotation for a batch and its embedding, if there is room for them: charged as long as the pass lasts.
    pub(super) fn enter(&self, batch: &Packed) -> Result<(Rotation, Tensor, [Charge; 2])> {
        self.ledger.set_layer(None);
        let tokens = batch.tokens.len();
        let stream = tokens * self.spec.shape.hidden_size * self.dtype.size_in_bytes();
        let rotation = self.spec.frequencies.bytes(tokens, self.dtype);
        self.ledger.has_room(stream + rotation).map_err(raised)?;
        let charges = [(Category::BlockWork, stream), (Category::Other, rotation)];
        let charges = charges.map(|(category, bytes)| self.ledger.charge(category, bytes));
        let rotation = self.spec.frequencies.rotation(&batch.positions, self.dtype, &self.device)?;
        Ok((rotation, self.embed(&batch.tokens)?, charges))
    }

    /// Loss and gradients of one micro-batch: adds to the adapter's gradients those of `scale · Σ nats`, returns Σ nats.
    ///
    /// The ledger is asked before the embedding, each block and the head in the phase forward, and before each adapted block in backward.
    /// # Errors
    /// A token outside the vocabulary; no room; whatever the device says. The adapter's values are as they were, its gradients may have got a
    /// part of this batch's.
    pub fn train(&self, adapter: &mut Adapter, batch: &Packed, how: TrainPass) -> Result<f64> {
        self.ledger.set_phase(Phase::Forward);
        let (rotation, mut x, charges) = self.enter(batch)?;
        let key = DropoutKey { seed: how.seed, step: how.step, rows: &batch.rows, positions: &batch.positions };
        let pass = Pass {
            segments: Segments(&batch.starts),
            rotation: &rotation,
            dropout: (adapter.dropout > 0.0).then_some(key),
            products: Products::Whole,
            ledger: &self.ledger,
        };
        let keep = if how.gradient_checkpointing { Keep::Input } else { Keep::All };
        // Backward stops below the lowest adapted block: what lies below keeps nothing.
        let lowest = adapter.blocks.iter().position(|b| !b.is_empty()).unwrap_or(self.blocks.len());
        let mut saved = Vec::with_capacity(self.blocks.len());
        for (i, (block, adapter)) in self.blocks.iter().zip(&adapter.blocks).enumerate() {
            self.ledger.set_layer(Some(i));
            let (y, kept) = block.forward(adapter, x, &pass, if i < lowest { Keep::Nothing } else { keep })?;
            saved.push(kept);
            x = y;
        }
        self.ledger.set_layer(None);
        let (loss, gradient) = self.head.loss(&x, &batch.targets, Some(how.scale), &self.ledger)?;
        let [stream, _rotation] = charges;
        drop((x, stream));
        self.ledger.set_phase(Phase::Backward);
        // The gradient keeps its place from block to block, and so its charge.
        let (mut dy, _gradient) = gradient.map_or((None, None), |(d, charge)| (Some(d), Some(charge)));
        for i in (lowest..self.blocks.len()).rev() {
            let (Some(d), Some(kept)) = (dy.take(), saved.pop().flatten()) else { break };
            self.ledger.set_layer(Some(i));
            dy = self.blocks[i].backward(&mut adapter.blocks[i], kept, d, &pass, i > lowest)?;
        }
        self.ledger.set_layer(None);
        Ok(loss)
    }

    /// Σ nats over the batch's targets, on the path that training uses, with nothing kept. The ledger is asked as in training's forward.
    /// # Errors
    /// As [`Decoder::train`].
    pub fn loss(&self, adapter: Option<&Adapter>, batch: &Packed) -> Result<f64> {
        let (hidden, _charges) = self.through(adapter, batch)?;
        Ok(self.head.loss(&hidden, &batch.targets, None, &self.ledger)?.0)
    }

    /// The hidden states before the final norm. Shapes: → [tokens, hidden].
    pub fn hidden(&self, adapter: Option<&Adapter>, batch: &Packed) -> Result<Tensor> {
        Ok(self.through(adapter, batch)?.0)
    }

    fn through(&self, adapter: Option<&Adapter>, batch: &Packed) -> Result<(Tensor, [Charge; 2])> {
        let (rotation, mut x, charges) = self.enter(batch)?;
        let segments = Segments(&batch.starts);
        let products = Products::Whole;
        let pass = Pass { segments, rotation: &rotation, dropout: None, products, ledger: &self.ledger };
        let none = BlockAdapter::default();
        for (i, block) in self.blocks.iter().enumerate() {
            self.ledger.set_layer(Some(i));
            let adapter = adapter.map_or(&none, |a| &a.blocks[i]);
            x = block.forward(adapter, x, &pass, Keep::Nothing)?.0;
        }
        self.ledger.set_layer(None);
        Ok((x, charges))
    }

    /// Charges bytes that belong to no tensor of the engine, such as a batch's tokens.
    pub fn charge_data(&self, bytes: usize) -> Charge {
        self.ledger.charge(Category::Data, bytes)
    }
}
