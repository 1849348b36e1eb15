//! tmp
use crate::config::Config;
use crate::ledger::{DirectoryLedger, Ledger};
use crate::problem::Problems;
#[derive(clap::Args, Debug)]
pub struct LedgerArguments {
    #[arg(long, value_name = "DIR|postgres", default_value = ".cutter")]
    ledger: std::path::PathBuf,
}
impl LedgerArguments {
    pub fn open(&self, _c: &Config) -> Result<Box<dyn Ledger>, Problems> {
        Ok(Box::new(DirectoryLedger::new(&self.ledger)))
    }
}
