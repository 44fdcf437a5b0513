//! A prompt continued as text, token by token. Tokens alone are the business of `model::generate`.

use crate::data::template::{ChatTemplate, Message, TemplateError};
use crate::data::tokenizer::{Tokenizer, TokenizerError};
use crate::model::adapter::Adapter;
use crate::model::decoder::Decoder;
use crate::model::generate::{Decoding, Generated, generate};

/// Why a prompt could not be continued.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("this model has no chat template; leave out --chat")]
    NoTemplate,
    #[error(transparent)]
    Engine(#[from] candle_core::Error),
}

/// The tokens of a prompt: as it is, or as a user's turn of the model's chat.
/// # Errors
/// A chat without template, a text that the vocabulary cannot write.
pub fn prompt_tokens(tokenizer: &Tokenizer, prompt: &str, chat: bool) -> Result<Vec<u32>, WriteError> {
    if !chat {
        return Ok(tokenizer.encode_prompt(prompt)?);
    }
    let source = tokenizer.chat_template().ok_or(WriteError::NoTemplate)?;
    let template = ChatTemplate::new(source, tokenizer.bos_token(), Some(tokenizer.eos_token()))?;
    Ok(tokenizer.encode(&template.render(&[Message::user(prompt)], true)?)?)
}

/// Continues a prompt; `out` gets the text piece by piece, each of whole characters.
/// # Errors
/// As `model::generate::generate`.
pub fn write(
    decoder: &Decoder,
    adapter: Option<&Adapter>,
    tokenizer: &Tokenizer,
    prompt: &[u32],
    max_new_tokens: usize,
    out: &mut dyn FnMut(&str),
) -> Result<Generated, WriteError> {
    let how = Decoding { max_new_tokens, end_tokens: tokenizer.end_token_ids().to_vec(), ..Decoding::default() };
    let mut tokens = Vec::new();
    let mut shown = 0;
    let generated = generate(decoder, adapter, prompt, &how, &mut |token| {
        tokens.push(token);
        let text = tokenizer.decode(&tokens);
        // A character may need several tokens; until then it decodes to the replacement character.
        if !text.ends_with('\u{fffd}') && text.is_char_boundary(shown) && text.len() > shown {
            out(&text[shown..]);
            shown = text.len();
        }
        true
    })?;
    let text = tokenizer.decode(&tokens);
    if text.is_char_boundary(shown) && text.len() > shown {
        out(&text[shown..]);
    }
    Ok(generated)
}
