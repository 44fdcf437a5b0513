//! What can be turned on the page of the memory plan: each knob's value in words and its steps, less memory to the left and more to the right.
//! What a value costs is `memory::plan`'s to say; which keys turn a knob is in `update::plan`.

use crate::config::{ComputeDtype, Method, Quantization, RunConfig, TargetModule};

/// Something that is turned before a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knob {
    /// Rows of a micro-batch, with as many micro-batches as keep the rows of a step.
    Rows,
    Length,
    R,
    Modules,
    /// How the base is held.
    Base,
    Checkpointing,
    HeadChunk,
}

/// No step is looked for among the divisors of more rows than these.
const MOST_ROWS: u64 = 1 << 32;
/// What a setting that counts may be at most.
const MOST: usize = 1 << 24;

const R: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const HEAD_CHUNK: [usize; 9] = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096];
const LENGTH: [usize; 19] =
    [32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 16384, 32768];

const BASE: [(Method, Quantization); 5] = [
    (Method::Qlora, Quantization::Q4_0),
    (Method::Qlora, Quantization::Q4_1),
    (Method::Qlora, Quantization::Q8_0),
    (Method::Qlora, Quantization::Keep),
    (Method::Lora, Quantization::Keep),
];

fn module_sets() -> [Vec<TargetModule>; 4] {
    use TargetModule::{DownProj, GateProj, KProj, OProj, QProj, UpProj, VProj};
    [vec![QProj, VProj], vec![QProj, KProj, VProj, OProj], vec![GateProj, UpProj, DownProj], TargetModule::ALL.to_vec()]
}

impl Knob {
    pub const ALL: [Knob; 7] =
        [Knob::Rows, Knob::Length, Knob::R, Knob::Modules, Knob::Base, Knob::Checkpointing, Knob::HeadChunk];

