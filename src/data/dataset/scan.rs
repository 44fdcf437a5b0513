//! The first reading of a data file: line by line in bounded memory, tokenised on all cores, in the order of the file.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::row::{RowError, parse_test};
use super::{DatasetError, KEPT_PROBLEMS, Place, Read, RowProblem, RowReader, TestSplit, open_regular};

/// A line beyond this is no row: it is passed over without being held.
const MAX_LINE_BYTES: usize = 16 << 20;
/// Lines are tokenised together until they come to this many bytes.
const BLOCK_BYTES: usize = 1 << 20;

pub(super) struct Scanned {
    pub places: Vec<Place>,
    pub skipped: u64,
    pub cut: u64,
    pub chat_rows: u64,
    pub problems: Vec<RowProblem>,
    pub fingerprint: String,
}

/// A line of the file, without its end.
struct Line {
    offset: u64,
    /// From 1.
    number: u64,
    bytes: Vec<u8>,
    too_long: bool,
}

struct Lines<'a> {
    reader: BufReader<&'a File>,
    offset: u64,
    number: u64,
    hasher: Sha256,
}

impl<'a> Lines<'a> {
    fn new(file: &'a File) -> Lines<'a> {
        Lines { reader: BufReader::with_capacity(1 << 16, file), offset: 0, number: 0, hasher: Sha256::new() }
    }

    /// The next line that is not blank, or `None` at the end of the file.
    fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut line = Line { offset: self.offset, number: self.number + 1, bytes: Vec::new(), too_long: false };
            let mut ended = false;
            while !ended {
                let buffer = match self.reader.fill_buf() {
                    Ok([]) => break,
                    Ok(buffer) => buffer,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                let end = buffer.iter().position(|byte| *byte == b'\n');
                let (part, used) = (&buffer[..end.unwrap_or(buffer.len())], end.map_or(buffer.len(), |end| end + 1));
                if line.bytes.len() + part.len() > MAX_LINE_BYTES {
                    line.too_long = true;
                } else if !line.too_long {
                    line.bytes.extend_from_slice(part);
                }
                ended = end.is_some();
                self.hasher.update(&buffer[..used]);
                self.offset += used as u64;
                self.reader.consume(used);
            }
            if self.offset == line.offset {
                return Ok(None);
            }
            self.number += 1;
            if line.too_long || !is_blank(&line.bytes) {
                return Ok(Some(line));
            }
        }
    }

    fn fingerprint(self) -> String {
        self.hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).iter().all(u8::is_ascii_whitespace)
}

/// FNV-1a. It tells a changed line from the one that was scanned; it is no defence against somebody who wants it not
/// to.
pub(super) fn sum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

pub(super) fn scan(
    file: &File,
    path: &Path,
    file_bytes: u64,
    reader: &RowReader,
    strict: bool,
    watch: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Scanned, DatasetError> {
    let mut lines = Lines::new(file);
    let mut problems = Problems::new(path, strict);
    let (mut places, mut cut, mut chat_rows) = (Vec::new(), 0, 0);
    loop {
        let mut block = Vec::new();
        let mut bytes = 0;
        while bytes < BLOCK_BYTES
            && let Some(line) = lines.next().map_err(|error| DatasetError::Read { path: path.into(), error })?
        {
            bytes += line.bytes.len();
            block.push(line);
        }
        if block.is_empty() {
            break;
        }
        let read: Vec<Result<Read, RowError>> = block
            .par_iter()
            .map(|line| match line.too_long {
                true => Err(RowError::TooLong { limit: MAX_LINE_BYTES }),
                false => reader.read(&line.bytes),
            })
            .collect();
        for (line, read) in block.iter().zip(read) {
            match read {
                Ok(read) => {
                    cut += u64::from(read.cut);
                    chat_rows += u64::from(read.chat);
                    places.push(Place {
                        offset: line.offset,
                        line: line.number,
                        bytes: line.bytes.len() as u32,
                        sum: sum(&line.bytes),
                        length: read.example.length(),
                    });
                }
                Err(error) => problems.add(line.number, &error)?,
            }
        }
        if !watch(lines.offset, file_bytes.max(lines.offset)) {
            return Err(DatasetError::Stopped { path: path.into() });
        }
    }
    let (skipped, problems) = (problems.count, problems.kept);
    Ok(Scanned { places, skipped, cut, chat_rows, problems, fingerprint: lines.fingerprint() })
}

pub(super) fn test_rows(path: &Path, strict: bool) -> Result<TestSplit, DatasetError> {
    let (file, _) = open_regular(path)?;
    let mut lines = Lines::new(&file);
    let mut problems = Problems::new(path, strict);
    let mut rows = Vec::new();
    while let Some(line) = lines.next().map_err(|error| DatasetError::Read { path: path.into(), error })? {
        let row = match line.too_long {
            true => Err(RowError::TooLong { limit: MAX_LINE_BYTES }),
            false => parse_test(&line.bytes, line.number),
        };
        match row {
            Ok(row) => rows.push(row),
            Err(error) => problems.add(line.number, &error)?,
        }
    }
    let (skipped, problems) = (problems.count, problems.kept);
    match problems.first() {
        _ if !rows.is_empty() => Ok(TestSplit { rows, skipped, problems }),
        first => Err(DatasetError::NoRows { path: path.into(), skipped, first: first.cloned() }),
    }
}

/// Lines that cannot be used: counted, the first ones kept, or the very first an error.
struct Problems<'a> {
    path: &'a Path,
    strict: bool,
    count: u64,
    kept: Vec<RowProblem>,
}

impl<'a> Problems<'a> {
    fn new(path: &'a Path, strict: bool) -> Problems<'a> {
        Problems { path, strict, count: 0, kept: Vec::new() }
    }

    fn add(&mut self, line: u64, error: &RowError) -> Result<(), DatasetError> {
        let what = error.to_string();
        if self.strict {
            return Err(DatasetError::Row { path: self.path.into(), line, what });
        }
        self.count += 1;
        if self.kept.len() < KEPT_PROBLEMS {
            self.kept.push(RowProblem { line, what });
        }
        Ok(())
    }
}
