//! The annotations that give a policy its id, tier and row in the report; all else in a policy is Cedar's.

use crate::json::in_backticks;
use crate::problem::nearest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What can lift a `forbid`, from its `@tier`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Tier {
    /// Nothing can.
    Absolute,
    /// An approval that opens this gate, from `@gate`.
    Approval(String),
    /// Closing this gap, from `@gap`.
    Precondition(String),
    /// It judges approvals, and rejects with this code, from `@code`.
    Gate(RejectCode),
}

/// Why an approval is no approval; in the order in which one is shown when several apply.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(
    feature = "internals",
    expect(missing_docs, reason = "the codes are the contract's own words; docs/approvals.md explains each")
)]
pub enum RejectCode {
    Missing,
    Malformed,
    Placeholder,
    NotExplicit,
    Unsigned,
    BadSignature,
    WrongNamespace,
    UnknownSigner,
    SignerExpired,
    NoPresence,
    Revoked,
    WrongLedger,
    WrongTarget,
    WrongRun,
    WrongPlan,
    WrongPolicies,
    WrongBaseline,
    WrongGate,
    WrongDecision,
    GenericScope,
    LooseSuperset,
    Subset,
    WrongWork,
    SelfApproval,
    NotYetValid,
    Expired,
    TtlTooLong,
    QuorumNotMet,
    Vetoed,
    Ambiguous,
    AlreadyConsumed,
}

impl RejectCode {
    /// Every code, in order.
    pub const ALL: [Self; 31] = [
        Self::Missing,
        Self::Malformed,
        Self::Placeholder,
        Self::NotExplicit,
        Self::Unsigned,
        Self::BadSignature,
        Self::WrongNamespace,
        Self::UnknownSigner,
        Self::SignerExpired,
        Self::NoPresence,
        Self::Revoked,
        Self::WrongLedger,
        Self::WrongTarget,
        Self::WrongRun,
        Self::WrongPlan,
        Self::WrongPolicies,
        Self::WrongBaseline,
        Self::WrongGate,
        Self::WrongDecision,
        Self::GenericScope,
        Self::LooseSuperset,
        Self::Subset,
        Self::WrongWork,
        Self::SelfApproval,
        Self::NotYetValid,
        Self::Expired,
        Self::TtlTooLong,
        Self::QuorumNotMet,
        Self::Vetoed,
        Self::Ambiguous,
        Self::AlreadyConsumed,
    ];

    /// The code as scripts see it: `not_yet_valid`.
    pub fn name(self) -> String {
        let variant = format!("{self:?}");
        let mut name = String::new();
        for letter in variant.chars() {
            if letter.is_ascii_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }

    /// Reads a code as `@code` writes it.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }
}

/// All annotations of one policy, read.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Annotations {
    /// The policy's only identity, in kebab-case.
    pub id: String,
    /// The row's text in the report.
    pub title: Option<String>,
    /// What can lift it; a `permit` has none.
    pub tier: Option<Tier>,
    /// Why it is forbidden, in a sentence: what a denied row says.
    pub reason: Option<String>,
    /// How bad it would be if it happened.
    pub severity: Option<String>,
    /// What to do instead.
    pub advice: Option<String>,
    /// Observations that can confirm or refute "not done", each `kind:name` or, where only one of its counters or values
    /// tells, `kind:name#counter`; `none` stands alone.
    pub evidence: Vec<String>,
    /// The id of the ban without whose breach this one cannot be broken: a switch that was never on cannot be left on.
    pub presupposes: Option<String>,
}

/// Something wrong with one annotation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnnotationProblem {
    /// What, as the rest of a sentence about the policy.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The key of the annotation it is about; `None` for one that is not there.
    pub key: Option<String>,
}

impl AnnotationProblem {
    /// About an annotation that is there.
    fn of(key: &str, message: String, help: impl Into<Option<String>>) -> Self {
        Self { message, help: help.into(), key: Some(key.to_owned()) }
    }

    /// About an annotation that is not there.
    fn lacking(message: &str, help: String) -> Self {
        Self { message: message.to_owned(), help: Some(help), key: None }
    }
}

