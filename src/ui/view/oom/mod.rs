//! The card of an out-of-memory: what happened, why, what was planned and what was there, and what would help. Its words are in `words`.

mod words;

use ratatui::layout::Rect;

use crate::event::{Lever, OutOfMemory};
use crate::memory::ledger::Category;
use crate::memory::triage::Origin;
use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::state::oom::Card;
use crate::ui::state::{RunStage, State};
use crate::ui::theme::Role;
use crate::ui::view::memory;
use crate::ui::widgets::pen::{self, centered};
use crate::ui::widgets::{Pen, Words, words as pieces};
use crate::units::{format_bytes, printable};

pub use words::{change, command, lever_name};

/// The widest that the card gets.
const WIDTH: u16 = 108;
/// Rows of levers that are shown at least.
const LEVERS: usize = 4;

pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State, run: &RunStage, card: Card) {
    let Some(oom) = run.oom(card.at) else { return };
    let width = WIDTH.min(body.width);
    let text_width = width.saturating_sub(4) as usize;
    let mut head: Vec<Words> = Vec::new();
    let mut say = |text: &str, role: Role, most: usize| {
        let lines = format::wrap(text, text_width);
        head.extend(lines.into_iter().take(most).map(|line| pieces([(&line, role)])));
    };
    let roomy = body.height >= 24;
    say(&words::happened(oom), Role::Bad, 3);
    say(&words::place(oom, run), Role::Label, 2);
    say(&words::cause(oom.cause.as_ref()), Role::Text, 3);
    if let Some(id) = &oom.applied {
        say(&format!("Applied: {}.", lever_name(id)), Role::Good, 1);
    }
    let actions = actions(state, run, card, oom, text_width);
    let selected = card.selected.min(oom.levers.len().saturating_sub(1));
    let details = oom.levers.get(selected).map_or_else(Vec::new, |lever| details(run, oom, lever, text_width, roomy));
    let levers: Vec<Words> =
        (0..).zip(&oom.levers).map(|(i, l)| lever_line(pen, oom, l, i == selected, width - 4)).collect();
    // The table gets what the rest leaves.
    let table = table(oom, text_width);
    let gap = usize::from(roomy);
    let fixed = head.len() + details.len() + actions.len() + 1 + 2 * gap;
    let most = body.height.saturating_sub(2) as usize;
    let of_levers = levers.len().min(most.saturating_sub(fixed).max(LEVERS)).max(1);
    let of_table = if table.len() + 1 + fixed + of_levers <= most { table.len() } else { 0 };
    let mut lines = head;
    if of_table == 0 && fixed + of_levers < most {
        lines.extend(over_plan(oom));
    }
    if of_table > 0 {
        lines.extend((0..gap).map(|_| Vec::new()));
        lines.extend(table);
    }
    lines.extend((0..gap).map(|_| Vec::new()));
    lines.push(title(oom));
    let from = (selected + 1).saturating_sub(of_levers);
    lines.extend(levers.into_iter().skip(from).take(of_levers));
    lines.extend(details);
    lines.extend((0..gap).map(|_| Vec::new()));
    let room = most.saturating_sub(actions.len());
    lines.truncate(room);
    lines.extend(actions);

    let area = centered(body, width, lines.len() as u16 + 2);
    pen.clear(area);
    let count = run.view.ooms.len();
    let mut right = Vec::new();
    if count > 1 {
        right = pieces([(&format!("{} of {count}  ", card.at + 1), Role::Label), ("← →", Role::Key)]);
        right.extend(pieces([("  ", Role::Text)]));
    }
    right.extend(pieces([("Esc", Role::Key), (" close", Role::Label)]));
    let inner = pen.panel(area, "out of memory", &right);
    for (row, line) in lines.iter().enumerate() {
        pen.line(inner, row as u16, line);
    }
}

/// What stands above the levers.
fn title(oom: &OutOfMemory) -> Words {
    if oom.levers.is_empty() {
        let known = match oom.origin {
            // It takes the model and its data to work them out.
            Some(Origin::Killed) => "Resume it to see what would help.",
            _ => "No lever is known that would help.",
        };
        return pieces([(known, Role::Warn)]);
    }
    let limit = oom.limit_bytes.map(|limit| format!(" (limit {})", format_bytes(limit))).unwrap_or_default();
    pieces([("What would help, the cheapest first", Role::Title), (&limit, Role::Label)])
}

