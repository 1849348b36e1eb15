//! The commands: `cutter ledger init` and `cutter log`.

use crate::ledger::scene::{self, Place, entry};
use crate::support::postgres::Server;
use cutter::ledger::{DirectoryLedger, Ledger, LedgerId};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

#[test]
fn init_makes_a_ledger_with_a_random_id_once() {
    let folder = tempfile::tempdir().unwrap();
    let (exit, first, _) = cutter(folder.path(), "ledger init --format json", &[]);
    assert_eq!(exit, 0);
    let id = serde_json::from_str::<serde_json::Value>(&first).unwrap()["id"].as_str().unwrap().to_owned();
    let (exit, _, told) = cutter(folder.path(), "ledger init", &[]);
    assert_eq!(exit, 1);
    assert!(told.contains(&id) && told.contains("keeps its id"), "{told}");
    let (exit, second, _) = cutter(folder.path(), "ledger init --ledger other", &[]);
    assert_eq!(exit, 0);
    assert!(LedgerId::parse(&id).is_some() && !second.contains(&id), "{second}");
}

#[test]
fn log_shows_each_record_in_each_form() {
    let (folder, place) = scene::directory();
    place.open().append(&entry("r-1", "2026-05-21T08:15:00Z")).unwrap();
    place.open().append(&entry("r-2", "2026-05-21T08:16:00Z")).unwrap();
    let (exit, table, _) = cutter(folder.path(), "log", &[]);
    assert_eq!(exit, 0);
    assert!(table.contains("r-1") && table.contains("exit 3") && table.contains("SG_1 ap-1"), "{table}");
    let (_, table, _) = cutter(folder.path(), "log --run r-2", &[]);
    assert!(table.starts_with("log  1 record\n"), "{table}");
    let (exit, table, told) = cutter(folder.path(), "log --run r-22", &[]);
    let unknown = "error: no run `r-22` is recorded in the ledger at `.cutter`\n |\n = help: did you mean `r-2`?\n\n";
    assert_eq!((exit, table.as_str(), told.as_str()), (3, "", unknown));
    let (_, _, told) = cutter(folder.path(), "log --run nope", &[]);
    assert!(told.contains("help: there are `r-2`, `r-1`"), "{told}");
    let (_, lines, _) = cutter(folder.path(), "log --format ndjson", &[]);
    let file = std::fs::read_to_string(folder.path().join(".cutter/journal.ndjson")).unwrap();
    assert_eq!(lines, file);
    let (_, json, _) = cutter(folder.path(), "log --format json", &[]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json["records"].as_array().unwrap().len(), json["version"].as_i64()), (2, Some(1)));
}

#[test]
fn log_of_a_damaged_journal_says_so_and_ends_in_7() {
    let (folder, place) = scene::directory();
    place.open().append(&entry("r-1", "2026-05-21T08:15:00Z")).unwrap();
    let path = folder.path().join(".cutter/journal.ndjson");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{{\"version\"")).unwrap();
    let (exit, table, _) = cutter(folder.path(), "log", &[]);
    assert_eq!(exit, 7);
    assert!(table.contains("DAMAGED  line 2: the line was never finished"), "{table}");
}

#[test]
fn log_without_a_ledger_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let (exit, _, told) = cutter(folder.path(), "log", &[]);
    assert_eq!(exit, 1);
    assert!(told.contains("there is no ledger at `.cutter`") && told.contains("help: "), "{told}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_read_only_folder_is_an_error_with_help_and_can_still_be_read() {
    let (folder, place) = scene::directory();
    let Place::Directory(path) = &place else { panic!("a folder") };
    place.open().append(&entry("r-1", "2026-05-21T08:15:00Z")).unwrap();
    // Root may write anywhere, so that only another user meets what is forbidden.
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if is_root {
        assert!(Command::new("chown").args(["-R", "65534:65534"]).arg(folder.path()).status().unwrap().success());
    }
    let meet = |arguments: &str| match is_root {
        true => as_nobody(folder.path(), arguments),
        false => cutter(folder.path(), arguments, &[]),
    };
    let chmod = |arguments: &[&str]| {
        assert!(Command::new("chmod").args(arguments).arg(path).status().unwrap().success());
    };
    chmod(&["-R", "a-w"]);
    let (exit, table, told) = meet("log");
    assert_eq!((exit, table.contains("r-1")), (0, true), "{told}");
    assert!(Command::new("chmod").arg("a-w").arg(folder.path()).status().unwrap().success());
    let (exit, _, told) = meet("ledger init --ledger new");
    assert_eq!(exit, 1);
    assert!(told.contains("cannot be made: permission denied") && told.contains("help: "), "{told}");
    chmod(&["a-rwx"]);
    let (exit, _, told) = meet("log");
    assert_eq!(exit, 1);
    assert!(told.contains("permission denied") && told.contains("help: "), "{told}");
    chmod(&["u+rwx"]);
    assert!(Command::new("chmod").arg("u+w").arg(folder.path()).status().unwrap().success());
}

