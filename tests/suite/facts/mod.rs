//! Facts and where they come from: what may be done rests on nothing that the run only states.

pub mod as_root;
mod layers;
