//! The one page of a report for terminals and as Markdown.

use super::attestation::tone;
use super::page::{self, Page};
use crate::attestation::Statement;
use crate::attestation::report::Report;
use crate::layout::lines::{self, Cell, Fit, Lines, Tone};
use crate::layout::{Style, escape};
use std::fmt::Write as _;

/// The one page of a report for terminals, what does not fit first.
pub fn table(statement: &Statement<Report>, file: Option<&str>, style: Style) -> String {
    let page = Page::of(statement, file);
    let report = &statement.predicate;
    let mut text = lines::head("attest", report.verdict.name(), tone(report.verdict), &page.title, style);
    text += &block("CONTRADICTED", &page.contradictions, Tone::Bad, style);
    text += &block("about", &page.head, Tone::Plain, style);
    text += &block("decision", &page.decision, Tone::Plain, style);
    text += &block("facts", &page.facts, Tone::Plain, style);
    let mut forbidden = Lines::new([Fit::Whole, Fit::Middle, Fit::Whole, Fit::Words]);
    for (index, [title, status, why]) in page.forbidden.iter().enumerate() {
        let name = if index == 0 { "forbidden" } else { "" };
        let tone = if page::is_bad(status) { Tone::Bad } else { Tone::Plain };
        forbidden.row([Cell::new(name), Cell::new(title), Cell::toned(status, tone), Cell::new(why)]);
    }
    text.push_str(&forbidden.text(style));
    let done = page
        .done
        .iter()
        .flat_map(|(done, left)| [done.clone()].into_iter().chain(left.iter().map(|line| format!("  {line}"))));
    text += &block("done", &done.collect::<Vec<_>>(), Tone::Plain, style);
    text += &block("open", &page.open, Tone::Plain, style);
    text += &block("verdict", &page.verdict, Tone::Plain, style);
    text += &block("more", &[page.more], Tone::Plain, style);
    text
}

/// Lines under one name.
fn block(name: &str, said: &[String], tone: Tone, style: Style) -> String {
    let mut lines = Lines::new([Fit::Whole, Fit::Words]);
    for (index, line) in said.iter().enumerate() {
        lines.row([Cell::toned(if index == 0 { name } else { "" }, tone), Cell::new(line)]);
    }
    lines.text(style)
}

/// The one page of a report in the shape of report 07.
pub fn markdown(statement: &Statement<Report>, file: Option<&str>) -> String {
    let page = Page::of(statement, file);
    let list = |text: &mut String, lines: &[String]| {
        for line in lines {
            let _ = writeln!(text, "- {}", plain(line));
        }
    };
    let mut text = format!("# {}\n\n", plain(&page.title));
    if !page.contradictions.is_empty() {
        text.push_str("## CONTRADICTED\n\n");
        list(&mut text, &page.contradictions);
        text.push('\n');
    }
    list(&mut text, &page.head);
    text.push_str("\n## 1. Decision\n\n");
    list(&mut text, &page.decision);
    let _ = writeln!(text, "\n## 2. {}\n", page.facts_title);
    list(&mut text, &page.facts);
    text.push_str("\n## 3. Forbidden-action attestation\n\n| Forbidden | Status | |\n|---|---|---|\n");
    for cells in &page.forbidden {
        let _ = writeln!(text, "| {} |", cells.each_ref().map(|cell| plain(cell)).join(" | "));
    }
    text.push_str("\n## 4. What was done, what is open\n\n");
    if page.done.is_empty() {
        text.push_str("- nothing is in the journal of this run\n");
    }
    for (done, left) in &page.done {
        let _ = writeln!(text, "- {}", plain(done));
        for line in left {
            let _ = writeln!(text, "  - {}", plain(line));
        }
    }
    list(&mut text, &page.open);
    text.push_str("\n## 5. Verdict\n\n");
    list(&mut text, &page.verdict);
    let _ = writeln!(text, "\n{}", page.more);
    text
}

/// Text that cannot become markup, with no more escapes than that takes.
fn plain(text: &str) -> String {
    let escaped = escape(text);
    let mut shown = String::with_capacity(escaped.len());
    let mut rest = escaped.as_str();
    while let Some(letter) = rest.chars().next() {
        let after = |skipped: usize| rest.get(skipped..).unwrap_or_default();
        let begins = shown.is_empty() || shown.ends_with(' ');
        // Within a line or a word these are nothing but letters.
        let (taken, skipped) = if rest.starts_with("\\_")
            && shown.ends_with(char::is_alphanumeric)
            && after(2).starts_with(char::is_alphanumeric)
        {
            ("_", 2)
        } else if rest.starts_with("\\#") && !begins {
            ("#", 2)
        } else if rest.starts_with("&gt;") && !shown.is_empty() {
            (">", 4)
        } else {
            (rest.get(..letter.len_utf8()).unwrap_or_default(), letter.len_utf8())
        };
        shown.push_str(taken);
        rest = after(skipped);
    }
    shown
}
