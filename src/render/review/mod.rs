//! The faces of a review: for people with underlined source, and for machines. They show every finding.

pub mod difference;
pub mod document;
pub mod github;
pub mod human;
pub mod junit;
pub mod markdown;
pub mod matrix;
pub mod sarif;

use crate::findings::Place;

/// The line and column where a place begins and where it ends, from 1; columns count characters, and the end is exclusive.
fn region(place: &Place) -> ((usize, usize), (usize, usize)) {
    // What spans a whole policy is shown by its first line that is not blank.
    (place.source.position(place.span.start), place.source.position(place.span.end))
}
