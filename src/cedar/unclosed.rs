//! What was opened and not closed in Cedar text: a bracket, a string, a statement without `;`. Cedar's parser reports the
//! first token that does not fit, which often belongs to the next, innocent statement; this names the guilty one.

use super::tokens::{Token, TokenKind, tokens};
use crate::problem::{Problem, Source};

/// Which statements a text is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Statements {
    /// `permit` and `forbid`, with annotations before them.
    Policies,
    /// `entity`, `action` and `type`, in a namespace.
    Declarations,
}

/// Each bracket, string and statement that is not closed, in the order of the text, with the offset where its statement begins.
pub fn unclosed(source: &Source, statements: Statements) -> Vec<(usize, Problem)> {
    let tokens = tokens(source.text());
    let mut walk = Walk { source, statements, open: Vec::new(), start: None, last: 0, found: Vec::new() };
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::OpenText | TokenKind::Text
                if token.kind == TokenKind::OpenText || is_turned_round(source.text(), token) =>
            {
                let start = walk.start.unwrap_or(token.span.start);
                walk.found.push((start, walk.open_text(&tokens)));
                return walk.found;
            }
            TokenKind::Word | TokenKind::Sign if walk.begins(&tokens, index) => walk.begin(token),
            TokenKind::Word if walk.is_condition(&tokens, index) => walk.condition(token),
            TokenKind::Sign => walk.sign(token),
            _ => {}
        }
        walk.last = token.span.end;
    }
    walk.end();
    walk.found
}

struct Walk<'a> {
    source: &'a Source,
    statements: Statements,
    /// The open brackets, that of the namespace left out.
    open: Vec<Token>,
    /// Where the statement begins that is not finished.
    start: Option<usize>,
    /// Where the last token ends.
    last: usize,
    found: Vec<(usize, Problem)>,
}

impl Walk<'_> {
    /// Whether a statement can only begin here.
    fn begins(&self, tokens: &[Token], index: usize) -> bool {
        let text = self.source.text();
        let word = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map_or("", |token| token.of(text));
        let (own, next, before) = (word(Some(index)), word(Some(index + 1)), word(index.checked_sub(1)));
        let is_name =
            |word: &str| word.starts_with(|first: char| first.is_alphabetic() || first == '_' || first == '"');
        match self.statements {
            // An annotation after another belongs to the same policy, and so does the policy's own first word.
            Statements::Policies if own == "@" => is_name(next) && !self.is_annotated(tokens, index),
            Statements::Policies => {
                (own == "permit" || own == "forbid")
                    && next == "("
                    && before != "."
                    && !self.is_annotated(tokens, index)
            }
            Statements::Declarations => {
                let is_member = matches!(before, "," | "{" | "[") && self.start.is_some();
                matches!(own, "entity" | "action" | "type") && is_name(next) && !is_member
            }
        }
    }

    /// Whether what stands before a token is an annotation: `@name("...")` or `@name`.
    fn is_annotated(&self, tokens: &[Token], index: usize) -> bool {
        let word = |back: usize| {
            index.checked_sub(back).and_then(|at| tokens.get(at)).map_or("", |token| token.of(self.source.text()))
        };
        word(2) == "@" || word(1) == ")" && word(3) == "(" && word(5) == "@"
    }

    /// Whether a condition of a policy begins here, which stands in no bracket.
    fn is_condition(&self, tokens: &[Token], index: usize) -> bool {
        let text = self.source.text();
        let word = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map_or("", |token| token.of(text));
        self.statements == Statements::Policies
            && matches!(word(Some(index)), "when" | "unless")
            && word(Some(index + 1)) == "{"
            && word(index.checked_sub(1)) != "."
    }

    fn condition(&mut self, token: &Token) {
        let (Some(bracket), Some(start)) = (self.open.pop(), self.start) else { return };
        self.open.clear();
        let (own, opened) = (token.of(self.source.text()), bracket.of(self.source.text()));
        let message = format!("expected `{}` before this `{own}`", closing(opened));
        let help = format!("the `{opened}` {} is not closed", self.place(bracket.span.start));
        self.found.push((start, Problem::invalid(message).at(self.source, token.span.clone()).help(help)));
    }

    fn begin(&mut self, token: &Token) {
        // What has neither `permit` nor `forbid` lacks more than its end.
        let is_own = |text: &str| {
            let words = tokens(text);
            self.statements == Statements::Declarations
                || words.iter().any(|word| matches!(word.of(text), "permit" | "forbid"))
        };
        if let Some(start) = self.start.filter(|start| self.source.text().get(*start..self.last).is_some_and(is_own)) {
            self.close(start);
        }
        self.start = Some(token.span.start);
    }

    fn end(&mut self) {
        if let Some(start) = self.start {
            self.close(start);
        }
    }

    /// Says what the statement that begins at `start` lacks at its end.
    fn close(&mut self, start: usize) {
        let innermost = self.open.pop();
        self.open.clear();
        let (sign, help) = match &innermost {
            Some(bracket) => {
                let own = bracket.of(self.source.text());
                (closing(own), format!("the `{own}` {} is not closed", self.place(bracket.span.start)))
            }
            None => (";", "each ends with `;`".to_owned()),
        };
        let noun = match self.statements {
            Statements::Policies => "policy",
            Statements::Declarations => "declaration",
        };
        let (line, _) = self.source.position(start);
        let message = format!("expected `{sign}` at the end of the {noun} that begins at line {line}");
        let at = self.last.saturating_sub(1)..self.last;
        self.found.push((start, Problem::invalid(message).at(self.source, at).help(help)));
        self.start = None;
    }

    fn sign(&mut self, token: &Token) {
        // A namespace is open as long as the file.
        let Some(start) = self.start else { return };
        let own = token.of(self.source.text());
        match own {
            "(" | "{" | "[" => self.open.push(token.clone()),
            ")" | "}" | "]" => match self.open.pop() {
                Some(bracket) if closing(bracket.of(self.source.text())) == own => {}
                Some(bracket) => {
                    let opened = bracket.of(self.source.text());
                    let message = format!("expected `{}` before this `{own}`", closing(opened));
                    let help = format!("the `{opened}` {} is not closed", self.place(bracket.span.start));
                    self.found.push((start, Problem::invalid(message).at(self.source, token.span.clone()).help(help)));
                    // The rest of this statement would only repeat it.
                    self.open.clear();
                    self.start = None;
                }
                // The namespace ends inside a declaration.
                None if self.statements == Statements::Declarations => self.end(),
                None => {}
            },
            ";" if self.open.is_empty() => self.start = None,
            _ => {}
        }
    }

    /// The string that was left open: the first that goes on past its line, since all later quotes are turned round.
    fn open_text(&self, tokens: &[Token]) -> Problem {
        let text = self.source.text();
        let is_text = |token: &&Token| matches!(token.kind, TokenKind::Text | TokenKind::OpenText);
        let guilty = tokens.iter().filter(is_text).find(|token| token.of(text).contains('\n'));
        let guilty = guilty.or_else(|| tokens.iter().rfind(is_text));
        let start = guilty.map_or(0, |token| token.span.start);
        let end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |length| start + length);
        Problem::invalid("a string is not closed on its line").at(self.source, start..end).help("end it with `\"`")
    }

    fn place(&self, offset: usize) -> String {
        let (line, column) = self.source.position(offset);
        format!("at line {line}, column {column}")
    }
}

