//! The chain of attestations: each names the digest of the one before it and the ledger it is kept in.
//!
//! A chain shows by itself that nothing in it was changed, left out or put in; that its end was not cut off and extended again, only a
//! head that somebody else keeps can show.

use super::Ledger;
use super::record::{Attestation, LedgerId, VERSION};
use crate::digest::Digest;
use crate::problem::{Code, Coded as _, Problem, Source};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The end of a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The digest of the last one.
    pub sha256: Digest,
    /// How many there are.
    pub length: u64,
}

/// A chain that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    /// The digest of each statement, in order.
    pub digests: Vec<Digest>,
    /// What does not fit, each a sentence with the number of the attestation.
    pub faults: Vec<String>,
}

impl Chain {
    /// Reads the statements of a ledger, given with their numbers.
    pub fn read(id: &LedgerId, attestations: &[(u64, &str)]) -> Self {
        let mut chain = Self { digests: Vec::new(), faults: Vec::new() };
        for (expected, (number, text)) in (1..).zip(attestations) {
            if *number != expected {
                chain.faults.push(format!("attestation {number} is where {expected} belongs"));
            }
            let previous = chain.digests.last().map(ToString::to_string);
            match serde_json::from_str::<Value>(text) {
                Ok(statement) => {
                    let named = statement.pointer(PREVIOUS).and_then(Value::as_str).map(str::to_owned);
                    if named != previous || statement.pointer(PREVIOUS).is_none() {
                        chain
                            .faults
                            .push(format!("attestation {number} does not name the digest of the one before it"));
                    }
                    if statement.pointer(LEDGER).and_then(Value::as_str) != Some(id.to_string().as_str()) {
                        chain.faults.push(format!("attestation {number} is of another ledger"));
                    }
                }
                Err(_) => chain.faults.push(format!("attestation {number} is not valid JSON")),
            }
            chain.digests.push(Digest::of(text.as_bytes()));
        }
        chain
    }

    /// Whether a statement may come next.
    pub(super) fn check_next(&self, id: &LedgerId, next: &Attestation) -> Result<(), Problem> {
        let fits = serde_json::from_str::<Value>(&next.statement).is_ok_and(|statement| {
            let named = |place| statement.pointer(place).and_then(Value::as_str).map(str::to_owned);
            named(PREVIOUS) == self.digests.last().map(ToString::to_string) && named(LEDGER) == Some(id.to_string())
        });
        if fits {
            return Ok(());
        }
        Err(Problem::failure(format!(
            "attestation {} does not follow from the one before it in this ledger",
            next.number
        ))
        .help("attest with `cutter attest --attest FILE`")
        .coded(Code::LedgerUnusable))
    }

    /// Its end; `None` where it is empty.
    pub fn head(&self) -> Option<Head> {
        Some(Head { sha256: *self.digests.last()?, length: self.digests.len() as u64 })
    }
}

/// The end of a ledger's records as it was published, where whoever can write to the ledger cannot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Published {
    /// The version of this form, 2.
    pub version: u32,
    /// The ledger's id.
    pub ledger: LedgerId,
    /// How many records there were.
    pub length: u64,
    /// The digest of the last of them.
    pub sha256: Digest,
}

impl Published {
    /// Reads what `cutter ledger head --to FILE` wrote.
    pub fn parse(source: &Source) -> Result<Self, Problem> {
        let read: Result<Self, _> = serde_json::from_str(source.text());
        match read {
            Ok(published) if published.version == VERSION => Ok(published),
            _ => Err(Problem::untrusted(format!("`{}` is not a ledger head", source.name()))
                .help("`cutter ledger head --to FILE` writes one")),
        }
    }

    /// In what a ledger fails this; it may have grown since.
    pub fn missing(&self, ledger: &dyn Ledger) -> Result<Option<String>, Problem> {
        if ledger.id()?.as_ref() != Some(&self.ledger) {
            return Ok(Some(format!("the head of the ledger `{}` was published, and this is another", self.ledger)));
        }
        let length = self.length;
        Ok(match ledger.digest_at(length)? {
            None => Some(format!("{length} records were published, and the last of them is not there")),
            Some(found) if found != self.sha256 => {
                Some(format!("record {length} is {found}, and {} was published", self.sha256))
            }
            Some(_) => None,
        })
    }
}

/// The digest of the one before it, as a statement names it.
pub fn previous(statement: &str) -> Option<String> {
    let statement: Value = serde_json::from_str(statement).ok()?;
    statement.pointer(PREVIOUS).and_then(Value::as_str).map(str::to_owned)
}

const PREVIOUS: &str = "/predicate/previous";
const LEDGER: &str = "/predicate/grounds/journal/ledger";

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> LedgerId {
        LedgerId::from_random(7)
    }

    fn chain(length: u64) -> Vec<(u64, String)> {
        let mut chain: Vec<(u64, String)> = Vec::new();
        for number in 1..=length {
            let previous = chain.last().map(|(_, text)| Digest::of(text.as_bytes()).to_string());
            let ledger = id().to_string();
            let statement =
                serde_json::json!({"predicate": {"previous": previous, "grounds": {"journal": {"ledger": ledger}}}});
            chain.push((number, statement.to_string()));
        }
        chain
    }

    fn faults(attestations: &[(u64, String)]) -> Vec<String> {
        of(&id(), attestations).faults
    }

    fn of(id: &LedgerId, attestations: &[(u64, String)]) -> Chain {
        Chain::read(id, &attestations.iter().map(|(number, text)| (*number, text.as_str())).collect::<Vec<_>>())
    }

    #[test]
    fn a_chain_in_which_anything_was_changed_left_out_or_put_in_does_not_hold() {
        let whole = chain(4);
        assert_eq!(faults(&whole), Vec::<String>::new());
        for at in 0..3 {
            let mut cut = whole.clone();
            cut.remove(at);
            assert!(!faults(&cut).is_empty(), "without {at}");
            let mut changed = whole.clone();
            changed[at].1.push(' ');
            assert!(!faults(&changed).is_empty(), "{at} changed");
            let mut twice = whole.clone();
            twice.insert(at, whole[at].clone());
            assert!(!faults(&twice).is_empty(), "{at} twice");
            let mut swapped = whole.clone();
            swapped.swap(at, at + 1);
            assert!(!faults(&swapped).is_empty(), "{at} swapped");
        }
        assert!(!of(&LedgerId::from_random(8), &whole).faults.is_empty());
    }
}
