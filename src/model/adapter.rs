//! An adapter as a whole: made new, read from and written to PEFT's files. Its arithmetic is `lora`'s business.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde_json::{Value, json};

use super::block::BlockAdapter;
use super::cpu;
use super::decoder::Decoder;
use super::lora::{LoraGroup, Param, initial_a, initial_b};
use crate::config::{AdapterConfig, TargetModule};
use crate::disk::write_atomically;
use crate::formats::FormatError;
use crate::formats::safetensors::Safetensors;
use crate::memory::ledger::Ledger;

pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";
pub const CONFIG_FILE: &str = "adapter_config.json";

/// Low-rank adapters for every block of a decoder.
#[derive(Debug)]
pub struct Adapter {
    pub blocks: Vec<BlockAdapter>,
    pub r: usize,
    pub lora_alpha: f64,
    pub dropout: f64,
    /// In the order of `TargetModule::ALL`.
    pub modules: Vec<TargetModule>,
    /// Whether it was trained on rows that went through the chat template; `None` where its files do not say.
    pub chat: Option<bool>,
}

/// finetop's own key in adapter_config.json: PEFT warns of keys that it does not know, and goes on.
const CHAT_KEY: &str = "finetop_chat_template";

/// Why an adapter could not be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("{}: {source}", file.display())]
    Io { file: PathBuf, source: std::io::Error },
    #[error("{}: {what}", file.display())]
    Content { file: PathBuf, what: String },
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// One matrix of the adapter under its PEFT name, in the order of blocks, modules, A before B.
#[derive(Debug, Clone)]
pub struct NamedTensor {
    pub name: String,
    pub tensor: Tensor,
}

/// The name of a matrix in adapter_model.safetensors.
pub fn peft_name(layer: usize, module: TargetModule, matrix: char) -> String {
    let (parent, name) = (module.parent(), module.name());
    format!("base_model.model.model.layers.{layer}.{parent}.{name}.lora_{matrix}.weight")
}

/// The groups of modules that share an input.
const GROUPS: [&[TargetModule]; 4] = [
    &[TargetModule::QProj, TargetModule::KProj, TargetModule::VProj],
    &[TargetModule::OProj],
    &[TargetModule::GateProj, TargetModule::UpProj],
    &[TargetModule::DownProj],
];

impl Adapter {
    /// A new adapter: A uniform as PEFT draws it, B zero, so that it changes nothing yet.
    pub fn new(decoder: &Decoder, config: &AdapterConfig, seed: u64) -> Result<Self, AdapterError> {
        let r = config.r;
        let matrices = |layer: usize, module: TargetModule| {
            let projection = decoder.blocks[layer].projection(module);
            Ok((initial_a(r, projection.in_features, seed, layer, module)?, initial_b(projection.out_features, r)?))
        };
        Self::assemble(decoder, (r, config.lora_alpha, config.lora_dropout), &config.target_modules, matrices)
    }

    fn assemble(
        decoder: &Decoder,
        (r, lora_alpha, dropout): (usize, f64, f64),
        modules: &[TargetModule],
        mut matrices: impl FnMut(usize, TargetModule) -> Result<(Tensor, Tensor), AdapterError>,
    ) -> Result<Self, AdapterError> {
        let (device, ledger): (&Device, &Ledger) = (&decoder.device, &decoder.ledger);
        let place = |t: Tensor| t.to_dtype(DType::F32)?.to_device(device)?.contiguous();
        let mut blocks = Vec::new();
        for layer in 0..decoder.blocks.len() {
            let mut group = |wanted: &[TargetModule]| -> Result<Option<LoraGroup>, AdapterError> {
                let members: Vec<_> = wanted.iter().copied().filter(|m| modules.contains(m)).collect();
                if members.is_empty() {
                    return Ok(None);
                }
                let (mut all_a, mut b) = (Vec::new(), Vec::new());
                for &module in &members {
                    let (a, b_of) = matrices(layer, module)?;
                    all_a.push(place(a)?);
                    b.push(Param::new(place(b_of)?, ledger)?);
                }
                let a = Param::new(Tensor::cat(&all_a, 0)?, ledger)?;
                Ok(Some(LoraGroup { modules: members, layer, r, scale: lora_alpha / r as f64, dropout, a, b }))
            };
            blocks.push(BlockAdapter {
                qkv: group(GROUPS[0])?,
                o: group(GROUPS[1])?,
                gate_up: group(GROUPS[2])?,
                down: group(GROUPS[3])?,
            });
        }
        let modules = TargetModule::ALL.into_iter().filter(|m| modules.contains(m)).collect();
        Ok(Adapter { blocks, r, lora_alpha, dropout, modules, chat: None })
    }