impl Annotations {
    /// Reads the annotations of an action of the group `never`, which is a ban of its own name.
    pub(crate) fn of_action(
        name: &str,
        annotations: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<AnnotationProblem>> {
        let mut faults = Vec::new();
        let found =
            known(annotations.iter().map(|(key, text)| (key.as_str(), text.as_str())), &ACTION_KEYS, &mut faults);
        let mut read = Self::said(&found, &mut faults);
        (read.id, read.tier) = (name.to_owned(), Some(Tier::Absolute));
        if faults.is_empty() { Ok(read) } else { Err(faults) }
    }

    /// Reads the annotations of one policy; faults are sentences about it.
    ///
    /// `gates` are the gates that the schema knows.
    pub fn parse<'a>(
        annotations: impl Iterator<Item = (&'a str, &'a str)>,
        is_forbid: bool,
        gates: &[String],
    ) -> Result<Self, Vec<AnnotationProblem>> {
        let mut faults = Vec::new();
        let found = known(annotations, &KEYS, &mut faults);
        let id = match found.get("id").copied() {
            Some(id) if is_kebab_case(id) => id.to_owned(),
            Some(id) => {
                let help = "use lower-case words and digits joined by single hyphens".to_owned();
                faults.push(AnnotationProblem::of("id", format!("has the id `{id}`, which is not kebab-case"), help));
                id.to_owned()
            }
            None => {
                faults.push(AnnotationProblem::lacking(
                    "has no `@id`",
                    "begin it with @id(\"a-name-in-kebab-case\")".to_owned(),
                ));
                String::new()
            }
        };
        let tier = if is_forbid {
            parse_tier(&found, gates, &mut faults)
        } else {
            for key in ["tier", "gate", "gap", "code", "presupposes"] {
                if found.contains_key(key) {
                    let help = "only a forbid has that".to_owned();
                    faults.push(AnnotationProblem::of(key, format!("is a permit with `@{key}`"), help));
                }
            }
            None
        };
        let read = Self::said(&found, &mut faults);
        if read.title.is_none() && tier.as_ref().is_some_and(|tier| !matches!(tier, Tier::Gate(_))) {
            let help = "add @title(\"...\"), the row's text in the report".to_owned();
            let key = found.contains_key("title").then(|| "title".to_owned());
            faults.push(AnnotationProblem { key, ..AnnotationProblem::lacking("has no `@title`", help) });
        }
        let read = Self { id, tier, ..read };
        if faults.is_empty() { Ok(read) } else { Err(faults) }
    }

    /// What is said for people and reports, of a policy or an action.
    fn said(found: &BTreeMap<&str, &str>, faults: &mut Vec<AnnotationProblem>) -> Self {
        let text = |key: &str| found.get(key).map(|text| (*text).to_owned());
        let severity = text("severity");
        if let Some(severity) = severity.as_deref().filter(|severity| !SEVERITIES.contains(severity)) {
            let help = suggest(severity, &SEVERITIES, "the severities are");
            faults.push(AnnotationProblem::of("severity", format!("has the unknown severity `{severity}`"), help));
        }
        let evidence: Vec<String> =
            found.get("evidence").into_iter().flat_map(|list| list.split_whitespace()).map(str::to_owned).collect();
        if evidence.len() > 1 && evidence.iter().any(|name| name == "none") {
            let help = "name the observations, or `none` alone".to_owned();
            faults.push(AnnotationProblem::of("evidence", "has `none` beside other evidence".to_owned(), help));
        }
        Self {
            id: String::new(),
            title: text("title").filter(|title| !title.trim().is_empty()),
            tier: None,
            reason: text("reason"),
            severity,
            advice: text("advice"),
            evidence,
            presupposes: text("presupposes"),
        }
    }
}

/// The annotations whose keys are known; of any other, a fault.
fn known<'a>(
    annotations: impl Iterator<Item = (&'a str, &'a str)>,
    keys: &[&str],
    faults: &mut Vec<AnnotationProblem>,
) -> BTreeMap<&'a str, &'a str> {
    let (known, unknown): (Vec<_>, Vec<_>) = annotations.partition(|(key, _)| keys.contains(key));
    for (key, _) in unknown {
        let help = match nearest(key, keys.iter().copied()) {
            Some(meant) => format!("did you mean `@{meant}`?"),
            None => format!("the annotations are {}", in_backticks(keys)),
        };
        faults.push(AnnotationProblem::of(key, format!("has an unknown annotation `@{key}`"), help));
    }
    known.into_iter().collect()
}

