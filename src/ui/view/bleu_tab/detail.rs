//! The numbers of one report: the score on its scale, precisions, lengths, how sentences are spread, how it was made and what that took;
//! of a report in the making, how far it is.

use ratatui::layout::Rect;

use crate::eval::Detail;
use crate::eval::report::Report;
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::state::bleu::Found;
use crate::ui::theme::Role;
use crate::ui::view::charts::flow;
use crate::ui::widgets::{Pen, Words, bars, pen, score, words};
use crate::units::{format_bytes, format_duration, printable};

use super::{adapter, p_value, share};

/// Bins of the histogram of sentence scores, ten points each.
const BINS: usize = 10;
/// From this width on there are words where else a letter has to do.
const WITH_WORDS: u16 = 50;

/// How many sentences lie in each tenth of the scale.
fn spread(report: &Report) -> [u64; BINS] {
    let mut counts = [0; BINS];
    for row in report.rows.iter().filter(|row| row.bleu.is_finite()) {
        counts[((row.bleu / BINS as f64) as usize).min(BINS - 1)] += 1;
    }
    counts
}

/// One line after the other, as far as there are any.
struct Down {
    area: Rect,
    row: u16,
}

impl Down {
    /// The next line, if there is one.
    fn next(&mut self) -> Option<Rect> {
        let y = self.area.y + self.row;
        (self.row < self.area.height).then(|| {
            self.row += 1;
            Rect { y, height: 1, ..self.area }
        })
    }

    fn line(&mut self, pen: &mut Pen<'_>, words: &Words) {
        if let Some(area) = self.next() {
            pen.line(area, 0, words);
        }
    }

    fn left(&self) -> u16 {
        self.area.height - self.row
    }
}

pub fn draw(pen: &mut Pen<'_>, area: Rect, state: &State, found: &Found) {
    let report = &*found.report;
    let right = words([(&adapter(&report.subject.adapter), Role::Label)]);
    let inner = pen.panel(area, &printable(&report.name), &right);
    let mut down = Down { area: inner, row: 0 };
    if report.is_partial() {
        making(pen, &mut down, found);
    }
    scores(pen, &mut down, report);
    if let Some(bleu) = report.bleu()
        && let Some(line) = down.next()
    {
        let interval = bleu.ci.map(|ci| (ci.low, ci.high));
        let x = pen.text(line, 0, "0 ", Role::Faint);
        let bar = Rect { x, width: line.right().saturating_sub(x + 4), ..line };
        score::interval(pen, bar, bleu.score, interval, Role::Done);
        pen.text(Rect { x: bar.right(), width: 4, ..line }, 0, " 100", Role::Faint);
    }
    compared(pen, &mut down, found);
    precisions(pen, &mut down, report);
    histogram(pen, &mut down, report);
    made(pen, &mut down, state, report);
}

/// How far a report in the making is, and when it will be there if somebody is at it.
fn making(pen: &mut Pen<'_>, down: &mut Down, found: &Found) {
    let report = &*found.report;
    let count = |n: u64| format::count(n);
    let text = format!("partial: {} of {} rows", count(report.rows.len() as u64), count(report.rows_total));
    let mut line = words([(&text, Role::Warn)]);
    if let Some(speed) = report.speed() {
        line.extend(words([("  ", Role::Text), (&format::rate(speed), Role::Text), (" tok/s", Role::Label)]));
    }
    down.line(pen, &line);
    if let Some(line) = down.next() {
        let eta = match found.being_made {
            true => report.eta_seconds().map(|eta| format!("  ETA {}", format_duration(eta))).unwrap_or_default(),
            false => "  stopped".to_owned(),
        };
        let percent = format!(" {:.0} %{eta}", (share(report) * 100.0).floor());
        let bar = Rect { width: line.width.saturating_sub(percent.len() as u16), ..line };
        bars::gauge(pen, bar, share(report), Role::Done);
        pen.text(Rect { x: bar.right(), width: percent.len() as u16, ..line }, 0, &percent, Role::Text);
    }
}

fn scores(pen: &mut Pen<'_>, down: &mut Down, report: &Report) {
    if report.scores.is_empty() {
        return down.line(pen, &words([("not scored", Role::Label)]));
    }
    let mut line = Words::new();
    for one in &report.scores {
        let gap = if line.is_empty() { "" } else { "  " };
        let name = match report.is_partial() {
            true => format!("{gap}{} of a part ", printable(&one.name)),
            false => format!("{gap}{} ", printable(&one.name)),
        };
        let role = if report.is_partial() { Role::Warn } else { Role::Text };
        let mut piece = words([(&name, Role::Label), (&super::score(one.score), role)]);
        if let Some(ci) = one.ci {
            piece.extend(words([(&format!(" {}{:.2}", pen.theme.pick("±", "+-"), ci.half_width), Role::Label)]));
        }
        // Half a number would be another one.
        if !line.is_empty() && pen::width(&line) + pen::width(&piece) > down.area.width as usize {
            break;
        }
        line.extend(piece);
    }
    down.line(pen, &line);
}

/// Beside the baseline, or why not.
fn compared(pen: &mut Pen<'_>, down: &mut Down, found: &Found) {
    let line = match &found.comparison {
        Some(Ok(c)) => {
            let role = match c.is_significant() {
                true if c.difference > 0.0 => Role::Good,
                true => Role::Bad,
                false => Role::Text,
            };
            let p = c.p_value.map(|p| format!("  {}", p_value(p))).unwrap_or_default();
            words([
                (&format!("{:+.2}", c.difference), role),
                (" BLEU", Role::Label),
                (&p, role),
                (&format!("  {:+.2}", c.chrf.1 - c.chrf.0), Role::Text),
                (" chrF  than ", Role::Label),
                (&printable(&c.baseline), Role::Label),
            ])
        }
        Some(Err(why)) => words([("not compared: ", Role::Label), (&printable(why), Role::Warn)]),
        None if found.is_baseline => words([("others are held beside this one", Role::Label)]),
        None => return,
    };
    down.line(pen, &line);
}

