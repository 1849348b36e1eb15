//! The terminal form of one action at its moment of use.

use super::table::{label, mark};
use crate::decision::Basis;
use crate::layout::Style;
use crate::layout::lines::{Cell, Fit, Lines, Tone, flow};
use crate::plan::IntendedAction;
use crate::record::RowDecision;

/// The decision, where one was needed, and what came of it.
pub fn said(action: &IntendedAction, basis: Option<Basis>, (tone, what): (Tone, &str), style: Style) -> String {
    let decided = basis.map_or_else(
        || Cell::toned("off", Tone::Open),
        |basis| Cell::toned(format!("{}: {}", RowDecision::of(basis).words(), basis.words()), mark(basis).1),
    );
    let heading = [
        Cell::new("exec"),
        decided,
        Cell::new(&action.id),
        Cell::named(action.action.id().unescaped(), action.resource.id().unescaped(), Tone::Plain),
    ];
    let mut lines = Lines::new([Fit::Whole, Fit::Words]);
    if let Some(work) = &action.work {
        lines.row([label("", Tone::Plain), Cell::toned(work.record().line(), Tone::Dim)]);
    }
    lines.row([label("", Tone::Plain), Cell::toned(what, tone)]);
    flow(&heading, 8, style) + &lines.text(style)
}
