//! The commands: `cutter ledger init` and `cutter log`.

use crate::ledger::scene::{self, Place, run, started};
use crate::support::postgres::Server;
use crate::support::ran::Ran;
use crate::support::world::World;
use cutter::db::Access;
use cutter::ledger::{Ledger as _, LedgerId};
use cutter::settings::database::DatabaseSettings;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

#[test]
fn init_makes_a_ledger_with_a_random_id_once() {
    let world = World::empty();
    let Ran { exit, stdout: first, .. } = world.cutter("ledger init --format json");
    assert_eq!(exit, 0);
    let id = serde_json::from_str::<serde_json::Value>(&first).unwrap()["id"].as_str().unwrap().to_owned();
    let Ran { exit, stderr: told, .. } = world.cutter("ledger init");
    assert_eq!(exit, 1);
    assert!(told.contains(&id) && told.contains("keeps its id"), "{told}");
    let Ran { exit, stdout: second, .. } = world.cutter("ledger init --ledger other");
    assert_eq!(exit, 0);
    assert!(LedgerId::parse(&id).is_some() && !second.contains(&id), "{second}");
}

#[test]
fn log_shows_each_record_in_each_form() {
    let (world, place) = scene::directory();
    run(&*place.open(), &started("r-1", "cut", &["ap-1"]), Some(3));
    run(&*place.open(), &started("r-2", "cut", &["ap-2"]), Some(3));
    let Ran { exit, stdout: table, .. } = world.cutter("log");
    assert_eq!(exit, 0);
    assert!(table.contains("r-1") && table.contains("exit 3") && table.contains("SG_1 ap-1"), "{table}");
    let Ran { stdout: table, .. } = world.cutter("log --run r-2");
    assert!(table.starts_with("log  2 records\n"), "{table}");
    let Ran { exit, stdout: table, stderr: told } = world.cutter("log --run r-22");
    let unknown = "error: no run `r-22` is recorded in the ledger at `.cutter`\n |\n = help: did you mean `r-2`?\n\n";
    assert_eq!((exit, table.as_str(), told.as_str()), (3, "", unknown));
    let Ran { stderr: told, .. } = world.cutter("log --run nope");
    assert!(told.contains("help: there are `r-2`, `r-1`"), "{told}");
    let Ran { stdout: lines, .. } = world.cutter("log --format ndjson");
    let sequences: Vec<u64> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5, 6]);
    let Ran { stdout: json, .. } = world.cutter("log --format json");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json["records"].as_array().unwrap().len(), json["version"].as_i64()), (6, Some(2)));
}

#[test]
fn log_without_a_ledger_makes_none() {
    let world = World::empty();
    let Ran { exit, stderr: told, .. } = world.cutter("log");
    assert_eq!(exit, 1);
    assert!(told.contains("there is no ledger at `.cutter`") && told.contains("help: "), "{told}");
    assert_eq!(std::fs::read_dir(world.folder()).unwrap().count(), 0);
}

#[test]
fn a_read_only_folder_is_an_error_with_help_and_can_still_be_read() {
    let (world, place) = scene::directory();
    let Place::Directory(path) = &place else { panic!("a folder") };
    run(&*place.open(), &started("r-1", "cut", &["ap-1"]), Some(3));
    // Root may write anywhere, so that only another user meets what is forbidden.
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if is_root {
        assert!(Command::new("chown").args(["-R", "65534:65534"]).arg(world.folder()).status().unwrap().success());
    }
    let meet = |arguments: &str| match is_root {
        true => world.cutter_as_nobody(arguments),
        false => world.cutter(arguments),
    };
    let chmod = |arguments: &[&str]| {
        assert!(Command::new("chmod").args(arguments).arg(path).status().unwrap().success());
    };
    chmod(&["-R", "a-w"]);
    let Ran { exit, stdout: table, stderr: told } = meet("log");
    assert_eq!((exit, table.contains("r-1")), (0, true), "{told}");
    assert!(Command::new("chmod").arg("a-w").arg(world.folder()).status().unwrap().success());
    let Ran { exit, stderr: told, .. } = meet("ledger init --ledger new");
    assert_eq!(exit, 1);
    assert!(told.contains("cannot be made: permission denied") && told.contains("help: "), "{told}");
    chmod(&["a-rwx"]);
    let Ran { exit, stderr: told, .. } = meet("log");
    assert_eq!(exit, 1);
    assert!(told.contains("permission denied") && told.contains("help: "), "{told}");
    chmod(&["u+rwx"]);
    assert!(Command::new("chmod").arg("u+w").arg(world.folder()).status().unwrap().success());
}

