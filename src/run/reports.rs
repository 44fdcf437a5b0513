//! Reports on disk, under a run's `bleu/`: whole ones, and the rows of one that is being made, which may go on after any end. What they hold is
//! in `eval::report`; who generates them is `task::score`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::disk::{self, write_atomically};
use crate::eval::report::{Header, Report, ReportRow, SCHEMA};

/// The folder of reports in a run's.
pub const FOLDER: &str = "bleu";
const PART: &str = ".part.jsonl";

/// Why a report could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{}: {what}", path.display())]
    Content { path: PathBuf, what: String },
    #[error("{} is being written by another process", _0.display())]
    Busy(PathBuf),
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> ReportError + '_ {
    move |error| ReportError::File { path: path.into(), error }
}

/// Where a report lies in a folder of reports.
pub fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.json"))
}

fn part_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}{PART}"))
}

/// A report's name is its file's, whatever stands inside: what is written beside it by that name must not land elsewhere.
fn named(path: &Path, ending: &str) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(ending).unwrap_or(&name).to_owned()
}

/// Reads a whole report.
/// # Errors
/// No such file, or one that is no report of this version.
pub fn read(path: &Path) -> Result<Report, ReportError> {
    let text = fs::read(path).map_err(file(path))?;
    let content = |what: String| ReportError::Content { path: path.into(), what };
    let read: Report = serde_json::from_slice(&text).map_err(|e| content(format!("no report: {e}")))?;
    let report = Report { name: named(path, ".json"), ..read };
    if report.schema != SCHEMA {
        return Err(content(format!("a report of version {}, expected {SCHEMA}", report.schema)));
    }
    Ok(report)
}

/// The rows of a report that is being made: what was whole of it, and how many bytes that is.
fn read_part(path: &Path) -> Result<Option<(Header, Vec<ReportRow>, u64)>, ReportError> {
    let mut lines = match File::open(path) {
        Ok(opened) => BufReader::new(opened),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(file(path)(e)),
    };
    let (mut header, mut rows, mut whole) = (None, Vec::new(), 0u64);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines.read_until(b'\n', &mut line).map_err(file(path))?;
        // A line that is not whole was being written when the process ended: its row is generated again.
        if read == 0 || line.last() != Some(&b'\n') {
            break;
        }
        if header.is_none() {
            let Ok(read) = serde_json::from_slice::<Header>(&line) else { break };
            header = Some(Header { name: named(path, PART), ..read });
        } else {
            let Ok(row) = serde_json::from_slice::<ReportRow>(&line) else { break };
            rows.push(row);
        }
        whole += read as u64;
    }
    Ok(header.map(|h| (h, rows, whole)))
}

/// Whether a process is making the report of this file now; never of a whole one.
pub fn is_being_made(path: &Path) -> bool {
    path.to_string_lossy().ends_with(PART) && disk::is_locked(path)
}

/// Where reports lie in a folder, whole ones and those that are being made.
/// # Errors
/// A folder that is there and cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(file(folder)(e)),
    };
    let is_report = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !name.starts_with('.') && (name.ends_with(PART) || name.ends_with(".json"))
    };
    Ok(entries.flatten().map(|entry| entry.path()).filter(is_report).collect())
}

/// Reads what `files` found: a whole report, or one that is being made with the rows that it has. None where that has nothing whole yet.
/// # Errors
/// A file that cannot be read, or is no report of this version.
pub fn read_file(path: &Path) -> Result<Option<Report>, ReportError> {
    if path.to_string_lossy().ends_with(PART) {
        return read_part(path).map(|part| part.map(|(header, rows, _)| Report::of(&header, rows)));
    }
    read(path).map(Some)
}

/// All reports of a folder, newest first, those that are being made among them with the rows that they have; and what could not be read.
pub fn read_all(folder: &Path) -> (Vec<Report>, Vec<ReportError>) {
    let (mut reports, mut problems) = (Vec::new(), Vec::new());
    let paths = match files(folder) {
        Ok(paths) => paths,
        Err(e) => return (reports, vec![e]),
    };
    for path in paths {
        match read_file(&path) {
            Ok(report) => reports.extend(report),
            Err(e) => problems.push(e),
        }
    }
    reports.sort_by(|a, b| b.created_unix_ms.cmp(&a.created_unix_ms).then_with(|| a.name.cmp(&b.name)));
    (reports, problems)
}

/// Rows as they come in, each whole on disk before the next.
pub struct Part {
    path: PathBuf,
    file: File,
    pub header: Header,
    /// What was there already.
    pub rows: Vec<ReportRow>,
}

