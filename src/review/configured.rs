//! How a project reads the findings of single rules, by `[review]` of its configuration.

use crate::findings::rule::{Rule, Severity};
use crate::findings::{Finding, Outcome, Part, Review, rules};
use crate::lint;
use crate::review::catalogue;
use crate::settings::review::{FailOn, ReviewSettings, RuleSeverity};

/// Makes findings as grave as the project says; a setting that is about nothing is a finding.
pub fn apply(settings: &ReviewSettings, review: &mut Review) {
    if let Some(least) = settings.fail_on {
        review.fail_on = match least {
            FailOn::Note => Severity::Note,
            FailOn::Warning => Severity::Warning,
            FailOn::Error => Severity::Error,
        };
    }
    let mut stale = Vec::new();
    for (name, setting) in &settings.rules {
        let about = format!("[review.rules.{name}]");
        let Some(rule) = catalogue::find(name) else {
            stale.push((about, format!("there is no rule `{name}`")));
            continue;
        };
        if *rule == rules::INVALID {
            stale.push((about, "what is not valid cannot be allowed".to_owned()));
            continue;
        }
        let ran = part_of(rule, review).is_some();
        let found = review.parts.iter_mut().map(|part| set(part, rule, setting.severity)).sum::<usize>();
        if ran && found == 0 {
            stale.push((about, format!("`{}` finds nothing that it is about", rule.number)));
        }
    }
    for (about, message) in stale {
        let finding = Finding::new(lint::stale_allowance(), about, message).help("remove it from `cutter.toml`");
        if let Some(part) = review.parts.last_mut() {
            part.findings.push(finding);
        }
    }
}

/// Sets the severity of the rule's findings in one part, and says how many there were.
fn set(part: &mut Part, rule: &Rule, severity: RuleSeverity) -> usize {
    let is_of = |finding: &Finding| *finding.rule == *rule;
    let count = part.findings.iter().filter(|finding| is_of(finding)).count();
    let severity = match severity {
        RuleSeverity::Off => {
            let gone: Vec<Finding> = part.findings.extract_if(.., |finding| is_of(finding)).collect();
            for check in part.checks.iter_mut().filter(|check| check.outcome == Outcome::Failed) {
                let of = |finding: &Finding| {
                    check.name == finding.about
                        || check.name == rule.name
                        || check.name.ends_with(&format!(": {}", finding.about))
                };
                if gone.iter().any(of) && !part.findings.iter().any(of) {
                    check.outcome = Outcome::Held;
                }
            }
            return count;
        }
        RuleSeverity::Note => Severity::Note,
        RuleSeverity::Warning => Severity::Warning,
        RuleSeverity::Error => Severity::Error,
    };
    part.findings.iter_mut().filter(|finding| is_of(finding)).for_each(|finding| finding.severity = severity);
    count
}

/// The part that asks for a rule, if it ran.
fn part_of<'r>(rule: &Rule, review: &'r Review) -> Option<&'r Part> {
    let name = match rule.number.chars().next()? {
        'V' => "validate",
        'L' => "lint",
        'P' => "prove",
        'C' => "coverage",
        'M' => "matrix",
        _ => "diff",
    };
    review.parts.iter().find(|part| part.name == name)
}
