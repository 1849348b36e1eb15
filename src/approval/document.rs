//! The approval document: what a person signs. Nothing in it is normalised or completed.

use super::row::ApprovedRow;
use crate::digest::Digest;
use crate::json::{self, ObjectReader};
use crate::plan::Target;
use crate::problem::{Problems, Source};
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;
use std::ops::Range;

/// A well-formed approval document, version 1.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ApprovalDocument {
    /// The version of this form, 1.
    pub version: u32,
    /// The approval's id.
    pub id: String,
    /// The gate it opens.
    pub gate: String,
    /// The run it is for.
    pub run: String,
    /// The ledger it may be used with.
    pub ledger: String,
    /// What the run is aimed at.
    pub target: Target,
    /// Sha-256 of the plan file.
    pub plan_sha256: String,
    /// Sha-256 of the policy bundle.
    pub policies_sha256: String,
    /// `explicit`, which a person writes.
    pub allowance: String,
    /// Why, which a person writes.
    pub reason: String,
    /// From when, RFC 3339.
    pub issued_at: String,
    /// Until when, RFC 3339; at that moment it has expired.
    pub expires_at: String,
    /// A decision that it rests on, for gates whose policies demand one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Sha-256 of the evidence that it was given on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_sha256: Option<String>,
    /// Exactly the rows of the plan that this gate bars, each with all that it would do.
    pub rows: Vec<ApprovedRow>,
}

impl ApprovalDocument {
    /// Reads a document; all that is malformed is reported together.
    pub fn parse(source: &Source) -> Result<Self, Problems> {
        let value = json::parse(source)?;
        let mut problems = Problems::new();
        let document = Self::read(source, &value, &mut problems);
        match document {
            Some(document) => problems.or(document),
            None => Err(problems),
        }
    }

    fn read(source: &Source, value: &jsonc_parser::ast::Value<'_>, problems: &mut Problems) -> Option<Self> {
        let mut reader = ObjectReader::new(source, value, "the approval", problems)?;
        reader.version_one();
        let mut text = |field| reader.string(field).map(|(text, _)| text.to_owned());
        let (id, gate, run, ledger) = (text("id"), text("gate"), text("run"), text("ledger"));
        let (allowance, reason) = (text("allowance"), text("reason"));
        let plan_sha256 = digest(&mut reader, "plan_sha256", true);
        let policies_sha256 = digest(&mut reader, "policies_sha256", true);
        let baseline_sha256 = digest(&mut reader, "baseline_sha256", false);
        let issued_at = time(&mut reader, "issued_at");
        let expires_at = time(&mut reader, "expires_at");
        let reference = reader.optional_string("reference").map(|(text, _)| text.to_owned());
        let target = reader.required("target");
        let rows = rows(&mut reader);
        reader.finish();
        let target = target.map(|value| Target::parse(value, None, source, "the approval's target", problems));
        Some(Self {
            version: 1,
            id: id?,
            gate: gate?,
            run: run?,
            ledger: ledger?,
            target: target?,
            plan_sha256: plan_sha256?,
            policies_sha256: policies_sha256?,
            allowance: allowance?,
            reason: reason?,
            issued_at: issued_at?,
            expires_at: expires_at?,
            reference,
            baseline_sha256,
            rows: rows?,
        })
    }

    /// What a person or a tool still has to write: every field that is empty or holds a placeholder, each as a clause.
    ///
    /// An empty `allowance` is not among them: whether one is needed is the policies' to say.
    pub fn unfilled(&self) -> Vec<String> {
        let fields = [
            ("id", Some(&self.id)),
            ("run", Some(&self.run)),
            ("ledger", Some(&self.ledger)),
            ("reason", Some(&self.reason)),
            ("reference", self.reference.as_ref()),
            ("plan_sha256", Some(&self.plan_sha256)),
            ("policies_sha256", Some(&self.policies_sha256)),
        ];
        let unfilled = fields.into_iter().filter_map(|(field, text)| Some((field, text?)));
        let placeholders = unfilled.filter(|(_, text)| is_placeholder(text));
        let mut clauses: Vec<String> = placeholders
            .map(|(field, text)| match text.trim().is_empty() {
                true => format!("`{field}` is empty"),
                false => format!("`{field}` holds the placeholder `{text}`"),
            })
            .collect();
        if !is_placeholder(&self.reason) && !self.reason.contains(char::is_alphabetic) {
            clauses.push(format!("`reason` has no letter: `{}`", self.reason));
        }
        clauses
    }

    /// Whether its scope is a wildcard or nothing.
    pub fn is_generic(&self) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|row| row.id.is_empty() || row.id.contains(['*', '?']))
    }

    /// The names of its rows.
    pub fn actions(&self) -> BTreeSet<String> {
        self.rows.iter().map(|row| row.id.clone()).collect()
    }
}

fn rows(reader: &mut ObjectReader<'_, '_>) -> Option<Vec<ApprovedRow>> {
    if reader.optional("rows").is_none() {
        reader.required("rows");
        return None;
    }
    let (mut rows, mut names, mut whole) = (Vec::new(), BTreeSet::new(), true);
    for (index, value) in reader.array("rows").iter().enumerate() {
        match serde_json::from_value::<ApprovedRow>(json::to_serde(value)) {
            Ok(row) if !names.insert(row.id.clone()) => {
                reader.problem(format!("the approval names the row `{}` twice", row.id), json::span(value), None);
            }
            Ok(row) => rows.push(row),
            Err(error) => {
                whole = false;
                let help = Some("`cutter approval request PLAN` writes the rows; nobody edits them");
                reader.problem(format!("rows[{index}] of the approval: {error}"), json::span(value), help);
            }
        }
    }
    whole.then_some(rows)
}

fn digest(reader: &mut ObjectReader<'_, '_>, field: &'static str, required: bool) -> Option<String> {
    let (text, at) = if required { reader.string(field)? } else { reader.optional_string(field)? };
    if Digest::parse(text).is_none() {
        let help = Some("write 64 lower-case hexadecimal digits");
        reader.problem(format!("`{field}` of the approval is not a SHA-256 digest"), at, help);
        return None;
    }
    Some(text.to_owned())
}

fn time(reader: &mut ObjectReader<'_, '_>, field: &'static str) -> Option<String> {
    let (text, at): (&str, Range<usize>) = reader.string(field)?;
    // Times with other offsets mean the same moment; they are compared as moments and kept as written.
    if Timestamp::parse(text).is_none() {
        let help = Some("write an RFC 3339 time with an offset, such as 2026-05-21T08:15:00Z");
        reader.problem(format!("`{field}` of the approval is not a valid time: `{text}`"), at, help);
        return None;
    }
    Some(text.to_owned())
}

/// What drafts, packages and stubs hold in place of a value.
fn is_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let words = lower.split(|letter: char| !letter.is_ascii_alphanumeric());
    let same = |text: &str| text.len() >= 8 && text.bytes().all(|byte| Some(byte) == text.bytes().next());
    text.trim().is_empty()
        || text.contains(['<', '>', '{', '}', '\u{2026}'])
        || text.contains("...")
        || same(text)
        || words.into_iter().any(|word| PLACEHOLDERS.contains(&word))
}

const PLACEHOLDERS: [&str; 12] =
    ["placeholder", "todo", "tbd", "fixme", "stub", "dummy", "draft", "sample", "changeme", "xxx", "xxxx", "pending"];
