//! Pages that need a database, or a trust root that only root can change.

use super::{lay_programs, program, repository, run};
use crate::attest::scene::Scene;
use crate::support::tree::copy;
use crate::support::world::mode;

pub const PAGES: &[(&str, &str)] = &[
    ("docs/trust.md", "rm -f policies.sig plans/*.sig"),
    ("docs/evidence.md", OBSERVER_HAS_A_KEY),
    ("docs/attestation.md", OBSERVER_HAS_A_KEY),
];
const OBSERVER_HAS_A_KEY: &str = "mkdir -p ~/.ssh && cp keys/* ~/.ssh/";

#[test]
fn the_commands_that_set_up_a_trust_root_run() {
    let world = repository();
    mode(world.folder(), 0o755);
    let trust = world.trust_path();
    lay_programs(&world, &trust);
    let folder = trust.parent().unwrap().display().to_string();
    run(PAGES[0].0, PAGES[0].1, &world, |text| text.replace("/etc/cutter", &folder));
}

#[test]
fn the_commands_that_observe_and_attest_run() {
    let folder = |scene: &Scene| scene.trust_path().parent().unwrap().display().to_string();
    for (page, before) in &PAGES[1..] {
        let scene = Scene::new();
        // A witness of its own stays beside the captures, which wait for it as for any session.
        scene.configure(|config| config.replace("counter_lag_seconds = 1\n", ""));
        scene.sign();
        copy(&crate::support::world::root().join("review"), &scene.path("review"));
        lay_programs(&scene, &scene.trust_path());
        let socket = scene.server.socket_directory().display().to_string();
        let psql = scene.server.client("psql");
        let (psql, port) = (psql.get_program().to_string_lossy().into_owned(), scene.server.port());
        let line = format!(
            "#!/bin/bash\nPGHOST={socket} PGPORT={port} PGUSER=postgres PGDATABASE=directus exec {psql} \"$@\"\n"
        );
        program(&scene, "psql", &line);
        let trust = folder(&scene);
        // Whoever types waits a moment; here it is waited until the witness watches.
        let watches = "& until [ -s witness.ndjson ]; do sleep 0.1; done";
        run(page, before, &scene, |text| text.replace("/etc/cutter", &trust).replace("& sleep 2", watches));
    }
}
