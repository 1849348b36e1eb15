//! What happens beside a run while one of its rows is at work: an approval is taken away or rejected, a plan, a policy or a key is
//! changed, the ledger is gone, the server crashes. The next row sees it, the switch ends off whatever it was, and once everything is
//! as it was, `--resume` or `--void` ends the run.

use super::ends::{check, end, starts, wait_until_it_opens};
use crate::facts::as_root::billing::Month;
use crate::run::{change_program, let_it_take_its_time, run, switch};
use crate::support::postgres::Server;
use crate::support::world::World;
use std::fs;
use std::process::Command;

struct Case {
    name: &'static str,
    /// The row at whose end it happens.
    row: &'static str,
    /// The shell commands; `$ROOT` is the folder of the trust root, `$PSQL` the client.
    does: &'static str,
    exits: &'static [i32],
    /// Whether the rows after that one begin.
    goes_on: bool,
    /// What `--resume` comes to once the files are as they were.
    then: &'static [&'static str],
}

const CASES: [Case; 20] = [
    of("the approval of a later row is removed", "mv approvals/CLOSE.json CLOSE.gone", &[5], &["COMPLETED"]),
    of(
        "the approval of a later row is edited",
        "sed -i 's/October/November/' approvals/CLOSE.json",
        &[5],
        &["COMPLETED"],
    ),
    of(
        "one of its signers rejects a later row",
        "rm approvals/CLOSE.json.ada.sig && $CUTTER approval sign --yes --reject approvals/CLOSE.json --key keys/ada --as ada",
        &[5],
        &["PAUSED"],
    ),
    of("the approval of a later row expires", EXPIRES, &[5], &["COMPLETED"]),
    of("the key of an approver is revoked", "cp keys/ada.pub $ROOT/revoked_keys", &[5], &["COMPLETED"]),
    of("the plan is edited", "sed -i 's/\"close\"}/\"preview\"}/' plans/close-2026-10.json", &[8], &["COMPLETED"]),
    of("the plan is removed", "rm plans/close-2026-10.json", &[1], &["COMPLETED"]),
    of("the plan's signature is removed", "rm plans/close-2026-10.json.sig", &[8], &["COMPLETED"]),
    of("a policy is edited", "echo '// changed' >> policies/bans.cedar", &[8], &["COMPLETED"]),
    of("the policies are removed", "rm -r policies", &[1], &["COMPLETED"]),
    of("the configuration is edited", "echo '# changed' >> cutter.toml", &[8], &["COMPLETED"]),
    of("the bundle becomes another signed one", ANOTHER_BUNDLE, &[8], &["COMPLETED"]),
    of("the trust root names nobody", ": > $ROOT/trusted_signers", &[8], &["COMPLETED"]),
    of("the ledger is gone", "mv .cutter gone.ledger", &[10], &["HOLD"]),
    Case { goes_on: true, ..of("the server crashes in its midst", CRASH, ANY, ENDED) },
    Case { row: "preview", goes_on: true, ..of("the server crashes early", CRASH, ANY, ENDED) },
    Case { row: "close", goes_on: true, ..of("the server crashes late", CRASH, ANY, ENDED) },
    Case {
        row: "close",
        goes_on: true,
        ..of("the database is closed for a while at the end", CLOSED, &[0], &["COMPLETED"])
    },
    Case { goes_on: true, ..of("everybody's sessions are ended", END_SESSIONS, ANY, ENDED) },
    Case {
        goes_on: true,
        ..of("everybody's sessions are ended and the database is closed for a while", CLOSED_TO_ALL, ANY, ENDED)
    },
];

