//! The statement that counts and sums the rows of one part of a relation, and what its answers come to.

use super::shape::{Part, Shape};
use crate::db::{DatabaseError, Snapshot};
use crate::evidence::Observation;
use crate::settings::evidence::{Level, RelationSettings};

/// What is asked of every part.
pub struct Plan<'a> {
    /// What is looked at beside all rows.
    pub settings: &'a RelationSettings,
    /// How much is asked for.
    pub level: Level,
    /// Whether content is digested in order, and not by sums.
    pub strict: bool,
    /// Whether the rows have no binary form.
    pub by_text: bool,
}

/// Sums over some of the rows; sums of parts can be added.
#[derive(Clone, Default, Debug)]
pub struct Totals {
    /// All rows, then those of each scope.
    pub counts: Vec<u64>,
    /// Two of the content, where it is summed, and one of the headers.
    pub sums: Vec<i128>,
}

impl Totals {
    /// Adds the sums over other rows.
    pub fn add(&mut self, part: &Self) {
        self.counts.resize(self.counts.len().max(part.counts.len()), 0);
        self.sums.resize(self.sums.len().max(part.sums.len()), 0);
        self.counts.iter_mut().zip(&part.counts).for_each(|(total, count)| *total = total.saturating_add(*count));
        self.sums.iter_mut().zip(&part.sums).for_each(|(total, sum)| *total = total.wrapping_add(*sum));
    }
}

impl Plan<'_> {
    /// Whether content and headers are digested.
    pub fn digests(&self) -> bool {
        self.level >= Level::Net
    }

    fn sums_content(&self) -> bool {
        self.digests() && !self.strict
    }

    /// Hashes of the content and the header of one row.
    ///
    /// The bytes as they are sent: 1.0 is not 1.00, and nearly every type has them. Hashed once, summed twice.
    pub fn hashes(&self) -> (&'static str, &'static str) {
        let content = match self.by_text {
            true => "hash_record_extended(row((cutter_row.*)::text), 1)",
            false => "hash_record_extended(row(record_send(cutter_row.*)), 1)",
        };
        (content, "hash_record_extended(row(cutter_row.tableoid, cutter_row.ctid, cutter_row.xmin), 3)")
    }

    /// What is selected of the rows of a range, and from where: counts first, then sums.
    pub fn select(&self, part: &Part, range: &str) -> String {
        let mut inner = Vec::new();
        let mut outer = vec!["count(*)::text".to_owned()];
        for (index, condition) in self.settings.scopes.values().enumerate() {
            inner.push(format!("(\n{condition}\n) AS s{index}"));
            outer.push(format!("(count(*) FILTER (WHERE s{index}))::text"));
        }
        let (content, header) = self.hashes();
        if self.sums_content() {
            inner.push(format!("{content} AS content"));
            outer.push("coalesce(sum(content), 0)::text".to_owned());
            outer.push("coalesce(sum(hashint8extended(content, 2)), 0)::text".to_owned());
        }
        if self.digests() && part.has_headers() {
            inner.push(format!("{header} AS header"));
            outer.push("coalesce(sum(header), 0)::text".to_owned());
        }
        // Without the fence a hash would be computed once for every use of it.
        format!(
            "{} FROM (SELECT {} FROM ONLY {} AS cutter_row {range} OFFSET 0) AS rows",
            outer.join(", "),
            inner.join(", "),
            part.qualified
        )
    }

    /// One statement over the rows of a range.
    pub fn ask(&self, part: &Part, snapshot: &mut Snapshot<'_>, range: &str) -> Result<Totals, DatabaseError> {
        let rows = snapshot.texts(&format!("SELECT {}", self.select(part, range)), 1)?;
        let cells: Vec<&str> = rows.iter().flatten().filter_map(Option::as_deref).collect();
        self.read(&cells)
    }

    /// What such a row says.
    pub fn read(&self, cells: &[&str]) -> Result<Totals, DatabaseError> {
        let (counts, sums) = cells.split_at_checked(1 + self.settings.scopes.len()).ok_or_else(DatabaseError::lost)?;
        let counts: Option<Vec<u64>> = counts.iter().map(|cell| cell.parse().ok()).collect();
        let sums: Option<Vec<i128>> = sums.iter().map(|cell| cell.parse().ok()).collect();
        counts.zip(sums).map(|(counts, sums)| Totals { counts, sums }).ok_or_else(DatabaseError::lost)
    }

    /// Writes down what the sums of all parts come to.
    pub fn record(&self, shape: &Shape, totals: &Totals, observation: &mut Observation) {
        let names = std::iter::once("rows".to_owned());
        let names = names.chain(self.settings.scopes.keys().map(|name| format!("rows {name}")));
        for (at, name) in names.enumerate() {
            observation.value(name, totals.counts.get(at).copied().unwrap_or(0).to_string());
        }
        if !self.digests() {
            return;
        }
        let sum = |at: usize| totals.sums.get(at).copied().unwrap_or(0);
        if self.sums_content() {
            let form = if self.by_text { "text " } else { "" };
            observation.value("content", format!("{form}{:032x}{:032x}", sum(0), sum(1)));
        }
        if shape.has_headers() {
            observation.trace("headers", format!("{:032x}", sum(if self.sums_content() { 2 } else { 0 })));
        } else if let Some(part) = shape.parts.iter().find(|part| part.kind == "f") {
            observation.unknown("headers", format!("the rows of the foreign table {} have none", part.qualified));
        }
    }
}
