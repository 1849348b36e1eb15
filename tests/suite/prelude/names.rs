//! Renaming, leaving out or misspelling what the runtime looks for: each is an error at its place, and never "clean".

use crate::support::world::{PLAN, World, scripted};

const SCHEMA: &str = "policies/cutter.cedarschema";

/// What stands in a file of the shipped bundle, what is written there, and what must be said.
const CASES: &[(&str, &str, &str, &str)] = &[
    (SCHEMA, "entity Gate enum", "entity Gates enum", "declares `Gates` in `Cutter`, which is the prelude's"),
    (SCHEMA, "type Facts =", "type Fact =", "did you mean `type Facts = { tests_passed: Bool };`?"),
    (SCHEMA, "type Votes =", "type Vote =", "did you mean `type Votes = { finance: Long };`?"),
    (SCHEMA, "type Target =", "type Targets =", "did you mean `type Target = { database: String };`?"),
    (SCHEMA, "namespace Cutter {", "namespace Cutter {\n  entity Person;", "declares `Person` in `Cutter`"),
    (SCHEMA, "namespace Cutter {", "namespace Cutter {\n  action vote;", "declares `vote` in `Cutter`"),
    (
        SCHEMA,
        "type Votes = { president: Long",
        "type Votes = { president: String",
        "`president` of `Cutter::Votes` is not a Long",
    ),
    (
        SCHEMA,
        "type Votes = { president: Long",
        "type Votes = { president?: Long",
        "`president` of `Cutter::Votes` is not a Long",
    ),
    (
        SCHEMA,
        "type Votes = { president: Long",
        "type Votes = { presidents: Long, president: Long",
        "counts `presidents`, and the bundle has no such group",
    ),
    (
        SCHEMA,
        "type Target = { database: String",
        "type Target = { database: Long",
        "`database` of `Cutter::Target` is not a String",
    ),
    (
        SCHEMA,
        "type Target = { database: String",
        "type Target = { databases: String",
        "the plan's target has an unknown field `database`",
    ),
    (SCHEMA, "type Votes = {", "type Votes = Long; type Target2 = {", "declares `Target2` in `Cutter`"),
    (
        SCHEMA,
        "context: { to: Bool, run: Cutter::RunFacts }",
        "context: { to: Bool }",
        "does not have the runtime's record as `run`",
    ),
    (
        SCHEMA,
        "context: { to: Bool, run: Cutter::RunFacts }",
        "context: { to: Bool, run?: Cutter::RunFacts }",
        "does not have the runtime's record as `run`",
    ),
    (
        SCHEMA,
        "context: { to: Bool, run: Cutter::RunFacts }",
        "context: { to: Bool, ran: Cutter::RunFacts }",
        "does not have the runtime's record as `run`",
    ),
    (
        SCHEMA,
        "context: { to: Bool, run: Cutter::RunFacts }",
        "context: { on: Bool, run: Cutter::RunFacts }",
        "is in `switching` and has no `to: Bool`",
    ),
    (
        SCHEMA,
        "action read in [Cutter::Action::\"non_mutating\", ",
        "action read in [",
        "the action `read` is in none of",
    ),
    (
        SCHEMA,
        "action read in [Cutter::Action::\"non_mutating\", ",
        "action read in [Cutter::Action::\"judging\", Cutter::Action::\"non_mutating\", ",
        "the action `read` is in `judging`",
    ),
    (
        SCHEMA,
        "action read in [Cutter::Action::\"non_mutating\", ",
        "action read in [Cutter::Action::\"never\", Cutter::Action::\"non_mutating\", ",
        "not in one of them",
    ),
    (SCHEMA, "namespace Iu {", "entity Loose;\nnamespace Iu {", "outside of any namespace"),
    ("policies/permits.cedar", "@id(\"", "@id(\"cutter-", "has an id that begins with `cutter-`"),
    ("policies/approvals.cedar", "@gate(\"SG_1\")", "@gate(\"SG_01\")", "names the unknown gate `SG_01`"),
    (
        "policies/people-and-agents.json",
        "{\"uid\": {\"type\": \"Cutter::Group\", \"id\": \"council\"}, \"attrs\": {}, \"parents\": []},\n",
        "",
        "council",
    ),
    ("policies/gates.cedar", "Cutter::Action::\"judging\"", "Iu::Action::\"judgement\"", "judgement"),
    ("policies/gates.cedar", "context.approval.votes.council", "context.approval.votes.councils", "councils"),
    ("policies/gates.cedar", "context.approval.reference ==", "context.approval.references ==", "references"),
    ("entities/runs.json", "\"type\": \"Cutter::Run\"", "\"type\": \"Cutter::Runs\"", "Cutter::Runs"),
];

