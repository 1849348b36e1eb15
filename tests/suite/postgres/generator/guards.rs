//! Each thing that a comparison goes by, and the same captures without it: a comparison that did not go by it would see those.

use cutter::evidence::{Capture, Generation, Observation, ObservationKind, Status};
use std::collections::BTreeMap;

/// One guard.
pub struct Guard {
    pub name: &'static str,
    /// Takes what it goes by out of a baseline and a final capture.
    pub off: fn(&mut Capture, &mut Capture),
    /// What nothing else sees: the beginning of a way's statement, and the manner.
    pub needed_for: (&'static str, &'static str),
}

pub const GUARDS: &[Guard] = &[
    Guard {
        name: "values",
        off: |a, b| pairs(a, b, |_| true, |a, b| b.values.clone_from(&a.values)),
        needed_for: ("SELECT setval", "committed"),
    },
    Guard {
        name: "marks of rows",
        off: |a, b| pairs(a, b, |kind| kind == ObservationKind::Relation, |a, b| b.traces.clone_from(&a.traces)),
        needed_for: (
            "SET track_counts = off; UPDATE public.plain SET t = t || '!' WHERE i = 6",
            "undone by another session",
        ),
    },
    Guard {
        name: "marks of definitions",
        off: |a, b| pairs(a, b, |kind| kind == ObservationKind::Catalog, |a, b| b.traces.clone_from(&a.traces)),
        needed_for: ("GRANT INSERT ON public.unit_version", "undone by another session"),
    },
    Guard {
        name: "when files were loaded",
        off: |a, b| {
            pairs(
                a,
                b,
                |_| true,
                |a, b| {
                    if let Some(loaded) = a.traces.get("loaded") {
                        b.traces.insert("loaded".to_owned(), loaded.clone());
                    }
                },
            );
        },
        needed_for: ("ALTER SYSTEM SET work_mem = '5MB'", "undone by another session"),
    },
    Guard {
        name: "counters",
        off: |a, b| pairs(a, b, |_| true, |a, b| b.counters.clone_from(&a.counters)),
        needed_for: ("INSERT INTO public.plain (i, v)", "undone by another session"),
    },
    Guard {
        name: "counters of what lies beneath",
        off: |a, b| {
            pairs(
                a,
                b,
                |_| true,
                |a, b| {
                    for counters in [&mut a.counters, &mut b.counters].into_iter().flatten() {
                        counters.opening.retain(|name, _| !name.starts_with("below "));
                        counters.closing.retain(|name, _| !name.starts_with("below "));
                    }
                },
            );
        },
        needed_for: ("INSERT INTO public.plain (i) VALUES (4000", "undone by another session"),
    },
    Guard {
        name: "counters of both ends of a capture",
        off: |a, b| {
            pairs(
                a,
                b,
                |_| true,
                |a, b| {
                    for counters in [&mut a.counters, &mut b.counters].into_iter().flatten() {
                        counters.opening.clone_from(&counters.closing);
                    }
                },
            );
        },
        needed_for: ("DELETE FROM public.plain WHERE i = 5", OPEN),
    },
    Guard {
        name: "sessions at work",
        off: |a, b| {
            for counters in [&mut a.database.counters, &mut b.database.counters].into_iter().flatten() {
                counters.in_flight.clear();
            }
        },
        needed_for: ("INSERT INTO public.plain (i, v)", "undone while its session goes on"),
    },
    Guard {
        name: "counters of one life",
        off: |a, b| {
            if let (Some(a), Some(b)) = (&a.database.counters, &mut b.database.counters) {
                b.reset_at.clone_from(&a.reset_at);
            }
            b.database.server_started_at.clone_from(&a.database.server_started_at);
        },
        needed_for: ("BEGIN; INSERT INTO public.plain (i) VALUES (5000", "committed"),
    },
    Guard {
        name: "a server that counts",
        off: |a, b| {
            for observation in a.observations.iter_mut().chain(&mut b.observations) {
                if observation.id.as_str() == "database:counters" {
                    know(observation);
                }
            }
        },
        needed_for: ("INSERT INTO public.plain (i) VALUES (3000", "undone by another session"),
    },
    Guard {
        name: "transactions that were rolled back",
        off: |a, b| {
            for counters in [&mut a.database.counters, &mut b.database.counters].into_iter().flatten() {
                counters.rolled_back = [0, 0];
            }
        },
        needed_for: ("BEGIN; DO $$ BEGIN BEGIN PERFORM public.calc(0)", "committed"),
    },
    Guard {
        name: "what could not be read",
        off: |a, b| {
            pairs(
                a,
                b,
                |_| true,
                |a, b| {
                    for (name, value) in &a.values {
                        b.values.entry(name.clone()).or_insert_with(|| value.clone());
                    }
                    know(a);
                    know(b);
                },
            );
        },
        needed_for: ("SET track_counts = off; UPDATE public.plain SET t = t || '!' WHERE i = 8", "committed"),
    },
    Guard {
        name: "old rows proved unchanged",
        off: |a, b| {
            let next = a.database.snapshot.split(':').nth(1).unwrap().to_owned();
            pairs(a, b, |kind| kind == ObservationKind::Relation, |a, b| forge(a, b, &next));
        },
        needed_for: ("SET track_counts = off; UPDATE public.growing", "committed"),
    },
    Guard {
        name: "what is there at one end only",
        off: |a, b| {
            let (first, last) = (ids(a), ids(b));
            a.observations.retain(|observation| last.contains(&observation.id.to_string()));
            b.observations.retain(|observation| first.contains(&observation.id.to_string()));
        },
        needed_for: ("CREATE TABLE wild.", "committed"),
    },
    Guard {
        name: "a snapshot that moved",
        off: |a, b| {
            b.database.snapshot.clone_from(&a.database.snapshot);
            b.database.closing_snapshot.clone_from(&a.database.snapshot);
        },
        needed_for: ("INSERT INTO public.plain (i, v)", "undone in one message"),
    },
];

