//! Low-rank adapters: what is added to frozen projections, its three gradients, dropout on its input. Files are `adapter`'s business.
//! Projections that read the same input share one stacked A, so that the input is read once for all of them.

use candle_core::{DType, Device, Result, Tensor};
use rayon::prelude::*;

use super::cpu;
use super::oom::raised;
use super::panel;
use super::product::{self, add_nn, add_nt, add_tn};
use crate::config::TargetModule;
use crate::memory::ledger::{Category, Charge, Ledger};

/// A trained matrix with the sum of its gradients over the micro-batches of a step.
#[derive(Debug)]
pub struct Param {
    pub value: Tensor,
    pub grad: Tensor,
    _charges: [Charge; 2],
}

impl Param {
    /// # Errors
    /// No room for the gradient, whatever the device says.
    pub fn new(value: Tensor, ledger: &Ledger) -> Result<Self> {
        let bytes = cpu::bytes(&value);
        let gradient = ledger.ask(Category::Gradients, bytes).map_err(raised)?;
        Ok(Param {
            grad: cpu::resident_zeros_like(&value)?,
            value,
            _charges: [ledger.charge(Category::Adapter, bytes), gradient],
        })
    }

    /// Zeros the gradient, on a CPU in its own place.
    pub fn zero_grad(&mut self) -> Result<()> {
        if cpu::on_cpu(&self.grad) {
            return cpu::write(&self.grad, |g| g.fill(0.0));
        }
        self.grad = self.grad.zeros_like()?;
        Ok(())
    }
}

/// Adds the low-rank updates `s · (x·Aᵢᵀ)·Bᵢᵀ`, `s = alpha / r`, to the outputs of projections that share the input x.
/// Shapes: x [tokens, in], A [modules·r, in], Bᵢ [outᵢ, r]. `B` starts at zero, so step 0 equals the base model.
/// Source: Hu et al. 2021, arXiv 2106.09685, §4.1.
#[derive(Debug)]
pub struct LoraGroup {
    /// The adapted modules, in the order of their rows in A.
    pub modules: Vec<TargetModule>,
    pub layer: usize,
    pub r: usize,
    /// alpha / r
    pub scale: f64,
    pub dropout: f64,
    pub a: Param,
    pub b: Vec<Param>,
}

/// Which random bits a dropout mask is made of: they belong to a token of the step, not to the micro-batch that it is computed in.
#[derive(Debug, Clone, Copy)]
pub struct DropoutKey<'a> {
    pub seed: u64,
    pub step: u64,
    /// The row within the step, a value a token.
    pub rows: &'a [u64],
    /// The position within the row, a value a token.
    pub positions: &'a [u32],
}

impl LoraGroup {
    /// The place of `module` among the outputs, if it is adapted.
    fn place(&self, module: TargetModule) -> Option<usize> {
        self.modules.iter().position(|&m| m == module)
    }

    fn rows_of_a(&self, t: &Tensor, place: usize) -> Result<Tensor> {
        t.narrow(0, place * self.r, self.r)
    }

    /// A's part for one module, [r, in].
    pub fn a_of(&self, place: usize) -> Result<Tensor> {
        self.rows_of_a(&self.a.value, place)
    }

