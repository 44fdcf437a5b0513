//! The rows of one split: scanned once for places and lengths, read from the file again when a step needs them, so that
//! a file may be larger than memory. What a line may hold is in `row`, the first reading in `scan`. No order and no
//! batches: next `batch`.

mod row;
mod scan;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::shown;
use super::template::{ChatTemplate, TemplateError};
use super::tokenizer::Tokenizer;

pub use row::{Example, RowError, TestRow};

/// Problems kept with their text; the others are only counted.
pub const KEPT_PROBLEMS: usize = 100;

#[derive(Debug, Error)]
pub enum DatasetError {
    #[error("{}: {error}", shown(path))]
    Read { path: PathBuf, error: io::Error },
    #[error("{}: expected a file of JSON lines, found {found}", shown(path))]
    NoFile { path: PathBuf, found: &'static str },
    /// With `strict`, the first line that cannot be used.
    #[error("{}:{line}: {what}", shown(path))]
    Row { path: PathBuf, line: u64, what: String },
    #[error("{}: no row can be used{}", shown(path), first_problem(*skipped, first))]
    NoRows { path: PathBuf, skipped: u64, first: Option<RowProblem> },
    #[error(
        "{}:{line}: the file has changed since it was read first; start again with the file as it is now",
        shown(path)
    )]
    Changed { path: PathBuf, line: u64 },
    #[error("row {row} of {rows} rows")]
    OutOfRange { row: usize, rows: usize },
    #[error("stopped while reading {}", shown(path))]
    Stopped { path: PathBuf },
}

fn first_problem(skipped: u64, first: &Option<RowProblem>) -> String {
    match first {
        Some(problem) => format!("; {skipped} were skipped, the first in line {}: {}", problem.line, problem.what),
        None => "; the file is empty".into(),
    }
}

/// How rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatasetOptions {
    /// Tokens that a row may have; what is beyond is cut off.
    pub max_seq_length: usize,
    /// Refuse the file on the first line that cannot be used, instead of skipping the line.
    pub strict: bool,
    /// What a chat template that writes the date takes for now, in seconds since 1970; `None` is the time of opening. A
    /// resumed run passes the time at which it first started, or its rows would not be the same.
    pub now: Option<i64>,
}

impl Default for DatasetOptions {
    fn default() -> Self {
        DatasetOptions { max_seq_length: 512, strict: false, now: None }
    }
}

/// A line that was skipped, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowProblem {
    /// From 1, as editors count.
    pub line: u64,
    pub what: String,
}

/// What became of the lines of a split. Blank lines count nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitStats {
    /// `train`, `eval` or `test`.
    pub split: String,
    /// Rows that take part.
    pub rows: u64,
    /// Lines that cannot be used.
    pub skipped: u64,
    /// Rows among `rows` that lost tokens at `max_seq_length`.
    pub cut: u64,
    /// Rows among `rows` that went through the chat template.
    pub chat_rows: u64,
    /// Of all rows, after the cut, prompts included.
    pub tokens: u64,
    /// Tokens that have a loss.
    pub target_tokens: u64,
}

pub use crate::units::RowLength;

/// Where a row lies in the file, what it came to when it was scanned, and a sum of its bytes to see a change by.
#[derive(Debug, Clone, Copy)]
struct Place {
    offset: u64,
    line: u64,
    bytes: u32,
    sum: u32,
    length: RowLength,
}

/// The usable rows of a JSON Lines file, in the order of the file.
#[derive(Debug)]
pub struct Dataset {
    path: PathBuf,
    file: File,
    reader: RowReader,
    places: Vec<Place>,
    stats: SplitStats,
    problems: Vec<RowProblem>,
    fingerprint: String,
}

impl Dataset {
    /// Scans the file: each line is read, tokenised and measured, then forgotten.
    /// # Errors
    /// A file that cannot be read, without a usable row, or with `strict` one that has a line that cannot be used.
    pub fn open(
        path: &Path,
        split: &str,
        tokenizer: Arc<Tokenizer>,
        options: DatasetOptions,
    ) -> Result<Dataset, DatasetError> {
        Self::open_watched(path, split, tokenizer, options, &mut |_, _| true)
    }

