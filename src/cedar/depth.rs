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
    let (mut ifs, mut sets, mut operators) = (0_usize, 0_usize, 0_usize);
    let mut reach = vec![Reach::default()];
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
                (ifs, sets) = if word == ";" { (0, 0) } else { (ifs, sets) };
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
            // A schema's set of sets.
            (TokenKind::Sign, "<") if before.is_some_and(|(word, _)| word == "Set") => sets += 1,
            (TokenKind::Sign, ">") => sets = sets.saturating_sub(1),
            _ => {}
        }
        let is_operator = match (token.kind, word) {
            (TokenKind::Sign, "|" | "&") => is_pair,
            (TokenKind::Sign, "+" | "-" | "*") => true,
            // The conditions of a policy are joined.
            (TokenKind::Word, "when" | "unless") => chains.len() == 1,
            _ => false,
        };
        Reach::see(&mut reach, token.kind, word, is_operator);
        let deepest = reach.last().map_or(0, Reach::all);
        before = Some((word, token.span.end));
        let brackets = chains.len() - 1;
        if brackets + ifs + sets > DEEPEST {
            return Err(Problem::invalid(format!("`{}` is nested more than {DEEPEST} levels deep", source.name()))
                .at(source, token.span)
                .help("it is too deep to review; write it as several policies"));
        }
        if operators > LONGEST || deepest > LONGEST + DEEPEST {
            let message = format!("`{}` joins more than {LONGEST} expressions in one", source.name());
            return Err(Problem::invalid(message).at(source, token.span).help(
                "it is too long to be evaluated; compare with a set, `[...].contains(x)`, or write several policies",
            ));
        }
    }
    Ok(())
}

/// How deep what was read lies below what is to come: an operator puts all that stands to its left, whatever brackets it was in, one
/// deeper.
#[derive(Clone, Copy, Default)]
struct Reach {
    /// What stands before the last operator.
    left: usize,
    /// What stands behind it.
    right: usize,
    /// The deepest of what commas part from this.
    beside: usize,
}

impl Reach {
    fn all(&self) -> usize {
        self.left.max(self.right).max(self.beside)
    }

    /// Takes in one token; there is a reach of each open bracket, and of the text itself.
    fn see(open: &mut Vec<Self>, kind: TokenKind, word: &str, is_operator: bool) {
        let Some(last) = open.last_mut() else { return };
        match (kind, word) {
            _ if is_operator => (last.left, last.right) = (last.left.max(last.right) + 1, 0),
            (TokenKind::Sign, ".") => last.right += 1,
            (TokenKind::Sign, ";") => *last = Self::default(),
            (TokenKind::Sign, ",") => *last = Self { beside: last.all(), ..Self::default() },
            (TokenKind::Sign, "(" | "[" | "{") => open.push(Self::default()),
            (TokenKind::Sign, ")" | "]" | "}") if open.len() > 1 => {
                let closed = open.pop().map_or(0, |closed| closed.all());
                open.last_mut().into_iter().for_each(|last| last.right = last.right.max(closed));
            }
            _ => {}
        }
    }
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
        for (open, close) in [("(", ")"), ("[", "]"), ("{a:", "}"), ("if a then ", " else b"), ("Set<", ">")] {
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
    fn chains_in_brackets_and_conditions_of_one_policy_add_up() {
        // What stands in a chain may itself be a little deep.
        let most = LONGEST + DEEPEST;
        // Each chain stands in brackets before the next.
        let chained = |levels: usize, times: usize| {
            let join = |at: usize| [" || a", " && a"][at % 2].repeat(times);
            let text = (0..levels).fold("a".to_owned(), |inner, at| format!("({inner}{})", join(at)));
            check(&Source::new("x.cedar", text))
        };
        assert!(chained(4, most / 4).is_ok());
        assert!(chained(4, most / 4 + 1).is_err());
        let conditions = |times: usize| {
            check(&Source::new("x", format!("permit (p, a, r) {};", "when { a } unless { b }".repeat(times))))
        };
        assert!(conditions(most / 2).is_ok());
        assert!(conditions(most / 2 + 1).is_err());
        let arguments = vec![vec!["a"; LONGEST].join(" || "); 9].join(", ");
        assert!(check(&Source::new("x", format!("[{arguments}]; [{arguments}]"))).is_ok());
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
