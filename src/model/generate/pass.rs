//! One pass of several rows through the decoder: prompts into empty caches, or one token a row; then the last hidden state of each row, and
//! of those the likeliest tokens or the logits. Which rows they are is `batch`'s business, what is made of logits `pick`'s and `beam`'s.

use std::ops::ControlFlow;
use std::sync::Mutex;

use candle_core::{Result, Tensor};

use super::cache::{CacheKind, RowCache};
use crate::memory::ledger::{Category, Charge};
use crate::model::adapter::Adapter;
use crate::model::attention::Segments;
use crate::model::block::{BlockAdapter, Pass};
use crate::model::cpu;
use crate::model::decoder::{Decoder, Packed};
use crate::model::frozen::Products;
use crate::model::oom::raised;
use crate::model::panel::Lanes;

/// A row of a pass: what is cached of it, and the tokens that follow.
#[derive(Debug)]
pub struct Lane {
    pub cache: RowCache,
    pub next: Vec<u32>,
}

/// A decoder with what all passes of one generation share.
#[derive(Clone, Copy)]
pub struct Engine<'a> {
    pub decoder: &'a Decoder,
    pub adapter: Option<&'a Adapter>,
    pub products: Products,
}

impl Engine<'_> {
    pub fn cache_kind(&self) -> CacheKind {
        let shape = &self.decoder.spec.shape;
        CacheKind {
            layers: self.decoder.blocks.len(),
            width: shape.num_key_value_heads * shape.head_dim,
            dtype: self.decoder.dtype,
            device: self.decoder.device.clone(),
        }
    }

    /// Computes every lane's next tokens; they are in the caches afterwards. Shapes: → [lanes, hidden], each lane's last, before the final norm.
    /// `None`, and the lanes as they were, where `goes_on` broke it off; it is asked after each layer.
    /// # Errors
    /// No room, asked for before anything is allocated: the lanes are as they were. Whatever the device says.
    pub fn advance(
        &self,
        lanes: &mut [&mut Lane],
        goes_on: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Option<Tensor>> {
        let decoder = self.decoder;
        let mut batch = Packed { starts: vec![0], ..Packed::default() };
        for lane in lanes.iter() {
            batch.tokens.extend(&lane.next);
            batch.positions.extend((lane.cache.len as u32..).take(lane.next.len()));
            batch.starts.push(batch.tokens.len() as u32);
        }
        let (rotation, mut x, _charges) = decoder.enter(&batch)?;
        let segments = Segments(&batch.starts);
        let pass =
            Pass { segments, rotation: &rotation, dropout: None, products: self.products, ledger: &decoder.ledger };
        let none = BlockAdapter::default();
        for (i, block) in decoder.blocks.iter().enumerate() {
            decoder.ledger.set_layer(Some(i));
            let rows: Vec<_> = lanes.iter().map(|lane| lane.cache.layer(i)).collect();
            x = block.forward_cached(self.adapter.map_or(&none, |a| &a.blocks[i]), x, &pass, &rows)?;
            if goes_on().is_break() {
                return Ok(None);
            }
        }
        decoder.ledger.set_layer(None);
        let last: Vec<u32> = batch.starts[1..].iter().map(|end| end - 1).collect();
        if batch.tokens.len() > lanes.len() {
            x = x.index_select(&Tensor::from_vec(last, lanes.len(), &decoder.device)?, 0)?;
        }
        for lane in lanes.iter_mut() {
            lane.cache.len += lane.next.len();
        }
        Ok(Some(x))
    }

    /// Room for what the head makes of so many rows.
    fn head_room(&self, rows: usize, logits: bool) -> Result<Charge> {
        let shape = &self.decoder.spec.shape;
        let values = if logits { rows * shape.vocab_size } else { 0 } + rows * shape.hidden_size;
        let bytes = values * size_of::<f32>() + Lanes::bytes(rows, shape.hidden_size);
        let scratch = self.decoder.head.weight.panels_growth();
        self.decoder.ledger.has_room(bytes + scratch).map_err(raised)?;
        Ok(self.decoder.ledger.charge(Category::HeadChunk, bytes))
    }

    /// The likeliest token of each row, the lowest of equals; the logits are gone as soon as they were compared.
    /// Shapes: hidden [rows, hidden] → [rows].
    /// # Errors
    /// No room; logits that are no numbers.
    pub fn likeliest(&self, hidden: &Tensor) -> Result<Vec<u32>> {
        let rows = hidden.dim(0)?;
        if self.products != Products::Panels && rows == 1 || !cpu::on_cpu(hidden) {
            return self.with_logits(hidden, |_, logits| likeliest(logits));
        }
        let _room = self.head_room(rows, false)?;
        let head = &self.decoder.head;
        let best = Mutex::new(vec![(f32::NEG_INFINITY, u32::MAX); rows]);
        let normed = head.norm.forward(hidden)?;
        let seen = head.weight.each_panel(&normed, |first, n, products| {
            let found: Vec<_> = products
                .chunks_exact(n)
                .map(|products| {
                    let top = cpu::max(products);
                    (top, products.iter().position(|v| *v == top).map_or(u32::MAX, |i| (first + i) as u32))
                })
                .collect();
            let mut best = best.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            for (best, found) in best.iter_mut().zip(found) {
                if found.0 > best.0 || found.0 == best.0 && found.1 < best.1 {
                    *best = found;
                }
            }
        })?;
        if !seen {
            return self.with_logits(hidden, |_, logits| likeliest(logits));
        }
        let best = best.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        best.into_iter().map(|(_, token)| if token == u32::MAX { no_numbers() } else { Ok(token) }).collect()
    }

    /// Shows the logits of each row, which may be written over, to `work(row, logits)`.
    /// # Errors
    /// No room; whatever `work` says.
    pub fn with_logits<R>(
        &self,
        hidden: &Tensor,
        mut work: impl FnMut(usize, &mut [f32]) -> Result<R>,
    ) -> Result<Vec<R>> {
        let rows = hidden.dim(0)?;
        let _room = self.head_room(rows, true)?;
        let logits = self.decoder.head.all_logits(hidden, self.products)?;
        if !cpu::on_cpu(&logits) {
            let mut values = logits.flatten_all()?.to_vec1::<f32>()?;
            let vocabulary = values.len() / rows.max(1);
            return values.chunks_exact_mut(vocabulary.max(1)).enumerate().map(|(i, row)| work(i, row)).collect();
        }
        let vocabulary = logits.dim(1)?;
        cpu::write(&logits, |values| {
            values.chunks_exact_mut(vocabulary).enumerate().map(|(i, row)| work(i, row)).collect()
        })?
    }
}