    /// As `open`, telling `watch` the bytes done and the bytes in all from time to time; it answers whether to go on.
    /// # Errors
    /// As `open`, and `Stopped`.
    pub fn open_watched(
        path: &Path,
        split: &str,
        tokenizer: Arc<Tokenizer>,
        options: DatasetOptions,
        watch: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Dataset, DatasetError> {
        let (file, bytes) = open_regular(path)?;
        let reader = RowReader::new(tokenizer, options);
        let scanned = scan::scan(&file, path, bytes, &reader, options.strict, watch)?;
        let total =
            |pick: fn(&RowLength) -> u32| scanned.places.iter().map(|place| u64::from(pick(&place.length))).sum();
        let stats = SplitStats {
            split: split.to_owned(),
            rows: scanned.places.len() as u64,
            skipped: scanned.skipped,
            cut: scanned.cut,
            chat_rows: scanned.chat_rows,
            tokens: total(|length| length.tokens),
            target_tokens: total(|length| length.target_tokens),
        };
        if scanned.places.is_empty() {
            let (path, first) = (path.into(), scanned.problems.into_iter().next());
            return Err(DatasetError::NoRows { path, skipped: scanned.skipped, first });
        }
        let (places, problems, fingerprint) = (scanned.places, scanned.problems, scanned.fingerprint);
        Ok(Dataset { path: path.into(), file, reader, places, stats, problems, fingerprint })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Rows that take part; at least one.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Reads row `index` (from 0, of the usable ones) from the file.
    /// # Errors
    /// `Changed`, when the row is no longer what was scanned, or what the file system says.
    pub fn example(&self, index: usize) -> Result<Example, DatasetError> {
        let place = self.place(index)?;
        let changed = || DatasetError::Changed { path: self.path.clone(), line: place.line };
        let mut bytes = vec![0; place.bytes as usize];
        match self.file.read_exact_at(&mut bytes, place.offset) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(changed()),
            Err(error) => return Err(DatasetError::Read { path: self.path.clone(), error }),
        }
        if scan::sum(&bytes) != place.sum {
            return Err(changed());
        }
        let example = self.reader.read(&bytes).map_err(|_| changed())?.example;
        if example.length() != place.length { Err(changed()) } else { Ok(example) }
    }

    /// The length of row `index` without reading it.
    /// # Errors
    /// `OutOfRange`.
    pub fn row_length(&self, index: usize) -> Result<RowLength, DatasetError> {
        self.place(index).map(|place| place.length)
    }

    /// The lengths of all rows, in the order of the file.
    pub fn row_lengths(&self) -> impl ExactSizeIterator<Item = RowLength> + '_ {
        self.places.iter().map(|place| place.length)
    }

    /// The tokens of the longest row.
    pub fn longest(&self) -> u32 {
        self.places.iter().map(|place| place.length.tokens).max().unwrap_or(0)
    }

    pub fn stats(&self) -> &SplitStats {
        &self.stats
    }

    /// The first `KEPT_PROBLEMS` lines that were skipped; `stats().skipped` counts all.
    pub fn problems(&self) -> &[RowProblem] {
        &self.problems
    }

    /// SHA-256 of the file as it was scanned, in hexadecimal: the same data is the same fingerprint, wherever it lies.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn place(&self, index: usize) -> Result<&Place, DatasetError> {
        self.places.get(index).ok_or(DatasetError::OutOfRange { row: index, rows: self.places.len() })
    }
}

/// Turns the bytes of a line into an example.
#[derive(Debug)]
struct RowReader {
    tokenizer: Arc<Tokenizer>,
    /// A template that cannot be used is a problem of the rows that need one, not of the file.
    template: Option<Result<ChatTemplate, TemplateError>>,
    max_seq_length: usize,
}

/// A row as it was read, cut to its length.
struct Read {
    example: Example,
    /// Tokens were lost at `max_seq_length`.
    cut: bool,
    chat: bool,
}

impl RowReader {
    fn new(tokenizer: Arc<Tokenizer>, options: DatasetOptions) -> RowReader {
        let template = ChatTemplate::of(&tokenizer).map(|template| match options.now {
            Some(now) => template.map(|template| template.at(now)),
            None => template,
        });
        let max_seq_length = options.max_seq_length;
        RowReader { tokenizer, template, max_seq_length }
    }

    fn read(&self, line: &[u8]) -> Result<Read, RowError> {
        let row = row::Row::parse(line)?;
        let template = match &self.template {
            None => Err(RowError::NoTemplate),
            Some(template) => template.as_ref().map_err(|error| RowError::Template(error.clone())),
        };
        let chat = matches!(row, row::Row::Messages { .. });
        let mut example = row.example(&self.tokenizer, template)?;
        if example.target_tokens() == 0 {
            return Err(RowError::NoTarget);
        }
        let cut = example.tokens.len() > self.max_seq_length;
        example.tokens.truncate(self.max_seq_length);
        example.is_target.truncate(self.max_seq_length);
        if example.target_tokens() == 0 {
            return Err(RowError::TargetsCut { max_seq_length: self.max_seq_length });
        }
        Ok(Read { example, cut, chat })
    }
}

/// Reads all rows of a test split: a prompt and the texts that its generation is scored against.
/// # Errors
/// As `Dataset::open`.
pub fn read_test_rows(path: &Path, strict: bool) -> Result<TestSplit, DatasetError> {
    scan::test_rows(path, strict)
}

/// A test split, whole in memory: it is generated row by row, and the texts are what is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestSplit {
    pub rows: Vec<TestRow>,
    pub skipped: u64,
    pub problems: Vec<RowProblem>,
}

fn open_regular(path: &Path) -> Result<(File, u64), DatasetError> {
    let read = |error| DatasetError::Read { path: path.into(), error };
    // Asked before opening: opening a pipe waits for its writer.
    let metadata = std::fs::metadata(path).map_err(read)?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "a folder" } else { "something else" };
        return Err(DatasetError::NoFile { path: path.into(), found });
    }
    let file = File::open(path).map_err(read)?;
    let bytes = file.metadata().map_err(read)?.len();
    Ok((file, bytes))
}
