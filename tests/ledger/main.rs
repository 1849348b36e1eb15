//! The ledger: one use and no more, in a folder and in PostgreSQL, whoever races, dies or meddles.

#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;

#[cfg(test)]
mod directory;
#[cfg(test)]
mod faces;
#[cfg(test)]
#[path = "../support/golden.rs"]
mod golden;
#[cfg(test)]
mod golden_output;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod race;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod worker;