/// The manner of a transaction that is open when the baseline begins.
pub const OPEN: &str = "open when the baseline begins, and rolled back meanwhile";

fn ids(capture: &Capture) -> Vec<String> {
    capture.observations.iter().map(|observation| observation.id.to_string()).collect()
}

fn pairs(
    a: &mut Capture,
    b: &mut Capture,
    of: fn(ObservationKind) -> bool,
    edit: impl Fn(&mut Observation, &mut Observation),
) {
    let mut last: BTreeMap<String, &mut Observation> =
        b.observations.iter_mut().map(|observation| (observation.id.to_string(), observation)).collect();
    for first in a.observations.iter_mut().filter(|observation| of(observation.id.kind())) {
        if let Some(last) = last.get_mut(first.id.as_str()) {
            edit(first, last);
        }
    }
}

fn know(observation: &mut Observation) {
    observation.unknown.clear();
    observation.status = Status::Observed;
}

/// One generation of later rows that makes up every difference.
fn forge(a: &mut Observation, b: &mut Observation, writer: &str) {
    let sums = |text: &str| -> Vec<u128> {
        (0..text.len() / 32).map(|at| u128::from_str_radix(&text[at * 32..(at + 1) * 32], 16).unwrap()).collect()
    };
    let rest = |before: Option<&String>, after: Option<&String>| -> Option<String> {
        let (before, after) = (sums(before?), sums(after?));
        Some(before.iter().zip(&after).map(|(a, b)| format!("{:032x}", b.wrapping_sub(*a))).collect())
    };
    let rows = |observation: &Observation| observation.values.get("rows")?.parse::<u64>().ok();
    let (Some(before), Some(after)) = (rows(a), rows(b)) else { return };
    let content = rest(a.values.get("content"), b.values.get("content"));
    let headers = rest(a.traces.get("headers"), b.traces.get("headers"));
    if let (Some(content), Some(headers), Some(rows)) = (content, headers, after.checked_sub(before)) {
        b.generations = BTreeMap::from([(writer.to_owned(), Generation { rows, content, headers })]);
    }
}