    pub fn name(self) -> &'static str {
        match self {
            Knob::Rows => "batch",
            Knob::Length => "max length",
            Knob::R => "r",
            Knob::Modules => "modules",
            Knob::Base => "base",
            Knob::Checkpointing => "checkpointing",
            Knob::HeadChunk => "head chunk",
        }
    }

    /// What it is, and what turning it means for the result.
    pub fn doc(self) -> &'static str {
        match self {
            Knob::Rows => {
                "rows of a micro-batch × micro-batches of a step; the product stays, and with it the losses: fewer rows at once \
                 take a little longer"
            }
            Knob::Length => "tokens of a row; longer rows are cut, and what is cut off is not learnt",
            Knob::R => "the rank of the update; a smaller one can learn less, lora_alpha stays",
            Knob::Modules => "the projections that carry an update; fewer of them can learn less",
            Knob::Base => {
                "how the base weights are held: fewer bits cost a little quality, f32 is exact and the largest; lora quantises \
                 nothing"
            }
            Knob::Checkpointing => {
                "computes each block twice instead of keeping what it saved: the same numbers, about a third more time"
            }
            Knob::HeadChunk => "positions whose logits are held at once: the same numbers, fewer take a little longer",
        }
    }

    /// Its value as a person would say it.
    pub fn value(self, config: &RunConfig) -> String {
        let RunConfig { model, adapter, data, train, memory, .. } = config;
        match self {
            Knob::Rows => {
                let (rows, times) = (train.per_device_train_batch_size, train.gradient_accumulation_steps);
                format!("{rows} × {times} = {} rows", rows.saturating_mul(times))
            }
            Knob::Length => format!("{} tokens", data.max_seq_length),
            Knob::R => adapter.r.to_string(),
            Knob::Modules => modules(&adapter.target_modules),
            Knob::Base => match (adapter.method, adapter.quantization) {
                (Method::Lora, _) => match model.dtype {
                    ComputeDtype::F32 => "f32 (lora)".to_owned(),
                    ComputeDtype::Bf16 => "bf16 (lora)".to_owned(),
                },
                (Method::Qlora, Quantization::Keep) => "as on disk".to_owned(),
                (Method::Qlora, quantization) => format!("{} on load", quantization_name(quantization)),
            },
            Knob::Checkpointing => if train.gradient_checkpointing { "on" } else { "off" }.to_owned(),
            Knob::HeadChunk => format!("{} positions", memory.head_chunk),
        }
    }

    /// Whether two configurations differ in it.
    pub fn differs(self, a: &RunConfig, b: &RunConfig) -> bool {
        match self {
            Knob::Rows => {
                let of = |c: &RunConfig| (c.train.per_device_train_batch_size, c.train.gradient_accumulation_steps);
                of(a) != of(b)
            }
            Knob::Length => a.data.max_seq_length != b.data.max_seq_length,
            Knob::R => a.adapter.r != b.adapter.r,
            Knob::Modules => sorted(&a.adapter.target_modules) != sorted(&b.adapter.target_modules),
            Knob::Base => (a.adapter.method, a.adapter.quantization) != (b.adapter.method, b.adapter.quantization),
            Knob::Checkpointing => a.train.gradient_checkpointing != b.train.gradient_checkpointing,
            Knob::HeadChunk => a.memory.head_chunk != b.memory.head_chunk,
        }
    }

    /// Gives it the value that it has in `from`.
    pub fn reset(self, config: &mut RunConfig, from: &RunConfig) {
        match self {
            Knob::Rows => {
                config.train.per_device_train_batch_size = from.train.per_device_train_batch_size;
                config.train.gradient_accumulation_steps = from.train.gradient_accumulation_steps;
            }
            Knob::Length => config.data.max_seq_length = from.data.max_seq_length,
            Knob::R => config.adapter.r = from.adapter.r,
            Knob::Modules => config.adapter.target_modules = from.adapter.target_modules.clone(),
            Knob::Base => {
                config.adapter.method = from.adapter.method;
                config.adapter.quantization = from.adapter.quantization;
            }
            Knob::Checkpointing => config.train.gradient_checkpointing = from.train.gradient_checkpointing,
            Knob::HeadChunk => config.memory.head_chunk = from.memory.head_chunk,
        }
    }

    /// The configuration with the knob one step on, to the right (`more`) or to the left; none at its end. A value of the user's own, that of
    /// `before`, is one of the steps.
    pub fn turned(self, config: &RunConfig, before: &RunConfig, more: bool) -> Option<RunConfig> {
        let mut turned = config.clone();
        match self {
            Knob::Rows => {
                let (rows, times) = rows_beside(&config.train, more)?;
                turned.train.per_device_train_batch_size = rows;
                turned.train.gradient_accumulation_steps = times;
            }
            Knob::Length => {
                turned.data.max_seq_length =
                    beside(&LENGTH, before.data.max_seq_length, config.data.max_seq_length, more)?;
            }
            Knob::R => turned.adapter.r = beside(&R, before.adapter.r, config.adapter.r, more)?,
            Knob::HeadChunk => {
                turned.memory.head_chunk =
                    beside(&HEAD_CHUNK, before.memory.head_chunk, config.memory.head_chunk, more)?;
            }
            Knob::Modules => {
                let same = |a: &Vec<TargetModule>, b: &Vec<TargetModule>| sorted(a) == sorted(b);
                let own = &before.adapter.target_modules;
                turned.adapter.target_modules =
                    next_of(module_sets().to_vec(), own, &config.adapter.target_modules, same, more)?;
            }
            Knob::Base => {
                let of = |c: &RunConfig| (c.adapter.method, c.adapter.quantization);
                let next = next_of(BASE.to_vec(), &of(before), &of(config), |a, b| a == b, more)?;
                (turned.adapter.method, turned.adapter.quantization) = next;
            }
            // To the left is less memory: on.
            Knob::Checkpointing if config.train.gradient_checkpointing != more => return None,
            Knob::Checkpointing => turned.train.gradient_checkpointing = !more,
        }
        Some(turned)
    }
}

/// The next divisor of a step's rows.
fn rows_beside(train: &crate::config::TrainConfig, more: bool) -> Option<(usize, usize)> {
    let (rows, times) = (train.per_device_train_batch_size as u64, train.gradient_accumulation_steps as u64);
    let of_step = rows.checked_mul(times).filter(|&n| n <= MOST_ROWS)?;
    let low = (1..).take_while(|d| d * d <= of_step).filter(|d| of_step.is_multiple_of(*d));
    let divisors = low.flat_map(|d| [d, of_step / d]).filter(|&d| d <= MOST as u64 && of_step / d <= MOST as u64);
    let next = if more { divisors.filter(|&d| d > rows).min() } else { divisors.filter(|&d| d < rows).max() }?;
    Some((next as usize, (of_step / next) as usize))
}

/// The step of a ladder, or the user's own value, next to `now`.
fn beside(ladder: &[usize], own: usize, now: usize, more: bool) -> Option<usize> {
    let steps = ladder.iter().copied().chain([own]);
    if more { steps.filter(|&n| n > now).min() } else { steps.filter(|&n| n < now).max() }
}

