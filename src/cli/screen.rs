//! The screen and the engine brought together: what the start page asks for, what Enter starts, what happens when the screen is gone.
//! The screen itself is `app` and `ui`; a run without one is in `train` and `watch`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::signals::StopOnSignals;
use super::train::{Place, Plan, name_of, resumed, told, without_screen};
use super::{CliError, discover, ground, result_path, say};
use crate::app::environment::TerminalEnvironment;
use crate::app::{self, EndReason, Launched, Launcher, Screen, ScreenEnded};
use crate::config::parse;
use crate::event::{Command, CommandRequest};
use crate::model::source::{self, Progress, Source};
use crate::run::recovery::Interactive;
use crate::run::worker::{self, Ending, Running};
use crate::run::{attach, replay, store, training};
use crate::ui::Fetching;
use crate::ui::state::StartPage;
use crate::ui::state::plan::Ground;
use crate::ui::state::start::{Entry, Look, StartRequest, Target};
use crate::units::printable;

/// Starts what the page asks for, once or again after it failed to start, and looks around for the page.
struct Starter {
    /// Where the program was started.
    here: PathBuf,
    /// What the command line asked for.
    given: Mutex<Option<Plan>>,
    /// The configuration that the command line named, for the list.
    named: Option<StartRequest>,
    /// Runs of this process, the newest last.
    runs: Arc<Mutex<Vec<OwnRun>>>,
    /// Why the last try to start came to nothing.
    failed: Mutex<Option<CliError>>,
    /// Held while a run is being started.
    at_work: Mutex<()>,
    /// Whether the screen is there to be asked.
    interactive: Interactive,
}

/// The run of this process, while its thread lives and after.
struct OwnRun {
    folder: PathBuf,
    running: Option<Running>,
    ending: Option<Ending>,
}

impl OwnRun {
    /// How it ended; waits for that.
    fn ending(&mut self) -> Option<&Ending> {
        if let Some(running) = self.running.take() {
            self.ending = Some(running.wait());
        }
        self.ending.as_ref()
    }
}

fn held<T>(slot: &Mutex<T>) -> MutexGuard<'_, T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Launcher for Starter {
    fn start(
        &self,
        request: &StartRequest,
        progress: &dyn Fn(Fetching),
        cancel: &AtomicBool,
    ) -> Result<Launched, String> {
        self.launch(request, progress, cancel).map_err(|e| {
            let told = e.to_string();
            *held(&self.failed) = Some(e);
            told
        })
    }

    fn open(&self, run: &Path) -> Result<Launched, String> {
        opened(run).map_err(|e| e.to_string())
    }

    fn entries(&self) -> Option<Vec<Entry>> {
        Some(discover::entries(&self.here, self.named.as_ref()))
    }

    fn ground(&self, request: &StartRequest) -> Result<Ground, String> {
        ground::of(request)
    }

    fn look(&self, request: &StartRequest, cancel: &AtomicBool) -> Option<Look> {
        discover::look(request, cancel)
    }
}

impl Starter {
    fn new(given: Option<Plan>, named: Option<StartRequest>) -> Result<Self, CliError> {
        let here = std::env::current_dir().map_err(|e| CliError::Failed(format!("the current folder: {e}")))?;
        Ok(Starter {
            here,
            given: Mutex::new(given),
            named,
            runs: Arc::default(),
            failed: Mutex::default(),
            at_work: Mutex::default(),
            interactive: Interactive::new(true.into()),
        })
    }

