//! A tensor in its file, brought into memory a few rows at a time: as it is, as f32, or quantised on the way. Besides the result a few MiB are
//! held, however large the tensor is. Which tensors a model has is `load`'s business.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use candle_core::quantized::k_quants::{self, GgmlType};
use candle_core::quantized::{GgmlDType, QStorage, QTensor, QuantizedType};
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use super::frozen;
use super::load::LoadError;
use crate::memory::ledger::{Category, Charge, Ledger};

/// The values of a piece: 1 MiB of f32.
const PIECE: usize = 1 << 18;

/// A tensor and where it lies.
pub struct Stored<'a> {
    pub shape: Vec<usize>,
    pub dtype: GgmlDType,
    pub file: &'a File,
    pub path: &'a Path,
    /// As people call it.
    pub name: String,
    /// In bytes from the start of the file.
    pub offset: u64,
    pub len: u64,
    /// The heads whose rows GGUF has in another order: (head, pair, half) is to become (head, half, pair). Rows move whole.
    pub turned: Option<usize>,
    pub ledger: &'a Ledger,
}

/// A tensor cut into rows.
struct Rows {
    count: usize,
    width: usize,
    bytes: usize,
    per_piece: usize,
}

impl Stored<'_> {
    pub fn failed(&self) -> impl Fn(candle_core::Error) -> LoadError + use<> {
        let (file, name): (PathBuf, String) = (self.path.into(), self.name.clone());
        move |e| LoadError::Tensor { file: file.clone(), name: name.clone(), source: Box::new(e) }
    }

    fn rows(&self) -> Result<Rows, LoadError> {
        // A vector is one row, unless its values are to be moved like rows.
        let width =
            if self.shape.len() == 1 && self.turned.is_some() { 1 } else { self.shape.last().map_or(1, |&w| w) };
        let count = self.shape.iter().product::<usize>() / width;
        let bytes = frozen::row_bytes(self.dtype, width).map_err(self.failed())?;
        let head = self.turned.map_or(1, |heads| count / heads);
        Ok(Rows { count, width, bytes, per_piece: (PIECE / width).max(1).next_multiple_of(head) })
    }

    /// Charges what is held while the tensor is read: the result, and for each row of a piece so many bytes.
    fn room(&self, result: usize, rows: &Rows, piece_row: usize) -> Result<Charge, LoadError> {
        Ok(self.ledger.ask(Category::Other, result + rows.per_piece.min(rows.count) * piece_row)?)
    }

    /// The bytes that [`Stored::pieces`] holds for each row of a piece.
    fn piece_row(&self, rows: &Rows) -> usize {
        if self.turned.is_some() { 2 * rows.bytes } else { rows.bytes }
    }

    fn read_into(&self, bytes: &mut [u8], offset: u64) -> Result<(), LoadError> {
        let read = self.file.read_exact_at(bytes, self.offset + offset);
        read.map_err(|source| LoadError::Read { file: self.path.into(), source })
    }

    /// Calls `work` with the bytes of each piece, in the order of the rows.
    fn pieces(
        &self,
        rows: &Rows,
        mut work: impl FnMut(Range<usize>, &[u8]) -> candle_core::Result<()>,
    ) -> Result<(), LoadError> {
        let (mut read, mut restored) = (Vec::new(), Vec::new());
        for first in (0..rows.count).step_by(rows.per_piece) {
            let piece = first..(first + rows.per_piece).min(rows.count);
            read.resize(piece.len() * rows.bytes, 0);
            self.read_into(&mut read, (first * rows.bytes) as u64)?;
            let bytes = match self.turned {
                Some(heads) => {
                    restore(&read, rows.bytes, rows.count / heads, &mut restored);
                    &restored
                }
                None => &read,
            };
            work(piece, bytes).map_err(self.failed())?;
        }
        Ok(())
    }

    /// The values in `dtype`.
    pub fn dense(&self, device: &Device, dtype: DType) -> Result<Tensor, LoadError> {
        let rows = self.rows()?;
        let values = rows.count * rows.width;
        // Another type or device has its own copy while the values are converted.
        let copy = if device.is_cpu() && dtype == DType::F32 { 0 } else { values * dtype.size_in_bytes() };
        let _room = self.room(values * size_of::<f32>() + copy, &rows, self.piece_row(&rows))?;
        let mut all = vec![0f32; values];
        self.pieces(&rows, |piece, bytes| {
            frozen::dequantise(self.dtype, bytes, &mut all[piece.start * rows.width..piece.end * rows.width])
        })?;
        let tensor = Tensor::from_vec(all, self.shape.as_slice(), &Device::Cpu).map_err(self.failed())?;
        tensor.to_dtype(dtype).and_then(|t| t.to_device(device)).map_err(self.failed())
    }

    /// The blocks as they are.
    pub fn kept(&self, device: &Device) -> Result<QTensor, LoadError> {
        self.blocks(self.dtype, device)
    }

    /// The values in blocks of type `to`, each block as candle quantises it.
    pub fn quantised(&self, to: GgmlDType, device: &Device) -> Result<QTensor, LoadError> {
        self.blocks(to, device)
    }

    fn blocks(&self, to: GgmlDType, device: &Device) -> Result<QTensor, LoadError> {
        use k_quants::*;
        let storage = match to {
            GgmlDType::F32 => self.blocks_of::<f32>(device),
            GgmlDType::F16 => self.blocks_of::<half::f16>(device),
            GgmlDType::BF16 => self.blocks_of::<half::bf16>(device),
            GgmlDType::Q4_0 => self.blocks_of::<BlockQ4_0>(device),
            GgmlDType::Q4_1 => self.blocks_of::<BlockQ4_1>(device),
            GgmlDType::Q5_0 => self.blocks_of::<BlockQ5_0>(device),
            GgmlDType::Q5_1 => self.blocks_of::<BlockQ5_1>(device),
            GgmlDType::Q8_0 => self.blocks_of::<BlockQ8_0>(device),
            GgmlDType::Q8_1 => self.blocks_of::<BlockQ8_1>(device),
            GgmlDType::Q2K => self.blocks_of::<BlockQ2K>(device),
            GgmlDType::Q3K => self.blocks_of::<BlockQ3K>(device),
            GgmlDType::Q4K => self.blocks_of::<BlockQ4K>(device),
            GgmlDType::Q5K => self.blocks_of::<BlockQ5K>(device),
            GgmlDType::Q6K => self.blocks_of::<BlockQ6K>(device),
            GgmlDType::Q8K => self.blocks_of::<BlockQ8K>(device),
        }?;
        QTensor::new(storage, self.shape.as_slice()).map_err(self.failed())
    }

    fn blocks_of<T: GgmlType + Send + Sync + 'static>(&self, device: &Device) -> Result<QStorage, LoadError> {
        let rows = self.rows()?;
        let row_blocks = rows.width / T::BLCK_SIZE;
        let result = rows.count * row_blocks * size_of::<T>();
        let piece_row = match (T::DTYPE == self.dtype, self.turned) {
            (true, None) => 0,
            (true, Some(_)) => self.piece_row(&rows),
            (false, _) => self.piece_row(&rows) + rows.width * size_of::<f32>(),
        };
        let _room = self.room(if device.is_cpu() { result } else { 2 * result }, &rows, piece_row)?;
        let mut blocks = vec![T::zeros(); rows.count * row_blocks];
        if T::DTYPE != self.dtype {
            let mut values = vec![0f32; rows.per_piece.min(rows.count) * rows.width];
            self.pieces(&rows, |piece, bytes| {
                let values = &mut values[..piece.len() * rows.width];
                frozen::dequantise(self.dtype, bytes, values)?;
                let blocks = &mut blocks[piece.start * row_blocks..piece.end * row_blocks];
                let each_row = blocks.par_chunks_mut(row_blocks).zip(values.par_chunks(rows.width));
                each_row.for_each(|(blocks, values)| T::from_float(values, blocks));
                Ok(())
            })?;
        } else {
            let bytes = bytes_of(&mut blocks);
            match self.turned {
                None => self.read_into(bytes, 0)?,
                Some(_) => self.pieces(&rows, |piece, read| {
                    bytes[piece.start * rows.bytes..piece.end * rows.bytes].copy_from_slice(read);
                    Ok(())
                })?,
            }
        }
        if device.is_cpu() {
            return Ok(QStorage::Cpu(Box::new(blocks) as Box<dyn QuantizedType>));
        }
        let bytes: &[u8] = bytes_of(&mut blocks);
        QStorage::from_data(bytes.into(), device, T::DTYPE).map_err(self.failed())
    }
}