#[test]
fn init_makes_the_shared_ledger_and_its_grants_from_the_configuration() {
    let server = Server::start();
    server.execute("CREATE ROLE owner LOGIN; CREATE ROLE runs LOGIN; GRANT CREATE ON DATABASE postgres TO owner");
    let folder = tempfile::tempdir().unwrap();
    let config = "[ledger]\nrole = \"runs\"\n[ledger.database]\nurl_env = \"LEDGER_URL\"\n";
    std::fs::write(folder.path().join("cutter.toml"), config).unwrap();
    let owner = server.conninfo("owner", "postgres");
    let (exit, printed, told) =
        cutter(folder.path(), "ledger init --ledger postgres --print", &[("LEDGER_URL", &owner)]);
    assert_eq!(exit, 0, "{told}");
    assert!(
        printed.contains("TO \"runs\";") && !printed.contains("UPDATE") && !printed.contains("DELETE"),
        "{printed}"
    );
    let (exit, made, told) = cutter(folder.path(), "ledger init --ledger postgres", &[("LEDGER_URL", &owner)]);
    assert_eq!(exit, 0, "{told}");
    assert!(made.contains("role     runs"), "{made}");
    let runs = server.conninfo("runs", "postgres");
    let (exit, table, told) = cutter(folder.path(), "log --ledger postgres", &[("LEDGER_URL", &runs)]);
    assert_eq!((exit, table == "log  0 records\n"), (0, true), "{told}");
    let (exit, _, told) = cutter(folder.path(), "log --ledger postgres", &[]);
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
    let folder = tempfile::tempdir().unwrap();
    let config = "[ledger.database]\nurl_env = \"A\"\npassword = \"s3cr3t\"\n";
    std::fs::write(folder.path().join("cutter.toml"), config).unwrap();
    let (exit, _, told) = cutter(folder.path(), "log --ledger postgres", &[]);
    assert_eq!(exit, 3);
    assert!(!told.contains("s3cr3t") && told.contains("line 3"), "{told}");
}

#[test]
fn what_is_asked_of_a_folder_that_only_postgresql_has_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (exit, _, told) = cutter(folder.path(), "ledger init --role x", &[]);
    assert_eq!(exit, 3, "{told}");
    let (exit, _, told) = cutter(folder.path(), "log --ledger postgres", &[]);
    assert_eq!(exit, 1);
    assert!(told.contains("`cutter.toml` does not exist"), "{told}");
    assert_eq!(DirectoryLedger::new(folder.path().join(".cutter")).id().unwrap(), None);
}

fn cutter(folder: &Path, arguments: &str, environment: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = command(folder, arguments);
    command.envs(environment.iter().copied());
    ran(command)
}

fn as_nobody(folder: &Path, arguments: &str) -> (i32, String, String) {
    let mut command = Command::new("/proc/self/fd/0");
    // The build folder may be closed to others; an open file is not.
    command.stdin(std::fs::File::open(env!("CARGO_BIN_EXE_cutter")).unwrap());
    command.args(arguments.split(' ')).current_dir(folder).env_clear().uid(65534).gid(65534);
    ran(command)
}

fn command(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cutter"));
    command.args(arguments.split(' ')).current_dir(folder).env_clear();
    command
}

fn ran(mut command: Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}
