//! The program that encrypts, with one public key in a folder of its own: that of the file, whose whole fingerprint was pinned.

use super::{bare, refused};
use crate::digest::Digest;
use crate::files::cause;
use crate::problem::{Code, Coded as _, Problem, Problems};
use crate::runtime::private::{self, PrivateFolder};
use crate::runtime::program;
use crate::settings::backup::BackupSettings;
use crate::trust::guarded;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Command, Output, Stdio};

/// A key that can be encrypted for, and by what.
pub struct Encryption {
    gpg: File,
    name: String,
    home: PrivateFolder,
    fingerprint: String,
    key_sha256: Digest,
    /// The ids of the primary key and its subkeys.
    ids: Vec<String>,
}

impl Encryption {
    /// Imports the key and compares its fingerprint with the pinned one.
    pub fn prepare(settings: &BackupSettings) -> Result<Self, Problems> {
        let Some(fingerprint) = settings.fingerprint() else {
            let help = "an operator makes the key and has its whole fingerprint signed as `fingerprint` in [backup]";
            return Err(refused("no fingerprint of a key is set", help).coded(Code::ProgramRefused).into());
        };
        let key = guarded::read_bytes(&settings.key_file, "the backup's key")?;
        let gpg = program::open_binary(&settings.gpg)?;
        let (name, home, key_sha256) = (settings.gpg.clone(), PrivateFolder::make()?, Digest::of(&key));
        let mut made = Self { gpg, name, home, fingerprint, key_sha256, ids: Vec::new() };
        let shown = settings.key_file.display();
        let imported = made.run(&["--import"], &key)?;
        let listed = made.run(&["--with-colons", "--list-keys"], &[])?;
        if !imported.status.success() || !listed.status.success() {
            let said = super::pipe::last_line(&imported.stderr);
            return Err(made.wrong(&format!("the key in `{shown}` cannot be imported: {said}")).into());
        }
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let records: Vec<Vec<&str>> = listed.lines().map(|line| line.split(':').collect()).collect();
        let of_kind = |kind: &'static str| records.iter().filter(move |record| record.first() == Some(&kind));
        let field = |record: &Vec<&str>, at: usize| record.get(at).copied().unwrap_or_default().to_owned();
        let primary: Vec<&Vec<&str>> = of_kind("pub").collect();
        let [primary] = primary.as_slice() else {
            return Err(made.wrong(&format!("`{shown}` holds {} keys, not one", primary.len())).into());
        };
        let is = of_kind("fpr").next().map(|record| field(record, 9)).unwrap_or_default();
        if is != made.fingerprint {
            let why = format!("the key in `{shown}` has the fingerprint {is}, and {} is pinned", made.fingerprint);
            return Err(made.wrong(&why).into());
        }
        // Capitals say what the whole key can do now; `D` that somebody turned it off.
        let (validity, can) = (field(primary, 1), field(primary, 11));
        if ["r", "e", "d", "i", "n"].contains(&validity.as_str()) || !can.contains('E') || can.contains('D') {
            let why = format!("the key in `{shown}` is revoked or expired, or cannot encrypt");
            return Err(made.wrong(&why).into());
        }
        made.ids = of_kind("pub").chain(of_kind("sub")).map(|record| field(record, 4)).collect();
        Ok(made)
    }

    /// The pinned fingerprint.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Sha-256 of the file of the key.
    pub fn key_sha256(&self) -> Digest {
        self.key_sha256
    }

    /// Whether an id is that of the key or of a subkey.
    pub fn has_key(&self, id: &str) -> bool {
        self.ids.iter().any(|own| own == id)
    }

    /// What encrypts its standard input to its standard output. The dump is compressed already.
    pub fn encrypt(&self) -> Command {
        let mut command = self.command();
        command.args(["--trust-model", "always", "--compress-level", "0", "--no-encrypt-to", "--no-armor"]);
        command.args(["--recipient", &self.fingerprint, "--encrypt"]);
        command
    }

    /// These bytes encrypted.
    pub fn try_on(&self, plain: &[u8]) -> Result<Vec<u8>, Problem> {
        let output = fed(self.encrypt(), plain).map_err(|error| self.wrong(&cause(&error)))?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(self.wrong(&super::pipe::last_line(&output.stderr))),
        }
    }

    /// The ids of the keys that encrypted bytes are for.
    pub fn recipients_of(&self, encrypted: &[u8]) -> Result<Vec<String>, Problem> {
        let output = self.run(&["--status-fd", "1", "--list-only", "--decrypt"], encrypted)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let ids = text.lines().filter_map(|line| line.strip_prefix("[GNUPG:] ENC_TO ")?.split(' ').next());
        Ok(ids.map(str::to_owned).collect())
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Result<Output, Problem> {
        let mut command = self.command();
        command.args(arguments);
        fed(command, input).map_err(|error| self.wrong(&cause(&error)))
    }

    fn command(&self) -> Command {
        let mut command = bare(program::command(&self.gpg, &self.name), &self.home);
        command.arg("--homedir").arg(self.home.path().join("home"));
        command.args(["--batch", "--no-tty", "--no-options", "--no-autostart", "--disable-dirmngr"]);
        command.args(["--no-auto-key-locate", "--no-auto-key-import", "--display-charset", "utf-8"]);
        command
    }

    fn wrong(&self, why: &str) -> Problem {
        let help = "an operator exports the public key of the pinned fingerprint into `key_file`, or has another pinned and signed";
        refused(why, help).coded(Code::ProgramRefused)
    }
}

/// What a program says of its input, however much of either there is.
fn fed(mut command: Command, input: &[u8]) -> std::io::Result<Output> {
    private::close_to_children();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (to, mut from, mut errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        // Whoever has read enough closes its end.
        scope.spawn(move || to.map(|mut to| drop(to.write_all(input))));
        scope.spawn(|| errors.as_mut().map(|errors| drop(errors.read_to_end(&mut stderr))));
        from.as_mut().map_or(Ok(0), |from| from.read_to_end(&mut stdout))
    })?;
    Ok(Output { status: child.wait()?, stdout, stderr })
}
