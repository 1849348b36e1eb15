//! What a review finds: findings with their rule, places and help, what each part checked, and the verdict over all of it.

pub mod headline;
pub mod rule;
pub mod rules;

use crate::problem::Source;
use crate::subject::counterexample::Counterexample;
use rule::{Rule, Severity};
use std::ops::Range;

/// One thing that the review found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule it falls under.
    pub rule: &'static Rule,
    /// How grave this one is; usually as the rule says.
    pub severity: Severity,
    /// The policy, property or file it is about, by its id or name.
    pub about: String,
    /// One sentence, lower case, no full stop, user text in backticks.
    pub message: String,
    /// Where, most telling first.
    pub places: Vec<Place>,
    /// What to do.
    pub help: Option<String>,
    /// A request that shows it.
    pub counterexample: Option<Box<Counterexample>>,
}

/// A place in a file of the bundle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The file.
    pub source: Source,
    /// The bytes of it.
    pub span: Range<usize>,
    /// What stands there, where it is not the finding itself.
    pub label: Option<String>,
}

impl Place {
    /// A place without a label.
    pub fn new(source: &Source, span: Range<usize>) -> Self {
        Self { source: source.clone(), span, label: None }
    }

    /// The text that stands there.
    pub fn text(&self) -> &str {
        self.source.text().get(self.span.clone()).unwrap_or_default()
    }

    /// Says what stands there.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }
}

impl Finding {
    /// A finding of a rule about something, with the rule's own severity.
    pub fn new(rule: &'static Rule, about: impl Into<String>, message: impl Into<String>) -> Self {
        let severity = rule.severity;
        Self {
            rule,
            severity,
            about: about.into(),
            message: message.into(),
            places: Vec::new(),
            help: None,
            counterexample: None,
        }
    }

    /// Adds a place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.places.push(place);
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the request that shows it.
    #[must_use]
    pub fn shown_by(mut self, counterexample: Option<Counterexample>) -> Self {
        self.counterexample = counterexample.map(Box::new);
        self
    }

    /// Where a reader should look first.
    pub fn place(&self) -> Option<&Place> {
        self.places.first()
    }
}

/// What became of one thing that was checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It holds.
    Held,
    /// It does not; a finding says why.
    Failed,
    /// It could not be judged, and why.
    Undecided(String),
}

/// One thing that was checked: a property, a rule, a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// Its name, unique within its part.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What one part of the review did.
#[derive(Clone, Debug)]
pub struct Part {
    /// The subcommand: `validate`, `lint`, `prove` ...
    pub name: &'static str,
    /// One line for people: how much was checked.
    pub summary: String,
    /// Everything that was checked, in a stable order.
    pub checks: Vec<Check>,
    /// Everything that was found, in a stable order.
    pub findings: Vec<Finding>,
}

/// The whole review, worst first in nothing: parts stand in the order in which they ran.
#[derive(Clone, Default, Debug)]
pub struct Review {
    /// What ran.
    pub parts: Vec<Part>,
    /// What did not run, and why.
    pub skipped: Vec<String>,
    /// Problems of reading that were counted and not kept.
    pub more: usize,
    /// The least severity that fails.
    pub fail_on: Severity,
}

/// What a script may conclude from a review; a later one outranks an earlier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ReviewVerdict {
    /// Everything holds.
    Clean,
    /// Something could not be judged.
    Undecided,
    /// Something was found.
    Findings,
    /// The bundle, facts or plans are not valid.
    Invalid,
}

impl ReviewVerdict {
    /// The verdict as scripts see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Undecided => "undecided",
            Self::Findings => "findings",
            Self::Invalid => "invalid",
        }
    }
}

impl Part {
    /// What was found of one check, by its name.
    pub fn found_of(&self, check: &str) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| belongs(finding, check))
    }

    /// What was found and belongs to no check by name.
    pub fn found_elsewhere(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| !self.checks.iter().any(|check| belongs(finding, &check.name)))
    }
}

fn belongs(finding: &Finding, check: &str) -> bool {
    check == finding.about || check.rsplit(": ").next() == Some(&finding.about) || check == finding.rule.name
}

impl Review {
    /// Whether the finding makes the review fail.
    pub fn is_failing(&self, finding: &Finding) -> bool {
        finding.severity >= self.fail_on || *finding.rule == rules::INVALID
    }

    /// Whether the check failed, and not only with findings that fail nothing.
    pub fn has_failed(&self, part: &Part, check: &Check) -> bool {
        let mut found = part.found_of(&check.name).peekable();
        check.outcome == Outcome::Failed && (found.peek().is_none() || found.any(|finding| self.is_failing(finding)))
    }

    /// All findings, part by part.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.parts.iter().flat_map(|part| &part.findings)
    }

    /// Everything that could not be judged, as `part: name: why`.
    pub fn undecided(&self) -> impl Iterator<Item = (&'static str, &str, &str)> {
        self.parts.iter().flat_map(|part| {
            part.checks.iter().filter_map(|check| match &check.outcome {
                Outcome::Undecided(why) => Some((part.name, check.name.as_str(), why.as_str())),
                _ => None,
            })
        })
    }

    /// What follows from it all.
    pub fn verdict(&self) -> ReviewVerdict {
        let worst = self.findings().map(|finding| match finding.severity {
            _ if *finding.rule == rules::INVALID => ReviewVerdict::Invalid,
            severity if severity < self.fail_on => ReviewVerdict::Clean,
            Severity::Note | Severity::Warning | Severity::Error => ReviewVerdict::Findings,
        });
        // A review in which nothing ran is no clean one.
        let open = self.undecided().next().is_some() || !self.skipped.is_empty() || self.parts.is_empty();
        worst.max().unwrap_or(ReviewVerdict::Clean).max(if open {
            ReviewVerdict::Undecided
        } else {
            ReviewVerdict::Clean
        })
    }

    /// One line that a person can act on.
    pub fn next_step(&self) -> String {
        let first = self
            .findings()
            .filter(|finding| self.is_failing(finding))
            .max_by(|a, b| a.severity.cmp(&b.severity).then(std::cmp::Ordering::Greater));
        let failing = self.findings().filter(|finding| finding.severity >= self.fail_on).count();
        let more = (failing + self.more).saturating_sub(1);
        let rest = if more == 0 { String::new() } else { format!(" ({more} more)") };
        match (first, self.undecided().next(), self.skipped.first()) {
            (Some(finding), _, _) => {
                let at = finding.place().map_or_else(String::new, |place| {
                    let (line, _) = place.source.position(place.span.start);
                    format!("{}:{line}: ", place.source.name())
                });
                format!("fix first: {at}{} {}: {}{rest}", finding.rule.number, finding.about, finding.message)
            }
            (None, Some((part, name, why)), _) => format!("undecided: {part} {name}: {why}"),
            (None, None, Some(skipped)) => format!("undecided: {skipped}"),
            (None, None, None) => "clean: nothing to fix".to_owned(),
        }
    }
}
