//! A rehearsal: every row decided and its work looked at; nothing begins, and nothing is written.

use super::drive::{Ended, Said, worst};
use super::moment::Moment;
use super::whole::stands;
use crate::authorization::Inputs;
use crate::cli::shared::exit::{Exit, of_verdict};
use crate::decision::Verdict;
use crate::problem::Problems;
use crate::record::RecordedRow;
use crate::request::Stage;
use crate::runtime::{RowState, RunState};

/// Decides every row and looks at its work; nothing begins, and nothing is written.
pub fn rehearse(moment: Moment<'_>, inputs: &Inputs) -> Result<Ended, Problems> {
    let authorization = moment.authority.authorize(inputs, Stage::Plan)?;
    let decisions = authorization.document()?;
    let (mut rows, mut exits) = (Vec::new(), Vec::new());
    for (action, row) in inputs.plan.actions.iter().zip(&decisions.decisions) {
        let (state, exit, said) = if !row.basis.allows() {
            (RowState::Refused, of_verdict(Verdict::of(row.basis)), Said::of(lacks(row)))
        } else {
            match moment.look_at_work(inputs, action, &row.context) {
                Ok(what) => (RowState::Open, Exit::Authorized, Said::of(what)),
                Err(problems) => {
                    let said = Said { what: problems.in_one_line(), code: problems.code() };
                    (RowState::Refused, Exit::Blocked, said)
                }
            }
        };
        exits.push(exit);
        rows.push((state, said));
    }
    let exit = worst(exits);
    let state = if exit == Exit::Authorized { RunState::Rehearsed } else { stands(exit) };
    Ok(Ended { state, exit, rows, held: None })
}

/// What a row that is denied lacks, in few words; why it is denied, where nothing could be given to it.
pub fn lacks(row: &RecordedRow) -> String {
    let needs = row.needs.iter().map(|need| format!("needs {}", need.gate));
    let gaps = row.gaps.iter().map(|gap| format!("gap {gap}"));
    let blocked = row.blocked_by.iter().map(|before| format!("after `{before}`"));
    let all: Vec<String> = needs.chain(gaps).chain(blocked).collect();
    if all.is_empty() { row.reason.clone() } else { all.join(", ") }
}
