//! `[backup]` of `cutter.toml`: which tables are dumped, as whom, and for whose key the dump is encrypted.

use super::Config;
use super::possible::is_plain_path;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What `builtin = "backup"` does.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupSettings {
    /// Who reads the tables: the name of a connection in `[connections]`, and the login role of its session.
    pub role: String,
    /// The tables, as `schema.name`.
    pub tables: Vec<String>,
    /// The public key, armored or not; only root may be able to change the file.
    pub key_file: PathBuf,
    /// The key's whole fingerprint: 40 or 64 hexadecimal digits. Until it is there no backup can be made.
    pub fingerprint: Option<String>,
    /// The program that dumps, the file itself; only root may be able to change it.
    pub pg_dump: String,
    /// The program that encrypts, the file itself; only root may be able to change it.
    pub gpg: String,
    /// After so many seconds both are ended; 600 where nothing is said.
    pub timeout: Option<u64>,
    /// Further fields of what the envelope is of, each with where its value stands in the row's context: `run.facts.draft.id`.
    #[serde(default)]
    pub envelope: BTreeMap<String, String>,
}

impl BackupSettings {
    /// The fingerprint as the program that encrypts writes it; none where it is not set.
    pub fn fingerprint(&self) -> Option<String> {
        let text = self.fingerprint.as_ref().filter(|text| !text.is_empty())?;
        Some(text.to_ascii_uppercase())
    }

    /// Schema and name of each table.
    pub fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tables.iter().filter_map(|table| table.split_once('.'))
    }

    /// Says what of it cannot be done as it is written, each with what to do.
    pub(super) fn faults(&self, config: &Config) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut wrong = |text: String, help: &str| faults.push((text, help.to_owned()));
        if !config.connections.contains_key(&self.role) {
            let help = format!("declare [connections.{}]: how that role reaches the database", self.role);
            wrong(format!("reads as `{}`, for which there is no connection", self.role), &help);
        }
        if self.tables.is_empty() {
            wrong("names no table".to_owned(), "add `tables = [\"schema.name\", ...]`");
        }
        for (at, table) in self.tables.iter().enumerate() {
            let is_plain = |name: &str| {
                !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            };
            if table.split_once('.').is_none_or(|(schema, name)| !is_plain(schema) || !is_plain(name)) {
                let help = "write `schema.name`, in letters, digits and `_`; no pattern";
                wrong(format!("names the table `{table}`, which is no `schema.name`"), help);
            }
            if self.tables.iter().take(at).any(|earlier| earlier == table) {
                wrong(format!("names the table `{table}` twice"), "remove one");
            }
        }
        let is_whole = |text: &String| [40, 64].contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit());
        if let Some(text) = self.fingerprint.as_ref().filter(|text| !text.is_empty() && !is_whole(text)) {
            let help = "write all 40 or 64 hexadecimal digits, without blanks; a short id could be another key's";
            wrong(format!("has the fingerprint `{text}`, which is not a whole one"), help);
        }
        let key_file = self.key_file.display().to_string();
        for (what, path) in [("key_file", &key_file), ("pg_dump", &self.pg_dump), ("gpg", &self.gpg)] {
            if !is_plain_path(path) {
                let help = "write the whole path of the file itself: nothing is looked up";
                wrong(format!("has the `{what}` `{path}`, which is not a plain absolute path"), help);
            }
        }
        if self.timeout == Some(0) {
            wrong("has no time to run".to_owned(), "`timeout` is in seconds");
        }
        for (field, path) in &self.envelope {
            if !path.starts_with("run.") || OWN_FIELDS.contains(&field.as_str()) {
                let help = "name a field of your own, and what it is of: `run.facts...`";
                wrong(format!("has the field `{field}` of its envelope as `{path}`"), help);
            }
        }
        faults
    }
}

/// What every envelope has besides.
pub const OWN_FIELDS: [&str; 7] = ["run_id", "tables", "sha256", "size_bytes", "gpg_fpr", "artifact_ref", "taken_at"];
