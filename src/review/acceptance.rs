//! What whoever asks says is meant: a rule's number, a reason, and where wanted what it is about.

use crate::findings::rule::{Rule, Severity};
use crate::findings::{Finding, Part, rules};
use crate::lint;
use crate::problem::{Problem, nearest};
use crate::review::catalogue;

/// One thing that is meant: `D06 the ban moved to another bundle`, or `D06:no-hard-delete the ban moved`.
#[derive(Clone, Debug)]
pub struct Acceptance {
    rule: &'static Rule,
    about: Option<String>,
    reason: String,
}

impl Acceptance {
    /// Reads a rule of a difference and why its findings are meant.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let (what, reason) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        let (number, about) = what.split_once(':').map_or((what, None), |(rule, about)| (rule, Some(about.to_owned())));
        let known = || catalogue::all().into_iter().filter(|rule| rule.number.starts_with('D'));
        let Some(rule) = catalogue::find(number).filter(|rule| rule.number.starts_with('D')) else {
            let problem = Problem::invalid(format!("`{number}` is not a rule of `review diff`"));
            return Err(problem.help(match nearest(number, known().flat_map(|rule| [rule.number, rule.name])) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "`cutter review rules` lists them; those of a difference begin with D".to_owned(),
            }));
        };
        if reason.trim().is_empty() {
            let problem = Problem::invalid(format!("`{what}` does not say why"));
            return Err(problem.help(format!("write the reason behind it: --accept \"{what} what it is for\"")));
        }
        Ok(Self { rule, about, reason: reason.trim().to_owned() })
    }

    /// That every widening is meant.
    pub fn of_widening() -> [Self; 2] {
        [&rules::WIDENED, &rules::WIDENED_ELSEWHERE].map(|rule| Self {
            rule,
            about: None,
            reason: "--allow-widening".to_owned(),
        })
    }

    /// Whether it is about every finding of the rule.
    pub fn is_of(&self, rule: &Rule) -> bool {
        *self.rule == *rule && self.about.is_none()
    }

    fn accepts(&self, finding: &Finding) -> bool {
        *self.rule == *finding.rule && self.about.as_ref().is_none_or(|about| *about == finding.about)
    }
}

/// Makes notes of what is meant; what accepts nothing is a finding.
pub fn apply(accepted: &[Acceptance], part: &mut Part) {
    let mut used = vec![false; accepted.len()];
    for finding in &mut part.findings {
        let is_grave = finding.severity > Severity::Note;
        let of_it: Vec<usize> =
            (0..accepted.len()).filter(|at| accepted.get(*at).is_some_and(|of| of.accepts(finding))).collect();
        for at in of_it {
            used.get_mut(at).into_iter().for_each(|used| *used = true);
            let Some(acceptance) = accepted.get(at).filter(|_| is_grave) else { continue };
            finding.severity = Severity::Note;
            finding.help = None;
            if acceptance.reason != "--allow-widening" {
                finding.message = format!("{}; accepted: {}", finding.message, acceptance.reason);
            }
        }
    }
    for (acceptance, _) in accepted.iter().zip(used).filter(|(of, used)| !used && of.reason != "--allow-widening") {
        let about = acceptance.about.as_deref().unwrap_or("--accept");
        let message = format!("`--accept {}` accepts nothing that was found", acceptance.rule.number);
        part.findings.push(Finding::new(lint::stale_allowance(), about, message).help("leave it out"));
    }
}
