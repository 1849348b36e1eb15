//! A scratch copy of the shipped project, signed by whom it should be, under a trust root that only root can change.

use crate::support::ran::Ran;
use crate::support::world::{CUTTER, PLAN, World, mode};
use std::ops::Deref;
use std::path::Path;
use std::process::{Command, Output};

pub struct Scene(World);

impl Deref for Scene {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

impl Scene {
    /// Nothing is signed, and the trust root says: `sovereign` signs bundles, `planner` plans, root and nobody run.
    pub fn unsigned() -> Self {
        let scene = Self(World::shipped());
        mode(scene.folder(), 0o755);
        scene.write("policies/allowed_signers", "# nobody yet\n");
        for name in ["sovereign", "planner", "mallory"] {
            scene.make_key(name, "ed25519");
        }
        scene.trust(&scene.usual());
        scene
    }

    /// The same, and the bundle and the plan are signed.
    pub fn signed() -> Self {
        let scene = Self::unsigned();
        scene.sign_bundle("sovereign");
        scene.sign_plan(PLAN, "planner");
        scene
    }

    /// The text of the usual trust root.
    pub fn usual(&self) -> String {
        format!(
            "# who may sign what\nsovereign namespaces=\"cutter-bundle\" {}\nplanner namespaces=\"cutter-plan\" {}\n\
             # cutter-signer: planner = Cutter::Agent::\"planner\"\n\
             # cutter-user: root = Cutter::Agent::\"run-agent\"\n\
             # cutter-user: nobody = Cutter::Agent::\"run-agent\"\n",
            self.key("sovereign"),
            self.key("planner"),
        )
    }

    /// A public key without its line end.
    pub fn key(&self, name: &str) -> String {
        self.public_key(name).trim().to_owned()
    }

    /// Signs bytes with `ssh-keygen` alone.
    pub fn sign_bytes(&self, key: &str, namespace: &str, bytes: &[u8], output: &str) {
        self.write("scratch", bytes);
        self.keygen_sign(key, namespace, "scratch");
        std::fs::rename(self.path("scratch.sig"), self.path(output)).unwrap();
    }

    /// Runs a command line of the README as a person would.
    pub fn shell(&self, line: &str) -> Output {
        let programs = Path::new(CUTTER).parent().unwrap().display();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
        let mut bash = Command::new("bash");
        bash.args(["-o", "pipefail", "-c", line]).env("PATH", path).current_dir(self.folder()).output().unwrap()
    }

    /// Runs `cutter` as root; what it says is in one line.
    pub fn cutter(&self, arguments: &str) -> Ran {
        self.0.cutter(arguments).in_one_line()
    }

    /// The same as the user without rights.
    pub fn cutter_as_nobody(&self, arguments: &str) -> Ran {
        self.0.cutter_as_nobody(arguments).in_one_line()
    }

    /// `bundle verify` and `plan verify` under the scene's trust root, as root.
    pub fn verify_bundle(&self) -> Ran {
        self.cutter(&format!("bundle verify --trust {}", self.trust_path().display()))
    }

    pub fn verify_plan(&self, row: &str) -> Ran {
        self.cutter(&format!("plan verify {PLAN} {row} --trust {}", self.trust_path().display()))
    }
}

impl Ran {
    /// Exit 8, and a reason that holds this text.
    pub fn is_untrusted(&self, because: &str) {
        assert_eq!((self.exit, self.stdout.as_str()), (8, ""), "{}", self.stderr);
        assert!(self.stderr.contains(because), "no `{because}` in: {}", self.stderr);
    }

    pub fn is_trusted(&self) {
        assert!(self.exit == 0 && !self.stderr.contains("error"), "{}{}", self.stdout, self.stderr);
    }
}
