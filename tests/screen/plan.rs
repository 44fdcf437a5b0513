//! The memory plan before the start: what its keys ask for and change, and how it looks. The bytes of the frames are made up here, so that
//! they stay when the plan's constants are measured anew.

use std::sync::Arc;

use finetop::memory::ledger::{ByCategory, Category, Phase};
use finetop::memory::lever::{Lever, LeverChange};
use finetop::memory::plan::{Basis, Elsewhere, LongestBatch, Plan, Subject, WeightFacts, WeightRole};
use finetop::ui::state::plan::{Ground, Known};
use finetop::ui::state::start::Target;
use finetop::ui::state::{Overlay, Question, StartPage, State};
use finetop::ui::theme::GlyphSet;
use finetop::ui::{Effect, Key, Message, update};
use finetop::units::{GIB, MIB, ModelShape, RowLength};

use crate::fixture;
use crate::frames::{compare, compare_at_all_sizes, draw, press, text, theme};

/// A small model, and rows of which few are long.
fn subject() -> Subject {
    let weight = |role, out_features: u64, in_features: u64| WeightFacts {
        role,
        out_features,
        in_features,
        stored_bytes: out_features * in_features * 4,
        full_precision: true,
        is_f32: true,
    };
    let mut weights = vec![weight(WeightRole::Embedding, 2_048, 128)];
    for (out, inner) in [(128, 128), (64, 128), (64, 128), (128, 128), (384, 128), (384, 128), (128, 384)] {
        weights.push(weight(WeightRole::Projection, out, inner));
    }
    Subject {
        shape: ModelShape {
            num_hidden_layers: 1,
            hidden_size: 128,
            intermediate_size: 384,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            head_dim: 32,
            vocab_size: 2_048,
            max_position_embeddings: 2_048,
            tie_word_embeddings: true,
        },
        weights: weights.into(),
        train_rows: (0..64).map(|i| RowLength { tokens: 60 + i * 10, target_tokens: 20 }).collect(),
        eval_rows: Arc::new([]),
        threads: 2,
        on_device: false,
        test: None,
        before_bytes: 60 * MIB,
        fit: None,
    }
}

/// What is read for the fixture's demo; or for something else.
pub fn ground(of_demo: bool) -> Ground {
    let config = fixture::config();
    Ground {
        subject: Arc::new(subject()),
        auto_limit_bytes: Some(22 * GIB),
        source: if of_demo { config.model.source } else { "hf:else/where".into() },
        train: config.data.train,
        eval: config.data.eval,
        test: config.data.test,
    }
}

fn ticket(effects: &[Effect]) -> u64 {
    match effects {
        [Effect::Plan { ticket, .. }] => *ticket,
        other => panic!("{other:?}"),
    }
}

fn opened(page: StartPage) -> State {
    let mut state = State::ready(page);
    let effects = update(&mut state, Message::Key(Key::Char('M')));
    let result = Ok(Box::new(ground(true)));
    update(&mut state, Message::Planned { ticket: ticket(&effects), result });
    state
}

fn keys(state: &mut State, keys: &str) {
    keys.chars().for_each(|c| press(state, Key::Char(c)));
}

fn peak(state: &State) -> u64 {
    state.plan_page().and_then(|page| page.figures()).expect("figures").now.peak_bytes
}

fn plan(parts: &[(Category, u64)], phases: &[(Phase, u64)], limit_bytes: Option<u64>) -> Plan {
    let by_category: ByCategory = parts.iter().map(|&(c, mib)| (c, mib * MIB)).collect();
    Plan {
        peak_bytes: by_category.values().sum(),
        limit_bytes,
        by_phase: phases.iter().map(|&(p, mib)| (p, mib * MIB)).collect(),
        // In proportion: what is drawn is what counts.
        phases: phases.iter().map(|&(p, mib)| (p, share(parts, mib))).collect(),
        longest_batch: LongestBatch { rows: 4, tokens: 1_204, target_tokens: 388 },
        basis: Basis::Calibrated,
        by_category,
    }
}

fn share(parts: &[(Category, u64)], mib: u64) -> ByCategory {
    let all: u64 = parts.iter().map(|&(_, part)| part).sum();
    parts.iter().map(|&(c, part)| (c, part * mib * MIB / all)).collect()
}

