//! What was read of a ledger, and what follows from it: what was used, what ran, what stands against a new start.

use super::chain::{Chain, Head};
use super::record::{ApprovalUsed, Entry, Finished, LedgerId, Record, SeenBundle, Started, Vote};
use crate::digest::Digest;
use crate::problem::{Code, Coded as _, Problem};
use crate::time::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// Which records are wanted.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// All, each read to the last field.
    All,
    /// Those of one run, every use and vote of these approvals, and what bundles were seen.
    Of {
        /// The run.
        run: &'a str,
        /// Digests of approvals.
        approvals: &'a [Digest],
    },
    /// The attestations.
    Attestations,
    /// None: only whether the chain holds.
    Nothing,
}

impl Wanted<'_> {
    /// Texts of which each wanted line holds one, and the first; nothing where all lines are wanted.
    pub(super) fn needles(&self) -> Option<Vec<String>> {
        let of_kind = |kind: &str| format!("\"{kind}\"");
        let mut needles = vec![of_kind("made")];
        match self {
            Self::All => return None,
            Self::Of { run, approvals } => {
                needles.extend([of_kind("newer_bundle"), serde_json::to_string(run).unwrap_or_default()]);
                needles.extend(approvals.iter().map(ToString::to_string));
            }
            Self::Attestations => needles.push(of_kind("attestation")),
            Self::Nothing => {}
        }
        Some(needles)
    }

    /// Whether this record is.
    pub(super) fn holds(&self, record: &Record) -> bool {
        let uses = |approvals: &[Digest]| match record {
            Record::Started(started) => started.approvals.iter().any(|used| approvals.contains(&used.sha256)),
            Record::Vote(vote) => approvals.contains(&vote.approval),
            Record::NewerBundle(_) => true,
            _ => false,
        };
        match self {
            Self::All => true,
            Self::Of { run, approvals } => uses(approvals) || record.subject().as_deref() == Some(run),
            Self::Attestations => matches!(record, Record::Attestation(_)),
            Self::Nothing => false,
        }
    }
}

/// What was read of a ledger.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Journal {
    /// The ledger's id; none where there is no ledger.
    pub id: Option<LedgerId>,
    /// The records that were wanted, in order.
    pub entries: Vec<Entry>,
    /// Everything that was edited, cut, put in or taken out, as far as it was read.
    pub damages: Vec<Damage>,
    /// The end of the whole chain.
    pub head: Option<Head>,
    /// The latest time of a record.
    pub last_time: Option<Timestamp>,
    /// What the ledger's own clock shows, where that is not the clock of this host.
    pub clock: Option<Timestamp>,
}

/// A place of the chain that does not hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Damage {
    /// The line, from 1; the one after the last where the end is missing.
    pub line: u64,
    /// One phrase, lower case.
    pub damage: String,
}

/// What stands against a start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Conflict {
    /// An approval was used for the action before.
    ApprovalUsed {
        /// Which.
        approval: ApprovalUsed,
        /// For what.
        action: String,
        /// When.
        at: Timestamp,
    },
    /// The run began under another plan.
    AnotherPlan {
        /// Which.
        plan: Digest,
        /// When.
        at: Timestamp,
    },
    /// The action began in this run before, and may do so once.
    RanBefore {
        /// When.
        at: Timestamp,
    },
    /// The run was voided.
    Voided {
        /// When.
        at: Timestamp,
    },
    /// A newer bundle was seen, or another one of the same version.
    OlderBundle {
        /// What was seen.
        seen: SeenBundle,
        /// What is to decide now.
        ours: SeenBundle,
    },
}

impl Journal {
    /// The same, if nothing of it is damaged: what cannot be relied on says nothing.
    pub fn whole(self, name: &str) -> Result<Self, Problem> {
        let Some(Damage { line, damage }) = self.damages.first() else { return Ok(self) };
        let message =
            format!("the ledger at `{name}` is damaged in {} places: line {line}: {damage}", self.damages.len());
        Err(Problem::untrusted(message)
            .help("`cutter log` shows all; what ran and was used cannot be known, and a person must look at it")
            .coded(Code::LedgerDamaged))
    }

    /// Every start, with its record.
    pub fn starts(&self) -> impl DoubleEndedIterator<Item = (&Entry, &Started)> {
        self.entries.iter().filter_map(|entry| match &entry.record {
            Record::Started(started) => Some((entry, &**started)),
            _ => None,
        })
    }

    /// The end of the start of this number.
    pub fn end_of(&self, started: u64) -> Option<(&Entry, &Finished)> {
        self.entries.iter().find_map(|entry| match &entry.record {
            Record::Finished(finished) if finished.started == started => Some((entry, finished)),
            _ => None,
        })
    }

    /// The start that used an approval for an action.
    pub fn used(&self, approval: Digest, action: &str) -> Option<(&Entry, &Started)> {
        let uses = |started: &Started| started.approvals.iter().any(|used| used.sha256 == approval);
        self.starts().find(|(_, started)| started.action == action && uses(started))
    }

    /// The number of the first start that used this approval.
    pub fn first_use(&self, approval: Digest) -> Option<u64> {
        let uses = |started: &Started| started.approvals.iter().any(|used| used.sha256 == approval);
        self.starts().find(|(_, started)| uses(started)).map(|(entry, _)| entry.sequence)
    }

