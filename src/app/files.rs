//! Files that a person asks the screen to write: settings into a configuration of their own, whose comments, order and everything else stay,
//! and only one that reads well comes out; the report of rows beside them, over another file only where that is wanted.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use toml_edit::{DocumentMut, Item, Table, Value};

use crate::config::parse;
use crate::disk::write_atomically;
use crate::extract::report::Report;
use crate::ui::NotWritten;

/// Gives settings (section, name, value as TOML) their values in a file, which is named when it is done.
/// # Errors
/// Why it could not be written, for a person; then the file is as it was.
pub fn write_settings(path: &Path, settings: &[(String, String, String)]) -> Result<String, String> {
    // A link stays one, to the same file.
    let path = fs::canonicalize(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let shown = path.display();
    // As it is now, whatever was read before.
    let before = parse::read(&path).map_err(|e| e.to_string())?;
    let text = edited(&before, settings).map_err(|e| format!("{shown}: {e}"))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parse::from_toml(&text, &shown.to_string(), folder, &[]).map_err(|e| format!("not written: {e}"))?;
    let mode = fs::metadata(&path).map(|found| found.permissions().mode()).map_err(|e| format!("{shown}: {e}"))?;
    let written = write_atomically(&path, |file| {
        file.get_ref().set_permissions(Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())
    });
    written.map(|()| shown.to_string()).map_err(|e| format!("{shown}: {e}"))
}

/// Writes the report of a file of rows as JSON; over a file that is there, to which a link may lead, only where it `replaces` it.
/// # Errors
/// That there is one of this name, or why it could not be written; then what was there is as it was.
pub fn write_report(path: &Path, report: &Report, replaces: bool) -> Result<(), NotWritten> {
    let failed = |e: &dyn std::fmt::Display| NotWritten::Failed(format!("{}: {e}", path.display()));
    let text = report.text().map_err(|e| failed(&e))?;
    if replaces {
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        return write_atomically(&target, |file| file.write_all(text.as_bytes())).map_err(|e| failed(&e));
    }
    // The name is taken first: nobody else's file may come in between.
    OpenOptions::new().write(true).create_new(true).open(path).map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => NotWritten::Exists,
        _ => failed(&e),
    })?;
    write_atomically(path, |file| file.write_all(text.as_bytes())).map_err(|e| {
        let _ = fs::remove_file(path);
        failed(&e)
    })
}

fn edited(text: &str, settings: &[(String, String, String)]) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| e.to_string())?;
    for (section, name, value) in settings {
        let value: Value = value.parse().map_err(|e: toml_edit::TomlError| format!("{section}.{name}: {e}"))?;
        let table = document.entry(section).or_insert_with(|| Item::Table(Table::new()));
        let table = table.as_table_like_mut().ok_or_else(|| format!("{section} is no section"))?;
        match table.get_mut(name).and_then(Item::as_value_mut) {
            Some(old) => {
                // What stands around it stays: blanks, and a comment behind it.
                let decor = old.decor().clone();
                *old = value;
                *old.decor_mut() = decor;
            }
            None => _ = table.insert(name, Item::Value(value)),
        }
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::fix::FixMode;
    use crate::extract::report::Summary;

    fn setting(section: &str, name: &str, value: &str) -> (String, String, String) {
        (section.into(), name.into(), value.into())
    }

    #[test]
    fn comments_and_order_stay_and_new_settings_find_their_section() {
        let text = "# mine\n[train] # how\nseed = 7 # lucky\nper_device_train_batch_size = 4   # rows\n\n[data]\ntrain = \"t\"\n";
        let settings = [
            setting("train", "per_device_train_batch_size", "2"),
            setting("train", "gradient_accumulation_steps", "8"),
            setting("memory", "head_chunk", "64"),
            setting("adapter", "target_modules", "[\"q_proj\", \"v_proj\"]"),
        ];
        let expected = "# mine\n[train] # how\nseed = 7 # lucky\nper_device_train_batch_size = 2   # rows\n\
             gradient_accumulation_steps = 8\n\n[data]\ntrain = \"t\"\n\n[memory]\nhead_chunk = 64\n\n[adapter]\n\
             target_modules = [\"q_proj\", \"v_proj\"]\n";
        assert_eq!(edited(text, &settings).expect("edited"), expected);
        // Sections may be written in other ways.
        let inline = "data = { train = \"t\" }\ntrain.seed = 7\n";
        let settings = [setting("data", "max_seq_length", "96"), setting("train", "seed", "8")];
        assert_eq!(
            edited(inline, &settings).expect("edited"),
            "data = { train = \"t\" , max_seq_length = 96 }\ntrain.seed = 8\n"
        );
    }

    #[test]
    fn a_report_takes_the_place_of_another_file_only_where_that_is_wanted() {
        let report = Report {
            summary: Summary::new(),
            provider: "local".into(),
            model: "m".into(),
            adapter: None,
            constrained: false,
            fix_mode: FixMode::Own,
            max_retries: 1,
            prompt: "{text}".into(),
            json_schema: serde_json::json!({"type": "object"}),
            rows_total: 0,
            stopped: None,
            rows: Vec::new(),
        };
        let place = tempfile::tempdir().expect("a place");
        let file = place.path().join("test.report.json");
        assert_eq!(write_report(&file, &report, false), Ok(()));
        let read = |file: &Path| fs::read_to_string(file).expect("text");
        let value: serde_json::Value = serde_json::from_str(&read(&file)).expect("JSON");
        assert_eq!(
            (&value["schema"], &value["model"], &value["rows"]),
            (&1.into(), &"m".into(), &serde_json::json!([]))
        );
        fs::write(&file, "mine").expect("a file");
        assert_eq!(write_report(&file, &report, false), Err(NotWritten::Exists));
        assert_eq!(read(&file), "mine");
        let link = place.path().join("link.json");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        assert_eq!(write_report(&link, &report, false), Err(NotWritten::Exists));
        assert_eq!(write_report(&link, &report, true), Ok(()));
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink() && read(&file).contains("\"schema\": 1"));
        assert!(matches!(write_report(&place.path().join("none/x"), &report, false), Err(NotWritten::Failed(_))));
    }

    #[test]
    fn a_file_keeps_its_mode_and_link_and_a_refused_change_leaves_it_alone() {
        let place = tempfile::tempdir().expect("a place");
        let file = place.path().join("real.toml");
        fs::write(&file, "[data]\ntrain = \"t\"\n").expect("a file");
        fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("a mode");
        let link = place.path().join("link.toml");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        write_settings(&link, &[setting("adapter", "r", "4")]).expect("written");
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
        assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o640);
        let written = fs::read_to_string(&file).expect("text");
        assert_eq!(written, "[data]\ntrain = \"t\"\n\n[adapter]\nr = 4\n");
        let refused = [setting("adapter", "method", "\"lora\""), setting("adapter", "quantization", "\"q8_0\"")];
        assert!(write_settings(&link, &refused).expect_err("a contradiction").contains("not written"));
        assert_eq!(fs::read_to_string(&file).expect("text"), written);
    }
}
