//! The house: which module may import which, and where the outside world may be named. Imports go down only.
//!
//! A layer is a module path; a file belongs to the longest one that it lies under. The table is ordered, lowest first, and a layer
//! may import only what stands above it in the table, so that there is no circle. A line that nobody needs is an error, too.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each layer, and what it imports; lowest first.
const LAYERS: &[(&str, &[&str])] = &[
    ("digest", &[]),
    ("text", &[]),
    ("time", &[]),
    ("problem", &[]),
    ("progress", &[]),
    ("json", &["problem"]),
    ("files", &["problem"]),
    ("signature", &["digest", "time", "problem", "files"]),
    ("cedar", &["problem"]),
    ("prelude", &["digest", "problem"]),
    ("schema", &["problem", "json", "cedar", "prelude"]),
    ("policy", &["digest", "problem", "json", "signature", "cedar", "prelude", "schema"]),
    ("settings", &["digest", "text", "problem", "json"]),
    ("db", &["problem", "files", "settings"]),
    ("plan", &["digest", "problem", "json", "cedar", "schema", "settings"]),
    ("facts", &["digest", "time", "problem", "json", "cedar", "schema", "policy"]),
    ("request", &["time", "problem", "schema", "policy", "plan", "facts"]),
    ("decision", &["problem", "json", "cedar", "policy", "plan", "facts", "request"]),
    ("approval", &["digest", "time", "problem", "json", "signature", "cedar", "policy", "plan", "request", "decision"]),
    (
        "record",
        &[
            "digest", "time", "problem", "schema", "policy", "settings", "plan", "facts", "request", "decision",
            "approval",
        ],
    ),
    ("trust", &["digest", "time", "problem", "files", "signature", "policy", "plan"]),
    ("evidence", &["digest", "time", "problem", "json", "settings"]),
    ("observe::catalog", &["digest", "db", "settings", "evidence"]),
    ("observe::relation", &["digest", "progress", "db", "settings", "evidence"]),
    (
        "observe",
        &[
            "digest",
            "text",
            "time",
            "problem",
            "progress",
            "files",
            "db",
            "settings",
            "evidence",
            "observe::catalog",
            "observe::relation",
        ],
    ),
    (
        "measure",
        &[
            "digest",
            "time",
            "problem",
            "json",
            "schema",
            "db",
            "settings",
            "facts",
            "evidence",
            "observe::catalog",
            "observe",
        ],
    ),
    ("grants", &["text", "problem", "json", "db", "settings"]),
    ("targets", &["digest", "time", "problem", "cedar", "policy", "settings", "plan", "request", "decision"]),
    ("enforce", &["digest", "problem", "json", "db", "settings"]),
    ("ledger", &["digest", "time", "problem", "files", "db", "settings"]),
    ("explain", &["problem", "cedar", "policy", "plan", "request", "decision", "record"]),
    ("subject", &["time", "problem", "json", "cedar", "schema", "policy"]),
    ("findings", &["problem", "subject"]),
    ("lint", &["text", "problem", "json", "cedar", "prelude", "policy", "settings", "subject", "findings"]),
    ("prove", &["digest", "problem", "progress", "files", "policy", "subject", "findings"]),
    (
        "review",
        &[
            "time", "problem", "progress", "json", "cedar", "schema", "policy", "settings", "facts", "subject",
            "findings", "lint", "prove",
        ],
    ),
    (
        "authorization",
        &[
            "digest",
            "time",
            "problem",
            "signature",
            "policy",
            "settings",
            "plan",
            "facts",
            "request",
            "decision",
            "approval",
            "record",
            "ledger",
        ],
    ),
    ("attestation::envelope", &["time", "problem", "signature"]),
    ("attestation::fit", &[]),
    ("attestation::secrets", &["digest", "problem", "db"]),
    ("attestation::outputs", &["ledger"]),
    ("attestation::produced", &["time", "schema", "plan", "facts", "ledger"]),
    (
        "attestation",
        &[
            "attestation::envelope",
            "attestation::produced",
            "digest",
            "time",
            "problem",
            "json",
            "schema",
            "policy",
            "settings",
            "plan",
            "decision",
            "approval",
            "record",
            "evidence",
            "ledger",
            "attestation::fit",
            "attestation::outputs",
            "attestation::secrets",
        ],
    ),
    (
        "verification",
        &[
            "attestation::envelope",
            "attestation::produced",
            "digest",
            "text",
            "time",
            "problem",
            "signature",
            "prelude",
            "policy",
            "settings",
            "plan",
            "facts",
            "request",
            "decision",
            "approval",
            "record",
            "trust",
            "ledger",
            "attestation",
        ],
    ),
    ("testing::matching", &["cedar"]),
    (
        "testing::properties",
        &[
            "digest",
            "time",
            "problem",
            "progress",
            "cedar",
            "policy",
            "decision",
            "subject",
            "prove",
            "testing::matching",
        ],
    ),
    (
        "testing::mutants",
        &[
            "digest",
            "problem",
            "progress",
            "policy",
            "settings",
            "subject",
            "findings",
            "prove",
            "review",
            "testing::matching",
            "testing::properties",
        ],
    ),
    ("testing::strategies", &["problem", "schema", "policy", "subject", "testing::matching"]),
    (
        "testing",
        &[
            "time",
            "problem",
            "progress",
            "json",
            "cedar",
            "policy",
            "settings",
            "plan",
            "facts",
            "request",
            "decision",
            "explain",
            "subject",
            "prove",
            "testing::matching",
            "testing::properties",
            "testing::mutants",
            "testing::strategies",
        ],
    ),
    (
        "project",
        &[
            "digest",
            "problem",
            "json",
            "files",
            "policy",
            "facts",
            "approval",
            "verification",
            "testing",
            "testing::strategies",
        ],
    ),
    (
        "library",
        &[
            "text",
            "time",
            "problem",
            "files",
            "signature",
            "policy",
            "settings",
            "plan",
            "facts",
            "request",
            "record",
            "trust",
            "ledger",
            "explain",
            "authorization",
            "verification",
            "project",
        ],
    ),
    ("runtime::output", &["ledger", "attestation::secrets"]),
    ("runtime::told", &["time"]),
    (
        "runtime",
        &[
            "runtime::output",
            "runtime::told",
            "digest",
            "text",
            "time",
            "problem",
            "json",
            "files",
            "db",
            "settings",
            "plan",
            "facts",
            "request",
            "decision",
            "record",
            "trust",
            "measure",
            "ledger",
            "authorization",
            "attestation::secrets",
        ],
    ),
    ("layout", &["text", "problem"]),
    ("render::review", &["problem", "subject", "findings", "review", "layout"]),
    ("render::package", &["digest", "layout"]),
    ("render::testing", &["layout", "testing", "testing::properties", "testing::mutants", "render::review"]),
    ("render::grants", &["grants", "layout"]),
    (
        "render",
        &[
            "digest",
            "time",
            "problem",
            "schema",
            "settings",
            "plan",
            "facts",
            "decision",
            "approval",
            "record",
            "evidence",
            "targets",
            "enforce",
            "ledger",
            "runtime",
            "explain",
            "attestation",
            "layout",
            "render::package",
            "render::review",
            "render::testing",
            "render::grants",
        ],
    ),
    (
        "cli::shared",
        &[
            "attestation::produced",
            "digest",
            "time",
            "problem",
            "progress",
            "json",
            "files",
            "signature",
            "schema",
            "db",
            "policy",
            "settings",
            "plan",
            "facts",
            "request",
            "decision",
            "approval",
            "record",
            "trust",
            "evidence",
            "measure",
            "ledger",
            "explain",
            "prove",
            "authorization",
            "project",
            "layout",
            "render",
            "attestation",
        ],
    ),
    (
        "cli::evidence",
        &[
            "digest",
            "time",
            "problem",
            "progress",
            "files",
            "signature",
            "settings",
            "request",
            "trust",
            "evidence",
            "observe",
            "grants",
            "targets",
            "authorization",
            "render",
            "cli::shared",
        ],
    ),
    (
        "cli::observe",
        &[
            "digest",
            "text",
            "problem",
            "files",
            "signature",
            "settings",
            "trust",
            "evidence",
            "observe",
            "runtime",
            "layout",
            "render",
            "cli::shared",
            "cli::evidence",
        ],
    ),
    (
        "cli::review",
        &[
            "digest",
            "problem",
            "progress",
            "json",
            "files",
            "policy",
            "settings",
            "plan",
            "facts",
            "subject",
            "findings",
            "lint",
            "prove",
            "review",
            "testing",
            "testing::properties",
            "testing::mutants",
            "project",
            "render::review",
            "render",
            "cli::shared",
        ],
    ),
    (
        "cli::test",
        &[
            "problem",
            "files",
            "settings",
            "facts",
            "subject",
            "testing",
            "testing::properties",
            "testing::mutants",
            "project",
            "render",
            "cli::shared",
            "cli::review",
        ],
    ),
    (
        "cli::replay",
        &["problem", "json", "files", "policy", "testing", "project", "render", "cli::shared", "cli::review"],
    ),
    (
        "cli::package",
        &[
            "problem",
            "files",
            "settings",
            "trust",
            "record",
            "approval",
            "explain",
            "authorization",
            "layout",
            "render",
            "render::package",
            "cli::shared",
            "cli::evidence",
        ],
    ),
    (
        "cli::run",
        &[
            "digest",
            "problem",
            "json",
            "files",
            "db",
            "policy",
            "settings",
            "plan",
            "request",
            "decision",
            "record",
            "trust",
            "observe",
            "ledger",
            "attestation",
            "attestation::secrets",
            "authorization",
            "runtime",
            "layout",
            "render",
            "cli::shared",
            "cli::evidence",
            "cli::observe",
            "cli::package",
        ],
    ),
    (
        "cli",
        &[
            "digest",
            "time",
            "problem",
            "progress",
            "json",
            "files",
            "signature",
            "prelude",
            "policy",
            "settings",
            "plan",
            "request",
            "approval",
            "record",
            "trust",
            "enforce",
            "ledger",
            "explain",
            "authorization",
            "attestation",
            "verification",
            "runtime",
            "project",
            "layout",
            "render",
            "cli::shared",
            "cli::evidence",
            "cli::observe",
            "cli::review",
            "cli::test",
            "cli::replay",
            "cli::package",
            "cli::run",
            "attestation::envelope",
            "attestation::secrets",
        ],
    ),
];