/// The memory of whole blocks.
fn bytes_of<T: GgmlType>(blocks: &mut [T]) -> &mut [u8] {
    // SAFETY: a block of GGML is plain numbers without padding, whatever its bytes are.
    unsafe { std::slice::from_raw_parts_mut(blocks.as_mut_ptr().cast(), std::mem::size_of_val(blocks)) }
}

/// Undoes GGUF's order of the rows of whole heads, `head` rows each: (pair, half) back to (half, pair).
fn restore(read: &[u8], row_bytes: usize, head: usize, restored: &mut Vec<u8>) {
    restored.clear();
    let half = head / 2;
    for head in read.chunks_exact(head * row_bytes) {
        for row in 0..2 * half {
            let (part, pair) = (row / half, row % half);
            restored.extend_from_slice(&head[(pair * 2 + part) * row_bytes..][..row_bytes]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_256_are_packed_as_candle_packs_them_over_many_pieces_and_within_the_charge() {
        let (device, ledger) = (Device::Cpu, Ledger::default());
        let whole = Tensor::randn(0f32, 0.1, (1500, 512), &device).expect("a tensor");
        let whole = whole.to_dtype(DType::BF16).expect("bf16").to_dtype(DType::F32).expect("f32");
        let values = whole.flatten_all().expect("flat").to_vec1::<f32>().expect("values");
        let bytes: Vec<u8> = values.iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect();
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &bytes).expect("written");
        let stored = Stored {
            shape: vec![1500, 512],
            dtype: GgmlDType::BF16,
            file: file.as_file(),
            path: file.path(),
            name: "w".into(),
            offset: 0,
            len: bytes.len() as u64,
            turned: None,
            ledger: &ledger,
        };
        for to in [GgmlDType::Q4K, GgmlDType::Q8_0] {
            ledger.forget_highest();
            let packed = stored.quantised(to, &device).expect("packed");
            let expected = QTensor::quantize(&whole, to).expect("candle's");
            assert!(packed.data().expect("bytes") == expected.data().expect("bytes"), "{to:?}");
            let besides = ledger.highest().total_bytes - packed.storage_size_in_bytes() as u64;
            assert!(besides < 4 << 20, "{besides} besides the result");
        }
        let dense = stored.dense(&device, DType::F32).expect("dense");
        assert!(dense.flatten_all().expect("flat").to_vec1::<f32>().expect("values") == values);
        assert_eq!(ledger.total(), 0);
    }
}
