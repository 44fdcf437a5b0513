//! A tokenizer from the metadata of a GGUF file: byte-level BPE (`gpt2`), or SentencePiece's BPE from its scores
//! (`llama`). What each `pre` means is in `split`; a tokenizer.json beside the file goes before, checked here id by id.

use std::path::Path;

use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as DecoderSequence;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::normalizers::{Prepend, Replace, Sequence as NormalizerSequence};
use tokenizers::{AddedToken, DecoderWrapper, NormalizerWrapper, PreTokenizerWrapper};

use super::split::Rule;
use super::{Special, Tokenizer, TokenizerError, end_ids, json};
use crate::formats::gguf::{Gguf, Strings};
use crate::formats::{FormatError, optional};
use crate::units::printable;

const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
const TOKENS: &str = "tokenizer.ggml.tokens";
const TOKEN_TYPE: &str = "tokenizer.ggml.token_type";
const SCORES: &str = "tokenizer.ggml.scores";
const MERGES: &str = "tokenizer.ggml.merges";

/// `tokenizer.ggml.token_type`.
mod token_type {
    pub const NORMAL: i64 = 1;
    pub const UNKNOWN: i64 = 2;
    pub const CONTROL: i64 = 3;
    pub const USER_DEFINED: i64 = 4;
    pub const UNUSED: i64 = 5;
}

/// SentencePiece's mark for a space.
const SPACE: &str = "▁";

pub(super) fn load(gguf: &Gguf) -> Result<Tokenizer, TokenizerError> {
    let beside = gguf.path.with_file_name("tokenizer.json");
    if !beside.is_file() {
        let vocabulary = Vocabulary::read(gguf)?;
        let inner = vocabulary.build()?;
        return finish(&vocabulary, inner);
    }
    match optional(gguf.str_array(TOKENS))? {
        None => json::load(&beside, None),
        Some(_) => {
            let vocabulary = Vocabulary::read(gguf)?;
            let inner = json::read(&beside)?;
            vocabulary.check(&beside, &inner)?;
            finish(&vocabulary, inner)
        }
    }
}

fn finish(vocabulary: &Vocabulary, inner: tokenizers::Tokenizer) -> Result<Tokenizer, TokenizerError> {
    let special = vocabulary.special(&inner)?;
    Ok(Tokenizer::new(inner, vocabulary.tokens.len(), special))
}

/// The vocabulary as the file has it, its arrays checked to be of one length.
struct Vocabulary<'a> {
    gguf: &'a Gguf,
    tokens: &'a Strings,
    /// One for each token; all normal where the file says nothing.
    types: Vec<i64>,
}

impl<'a> Vocabulary<'a> {
    fn read(gguf: &'a Gguf) -> Result<Self, TokenizerError> {
        let tokens = gguf.str_array(TOKENS)?;
        if tokens.is_empty() {
            return Err(field(gguf, TOKENS, "the vocabulary is empty"));
        }
        let types = match optional(gguf.int_array(TOKEN_TYPE))? {
            Some(types) => types,
            None => vec![token_type::NORMAL; tokens.len()],
        };
        if types.len() != tokens.len() {
            return Err(field(gguf, TOKEN_TYPE, format!("{} types for {} tokens", types.len(), tokens.len())));
        }
        Ok(Vocabulary { gguf, tokens, types })
    }