/// Whether a string leaves its line and ends where another begins: then an earlier one was left open.
fn is_turned_round(text: &str, token: &Token) -> bool {
    let next = text.get(token.span.end..).and_then(|rest| rest.chars().next());
    token.of(text).contains('\n') && next.is_some_and(|next| next.is_alphanumeric() || next == '_')
}

fn closing(open: &str) -> &'static str {
    match open {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, statements: Statements) -> Vec<String> {
        let source = Source::new("x", text);
        let place = |problem: &Problem| source.position(problem.span.clone().unwrap_or_default().start);
        unclosed(&source, statements).iter().map(|(_, p)| format!("{:?} {}", place(p), p.message)).collect()
    }

    #[test]
    fn well_formed_policies_and_declarations_have_nothing_unclosed() {
        for text in [
            "@id(\"a\") @tier(\"b\")\npermit (principal, action, resource) when { context.permit(1) } unless { true };",
            "permit(principal,action,resource);forbid(principal,action,resource);// permit (\n",
        ] {
            assert_eq!(said(text, Statements::Policies), Vec::<String>::new(), "{text}");
        }
        let schema = "namespace N {\n  type T = { type: String, entity?: Long };\n  @doc(\"x\")\n  entity A, B in [C] = { a: Set<T> };\n  \
                      action \"x y\", b appliesTo { principal: A, resource: [A], context: { } };\n}\n";
        assert_eq!(said(schema, Statements::Declarations), Vec::<String>::new());
    }

    #[test]
    fn the_statement_that_is_not_closed_is_named_and_not_the_next() {
        let next = "\n@id(\"b\")\nforbid (principal, action, resource);";
        for (text, message) in [
            (
                "permit (principal, action, resource)",
                "(1, 36) expected `;` at the end of the policy that begins at line 1",
            ),
            (
                "\npermit (principal, action, resource;",
                "(2, 36) expected `)` at the end of the policy that begins at line 2",
            ),
            (
                "permit (principal, action, resource)\nwhen { [1].contains(1);",
                "(2, 23) expected `}` at the end of the policy that begins at line 1",
            ),
            ("permit (principal, action, resource\nwhen { true };", "(2, 1) expected `)` before this `when`"),
            (
                "permit (principal, action, resource) when { context.when\nunless { true };",
                "(2, 1) expected `}` before this `unless`",
            ),
            ("permit (principal, action, resource) when { (true };", "(1, 51) expected `)` before this `}`"),
        ] {
            assert_eq!(said(&format!("{text}{next}"), Statements::Policies), [message], "{text}");
        }
        let schema = "namespace N {\n  entity A\n  entity B = { a: Long;\n  action c;\n}\n";
        assert_eq!(
            said(schema, Statements::Declarations),
            [
                "(2, 10) expected `;` at the end of the declaration that begins at line 2",
                "(3, 23) expected `}` at the end of the declaration that begins at line 3",
            ]
        );
    }

    #[test]
    fn an_open_string_is_the_one_that_leaves_its_line() {
        let text = "@id(\"a)\npermit (principal, action, resource) when { context.x == \"y\" };";
        assert_eq!(said(text, Statements::Policies), ["(1, 5) a string is not closed on its line"]);
        let twice = "@id(\"a)\n@tier(\"b)\npermit (principal, action, resource);";
        assert_eq!(said(twice, Statements::Policies), ["(1, 5) a string is not closed on its line"]);
    }
}
