//! Reject codes in words: what the document says beside what is so, and what to do. Policies reject; this only explains.

use super::document::ApprovalDocument;
use super::row;
use crate::json::in_backticks;
use crate::policy::annotations::RejectCode;
use crate::time::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

/// What a document was judged by.
pub struct Reasons<'a> {
    /// The document.
    pub document: &'a ApprovalDocument,
    /// What it must name, as the request for the gate has it.
    pub expected: &'a Value,
    /// When it is judged.
    pub now: Timestamp,
    /// How many people were counted, and how many said no.
    pub votes: (usize, usize),
}

impl Reasons<'_> {
    /// Why a document is rejected with this code; `None` where the document itself does not show it.
    pub fn explain(&self, code: RejectCode, person: &str) -> Option<String> {
        let document = self.document;
        let again = "move it away and request again";
        match code {
            RejectCode::NotExplicit if document.allowance.is_empty() => {
                Some("`allowance` is empty: a person writes `explicit`, then it is signed again".to_owned())
            }
            RejectCode::NotExplicit => Some(format!(
                "`allowance` is `{}`: a person writes `explicit`, then it is signed again",
                document.allowance
            )),
            RejectCode::WrongRun => self.differs("run", "run", &document.run, str::to_owned, again),
            RejectCode::WrongPlan => {
                let again = "the plan was changed after the request; move it away and request again";
                self.differs("plan_sha256", "plan", &document.plan_sha256, short, again)
            }
            RejectCode::WrongPolicies => {
                let again =
                    "policies, signers or `cutter.toml` were changed after the request; move it away and request again";
                self.differs("policies_sha256", "policies", &document.policies_sha256, short, again)
            }
            RejectCode::WrongTarget => {
                let target = self.expected.get("target").unwrap_or(&Value::Null);
                let names =
                    target.as_object().into_iter().flatten().map(|(name, _)| name).chain(document.target.0.keys());
                let mut differs = names.filter_map(|name| {
                    differs(target.get(name), name, document.target.field(name), str::to_owned, again)
                });
                differs.next()
            }
            RejectCode::WrongWork => {
                let own = row::digest(&document.rows).to_string();
                self.differs("work_sha256", "work", &own, short, again)
            }
            RejectCode::WrongBaseline => {
                let own = document.baseline_sha256.as_deref()?;
                let again = "name the evidence that it was given on with `--baseline`";
                self.differs("baseline_sha256", "baseline", own, short, again)
            }
            RejectCode::WrongDecision => match document.reference.as_deref() {
                None | Some("") => Some("it names no `reference`: write it, and sign again".to_owned()),
                Some(_) => None,
            },
            RejectCode::LooseSuperset => {
                let rows = self.rows();
                let own = document.actions();
                let more: Vec<&String> = own.difference(&rows).collect();
                self.rows_text(&more, "it names", "which its gate does not bar")
            }
            RejectCode::Subset => {
                let rows = self.rows();
                let own = document.actions();
                let less: Vec<&String> = rows.difference(&own).collect();
                self.rows_text(&less, "it does not name", "which its gate bars")
            }
            RejectCode::SelfApproval => {
                Some(format!("`{person}` is a party to the plan, or an agent; another must sign"))
            }
            RejectCode::NotYetValid => {
                let from = Timestamp::parse(&document.issued_at).filter(|from| *from > self.now)?;
                Some(format!("not valid before {from}; it is {}", self.now))
            }
            RejectCode::Expired => {
                let until = Timestamp::parse(&document.expires_at).filter(|until| *until <= self.now)?;
                Some(format!("expired {until}; {again}"))
            }
            RejectCode::TtlTooLong => {
                let (from, until) = (Timestamp::parse(&document.issued_at)?, Timestamp::parse(&document.expires_at)?);
                Some(format!(
                    "it lives from {from} to {until}, longer than its gate allows; write an earlier `expires_at`"
                ))
            }
            RejectCode::QuorumNotMet => Some(format!(
                "{} of the people its gate admits signed, which is too few; let others sign",
                self.votes.0
            )),
            RejectCode::Vetoed => Some(format!("{} of the people its gate admits signed a rejection", self.votes.1)),
            RejectCode::AlreadyConsumed => Some(format!("it was used for each of its rows; {again}")),
            _ => None,
        }
    }

    /// Both values, where they differ.
    fn differs(&self, key: &str, what: &str, own: &str, show: impl Fn(&str) -> String, then: &str) -> Option<String> {
        differs(self.expected.get(key), what, own, show, then)
    }

    /// The rows that its gate bars.
    fn rows(&self) -> BTreeSet<String> {
        let rows = self.expected.get("actions").and_then(Value::as_array).into_iter().flatten();
        rows.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn rows_text(&self, rows: &[&String], before: &str, after: &str) -> Option<String> {
        let shown: Vec<&String> = rows.iter().take(MOST_ROWS).copied().collect();
        let more = rows.len().saturating_sub(shown.len());
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        (!rows.is_empty())
            .then(|| format!("{before} {}{more}, {after}; move it away and request again", in_backticks(&shown)))
    }
}

/// Both values, where they differ.
fn differs(wanted: Option<&Value>, what: &str, own: &str, show: impl Fn(&str) -> String, then: &str) -> Option<String> {
    let wanted = wanted.and_then(Value::as_str);
    if wanted == Some(own) {
        return None;
    }
    let shown = |text: &str| format!("`{}`", show(text));
    let this = wanted.filter(|wanted| !wanted.is_empty()).map_or_else(|| "none".to_owned(), shown);
    Some(match own {
        "" => format!("it names no {what}, and this is {this}; {then}"),
        own => format!("it was given for the {what} {}, and this is {this}; {then}", shown(own)),
    })
}

/// The first digits of a digest, enough to tell two apart by eye.
fn short(digest: &str) -> String {
    digest.chars().take(12).collect::<String>() + "\u{2026}"
}

/// More names than this say no more.
const MOST_ROWS: usize = 5;
