//! A grid of dots finer than cells: 2×4 dots a cell in braille, 1×2 in half blocks, 1×1 in ASCII. Layers are drawn one after the
//! other; in a cell that two layers touch, the later one alone is shown, so that a strong line is not blurred by a faint one.

use ratatui::layout::Rect;

use crate::ui::theme::{GlyphSet, Role};

use super::pen::Pen;

/// Dots for an area of cells.
pub struct Canvas {
    area: Rect,
    glyphs: GlyphSet,
    cells: Vec<Dots>,
    layer: u8,
    role: Role,
    ascii: char,
}

#[derive(Clone, Copy)]
struct Dots {
    mask: u8,
    layer: u8,
    role: Role,
    ascii: char,
}

impl Canvas {
    pub fn new(area: Rect, glyphs: GlyphSet) -> Self {
        let empty = Dots { mask: 0, layer: 0, role: Role::Text, ascii: ' ' };
        let cells = vec![empty; area.width as usize * area.height as usize];
        Canvas { area, glyphs, cells, layer: 0, role: Role::Text, ascii: '*' }
    }

    /// What is drawn from here on has this role, and this character where there is only ASCII.
    pub fn layer(&mut self, role: Role, ascii: char) {
        self.layer += 1;
        self.role = role;
        self.ascii = ascii;
    }

    fn dots_per_cell(&self) -> (usize, usize) {
        match self.glyphs {
            GlyphSet::Braille => (2, 4),
            GlyphSet::Block => (1, 2),
            GlyphSet::Ascii => (1, 1),
        }
    }

    /// Width in dots.
    pub fn width(&self) -> usize {
        self.area.width as usize * self.dots_per_cell().0
    }

    /// Height in dots.
    pub fn height(&self) -> usize {
        self.area.height as usize * self.dots_per_cell().1
    }

    /// A dot, counted from the upper left; outside the area nothing happens.
    pub fn dot(&mut self, x: usize, y: usize) {
        let (dx, dy) = self.dots_per_cell();
        if x >= self.width() || y >= self.height() {
            return;
        }
        // Braille numbers its dots down the left column, then the right one, and the lowest pair last.
        const BRAILLE: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let bit = match self.glyphs {
            GlyphSet::Braille => BRAILLE[y % 4][x % 2],
            GlyphSet::Block => 1 << (y % 2),
            GlyphSet::Ascii => 1,
        };
        let Some(cell) = self.cells.get_mut(y / dy * self.area.width as usize + x / dx) else { return };
        if cell.layer != self.layer {
            *cell = Dots { mask: 0, layer: self.layer, role: self.role, ascii: self.ascii };
        }
        cell.mask |= bit;
    }

    /// All dots of a column between two heights, both included.
    pub fn column(&mut self, x: usize, y0: usize, y1: usize) {
        for y in y0.min(y1)..=y0.max(y1) {
            self.dot(x, y);
        }
    }

    /// A straight line between two dots.
    pub fn line(&mut self, from: (usize, usize), to: (usize, usize)) {
        let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1)).max(1);
        for i in 0..=steps {
            let between =
                |a: usize, b: usize| (a as f64 + (b as f64 - a as f64) * i as f64 / steps as f64).round() as usize;
            self.dot(between(from.0, to.0), between(from.1, to.1));
        }
    }

    pub fn paint(&self, pen: &mut Pen<'_>) {
        for (index, cell) in self.cells.iter().enumerate().filter(|(_, c)| c.mask != 0) {
            let symbol = match self.glyphs {
                GlyphSet::Braille => char::from_u32(0x2800 + u32::from(cell.mask)).unwrap_or('⣿'),
                GlyphSet::Block => ['▀', '▄', '█'][usize::from(cell.mask.min(3)) - 1],
                GlyphSet::Ascii => cell.ascii,
            };
            let (row, column) = (index / self.area.width as usize, index % self.area.width as usize);
            pen.cell(self.area.x + column as u16, self.area.y + row as u16, symbol, cell.role);
        }
    }
}