fn parse_tier(found: &BTreeMap<&str, &str>, gates: &[String], faults: &mut Vec<AnnotationProblem>) -> Option<Tier> {
    let Some(tier) = found.get("tier").copied() else {
        let help = format!("add @tier(\"...\"): one of {}", in_backticks(&TIERS));
        faults.push(AnnotationProblem::lacking("is a forbid without `@tier`", help));
        return None;
    };
    // Which annotation a tier must have; the other two it must not have.
    let needed = match tier {
        "absolute" => None,
        "approval" => Some("gate"),
        "precondition" => Some("gap"),
        "gate" => Some("code"),
        unknown => {
            let help = suggest(unknown, &TIERS, "the tiers are");
            faults.push(AnnotationProblem::of("tier", format!("has the unknown tier `{unknown}`"), help));
            return None;
        }
    };
    for key in ["gate", "gap", "code"] {
        if Some(key) != needed && found.contains_key(key) {
            let help = match needed {
                Some(needed) => format!("it takes `@{needed}`; remove `@{key}`, or correct `@tier`"),
                None => format!("remove `@{key}`, or correct `@tier`"),
            };
            faults.push(AnnotationProblem::of(
                key,
                format!("has `@{key}`, which the tier `{tier}` does not take"),
                help,
            ));
        }
    }
    let Some(needed) = needed else { return Some(Tier::Absolute) };
    let value = found.get(needed).copied().unwrap_or_default();
    if value.is_empty() {
        let known: Vec<String> = match needed {
            "gate" => gates.to_vec(),
            "code" => RejectCode::ALL.into_iter().map(RejectCode::name).collect(),
            _ => Vec::new(),
        };
        let help = match known.as_slice() {
            [] => format!("add @{needed}(\"...\"), the name of the gap that lifts it"),
            known => format!("add @{needed}(\"...\"): one of {}", in_backticks(known)),
        };
        // The tier is what asks for it.
        let key = if found.contains_key(needed) { needed } else { "tier" };
        faults.push(AnnotationProblem::of(key, format!("is of the tier `{tier}` and has no `@{needed}`"), help));
        return None;
    }
    match needed {
        "gate" if gates.iter().any(|gate| gate == value) => Some(Tier::Approval(value.to_owned())),
        "gate" => {
            let help = suggest(value, gates, "the schema knows");
            faults.push(AnnotationProblem::of("gate", format!("names the unknown gate `{value}`"), help));
            None
        }
        "gap" => Some(Tier::Precondition(value.to_owned())),
        _ => {
            let code = RejectCode::parse(value);
            if code.is_none() {
                let names: Vec<String> = RejectCode::ALL.into_iter().map(RejectCode::name).collect();
                let help = suggest(value, &names, "the codes are");
                faults.push(AnnotationProblem::of("code", format!("names the unknown code `{value}`"), help));
            }
            code.map(Tier::Gate)
        }
    }
}

/// The known name that was probably meant, or all of them after `otherwise`.
fn suggest<S: AsRef<str>>(word: &str, known: &[S], otherwise: &str) -> String {
    match nearest(word, known.iter().map(AsRef::as_ref)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("{otherwise} {}", in_backticks(known)),
    }
}

fn is_kebab_case(id: &str) -> bool {
    id.split('-')
        .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
}

const KEYS: [&str; 11] =
    ["id", "title", "tier", "gate", "gap", "code", "reason", "severity", "advice", "evidence", "presupposes"];
const ACTION_KEYS: [&str; 5] = ["title", "reason", "severity", "advice", "evidence"];
const TIERS: [&str; 4] = ["absolute", "approval", "precondition", "gate"];
const SEVERITIES: [&str; 4] = ["critical", "high", "medium", "low"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reject_code_reads_back_as_itself() {
        for code in RejectCode::ALL {
            assert_eq!(RejectCode::parse(&code.name()), Some(code));
            assert_eq!(serde_json::json!(code), serde_json::json!(code.name()));
        }
    }

    #[test]
    fn the_list_of_codes_is_in_their_order() {
        assert!(RejectCode::ALL.is_sorted());
    }
}
