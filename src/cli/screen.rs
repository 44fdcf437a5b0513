//! The screen and the engine brought together: what the start page shows, what Enter starts, what happens when the screen is gone.
//! The screen itself is `app` and `ui`; a run without one is in `train` and `watch`.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::train::{Place, Plan, told};
use super::{CliError, say};
use crate::app::environment::TerminalEnvironment;
use crate::app::{self, EndReason, Launched, Launcher, Screen, ScreenEnded};
use crate::model::source::{self, Progress, Source};
use crate::run::worker::{self, Ending, Running};
use crate::run::{attach, store, training};
use crate::ui::message::Fetching;
use crate::ui::state::StartPage;

/// Starts the planned run, once or again after it failed to start.
struct Starter {
    plan: Mutex<Option<Plan>>,
    run: Arc<Mutex<Option<OwnRun>>>,
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
        let mut slot = held(&self.plan);
        let Some(plan) = slot.as_ref() else { return Err("the run was started already".into()) };
        let mut told = |p: Progress| progress(Fetching { what: p.what, done: p.done_bytes, total: p.total_bytes });
        let files = if plan.demo {
            source::demo_source(&mut told, cancel)
        } else {
            Source::parse(&plan.config.model.source).and_then(|s| source::resolve(&s, &mut told, cancel))
        };
        let files = files.map_err(|e| e.to_string())?;
        let Some(mut plan) = slot.take() else { return Err("the run was started already".into()) };
        if plan.demo {
            plan.config.model.source = files.source.to_string();
        }
        // If the folder cannot be made, the same plan may be tried again.
        let again = Plan {
            config: plan.config.clone(),
            place: plan.place.again(),
            init_adapter: plan.init_adapter.clone(),
            demo: plan.demo,
        };
        let folder = match plan.place.folder(&plan.config, plan.init_adapter.as_deref()) {
            Ok(folder) => folder,
            Err(e) => {
                *slot = Some(again);
                return Err(e.to_string());
            }
        };
        let path = folder.path().to_path_buf();
        let job = training::job(plan.config, files, plan.init_adapter);
        let (handle, running) = worker::start(folder, job).map_err(|e| e.to_string())?;
        *held(&self.run) = Some(OwnRun { folder: path.clone(), running: Some(running), ending: None });
        let run = self.run.clone();
        let cause = move || held(&run).as_mut()?.ending()?.error.as_ref().map(ToString::to_string);
        Ok(Launched { handle, folder: path, cause: Some(Box::new(cause)) })
    }
}

/// Shows a planned run on the screen, started `at_once` or on Enter, and waits for it when the screen ends before it.
pub fn train(plan: Plan, at_once: bool) -> Result<(), CliError> {
    let title = match &plan.place {
        _ if plan.demo => "demo run".to_owned(),
        Place::New { name, .. } => name.clone(),
        Place::At(path) => path.display().to_string(),
        Place::Again(folder) => folder.run_id(),
    };
    let page =
        StartPage { title, config: plan.config.clone(), model_place: None, planned_steps: None, rows: Vec::new() };
    let starter = Arc::new(Starter { plan: Mutex::new(Some(plan)), run: Arc::default() });
    let screen = Screen::Start { page: Box::new(page), launcher: starter.clone(), at_once };
    let ended = show(screen)?;
    after(&ended)?;
    let left = held(&starter.run).take();
    match left {
        Some(mut run) => {
            run.ending();
            run.ending.map_or(Ok(()), |ending| told(&run.folder, ending))
        }
        None => Ok(()),
    }
}

/// Shows a run that is there already, live or finished.
pub fn watch(run: &Path) -> Result<(), CliError> {
    store::must_be_run(run)?;
    let run = Launched { handle: attach(run)?, folder: run.to_path_buf(), cause: None };
    after(&show(Screen::Run { run, owned: false })?)
}

fn show(screen: Screen) -> Result<ScreenEnded, CliError> {
    app::run(screen, &TerminalEnvironment::detect()).map_err(|e| CliError::Failed(e.to_string()))
}

fn after(ended: &ScreenEnded) -> Result<(), CliError> {
    ended.stray.lines().for_each(say);
    if let Some(run) = &ended.run {
        run.summary.iter().for_each(say);
    }
    match &ended.reason {
        EndReason::Crashed(what) => {
            say(format_args!("the screen broke: {what}; a run of this process goes on without it"));
            Ok(())
        }
        EndReason::Quit | EndReason::TerminalGone | EndReason::Terminated(_) => Ok(()),
    }
}
