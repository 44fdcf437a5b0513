//! The engine: explicit forward and backward of a decoder, room by room, with no autograd. Text is `data`'s business, the loop is `train`'s.

pub mod adapter;
pub mod attention;
pub mod block;
mod blocks;
pub mod cpu;
#[cfg(feature = "cuda")]
mod cuda_pool;
pub mod decoder;
pub mod device_memory;
pub mod frozen;
pub mod generate;
pub mod head;
pub mod int8;
pub mod load;
pub mod lora;
pub mod mlp;
pub mod needs;
pub mod norm;
pub mod oom;
pub mod panel;
pub mod product;
pub mod rope;
pub mod source;
pub mod spec;
mod stored;
