//! One value of a row, as Cedar's JSON form takes it.

use crate::time::Timestamp;
use postgres::types::{FromSql, Type};
use serde_json::{Value, json};

/// A value as Cedar's JSON form takes it.
#[derive(Clone, PartialEq, Debug)]
pub enum Cell {
    /// A fact.
    Value(Value),
    /// Nothing; no fact says nothing.
    Null,
    /// Something of a type that no fact has, by the type's name.
    Unfit(String),
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(of: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let value = match *of {
            Type::BOOL => json!(bool::from_sql(of, raw)?),
            Type::INT2 => json!(i16::from_sql(of, raw)?),
            Type::INT4 => json!(i32::from_sql(of, raw)?),
            Type::INT8 => json!(i64::from_sql(of, raw)?),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => json!(String::from_sql(of, raw)?),
            Type::UUID => json!(uuid(raw)),
            Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::NAME_ARRAY => json!(Vec::<String>::from_sql(of, raw)?),
            Type::INT4_ARRAY => json!(Vec::<i32>::from_sql(of, raw)?),
            Type::INT8_ARRAY => json!(Vec::<i64>::from_sql(of, raw)?),
            Type::JSON => serde_json::from_slice(raw)?,
            Type::JSONB => serde_json::from_slice(raw.get(1..).unwrap_or_default())?,
            Type::TIMESTAMPTZ => {
                let time = Timestamp::from_system(std::time::SystemTime::from_sql(of, raw)?);
                json!({"__extn": {"fn": "datetime", "arg": time.ok_or("out of range")?.to_cedar()}})
            }
            _ => return Ok(Self::Unfit(of.name().to_owned())),
        };
        Ok(Self::Value(value))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn uuid(raw: &[u8]) -> String {
    let digits: Vec<String> = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default().concat();
    [part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 16)].join("-")
}
