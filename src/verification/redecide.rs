//! Deciding again by the bundle itself: every row at its own moment by the facts of that moment, and every gate by the
//! approvals that opened it.

use super::check::compare;
use crate::approval::judge::{Authority, barred, judge};
use crate::approval::{ApprovalFile, Approvals, KnownKeys};
use crate::attestation::gather;
use crate::attestation::grounds::{ApprovalSource, Rules};
use crate::attestation::produced::produced;
use crate::attestation::report::{Ban, Report, UsedApproval};
use crate::decision::{Basis, Closed, DecisionRow, decide_one, decide_rest};
use crate::digest::Digest;
use crate::facts::{Facts, OF_LEDGER, RawFacts};
use crate::ledger::{Entry, Record};
use crate::plan::{RUN_PROGRAM, RunPlan};
use crate::policy::PolicyBundle;
use crate::prelude::Prelude;
use crate::problem::{Problems, Source};
use crate::record::{self, ApprovalRow, Decisions, JudgedBy, RecordedRow, UseDecision};
use crate::request::{Moment, Requests, Stage};
use crate::settings::Config;
use crate::signature::Revocations;
use serde::Deserialize as _;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How a report begins the disclosure of what did not come out again when it was made.
pub const DISCLOSED: &str = "deciding again does not give it: ";

/// What deciding again showed.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Redecided {
    /// What differs, each a sentence that begins with the field.
    pub differences: Vec<String>,
    /// Rows that another bundle decided, or whose facts are not there.
    pub not_run: Vec<String>,
    /// How many rows were decided again.
    pub run: usize,
}

/// Decides every row again by the bundle, the recorded plan and the facts of its moment, and judges the recorded approvals
/// again for each of these moments; compares what was done, bans and rules, too.
pub fn redecide(
    report: &Report,
    bundle: &PolicyBundle,
    config: &Config,
    (known_keys, revocations): (&KnownKeys, &Revocations),
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
    compare("predicate.decisions.policies", &recorded.policies, &JudgedBy::of(bundle), &mut found.differences);
    standing(report, bundle, config, &mut found.differences);
    let source = Source::new("the recorded plan", report.grounds.plan.clone());
    let plan = RunPlan::parse(&source, bundle.schema(), Some(config), &|path| program(recorded, path))?;
    let facts = admitted(report, bundle)?;
    let mut worlds = BTreeMap::new();
    for (sha256, facts) in &facts {
        match Requests::new(&plan, bundle, facts) {
            Ok(requests) => drop(worlds.insert(*sha256, requests)),
            Err(problems) if *sha256 == recorded.facts.sha256 => return Err(problems),
            Err(_) => {}
        }
    }
    let files = report.grounds.approvals.iter().map(ApprovalSource::found).collect();
    let bench = Bench { report, known_keys, revocations, files };
    let ran = bench.rows_that_ran(&plan, config, &worlds, &mut found)?;
    match worlds.get(&recorded.facts.sha256) {
        Some(requests) => bench.rest(requests, &ran, &mut found)?,
        None => found.differences.push("predicate.decisions.facts: the statement does not hold them".to_owned()),
    }
    Ok(found)
}

/// Every set of facts that the bundle admits; that of the report's own decisions must be among them.
fn admitted(report: &Report, bundle: &PolicyBundle) -> Result<BTreeMap<Digest, Facts>, Problems> {
    let mut admitted = BTreeMap::new();
    for set in &report.grounds.facts {
        let Some(texts) = report.grounds.facts(set.sha256) else { continue };
        let raw = RawFacts {
            sources: texts.iter().map(|text| Source::new(text.name.clone(), text.text.clone())).collect(),
            names: texts.iter().map(|text| text.name.clone()).collect(),
            name: "the recorded facts".to_owned(),
        };
        match Facts::admit(&raw, bundle) {
            Ok(facts) => drop(admitted.insert(set.sha256, facts)),
            Err(problems) if set.sha256 == report.decisions.facts.sha256 => return Err(problems),
            Err(_) => {}
        }
    }
    Ok(admitted)
}

/// Whether what recorded facts say from the ledger is what the records before them say.
fn brought_about(
    report: &Report,
    sha256: Digest,
    (plan, bundle): (&RunPlan, &PolicyBundle),
    before: &[Entry],
) -> Option<String> {
    let recorded = report.grounds.facts(sha256)?;
    let recorded: BTreeMap<String, String> = recorded
        .into_iter()
        .filter(|text| text.name.starts_with(OF_LEDGER))
        .map(|text| (text.name, text.text))
        .collect();
    let again: BTreeMap<String, String> =
        produced(plan, bundle.schema(), before).iter().map(|layer| (layer.listed(), layer.text())).collect();
    (recorded != again).then(|| "what the facts say from the ledger is not what its records say".to_owned())
}

