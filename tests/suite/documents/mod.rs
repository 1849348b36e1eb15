//! Every command of every page is run, in the order of the page and in one shell, or says why it is not.

mod as_root;
mod page;

use crate::support::tree::copy;
use crate::support::world::{CUTTER, World, mode, root};
use page::{Block, Command, blocks, fenced, is_as_shown, pages, typed};
use std::fs;
use std::path::Path;

/// Pages that need the files of the repository alone, and what their reader has done before.
const PLAIN: &[(&str, &str)] = &[
    ("README.md", ""),
    ("docs/approvals.md", SOVEREIGN_HAS_A_KEY),
    ("docs/command-line.md", ""),
    ("docs/digests.md", ""),
    ("docs/review.md", ""),
    ("docs/testing.md", ""),
    ("docs/tutorial.md", ""),
    ("examples/billing/README.md", "cd examples/billing"),
];
const SOVEREIGN_HAS_A_KEY: &str = "mkdir -p ~/.ssh && ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519 && \
     echo \"sovereign namespaces=\\\"cutter-approval\\\" $(cat ~/.ssh/id_ed25519.pub)\" >> policies/allowed_signers";

/// How many blocks say why they are not run.
const NOT_RUN: usize = 6;

#[test]
fn every_command_of_a_page_that_needs_no_database_runs() {
    std::thread::scope(|scope| {
        for half in PLAIN.chunks(PLAIN.len().div_ceil(2)) {
            scope.spawn(move || {
                for (page, before) in half {
                    let world = repository();
                    lay_programs(&world, Path::new("none"));
                    run(page, before, &world, |text| text.to_owned());
                }
            });
        }
    });
}

#[test]
fn every_page_with_commands_is_run_and_what_is_not_run_says_why() {
    let run: Vec<&str> = PLAIN.iter().chain(as_root::PAGES).map(|(page, _)| *page).collect();
    let mut not_run = Vec::new();
    for page in pages() {
        for block in blocks(&page) {
            match block.not_run {
                Some(why) => not_run.push(format!("{}: {why}", block.place)),
                None => assert!(run.contains(&page.as_str()), "{} is of a page that no test runs", block.place),
            }
        }
    }
    println!("{} blocks are not run:\n{}", not_run.len(), not_run.join("\n"));
    assert_eq!(not_run.len(), NOT_RUN, "{not_run:#?}");
}

#[test]
fn what_looks_like_a_command_stands_in_a_block_of_commands() {
    for page in pages() {
        for (kind, at, _, lines) in fenced(&fs::read_to_string(root().join(&page)).unwrap()) {
            let is_command = |line: &String| line.starts_with("$ ") || line.starts_with("cutter ");
            let is_run = matches!(kind.as_str(), "console" | "sh");
            assert!(
                is_run || !lines.iter().any(is_command),
                "{page}:{at}: a block of commands is `console`, not `{kind}`"
            );
        }
    }
}

#[test]
fn prose_is_no_wider_than_120_columns() {
    let mut wide = Vec::new();
    for page in pages() {
        let mut is_fenced = false;
        for (at, line) in fs::read_to_string(root().join(&page)).unwrap().lines().enumerate() {
            is_fenced ^= line.trim_start().starts_with("```");
            if !is_fenced && !line.starts_with('|') && line.chars().count() > 120 {
                wide.push(format!("{page}:{}", at + 1));
            }
        }
    }
    assert!(wide.is_empty(), "{}", wide.join("\n"));
}

#[test]
fn every_link_from_page_to_page_holds() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            if file.contains("://") {
                continue;
            }
            let here = root().join(&page);
            let target = if file.is_empty() { here } else { here.parent().unwrap().join(file) };
            let is_there = target.exists()
                && (anchor.is_empty() || anchors(&fs::read_to_string(&target).unwrap()).contains(&anchor.to_owned()));
            if !is_there {
                broken.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What headings are called in links.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let name = |heading: &str| {
        let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(name).collect()
}

#[test]
fn a_page_that_shows_what_is_not_printed_or_another_exit_code_is_found() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let expected = [("a\n...\nd", true), ("a\n...\nc", false), ("...", true), ("a\nb", false), ("a\nb\n...", true)];
    for (shown, holds) in expected.into_iter().chain([("a\n...\nb\n...\n... d", false), ("...\nb\n...", true)]) {
        assert_eq!(is_as_shown(&lines(shown), "a\nb\nc\nd\n"), holds, "{shown}");
    }
    assert!(is_as_shown(&lines("until ... rows: ...t"), "until 10:00 rows: post"));
    let typed = typed(&lines("$ cutter x   # 5: missing\nsaid\n$ cutter y # why"));
    assert_eq!(typed.iter().map(|command| command.exit).collect::<Vec<_>>(), [5, 0]);
    assert_eq!(typed[0].shown, ["said"]);
}

