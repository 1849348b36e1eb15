//! One function: what it is, who owns it, who may call it.

use crate::db::{DatabaseError, Snapshot};
use crate::digest::Digest;
use crate::evidence::{Observation, ObservationKind};
use crate::settings::evidence::split_name;

/// Observes one function with all that have its name.
pub fn function(name: &str, snapshot: &mut Snapshot<'_>) -> Result<Observation, DatabaseError> {
    let mut observation = Observation::new(ObservationKind::Function, name);
    let (schema, plain) = split_name(name).unwrap_or_default();
    let rows = match snapshot.query(FUNCTION, &[&schema, &plain]) {
        Ok(rows) => rows,
        Err(error) if error.is_final() || error.is_transient() => return Err(error),
        Err(error) => {
            observation.refused("definition", &error.reason, error.sqlstate.as_deref());
            return Ok(observation);
        }
    };
    observation.value("exists", (!rows.is_empty()).to_string());
    if rows.is_empty() {
        observation.unknown("definition", "there is no such function");
    }
    for row in rows {
        let cell = |index| row.try_get::<_, Option<String>>(index).ok().flatten().unwrap_or_default();
        observation.value(format!("definition ({})", cell(0)), format!("sha256 {}", Digest::of(cell(1).as_bytes())));
        observation.trace(format!("definition ({})", cell(0)), cell(2));
    }
    Ok(observation)
}

/// Every column of its row.
const FUNCTION: &str = "
SELECT pg_get_function_identity_arguments(p.oid), to_jsonb(p)::text || r.rolname, p.xmin::text
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles r ON r.oid = p.proowner
WHERE n.nspname = $1 AND p.proname = $2 ORDER BY 1";
