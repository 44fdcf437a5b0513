//! `finetop train`, and the demo: which folder, which settings, then the run and its lines until the end.
//! What is computed is made in `engine`, the thread it is computed on in `run::worker`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use super::engine::{self, TrainRequest};
use super::signals::StopOnSignals;
use super::{CliError, Overrides, result_path, run_folder, say, screen};
use crate::app::TerminalEnvironment;
use crate::config::RunConfig;
use crate::config::parse::{self, Difference};
use crate::config::settings::settings;
use crate::event::{FinishReason, OutOfMemory, RunEvent, RunFinished};
use crate::memory::{lever, probe};
use crate::run::lines::Lines;
use crate::run::post_mortem::post_mortem;
use crate::run::recovery::{Interactive, explained, set_argument};
use crate::run::replay;
use crate::run::store::{self, RunFolder};
use crate::run::worker::{self, Job, JobError};
use crate::task;
use crate::ui::state::start::{StartRequest, Target};
use crate::units::printable;

#[derive(Debug, Args)]
pub struct TrainArguments {
    /// The configuration; with --resume also a run's folder or name
    file: PathBuf,
    #[command(flatten)]
    overrides: Overrides,
    /// Plain lines instead of the screen
    #[arg(long)]
    headless: bool,
    /// The run's own folder, instead of a new one under log.dir
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Start from this adapter instead of a new one
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    init_adapter: Option<PathBuf>,
    /// Go on with a run from its last checkpoint: that of --run-dir, of FILE if it is a run, else the newest of this FILE
    #[arg(long)]
    resume: bool,
    /// Apply a lever of the run's last out-of-memory before going on, by its id
    #[arg(long, value_name = "ID", requires = "resume")]
    lever: Option<String>,
}

/// A run that is ready to be started.
pub struct Ready {
    pub folder: RunFolder,
    pub job: Job,
}

/// A run that is decided on: nothing was fetched, nothing written.
pub struct Plan {
    pub config: RunConfig,
    pub place: Place,
    pub init_adapter: Option<PathBuf>,
    /// The demo may take its model from wherever it is found.
    pub demo: bool,
}

/// Where a run is to live.
pub enum Place {
    New {
        dir: PathBuf,
        name: String,
    },
    At(PathBuf),
    Again(Box<RunFolder>),
    /// One that was begun before and is to be opened anew.
    Reopened(PathBuf),
}

impl Plan {
    /// The same plan for another try.
    pub fn again(&self) -> Plan {
        Plan {
            config: self.config.clone(),
            place: self.place.again(),
            init_adapter: self.init_adapter.clone(),
            demo: self.demo,
        }
    }

    /// Whether the rows to learn from are there: asked before a model is fetched for them.
    /// # Errors
    /// The setting, the file, and what the system says of it.
    pub fn has_its_data(&self) -> Result<(), CliError> {
        data_is_there(&self.config)
    }

    /// Fetches the model where need be, telling progress on standard error, and makes the run's folder.
    fn ready(self) -> Result<Ready, CliError> {
        self.has_its_data()?;
        let (job, config) = if self.demo {
            engine::demo_job(self.config)?
        } else {
            let (config, init_adapter) = (self.config.clone(), self.init_adapter.clone());
            let request = TrainRequest { config, init_adapter, interactive: Interactive::default() };
            (engine::train_job(request)?, self.config)
        };
        Ok(Ready { folder: self.place.folder(&config, self.init_adapter.as_deref())?, job })
    }
}

/// Whether the files of `data.train` and `data.eval` are there.
/// # Errors
/// The setting, the file, and what the system says of it.
pub fn data_is_there(config: &RunConfig) -> Result<(), CliError> {
    for (name, path) in [("train", Some(&config.data.train)), ("eval", config.data.eval.as_ref())] {
        if let Some(Err(e)) = path.map(std::fs::metadata) {
            let path = path.map(|path| path.display().to_string()).unwrap_or_default();
            return Err(CliError::Usage(format!("data.{name}: {path}: {e}")));
        }
    }
    Ok(())
}

