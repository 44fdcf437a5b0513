//! A decoder block: attention and feed-forward, each with its norm and residual, forward and backward.
//! With gradient checkpointing it saves its input alone and runs forward again in backward; without, what backward needs.

use candle_core::{Result, Tensor};

use super::attention::{Heads, Segments};
use super::frozen::{Frozen, Products};
use super::generate::cache::{CachedRow, attend_cached};
use super::lora::{DropoutKey, LoraGroup};
use super::mlp::{silu_mul, silu_mul_backward, silu_mul_into};
use super::needs::Needs;
use super::norm::RmsNorm;
use super::oom::raised;
use super::rope::Rotation;
use crate::config::TargetModule::{self, *};
use crate::memory::ledger::{Category, Charge, Ledger};

/// The frozen parts of a block.
#[derive(Debug)]
pub struct Block {
    pub input_norm: RmsNorm,
    pub q: Frozen,
    pub k: Frozen,
    pub v: Frozen,
    pub o: Frozen,
    pub post_attention_norm: RmsNorm,
    pub gate: Frozen,
    pub up: Frozen,
    pub down: Frozen,
    pub heads: Heads,
}

/// The adapters of a block, a group for each input: the first norm, attention's output, the second norm, the gated product.
#[derive(Debug, Default)]
pub struct BlockAdapter {
    pub qkv: Option<LoraGroup>,
    pub o: Option<LoraGroup>,
    pub gate_up: Option<LoraGroup>,
    pub down: Option<LoraGroup>,
}

/// What all blocks of one pass share.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    pub segments: Segments<'a>,
    pub rotation: &'a Rotation,
    pub dropout: Option<DropoutKey<'a>>,
    pub products: Products,
    pub ledger: &'a Ledger,
}

impl Pass<'_> {
    /// Whether there is room for what a block needs; charged, first what it works with, then what it keeps.
    fn room(&self, needs: Needs) -> Result<(Charge, Charge)> {
        self.ledger.has_room(needs.total()).map_err(raised)?;
        let work = self.ledger.charge(Category::BlockWork, needs.work);
        Ok((work, self.ledger.charge(Category::Activations, needs.saved)))
    }
}

/// What a block keeps for backward, charged to the ledger while it lives.
pub enum Saved {
    /// The input alone: gradient checkpointing.
    Input { x: Tensor, _charge: Charge },
    /// All that backward needs.
    Full(Box<Full>, Charge),
}

/// The values between a block's products.
pub struct Full {
    x: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attended: Tensor,
    residual: Tensor,
    gate: Tensor,
    up: Tensor,
    /// `x·Aᵀ` of each adapter group.
    lows: [Option<Tensor>; 4],
}

/// Attention's part of them.
struct Attended {
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attended: Tensor,
    residual: Tensor,
    lows: [Option<Tensor>; 2],
}

/// What forward should keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Nothing,
    Input,
    All,
}

impl BlockAdapter {
    pub fn groups(&self) -> impl Iterator<Item = &LoraGroup> {
        [&self.qkv, &self.o, &self.gate_up, &self.down].into_iter().flatten()
    }

    pub fn groups_mut(&mut self) -> impl Iterator<Item = &mut LoraGroup> {
        [&mut self.qkv, &mut self.o, &mut self.gate_up, &mut self.down].into_iter().flatten()
    }

    pub fn is_empty(&self) -> bool {
        self.groups().next().is_none()
    }
}

/// A projection with its adapter's update. `low` is `x·Aᵀ` of the group that it belongs to.
fn project(
    frozen: &Frozen,
    module: TargetModule,
    group: Option<&LoraGroup>,
    x: &Tensor,
    low: &Option<Tensor>,
    pass: &Pass,
) -> Result<Tensor> {
    add_up(group, module, frozen.forward_by(x, pass.products)?, low, pass)
}

/// `y` with a module's update, where there is one.
fn add_up(
    group: Option<&LoraGroup>,
    module: TargetModule,
    y: Tensor,
    low: &Option<Tensor>,
    pass: &Pass,
) -> Result<Tensor> {
    match (group, low, pass.products) {
        (Some(group), Some(low), Products::Panels) => group.add_up_by_panels(module, y, low),
        (Some(group), Some(low), _) => group.add_up(module, y, low),
        _ => Ok(y),
    }
}

fn low(group: Option<&LoraGroup>, x: &Tensor, pass: &Pass) -> Result<Option<Tensor>> {
    let down = |g: &LoraGroup| match pass.products {
        Products::Panels => g.down_by_panels(x),
        _ => g.down(x, pass.dropout),
    };
    group.map(down).transpose()
}

