//! The options of one line of an `allowed_signers` file: for which namespaces and when a key is good.

use super::key::shown;
use super::lines::Part;
use crate::problem::{Problem, Problems, Source, nearest};
use crate::time::Timestamp;

/// What the options of a line say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Options {
    pub(super) namespaces: Vec<String>,
    pub(super) valid_after: Option<Timestamp>,
    pub(super) valid_before: Option<Timestamp>,
}

/// The length of the options at the beginning of `text`, which end at a blank outside quotes; `None` if a quote is open.
pub(super) fn length(text: &str) -> Option<usize> {
    let mut quoted = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b' ' | b'\t' if !quoted => return Some(at),
            _ => {}
        }
    }
    (!quoted).then_some(text.len())
}

/// Reads the options of a line. `None` only if a problem was added.
pub(super) fn parse(source: &Source, options: Part<'_>, problems: &mut Problems) -> Option<Options> {
    let mut reading = Reading { source, problems, sound: true };
    let (mut namespaces, mut valid_after, mut valid_before) = (None, None, None);
    for option in split(options) {
        let (name, value) = option.split(option.text.find('=').unwrap_or(option.text.len()));
        match name.text.to_ascii_lowercase().as_str() {
            "namespaces" => reading.once(&mut namespaces, name, value, Reading::namespaces),
            "valid-after" => reading.once(&mut valid_after, name, value, Reading::time),
            "valid-before" => reading.once(&mut valid_before, name, value, Reading::time),
            "cert-authority" => reading.problem(name, "`cert-authority` is not supported", NO_CERTIFICATES),
            "" => reading.problem(options, "an option is empty", "options are separated by one comma"),
            other => reading.unknown(name, other),
        }
    }
    if namespaces.is_none() && reading.sound {
        reading.problem(options, "the options have no `namespaces`", NAMESPACES);
    }
    if let (Some(after), Some(before)) = (valid_after, valid_before)
        && before <= after
    {
        reading.problem(options, "the key is never valid: `valid-before` is not after `valid-after`", "swap the two");
    }
    let sound = reading.sound;
    namespaces.filter(|_| sound).map(|namespaces| Options { namespaces, valid_after, valid_before })
}

struct Reading<'a> {
    source: &'a Source,
    problems: &'a mut Problems,
    sound: bool,
}

impl Reading<'_> {
    fn problem(&mut self, at: Part<'_>, message: impl Into<String>, help: impl Into<String>) {
        self.sound = false;
        self.problems.push(Problem::invalid(message).at(self.source, at.span()).help(help));
    }

    fn once<T>(
        &mut self,
        slot: &mut Option<T>,
        name: Part<'_>,
        value: Part<'_>,
        read: impl Fn(&mut Self, Part<'_>) -> Option<T>,
    ) {
        let option = name.text.to_ascii_lowercase();
        if slot.is_some() {
            return self.problem(name, format!("`{option}` is given twice"), "keep one of the two");
        }
        let inner = value.text.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"'));
        match inner {
            Some(text) if !text.contains(['"', '\\']) => *slot = read(self, Part { start: value.start + 2, text }),
            _ => self.problem(
                name,
                format!("the value of `{option}` is not in quotes"),
                format!("write `{option}=\"...\"`, without spaces, quotes or backslashes inside"),
            ),
        }
    }

    fn namespaces(&mut self, value: Part<'_>) -> Option<Vec<String>> {
        let namespaces: Vec<&str> = value.text.split(',').collect();
        match namespaces.iter().find(|name| !is_name(name)) {
            None => Some(namespaces.into_iter().map(str::to_owned).collect()),
            Some(name) => {
                let message = format!("`{}` is not a namespace", shown(name));
                self.problem(
                    value,
                    message,
                    "name each namespace exactly, separated by commas; patterns are not taken",
                );
                None
            }
        }
    }

    fn time(&mut self, value: Part<'_>) -> Option<Timestamp> {
        let time = time(value.text);
        if time.is_none() {
            let message = format!("`{}` is not a time", shown(value.text));
            self.problem(
                value,
                message,
                "write a date and time in UTC as `20260521Z`, `202605210815Z` or `20260521081500Z`",
            );
        }
        time
    }

    fn unknown(&mut self, name: Part<'_>, lower: &str) {
        let known = ["namespaces", "valid-after", "valid-before"];
        let help = match nearest(lower, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "it may be `namespaces`, `valid-after` or `valid-before`".to_owned(),
        };
        self.problem(name, format!("`{}` is not an option", shown(name.text)), help);
    }
}

