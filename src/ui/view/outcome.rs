//! How a run ended, in a card: what it brought, what it cost, where it is, what to try next.

use std::path::Path;

use ratatui::layout::Rect;

use crate::event::{BleuDone, FinishReason, Lever};
use crate::ui::format;
use crate::ui::keymap::Action;
use crate::ui::message::Clock;
use crate::ui::state::log::entry;
use crate::ui::state::{Activity, RunStage, State};
use crate::ui::theme::Role;
use crate::ui::widgets::pen::centered;
use crate::ui::widgets::{Pen, Words, words};
use crate::units::{beginning, format_bytes, format_duration, printable, shell_word};

/// Bytes of what a run says about its end; the log has all of it.
const CAUSE: usize = 4_096;

/// Facts of a run that has ended, a name and a value each.
pub fn facts(run: &RunStage, clock: Clock) -> Vec<(&'static str, String)> {
    let view = &run.view;
    let mut facts = Vec::new();
    let best = view.best_eval();
    if let Some(last) = best.or(view.evals.last()) {
        let at = format!("at step {}", format::count(last.step));
        let text = match view.eval_before().filter(|before| before.step != last.step) {
            Some(before) => format!("{} before, {} {at}", format::loss(before.eval_loss), format::loss(last.eval_loss)),
            None => format!("{} {at}", format::loss(last.eval_loss)),
        };
        facts.push((if best.is_some() { "best eval" } else { "eval" }, text));
    }
    if let (Some(first), Some(last)) = (view.smoothed.first(), view.smoothed.last()) {
        facts.push(("loss", format!("{} at first, {} smoothed at the end", format::loss(first), format::loss(last))));
    }
    let total = format::or_unknown(view.planned_steps(), format::count);
    let took = format_duration(run.elapsed_ms(clock) as f64 / 1e3);
    let speed = view.speed().map(|s| format!(", {} tokens/s", format::rate(s))).unwrap_or_default();
    facts.push(("steps", format!("{} of {total} in {took}{speed}", format::count(view.steps_done()))));
    if let Some(peak) = view.memory.peak_bytes {
        let limit = view.memory.limit_bytes.map(|l| format!(" of {}", format_bytes(l))).unwrap_or_default();
        facts.push(("peak", format!("{}{limit}", format_bytes(peak))));
    }
    if let Some(bleu) = &view.bleu {
        let of = |bleu: &BleuDone| {
            let interval = bleu.ci.map(|ci| format!(" ± {:.2}", ci.half_width)).unwrap_or_default();
            format!("{:.2}{interval}", bleu.score)
        };
        let base = view.base_bleu.as_ref().map(|base| format!("; base {}", of(base))).unwrap_or_default();
        let (split, adapter) = (printable(&bleu.split), printable(&bleu.adapter));
        facts.push(("BLEU", format!("{} on {split}, adapter {adapter}{base}", of(bleu))));
    }
    if let Some(name) = adapter(run) {
        facts.push(("adapter", printable(&run.folder.join(name).display().to_string())));
    }
    let recovered = view.ooms.iter().filter(|(_, oom)| oom.applied.is_some()).count();
    if recovered > 0 {
        let times = if recovered == 1 { "once" } else { "times" };
        let text = if recovered == 1 { times.to_owned() } else { format!("{recovered} {times}") };
        facts.push(("memory", format!("ran out {text}, and went on")));
    }
    if view.warnings.count > 0 {
        facts.push(("warnings", format::count(view.warnings.count)));
    }
    facts
}

/// The link that leads to the adapter worth taking: the best one, or the last.
fn adapter(run: &RunStage) -> Option<&'static str> {
    run.view.checkpoint.as_ref()?;
    Some(if run.view.best_eval().is_some() { "best" } else { "last" })
}

/// Why it ended as it did, where that needs words.
pub fn cause(run: &RunStage) -> Option<String> {
    // One that it recovered from did not end it.
    if let Some(oom) = run.view.out_of_memory.as_ref().filter(|oom| oom.applied.is_none()) {
        return Some(entry::out_of_memory(oom, CAUSE));
    }
    match run.activity() {
        Activity::Interrupted if run.cause.is_some() => run.cause.as_deref().map(printable),
        Activity::Interrupted => {
            Some("The log ends in the middle of the run: its process died, or is gone.".to_owned())
        }
        _ => run
            .view
            .outcome
            .as_ref()
            .and_then(|o| o.detail.as_deref())
            .map(|detail| printable(beginning(detail, CAUSE))),
    }
}