/// The choice next to `now`; the user's own comes first where it is none of them.
fn next_of<T: Clone>(mut choices: Vec<T>, own: &T, now: &T, same: impl Fn(&T, &T) -> bool, more: bool) -> Option<T> {
    if !choices.iter().any(|c| same(c, own)) {
        choices.insert(0, own.clone());
    }
    let at = choices.iter().position(|c| same(c, now))?;
    choices.get(if more { at + 1 } else { at.checked_sub(1)? }).cloned()
}

fn sorted(modules: &[TargetModule]) -> Vec<TargetModule> {
    let mut modules = modules.to_vec();
    modules.sort_unstable();
    modules
}

fn modules(of: &[TargetModule]) -> String {
    let sets = module_sets();
    let names = ["q v", "attention", "MLP", "all seven"];
    let found = sets.iter().zip(names).find(|(set, _)| sorted(set) == sorted(of));
    let listed = || of.iter().map(|m| m.name().trim_end_matches("_proj")).collect::<Vec<_>>().join(" ");
    found.map_or_else(listed, |(_, name)| name.to_owned())
}

fn quantization_name(quantization: Quantization) -> &'static str {
    match quantization {
        Quantization::Keep => "keep",
        Quantization::Q8_0 => "q8_0",
        Quantization::Q4_0 => "q4_0",
        Quantization::Q4_1 => "q4_1",
        Quantization::Q4K => "q4_k",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn config(extra: &str) -> RunConfig {
        let text = format!("[data]\ntrain = \"t\"\n{extra}");
        parse::from_toml(&text, "x.toml", "/".as_ref(), &[]).expect("settings")
    }

    /// All values to the left, from the right end.
    fn walk(knob: Knob, config: &RunConfig) -> Vec<String> {
        let mut now = config.clone();
        while let Some(next) = knob.turned(&now, config, true) {
            now = next;
        }
        let mut values = vec![knob.value(&now)];
        while let Some(next) = knob.turned(&now, config, false) {
            now = next;
            values.push(knob.value(&now));
        }
        values
    }

    #[test]
    fn rows_go_over_the_divisors_of_a_step_so_that_its_rows_stay() {
        let six = config("[train]\nper_device_train_batch_size = 6\ngradient_accumulation_steps = 2\n");
        assert_eq!(
            walk(Knob::Rows, &six),
            ["12 × 1", "6 × 2", "4 × 3", "3 × 4", "2 × 6", "1 × 12"].map(|of| format!("{of} = 12 rows"))
        );
        let largest = "[train]\nper_device_train_batch_size = 16777216\ngradient_accumulation_steps = 16777216\n";
        assert_eq!(walk(Knob::Rows, &config(largest)).len(), 1, "nobody waits for the divisors of so many");
    }

    #[test]
    fn a_value_of_ones_own_is_one_of_the_steps() {
        let own = config("[adapter]\nr = 12\ntarget_modules = [\"v_proj\"]\nquantization = \"q4_k\"\n");
        assert_eq!(walk(Knob::R, &own)[..7], ["256", "128", "64", "32", "16", "12", "8"]);
        assert_eq!(walk(Knob::Modules, &own), ["all seven", "MLP", "attention", "q v", "v"]);
        let base = walk(Knob::Base, &own);
        assert_eq!((base.first().map(String::as_str), base.len()), (Some("f32 (lora)"), 6));
        assert_eq!(base.last().map(String::as_str), Some("q4_k on load"));
        assert_eq!(walk(Knob::Checkpointing, &own), ["off", "on"]);
    }

    #[test]
    fn whatever_is_turned_is_a_configuration_that_a_file_may_hold_and_is_reset() {
        let before = config("[adapter]\nquantization = \"q8_0\"\n");
        for knob in Knob::ALL {
            for more in [false, true] {
                let mut now = before.clone();
                while let Some(next) = knob.turned(&now, &before, more) {
                    assert!(knob.differs(&now, &next), "{knob:?}");
                    let text = parse::to_toml(&next).expect("TOML");
                    assert_eq!(parse::from_toml(&text, "x", "/".as_ref(), &[]).expect("valid"), next);
                    now = next;
                }
                knob.reset(&mut now, &before);
                assert_eq!(now, before, "{knob:?}");
            }
        }
    }
}
