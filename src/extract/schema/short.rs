//! The schema's short form for prompts and screens: a type in TypeScript's manner. Shorter than the schema, and models know it.

use std::collections::HashSet;

use serde_json::Value;

use super::names::fold;
use super::{Kind, Node, Rest, Schema};
use crate::units::beginning;

/// The most bytes of the form.
pub const MOST_BYTES: usize = 6_000;
const MOST_DEPTH: usize = 12;
const MOST_CHOICES: usize = 40;
const MOST_REMARK: usize = 160;

pub(super) fn short(schema: &Schema) -> String {
    let mut writer = Writer { out: String::new(), open: Vec::new(), named: Vec::new(), told: HashSet::new() };
    writer.node(schema.root(), 0);
    // Types that hold themselves are written once, by name.
    while let Some(node) = writer.named.pop() {
        if writer.told.insert(node.id()) && !writer.is_full() {
            writer.out.push_str(&format!("\ntype {} = ", type_name(node)));
            writer.open = vec![node];
            writer.shape(node, 0);
        }
    }
    if writer.is_full() { format!("{}…", beginning(&writer.out, MOST_BYTES)) } else { writer.out }
}

struct Writer<'s> {
    out: String,
    /// The nodes around the one being written.
    open: Vec<Node<'s>>,
    named: Vec<Node<'s>>,
    told: HashSet<usize>,
}

impl<'s> Writer<'s> {
    fn is_full(&self) -> bool {
        self.out.len() > MOST_BYTES
    }

    fn node(&mut self, node: Node<'s>, depth: usize) {
        if self.is_full() {
            return;
        }
        if node.properties().len() > 0 && self.open.contains(&node) {
            self.out.push_str(&type_name(node));
            self.named.push(node);
            return;
        }
        if depth > MOST_DEPTH {
            self.out.push_str("any");
            return;
        }
        self.open.push(node);
        self.shape(node, depth);
        self.open.pop();
    }

    fn shape(&mut self, node: Node<'s>, depth: usize) {
        if let Some(choices) = node.choices() {
            let listed: Vec<String> = choices.iter().take(MOST_CHOICES).map(|c| c.value.to_string()).collect();
            self.out.push_str(&listed.join(" | "));
            if choices.len() > MOST_CHOICES {
                self.out.push_str(" | …");
            }
            return;
        }
        let has_own = node.properties().len() > 0;
        if node.branches().len() > 0 && !has_own {
            for (at, branch) in node.branches().enumerate() {
                if at > 0 {
                    self.out.push_str(" | ");
                }
                self.node(branch, depth + 1);
            }
            return;
        }
        if node.kinds() == super::Kinds::ANY && !has_own {
            self.out.push_str("any");
            return;
        }
        let number = node.accepts(Kind::Number);
        let mut first = true;
        for kind in node.kinds().iter().filter(|k| !(number && *k == Kind::Integer)) {
            if has_own && kind != Kind::Object && node.kinds() == super::Kinds::ANY {
                continue;
            }
            if !first {
                self.out.push_str(" | ");
            }
            first = false;
            match kind {
                Kind::Object => self.object(node, depth),
                Kind::Array => self.array(node, depth),
                Kind::String => {
                    self.out.push_str("string");
                    if let Some(format) = node.format() {
                        self.out.push_str(&format!(" ({format})"));
                    }
                }
                kind => self.out.push_str(kind.name()),
            }
        }
    }

    fn object(&mut self, node: Node<'s>, depth: usize) {
        if node.properties().len() == 0 {
            self.out.push_str("{ [key: string]: ");
            self.rest(node.additional(), depth);
            self.out.push_str(" }");
            return;
        }
        self.out.push_str("{\n");
        let indent = "  ".repeat(depth + 1);
        for property in node.properties() {
            if self.is_full() {
                return;
            }
            let plain = !property.key.is_empty() && property.key.chars().all(|c| c.is_alphanumeric() || c == '_');
            let key = if plain { property.key.to_string() } else { Value::from(property.key).to_string() };
            self.out.push_str(&format!("{indent}{key}{}: ", if property.required { "" } else { "?" }));
            self.node(property.node, depth + 1);
            self.out.push(',');
            let remarks = remarks(property.key, property.node);
            if !remarks.is_empty() {
                self.out.push_str(&format!(" // {remarks}"));
            }
            self.out.push('\n');
        }
        if let Rest::Node(_) = node.additional() {
            self.out.push_str(&format!("{indent}[key: string]: "));
            self.rest(node.additional(), depth);
            self.out.push_str(",\n");
        }
        self.out.push_str(&"  ".repeat(depth));
        self.out.push('}');
    }

    fn array(&mut self, node: Node<'s>, depth: usize) {
        if node.prefix_items().len() > 0 {
            self.out.push('[');
            for (at, item) in node.prefix_items().enumerate() {
                self.out.push_str(if at > 0 { ", " } else { "" });
                self.node(item, depth + 1);
            }
            if let Rest::Node(_) = node.items() {
                self.out.push_str(", ...");
                self.rest(node.items(), depth);
                self.out.push_str("[]");
            }
            self.out.push(']');
            return;
        }
        let begun = self.out.len();
        self.rest(node.items(), depth);
        let several = matches!(node.items(), Rest::Node(item) if item.branches().len() > 0 || item.choices().is_some_and(|c| c.len() > 1)
            || item.kinds().iter().filter(|k| *k != Kind::Integer).count() > 1 || item.format().is_some());
        if several {
            self.out.insert(begun.min(self.out.len()), '(');
            self.out.push(')');
        }
        self.out.push_str("[]");
    }

    fn rest(&mut self, rest: Rest<'s>, depth: usize) {
        match rest {
            Rest::Node(node) => self.node(node, depth),
            Rest::Any => self.out.push_str("any"),
            Rest::Forbidden => self.out.push_str("never"),
        }
    }
}

/// A title that is the key in other letters says nothing.
fn remarks(key: &str, node: Node<'_>) -> String {
    let line = |text: &str| beginning(&text.split_whitespace().collect::<Vec<_>>().join(" "), MOST_REMARK).to_string();
    let title = node.title().filter(|t| fold(t) != fold(key) && node.name() != Some(t)).map(line);
    let limits = node.limits().iter().map(|(keyword, value)| line(&format!("{keyword} {value}")));
    let default = node.default().filter(|d| !d.is_null()).map(|d| line(&format!("default {d}")));
    let said: Vec<String> =
        title.into_iter().chain(node.description().map(line)).chain(limits).chain(default).collect();
    said.join("; ")
}

fn type_name(node: Node<'_>) -> String {
    let named = node.name().or(node.title()).unwrap_or_default();
    let name: String = named.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    if name.is_empty() { format!("Type{}", node.id()) } else { name }
}
