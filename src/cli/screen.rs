//! The screen and the engine brought together: what the start page shows, what Enter starts, what happens when the screen is gone.
//! The screen itself is `app` and `ui`; a run without one is in `train` and `watch`.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use super::signals::StopOnSignals;
use super::train::{Place, Plan, told, without_screen};
use super::{CliError, say};
use crate::app::environment::TerminalEnvironment;
use crate::app::{self, EndReason, Launched, Launcher, Screen, ScreenEnded};
use crate::event::{Command, CommandRequest, RunHandle, Stamped};
use crate::model::source::{self, Progress, Source};
use crate::run::worker::{self, Ending, Running};
use crate::run::{attach, replay, store, training};
use crate::ui::Fetching;
use crate::ui::state::StartPage;
use crate::units::printable;

/// Starts the planned run, once or again after it failed to start.
struct Starter {
    plan: Mutex<Option<Plan>>,
    run: Arc<Mutex<Option<OwnRun>>>,
    /// Why the last try to start came to nothing.
    failed: Mutex<Option<CliError>>,
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
    fn start(&self, progress: &dyn Fn(Fetching), cancel: &AtomicBool) -> Result<Launched, String> {
        self.launch(progress, cancel).map_err(|e| {
            let told = e.to_string();
            *held(&self.failed) = Some(e);
            told
        })
    }
}

impl Starter {
    fn launch(&self, progress: &dyn Fn(Fetching), cancel: &AtomicBool) -> Result<Launched, CliError> {
        *held(&self.failed) = None;
        let mut slot = held(&self.plan);
        let Some(plan) = slot.as_ref() else { return Err(CliError::Failed("the run was started already".into())) };
        let mut told = |p: Progress| progress(Fetching { what: p.what, done: p.done_bytes, total: p.total_bytes });
        let files = if plan.demo {
            source::demo_source(&mut told, cancel).map_err(|e| CliError::Failed(e.to_string()))?
        } else {
            let resolved =
                Source::parse(&plan.config.model.source).and_then(|s| source::resolve(&s, &mut told, cancel));
            resolved.map_err(|e| CliError::Usage(e.to_string()))?
        };
        let Some(mut plan) = slot.take() else { return Err(CliError::Failed("the run was started already".into())) };
        if plan.demo {
            plan.config.model.source = files.source.to_string();
        }
        // Whatever comes of it before the first event, the same plan may be tried again.
        *slot = Some(Plan {
            config: plan.config.clone(),
            place: plan.place.again(),
            init_adapter: plan.init_adapter.clone(),
            demo: plan.demo,
        });
        let folder = plan.place.folder(&plan.config, plan.init_adapter.as_deref())?;
        let path = folder.path().to_path_buf();
        let history = replay::read(&path).map(|r| r.events).unwrap_or_default();
        let job = training::job(plan.config, files, plan.init_adapter);
        let (handle, running) = worker::start(folder, job)?;
        let handle = after_history(history, handle);
        *held(&self.run) = Some(OwnRun { folder: path.clone(), running: Some(running), ending: None });
        let run = self.run.clone();
        let cause = move || held(&run).as_mut()?.ending()?.error.as_ref().map(ToString::to_string);
        Ok(Launched { handle, folder: path, cause: Some(Box::new(cause)) })
    }
}

/// Shows a planned run on the screen, started `at_once` or on Enter. When the screen ends before the run, the run goes on without one
/// or stops with a checkpoint, as whatever ended the screen asks for.
pub fn train(plan: Plan, at_once: bool) -> Result<(), CliError> {
    let environment = TerminalEnvironment::detect();
    if !environment.can_draw {
        return without_screen(plan);
    }
    let title = match &plan.place {
        _ if plan.demo => "demo run".to_owned(),
        Place::New { name, .. } => name.clone(),
        Place::At(path) => path.display().to_string(),
        Place::Again(folder) => folder.run_id(),
        Place::Reopened(path) => path.display().to_string(),
    };
    let page =
        StartPage { title, config: plan.config.clone(), model_place: None, planned_steps: None, rows: Vec::new() };
    let starter = Arc::new(Starter { plan: Mutex::new(Some(plan)), run: Arc::default(), failed: Mutex::default() });
    let screen = Screen::Start { page: Box::new(page), launcher: starter.clone(), at_once };
    let ended = app::run(screen, &environment).map_err(|e| CliError::Failed(e.to_string()))?;
    // The thread that starts a run may still be at it; it holds the plan meanwhile.
    drop(held(&starter.plan));
    let own = held(&starter.run).take();
    say_left(&ended);
    let Some(mut own) = own else {
        return match (held(&starter.failed).take(), ended.start_error) {
            (Some(e), Some(_)) => Err(e),
            (None, Some(why)) => Err(CliError::Failed(why)),
            (_, None) => Ok(()),
        };
    };
    let given_up = ended.reason == EndReason::Quit && ended.run.as_ref().is_some_and(|run| run.owned && !run.ended);
    if given_up {
        // Asked, and answered: what is saved is whole, the rest is dropped with this process.
        return Ok(());
    }
    let commands = ended.run.as_ref().map(|run| run.handle.commands.clone());
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

/// Shows a run that is there already, live or finished.
pub fn watch(run: &Path) -> Result<(), CliError> {
    let environment = TerminalEnvironment::detect();
    if !environment.can_draw {
        return super::watch::watch(run);
    }
    store::must_be_run(run)?;
    let run = Launched { handle: attach(run)?, folder: run.to_path_buf(), cause: None };
    let ended = app::run(Screen::Run { run, owned: false }, &environment);
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

/// What the run said before this process, then what it says now.
fn after_history(history: Vec<Stamped>, handle: RunHandle) -> RunHandle {
    let (sender, events) = mpsc::channel();
    let RunHandle { events: fresh, commands } = handle;
    std::thread::spawn(move || {
        for event in history.into_iter().chain(fresh) {
            // A screen that is gone is no reason to stop anything.
            if sender.send(event).is_err() {
                return;
            }
        }
    });
    RunHandle { events, commands }
}
