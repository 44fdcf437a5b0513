//! A report as one page for a browser: nothing outside of it is needed or allowed, it follows the reader's light or dark, and it is a plain
//! table where scripts are off. All that comes from a model or a file is escaped. Style and script are in the files beside this one.

use std::fmt::Write;

use crate::eval::compare::Comparison;
use crate::eval::diff::{self, Side};
use crate::eval::report::{Report, ReportRow};
use crate::eval::{Detail, Score};
use crate::units::{DateTime, format_bytes, format_duration, printable};

use super::ended;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Bins of the histogram of sentence scores, ten points each.
const BINS: usize = 10;
/// Of the drawings, in their own units.
const WIDTH: f64 = 400.0;

/// The page of a report, and how it stands beside another one.
pub fn page(report: &Report, comparison: Option<&Comparison>) -> String {
    let mut out = String::new();
    // A String takes all that is written to it.
    let _ = write_page(&mut out, report, comparison);
    out
}

fn write_page(out: &mut String, report: &Report, comparison: Option<&Comparison>) -> std::fmt::Result {
    let name = escape(&report.name);
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'\">\n<title>finetop: {name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>{name}</h1>\n"
    )?;
    if report.is_partial() {
        writeln!(out, "<p class=\"partial\">Partial: {} of {} rows.</p>", report.rows.len(), report.rows_total)?;
    }
    subject(out, report)?;
    scores(out, report)?;
    if let Some(comparison) = comparison {
        compared(out, comparison)?;
    }
    precisions(out, report)?;
    histogram(out, report)?;
    table(out, report)?;
    write!(out, "<script>\n{SCRIPT}</script>\n</body>\n</html>\n")
}

