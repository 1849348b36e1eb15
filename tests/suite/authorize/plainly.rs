//! The table is the same as when every request is made again, checked against the schema and asked of all policies.

use crate::authorize::properties::{Texts, gates};
use cedar_policy::{Authorizer, Context, Decision, EntityUid, PolicySet, RestrictedExpression};
use cutter::decision::{Basis, Closed, DecisionTable, decide, decide_each, decide_one};
use cutter::facts::Facts;
use cutter::plan::{IntendedAction, RunPlan};
use cutter::policy::annotations::Tier;
use cutter::policy::{BundlePolicy, PolicyBundle};
use cutter::problem::{Problem, Problems};
use cutter::request::{Moment, Requests, Stage};
use cutter::time::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// All that a row says.
#[derive(Clone, PartialEq, Debug)]
struct Plain {
    basis: Basis,
    context: Context,
    policies: Vec<String>,
    needs: BTreeSet<String>,
    lifted: Vec<String>,
    gaps: BTreeSet<String>,
    deferred: BTreeSet<String>,
    errors: Vec<String>,
}

/// What Cedar answers: whether it allows, the policies, and the errors, sorted.
type Answer = (bool, Vec<String>, Vec<String>);

/// Makes the request again, checks it against the schema and asks all policies of these tiers.
fn ask(
    (bundle, facts, plan): (&PolicyBundle, &Facts, &RunPlan),
    action: &IntendedAction,
    moment: &Moment,
    keep: &dyn Fn(&BundlePolicy) -> bool,
) -> Result<(Answer, Context), Problem> {
    let requests = Requests::new(plan, bundle, facts).unwrap();
    let context = requests.context(action, &requests.run(&requests.state(action, moment))?)?;
    let request = requests.request(action, context.clone())?;
    let schema = (bundle.schema().schema(), &action.action);
    let read = Context::from_json_value(context.to_json_value().unwrap(), Some(schema)).unwrap();
    assert_eq!(read, context);
    let policies = bundle.policies().iter().filter(|policy| keep(policy)).map(|policy| policy.policy.clone());
    let policies = PolicySet::from_policies(policies).unwrap();
    let response = Authorizer::new().is_authorized(&request, &policies, facts.entities());
    let sorted = |texts: &mut dyn Iterator<Item = String>| -> Vec<String> {
        texts.collect::<BTreeSet<_>>().into_iter().collect()
    };
    let reasons = sorted(&mut response.diagnostics().reason().map(ToString::to_string));
    let errors = sorted(&mut response.diagnostics().errors().map(ToString::to_string));
    Ok(((response.decision() == Decision::Allow, reasons, errors), context))
}

