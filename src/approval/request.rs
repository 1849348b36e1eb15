//! Approval requests: the smallest set of unsigned documents that would turn a plan's approval-tier denials into allows.

use super::document::ApprovalDocument;
use super::judge::{barred, would_reject};
use super::row::rows;
use crate::decision::{Basis, DecisionTable};
use crate::digest::Digest;
use crate::json::in_backticks;
use crate::policy::annotations::RejectCode;
use crate::request::{Moment, Requests};
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// What is asked for, and what no approval can give.
#[derive(Clone, Debug)]
pub struct ApprovalRequest {
    /// One unsigned document for each gate, in the order of the gates' names.
    pub documents: Vec<ApprovalDocument>,
    /// Each remaining denial and each gap, and that no approval lifts it.
    pub remaining: Vec<String>,
}

/// Writes the request for a plan, from a table that was decided with every gate closed.
///
/// `allowance` and `reason` are left empty for a person to write, and so is `reference` where policies demand one; ids differ by plan,
/// ledger and time.
pub fn request(requests: &Requests<'_>, closed: &DecisionTable, ledger: &str, moment: &Moment) -> ApprovalRequest {
    let plan = requests.plan();
    let nonce = Digest::of(format!("{}{}{ledger}", moment.now, plan.digest).as_bytes()).short();
    let barred = barred(requests, closed);
    let issued_at = moment.now;
    let documents = barred
        .iter()
        .map(|(gate, actions)| {
            let mut document = ApprovalDocument {
                version: 1,
                id: format!("{}-{}-{nonce}", gate.to_ascii_lowercase().replace('_', "-"), plan.run),
                run: plan.run.clone(),
                ledger: ledger.to_owned(),
                target: plan.target.clone(),
                plan_sha256: plan.digest.to_string(),
                policies_sha256: requests.bundle().digest().to_string(),
                allowance: String::new(),
                reason: String::new(),
                issued_at: issued_at.to_string(),
                expires_at: issued_at.to_string(),
                reference: None,
                baseline_sha256: None,
                rows: rows(plan, actions),
                gate: gate.clone(),
            };
            let rejects = |document: &ApprovalDocument, code| would_reject(document, code, requests, &barred, moment);
            // Policies say how long it may live and whether it needs a decision; the longest life they accept is proposed.
            for hours in LIVES_IN_HOURS {
                let end = issued_at.milliseconds().saturating_add(hours * 3_600_000);
                document.expires_at = Timestamp::from_milliseconds(end).unwrap_or(issued_at).to_string();
                if !rejects(&document, RejectCode::TtlTooLong) {
                    break;
                }
            }
            if rejects(&document, RejectCode::WrongDecision) {
                document.reference = Some(String::new());
            }
            document
        })
        .collect();
    ApprovalRequest { documents, remaining: remaining(requests, closed) }
}

/// What no approval lifts: rows that are denied for good or could not be judged, and gaps with all rows they bar.
fn remaining(requests: &Requests<'_>, closed: &DecisionTable) -> Vec<String> {
    let (mut lines, mut gaps) = (Vec::new(), BTreeMap::<&str, Vec<&str>>::new());
    for (action, row) in requests.plan().actions.iter().zip(&closed.rows) {
        match row.basis {
            Basis::Forbidden | Basis::NotPermitted | Basis::NoWork => lines.push(format!(
                "`{}` is {}: no approval can ever lift it ({})",
                action.id,
                row.basis.words(),
                row.reason
            )),
            Basis::Indeterminate => {
                lines.push(format!("`{}` could not be judged: no approval can lift it", action.id));
            }
            _ => row.gaps.iter().for_each(|gap| gaps.entry(gap).or_default().push(&action.id)),
        }
    }
    lines.extend(gaps.into_iter().map(|(gap, rows)| {
        format!("the gap {gap} must be closed for {}: no approval can lift it", in_backticks(&rows))
    }));
    lines
}

/// The lives that are proposed, longest first.
const LIVES_IN_HOURS: [i64; 8] = [24, 12, 8, 6, 4, 2, 1, 0];
