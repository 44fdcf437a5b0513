//! The bytes behind a token's spelling: GPT-2's letters for bytes, SentencePiece's marks for spaces and bytes. Whole texts are the
//! decoders' own business; this is for who must know each token by itself.

use tokenizers::decoders::DecoderWrapper;

/// The bytes of a token that is spelled so, under this decoder.
pub fn spelled(text: &str, decoder: &DecoderWrapper) -> Vec<u8> {
    if is_byte_level(decoder) {
        // A letter outside the table stands for itself, as in the decoder.
        return text.chars().flat_map(|c| byte_of(c).map_or_else(|| c.to_string().into_bytes(), |b| vec![b])).collect();
    }
    let byte = text.strip_prefix("<0x").and_then(|t| t.strip_suffix('>')).filter(|hex| hex.len() == 2);
    match byte.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
        Some(byte) => vec![byte],
        None => text.replace('\u{2581}', " ").into_bytes(),
    }
}

fn is_byte_level(decoder: &DecoderWrapper) -> bool {
    match decoder {
        DecoderWrapper::ByteLevel(_) => true,
        DecoderWrapper::Sequence(sequence) => sequence.get_decoders().iter().any(is_byte_level),
        _ => false,
    }
}

/// GPT-2's table: bytes that print stand for themselves, the others are numbered from U+0100 on, in their order.
fn byte_of(c: char) -> Option<u8> {
    let prints = |b: u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    match u32::from(c) {
        code @ 0..=0xff => u8::try_from(code).ok().filter(|b| prints(*b)),
        code => (0..=u8::MAX).filter(|b| !prints(*b)).nth((code - 0x100) as usize),
    }
}

#[cfg(test)]
mod tests {
    use tokenizers::decoders::byte_fallback::ByteFallback;
    use tokenizers::decoders::byte_level::ByteLevel;
    use tokenizers::pre_tokenizers::byte_level::ByteLevel as Alphabet;

    use super::*;

    #[test]
    fn every_byte_has_its_letter_and_every_letter_its_byte() {
        let mut bytes: Vec<u8> = Alphabet::alphabet().into_iter().filter_map(byte_of).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
        assert_eq!(byte_of('\u{144}'), None);
    }

    #[test]
    fn spellings_become_bytes() {
        let gpt2 = ByteLevel::default().into();
        assert_eq!(spelled("\u{120}a\u{10a}", &gpt2), b" a\n");
        let sentence_piece = ByteFallback::new().into();
        assert_eq!(spelled("\u{2581}the", &sentence_piece), b" the");
        assert_eq!(spelled("<0x0A>", &sentence_piece), b"\n");
        assert_eq!(spelled("<0xZZ>", &sentence_piece), b"<0xZZ>");
    }
}