#[test]
fn init_makes_the_shared_ledger_and_its_grants_from_the_configuration() {
    let server = Server::start();
    server.execute("CREATE ROLE owner LOGIN; CREATE ROLE runs LOGIN; GRANT CREATE ON DATABASE postgres TO owner");
    let world = World::empty();
    let config = "[ledger]\nrole = \"runs\"\n[ledger.database]\nurl_env = \"LEDGER_URL\"\n";
    std::fs::write(world.path("cutter.toml"), config).unwrap();
    let owner = server.conninfo("owner", "postgres");
    let Ran { exit, stdout: printed, stderr: told } =
        world.cutter_with("ledger init --ledger postgres --print", &[("LEDGER_URL", &owner)]);
    assert_eq!(exit, 0, "{told}");
    assert!(
        printed.contains("TO \"runs\";") && !printed.contains("GRANT SELECT") && !printed.contains("GRANT INSERT"),
        "{printed}"
    );
    let Ran { exit, stdout: made, stderr: told } =
        world.cutter_with("ledger init --ledger postgres", &[("LEDGER_URL", &owner)]);
    assert_eq!(exit, 0, "{told}");
    assert!(made.contains("role     runs"), "{made}");
    let runs = server.conninfo("runs", "postgres");
    let Ran { exit, stdout: table, stderr: told } =
        world.cutter_with("log --ledger postgres", &[("LEDGER_URL", &runs)]);
    assert_eq!((exit, table.starts_with("log  1 record\n")), (0, true), "{told}");
    let Ran { exit, stderr: told, .. } = world.cutter("log --ledger postgres");
    assert_eq!(exit, 1);
    assert!(told.contains("`LEDGER_URL` is not set") && told.contains("`[ledger.database]` names it"), "{told}");
}

#[test]
fn printed_statements_make_the_same_ledger() {
    let server = Server::start();
    server.execute("CREATE ROLE runs LOGIN");
    let sql = cutter::ledger::PostgresLedger::statements(&LedgerId::from_random(5), Some("runs"));
    server.execute(&sql);
    let ledger = scene::postgres(&server.conninfo("runs", "postgres"), None);
    assert_eq!(ledger.id().unwrap(), Some(LedgerId::from_random(5)));
}

#[test]
fn a_password_in_the_ledgers_section_is_never_repeated() {
    let world = World::empty();
    let config = "[ledger.database]\nurl_env = \"A\"\npassword = \"s3cr3t\"\n";
    std::fs::write(world.path("cutter.toml"), config).unwrap();
    let Ran { exit, stderr: told, .. } = world.cutter("log --ledger postgres");
    assert_eq!(exit, 3);
    assert!(!told.contains("s3cr3t") && told.contains("line 3"), "{told}");
}

#[test]
fn what_is_asked_of_a_folder_that_only_postgresql_has_is_refused() {
    let world = World::empty();
    let Ran { exit, stderr: told, .. } = world.cutter("ledger init --role x");
    assert_eq!(exit, 3, "{told}");
    let Ran { exit, stderr: told, .. } = world.cutter("log --ledger postgres");
    assert_eq!(exit, 1);
    assert!(told.contains("`cutter.toml` does not exist"), "{told}");
    assert_eq!(scene::folder(world.path(".cutter")).id().unwrap(), None);
}

#[test]
fn what_a_section_names_is_all_that_a_variable_may_lead_to() {
    let folder = "/run/postgresql";
    let named = |host: Option<&str>, port, user: Option<&str>, dbname: Option<&str>| DatabaseSettings {
        url_env: Some("URL".to_owned()),
        host: host.map(str::to_owned),
        port,
        user: user.map(str::to_owned),
        dbname: dbname.map(str::to_owned),
        ..DatabaseSettings::default()
    };
    let all = || named(Some(folder), None, Some("runs"), Some("ledger"));
    let url = "host=/run/postgresql user=runs dbname=ledger";
    let led = |settings: DatabaseSettings, url: &str| {
        Access::resolve(&settings, "[here]", &|_| Some(url.into())).map(drop).map_err(|problem| problem.message)
    };
    for (settings, url) in [
        (all(), url),
        (all(), "postgres://runs@%2Frun%2Fpostgresql:5432/ledger"),
        (named(Some(folder), Some(5433), None, None), "host=/run/postgresql port=5433 user=u dbname=d"),
        (named(None, None, None, None), "host=/run/postgresql port=5433 user=u dbname=d"),
        (named(None, None, None, None), "host=localhost hostaddr=127.0.0.2 user=u dbname=d"),
    ] {
        assert_eq!(led(settings, url), Ok(()), "{url}");
    }
    for (settings, url, what) in [
        (all(), "host=/tmp/s3cr3t user=runs dbname=ledger", "another host than that of `[here]`, `/run/postgresql`"),
        (all(), "host=localhost user=runs dbname=ledger", "another host"),
        (all(), "host=/run/postgresql port=5433 user=runs dbname=ledger", "another port than that of `[here]`, `5432`"),
        (named(None, Some(5432), None, None), "host=/run/postgresql port=5433 user=u dbname=d", "another port"),
        (all(), "host=/run/postgresql user=s3cr3t dbname=ledger", "another user than that of `[here]`, `runs`"),
        (all(), "host=/run/postgresql user=runs dbname=s3cr3t", "another database than that of `[here]`, `ledger`"),
        (all(), "host=/run/postgresql hostaddr=127.0.0.2 user=runs dbname=ledger", "`hostaddr`"),
        (named(None, None, None, None), "host=/run/postgresql hostaddr=127.0.0.2 user=u dbname=d", "`hostaddr`"),
        (named(Some("localhost"), None, None, None), "host=localhost hostaddr=127.0.0.2 user=u dbname=d", "`hostaddr`"),
    ] {
        let said = led(settings, url).expect_err(url);
        assert!(said.contains("`URL`") && said.contains(what) && !said.contains("s3cr3t"), "{url}: {said}");
    }
    let parts = DatabaseSettings { url_env: None, host_env: Some("HOST".to_owned()), ..all() };
    let said = led(parts, "/tmp").unwrap_err();
    assert!(said.contains("`HOST` leads to another host"), "{said}");
}
