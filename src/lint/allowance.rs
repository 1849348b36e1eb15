//! Comments that allow a finding: `// cutter-allow: L06 why` above a policy.

use super::{RULES, stale_allowance};
use crate::findings::{Finding, Place};
use crate::subject::Subject;
use std::ops::Range;

/// One comment that allows one rule for the policy below it.
struct Allowance {
    rule: String,
    reason: String,
    policy: Option<String>,
    place: Place,
    used: bool,
}

/// Takes away what is allowed, and adds what is wrong with the allowances.
pub fn apply(subject: &Subject, findings: Vec<Finding>) -> Vec<Finding> {
    let mut allowances = read(subject);
    let mut kept: Vec<Finding> = findings
        .into_iter()
        .filter(|finding| {
            let allowance = allowances.iter_mut().find(|allowance| {
                let names = allowance.rule == finding.rule.number || allowance.rule == finding.rule.name;
                names && !allowance.reason.is_empty() && allowance.policy.as_deref() == Some(&finding.about)
            });
            allowance.map(|allowance| allowance.used = true).is_none()
        })
        .collect();
    for allowance in allowances.into_iter().filter(|allowance| !allowance.used) {
        let known = RULES.iter().any(|(rule, _)| rule.number == allowance.rule || rule.name == allowance.rule);
        let message = match (known, allowance.reason.is_empty()) {
            (false, _) => format!("there is no lint rule `{}`", allowance.rule),
            (true, true) => format!("it allows `{}` without saying why", allowance.rule),
            (true, false) => format!("`{}` finds nothing that it could allow", allowance.rule),
        };
        let about = allowance.policy.unwrap_or_else(|| "allowance".to_owned());
        kept.push(
            Finding::new(&stale_allowance::RULE, about, message)
                .at(allowance.place)
                .help("write `// cutter-allow: L06 why` above the policy, or remove the comment"),
        );
    }
    kept
}

fn read(subject: &Subject) -> Vec<Allowance> {
    let mut allowances = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for policy in subject.bundle.own() {
        let source = &policy.source;
        if seen.contains(&source.name()) {
            continue;
        }
        seen.push(source.name());
        let mut start = 0;
        for line in source.text().split_inclusive('\n') {
            let span: Range<usize> = start..start + line.trim_end().len();
            start += line.len();
            let Some(rest) = line.trim_start().strip_prefix(MARK) else { continue };
            let (rule, reason) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
            let of_file = subject.bundle.own().iter().filter(|policy| policy.source.name() == source.name());
            let below = of_file.filter(|policy| policy.span.end > span.end).min_by_key(|policy| policy.span.start);
            allowances.push(Allowance {
                rule: rule.to_owned(),
                reason: reason.trim().to_owned(),
                policy: below.map(|policy| policy.id().to_owned()),
                place: Place::new(source, span),
                used: false,
            });
        }
    }
    allowances
}

const MARK: &str = "// cutter-allow:";
