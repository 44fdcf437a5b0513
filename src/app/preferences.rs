//! The user's own files: `screen.toml` with settings and keys, and `themes/*.toml`, in `$XDG_CONFIG_HOME/finetop` or `~/.config/finetop`;
//! `FINETOP_CONFIG` names another folder. What is wrong in them is collected and the rest holds: they never keep the screen from coming up.
//! What a theme looks like is in `ui::theme`, who gets a key in `ui::keymap`; variables that win over the files are in `environment`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::settings::nearest_name;
use crate::ui::Key;
use crate::ui::keymap::Keymap;
use crate::ui::theme::{ColorDepth, GlyphSet, Palette};
use crate::units::printable;

/// Nobody writes a longer one; something else given by mistake is.
const LONGEST_FILE: u64 = 1 << 18;
/// More themes than anyone steps through; a folder of something else has more.
const MOST_THEMES: usize = 100;

const SETTINGS: [&str; 6] = ["theme", "color", "glyphs", "frames_per_second", "mouse", "keys"];

/// What the user wants of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    /// None where the terminal decides; so for the next two.
    pub theme: Option<String>,
    pub color: Option<ColorDepth>,
    pub glyphs: Option<GlyphSet>,
    /// From 1 to 60.
    pub frames_per_second: u32,
    pub mouse: bool,
    pub keymap: Keymap,
    /// The embedded themes, and the user's own after them or in their place.
    pub palettes: Vec<Palette>,
    /// All that is wrong in the files, safe for a terminal: `screen.toml:3: …`.
    pub problems: Vec<String>,
}

impl Default for Preferences {
    fn default() -> Self {
        Preferences {
            theme: None,
            color: None,
            glyphs: None,
            frames_per_second: 10,
            mouse: false,
            keymap: Keymap::default(),
            palettes: Palette::embedded(),
            problems: Vec::new(),
        }
    }
}

impl Preferences {
    /// From the folder that this process's environment names.
    pub fn load() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        if let Some(folder) = variable("FINETOP_CONFIG") {
            let mut preferences = Preferences::read(&folder);
            if !folder.is_dir() {
                let what = format!("FINETOP_CONFIG: {} is no folder", folder.display());
                preferences.problems.insert(0, printable(&what));
            }
            return preferences;
        }
        // A relative path there is to be ignored. Source: XDG Base Directory Specification 0.8.
        let base = variable("XDG_CONFIG_HOME").filter(|p| p.is_absolute());
        let base = base.or_else(|| std::env::home_dir().filter(|p| p.is_absolute()).map(|home| home.join(".config")));
        base.map_or_else(Preferences::default, |base| Preferences::read(&base.join("finetop")))
    }

    /// From a folder, which need not be there.
    pub fn read(folder: &Path) -> Self {
        let mut preferences = Preferences::default();
        let mut themes = Vec::new();
        preferences.themes(folder, &mut themes);
        match text_of(&folder.join("screen.toml")) {
            Ok(Some(text)) => preferences.screen(&text),
            Ok(None) => {}
            Err(what) => preferences.problems.push(format!("screen.toml: {what}")),
        }
        preferences.problems.extend(themes);
        preferences.problems.iter_mut().for_each(|p| *p = printable(p));
        preferences
    }

    /// Reads the user's themes; a broken one is left out.
    fn themes(&mut self, folder: &Path, problems: &mut Vec<String>) {
        let entries = match fs::read_dir(folder.join("themes")) {
            Ok(entries) => entries,
            Err(e) if is_absent(&e) => return,
            Err(e) => return problems.push(format!("themes: {e}")),
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|p| p.extension().is_some_and(|e| e == "toml") && p.file_stem().is_some_and(|s| !is_hidden(s)));
        paths.sort();
        if paths.len() > MOST_THEMES {
            problems.push(format!("themes: {} files; the first {MOST_THEMES} are taken", paths.len()));
            paths.truncate(MOST_THEMES);
        }
        let embedded = Palette::embedded();
        let mut own: Vec<(String, String)> = Vec::new();
        for path in paths {
            let lossy = |name: Option<&std::ffi::OsStr>| name.unwrap_or_default().to_string_lossy().into_owned();
            let (file, stem) = (format!("themes/{}", lossy(path.file_name())), lossy(path.file_stem()));
            let palette = match text_of(&path) {
                Ok(Some(text)) => Palette::parse(&text, &stem, &embedded),
                // It went away meanwhile.
                Ok(None) => continue,
                Err(what) => {
                    problems.push(format!("{file}: {what}"));
                    continue;
                }
            };
            match palette {
                Err(wrong) => problems.extend(wrong.iter().map(|problem| format!("{file}:{problem}"))),
                Ok(palette) => {
                    if let Some((_, first)) = own.iter().find(|(name, _)| *name == palette.name) {
                        problems.push(format!("{file}: {first} is called {} too; that one is taken", palette.name));
                        continue;
                    }
                    own.push((palette.name.clone(), file));
                    match self.palettes.iter_mut().find(|p| p.name == palette.name) {
                        Some(replaced) => *replaced = palette,
                        None => self.palettes.push(palette),
                    }
                }
            }
        }
    }

    /// Takes `screen.toml`; the themes are known already.
    fn screen(&mut self, text: &str) {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut reading = Reading { text, broken: Vec::new(), found: Vec::new() };
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            // One mistake may come as several errors.
            if !reading.broken.contains(&reading.line(at)) {
                reading.problem(at, format!("no valid TOML: {}", error.message()));
                reading.broken.push(reading.line(at));
            }
        }
        for (key, value) in document.get_ref() {
            if reading.is_broken(key, value) {
                continue;
            }
            match key.get_ref().as_ref() {
                "theme" => self.theme = reading.theme(value, &self.palettes),
                "color" => self.color = reading.choice("color", value, &COLORS).flatten(),
                "glyphs" => self.glyphs = reading.choice("glyphs", value, &GLYPHS).flatten(),
                "frames_per_second" => {
                    self.frames_per_second = reading.frames_per_second(value).unwrap_or(self.frames_per_second);
                }
                "mouse" => match value.get_ref() {
                    DeValue::Boolean(on) => self.mouse = *on,
                    _ => reading.wrong("mouse", "true or false", value),
                },
                "keys" => match value.get_ref() {
                    DeValue::Table(keys) => self.keymap = reading.keys(keys),
                    _ => reading.wrong("keys", "[keys]", value),
                },
                other => {
                    let what = unknown(other, self.keymap.bindings().iter().any(|b| b.name == other));
                    reading.problem(key.span().start, what);
                }
            }
        }
        reading.found.sort_by_key(|(line, _)| *line);
        let told = reading.found.into_iter().map(|(line, what)| format!("screen.toml:{line}: {what}"));
        self.problems.extend(told);
    }
}

