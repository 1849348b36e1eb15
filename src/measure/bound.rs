//! What of a query is bound: `$run` and `$target` become parameters, wherever they are no part of a text, name or comment.

/// What can be bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parameter {
    /// The run's id, as text.
    Run,
    /// The plan's target, as `jsonb`.
    Target,
}

/// The query as the server takes it, and its parameters in their order.
pub fn bound(query: &str) -> (String, Vec<Parameter>) {
    let (mut text, mut parameters) = (String::new(), Vec::new());
    let mut rest = query;
    while let Some(letter) = rest.chars().next() {
        let length = match skipped(rest) {
            Some(length) => length,
            None => {
                let found = [("$run", Parameter::Run, "::text"), ("$target", Parameter::Target, "::text::jsonb")];
                let found = found.into_iter().find(|(name, ..)| {
                    let after = rest.strip_prefix(name).map(|after| after.chars().next());
                    after.is_some_and(|next| next.is_none_or(|next| !is_word(next)))
                });
                if let Some((name, parameter, cast)) = found {
                    let known = parameters.iter().position(|known| *known == parameter);
                    let number = known.unwrap_or_else(|| {
                        parameters.push(parameter);
                        parameters.len() - 1
                    });
                    text.push_str(&format!("(${}{cast})", number + 1));
                    rest = rest.get(name.len()..).unwrap_or_default();
                    continue;
                }
                // A word as a whole, so that what stands within one is no parameter.
                let word = rest.find(|letter: char| !is_word(letter) && letter != '$').unwrap_or(rest.len());
                word.max(letter.len_utf8())
            }
        };
        let (taken, left) = rest.split_at_checked(length).unwrap_or((rest, ""));
        text.push_str(taken);
        rest = left;
    }
    (text, parameters)
}

/// How long the text, quoted name, comment or dollar-quoted text is that begins here.
fn skipped(rest: &str) -> Option<usize> {
    let until = |open: usize, close: &str| {
        let end = rest.get(open..).and_then(|inner| inner.find(close));
        Some(end.map_or(rest.len(), |at| open + at + close.len()))
    };
    if rest.starts_with("E'") || rest.starts_with("e'") {
        let mut letters = rest.char_indices().skip(2);
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' => drop(letters.next()),
                '\'' => return Some(at + 1),
                _ => {}
            }
        }
        return Some(rest.len());
    }
    match rest.chars().next() {
        Some('\'') => until(1, "'"),
        Some('"') => until(1, "\""),
        Some('-') if rest.starts_with("--") => until(2, "\n"),
        Some('/') if rest.starts_with("/*") => until(2, "*/"),
        Some('$') => {
            let tag = rest.get(1..)?.split_once('$')?.0;
            let is_tag = tag.chars().all(is_word) && !tag.starts_with(|letter: char| letter.is_ascii_digit());
            let quote = format!("${tag}$");
            let closed = || rest.get(quote.len()..).is_some_and(|inner| inner.contains(&quote));
            if is_tag && closed() { until(quote.len(), &quote) } else { None }
        }
        _ => None,
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use Parameter::{Run, Target};

    #[test]
    fn run_and_target_are_bound_where_they_are_words_of_the_query() {
        let cases: [(&str, &str, &[Parameter]); 9] = [
            ("SELECT $run, $run", "SELECT ($1::text), ($1::text)", &[Run]),
            ("SELECT $target->>'a', $run", "SELECT ($1::text::jsonb)->>'a', ($2::text)", &[Target, Run]),
            ("SELECT '$run', E'\\'$run', \"$run\"", "SELECT '$run', E'\\'$run', \"$run\"", &[]),
            ("SELECT 'it''s $run' -- $run\n, $run", "SELECT 'it''s $run' -- $run\n, ($1::text)", &[Run]),
            ("SELECT $$ $run $$, $a$ $run $a$ /* $run */", "SELECT $$ $run $$, $a$ $run $a$ /* $run */", &[]),
            ("SELECT $runs, a$run, $1", "SELECT $runs, a$run, $1", &[]),
            ("SELECT $run||$target", "SELECT ($1::text)||($2::text::jsonb)", &[Run, Target]),
            ("SELECT 'open $run", "SELECT 'open $run", &[]),
            ("SELECT 'é' || $run", "SELECT 'é' || ($1::text)", &[Run]),
        ];
        for (query, text, parameters) in cases {
            assert_eq!(bound(query), (text.to_owned(), parameters.to_vec()), "{query}");
        }
    }
}