const fn of(name: &'static str, does: &'static str, exits: &'static [i32], then: &'static [&'static str]) -> Case {
    Case { name, row: "post", does, exits, goes_on: false, then }
}

const ANY: &[i32] = &[0, 1, 5, 7, 9, 10];
const ENDED: &[&str] = &["COMPLETED", "PAUSED", "HOLD"];
/// A server whose checkpointer is killed ends every session, recovers, and takes connections again.
const CRASH: &str = "kill -9 $($PSQL -XAtc \"SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'\")";
/// It is signed anew for a few seconds, and they pass.
const EXPIRES: &str = "sed -i \"s/\\(expires_at\\\": \\\"\\)[^\\\"]*/\\1$(date -u -d '8 seconds' +%Y-%m-%dT%H:%M:%SZ)/\" approvals/CLOSE.json \
    && rm approvals/CLOSE.json.*.sig \
    && $CUTTER approval sign --yes approvals/CLOSE.json --key keys/ada --as ada >&2 \
    && $CUTTER approval sign --yes approvals/CLOSE.json --key keys/ben --as ben >&2 && sleep 8";
/// A later version, under which the ledger, the observer and what is held could be others.
const ANOTHER_BUNDLE: &str = "(echo 'version = 2'; cat cutter.toml) > later && mv later cutter.toml && rm policies.sig \
    && $CUTTER bundle sign --key keys/reviewer >&2";
/// Nobody gets into the database for three seconds.
const CLOSED: &str = "$CLOSE && $OPEN_AGAIN";
const CLOSED_TO_ALL: &str = "$CLOSE && $END_SESSIONS && $OPEN_AGAIN";
const END_SESSIONS: &str = "$END_SESSIONS";
/// What the commands above share.
const PARTS: [(&str, &str); 3] = [
    ("$CLOSE", "$PSQL -Xqd template1 -c 'ALTER DATABASE postgres ALLOW_CONNECTIONS false'"),
    (
        "$OPEN_AGAIN",
        "(setsid $SHELL -c \"sleep 3; $PSQL -Xqd template1 -c 'ALTER DATABASE postgres ALLOW_CONNECTIONS true'\" >&2 &)",
    ),
    (
        "$END_SESSIONS",
        "$PSQL -XAtd template1 -c \
         'SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()'",
    ),
];

#[test]
fn what_changes_while_a_row_is_at_work_is_seen_by_the_next_and_the_switch_ends_off() {
    let (mut ways, mut wrong) = (Vec::new(), Vec::new());
    for case in &CASES {
        let month = Month::with(|world, server| has_it_happen(case, world, server));
        let kept = Kept::of(&month.world);
        let ran = run(&month, "--format json");
        wait_until_it_opens(&month.server);
        let is = switch(&month);
        kept.restore(&month.world);
        let is_closed = starts(&month).iter().any(|start| start["action"] == "close");
        let state = end(&month, case.name);
        check(&month, case.name);
        let way = format!("{}: exit {}, the switch {is}, close begun {is_closed}, then {state}", case.name, ran.exit);
        if !case.exits.contains(&ran.exit)
            || is != "off"
            || is_closed && !case.goes_on
            || !case.then.contains(&state.as_str())
        {
            wrong.push(format!("{way}\n{}{}", ran.stdout, ran.stderr));
        }
        ways.push(way);
    }
    println!("{}", ways.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The row's program does what happens besides its own work.
fn has_it_happen(case: &Case, world: &World, server: &Server) {
    let_it_take_its_time(world);
    let psql = server.client("psql").get_program().to_str().unwrap().to_owned();
    let (at, root) = (world.folder().display(), world.safe(""));
    let shell = fs::canonicalize("/bin/sh").unwrap();
    let shell = shell.to_str().unwrap();
    let does = PARTS.iter().fold(case.does.to_owned(), |does, (name, part)| does.replace(name, part));
    let does = does.replace("$SHELL", shell).replace("$CUTTER", env!("CARGO_BIN_EXE_cutter")).replace("$PSQL", &psql);
    let does = does.replace("$ROOT", root.to_str().unwrap().trim_end_matches('/'));
    change_program(world, case.row, |argv| {
        let sql = argv.last().unwrap();
        [shell, "-c", &format!("{psql} -X -c \"{sql}\" && cd {at} && {does} && true")].map(str::to_owned).into()
    });
}

/// What a run is judged by, kept so that it can be put back.
struct Kept {
    folder: tempfile::TempDir,
    root: String,
}

impl Kept {
    const NAMES: [&str; 7] = ["approvals", "cutter.toml", "entities", "keys", "plans", "policies", "policies.sig"];

    fn of(world: &World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::NAMES.iter().for_each(|name| copy(&world.path(name), folder.path()));
        Self { folder, root: fs::read_to_string(world.trust_path()).unwrap() }
    }

    fn restore(&self, world: &World) {
        for name in Self::NAMES {
            world.remove_if_there(name);
            copy(&self.folder.path().join(name), world.folder());
        }
        world.trust(&self.root);
        let _ = fs::remove_file(world.safe("revoked_keys"));
        if world.path("gone.ledger").exists() {
            world.remove_if_there(".cutter");
            fs::rename(world.path("gone.ledger"), world.path(".cutter")).unwrap();
        }
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}
