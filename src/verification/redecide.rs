//! Deciding again by the bundle itself: every row at its own moment, and every gate by the approvals that opened it.

use super::check::{compare, decided_at, gates, is_for_use};
use crate::approval::ApprovalFile;
use crate::approval::judge::Authority;
use crate::attestation::gather;
use crate::attestation::grounds::{ApprovalSource, Rules};
use crate::attestation::report::{Ban, DoneRow, Report};
use crate::authorization::judge_approvals;
use crate::decision::decide_each;
use crate::facts::{Facts, RawFacts};
use crate::plan::RunPlan;
use crate::policy::PolicyBundle;
use crate::prelude::Prelude;
use crate::problem::{Problem, Problems, Source};
use crate::record::RecordedRow;
use crate::request::{Moment, Requests, Stage};
use crate::settings::Config;
use crate::signature::Revocations;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What deciding again showed.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Redecided {
    /// What differs, each a sentence that begins with the field.
    pub differences: Vec<String>,
    /// Rows that were decided by facts which the statement does not hold.
    pub not_run: Vec<String>,
    /// How many rows were decided again.
    pub run: usize,
}

/// Decides every row again by the bundle, the recorded plan and the recorded facts, and judges the recorded approvals again
/// for the moment of each row that they opened a gate for; compares bans and rules, too.
pub fn redecide(
    report: &Report,
    bundle: &PolicyBundle,
    config: &Config,
    revocations: &Revocations,
) -> Result<Redecided, Problems> {
    let mut found = Redecided::default();
    let recorded = &report.decisions;
    let Some(prelude) = Prelude::of_version(recorded.policies.prelude) else {
        found.differences.push(format!(
            "predicate.decisions.policies.prelude: this program has no prelude {}; verify with one that has it",
            recorded.policies.prelude
        ));
        return Ok(found);
    };
    let older;
    let bundle = if prelude.version == bundle.prelude().version {
        bundle
    } else {
        older = bundle.within(prelude)?;
        &older
    };
    if bundle.digest() != recorded.policies.sha256 {
        found.differences.push(format!(
            "predicate.decisions.policies.sha256: the bundle given is {}, not {}",
            bundle.digest(),
            recorded.policies.sha256
        ));
        return Ok(found);
    }
    standing(report, bundle, config, &mut found.differences);
    let source = Source::new("the recorded plan", report.grounds.plan.clone());
    let plan = RunPlan::parse(&source, bundle.schema(), Some(config))?;
    let raw = RawFacts {
        sources: report.grounds.facts.iter().map(|text| Source::new(text.name.clone(), text.text.clone())).collect(),
        names: report.grounds.facts.iter().map(|text| text.name.clone()).collect(),
        origin: recorded.facts.source,
        name: "the recorded facts".to_owned(),
    };
    let facts = Facts::admit(&raw, bundle)?;
    let requests = Requests::new(&plan, bundle, &facts)?;
    let fallback = Some(recorded.time);
    let moments: Vec<Moment> = recorded.decisions.iter().filter_map(|row| moment(row, fallback)).collect();
    if moments.len() != plan.actions.len() {
        found.differences.push("predicate.decisions.decisions: a row does not say when it was decided".to_owned());
        return Ok(found);
    }
    let table = decide_each(&requests, &moments)?;
    let mut bench = Bench { report, requests: &requests, revocations, judged: Vec::new() };
    let rows = plan.actions.iter().zip(&table.rows).zip(recorded.decisions.iter().zip(&moments));
    for (index, ((action, decided), (row, moment))) in rows.enumerate() {
        let done: Vec<&DoneRow> = report.done.iter().filter(|done| done.id == row.id).collect();
        for done in &done {
            let place = format!("predicate.done `{}`", done.id);
            let expects = gather::expects(action, Some(&row.context), config, &mut Vec::new());
            compare(&format!("{place} expects"), &done.expects, &expects, &mut found.differences);
            compare(&format!("{place} argv"), &done.argv, &action.command(config), &mut found.differences);
        }
        let place = format!("predicate.decisions.decisions[{index}]");
        let opened = bench.opened(moment)?;
        let by_other_facts = done.iter().any(|done| done.facts_sha256.as_ref() != Some(&recorded.facts.sha256));
        if by_other_facts {
            found.not_run.push(row.id.clone());
            continue;
        }
        for gate in moment.gates.difference(&opened) {
            found.differences.push(format!("{place}.context: no recorded approval opens `{gate}` at that moment"));
        }
        found.run += 1;
        let mut again = RecordedRow::new(action, decided)?;
        let name = |index: &usize| plan.actions.get(*index).map(|action| action.id.clone());
        again.blocked_by = decided.blocked_by.iter().filter_map(name).collect();
        compare(&place, row, &again, &mut found.differences);
    }
    if found.not_run.is_empty() && recorded.deferred_gaps != table.deferred_gaps {
        found.differences.push("predicate.decisions.deferred_gaps: the bundle asks for others".to_owned());
    }
    Ok(found)
}

