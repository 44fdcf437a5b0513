//! What the playground can choose from: schemas, adapters of the run, the configuration's own words, and the trials that were made.

use std::path::{Path, PathBuf};

use super::trials;
use crate::extract::provider::openai::Key;
use crate::run::store;
use crate::ui::Message;
use crate::ui::state::playground::trial::{Adapter, Finds, Quest, Unread};

/// A folder of schemas has no more files that anyone would choose from.
const MOST_SCHEMAS: usize = 100;
/// A schema of more bytes is none.
const LARGEST_SCHEMA: u64 = 1 << 20;

/// What the playground can choose from, as the answer to a question.
pub fn look(ticket: u64, quest: &Quest) -> Message {
    let mut finds = Finds {
        adapters: quest.run.as_deref().map(adapters).unwrap_or_default(),
        has_run: quest.run.is_some(),
        has_key: std::env::var("OPENAI_API_KEY").is_ok_and(|key| Key::new(&key).is_some()),
        ..Finds::default()
    };
    let mut own = |path: &Path, unread: &mut Option<String>| match small_text(path) {
        Ok(text) => Some(text),
        Err(why) => {
            finds.problems.push(why.clone());
            *unread = Some(why);
            None
        }
    };
    let mut unread = Unread::default();
    let prompt = quest.prompt.as_deref().and_then(|path| own(path, &mut unread.prompt));
    // A file's last line end is an editor's, not the prompt's.
    let prompt = prompt.map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
    let schema = quest.schema.as_deref().and_then(|path| Some((named(path), own(path, &mut unread.schema)?)));
    finds.unread = unread;
    finds.schemas.extend(schema.clone());
    (finds.own_schema, finds.own_prompt) = (schema, prompt);
    for beside in &quest.beside {
        schemas(&beside.join("schemas"), &mut finds);
    }
    match trials::read(&quest.place) {
        Ok(trials) => finds.trials = trials,
        Err(why) => finds.problems.push(why),
    }
    Message::PlaygroundFound { ticket, finds: Box::new(finds) }
}

/// The adapters of a run: its best and last, and every checkpoint.
fn adapters(run: &Path) -> Vec<Adapter> {
    let links = ["best", "last"].into_iter().filter_map(|name| {
        store::linked(run, name)
            .map(|step| Adapter { name: format!("{name}, step {step}"), folder: Some(run.join(name)) })
    });
    let checkpoints = store::checkpoints(run).into_iter().map(|step| Adapter {
        name: format!("step {step}"),
        folder: Some(run.join("checkpoints").join(store::checkpoint_name(step))),
    });
    links.chain(checkpoints).collect()
}

/// The schemas of a folder, by name.
fn schemas(folder: &Path, finds: &mut Finds) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    for path in paths.into_iter().take(MOST_SCHEMAS) {
        let name = named(&path);
        if finds.schemas.iter().any(|(other, _)| *other == name) {
            continue;
        }
        match small_text(&path) {
            Ok(text) => finds.schemas.push((name, text)),
            Err(why) => finds.problems.push(why),
        }
    }
}

fn named(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The text of a file that is no larger than a schema or prompt would be.
fn small_text(path: &Path) -> Result<String, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    // A pipe would be waited for.
    let found = std::fs::metadata(path).map_err(|e| wrong(&e))?;
    if !found.is_file() || found.len() > LARGEST_SCHEMA {
        return Err(wrong(&"no file of at most 1 MiB"));
    }
    std::fs::read_to_string(path).map_err(|e| wrong(&e))
}
