//! The ledger: one use and no more, in a folder and in PostgreSQL, whoever races, dies or meddles.

mod contract;
mod damage;
mod directory;
mod faces;
mod followed;
mod golden_output;
mod model;
mod postgres;
mod race;
pub mod scene;
mod worker;
