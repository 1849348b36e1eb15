//! A password never appears in anything that is printed or written, however odd it is and whatever goes wrong.

use crate::postgres::scene::{EVIDENCE, Scene};
use crate::support::postgres::Options;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::{Command, Output};

/// Passwords with the signs that connection strings are cut at.
const HOSTILE: [&str; 13] = [
    "aZ3@hunter2",
    "aZ3:hunter2",
    "aZ3/hunter2",
    "aZ3#hunter2",
    "aZ3?hunter2",
    "aZ3&hunter2",
    "aZ3%hunter2",
    "aZ3 hunter2",
    "aZ3'hunter2",
    "aZ3\\hunter2",
    "aZ3=hunter2",
    "aZ3đhunter2",
    "aZ3@[hunter2]/x?options=hunter2",
];

/// Every password of this file has it, so that a part of one is found as well.
const MARK: &str = "hunter2";

fn scan(scene: &Scene, output: &Output, why: &str) {
    for stream in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(stream);
        assert!(!text.contains(MARK), "{why}: {text}");
    }
    for entry in fs::read_dir(scene.folder()).unwrap().flatten().filter(|entry| entry.file_type().unwrap().is_file()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "passfile" && name != "service" && name != "cutter.toml" {
            assert!(!scene.read(&name).contains(MARK), "{why}: {name}");
        }
    }
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn settings(lines: &str) -> String {
    format!("[database]\n{lines}\n{EVIDENCE}")
}

#[test]
fn a_connection_string_is_never_repeated() {
    let scene = Scene::new();
    let socket = percent(&scene.server.socket_directory().display().to_string());
    scene.write("cutter.toml", settings("url_env = \"URL\"").replace("FOLDER", &scene.folder().display().to_string()));
    for password in HOSTILE {
        let quoted = password.replace('\\', "\\\\").replace('\'', "\\'");
        let urls = [
            format!("postgres://cutter_observe:{}@{socket}/directus", percent(password)),
            format!("postgres://cutter_observe:{password}@{socket}/directus"),
            format!("postgres://cutter_observe:{password}@127.0.0.1:1/directus"),
            format!("postgres://cutter_observe:{password}@db.example:5432/directus?sslmode=verify-full"),
            format!("postgres://{password}"),
            format!(
                "host='{}' user=cutter_observe dbname=directus password='{quoted}'",
                scene.server.socket_directory().display()
            ),
            format!("host=127.0.0.1 port=1 user=cutter_observe dbname=directus password={password}"),
            format!("host=127.0.0.1 port={password}"),
            format!("user={password} host=127.0.0.1 port=1 dbname={password}"),
            password.to_owned(),
        ];
        for url in urls {
            let mut command = scene.command(&["evidence", "capture", "--level", "counts", "--output", "out"]);
            let output = command.env("URL", &url).output().unwrap();
            scan(&scene, &output, &url);
        }
        let good = format!("postgres://cutter_observe:{}@{socket}/directus", percent(password));
        let output = scene
            .command(&["evidence", "capture", "--format", "json", "--output", "out"])
            .env("URL", good)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        scan(&scene, &output, password);
    }
}

