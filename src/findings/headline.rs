//! What a review comes to, in a few words: what people read first, on whatever screen.

use super::rule::Severity;
use super::{Finding, Part, Review, ReviewVerdict, rules};

impl Review {
    /// The name of what ran: of its only part, or of the review as a whole.
    pub fn name(&self) -> &'static str {
        match self.parts.as_slice() {
            [only] if self.skipped.is_empty() => only.name,
            _ => "review",
        }
    }

    /// What it comes to: `clean`, `3 findings: 1 error, 2 warnings`, `1 WIDENED, none narrowed`.
    pub fn headline(&self) -> String {
        let mut said = match self.parts.as_slice() {
            [only] if only.name == DIFF => vec![difference(only)],
            _ => self.found(),
        };
        let undecided = self.undecided().count();
        if undecided > 0 {
            said.push(format!("{undecided} undecided"));
        }
        if !self.skipped.is_empty() {
            said.push(format!("{} skipped", self.skipped.len()));
        }
        match (said.is_empty(), self.verdict()) {
            (true, verdict) => verdict.name().to_owned(),
            (false, ReviewVerdict::Undecided) => format!("undecided: {}", said.join(", ")),
            (false, ReviewVerdict::Invalid) => format!("not valid: {}", said.join(", ")),
            (false, _) => said.join(", "),
        }
    }

    /// All findings, the gravest first, else part by part.
    pub fn gravest_first(&self) -> Vec<&Finding> {
        let mut all: Vec<&Finding> = self.findings().collect();
        all.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        all
    }

    /// How many findings there are of each severity.
    fn found(&self) -> Vec<String> {
        let count = |severity| self.findings().filter(|finding| finding.severity == severity).count();
        let more = |severity| if severity == Severity::Error { self.more } else { 0 };
        let of_each = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")]
            .map(|(severity, name)| (count(severity) + more(severity), name));
        let total: usize = of_each.iter().map(|(count, _)| count).sum();
        let each: Vec<String> =
            of_each.iter().filter(|(count, _)| *count > 0).map(|(count, name)| counted(*count, name)).collect();
        match self.verdict() {
            _ if total == 0 => Vec::new(),
            // Notes fail nothing.
            ReviewVerdict::Clean => vec![format!("clean, {}", each.join(", "))],
            _ => vec![format!("{}: {}", counted(total, "finding"), each.join(", "))],
        }
    }
}

/// What a change opens and closes.
fn difference(part: &Part) -> String {
    let count = |rule| part.findings.iter().filter(|finding| finding.rule == rule).count();
    let is_error = part.findings.iter().any(|finding| finding.severity == Severity::Error);
    let widened = match (count(&rules::WIDENED), is_error) {
        (0, _) => None,
        (widened, true) => Some(format!("{widened} WIDENED")),
        (widened, false) => Some(format!("{widened} widened, which is allowed")),
    };
    let elsewhere = match count(&rules::WIDENED_ELSEWHERE) {
        0 => None,
        elsewhere => Some(format!("{elsewhere} widened where nothing is called mutating")),
    };
    let narrowed = match count(&rules::NARROWED) {
        0 => "none narrowed".to_owned(),
        narrowed => format!("{narrowed} narrowed"),
    };
    let types = match count(&rules::REQUEST_TYPE_CHANGED) {
        0 => None,
        types => Some(format!("{} in one bundle only", counted(types, "request type"))),
    };
    let is_widened = widened.is_some() || elsewhere.is_some();
    let is_told = |finding: &Finding| ["D01", "D02", "D03", "D04"].contains(&finding.rule.number);
    let others = |severity| part.findings.iter().filter(|of| of.severity == severity && !is_told(of)).count();
    let counted_others = |severity: Severity| match others(severity) {
        0 => None,
        count => Some(counted(count, severity.name())),
    };
    let mut said: Vec<String> = widened.into_iter().chain(elsewhere).collect();
    said.extend([Severity::Error, Severity::Warning].into_iter().filter_map(counted_others));
    said.push(narrowed);
    if !is_widened {
        said.push("none widened".to_owned());
    }
    said.extend(types);
    said.extend(counted_others(Severity::Note));
    said.join(", ")
}

/// `1 error`, `2 errors`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// So many policies, in words.
pub fn policies(count: usize) -> String {
    if count == 1 { "1 policy".to_owned() } else { format!("{count} policies") }
}

/// The part that compares two bundles.
pub const DIFF: &str = "diff";
