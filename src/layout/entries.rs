//! Entries of a result: a status, a name that is never cut, and what there is to say of it, on one line where it fits.

use super::Style;
use super::lines::{Tone, fold, paint};
use super::printable;
use unicode_width::UnicodeWidthStr as _;

/// One entry; its texts are made printable here.
#[derive(Clone, Debug)]
pub struct Entry {
    status: String,
    tone: Tone,
    name: String,
    said: Vec<String>,
}

impl Entry {
    /// What became of something, and why: one line for each reason.
    pub fn new(status: &str, tone: Tone, name: &str, said: impl IntoIterator<Item = String>) -> Self {
        let said = said.into_iter().map(|text| printable(&text)).filter(|text| !text.is_empty()).collect();
        Self { status: printable(status), tone, name: printable(name), said }
    }
}

/// All entries: what is said of them stands under each other if that leaves it on one line, else beside or below the name.
pub fn entries(entries: &[Entry], style: Style) -> String {
    let width = usize::from(style.width);
    let widest = |of: fn(&Entry) -> &String| entries.iter().map(|entry| of(entry).width()).max().unwrap_or_default();
    let before = GAP + widest(|entry| &entry.status) + GAP;
    let names = widest(|entry| &entry.name);
    let mut said = entries.iter().flat_map(|entry| &entry.said);
    let is_aligned = said.all(|text| before + names + GAP + text.width() <= width);
    let mut text = String::new();
    for entry in entries {
        let status = " ".repeat(before - 2 * GAP - entry.status.width());
        text.push_str(&format!("  {}{status}  {}", paint(&entry.status, entry.tone, style), entry.name));
        let name = if is_aligned { names } else { entry.name.width() };
        let room = width.saturating_sub(before + name + GAP);
        // What does not fit beside the name begins below it.
        let is_beside = is_aligned || entry.said.iter().all(|text| text.width() <= room);
        let (indent, room) = match is_beside {
            true => (before + name + GAP, room),
            false => (before + GAP, width.saturating_sub(before + GAP)),
        };
        for (at, line) in entry.said.iter().flat_map(|text| fold(text, room)).enumerate() {
            match is_beside && at == 0 {
                true => text.push_str(&" ".repeat(name + GAP - entry.name.width())),
                false => text.push_str(&format!("\n{}", " ".repeat(indent))),
            }
            text.push_str(&line);
        }
        text.push('\n');
    }
    text
}

/// Columns between two of them.
const GAP: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_beside_a_name_goes_below_it_and_the_name_stays_whole() {
        let style = Style { width: 40, color: false };
        let all = [
            Entry::new("CHANGED", Tone::Bad, "flag:x", ["value: a -> b".to_owned()]),
            Entry::new("UNKNOWN", Tone::Open, "relation:public.a_long_name", ["rows: refused (42501)".to_owned()]),
        ];
        let shown = "  CHANGED  flag:x  value: a -> b\n  UNKNOWN  relation:public.a_long_name\n             rows: refused (42501)\n";
        assert_eq!(entries(&all, style), shown);
    }

    #[test]
    fn what_is_said_stands_under_each_other_where_all_of_it_fits() {
        let style = Style { width: 40, color: false };
        let all = [
            Entry::new("CHANGED", Tone::Bad, "flag:x", ["a -> b".to_owned(), "c -> d".to_owned()]),
            Entry::new("ok", Tone::Good, "flag:long", ["e".to_owned()]),
        ];
        let shown = "  CHANGED  flag:x     a -> b\n                      c -> d\n  ok       flag:long  e\n";
        assert_eq!(entries(&all, style), shown);
    }
}
