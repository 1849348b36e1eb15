//! What a function of the database answered is a fact of the run: from the ledger, whatever files say.

use super::billing::{Month, PLAN};
use crate::support::postgres::Server;
use crate::support::world::World;
use serde_json::{Value, json};

const FUNCTION: &str = "
CREATE ROLE poster LOGIN;
CREATE FUNCTION billing.post(batch text) RETURNS jsonb LANGUAGE sql AS $$ FIRST
  WITH posted AS (INSERT INTO billing.entry SELECT * FROM billing.staged s WHERE s.batch = post.batch RETURNING 1)
  SELECT jsonb_build_object('rows', count(*), 'done', true) FROM posted $$;
GRANT USAGE ON SCHEMA billing TO poster;
GRANT SELECT ON billing.staged, billing.book TO poster;
GRANT INSERT ON billing.entry TO poster;";

const DIGEST: &str =
    "SELECT encode(sha256(convert_to(pg_get_functiondef('billing.post(text)'::regprocedure), 'UTF8')), 'hex')";

const BAN: &str = r#"
@id("close-needs-posted-rows")
@title("Close a month before its batch is posted")
@tier("precondition")
@gap("POSTED")
@severity("high")
@evidence("relation:billing.entry")
@advice("post it")
forbid (
  principal,
  action == Billing::Action::"close_month",
  resource
)
when { context.run.stage == Cutter::Stage::"use" }
unless { context.run.facts has posted && context.run.facts.posted.rows == 2 };
"#;

/// The batch is posted by a function, of whose answer this member is the fact.
fn by_function(member: &str) -> Month {
    Month::with(|world, server| post_by_function(member, "", (world, server)))
}

/// Has the batch posted by a function that does something else first.
pub fn post_by_function(member: &str, first: &str, (world, server): (&World, &Server)) {
    server.execute(&FUNCTION.replace("FIRST", first));
    let digest: String = server.connect("postgres", "postgres").query_one(DIGEST, &[]).unwrap().get(0);
    let config = world.read("cutter.toml");
    let (before, rest) = config.split_once("does = \"inserts the two entries of the batch\"\n").unwrap();
    let (_, after) = rest.split_once("expects").unwrap();
    let work = format!(
        "does = \"posts the batch\"\nproduces = {{ \"posted.rows\" = {{ type = \"Long\", answer = \"{member}\" }} }}\n\
             sql = {{ function = \"billing.post(text)\", role = \"poster\", owner = \"postgres\", definition_sha256 = \"{digest}\", \
             arguments = {{ batch = {{ value = \"2026-10-b\" }} }}, triggers = {{ \"billing.entry\" = {{}} }} }}\nexpects"
    );
    let connection = format!(
        "[connections.poster]\nhost = \"{}\"\nport = {}\nuser = \"poster\"\ndbname = \"postgres\"\n\n[database]",
        server.socket_directory().display(),
        server.port()
    );
    world.write("cutter.toml", format!("{before}{work}{after}").replace("[database]", &connection));
    let facts = "type Facts = { posting_on: Bool,";
    let more = "type Facts = { @source(\"ledger\") posted?: { rows: Long }, posting_on: Bool,";
    world.replace("policies/billing.cedarschema", facts, more);
    world.append("policies/bans.cedar", BAN);
    // What a run would like to have posted.
    world.edit("entities/facts.json", |facts| facts[2]["attrs"]["facts"]["posted"] = json!({"rows": 2}));
}

fn posted(month: &Month) -> Value {
    let document = month.cutter(&format!("authorize {PLAN} --facts postgres --format json")).json();
    let facts = document["facts_read"].as_array().unwrap_or_else(|| panic!("{document:#}"));
    facts.iter().find(|fact| fact["fact"] == "run.facts.posted.rows").unwrap().clone()
}

#[test]
fn what_a_function_answered_is_a_fact_from_the_ledger_for_what_comes_after_it() {
    let month = by_function("rows");
    let stated = posted(&month);
    assert_eq!((&stated["source"], &stated["needs"]), (&json!("stated"), &json!("ledger")), "{stated:#}");
    for row in ["preview", "posting-on", "post"] {
        let ran = month.exec(row);
        assert_eq!(ran.exit, 0, "{row}: {}{}", ran.stdout, ran.stderr);
    }
    // A file does not take back what was brought about.
    month.world.edit("entities/facts.json", |facts| facts[2]["attrs"]["facts"]["posted"]["rows"] = json!(0));
    let fact = posted(&month);
    assert_eq!(
        (&fact["value"], &fact["source"], &fact["name"]),
        (&json!("2"), &json!("ledger"), &json!("post")),
        "{fact:#}"
    );
    for row in ["close", "posting-off"] {
        let ran = month.exec(row);
        assert_eq!(ran.exit, 0, "{row}: {}{}", ran.stdout, ran.stderr);
    }
    month.capture("b.json");
    let report = month.report();
    let bans = report["predicate"]["forbidden"].as_array().unwrap();
    let held = bans.iter().find(|row| row["id"] == "close-needs-posted-rows").unwrap();
    assert!(held["status"] == "HELD" && held["because"].to_string().contains("by the ledger `post`"), "{held:#}");
    let verified = month.verify("report.json");
    assert_eq!(verified.exit, 0, "{}{}", verified.stdout, verified.stderr);
    // Another answer in the record, signed again.
    let forged = month.forge(|it| {
        let records = it["predicate"]["grounds"]["journal"]["records"].as_array_mut().unwrap();
        let end = records.iter_mut().find(|record| record["record"]["produced"].is_object()).unwrap();
        end["record"]["produced"]["posted.rows"] = json!(3);
    });
    assert!(forged.exit == 8 && forged.stdout.contains("what the facts say from the ledger"), "{}", forged.stdout);
}

#[test]
fn a_query_that_reads_what_an_effect_writes_is_found_and_what_the_effect_produces_is_not() {
    let month = by_function("rows");
    let document = month.cutter("review lint --format json").json();
    let found = document["findings"].as_array().unwrap().iter().filter(|finding| finding["rule"] == "F01");
    let found: Vec<(&str, &str)> =
        found.map(|finding| (finding["about"].as_str().unwrap(), finding["message"].as_str().unwrap())).collect();
    assert_eq!(found, [("books", "it reads `billing.entry`, which the effect `post` writes as `poster`")]);
}

#[test]
fn an_answer_that_is_not_of_the_facts_type_does_not_last_and_brings_nothing_about() {
    for member in ["done", "absent"] {
        let month = by_function(member);
        assert_eq!(month.exec("preview").exit, 0);
        assert_eq!(month.exec("posting-on").exit, 0);
        let ran = month.exec("post");
        let said = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(ran.exit == 10 && said.contains("nothing of it lasts"), "{member}: {} {said}{}", ran.exit, ran.stderr);
        let sql = "SELECT count(*) FROM billing.entry";
        let rows: i64 = month.server.connect("postgres", "postgres").query_one(sql, &[]).unwrap().get(0);
        assert_eq!((rows, posted(&month)["source"].clone()), (0, json!("stated")), "{member}");
    }
}