/// Whether it names one thing exactly, to OpenSSH too: short, visible ASCII, and nothing that patterns or lists use.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"*?!,\"\\".contains(&byte);
    !text.is_empty() && text.len() <= NAME_BYTES && text.bytes().all(plain)
}

/// The options one by one; commas inside quotes do not separate.
fn split(options: Part<'_>) -> Vec<Part<'_>> {
    let mut quoted = false;
    let mut parts = Vec::new();
    let mut rest = options;
    for (at, byte) in options.text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                let (option, behind) = rest.split(options.start + at - rest.start);
                parts.push(option);
                rest = behind.split(1).1;
            }
            _ => {}
        }
    }
    parts.push(rest);
    parts
}

/// `YYYYMMDDZ`, `YYYYMMDDHHMMZ` or `YYYYMMDDHHMMSSZ`. Without the `Z`, OpenSSH would take the verifier's local time.
fn time(text: &str) -> Option<Timestamp> {
    let digits = text.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || !matches!(digits.len(), 8 | 12 | 14) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or("00");
    // A leap second would be taken for the second before it.
    if part(12, 14) > "59" {
        return None;
    }
    let date = format!("{}-{}-{}", part(0, 4), part(4, 6), part(6, 8));
    let time = Timestamp::parse(&format!("{date}T{}:{}:{}Z", part(8, 10), part(10, 12), part(12, 14)))?;
    // OpenSSH takes the epoch for "not given".
    (time.milliseconds() > 0).then_some(time)
}

/// What to write where namespaces are missing.
pub(super) const NAMESPACES: &str =
    "write `namespaces=\"cutter-approval\"` before the key; without it the key would be good for every namespace";
const NO_CERTIFICATES: &str = "name each signer's own key; signatures by certificates are not accepted";
const NAME_BYTES: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Options, Vec<String>> {
        let source = Source::new("x", text);
        let mut problems = Problems::new();
        let options = parse(&source, Part { start: 0, text }, &mut problems);
        options.ok_or_else(|| problems.iter().map(|problem| problem.message.clone()).collect())
    }

    #[test]
    fn keywords_may_be_in_capitals_and_values_hold_commas() {
        let options = read(r#"NameSpaces="a,b",Valid-After="20260101Z",VALID-BEFORE="202601020304Z""#).unwrap();
        assert_eq!(options.namespaces, ["a", "b"]);
        assert_eq!(options.valid_after, Timestamp::parse("2026-01-01T00:00:00Z"));
        assert_eq!(options.valid_before, Timestamp::parse("2026-01-02T03:04:00Z"));
    }

    #[test]
    fn only_real_times_in_utc_are_taken() {
        assert_eq!(time("20240229235959Z"), Timestamp::parse("2024-02-29T23:59:59Z"));
        for text in [
            "20260101",
            "20260101z",
            "20260101UTC",
            "2026010100Z",
            "20260229Z",
            "20261301Z",
            "20260100Z",
            "202601012400Z",
            "20260101000060Z",
            "20161231235960Z",
            "19700101Z",
            "19691231Z",
            "00000101Z",
            "Z",
            "",
            "+0260101Z",
            "2026-01-01Z",
            " 20260101Z",
            "２０２６０１０１Z",
            "202601010000000Z",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn whatever_is_not_understood_is_a_problem() {
        for text in [
            "",
            ",",
            r#"namespaces="a","#,
            r#",namespaces="a""#,
            "namespaces",
            "namespaces=a",
            r#"namespaces="a"#,
            r#"namespaces="""#,
            r#"namespaces="a,""#,
            r#"namespaces="*""#,
            r#"namespaces="!a""#,
            r#"namespaces="a b""#,
            r#"namespaces="a\"b""#,
            r#"namespaces="a""b""#,
            r#"namespaces ="a""#,
            r#"namespaces="a",x"#,
            r#"namespaces="a",namespaces="b""#,
            r#"namespaces="a",cert-authority"#,
            r#"namespaces="a",no-touch-required"#,
            r#"valid-after="20260101Z""#,
            r#"namespaces="a",valid-after="20260101""#,
            r#"namespaces="a",valid-after="20260102Z",valid-before="20260102Z""#,
            r#"namespaces="a";x"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn all_problems_of_the_options_are_said_together() {
        let problems = read(r#"namespace="a",cert-authority,valid-after="x""#).unwrap_err();
        assert_eq!(
            problems,
            ["`namespace` is not an option", "`cert-authority` is not supported", "`x` is not a time"]
        );
    }
}
