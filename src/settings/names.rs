//! Names of relations and functions as the configuration writes them: `schema.name`, quoted where that is not clear.

/// Schema and name of what is written `schema.name`; each may stand in double quotes, as SQL writes it.
pub fn split_name(text: &str) -> Option<(String, String)> {
    let (schema, rest) = match text.strip_prefix('"') {
        Some(quoted) => {
            let end = closing_quote(quoted)?;
            let rest = quoted.get(end + 1..)?.strip_prefix('.')?;
            (quoted.get(..end)?.replace("\"\"", "\""), rest)
        }
        None => text.split_once('.').map(|(schema, rest)| (schema.to_owned(), rest))?,
    };
    let name = match rest.strip_prefix('"') {
        Some(quoted) if closing_quote(quoted).is_some_and(|end| end + 1 == quoted.len()) => {
            quoted.strip_suffix('"')?.replace("\"\"", "\"")
        }
        _ => rest.to_owned(),
    };
    (!schema.is_empty() && !name.is_empty()).then_some((schema, name))
}

/// The name of a relation as [`split_name`] reads it.
pub fn join_name(schema: &str, name: &str) -> String {
    let joined = format!("{schema}.{name}");
    if split_name(&joined).is_some_and(|(a, b)| a == schema && b == name) {
        return joined;
    }
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    format!("{}.{}", quoted(schema), quoted(name))
}

/// Whether a name or a wildcard means this relation.
pub fn matches(pattern: &str, schema: &str, name: &str) -> bool {
    pattern == "*" || split_name(pattern).is_some_and(|(of, which)| of == schema && (which == "*" || which == name))
}

/// Whether a name stands for several relations.
pub fn is_wildcard(pattern: &str) -> bool {
    pattern == "*" || split_name(pattern).is_some_and(|(_, name)| name == "*")
}

/// Where a quoted name ends: at a quote that is not doubled.
fn closing_quote(text: &str) -> Option<usize> {
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        if letter == '"' && letters.next_if(|(_, next)| *next == '"').is_none() {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_dots_and_quotes_are_read_and_written() {
        for (text, schema, name) in [
            ("public.t", "public", "t"),
            ("public.a.b", "public", "a.b"),
            ("public.odd \"name", "public", "odd \"name"),
            ("\"my.schema\".t", "my.schema", "t"),
            ("\"a\"\"b.c\".\"d.e\"", "a\"b.c", "d.e"),
        ] {
            assert_eq!(split_name(text), Some((schema.to_owned(), name.to_owned())), "{text}");
            assert_eq!(split_name(&join_name(schema, name)), Some((schema.to_owned(), name.to_owned())), "{text}");
        }
        for text in ["t", ".t", "a.", "\"a.t", "\"a\"t", "\"\".t"] {
            assert_eq!(split_name(text), None, "{text}");
        }
    }

    #[test]
    fn a_wildcard_means_a_schema_or_everything() {
        assert!(matches("public.*", "public", "t") && matches("*", "any", "t") && matches("public.t", "public", "t"));
        assert!(!matches("public.*", "other", "t") && !matches("public.t", "public", "u"));
    }
}