    fn build(&self) -> Result<tokenizers::Tokenizer, TokenizerError> {
        let mut inner = match self.gguf.string(MODEL)? {
            "gpt2" => self.byte_level()?,
            "llama" => self.sentence_piece()?,
            model => {
                return Err(TokenizerError::UnknownModel { file: self.gguf.path.clone(), model: printable(model) });
            }
        };
        let added = |wanted: &'static [i64], special: bool| {
            let of_type = self.tokens.iter().zip(&self.types).filter(|(_, kind)| wanted.contains(kind));
            of_type.map(move |(text, _)| AddedToken::from(text, special).normalized(false))
        };
        // Matched in the text before anything is cut; `<think>` and its like are user-defined: matched, but not left
        // out of text.
        inner
            .add_special_tokens(added(&[token_type::CONTROL, token_type::UNKNOWN], true))
            .and_then(|_| inner.add_tokens(added(&[token_type::USER_DEFINED], false)))
            .map_err(|e| field(self.gguf, TOKENS, e))?;
        Ok(inner)
    }

    fn byte_level(&self) -> Result<tokenizers::Tokenizer, TokenizerError> {
        let pre = optional(self.gguf.string(PRE))?.unwrap_or_default();
        let Some(rule) = Rule::named(pre) else {
            let (file, pre, known) = (self.gguf.path.clone(), printable(pre), Rule::names());
            return Err(TokenizerError::UnknownPre { file, pre, known });
        };
        let merges = self.gguf.str_array(MERGES)?;
        let vocab = self.vocab();
        let pairs = merges.iter().enumerate().map(|(rank, merge)| {
            // The first piece may itself be a space in exotic files, so the separator is looked for after the first
            // byte.
            let at = merge.char_indices().skip(1).find(|(_, c)| *c == ' ').map(|(at, _)| at);
            let pair = at.map(|at| (merge[..at].to_owned(), merge[at + 1..].to_owned()));
            let known = |(left, right): &(String, String)| {
                vocab.contains_key(left) && vocab.contains_key(right) && vocab.contains_key(&format!("{left}{right}"))
            };
            pair.filter(known).ok_or_else(|| {
                field(
                    self.gguf,
                    MERGES,
                    format!("merge {rank}, `{}`, is not of two tokens to a third", printable(merge)),
                )
            })
        });
        let merges: Merges = pairs.collect::<Result<_, _>>()?;
        let bpe = BPE::builder().vocab_and_merges(vocab, merges).ignore_merges(rule.ignore_merges).build();
        let mut inner = tokenizers::Tokenizer::new(bpe.map_err(|e| field(self.gguf, MERGES, e))?);
        let pre_tokenizer: PreTokenizerWrapper = rule.pre_tokenizer().map_err(|e| field(self.gguf, PRE, e))?;
        inner.with_normalizer(rule.normalizer()).map_err(|e| field(self.gguf, PRE, e))?;
        inner.with_pre_tokenizer(Some(pre_tokenizer)).with_decoder(Some(ByteLevel::default()));
        Ok(inner)
    }

    /// SentencePiece's BPE: of all neighbours, the pair whose joined piece has the highest score is merged first. As
    /// merges: every cut of every piece into two others, ranked by the piece's score. Characters without a piece become
    /// their bytes' pieces.
    fn sentence_piece(&self) -> Result<tokenizers::Tokenizer, TokenizerError> {
        let scores = self.gguf.f32_array(SCORES)?;
        if scores.len() != self.tokens.len() {
            return Err(field(self.gguf, SCORES, format!("{} scores for {} tokens", scores.len(), self.tokens.len())));
        }
        if scores.iter().any(|score| score.is_nan()) {
            return Err(field(self.gguf, SCORES, "a score is not a number"));
        }
        let vocab = self.vocab();
        let bpe = BPE::builder().fuse_unk(true).byte_fallback(true);
        let bpe = match self.types.iter().position(|kind| *kind == token_type::UNKNOWN) {
            Some(id) => bpe.unk_token(self.tokens.get(id).unwrap_or_default().to_owned()),
            None => bpe,
        };
        let merges = self.merges_by_score(&vocab, scores);
        let bpe = bpe.vocab_and_merges(vocab, merges).build().map_err(|e| field(self.gguf, TOKENS, e))?;
        let mut inner = tokenizers::Tokenizer::new(bpe);

        let space_in_front = optional(self.gguf.bool("tokenizer.ggml.add_space_prefix"))?.unwrap_or(true);
        let replace = |from: &str, to: &str| Replace::new(from, to).map_err(|e| field(self.gguf, TOKENS, e));
        let mut normalizers: Vec<NormalizerWrapper> = vec![replace(" ", SPACE)?.into()];
        let mut decoders: Vec<DecoderWrapper> =
            vec![replace(SPACE, " ")?.into(), ByteFallback::new().into(), Fuse::new().into()];
        if space_in_front {
            normalizers.insert(0, Prepend::new(SPACE.into()).into());
            decoders.push(Strip::new(' ', 1, 0).into());
        }
        let normalizer = NormalizerSequence::new(normalizers);
        inner.with_normalizer(Some(normalizer)).map_err(|e| field(self.gguf, TOKENS, e))?;
        inner.with_decoder(Some(DecoderSequence::new(decoders)));
        Ok(inner)
    }

    fn merges_by_score(&self, vocab: &Vocab, scores: &[f32]) -> Merges {
        let normal = |text: &str| vocab.get(text).filter(|id| self.types[**id as usize] == token_type::NORMAL).copied();
        let mut found = Vec::new();
        for (id, text) in self.tokens.iter().enumerate() {
            if self.types[id] != token_type::NORMAL {
                continue;
            }
            for (at, _) in text.char_indices().skip(1) {
                let (left, right) = text.split_at(at);
                if let (Some(left_id), Some(right_id)) = (normal(left), normal(right)) {
                    found.push((scores[id], id, left_id, right_id, left, right));
                }
            }
        }
        // Only the score decides between pieces; the rest makes the order of equal ones the same everywhere.
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2, a.3).cmp(&(b.1, b.2, b.3))));
        found.into_iter().map(|(.., left, right)| (left.to_owned(), right.to_owned())).collect()
    }

    fn vocab(&self) -> Vocab {
        // Ids are positions; the header's size limit keeps them far below 32 bits. Of two equal texts the later id is
        // kept.
        self.tokens.iter().enumerate().map(|(id, text)| (text.to_owned(), id as u32)).collect()
    }

    /// # Errors
    /// The first token on which the two disagree.
    fn check(&self, path: &Path, inner: &tokenizers::Tokenizer) -> Result<(), TokenizerError> {
        let mismatch = |id: usize, in_json: Option<String>, in_gguf: Option<&str>| {
            let shown = |text: Option<&str>| text.map_or("missing".into(), |text| format!("`{}`", printable(text)));
            Err(TokenizerError::Mismatch {
                json: path.into(),
                gguf: self.gguf.path.clone(),
                id: id as u32,
                in_json: shown(in_json.as_deref()),
                in_gguf: shown(in_gguf),
            })
        };
        for (id, text) in self.tokens.iter().enumerate() {
            let in_json = inner.id_to_token(id as u32);
            // Rows that only pad the embedding have a made-up text in the metadata and none in tokenizer.json.
            let same = match &in_json {
                Some(found) => found == text || found.replace(SPACE, " ") == text,
                None => self.types[id] == token_type::UNUSED,
            };
            if !same && self.types[id] != token_type::UNUSED {
                return mismatch(id, in_json, Some(text));
            }
        }
        let highest = inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize);
        if highest >= self.tokens.len() {
            return mismatch(highest, inner.id_to_token(highest as u32), None);
        }
        Ok(())
    }

    fn special(&self, inner: &tokenizers::Tokenizer) -> Result<Special, TokenizerError> {
        let token = |name: &str| -> Result<Option<(u32, String)>, TokenizerError> {
            let key = format!("tokenizer.ggml.{name}_token_id");
            let Some(id) = optional(self.gguf.u32(&key))? else { return Ok(None) };
            let text = self.tokens.get(id as usize);
            let outside = || field(self.gguf, &key, format!("{id} is outside the vocabulary of {}", self.tokens.len()));
            Ok(Some((id, text.ok_or_else(outside)?.to_owned())))
        };
        let (bos, eos) = (token("bos")?, token("eos")?);
        let Some(eos) = eos else {
            return Err(FormatError::missing(&self.gguf.path, "metadata `tokenizer.ggml.eos_token_id`").into());
        };
        let others = [token("eot")?, token("eom")?].into_iter().flatten().map(|(id, _)| id);
        let add_bos = match optional(self.gguf.bool("tokenizer.ggml.add_bos_token"))? {
            Some(add) => add,
            None if self.gguf.string(MODEL)? == "llama" => true,
            None => optional(self.gguf.string(PRE))?.and_then(Rule::named).is_some_and(|rule| rule.add_bos),
        };
        Ok(Special {
            end_ids: end_ids(inner, others.chain([eos.0])),
            add_bos: add_bos && bos.is_some(),
            bos,
            eos,
            chat_template: optional(self.gguf.string("tokenizer.chat_template"))?.map(str::to_owned),
        })
    }
}

fn field(gguf: &Gguf, field: &str, what: impl ToString) -> TokenizerError {
    TokenizerError::Field { file: gguf.path.clone(), field: field.into(), what: printable(&what.to_string()) }
}