    fn key_of<'a>(&self, key: Option<DropoutKey<'a>>, place: usize) -> Option<(DropoutKey<'a>, u64)> {
        let module = self.layer as u64 * TargetModule::ALL.len() as u64 + self.modules[place] as u64;
        key.filter(|_| self.dropout > 0.0).map(|k| (k, module))
    }

    /// `x·Aᵀ`, which backward wants again. Shapes: x [tokens, in] → [tokens, modules·r].
    pub fn down(&self, x: &Tensor, key: Option<DropoutKey>) -> Result<Tensor> {
        if self.key_of(key, 0).is_none() {
            return product::nt(x, &self.a.value);
        }
        let parts = (0..self.modules.len()).map(|i| match self.key_of(key, i) {
            Some((key, module)) => product::nt(&dropped(x, key, module, self.dropout)?, &self.a_of(i)?),
            None => product::nt(x, &self.a_of(i)?),
        });
        Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 1)
    }

    /// `down` and `add_up` as generation multiplies: by panels, so that a row's results do not depend on the rows beside it.
    pub fn down_by_panels(&self, x: &Tensor) -> Result<Tensor> {
        match panel::dense(x, &self.a.value)? {
            Some(low) => Ok(low),
            None => self.down(x, None),
        }
    }

    /// See [`LoraGroup::down_by_panels`].
    pub fn add_up_by_panels(&self, module: TargetModule, y: Tensor, h: &Tensor) -> Result<Tensor> {
        let Some(i) = self.place(module) else { return Ok(y) };
        match panel::add_dense(&y, &h.narrow(1, i * self.r, self.r)?, &self.b[i].value, self.scale)? {
            Some(()) => Ok(y),
            None => self.add_up(module, y, h),
        }
    }

    /// Adds a module's update to its output `y` [tokens, out]; a module without adapter leaves it as it is.
    pub fn add_up(&self, module: TargetModule, y: Tensor, h: &Tensor) -> Result<Tensor> {
        match self.place(module) {
            Some(i) => add_nt(y, &h.narrow(1, i * self.r, self.r)?, &self.b[i].value, self.scale),
            None => Ok(y),
        }
    }

    /// Adds to the gradients of A and B, and to `dx` (where it is wanted) the gradient of the input.
    ///
    /// With tᵢ = s·dyᵢ·Bᵢ: `dBᵢ = s·dyᵢᵀ·hᵢ`, `dAᵢ = tᵢᵀ·x`, `dx += tᵢ·Aᵢ`.
    /// Shapes: x [tokens, in], h as `down` gave it, dy [tokens, out] for each module of the projection group.
    pub fn backward(
        &mut self,
        x: &Tensor,
        h: &Tensor,
        dys: &[(TargetModule, &Tensor)],
        key: Option<DropoutKey>,
        mut dx: Option<Tensor>,
    ) -> Result<Option<Tensor>> {
        let (tokens, r) = (x.dim(0)?, self.r);
        let mut ts = Vec::new();
        for i in 0..self.modules.len() {
            let Some((_, dy)) = dys.iter().find(|(m, _)| *m == self.modules[i]) else {
                candle_core::bail!("the gradient of {} is missing", self.modules[i].name())
            };
            let zeros = Tensor::zeros((tokens, r), x.dtype(), x.device())?;
            ts.push(add_nn(zeros, dy, &self.b[i].value, self.scale)?);
            let b = &mut self.b[i];
            b.grad = add_tn(b.grad.clone(), dy, &h.narrow(1, i * r, r)?, self.scale)?;
        }
        if self.key_of(key, 0).is_none() {
            let t = if ts.len() == 1 { ts.remove(0) } else { Tensor::cat(&ts, 1)? };
            self.a.grad = add_tn(self.a.grad.clone(), &t, x, 1.0)?;
            return dx.map(|dx| add_nn(dx, &t, &self.a.value, 1.0)).transpose();
        }
        let mut grads = Vec::new();
        for (i, t) in ts.iter().enumerate() {
            let Some((key, module)) = self.key_of(key, i) else { candle_core::bail!("a dropout key is missing") };
            // On a CPU the product goes straight into the module's rows of the gradient.
            let rows = self.rows_of_a(&self.a.grad, i)?;
            grads.push(add_tn(rows, t, &dropped(x, key, module, self.dropout)?, 1.0)?);
            if let Some(sum) = dx {
                let through = product::nn(t, &self.a_of(i)?)?;
                dx = Some((sum + dropped(&through, key, module, self.dropout)?)?);
            }
        }
        if !cpu::on_cpu(&self.a.grad) {
            self.a.grad = Tensor::cat(&grads, 0)?;
        }
        Ok(dx)
    }

    /// Values a token that `down` gives.
    pub fn low_width(&self) -> usize {
        self.modules.len() * self.r
    }

    /// The most values a token that `down` of an input `width` wide holds besides its result: with dropout the input with its mask, and
    /// each module's part before they are joined.
    pub fn down_work(&self, width: usize, dropout: bool) -> usize {
        if dropout && self.dropout > 0.0 { width + self.low_width() } else { 0 }
    }

    /// The same of `backward`: a gradient as wide as `down`'s result (once more while it is joined), and with dropout the gradient of the
    /// input before its mask, behind it, and the new sum.
    pub fn backward_work(&self, width: usize, dropout: bool) -> usize {
        let joined = if self.modules.len() > 1 { self.low_width() } else { 0 };
        self.low_width() + if dropout && self.dropout > 0.0 { 3 * width } else { joined }
    }

    pub fn params_mut(&mut self) -> impl Iterator<Item = &mut Param> {
        std::iter::once(&mut self.a).chain(&mut self.b)
    }

    pub fn params(&self) -> impl Iterator<Item = &Param> {
        std::iter::once(&self.a).chain(&self.b)
    }
}

