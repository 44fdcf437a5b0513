//! Markdown tables: rows to objects, and tables of two columns whose first names the fields.
//! Next: `block` for lines.

use std::collections::HashSet;
use std::ops::Range;

use serde_json::{Map, Value};

use super::field::{self, Line};
use crate::extract::schema::names;
use crate::extract::schema::node::{Node, Property};

/// A table: its header's cells, its rows' cells, and the lines that it takes.
pub struct Table<'a> {
    pub header: Vec<&'a str>,
    pub rows: Vec<Vec<&'a str>>,
    pub lines: Range<usize>,
}

/// The tables of a text: a line with bars, a line of dashes, lines with bars.
pub fn tables<'a>(text: &'a str, lines: &[Line]) -> Vec<Table<'a>> {
    let body = |at: usize| lines.get(at).map(|line| text[line.body.clone()].trim());
    let mut found = Vec::new();
    let mut at = 0;
    while at + 1 < lines.len() {
        let (Some(head), Some(rule)) = (body(at), body(at + 1)) else { break };
        let is_rule =
            rule.contains('-') && rule.contains('|') && rule.chars().all(|c| matches!(c, '|' | '-' | ':' | ' ' | '+'));
        if !head.contains('|') || !is_rule {
            at += 1;
            continue;
        }
        let mut end = at + 2;
        let mut rows = Vec::new();
        while let Some(row) = body(end).filter(|row| row.contains('|')) {
            rows.push(cells(row));
            end += 1;
        }
        found.push(Table { header: cells(head), rows, lines: at..end });
        at = end;
    }
    found
}

/// What stands between bars; a bar behind a backslash is text.
fn cells(row: &str) -> Vec<&str> {
    let row = row.strip_prefix('|').unwrap_or(row);
    let row = row.strip_suffix('|').filter(|rest| !rest.ends_with('\\')).unwrap_or(row);
    let mut cells = Vec::new();
    let mut from = 0;
    for (at, _) in row.match_indices('|') {
        if !row[..at].ends_with('\\') {
            cells.push(row[from..at].trim());
            from = at + 1;
        }
    }
    cells.push(row[from..].trim());
    cells
}

impl Table<'_> {
    /// The rows as objects, where the header names fields; with what no column of these holds.
    pub fn objects(&self, node: Node<'_>) -> Option<(Vec<Value>, Vec<String>)> {
        let exact: Vec<Option<Property>> = self.header.iter().map(|name| called(name, node)).collect();
        let taken: HashSet<&str> = exact.iter().flatten().map(|property| property.key).collect();
        let nearly = |name: &str| called_but_for_bracket(name, node).filter(|p| !taken.contains(p.key));
        let mut columns: Vec<Option<Property>> =
            self.header.iter().zip(exact).map(|(name, exact)| exact.or_else(|| nearly(name))).collect();
        let filled: HashSet<&str> = columns.iter().flatten().map(|property| property.key).collect();
        let unfilled = || node.properties().filter(|property| !filled.contains(property.key));
        let may_be_meant = unfilled().any(|property| numbers(&property));
        if let Some(at) = self.header.iter().position(|name| is_count(name))
            && columns[at].is_none()
        {
            columns[at] = unfilled().find(is_number);
        }
        if columns.iter().flatten().count() == 0 {
            return None;
        }
        // What the last row adds up is no row of its own.
        let total = self.rows.last().filter(|cells| self.rows.len() > 1 && is_total(cells));
        let said = &self.rows[..self.rows.len() - usize::from(total.is_some())];
        let unknown = self.header.iter().enumerate().filter(|(at, name)| {
            columns[*at].is_none() && !name.is_empty() && !(is_count(name) && !may_be_meant && counts(said, *at))
        });
        let mut lost: Vec<String> = unknown.map(|(_, name)| (*name).to_owned()).collect();
        let mut rows = Vec::with_capacity(self.rows.len());
        lost.extend(total.map(|cells| cells.join(" | ")));
        for cells in said {
            let mut map = Map::new();
            for (at, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
                match columns.get(at) {
                    Some(Some(property)) => say(&mut map, *property, cell, &mut lost),
                    // A column with a name was told above, for all its rows.
                    Some(None) if !self.header[at].is_empty() => {}
                    _ => lost.push((*cell).to_owned()),
                }
            }
            rows.push(Value::Object(map));
        }
        Some((rows, lost))
    }

    /// The field whose name stands alone in the line above.
    pub fn label<'s>(&self, text: &str, lines: &[Line], node: Node<'s>) -> Option<Property<'s>> {
        let above = lines[..self.lines.start].iter().rev().find(|line| !line.body.is_empty())?;
        let said = text[above.body.clone()].trim_matches(|c: char| c.is_whitespace() || "#*_`".contains(c));
        node.called(said.strip_suffix([':', '：'])?)
    }

    /// One object, where the first column names fields: its header's cells count as a row. A header that names two is of rows.
    pub fn object(&self, node: Node<'_>) -> Option<(Map<String, Value>, Vec<String>)> {
        let named = |name: &&str| called(name, node).or_else(|| called_but_for_bracket(name, node));
        if self.header.len() != 2 || self.header.iter().all(|name| named(name).is_some()) {
            return None;
        }
        let mut map = Map::new();
        let mut lost = Vec::new();
        for (index, cells) in [&self.header].into_iter().chain(&self.rows).enumerate() {
            let [name, said, more @ ..] = cells.as_slice() else {
                lost.extend(cells.iter().filter(|cell| !cell.is_empty()).map(|cell| (*cell).to_owned()));
                continue;
            };
            lost.extend(more.iter().filter(|cell| !cell.is_empty()).map(|cell| (*cell).to_owned()));
            match named(name) {
                // An empty cell says nothing.
                Some(_) if said.is_empty() => {}
                Some(property) => say(&mut map, property, said, &mut lost),
                None if index > 0 => lost.push(format!("{name}: {said}")),
                None => {}
            }
        }
        (!map.is_empty()).then_some((map, lost))
    }
}

