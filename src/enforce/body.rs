//! A guard at the beginning of a function's body: put in and taken out again without a letter of the rest changed.

/// The languages of functions whose bodies are known well enough.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// `plpgsql`: one block, which becomes a statement of another.
    Plpgsql,
    /// `sql`: statements one after the other.
    Sql,
}

impl Language {
    /// The language of this name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "plpgsql" => Some(Self::Plpgsql),
            "sql" => Some(Self::Sql),
            _ => None,
        }
    }
}

/// The body with a call before anything else of it.
pub fn guarded(language: Language, body: &str, call: &str) -> String {
    match language {
        Language::Sql => format!("{}{body}", first(language, call)),
        Language::Plpgsql => {
            let (options, block) = options(body);
            let end = if ends_with_semicolon(block) { END } else { END_WITH_SEMICOLON };
            format!("{options}{}{block}{end}", first(language, call))
        }
    }
}

/// The body without that call; nothing where it does not begin with it.
pub fn bare(language: Language, body: &str, call: &str) -> Option<String> {
    let found = match language {
        Language::Sql => body.strip_prefix(&first(language, call))?.to_owned(),
        Language::Plpgsql => {
            let (options, block) = options(body);
            let block = block.strip_prefix(&first(language, call))?;
            let block = block.strip_suffix(END_WITH_SEMICOLON).or_else(|| block.strip_suffix(END))?;
            format!("{options}{block}")
        }
    };
    (guarded(language, &found, call) == body).then_some(found)
}

fn first(language: Language, call: &str) -> String {
    match language {
        Language::Sql => format!("SELECT {call}; -- cutter's guard\n"),
        Language::Plpgsql => format!("BEGIN PERFORM {call}; -- cutter's guard\n"),
    }
}

/// Lines like `#variable_conflict error`, which stand before the outermost block, and that block.
fn options(body: &str) -> (&str, &str) {
    let (mut end, mut at) = (0, 0);
    for line in body.split_inclusive('\n') {
        at += line.len();
        match line.trim_start() {
            "" => {}
            option if option.starts_with('#') && option.ends_with('\n') => end = at,
            _ => break,
        }
    }
    body.split_at_checked(end).unwrap_or(("", body))
}

/// Whether the last letter that means anything is a semicolon: comments mean nothing, and one in a text is none.
fn ends_with_semicolon(sql: &str) -> bool {
    let (mut rest, mut before, mut last) = (sql, ' ', ' ');
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment(rest),
            '\'' => quoted(rest, '\'', matches!(before, 'e' | 'E')),
            '"' => quoted(rest, '"', false),
            '$' if !(before.is_alphanumeric() || before == '_') => dollars(rest),
            _ => letter.len_utf8(),
        };
        let means = !letter.is_whitespace() && !rest.starts_with("--") && !rest.starts_with("/*");
        let (taken, left) = rest.split_at_checked(length).unwrap_or((rest, ""));
        before = taken.chars().next_back().unwrap_or(' ');
        if means {
            last = if taken.len() > letter.len_utf8() { '\'' } else { letter };
        }
        rest = left;
    }
    last == ';'
}

/// How long a comment is, with those in it.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth.saturating_sub(1), at + 2);
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// How long a text or name in quotes is; a doubled quote begins another one right after it.
fn quoted(text: &str, quote: char, has_escapes: bool) -> usize {
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' && has_escapes {
            let _ = letters.next();
        } else if letter == quote {
            return at + letter.len_utf8();
        }
    }
    text.len()
}

/// How long a text between dollar signs is; a sign that begins none stands for itself.
fn dollars(text: &str) -> usize {
    let tag = text.get(1..).and_then(|rest| rest.find('$')).and_then(|at| text.get(..at + 2));
    let is_tag = |tag: &&str| {
        let name = tag.trim_matches('$');
        name.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
            && !name.starts_with(|first: char| first.is_ascii_digit())
    };
    let Some(tag) = tag.filter(is_tag) else { return 1 };
    let inside = text.get(tag.len()..).unwrap_or_default();
    inside.find(tag).map_or(text.len(), |at| at + 2 * tag.len())
}

const END: &str = "\nEND -- of cutter's guard\n";

const END_WITH_SEMICOLON: &str = "\n;END -- of cutter's guard\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_with_a_semicolon_is_told_from_what_only_looks_so() {
        for (sql, ends) in [
            ("BEGIN END;", true),
            ("BEGIN END ; -- done", true),
            ("BEGIN END; /* done /* all */ */\n", true),
            ("BEGIN END", false),
            ("BEGIN END -- done;", false),
            ("BEGIN END /* done; /* a */ ; */", false),
            ("x ';'", false),
            ("x E'\\';'", false),
            ("x '\\'; -- '", true),
            ("x 'a''b;'", false),
            ("x \";\"", false),
            ("x $$;$$", false),
            ("x $a$;$b$;$a$", false),
            ("x a$1;", true),
            ("x $1;", true),
            ("", false),
        ] {
            assert_eq!(ends_with_semicolon(sql), ends, "{sql}");
        }
    }

    #[test]
    fn a_guard_that_is_taken_out_leaves_what_was_there() {
        for body in [
            "BEGIN RETURN 1; END",
            "\n<<a>>\nDECLARE\n x int;\nBEGIN\n RETURN 1;\nEND;\n",
            "\n#variable_conflict use_column\n#print_strict_params on\nBEGIN NULL; END; -- that is all",
            "BEGIN NULL; END\n;",
            "",
        ] {
            for language in [Language::Plpgsql, Language::Sql] {
                let with = guarded(language, body, "g.pass('f')");
                assert_eq!(bare(language, &with, "g.pass('f')").as_deref(), Some(body), "{with}");
                assert_eq!(bare(language, body, "g.pass('f')"), None);
                assert_eq!(bare(language, &with, "g.pass('h')"), None);
            }
        }
        let with = guarded(Language::Plpgsql, "\n#print_strict_params on\nBEGIN END", "g.pass('f')");
        assert!(with.starts_with("\n#print_strict_params on\nBEGIN PERFORM g.pass('f'); "), "{with}");
    }
}
