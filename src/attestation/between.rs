//! The same comparison as a report's in the middle of a run: what rows declare, held against what was measured while they ran.

use super::derive::{Input, measured};
use super::grounds::{CaptureRecord, Grounds, JournalRecordSource, Rules, SecretScan};
use super::report::{Ban, DoneRow, ObservedStatus};
use crate::digest::Digest;
use crate::problem::Problems;
use crate::record::Decisions;
use crate::settings::evidence::EvidenceSettings;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// What was observed before and after some rows of a run, and what those declare.
#[derive(Debug)]
pub struct Between<'a> {
    /// Now.
    pub now: Timestamp,
    /// What was decided, these rows as they were at their moment of use.
    pub decisions: &'a Decisions,
    /// Every ban of the bundle.
    pub bans: &'a [Ban],
    /// The rows that ended in between, and no other.
    pub done: &'a [DoneRow],
    /// Before them.
    pub before: CaptureRecord,
    /// After them.
    pub after: CaptureRecord,
    /// What is observed, and how it is compared.
    pub settings: &'a EvidenceSettings,
    /// Sha-256 over the configuration.
    pub config: Option<Digest>,
}

impl Between<'_> {
    /// In what the measured change differs from what is declared, or why that is not known; each in a sentence.
    pub fn differences(self) -> Result<Vec<String>, Problems> {
        let rules = Rules {
            // A switch may be on in the middle of a run, and a run may rest for as long as it has to.
            resting: BTreeMap::new(),
            oldest_seconds: u64::MAX,
            ..Rules::of(self.settings, self.config)
        };
        let grounds = Grounds {
            plan: String::new(),
            plan_signed: None,
            facts: Vec::new(),
            texts: Vec::new(),
            approvals: Vec::new(),
            baseline: Some(self.before),
            last: Some(self.after),
            witness: None,
            rules,
            journal: JournalRecordSource::default(),
            secrets: SecretScan::default(),
        };
        let input =
            Input { now: self.now, decisions: self.decisions, bans: self.bans, done: self.done, grounds: &grounds };
        let mut contradictions = Vec::new();
        let Some((_, rows)) = measured(&input, &mut contradictions)? else { return Ok(Vec::new()) };
        let mut differences: Vec<String> = contradictions.into_iter().map(|found| found.text).collect();
        let declared = |id: &str| {
            let by = self.done.iter().filter(|done| done.expects.get(id).is_some_and(|moves| !moves.is_empty()));
            by.map(|done| format!("`{}`", done.id)).collect::<Vec<_>>()
        };
        for row in rows.iter().filter(|row| row.status == ObservedStatus::Unknown) {
            let by = declared(&row.id);
            if !by.is_empty() {
                let (by, because) = (by.join(", "), row.because.join("; "));
                differences
                    .push(format!("{by} declares to change {}, and how it changed is not known: {because}", row.id));
            }
        }
        Ok(differences)
    }
}
