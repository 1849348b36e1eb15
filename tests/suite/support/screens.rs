//! What people see of a result, on every screen it is looked at: golden files.

use crate::support::golden::golden;
use cutter::layout::Style;
use unicode_width::UnicodeWidthStr as _;

/// The result at 80 and 140 columns, plain and coloured; no line is wider than the screen, and colour changes no letter.
pub fn screens(name: &str, show: impl Fn(Style) -> String) {
    for width in [80, 140] {
        let plain = show(Style { width, color: false });
        // Source that is shown is as wide as it is.
        let widest = plain.lines().filter(|line| !line.contains(" | ")).map(str::width).max().unwrap_or_default();
        assert!(widest <= usize::from(width), "{name} has a line of {widest} columns:\n{plain}");
        golden(&format!("{name}-{width}.txt"), &plain);
        let colored = show(Style { width, color: true });
        assert_eq!(without_color(&colored), plain);
        golden(&format!("{name}-{width}-colour.txt"), &colored);
    }
}

fn without_color(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
}