/// Precisions by order, two a line, then what goes with them.
fn precisions(pen: &mut Pen<'_>, down: &mut Down, report: &Report) {
    let Some(Detail::Bleu { precisions, bp, sys_len, ref_len, .. }) = report.bleu().map(|b| &b.detail) else { return };
    for (pair, two) in precisions.chunks(2).take(2).enumerate() {
        let Some(line) = down.next() else { return };
        let width = line.width / 2;
        for (at, precision) in two.iter().enumerate() {
            let place = Rect { x: line.x + at as u16 * width, width: width.saturating_sub(1), ..line };
            let text = format!("{:>5.1} ", precision);
            let n = pair * 2 + at + 1;
            let label = if line.width < WITH_WORDS { format!("p{n}") } else { format!("{n}-gram") };
            let x = pen.line(place, 0, &words([(&label, Role::Label), (&text, Role::Text)]));
            let bar = Rect { x, width: place.right().saturating_sub(x), ..place };
            bars::gauge(pen, bar, precision / 100.0, Role::Done);
        }
    }
    let ratio = format::or_unknown(report.length_ratio, |r| format!("{r:.3}"));
    down.line(
        pen,
        &words([
            ("brevity ", Role::Label),
            (&format!("{bp:.3}"), Role::Text),
            ("  ratio ", Role::Label),
            (&ratio, Role::Text),
            (&format!("  {} / {}", format::count(*sys_len), format::count(*ref_len)), Role::Label),
        ]),
    );
}

fn histogram(pen: &mut Pen<'_>, down: &mut Down, report: &Report) {
    let counts = spread(report);
    if report.rows.is_empty() {
        return;
    }
    // The lines below it come first: a high one takes only what is left.
    let high = down.left().saturating_sub(6).min(8);
    if high < 3 {
        let Some(line) = down.next() else { return };
        let x = pen.text(line, 0, "sentences 0 ", Role::Label);
        let width = (line.right().saturating_sub(x + 4) / BINS as u16 * BINS as u16).min(3 * BINS as u16);
        score::histogram(pen, Rect { x, width, ..line }, &counts, Role::Eval);
        pen.text(Rect { x: x + width, width: 4, ..line }, 0, " 100", Role::Label);
        return;
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    down.line(
        pen,
        &words([("sentences by BLEU", Role::Label), (&format!("  most {}", format::count(most)), Role::Faint)]),
    );
    let width = down.area.width / BINS as u16 * BINS as u16;
    let width = width.min(8 * BINS as u16);
    let chart = Rect { y: down.area.y + down.row, height: high - 2, width, ..down.area };
    score::histogram(pen, chart, &counts, Role::Eval);
    down.row += high - 2;
    if let Some(line) = down.next() {
        let bin = width / BINS as u16;
        for at in 0..BINS as u16 {
            let text = (at * 10).to_string();
            pen.text(Rect { x: line.x + at * bin, width: bin, ..line }, 0, &text, Role::Faint);
        }
    }
}

/// How it was made, what that took, and how it is cited.
fn made(pen: &mut Pen<'_>, down: &mut Down, state: &State, report: &Report) {
    let mut pieces: Vec<Words> = Vec::new();
    if let Some(skipped) = report.rows_skipped.filter(|n| *n > 0) {
        pieces.push(words([(&format!("  {} lines left out", format::count(skipped)), Role::Warn)]));
    }
    let mut piece = |label: &str, value: String| pieces.push(words([(label, Role::Label), (&value, Role::Text)]));
    if !report.is_partial()
        && let Some(speed) = report.speed()
    {
        piece("  tok/s ", format::rate(speed));
    }
    piece("  took ", format::took(report.duration_us));
    if let Some(peak) = report.peak_bytes {
        piece("  peak ", format_bytes(peak));
    }
    if let Some(loss) = report.eval_loss {
        piece("  eval loss ", format::loss(loss));
    }
    piece("  rows ", format::count(report.rows.len() as u64));
    piece("  split ", printable(&report.subject.split));
    let cited = report.bleu().map(|bleu| printable(&bleu.signature));
    let lines = format::wrap(cited.as_deref().unwrap_or(""), down.area.width.max(1) as usize);
    // Its own words take a line; what it took as many as are left beside the signature.
    let words_line = printable(&report.subject.decoding.in_words());
    down.line(pen, &words([(&words_line, Role::Text)]));
    let room = down.left().saturating_sub(lines.len() as u16).clamp(1, 3).min(down.left());
    let place = Rect { y: down.area.y + down.row, height: room, ..down.area };
    let needed: usize = pieces.iter().map(pen::width).sum();
    flow(pen, place, pieces);
    let used = (needed as u16).div_ceil(down.area.width.max(1)).clamp(room.min(1), room);
    down.row += used;
    if cited.is_some() && down.left() as usize >= lines.len() {
        for line in &lines {
            down.line(pen, &words([(line, Role::Faint)]));
        }
    }
    let problems = state.bleu.reading().map_or(&[][..], |reading| &reading.problems);
    for problem in problems {
        down.line(pen, &words([(&printable(problem), Role::Warn)]));
    }
}
