//! What a run goes on from: adapter, moments, and where it stands. Where checkpoints lie and which are kept is `run`'s business.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use super::optimizer::AdamW;
use crate::disk::write_atomically;
use crate::formats::FormatError;
use crate::formats::safetensors::Safetensors;
use crate::memory::ledger::Category;
use crate::model::adapter::{Adapter, AdapterError, write_bytes, write_tensors};
use crate::model::oom::raised;

pub const OPTIMIZER_FILE: &str = "optimizer.safetensors";
pub const STATE_FILE: &str = "trainer_state.json";

/// Where a run stands after a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainerState {
    /// The version of this file.
    pub schema: u32,
    /// Optimizer steps done.
    pub step: u64,
    pub planned_steps: u64,
    pub epoch: f64,
    pub seed: u64,
    /// The best eval so far after step 0.
    pub best: Option<Best>,
    /// What the training data was, so that a run does not go on with other rows.
    pub train_fingerprint: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    pub step: u64,
    pub eval_loss: f64,
}

/// Where the trainer's checkpoints go.
pub trait Checkpoints {
    /// Saves a checkpoint that is whole or absent: `fill` writes its files into the folder that it is given. It becomes the last one,
    /// and with `best` the best one.
    /// # Errors
    /// What `fill` or the file system says.
    fn save(&mut self, step: u64, best: bool, fill: &mut Fill) -> Result<SavedAt, AdapterError>;
}

/// Writes the files of a checkpoint into a folder.
pub type Fill<'a> = dyn FnMut(&Path) -> Result<(), AdapterError> + 'a;

/// Where a checkpoint came to lie, relative to the run's folder, and what it takes on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedAt {
    pub path: String,
    pub size_bytes: u64,
}

/// Writes all files of a checkpoint. On a CPU the same values give the same bytes. The ledger is asked once, before the first file.
/// # Errors
/// No room, whatever the file system says; nothing that training needs has changed.
pub fn write(
    folder: &Path,
    adapter: &Adapter,
    optimizer: &AdamW,
    state: &TrainerState,
    base_model: &str,
) -> Result<(), AdapterError> {
    let _copies = optimizer.ledger().ask(Category::Other, write_bytes(adapter)).map_err(raised)?;
    adapter.save(folder, base_model)?;
    write_tensors(&folder.join(OPTIMIZER_FILE), optimizer.named(adapter)?)?;
    let file = folder.join(STATE_FILE);
    let text = serde_json::to_string_pretty(state)
        .map_err(|e| AdapterError::Content { file: file.clone(), what: e.to_string() })?;
    write_atomically(&file, |w| writeln!(w, "{text}")).map_err(|source| AdapterError::Io { file, source })
}

/// Reads where a checkpoint stands.
/// # Errors
/// A file that is missing or malformed.
pub fn read_state(folder: &Path) -> Result<TrainerState, AdapterError> {
    let file = folder.join(STATE_FILE);
    let text = std::fs::read_to_string(&file).map_err(|source| AdapterError::Io { file: file.clone(), source })?;
    serde_json::from_str(&text).map_err(|e| AdapterError::Content { file, what: e.to_string() })
}

/// Reads a checkpoint's moments into `optimizer`.
/// # Errors
/// A file that is missing or lies, or whose tensors are not the adapter's.
pub fn read_moments(folder: &Path, adapter: &Adapter, optimizer: &mut AdamW, step: u64) -> Result<(), AdapterError> {
    let file: PathBuf = folder.join(OPTIMIZER_FILE);
    let header = Safetensors::open(&file)?;
    let io = |source| AdapterError::Io { file: file.clone(), source };
    let open = File::open(&file).map_err(io)?;
    optimizer.restore(adapter, step, |name, shape| {
        let t = header.float_tensor(name)?;
        if t.shape != shape {
            let (expected, found) = (format!("shape {shape:?}"), format!("{:?}", t.shape));
            return Err(AdapterError::from(FormatError::unexpected(&file, name, expected, found)));
        }
        let mut data = vec![0; t.len as usize];
        open.read_exact_at(&mut data, t.offset).map_err(io)?;
        Ok(Tensor::from_raw_buffer(&data, DType::F32, shape, &Device::Cpu)?)
    })
}
