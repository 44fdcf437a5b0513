//! AdamW with f32 moments, and clipping by the global norm, as PyTorch computes them. Loshchilov and Hutter 2019, arXiv 1711.05101.

use candle_core::{DType, Result, Tensor};
use multiversion::multiversion;
use rayon::prelude::*;

use crate::memory::ledger::{Category, Charge, Ledger};
use crate::model::adapter::{Adapter, NamedTensor};
use crate::model::cpu;
use crate::model::lora::{LoraGroup, Param};
use crate::model::oom::raised;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;
const PIECE: usize = 1 << 14;

/// `m ← β₁m + (1−β₁)g`, `v ← β₂v + (1−β₂)g²`, `p ← p·(1 − lr·wd) − lr·m̂/(√v̂ + ε)`, with β = (0.9, 0.999), ε = 1e-8.
#[derive(Debug)]
pub struct AdamW {
    /// First and second moments, a pair for each parameter of the adapter, in its order.
    moments: Vec<(Tensor, Tensor)>,
    /// Steps done.
    pub step: u64,
    pub weight_decay: f64,
    ledger: Ledger,
    _charge: Charge,
}

#[derive(Clone, Copy)]
struct Update {
    rate: f32,
    decay: f32,
    scale: f32,
    correction1: f32,
    root2: f32,
}

impl AdamW {
    /// # Errors
    /// No room for the moments, whatever the device says.
    pub fn new(adapter: &Adapter, weight_decay: f64, ledger: &Ledger) -> Result<Self> {
        let params = || adapter.groups().flat_map(LoraGroup::params);
        let bytes = params().map(|p| 2 * cpu::bytes(&p.value)).sum();
        let charge = ledger.ask(Category::Optimizer, bytes).map_err(raised)?;
        let moments = params()
            .map(|p| Ok((cpu::resident_zeros_like(&p.value)?, cpu::resident_zeros_like(&p.value)?)))
            .collect::<Result<Vec<_>>>()?;
        Ok(AdamW { moments, step: 0, weight_decay, ledger: ledger.clone(), _charge: charge })
    }

    /// The ledger that the moments are charged to.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// One step with the gradients that the adapter holds, each multiplied by `clip`. The ledger is asked once, before anything changes.
    /// # Errors
    /// No room: then nothing has changed. Whatever the device says.
    pub fn update(&mut self, adapter: &mut Adapter, learning_rate: f64, clip: f64) -> Result<()> {
        let _work = self.ledger.ask(Category::Other, working_bytes(adapter)).map_err(raised)?;
        let step = self.step + 1;
        let (c1, c2) = (1.0 - BETA1.powf(step as f64), 1.0 - BETA2.powf(step as f64));
        let update = Update {
            rate: learning_rate as f32,
            decay: (1.0 - learning_rate * self.weight_decay) as f32,
            scale: clip as f32,
            correction1: c1 as f32,
            root2: c2.sqrt() as f32,
        };
        if on_cpu(adapter) {
            for (param, (m, v)) in adapter.groups_mut().flat_map(LoraGroup::params_mut).zip(&mut self.moments) {
                in_place(param, m, v, update)?;
            }
        } else {
            // All of it, or after an out-of-memory nothing.
            let params = adapter.groups().flat_map(LoraGroup::params).zip(&self.moments);
            let new = params.map(|(param, (m, v))| composed(param, m, v, update)).collect::<Result<Vec<_>>>()?;
            let params = adapter.groups_mut().flat_map(LoraGroup::params_mut);
            for ((param, moments), (value, m, v)) in params.zip(&mut self.moments).zip(new) {
                (param.value, *moments) = (value, (m, v));
            }
        }
        self.step = step;
        Ok(())
    }

    /// The moments under the names `exp_avg.` and `exp_avg_sq.` + the parameter's PEFT name.
    pub fn named(&self, adapter: &Adapter) -> Result<Vec<NamedTensor>> {
        let mut all = Vec::new();
        for (prefix, second) in [("exp_avg", false), ("exp_avg_sq", true)] {
            let part =
                adapter.named(|i, _| if second { self.moments[i].1.clone() } else { self.moments[i].0.clone() })?;
            all.extend(
                part.into_iter().map(|t| NamedTensor { name: format!("{prefix}.{}", t.name), tensor: t.tensor }),
            );
        }
        Ok(all)
    }

