//! The commands to run next, exact: with the plan and the flags as they were typed.

use super::authority::AuthorityArguments;
use super::inputs::InputArguments;
use crate::authorization::Authorization;
use crate::decision::{Basis, Verdict};
use crate::explain::blocker;
use crate::layout::printable;
use crate::plan::Mode;
use crate::policy::annotations::RejectCode;
use crate::record::{ApprovalRow, Decisions, FactRecord, RecordedRow};
use crate::schema::FactSource;

/// What of a command line is the same in the next one.
pub struct Typed<'a> {
    pub inputs: &'a InputArguments,
    pub authority: &'a AuthorityArguments,
}

impl Typed<'_> {
    /// What a person does after these decisions.
    pub fn after(&self, decisions: &Decisions, authorization: &Authorization<'_>) -> Vec<String> {
        let first = |wanted: &[Basis]| decisions.decisions.iter().find(|row| wanted.contains(&row.basis));
        let explain = |wanted: &[Basis]| first(wanted).map(|row| self.command("explain", Some(&row.id)));
        match decisions.verdict {
            Verdict::Indeterminate => explain(&[Basis::Indeterminate]).into_iter().collect(),
            Verdict::Denied => explain(&[Basis::Forbidden, Basis::NotPermitted, Basis::NoWork]).into_iter().collect(),
            Verdict::Blocked => explain(&[Basis::Precondition]).into_iter().collect(),
            Verdict::ReadyForSovereignApproval => self.approvals(&decisions.approvals, authorization),
            Verdict::Authorized => vec![self.effect(authorization)],
        }
    }

    /// What a person does about one row.
    pub fn about(&self, row: &RecordedRow, decisions: &Decisions, authorization: &Authorization<'_>) -> Vec<String> {
        let plan = authorization.requests().plan();
        let is_runnable = || plan.mode == Mode::Live && plan.named(&row.id).is_ok_and(|row| row.work.is_some());
        match row.basis {
            Basis::ApprovalRequired => self.approvals(&decisions.approvals, authorization),
            Basis::BlockedBy => vec![self.command("explain", Some(&blocker(decisions, row).id))],
            Basis::Permitted | Basis::Approved if is_runnable() => vec![self.command("exec", Some(&row.id))],
            _ => Vec::new(),
        }
    }

    /// Where no document is there, they are requested; what was rejected is looked at.
    fn approvals(&self, approvals: &[ApprovalRow], authorization: &Authorization<'_>) -> Vec<String> {
        match approvals.iter().any(|row| !row.file.is_empty()) {
            true => vec![self.command("approval verify", None)],
            false => self.request(authorization),
        }
    }

    /// What a person does about documents that open nothing: the unsigned ones are signed, missing ones requested.
    pub fn after_judging(&self, approvals: &[ApprovalRow], authorization: &Authorization<'_>) -> Vec<String> {
        let unsigned = approvals.iter().filter(|row| row.code == Some(RejectCode::Unsigned));
        let sign = |row: &ApprovalRow| format!("cutter approval sign {} --key KEY", word(&row.file));
        match approvals.iter().all(|row| row.file.is_empty()) {
            true => self.request(authorization),
            false => unsigned.map(sign).collect(),
        }
    }

    /// How approvals are requested; they name a ledger, which must be there.
    fn request(&self, authorization: &Authorization<'_>) -> Vec<String> {
        let request = self.command("approval request", None);
        match authorization.has_ledger() {
            true => vec![request],
            false => vec![format!("cutter ledger init{}", joined(&self.authority.ledger.flags())), request],
        }
    }

    /// The first row that can run, and did not end well before.
    fn effect(&self, authorization: &Authorization<'_>) -> String {
        let plan = authorization.requests().plan();
        if plan.mode == Mode::DryRun {
            return "nothing to run: the plan is a dry run".to_owned();
        }
        let journal = authorization.journal();
        let mut runnable = plan.actions.iter().filter(|action| action.work.is_some()).peekable();
        if runnable.peek().is_none() {
            return "nothing to run: no row names its work".to_owned();
        }
        match runnable.find(|action| !journal.ended_well(&plan.run, plan.digest, &action.id)) {
            Some(action) => self.command("exec", Some(&action.id)),
            None => "nothing left to run: every row with work has ended well".to_owned(),
        }
    }

    /// The command that measures facts which do not come from where they must; none where no command can.
    pub fn measure(&self, name: &str, row: Option<&str>, facts: &[FactRecord]) -> Option<String> {
        let lacks = |wanted: &[FactSource]| {
            facts.iter().any(|fact| !fact.suffices() && fact.needs.is_some_and(|needed| wanted.contains(&needed)))
        };
        let measured = lacks(&[FactSource::Query, FactSource::Observation]) && !self.inputs.measures();
        let mut command = self.command(name, row);
        if measured {
            command.push_str(" --facts postgres");
        }
        if lacks(&[FactSource::Capture]) {
            command.push_str(" --facts evidence:FILE");
        }
        (measured || lacks(&[FactSource::Capture])).then_some(command)
    }

    /// A command over the same plan.
    pub fn command(&self, name: &str, row: Option<&str>) -> String {
        let mut words = vec![word(&self.inputs.plan.to_string_lossy())];
        words.extend(row.map(word));
        let flags = [self.inputs.flags(), self.authority.flags()].concat();
        format!("cutter {name} {}{}", words.join(" "), joined(&flags))
    }
}

/// Flags as they follow a command.
fn joined(flags: &[String]) -> String {
    flags.iter().map(|flag| format!(" {}", word(flag))).collect()
}

/// One word of a shell's line.
pub fn word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=+@,%".contains(letter);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", printable(text).replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_read_otherwise_is_quoted() {
        assert_eq!(word("plans/july.json"), "plans/july.json");
        assert_eq!(word("a b; rm -rf $HOME"), "'a b; rm -rf $HOME'");
        assert_eq!(word("it's\u{1b}"), "'it'\\''s\u{fffd}'");
        assert_eq!(word(""), "''");
    }
}
