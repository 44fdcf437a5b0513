//! Roles and their colours. What a cell means is said by its role; themes (`themes/*.toml`, embedded) say how roles look, and are
//! brought down to what the terminal can show. Which terminal it is, `app::environment` finds out.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};

use crate::memory::ledger::Category;

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
    /// The piece of work that is under way.
    Active,
    /// The part of a bar that is still empty.
    Track,
    LossRaw,
    Loss,
    Eval,
    Best,
    /// Another run, laid over this one.
    Compare,
    /// The crosshair on a chart, the cursor in a text.
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
#[derive(Debug, Clone, PartialEq)]
pub struct Palette {
    pub name: String,
    /// The background that the colours were chosen for. It is never painted: the terminal keeps its own.
    pub background: Option<Color>,
    styles: Vec<Style>,
}

/// The embedded themes; the first is the default.
const EMBEDDED: [(&str, &str); 3] = [
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// Why a theme file is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThemeError {
    #[error("the theme is no TOML: {0}")]
    Toml(String),
    #[error("`{0}` is no role; roles are {1}")]
    UnknownRole(String, String),
    #[error("the role `{0}` is missing")]
    MissingRole(&'static str),
    #[error("`{role}`: `{word}` is no colour (#rrggbb) and none of bold, dim, italic, underlined, reversed")]
    Style { role: String, word: String },
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct PaletteFile {
    name: String,
    background: Option<String>,
    roles: BTreeMap<String, String>,
    categories: BTreeMap<String, String>,
}

impl Palette {
    /// Reads a theme: `name`, `background`, and `[roles]` and `[categories]` with a style each, such as `"#61afef bold"`.
    /// # Errors
    /// The role that is missing or unknown, or the word that is no style.
    pub fn parse(text: &str) -> Result<Self, ThemeError> {
        let file: PaletteFile = toml::from_str(text).map_err(|e| ThemeError::Toml(e.message().to_owned()))?;
        let written = file.roles.iter().chain(&file.categories);
        for (name, _) in written {
            if !Role::all().any(|role| role.name() == name) {
                let roles: Vec<_> = Role::all().map(Role::name).collect();
                return Err(ThemeError::UnknownRole(name.clone(), roles.join(", ")));
            }
        }
        let style = |role: Role| {
            let table = if matches!(role, Role::Category(_)) { &file.categories } else { &file.roles };
            parse_style(role.name(), table.get(role.name()).ok_or(ThemeError::MissingRole(role.name()))?)
        };
        let background = file.background.map(|text| parse_style("background", &text)).transpose()?;
        Ok(Palette {
            name: file.name,
            background: background.and_then(|s| s.fg),
            styles: Role::all().map(style).collect::<Result<_, _>>()?,
        })
    }

    /// The themes that are part of the program.
    pub fn embedded() -> Vec<Palette> {
        EMBEDDED.iter().filter_map(|(_, text)| Palette::parse(text).ok()).collect()
    }

    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role.index()).copied().unwrap_or_default()
    }
}

fn parse_style(role: &str, text: &str) -> Result<Style, ThemeError> {
    let mut style = Style::default();
    for word in text.split_whitespace() {
        let modifier = match word {
            "none" => Modifier::empty(),
            "bold" => Modifier::BOLD,
            "dim" => Modifier::DIM,
            "italic" => Modifier::ITALIC,
            "underlined" => Modifier::UNDERLINED,
            "reversed" => Modifier::REVERSED,
            _ => {
                let hex = word.strip_prefix('#').filter(|h| h.len() == 6);
                let rgb = hex.and_then(|h| u32::from_str_radix(h, 16).ok());
                let error = || ThemeError::Style { role: role.to_owned(), word: word.to_owned() };
                style.fg = Some(Color::from_u32(rgb.ok_or_else(error)?));
                continue;
            }
        };
        style = style.add_modifier(modifier);
    }
    Ok(style)
}