/// A fresh copy of what is committed, as a repository of its own: all but sources and what only other tests read.
fn repository() -> World {
    let world = World::empty();
    for entry in fs::read_dir(root()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        match entry.file_type().unwrap().is_dir() {
            // Of a worktree `.git` is a file.
            _ if ["target", ".git", "src", "tests"].contains(&name.as_str()) => {}
            true => copy(&entry.path(), &world.path(&name)),
            false => drop(fs::copy(entry.path(), world.path(&name))),
        }
    }
    copy(&root().join("tests/policy"), &world.path("tests/policy"));
    let commit = "git init -q -b main . && git add . && \
         git -c user.name=a -c user.email=a@example.com commit -q --no-gpg-sign -m all";
    assert!(
        crate::support::scrubbed::scrubbed("sh")
            .args(["-c", commit])
            .current_dir(world.folder())
            .status()
            .unwrap()
            .success()
    );
    world
}

/// The programs that pages name: `cutter` under this trust root, and `cargo run` that builds nothing.
fn lay_programs(world: &World, trust: &Path) {
    let cutter = format!(
        r#"#!/bin/bash
[ "$1 $2" != "evidence capture" ] || [ ! -e directus.json ] || touch directus.json
case "$1 $2" in
  "approval request" | "approval verify" | "approval list" | "evidence targets" | "bundle "* | "plan "*) words=("$1" "$2") ;;
  "authorize "* | "explain "* | "exec "* | "attest "* | "verify "*) words=("$1") ;;
  *) exec {CUTTER} "$@" ;;
esac
shift "${{#words[@]}}"
case " $* " in *" --trust "*) ;; *) words+=(--trust {}) ;; esac
exec {CUTTER} "${{words[@]}}" "$@"
"#,
        trust.display()
    );
    program(world, "cutter", &cutter);
    program(world, "cargo", "#!/bin/bash\n[ \"$1 $2 $3\" = 'run --release --' ] && shift 3 && exec cutter \"$@\"\n");
}

fn program(world: &World, name: &str, text: &str) {
    world.write(&format!("home/bin/{name}"), text);
    mode(&world.path(&format!("home/bin/{name}")), 0o755);
}

/// Runs a page in one shell, and holds every command against what the page says of it.
fn run(page: &str, before: &str, world: &World, adapt: impl Fn(&str) -> String) {
    let run: Vec<Block> = blocks(page).into_iter().filter(|block| block.not_run.is_none()).collect();
    let commands: Vec<(&Block, &Command)> =
        run.iter().flat_map(|block| block.commands.iter().map(move |command| (block, command))).collect();
    world.write("home/said/before", "");
    let said = world.path("home/said").display().to_string();
    let mut script = format!("{before}\n");
    for (at, (_, command)) in commands.iter().enumerate() {
        let text = adapt(&command.text);
        script += &format!("{{ {text}\n}} >{said}/{at} 2>{said}/{at}.error; echo $? >{said}/{at}.exit\n");
    }
    let home = world.path("home");
    let path = format!("{}:{}", home.join("bin").display(), std::env::var("PATH").unwrap());
    let mut shell = crate::support::scrubbed::scrubbed("bash");
    shell.args(["-c", &script]).current_dir(world.folder()).env("HOME", &home).env("PATH", path).env("COLUMNS", "80");
    shell.env("CUTTER_TEST_TOKEN", "a secret of nobody").stdin(std::process::Stdio::null());
    let began = std::time::Instant::now();
    let ended = shell.output().unwrap();
    println!("{page}: {} commands, {:.1} s", commands.len(), began.elapsed().as_secs_f64());
    for (at, (block, command)) in commands.iter().enumerate() {
        let read = |name: String| fs::read_to_string(world.path("home/said").join(name)).unwrap_or_default();
        let (printed, error) = (read(at.to_string()).replace(" --trust none", ""), read(format!("{at}.error")));
        let exit: Option<i32> = read(format!("{at}.exit")).trim().parse().ok();
        let of = format!("{}: {}\n{printed}{error}", block.place, command.text);
        assert_eq!(exit, Some(command.exit), "{of}{}", String::from_utf8_lossy(&ended.stderr));
        let holds = command.shown.is_empty() || is_as_shown(&command.shown, &printed);
        assert!(holds, "{of}\nis shown as:\n{}", command.shown.join("\n"));
    }
}