const BEFORE: &[(Category, u64)] = &[
    (Category::BaseWeights, 87),
    (Category::DequantScratch, 4),
    (Category::Adapter, 9),
    (Category::Gradients, 9),
    (Category::Optimizer, 19),
    (Category::Activations, 84),
    (Category::BlockWork, 116),
    (Category::HeadChunk, 48),
    (Category::Data, 1),
    (Category::Other, 70),
];
const NOW: &[(Category, u64)] = &[
    (Category::BaseWeights, 87),
    (Category::DequantScratch, 4),
    (Category::Adapter, 9),
    (Category::Gradients, 9),
    (Category::Optimizer, 19),
    (Category::Activations, 42),
    (Category::BlockWork, 60),
    (Category::HeadChunk, 24),
    (Category::Data, 1),
    (Category::Other, 70),
];

fn phases(peak: u64) -> Vec<(Phase, u64)> {
    vec![
        (Phase::Load, 161),
        (Phase::Forward, peak - 46),
        (Phase::Backward, peak),
        (Phase::Optimizer, 215),
        (Phase::Eval, peak - 60),
        (Phase::Checkpoint, 209),
    ]
}

/// The figures of the frames, in place of what was worked out.
fn figures(state: &mut State, change: impl FnOnce(&mut finetop::ui::state::plan::Figures)) {
    let page = state.page.as_mut().and_then(|page| page.plan.as_mut()).expect("the plan's page");
    let Known::Is(figures) = &mut page.known else { panic!("it is read") };
    change(figures);
}

fn with_figures(limit: Option<u64>) -> State {
    let mut state = opened(fixture::page());
    figures(&mut state, |f| {
        f.before = plan(BEFORE, &phases(447), limit);
        f.now = f.before.clone();
        f.rows_cut = 0;
        f.elsewhere = elsewhere();
        f.helps = None;
    });
    state
}

fn elsewhere() -> Vec<Elsewhere> {
    let way = |name: &str, mib: u64, formula: &str| Elsewhere {
        name: name.into(),
        peak_bytes: mib * MIB,
        formula: formula.into(),
    };
    vec![
        way(
            "BLEU inside the training loop, all logits kept",
            11_900,
            "630 rows x 96 tokens x 49152 vocabulary x 4 bytes = 11.1 GiB, beside the run's own peak",
        ),
        way("full fine-tuning", 2_600, "135 M parameters x (4 weights + 4 gradients + 8 moments) bytes"),
        way("LoRA \u{1b}[31mwithout quantising", 980, "135 M parameters x 4 bytes\u{1b}[2J"),
        way("whole-graph autograd, as PEFT does it", 1_750, "30 layers x 1,204 tokens x 34 hidden sizes x 4 bytes"),
    ]
}

pub fn states() -> Vec<State> {
    let mut reading = State::ready(fixture::page());
    press(&mut reading, Key::Char('M'));
    let mut turned = opened(fixture::page());
    press(&mut turned, Key::Left);
    let mut formula = with_figures(Some(GIB / 4));
    [Key::Tab, Key::Down, Key::Enter].into_iter().for_each(|key| press(&mut formula, key));
    vec![reading, turned, with_figures(None), formula, asked_about_a_file()]
}

fn asked_about_a_file() -> State {
    let mut state = State::ready(fixture::full_page());
    press(&mut state, Key::Char('j'));
    let effects = update(&mut state, Message::Key(Key::Char('M')));
    let config = state.page.as_ref().and_then(|p| p.entry()).and_then(|e| e.config().ok()).expect("settings").clone();
    let ground = Ground {
        source: config.model.source,
        train: config.data.train,
        eval: config.data.eval,
        test: config.data.test,
        ..ground(true)
    };
    update(&mut state, Message::Planned { ticket: ticket(&effects), result: Ok(Box::new(ground)) });
    press(&mut state, Key::Left);
    press(&mut state, Key::Char('a'));
    state
}

