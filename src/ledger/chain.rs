//! The chain of attestations: each names the digest of the one before it and the ledger it is kept in.
//!
//! A chain shows by itself that nothing in it was changed, left out or put in; that its end was not cut off, only a head and
//! a length that somebody else keeps can show.

use super::Ledger;
use super::record::LedgerId;
use crate::digest::Digest;
use crate::problem::{Code, Coded as _, Problem};
use serde_json::Value;

/// The end of a chain: what is published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Sha-256 over the last statement.
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
    pub fn read(id: &LedgerId, attestations: &[(u64, String)]) -> Self {
        let mut chain = Self { digests: Vec::new(), faults: Vec::new() };
        for (expected, (number, text)) in (1..).zip(attestations) {
            if *number != expected {
                chain.faults.push(format!("attestation {number} stands where {expected} belongs"));
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
                Err(_) => chain.faults.push(format!("attestation {number} is no JSON")),
            }
            chain.digests.push(Digest::of(text.as_bytes()));
        }
        chain
    }

    /// Reads the chain of a ledger, and its id; no ledger is an error.
    pub fn of(ledger: &dyn Ledger) -> Result<(LedgerId, Self), Problem> {
        let id = ledger.id()?.ok_or_else(|| {
            Problem::failure(format!("there is no ledger at `{}`", ledger.name()))
                .help("name it with `--ledger`")
                .coded(Code::LedgerMissing)
        })?;
        let chain = Self::read(&id, &ledger.attestations()?);
        Ok((id, chain))
    }

    /// What does not fit, what was published included.
    pub fn faults_beside(&self, published: Option<&Head>) -> Vec<String> {
        let missing = published.and_then(|published| self.missing(published));
        self.faults.iter().cloned().chain(missing).collect()
    }

    /// Its end; `None` where it is empty.
    pub fn head(&self) -> Option<Head> {
        Some(Head { sha256: *self.digests.last()?, length: self.digests.len() as u64 })
    }

    /// In what the chain fails a head and length that were published when it was shorter, or as long.
    pub fn missing(&self, published: &Head) -> Option<String> {
        let at = usize::try_from(published.length).ok().and_then(|length| length.checked_sub(1));
        match at.and_then(|at| self.digests.get(at)) {
            None => {
                Some(format!("it has {} attestations, and {} were published", self.digests.len(), published.length))
            }
            Some(found) if *found != published.sha256 => {
                Some(format!("attestation {} is {found}, and {} was published", published.length, published.sha256))
            }
            Some(_) => None,
        }
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
        Chain::read(&id(), attestations).faults
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
        assert!(!Chain::read(&LedgerId::from_random(8), &whole).faults.is_empty());
    }

    #[test]
    fn a_cut_tail_and_a_changed_last_one_are_shown_by_a_published_head_alone() {
        let whole = chain(4);
        let published = Chain::read(&id(), &whole).head().unwrap();
        let cut = Chain::read(&id(), &whole[..3]);
        assert!(cut.faults.is_empty() && cut.missing(&published).is_some());
        let mut changed = whole.clone();
        changed[3].1.push(' ');
        let changed = Chain::read(&id(), &changed);
        assert!(changed.faults.is_empty() && changed.missing(&published).is_some());
        let longer = Chain::read(&id(), &chain(6));
        assert!(longer.missing(&published).is_none());
    }
}
