//! The SQL of the test database `directus`, in order.

use super::Script;

pub const SCRIPTS: &[Script] = &[
    Script { database: "postgres", sql: include_str!("../../../database/10_roles.sql") },
    Script { database: "postgres", sql: include_str!("../../../database/20_database.sql") },
    Script { database: "directus", sql: include_str!("../../../database/30_public_tables.sql") },
    Script { database: "directus", sql: include_str!("../../../database/40_governance_tables.sql") },
    Script { database: "directus", sql: include_str!("../../../database/50_guards.sql") },
    Script { database: "directus", sql: include_str!("../../../database/60_writers.sql") },
    Script { database: "directus", sql: include_str!("../../../database/70_config.sql") },
    Script { database: "directus", sql: include_str!("../../../database/71_units.sql") },
    Script { database: "directus", sql: include_str!("../../../database/72_governance.sql") },
    Script { database: "directus", sql: include_str!("../../../database/80_grants.sql") },
];
