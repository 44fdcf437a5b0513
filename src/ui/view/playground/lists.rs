//! Lists over the whole body: examples to begin with, and trials that were made before.

use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::extract::report::saved_by;
use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::state::State;
use crate::ui::state::playground::examples::EXAMPLES;
use crate::ui::state::playground::trial::{Outcome, RowsTried, Trial, Who};
use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::{Pen, Words, words};
use crate::units::{beginning, printable};

use super::attempts::{stage_name, took};

/// For the name of an example.
const NAMES: usize = 28;
/// Of a text as much as any line shows.
const MOST_BYTES: usize = 400;

/// A text as one line.
fn one_line(text: &str) -> String {
    printable(&beginning(text, MOST_BYTES).replace(['\n', '\t'], " "))
}

pub fn examples(pen: &mut Pen<'_>, body: Rect, selected: usize) {
    let right = words([("Enter", Role::Key), (" take  ", Role::Label), ("Esc", Role::Key), (" close", Role::Label)]);
    let inner = pen.panel(body, "examples", &right);
    let from = (selected + 1).saturating_sub(inner.height.into());
    for (row, (at, example)) in EXAMPLES.iter().enumerate().skip(from).take(inner.height.into()).enumerate() {
        let name = format!("{}{}", example.name, " ".repeat(NAMES.saturating_sub(example.name.width())));
        let kind = if example.is_answer { "answer  " } else { "text    " };
        line(
            pen,
            inner,
            row,
            at == selected,
            &name,
            &[(kind.into(), Role::Label), (one_line(example.text).into(), Role::Text)],
        );
    }
}

fn line(
    pen: &mut Pen<'_>,
    inner: Rect,
    row: usize,
    is_here: bool,
    name: &str,
    rest: &[(std::borrow::Cow<'static, str>, Role)],
) {
    let mark = if is_here { pen.theme.pick("▸ ", "> ") } else { "  " };
    let mut line =
        words([(mark, Role::Key), (name, if is_here { Role::Selected } else { Role::Text }), (" ", Role::Text)]);
    line.extend(rest.iter().cloned());
    pen.line(inner, row as u16, &line);
}

pub fn trials(pen: &mut Pen<'_>, body: Rect, state: &State, selected: usize) {
    let trials = &state.playground.finds.trials;
    let run = state.keymap.key(Action::RunTrial).map(|key| key.to_string()).unwrap_or_default();
    let right = words([
        ("Enter", Role::Key),
        (" put back  ", Role::Label),
        (&run, Role::Key),
        (" run again  ", Role::Label),
        ("Esc", Role::Key),
        (" close", Role::Label),
    ]);
    let inner = pen.panel(body, "trials", &right);
    if trials.is_empty() {
        pen.text(inner, 0, "no trial was made here yet", Role::Label);
    }
    let from = (selected + 1).saturating_sub(inner.height.into());
    for (row, (at, trial)) in trials.iter().rev().enumerate().skip(from).take(inner.height.into()).enumerate() {
        let mut rest = verdict(trial, pen.theme);
        rest.push(("  ".into(), Role::Text));
        let of_file = |rows: &RowsTried| format!("{} rows of {}", format::count(rows.total), rows.file.display());
        let text = trial.rows.as_ref().map(|rows| of_file(rows));
        rest.push((one_line(text.as_ref().unwrap_or(&trial.text)).into(), Role::Text));
        let age = format!("{} ago", age(state.clock.unix_ms.saturating_sub(trial.unix_ms) / 1000));
        line(pen, inner, row, at == selected, &format!("{age:>10}  {:<12}", who(trial)), &rest);
    }
    let problems = state.playground.finds.problems.iter();
    for (row, problem) in problems.enumerate().take(2) {
        let at = inner.height.saturating_sub(row as u16 + 1);
        pen.text(inner, at, &printable(problem), Role::Warn);
    }
}

/// Who answered, in a word or two.
fn who(trial: &Trial) -> String {
    let settings = &trial.settings;
    match settings.who {
        Who::Given => "given".to_owned(),
        Who::Run => "the run".to_owned(),
        Who::Openai => format::fit(&printable(&settings.server_model), 12, "…"),
        Who::Local if settings.adapter.folder.is_none() => "base".to_owned(),
        Who::Local => format::fit(&printable(&settings.adapter.name), 12, "…"),
    }
}

fn verdict(trial: &Trial, theme: &Theme) -> Words {
    let one = |Outcome { label, trace }: &Outcome| {
        let (mark, role) =
            if trace.ok { (theme.pick("✓", "+"), Role::Good) } else { (theme.pick("✗", "x"), Role::Bad) };
        let label = if label.is_empty() { String::new() } else { format!("{} ", printable(label)) };
        let text = format!("{label}{mark} {:<11} {:>7}", stage_name(saved_by(trace)), took(trace.totals.ms));
        (text.into(), role)
    };
    let mut line: Words = Vec::new();
    if let Some(rows) = &trial.rows {
        let RowsTried { total, summary, .. } = &**rows;
        let passed = summary.passed;
        let (mark, role) = match passed.count {
            _ if rows.is_stopped() => (theme.pick("■", "#"), Role::Warn),
            0 => (theme.pick("✗", "x"), Role::Bad),
            all if all == *total => (theme.pick("✓", "+"), Role::Good),
            _ => (theme.pick("✓", "+"), Role::Warn),
        };
        let (count, of) = (format::count(passed.count), format::count(passed.of));
        let stopped = if rows.is_stopped() { ", stopped" } else { "" };
        let exact = summary.exact.rate().map(|rate| format!(", {:.1} % exact", 100.0 * rate)).unwrap_or_default();
        line.push(match passed.of {
            0 => (format!("{mark} none asked{stopped}").into(), role),
            _ => (format!("{mark} {count} of {of}{exact}{stopped}").into(), role),
        });
    }
    for outcome in &trial.outcomes {
        if !line.is_empty() {
            line.push(("  ".into(), Role::Text));
        }
        line.push(one(outcome));
    }
    line
}

/// `12 s`, `3 min`, `5 h`, `9 d`.
fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