/// Commands that make sense now, each whole.
pub fn next_commands(run: &RunStage) -> Vec<String> {
    let folder = shell_word(&run.folder);
    let mut commands = Vec::new();
    let is_over = matches!(run.activity(), Activity::Finished(FinishReason::Completed));
    if !is_over && run.view.started.is_some() {
        // What ran out of memory would do so again as it is.
        let helps = run.view.ooms.last().filter(|(_, oom)| oom.applied.is_none()).and_then(|(_, oom)| {
            let usable = |l: &&Lever| !run.needs_new_run(l);
            oom.levers.iter().filter(usable).find(|l| l.fits == Some(true)).or(oom.levers.iter().find(usable))
        });
        let lever = helps.map(|l| format!(" --lever {}", shell_word(Path::new(&l.id)))).unwrap_or_default();
        commands.push(format!("finetop train {folder} --resume{lever}"));
    }
    if let (Some(name), Some(started)) = (adapter(run), &run.view.started) {
        let source = shell_word(Path::new(&started.config.model.source));
        let adapter = shell_word(&run.folder.join(name));
        commands.push(format!("finetop generate --model {source} --adapter {adapter} \"…\""));
        if started.config.data.test.is_some() && run.view.bleu.is_none() {
            commands.push(format!("finetop eval {folder} --split test --metrics bleu"));
        } else if started.config.data.eval.is_some() {
            commands.push(format!("finetop eval {folder} --metrics loss"));
        }
    }
    commands.push(format!("finetop watch {folder}"));
    commands
}

/// The card as plain lines, for whoever reports after the screen is gone.
pub fn summary(run: &RunStage, clock: Clock) -> Vec<String> {
    let mut lines: Vec<String> = cause(run).into_iter().collect();
    lines.extend(facts(run, clock).into_iter().map(|(name, value)| format!("{name:<10} {value}")));
    lines.extend(next_commands(run).into_iter().map(|command| format!("  {command}")));
    lines
}

pub fn draw(pen: &mut Pen<'_>, body: Rect, state: &State, run: &RunStage, selected: usize) {
    let (title, bad) = match run.activity() {
        Activity::Finished(FinishReason::Completed) => ("the run is complete", false),
        Activity::Finished(FinishReason::Stopped) => ("the run was stopped", false),
        Activity::Finished(FinishReason::Failed) => ("the run failed", true),
        Activity::Interrupted => ("the run was interrupted", true),
        _ => return,
    };
    let commands = next_commands(run);
    let selected = selected.min(commands.len().saturating_sub(1));
    // As wide as its longest command, so that it can be copied whole, within the body.
    let longest = commands.iter().map(|c| c.chars().count()).max().unwrap_or(0) as u16;
    let width = (longest + 8).clamp(64, 120).min(body.width.saturating_sub(2));
    let text_width = width.saturating_sub(4) as usize;

    let mut lines: Vec<Words> = Vec::new();
    if let Some(cause) = cause(run) {
        for line in format::wrap(&cause, text_width).into_iter().take(5) {
            lines.push(words([(&line, if bad { Role::Bad } else { Role::Text })]));
        }
        lines.push(Vec::new());
    }
    if run.view.out_of_memory.is_some()
        && let Some(key) = state.keymap.letter(Action::OomCard)
    {
        lines.push(words([
            (&key.to_string(), Role::Key),
            ("  what ran out of memory, and what would help", Role::Text),
        ]));
        lines.push(Vec::new());
    }
    for (name, value) in facts(run, state.clock) {
        let role = if name == "best eval" { Role::Best } else { Role::Text };
        for (i, part) in format::wrap(&value, text_width.saturating_sub(11)).into_iter().enumerate() {
            let name = if i == 0 { name } else { "" };
            lines.push(words([(&format!("{name:<11}"), Role::Label), (&part, role)]));
        }
    }
    lines.push(Vec::new());
    lines.push(words([("next", Role::Label)]));
    let mut of_selected = 0..0;
    for (index, command) in commands.iter().enumerate() {
        let first = lines.len();
        for (i, part) in format::wrap(command, text_width.saturating_sub(4)).iter().enumerate() {
            let mark = if index == selected { pen.theme.pick("▸ ", "> ") } else { "  " };
            let indent = if i == 0 { mark } else { "    " };
            lines.push(words([(indent, Role::Key), (part, Role::Key)]));
        }
        if index == selected {
            of_selected = first..lines.len();
        }
    }
    let area = centered(body, width, lines.len() as u16 + 2);
    pen.clear(area);
    // What would be copied is in view, from its beginning on.
    let rows = area.height.saturating_sub(2) as usize;
    let from = of_selected.end.saturating_sub(rows).min(of_selected.start);
    let mut right = Vec::new();
    for (hidden, place) in [(from, "above"), (lines.len().saturating_sub(from + rows), "below")] {
        if hidden > 0 {
            right.extend(words([(&format!("{hidden} {place}  "), Role::Label)]));
        }
    }
    if let Some(key) = state.keymap.letter(Action::Copy) {
        right.extend(words([(&key.to_string(), Role::Key), (" copy  ", Role::Label)]));
    }
    right.extend(words([("Esc", Role::Key), (" close", Role::Label)]));
    let inner = pen.panel(area, title, &right);
    for (row, line) in lines.iter().skip(from).take(rows).enumerate() {
        pen.line(inner, row as u16, line);
    }
}