/// Whether a column's name says that it numbers the rows.
fn is_count(name: &str) -> bool {
    matches!(bare(name).to_lowercase().as_str(), "#" | "no." | "no" | "nr." | "№" | "번호" | "순번")
}

/// Whether a field is called as a column that numbers the rows is: `number`, 번호.
fn is_number(property: &Property<'_>) -> bool {
    let is = |name: &String| ["number", "no", "num", "nr", "번호", "순번"].contains(&names::fold(name).as_str());
    property.names.iter().any(is)
}

/// Whether a field's name has a word for what such a column may hold: `jersey_number`, `rank`.
fn numbers(property: &Property<'_>) -> bool {
    const WORDS: [&str; 13] =
        ["number", "no", "num", "nr", "rank", "ranking", "id", "order", "index", "position", "번호", "순번", "순위"];
    let has = |name: &String| names::words(name).split(' ').any(|word| WORDS.contains(&word));
    property.names.iter().any(has)
}

/// Whether a column counts the rows from one, as the marks of a list do.
fn counts(rows: &[Vec<&str>], at: usize) -> bool {
    let number =
        |cells: &Vec<&str>| cells.get(at).and_then(|cell| bare(cell).trim_end_matches(['.', ')']).parse().ok());
    rows.iter().zip(1_usize..).all(|(cells, nth)| number(cells) == Some(nth))
}

/// Whether a row adds up those above it.
fn is_total(cells: &[&str]) -> bool {
    let first = cells.iter().find(|cell| !cell.is_empty());
    first.is_some_and(|cell| {
        let name = cell.trim_matches(|c: char| c.is_whitespace() || "*_`:".contains(c)).to_lowercase();
        ["total", "totals", "grand total", "subtotal", "sum", "합계", "총계", "소계", "총합", "총합계"]
            .contains(&name.as_str())
    })
}

/// Of a field that is said twice the first counts.
fn say(map: &mut Map<String, Value>, property: Property<'_>, cell: &str, lost: &mut Vec<String>) {
    let value = if cell.contains("\\|") {
        field::scalar(&cell.replace("\\|", "|"), property.node)
    } else {
        field::scalar(cell, property.node)
    };
    match map.get(property.key) {
        Some(known) if *known != value => lost.push(format!("{}: {cell}", property.key)),
        Some(_) => {}
        None => {
            map.insert(property.key.to_owned(), value);
        }
    }
}

fn called<'s>(name: &str, node: Node<'s>) -> Option<Property<'s>> {
    node.called(bare(name))
}

fn called_but_for_bracket<'s>(name: &str, node: Node<'s>) -> Option<Property<'s>> {
    node.called_but_for_bracket(bare(name))
}

fn bare(name: &str) -> &str {
    name.trim_matches(['*', '_', '`', ' ', ':'])
}
