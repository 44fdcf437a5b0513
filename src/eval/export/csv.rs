//! Rows as CSV: a heading, then a line a row, fields quoted where they need it, lines ended as the standard has it. References that a row
//! has fewer of than others are empty fields. Source: RFC 4180.

use crate::eval::report::Report;

use super::ended;

/// All rows of a report. Text is as it was generated: a field that a spreadsheet would take for a formula is no formula to a program.
pub fn rows(report: &Report) -> String {
    let references = report.rows.iter().map(|row| row.references.len()).max().unwrap_or(0);
    let mut text = String::new();
    let mut heading: Vec<String> =
        ["row", "line", "bleu", "chrf", "prompt_tokens", "tokens", "ended", "duration_us", "prompt", "hypothesis"]
            .map(String::from)
            .to_vec();
    heading.extend((1..=references).map(|n| format!("reference_{n}")));
    line(&mut text, &heading);
    for row in &report.rows {
        let mut fields = vec![
            row.row.to_string(),
            row.line.to_string(),
            row.bleu.to_string(),
            row.chrf.to_string(),
            row.prompt_tokens.to_string(),
            row.tokens.to_string(),
            ended(row.ended).to_owned(),
            row.duration_us.to_string(),
            row.prompt.clone(),
            row.hypothesis.clone(),
        ];
        fields.extend(row.references.iter().cloned());
        fields.resize(10 + references, String::new());
        line(&mut text, &fields);
    }
    text
}

fn line(text: &mut String, fields: &[String]) {
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        push(text, field);
    }
    text.push_str("\r\n");
}

fn push(text: &mut String, field: &str) {
    if field.contains([',', '"', '\n', '\r']) || field.starts_with(' ') || field.ends_with(' ') {
        text.push('"');
        text.push_str(&field.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str) -> String {
        let mut out = String::new();
        push(&mut out, text);
        out
    }

    #[test]
    fn fields_are_quoted_where_they_need_it() {
        for (plain, written) in [
            ("", ""),
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("\r", "\"\r\""),
            (" spaced", "\" spaced\""),
            ("중고", "중고"),
        ] {
            assert_eq!(field(plain), written, "{plain:?}");
        }
    }

    #[test]
    fn every_line_has_the_fields_of_the_heading() {
        let text = rows(&crate::eval::export::tests::report());
        let lines: Vec<&str> = text.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 1 + 3);
        assert!(lines[0].ends_with("hypothesis,reference_1,reference_2"), "{}", lines[0]);
        // Only its last row has a second reference.
        assert!(lines[1].ends_with(','), "{}", lines[1]);
        assert_eq!(lines[3], "2,3,0,3.5,4,5,max_new_tokens,1000,p 2,\"<b>\"\"x\"\"</b>, y\",one,two & three");
    }
}
