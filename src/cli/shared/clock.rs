//! Times: the system's, and those of a command line.

use crate::problem::Problem;
use crate::time::Timestamp;
use clap::Args;

/// A time in place of the clock's, for commands that only look.
#[derive(Args, Debug)]
pub struct ClockArguments {
    /// Decide as if it were this time (recorded as given)
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    pub now: Option<Timestamp>,
}

/// The system's clock.
pub fn system_time() -> Result<Timestamp, Problem> {
    Timestamp::from_system(std::time::SystemTime::now())
        .ok_or_else(|| Problem::failure("the system's clock is not between the years 1 and 9999"))
}

/// Reads a time of the command line.
pub fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| {
        let reads = |text: &str| Timestamp::parse(text).is_some();
        let what = if reads(&format!("{text}Z")) {
            "it has no offset; add `Z` for UTC"
        } else if reads(&format!("{text}T00:00:00Z")) {
            "it has no time of day"
        } else if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            "it is a number, and could be seconds or milliseconds"
        } else {
            "it is not a valid time"
        };
        format!("{what}: write an RFC 3339 time with an offset and at most milliseconds, such as 2026-05-21T08:15:00Z")
    })
}
