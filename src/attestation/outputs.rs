//! What the programs of a run wrote, by the records of their ends.

use crate::ledger::{Entry, Finished, Record};
use serde::Deserialize as _;
use serde_json::Value;

/// What the records say of it.
pub struct Outputs {
    /// How many programs began.
    pub programs: usize,
    /// Of how many of them all was looked through, for the values of all variables.
    pub searched: usize,
    /// Each kind of secret that one of them wrote.
    pub found: Vec<String>,
}

impl Outputs {
    /// Reads the records of a run; `variables` are those whose values are secrets.
    pub fn of(records: &[Value], variables: &[String]) -> Self {
        let mut outputs = Self { programs: 0, searched: 0, found: Vec::new() };
        for entry in records.iter().filter_map(|value| Entry::deserialize(value).ok()) {
            match entry.record {
                Record::Started(started) if !started.argv.is_empty() => outputs.programs += 1,
                Record::Finished(Finished { action, output: Some(output), .. }) => {
                    outputs.searched += usize::from(variables.iter().all(|name| output.variables.contains(name)));
                    let said = |(what, count): (&String, &u64)| format!("`{action}` wrote {what}, {count} times");
                    outputs.found.extend(output.found.iter().map(said));
                }
                _ => {}
            }
        }
        outputs
    }
}