/// `x` with each value dropped with probability `p` and the others divided by `1 − p`.
/// The bits come from (seed, step, row, position, module, channel) through SplitMix64, on every device the same.
fn dropped(x: &Tensor, key: DropoutKey, module: u64, p: f64) -> Result<Tensor> {
    let (tokens, width) = x.dims2()?;
    let mask = |out: &mut [f32], first: usize, x: Option<&[f32]>| {
        for (i, out) in out.chunks_exact_mut(width).enumerate() {
            let token = first + i;
            let place = [key.step, key.rows[token], key.positions[token] as u64, module];
            let stream = place.iter().fold(key.seed, |state, part| mix(state ^ mix(*part)));
            mask_row(out, x.map(|x| &x[token * width..][..width]), stream, p);
        }
    };
    if let Some(xs) = cpu::view(x) {
        let mut out = vec![0f32; tokens * width];
        cpu::over_rows(&mut out, width, |first, rows| mask(rows, first, Some(&xs)));
        return Tensor::from_vec(out, (tokens, width), x.device());
    }
    let mut out = vec![0f32; tokens * width];
    out.par_chunks_mut(width).enumerate().for_each(|(token, out)| mask(out, token, None));
    x * Tensor::from_vec(out, (tokens, width), &Device::Cpu)?.to_device(x.device())?.to_dtype(x.dtype())?
}

fn mask_row(out: &mut [f32], x: Option<&[f32]>, stream: u64, p: f64) {
    let keep = (1.0 / (1.0 - p)) as f32;
    let threshold = (p * (1u64 << 32) as f64) as u64;
    for (channel, out) in out.iter_mut().enumerate() {
        let kept = mix(stream.wrapping_add(channel as u64)) >> 32 >= threshold;
        let value = x.map_or(1.0, |x| x[channel]);
        *out = if kept { value * keep } else { 0.0 };
    }
}

/// SplitMix64's step and finaliser. Steele, Lea and Flood 2014, doi 10.1145/2714064.2660195.
pub fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A's start as PEFT draws it (Kaiming uniform with a = √5, which is uniform within ±1/√in), from the run's seed and the matrix's place.
pub fn initial_a(r: usize, in_features: usize, seed: u64, layer: usize, module: TargetModule) -> Result<Tensor> {
    let bound = 1.0 / (in_features as f64).sqrt();
    let stream = mix(seed ^ mix((layer as u64) << 8 | module as u64));
    let uniform = |i: usize| (mix(stream.wrapping_add(i as u64)) >> 11) as f64 / (1u64 << 53) as f64;
    let values: Vec<f32> = (0..r * in_features).map(|i| ((2.0 * uniform(i) - 1.0) * bound) as f32).collect();
    Tensor::from_vec(values, (r, in_features), &Device::Cpu)
}

/// Zeros for B, [out, r]; written, since a system gives memory only then, and the first step is to hold what all others hold.
pub fn initial_b(out_features: usize, r: usize) -> Result<Tensor> {
    let zeros = Tensor::zeros((out_features, r), DType::F32, &Device::Cpu)?;
    cpu::write(&zeros, |zeros| zeros.fill(0.0))?;
    Ok(zeros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropout_keeps_the_mean_and_belongs_to_the_token_not_to_the_batch() {
        let x = Tensor::ones((8, 512), DType::F32, &Device::Cpu).unwrap();
        let (rows, positions): (Vec<u64>, Vec<u32>) =
            ((0..8).map(|i| i / 4).collect(), (0..8).map(|i| i % 4).collect());
        let key = DropoutKey { seed: 7, step: 3, rows: &rows, positions: &positions };
        let y = dropped(&x, key, 5, 0.25).unwrap();
        let mean = y.mean_all().unwrap().to_scalar::<f32>().unwrap();
        assert!((mean - 1.0).abs() < 0.05, "mean {mean}");
        let tail = DropoutKey { rows: &rows[5..], positions: &positions[5..], ..key };
        let alone = dropped(&x.narrow(0, 5, 3).unwrap(), tail, 5, 0.25).unwrap();
        assert_eq!(alone.to_vec2::<f32>().unwrap(), y.narrow(0, 5, 3).unwrap().to_vec2::<f32>().unwrap());
        let other = dropped(&x, key, 6, 0.25).unwrap();
        assert_ne!(other.to_vec2::<f32>().unwrap(), y.to_vec2::<f32>().unwrap());
    }
}
