//! Services: marks that are new with every start. Where the host has no such thing, nothing is known of it.

use super::programs;
use crate::evidence::{DatabaseRecord, Observation, ObservationKind};
use crate::settings::evidence::ServiceSettings;
use crate::time::Timestamp;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;

/// Observes one service.
pub fn observe(name: &str, settings: &ServiceSettings, database: &DatabaseRecord) -> Observation {
    let mut observation = Observation::new(ObservationKind::Service, name);
    if settings.database {
        observation.value("value", format!("started {}", database.server_started_at));
        return observation;
    }
    match boot() {
        Some(boot) => observation.value("boot", boot),
        None => observation.unknown("boot", "the host does not say when it was started"),
    }
    if let Some(unit) = &settings.unit {
        systemd(unit, &mut observation);
    } else if let Some(file) = &settings.pid_file {
        process(file, &mut observation);
    } else if let Some(file) = &settings.inspect {
        container(file, &mut observation);
    }
    observation
}

/// The number that the kernel takes again at each start.
pub fn boot() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|text| text.trim().to_owned())
}

fn systemd(unit: &str, observation: &mut Observation) {
    let arguments = ["show", "--no-pager", "-p", PROPERTIES, "--", unit];
    let output = programs::command("systemctl")
        .and_then(|mut command| command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output());
    let text = match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        _ => return observation.unknown("value", "the host has no systemd that answers"),
    };
    let property = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or("");
    match (property("LoadState"), property("InvocationID")) {
        ("loaded", "") => observation.unknown("value", "the unit was never started"),
        ("loaded", id) => {
            observation.value("value", format!("{} {id}", property("ActiveState")));
            for name in ["NRestarts", "UnitFileState", "FragmentPath", "ExecMainStartTimestampMonotonic"] {
                observation.value(name, property(name));
            }
        }
        _ => observation.unknown("value", "systemd knows no such unit"),
    }
}

/// A process is the same if its number and its start are.
fn process(file: &Path, observation: &mut Observation) {
    let text = crate::files::read(file).ok();
    let pid = text.and_then(|source| source.text().split_whitespace().next()?.parse::<u32>().ok());
    let Some(pid) = pid else { return observation.unknown("value", "the file names no process") };
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    // The name in parentheses may hold spaces and parentheses itself.
    let started = stat.as_deref().and_then(|stat| stat.rsplit_once(')')?.1.split_whitespace().nth(19));
    match started {
        Some(started) => observation.value("value", format!("process {pid} started at tick {started}")),
        None => observation.unknown("value", "there is no such process"),
    }
}

/// The daemon's socket is as good as root, so that an operator asks it and saves the answer.
fn container(file: &Path, observation: &mut Observation) {
    let text = crate::files::read(file).ok();
    let value: Option<Value> = text.and_then(|source| serde_json::from_str(source.text()).ok());
    let first = value.as_ref().map(|value| value.get(0).unwrap_or(value));
    let at =
        |pointer: &str| first.and_then(|first| first.pointer(pointer)).map(|value| value.to_string().replace('"', ""));
    let saved = std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
    let since = saved.and_then(|saved| saved.duration_since(std::time::UNIX_EPOCH).ok());
    observation.as_of = since.and_then(|since| Timestamp::from_milliseconds(i64::try_from(since.as_millis()).ok()?));
    match (at("/Id"), at("/State/StartedAt")) {
        (Some(id), Some(started)) => {
            observation.value("value", format!("started {started}"));
            observation.value("id", id);
            for (name, pointer) in [("image", "/Image"), ("restarts", "/RestartCount"), ("status", "/State/Status")] {
                observation.value(name, at(pointer).unwrap_or_default());
            }
        }
        _ => observation.unknown("value", "the file is not output of `docker inspect`"),
    }
}

const PROPERTIES: &str =
    "LoadState,ActiveState,InvocationID,NRestarts,UnitFileState,FragmentPath,ExecMainStartTimestampMonotonic";
