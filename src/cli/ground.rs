//! What the screen's memory plan of an entry stands on: the model's header and the rows' lengths, read where the model is here already. Nothing
//! is fetched for it. `finetop plan`, which may fetch, is in `plan`.

use std::sync::atomic::AtomicBool;

use crate::config::parse;
use crate::model::device_memory;
use crate::model::source::{self, Location, Source};
use crate::task;
use crate::ui::state::plan::Ground;
use crate::ui::state::start::StartRequest;

use super::train::data_is_there;

/// # Errors
/// Why there is nothing to plan with, for a person.
pub fn of(request: &StartRequest) -> Result<Ground, String> {
    let StartRequest { text, file_name, base_dir, overrides, .. } = request;
    let config = parse::from_toml(text, file_name, base_dir, overrides).map_err(|e| e.to_string())?;
    data_is_there(&config).map_err(|e| e.to_string())?;
    let source = Source::parse(&config.model.source).map_err(|e| e.to_string())?;
    let never = AtomicBool::new(false);
    match source::locate(&source, &never).map_err(|e| e.to_string())? {
        Location::Here { .. } => {}
        Location::Missing { .. } => {
            return Err(
                "The model is not here yet, so its bytes are not known: leave this page, and Enter fetches it.".into(),
            );
        }
    }
    let files = source::resolve(&source, &mut |_| {}, &never).map_err(|e| e.to_string())?;
    let subject = task::plan::subject(&files, &config).map_err(|e| e.to_string())?;
    Ok(Ground {
        subject: subject.into(),
        auto_limit_bytes: device_memory::room_bytes(),
        source: config.model.source,
        train: config.data.train,
        eval: config.data.eval,
        test: config.data.test,
    })
}