fn plainly(
    world: (&PolicyBundle, &Facts, &RunPlan),
    action: &IntendedAction,
    moment: &Moment,
) -> Result<Plain, Problem> {
    let bundle = world.0;
    let named = |policies: &[String], gate: bool| -> BTreeSet<String> {
        let named = policies.iter().filter_map(|id| match bundle.tier(id) {
            Some(Tier::Approval(name)) if gate => Some(name.clone()),
            Some(Tier::Precondition(name)) if !gate => Some(name.clone()),
            _ => None,
        });
        named.collect()
    };
    let tier = |policy: &BundlePolicy| policy.annotations.tier.clone();
    let ((allow, policies, errors), context) = ask(world, action, moment, &|_| true)?;
    let mut row = Plain {
        basis: Basis::Permitted,
        context,
        policies,
        needs: BTreeSet::new(),
        lifted: Vec::new(),
        gaps: BTreeSet::new(),
        deferred: BTreeSet::new(),
        errors,
    };
    if !row.errors.is_empty() {
        return Ok(Plain { basis: Basis::Indeterminate, ..row });
    }
    if allow {
        let closed = Moment { gates: BTreeSet::new(), ..moment.clone() };
        let ((allow, policies, errors), _) = ask(world, action, &closed, &|_| true)?;
        row.errors.extend(errors);
        if !allow {
            row.basis = Basis::Approved;
            row.needs = named(&policies, true);
            row.lifted = policies;
        }
    } else {
        let lifted = |policy: &BundlePolicy| matches!(tier(policy), Some(Tier::Approval(_) | Tier::Precondition(_)));
        let ((bare, _, errors), _) = ask(world, action, moment, &|policy| !lifted(policy))?;
        row.errors.extend(errors);
        let every = bundle.schema().gates().iter().cloned().collect();
        let every = Moment { gates: every, spent: BTreeMap::new(), ..moment.clone() };
        let not_precondition = |policy: &BundlePolicy| !matches!(tier(policy), Some(Tier::Precondition(_)));
        let ((opened, _, errors), _) = ask(world, action, &every, &not_precondition)?;
        row.errors.extend(errors);
        if bare != opened {
            row.errors.push(DIFFER.to_owned());
        }
        let for_good = |id: &String| matches!(bundle.tier(id), Some(Tier::Absolute | Tier::Gate(_)));
        row.basis = match bare {
            true => {
                (row.needs, row.gaps) = (named(&row.policies, true), named(&row.policies, false));
                if row.needs.is_empty() { Basis::Precondition } else { Basis::ApprovalRequired }
            }
            false if row.policies.iter().any(for_good) => Basis::Forbidden,
            false => Basis::NotPermitted,
        };
    }
    if moment.stage == Stage::Plan && !matches!(row.basis, Basis::Forbidden | Basis::NotPermitted) {
        let at_use = Moment { stage: Stage::Use, ..moment.clone() };
        let ((_, policies, errors), _) = ask(world, action, &at_use, &|_| true)?;
        row.errors.extend(errors);
        row.deferred = named(&policies, false);
    }
    if !row.errors.is_empty() {
        row.errors = row.errors.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        row = Plain {
            basis: Basis::Indeterminate,
            needs: BTreeSet::new(),
            lifted: Vec::new(),
            gaps: BTreeSet::new(),
            ..row
        };
    }
    Ok(row)
}

/// Denies what comes after a denied row, until nothing changes.
fn block(plan: &RunPlan, rows: &mut [Plain]) -> Vec<BTreeSet<usize>> {
    let denied = |rows: &[Plain], action: &IntendedAction| -> BTreeSet<usize> {
        action.after.iter().copied().filter(|at| !action.finally && !rows[*at].basis.allows()).collect()
    };
    while let Some(at) =
        (0..rows.len()).find(|at| rows[*at].basis.allows() && !denied(rows, &plan.actions[*at]).is_empty())
    {
        rows[at].basis = Basis::BlockedBy;
    }
    let blocked = |(action, row): (&IntendedAction, &Plain)| match row.basis {
        Basis::BlockedBy => denied(rows, action),
        _ => BTreeSet::new(),
    };
    plan.actions.iter().zip(rows.iter()).map(blocked).collect()
}

/// Each row judged by itself, or what is wrong with those that make no request.
fn table(world: (&PolicyBundle, &Facts, &RunPlan), moments: &[Moment]) -> Result<Vec<Plain>, Vec<String>> {
    let rows = world.2.actions.iter().zip(moments).map(|(action, moment)| plainly(world, action, moment));
    let (rows, problems): (Vec<_>, Vec<_>) = rows.partition(Result::is_ok);
    match problems.is_empty() {
        true => Ok(rows.into_iter().flatten().collect()),
        false => Err(problems.into_iter().filter_map(Result::err).map(|problem| problem.message).collect()),
    }
}

