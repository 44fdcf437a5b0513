//! Text to tokens and back, exactly as the model was trained: a validated tokenizer, wherever it was read from. Reading
//! one: `gguf` (a model file's metadata), `json` (tokenizer.json); how text is cut before merging: `split`. Next:
//! `dataset`.

mod bytes;
mod gguf;
mod json;
mod split;

use std::ops::Range;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::shown;
use crate::formats::FormatError;
use crate::formats::gguf::Gguf;

#[derive(Debug, Error)]
pub enum TokenizerError {
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("{}: {error}", shown(file))]
    Read { file: PathBuf, error: std::io::Error },
    #[error("{}: no tokenizer: {what}", shown(file))]
    Json { file: PathBuf, what: String },
    #[error("{}: {field}: {what}", shown(file))]
    Field { file: PathBuf, field: String, what: String },
    #[error(
        "{}: tokenizer.ggml.model = \"{model}\" is no tokenizer that finetop knows (it knows gpt2 and llama); \
         put the model's tokenizer.json beside the file",
        shown(file)
    )]
    UnknownModel { file: PathBuf, model: String },
    #[error(
        "{}: tokenizer.ggml.pre = \"{pre}\" is no pre-tokenizer that finetop knows (it knows {known}); put the model's \
         tokenizer.json beside the file",
        shown(file)
    )]
    UnknownPre { file: PathBuf, pre: String, known: String },
    #[error(
        "{}: token {id} is {in_json}, but in {} it is {in_gguf}: this tokenizer is another model's",
        shown(json),
        shown(gguf)
    )]
    Mismatch { json: PathBuf, gguf: PathBuf, id: u32, in_json: String, in_gguf: String },
    #[error("the text cannot be tokenised: {0}")]
    Encode(String),
}

/// A model's tokenizer with what its metadata says about special tokens and chat.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    vocab_size: usize,
    special: Special,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("vocab_size", &self.vocab_size).field("special", &self.special).finish()
    }
}

/// What a model's files say besides the vocabulary.
#[derive(Debug, Clone)]
struct Special {
    bos: Option<(u32, String)>,
    eos: (u32, String),
    /// Sorted, `eos` among them.
    end_ids: Vec<u32>,
    add_bos: bool,
    chat_template: Option<String>,
}

/// Tokens that end an answer in some model family. One that the vocabulary has as a special token ends generation, also
/// where the metadata names another: base and instruct files of one model disagree about which is "the" end token.
const END_TOKENS: [&str; 10] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end|>",
    "<|eot|>",
    "<end_of_turn>",
    "<|end_of_turn|>",
    "</s>",
];

impl Tokenizer {
    /// The tokenizer of a GGUF file: a `tokenizer.json` beside it if there is one, checked against the metadata id by
    /// id, else built from the metadata. Special tokens and the chat template are the metadata's either way.
    /// # Errors
    /// A missing or lying field by its name, a kind of tokenizer that is not known, or a `tokenizer.json` of another
    /// model.
    pub fn from_gguf(gguf: &Gguf) -> Result<Tokenizer, TokenizerError> {
        gguf::load(gguf)
    }

    /// The tokenizer of a folder in Hugging Face's layout: `tokenizer.json` with `tokenizer_config.json` (beside it
    /// where `config` is `None`), and beside those `chat_template.jinja`, `generation_config.json` and `config.json`.
    /// # Errors
    /// A file that cannot be read, is no tokenizer, or names no end token.
    pub fn from_json(path: &Path, config: Option<&Path>) -> Result<Tokenizer, TokenizerError> {
        json::load(path, config)
    }

    fn new(inner: tokenizers::Tokenizer, vocab_size: usize, special: Special) -> Tokenizer {
        Tokenizer { inner, vocab_size, special }
    }

    /// Tokens of `text`, nothing added. The text of a special token becomes that token, as in transformers with
    /// `add_special_tokens=False`.
    /// # Errors
    /// `Encode`, when the vocabulary cannot write the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let encoding = self.inner.encode_fast(text, false).map_err(|e| TokenizerError::Encode(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// As `encode`, with the bytes of `text` that each token stands for. Tokens that share a character share its bytes.
    /// # Errors
    /// As `encode`.
    pub fn encode_with_offsets(&self, text: &str) -> Result<Vec<(u32, Range<usize>)>, TokenizerError> {
        let encoding = self.inner.encode(text, false).map_err(|e| TokenizerError::Encode(e.to_string()))?;
        Ok(encoding
            .get_ids()
            .iter()
            .zip(encoding.get_offsets())
            .map(|(id, (start, end))| (*id, *start..*end))
            .collect())
    }

    /// The text of tokens, special tokens left out. Ids outside the vocabulary are left out too.
    pub fn decode(&self, ids: &[u32]) -> String {
        // The decoders that models have cannot fail; were one to, the raw pieces are better than nothing.
        self.inner.decode(ids, true).unwrap_or_else(|_| ids.iter().filter_map(|id| self.token_text(*id)).collect())
    }

    /// A token as the vocabulary spells it, special tokens too.
    pub fn token_text(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The bytes that a token adds to a text; none for special tokens and ids outside the vocabulary. A decoder may still treat
    /// a text's first token otherwise (a leading space).
    pub fn token_bytes(&self, id: u32) -> Option<Vec<u8>> {
        let text = self.inner.id_to_token(id)?;
        let added = self.inner.get_added_vocabulary();
        if added.is_special_token(&text) {
            return None;
        }
        let spelled = match self.inner.get_decoder() {
            Some(decoder) if !added.get_vocab().contains_key(&text) => bytes::spelled(&text, decoder),
            _ => text.into_bytes(),
        };
        Some(spelled)
    }

    /// One more than the highest id. The model's embedding may have more rows.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// The token that ends a completion.
    pub fn eos_token_id(&self) -> u32 {
        self.special.eos.0
    }

    pub fn eos_token(&self) -> &str {
        &self.special.eos.1
    }

    /// Every token that ends generation, sorted, `eos_token_id` among them.
    pub fn end_token_ids(&self) -> &[u32] {
        &self.special.end_ids
    }

    pub fn bos_token_id(&self) -> Option<u32> {
        self.special.bos.as_ref().map(|(id, _)| *id)
    }

    pub fn bos_token(&self) -> Option<&str> {
        self.special.bos.as_ref().map(|(_, text)| text.as_str())
    }

    /// Whether the metadata asks for a start token before raw text; never true without a `bos_token_id`.
    pub fn add_bos(&self) -> bool {
        self.special.add_bos
    }

    pub fn chat_template(&self) -> Option<&str> {
        self.special.chat_template.as_deref()
    }

    /// A prompt as rows are trained and as generation starts: the start token if the metadata asks for one, then the
    /// text.
    /// # Errors
    /// As `encode`.
    pub fn encode_prompt(&self, prompt: &str) -> Result<Vec<u32>, TokenizerError> {
        let mut tokens = Vec::new();
        if self.add_bos() {
            tokens.extend(self.bos_token_id());
        }
        tokens.extend(self.encode(prompt)?);
        Ok(tokens)
    }
}

/// The end tokens: those that the files name, and those of `END_TOKENS` that `inner` has as special tokens.
fn end_ids(inner: &tokenizers::Tokenizer, named: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let mut ids: Vec<u32> = named.into_iter().collect();
    let vocabulary = inner.get_added_vocabulary();
    ids.extend(
        END_TOKENS.iter().filter(|text| vocabulary.is_special_token(text)).filter_map(|text| inner.token_to_id(text)),
    );
    ids.sort_unstable();
    ids.dedup();
    ids
}