impl Part {
    /// Opens the rows of a report: those of the same subject are kept and gone on from, those of another one are given up. They are
    /// locked: two at once would write over each other.
    /// # Errors
    /// A folder or file that cannot be written; one that another process writes.
    pub fn open(folder: &Path, header: Header) -> Result<Self, ReportError> {
        fs::create_dir_all(folder).map_err(file(folder))?;
        let path = part_path(folder, &header.name);
        let mut opened = locked(&path)?;
        let kept = read_part(&path)?
            .filter(|(h, ..)| h.subject.generates_as(&header.subject) && h.rows_total == header.rows_total);
        let Some((header, rows, whole)) = kept else {
            // Half a header reads as none: what was there is given up anyway.
            let line = format!("{}\n", json(&header).map_err(file(&path))?);
            opened.set_len(0).and_then(|()| opened.write_all(line.as_bytes())).map_err(file(&path))?;
            return Ok(Part { path, file: opened, header, rows: Vec::new() });
        };
        opened.set_len(whole).map_err(file(&path))?;
        opened.seek(SeekFrom::End(0)).map_err(file(&path))?;
        Ok(Part { path, file: opened, header, rows })
    }

    /// # Errors
    /// A file that cannot be written.
    pub fn add(&mut self, row: ReportRow) -> Result<(), ReportError> {
        let line = json(&row).map_err(file(&self.path))?;
        self.file.write_all(format!("{line}\n").as_bytes()).map_err(file(&self.path))?;
        self.rows.push(row);
        Ok(())
    }

    /// Writes the whole report in place of the rows.
    /// # Errors
    /// A file that cannot be written; the rows are kept then.
    pub fn finish(self, folder: &Path, report: &Report) -> Result<PathBuf, ReportError> {
        let whole = write(folder, report)?;
        drop(self.file);
        fs::remove_file(&self.path).map_err(file(&self.path))?;
        Ok(whole)
    }
}

/// The file of rows, for this process alone.
fn locked(path: &Path) -> Result<File, ReportError> {
    let mut options = OpenOptions::new();
    loop {
        let opened = options.read(true).write(true).create(true).truncate(false).open(path).map_err(file(path))?;
        if !disk::lock(&opened).map_err(file(path))? {
            return Err(ReportError::Busy(path.into()));
        }
        // Whoever had it before may have finished it meanwhile, and so removed it: what is locked then is no file of this folder.
        let same = fs::metadata(path).is_ok_and(|there| opened.metadata().is_ok_and(|here| here.ino() == there.ino()));
        if same {
            return Ok(opened);
        }
    }
}

/// Writes a report, beside its place and renamed.
/// # Errors
/// A file that cannot be written.
pub fn write(folder: &Path, report: &Report) -> Result<PathBuf, ReportError> {
    let path = path(folder, &report.name);
    write_atomically(&path, |w| writeln!(w, "{}", json(report)?)).map_err(file(&path))?;
    Ok(path)
}

fn json(value: &impl serde::Serialize) -> io::Result<String> {
    serde_json::to_string(value).map_err(io::Error::other)
}

/// Pieces of a large file that are looked at, and their size: no model is trained, merged or packed anew without a trace in all of them.
const PIECES: u64 = 64;
const PIECE_BYTES: u64 = 64 << 10;

/// SHA-256 in hexadecimal of the sizes of files and of pieces spread over each: reading all of a large model would take longer than loading it.
/// # Errors
/// A file that cannot be read.
pub fn sampled_sha256<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<String, ReportError> {
    let mut sum = Sha256::new();
    for path in paths {
        let mut opened = File::open(path).map_err(file(path))?;
        let bytes = opened.metadata().map_err(file(path))?.len();
        sum.update(bytes.to_le_bytes());
        let last = bytes.saturating_sub(PIECE_BYTES);
        let mut piece = Vec::new();
        for n in 0..PIECES {
            piece.clear();
            let at = (u128::from(last) * u128::from(n) / u128::from(PIECES - 1)) as u64;
            opened.seek(SeekFrom::Start(at)).map_err(file(path))?;
            (&mut opened).take(PIECE_BYTES).read_to_end(&mut piece).map_err(file(path))?;
            sum.update(&piece);
            if last == 0 {
                break;
            }
        }
    }
    Ok(hexadecimal(sum))
}

fn hexadecimal(sum: Sha256) -> String {
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of a file in hexadecimal.
/// # Errors
/// A file that cannot be read.
pub fn sha256(path: &Path) -> Result<String, ReportError> {
    let mut opened = File::open(path).map_err(file(path))?;
    let mut sum = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = opened.read(&mut piece).map_err(file(path))?;
        if read == 0 {
            return Ok(hexadecimal(sum));
        }
        sum.update(&piece[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_tells_files_of_any_size_apart() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("weights");
        let of = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            sampled_sha256([path.as_path()]).unwrap()
        };
        let large: Vec<u8> = (0..9u32 << 20).map(|n| (n % 251) as u8).collect();
        let mut end = large.clone();
        *end.last_mut().unwrap() ^= 1;
        // Every 100,000th value is another one, as it would be everywhere.
        let other: Vec<u8> = large.iter().enumerate().map(|(at, b)| b ^ u8::from(at.is_multiple_of(100_000))).collect();
        let sums = [of(&large), of(&end), of(&other), of(&large[..large.len() - 1]), of(b"ab"), of(b"")];
        assert_eq!(sums.iter().collect::<std::collections::BTreeSet<_>>().len(), sums.len());
        assert_eq!(of(&large), sums[0]);
    }
}