/// Compares a table with rows judged plainly.
fn compare(
    plan: &RunPlan,
    found: Result<DecisionTable, Problems>,
    plain: &Result<Vec<Plain>, Vec<String>>,
) -> Result<(), TestCaseError> {
    let (found, mut plain) = match (found, plain.clone()) {
        (Ok(found), Ok(plain)) => (found, plain),
        (Err(found), Err(plain)) => {
            let found: Vec<String> = found.iter().map(|problem| problem.message.clone()).collect();
            prop_assert_eq!(found, plain);
            return Ok(());
        }
        (found, plain) => return Err(TestCaseError::fail(format!("{found:?}, plainly {plain:?}"))),
    };
    let blocked = block(plan, &mut plain);
    let open: BTreeSet<String> = plain.iter().flat_map(|row| row.gaps.clone()).collect();
    let deferred: BTreeSet<String> = plain.iter().flat_map(|row| row.deferred.clone()).collect();
    prop_assert_eq!(found.deferred_gaps, deferred.difference(&open).cloned().collect::<Vec<_>>());
    prop_assert_eq!(found.open_gaps, open.into_iter().collect::<Vec<_>>());
    for (((row, plain), blocked), action) in found.rows.iter().zip(&plain).zip(blocked).zip(&plan.actions) {
        prop_assert_eq!(&row.blocked_by, &blocked.into_iter().collect::<Vec<_>>(), "{}", action.id);
        let row = Plain {
            basis: row.basis,
            context: row.context.clone(),
            policies: row.policies.clone(),
            needs: row.needs.iter().cloned().collect(),
            lifted: row.lifted.clone(),
            gaps: row.gaps.iter().cloned().collect(),
            deferred: plain.deferred.clone(),
            errors: row.errors.clone(),
        };
        prop_assert_eq!(&row, plain, "{}", action.id);
    }
    Ok(())
}

/// The shipped bundle, one with bans of each tier whose gate an approval of another row opens, and one that sometimes fails to evaluate.
fn bundles() -> &'static [(PolicyBundle, Facts)] {
    static BUNDLES: OnceLock<Vec<(PolicyBundle, Facts)>> = OnceLock::new();
    BUNDLES.get_or_init(|| {
        [
            "",
            r#"@id("a") @tier("approval") @gate("FLIP") @title("x") forbid (principal, action, resource)
                 when { !context.run.gates.contains(Cutter::Gate::"FLIP") };
               @id("b") @tier("approval") @gate("SG_1") @title("x") forbid (principal, action, resource)
                 when { context.run.stage == Cutter::Stage::"plan" };
               @id("c") @tier("precondition") @gap("NEW") @title("x") forbid (principal, action, resource)
                 when { context.run.now > datetime("2026-05-21T08:15:00Z") && context.run.stage == Cutter::Stage::"use" };"#,
            r#"@id("e") @tier("precondition") @gap("NEW") @title("x") forbid (principal, action, resource)
                 when { context.run.gates.contains(Cutter::Gate::"SG_2") &&
                        context.run.facts.tests.passed + 9223372036854775807 > 0 };
               @id("all") permit (principal, action, resource);"#,
        ]
        .map(|more| {
            let mut texts = Texts::shipped("o9-first-production-run");
            texts.policies.push(more.to_owned());
            texts.bundle_and_facts().unwrap()
        })
        .into()
    })
}

/// Rows of the shipped plans, and some whose parameters vary.
fn row() -> impl Strategy<Value = serde_json::Value> {
    let shipped: Vec<serde_json::Value> = ["o9-first-production-run", "forbidden-sampler"]
        .iter()
        .flat_map(|name| Texts::shipped(name).plan["actions"].as_array().unwrap().clone())
        .collect();
    let grant = serde_json::json!({"principal": "Cutter::Person::\"operator\"", "action": "Iu::Action::\"grant\"",
        "resource": "Iu::Role::\"cutter_exec\""});
    let grant = (0..3u8, any::<bool>()).prop_map(move |(on, option)| {
        let mut row = grant.clone();
        row["context"] =
            serde_json::json!({"privilege": "SELECT", "on": format!("t{on}"), "with_grant_option": option});
        row
    });
    prop_oneof![4 => proptest::sample::select(shipped), 1 => grant]
}

fn plan() -> impl Strategy<Value = serde_json::Value> {
    let row = (row(), any::<bool>(), proptest::collection::vec(any::<prop::sample::Index>(), 0..3));
    proptest::collection::vec(row, 1..9).prop_map(|rows| {
        let mut plan = Texts::shipped("o9-first-production-run").plan;
        let named = rows.into_iter().enumerate().map(|(index, (mut row, finally, after))| {
            row["id"] = format!("row-{index}").into();
            row["finally"] = (finally && row["finally"] == true).into();
            let after = after.iter().filter(|_| index > 0).map(|at| format!("row-{}", at.index(index.max(1))));
            row["after"] = after.collect::<BTreeSet<_>>().into_iter().collect();
            row
        });
        plan["actions"] = named.collect();
        plan
    })
}

