//! What was done, held against the records that a report carries, the ledger itself, and other reports.

use super::LedgerView;
use super::check::compare;
use crate::attestation::gather;
use crate::attestation::report::Report;
use crate::decision::Basis;
use crate::digest::Digest;
use crate::record::UseDecision;
use serde::Deserialize as _;
use serde_json::Value;
use std::collections::BTreeMap;

/// Whether what was done, and by which decisions, is what the records of the journal say.
pub(super) fn recorded(report: &Report, differences: &mut Vec<String>) {
    let (plan, stated) = (&report.decisions.plan, &report.grounds.journal);
    let journal = match gather::journal(&stated.records) {
        Ok(journal) => journal,
        Err(difference) => return differences.push(difference),
    };
    for (index, record) in journal.entries.iter().enumerate() {
        if record.record.subject().as_ref() != Some(&plan.run) {
            differences.push(format!("predicate.grounds.journal.records[{index}]: it is of another run"));
        }
        let as_written = serde_json::to_value(record).ok();
        if as_written.as_ref() != stated.records.get(index) {
            differences.push(format!("predicate.grounds.journal.records[{index}]: no ledger writes it so"));
        }
    }
    let (mut done, faults) = gather::rows(&plan.run, plan.sha256, &journal);
    for (done, stated) in done.iter_mut().zip(&report.done) {
        done.expects.clone_from(&stated.expects);
    }
    compare("predicate.done", &report.done, &done, differences);
    for fault in faults.iter().filter(|fault| !stated.faults.contains(fault)) {
        differences.push(format!("predicate.grounds.journal.faults: they do not say that {fault}"));
    }
    for (index, row) in report.decisions.decisions.iter().enumerate() {
        let mut began =
            journal.starts().rev().filter(|(_, started)| started.action == row.id && started.plan == plan.sha256);
        let decision = began.find_map(|(_, started)| UseDecision::deserialize(&started.decision).ok());
        if let Some(decision) = decision.filter(|_| row.basis != Basis::BlockedBy) {
            compare(&format!("predicate.decisions.decisions[{index}]"), row, &decision.row, differences);
        }
    }
}

/// In what the ledger has other records of the run than the report whose statement has this digest. All that came before the statement
/// itself are compared, whatever time the report says it is of.
pub(super) fn beside(report: &Report, statement: Digest, ledger: &LedgerView) -> Vec<String> {
    let mut faults = Vec::new();
    let stated = &report.grounds.journal;
    if stated.ledger.as_deref() != Some(ledger.id.as_str()) {
        faults.push(format!("predicate.grounds.journal.ledger: the ledger given is `{}`", ledger.id));
    }
    // Without a place in the ledger nothing comes after it.
    let mut journal = ledger.journal.clone();
    let place = journal.place_of(statement).unwrap_or(u64::MAX);
    journal.entries.retain(|entry| entry.sequence < place);
    let records: Result<Vec<Value>, _> =
        gather::carried(&report.decisions.plan.run, &journal).map(|(records, _)| records);
    if records.is_ok_and(|records| records != stated.records) {
        faults.push("predicate.grounds.journal.records: they are not those of the ledger".to_owned());
    }
    faults
}

/// The approvals that a report says were used, each for which row, and the one record that used it.
pub(super) fn uses(report: &Report) -> BTreeMap<(Digest, String), String> {
    let ledger = report.grounds.journal.ledger.as_deref().unwrap_or_default();
    let uses = report.done.iter().flat_map(|done| done.approvals.iter().map(move |used| (done, used)));
    let use_of = |(done, used): (&crate::attestation::report::DoneRow, &crate::attestation::report::UsedApproval)| {
        let record = done.records.first().copied().unwrap_or_default();
        let run = &report.decisions.plan.run;
        (
            (used.sha256, done.id.clone()),
            format!("record {record} of {} in run `{run}`, ledger `{ledger}`", done.started_at),
        )
    };
    uses.map(use_of).collect()
}
