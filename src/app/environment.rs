//! What the terminal can show, found out from environment variables before the screen comes up: the terminal itself is never asked.
//! `FINETOP_COLOR`, `FINETOP_GLYPHS` and `FINETOP_THEME` say it outright.

use crate::ui::Theme;
use crate::ui::theme::{ColorDepth, GlyphSet};

/// Colours, characters and theme for this terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalEnvironment {
    pub depth: ColorDepth,
    pub glyphs: GlyphSet,
    /// The theme to begin with; an unknown one is the default.
    pub theme: String,
    /// Whether the terminal can place text at all: a dumb one, or none, cannot.
    pub can_draw: bool,
}

impl TerminalEnvironment {
    /// From this process's environment.
    pub fn detect() -> Self {
        TerminalEnvironment::from_variables(|name| std::env::var(name).ok())
    }

    /// From variables as `get` knows them; an empty one counts as absent.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let depth = depth(&get);
        let theme = get("FINETOP_THEME").unwrap_or_else(|| {
            if depth == ColorDepth::None {
                "mono"
            } else if has_light_background(&get) {
                "light"
            } else {
                "dark"
            }
            .to_owned()
        });
        let can_draw = get("TERM").is_some_and(|term| term != "dumb");
        TerminalEnvironment { depth, glyphs: glyphs(&get), theme, can_draw }
    }

    /// The embedded themes as this terminal shows them, the chosen one first.
    pub fn themes(&self) -> Vec<Theme> {
        let mut themes = Theme::all(&crate::ui::theme::Palette::embedded(), self.depth, self.glyphs);
        if let Some(chosen) = themes.iter().position(|t| t.name == self.theme) {
            themes.rotate_left(chosen);
        }
        themes
    }
}

/// `NO_COLOR` (no-color.org), then `COLORTERM`, then what is known of `TERM`: SSH drops `COLORTERM`, but not `TERM`.
fn depth(get: &impl Fn(&str) -> Option<String>) -> ColorDepth {
    match get("FINETOP_COLOR").as_deref() {
        Some("truecolor") => return ColorDepth::TrueColor,
        Some("256") => return ColorDepth::Indexed256,
        Some("16") => return ColorDepth::Ansi16,
        Some("none") => return ColorDepth::None,
        _ => {}
    }
    let term = get("TERM").unwrap_or_default();
    if get("NO_COLOR").is_some() || term == "dumb" || term.is_empty() || term.starts_with("vt") {
        return ColorDepth::None;
    }
    if matches!(get("COLORTERM").as_deref(), Some("truecolor" | "24bit")) {
        return ColorDepth::TrueColor;
    }
    let knows_all = ["direct", "kitty", "alacritty", "wezterm", "ghostty", "foot"];
    if knows_all.iter().any(|name| term.contains(name)) {
        ColorDepth::TrueColor
    } else if term.contains("256") || term.starts_with("tmux") || term.starts_with("xterm") {
        ColorDepth::Indexed256
    } else {
        ColorDepth::Ansi16
    }
}

/// The locale says whether Unicode can be written; where none is set, today's terminals can.
fn glyphs(get: &impl Fn(&str) -> Option<String>) -> GlyphSet {
    match get("FINETOP_GLYPHS").as_deref() {
        Some("braille") => return GlyphSet::Braille,
        Some("block") => return GlyphSet::Block,
        Some("ascii") => return GlyphSet::Ascii,
        _ => {}
    }
    let term = get("TERM").unwrap_or_default();
    if term == "dumb" || term.starts_with("vt") {
        return GlyphSet::Ascii;
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| get(name));
    let unicode = locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    match unicode {
        false => GlyphSet::Ascii,
        // The Linux console's font has lines and blocks, but no braille.
        true if term == "linux" => GlyphSet::Block,
        true => GlyphSet::Braille,
    }
}

/// `COLORFGBG` ends with the background's colour: 7 and 15 are the light ones.
fn has_light_background(get: &impl Fn(&str) -> Option<String>) -> bool {
    let value = get("COLORFGBG").unwrap_or_default();
    value.contains(';') && matches!(value.rsplit(';').next(), Some("7" | "15"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> TerminalEnvironment {
        TerminalEnvironment::from_variables(|name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn colours_are_known_from_the_environment_alone() {
        assert_eq!(with(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]).depth, ColorDepth::TrueColor);
        assert_eq!(with(&[("TERM", "xterm-256color")]).depth, ColorDepth::Indexed256);
        assert_eq!(with(&[("TERM", "xterm-kitty")]).depth, ColorDepth::TrueColor);
        assert_eq!(with(&[("TERM", "screen")]).depth, ColorDepth::Ansi16);
        assert_eq!(with(&[("TERM", "linux")]).depth, ColorDepth::Ansi16);
        assert_eq!(with(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")]).depth, ColorDepth::None);
        assert_eq!(with(&[("TERM", "xterm-256color"), ("NO_COLOR", "")]).depth, ColorDepth::Indexed256);
        assert_eq!(with(&[("TERM", "dumb")]).depth, ColorDepth::None);
        assert!(with(&[("TERM", "vt100")]).can_draw && !with(&[("TERM", "dumb")]).can_draw && !with(&[]).can_draw);
    }

    #[test]
    fn characters_follow_the_locale() {
        assert_eq!(with(&[("TERM", "xterm"), ("LANG", "en_US.UTF-8")]).glyphs, GlyphSet::Braille);
        assert_eq!(with(&[("TERM", "xterm"), ("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]).glyphs, GlyphSet::Ascii);
        assert_eq!(with(&[("TERM", "xterm"), ("LANG", "ko_KR.utf8")]).glyphs, GlyphSet::Braille);
        assert_eq!(with(&[("TERM", "linux"), ("LANG", "C.UTF-8")]).glyphs, GlyphSet::Block);
        assert_eq!(with(&[("TERM", "vt100"), ("LANG", "C.UTF-8")]).glyphs, GlyphSet::Ascii);
    }

    #[test]
    fn the_chosen_theme_comes_first() {
        assert_eq!(with(&[("TERM", "xterm"), ("COLORFGBG", "0;15")]).themes()[0].name, "light");
        assert_eq!(with(&[("TERM", "xterm"), ("FINETOP_THEME", "mono")]).themes()[0].name, "mono");
        assert_eq!(with(&[("TERM", "xterm")]).themes()[0].name, "dark");
        assert_eq!(with(&[("TERM", "xterm"), ("NO_COLOR", "1")]).themes()[0].name, "mono");
    }
}
