//! A page of the documentation as what can be run of it: its commands, what each is shown to print, and how it ends.

use crate::support::world::root;
use std::fs;

/// A block of commands that follow one another.
pub struct Block {
    /// The page and the line of its first command.
    pub place: String,
    /// Why it is not run; nothing is said of one that is.
    pub not_run: Option<String>,
    pub commands: Vec<Command>,
}

/// One command of a block.
#[derive(Debug, PartialEq)]
pub struct Command {
    pub text: String,
    /// The exit code that its comment begins with (`# 5: why`), or 0.
    pub exit: i32,
    /// What stands below it; nothing, if it is not shown what it prints.
    pub shown: Vec<String>,
}

/// Every page of the repository that people read.
pub fn pages() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["", "docs", "docs/predicates", "examples/billing", "examples/rollout"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                found.push(if folder.is_empty() { name } else { format!("{folder}/{name}") });
            }
        }
    }
    found.sort();
    found
}

/// The fenced blocks of a page: the kind, the number of the line of the fence, the lines above it and within it.
pub fn fenced(text: &str) -> Vec<(String, usize, String, Vec<String>)> {
    let (mut found, mut above) = (Vec::new(), String::new());
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if let Some(kind) = line.trim_start().strip_prefix("```") {
            let inner =
                lines.by_ref().map(|(_, line)| line.to_owned()).take_while(|line| line.trim() != "```").collect();
            found.push((kind.to_owned(), at + 1, above.clone(), inner));
        }
        above = line.to_owned();
    }
    found
}

/// What can be run of a page.
pub fn blocks(page: &str) -> Vec<Block> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let mut found = Vec::new();
    for (kind, at, above, lines) in fenced(&text) {
        let commands = match kind.as_str() {
            "console" => typed(&lines),
            "sh" => vec![Command { text: lines.join("\n"), exit: 0, shown: Vec::new() }],
            _ => continue,
        };
        let not_run = above.strip_prefix("<!-- not run: ").and_then(|rest| rest.strip_suffix(" -->"));
        found.push(Block { place: format!("{page}:{at}"), not_run: not_run.map(str::to_owned), commands });
    }
    found
}

/// The commands of a block in which each begins with `$ `, goes on after `\`, and is followed by what it prints.
pub fn typed(lines: &[String]) -> Vec<Command> {
    let mut found: Vec<Command> = Vec::new();
    let mut goes_on = false;
    for line in lines {
        match (line.strip_prefix("$ "), found.last_mut()) {
            (None, Some(last)) if goes_on => last.text += &format!("\n{line}"),
            (None, Some(last)) => last.shown.push(line.clone()),
            (None, None) => panic!("a block begins with a command, and not with `{line}`"),
            (Some(text), _) => found.push(Command { text: text.to_owned(), exit: 0, shown: Vec::new() }),
        }
        goes_on = line.ends_with('\\');
    }
    found.into_iter().map(|command| Command { exit: exit(&command.text), ..command }).collect()
}

fn exit(text: &str) -> i32 {
    let comment = text.rsplit_once(" # ").map(|(_, comment)| comment).unwrap_or_default();
    let digits: String = comment.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_default()
}

/// Whether what was printed is what is shown, where `...` stands for any lines, or for anything within one.
pub fn is_as_shown(shown: &[String], printed: &str) -> bool {
    let mut printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
    while printed.last().is_some_and(|line| line.is_empty()) {
        printed.pop();
    }
    let parts: Vec<&[String]> = shown.split(|line| line == "...").collect();
    let (Some((first, rest)), count) = (parts.split_first(), parts.len()) else { return true };
    if !fits(first, &printed) {
        return false;
    }
    let mut from = first.len();
    for (at, part) in rest.iter().enumerate() {
        // The last part ends with the last line.
        let starts = if at + 2 == count { printed.len().saturating_sub(part.len()).max(from) } else { from };
        match (starts..=printed.len()).find(|start| fits(part, &printed[*start..])) {
            Some(start) => from = start + part.len(),
            None => return false,
        }
    }
    from == printed.len()
}

/// Whether lines begin with these.
fn fits(part: &[String], printed: &[&str]) -> bool {
    part.len() <= printed.len() && part.iter().zip(printed).all(|(shown, line)| is_like(shown.trim_end(), line))
}

fn is_like(shown: &str, line: &str) -> bool {
    match shown.split_once("...") {
        None => shown == line,
        Some((before, after)) => line.strip_prefix(before).is_some_and(|rest| match after.contains("...") {
            true => (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| is_like(after, &rest[at..])),
            false => rest.ends_with(after),
        }),
    }
}