/// The gradient of an input that several projections read: frozen and adapted parts, and the adapters' own gradients.
fn backward_group(
    projections: &[(TargetModule, &Frozen, &Tensor)],
    group: Option<&mut LoraGroup>,
    (x, low): (&Tensor, &Option<Tensor>),
    pass: &Pass,
    wanted: bool,
) -> Result<Option<Tensor>> {
    let mut dx: Option<Tensor> = None;
    if wanted {
        for (_, frozen, dy) in projections {
            dx = Some(match dx {
                None => frozen.backward(dy)?,
                Some(sum) => frozen.add_backward(sum, dy)?,
            });
        }
    }
    match (group, low) {
        (Some(group), Some(low)) => {
            let dys: Vec<_> = projections.iter().map(|(module, _, dy)| (*module, *dy)).collect();
            group.backward(x, low, &dys, pass.dropout, dx)
        }
        _ => Ok(dx),
    }
}

impl Block {
    /// Shapes: x [tokens, hidden] → [tokens, hidden], with what `keep` asks for.
    /// # Errors
    /// No room, asked for before anything is allocated; whatever the device says.
    pub fn forward(
        &self,
        adapter: &BlockAdapter,
        x: Tensor,
        pass: &Pass,
        keep: Keep,
    ) -> Result<(Tensor, Option<Saved>)> {
        let (_work, charge) = pass.room(self.forward_needs(adapter, &x, pass, keep)?)?;
        if keep != Keep::All {
            let saved = (keep == Keep::Input).then(|| Saved::Input { x: x.clone(), _charge: charge });
            return Ok((self.through(adapter, x, pass, None, keep == Keep::Nothing)?, saved));
        }
        let mut full = self.attend_and_gate(adapter, x, pass)?;
        let activated = silu_mul(&full.gate, &full.up)?;
        full.lows[3] = low(adapter.down.as_ref(), &activated, pass)?;
        let y = self.project_down(adapter, full.residual.copy()?, &activated, &full.lows[3], pass)?;
        Ok((y, Some(Saved::Full(Box::new(full), charge))))
    }

    /// One pass over tokens that follow those in `rows`, a cache for each segment, which their keys and values join. Nothing is kept for
    /// backward.
    /// # Errors
    /// As [`Block::forward`].
    pub fn forward_cached(&self, adapter: &BlockAdapter, x: Tensor, pass: &Pass, rows: &[CachedRow]) -> Result<Tensor> {
        let _charges = pass.room(self.forward_needs(adapter, &x, pass, Keep::Nothing)?)?;
        self.through(adapter, x, pass, Some(rows), true)
    }

    /// Forward with nothing kept: each value goes as soon as it was used, and the result is written over `x` where nobody wants it any more.
    fn through(
        &self,
        adapter: &BlockAdapter,
        x: Tensor,
        pass: &Pass,
        rows: Option<&[CachedRow]>,
        over_x: bool,
    ) -> Result<Tensor> {
        let residual = self.attend(adapter, x, pass, rows, over_x)?.residual;
        let (gate, up, _) = self.gate_and_up(adapter, &residual, pass)?;
        let activated = silu_mul_into(gate, &up)?;
        let low_down = low(adapter.down.as_ref(), &activated, pass)?;
        self.project_down(adapter, residual, &activated, &low_down, pass)
    }

    fn project_down(
        &self,
        adapter: &BlockAdapter,
        residual: Tensor,
        activated: &Tensor,
        low: &Option<Tensor>,
        pass: &Pass,
    ) -> Result<Tensor> {
        let y = self.down.add_forward(residual, activated, pass.products)?;
        add_up(adapter.down.as_ref(), DownProj, y, low, pass)
    }

    /// Everything up to the gate's two inputs. The product with `down` is left to who needs it: backward does not.
    fn attend_and_gate(&self, adapter: &BlockAdapter, x: Tensor, pass: &Pass) -> Result<Full> {
        let Attended { q, k, v, attended, residual, lows: [low_qkv, low_o] } =
            self.attend(adapter, x.clone(), pass, None, false)?;
        let (gate, up, low_gate_up) = self.gate_and_up(adapter, &residual, pass)?;
        Ok(Full { x, q, k, v, attended, residual, gate, up, lows: [low_qkv, low_o, low_gate_up, None] })
    }

    fn attend(
        &self,
        adapter: &BlockAdapter,
        x: Tensor,
        pass: &Pass,
        rows: Option<&[CachedRow]>,
        over_x: bool,
    ) -> Result<Attended> {
        let normed = self.input_norm.forward(&x)?;
        let group = adapter.qkv.as_ref();
        let low_qkv = low(group, &normed, pass)?;
        let q = pass.rotation.forward(project(&self.q, QProj, group, &normed, &low_qkv, pass)?)?;
        let k = pass.rotation.forward(project(&self.k, KProj, group, &normed, &low_qkv, pass)?)?;
        let v = project(&self.v, VProj, group, &normed, &low_qkv, pass)?;
        drop(normed);
        let attended = match rows {
            Some(rows) => attend_cached(&self.heads, &q, &k, &v, pass.segments, rows)?,
            None => self.heads.forward(&q, &k, &v, pass.segments)?,
        };
        let low_o = low(adapter.o.as_ref(), &attended, pass)?;
        let residual = self.o.add_forward(if over_x { x } else { x.copy()? }, &attended, pass.products)?;
        let residual = add_up(adapter.o.as_ref(), OProj, residual, &low_o, pass)?;
        Ok(Attended { q, k, v, attended, residual, lows: [low_qkv, low_o] })
    }

