//! Facts that effects of a run brought about: what the ledger has of their answers, as layers over what files state.

use crate::facts::Layer;
use crate::ledger::{Entry, Record};
use crate::plan::RunPlan;
use crate::schema::RunSchema;
use crate::time::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// What one row brought about, and when and by whom that was written down.
struct Brought<'a> {
    at: Timestamp,
    by: &'a str,
    values: BTreeMap<String, Value>,
}

/// One layer for each row of the plan that ended well and brought facts about; of two that say one fact the later counts.
///
/// Only what the row's effect declares is a fact, whatever a record holds.
pub fn produced<'a>(plan: &RunPlan, schema: &RunSchema, entries: impl IntoIterator<Item = &'a Entry>) -> Vec<Layer> {
    let mut begun: BTreeMap<u64, &str> = BTreeMap::new();
    let mut brought: BTreeMap<&str, Brought<'_>> = BTreeMap::new();
    for Entry { sequence, time, by, record } in entries {
        match record {
            Record::Started(started) if started.run == plan.run && started.plan == plan.digest => {
                begun.insert(*sequence, &started.action);
            }
            Record::Finished(finished) if finished.exit_status == Some(0) => {
                let row = begun.get(&finished.started).filter(|row| **row == finished.action);
                let Some((row, (_, action))) = row.and_then(|row| Some((*row, plan.action(row)?))) else { continue };
                let Some(work) = &action.work else { continue };
                let declared = finished.produced.iter().filter(|(fact, _)| work.produces.contains_key(*fact));
                let values: BTreeMap<String, Value> =
                    declared.map(|(fact, value)| (format!("facts.{fact}"), value.clone())).collect();
                brought.values_mut().for_each(|earlier| earlier.values.retain(|fact, _| !values.contains_key(fact)));
                brought.insert(row, Brought { at: *time, by, values });
            }
            _ => {}
        }
    }
    let run_type = schema.run_type();
    let said = brought.iter().filter(|(_, brought)| !brought.values.is_empty());
    said.map(|(row, Brought { at, by, values })| Layer::produced((&run_type, &plan.run), row, *at, by, values))
        .collect()
}