/// What may be named only in some layers, and where it is.
const OUTSIDE: &[(&str, &[&str])] = &[
    ("clap::", &["cli"]),
    ("postgres::", &["db", "measure"]),
    ("comfy_table::", &["layout", "render"]),
    ("std::env", &["cli"]),
    ("SystemTime", &["cli::shared", "library", "measure", "time"]),
    ("Command::new", &["observe", "project", "prove", "runtime", "signature"]),
    ("io::stdin", &["files"]),
    ("io::stdout", &["cli", "files"]),
    ("io::stderr", &["cli", "files"]),
];

/// A layer that is longer is two.
const MOST_LINES: usize = 2_500;

#[test]
fn every_import_goes_down_and_every_allowance_is_used() {
    let order: BTreeMap<&str, usize> = LAYERS.iter().enumerate().map(|(at, (name, _))| (*name, at)).collect();
    let mut wrong = Vec::new();
    let mut used: BTreeSet<(&str, &str)> = BTreeSet::new();
    for file in files() {
        for (line, target) in file.imports() {
            let Some(to) = layer(&target) else {
                wrong.push(format!("{}:{line}: `{}` is in no layer", file.name, target.join("::")));
                continue;
            };
            if to == file.layer {
                continue;
            }
            let allowed =
                LAYERS.iter().find(|(name, _)| *name == file.layer).is_some_and(|(_, to_all)| to_all.contains(&to));
            match allowed {
                true => drop(used.insert((file.layer, to))),
                false => wrong.push(format!("{}:{line}: `{}` may not import `{to}`", file.name, file.layer)),
            }
        }
    }
    for (from, allowed) in LAYERS {
        for to in *allowed {
            match order.get(to) {
                None => wrong.push(format!("`{from}` names the layer `{to}`, which is not listed")),
                Some(at) if *at >= order[from] => wrong.push(format!("`{from}` is before `{to}`, which it imports")),
                Some(_) if !used.contains(&(*from, *to)) => {
                    wrong.push(format!("`{from}` does not import `{to}` any more: delete the allowance"));
                }
                Some(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_are_many_layers_and_none_is_too_long() {
    assert!(LAYERS.len() >= 20, "{} layers", LAYERS.len());
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files() {
        *lines.entry(file.layer).or_default() += file.text.lines().count();
    }
    let long: Vec<_> = lines.iter().filter(|(_, lines)| **lines > MOST_LINES).collect();
    assert!(long.is_empty(), "longer than {MOST_LINES} lines: {long:?}");
    let empty: Vec<_> = LAYERS.iter().filter(|(name, _)| !lines.contains_key(name)).collect();
    assert!(empty.is_empty(), "listed, and there is no such module: {empty:?}");
}

#[test]
fn the_outside_world_is_named_only_where_it_belongs() {
    let mut wrong = Vec::new();
    for (name, allowed) in OUTSIDE {
        let mut used = BTreeSet::new();
        for file in files() {
            for (at, line) in code(without_tests(&file.text)) {
                if !names(line, name) {
                    continue;
                }
                match allowed.iter().find(|allowed| is_under(file.layer, allowed)) {
                    Some(allowed) => drop(used.insert(*allowed)),
                    None => wrong.push(format!("{}:{at}: `{name}` does not belong into `{}`", file.name, file.layer)),
                }
            }
        }
        let unused = allowed.iter().filter(|allowed| !used.contains(*allowed));
        wrong.extend(unused.map(|unused| format!("`{unused}` does not name `{name}` any more: delete the allowance")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What one team's domain is made of: its lanes, gates, actions, gaps, relations, files and names.
const DOMAIN: &[&str] = &[
    "run-agent",
    "verify-agent",
    "sandbox",
    "planner",
    "sovereign",
    "orchestrator",
    "council",
    "SG_1",
    "SG_2",
    "SG_3",
    "FLIP",
    "BREAK_GLASS",
    "GRANT\"",
    "PROBE",
    "GAP7",
    "GAP8",
    "GAP9",
    "F4",
    "PRE-",
    "cut_leg",
    "leg_b",
    "cutplan",
    "flip_flag",
    "start_run\"",
    "end_run",
    "resume_run",
    "hard_delete",
    "restore_backup",
    "write_verify",
    "lifecycle",
    "information_unit",
    "unit_version",
    "fn_iu",
    "change_set",
    "execution_enabled",
    "Execution result",
    "skeleton",
    "governance",
    "incomex",
    "directus",
    "iu-cutter",
    "ICX",
    "DOT_",
    "o9",
    "ictr",
    "workflow_admin",
    "cutter_exec",
    "cutter_verify",
    "cutter_observe",
    " law",
];

/// What the program says by itself would be the domain's word for another team.
#[test]
fn no_word_of_the_domain_stands_in_the_sources() {
    let mut found = Vec::new();
    for file in files() {
        for (at, line) in file.text.lines().enumerate().map(|(at, line)| (at + 1, line.replace(VERDICT, ""))) {
            let words = DOMAIN.iter().filter(|word| says(&line, word));
            found.extend(words.map(|word| format!("{}:{at}: `{word}` in `{}`", file.name, line.trim())));
        }
    }
    assert!(found.is_empty(), "say it with another example, or leave it to the configuration:\n{}", found.join("\n"));
    assert!(says("## 1. Execution result", "Execution result") && says("x = \"o9\"", "o9") && !says("no95", "o9"));
}

/// The one word that stays: the name of a verdict.
const VERDICT: &str = "READY_FOR_SOVEREIGN_APPROVAL";

/// Whether a line has a word, and not as the end of another.
fn says(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().filter(|_| word.starts_with(char::is_alphanumeric));
        let after =
            line[at + word.len()..].chars().next().filter(|_| word.len() < 5 && word.ends_with(char::is_alphanumeric));
        let is_word = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
        !is_word(before) && !is_word(after)
    })
}

#[test]
fn the_architecture_page_names_every_layer() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let missing: Vec<&str> =
        LAYERS.iter().map(|(name, _)| *name).filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md says nothing of {missing:?}");
}

#[test]
fn imports_are_found_in_groups_in_code_and_through_super() {
    let module = ["prove".to_owned(), "claim".to_owned()];
    let found = |text: &str| -> Vec<String> {
        imports(text, &module).into_iter().map(|(_, target)| target.join("::")).collect()
    };
    assert_eq!(
        found("use crate::{files, policy::{annotations::Tier, Bundle}};"),
        ["files", "policy::annotations::Tier", "policy::Bundle"]
    );
    assert_eq!(found("let x = crate::time::Timestamp::now();"), ["time::Timestamp::now"]);
    assert_eq!(found("use super::super::render;"), ["render"]);
    assert_eq!(found("mod tests {\n use super::*;\n use super::super::cache;\n}"), ["prove::claim", "prove::cache"]);
    assert_eq!(found("// crate::cli is not imported here"), Vec::<String>::new());
}

/// One source file of the crate.
struct SourceFile {
    name: String,
    module: Vec<String>,
    layer: &'static str,
    text: String,
}

impl SourceFile {
    fn imports(&self) -> Vec<(usize, Vec<String>)> {
        imports(&self.text, &self.module)
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `src/` but the program's own `main.rs` and the list of modules.
fn files() -> Vec<SourceFile> {
    let source = root().join("src");
    let (mut folders, mut found) = (vec![source.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found.iter().filter_map(|path| source_file(&source, path)).collect()
}

fn source_file(source: &Path, path: &Path) -> Option<SourceFile> {
    let relative = path.strip_prefix(source).unwrap().with_extension("");
    let mut module: Vec<String> = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if matches!(module.as_slice(), [only] if only == "main" || only == "lib") {
        return None;
    }
    module.pop_if(|last| last == "mod");
    let layer = layer(&module).unwrap_or_else(|| panic!("{} is in no layer: add it to the table", path.display()));
    Some(SourceFile {
        name: format!("src/{}.rs", relative.display()),
        module,
        layer,
        text: fs::read_to_string(path).unwrap(),
    })
}

/// The layer of a path: the longest one that it lies under.
fn layer(path: &[String]) -> Option<&'static str> {
    let path = path.join("::");
    let above = |name: &&str| path == **name || path.starts_with(&format!("{name}::"));
    LAYERS.iter().map(|(name, _)| *name).filter(above).max_by_key(|name| name.len())
}

/// Whether a layer is this one or below it.
fn is_under(layer: &str, name: &str) -> bool {
    layer == name || layer.starts_with(&format!("{name}::"))
}

/// Lines without comments, numbered from 1.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")).map(|(at, line)| (at + 1, line))
}

/// Whether a line names a crate, a function or a type, and not one that only ends in the same letters.
fn names(line: &str, name: &str) -> bool {
    let is_crate = name.ends_with("::");
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + name.len()..].chars().next().filter(|_| !is_crate);
        let is_word = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
        let is_inner = is_crate && before == Some(':');
        !(is_word(before) || is_word(after) || is_inner)
    })
}

/// The code of a file without its unit tests, which stand at the end.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default()
}

/// Every path that begins with `crate`, `super` or a child module's declaration, from the root of the crate.
fn imports(text: &str, module: &[String]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut inner = false;
    let lines: Vec<(usize, &str)> = code(text).collect();
    for (index, (at, line)) in lines.iter().enumerate() {
        inner |= line.trim_start().starts_with("mod ") && line.trim_end().ends_with('{');
        let declaration = line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ");
        if let Some(child) = declaration.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            found.push((*at, [module, &[child.to_owned()]].concat()));
        }
        for word in ["crate::", "super::"] {
            let mut from = 0;
            while let Some(start) = line[from..].find(word).map(|start| from + start) {
                from = start + word.len();
                let before = line[..start].chars().next_back();
                if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == ':') {
                    continue;
                }
                let rest: String = std::iter::once(&line[start..])
                    .chain(lines[index + 1..].iter().map(|(_, line)| *line))
                    .collect::<Vec<_>>()
                    .join("\n");
                found.extend(paths(&rest).into_iter().filter_map(|path| Some((*at, resolve(path, module, inner)?))));
            }
        }
    }
    found
}

/// The paths of a text that begins with one; a group gives several.
fn paths(text: &str) -> Vec<Vec<String>> {
    let word: String = text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    let rest = &text[word.len()..];
    let own = |path: Vec<String>| [vec![word.clone()], path].concat();
    match rest.strip_prefix("::") {
        Some(group) if group.starts_with('{') => {
            members(&group[1..]).iter().flat_map(|one| paths(one.trim_start())).map(own).collect()
        }
        Some(further) if further.starts_with(|letter: char| letter.is_alphabetic() || letter == '_') => {
            paths(further).into_iter().map(own).collect()
        }
        _ => vec![vec![word]],
    }
}

/// What stands between the commas of a group whose brace was opened.
fn members(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(&text[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.retain(|member| !member.trim().is_empty());
    found
}

/// A path from the root of the crate.
fn resolve(path: Vec<String>, module: &[String], inner: bool) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    if first == "crate" {
        return Some(rest.to_vec());
    }
    let ups = path.iter().take_while(|part| *part == "super").count();
    // Inside a module of the file, the first `super` is the file itself.
    let base = &module[..module.len() - (ups - usize::from(inner)).min(module.len())];
    let target = [base, &path[ups..]].concat();
    (!target.is_empty()).then_some(target)
}
