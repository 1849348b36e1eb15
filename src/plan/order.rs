//! The order of a plan's rows: names in `after` become indices; an id that stands twice and a circle are refused.

use super::IntendedAction;
use super::row::PlanRow;
use crate::problem::{Problem, Problems, Source, nearest};
use std::collections::{BTreeSet, HashMap};

/// Resolves `after`, refuses an id that stands twice and a cycle.
pub fn connect(source: &Source, rows: Vec<PlanRow>, problems: &mut Problems) -> Vec<IntendedAction> {
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        let Some((id, at)) = &row.id else { continue };
        if let Some(first) = by_id.insert(id, index).filter(|_| !problems.is_full()) {
            let first = rows.get(first).and_then(|row| row.id.as_ref()).map_or(0, |(_, at)| at.start);
            let (line, column) = source.position(first);
            let help = format!("first defined at line {line}, column {column}; every row needs a name of its own");
            problems.push(
                Problem::invalid(format!("two plan actions have the id `{id}`")).at(source, at.clone()).help(help),
            );
        }
    }
    let mut after = vec![Vec::new(); rows.len()];
    for (row, after) in rows.iter().zip(&mut after) {
        for (name, at) in &row.after {
            match by_id.get(name.as_str()) {
                Some(index) => after.push(*index),
                None => {
                    let own = row.id.as_ref().map_or("?", |(id, _)| id);
                    let mut problem =
                        Problem::invalid(format!("plan action `{own}` comes after the unknown action `{name}`"))
                            .at(source, at.clone());
                    if let Some(meant) = nearest(name, by_id.keys().copied()) {
                        problem = problem.help(format!("did you mean `{meant}`?"));
                    }
                    problems.push(problem);
                }
            }
        }
    }
    if let Some(cycle) = cycle(&after) {
        let names: Vec<&str> =
            cycle.iter().filter_map(|index| rows.get(*index)?.id.as_ref().map(|(id, _)| id.as_str())).collect();
        let at = cycle.first().and_then(|index| rows.get(*index)?.id.as_ref()).map_or(0..0, |(_, at)| at.clone());
        let shown = crate::json::in_backticks(names.get(..names.len().min(8)).unwrap_or(&names));
        problems.push(
            Problem::invalid(format!("the plan actions {shown} come after each other in a circle"))
                .at(source, at)
                .help("remove one `after` of the circle"),
        );
    }
    rows.into_iter()
        .zip(after)
        .filter_map(|(row, after)| row.action.map(|action| IntendedAction { after, ..action }))
        .collect()
}

/// The rows of one circle in `after`, if there is any (Kahn's algorithm, without recursion).
fn cycle(after: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut waiting: Vec<usize> = after.iter().map(Vec::len).collect();
    let mut followers = vec![Vec::new(); after.len()];
    for (index, predecessors) in after.iter().enumerate() {
        for before in predecessors {
            followers.get_mut(*before)?.push(index);
        }
    }
    let mut ready: Vec<usize> = (0..after.len()).filter(|index| waiting.get(*index) == Some(&0)).collect();
    while let Some(index) = ready.pop() {
        for follower in followers.get(index).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(*follower) {
                *count -= 1;
                if *count == 0 {
                    ready.push(*follower);
                }
            }
        }
    }
    let mut at = (0..after.len()).find(|index| waiting.get(*index).is_some_and(|count| *count > 0))?;
    // Every waiting row has a waiting row before it, so that walking back must come round.
    let (mut walk, mut walked) = (Vec::new(), BTreeSet::new());
    while walked.insert(at) {
        walk.push(at);
        at = *after.get(at)?.iter().find(|before| waiting.get(**before).is_some_and(|count| *count > 0))?;
    }
    let start = walk.iter().position(|index| *index == at)?;
    Some(walk.split_off(start))
}