/// The likeliest token, the lowest of equals.
/// # Errors
/// Logits that are no numbers.
pub fn likeliest(logits: &[f32]) -> Result<u32> {
    let top = cpu::max(logits);
    match logits.iter().position(|v| *v == top) {
        Some(token) => Ok(token as u32),
        None => no_numbers(),
    }
}

fn no_numbers<T>() -> Result<T> {
    candle_core::bail!("the model's logits are no numbers: its weights or the adapter's are broken")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{ComputeDtype, Method, Quantization};
    use crate::memory::ledger::Ledger;
    use crate::model::load::{Placement, WeightFiles, load};

    #[test]
    fn a_rows_logits_are_the_same_bytes_alone_and_among_others() {
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny");
        let (method, quantization, dtype) = (Method::Qlora, Quantization::Keep, ComputeDtype::F32);
        let placement = Placement { method, quantization, dtype, device: candle_core::Device::Cpu };
        let file = tiny.join("llama-mixed.gguf");
        let decoder = load(WeightFiles::Gguf(&file), &placement, &Ledger::default(), &mut |_, _| {}).unwrap();
        let adapter = Adapter::load(&decoder, &tiny.join("llama-adapter")).unwrap();
        let engine = Engine { decoder: &decoder, adapter: Some(&adapter), products: Products::Panels };
        let prompts: Vec<Vec<u32>> =
            [3usize, 1, 40, 17, 200, 5].iter().map(|n| (0..*n as u32).map(|i| (i * 37 + 11) % 320).collect()).collect();
        // A prompt, then three tokens: the logits after each.
        let logits = |prompts: &[Vec<u32>]| -> Vec<Vec<Vec<f32>>> {
            let lane = |prompt: &Vec<u32>| Lane {
                cache: RowCache::new(&engine.cache_kind(), 256, &decoder.ledger).unwrap(),
                next: prompt.clone(),
            };
            let mut lanes: Vec<_> = prompts.iter().map(lane).collect();
            let steps = (0..4).map(|step| {
                let hidden =
                    engine.advance(&mut lanes.iter_mut().collect::<Vec<_>>(), &mut || ControlFlow::Continue(()));
                let hidden = hidden.unwrap().unwrap();
                lanes.iter_mut().for_each(|lane| lane.next = vec![step * 7]);
                engine.with_logits(&hidden, |_, logits| Ok(logits.to_vec())).unwrap()
            });
            steps.collect()
        };
        let together = logits(&prompts);
        for (i, prompt) in prompts.iter().enumerate() {
            let alone = logits(std::slice::from_ref(prompt));
            for (step, (alone, together)) in alone.iter().zip(&together).enumerate() {
                assert!(alone[0] == together[i], "row {i} of {} tokens, step {step}", prompt.len());
            }
        }
        let likeliest_of = |hidden| engine.likeliest(hidden).unwrap();
        let hidden = Tensor::randn(0f32, 1.0, (20, 64), &decoder.device).unwrap();
        let by_logits = engine.with_logits(&hidden, |_, logits| likeliest(logits)).unwrap();
        assert_eq!(likeliest_of(&hidden), by_logits);
    }
}