    /// What the page asks for, as a run that is decided on.
    fn plan(&self, request: &StartRequest) -> Result<Plan, CliError> {
        if let Target::Run(folder) = &request.target {
            return resumed(folder);
        }
        let StartRequest { text, file_name, base_dir, overrides, .. } = request;
        let config = parse::from_toml(text, file_name, base_dir, overrides)?;
        let dir = config.log.dir.clone();
        let new = |name: String, demo| Plan {
            place: Place::New { dir: dir.clone(), name },
            config: config.clone(),
            init_adapter: None,
            demo,
        };
        match &request.target {
            // Somebody who named another model wants that one and no other.
            Target::Demo => Ok(new("demo".into(), config.model.source == source::demo_wheel().to_string())),
            Target::File(path) => Ok(new(name_of(path), false)),
            Target::Given | Target::Run(_) => {
                let mut slot = held(&self.given);
                let Some(given) = slot.take() else { return Err(CliError::Failed("there is nothing to start".into())) };
                // Whatever comes of it before the first event, the same plan may be tried again.
                *slot = Some(given.again());
                let place = match given.place {
                    Place::New { name, .. } => Place::New { dir: dir.clone(), name },
                    // A run took place there; another one gets a folder of its own.
                    Place::At(path) if path.exists() && store::is_run(&path) => {
                        Place::New { dir: dir.clone(), name: name_of(&path) }
                    }
                    place => place,
                };
                Ok(Plan { config, place, init_adapter: given.init_adapter, demo: given.demo })
            }
        }
    }

    fn launch(
        &self,
        request: &StartRequest,
        progress: &dyn Fn(Fetching),
        cancel: &AtomicBool,
    ) -> Result<Launched, CliError> {
        let _at_work = held(&self.at_work);
        *held(&self.failed) = None;
        let mut plan = self.plan(request)?;
        plan.has_its_data()?;
        let mut told = |p: Progress| progress(Fetching { what: p.what, done: p.done_bytes, total: p.total_bytes });
        let files = if plan.demo {
            source::demo_source(&mut told, cancel).map_err(|e| CliError::Failed(e.to_string()))?
        } else {
            let resolved =
                Source::parse(&plan.config.model.source).and_then(|s| source::resolve(&s, &mut told, cancel));
            resolved.map_err(|e| CliError::Usage(e.to_string()))?
        };
        if plan.demo {
            plan.config.model.source = files.source.to_string();
        }
        let folder = plan.place.folder(&plan.config, plan.init_adapter.as_deref())?;
        let path = folder.path().to_path_buf();
        let job = training::job(plan.config, files, plan.init_adapter, self.interactive.clone());
        let (handle, running) = worker::start(folder, job)?;
        // What cannot be read back is missing on the screen, no more.
        let history = replay::before(&path, running.first_seq).ok().filter(|_| running.first_seq > 0);
        held(&self.runs).push(OwnRun { folder: path.clone(), running: Some(running), ending: None });
        let (runs, own) = (self.runs.clone(), path.clone());
        let cause = move || {
            let mut runs = held(&runs);
            let run = runs.iter_mut().rfind(|run| run.folder == own)?;
            run.ending()?.error.as_ref().map(ToString::to_string)
        };
        Ok(Launched { handle, folder: path, history, cause: Some(Box::new(cause)) })
    }
}

/// The start page: the demo, configurations and runs of this folder. `Err` gives the reason to go on without a screen.
pub fn home() -> Result<(), CliError> {
    let environment = TerminalEnvironment::detect();
    let starter = Starter::new(None, None)?;
    let page = StartPage::new(discover::entries(&starter.here, None));
    show(page, starter, false, &environment)
}

/// Shows a planned run on the screen and starts it. When the screen ends before the run, the run goes on without one
/// or stops with a checkpoint, as whatever ended the screen asks for.
pub fn train(plan: Plan, mut request: StartRequest) -> Result<(), CliError> {
    let environment = TerminalEnvironment::detect();
    if !environment.can_draw {
        return without_screen(plan);
    }
    let title = match &plan.place {
        Place::New { name, .. } => name.clone(),
        Place::At(path) | Place::Reopened(path) => path.display().to_string(),
        Place::Again(folder) => folder.run_id(),
    };
    let resumes = matches!(plan.place, Place::Again(_) | Place::Reopened(_));
    let named = (!resumes).then(|| request.clone());
    request.target = Target::Given;
    let mut entry = Entry::new(title, request);
    entry.editable = !resumes;
    show(StartPage::new(vec![entry]), Starter::new(Some(plan), named)?, true, &environment)
}

