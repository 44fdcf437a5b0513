//! `finetop plan`: the memory that a run will need, and whether it fits. It is worked out in `memory::plan` from what `task::plan` reads.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::train::data_is_there;
use super::{CliError, Overrides, engine, run_folder, written};
use crate::config::{MemoryLimit, RunConfig, parse};
use crate::memory::ledger::{ByCategory, ByPhase};
use crate::memory::lever::Lever;
use crate::memory::plan::{Basis, Elsewhere, LongestBatch, Plan, elsewhere, levers, plan};
use crate::model::device_memory;
use crate::run::recovery::set_argument;
use crate::run::store;
use crate::run::training::refuse_generated_metrics;
use crate::task;
use crate::units::{format_bytes, printable};

#[derive(Debug, Args)]
pub struct PlanArguments {
    /// The configuration, or a run's folder or name
    file: PathBuf,
    #[command(flatten)]
    overrides: Overrides,
    /// One JSON object instead of tables
    #[arg(long)]
    json: bool,
}

/// What `finetop plan --json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    schema: u32,
    peak_bytes: u64,
    limit_bytes: Option<u64>,
    fits: Option<bool>,
    headroom_bytes: Option<i64>,
    /// What this machine, or this cgroup, has for the run.
    room_bytes: Option<u64>,
    by_category: &'a ByCategory,
    by_phase: &'a ByPhase,
    longest_batch: LongestBatch,
    levers: &'a [Lever],
    elsewhere: &'a [Elsewhere],
    basis: Basis,
}

/// Widths of the plain output's bars and of their names.
const BAR: usize = 30;
const NAME: usize = 16;

pub fn command(arguments: PlanArguments) -> Result<(), CliError> {
    let target = run_folder(arguments.file.clone());
    let file = if store::is_run(&target) { target.join("config.toml") } else { arguments.file.clone() };
    let config = parse::load(&file, &arguments.overrides.set)?;
    data_is_there(&config)?;
    let files = engine::fetch(&config.model.source)?;
    let usage = |e: task::plan::PlanError| CliError::Usage(e.to_string());
    let subject = task::plan::subject(&files, &config).map_err(usage)?;
    task::plan::can_be_packed(&subject, &config).map_err(usage)?;
    refuse_generated_metrics(&config, &subject)?;
    let room = device_memory::room_bytes();
    let limit = config.memory.limit.or_room(room);
    let plan = plan(&subject, &config, limit);
    let (levers, elsewhere) = (levers(&subject, &config, limit), elsewhere(&subject, &config));
    let text = if arguments.json {
        let report = Report {
            schema: 1,
            peak_bytes: plan.peak_bytes,
            limit_bytes: plan.limit_bytes,
            fits: if lacks_room(&plan, room) { Some(false) } else { plan.fits() },
            headroom_bytes: plan.headroom_bytes(),
            room_bytes: room,
            by_category: &plan.by_category,
            by_phase: &plan.by_phase,
            longest_batch: plan.longest_batch,
            levers: &levers,
            elsewhere: &elsewhere,
            basis: plan.basis,
        };
        serde_json::to_string(&report).map_err(|e| CliError::Failed(e.to_string()))? + "\n"
    } else {
        page(&plan, (&config, room), &levers, &elsewhere)
    };
    written(&text).map(drop)
}

/// Whether the limit lets it, but not what is free here.
fn lacks_room(plan: &Plan, room: Option<u64>) -> bool {
    room.is_some_and(|room| plan.peak_bytes > room)
}

fn page(plan: &Plan, (config, room): (&RunConfig, Option<u64>), levers: &[Lever], elsewhere: &[Elsewhere]) -> String {
    let mut page = verdict(plan, &config.memory.limit, room);
    let basis = match plan.basis {
        Basis::Calibrated => "from formulas whose constants were measured on a CPU",
        Basis::Formula => {
            "from formulas alone, of the device's memory, the CUDA context included: nobody has measured this kind of device"
        }
        Basis::Fitted => "corrected by what this run's first steps measured",
    };
    let LongestBatch { rows, tokens, target_tokens } = plan.longest_batch;
    let _ = writeln!(page, "{basis}");
    let _ =
        writeln!(page, "\nlongest micro-batch: {rows} rows, {tokens} tokens, {target_tokens} of them with a target");
    let _ = writeln!(page, "\nat the peak, by category");
    plan.by_category.iter().for_each(|(c, bytes)| page.push_str(&bar(c.name(), *bytes, plan.peak_bytes)));
    let _ = writeln!(page, "\nthe highest of each phase");
    plan.by_phase.iter().for_each(|(p, bytes)| page.push_str(&bar(p.name(), *bytes, plan.peak_bytes)));
    if !levers.is_empty() {
        let _ = writeln!(page, "\nwhat lowers the peak, by what it costs the result");
    }
    for lever in levers {
        let verdict = match lever.fits {
            Some(true) => ", fits",
            Some(false) => ", not enough alone",
            None => "",
        };
        let begins_anew = if lever.restarts { "; an adapter that was begun does not fit it" } else { "" };
        let _ =
            writeln!(page, "  {:>9}{verdict}: {}{begins_anew}", format_bytes(lever.predicted_peak_bytes), lever.price);
        for change in &lever.changes {
            let _ = writeln!(page, "             {}", printable(&set_argument(change)));
        }
    }
    let _ = writeln!(page, "\nthe same run done otherwise");
    for way in elsewhere {
        let _ = writeln!(page, "  {:>9}  {}\n             {}", format_bytes(way.peak_bytes), way.name, way.formula);
    }
    page
}

/// The first line: whether it fits.
fn verdict(plan: &Plan, limit: &MemoryLimit, room: Option<u64>) -> String {
    let peak = format_bytes(plan.peak_bytes);
    if let (MemoryLimit::Bytes { text, .. }, Some(true), Some(room), true) =
        (limit, plan.fits(), room, lacks_room(plan, room))
    {
        return format!(
            "does not fit here: peak {peak}, {} are free, whatever memory.limit ({text}) says\n",
            format_bytes(room)
        );
    }
    let whose = match limit {
        MemoryLimit::Bytes { .. } => "memory.limit",
        MemoryLimit::Auto => "free here",
    };
    match (plan.limit_bytes, plan.headroom_bytes()) {
        (Some(limit), Some(left)) if left >= 0 => {
            format!("fits: peak {peak} of {} ({whose}), {} left\n", format_bytes(limit), format_bytes(left as u64))
        }
        (Some(limit), Some(left)) => {
            let over = format_bytes(left.unsigned_abs());
            format!("does not fit: peak {peak} of {} ({whose}), {over} too many\n", format_bytes(limit))
        }
        _ => format!("peak {peak}; what is free here cannot be read\n"),
    }
}

fn bar(name: &str, bytes: u64, whole: u64) -> String {
    let filled = (bytes as f64 / whole.max(1) as f64 * BAR as f64).round() as usize;
    let (filled, share) = ("#".repeat(filled.min(BAR)), bytes as f64 / whole.max(1) as f64 * 100.0);
    format!("  {name:<NAME$} {:>9} {share:>4.0} %  {filled}\n", format_bytes(bytes))
}
