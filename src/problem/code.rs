//! Stable codes of problems, by what has to be put right; `docs/errors.md` lists them for scripts.

macro_rules! codes {
    ($($code:ident = $name:literal: $meaning:literal,)*) => {
        /// What has to be put right, as a script may rely on it.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Code {
            $(#[doc = $meaning] $code,)*
        }

        impl Code {
            /// All, in the order of the page.
            #[cfg(test)]
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// The word for it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$code => $name,)* }
            }

            /// What it says, in one line.
            #[cfg(test)]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$code => $meaning,)* }
            }
        }
    };
}

codes! {
    Invalid = "invalid": "an input is not right, for a reason that has no code of its own",
    Untrusted = "untrusted": "something is not trusted, for a reason that has no code of its own",
    Failure = "failure": "the work could not be done, for a reason that has no code of its own",
    Usage = "usage": "the command line is wrong",
    FileMissing = "file-missing": "a named file is not there",
    FileUnreadable = "file-unreadable": "a file cannot be opened or read, or is not a regular file",
    FileTooLarge = "file-too-large": "a file is larger, or a folder holds more, than can be reviewed",
    FolderUnreadable = "folder-unreadable": "a folder is not there or cannot be read",
    NotUtf8 = "not-utf8": "a text file holds bytes that are not UTF-8",
    OutputRefused = "output-refused": "a result was to go into what is not a regular file of one's own",
    OutputUnwritable = "output-unwritable": "the system does not let the result be written there",
    OutputExists = "output-exists": "a file that is never written over has the name",
    JsonSyntax = "json-syntax": "a file is not JSON",
    JsonDuplicateKey = "json-duplicate-key": "an object has one key twice",
    JsonUnknownField = "json-unknown-field": "an object has a field that nothing reads",
    PlanTooLarge = "plan-too-large": "the report of a run by this plan would be larger than what can be signed",
    PlanInvalid = "plan-invalid": "the plan breaks a rule of its format, or does not fit the schema",
    PlanUnknownRow = "plan-unknown-row": "the plan has no row of the name that was given",
    PlanUnfit = "plan-unfit": "the plan and the facts do not make valid requests together",
    EntityMissing = "entity-missing": "an entity that is named is not among the facts",
    FactsInvalid = "facts-invalid": "facts are malformed or do not conform to the schema",
    BundleInvalid = "bundle-invalid": "a policy, the schema or a signer file of the bundle is malformed or does not validate",
    NameReserved = "name-reserved": "a bundle declares or uses a name that belongs to the prelude",
    ConfigInvalid = "config-invalid": "`cutter.toml` is malformed or lacks what the command needs",
    RevisionUnreadable = "revision-unreadable": "a git revision, or a file in it, cannot be read",
    EvidenceInvalid = "evidence-invalid": "a capture or a record of a witness is malformed, or is about something else",
    EvidenceUntrusted = "evidence-untrusted": "a signature of evidence does not verify",
    ObserverUnreachable = "observer-unreachable": "the observer of a run does not answer, or observed nothing",
    ObserverUntrusted = "observer-untrusted": "whoever answers, or what is kept of a run, is not the observer's",
    LedgerMissing = "ledger-missing": "there is no ledger where one was named",
    LedgerExists = "ledger-exists": "there is a ledger already",
    LedgerDamaged = "ledger-damaged": "a record of the ledger is not what was written, or is lost",
    LedgerUnusable = "ledger-unusable": "the ledger cannot be read, written or locked, or others may write to it",
    DatabaseSettings = "database-settings": "what `[database]` names does not say how to reach the database",
    DatabaseUnreachable = "database-unreachable": "the database cannot be opened",
    DatabaseFailed = "database-failed": "the database was reached and refused a statement",
    TrustRootUnsafe = "trust-root-unsafe": "the trust root is not there, or others than root could change it",
    TrustRootInvalid = "trust-root-invalid": "the trust root or a list of revoked keys is malformed",
    BundleUntrusted = "bundle-untrusted": "the signature of the bundle is missing or does not verify",
    RunUntrusted = "run-untrusted": "bundle, plan, author or running user are not trusted",
    ProgramRefused = "program-refused": "a program is not the one that was pinned, or cannot be run",
    FunctionRefused = "function-refused": "a function of the database, its session or its triggers are not as pinned",
    FactsChanged = "facts-changed": "a fact of the database is not as it was judged, or was changed beside an effect",
    SigningFailed = "signing-failed": "no signature could be made with the key",
    SecretFound = "secret-found": "a secret is in something that would be kept",
    ResultWritten = "result-written": "a result other than 0 was written to a file; a warning, beside the exit code",
}

/// What can be given a code.
pub trait Coded {
    /// The same, with this code where there is none yet.
    #[must_use]
    fn coded(self, code: Code) -> Self;
}

impl<T, E: Coded> Coded for Result<T, E> {
    fn coded(self, code: Code) -> Self {
        self.map_err(|error| error.coded(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_page_lists_every_code_with_its_meaning_and_no_other() {
        let page = include_str!("../../docs/errors.md");
        let listed: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        let known: Vec<String> =
            Code::ALL.iter().map(|code| format!("| `{}` | {} |", code.name(), code.meaning())).collect();
        assert_eq!(listed, known);
    }

    #[test]
    fn every_code_is_given_to_some_problem() {
        let mut source = String::new();
        gather(Path::new("src"), &mut source);
        let unused: Vec<&str> = Code::ALL
            .iter()
            .filter(|code| !source.contains(&format!("Code::{code:?}")))
            .map(|code| code.name())
            .collect();
        assert!(unused.is_empty(), "{unused:?}");
    }

    fn gather(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                gather(&path, text);
            } else if !path.ends_with("problem/code.rs") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
}
