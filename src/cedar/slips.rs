//! Slips of the hand in Cedar text, told from the token at which Cedar's parser stops: what is written there in other languages, or
//! one place too early or too late.

use super::tokens::{Token, TokenKind, tokens};
use crate::problem::{Problem, Source};

/// The problem in the words of the slip that it is, where its place shows one.
pub fn of_policies(mut problem: Problem, source: &Source) -> Problem {
    let slip = problem.span.clone().and_then(|at| Stop::at(source.text(), at.start)?.slip());
    match slip {
        Some((message, help)) => {
            problem.message = format!("a policy cannot be read: {message}");
            problem.help(help)
        }
        None if problem.message.contains("number too large") => {
            problem.help("numbers lie between -9223372036854775808 and 9223372036854775807")
        }
        None => problem,
    }
}

/// The same of a schema: a type that other languages have, an action at the place where it is named, a namespace that is not closed.
pub fn of_schema(mut problem: Problem, source: &Source) -> Problem {
    let text = source.text();
    if let Some((_, name)) = problem.message.rsplit_once("failed to resolve type: ") {
        let own = TYPES.iter().find(|(_, others)| others.contains(&name.to_lowercase().as_str()));
        return match own {
            Some((own, _)) => problem.help(format!("did you mean `{own}`?")),
            None => problem,
        };
    }
    if problem.span.is_none()
        && problem.message.contains("undeclared action")
        && let Some(name) = problem.message.split('"').nth(1).map(str::to_owned)
    {
        let is_it = |token: &&Token| token.of(text).trim_matches('"') == name;
        problem.span = tokens(text).iter().find(is_it).map(|token| token.span.clone());
    }
    if problem.message.contains("unexpected end of input")
        && let Some(open) = open_brackets(text, text.len()).last()
    {
        let (line, column) = source.position(open.span.start);
        return problem.help(format!("the `{}` at line {line}, column {column} is not closed", open.of(text)));
    }
    problem
}

/// Where a parser stopped, and what stands around.
struct Stop<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    /// The token in which it stopped.
    index: usize,
    /// Whether it stopped inside the token.
    is_inside: bool,
}

impl<'t> Stop<'t> {
    fn at(text: &'t str, offset: usize) -> Option<Self> {
        let tokens = tokens(text);
        let index = tokens.iter().position(|token| token.span.end > offset)?;
        let is_inside = tokens.get(index)?.span.start < offset;
        Some(Self { text, tokens, index, is_inside })
    }