/// A palette as this terminal can show it, with the characters that it has.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    pub name: String,
    pub glyphs: GlyphSet,
    /// Whether categories can be told apart by colour; if not, letters stand for them.
    pub has_color: bool,
    styles: Vec<Style>,
}

impl Theme {
    pub fn new(palette: &Palette, depth: ColorDepth, glyphs: GlyphSet) -> Self {
        let styles: Vec<Style> = palette
            .styles
            .iter()
            .map(|style| Style { fg: style.fg.and_then(|c| reduce(c, depth)), ..*style })
            .collect();
        let has_color = styles.iter().any(|s| s.fg.is_some());
        Theme { name: palette.name.clone(), glyphs, has_color, styles }
    }

    /// The embedded themes for a terminal; one that shows no colours gets the one without.
    pub fn embedded(depth: ColorDepth, glyphs: GlyphSet) -> Vec<Theme> {
        let all = Palette::embedded();
        let fitting = all.iter().filter(|p| depth != ColorDepth::None || p.name == "mono");
        fitting.map(|p| Theme::new(p, depth, glyphs)).collect()
    }

    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role.index()).copied().unwrap_or_default()
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

/// The nearest colour of what the terminal has.
fn reduce(color: Color, depth: ColorDepth) -> Option<Color> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_theme_has_every_role_under_its_own_name() {
        for (name, text) in EMBEDDED {
            let palette = Palette::parse(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(palette.name, name);
        }
    }

    #[test]
    fn every_role_has_a_style_of_its_own() {
        let indexes: Vec<usize> = Role::all().map(Role::index).collect();
        assert_eq!(indexes, (0..indexes.len()).collect::<Vec<_>>());
    }

    /// WCAG 2: (L1 + 0.05) / (L2 + 0.05) with L the relative luminance.
    fn contrast(a: Color, b: Color) -> f64 {
        let luminance = |color: Color| {
            let Color::Rgb(r, g, b) = color else { panic!("{color:?} is no rgb") };
            let linear = |v: u8| {
                let v = f64::from(v) / 255.0;
                if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_stands_out_from_the_background_it_was_chosen_for() {
        let text = [
            Role::Text,
            Role::Label,
            Role::Title,
            Role::Key,
            Role::Loss,
            Role::Eval,
            Role::Best,
            Role::Good,
            Role::Warn,
            Role::Bad,
        ];
        for palette in Palette::embedded() {
            let Some(background) = palette.background else { continue };
            for role in text {
                let color = palette.style(role).fg.expect("a coloured theme colours its text");
                let ratio = contrast(color, background);
                assert!(ratio >= 4.5, "{}: {} has a contrast of {ratio:.2}", palette.name, role.name());
            }
        }
    }

    #[test]
    fn colours_go_down_to_what_the_terminal_has() {
        assert_eq!(reduce(Color::Rgb(255, 0, 0), ColorDepth::Indexed256), Some(Color::Indexed(196)));
        assert_eq!(reduce(Color::Rgb(128, 128, 128), ColorDepth::Indexed256), Some(Color::Indexed(244)));
        assert_eq!(reduce(Color::Rgb(210, 10, 10), ColorDepth::Ansi16), Some(Color::Red));
        assert_eq!(reduce(Color::Rgb(1, 2, 3), ColorDepth::None), None);
        let themes = Theme::embedded(ColorDepth::None, GlyphSet::Ascii);
        assert!(themes.iter().all(|t| !t.has_color));
        assert_eq!(themes.len(), 1);
    }

    #[test]
    fn a_wrong_theme_names_what_is_wrong() {
        let dark = EMBEDDED[0].1;
        let missing = dark.replace("loss_raw", "loss_rew");
        assert!(matches!(Palette::parse(&missing), Err(ThemeError::UnknownRole(name, _)) if name == "loss_rew"));
        let wrong = "name = \"x\"\n[roles]\ntext = \"blue-ish\"\n[categories]\n";
        assert!(matches!(Palette::parse(wrong), Err(ThemeError::Style { word, .. }) if word == "blue-ish"));
    }
}