fn moment() -> impl Strategy<Value = Moment> {
    let now =
        proptest::sample::select(vec!["2026-05-21T08:15:00Z", "2026-05-21T08:15:00.001Z", "2026-05-22T00:00:00Z"]);
    let stage = prop_oneof![Just(Stage::Plan), Just(Stage::Use)];
    let unknown = prop_oneof![15 => Just(None), 1 => Just(Some("NO_SUCH_GATE".to_owned()))];
    let spent = proptest::collection::btree_map((0..9u8).prop_map(|row| format!("row-{row}")), gates(), 0..3);
    (now, stage, gates(), unknown, spent).prop_map(|(now, stage, gates, unknown, spent)| Moment {
        gates: gates.into_iter().chain(unknown).collect(),
        spent,
        ..Moment::closed(Timestamp::parse(now).unwrap(), stage)
    })
}

/// Makes a row one that the schema does not have.
fn spoil(action: &mut IntendedAction, way: u8) {
    let uid = |text: &str| text.parse::<EntityUid>().unwrap();
    let string = || RestrictedExpression::new_string("x".to_owned());
    match way {
        0 => action.resource = uid(r#"Cutter::Gate::"SG_1""#),
        1 => action.principal = uid(r#"Cutter::Person::"operator""#),
        2 => drop(action.parameters.insert("undeclared".to_owned(), string())),
        3 => drop(action.parameters.insert("run".to_owned(), string())),
        4 => drop(action.parameters.insert("to".to_owned(), string())),
        5 => action.parameters.clear(),
        6 => {
            let pause = RestrictedExpression::new_entity_uid(uid(r#"Iu::Pause::"NO_SUCH_PAUSE""#));
            drop(action.parameters.insert("at".to_owned(), pause));
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_are_decided_as_if_each_request_were_made_again_and_checked(
        which in 0..3usize,
        plan in plan(),
        moments in proptest::collection::vec(moment(), 2),
        at in proptest::collection::vec(0..2usize, 9),
        corrupted in proptest::option::weighted(0.3, (any::<prop::sample::Index>(), 0..8u8)),
    ) {
        let (bundle, facts) = &bundles()[which];
        let mut texts = Texts::shipped("forbidden-sampler");
        texts.plan = plan;
        let mut plan = texts.plan_against(bundle);
        if let Some((index, way)) = corrupted {
            let index = index.index(plan.actions.len());
            spoil(&mut plan.actions[index], way);
        }
        let world = (bundle, facts, &plan);
        let requests = Requests::new(&plan, bundle, facts).unwrap();
        let each: Vec<Moment> = at.iter().take(plan.actions.len()).map(|at| moments[*at].clone()).collect();
        compare(&plan, decide_each(&requests, &each), &table(world, &each))?;
        let all = vec![moments[0].clone(); plan.actions.len()];
        compare(&plan, decide(&requests, &moments[0]), &table(world, &all))?;
        let mut closed = Closed::new(&requests);
        let needs = |table: DecisionTable| -> Vec<Vec<String>> { table.rows.into_iter().map(|row| row.needs).collect() };
        for moment in &moments {
            let at = Moment::closed(moment.now, Stage::Plan);
            let plain = decide(&requests, &at).ok().map(needs);
            prop_assert_eq!(closed.table(&at).ok().map(needs), plain);
        }
        for (action, moment) in plan.actions.iter().zip(&each) {
            let one = decide_one(&requests, action, moment).map(|row| (row.basis, row.context, row.policies, row.errors));
            let plain = plainly(world, action, moment).map(|row| (row.basis, row.context, row.policies, row.errors));
            prop_assert_eq!(one.map_err(|problem| problem.message), plain.map_err(|problem| problem.message));
        }
    }
}

const DIFFER: &str = "setting the approval tier aside and opening every gate do not give the same decision";
