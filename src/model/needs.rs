//! What a pass through a block holds at most: asked of the ledger before anything is allocated, charged while the pass lasts.
//! The sums follow `block` line by line; `tests/accounts.rs` holds them against what the allocator really gave.

use candle_core::{Result, Tensor};

use super::block::{Block, BlockAdapter, Keep, Pass};
use super::cpu;
use super::frozen::Products;
use super::lora::LoraGroup;
use super::panel::Lanes;

/// Bytes that a pass will hold at most besides its input: `saved` stays afterwards, `work` goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    pub saved: usize,
    pub work: usize,
    /// What the shared scratch will grow by; it is charged where it lies.
    pub scratch: usize,
}

impl Needs {
    pub fn total(&self) -> usize {
        self.saved + self.work + self.scratch
    }
}

/// Values a token, by what they are.
struct Widths {
    q: usize,
    kv: usize,
    hidden: usize,
    intermediate: usize,
    /// `x·Aᵀ` of the adapter's groups.
    lows: [usize; 4],
    /// What `down` and `backward` of each group hold besides.
    down: [usize; 4],
    back: [usize; 4],
}

impl Widths {
    fn of(block: &Block, adapter: &BlockAdapter, dropout: bool) -> Self {
        let (q, hidden, intermediate) = (block.q.out_features, block.q.in_features, block.gate.out_features);
        let groups =
            [(&adapter.qkv, hidden), (&adapter.o, q), (&adapter.gate_up, hidden), (&adapter.down, intermediate)];
        let each = |value: &dyn Fn(&LoraGroup, usize) -> usize| {
            groups.map(|(group, width)| group.as_ref().map_or(0, |g| value(g, width)))
        };
        Widths {
            q,
            kv: block.k.out_features,
            hidden,
            intermediate,
            lows: each(&|g, _| g.low_width()),
            down: each(&|g, width| g.down_work(width, dropout)),
            back: each(&|g, width| g.backward_work(width, dropout)),
        }
    }

    /// Queries, keys, values and what attention made of them.
    fn attention(&self) -> usize {
        2 * self.q + 2 * self.kv
    }

    /// What `Keep::All` keeps besides the input.
    fn full(&self) -> usize {
        self.attention() + self.hidden + 2 * self.intermediate + self.lows.iter().sum::<usize>()
    }
}

/// The largest of moments: values a token, and bytes besides.
#[derive(Default)]
struct Peak {
    tokens: usize,
    element: usize,
    bytes: usize,
}

impl Peak {
    fn moment(&mut self, width: usize, besides: usize) {
        self.bytes = self.bytes.max(self.tokens * width * self.element + besides);
    }
}

impl Block {
    /// What forward of `x` will hold.
    pub fn forward_needs(&self, adapter: &BlockAdapter, x: &Tensor, pass: &Pass, keep: Keep) -> Result<Needs> {
        let (tokens, element) = (x.dim(0)?, x.dtype().size_in_bytes());
        let w = Widths::of(self, adapter, pass.dropout.is_some());
        let mut peak = Peak { tokens, element, bytes: 0 };
        let saved = match keep {
            Keep::Nothing => 0,
            Keep::Input => w.hidden,
            Keep::All => w.full() + w.hidden,
        };
        // The result is written over the input where nobody wants that any more.
        let residual = if keep == Keep::Nothing { 0 } else { w.hidden };
        self.attention_moments(&mut peak, &w, x, pass, residual);
        if keep == Keep::All {
            let gated = w.full() - w.lows[3];
            peak.moment(gated + w.hidden + w.down[2], 0);
            peak.moment(w.full() + w.intermediate + w.hidden.max(w.down[3]), 0);
        } else {
            peak.moment(residual + 2 * w.intermediate + w.hidden + w.lows[2] + w.down[2], 0);
            peak.moment(residual + 2 * w.intermediate + w.lows[3] + w.down[3], 0);
        }
        Ok(self.needs(peak, saved * tokens * element, x, pass.products))
    }

    /// What backward of `dy` will hold, from what was kept.
    pub fn backward_needs(&self, adapter: &BlockAdapter, dy: &Tensor, pass: &Pass, kept: Keep) -> Result<Needs> {
        let (tokens, element) = (dy.dim(0)?, dy.dtype().size_in_bytes());
        let w = Widths::of(self, adapter, pass.dropout.is_some());
        let mut peak = Peak { tokens, element, bytes: 0 };
        let full = w.full();
        if kept != Keep::All {
            self.attention_moments(&mut peak, &w, dy, pass, w.hidden);
            peak.moment(full - w.lows[3] + w.hidden + w.down[2], 0);
        }
        peak.moment(full + w.intermediate + w.down[3], 0);
        peak.moment(full + 2 * w.intermediate + w.back[3], 0);
        // From here on the gradients of gate and up lie in the places of gate and up.
        peak.moment(full + 2 * w.hidden + w.back[2], 0);
        let attention = full - 2 * w.intermediate - w.hidden;
        peak.moment(attention + w.q + w.back[1], 0);
        peak.moment(attention + w.q + 2 * w.kv, self.scores_bytes(dy, pass, true));
        peak.moment(w.q + 2 * w.kv + 2 * w.hidden + w.lows.iter().sum::<usize>() + w.back[0], 0);
        if kept == Keep::All {
            peak.bytes = peak.bytes.saturating_sub(full * tokens * element);
        }
        Ok(self.needs(peak, 0, dy, Products::Whole))
    }

    fn attention_moments(&self, peak: &mut Peak, w: &Widths, x: &Tensor, pass: &Pass, residual: usize) {
        peak.moment(w.hidden + w.lows[0] + (w.q + 2 * w.kv).max(w.down[0]), 0);
        peak.moment(w.lows[0] + w.attention(), self.scores_bytes(x, pass, false));
        peak.moment(w.lows[0] + w.lows[1] + w.attention() + residual.max(w.down[1]), 0);
    }

    /// What attention holds of scores: on a CPU a block for each thread, elsewhere whole matrices of the longest row.
    fn scores_bytes(&self, x: &Tensor, pass: &Pass, backward: bool) -> usize {
        let longest = pass.segments.longest();
        if cpu::on_cpu(x) {
            let both = self.heads.scratch_bytes(longest, rayon::current_num_threads());
            return if backward { both } else { both / 2 };
        }
        let matrix = self.heads.heads * longest * longest * size_of::<f32>();
        matrix * if backward { 7 } else { 5 }
    }

    /// The peak as work besides what is saved. Composed operations on a device make values anew where a CPU writes in place, in f32, and
    /// copies of the weights besides; these sums are formulas that were not held against a device.
    fn needs(&self, peak: Peak, saved: usize, x: &Tensor, products: Products) -> Needs {
        let projections = [&self.q, &self.k, &self.v, &self.o, &self.gate, &self.up, &self.down];
        let most = |bytes: &dyn Fn(&super::frozen::Frozen) -> usize| projections.map(bytes).into_iter().max();
        let scratch = match products {
            Products::Whole => most(&|p| p.scratch_growth(p.out_features)),
            _ => most(&|p| p.panels_growth()),
        };
        let scratch = scratch.unwrap_or(0);
        let mut work = peak.bytes.saturating_sub(saved);
        if products != Products::Whole {
            work += most(&|p| Lanes::bytes(peak.tokens, p.in_features)).unwrap_or(0);
        }
        if !cpu::on_cpu(x) {
            work += most(&|p| p.copy_bytes(peak.element)).unwrap_or(0);
            work += 8 * peak.tokens * self.gate.out_features * size_of::<f32>();
        }
        Needs { saved, work, scratch }
    }
}
