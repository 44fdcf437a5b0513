//! What a run trains with: settings, base and rows, opened once, and partly anew when a lever changes them. Where training stands is in
//! `train::trainer::Progress`, which outlives this.

use std::path::Path;
use std::sync::Arc;

use super::worker::JobError;
use crate::config::RunConfig;
use crate::data::dataset::{Dataset, DatasetOptions};
use crate::data::tokenizer::Tokenizer;
use crate::event::Lever;
use crate::memory::ledger::Ledger;
use crate::memory::lever::{Kind, changed};
use crate::model::adapter::Adapter;
use crate::model::decoder::Decoder;
use crate::model::source::ModelFiles;
use crate::task::{self, OpenError};
use crate::train::evaluate::longest_rows;
use crate::train::trainer::Progress;
use crate::units::RowLength;

/// Training and eval rows.
pub struct Rows {
    pub train: Dataset,
    pub eval: Option<Dataset>,
}

impl Rows {
    pub fn splits(&self) -> impl Iterator<Item = &Dataset> {
        std::iter::once(&self.train).chain(&self.eval)
    }

    /// The longest rows together, as many as a micro-batch takes.
    pub fn longest(&self, config: &RunConfig) -> Vec<RowLength> {
        let rows = longest_rows(&self.train, config.train.per_device_train_batch_size);
        rows.into_iter().filter_map(|row| self.train.row_length(row).ok()).collect()
    }
}

/// How rows are made of the files.
pub struct Reader {
    pub tokenizer: Arc<Tokenizer>,
    /// What a template takes for now.
    now: Option<i64>,
}

impl Reader {
    /// # Errors
    /// Files without a tokenizer.
    pub fn new(files: &ModelFiles, now: Option<i64>) -> Result<Self, JobError> {
        Ok(Reader { tokenizer: task::tokenizer(files).map_err(input)?, now })
    }

    /// # Errors
    /// As `Dataset::open`.
    pub fn rows(&self, config: &RunConfig) -> Result<Rows, JobError> {
        let options =
            DatasetOptions { max_seq_length: config.data.max_seq_length, strict: config.data.strict, now: self.now };
        let open =
            |path: &Path, split: &str| Dataset::open(path, split, self.tokenizer.clone(), options).map_err(input);
        let train = open(&config.data.train, "train")?;
        let eval = config.data.eval.as_deref().map(|path| open(path, "eval")).transpose()?;
        Ok(Rows { train, eval })
    }
}

/// Settings, base and rows.
pub struct Stage<'a> {
    pub config: RunConfig,
    pub decoder: Decoder,
    pub rows: Rows,
    reader: Reader,
    pub files: &'a ModelFiles,
    /// Whether the run began with an adapter that was given.
    given_adapter: bool,
}

/// What a lever makes of a stage, looked at and not yet done.
pub struct Change {
    pub config: RunConfig,
    rows: Option<Rows>,
    reload: bool,
    new_adapter: bool,
}

impl Change {
    /// Whether the base is read anew.
    pub fn reads_the_base(&self) -> bool {
        self.reload
    }
}

fn input(e: impl std::fmt::Display) -> JobError {
    JobError::Input(e.to_string())
}

/// What the engine said, by whether memory was what it lacked.
pub fn of_engine(e: impl Into<OpenError>) -> JobError {
    let e = e.into();
    if e.is_out_of_memory() { JobError::OutOfMemory(e.to_string()) } else { JobError::Failed(e.to_string()) }
}

fn load(config: &RunConfig, files: &ModelFiles, ledger: &Ledger) -> Result<Decoder, JobError> {
    let how = (config.adapter.method, config.adapter.quantization, config.model.dtype);
    let decoder = task::decoder(files, how, ledger, &mut |_, _| {}).map_err(|e| match e {
        // Another file would not do, but less of it might.
        e if e.is_out_of_memory() => JobError::OutOfMemory(e.to_string()),
        e => input(e),
    })?;
    decoder.head.set_chunk(config.memory.head_chunk);
    Ok(decoder)
}

