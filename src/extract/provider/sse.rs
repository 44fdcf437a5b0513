//! Server-sent events, as far as chat completions use them: lines of bytes in whatever pieces the network cuts them to, `data` out.
//! Source: WHATWG HTML, "Server-sent events", event stream interpretation.

/// The longest event that is taken: a server that sends no line end must not fill the memory.
const MAX_EVENT_BYTES: usize = 4 << 20;

/// Puts pieces together into events.
#[derive(Debug, Default)]
pub struct Events {
    line: Vec<u8>,
    data: String,
    /// A carriage return ended the last line: a line feed right after it belongs to it.
    after_return: bool,
    begun: bool,
}

/// The stream is no event stream.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

impl Events {
    /// Takes the next bytes; `told` hears the data of each event that they end.
    pub fn push(&mut self, bytes: &[u8], mut told: impl FnMut(String)) -> Result<(), TooLong> {
        for &byte in bytes {
            let paired = std::mem::take(&mut self.after_return) && byte == b'\n';
            match byte {
                _ if paired => {}
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    if let Some(data) = self.end_line() {
                        told(data);
                    }
                }
                _ if self.line.len() + self.data.len() >= MAX_EVENT_BYTES => return Err(TooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    /// What the stream's end leaves: an event whose empty line never came. The standard drops it; servers that forget the
    /// line meant it.
    pub fn finish(&mut self) -> Option<String> {
        self.end_line().or_else(|| self.end_line())
    }

    fn end_line(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return (!self.data.is_empty()).then(|| std::mem::take(&mut self.data));
        }
        let line = String::from_utf8_lossy(&line);
        let line = if self.begun { &line } else { line.trim_start_matches('\u{feff}') };
        self.begun = true;
        if let Some(data) = line.strip_prefix("data:") {
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let (mut events, mut all) = (Events::default(), Vec::new());
        for piece in pieces {
            events.push(piece, |data| all.push(data)).unwrap();
        }
        all.extend(events.finish());
        all
    }

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        let stream =
            "\u{feff}: hello\r\ndata: {\"a\":\"만\"}\r\n\r\nevent: x\nid: 7\ndata:two\ndata: lines\n\n\ndata: last"
                .as_bytes();
        let whole = read(&[stream]);
        assert_eq!(whole, ["{\"a\":\"만\"}", "two\nlines", "last"]);
        for cut in 0..stream.len() {
            assert_eq!(read(&[&stream[..cut], &stream[cut..]]), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut events = Events::default();
        assert_eq!(events.push(&vec![b'x'; MAX_EVENT_BYTES + 1], |_| ()), Err(TooLong));
    }
}