impl Place {
    /// The same place for another try.
    pub fn again(&self) -> Place {
        match self {
            Place::New { dir, name } => Place::New { dir: dir.clone(), name: name.clone() },
            Place::At(path) => Place::At(path.clone()),
            Place::Again(folder) => Place::Reopened(folder.path().to_path_buf()),
            Place::Reopened(path) => Place::Reopened(path.clone()),
        }
    }

    /// Makes or opens the folder.
    pub fn folder(self, config: &RunConfig, init_adapter: Option<&Path>) -> Result<RunFolder, CliError> {
        let folder = match self {
            Place::New { dir, name } => RunFolder::create(&dir, &name, unix_ms(), config)
                .map_err(|e| CliError::Usage(format!("log.dir {}: no run can be made there: {e}", dir.display())))?,
            Place::At(path) => RunFolder::create_at(&path, config)?,
            Place::Again(folder) => return Ok(*folder),
            Place::Reopened(path) => return Ok(RunFolder::open(&path)?),
        };
        if let Some(adapter) = init_adapter {
            folder.set_init_adapter(adapter)?;
        }
        Ok(folder)
    }
}

pub fn train(arguments: TrainArguments) -> Result<(), CliError> {
    let screen = !arguments.headless && on_terminal();
    let plan = if arguments.resume { again(&arguments)? } else { Some(new(&arguments)?) };
    match plan {
        Some(plan) if screen => {
            let request = request(&arguments, &plan)?;
            screen::train(plan, request)
        }
        Some(plan) => without_screen(plan),
        None => Ok(()),
    }
}

/// The demo: the start page, where it is ready to start, or without a terminal its lines.
pub fn demo(headless: bool) -> Result<(), CliError> {
    if !headless && on_terminal() && TerminalEnvironment::detect().can_draw {
        return screen::home();
    }
    let config = engine::demo_config()?;
    let place = Place::New { dir: config.log.dir.clone(), name: "demo".into() };
    without_screen(Plan { config, place, init_adapter: None, demo: true })
}

/// Whether there is a terminal to draw on and to read keys from.
pub fn on_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

fn new(arguments: &TrainArguments) -> Result<Plan, CliError> {
    let config = parse::load(&arguments.file, &arguments.overrides.set)?;
    let init_adapter = match &arguments.init_adapter {
        Some(adapter) => Some(std::fs::canonicalize(adapter).map_err(|e| {
            CliError::Usage(format!("--init-adapter {}: expected a folder with an adapter: {e}", adapter.display()))
        })?),
        None => None,
    };
    let place = match &arguments.run_dir {
        Some(folder) if folder.exists() => {
            return Err(RunFolder::create_at(folder, &config)
                .map(drop)
                .map_or_else(CliError::from, |()| CliError::Usage(format!("{} exists already", folder.display()))));
        }
        Some(folder) => Place::At(folder.clone()),
        None => Place::New { dir: config.log.dir.clone(), name: name_of(&arguments.file) },
    };
    Ok(Plan { config, place, init_adapter, demo: false })
}

/// A run that was begun before, with its own settings; none if there is nothing left to do.
fn again(arguments: &TrainArguments) -> Result<Option<Plan>, CliError> {
    let path = find(arguments)?;
    let folder = RunFolder::open(&path)?;
    let own = folder.config()?;
    let levered = arguments.lever.as_deref().map(|id| with_lever(&own, id, &folder)).transpose()?;
    let config = overridden(levered.as_ref().unwrap_or(&own), arguments, folder.path())?;
    if let Some(finished) = replay::finished(folder.path())?
        && finished.reason == FinishReason::Completed
    {
        say(printable(&format!("{} has completed its {} steps", folder.path().display(), finished.steps)));
        result_path(folder.path())?;
        return Ok(None);
    }
    if config != own {
        folder.write_config(&config)?;
    }
    let init_adapter = folder.init_adapter();
    Ok(Some(Plan { config, place: Place::Again(Box::new(folder)), init_adapter, demo: false }))
}

