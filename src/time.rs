//! Points in time: UTC, whole milliseconds, passed in as values. Reading the clock is left to `cli`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;

/// A point in time in UTC with millisecond precision, between the years 0001 and 9999.
///
/// Milliseconds because a Cedar `datetime` has no finer unit.
///
/// ```
/// use cutter::time::Timestamp;
/// let time = Timestamp::parse("2026-05-21T10:15:00+02:00").unwrap();
/// assert_eq!(time.to_string(), "2026-05-21T08:15:00Z");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// Reads an RFC 3339 time with an offset; finer than a millisecond is refused, never rounded.
    pub fn parse(text: &str) -> Option<Self> {
        let time: jiff::Timestamp = text.parse().ok()?;
        let ours = Self::from_milliseconds(time.as_millisecond())?;
        // A time zone name in brackets is jiff's own addition to the format.
        (ours.0 == time && !text.contains('[') && is_on_the_clock(text)).then_some(ours)
    }

    /// The time this many milliseconds after 1970-01-01T00:00:00Z.
    pub fn from_milliseconds(milliseconds: i64) -> Option<Self> {
        let time = jiff::Timestamp::from_millisecond(milliseconds).ok()?;
        let oldest: jiff::Timestamp = jiff::Timestamp::from_second(-62_135_596_800).ok()?;
        (time >= oldest).then_some(Self(time))
    }

    /// The system's clock, cut to milliseconds.
    pub fn from_system(time: std::time::SystemTime) -> Option<Self> {
        Self::from_milliseconds(jiff::Timestamp::try_from(time).ok()?.as_millisecond())
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn milliseconds(self) -> i64 {
        self.0.as_millisecond()
    }

    /// The form a Cedar `datetime("...")` takes: `2026-05-21T08:15:00.000Z`.
    pub fn to_cedar(self) -> String {
        self.0.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    /// Only the form that is written is read: a record has one spelling.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let refused =
            || de::Error::invalid_value(de::Unexpected::Str(&text), &"an RFC 3339 time in UTC, ending in `Z`");
        Self::parse(&text).filter(|time| time.to_string() == text).ok_or_else(refused)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "pattern": "Z$" })
    }
}

/// Whether the seconds and the offset are those of a clock; jiff also takes second 60, for 59, and offsets up to `+25:59:59`.
fn is_on_the_clock(text: &str) -> bool {
    let offset = text.get(11..).and_then(|clock| clock.split_once(['+', '-']));
    let hours = offset.map(|(_, offset)| offset.get(..2).and_then(|hours| hours.parse::<u8>().ok()));
    !text.contains(":60")
        && hours.is_none_or(|hours| hours.is_some_and(|hours| hours < 24))
        && offset.is_none_or(|(_, offset)| offset.matches(':').count() < 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_or_an_offset_that_no_clock_has_is_refused() {
        for end in ["08:15:60Z", "08:15:00+24:00", "08:15:00-25:00", "08:15:00+02:00:30"] {
            assert_eq!(Timestamp::parse(&format!("2026-05-21T{end}")), None, "{end}");
        }
        for end in ["08:15:00+23:59", "08:15:00-00:00", "08:15:00+00"] {
            assert!(Timestamp::parse(&format!("2026-05-21T{end}")).is_some(), "{end}");
        }
    }

    #[test]
    fn a_time_without_an_offset_or_finer_than_a_millisecond_is_refused() {
        for text in ["2026-05-21T08:15:00", "2026-05-21T08:15:00.0001Z", "2026-05-21", "", "2026-05-21T08:15:00Z[UTC]"]
        {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_cedar_form_always_has_three_digits_of_a_second() {
        assert_eq!(Timestamp::parse("2026-05-21T08:15:00Z").unwrap().to_cedar(), "2026-05-21T08:15:00.000Z");
    }
}