/// `▸ rows of a micro-batch  4 → 2          289 MiB  fits`
fn lever_line(pen: &Pen<'_>, oom: &OutOfMemory, lever: &Lever, selected: bool, width: u16) -> Words {
    const PEAK: usize = 10;
    const FITS: usize = 9;
    let theme = pen.theme;
    let pointer = if selected { theme.pick("▸ ", "> ") } else { "  " };
    let (fits, fits_role) = match (oom.applied.as_deref() == Some(lever.id.as_str()), lever.fits) {
        (true, _) => ("applied", Role::Good),
        (_, Some(true)) => ("fits", Role::Good),
        (_, Some(false)) => ("too much", Role::Bad),
        (_, None) => (format::UNKNOWN, Role::Label),
    };
    let left = (width as usize).saturating_sub(2 + PEAK + 2 + FITS);
    let name = format!("{:<22}", lever_name(&lever.id));
    let changes = lever.changes.first().map(change).unwrap_or_default();
    let what = format::fit(&format!("{name} {changes}"), left, theme.ellipsis());
    let pad = left.saturating_sub(pen::width(&pieces([(&what, Role::Text)])));
    let role = if selected { Role::Selected } else { Role::Text };
    pieces([
        (pointer, Role::Key),
        (&what, role),
        (&" ".repeat(pad), Role::Text),
        (&format!("{:>PEAK$}", format_bytes(lever.predicted_peak_bytes)), Role::Text),
        ("  ", Role::Text),
        (fits, fits_role),
    ])
}

/// What the selected lever changes, costs and cuts.
fn details(run: &RunStage, oom: &OutOfMemory, lever: &Lever, width: usize, roomy: bool) -> Vec<Words> {
    let mut text = printable(&lever.price);
    if lever.rows_cut > 0 {
        let rows = if lever.rows_cut == 1 { "row" } else { "rows" };
        text.push_str(&format!("; cuts {} {rows}", format::count(lever.rows_cut)));
    }
    let mut lines: Vec<(String, Role)> = Vec::new();
    if roomy && lever.changes.len() > 1 {
        let changes = lever.changes.iter().map(|c| format!("{} {}", printable(&c.key), change(c)));
        lines.push((changes.collect::<Vec<_>>().join(", "), Role::Label));
    }
    lines.push((format!("price: {}", if text.is_empty() { format::UNKNOWN } else { &text }), Role::Label));
    if oom.applied.is_none() && run.needs_new_run(lever) {
        lines.push(("needs a new run: the adapter that was begun does not fit it".to_owned(), Role::Warn));
    }
    let most = if roomy { 3 } else { 2 };
    let wrapped = lines.iter().flat_map(|(line, role)| {
        let parts = format::wrap(line, width.saturating_sub(4)).into_iter().take(most);
        parts.map(|part| pieces([("    ", Role::Text), (&part, *role)])).collect::<Vec<_>>()
    });
    wrapped.collect()
}