    /// Takes the moments back from tensors found by name.
    /// # Errors
    /// Whatever `find` says, and shapes that do not fit.
    pub fn restore<E: From<candle_core::Error>>(
        &mut self,
        adapter: &Adapter,
        step: u64,
        mut find: impl FnMut(&str, &[usize]) -> std::result::Result<Tensor, E>,
    ) -> std::result::Result<(), E> {
        let mut number = 0;
        for group in adapter.groups() {
            let device = group.a.value.device();
            for (prefix, second) in [("exp_avg", false), ("exp_avg_sq", true)] {
                let mut read = |matrix: char, i: usize, shape: &[usize]| {
                    let name = crate::model::adapter::peft_name(group.layer, group.modules[i], matrix);
                    find(&format!("{prefix}.{name}"), shape)
                };
                let width = group.a.value.dim(1)?;
                let mut a = Vec::new();
                for i in 0..group.modules.len() {
                    a.push(read('A', i, &[group.r, width])?);
                    let b = read('B', i, group.b[i].value.dims())?.to_device(device)?;
                    let pair = &mut self.moments[number + 1 + i];
                    if second { pair.1 = b } else { pair.0 = b }
                }
                let a = Tensor::cat(&a, 0)?.to_device(device)?;
                let pair = &mut self.moments[number];
                if second { pair.1 = a } else { pair.0 = a }
            }
            number += 1 + group.b.len();
        }
        self.step = step;
        Ok(())
    }
}

/// √Σg² over all gradients of the adapter.
pub fn grad_norm(adapter: &Adapter) -> Result<f64> {
    let mut sum = 0f64;
    for param in adapter.groups().flat_map(LoraGroup::params) {
        sum += match cpu::view(&param.grad) {
            Some(g) => g.par_chunks(PIECE).map(sum_of_squares).collect::<Vec<_>>().iter().sum::<f64>(),
            None => param.grad.to_dtype(DType::F32)?.sqr()?.sum_all()?.to_scalar::<f32>()? as f64,
        };
    }
    Ok(sum.sqrt())
}

/// What gradients are multiplied by so that their norm is at most `max_norm`; PyTorch's `clip_grad_norm_`. 0 clips nothing.
pub fn clip_factor(norm: f64, max_norm: f64) -> f64 {
    if max_norm > 0.0 { (max_norm / (norm + 1e-6)).min(1.0) } else { 1.0 }
}

fn sum_of_squares(values: &[f32]) -> f64 {
    values.iter().map(|v| *v as f64 * *v as f64).sum()
}

/// Bytes that a step of the optimizer takes for as long as it lasts: none on a CPU, where it works in place, elsewhere values and moments
/// once more, and a few tensors of the largest matrix.
pub fn working_bytes(adapter: &Adapter) -> usize {
    if on_cpu(adapter) {
        return 0;
    }
    let sizes =
        || adapter.groups().flat_map(LoraGroup::params).map(|p| p.value.elem_count() * p.value.dtype().size_in_bytes());
    3 * sizes().sum::<usize>() + 6 * sizes().max().unwrap_or(0)
}

fn on_cpu(adapter: &Adapter) -> bool {
    adapter.groups().flat_map(LoraGroup::params).all(|p| cpu::view(&p.grad).is_some())
}

fn in_place(param: &mut Param, m: &mut Tensor, v: &mut Tensor, update: Update) -> Result<()> {
    let Some(g) = cpu::view(&param.grad) else { return Ok(()) };
    cpu::write(m, |m| {
        let _ = cpu::write(v, |v| {
            let _ = cpu::write(&param.value, |p| {
                let pieces = p.par_chunks_mut(PIECE).zip(m.par_chunks_mut(PIECE)).zip(v.par_chunks_mut(PIECE));
                pieces.zip(g.par_chunks(PIECE)).for_each(|(((p, m), v), g)| piece(p, m, v, g, update));
            });
        });
    })
}

/// Value and moments after the step.
fn composed(param: &Param, m: &Tensor, v: &Tensor, update: Update) -> Result<(Tensor, Tensor, Tensor)> {
    let g = (&param.grad * update.scale as f64)?;
    let m = ((m * BETA1)? + (&g * (1.0 - BETA1))?)?;
    let v = ((v * BETA2)? + (g.sqr()? * (1.0 - BETA2))?)?;
    let root = ((v.sqrt()? / update.root2 as f64)? + EPSILON)?;
    let change = ((&m / update.correction1 as f64)? / root)?;
    let value = ((&param.value * update.decay as f64)? - (change * update.rate as f64)?)?;
    Ok((value, m, v))
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn piece(p: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], u: Update) {
    let (beta1, beta2, epsilon) = (BETA1 as f32, BETA2 as f32, EPSILON as f32);
    let step_size = u.rate / u.correction1;
    for (((p, m), v), g) in p.iter_mut().zip(m).zip(v).zip(g) {
        let g = g * u.scale;
        *m = beta1 * *m + (1.0 - beta1) * g;
        *v = beta2 * *v + (1.0 - beta2) * g * g;
        *p = *p * u.decay - step_size * *m / (v.sqrt() / u.root2 + epsilon);
    }
}
