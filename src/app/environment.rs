//! What the terminal can show, found out from environment variables before the screen comes up: the terminal itself is never asked.
//! `FINETOP_COLOR`, `FINETOP_GLYPHS` and `FINETOP_THEME` say it outright, then `NO_COLOR`, then the user's file (`preferences`).

use super::clipboard::Multiplexer;
use super::preferences::{COLORS, GLYPHS, Preferences, choose, known_theme};
use crate::ui::Theme;
use crate::ui::theme::{ColorDepth, GlyphSet};
use crate::units::printable;

/// Colours, characters and theme for this terminal, and what its user prefers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalEnvironment {
    pub depth: ColorDepth,
    pub glyphs: GlyphSet,
    /// The terminal shows no more than ASCII, whatever was said of glyphs.
    pub ascii_text: bool,
    /// The theme to begin with; an unknown one is the default.
    pub theme: String,
    /// Whether the terminal can place text at all: a dumb one, or none, cannot.
    pub can_draw: bool,
    /// What stands between this process and the terminal that people look at.
    pub multiplexer: Multiplexer,
    /// What is wrong with the variables stands among its problems.
    pub preferences: Preferences,
}

impl TerminalEnvironment {
    /// From this process's environment and its user's files.
    pub fn detect() -> Self {
        TerminalEnvironment::new(|name| std::env::var(name).ok(), Preferences::load())
    }

    /// From variables as `get` knows them, without any file.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Self {
        TerminalEnvironment::new(get, Preferences::default())
    }

    /// From variables as `get` knows them, which win over the files; an empty one counts as absent.
    pub fn new(get: impl Fn(&str) -> Option<String>, mut preferences: Preferences) -> Self {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let mut problems = Vec::new();
        let depth = match said("FINETOP_COLOR", &get, &COLORS, &mut problems) {
            Some(Some(depth)) => depth,
            // `auto` in the variable takes back what the file says.
            Some(None) => depth(&get),
            None if get("NO_COLOR").is_some() => ColorDepth::None,
            None => preferences.color.unwrap_or_else(|| depth(&get)),
        };
        let glyphs = match said("FINETOP_GLYPHS", &get, &GLYPHS, &mut problems) {
            Some(Some(glyphs)) => glyphs,
            Some(None) => glyphs(&get),
            None => preferences.glyphs.unwrap_or_else(|| glyphs(&get)),
        };
        let said_theme = get("FINETOP_THEME").filter(|name| match known_theme(name, &preferences.palettes) {
            _ if name == "auto" => true,
            Ok(()) => true,
            Err(what) => {
                problems.push(format!("FINETOP_THEME: {}", printable(&what)));
                false
            }
        });
        let chosen = said_theme.or_else(|| preferences.theme.clone()).filter(|name| name != "auto");
        let theme = chosen.unwrap_or_else(|| {
            if depth == ColorDepth::None {
                "mono"
            } else if has_light_background(&get) {
                "light"
            } else {
                "dark"
            }
            .to_owned()
        });
        let ascii_text = glyphs == GlyphSet::Ascii && self::glyphs(&get) == GlyphSet::Ascii;
        let can_draw = get("TERM").is_some_and(|term| term != "dumb");
        preferences.problems.splice(0..0, problems);
        TerminalEnvironment { depth, glyphs, ascii_text, theme, can_draw, multiplexer: multiplexer(&get), preferences }
    }

    /// All themes as this terminal shows them, the chosen one first.
    pub fn themes(&self) -> Vec<Theme> {
        let mut themes = Theme::all(&self.preferences.palettes, self.depth, self.glyphs);
        if !self.ascii_text {
            themes = themes.into_iter().map(Theme::with_any_text).collect();
        }
        if let Some(chosen) = themes.iter().position(|t| t.name == self.theme) {
            themes.rotate_left(chosen);
        }
        themes
    }
}

/// What a variable says, where it is set; a value that it does not have is a problem.
fn said<T: Copy>(
    name: &str,
    get: &impl Fn(&str) -> Option<String>,
    choices: &[(&str, T)],
    problems: &mut Vec<String>,
) -> Option<T> {
    let value = get(name)?;
    choose(&value, choices).map_err(|what| problems.push(format!("{name}: {}", printable(&what)))).ok()
}