/// The digest that a program had when the row that runs it was decided.
fn program(recorded: &Decisions, path: &str) -> Option<Digest> {
    let runs =
        |row: &&RecordedRow| row.work.as_ref().is_some_and(|work| work.argv.first().is_some_and(|it| it == path));
    let row = recorded.decisions.iter().filter(|row| row.action == RUN_PROGRAM).find(runs)?;
    Digest::parse(row.context.get("sha256")?.as_str()?)
}

/// The gates that were open for a row, by its recorded context.
fn gates(context: &Value) -> BTreeSet<String> {
    let gates = context.pointer("/run/gates").and_then(Value::as_array);
    let id = |gate: &Value| Some(gate.pointer("/__entity/id")?.as_str()?.to_owned());
    gates.into_iter().flatten().filter_map(id).collect()
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

/// The recorded approvals, ready to be judged for one moment after the other.
struct Bench<'a> {
    report: &'a Report,
    known_keys: &'a KnownKeys,
    revocations: &'a Revocations,
    files: Vec<ApprovalFile>,
}

impl Bench<'_> {
    /// What was done, compared with the records of the journal, and each of its decisions made again.
    fn rows_that_ran(
        &self,
        plan: &RunPlan,
        config: &Config,
        worlds: &BTreeMap<Digest, Requests<'_>>,
        found: &mut Redecided,
    ) -> Result<BTreeMap<usize, DecisionRow>, Problems> {
        let report = self.report;
        let journal = match gather::journal(&report.grounds.journal.records) {
            Ok(journal) => journal,
            Err(difference) => {
                found.differences.push(difference);
                return Ok(BTreeMap::new());
            }
        };
        let Some(requests) = worlds.get(&report.decisions.facts.sha256) else { return Ok(BTreeMap::new()) };
        let bundle = requests.bundle();
        if let Some(why) = brought_about(report, report.decisions.facts.sha256, (plan, bundle), &journal.entries) {
            found.differences.push(format!("predicate.decisions.facts: {why}"));
        }
        let again = gather::done(plan, config, bundle.schema(), &journal);
        compare("predicate.done", &report.done, &again.rows, &mut found.differences);
        for fault in again.faults.iter().filter(|fault| !report.grounds.journal.faults.contains(fault)) {
            found.differences.push(format!("predicate.grounds.journal.faults: they do not say that {fault}"));
        }
        let mut ran = again.decided;
        let mut used: BTreeSet<(Digest, String)> = BTreeSet::new();
        let mut begun: BTreeMap<Digest, u64> = BTreeMap::new();
        let mut tables: BTreeMap<Digest, Closed<'_>> = BTreeMap::new();
        for (number, entry) in journal.entries.iter().enumerate() {
            let place = format!("predicate.grounds.journal.records[{number}]");
            let Record::Started(started) = &entry.record else { continue };
            let decision = UseDecision::deserialize(&started.decision).ok();
            let (Some(decision), Some((index, action))) = (decision, plan.action(&started.action)) else { continue };
            if started.run != plan.run || started.plan != plan.digest {
                continue;
            }
            let argv = action.command().to_vec();
            compare(&format!("{place}.argv"), &started.argv, &argv, &mut found.differences);
            let before = journal.entries.get(..number).unwrap_or_default();
            if let Some(why) = brought_about(report, decision.facts.sha256, (plan, bundle), before) {
                found.differences.push(format!("{place}.decision.facts: {why}"));
            }
            let world = worlds.get(&decision.facts.sha256).filter(|_| decision.policies.sha256 == bundle.digest());
            let Some(requests) = world else {
                // Whoever ran it kept the facts, and this bundle admitted them: without them the statement was cut.
                if decision.policies.sha256 == bundle.digest() {
                    found.differences.push(format!(
                        "{place}.decision.facts: the statement does not hold them as the bundle admits them"
                    ));
                }
                found.not_run.push(action.id.clone());
                continue;
            };
            let mut moment = Moment::closed(started.decided_at, Stage::Use);
            let closed = tables.entry(decision.facts.sha256).or_insert_with(|| Closed::new(requests));
            let approvals = self.approvals((requests, closed), &moment, &used, &begun)?;
            // A document may have been signed later than at that moment: what was not open then opened nothing.
            let open = gates(&decision.row.context);
            moment.gates = approvals.gates.iter().filter(|gate| open.contains(*gate)).cloned().collect();
            moment.spent.clone_from(&approvals.spent);
            let row = decide_one(requests, action, &moment)?;
            let place = format!("{place}.decision");
            compare(&format!("{place}.policies"), &decision.policies, &JudgedBy::of(bundle), &mut found.differences);
            let source = requests.facts().origin();
            compare(&format!("{place}.facts.source"), &decision.facts.source, &source, &mut found.differences);
            let recorded = RecordedRow::new(action, &row)?;
            for need in decision.row.needs.iter().filter(|_| decision.row.basis == Basis::Approved) {
                if !moment.gates_for(&action.id).contains(&need.gate) {
                    let gate = &need.gate;
                    found.differences.push(format!("{place}: no recorded approval opens `{gate}` at that moment"));
                }
            }
            compare(&format!("{place}.row"), &decision.row, &recorded, &mut found.differences);
            let opened = row.needs.iter().filter(|_| row.basis == Basis::Approved);
            let uses: Vec<UsedApproval> = opened
                .filter_map(|gate| {
                    let judged = approvals.for_gate(gate)?;
                    Some(UsedApproval { id: judged.id.clone(), gate: judged.gate.clone(), sha256: judged.digest? })
                })
                .collect();
            let done = report.done.iter().find(|done| done.records.first() == Some(&entry.sequence));
            if let Some(done) = done {
                compare(
                    &format!("predicate.done `{}` approvals", done.id),
                    &done.approvals,
                    &uses,
                    &mut found.differences,
                );
            }
            for one in &uses {
                begun.entry(one.sha256).or_insert(entry.sequence);
            }
            used.extend(uses.into_iter().map(|one| (one.sha256, action.id.clone())));
            found.run += 1;
            ran.insert(index, row);
        }
        Ok(ran)
    }

    /// The approvals and all other rows, at the time of the report's own decisions.
    fn rest(
        &self,
        requests: &Requests<'_>,
        ran: &BTreeMap<usize, DecisionRow>,
        found: &mut Redecided,
    ) -> Result<(), Problems> {
        let (recorded, differences) = (&self.report.decisions, &mut found.differences);
        let spent = self.report.grounds.journal.spent.iter().map(|one| (one.sha256, one.action.clone())).collect();
        let done = self.report.done.iter().rev();
        let first = done.filter_map(|done| Some((done.records.first()?, &done.approvals)));
        let begun = first.flat_map(|(number, uses)| uses.iter().map(move |used| (used.sha256, *number))).collect();
        let mut moment = Moment::closed(recorded.time, Stage::Plan);
        let approvals = self.approvals((requests, &mut Closed::new(requests)), &moment, &spent, &begun)?;
        let rows: Vec<ApprovalRow> = approvals.judged.iter().map(ApprovalRow::new).collect();
        compare("predicate.decisions.approvals", &recorded.approvals, &rows, differences);
        moment.gates = approvals.gates;
        moment.spent = approvals.spent;
        let source = requests.facts().origin();
        compare("predicate.decisions.facts.source", &recorded.facts.source, &source, differences);
        let table = decide_rest(requests, &moment, ran)?;
        let actions = &requests.plan().actions;
        let name = |index: &usize| actions.get(*index).map(|action| action.id.clone());
        let mut rows = Vec::new();
        for (action, decided) in actions.iter().zip(&table.rows) {
            let blocked_by = decided.blocked_by.iter().filter_map(name).collect();
            rows.push(RecordedRow { blocked_by, ..RecordedRow::new(action, decided)? });
        }
        compare("predicate.decisions.decisions", &recorded.decisions, &rows, differences);
        let (read, unmeasured) = (record::gathered(&table.rows), record::unmeasured(&table.rows));
        compare("predicate.decisions.facts_read", &recorded.facts_read, &read, differences);
        compare("predicate.decisions.unmeasured", &recorded.unmeasured, &unmeasured, differences);
        compare("predicate.decisions.deferred_gaps", &recorded.deferred_gaps, &table.deferred_gaps, differences);
        found.run += actions.len().saturating_sub(ran.len());
        Ok(())
    }

    /// The recorded approvals at a moment, of which these were used up before, and their uses began with these records.
    fn approvals(
        &self,
        (requests, closed): (&Requests<'_>, &mut Closed<'_>),
        moment: &Moment,
        used: &BTreeSet<(Digest, String)>,
        begun: &BTreeMap<Digest, u64>,
    ) -> Result<Approvals, Problems> {
        let grounds = &self.report.grounds;
        let authority = Authority {
            signers: requests.bundle().signers(),
            revocations: self.revocations,
            ledger: grounds.journal.ledger.as_deref(),
            baseline: grounds.baseline.as_ref().map(|record| record.sha256),
            known_keys: self.known_keys,
            is_used: &|approval, row| Ok(used.contains(&(approval, row.to_owned()))),
            first_use: &|approval| begun.get(&approval).copied(),
        };
        let table = closed.table(&Moment::closed(moment.now, Stage::Plan))?;
        Ok(judge(&self.files, requests, &barred(requests, &table), &authority, moment)?)
    }
}