#[test]
fn the_plan_says_whether_it_fits_and_where_every_byte_would_be() {
    compare_at_all_sizes("plan", &with_figures(Some(22 * GIB)));
    let mut state = with_figures(Some(400 * MIB));
    figures(&mut state, |f| {
        f.helps = Some(Lever {
            id: "micro_batch".into(),
            changes: vec![LeverChange {
                key: "train.per_device_train_batch_size".into(),
                from: 4.into(),
                to: 2.into(),
            }],
            predicted_peak_bytes: 325 * MIB,
            price: "a little more time".into(),
            fits: Some(true),
            ..Lever::default()
        });
    });
    compare_at_all_sizes("plan-too-large", &state);
    let ascii = text(&draw(&state, &theme("mono", GlyphSet::Ascii), 80, 24));
    assert!(ascii.is_ascii(), "{ascii}");
    compare("plan-ascii-80x24", &ascii);
    let frame = text(&draw(&with_figures(None), &theme("dark", GlyphSet::Braille), 80, 24));
    assert!(frame.contains("peak 447 MiB, the limit is unknown"), "{frame}");
}

#[test]
fn what_is_turned_shows_its_change_at_once() {
    let mut state = with_figures(Some(400 * MIB));
    press(&mut state, Key::Left);
    press(&mut state, Key::Down);
    (0..3).for_each(|_| press(&mut state, Key::Left));
    figures(&mut state, |f| {
        f.before = plan(BEFORE, &phases(447), Some(400 * MIB));
        f.now = plan(NOW, &phases(325), Some(400 * MIB));
        f.rows_cut = 12;
        f.helps = None;
    });
    compare_at_all_sizes("plan-turned", &state);
}

#[test]
fn what_is_done_elsewhere_stands_on_one_scale_with_its_formula_on_demand() {
    let mut state = with_figures(Some(2 * GIB));
    press(&mut state, Key::Tab);
    press(&mut state, Key::Down);
    compare_at_all_sizes("plan-elsewhere", &state);
    press(&mut state, Key::Enter);
    let frame = text(&draw(&state, &theme("dark", GlyphSet::Braille), 80, 24));
    assert!(frame.contains("49152 vocabulary x 4 bytes"), "{frame}");
    compare_at_all_sizes("plan-formula", &state);
}

#[test]
fn until_it_is_read_the_page_says_so_and_why_where_it_cannot_be() {
    let mut state = State::ready(fixture::page());
    let effects = update(&mut state, Message::Key(Key::Char('M')));
    compare_at_all_sizes("plan-reading", &state);
    let why = "The model is not here yet, so its bytes are not known: leave this page, and Enter fetches it.\u{1b}[31m";
    update(&mut state, Message::Planned { ticket: ticket(&effects) + 1, result: Err("an older question".into()) });
    update(&mut state, Message::Planned { ticket: ticket(&effects), result: Err(why.into()) });
    compare_at_all_sizes("plan-unknown", &state);
    // Levers may be turned all the same.
    press(&mut state, Key::Left);
    press(&mut state, Key::Char('a'));
    let entry = state.page.as_ref().and_then(|page| page.entry()).expect("the demo");
    let train = &entry.config().expect("settings").train;
    assert_eq!((train.per_device_train_batch_size, train.gradient_accumulation_steps), (2, 8));
}

