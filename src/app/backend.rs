//! Cells to bytes: what ratatui found changed becomes the fewest control sequences that a plain terminal understands. It writes into a
//! buffer of its own and asks the terminal nothing; when and where the bytes go is `session`'s and `tty`'s business.
//! Size and colours are told to it, because reading them from the terminal would open files, or start programs, at every frame.

use std::convert::Infallible;
use std::fmt::Write as _;

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::{Cell, CellWidth};
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};

const SYNC_BEGIN: &str = "\x1b[?2026h";
const SYNC_END: &str = "\x1b[?2026l";

/// A backend of ratatui whose frames are taken as bytes.
#[derive(Debug)]
pub struct AnsiBackend {
    size: Size,
    out: String,
}

#[derive(Clone, Copy, PartialEq)]
struct Pen {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

const PLAIN: Pen = Pen { fg: Color::Reset, bg: Color::Reset, modifier: Modifier::empty() };

impl AnsiBackend {
    pub fn new(size: Size) -> Self {
        AnsiBackend { size, out: String::new() }
    }

    pub fn resize(&mut self, size: Size) {
        self.size = size;
    }

    /// The bytes since the last call, between the marks of a synchronised update; nothing, if nothing changed.
    pub fn take_frame(&mut self) -> Option<Vec<u8>> {
        if self.out.is_empty() {
            return None;
        }
        let frame = [SYNC_BEGIN, &self.out, SYNC_END].concat();
        self.out.clear();
        Some(frame.into_bytes())
    }

    fn move_to(&mut self, from: Option<(u16, u16)>, to: (u16, u16)) {
        match from {
            Some(at) if at == to => {}
            // A short way right along the row is cheaper told in steps.
            Some((x, y)) if y == to.1 && x < to.0 => match to.0 - x {
                1 => self.out.push_str("\x1b[C"),
                n => self.push(format_args!("\x1b[{n}C")),
            },
            _ => self.push(format_args!("\x1b[{};{}H", u32::from(to.1) + 1, u32::from(to.0) + 1)),
        }
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string never fails.
        let _ = self.out.write_fmt(text);
    }

    fn restyle(&mut self, from: Pen, to: Pen) {
        let gone = from.modifier - to.modifier;
        let mut codes = String::new();
        let mut base = from;
        if !gone.is_empty() {
            codes.push_str("0;");
            base = PLAIN;
        }
        for (flag, code) in [
            (Modifier::BOLD, "1;"),
            (Modifier::DIM, "2;"),
            (Modifier::ITALIC, "3;"),
            (Modifier::UNDERLINED, "4;"),
            (Modifier::SLOW_BLINK, "5;"),
            (Modifier::RAPID_BLINK, "6;"),
            (Modifier::REVERSED, "7;"),
            (Modifier::HIDDEN, "8;"),
            (Modifier::CROSSED_OUT, "9;"),
        ] {
            if (to.modifier - base.modifier).contains(flag) {
                codes.push_str(code);
            }
        }
        if to.fg != base.fg {
            color(&mut codes, to.fg, 30);
        }
        if to.bg != base.bg {
            color(&mut codes, to.bg, 40);
        }
        codes.pop();
        if !codes.is_empty() {
            self.push(format_args!("\x1b[{codes}m"));
        }
    }
}

/// The SGR code of a colour with a trailing semicolon; `base` is 30 for the text, 40 for what is behind it.
fn color(codes: &mut String, color: Color, base: u16) {
    let indexed = match color {
        Color::Reset => {
            let _ = write!(codes, "{};", base + 9);
            return;
        }
        Color::Rgb(r, g, b) => {
            let _ = write!(codes, "{};2;{r};{g};{b};", base + 8);
            return;
        }
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        Color::Indexed(index) => index,
    };
    let _ = match indexed {
        0..8 => write!(codes, "{};", base + u16::from(indexed)),
        8..16 => write!(codes, "{};", base + 60 + u16::from(indexed) - 8),
        _ => write!(codes, "{};5;{indexed};", base + 8),
    };
}

impl Backend for AnsiBackend {
    type Error = Infallible;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Infallible>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut at = None;
        let mut pen = PLAIN;
        for (x, y, cell) in content {
            self.move_to(at, (x, y));
            let wanted = Pen { fg: cell.fg, bg: cell.bg, modifier: cell.modifier };
            if wanted != pen {
                self.restyle(pen, wanted);
                pen = wanted;
            }
            self.out.push_str(cell.symbol());
            // Behind a wide character, and in the last column, terminals do not agree where the cursor is.
            let narrow = cell.cell_width() == 1 && x + 1 < self.size.width;
            at = narrow.then_some((x + 1, y));
        }
        if pen != PLAIN {
            self.out.push_str("\x1b[m");
        }
        Ok(())
    }

