//! The demo's own data: what the README promises about it. The generator is `configs/data/generate.py`.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use finetop::data::dataset::{TestRow, read_test_rows};

fn split(name: &str) -> Vec<TestRow> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("configs/data").join(format!("{name}.jsonl"));
    read_test_rows(&path, true).unwrap().rows
}

#[test]
fn splits_have_their_sizes_and_share_no_record() {
    let splits = ["train", "eval", "test"].map(split);
    assert_eq!([splits[0].len(), splits[1].len(), splits[2].len()], [600, 60, 100]);
    let prompts: HashSet<&str> = splits.iter().flatten().map(|row| row.prompt.as_str()).collect();
    assert_eq!(prompts.len(), 760);
}

#[test]
fn every_row_is_one_sentence_with_the_facts_of_its_record() {
    for row in ["train", "eval", "test"].iter().flat_map(|name| split(name)) {
        let record = row.prompt.strip_suffix('\n').unwrap();
        let fields: BTreeMap<_, _> = record.split(", ").map(|field| field.split_once(": ").unwrap()).collect();
        assert_eq!(fields.keys().copied().collect::<Vec<_>>(), ["condition", "item", "place", "price", "time"]);
        let place = fields["place"].split(" exit").next().unwrap();
        for text in &row.references {
            let sentence = text.ends_with('.') && text.matches(". ").count() == 0 && text.split(' ').count() <= 40;
            assert!(sentence && text.contains(fields["item"]) && text.contains(place), "{text}");
            assert_eq!(fields["price"] == "0", !text.contains(" won") || text.contains("a single won"), "{text}");
        }
    }
}

#[test]
fn no_way_of_beginning_a_sentence_is_common_enough_to_score_alone() {
    let mut beginnings: BTreeMap<String, usize> = BTreeMap::new();
    for row in split("train") {
        *beginnings.entry(row.references[0].split(' ').take(2).collect::<Vec<_>>().join(" ")).or_default() += 1;
    }
    assert!(beginnings.len() >= 30 && beginnings.values().all(|count| *count < 600 / 3), "{beginnings:?}");
}

#[test]
fn test_rows_have_several_references() {
    for row in split("test") {
        assert!(row.references.len() >= 2 && row.references[0] != row.references[1]);
    }
}
