//! The file of trials: a line of JSON for each, written whole. What a process left unfinished at its end is passed over.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::ui::state::playground::MOST_TRIALS;
use crate::ui::state::playground::trial::Trial;

/// So much of the file's end is read; what lies before is older than anyone looks for.
const TAIL: u64 = 16 << 20;

/// Writes a trial behind the others; folder and file come to be with the first one.
/// # Errors
/// Why it could not be written, for a person.
pub fn append(place: &Path, trial: &Trial) -> Result<(), String> {
    let written = || -> io::Result<()> {
        if let Some(folder) = place.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(place)?;
        let mut line = serde_json::to_vec(trial)?;
        line.push(b'\n');
        // Behind a line that was cut, another one begins.
        if !ends_whole(&mut file)? {
            line.insert(0, b'\n');
        }
        file.write_all(&line)
    };
    written().map_err(|e| format!("{}: {e}", place.display()))
}

fn ends_whole(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// The newest trials of a file, the oldest of them first; none where there is no file. Lines that are no trials are passed over.
/// # Errors
/// A file that cannot be read, for a person.
pub fn read(place: &Path) -> Result<Vec<Trial>, String> {
    let tail = || -> io::Result<Vec<u8>> {
        let mut file = File::open(place)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = match tail() {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(format!("{}: {e}", place.display())),
    };
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').rev().filter(|line| line.ends_with(b"\n"));
    let mut trials: Vec<Trial> = lines.filter_map(|line| serde_json::from_slice(line).ok()).take(MOST_TRIALS).collect();
    trials.reverse();
    Ok(trials)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::state::playground::trial::Settings;

    fn trial(unix_ms: u64) -> Trial {
        Trial {
            unix_ms,
            settings: Settings::default(),
            prompt: "p".into(),
            prompt_b: String::new(),
            text: "두 줄\n글".into(),
            schema: "{}".into(),
            outcomes: Vec::new(),
            rows: None,
        }
    }

    #[test]
    fn trials_are_read_in_the_order_they_were_made_and_a_cut_line_is_passed_over() {
        let place = tempfile::tempdir().expect("a place");
        let file = place.path().join("playground").join("trials.jsonl");
        assert_eq!(read(&file), Ok(Vec::new()));
        (0..3).for_each(|n| append(&file, &trial(n)).expect("written"));
        let mut bytes = fs::read(&file).expect("the file");
        bytes.extend_from_slice(br#"{"unix_ms":9,"settings":{"#);
        fs::write(&file, bytes).expect("a cut line");
        let read_now = |count: usize| read(&file).map(|trials| trials.len()).map(|found| assert_eq!(found, count));
        read_now(3).expect("three trials");
        append(&file, &trial(10)).expect("written");
        let trials = read(&file).expect("trials");
        assert_eq!(trials.iter().map(|trial| trial.unix_ms).collect::<Vec<_>>(), [0, 1, 2, 10]);
        assert_eq!(trials[0], trial(0));
    }

    #[test]
    fn of_very_many_the_newest_are_read() {
        let place = tempfile::tempdir().expect("a place");
        let file = place.path().join("trials.jsonl");
        let lines: String =
            (0..MOST_TRIALS as u64 + 5).map(|n| serde_json::to_string(&trial(n)).expect("a line") + "\n").collect();
        fs::write(&file, lines).expect("a file");
        let trials = read(&file).expect("trials");
        assert_eq!((trials.len(), trials[0].unix_ms), (MOST_TRIALS, 5));
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told() {
        let place = tempfile::tempdir().expect("a place");
        let file = place.path().join("x");
        fs::write(&file, "").expect("a file");
        assert!(append(&file.join("trials.jsonl"), &trial(0)).is_err());
    }
}