impl<'a> Stage<'a> {
    /// Reads the base.
    /// # Errors
    /// Files that are missing or lie, a tokenizer that is not the model's.
    pub fn open(
        config: &RunConfig,
        files: &'a ModelFiles,
        (reader, rows): (Reader, Rows),
        ledger: &Ledger,
        given_adapter: bool,
    ) -> Result<Self, JobError> {
        let decoder = load(config, files, ledger)?;
        let (has, vocabulary) = (reader.tokenizer.vocab_size(), decoder.spec.shape.vocab_size);
        if has > vocabulary {
            let model = &files.description;
            return Err(JobError::Input(format!(
                "{model}: the tokenizer has {has} tokens, the model only {vocabulary}"
            )));
        }
        Ok(Stage { config: config.clone(), decoder, rows, reader, files, given_adapter })
    }

    /// Looks whether a lever can be applied to a run that has done `step` steps.
    /// # Errors
    /// Why it cannot, and what to do instead.
    pub fn look(&self, lever: &Lever, step: u64) -> Result<Change, String> {
        let config = changed(&self.config, &lever.changes)?;
        let kind = Kind::of(&lever.id);
        let set = || lever.changes.iter().map(set_argument).collect::<Vec<_>>().join(" ");
        let anew = || format!("for a new run, type: finetop train FILE {}", set());
        let new_adapter = kind.is_some_and(Kind::restarts);
        if new_adapter && step > 0 {
            return Err(format!(
                "{}: the adapter has learned {step} steps and does not fit another {}; {}",
                lever.id,
                lever.id,
                anew()
            ));
        }
        if new_adapter && self.given_adapter {
            return Err(format!(
                "{}: the run began with an adapter that was given, which does not fit; {}",
                lever.id,
                anew()
            ));
        }
        let rows = if config.data.max_seq_length == self.config.data.max_seq_length {
            None
        } else {
            let rows = self.reader.rows(&config).map_err(|e| e.to_string())?;
            let (now, then) = (self.rows.train.len(), rows.train.len());
            if now != then {
                let length = config.data.max_seq_length;
                return Err(format!(
                    "{}: at {length} tokens {then} of {now} rows keep a target, and the others' places would not be the same; {}",
                    lever.id,
                    anew()
                ));
            }
            Some(rows)
        };
        let of_base = |c: &RunConfig| (c.adapter.method, c.adapter.quantization);
        let reload = of_base(&config) != of_base(&self.config);
        Ok(Change { config, rows, reload, new_adapter })
    }

    /// The run as the change makes it. Where the base is read anew, nothing else of it is in memory meanwhile.
    /// # Errors
    /// Files that cannot be read any more, no room for what they become: the run cannot go on then, and what it had saved stands.
    pub fn apply(self, change: Change, progress: Progress, ledger: &Ledger) -> Result<(Self, Progress), JobError> {
        let Change { config, rows, reload, new_adapter } = change;
        let Stage { decoder, rows: old_rows, reader, files, given_adapter, .. } = self;
        let decoder = if reload {
            // Two bases at once are what there is no room for.
            drop(decoder);
            crate::memory::probe::give_back_freed();
            load(&config, files, ledger)?
        } else {
            decoder
        };
        decoder.head.set_chunk(config.memory.head_chunk);
        let stage = Stage { config, decoder, rows: rows.unwrap_or(old_rows), reader, files, given_adapter };
        let progress = if new_adapter { stage.begin_anew(progress)? } else { progress };
        Ok((stage, progress))
    }

    /// A new adapter, for a run that has learned nothing yet.
    fn begin_anew(&self, old: Progress) -> Result<Progress, JobError> {
        let chat = old.adapter.chat;
        let make = || {
            let mut adapter = Adapter::new(&self.decoder, &self.config.adapter, self.config.train.seed)?;
            adapter.chat = chat;
            adapter.set_dropout(self.config.adapter.lora_dropout);
            Ok(adapter)
        };
        old.replaced(make, &self.config, &self.decoder.ledger).map_err(of_engine)
    }
}

/// A change as `--set` takes it.
pub fn set_argument(change: &crate::event::LeverChange) -> String {
    let value = change.to.to_string();
    if value.starts_with('[') {
        format!("--set '{}={value}'", change.key)
    } else {
        format!("--set {}={}", change.key, value.trim_matches('"'))
    }
}
