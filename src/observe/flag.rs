//! Switches: the one match of a regular expression in a file, or the answer to a query.

use super::path::{Marked, UNMARKED, Way};
use crate::db::{DatabaseError, Snapshot};
use crate::evidence::{Observation, ObservationKind};
use crate::settings::evidence::FlagSettings;
use crate::text::only_match;
use std::path;

/// Observes one switch; a query is asked in the snapshot, which a file does not need.
pub fn observe(
    name: &str,
    settings: &FlagSettings,
    snapshot: Option<&mut Snapshot<'_>>,
) -> Result<Observation, DatabaseError> {
    let mut observation = Observation::new(ObservationKind::Flag, name);
    if let Some((query, snapshot)) = settings.query.as_ref().zip(snapshot) {
        match snapshot.texts(&FlagSettings::asked(query), 2) {
            Ok(rows) => match rows.as_slice() {
                [row] => match row.as_slice() {
                    [value, Some(columns)] if columns == "1" => {
                        observation.value("value", value.clone().unwrap_or_else(|| "NULL".to_owned()));
                    }
                    _ => observation.unknown("value", "the query gives several columns, not one"),
                },
                other => observation.unknown("value", format!("the query gives {} rows, not one", other.len())),
            },
            Err(error) if error.is_final() => return Err(error),
            Err(error) => observation.refused("value", &error.reason, error.sqlstate.as_deref()),
        }
    }
    if let (Some(file), Some(pattern)) = (&settings.file, &settings.pattern) {
        let way = path::absolute(file).and_then(|path| Way::follow(&path));
        let opened = way.ok().and_then(|way| Some((Marked::open(&way.end).ok()?, way)));
        match opened.and_then(|(mut marked, way)| Some((marked.text(file).ok()?, marked, way))) {
            Some((source, marked, way)) => {
                match find(pattern, source.text()) {
                    Ok(value) => observation.value("value", value),
                    Err(reason) => observation.unknown("value", reason),
                }
                way.note(file, &mut observation);
                observation.trace("file", marked.mark);
                if marked.is_unmarked {
                    observation.unknown("file", UNMARKED);
                }
            }
            None => observation.unknown("value", "the file cannot be read"),
        }
    }
    Ok(observation)
}

fn find<'a>(pattern: &str, text: &'a str) -> Result<&'a str, &'static str> {
    only_match(pattern, text).map(|at| text.get(at).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_that_is_set_twice_or_not_at_all_is_not_known() {
        let pattern = r"(?m)^__enabled__\s*=\s*(True|False)\s*$";
        assert_eq!(find(pattern, "x = 1\n__enabled__ = False\n"), Ok("False"));
        assert!(find(pattern, "").is_err());
        assert!(find(pattern, "__enabled__ = False\n__enabled__ = True\n").is_err());
    }
}
