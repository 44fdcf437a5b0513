//! Colours of a theme to those that a terminal has: xterm's 256, or the sixteen that everyone's terminal paints as its user likes.

use ratatui::style::Color;

use super::ColorDepth;

/// The nearest colour of what the terminal has.
pub(super) fn reduce(color: Color, depth: ColorDepth) -> Option<Color> {
    let Color::Rgb(r, g, b) = color else { return Some(color) };
    match depth {
        ColorDepth::None => None,
        ColorDepth::TrueColor => Some(color),
        ColorDepth::Indexed256 => Some(Color::Indexed(nearest_256(r, g, b))),
        ColorDepth::Ansi16 => Some(nearest_16(r, g, b)),
    }
}

/// xterm's 6×6×6 cube and its 24 greys; the 16 below them are the user's own and unknown.
fn nearest_256(r: u8, g: u8, b: u8) -> u8 {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let level = |v: u8| (0..6).min_by_key(|&i| LEVELS[i as usize].abs_diff(v)).unwrap_or(0u8);
    let (ri, gi, bi) = (level(r), level(g), level(b));
    let cube = (LEVELS[ri as usize], LEVELS[gi as usize], LEVELS[bi as usize]);
    let average = (u16::from(r) + u16::from(g) + u16::from(b)) / 3;
    let grey_index = (average.saturating_sub(3) / 10).min(23) as u8;
    let grey = 8 + 10 * grey_index;
    if distance((r, g, b), (grey, grey, grey)) < distance((r, g, b), cube) {
        232 + grey_index
    } else {
        16 + 36 * ri + 6 * gi + bi
    }
}

fn nearest_16(r: u8, g: u8, b: u8) -> Color {
    const ANSI: [(Color, (u8, u8, u8)); 15] = [
        (Color::Red, (205, 0, 0)),
        (Color::Green, (0, 205, 0)),
        (Color::Yellow, (205, 205, 0)),
        (Color::Blue, (60, 60, 238)),
        (Color::Magenta, (205, 0, 205)),
        (Color::Cyan, (0, 205, 205)),
        (Color::Gray, (229, 229, 229)),
        (Color::DarkGray, (127, 127, 127)),
        (Color::LightRed, (255, 110, 110)),
        (Color::LightGreen, (110, 255, 110)),
        (Color::LightYellow, (255, 255, 110)),
        (Color::LightBlue, (110, 130, 255)),
        (Color::LightMagenta, (255, 110, 255)),
        (Color::LightCyan, (110, 255, 255)),
        (Color::Black, (0, 0, 0)),
    ];
    let nearest = ANSI.iter().min_by_key(|(_, rgb)| distance((r, g, b), *rgb));
    nearest.map_or(Color::Reset, |(color, _)| *color)
}

fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> u32 {
    let square = |x: u8, y: u8| u32::from(x.abs_diff(y)).pow(2);
    // Green weighs most in what the eye sees, blue least.
    3 * square(a.0, b.0) + 4 * square(a.1, b.1) + 2 * square(a.2, b.2)
}
