//! Cedar text that is nested deeper than its parser, which calls itself for each level, has room for: a process must not die of an
//! input.

use super::tokens::{TokenKind, tokens};
use crate::problem::{Problem, Source};

/// Refuses text in which brackets, `if`s or chains of operators are nested too deep, at the place where they are; and text that
/// begins with a mark that nobody sees.
///
/// A chain is nested, too: `a || b || c` is `(a || b) || c`. What is let through can be evaluated, so that a review and a decision
/// agree about what can be.
pub fn check(source: &Source) -> Result<(), Problem> {
    let text = source.text();
    if text.starts_with('\u{feff}') {
        let message = format!("`{}` begins with a byte order mark", source.name());
        return Err(Problem::invalid(message)
            .at(source, 0..0)
            .help("save it as UTF-8 without one, or run `cutter review --fix`"));
    }
    // Of each open bracket, and of the text itself: the operators of the chain so far, and those of it that are dots.
    let mut chains: Vec<(usize, usize)> = vec![(0, 0)];
    let (mut ifs, mut operators) = (0_usize, 0_usize);
    let mut before: Option<(&str, usize)> = None;
    for token in tokens(text) {
        let word = token.of(text);
        let is_pair = before == Some((word, token.span.start));
        let mut chain = chains.last().copied().unwrap_or_default();
        match (token.kind, word) {
            (TokenKind::Sign, "(" | "[" | "{") => chains.push((0, 0)),
            (TokenKind::Sign, ")" | "]" | "}") if chains.len() > 1 => {
                operators -= chain.0.max(chain.1).min(operators);
                chains.pop();
            }
            // One too many: the parser says so.
            (TokenKind::Sign, ")" | "]" | "}") => {}
            (TokenKind::Sign, ";" | ",") => {
                operators -= chain.0.max(chain.1).min(operators);
                chain = (0, 0);
                ifs = if word == ";" { 0 } else { ifs };
                chains.last_mut().into_iter().for_each(|last| *last = chain);
            }
            (TokenKind::Sign, "|" | "&") if !is_pair => {}
            (TokenKind::Sign, "|" | "&" | "+" | "-" | "*") => {
                let was = chain.0.max(chain.1);
                chain = (chain.0 + 1, 0);
                operators = (operators + chain.0).saturating_sub(was);
                chains.last_mut().into_iter().for_each(|last| *last = chain);
            }
            (TokenKind::Sign, ".") => {
                let was = chain.0.max(chain.1);
                chain.1 += 1;
                operators = operators + chain.0.max(chain.1) - was;
                chains.last_mut().into_iter().for_each(|last| *last = chain);
            }
            (TokenKind::Word, "if") => ifs += 1,
            _ => {}
        }
        before = Some((word, token.span.end));
        let brackets = chains.len() - 1;
        if brackets + ifs > DEEPEST {
            return Err(Problem::invalid(format!("`{}` is nested more than {DEEPEST} levels deep", source.name()))
                .at(source, token.span)
                .help("nobody can review that; write it as several policies"));
        }
        if operators > LONGEST {
            let message = format!("`{}` joins more than {LONGEST} expressions in one", source.name());
            return Err(Problem::invalid(message).at(source, token.span).help(
                "it is too long to be evaluated; compare with a set, `[...].contains(x)`, or write several policies",
            ));
        }
    }
    Ok(())
}

/// Measured: 570 nested parentheses exhaust the 8 MiB stack of a main thread, and review works on threads of 2 MiB.
const DEEPEST: usize = 100;
/// Measured: a chain of 2,000 `||` cannot be evaluated on a main thread, one of 1,000 not be compiled for a proof.
const LONGEST: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(open: &str, inner: &str, close: &str, times: usize) -> Source {
        Source::new("x.cedar", format!("{}{inner}{}", open.repeat(times), close.repeat(times)))
    }

    #[test]
    fn brackets_and_ifs_are_counted_and_text_and_comments_are_not() {
        for (open, close) in [("(", ")"), ("[", "]"), ("{a:", "}"), ("if a then ", " else b")] {
            assert!(check(&nested(open, "1", close, DEEPEST)).is_ok(), "{open}");
            assert!(check(&nested(open, "1", close, DEEPEST + 1)).is_err(), "{open}");
        }
        assert!(check(&Source::new("x", format!("\"{}\" // {}", "(".repeat(999), "(".repeat(999)))).is_ok());
        assert!(check(&Source::new("x", "(a);".repeat(999) + &"if a then b else c; ".repeat(999))).is_ok());
    }

    #[test]
    fn a_chain_of_operators_is_as_long_as_the_longest_way_through_it() {
        let chain = |join: &str, times: usize| Source::new("x.cedar", vec!["a.b.c == 1"; times + 1].join(join));
        for join in [" || ", " && ", " + ", " - "] {
            assert!(check(&chain(join, LONGEST)).is_ok(), "{join}");
            assert!(check(&chain(join, LONGEST + 1)).is_err(), "{join}");
        }
        assert!(check(&chain(", ", 9_999)).is_ok());
        assert!(check(&chain(") || (", 9_999)).is_err());
        assert!(check(&Source::new("x", format!("a{}", ".b".repeat(LONGEST + 1)))).is_err());
        assert!(check(&chain("; ", 9_999)).is_ok());
    }

    #[test]
    fn a_byte_order_mark_is_named() {
        let problem = check(&Source::new("x.cedar", "\u{feff}permit (principal, action, resource);")).unwrap_err();
        assert!(problem.message.contains("byte order mark"), "{}", problem.message);
    }

    #[test]
    fn the_place_is_where_it_becomes_too_deep() {
        let problem = check(&nested("(", "1", ")", 50_000)).unwrap_err();
        assert_eq!(problem.span, Some(DEEPEST..DEEPEST + 1));
    }
}
