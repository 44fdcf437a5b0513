//! `finetop eval`: the loss of a split and the scores of its generated texts, of the base model or with an adapter. They are computed in `evaluate`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::evaluate::{AdapterChoice, EvalRequest, Evaluated, Metric, evaluate};
use super::{CliError, Overrides, result, run_folder};
use crate::config::parse;
use crate::run::after_training::{base_loss, eval_loss};
use crate::run::{reports, store};
use crate::units::{format_duration, printable};

#[derive(Debug, Args)]
pub struct EvalArguments {
    /// A configuration file, or a run's folder or name
    #[arg(value_name = "FILE|RUN")]
    target: PathBuf,
    /// none, best, last, or a folder; by default the best of a run, and none with a file
    #[arg(long, value_name = "none|best|last|DIR")]
    adapter: Option<String>,
    #[arg(long, value_enum, default_value_t = Split::Eval)]
    split: Split,
    /// What to compute
    #[arg(long, value_enum, value_delimiter = ',', default_value = "loss")]
    metrics: Vec<Metric>,
    /// Generate anew what a report has already
    #[arg(long)]
    again: bool,
    /// One JSON object instead of lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    overrides: Overrides,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Split {
    Eval,
    Test,
}

pub fn eval(arguments: EvalArguments) -> Result<(), CliError> {
    let request = resolve(&arguments)?;
    let evaluated = evaluate(&request)?;
    if arguments.json {
        result(serde_json::to_string(&evaluated).map_err(|e| CliError::Failed(e.to_string()))?)?;
    } else {
        result(lines(&evaluated))?;
    }
    Ok(())
}

fn resolve(arguments: &EvalArguments) -> Result<EvalRequest, CliError> {
    let target = run_folder(arguments.target.clone());
    let run = store::is_run(&target).then_some(target.as_path());
    let file = if run.is_some() { target.join("config.toml") } else { target.clone() };
    let config = parse::load(&file, &arguments.overrides.set)?;
    let adapter = adapter(arguments.adapter.as_deref(), run, config.train.load_best_model_at_end)?;
    let (split, rows) = match arguments.split {
        Split::Eval => ("eval", &config.data.eval),
        Split::Test => ("test", &config.data.test),
    };
    let Some(rows) = rows.clone() else {
        return Err(CliError::Usage(format!("{} has no data.{split}", file.display())));
    };
    let reports = run.map_or_else(|| config.log.dir.clone(), Path::to_path_buf).join(reports::FOLDER);
    let known_loss = match (run, adapter.step, &adapter.folder) {
        (Some(run), Some(step), _) => eval_loss(run, step),
        (Some(run), None, None) => base_loss(run),
        _ => None,
    };
    let (metrics, again) = (arguments.metrics.clone(), arguments.again);
    Ok(EvalRequest { config, adapter, split, rows, metrics, reports, known_loss, again })
}

/// The adapter that was asked for; of a run, what its `train.load_best_model_at_end` says.
fn adapter(asked: Option<&str>, run: Option<&Path>, best_by_default: bool) -> Result<AdapterChoice, CliError> {
    let none = AdapterChoice { name: "none".into(), folder: None, step: None };
    match (asked, run) {
        (Some("none"), _) | (None, None) => Ok(none),
        (Some(name @ ("best" | "last")), Some(run)) => checkpoint(run, name),
        (Some(name @ ("best" | "last")), None) => Err(CliError::Usage(format!(
            "--adapter {name} is a checkpoint of a run; name the run's folder instead of a configuration file"
        ))),
        (None, Some(run)) if best_by_default => checkpoint(run, "best").or_else(|_| checkpoint(run, "last")),
        (None, Some(run)) => checkpoint(run, "last"),
        (Some(folder), _) if Path::new(folder).is_dir() => {
            Ok(AdapterChoice { name: folder.into(), folder: Some(folder.into()), step: None })
        }
        (Some(other), _) => {
            Err(CliError::Usage(format!("--adapter {other}: expected none, best, last or a folder with an adapter")))
        }
    }
}

fn checkpoint(run: &Path, name: &str) -> Result<AdapterChoice, CliError> {
    let Some(step) = store::linked(run, name) else {
        return Err(CliError::Usage(format!("{} has no {name} checkpoint", run.display())));
    };
    let folder = run.join(store::checkpoint_name(step));
    Ok(AdapterChoice { name: name.into(), folder: Some(folder), step: Some(step) })
}

fn lines(evaluated: &Evaluated) -> String {
    let Evaluated { eval_loss, target_tokens, rows, split, duration_us, scores, report, .. } = evaluated;
    let took = format_duration(*duration_us as f64 / 1e6);
    let adapter = printable(&evaluated.adapter);
    let skipped = evaluated.rows_skipped.filter(|n| *n > 0).map_or_else(String::new, |n| format!(", {n} left out"));
    let of = format!("({rows} rows of {split}{skipped}, adapter {adapter}, {took})");
    let mut lines = Vec::new();
    if let (Some(loss), Some(targets)) = (eval_loss, target_tokens) {
        lines.push(format!("eval_loss {loss:.4} nats per token over {targets} target tokens {of}"));
    }
    lines.extend(scores.iter().map(|score| score.line()));
    if let Some(report) = report {
        lines.push(format!("{} {of}", printable(&report.display().to_string())));
    }
    lines.join("\n")
}
