//! What holds for every embedded theme: all roles, text that can be read, colours that can be told apart.

use ratatui::style::Modifier;

use super::*;

type Rgb = [f64; 3];

/// Roles that carry text somewhere; a reversed one has its colour behind text of the terminal's background, which is the same contrast.
const TEXT: [Role; 16] = [
    Role::Text,
    Role::Label,
    Role::Faint,
    Role::Title,
    Role::Key,
    Role::Active,
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

/// As the theme says them, and as a terminal with 256 colours shows them.
const DEPTHS: [ColorDepth; 2] = [ColorDepth::TrueColor, ColorDepth::Indexed256];

/// A colour as its three shares of light, without the screen's gamma.
fn light(color: Color) -> Rgb {
    let bytes = match color {
        Color::Rgb(r, g, b) => [r, g, b],
        // xterm's own values.
        Color::Indexed(i @ 16..=231) => {
            let level = |n: u8| [0, 95, 135, 175, 215, 255][usize::from(n % 6)];
            let i = i - 16;
            [level(i / 36), level(i / 6), level(i)]
        }
        Color::Indexed(i @ 232..) => [8 + 10 * (i - 232); 3],
        other => panic!("{other:?} is the user's own"),
    };
    bytes.map(|v| {
        let v = f64::from(v) / 255.0;
        if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    })
}

fn luminance([r, g, b]: Rgb) -> f64 {
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

/// WCAG 2: (L1 + 0.05) / (L2 + 0.05) with L the relative luminance.
fn contrast(a: Color, b: Color) -> f64 {
    let (a, b) = (luminance(light(a)), luminance(light(b)));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// What eyes see that lack a kind of cone. Source: Machado, Oliveira and Fernandes 2009, severity 1.0.
const VISIONS: [(&str, [Rgb; 3]); 4] = [
    ("all cones", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    (
        "protanopia",
        [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]],
    ),
    (
        "deuteranopia",
        [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]],
    ),
    (
        "tritanopia",
        [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]],
    ),
];

fn seen(color: Color, vision: &[Rgb; 3]) -> Rgb {
    let light = light(color);
    vision.map(|row| row.iter().zip(light).map(|(a, b)| a * b).sum::<f64>().clamp(0.0, 1.0))
}

/// The distance of two colours in CIE L*a*b* (1976); about 2 is the least that is seen side by side.
fn difference(a: Rgb, b: Rgb) -> f64 {
    let lab = |[r, g, b]: Rgb| {
        let f = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
        let x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.950_47);
        let y = f(luminance([r, g, b]));
        let z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.088_83);
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    };
    lab(a).iter().zip(lab(b)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// The themes that have colours, at both depths, with the background they were chosen for.
fn coloured() -> Vec<(Theme, Color)> {
    let palettes = Palette::embedded();
    let coloured = palettes.iter().filter_map(|p| p.background.map(|b| (p, b)));
    coloured.flat_map(|(p, b)| DEPTHS.map(|depth| (Theme::new(p, depth, GlyphSet::Braille), b))).collect()
}

fn color(theme: &Theme, role: Role) -> Color {
    let color = theme.style(role).fg;
    color.unwrap_or_else(|| panic!("{}: {} has no colour", theme.name, role.name()))
}

#[test]
fn every_embedded_theme_has_every_role_under_its_own_name() {
    for (name, text) in EMBEDDED {
        let palette = Palette::parse(text, "another", &[]);
        let palette = palette.unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        assert_eq!(palette.name, name);
        assert_eq!(palette.background.is_some(), palette.has_color());
    }
    assert_eq!(Palette::embedded().len(), EMBEDDED.len());
}

#[test]
fn every_role_has_a_style_of_its_own() {
    let indexes: Vec<usize> = Role::all().map(Role::index).collect();
    assert_eq!(indexes, (0..indexes.len()).collect::<Vec<_>>());
}

#[test]
fn text_stands_out_from_the_background_it_was_chosen_for() {
    for (theme, background) in coloured() {
        let least = if theme.name == "high-contrast" { 7.0 } else { 4.5 };
        for role in TEXT {
            let (color, style) = (color(&theme, role), theme.style(role));
            let ratio = contrast(color, background);
            let name = role.name();
            assert!(ratio >= least, "{}: {name} as {color:?} has a contrast of {ratio:.2}", theme.name);
            assert!(!style.add_modifier.contains(Modifier::DIM), "{}: {name} is dimmed below its colour", theme.name);
        }
    }
}

#[test]
fn lines_and_areas_can_be_seen() {
    for (theme, background) in coloured() {
        for role in Role::all().filter(|role| !TEXT.contains(role)) {
            let color = color(&theme, role);
            let ratio = contrast(color, background);
            assert!(ratio >= 1.5, "{}: {} as {color:?} has a contrast of {ratio:.2}", theme.name, role.name());
        }
    }
}

#[test]
fn what_colour_alone_tells_apart_can_be_told_apart() {
    let lines = [Role::Loss, Role::Eval, Role::Best, Role::Compare, Role::LossRaw];
    let stack = Category::ALL.map(Role::Category);
    for (theme, _) in coloured() {
        let safe = theme.name == "colour-blind-safe";
        for (eyes, vision) in &VISIONS[..if safe { VISIONS.len() } else { 1 }] {
            let apart = |a: Role, b: Role, least: f64| {
                let found = difference(seen(color(&theme, a), vision), seen(color(&theme, b), vision));
                let (a, b) = (a.name(), b.name());
                assert!(found >= least, "{}, {eyes}: {a} and {b} are {found:.1} apart", theme.name);
            };
            for (i, &a) in lines.iter().enumerate() {
                lines[i + 1..].iter().for_each(|&b| apart(a, b, 18.0));
            }
            // Neighbours, and those that become neighbours where the part between them is empty. Twelve areas are more than eyes
            // without a kind of cone keep apart: there, those far from each other are told by their place.
            for (i, &a) in stack.iter().enumerate() {
                stack[i + 1..].iter().take(2).for_each(|&b| apart(a, b, 20.0));
                stack[i + 1..].iter().skip(2).for_each(|&b| apart(a, b, if safe { 5.0 } else { 18.0 }));
            }
        }
    }
}

#[test]
fn colours_go_down_to_what_the_terminal_has() {
    assert_eq!(reduce(Color::Rgb(255, 0, 0), ColorDepth::Indexed256), Some(Color::Indexed(196)));
    assert_eq!(reduce(Color::Rgb(128, 128, 128), ColorDepth::Indexed256), Some(Color::Indexed(244)));
    assert_eq!(reduce(Color::Rgb(210, 10, 10), ColorDepth::Ansi16), Some(Color::Red));
    assert_eq!(reduce(Color::Rgb(1, 2, 3), ColorDepth::None), None);
    let themes = Theme::all(&Palette::embedded(), ColorDepth::None, GlyphSet::Ascii);
    assert!(themes.iter().all(|t| !t.has_color));
    assert_eq!(themes.len(), 1);
}

#[test]
fn a_terminal_without_colours_always_has_a_theme() {
    let painted = Palette::parse("name = \"mono\"\nbase = \"dark\"", "mono", &Palette::embedded());
    let themes = Theme::all(&[painted.expect("a theme")], ColorDepth::None, GlyphSet::Ascii);
    assert!(themes.len() == 1 && !themes[0].has_color);
}

#[test]
fn a_theme_of_ones_own_may_say_only_what_differs() {
    let bases = Palette::embedded();
    let text = "base = \"light\"\n[roles]\nloss = \"#112233 underlined\"\n[categories]\ndata = \"#445566\"\n";
    let own = Palette::parse(text, "evening", &bases).expect("a theme");
    let light = &bases[1];
    assert_eq!((own.name.as_str(), own.background), ("evening", light.background));
    let loss = Style::default().fg(Color::Rgb(0x11, 0x22, 0x33)).add_modifier(Modifier::UNDERLINED);
    assert_eq!(own.style(Role::Loss), loss);
    assert_eq!(own.style(Role::Category(Category::Data)).fg, Some(Color::Rgb(0x44, 0x55, 0x66)));
    for role in Role::all().filter(|r| ![Role::Loss, Role::Category(Category::Data)].contains(r)) {
        assert_eq!(own.style(role), light.style(role), "{}", role.name());
    }
}