    /// The token so many places before the stop.
    fn before(&self, back: usize) -> &'t str {
        self.index.checked_sub(back).and_then(|at| self.tokens.get(at)).map_or("", |token| token.of(self.text))
    }

    fn slip(&self) -> Option<(String, String)> {
        let (own, before) = (self.before(0), self.before(1));
        let next = self.tokens.get(self.index + 1).map_or("", |token| token.of(self.text));
        let starts = |word: &str| word.starts_with(|first: char| first.is_ascii_digit());
        let said = |message: String, help: &str| Some((message, help.to_owned()));
        if let Some(number) = match (self.before(2), before, own, next) {
            (whole, ".", part, _) if starts(whole) && starts(part) => Some(format!("{whole}.{part}")),
            (_, _, ".", part) if starts(part) && !starts(before) => Some(format!("0.{part}")),
            _ => None,
        } {
            let help = format!("write a whole number, or `decimal(\"{number}\")` where the type is `decimal`");
            return Some(("Cedar has no numbers with a fraction".to_owned(), help));
        }
        if self.is_inside && starts(own) {
            return said(format!("`{own}` is no number in Cedar"), "write a whole number by its decimal digits alone");
        }
        if let Some((word, sign)) = OPERATORS.iter().find(|(word, _)| *word == own || *word == "not" && before == "not")
        {
            return said(format!("`{word}` is no operator in Cedar"), &format!("write `{sign}`"));
        }
        let is_condition = |word: &str| matches!(word, "when" | "unless");
        match (before, own) {
            (_, "#") => said("`#` begins no comment in Cedar".to_owned(), "comments begin with `//`"),
            (_, "/") if next == "*" => said("`/*` begins no comment in Cedar".to_owned(), "comments begin with `//`"),
            (_, "“" | "”" | "„" | "‘" | "’" | "«" | "»" | "`") => {
                said(format!("`{own}` is no quote in Cedar"), "write `\"`")
            }
            (word, "{") if is_condition(word) && self.before(2) == ";" => {
                said(format!("this `{word}` stands behind the `;` that ends its policy"), "remove the `;` before it")
            }
            (";", word) if is_condition(word) => {
                said(format!("this `{word}` stands behind the `;` that ends its policy"), "remove the `;` before it")
            }
            (word, "{") | (_, word) if is_condition(word) && !self.has_effect() => said(
                format!("this `{word}` stands before the `permit` or `forbid` of its policy"),
                &format!("conditions follow the scope: `forbid (principal, action, resource) {word} {{ ... }};`"),
            ),
            (word, _) if is_condition(word) && own != "{" => said(
                format!("expected `{{` after `{word}`"),
                &format!("a condition stands in braces: `{word} {{ ... }}`"),
            ),
            ("(", name) if self.before(3) == "@" => {
                let key = self.before(2);
                said(format!("the value of `@{key}` is no string"), &format!("write `@{key}(\"{name}\")`"))
            }
            (word, "action" | "resource") if !matches!(word, "," | "(") && !self.is_in_condition() => {
                said(format!("expected `,` before this `{own}`"), "a scope is `(principal, action, resource)`")
            }
            (_, "}" | ")" | "]" | ";") if self.lacks_else() => {
                said(format!("expected `else` before this `{own}`"), "`if A then B else C` has all three")
            }
            (_, "}" | ")" | "]") if open_brackets(self.text, self.start()).is_empty() => {
                said(format!("this `{own}` closes nothing"), "remove it")
            }
            _ => None,
        }
    }

    fn start(&self) -> usize {
        self.tokens.get(self.index).map_or(0, |token| token.span.start)
    }

    /// The words of the statement before the stop, the nearest first.
    fn words(&self) -> impl Iterator<Item = &'t str> {
        let before = self.tokens.get(..self.index).unwrap_or_default();
        before.iter().rev().map(|token| token.of(self.text)).take_while(|word| *word != ";")
    }

    fn has_effect(&self) -> bool {
        self.words().any(|word| matches!(word, "permit" | "forbid"))
    }

    fn is_in_condition(&self) -> bool {
        self.words().any(|word| matches!(word, "when" | "unless")) || !self.has_effect()
    }

    fn lacks_else(&self) -> bool {
        let count = |wanted: &str| self.words().filter(|word| *word == wanted).count();
        count("then") > count("else")
    }
}

/// The brackets that are open at a place, the innermost last.
fn open_brackets(text: &str, end: usize) -> Vec<Token> {
    let mut open = Vec::new();
    for token in tokens(text).into_iter().filter(|token| token.kind == TokenKind::Sign && token.span.start < end) {
        match token.of(text) {
            "(" | "{" | "[" => open.push(token),
            ")" | "}" | "]" => drop(open.pop()),
            _ => {}
        }
    }
    open
}

/// Operators of other languages, and what Cedar writes.
const OPERATORS: [(&str, &str); 5] = [("and", "&&"), ("or", "||"), ("not", "!"), ("&", "&&"), ("|", "||")];

/// Cedar's types, and what others call them.
const TYPES: [(&str, &[&str]); 7] = [
    ("Long", &["int", "integer", "number", "i64", "int64", "long", "uint"]),
    ("String", &["string", "str", "text"]),
    ("Bool", &["bool", "boolean"]),
    ("decimal", &["float", "double", "decimal", "numeric"]),
    ("datetime", &["date", "datetime", "timestamp", "time", "instant"]),
    ("duration", &["duration", "interval"]),
    ("ipaddr", &["ip", "ipaddr", "ipaddress", "inet"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<(String, String)> {
        let stop = text.find('§').unwrap();
        Stop::at(&text.replace('§', ""), stop).unwrap().slip()
    }

    #[test]
    fn what_is_right_is_no_slip() {
        for text in ["permit (principal, §action, resource);", "permit (principal, action, resource) §when { true };"]
        {
            assert_eq!(said(text), None, "{text}");
        }
    }

    #[test]
    fn the_slip_is_told_from_what_stands_around() {
        for (text, message) in [
            ("permit (principal §action, resource);", "expected `,` before this `action`"),
            (
                "permit (principal, action, resource); unless §{ true };",
                "this `unless` stands behind the `;` that ends its policy",
            ),
            (
                "@a(\"b\") §unless { true } permit (",
                "this `unless` stands before the `permit` or `forbid` of its policy",
            ),
            ("permit (principal, action, resource) when { 1 < 0x§10 };", "`0x10` is no number in Cedar"),
            ("permit (principal, action, resource) when { true }§};", "this `}` closes nothing"),
        ] {
            assert_eq!(said(text).unwrap().0, message, "{text}");
        }
    }
}