    /// Every vote on an approval, with the number of its record.
    pub fn votes(&self, approval: Digest) -> impl Iterator<Item = (u64, &Vote)> {
        self.entries.iter().filter_map(move |entry| match &entry.record {
            Record::Vote(vote) if vote.approval == approval => Some((entry.sequence, vote)),
            _ => None,
        })
    }

    /// Whether an action of this plan ended well when it last ended in this run.
    pub fn ended_well(&self, run: &str, plan: Digest, action: &str) -> bool {
        let mut ends = self.starts().filter(|(_, started)| {
            (started.run.as_str(), started.plan, started.action.as_str()) == (run, plan, action)
        });
        ends.next_back()
            .and_then(|(entry, _)| self.end_of(entry.sequence))
            .is_some_and(|(_, end)| end.exit_status == Some(0))
    }

    /// When the run was voided, if it was.
    pub fn voided(&self, run: &str) -> Option<Timestamp> {
        let is_it = |entry: &&Entry| matches!(&entry.record, Record::Voided(voided) if voided.run == run);
        self.entries.iter().find(is_it).map(|entry| entry.time)
    }

    /// Another plan under which the run began.
    pub fn other_plan(&self, run: &str, plan: Digest) -> Option<Digest> {
        let mut of_run = self.starts().filter(|(_, started)| started.run == run);
        of_run.find(|(_, started)| started.plan != plan).map(|(_, started)| started.plan)
    }

    /// The starts of a run that have no end: their work is going on, or whoever began it is gone.
    pub fn open(&self, run: &str) -> impl Iterator<Item = (&Entry, &Started)> {
        self.starts().filter(move |(entry, started)| started.run == run && self.end_of(entry.sequence).is_none())
    }

    /// The newest bundle that was seen.
    pub fn newest_bundle(&self) -> Option<SeenBundle> {
        self.entries.iter().rev().find_map(|entry| match &entry.record {
            Record::NewerBundle(bundle) => Some(*bundle),
            _ => None,
        })
    }

    /// The statements of the chain of attestations, with their numbers.
    pub fn attestations(&self) -> Vec<(u64, &str)> {
        let all = self.entries.iter().filter_map(|entry| match &entry.record {
            Record::Attestation(attestation) => Some((attestation.number, attestation.statement.as_str())),
            _ => None,
        });
        all.collect()
    }

    /// The number of the record that holds the statement of this digest.
    pub fn place_of(&self, statement: Digest) -> Option<u64> {
        let is_it = |entry: &&Entry| matches!(&entry.record, Record::Attestation(attestation) if Digest::of(attestation.statement.as_bytes()) == statement);
        self.entries.iter().find(is_it).map(|entry| entry.sequence)
    }

    /// The chain of attestations, and the id of its ledger; no ledger is an error.
    pub fn chain(&self, name: &str) -> Result<(LedgerId, Chain), Problem> {
        let id = self.id.clone().ok_or_else(|| super::missing(name))?;
        let chain = Chain::read(&id, &self.attestations());
        Ok((id, chain))
    }

    /// What a ledger has of a run. One that is gone is not one in which nothing began.
    pub fn of_run(ledger: &dyn super::Ledger, run: &str) -> Result<Self, Problem> {
        let name = ledger.name();
        let journal = ledger.read(Wanted::Of { run, approvals: &[] })?.whole(&name)?;
        if journal.id.is_none() {
            return Err(super::missing(&name));
        }
        Ok(journal)
    }

    /// What a clock is to agree with and does not, by more than may be: the ledger's own clock is the measure, else no record may come from
    /// the future.
    pub fn clock_apart(&self, now: Timestamp, skew: Duration) -> Option<Timestamp> {
        let is_apart =
            |other: &Timestamp| u128::from(now.milliseconds().abs_diff(other.milliseconds())) > skew.as_millis();
        match self.clock {
            Some(clock) => Some(clock).filter(is_apart),
            None => self.last_time.filter(|last| *last > now && is_apart(last)),
        }
    }

    /// Whether this bundle may decide: it is newer than all that was seen, or the newest itself.
    pub fn older_bundle(&self, ours: SeenBundle) -> Option<Conflict> {
        let seen = self.newest_bundle()?;
        let is_fine = ours == seen || ours.version > seen.version;
        (!is_fine).then_some(Conflict::OlderBundle { seen, ours })
    }

    /// What stands against this start.
    pub fn conflict(&self, ours: &Started) -> Option<Conflict> {
        let of_run = || self.starts().filter(|(_, started)| started.run == ours.run);
        if let Some(at) = self.voided(&ours.run) {
            return Some(Conflict::Voided { at });
        }
        if let Some((entry, other)) = of_run().find(|(_, started)| started.plan != ours.plan) {
            return Some(Conflict::AnotherPlan { plan: other.plan, at: entry.time });
        }
        let used = |approval: &ApprovalUsed| Some((self.used(approval.sha256, &ours.action)?, approval.clone()));
        if let Some(((entry, other), approval)) = ours.approvals.iter().find_map(used) {
            return Some(Conflict::ApprovalUsed { approval, action: other.action.clone(), at: entry.time });
        }
        let before = of_run().find(|(_, started)| started.action == ours.action && !ours.repeatable);
        if let Some((entry, _)) = before {
            return Some(Conflict::RanBefore { at: entry.time });
        }
        self.older_bundle(ours.bundle)
    }
}
