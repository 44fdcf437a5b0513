//! `finetop watch`: a run's lines, from its beginning and then as they come, until it is over. The lines are made in `run::lines`.

use std::path::Path;
use std::time::Duration;

use super::{CliError, result, say};
use crate::event::RunEvent;
use crate::run::lines::Lines;
use crate::run::replay::{Follow, LogState};

const POLL: Duration = Duration::from_millis(200);

pub fn watch(run: &Path) -> Result<(), CliError> {
    let mut follow = Follow::open(run)?;
    let mut lines = Lines::default();
    let mut step = 0;
    loop {
        let mut heard = Ok(true);
        let more = follow.step(&mut |stamped| {
            if let RunEvent::StepDone(done) = &stamped.event {
                step = done.step;
            }
            for line in lines.of(&stamped) {
                if matches!(heard, Ok(true)) {
                    heard = result(line);
                }
            }
        })?;
        if !heard? {
            return Ok(());
        }
        if more {
            continue;
        }
        // Even after an end: somebody may be about to go on with it.
        if follow.is_live() {
            std::thread::sleep(POLL);
            continue;
        }
        match follow.state() {
            LogState::Interrupted => {
                for line in follow.killed().iter().flat_map(|stamped| lines.of(stamped)) {
                    result(line)?;
                }
                result(format_args!("interrupted after step {step}; `finetop train … --resume` goes on with it"))?;
            }
            LogState::Empty => {
                result("nothing was ever said in this run")?;
            }
            LogState::Live | LogState::Finished(_) => {}
        }
        break;
    }
    if follow.skipped() > 0 {
        say(format_args!("{} lines of the log were no event known to this version", follow.skipped()));
    }
    Ok(())
}