const BILLING: &str = "policies/billing.cedarschema";
const ROLLOUT: &str = "policies/rollout.cedarschema";

/// The same of the bundle in `examples/billing`.
const OF_BILLING: &[(&str, &str, &str, &str)] = &[
    (BILLING, "entity Gate enum", "entity Gates enum", "declares `Gates` in `Cutter`, which is the prelude's"),
    (BILLING, "type Facts =", "type Fact =", "did you mean `type Facts = { tests_passed: Bool };`?"),
    (BILLING, "type Target =", "type Targets =", "did you mean `type Target = { database: String };`?"),
    (BILLING, "type Votes =", "type Vote =", "did you mean `type Votes = { finance: Long };`?"),
    (
        BILLING,
        "{ finance: Long }",
        "{ finances: Long, finance: Long }",
        "counts `finances`, and the bundle has no such group",
    ),
    (
        BILLING,
        "type Target = { database:",
        "type Target = { databases:",
        "the plan's target has an unknown field `database`",
    ),
    (BILLING, "{ to: Bool, run:", "{ to: Bool, ran:", "does not have the runtime's record as `run`"),
    (BILLING, "{ to: Bool, run:", "{ on: Bool, run:", "is in `switching` and has no `to: Bool`"),
    (BILLING, "Cutter::Action::\"mutating\"", "Iu::Action::\"mutation\"", "mutation"),
    (
        BILLING,
        "action preview in [Cutter::Action::\"non_mutating\"]",
        "action preview",
        "the action `preview` is in none of",
    ),
    ("policies/bans.cedar", "@gate(\"SWITCH\")", "@gate(\"SWITCHES\")", "names the unknown gate `SWITCHES`"),
    ("policies/bans.cedar", "context.run.gates", "context.run.gate", "gate"),
    ("policies/bans.cedar", "context.run.finally_counterpart", "context.run.counterpart", "counterpart"),
    ("policies/bans.cedar", "Cutter::Stage::\"use\"", "Cutter::Stage::\"used\"", "used"),
    ("policies/permits.cedar", "context.approval.votes.finance", "context.approval.votes.finances", "finances"),
    ("policies/permits.cedar", "Cutter::Action::\"judging\"", "Iu::Action::\"judgement\"", "judgement"),
    ("policies/permits.cedar", "@code(\"quorum_not_met\")", "@code(\"no_quorum\")", "no_quorum"),
    (
        "policies/people.json",
        "  {\"uid\": {\"type\": \"Cutter::Group\", \"id\": \"finance\"}, \"attrs\": {}, \"parents\": []},\n",
        "",
        "finance",
    ),
    ("entities/facts.json", "\"type\": \"Cutter::Run\"", "\"type\": \"Cutter::Runs\"", "Cutter::Runs"),
];

/// The same of the bundle in `examples/rollout`.
const OF_ROLLOUT: &[(&str, &str, &str, &str)] = &[
    (ROLLOUT, "type Facts =", "type Fact =", "did you mean `type Facts = { tests_passed: Bool };`?"),
    (ROLLOUT, "run: Cutter::RunFacts", "ran: Cutter::RunFacts", "does not have the runtime's record as `run`"),
    (ROLLOUT, "Cutter::Action::\"mutating\"", "Iu::Action::\"mutation\"", "mutation"),
    ("policies/rollout.cedar", "Cutter::Agent::\"ci\"", "Cutter::Agent::\"CI\"", "CI"),
    ("entities/facts.json", "\"type\": \"Cutter::Run\"", "\"type\": \"Cutter::Runs\"", "Cutter::Runs"),
];