    /// Reads an adapter that PEFT or finetop wrote.
    /// # Errors
    /// A file that is missing or lies; a kind of adapter that is not computed here; shapes that do not fit the decoder.
    pub fn load(decoder: &Decoder, folder: &Path) -> Result<Self, AdapterError> {
        let config = AdapterFile::read(folder)?;
        let file = folder.join(WEIGHTS_FILE);
        let header = Safetensors::open(&file)?;
        let content = |what: String| AdapterError::Content { file: file.clone(), what };
        let io = |source| AdapterError::Io { file: file.clone(), source };
        let open = File::open(&file).map_err(io)?;
        let mut used = 0;
        let mut adapter = Self::assemble(
            decoder,
            (config.r, config.lora_alpha, config.lora_dropout),
            &config.target_modules,
            |layer, module| {
                let projection = decoder.blocks[layer].projection(module);
                let mut read = |matrix: char, shape: [usize; 2]| -> Result<Tensor, AdapterError> {
                    let name = peft_name(layer, module, matrix);
                    let t = header.float_tensor(&name)?;
                    if t.shape != shape {
                        let (expected, found) = (format!("shape {shape:?}"), format!("{:?}", t.shape));
                        return Err(FormatError::unexpected(&file, &name, expected, found).into());
                    }
                    used += 1;
                    let mut data = vec![0; t.len as usize];
                    open.read_exact_at(&mut data, t.offset).map_err(io)?;
                    let dtype = match t.dtype {
                        crate::formats::safetensors::Dtype::F16 => DType::F16,
                        crate::formats::safetensors::Dtype::BF16 => DType::BF16,
                        _ => DType::F32,
                    };
                    Ok(Tensor::from_raw_buffer(&data, dtype, &shape, &Device::Cpu)?.to_dtype(DType::F32)?)
                };
                let a = read('A', [config.r, projection.in_features])?;
                Ok((a, read('B', [projection.out_features, config.r])?))
            },
        )?;
        adapter.chat = config.chat;
        if used != header.tensors.len() {
            let layers = decoder.blocks.len();
            let found = header.tensors.len();
            return Err(content(format!(
                "holds {found} tensors, of which {used} belong to a model of {layers} layers with these target modules"
            )));
        }
        Ok(adapter)
    }

    pub fn groups(&self) -> impl Iterator<Item = &LoraGroup> {
        self.blocks.iter().flat_map(BlockAdapter::groups)
    }

    pub fn groups_mut(&mut self) -> impl Iterator<Item = &mut LoraGroup> {
        self.blocks.iter_mut().flat_map(BlockAdapter::groups_mut)
    }

    /// Sets what training drops of the adapters' input.
    pub fn set_dropout(&mut self, p: f64) {
        self.dropout = p;
        self.groups_mut().for_each(|g| g.dropout = p);
    }

    /// The number of trained values.
    pub fn parameters(&self) -> u64 {
        self.groups().flat_map(LoraGroup::params).map(|p| p.value.elem_count() as u64).sum()
    }

    /// Every matrix under its PEFT name, taken by `pick` from its parameter (its value, its gradient, or something kept beside it).
    /// `pick` gets the parameter's number, in the order of `groups` and `LoraGroup::params`.
    pub fn named(&self, pick: impl Fn(usize, &Param) -> Tensor) -> candle_core::Result<Vec<NamedTensor>> {
        let mut named = Vec::new();
        let mut number = 0;
        for group in self.groups() {
            let stacked = pick(number, &group.a);
            for (i, &module) in group.modules.iter().enumerate() {
                let a = stacked.narrow(0, i * group.r, group.r)?;
                named.push(NamedTensor { name: peft_name(group.layer, module, 'A'), tensor: a });
                let b = pick(number + 1 + i, &group.b[i]);
                named.push(NamedTensor { name: peft_name(group.layer, module, 'B'), tensor: b });
            }
            number += 1 + group.b.len();
        }
        Ok(named)
    }

    /// Writes adapter_model.safetensors and adapter_config.json, which PEFT reads. The bytes depend on the values alone.
    pub fn save(&self, folder: &Path, base_model: &str) -> Result<(), AdapterError> {
        write_tensors(&folder.join(WEIGHTS_FILE), self.named(|_, p| p.value.clone())?)?;
        let mut config = json!({
            "alpha_pattern": {},
            "base_model_name_or_path": base_model,
            "bias": "none",
            "fan_in_fan_out": false,
            "inference_mode": true,
            "init_lora_weights": true,
            "lora_alpha": whole_or_real(self.lora_alpha),
            "lora_dropout": self.dropout,
            "modules_to_save": null,
            "peft_type": "LORA",
            "r": self.r,
            "rank_pattern": {},
            "target_modules": self.modules.iter().map(|m| m.name()).collect::<Vec<_>>(),
            "task_type": "CAUSAL_LM",
            "use_dora": false,
            "use_rslora": false,
        });
        if let Some(chat) = self.chat {
            config[CHAT_KEY] = json!(chat);
        }
        let file = folder.join(CONFIG_FILE);
        let text = serde_json::to_string_pretty(&config).unwrap_or_default();
        write_atomically(&file, |w| writeln!(w, "{text}")).map_err(|source| AdapterError::Io { file, source })
    }
}

/// PEFT's JSON has whole alphas as whole numbers.
fn whole_or_real(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}

