//! A folder or a GGUF file that is already on disk: which files make the model, and whether all of it is there.
//! Nothing is fetched here; what the hub fetched is looked at by the same code.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::cache::file_name;
use super::{ModelFiles, Source, SourceError, Weights, has_extension};
use crate::formats::gguf::Gguf;
use crate::formats::safetensors::{Safetensors, SafetensorsIndex};
use crate::formats::{FormatError, optional};

pub(super) const CONFIG: &str = "config.json";
pub(super) const INDEX: &str = "model.safetensors.index.json";
pub(super) const SINGLE: &str = "model.safetensors";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
pub(super) const CHAT_TEMPLATE: &str = "chat_template.jinja";

/// Which files of a folder are the weights.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The index names the files.
    Index,
    /// One safetensors file of this name.
    Single(String),
    /// One GGUF file of this name.
    Gguf(String),
}

/// Chooses the weights among the names of a folder or a repository: safetensors before GGUF, never a pickle.
/// `take` shows how a GGUF file among several is named as a source.
pub(super) fn choose(place: &str, names: &[String], take: impl Fn(&str) -> String) -> Result<Choice, SourceError> {
    let with = |extension: &str| -> Vec<&String> {
        names.iter().filter(|n| !n.contains('/') && has_extension(Path::new(n), extension)).collect()
    };
    let no_model = |problem: String| Err(SourceError::NoModel { place: place.into(), problem });
    let (safetensors, ggufs) = (with("safetensors"), with("gguf"));
    let has = |name: &str| names.iter().any(|n| n == name);
    if has(CONFIG) {
        if has(INDEX) {
            return Ok(Choice::Index);
        }
        if has(SINGLE) {
            return Ok(Choice::Single(SINGLE.into()));
        }
        match safetensors.as_slice() {
            [] => {}
            [one] => return Ok(Choice::Single(one.to_string())),
            many => return no_model(format!("it has {} safetensors files and no {INDEX}", many.len())),
        }
    }
    match ggufs.as_slice() {
        [one] => return Ok(Choice::Gguf(one.to_string())),
        [] => {}
        many => {
            let lines: String = many.iter().map(|name| format!(" {}", take(name))).collect();
            return no_model(format!("it has several GGUF files; name one:{lines}"));
        }
    }
    if !safetensors.is_empty() {
        return no_model(format!("it has safetensors and no {CONFIG}"));
    }
    if let Some(pickle) = names.iter().find(|n| is_pickle(n)) {
        return Err(SourceError::Pickle { place: format!("{place}: {pickle}") });
    }
    no_model(format!("it has neither {CONFIG} with safetensors nor a GGUF file"))
}

/// Looks at a folder and checks that the model in it is whole.
/// # Errors
/// A folder that does not exist, holds no model, several, only a pickle, or a file that is cut off or lies about
/// itself.
pub(super) fn look(folder: &Path, source: Source) -> Result<ModelFiles, SourceError> {
    let io = |e| SourceError::io(folder, e);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        names.push(entry.map_err(io)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let place = folder.display().to_string();
    let choice = choose(&place, &names, |name| folder.join(name).display().to_string())?;
    let files = match choice {
        Choice::Gguf(name) => return gguf(&folder.join(name), source, place),
        Choice::Single(name) => {
            let path = folder.join(name);
            Safetensors::open(&path)?;
            vec![path]
        }
        Choice::Index => indexed(&folder.join(INDEX))?,
    };
    let config = folder.join(CONFIG);
    Ok(beside(folder, source, place, Weights::Safetensors { config, files }))
}

/// Checks a GGUF file; a tokenizer beside it comes along.
/// # Errors
/// Those of [`Gguf::open`]; a file that is one part of several.
pub(super) fn gguf(path: &Path, source: Source, description: String) -> Result<ModelFiles, SourceError> {
    let header = Gguf::open(path)?;
    if optional(header.u32("split.count"))?.is_some_and(|parts| parts > 1) {
        let problem =
            "it is one part of a model that was split; merge the parts into one file (llama-gguf-split --merge)";
        return Err(SourceError::NoModel { place: path.display().to_string(), problem: problem.into() });
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    Ok(beside(folder, source, description, Weights::Gguf(path.into())))
}

fn beside(folder: &Path, source: Source, description: String, weights: Weights) -> ModelFiles {
    let there = |name: &str| Some(folder.join(name)).filter(|p| p.is_file());
    ModelFiles {
        source,
        description,
        weights,
        tokenizer_json: there(TOKENIZER),
        tokenizer_config: there(TOKENIZER_CONFIG),
        chat_template: there(CHAT_TEMPLATE),
    }
}

/// The files of an index, each with every tensor that the index places in it.
fn indexed(index: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let index = SafetensorsIndex::open(index)?;
    let files = index.files()?;
    let mut held = HashMap::new();
    for path in &files {
        let names: HashSet<String> = Safetensors::open(path)?.tensors.into_iter().map(|t| t.name).collect();
        held.insert(file_name(path), names);
    }
    for (tensor, file) in &index.weight_map {
        if !held.get(file).is_some_and(|names| names.contains(tensor)) {
            let what = format!("tensor `{tensor}`, which {INDEX} places here,");
            return Err(FormatError::missing(&index.path.with_file_name(file), &what).into());
        }
    }
    Ok(files)
}

/// Whether a name is that of a file in a pickle format.
pub(super) fn is_pickle(name: &str) -> bool {
    ["bin", "pt", "pth", "pkl", "pickle", "ckpt"].iter().any(|e| has_extension(Path::new(name), e))
}