    /// The cursor is hidden once, when the screen comes up.
    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn show_cursor(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        Ok(Position::ORIGIN)
    }

    /// Where an input method composes. It is said behind a frame alone: a cursor that moved has changed cells.
    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Infallible> {
        let Position { x, y } = position.into();
        // Clearing puts it back to where it was said to be, which nobody knows.
        if !self.out.is_empty() && (x, y) != (0, 0) {
            self.move_to(None, (x, y));
        }
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        self.out.push_str("\x1b[m\x1b[2J");
        Ok(())
    }

    fn clear_region(&mut self, _clear_type: ClearType) -> Result<(), Infallible> {
        self.clear()
    }

    fn size(&self) -> Result<Size, Infallible> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::ZERO })
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::style::Style;

    fn frame(terminal: &mut Terminal<AnsiBackend>, text: &str, style: Style) -> Option<Vec<u8>> {
        terminal
            .draw(|f| {
                f.buffer_mut().set_string(0, 0, text, style);
            })
            .expect("drawing into a string");
        terminal.backend_mut().take_frame()
    }

    #[test]
    fn only_what_changed_is_written_and_an_equal_frame_is_nothing() {
        let mut terminal = Terminal::new(AnsiBackend::new(Size::new(20, 2))).expect("a backend that cannot fail");
        let first = frame(&mut terminal, "step 41", Style::default()).expect("the first frame is drawn");
        assert_eq!(String::from_utf8(first).expect("utf-8"), "\x1b[?2026h\x1b[1;1Hstep\x1b[C41\x1b[?2026l");
        assert_eq!(frame(&mut terminal, "step 41", Style::default()), None);
        let next = frame(&mut terminal, "step 42", Style::default()).expect("a digit changed");
        assert_eq!(String::from_utf8(next).expect("utf-8"), "\x1b[?2026h\x1b[1;7H2\x1b[?2026l");
    }

    #[test]
    fn the_cursor_is_left_where_a_frame_says_and_alone_is_no_frame() {
        let mut terminal = Terminal::new(AnsiBackend::new(Size::new(20, 2))).expect("a backend that cannot fail");
        let mut typed = |text: &str| {
            let drawn = terminal.draw(|f| {
                f.buffer_mut().set_string(0, 0, text, Style::default());
                f.set_cursor_position((3, 1));
            });
            drawn.expect("drawing into a string");
            terminal.backend_mut().take_frame().map(|bytes| String::from_utf8(bytes).expect("utf-8"))
        };
        assert_eq!(typed("a").as_deref(), Some("\x1b[?2026h\x1b[1;1Ha\x1b[2;4H\x1b[?2026l"));
        assert_eq!(typed("a"), None);
    }

    #[test]
    fn colours_are_switched_off_at_the_end_of_a_frame() {
        let mut terminal = Terminal::new(AnsiBackend::new(Size::new(20, 1))).expect("a backend that cannot fail");
        let style = Style::new().fg(Color::Rgb(1, 2, 3)).add_modifier(Modifier::BOLD);
        let bytes = frame(&mut terminal, "ab", style).expect("drawn");
        assert_eq!(
            String::from_utf8(bytes).expect("utf-8"),
            "\x1b[?2026h\x1b[1;1H\x1b[1;38;2;1;2;3mab\x1b[m\x1b[?2026l"
        );
    }

    #[test]
    fn after_a_wide_character_the_place_is_said_anew() {
        let mut terminal = Terminal::new(AnsiBackend::new(Size::new(20, 1))).expect("a backend that cannot fail");
        let bytes = frame(&mut terminal, "중a", Style::default()).expect("drawn");
        assert_eq!(String::from_utf8(bytes).expect("utf-8"), "\x1b[?2026h\x1b[1;1H중\x1b[1;3Ha\x1b[?2026l");
    }
}
