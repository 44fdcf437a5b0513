//! Roles and their colours. What a cell means is said by its role; themes (`themes/*.toml`, embedded, and the user's own) say how roles
//! look, and are brought down to what the terminal can show. Which terminal it is, `app::environment` finds out; how a theme is written
//! is in `file`.

mod file;
mod reduce;

use ratatui::style::{Color, Style};

use crate::memory::ledger::Category;
pub use file::ThemeProblem;
use reduce::reduce;

/// What a cell means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Values.
    Text,
    /// Names beside values, and units.
    Label,
    /// What must not catch the eye: axes, separators.
    Faint,
    Border,
    /// The program's and the panels' names.
    Title,
    /// Keys in footer, help and questions.
    Key,
    /// Work that is done: bars and cells.
    Done,
    /// The piece of work that is under way, and the crosshair on a chart.
    Active,
    /// The part of a bar that is still empty.
    Track,
    LossRaw,
    Loss,
    Eval,
    Best,
    /// Another run, laid over this one.
    Compare,
    /// The cursor in a text.
    Cursor,
    /// The row that is selected.
    Selected,
    /// What was searched for, in a text.
    Match,
    Good,
    Warn,
    Bad,
    /// Bytes of a category.
    Category(Category),
}

const PLAIN: [Role; 20] = [
    Role::Text,
    Role::Label,
    Role::Faint,
    Role::Border,
    Role::Title,
    Role::Key,
    Role::Done,
    Role::Active,
    Role::Track,
    Role::LossRaw,
    Role::Loss,
    Role::Eval,
    Role::Best,
    Role::Compare,
    Role::Cursor,
    Role::Selected,
    Role::Match,
    Role::Good,
    Role::Warn,
    Role::Bad,
];

impl Role {
    /// Every role, in the order of `index`.
    pub fn all() -> impl Iterator<Item = Role> {
        PLAIN.into_iter().chain(Category::ALL.into_iter().map(Role::Category))
    }

    /// The role's key in a theme file.
    pub fn name(self) -> &'static str {
        match self {
            Role::Text => "text",
            Role::Label => "label",
            Role::Faint => "faint",
            Role::Border => "border",
            Role::Title => "title",
            Role::Key => "key",
            Role::Done => "done",
            Role::Active => "active",
            Role::Track => "track",
            Role::LossRaw => "loss_raw",
            Role::Loss => "loss",
            Role::Eval => "eval",
            Role::Best => "best",
            Role::Compare => "compare",
            Role::Cursor => "cursor",
            Role::Selected => "selected",
            Role::Match => "match",
            Role::Good => "good",
            Role::Warn => "warn",
            Role::Bad => "bad",
            Role::Category(category) => category.name(),
        }
    }

    fn index(self) -> usize {
        match self {
            Role::Category(category) => PLAIN.len() + category as usize,
            plain => PLAIN.iter().position(|&r| r == plain).unwrap_or(0),
        }
    }
}

/// How many colours the terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColorDepth {
    None,
    Ansi16,
    Indexed256,
    TrueColor,
}

/// Which characters the terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GlyphSet {
    /// All of Unicode, braille dots among it.
    Braille,
    /// Line drawing and blocks, as the Linux console has them.
    Block,
    Ascii,
}

/// A theme as it was written: a style for every role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Palette {
    pub name: String,
    /// The background that the colours were chosen for. It is never painted: the terminal keeps its own.
    pub background: Option<Color>,
    styles: Vec<Style>,
}

/// The embedded themes; the first is the default.
const EMBEDDED: [(&str, &str); 5] = [
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("colour-blind-safe", include_str!("../../themes/colour-blind-safe.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

impl Palette {
    /// The themes that are part of the program.
    pub fn embedded() -> Vec<Palette> {
        EMBEDDED.iter().filter_map(|(name, text)| Palette::parse(text, name, &[]).ok()).collect()
    }

    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role.index()).copied().unwrap_or_default()
    }

    fn has_color(&self) -> bool {
        self.styles.iter().any(|s| s.fg.is_some())
    }
}

/// A palette as this terminal can show it, with the characters that it has.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    pub name: String,
    pub glyphs: GlyphSet,
    /// Whether categories can be told apart by colour; if not, letters stand for them.
    pub has_color: bool,
    /// The terminal shows no more than ASCII, in a person's own text either.
    ascii_text: bool,
    styles: Vec<Style>,
}

impl Theme {
    pub fn new(palette: &Palette, depth: ColorDepth, glyphs: GlyphSet) -> Self {
        let styles: Vec<Style> = palette
            .styles
            .iter()
            .map(|style| Style { fg: style.fg.and_then(|c| reduce(c, depth)), ..*style })
            .collect();
        // What is told apart by colour alone: the categories, and a bar from its track.
        let by_color = Role::all().filter(|r| matches!(r, Role::Category(_) | Role::Done | Role::Track));
        let has_color = by_color.into_iter().all(|role| styles.get(role.index()).is_some_and(|s| s.fg.is_some()));
        Theme { name: palette.name.clone(), glyphs, has_color, ascii_text: glyphs == GlyphSet::Ascii, styles }
    }

    /// These palettes for a terminal; one that shows no colours gets those that have none.
    pub fn all(palettes: &[Palette], depth: ColorDepth, glyphs: GlyphSet) -> Vec<Theme> {
        let fits = |p: &&Palette| depth != ColorDepth::None || !p.has_color();
        // A user may have painted the last one that had none: then its words are left.
        let any = !palettes.iter().any(|p| fits(&p));
        palettes.iter().filter(|p| any || fits(p)).map(|p| Theme::new(p, depth, glyphs)).collect()
    }

    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role.index()).copied().unwrap_or_default()
    }

    /// A terminal that could show more than its glyphs: text that is not finetop's own stays as it is.
    #[must_use]
    pub fn with_any_text(self) -> Self {
        Theme { ascii_text: false, ..self }
    }

    /// Whether text from outside is reduced to ASCII too.
    pub fn has_ascii_text(&self) -> bool {
        self.ascii_text
    }

    pub fn is_ascii(&self) -> bool {
        self.glyphs == GlyphSet::Ascii
    }

    /// One of two texts, by whether the terminal shows more than ASCII.
    pub fn pick(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.is_ascii() { ascii } else { unicode }
    }

    pub fn ellipsis(&self) -> &'static str {
        self.pick("…", "~")
    }
}

#[cfg(test)]
mod tests;
