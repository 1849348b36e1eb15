//! Sha-256 digests over exact bytes. Imports nothing of ours.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::fmt;

/// A sha-256 digest (FIPS 180-4) over exact bytes, shown as 64 lower-case hexadecimal digits.
///
/// ```
/// use cutter::digest::Digest;
/// let empty = Digest::of(b"");
/// assert_eq!(empty.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
/// assert_eq!(Digest::parse(&empty.to_string()), Some(empty));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest that was made elsewhere, from its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 lower-case hexadecimal digits; anything else is `None`, since digests are never normalised.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let &[high, low] = pair else { return None };
            *byte = (nibble(high)? << 4) | nibble(low)?;
        }
        Some(Self(bytes))
    }

    /// Its first twelve digits, for people; whole it is in every record.
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }

    /// The digest of a [`Listing`] of these entries.
    pub fn of_listing<'a>(entries: impl IntoIterator<Item = (&'a str, Digest)>) -> Self {
        Listing::new(entries).digest()
    }
}

/// A `sha256sum` listing: one `<digest>  <name>` line an entry, sorted by bytes.
///
/// `sha256sum NAME... | LC_ALL=C sort` gives the same. Names must not hold a backslash or a control character, which
/// `sha256sum` would escape.
///
/// ```
/// use cutter::digest::{Digest, Listing};
/// let listing = Listing::new([("b", Digest::of(b"")), ("a", Digest::of(b""))]);
/// let empty = Digest::of(b"");
/// assert_eq!(listing.text(), format!("{empty}  a\n{empty}  b\n"));
/// assert_eq!(listing.digest(), Digest::of(listing.text().as_bytes()));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing(String);

impl Listing {
    /// The listing of these entries, in whatever order they come.
    pub fn new<'a>(entries: impl IntoIterator<Item = (&'a str, Digest)>) -> Self {
        let mut lines: Vec<String> = entries.into_iter().map(|(name, digest)| format!("{digest}  {name}")).collect();
        lines.sort();
        Self(lines.into_iter().map(|line| line + "\n").collect())
    }

    /// The same with one entry more.
    #[must_use]
    pub fn with(&self, name: &str, digest: Digest) -> Self {
        let mut lines: Vec<String> = self.0.lines().map(str::to_owned).collect();
        lines.push(format!("{digest}  {name}"));
        lines.sort();
        Self(lines.into_iter().map(|line| line + "\n").collect())
    }

    /// The exact text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The digest of the entry of this name.
    pub fn digest_of(&self, name: &str) -> Option<Digest> {
        self.0.lines().find_map(|line| {
            let (digest, found) = line.split_once("  ")?;
            (found == name).then(|| Digest::parse(digest)).flatten()
        })
    }

    /// The digest of the text: what `sha256sum` says of it.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let refused = || de::Error::invalid_value(de::Unexpected::Str(&text), &"64 lower-case hexadecimal digits");
        Self::parse(&text).ok_or_else(refused)
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> Cow<'static, str> {
        "Sha256".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_digest_does_not_depend_on_the_order_of_its_entries() {
        let (a, b) = (("a", Digest::of(b"1")), ("b", Digest::of(b"2")));
        assert_eq!(Digest::of_listing([a, b]), Digest::of_listing([b, a]));
    }

    #[test]
    fn upper_case_digits_are_not_a_digest() {
        assert_eq!(Digest::parse(&Digest::of(b"x").to_string().to_uppercase()), None);
    }
}
