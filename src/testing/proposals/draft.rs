//! One proposed invariant as parts of its text, taken from the text of its policy.

use crate::cedar::tokens::{Token, tokens};
use crate::policy::BundlePolicy;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The parts of an invariant.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Draft {
    pub(super) id: String,
    /// Its `@title`.
    pub(super) says: String,
    /// Its `@of`.
    pub(super) of: String,
    pub(super) gate: Option<String>,
    pub(super) effect: &'static str,
    pub(super) principal: String,
    pub(super) action: String,
    pub(super) resource: String,
    /// Each a `when` or `unless` with its braces.
    pub(super) conditions: Vec<String>,
}

impl Draft {
    /// Scope and conditions of a policy as they stand in its file; all else is still empty.
    pub(super) fn of(policy: &BundlePolicy) -> Option<Self> {
        let text = policy.source.text().get(policy.span.clone())?;
        let tokens = tokens(text);
        let word = |at: usize| tokens.get(at).map_or("", |token| token.of(text));
        let is_effect = |at: &usize| {
            let (before, after) = (at.checked_sub(1).map(word), word(at + 1));
            matches!(word(*at), "permit" | "forbid") && before != Some("@") && after == "("
        };
        let start = (0..tokens.len()).find(is_effect)?;
        let (mut depth, mut cuts, mut end) = (0_usize, vec![start + 1], None);
        for at in start + 1..tokens.len() {
            match word(at) {
                "(" | "[" => depth += 1,
                ")" | "]" if depth > 1 => depth -= 1,
                ")" => {
                    end = Some(at);
                    break;
                }
                "," if depth == 1 => cuts.push(at),
                _ => {}
            }
        }
        let end = end?;
        cuts.push(end);
        let between = |from: usize, to: usize| {
            let token = |at: usize| tokens.get(at).map(|token: &Token| &token.span);
            Some(text.get(token(from)?.end..token(to)?.start)?.trim().to_owned())
        };
        let scope: Option<Vec<String>> = cuts
            .windows(2)
            .filter_map(|pair| Some((pair.first()?, pair.last()?)))
            .map(|(a, b)| between(*a, *b))
            .collect();
        let [principal, action, resource] = scope?.try_into().ok()?;
        let last = tokens.last().filter(|token| token.of(text) == ";")?.span.start;
        let conditions = text.get(tokens.get(end)?.span.end..last)?.trim().to_owned();
        Some(Self {
            effect: if word(start) == "permit" { "permit" } else { "forbid" },
            principal,
            action,
            resource,
            conditions: (!conditions.is_empty()).then_some(conditions).into_iter().collect(),
            ..Self::default()
        })
    }

    /// Gives it a name that none of these is.
    pub(super) fn name_apart(&mut self, known: &mut BTreeSet<String>) {
        let name = self.id.clone();
        let mut count = 1;
        while !known.insert(self.id.clone()) {
            count += 1;
            self.id = format!("{name}-{count}");
        }
    }

    /// The invariant as Cedar text.
    pub(super) fn text(&self) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.escape_debug());
        let mut text =
            format!("@id({})\n@title({})\n@of({})\n", quoted(&self.id), quoted(&self.says), quoted(&self.of));
        if let Some(gate) = &self.gate {
            let _ = writeln!(text, "@gate({})", quoted(gate));
        }
        let _ = writeln!(text, "{} ({}, {}, {})", self.effect, self.principal, self.action, self.resource);
        let _ = write!(text, "{};\n\n", self.conditions.join("\n"));
        text
    }
}
