//! The comment lines of a trust root that say who is who, read to the letter: OpenSSH passes over them, cutter must not.

use crate::problem::{Problem, Problems, Source};
use cedar_policy::EntityUid;
use std::ops::Range;
use std::str::FromStr as _;

/// What is bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A user of the operating system.
    User,
    /// A name of the file itself.
    Signer,
}

impl Kind {
    /// What messages call it.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Signer => "signer",
        }
    }

    fn keyword(self) -> &'static str {
        match self {
            Self::User => "cutter-user",
            Self::Signer => "cutter-signer",
        }
    }
}

/// One line `# cutter-user: NAME = ENTITY` or `# cutter-signer: NAME = ENTITY`.
#[derive(Clone, Debug)]
pub(super) struct Binding<'a> {
    pub(super) kind: Kind,
    pub(super) name: &'a str,
    pub(super) entity: EntityUid,
    pub(super) span: Range<usize>,
}

/// Every binding of the file; a line that begins like one and is none is a problem.
pub(super) fn read<'a>(source: &'a Source, problems: &mut Problems) -> Vec<Binding<'a>> {
    let mut bindings = Vec::new();
    let mut start = 0;
    for full in source.text().split_inclusive('\n') {
        let line = full.strip_suffix('\n').unwrap_or(full);
        let span = start..start + line.len();
        start += full.len();
        let Some(kind) = kind(line) else { continue };
        match parse(line, kind) {
            Ok((name, entity)) => bindings.push(Binding { kind, name, entity, span }),
            Err(fault) => {
                let message = format!("the `{}` line {fault}", kind.keyword());
                let help = format!("a line is exactly `# {}: NAME = Namespace::Type::\"id\"`", kind.keyword());
                problems.push(Problem::invalid(message).at(source, span).help(help));
            }
        }
    }
    bindings
}

/// Which binding a line is, or was meant to be.
fn kind(line: &str) -> Option<Kind> {
    let comment = line.trim_start().strip_prefix('#')?;
    let word = comment.trim_start_matches(['#', ' ', '\t']).to_ascii_lowercase();
    [Kind::User, Kind::Signer].into_iter().find(|kind| word.starts_with(kind.keyword()))
}

fn parse(line: &str, kind: Kind) -> Result<(&str, EntityUid), &'static str> {
    let rest = line.strip_prefix("# ").and_then(|rest| rest.strip_prefix(kind.keyword()));
    let rest = rest.and_then(|rest| rest.strip_prefix(": ")).ok_or("does not begin as it should")?;
    let (name, entity) = rest.split_once(" = ").ok_or("has no ` = ` between the name and the entity")?;
    if !is_name(name) {
        return Err("has no name of visible ASCII characters, without `:`, `=`, `/` and quotes");
    }
    // One entity has one spelling, so that a person who compares lines is not misled.
    let uid = EntityUid::from_str(entity).ok().filter(|uid| uid.to_string() == entity);
    uid.map(|uid| (name, uid)).ok_or("does not end in an entity as Cedar writes it")
}

fn is_name(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b':' | b'=' | b'/' | b'"' | b'\'' | b'\\');
    (1..=255).contains(&name.len()) && name.bytes().all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> (usize, usize) {
        let source = Source::new("trusted_signers", text);
        let mut problems = Problems::new();
        (read(&source, &mut problems).len(), problems.count())
    }

    #[test]
    fn a_line_to_the_letter_is_read() {
        assert_eq!(count("# cutter-user: deploy = Cutter::Agent::\"builder\"\n"), (1, 0));
        assert_eq!(count("# cutter-signer: a@b.c = Cutter::Person::\"a = \\\"b\\\"\""), (1, 0));
    }

    #[test]
    fn a_line_that_is_almost_a_binding_is_a_problem() {
        for line in [
            "#cutter-user: a = T::\"b\"",
            " # cutter-user: a = T::\"b\"",
            "\u{a0}# cutter-user: a = T::\"b\"",
            "## cutter-user: a = T::\"b\"",
            "#  cutter-user: a = T::\"b\"",
            "# Cutter-User: a = T::\"b\"",
            "# cutter-user a = T::\"b\"",
            "# cutter-users: a = T::\"b\"",
            "# cutter-user: a=T::\"b\"",
            "# cutter-user:  = T::\"b\"",
            "# cutter-user: a b = T::\"b\"",
            "# cutter-user: a:0 = T::\"b\"",
            "# cutter-user: a = T::\"b\" ",
            "# cutter-user: a = T::\"b\"\r",
            "# cutter-user: a = T :: \"b\"",
            "# cutter-user: a = T::\"\\x62\"",
            "# cutter-user: a = T::b",
            "# cutter-user: a = b",
            "# cutter-user: a = ",
            "# cutter-user",
            "# cutter-signer",
        ] {
            assert_eq!(count(line), (0, 1), "{line}");
        }
    }

    #[test]
    fn other_comments_and_keys_are_passed_over() {
        assert_eq!(count("# users of cutter\nroot namespaces=\"x\" ssh-ed25519 AAAA # cutter-user: x\n\n#\n"), (0, 0));
    }
}