fn subject(out: &mut String, report: &Report) -> std::fmt::Result {
    let subject = &report.subject;
    let left_out = report.rows_skipped.filter(|n| *n > 0);
    let left_out =
        left_out.map_or_else(String::new, |n| format!("; {n} lines of its file cannot be used and are left out"));
    let adapter = match (subject.adapter.name.as_str(), subject.adapter.step) {
        ("none", _) => "none: the base model".to_owned(),
        (name, Some(step)) => format!("{name}, step {step}"),
        (name, None) => name.to_owned(),
    };
    let mut facts = vec![
        ("model", subject.model.clone()),
        ("adapter", adapter),
        ("split", format!("{}, {} rows{left_out}", subject.split, report.rows.len())),
        ("decoding", subject.decoding.in_words()),
    ];
    facts.extend(report.eval_loss.map(|loss| ("eval loss", format!("{loss:.4} nats per target token"))));
    let speed = report.speed().map(|speed| format!(", {speed:.0} tokens a second")).unwrap_or_default();
    let took = format_duration(report.duration_us as f64 / 1e6);
    facts.push(("generated", format!("{} tokens in {took}{speed}", report.tokens)));
    facts.extend(report.peak_bytes.map(|bytes| ("peak memory", format_bytes(bytes))));
    let DateTime { year, month, day, hour, minute, .. } = DateTime::from_unix(report.created_unix_ms / 1000);
    facts.push(("made", format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")));
    writeln!(out, "<dl>")?;
    for (name, value) in facts {
        writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape(&value))?;
    }
    writeln!(out, "</dl>")
}

fn scores(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(out, "<h2>Scores</h2>")?;
    for score in &report.scores {
        let interval = score.ci.map(|ci| format!(" ± {:.2}", ci.half_width)).unwrap_or_default();
        let name = escape(&score.name);
        writeln!(out, "<p class=\"score\"><b>{name} {:.2}</b>{interval}</p>", score.score)?;
        scale(out, score)?;
        writeln!(out, "<p class=\"signature\">{}</p>", escape(&score.signature))?;
    }
    Ok(())
}

/// From 0 to 100, with the interval as a band.
fn scale(out: &mut String, score: &Score) -> std::fmt::Result {
    let at = |value: f64| value.clamp(0.0, 100.0) / 100.0 * WIDTH;
    write!(
        out,
        "<svg class=\"scale\" viewBox=\"-8 0 416 30\" role=\"img\" aria-label=\"{} {:.2} on a scale from 0 to 100\">\
         <line class=\"axis\" x1=\"0\" y1=\"10\" x2=\"{WIDTH}\" y2=\"10\"/>",
        escape(&score.name),
        score.score
    )?;
    if let Some(ci) = score.ci {
        let (low, high) = (at(ci.low), at(ci.high));
        write!(
            out,
            "<rect class=\"band\" x=\"{low:.1}\" y=\"5\" width=\"{:.1}\" height=\"10\"/>",
            (high - low).max(1.0)
        )?;
    }
    writeln!(
        out,
        "<circle class=\"mark\" cx=\"{:.1}\" cy=\"10\" r=\"4\"/><text x=\"0\" y=\"28\">0</text>\
         <text x=\"{WIDTH}\" y=\"28\" text-anchor=\"end\">100</text></svg>",
        at(score.score)
    )
}

fn compared(out: &mut String, c: &Comparison) -> std::fmt::Result {
    let p = match c.p_value {
        Some(p) if p < 0.001 => "less than 0.001".to_owned(),
        Some(p) => format!("{p:.3}"),
        None => "not known".to_owned(),
    };
    let (baseline, system) = (escape(&c.baseline), escape(&c.system));
    writeln!(
        out,
        "<h2>Beside {baseline}</h2>\n<table class=\"compared\">\n\
         <tr><th></th><th>{baseline}</th><th>{system}</th><th>difference</th></tr>\n\
         <tr><th>BLEU</th><td>{:.2}</td><td>{:.2}</td><td>{:+.2}</td></tr>\n\
         <tr><th>chrF2</th><td>{:.2}</td><td>{:.2}</td><td>{:+.2}</td></tr>\n</table>\n\
         <p>Over {} rows; p-value of the difference in BLEU by a paired bootstrap: {p}.</p>",
        c.bleu.0,
        c.bleu.1,
        c.difference,
        c.chrf.0,
        c.chrf.1,
        c.chrf.1 - c.chrf.0,
        c.rows
    )
}

fn precisions(out: &mut String, report: &Report) -> std::fmt::Result {
    let Some(Detail::Bleu { precisions, bp, sys_len, ref_len, .. }) = report.bleu().map(|score| &score.detail) else {
        return Ok(());
    };
    writeln!(out, "<h2>Precisions</h2>\n<table class=\"bars\">")?;
    for (at, precision) in precisions.iter().enumerate() {
        writeln!(
            out,
            "<tr><th>{}-gram</th><td>{precision:.1} %</td><td><svg viewBox=\"0 0 400 12\"><rect class=\"track\" \
             width=\"400\" height=\"12\"/><rect class=\"band\" width=\"{:.1}\" height=\"12\"/></svg></td></tr>",
            at + 1,
            precision.clamp(0.0, 100.0) / 100.0 * WIDTH
        )?;
    }
    let ratio = report.length_ratio.map_or("not known".to_owned(), |ratio| format!("{ratio:.3}"));
    writeln!(
        out,
        "</table>\n<p>Brevity penalty {bp:.3}; length ratio {ratio} ({sys_len} tokens beside {ref_len} of the \
         references).</p>"
    )
}

fn histogram(out: &mut String, report: &Report) -> std::fmt::Result {
    let mut counts = [0u64; BINS];
    for row in report.rows.iter().filter(|row| row.bleu.is_finite()) {
        counts[((row.bleu / BINS as f64) as usize).min(BINS - 1)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    writeln!(
        out,
        "<h2>Sentences by BLEU</h2>\n<svg class=\"histogram\" viewBox=\"0 0 400 140\" role=\"img\" \
         aria-label=\"how many rows have which sentence BLEU\">"
    )?;
    for (at, &count) in counts.iter().enumerate() {
        let (x, height) = (at as f64 * WIDTH / BINS as f64, count as f64 / most * 100.0);
        writeln!(
            out,
            "<rect class=\"band\" x=\"{:.1}\" y=\"{:.1}\" width=\"36\" height=\"{height:.1}\"><title>{count} rows from {} \
             to {}</title></rect><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{count}</text>\
             <text x=\"{:.1}\" y=\"136\" text-anchor=\"middle\">{}</text>",
            x + 2.0,
            120.0 - height,
            at * 10,
            at * 10 + 10,
            x + 20.0,
            116.0 - height,
            x + 20.0,
            at * 10
        )?;
    }
    writeln!(out, "</svg>")
}

/// The worst first, as the screen has them; the script sorts otherwise.
fn table(out: &mut String, report: &Report) -> std::fmt::Result {
    let mut rows: Vec<&ReportRow> = report.rows.iter().collect();
    rows.sort_by(|a, b| a.bleu.total_cmp(&b.bleu));
    writeln!(
        out,
        "<h2>Rows</h2>\n<div id=\"tools\"></div>\n<table id=\"rows\">\n<thead><tr><th>line</th><th>BLEU</th><th>chrF</th>\
         <th>tokens</th><th>ended</th><th>from the nearest reference to the hypothesis: <del>missing</del> \
         <ins>added</ins></th></tr></thead>\n<tbody>"
    )?;
    for row in rows {
        write!(
            out,
            "<tr class=\"row\"><td>{}</td><td>{:.2}</td><td>{:.2}</td><td>{}</td><td>{}</td><td>",
            row.line,
            row.bleu,
            row.chrf,
            row.tokens,
            ended(row.ended)
        )?;
        let nearest = diff::nearest(row);
        match nearest.and_then(|at| row.references.get(at)) {
            Some(reference) => way(out, reference, &row.hypothesis)?,
            None => write!(out, "<p>{}</p>", escape(&row.hypothesis))?,
        }
        write!(
            out,
            "<details><summary>hypothesis, {} references, prompt</summary><h3>hypothesis</h3><pre>{}</pre>",
            row.references.len(),
            escape(&row.hypothesis)
        )?;
        for (at, reference) in row.references.iter().enumerate() {
            let which = if nearest == Some(at) { ", the nearest" } else { "" };
            write!(out, "<h3>reference {}{which}</h3><pre>{}</pre>", at + 1, escape(reference))?;
        }
        writeln!(out, "<h3>prompt</h3><pre>{}</pre></details></td></tr>", escape(&row.prompt))?;
    }
    writeln!(out, "</tbody>\n</table>")
}

fn way(out: &mut String, reference: &str, hypothesis: &str) -> std::fmt::Result {
    write!(out, "<p>")?;
    for piece in diff::words(reference, hypothesis) {
        let text = escape(&piece.text);
        match piece.side {
            Side::Both => write!(out, "{text}")?,
            Side::Reference => write!(out, "<del>{text}</del>")?,
            Side::Hypothesis => write!(out, "<ins>{text}</ins>")?,
        }
    }
    write!(out, "</p>")
}

/// Text that is nothing but text, between tags and in attributes; what is no character to look at is shown as on the screen.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            escaped.push('\n');
        }
        for c in printable(line).chars() {
            match c {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                c => escaped.push(c),
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_wrote_is_text_and_no_part_of_the_page() {
        let page = page(&crate::eval::export::tests::report(), None);
        assert!(!page.contains("<script>alert") && !page.contains("<b>\"x\""), "{page}");
        assert!(page.contains("&lt;/script&gt;") && page.contains("m&lt;1&gt;"), "{page}");
        assert_eq!(escape("<a href='\u{1b}\u{202e}'>&\n\"x\""), "&lt;a href=&#39;␛�&#39;&gt;&amp;\n&quot;x&quot;");
    }

    #[test]
    fn the_page_has_every_row_and_needs_nothing_from_outside() {
        let page = page(&crate::eval::export::tests::report(), None);
        assert_eq!(page.matches("<tr class=\"row\">").count(), 3);
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains(" src="), "{page}");
        assert_eq!((page.matches("<script>").count(), page.matches("</script>").count()), (1, 1));
        // The worst rows are first without any script.
        let at = |text: &str| page.find(text).expect("a row");
        assert!(at("<td>2</td><td>0.00</td>") < at("<td>1</td><td>100.00</td>"));
    }

    #[test]
    fn a_comparison_is_told_where_there_is_one() {
        let report = crate::eval::export::tests::report();
        let comparison = Comparison {
            baseline: "test-none".into(),
            system: "test-best".into(),
            rows: 3,
            bleu: (10.0, 12.5),
            chrf: (20.0, 19.0),
            difference: 2.5,
            p_value: Some(0.0005),
        };
        let page = page(&report, Some(&comparison));
        for text in ["Beside test-none", "+2.50", "-1.00", "less than 0.001"] {
            assert!(page.contains(text), "{text}");
        }
    }
}