#[test]
fn every_name_that_the_runtime_looks_for_is_missed_by_each_command_when_it_is_another() {
    missed(World::shipped, PLAN, CASES);
}

#[test]
fn the_names_of_billing_are_missed_as_well() {
    missed(|| World::example("billing"), "plans/close-2026-10.json", OF_BILLING);
}

#[test]
fn the_names_of_rollout_are_missed_as_well() {
    missed(|| World::example("rollout"), "plan.json", OF_ROLLOUT);
}

fn missed(project: impl Fn() -> World, plan: &str, cases: &[(&str, &str, &str, &str)]) {
    let mut failures = Vec::new();
    for (number, (file, from, to, said)) in cases.iter().enumerate() {
        let world = project();
        world.replace(file, from, to);
        for command in ["review validate", &format!("authorize {plan}"), &format!("approval request {plan}")] {
            let ran = world.cutter(command);
            // Lines are folded to the width of a terminal.
            let shown = format!("{}{}", ran.stdout, ran.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
            if ran.exit != 3 || !shown.contains(said) {
                failures.push(format!("{number} {command}: exit {}, expected `{said}`:\n{shown}", ran.exit));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn reserved_names_have_a_code_of_their_own() {
    let world = World::shipped();
    world.replace(SCHEMA, "namespace Cutter {", "namespace Cutter {\n  entity Person;");
    let ran = world.cutter(&format!("authorize {PLAN} --error-format json"));
    assert!(ran.stderr.contains("\"name-reserved\""), "{}", ran.stderr);
}

/// A schema of the four lines that a bundle without gates, facts and votes needs, and a plan of one row.
#[test]
fn a_bundle_closes_nothing_that_it_does_not_use() {
    let world = World::empty();
    world.write(
        "policies/docs.cedarschema",
        "namespace Docs { entity Page; action publish in [Cutter::Action::\"non_mutating\"] appliesTo { principal: Cutter::Agent, \
         resource: Page, context: { run: Cutter::RunFacts } }; }",
    );
    world.write(
        "policies/permits.cedar",
        "@id(\"agents-publish\")\npermit (principal in Cutter::Group::\"agents\", action == Docs::Action::\"publish\", resource);\n",
    );
    world.write(
        "policies/agents.json",
        r#"[{"uid": {"type": "Cutter::Group", "id": "agents"}, "attrs": {}, "parents": []},
            {"uid": {"type": "Cutter::Agent", "id": "ci"}, "attrs": {}, "parents": [{"type": "Cutter::Group", "id": "agents"}]}]"#,
    );
    world.write(
        "entities/pages.json",
        r#"[{"uid": {"type": "Docs::Page", "id": "index"}, "attrs": {}, "parents": []}]"#,
    );
    world.write(
        "plan.json",
        r#"{"version": 1, "plan": "docs", "run": "docs-1", "mode": "live", "author": "Cutter::Agent::\"ci\"",
            "principal": "Cutter::Agent::\"ci\"",
            "actions": [{"id": "publish", "effect": "publish", "resource": "Docs::Page::\"index\""}]}"#,
    );
    let is = "action = 'Docs::Action::\"publish\"'\nresource = 'Docs::Page'";
    world.write("cutter.toml", "");
    world.declare("publish", is, &scripted("true"));
    let ran = world.cutter("authorize plan.json --now 2026-05-21T08:15:00Z");
    assert_eq!(ran.exit, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("AUTHORIZED"), "{}", ran.stdout);
}

#[test]
fn the_digest_of_a_bundle_covers_the_prelude_as_the_page_says() {
    let world = World::shipped();
    let listing = world.cutter("authorize plans/o9-first-production-run.json --format json");
    let decisions = listing.json();
    assert_eq!(decisions["policies"]["prelude"], 1);
    let text = |more: &str| world.cutter(&format!("schema prelude {more}")).stdout;
    let prelude = cutter::digest::Digest::of((text("") + &text("--policies")).as_bytes());
    let sources = cutter::project::read_bundle(&world.path("policies"), Some(&world.path("cutter.toml"))).unwrap();
    assert_eq!(decisions["policies"]["sha256"], sources.listing.with("prelude", prelude).digest().to_string());
}