    fn gate_and_up(
        &self,
        adapter: &BlockAdapter,
        residual: &Tensor,
        pass: &Pass,
    ) -> Result<(Tensor, Tensor, Option<Tensor>)> {
        let normed = self.post_attention_norm.forward(residual)?;
        let group = adapter.gate_up.as_ref();
        let low = low(group, &normed, pass)?;
        let gate = project(&self.gate, GateProj, group, &normed, &low, pass)?;
        let up = project(&self.up, UpProj, group, &normed, &low, pass)?;
        Ok((gate, up, low))
    }

    /// Adds to the adapters' gradients; returns the gradient of the block's input where `wanted`.
    /// Shapes: dy [tokens, hidden]; its place may be reused.
    /// # Errors
    /// No room, asked for before anything is allocated and before any gradient changes; whatever the device says.
    pub fn backward(
        &self,
        adapter: &mut BlockAdapter,
        saved: Saved,
        dy: Tensor,
        pass: &Pass,
        wanted: bool,
    ) -> Result<Option<Tensor>> {
        let kept = if matches!(saved, Saved::Full(..)) { Keep::All } else { Keep::Input };
        let _charges = pass.room(self.backward_needs(adapter, &dy, pass, kept)?)?;
        let (mut full, _charge) = match saved {
            Saved::Full(full, charge) => (*full, charge),
            Saved::Input { x, _charge } => (self.attend_and_gate(adapter, x, pass)?, _charge),
        };
        let activated = silu_mul(&full.gate, &full.up)?;
        if full.lows[3].is_none() {
            full.lows[3] = low(adapter.down.as_ref(), &activated, pass)?;
        }
        let Full { x, q, k, v, attended, residual, gate, up, lows } = full;
        let [low_qkv, low_o, low_gate_up, low_down] = lows;
        let attention_wanted = wanted || adapter.qkv.is_some() || adapter.o.is_some();
        let gate_wanted = attention_wanted || adapter.gate_up.is_some();

        let down = [(DownProj, &self.down, &dy)];
        let Some(d_activated) =
            backward_group(&down, adapter.down.as_mut(), (&activated, &low_down), pass, gate_wanted)?
        else {
            return Ok(None);
        };
        drop(activated);
        let (d_gate, d_up) = silu_mul_backward(gate, up, &d_activated)?;
        drop(d_activated);

        let normed = self.post_attention_norm.forward(&residual)?;
        let both = [(GateProj, &self.gate, &d_gate), (UpProj, &self.up, &d_up)];
        let Some(d_normed) =
            backward_group(&both, adapter.gate_up.as_mut(), (&normed, &low_gate_up), pass, attention_wanted)?
        else {
            return Ok(None);
        };
        drop((normed, d_gate, d_up));
        let d_residual = self.post_attention_norm.add_backward(dy, &residual, &d_normed)?;
        drop((residual, d_normed));

        let qkv_wanted = wanted || adapter.qkv.is_some();
        let o = [(OProj, &self.o, &d_residual)];
        let Some(d_attended) = backward_group(&o, adapter.o.as_mut(), (&attended, &low_o), pass, qkv_wanted)? else {
            return Ok(None);
        };
        drop(attended);
        let (dq, dk, dv) = self.heads.backward(&q, &k, &v, &d_attended, pass.segments)?;
        drop((q, k, v, d_attended));
        let (dq, dk) = (pass.rotation.backward(dq)?, pass.rotation.backward(dk)?);

        let normed = self.input_norm.forward(&x)?;
        let all = [(QProj, &self.q, &dq), (KProj, &self.k, &dk), (VProj, &self.v, &dv)];
        match backward_group(&all, adapter.qkv.as_mut(), (&normed, &low_qkv), pass, wanted)? {
            Some(d_normed) => self.input_norm.add_backward(d_residual, &x, &d_normed).map(Some),
            None => Ok(None),
        }
    }

    /// The number of frozen weights, norms included.
    pub fn parameters(&self) -> usize {
        let projections = [&self.q, &self.k, &self.v, &self.o, &self.gate, &self.up, &self.down];
        projections.iter().map(|p| p.parameters()).sum::<usize>() + 2 * self.q.in_features
    }

    /// The frozen projection that a module's adapter is added to.
    pub fn projection(&self, module: TargetModule) -> &Frozen {
        match module {
            QProj => &self.q,
            KProj => &self.k,
            VProj => &self.v,
            OProj => &self.o,
            GateProj => &self.gate,
            UpProj => &self.up,
            DownProj => &self.down,
        }
    }
}
