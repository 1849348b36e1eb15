//! A scratch copy of the shipped project, signed by whom it should be, under a trust root that only root can change.

use crate::support::scrubbed::scrubbed;
use crate::support::tree::copy;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The user without rights, who is in every `/etc/passwd`.
pub const NOBODY: u32 = 65534;
pub const PLAN: &str = "plans/o9-first-production-run.json";

pub struct Scene {
    tree: tempfile::TempDir,
    /// Below folders that only root can change, which is not so of `/tmp`.
    safe: tempfile::TempDir,
}

pub struct Ran {
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Scene {
    /// Nothing is signed, and the trust root says: `sovereign` signs bundles, `planner` plans, root and nobody run.
    pub fn unsigned() -> Self {
        let tree = tempfile::tempdir().unwrap();
        let safe = crate::support::guarded::folder();
        mode(tree.path(), 0o755);
        for name in ["policies", "entities", "plans"] {
            copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(name), &tree.path().join(name));
        }
        std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("cutter.toml"), tree.path().join("cutter.toml"))
            .unwrap();
        let scene = Self { tree, safe };
        scene.write("policies/allowed_signers", "# nobody yet\n");
        for name in ["sovereign", "planner", "mallory"] {
            let status = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
                .arg(scene.path(name))
                .status();
            assert!(status.unwrap().success());
        }
        scene.trust(&scene.usual());
        scene
    }

    /// The same, and the bundle and the plan are signed.
    pub fn signed() -> Self {
        let scene = Self::unsigned();
        scene.sign_bundle("sovereign");
        scene.sign_plan("planner");
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

    /// Type and base64 of a public key.
    pub fn key(&self, name: &str) -> String {
        self.read(&format!("{name}.pub")).trim().to_owned()
    }

    /// Writes the trust root anew.
    pub fn trust(&self, text: &str) {
        std::fs::write(self.trust_path(), text).unwrap();
        mode(&self.trust_path(), 0o644);
    }

    pub fn trust_path(&self) -> PathBuf {
        self.safe("trusted_signers")
    }

    /// A path below folders that only root can change.
    pub fn safe(&self, name: &str) -> PathBuf {
        self.safe.path().join(name)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.tree.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn append(&self, name: &str, text: &str) {
        self.write(name, self.read(name) + text);
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    /// Signs the bundle as the program does; a signature that is there is thrown away.
    pub fn sign_bundle(&self, key: &str) {
        let _ = std::fs::remove_file(self.path("policies.sig"));
        let ran = self.cutter(&format!("bundle sign --key {key}"));
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
    }

    pub fn sign_plan(&self, key: &str) {
        let _ = std::fs::remove_file(self.path(&format!("{PLAN}.sig")));
        let ran = self.cutter(&format!("plan sign {PLAN} --key {key}"));
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
    }

    /// Signs bytes with `ssh-keygen` alone.
    pub fn keygen_sign(&self, key: &str, namespace: &str, bytes: &[u8], output: &str) {
        let ran = self.run(Command::new("ssh-keygen").args(["-q", "-Y", "sign", "-n", namespace, "-f", key]), bytes);
        assert!(ran.status.success(), "{ran:?}");
        self.write(output, ran.stdout);
    }

    /// Runs a command line of the README as a person would.
    pub fn shell(&self, line: &str) -> Output {
        self.run(Command::new("bash").args(["-o", "pipefail", "-c", line]), b"")
    }

    fn run(&self, command: &mut Command, input: &[u8]) -> Output {
        let piped = command.current_dir(self.tree.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.stderr(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// Runs `cutter` as root; arguments are split at spaces.
    pub fn cutter(&self, arguments: &str) -> Ran {
        Ran::of(self.command(Path::new(env!("CARGO_BIN_EXE_cutter")), arguments))
    }

    /// Runs `cutter` as the user without rights, with an environment that claims to be root.
    pub fn cutter_as_nobody(&self, arguments: &str) -> Ran {
        // The build folder may lie where others cannot look.
        let program = self.safe("cutter");
        if !program.exists() && std::fs::hard_link(env!("CARGO_BIN_EXE_cutter"), &program).is_err() {
            std::fs::copy(env!("CARGO_BIN_EXE_cutter"), &program).unwrap();
        }
        let mut command = self.command(&program, arguments);
        command.uid(NOBODY).gid(NOBODY).envs([("USER", "root"), ("LOGNAME", "root"), ("HOME", "/root")]);
        Ran::of(command)
    }

    /// `bundle verify` and `plan verify` under the scene's trust root, as root.
    pub fn verify_bundle(&self) -> Ran {
        self.cutter(&format!("bundle verify --trust {}", self.trust_path().display()))
    }

    pub fn verify_plan(&self, row: &str) -> Ran {
        self.cutter(&format!("plan verify {PLAN} {row} --trust {}", self.trust_path().display()))
    }

    fn command(&self, program: &Path, arguments: &str) -> Command {
        let mut command = scrubbed(program);
        command.args(arguments.split_whitespace()).current_dir(self.tree.path());
        command
    }
}

impl Ran {
    fn of(mut command: Command) -> Self {
        let output = command.output().unwrap();
        Self {
            exit: output.status.code().expect("cutter ended by a signal"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap().split_whitespace().collect::<Vec<_>>().join(" "),
        }
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// Exit 8, and a reason that holds this text.
    pub fn is_untrusted(&self, because: &str) {
        assert_eq!((self.exit, self.stdout.as_str()), (8, ""), "{}", self.stderr);
        assert!(self.stderr.contains(because), "no `{because}` in: {}", self.stderr);
    }

    pub fn is_trusted(&self) {
        assert_eq!((self.exit, self.stderr.as_str()), (0, ""), "{}", self.stdout);
    }
}

pub fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