/// The values of `color`, in the file and in `FINETOP_COLOR`.
pub const COLORS: [(&str, Option<ColorDepth>); 5] = [
    ("auto", None),
    ("truecolor", Some(ColorDepth::TrueColor)),
    ("256", Some(ColorDepth::Indexed256)),
    ("16", Some(ColorDepth::Ansi16)),
    ("none", Some(ColorDepth::None)),
];

/// The values of `glyphs`, in the file and in `FINETOP_GLYPHS`.
pub const GLYPHS: [(&str, Option<GlyphSet>); 4] = [
    ("auto", None),
    ("braille", Some(GlyphSet::Braille)),
    ("block", Some(GlyphSet::Block)),
    ("ascii", Some(GlyphSet::Ascii)),
];

/// The value called `name`.
/// # Errors
/// What was expected instead.
pub fn choose<T: Copy>(name: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let near = nearest_name(name, &names).map(|near| format!("; did you mean {near}?"));
        format!("expected {}, found \"{name}\"{}", one_of(&names), near.unwrap_or_default())
    })
}

/// The theme of this name.
/// # Errors
/// That there is none, and which there are.
pub fn known_theme(name: &str, palettes: &[Palette]) -> Result<(), String> {
    let names: Vec<&str> = palettes.iter().map(|p| p.name.as_str()).collect();
    match nearest_name(name, &names) {
        _ if names.contains(&name) => Ok(()),
        Some(near) => Err(format!("no theme is called \"{name}\"; did you mean {near}?")),
        None => Err(format!("no theme is called \"{name}\"; there are {}", names.join(", "))),
    }
}

/// `screen.toml` while it is read: what is wrong in which line.
struct Reading<'a> {
    text: &'a str,
    /// Lines that are no TOML. What was made of them is not looked at.
    broken: Vec<usize>,
    found: Vec<(usize, String)>,
}

