//! What a rule of the review is: a number, a name, how grave it is, and its documentation. The text shown to users is
//! the doc comment of the rule's own file.

/// How grave a finding is.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Worth knowing; fails nothing.
    Note,
    /// A weakness to fix or to allow by a comment.
    #[default]
    Warning,
    /// An opening, or an input that is not valid.
    Error,
}

impl Severity {
    /// The severity as people and scripts see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One rule of the catalogue.
#[derive(PartialEq, Eq, Debug)]
pub struct Rule {
    /// A letter for the part of the review and a number that is never given away again: `L01`.
    pub number: &'static str,
    /// Kebab-case; also the name of its file and its anchor.
    pub name: &'static str,
    /// How grave its findings are.
    pub severity: Severity,
    /// The Rust file whose leading doc comment is the documentation.
    pub(crate) source: &'static str,
}

impl Rule {
    /// The documentation: one sentence, then what it finds, why it matters, and an example of each outcome.
    pub fn documentation(&self) -> String {
        let lines = self.source.lines().map_while(|line| line.strip_prefix("//!"));
        let mut text: String = lines.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect();
        text.truncate(text.trim_end().len());
        text
    }

    /// The first paragraph of the documentation on one line.
    pub fn summary(&self) -> String {
        let text = self.documentation();
        let first = text.split("\n\n").next().unwrap_or_default();
        first.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// A rule whose documentation is the doc comment of `$file`.
macro_rules! rule {
    ($number:literal, $name:literal, $severity:ident, $file:literal) => {
        $crate::findings::rule::Rule {
            number: $number,
            name: $name,
            severity: $crate::findings::rule::Severity::$severity,
            source: include_str!($file),
        }
    };
}
pub(crate) use rule;