/// Whether bans and rules are those of the bundle and its configuration.
fn standing(report: &Report, bundle: &PolicyBundle, config: &Config, differences: &mut Vec<String>) {
    let bans: Vec<&Ban> = report.forbidden.iter().map(|row| &row.ban).collect();
    if !gather::bans(bundle).iter().eq(bans) {
        differences.push("predicate.forbidden: the bans are not those of the bundle, in its order".to_owned());
    }
    let digest = bundle.listing().digest_of("cutter.toml");
    let rules = Rules::of(&config.evidence, digest);
    compare("predicate.grounds.rules", &report.grounds.rules, &rules, differences);
    let marks = gather::marks(&report.decisions, &report.done, config);
    compare("predicate.decisions.marks", &report.decisions.marks, &marks, differences);
    let named = config.secret_variables();
    if report.grounds.secrets.variables != named {
        differences.push("predicate.grounds.secrets.variables: the configuration names others".to_owned());
    }
}

/// The recorded approvals, judged once for each moment.
struct Bench<'a> {
    report: &'a Report,
    requests: &'a Requests<'a>,
    revocations: &'a Revocations,
    judged: Vec<(Timestamp, BTreeSet<String>)>,
}

impl Bench<'_> {
    /// The gates that the recorded approvals open at a moment.
    fn opened(&mut self, moment: &Moment) -> Result<BTreeSet<String>, Problem> {
        if moment.gates.is_empty() {
            return Ok(BTreeSet::new());
        }
        if let Some((_, gates)) = self.judged.iter().find(|(now, _)| *now == moment.now) {
            return Ok(gates.clone());
        }
        let grounds = &self.report.grounds;
        let files: Vec<ApprovalFile> = grounds.approvals.iter().map(ApprovalSource::found).collect();
        let authority = Authority {
            signers: self.requests.bundle().signers(),
            revocations: self.revocations,
            ledger: grounds.journal.ledger.as_deref(),
            baseline: grounds.baseline.as_ref().map(|record| record.sha256),
            party_keys: &BTreeMap::new(),
            is_used: &|_, _| Ok(false),
        };
        let at = Moment::closed(moment.now, moment.stage);
        let (_, approvals) = judge_approvals(self.requests, &files, &authority, &at).map_err(|problems| {
            let first = problems.iter().next().map(|problem| problem.message.clone());
            Problem::untrusted(first.unwrap_or_default())
        })?;
        self.judged.push((moment.now, approvals.gates.clone()));
        Ok(approvals.gates)
    }
}

/// When a row was decided, and what was open then.
fn moment(row: &RecordedRow, fallback: Option<Timestamp>) -> Option<Moment> {
    let now = match row.context.pointer("/run/now") {
        Some(_) => decided_at(row)?,
        None => fallback?,
    };
    let stage = if is_for_use(row) { Stage::Use } else { Stage::Plan };
    Some(Moment { gates: gates(row), ..Moment::closed(now, stage) })
}