/// Writes tensors as f32 in safetensors' own canonical order, with the metadata that PEFT's loader asks for. Besides the tensors themselves
/// only one of them is held, in a few copies, as [`write_bytes`] says.
pub fn write_tensors(file: &Path, mut tensors: Vec<NamedTensor>) -> Result<(), AdapterError> {
    let content = |what: String| AdapterError::Content { file: file.into(), what };
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let mut at = 0;
    let places = tensors.iter().map(|t| {
        let start = at;
        at += t.tensor.elem_count() * size_of::<f32>();
        let info = TensorInfo { dtype: Dtype::F32, shape: t.tensor.dims().to_vec(), data_offsets: (start, at) };
        (t.name.clone(), info)
    });
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let metadata = Metadata::new(Some(metadata), places.collect()).map_err(|e| content(e.to_string()))?;
    let mut header = serde_json::to_vec(&metadata).map_err(|e| content(e.to_string()))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut failed = None;
    let written = write_atomically(file, |w| {
        w.write_all(&(header.len() as u64).to_le_bytes())?;
        w.write_all(&header)?;
        for t in &tensors {
            let values =
                t.tensor.to_device(&Device::Cpu).and_then(|t| t.to_dtype(DType::F32)?.flatten_all()?.to_vec1());
            let values: Vec<f32> = values.map_err(|e| {
                let told = io::Error::other(e.to_string());
                failed = Some(e);
                told
            })?;
            w.write_all(&values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())?;
        }
        Ok(())
    });
    match (written, failed) {
        (Err(_), Some(e)) => Err(e.into()),
        (written, _) => written.map_err(|source| AdapterError::Io { file: file.into(), source }),
    }
}

/// The most bytes that writing an adapter or its moments holds besides: copies of its largest matrix.
pub fn write_bytes(adapter: &Adapter) -> usize {
    let largest = adapter.groups().flat_map(LoraGroup::params).map(|p| cpu::bytes(&p.value)).max();
    3 * largest.unwrap_or(0)
}

/// What adapter_config.json says, as far as it is computed here.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterFile {
    pub r: usize,
    pub lora_alpha: f64,
    pub lora_dropout: f64,
    pub target_modules: Vec<TargetModule>,
    pub chat: Option<bool>,
}

impl AdapterFile {
    /// # Errors
    /// A missing or malformed file; DoRA, rank patterns, biases and other kinds that would compute something else, by name.
    pub fn read(folder: &Path) -> Result<Self, AdapterError> {
        let file = folder.join(CONFIG_FILE);
        let text = std::fs::read_to_string(&file).map_err(|source| AdapterError::Io { file: file.clone(), source })?;
        let content = |what: String| AdapterError::Content { file: file.clone(), what };
        let json: Value = serde_json::from_str(&text).map_err(|e| content(e.to_string()))?;
        let found = |key: &str| json.get(key).map_or("nothing".to_owned(), Value::to_string);
        let expect = |key: &str, expected: &str| content(format!("{key}: expected {expected}, found {}", found(key)));
        if json.get("peft_type").and_then(Value::as_str) != Some("LORA") {
            return Err(expect("peft_type", "\"LORA\""));
        }
        for key in ["use_dora", "use_rslora", "fan_in_fan_out", "lora_bias"] {
            if json.get(key).and_then(Value::as_bool) == Some(true) {
                return Err(expect(key, "false"));
            }
        }
        if json.get("bias").and_then(Value::as_str).is_some_and(|b| b != "none") {
            return Err(expect("bias", "\"none\""));
        }
        for key in ["rank_pattern", "alpha_pattern", "modules_to_save", "layers_to_transform"] {
            let empty = match json.get(key) {
                None | Some(Value::Null) => true,
                Some(Value::Object(o)) => o.is_empty(),
                Some(Value::Array(a)) => a.is_empty(),
                Some(_) => false,
            };
            if !empty {
                return Err(expect(key, "nothing"));
            }
        }
        let r = json.get("r").and_then(Value::as_u64).filter(|&r| (1..=65536).contains(&r));
        let r = r.ok_or_else(|| expect("r", "a whole number of at least 1"))? as usize;
        let lora_alpha = json.get("lora_alpha").and_then(Value::as_f64);
        let lora_alpha = lora_alpha.ok_or_else(|| expect("lora_alpha", "a number"))?;
        let lora_dropout = json.get("lora_dropout").and_then(Value::as_f64).unwrap_or(0.0);
        let modules = json.get("target_modules").and_then(Value::as_array);
        let modules = modules.ok_or_else(|| expect("target_modules", "a list of projections"))?;
        let module = |v: &Value| TargetModule::ALL.into_iter().find(|m| v.as_str() == Some(m.name()));
        let target_modules: Option<Vec<_>> = modules.iter().map(module).collect();
        let target_modules = target_modules
            .ok_or_else(|| expect("target_modules", "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"))?;
        let chat = json.get(CHAT_KEY).and_then(Value::as_bool);
        Ok(AdapterFile { r, lora_alpha, lora_dropout, target_modules, chat })
    }
}
