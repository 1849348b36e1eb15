//! Every way an input was tried to be wrong: the exit code, and what the message must say.

use crate::support::world::{PLAN, World};

/// Spoils the shipped project, authorizes the O9 plan, and gives what must be said.
struct Case {
    says: &'static str,
    spoil: fn(&World),
    exit: i32,
    stderr: &'static [&'static str],
}

const SCHEMA: &str = "policies/cutter.cedarschema";

const CASES: &[Case] = &[
    Case { says: "a missing bundle", spoil: |w| w.remove("policies"), exit: 1, stderr: &["`policies` cannot be read"] },
    Case {
        says: "an empty bundle",
        spoil: |w| {
            w.remove("policies");
            w.write("policies/README", "");
        },
        exit: 3,
        stderr: &["has no `*.cedarschema` file", "has no policies"],
    },
    Case {
        says: "an empty folder of facts",
        spoil: |w| {
            w.remove("entities");
            w.write("entities/README", "");
        },
        exit: 3,
        stderr: &["`entities` has no facts"],
    },
    Case {
        says: "a plan that is not UTF-8",
        spoil: |w| w.write(PLAN, b"{\"version\": \xff"),
        exit: 3,
        stderr: &["is not UTF-8: byte 13", "plans/o9-first-production-run.json:1:13"],
    },
    Case {
        says: "truncated JSON",
        spoil: |w| w.write(PLAN, "{\"version\": 1,"),
        exit: 3,
        stderr: &["is not JSON: the file ends while parsing an object", ":1:14"],
    },
    Case {
        says: "two rows of one id",
        spoil: |w| w.replace(PLAN, "\"id\": \"start\"", "\"id\": \"flip-on\""),
        exit: 3,
        stderr: &["two plan actions have the id `flip-on`", "comes after the unknown action `start`"],
    },
    Case {
        says: "an unknown field",
        spoil: |w| w.replace(PLAN, "\"effect\": \"start\"", "\"efect\": \"start\""),
        exit: 3,
        stderr: &["plan action `start` has an unknown field `efect`", "did you mean `effect`?"],
    },
    Case {
        says: "an unknown action",
        spoil: |w| w.replace(PLAN, "Action::\\\"cut_leg_a", "Action::\\\"cut_leg_q"),
        exit: 3,
        stderr: &["plan action `cut` names unknown action `cut_leg_q`", "did you mean `Iu::Action::\"cut_leg_a\"`?"],
    },
    Case {
        says: "a principal of a type that is none",
        spoil: |w| w.replace(PLAN, "\"principal\": \"Cutter::Agent::", "\"principal\": \"Cutter::Robot::"),
        exit: 3,
        stderr: &["`principal` of the plan has the type `Cutter::Robot`", "`Cutter::Agent`, `Cutter::Person`"],
    },
    Case {
        says: "the runtime's own key",
        spoil: |w| w.replace(PLAN, "{\"to\": true}", "{\"to\": true, \"run\": {\"gates\": []}}"),
        exit: 3,
        stderr: &["plan action `flip-on` names `run` in its context, which belongs to the runtime"],
    },
    Case {
        says: "a circle in after",
        spoil: |w| w.replace(PLAN, "\"after\": [\"flip-on\"]", "\"after\": [\"closeout\"]"),
        exit: 3,
        stderr: &["come after each other in a circle", "remove one `after`"],
    },
    Case {
        says: "no actions",
        spoil: |w| {
            let text = w.read(PLAN);
            let start = text.find("\"actions\"").unwrap();
            w.write(PLAN, format!("{}\"actions\": []}}", &text[..start]));
        },
        exit: 3,
        stderr: &["the plan has no actions"],
    },
    Case {
        says: "an unknown mode",
        spoil: |w| w.replace(PLAN, "\"mode\": \"live\"", "\"mode\": \"Live\""),
        exit: 3,
        stderr: &["unknown mode `Live`"],
    },
    Case {
        says: "another version",
        spoil: |w| w.replace(PLAN, "\"version\": 1", "\"version\": 2"),
        exit: 3,
        stderr: &["`version` of the plan is 2, not 1"],
    },
    Case {
        says: "a run without facts",
        spoil: |w| w.replace(PLAN, "\"run\": \"ictr-20260521T081500Z-1a2b3c4d\"", "\"run\": \"ictr-other\""),
        exit: 3,
        stderr: &["no facts are recorded for the run: `Cutter::Run::\"ictr-other\"` is absent"],
    },
    Case {
        says: "a parent absent from the facts",
        spoil: |w| {
            w.replace("policies/places.json", "{\"uid\": {\"type\": \"Iu::FileTree\", \"id\": \"/opt/incomex/dot\"}, \"attrs\": {}, \"parents\": []},", "")
        },
        exit: 3,
        stderr: &[
            "refers to `Iu::FileTree::\"/opt/incomex/dot\"`, which is absent",
            "policy `no-deployed-tree-write` names",
        ],
    },
    Case {
        says: "an entity twice, in two files",
        spoil: |w| {
            w.write(
                "entities/more.json",
                r#"[{"uid": {"type": "Iu::Log", "id": "run.log"}, "attrs": {}, "parents": []}]"#,
            )
        },
        exit: 3,
        stderr: &["the entity `Iu::Log::\"run.log\"` is defined twice", "first defined at entities/host.json:"],
    },
    Case {
        says: "a group membership of the run's own making, which would be authority without a signature",
        spoil: |w| {
            w.write("entities/more.json", r#"[{"uid": {"type": "Cutter::Person", "id": "sovereign"}, "attrs": {}, "parents": [{"type": "Cutter::Group", "id": "on-call"}]}]"#)
        },
        exit: 3,
        stderr: &["the entity `Cutter::Person::\"sovereign\"` is defined twice", "policies/people-and-agents.json:"],
    },
    Case {
        says: "a policy without an id",
        spoil: |w| w.replace("policies/forbidden.cedar", "@id(\"no-grant-option\")\n", ""),
        exit: 3,
        stderr: &["a policy has no `@id`", "policies/forbidden.cedar:"],
    },
    Case {
        says: "a ban that presupposes itself",
        spoil: |w| {
            w.replace(
                "policies/00-seed-report.cedar",
                "@presupposes(\"no-switch-on-without-approval\")",
                "@presupposes(\"no-switch-left-on\")",
            )
        },
        exit: 3,
        stderr: &["policy `no-switch-left-on` presupposes `no-switch-left-on`, which is not another ban"],
    },
    Case {
        says: "a permit that presupposes",
        spoil: |w| {
            w.replace(
                "policies/permits.cedar",
                "@id(\"executor-does-its-work\")",
                "@id(\"executor-does-its-work\") @presupposes(\"no-grant-option\")",
            )
        },
        exit: 3,
        stderr: &["is a permit with `@presupposes`"],
    },
    Case {
        says: "an effect that expects neither a number nor a place",
        spoil: |w| w.replace("cutter.toml", "{ inserted = 1 }", "{ inserted = true }"),
        exit: 3,
        stderr: &["cutter.toml", "a whole number, or the path to it in the row's context"],
    },
    Case {
        says: "a schema that names a type that is none",
        spoil: |w| w.replace(SCHEMA, "units: Long,", "units: Longg,"),
        exit: 3,
        stderr: &["the schema is not valid", "Longg"],
    },
    Case {
        says: "a record of the run that the runtime does not fill",
        spoil: |w| w.replace(SCHEMA, "to: Bool, run: Cutter::RunFacts }", "to: Bool, run: { weather: String } }"),
        exit: 3,
        stderr: &["the action `flip_flag` does not have the runtime's record as `run` in its context"],
    },
    Case {
        says: "a policy that does not parse",
        spoil: |w| w.replace("policies/permits.cedar", "permit (", "permitt ("),
        exit: 3,
        stderr: &["a policy cannot be read", "policies/permits.cedar:"],
    },
    Case {
        says: "a policy that fails strict validation",
        spoil: |w| w.replace("policies/00-seed-report.cedar", "facts.switch.enabled", "facts.swich.enabled"),
        exit: 3,
        stderr: &["policy `no-switch-left-on` is not valid", "swich", "policies/00-seed-report.cedar:"],
    },
    Case {
        says: "a policy with a warning",
        spoil: |w| {
            w.replace(
                "policies/00-seed-report.cedar",
                "when { context.run.facts.switch.enabled }",
                "when { context.run.facts.switch.enabled && false }",
            )
        },
        exit: 3,
        stderr: &["policy `no-switch-left-on` is not valid"],
    },
    Case {
        says: "a template",
        spoil: |w| w.write("policies/extra.cedar", "@id(\"t\") permit (principal == ?principal, action, resource);"),
        exit: 3,
        stderr: &["has a policy template", "write the policy out"],
    },
    Case {
        says: "a policy in a subfolder, which would silently not be loaded",
        spoil: |w| {
            w.write(
                "policies/more/extra.cedar",
                "@id(\"x\") @tier(\"absolute\") @title(\"x\") forbid (principal, action, resource);",
            )
        },
        exit: 3,
        stderr: &["`policies/more/extra.cedar` would not be loaded"],
    },
    Case {
        says: "a plan of 50 MiB",
        spoil: |w| w.write(PLAN, format!("{{\"plan\": \"{}\"}}", "x".repeat(50 * 1024 * 1024))),
        exit: 3,
        stderr: &["is larger than 32 MiB"],
    },
    Case {
        says: "nesting of 100,000 levels",
        spoil: |w| w.write(PLAN, "[".repeat(100_000)),
        exit: 3,
        stderr: &["plans/o9-first-production-run.json"],
    },
];

#[test]
fn every_spoilt_input_gets_its_exit_code_and_a_message_that_says_where_and_what_to_do() {
    let mut failures = Vec::new();
    for case in CASES {
        let world = World::wordy();
        (case.spoil)(&world);
        let ran = world.cutter(&format!("authorize {PLAN}"));
        let coded = world.cutter(&format!("authorize {PLAN} --error-format json"));
        let document: serde_json::Value = coded.stderr.parse().unwrap();
        let codes: Vec<&str> =
            document["errors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect();
        if codes.iter().any(|code| ["invalid", "untrusted", "failure"].contains(code)) {
            failures.push(format!("{}: a problem without a code of its own: {codes:?}\n{}", case.says, ran.stderr));
        }
        let missing: Vec<&&str> = case.stderr.iter().filter(|part| !ran.stderr.contains(**part)).collect();
        let leaks =
            ["panicked", "Err(", "ParseError", "serde", "RUST_BACKTRACE"].iter().any(|word| ran.stderr.contains(word));
        if ran.exit != case.exit || !missing.is_empty() || !ran.stdout.is_empty() || leaks {
            failures.push(format!("{}: exit {}, lacks {missing:?}\n{}", case.says, ran.exit, ran.stderr));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn problems_of_plan_facts_and_policies_are_reported_together() {
    let world = World::wordy();
    world.replace(PLAN, "\"mode\": \"live\"", "\"mode\": \"Live\"");
    world.replace(PLAN, "\"effect\": \"mark\"", "\"effect\": \"markk\"");
    world.replace("entities/documents.json", "\"units\": 60", "\"units\": \"sixty\"");
    let ran = world.cutter(&format!("authorize {PLAN} --error-format json"));
    let document: serde_json::Value = ran.stderr.parse().unwrap();
    assert_eq!((ran.exit, document["errors"].as_array().unwrap().len()), (3, 3), "{}", ran.stderr);
    world.replace("policies/forbidden.cedar", "@tier(\"absolute\")", "@tier(\"absolut\")");
    world.replace("policies/approvals.cedar", "@gate(\"SG_1\")", "@gate(\"SG1\")");
    let plain = world.cutter(&format!("authorize {PLAN} --error-format plain")).stderr;
    assert_eq!(plain.lines().filter(|line| line.contains(": error: ")).count(), 2, "{plain}");
}

#[test]
fn a_plan_of_thousands_of_actions_is_judged_and_one_whose_report_could_not_be_signed_is_refused() {
    let world = World::shipped();
    let text = world.read(PLAN);
    let start = text.find("\"actions\"").unwrap();
    for (count, exit, lines) in [(3_000, 2, 3_000), (20_000, 3, 0)] {
        let rows: Vec<String> = (0..count)
            .map(|number| {
                format!(
                    r#"{{"id":"r{number}","action":"Iu::Action::\"hard_delete\"","resource":"Iu::Relation::\"public.information_unit\""}}"#
                )
            })
            .collect();
        world.write(PLAN, format!("{}\"actions\": [{}]}}", &text[..start], rows.join(",\n")));
        let ran = world.cutter(&format!("authorize {PLAN} --format ndjson"));
        assert_eq!((ran.exit, ran.stdout.lines().count()), (exit, lines), "{}", ran.stderr);
        assert_eq!(ran.stderr.contains("split it into several runs"), exit == 3, "{}", ran.stderr);
    }
}

#[test]
fn a_wrong_command_line_is_64_and_help_is_0() {
    let world = World::shipped();
    for (arguments, exit) in
        [("authorise x", 64), ("authorize", 64), ("authorize p --now yesterday", 64), ("--help", 0)]
    {
        assert_eq!(world.cutter(arguments).exit, exit, "{arguments}");
    }
}

#[test]
fn errors_in_json_carry_a_code_and_a_wrong_command_line_is_such_a_document_too() {
    let world = World::shipped();
    for (arguments, exit, code) in [
        ("authorize nothing.json", 1, "file-missing"),
        ("authorize plans/o9-first-production-run.json --policies nothing", 1, "folder-unreadable"),
        ("authorize plans/o9-first-production-run.json --output policies", 1, "output-refused"),
        ("explain plans/o9-first-production-run.json nothing", 3, "plan-unknown-row"),
        ("log", 1, "ledger-missing"),
        ("evidence grants", 1, "database-settings"),
        ("bundle verify --trust /nothing", 8, "trust-root-unsafe"),
        ("authorize x --format sarif", 64, "usage"),
        ("authorise", 64, "usage"),
        ("authorize", 64, "usage"),
    ] {
        let ran = world.cutter(&format!("{arguments} --error-format json"));
        let document: serde_json::Value = ran.stderr.parse().unwrap_or_else(|_| panic!("{arguments}: {}", ran.stderr));
        assert_eq!(
            (ran.exit, document["errors"][0]["code"].as_str()),
            (exit, Some(code)),
            "{arguments}: {}",
            ran.stderr
        );
    }
    let ran = world.cutter("authorize x --format sarif --error-format=json");
    let said: serde_json::Value = ran.stderr.parse().unwrap();
    let message = said["errors"][0]["message"].as_str().unwrap();
    assert!(message.ends_with("[possible values: table, json, markdown, ndjson]"), "{message}");
}

#[test]
fn an_unknown_row_to_explain_is_said_with_the_nearest_name() {
    let ran = World::shipped().cutter(&format!("explain {PLAN} flip-onn"));
    assert_eq!(ran.exit, 3);
    assert!(ran.stderr.contains("did you mean `flip-on`?"), "{}", ran.stderr);
}

#[test]
fn an_error_in_a_policy_denies_the_row_whatever_permits_it() {
    let world = World::shipped();
    world.write(
        "policies/zz.cedar",
        "@id(\"all\") permit (principal, action, resource);\n\
         @id(\"overflows\") @tier(\"absolute\") @title(\"x\") forbid (principal, action == Iu::Action::\"start_run\", resource)\n\
         when { resource.units + 9223372036854775807 < 0 };",
    );
    world.replace("entities/documents.json", "\"units\": 0", "\"units\": 1");
    let ran = world.cutter(&format!("authorize {PLAN} --format json"));
    let document = ran.json();
    assert_eq!((ran.exit, document["verdict"].as_str()), (7, Some("INDETERMINATE")), "{}", ran.stderr);
    let start = document["decisions"].as_array().unwrap().iter().find(|row| row["id"] == "start").unwrap();
    assert_eq!((start["decision"].as_str(), start["basis"].as_str()), (Some("deny"), Some("indeterminate")));
    assert!(start["errors"][0].as_str().unwrap().contains("overflows"), "{start}");
}

#[test]
fn a_policy_that_is_nested_too_deep_is_an_error_at_its_place_and_no_crash() {
    for depth in [101, 570, 50_000] {
        let world = World::shipped();
        let nested = format!("{}true{}", "(".repeat(depth), ")".repeat(depth));
        let policy = format!("@id(\"deep\")\npermit (principal, action, resource) when {{ {nested} }};\n");
        world.write("policies/deep.cedar", policy);
        for command in ["authorize plans/generic-dryrun.json", "review lint", "review diff policies policies"] {
            let ran = world.cutter(command);
            let said = ran.stdout + &ran.stderr;
            assert!(ran.exit == 3 && said.contains("is nested more than 100 levels deep"), "{command}: {said}");
            assert!(said.contains("deep.cedar:2:"), "{command}: {said}");
        }
    }
}
