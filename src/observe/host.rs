//! The host: files and folders in which something installed would show, such as unit files and cron tables.

use super::tree;
use crate::evidence::{Observation, ObservationKind};
use crate::settings::evidence::{HostSettings, TreeSettings};
use std::collections::BTreeSet;
use std::io::ErrorKind;

/// Observes a set of paths. One that is absent is an answer; where all are, the host has no such thing.
pub fn observe(name: &str, settings: &HostSettings) -> Observation {
    let mut observation = Observation::new(ObservationKind::Host, name);
    for path in &settings.paths {
        let shown = path.display().to_string();
        match std::fs::metadata(path) {
            Ok(_) => {
                let settings = TreeSettings { path: path.clone(), ignore: BTreeSet::new(), git: false };
                let found = tree::observe(name, &settings);
                match found.values.get("manifest") {
                    Some(manifest) => {
                        let files = found.values.get("value").cloned().unwrap_or_default();
                        observation.value(shown.clone(), format!("{files}, sha256 {manifest}"));
                    }
                    None => observation.unknown(shown.clone(), "it cannot be read"),
                }
                if let Some(unmarked) = found.unknown.iter().find(|unknown| unknown.value == "marks") {
                    observation.unknown(shown.clone(), unmarked.reason.clone());
                }
                for (name, mark) in &found.traces {
                    // A file that is marked is named by its path, as the folders on the way are.
                    let name = if name == "marks" { &shown } else { name };
                    observation.trace(name, mark.clone());
                }
                observation.values.extend(found.values.into_iter().filter(|(name, _)| name.ends_with(" leads to")));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => observation.value(shown, "absent"),
            Err(error) => observation.unknown(shown, format!("it cannot be read: {}", error.kind())),
        }
    }
    let absent = |value: &String| value == "absent";
    if observation.unknown.is_empty() && observation.values.values().all(absent) {
        observation.unknown("paths", "the host has none of them");
    }
    observation
}
