//! A theme as it is written: TOML with `name`, `background`, `base`, and a style for each role under `[roles]` and `[categories]`.
//! All that is wrong with one is told at once, each with its line.

use std::fmt;

use ratatui::style::{Color, Modifier, Style};
use toml::de::{DeTable, DeValue};

use super::{Palette, Role};
use crate::config::settings::nearest_name;
use crate::units::printable;

const KEYS: [&str; 5] = ["name", "background", "base", "roles", "categories"];
const TABLES: [&str; 2] = ["roles", "categories"];

/// Something that is wrong in a theme's file, and in which of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThemeProblem {
    /// None where the whole file lacks something.
    pub line: Option<usize>,
    pub what: String,
}

/// With the line in front: `4: …`.
impl fmt::Display for ThemeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{line}: {}", printable(&self.what)),
            None => write!(f, " {}", printable(&self.what)),
        }
    }
}

impl Palette {
    /// Reads a theme. A style is a colour, words, or both: `"#61afef bold"`. Roles that are left out come from the one of `bases` that
    /// `base` names; without a `name` it is called `file_name`.
    /// # Errors
    /// Everything that is wrong in it; then it is no theme.
    pub fn parse(text: &str, file_name: &str, bases: &[Palette]) -> Result<Self, Vec<ThemeProblem>> {
        let document = DeTable::parse(text).map_err(|e| {
            let line = e.span().map(|span| line_of(text, span.start));
            vec![ThemeProblem { line, what: format!("no valid TOML: {}", e.message()) }]
        })?;
        let mut reading = Reading { text, styles: vec![None; Role::all().count()], problems: Vec::new() };
        let (mut name, mut background, mut base) = (file_name.to_owned(), None, None);
        for (key, value) in document.get_ref() {
            let at = value.span().start;
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("name", DeValue::String(s)) if !s.trim().is_empty() => name = printable(s.trim()),
                ("background", DeValue::String(s)) => {
                    background = reading.style("background", s, at).and_then(|style| style.fg);
                }
                ("base", DeValue::String(s)) => base = reading.base(s, at, bases),
                (table @ ("roles" | "categories"), DeValue::Table(styles)) => reading.table(table, styles),
                (key @ ("roles" | "categories"), other) => {
                    reading.problem(at, format!("expected [{key}], found {}", other.type_str()));
                }
                (key @ ("name" | "background" | "base"), other) => {
                    let found = if other.is_str() { "nothing in it" } else { other.type_str() };
                    reading.problem(at, format!("{key}: expected text, found {found}"));
                }
                (other, _) => {
                    reading.problem(key.span().start, format!("{other} is no key of a theme; {}", hint(other, &KEYS)));
                }
            }
        }
        reading.finish(name, background, base)
    }
}

struct Reading<'a> {
    text: &'a str,
    styles: Vec<Option<Style>>,
    problems: Vec<ThemeProblem>,
}

impl Reading<'_> {
    fn problem(&mut self, at: usize, what: String) {
        self.problems.push(ThemeProblem { line: Some(line_of(self.text, at)), what });
    }

    fn base<'a>(&mut self, name: &str, at: usize, bases: &'a [Palette]) -> Option<&'a Palette> {
        let found = bases.iter().find(|b| b.name == name);
        if found.is_none() {
            let names: Vec<&str> = bases.iter().map(|b| b.name.as_str()).collect();
            let what = format!("base: \"{name}\" is no theme of finetop's own; {}", hint(name, &names));
            self.problem(at, what);
        }
        found
    }

    fn table(&mut self, table: &str, styles: &DeTable<'_>) {
        for (key, value) in styles {
            let name: &str = key.get_ref();
            let Some(role) = Role::all().find(|role| role.name() == name) else {
                let names: Vec<&str> = Role::all().filter(|r| table_of(*r) == table).map(Role::name).collect();
                self.problem(key.span().start, format!("{name} is no role of [{table}]; {}", hint(name, &names)));
                continue;
            };
            if table_of(role) != table {
                self.problem(key.span().start, format!("{name} belongs under [{}]", table_of(role)));
                continue;
            }
            let at = value.span().start;
            let style = match value.get_ref() {
                DeValue::String(words) => self.style(name, words, at),
                other => {
                    self.problem(
                        at,
                        format!("{name}: expected text such as \"#61afef bold\", found {}", other.type_str()),
                    );
                    None
                }
            };
            self.styles[role.index()] = style.or(Some(Style::default()));
        }
    }

    fn style(&mut self, role: &str, words: &str, at: usize) -> Option<Style> {
        let mut style = Style::default();
        for word in words.split_whitespace() {
            let modifier = match word {
                "none" => Modifier::empty(),
                "bold" => Modifier::BOLD,
                "dim" => Modifier::DIM,
                "italic" => Modifier::ITALIC,
                "underlined" => Modifier::UNDERLINED,
                "reversed" => Modifier::REVERSED,
                _ => {
                    let Some(color) = color(word) else {
                        let known = "a colour (#rrggbb), none, bold, dim, italic, underlined or reversed";
                        self.problem(at, format!("{role}: expected {known}, found \"{word}\""));
                        return None;
                    };
                    style.fg = Some(color);
                    continue;
                }
            };
            style = style.add_modifier(modifier);
        }
        Some(style)
    }

    fn finish(
        mut self,
        name: String,
        background: Option<Color>,
        base: Option<&Palette>,
    ) -> Result<Palette, Vec<ThemeProblem>> {
        let mut styles = Vec::with_capacity(self.styles.len());
        let mut missing = Vec::new();
        for (role, style) in Role::all().zip(&self.styles) {
            match style.or_else(|| base.map(|b| b.style(role))) {
                Some(style) => styles.push(style),
                None => missing.push(role.name()),
            }
        }
        // A base that is none was told already.
        if let [first, rest @ ..] = &missing[..]
            && self.problems.is_empty()
        {
            let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
            let what = format!("the role {first}{more} is missing; base = \"dark\" would take it from there");
            self.problems.push(ThemeProblem { line: None, what });
        }
        self.problems.sort_by_key(|p| p.line);
        match self.problems.is_empty() {
            true => Ok(Palette { name, background: background.or(base.and_then(|b| b.background)), styles }),
            false => Err(self.problems),
        }
    }
}

fn table_of(role: Role) -> &'static str {
    TABLES[usize::from(matches!(role, Role::Category(_)))]
}

fn color(word: &str) -> Option<Color> {
    let hex = word.strip_prefix('#').filter(|h| h.len() == 6 && h.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u32::from_str_radix(hex, 16).ok().map(Color::from_u32)
}

fn hint(written: &str, names: &[&str]) -> String {
    match nearest_name(written, names) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", names.join(", ")),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
}