#[test]
fn turning_lowers_the_peak_and_what_was_turned_becomes_settings() {
    let mut state = opened(fixture::page());
    let before = peak(&state);
    press(&mut state, Key::Left);
    assert!(peak(&state) < before, "fewer rows at once");
    press(&mut state, Key::Right);
    assert_eq!(peak(&state), before);
    press(&mut state, Key::Right);
    assert!(peak(&state) > before);
    press(&mut state, Key::Char('u'));
    assert_eq!(peak(&state), before);
    // Nothing was changed: there is nothing to apply.
    press(&mut state, Key::Char('a'));
    assert!(state.plan_page().is_some() && state.notice.as_ref().is_some_and(|n| n.text == "nothing was changed"));
    // lora and keep belong together, as qlora and q8_0 do: both go into the settings at once.
    keys(&mut state, "jjjj");
    press(&mut state, Key::Left);
    keys(&mut state, "jj");
    press(&mut state, Key::Left);
    press(&mut state, Key::Enter);
    assert!(state.plan_page().is_none() && state.overlay.is_none(), "the demo is no file");
    let entry = state.page.as_ref().and_then(|page| page.entry()).expect("the demo");
    assert_eq!((entry.edits(), *entry.target() == Target::Demo), (2, true));
    assert!(entry.planned().is_some_and(|plan| plan.limit_bytes == Some(22 * GIB)), "and the page knows what it needs");
    let frame = text(&draw(&state, &theme("dark", GlyphSet::Braille), 80, 24));
    assert!(frame.contains("✓  memory  peak") && frame.contains("fits") && frame.contains("M shows where"), "{frame}");
    // It is read once.
    assert_eq!(update(&mut state, Message::Key(Key::Char('M'))), []);
    keys(&mut state, "jjjjll");
    press(&mut state, Key::Char('a'));
    let entry = state.page.as_ref().and_then(|page| page.entry()).expect("the demo");
    let adapter = &entry.config().expect("settings in order").adapter;
    assert_eq!(format!("{:?} {:?}", adapter.method, adapter.quantization), "Lora Keep");
}

#[test]
fn a_file_of_the_users_own_is_written_only_after_a_yes() {
    let mut state = asked_about_a_file();
    assert_eq!(state.overlay, Some(Overlay::Ask(Question::WriteFile)));
    compare_at_all_sizes("plan-write", &state);
    let mut no = state.clone();
    assert_eq!(update(&mut no, Message::Key(Key::Char('n'))), []);
    assert_eq!(no.page.as_ref().and_then(|p| p.entry()).map(|e| e.edits()), Some(2), "the next start takes them");
    let effects = update(&mut state, Message::Key(Key::Char('y')));
    let [Effect::WriteSettings { path, settings }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(path.to_str(), Some("listings.toml"));
    let told: Vec<String> = settings.iter().map(|(s, n, v)| format!("{s}.{n}={v}")).collect();
    assert_eq!(told, ["train.per_device_train_batch_size=2", "train.gradient_accumulation_steps=8"]);
    let effects = update(&mut state, Message::SettingsWritten { result: Ok("listings.toml".into()) });
    assert_eq!(effects, [Effect::Discover]);
}

#[test]
fn esc_leaves_everything_as_it_was_and_a_run_on_disk_cannot_be_changed() {
    let mut state = opened(fixture::page());
    press(&mut state, Key::Left);
    press(&mut state, Key::Esc);
    assert!(state.plan_page().is_none());
    assert_eq!(state.page.as_ref().and_then(|p| p.entry()).map(|e| e.edits()), Some(0));
    let mut state = State::ready(fixture::full_page());
    keys(&mut state, "jjjj");
    press(&mut state, Key::Char('M'));
    press(&mut state, Key::Left);
    let told = state.notice.as_ref().map(|n| n.text.clone());
    assert_eq!(told.as_deref(), Some("a run's settings stay as it began"));
    // One that is broken has no plan.
    let mut state = State::ready(fixture::full_page());
    keys(&mut state, "jjM");
    assert!(state.plan_page().is_none() && state.notice.is_some());
}

#[test]
fn what_is_read_quickly_is_read_unasked() {
    let mut state = State::ready(fixture::page());
    let look = |bytes| finetop::ui::state::start::Look {
        model: finetop::ui::state::start::ModelPlace::Here { bytes },
        ..fixture::look()
    };
    let mut page = fixture::page();
    page.entries[0].look = None;
    let mut fresh = State::ready(page);
    let effects = update(&mut fresh, Message::Tick(finetop::ui::Clock { ms: 1_000, unix_ms: 0 }));
    let Some(Effect::Look { ticket, .. }) = effects.first() else { panic!("{effects:?}") };
    let asked = update(&mut fresh, Message::Looked { ticket: *ticket, look: Box::new(look(1)) });
    assert!(matches!(asked[..], [Effect::Plan { .. }]), "{asked:?}");
    assert_eq!(update(&mut fresh, Message::Key(Key::Char('M'))), [], "and not twice at once");
    assert_eq!(update(&mut state, Message::Looked { ticket: 99, look: Box::new(look(1)) }), [], "an older look");
}
