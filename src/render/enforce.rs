//! A guard for people to read before a superuser applies it: what it changes, then the statements, then those that take it back.

use crate::enforce::{Enforcement, Guarded};
use crate::layout::Style;
use crate::layout::entries::{Entry, entries};
use crate::layout::lines::{Tone, head};

/// The guard, its inverse, and what the effects must pin.
pub fn text(enforcement: &Enforcement, style: Style) -> String {
    let is_there = enforcement.functions.iter().any(|function| function.is_there);
    let (result, tone) = if is_there { ("THERE", Tone::Good) } else { ("PRINTED", Tone::Open) };
    let rest = match is_there {
        true => "the database has it",
        false => "nothing was applied",
    };
    let mut text = head("guard", result, tone, rest, style);
    let entry = |function: &Guarded| {
        let effects = format!("called by {}", function.effects.join(", "));
        let (without, with) = (function.without_sha256, function.with_sha256);
        let pins = [format!("without {without}"), format!("with    {with}")];
        Entry::new("function", Tone::Plain, &function.function, [effects].into_iter().chain(pins).collect::<Vec<_>>())
    };
    let all: Vec<Entry> = enforcement.functions.iter().map(entry).collect();
    text.push_str(&entries(&all, style));
    let Enforcement { guard, inverse, .. } = enforcement;
    text.push_str(&format!(
        "\n-- the guard, for a superuser to apply; with it the effects pin what is `with` above\n-- sha256 {}\n{}",
        guard.sha256, guard.sql
    ));
    text + &format!("\n-- its inverse\n-- sha256 {}\n{}", inverse.sha256, inverse.sql)
}
