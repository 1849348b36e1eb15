//! Whether an observation can say something of the time between two captures: of the same host, and not older than that time.

use super::{Capture, Observation, ObservationId};

/// Why it cannot; nothing where it can.
pub fn doubt(id: &ObservationId, baseline: &Capture, last: &Capture) -> Option<String> {
    let kind = id.kind();
    if kind.is_of_host() && baseline.host != last.host {
        return Some("the captures were made on different hosts".to_owned());
    }
    let (before, after) = (baseline.observation(id)?, last.observation(id)?);
    // A file that somebody saved says when it was saved; what was saved before the run says nothing of it.
    let saved = |observation: &Observation| observation.as_of;
    if let Some(saved) = saved(after)
        && saved < baseline.finished_at
    {
        return Some(format!("what it says was saved at {saved}, before the baseline was made: save it again"));
    }
    let oldest = baseline.started_at.milliseconds().saturating_sub(kind.fresh_seconds().saturating_mul(1000));
    if let Some(saved) = saved(before)
        && saved.milliseconds() < oldest
    {
        return Some(format!("what it says of the baseline was saved at {saved}, long before it: save it again"));
    }
    None
}
