//! `cutter backup`: trying the encryption of backups before anything depends on it.

use crate::cli::shared::exit::{CommandResult, Exit};
use crate::files;
use crate::problem::{Code, Coded as _, Problem};
use crate::runtime::{SelfTest, self_test};
use crate::settings::Config;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    of: Of,
}

#[derive(Subcommand, Debug)]
enum Of {
    /// Import the key of `[backup]`, compare its fingerprint, and encrypt something for it; writes lines `name=value`
    SelfTest(SelfTestArguments),
}

#[derive(Args, Debug)]
#[command(after_help = "Exit codes: 0 it passed, 1 or 8 it did not, and why")]
struct SelfTestArguments {
    /// The configuration, whose `[backup]` names key and programs
    #[arg(long, value_name = "FILE", default_value = "cutter.toml")]
    config: PathBuf,
}

impl Arguments {
    pub fn run(&self) -> CommandResult {
        let Of::SelfTest(arguments) = &self.of;
        let config = Config::parse(&files::read(&arguments.config)?).coded(Code::ConfigInvalid)?;
        let settings = config.backup.as_ref().ok_or_else(|| {
            Problem::invalid(format!("`{}` has no `[backup]`", arguments.config.display()))
                .help("add it: `role`, `tables`, `key_file`, `fingerprint`, `pg_dump` and `gpg`")
                .coded(Code::ConfigInvalid)
        })?;
        let SelfTest { fingerprint, key_sha256, recipients } = self_test(settings)?;
        let text = format!(
            "fingerprint_set=true\npublic_key_imported=true\nselftest_passed=true\n\
             fingerprint={fingerprint}\nkey_sha256={key_sha256}\nrecipient={}\n",
            recipients.join(",")
        );
        Ok((text, Exit::Authorized))
    }
}
