//! The JSON Schema (draft 2020-12) of attestations: published as a file, made from the types, asked by `cutter verify`.

use super::fit;
use crate::problem::Problem;
use serde_json::Value;

/// The published text, `schemas/attestation.schema.json`.
pub const PUBLISHED: &str = include_str!("../../schemas/attestation.schema.json");

/// In what a statement fails the published schema; each a sentence with a JSON pointer (RFC 6901).
pub fn faults(statement: &Value) -> Result<Vec<String>, Problem> {
    let broken = |what: String| Problem::failure(format!("the schema of attestations cannot be used: {what}"));
    let schema: Value = serde_json::from_str(PUBLISHED).map_err(|error| broken(error.to_string()))?;
    let places = fit::misfits(&schema, statement).map_err(broken)?;
    Ok(places.iter().take(20).map(|place| format!("{place}: it does not fit the schema")).collect())
}

#[cfg(test)]
mod tests {
    use super::super::Statement;
    use super::super::report::Report;
    use super::*;

    #[test]
    fn the_published_schema_is_that_of_the_types() {
        let mut schema = schemars::schema_for!(Statement<Report>);
        schema.insert("title".to_owned(), "An attestation of cutter: an in-toto Statement v1 over a run".into());
        let made = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("CUTTER_WRITE_GOLDEN").is_some() {
            std::fs::write("schemas/attestation.schema.json", &made).unwrap();
        }
        assert!(
            made == std::fs::read_to_string("schemas/attestation.schema.json").unwrap(),
            "run this test with CUTTER_WRITE_GOLDEN=1"
        );
    }

    #[test]
    fn what_is_no_statement_has_faults_with_their_places() {
        let found = faults(&serde_json::json!({"_type": 1})).unwrap();
        assert!(found.iter().any(|fault| fault.starts_with("/_type:")), "{found:?}");
    }
}