/// The run's settings with a lever of its last out-of-memory.
fn with_lever(own: &RunConfig, id: &str, folder: &RunFolder) -> Result<RunConfig, CliError> {
    let wrong = |what: String| CliError::Usage(format!("--lever {id}: {what}"));
    let mut last = None;
    let mut steps = 0;
    replay::each(folder.path(), |stamped| match stamped.event {
        RunEvent::OutOfMemory(oom) => last = Some(oom),
        RunEvent::RunStarted(started) => steps = started.resumed_from.unwrap_or(0),
        RunEvent::StepDone(step) => steps = step.step,
        _ => {}
    })?;
    let oom = match killed(own, folder)? {
        Some(found) => found,
        None => *last.ok_or_else(|| wrong("this run has not been out of memory".into()))?,
    };
    let Some(lever) = oom.levers.iter().find(|l| l.id == id) else {
        let ids: Vec<&str> = oom.levers.iter().map(|l| l.id.as_str()).collect();
        return Err(wrong(format!("its last out-of-memory offered {}", ids.join(", "))));
    };
    let saved = folder.checkpoints().last().copied().unwrap_or(0);
    if lever.restarts && saved > 0 {
        let (run, set) =
            (folder.path().display(), lever.changes.iter().map(set_argument).collect::<Vec<_>>().join(" "));
        return Err(wrong(format!(
            "the adapter has learned {} steps and does not fit it; for a new run: finetop train {run}/config.toml {set}",
            steps.max(saved)
        )));
    }
    if lever.restarts && folder.init_adapter().is_some() {
        return Err(wrong("the run began with an adapter that was given, which does not fit it".into()));
    }
    if lever.rows_left_out > 0 && saved > 0 {
        let rows = lever.rows_left_out;
        return Err(wrong(format!(
            "{rows} rows would have no target left, and the others' places would not be the same"
        )));
    }
    let config = lever::changed(own, &lever.changes).map_err(wrong)?;
    for change in &lever.changes {
        say(printable(&format!("{id}: {} was {}, is now {}", change.key, change.from, change.to)));
    }
    Ok(config)
}

/// What killed the run, where its log ends without a word, with the levers that help.
fn killed(own: &RunConfig, folder: &RunFolder) -> Result<Option<OutOfMemory>, CliError> {
    let mut events = Vec::new();
    replay::each(folder.path(), |stamped| events.push(stamped))?;
    let Some(found) = post_mortem(&events, probe::cgroup_memory().and_then(|c| c.oom_kills)) else { return Ok(None) };
    let files = engine::fetch(&own.model.source)?;
    let subject = task::plan::subject(&files, own).map_err(|e| CliError::Usage(e.to_string()))?;
    Ok(Some(explained(found, &subject, own)))
}

/// A run of this folder, to be gone on with as it is.
/// # Errors
/// No run, one that somebody else writes, or one that is complete.
pub fn resumed(path: &Path) -> Result<Plan, CliError> {
    let folder = RunFolder::open(path)?;
    let config = folder.config()?;
    if let Some(RunFinished { reason: FinishReason::Completed, steps, .. }) = replay::finished(folder.path())? {
        return Err(CliError::Usage(format!("{} has completed its {steps} steps", folder.path().display())));
    }
    let init_adapter = folder.init_adapter();
    Ok(Plan { config, place: Place::Again(Box::new(folder)), init_adapter, demo: false })
}

/// What the start page needs to show the plan, and to start it again.
fn request(arguments: &TrainArguments, plan: &Plan) -> Result<StartRequest, CliError> {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    if arguments.resume {
        let (text, file_name) = (parse::to_toml(&plan.config)?, "config.toml".into());
        let base_dir = absolute(Path::new("."));
        return Ok(StartRequest { target: Target::Given, text, file_name, base_dir, overrides: Vec::new() });
    }
    let file = absolute(&arguments.file);
    Ok(StartRequest {
        text: parse::read(&file)?,
        file_name: arguments.file.display().to_string(),
        base_dir: file.parent().unwrap_or(Path::new("/")).to_path_buf(),
        target: Target::File(file),
        overrides: arguments.overrides.set.clone(),
    })
}

