//! What cutter adds to the `cedar_policy` crate, whatever bundle it judges by.

pub mod depth;
pub mod diagnostics;
pub mod expression;
pub mod reads;
pub mod scope;
pub(crate) mod slips;
pub mod tokens;
pub(crate) mod unclosed;

pub(crate) use unclosed::{Statements, unclosed};
