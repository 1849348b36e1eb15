//! The ledger: one use and no more, in a folder and in PostgreSQL, whoever races, dies or meddles.

mod directory;
mod faces;
mod golden_output;
mod journal;
mod postgres;
mod race;
pub mod scene;
mod worker;