fn find(arguments: &TrainArguments) -> Result<PathBuf, CliError> {
    if let Some(folder) = &arguments.run_dir {
        return Ok(folder.clone());
    }
    let file = run_folder(arguments.file.clone());
    if file.is_dir() {
        return Ok(file);
    }
    if let Some(folder) = own_run(&file) {
        return Ok(folder.to_path_buf());
    }
    let config = parse::load(&file, &arguments.overrides.set)?;
    let name = name_of(&file);
    store::newest(&config.log.dir, &name).ok_or_else(|| {
        let dir = config.log.dir.display();
        CliError::Usage(format!("--resume: no run of {name} under {dir}; name one with --run-dir"))
    })
}

/// The run whose own `config.toml` this file is.
fn own_run(file: &Path) -> Option<&Path> {
    let folder = file.parent().filter(|_| file.file_name().is_some_and(|n| n == "config.toml"))?;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    store::is_run(folder).then_some(folder)
}

/// The run's own settings with what `--set` may change; what FILE says otherwise is told, not taken.
fn overridden(own: &RunConfig, arguments: &TrainArguments, run: &Path) -> Result<RunConfig, CliError> {
    let set = &arguments.overrides.set;
    let base = arguments.file.parent().unwrap_or(Path::new(""));
    let own_file = run.join("config.toml");
    let config = parse::from_toml(&parse::to_toml(own)?, &own_file.display().to_string(), base, set)?;
    let changed = parse::differences(own, &config);
    let fixed: Vec<&Difference> = changed.iter().filter(|d| !d.setting.free_on_resume).collect();
    if let Some(Difference { setting, first, second }) = fixed.first() {
        let free: Vec<String> = settings().iter().filter(|s| s.free_on_resume).map(|s| s.key()).collect();
        return Err(CliError::Usage(format!(
            "--resume cannot change {} from {first} to {second}: another adapter would come out; what may change is {}",
            setting.key(),
            free.join(", ")
        )));
    }
    let is_run = run_folder(arguments.file.clone()).is_dir() || own_run(&arguments.file).is_some();
    if !is_run {
        let file = parse::load(&arguments.file, set)?;
        for Difference { setting, first, second } in parse::differences(&config, &file) {
            let file = arguments.file.display();
            say(printable(&format!("{} stays {first} as the run began; {file} says {second}", setting.key())));
        }
    }
    Ok(config)
}

/// Runs a plan with plain lines.
pub fn without_screen(plan: Plan) -> Result<(), CliError> {
    to_the_end(plan.ready()?)
}

/// Runs to the end and tells its lines; the folder's path is the result.
fn to_the_end(Ready { folder, job }: Ready) -> Result<(), CliError> {
    let path = folder.path().to_path_buf();
    let history = replay::read(&path).map(|r| r.events).unwrap_or_default();
    let (handle, running) = worker::start(folder, job)?;
    let signals = StopOnSignals::start(handle.commands.clone());
    if let Err(e) = &signals {
        say(format_args!("signals end this run without a checkpoint: {e}"));
    }
    let mut lines = Lines::default();
    lines.remember(&history);
    for stamped in handle.events {
        lines.of(&stamped).into_iter().for_each(say);
    }
    told(&path, running.wait())
}

/// What is left to say when a run is over.
pub fn told(path: &Path, ending: worker::Ending) -> Result<(), CliError> {
    let Some(finished) = ending.finished else {
        return ending.error.map_or(Ok(()), |e| Err(e.into()));
    };
    result_path(path)?;
    match (finished.reason, ending.error) {
        // The last line has told it.
        (FinishReason::Failed, Some(JobError::Input(_))) => Err(CliError::Told(2)),
        (FinishReason::Failed, _) => Err(CliError::Told(1)),
        (_, Some(e)) => Err(e.into()),
        (_, None) => Ok(()),
    }
}

/// What runs of a file are called.
pub fn name_of(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}
