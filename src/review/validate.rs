//! `review validate`: everything can be read, fits the schema without warnings, and is laid out as Cedar's formatter does.

use crate::cedar::depth;
use crate::cedar::tokens::tokens;
use crate::findings::headline::counted;
use crate::findings::rules;
use crate::findings::{Check, Finding, Outcome, Part, Place};
use crate::problem::{Problem, Problems, Source};
use cedar_policy_formatter::{Config, policies_str_to_pretty};
use std::ops::Range;

/// Checks the layout of every file and turns problems of reading into findings.
///
/// `read` is everything that was read, facts and plans among it; `problems` is all that was wrong with it.
pub fn validate(cedar: &[Source], read: &[Source], problems: &Problems) -> Part {
    let mut findings: Vec<Finding> = problems.iter().map(finding).collect();
    findings.extend(cedar.iter().filter_map(layout));
    let mut checks: Vec<Check> = cedar
        .iter()
        .chain(read)
        .map(|source| {
            let found = findings.iter().any(|finding| finding.about == source.name() || stands_in(finding, source));
            let outcome = if found { Outcome::Failed } else { Outcome::Held };
            Check { name: source.name().to_owned(), outcome }
        })
        .collect();
    checks.sort_by(|a, b| a.name.cmp(&b.name));
    checks.dedup_by(|a, b| a.name == b.name);
    let summary = format!("{} read", counted(checks.len(), "file"));
    Part { name: "validate", summary, checks, findings }
}

/// A problem of reading, as a finding.
pub fn finding(problem: &Problem) -> Finding {
    let about = problem.source.as_ref().map_or("bundle", Source::name);
    let mut finding = Finding::new(&rules::INVALID, about, problem.message.clone());
    if let Some(source) = &problem.source {
        finding = finding.at(Place::new(source, problem.span.clone().unwrap_or(0..0)));
    }
    finding.help = problem.help.clone();
    finding
}

/// Where a file's text first differs from what the formatter gives.
fn layout(source: &Source) -> Option<Finding> {
    if let Some(long) = longest(source.text()).filter(|long| long.len() > MOST_TEXT) {
        let message = format!("its layout is not checked: it has a policy of {} bytes", long.len());
        let at = Place::new(source, long.start..long.start + 1);
        return Some(Finding::new(&rules::NOT_REVIEWED, source.name(), message).at(at));
    }
    let pretty = formatted(source)?;
    if pretty == source.text() {
        return None;
    }
    let plain = source.text().replace("\r\n", "\n");
    let finding =
        |message: String, at| Finding::new(&rules::NOT_FORMATTED, source.name(), message).at(Place::new(source, at));
    if pretty == plain {
        let at = source.text().find('\r').map_or(0..0, |at| at..at + 1);
        return Some(
            finding("its lines end in CRLF, as a checkout with `core.autocrlf` writes them".to_owned(), at)
                .help("put `*.cedar text eol=lf` into `.gitattributes`, or run `cutter review --fix`"),
        );
    }
    let lines = || source.text().split_inclusive('\n');
    let same = pretty.split_inclusive('\n').zip(lines()).take_while(|(a, b)| *a == b.replace("\r\n", "\n"));
    let count = same.count();
    let start: usize = lines().take(count).map(str::len).sum();
    let wanted = pretty.lines().nth(count).unwrap_or("nothing more").trim();
    let rest = source.text().get(start..).unwrap_or_default();
    let end = start + rest.find('\n').unwrap_or(rest.len());
    Some(
        finding(format!("the formatter would write `{wanted}` here"), start..end)
            .help("run `cutter review --fix`, or `cedar format -w -l 100 -i 2` on the file"),
    )
}

/// The text as the formatter lays it out; `None` where it cannot be read.
fn formatted(source: &Source) -> Option<String> {
    let config = Config { line_width: 100, indent_width: 2 };
    // A file that does not parse, or is nested too deep to be, has a finding already.
    depth::check(source).ok()?;
    if longest(source.text()).is_some_and(|long| long.len() > MOST_TEXT) {
        return None;
    }
    let pretty = |piece| policies_str_to_pretty(piece, &config).ok();
    let all: Option<Vec<String>> = pieces(source.text()).into_iter().map(pretty).collect();
    all.map(|all| all.join("\n"))
}

/// A text cut between its policies, each with the comments before it and the one behind it on its last line. The formatter looks for
/// the comments of a token among all tokens of what it is given: 1,000 policies at once took it 11 s.
fn pieces(text: &str) -> Vec<&str> {
    let tokens = tokens(text);
    let cuts = tokens.windows(2).filter_map(|pair| {
        let [end, next] = pair else { return None };
        let between = text.get(end.span.end..next.span.start).filter(|_| end.of(text) == ";")?;
        Some(end.span.end + between.find('\n').map_or(between.len(), |at| at + 1))
    });
    let mut start = 0;
    let cuts: Vec<usize> = cuts.chain([text.len()]).collect();
    cuts.into_iter().filter_map(|cut| text.get(std::mem::replace(&mut start, cut)..cut)).collect()
}

/// The longest policy of a text, from the end of the one before it.
fn longest(text: &str) -> Option<Range<usize>> {
    // Only a text that is long enough can have one that is too long.
    if text.len() <= MOST_TEXT {
        return None;
    }
    let ends = tokens(text).into_iter().filter(|token| token.of(text) == ";").map(|token| token.span.end);
    let mut start = 0;
    let policies = ends.chain([text.len()]).map(|end| std::mem::replace(&mut start, end)..end);
    policies.max_by_key(Range::len)
}

/// A policy that is longer takes the formatter many seconds: 190 KB took 14.
const MOST_TEXT: usize = 32 * 1024;

/// A file with what can be put right without thinking: a byte order mark, the line ends, the layout of policies. `None` where
/// there is nothing to put right.
pub fn fixed(source: &Source) -> Option<String> {
    let text = source.text().trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let text = match source.name().ends_with(".cedar") {
        true => formatted(&Source::new(source.name(), text.as_str())).unwrap_or(text),
        false => text,
    };
    (text != source.text()).then_some(text)
}

fn stands_in(finding: &Finding, source: &Source) -> bool {
    finding.place().is_some_and(|place| place.source.name() == source.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_laid_out_one_by_one_are_laid_out_as_all_at_once() {
        let one = "permit(principal,action,resource)when{true};";
        let texts = [
            "".to_owned(),
            "// nothing\n\n// at all".to_owned(),
            one.to_owned(),
            format!("// a\n\n// b\n@id(\"x;y\")// c\n{one}// d\n//e\n\n\n{one}{one} // f\n{one} // g"),
            format!("{one}\n\n\n// before ; the end\n// of it\n"),
            format!("\r\n// a\r\n{one} // b\r\n// c\r\n{one}\r\n// d\r\n"),
        ];
        let config = Config { line_width: 100, indent_width: 2 };
        for text in texts {
            let at_once = policies_str_to_pretty(&text, &config).ok();
            assert!(at_once.is_some() && formatted(&Source::new("a.cedar", text.as_str())) == at_once, "{text:?}");
        }
        let broken = format!("{one} permit; {one}");
        assert_eq!(formatted(&Source::new("a.cedar", broken)), None);
    }
}