#[test]
fn a_password_that_the_server_asks_for_is_used_and_never_shown() {
    let scene = Scene::with(
        &Options::directus().setting("track_functions", "all").setting("password_encryption", "scram-sha-256"),
    );
    let socket = scene.server.socket_directory().display().to_string();
    let rules = scene.server.socket_directory().join("data/pg_hba.conf");
    fs::write(&rules, "local all cutter_observe scram-sha-256\nlocal all all trust\n").unwrap();
    scene.server.execute("SELECT pg_reload_conf()");
    let parts = format!("host = \"{socket}\"\nuser = \"cutter_observe\"\ndbname = \"directus\"\n");
    for password in HOSTILE {
        let quoted = password.replace('\'', "''");
        scene
            .server
            .execute(&format!("SET standard_conforming_strings = on; ALTER ROLE cutter_observe PASSWORD '{quoted}'"));
        let line = password.replace('\\', "\\\\").replace(':', "\\:");
        scene.write(
            "passfile",
            format!("# comment\nelsewhere:*:*:*:no\nlocalhost:5432:directus:cutter_observe:{line}\n"),
        );
        scene.write("service", format!("[other]\npassword=no\n[observer]\nhost={socket}\nuser=cutter_observe\ndbname=directus\npassword={password}\n"));
        for name in ["passfile", "service"] {
            fs::set_permissions(scene.path(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        for lines in [
            format!("{parts}password_env = \"PASSWORD\""),
            format!("{parts}passfile = \"passfile\""),
            "service = \"observer\"\nservice_file = \"service\"".to_owned(),
        ] {
            scene.write("cutter.toml", settings(&lines).replace("FOLDER", &scene.folder().display().to_string()));
            for (given, exit) in [(password.to_owned(), 0), (format!("{password}wrong"), 1)] {
                let wrong = exit == 1;
                if wrong && !lines.contains("PASSWORD") {
                    continue;
                }
                let output = scene
                    .command(&["evidence", "capture", "--level", "quiet", "--format", "json"])
                    .env("PASSWORD", given)
                    .output()
                    .unwrap();
                let error = String::from_utf8_lossy(&output.stderr).into_owned();
                assert_eq!(output.status.code(), Some(exit), "{password} {lines}: {error}");
                assert_eq!(wrong, error.contains("28P01"), "{error}");
                scan(&scene, &output, password);
            }
        }
    }
    assert!(!scene.server.log().contains("hunter2wrong"));
}

#[test]
fn a_password_where_its_name_belongs_is_not_repeated() {
    let scene = Scene::new();
    for lines in [
        "password = \"hunter2\"",
        "url_env = \"postgres://u:hunter2@h/d\"",
        "port = \"hunter2\"",
        "host = 1\npassword = \"hunter2\"",
        "url = \"postgres://u:hunter2@h/d\"",
        "password_env = \"hunter2 \"\nhost = \"/x\"\nuser = \"u\"\ndbname = \"d\"",
        "passfile = [\"hunter2\"]",
        "password = hunter2",
    ] {
        scene.write("cutter.toml", settings(lines));
        for form in ["human", "plain", "json"] {
            let output = scene.run(&["evidence", "capture", "--error-format", form]);
            assert!(matches!(output.status.code(), Some(1 | 3)));
            scan(&scene, &output, lines);
        }
    }
    scene.write("cutter.toml", format!("database = {{ password = \"hunter2\" }}\n{EVIDENCE}"));
    scan(&scene, &scene.run(&["evidence", "capture"]), "inline");
}

#[test]
fn a_server_elsewhere_is_refused_without_certificates_and_files_that_others_read_are_refused() {
    let scene = Scene::new();
    let refused = |lines: &str, words: &str| {
        scene.write("cutter.toml", settings(lines));
        let output =
            scene.command(&["evidence", "capture"]).env("URL", "postgres://u:hunter2@db.example/d").output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && error.contains(words), "{error}");
        scan(&scene, &output, lines);
    };
    refused("url_env = \"URL\"", "names no `ca_file`");
    refused("url_env = \"URL\"\nca_file = \"absent\"", "cannot be read");
    refused("host = \"10.0.0.1\"\nuser = \"u\"\ndbname = \"d\"", "names no `ca_file`");
    refused("url_env = \"UNSET\"", "`UNSET` is not set");
    refused("host = \"/x\"", "where the user is");
    scene.write("passfile", "*:*:*:*:hunter2\n");
    fs::set_permissions(scene.path("passfile"), fs::Permissions::from_mode(0o644)).unwrap();
    refused("host = \"/x\"\nuser = \"u\"\ndbname = \"d\"\npassfile = \"passfile\"", "others may read");
}

#[test]
fn a_server_is_reached_by_verified_tls_or_not_at_all() {
    let [high, low] = u16::try_from(std::process::id() % 60_000 + 256).unwrap().to_be_bytes();
    let address = format!("127.77.{high}.{}", low.max(1));
    let scene =
        Scene::with(&Options::directus().setting("track_functions", "all").setting("listen_addresses", &address));
    let openssl = |arguments: &str| {
        let output = Command::new("openssl").current_dir(scene.folder()).args(arguments.split(' ')).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    for name in ["ca", "other"] {
        openssl(&format!("req -x509 {key} -keyout {name}.key -out {name}.pem -subj /CN={name} -days 2"));
    }
    openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN=server"));
    for (name, named) in [("good", address.as_str()), ("stranger", "127.0.0.9")] {
        scene.write("extensions", format!("subjectAltName=IP:{named}"));
        openssl(&format!(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.crt -days 2 -extfile extensions"
        ));
    }
    let data = scene.server.socket_directory().join("data");
    let owner = fs::metadata(&data).unwrap();
    let serve = |certificate: &str| {
        for (from, to) in [(certificate, "server.crt"), ("server.key", "server.key")] {
            fs::copy(scene.path(from), data.join(to)).unwrap();
            fs::set_permissions(data.join(to), fs::Permissions::from_mode(0o600)).unwrap();
            std::os::unix::fs::chown(data.join(to), Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        fs::write(data.join("pg_hba.conf"), "local all all trust\nhostssl all all 127.0.0.0/8 trust\n").unwrap();
        scene.server.execute("ALTER SYSTEM SET ssl = on");
        scene.server.execute("SELECT pg_reload_conf()");
        std::thread::sleep(std::time::Duration::from_millis(300));
    };
    let parts = format!("host = \"{address}\"\nuser = \"cutter_observe\"\ndbname = \"directus\"\n");
    let run = |lines: &str| {
        scene.write("cutter.toml", settings(lines).replace("FOLDER", &scene.folder().display().to_string()));
        let output = scene.run(&["evidence", "capture", "--level", "quiet", "--format", "json"]);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    serve("good.crt");
    assert_eq!(run(&format!("{parts}ca_file = \"ca.pem\"")), (Some(0), String::new()));
    let (exit, error) = run(&format!("{parts}ca_file = \"other.pem\""));
    assert!(exit == Some(1) && error.contains("was not signed by any certificate in `ca_file`"), "{error}");
    let (exit, error) = run(&parts);
    assert!(exit == Some(1) && error.contains("28000"), "{error}");
    serve("stranger.crt");
    let (exit, error) = run(&format!("{parts}ca_file = \"ca.pem\""));
    assert!(exit == Some(1) && error.contains("is for another name than the host"), "{error}");
}

#[test]
fn no_command_that_reaches_the_database_repeats_the_connection_string() {
    let scene = Scene::new();
    scene.configure(|config| {
        config["database"] = toml::Value::Table(toml::Table::from_iter([("url_env".to_owned(), "URL".into())]));
    });
    let root = env!("CARGO_MANIFEST_DIR");
    let (plan, policies, entities) =
        (format!("{root}/plans/o9-first-production-run.json"), format!("{root}/policies"), format!("{root}/entities"));
    let socket = percent(&scene.server.socket_directory().display().to_string());
    let good = format!("postgres://cutter_observe:{MARK}@{socket}/directus");
    let bad = format!("postgres://cutter_observe:{MARK}@127.0.0.1:1/directus");
    for (url, works) in [(good, true), (bad, false)] {
        for arguments in [
            &["evidence", "grants", "--package", "."][..],
            &["evidence", "grants", "--format", "json", "--output", "out"],
            &[
                "evidence",
                "targets",
                "--trust",
                "none",
                &plan,
                "--policies",
                &policies,
                "--entities",
                &entities,
                "--facts",
                "postgres",
                "--package",
                ".",
            ],
            &["evidence", "witness", "--record", "w.ndjson", "--for", "1"],
            &[
                "authorize",
                "--trust",
                "none",
                &plan,
                "--policies",
                &policies,
                "--entities",
                &entities,
                "--facts",
                "postgres",
                "--attest",
                "out",
            ],
        ] {
            let output = scene.command(arguments).env("URL", &url).output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code() != Some(1), works, "{arguments:?}: {error}");
            scan(&scene, &output, &format!("{arguments:?}"));
            // A record and a statement are never written over.
            for name in ["w.ndjson", "out"] {
                let _ = fs::remove_file(scene.path(name));
            }
        }
    }
}