/// Shows the page until the screen ends, and waits for what it leaves running.
fn show(page: StartPage, starter: Starter, at_once: bool, environment: &TerminalEnvironment) -> Result<(), CliError> {
    let starter = Arc::new(starter);
    let screen = Screen::Start { page: Box::new(page), launcher: starter.clone(), at_once };
    let ended = app::run(screen, environment);
    starter.interactive.store(false, Relaxed);
    let ended = ended.map_err(|e| CliError::Failed(e.to_string()))?;
    // The thread that starts a run may still be at it.
    drop(held(&starter.at_work));
    let mut runs = std::mem::take(&mut *held(&starter.runs));
    let own = runs.pop();
    say_left(&ended);
    // Runs before the last one were seen to their end, or cancelled; one that was gone on with is told once.
    let mut before: Vec<&PathBuf> = Vec::new();
    for run in runs.iter().filter(|run| run.running.as_ref().is_none_or(Running::is_over)) {
        let last = own.as_ref().is_some_and(|own| own.folder == run.folder);
        if !last && !before.contains(&&run.folder) && run.folder.exists() {
            result_path(&run.folder)?;
            before.push(&run.folder);
        }
    }
    // A run that came about and failed before its first event has its error in its own ending.
    let failed = held(&starter.failed).take().filter(|_| ended.start_error.is_some());
    let mut own = match (own, failed) {
        (Some(own), None) => own,
        (own, Some(e)) => {
            own.map_or(Ok(true), |own| result_path(&own.folder))?;
            return Err(e);
        }
        (None, None) => return ended.start_error.map_or(Ok(()), |why| Err(CliError::Failed(why))),
    };
    let left = ended.run.as_ref().filter(|run| run.owned);
    if ended.reason == EndReason::Quit && left.is_some_and(|run| !run.ended) {
        // Asked, and answered: what is saved is whole, the rest is dropped with this process.
        return Ok(());
    }
    // A run of another process that was only looked at is told nothing.
    let commands = left.map(|run| run.handle.commands.clone());
    if let (EndReason::Terminated(_), Some(commands)) = (&ended.reason, &commands) {
        let _ = commands.send(CommandRequest { command: Command::Stop, reply: None });
    }
    let signals_so_far = match ended.reason {
        EndReason::Quit => None,
        EndReason::TerminalGone | EndReason::Crashed(_) => Some(0),
        EndReason::Terminated(_) => Some(1),
    };
    let _signals = commands.zip(signals_so_far).map(|(commands, said)| StopOnSignals::start_after(said, commands));
    own.ending();
    own.ending.map_or(Ok(()), |ending| told(&own.folder, ending))
}

fn opened(run: &Path) -> Result<Launched, CliError> {
    store::must_be_run(run)?;
    Ok(Launched { handle: attach(run)?, folder: run.to_path_buf(), history: None, cause: None })
}

/// Shows a run that is there already, live or finished.
pub fn watch(run: &Path) -> Result<(), CliError> {
    let environment = TerminalEnvironment::detect();
    if !environment.can_draw {
        return super::watch::watch(run);
    }
    let ended = app::run(Screen::Run { run: opened(run)?, owned: false }, &environment);
    say_left(&ended.map_err(|e| CliError::Failed(e.to_string()))?);
    Ok(())
}

fn say_left(ended: &ScreenEnded) {
    ended.stray.lines().for_each(say);
    if let Some(run) = &ended.run {
        run.summary.iter().for_each(say);
    }
    if let EndReason::Crashed(what) = &ended.reason {
        say(format_args!("the screen broke: {}; a run of this process goes on without it", printable(what)));
    }
}
