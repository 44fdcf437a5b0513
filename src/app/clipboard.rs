//! Text to the clipboard of whoever sits at the terminal, over SSH too: the control sequence that terminals take it by, wrapped for what
//! stands in between. The clipboard is never read. What is copied, and how much at most, is decided in `ui`.
//! Source: xterm's ctlseqs, OSC 52; tmux(1), `allow-passthrough`; screen(1), "DCS".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A program between this process and the terminal, which does not pass everything on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Multiplexer {
    None,
    Tmux,
    Screen,
    /// tmux or GNU screen, on another machine.
    Either,
}

/// What one string of GNU screen carries: its buffer holds 768 bytes, in old ones 256, and what does not fit is painted over the screen.
const SCREEN_CHUNK: usize = 240;

/// The bytes that put this text into the clipboard.
pub fn sequence(text: &str, multiplexer: Multiplexer) -> Vec<u8> {
    let plain = format!("\x1b]52;c;{}\x07", STANDARD.encode(text));
    match multiplexer {
        Multiplexer::None => plain.into_bytes(),
        // It takes the first with `set-clipboard on`, and hands the second on with `allow-passthrough on`.
        Multiplexer::Tmux => format!("{plain}\x1bPtmux;{}\x1b\\", plain.replace('\x1b', "\x1b\x1b")).into_bytes(),
        Multiplexer::Screen => in_chunks(&plain),
        // tmux lets the chunks fall; GNU screen lets a short plain one fall.
        Multiplexer::Either if plain.len() <= SCREEN_CHUNK => [plain.as_bytes(), &in_chunks(&plain)].concat(),
        Multiplexer::Either => in_chunks(&plain),
    }
}

/// GNU screen hands on what is in a device control string as it is, and the terminal puts the parts together.
fn in_chunks(plain: &str) -> Vec<u8> {
    plain.as_bytes().chunks(SCREEN_CHUNK).flat_map(|part| [b"\x1bP", part, b"\x1b\\"].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, multiplexer: Multiplexer) -> String {
        String::from_utf8(sequence(text, multiplexer)).expect("a sequence is ASCII")
    }

    #[test]
    fn text_is_told_in_base64_whatever_is_in_it() {
        assert_eq!(text("", Multiplexer::None), "\x1b]52;c;\x07");
        assert_eq!(text("loss 1.25", Multiplexer::None), "\x1b]52;c;bG9zcyAxLjI1\x07");
        assert_eq!(text("중\x07\x1b\\", Multiplexer::None), "\x1b]52;c;7KSRBxtc\x07");
    }

    #[test]
    fn tmux_gets_it_for_itself_and_to_hand_on() {
        assert_eq!(text("ab", Multiplexer::Tmux), "\x1b]52;c;YWI=\x07\x1bPtmux;\x1b\x1b]52;c;YWI=\x07\x1b\\");
    }

    #[test]
    fn gnu_screen_gets_strings_that_fit_its_buffer_and_are_the_sequence_together() {
        assert_eq!(text("ab", Multiplexer::Screen), "\x1bP\x1b]52;c;YWI=\x07\x1b\\");
        let long = "x".repeat(100_000);
        let strings = text(&long, Multiplexer::Screen);
        let parts: Vec<&str> =
            strings.split_terminator("\x1b\\").map(|s| s.strip_prefix("\x1bP").expect("one string")).collect();
        assert!(parts.iter().all(|part| part.len() <= SCREEN_CHUNK));
        assert_eq!(parts.concat(), text(&long, Multiplexer::None));
    }

    #[test]
    fn where_either_may_be_nothing_long_goes_plain() {
        assert!(text("ab", Multiplexer::Either).starts_with("\x1b]52;c;YWI=\x07\x1bP"));
        assert_eq!(sequence(&"x".repeat(500), Multiplexer::Either), sequence(&"x".repeat(500), Multiplexer::Screen));
    }
}
