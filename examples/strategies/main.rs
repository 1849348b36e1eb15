//! A property of a policy set, tried by proptest: a hole that was planted in `policies/` is found, and made small.
//!
//! `cargo run --example strategies`

use cutter::testing::strategies::{Bundle, Request, World, any_request, any_world};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use serde_json::Value;
use std::error::Error;
use std::io::{self, Write as _};

/// A request that must be denied and is not, the smallest that was found.
fn hole(bundle: &Bundle) -> Option<(World, Request)> {
    let strategy = (any_world(bundle), any_request(bundle).action("restore"));
    let tried = TestRunner::new(Config { cases: 2_000, failure_persistence: None, ..Config::default() }).run(
        &strategy,
        |(world, request)| match is_production(&world, &request)
            && time(&request, "/taken_at") > time(&request, "/run/now")
            && bundle.decide(&world, &request).allowed
        {
            true => Err(TestCaseError::fail("production is restored from a backup that is not taken yet")),
            false => Ok(()),
        },
    );
    match tried {
        Err(TestError::Fail(_, found)) => Some(found),
        _ => None,
    }
}

fn is_production(world: &World, request: &Request) -> bool {
    world.attribute(request.resource(), "production") == Some(&Value::Bool(true))
}

/// Times of one form are in the order of their texts.
fn time<'a>(request: &'a Request, pointer: &str) -> &'a str {
    let time = request.context().pointer(&format!("{pointer}/__extn/arg"));
    time.and_then(Value::as_str).unwrap_or_default()
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/strategies/policies");
    match hole(&Bundle::load(folder)?) {
        Some((world, request)) => {
            writeln!(io::stdout(), "allowed, and must not be:\n{request:#?}\namong {world:#?}")?;
        }
        None => writeln!(io::stdout(), "no hole was found")?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_planted_hole_is_found_and_made_small() {
        let bundle = Bundle::load(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/strategies/policies")).unwrap();
        let (world, request) = hole(&bundle).unwrap();
        assert_eq!(bundle.decide(&world, &request).policies, ["agents-restore"]);
        // Nothing is left but what makes it one: the database is production, and the backup a step later than the run.
        assert_eq!(format!("{world:?}").matches("attrs").count(), 1, "{world:?}");
        assert_eq!(request.context()["run"]["gates"], serde_json::json!([]), "{request:?}");
    }

    #[test]
    fn an_action_that_the_schema_lacks_is_an_error_and_no_empty_test() {
        let bundle = Bundle::load(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/strategies/policies")).unwrap();
        let misspelt = any_request(&bundle).action("restores");
        let tried = TestRunner::default().run(&misspelt, |_| Ok(()));
        assert!(matches!(tried, Err(TestError::Abort(why)) if why.message().contains("restores")));
    }
}