impl Reading<'_> {
    fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
    }

    fn problem(&mut self, at: usize, what: String) {
        self.found.push((self.line(at), what));
    }

    fn wrong(&mut self, key: &str, expected: &str, value: &Spanned<DeValue<'_>>) {
        let written = self.text.get(value.span()).unwrap_or_default().lines().next().unwrap_or_default();
        let short: String = written.chars().take(40).collect();
        let found = if short.is_empty() { "nothing" } else { &short };
        self.problem(value.span().start, format!("{key}: expected {expected}, found {found}"));
    }

    fn is_broken(&self, key: &Spanned<impl Sized>, value: &Spanned<DeValue<'_>>) -> bool {
        let is_table = value.get_ref().is_table();
        self.broken.contains(&self.line(key.span().start))
            || !is_table && self.broken.contains(&self.line(value.span().start))
    }

    fn theme(&mut self, value: &Spanned<DeValue<'_>>, palettes: &[Palette]) -> Option<String> {
        let DeValue::String(name) = value.get_ref() else {
            self.wrong("theme", "a theme's name", value);
            return None;
        };
        if name == "auto" {
            return None;
        }
        match known_theme(name, palettes) {
            Ok(()) => Some(name.clone().into_owned()),
            Err(what) => {
                self.problem(value.span().start, format!("theme: {what}"));
                None
            }
        }
    }

    fn choice<T: Copy>(&mut self, key: &str, value: &Spanned<DeValue<'_>>, choices: &[(&str, T)]) -> Option<T> {
        let written = match value.get_ref() {
            DeValue::String(name) => name.as_ref(),
            // 256 may stand without its quotes.
            DeValue::Integer(number) => number.as_str(),
            _ => {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                self.wrong(key, &one_of(&names), value);
                return None;
            }
        };
        choose(written, choices).map_err(|what| self.problem(value.span().start, format!("{key}: {what}"))).ok()
    }

    fn frames_per_second(&mut self, value: &Spanned<DeValue<'_>>) -> Option<u32> {
        let integer = value.get_ref().as_integer();
        let number = integer.and_then(|n| u32::from_str_radix(n.as_str(), n.radix()).ok());
        let fits = number.filter(|n| (1..=60).contains(n));
        if fits.is_none() {
            self.wrong("frames_per_second", "a whole number from 1 to 60", value);
        }
        fits
    }

    fn keys(&mut self, keys: &DeTable<'_>) -> Keymap {
        let table = Keymap::default();
        let mut entries: Vec<(usize, String, Vec<Key>)> = Vec::new();
        for (name, value) in keys {
            let (at, action): (usize, &str) = (name.span().start, name.get_ref());
            if self.is_broken(name, value) {
                continue;
            }
            if SETTINGS.contains(&action) && table.bindings().iter().all(|b| b.name != action) {
                self.problem(at, format!("{action} is a setting; write it above [keys]"));
                continue;
            }
            let list = match value.get_ref() {
                DeValue::Array(list) => list.iter().collect(),
                _ => vec![value],
            };
            let found: Vec<Key> = list.iter().filter_map(|key| self.key(action, key)).collect();
            // Where none of the keys is one, the action keeps those that it has.
            if list.is_empty() || !found.is_empty() || table.bindings().iter().all(|b| b.name != action) {
                entries.push((at, action.to_owned(), found));
            }
        }
        // The table of the file is sorted by name; who comes first in the file has the key.
        entries.sort_by_key(|(at, _, _)| *at);
        let places: Vec<usize> = entries.iter().map(|(at, _, _)| *at).collect();
        let entries: Vec<(String, Vec<Key>)> = entries.into_iter().map(|(_, name, keys)| (name, keys)).collect();
        let (keymap, problems) = Keymap::with_user(&entries);
        for (entry, what) in problems {
            self.problem(places.get(entry).copied().unwrap_or(0), format!("keys: {what}"));
        }
        keymap
    }

    fn key(&mut self, action: &str, value: &Spanned<DeValue<'_>>) -> Option<Key> {
        let DeValue::String(written) = value.get_ref() else {
            self.wrong(&format!("keys: {action}"), "a key or a list of keys in quotes", value);
            return None;
        };
        let parsed = written.parse::<Key>();
        parsed.map_err(|e| self.problem(value.span().start, format!("keys: {action}: {e}"))).ok()
    }
}

fn unknown(name: &str, is_action: bool) -> String {
    let near = if name == "fps" { Some("frames_per_second") } else { nearest_name(name, &SETTINGS) };
    match near {
        _ if is_action => format!("{name} is an action; write it below [keys]"),
        Some(near) => format!("{name} is no setting; did you mean {near}?"),
        None => format!("{name} is no setting; there are {}", SETTINGS.join(", ")),
    }
}

fn one_of(names: &[&str]) -> String {
    match names {
        [most @ .., last] if !most.is_empty() => format!("{} or {last}", most.join(", ")),
        names => names.join(", "),
    }
}

/// The text of a file; none where there is no such file.
fn text_of(path: &Path) -> Result<Option<String>, String> {
    match fs::metadata(path) {
        // Opening a pipe would wait for whoever writes into it.
        Ok(metadata) if !metadata.is_file() => return Err("expected a file of text".to_owned()),
        Err(e) if is_absent(&e) => return Ok(None),
        _ => {}
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|f| f.take(LONGEST_FILE + 1).read_to_end(&mut bytes));
    read.map_err(|e| format!("cannot be read: {e}"))?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(format!("more than {} KiB are no settings", LONGEST_FILE / 1024));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| "expected text, found bytes that are no UTF-8".to_owned())
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Editors leave such files behind.
fn is_hidden(stem: &std::ffi::OsStr) -> bool {
    stem.as_encoded_bytes().first().is_some_and(|b| matches!(b, b'.' | b'#'))
}