/// What one key does now.
fn actions(state: &State, run: &RunStage, card: Card, oom: &OutOfMemory, width: usize) -> Vec<Words> {
    let letter = |action| state.keymap.letter(action).map(|key| key.to_string()).unwrap_or_default();
    let lever = oom.levers.get(card.selected.min(oom.levers.len().saturating_sub(1)));
    let mut lines = Vec::new();
    if let Some(id) = run.applying().filter(|_| run.waits()) {
        lines.push(pieces([(
            &format!("{} was sent; the run goes on when it is applied", lever_name(id)),
            Role::Active,
        )]));
        return lines;
    }
    match lever {
        Some(lever) if run.takes(card, lever) => {
            let steps = run.view.steps_done();
            let text = match steps {
                0 => "  apply it; the run begins".to_owned(),
                _ => format!("  apply it and go on after step {}; nothing is lost", format::count(steps)),
            };
            lines.push(pieces([("Enter", Role::Key), (&text, Role::Text)]));
        }
        Some(lever) if oom.applied.is_none() => {
            let command = command(run, lever);
            let copy = format!("  copy  {command}");
            let fitted = format::fit(&copy, width.saturating_sub(2), "…");
            lines.push(pieces([(&letter(Action::Copy), Role::Key), (&fitted, Role::Text)]));
        }
        _ => {}
    }
    if run.waits() {
        let roomy = width >= 70;
        let mut line = pieces([(&letter(Action::Stop), Role::Key), ("  stop the run     ", Role::Text)]);
        let again = if roomy { "  try again as it is     " } else { "  try again     " };
        line.extend(pieces([(&letter(Action::PauseOrResume), Role::Key), (again, Role::Text), ("Esc", Role::Key)]));
        line.extend(pieces([(if roomy { "  look around, it waits" } else { "  look around" }, Role::Text)]));
        lines.push(line);
    }
    lines
}

/// Planned against measured where there is no room for the table: the sums, and what is most above its plan.
fn over_plan(oom: &OutOfMemory) -> Option<Words> {
    let planned = oom.planned_peak_bytes?;
    let of = |c: Category| {
        let [planned, there] =
            [&oom.planned_by_category, &oom.by_category].map(|map| map.get(&c).copied().unwrap_or(0));
        there.checked_sub(planned).filter(|&over| over > 0).map(|over| (over, c))
    };
    let mut over: Vec<(u64, Category)> = Category::ALL.into_iter().filter_map(of).collect();
    over.sort_by_key(|&(bytes, _)| std::cmp::Reverse(bytes));
    let over = over.iter().take(2).map(|&(bytes, c)| format!("{} +{}", memory::name(c), format_bytes(bytes)));
    let over: Vec<String> = over.collect();
    let over = if over.is_empty() { String::new() } else { format!("; above their plan: {}", over.join(", ")) };
    Some(pieces([("Planned ", Role::Label), (&format_bytes(planned), Role::Text), (&over, Role::Text)]))
}

/// Planned against measured, by category, the largest first.
fn table(oom: &OutOfMemory, width: usize) -> Vec<Words> {
    const ROWS: usize = 6;
    let of = |map: &crate::memory::ledger::ByCategory, c| map.get(&c).copied();
    let all = Category::ALL.map(|c| (c, of(&oom.planned_by_category, c), of(&oom.by_category, c)));
    let mut rows: Vec<_> = all.into_iter().filter(|(_, planned, measured)| planned.max(measured).is_some()).collect();
    rows.sort_by_key(|&(_, planned, measured)| std::cmp::Reverse(measured.max(planned)));
    if rows.is_empty() {
        return Vec::new();
    }
    let bytes = |n: Option<u64>| format::or_unknown(n, format_bytes);
    let cells = |name: &str, planned: &str, measured: &str, more: Words, role: Role| {
        let mut line =
            pieces([(&format!("{name:<16}"), Role::Label), (&format!("{planned:>11} {measured:>10}"), role)]);
        line.extend(more);
        line
    };
    let mut lines = vec![cells("", "planned", "there", Vec::new(), Role::Label)];
    let longest = rows.iter().filter_map(|&(_, p, m)| p.max(m)).max().unwrap_or(1).max(1);
    for &(category, planned, measured) in rows.iter().take(ROWS) {
        let room = width.saturating_sub(16 + 22 + 2).min(30);
        let length = (u128::from(measured.unwrap_or(0)) * room as u128 / u128::from(longest)) as usize;
        let letter = memory::letter(category).to_string();
        let bar = pieces([("  ", Role::Text), (&letter.repeat(length), Role::Category(category))]);
        lines.push(cells(memory::name(category), &bytes(planned), &bytes(measured), bar, Role::Text));
    }
    let more = rows.len().saturating_sub(ROWS);
    let note =
        if more > 0 { pieces([(&format!("  {more} smaller ones are left out"), Role::Faint)]) } else { Vec::new() };
    lines.push(cells("all", &bytes(oom.planned_peak_bytes), &bytes(oom.used_bytes), note, Role::Text));
    lines
}
