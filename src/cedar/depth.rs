//! Cedar text that is nested deeper than its parser, which calls itself for each level, has room for: a process must not die of an
//! input.

use super::tokens::{TokenKind, tokens};
use crate::problem::{Problem, Source};

/// Refuses text in which brackets or `if`s are nested too deep, at the place where they are.
pub fn check(source: &Source) -> Result<(), Problem> {
    let text = source.text();
    let (mut brackets, mut ifs) = (0_usize, 0_usize);
    for token in tokens(text) {
        match (token.kind, token.of(text)) {
            (TokenKind::Sign, "(" | "[" | "{") => brackets += 1,
            (TokenKind::Sign, ")" | "]" | "}") => brackets = brackets.saturating_sub(1),
            (TokenKind::Sign, ";") => ifs = 0,
            (TokenKind::Word, "if") => ifs += 1,
            _ => {}
        }
        if brackets + ifs > DEEPEST {
            return Err(Problem::invalid(format!("`{}` is nested more than {DEEPEST} levels deep", source.name()))
                .at(source, token.span)
                .help("nobody can review that; write it as several policies"));
        }
    }
    Ok(())
}

/// Measured: 570 nested parentheses exhaust the 8 MiB stack of a main thread, and review works on threads of 2 MiB.
const DEEPEST: usize = 100;

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
    fn the_place_is_where_it_becomes_too_deep() {
        let problem = check(&nested("(", "1", ")", 50_000)).unwrap_err();
        assert_eq!(problem.span, Some(DEEPEST..DEEPEST + 1));
    }
}