/// `NO_COLOR` (no-color.org), then `COLORTERM`, then what is known of `TERM`: SSH drops `COLORTERM`, but not `TERM`.
fn depth(get: &impl Fn(&str) -> Option<String>) -> ColorDepth {
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

/// tmux and GNU screen tell their children; what was reached from within one of them over SSH knows only the `TERM` that both of them use.
fn multiplexer(get: &impl Fn(&str) -> Option<String>) -> Multiplexer {
    if get("TMUX").is_some() {
        Multiplexer::Tmux
    } else if get("STY").is_some() {
        Multiplexer::Screen
    } else if get("TERM").is_some_and(|term| term.starts_with("screen")) {
        Multiplexer::Either
    } else {
        Multiplexer::None
    }
}

/// The locale says whether Unicode can be written; where none is set, today's terminals can.
fn glyphs(get: &impl Fn(&str) -> Option<String>) -> GlyphSet {
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
    fn a_multiplexer_is_known_by_what_it_sets() {
        assert_eq!(with(&[("TERM", "xterm")]).multiplexer, Multiplexer::None);
        assert_eq!(
            with(&[("TERM", "screen-256color"), ("TMUX", "/tmp/tmux-0/default,1,0")]).multiplexer,
            Multiplexer::Tmux
        );
        assert_eq!(with(&[("TERM", "screen"), ("STY", "1.pts-0")]).multiplexer, Multiplexer::Screen);
        assert_eq!(with(&[("TERM", "screen-256color")]).multiplexer, Multiplexer::Either);
    }

    #[test]
    fn variables_win_over_the_file_and_say_what_is_wrong_with_them() {
        let file = Preferences {
            theme: Some("light".into()),
            color: Some(ColorDepth::TrueColor),
            glyphs: Some(GlyphSet::Ascii),
            ..Preferences::default()
        };
        let with = |variables: &[(&str, &str)]| {
            let get = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
            TerminalEnvironment::new(get, file.clone())
        };
        let plain = with(&[("TERM", "xterm")]);
        assert_eq!((plain.depth, plain.glyphs), (ColorDepth::TrueColor, GlyphSet::Ascii));
        assert_eq!(plain.themes()[0].name, "light");
        assert_eq!(with(&[("TERM", "xterm"), ("NO_COLOR", "1")]).depth, ColorDepth::None);
        let both = with(&[("TERM", "xterm"), ("NO_COLOR", "1"), ("FINETOP_COLOR", "16"), ("FINETOP_GLYPHS", "block")]);
        assert_eq!((both.depth, both.glyphs), (ColorDepth::Ansi16, GlyphSet::Block));
        let auto = with(&[("TERM", "xterm"), ("FINETOP_COLOR", "auto"), ("FINETOP_THEME", "auto")]);
        assert_eq!((auto.depth, auto.themes()[0].name.as_str()), (ColorDepth::Indexed256, "dark"));
        assert!(auto.preferences.problems.is_empty());
        let wrong = with(&[("TERM", "xterm"), ("FINETOP_COLOR", "24bit"), ("FINETOP_THEME", "drak")]);
        assert_eq!((wrong.depth, wrong.theme.as_str()), (ColorDepth::TrueColor, "light"));
        assert_eq!(
            wrong.preferences.problems,
            [
                "FINETOP_COLOR: expected auto, truecolor, 256, 16 or none, found \"24bit\"",
                "FINETOP_THEME: no theme is called \"drak\"; did you mean dark?"
            ]
        );
    }

    #[test]
    fn ascii_glyphs_leave_text_as_it_is_where_the_terminal_shows_it() {
        let is_ascii = |locale: &str, glyphs: &str| {
            let theme = with(&[("TERM", "xterm"), ("LANG", locale), ("FINETOP_GLYPHS", glyphs)]).themes().remove(0);
            (theme.is_ascii(), theme.has_ascii_text())
        };
        assert_eq!(is_ascii("ko_KR.UTF-8", "ascii"), (true, false));
        assert_eq!(is_ascii("C", "ascii"), (true, true));
        assert_eq!(is_ascii("C", "auto"), (true, true));
        assert_eq!(is_ascii("ko_KR.UTF-8", "auto"), (false, false));
    }

    #[test]
    fn the_chosen_theme_comes_first() {
        assert_eq!(with(&[("TERM", "xterm"), ("COLORFGBG", "0;15")]).themes()[0].name, "light");
        assert_eq!(with(&[("TERM", "xterm"), ("FINETOP_THEME", "mono")]).themes()[0].name, "mono");
        assert_eq!(with(&[("TERM", "xterm")]).themes()[0].name, "dark");
        assert_eq!(with(&[("TERM", "xterm"), ("NO_COLOR", "1")]).themes()[0].name, "mono");
    }
}
