//! Files that another than root exchanges, or writes through memory, and puts back: what is observed of them is no longer known; and
//! trees behind links, whose git may be told to run anything.

use crate::postgres::scene::{Scene, row, status};
use crate::support::scrubbed::scrubbed;
use crate::support::world::root;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

/// What is observed, and the name of it; its path below the folder of the case; the shell commands that make it, and those between the
/// captures; and what the comparison says.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const MADE: &str = "mkdir -p a/app b/app && echo 'on = False' > a/app/flag && echo 'on = True' > b/app/flag";
const LINKED: &str = "mkdir -p 1 2 && echo 'on = False' > 1/flag && echo 'on = True' > 2/flag && ln -s 1 now";
const SWAP: &str = "mv a c && mv b a && mv a b && mv c a";
const TURN: &str = "ln -sfn 2 now && ln -sfn 1 now";

const CASES: [Case; 13] = [
    ("flag", "untouched", "a/app/flag", MADE, "true", "UNCHANGED"),
    ("flag", "beside", "a/app/flag", MADE, "touch a/app/other a/other && rm a/other", "UNKNOWN"),
    ("flag", "within", "a/app/flag", MADE, "touch a/app/other", "UNCHANGED"),
    ("flag", "above", "a/app/flag", MADE, SWAP, "UNKNOWN"),
    ("flag", "link", "now/flag", LINKED, TURN, "UNKNOWN"),
    ("flag", "turned", "now/flag", LINKED, "cp -p 1/flag 2/flag && ln -sfn 2 now", "CHANGED"),
    ("tree", "above", "a/app", MADE, SWAP, "UNKNOWN"),
    ("tree", "behind", "now", LINKED, "echo 'on = True' > 1/flag", "CHANGED"),
    ("tree", "link", "now", LINKED, TURN, "UNKNOWN"),
    ("tree", "quiet", "now", LINKED, "true", "UNCHANGED"),
    ("host", "behind", "now", LINKED, "echo 'on = True' > 1/flag", "CHANGED"),
    ("host", "link", "now/flag", LINKED, TURN, "UNKNOWN"),
    ("host", "nowhere", "now/flag", LINKED, "rm now && ln -s 3 now", "CHANGED"),
];

/// Anybody but root.
const OWNER: &str = "65534:65534";

#[test]
fn what_another_than_root_exchanged_and_put_back_is_not_known_and_what_lies_behind_a_link_is_looked_at() {
    let scene = Scene::new();
    let mut evidence = "[evidence]\nlevel = \"quiet\"\ndatabase = [\"identity\"]\n".to_owned();
    let folder = |kind: &str, name: &str| scene.path(&format!("{kind}-{name}")).display().to_string();
    for (kind, name, path, made, ..) in CASES {
        let folder = folder(kind, name);
        fs::create_dir_all(&folder).unwrap();
        // The folder itself is root's, so that what it holds directly is what others may exchange.
        shell(&folder, &format!("mkdir x && cd x && {made} && cd .. && chown -Rh {OWNER} x"));
        let path = format!("{folder}/x/{path}");
        evidence += &match kind {
            "flag" => format!("[evidence.flags.{name}]\nfile = \"{path}\"\npattern = '(?m)^on = (True|False)$'\n"),
            "tree" => format!("[evidence.trees.{name}]\npath = \"{path}\"\n"),
            _ => format!("[evidence.host.{name}]\npaths = [\"{path}\"]\n"),
        };
    }
    scene.write("cutter.toml", scene.config("cutter_observe", &evidence));
    assert_eq!(scene.capture("a.json"), 0, "{:#?}", scene.unknown("a.json"));
    std::thread::sleep(std::time::Duration::from_millis(20));
    for (kind, name, _, _, between, _) in CASES {
        shell(&format!("{}/x", folder(kind, name)), between);
    }
    scene.capture("b.json");
    let (_, comparison) = scene.compare();
    for (kind, name, .., is) in CASES {
        let id = format!("{kind}:{name}");
        assert_eq!(status(&comparison, &id), is, "{}", row(&comparison, &id));
    }
}

fn shell(folder: &str, commands: &str) {
    let output = Command::new("sh").args(["-ec", commands]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{commands}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Maps files and touches their memory; then, with each line that it is given, writes the next text.
const MAPS: &str = "
import mmap, sys
files = [open(name, 'r+b') for name in sys.argv[1:]]
maps = [mmap.mmap(file.fileno(), 0) for file in files]
for memory in maps: memory[0] = memory[0]
print('mapped', flush=True)
for text in [b'on = True \\n', b'on = False\\n']:
    sys.stdin.readline()
    for memory in maps: memory[:11] = text
    print('written', flush=True)
";

struct Mapper(Child);

impl Mapper {
    fn step(&mut self) -> String {
        writeln!(self.0.stdin.as_mut().unwrap()).unwrap();
        self.read()
    }

    fn read(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Mapper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_switch_that_is_written_through_memory_mapped_long_before_and_put_back_is_seen_or_not_known() {
    let scene = Scene::new();
    let in_memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let (on_disk, in_memory) = (scene.path("flag"), in_memory.path().join("flag"));
    let mut evidence = "[evidence]\nlevel = \"quiet\"\ndatabase = [\"identity\"]\n".to_owned();
    for (name, path) in [("disk", &on_disk), ("memory", &in_memory)] {
        fs::write(path, "on = False\n").unwrap();
        evidence +=
            &format!("[evidence.flags.{name}]\nfile = \"{}\"\npattern = '(?m)^on = (True|False)'\n", path.display());
    }
    shell("/", &format!("chown {OWNER} {} {}", on_disk.display(), in_memory.display()));
    scene.write("cutter.toml", scene.config("cutter_observe", &evidence));
    let python = root().join("target/interop/bin/python");
    let mut command = Command::new(python);
    command.arg("-c").arg(MAPS).args([&on_disk, &in_memory]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut mapper = Mapper(command.spawn().unwrap());
    assert_eq!(mapper.read(), "mapped\n");
    scene.capture("a.json");
    mapper.step();
    assert!(fs::read_to_string(&on_disk).unwrap().contains("True"));
    mapper.step();
    scene.capture("b.json");
    let (_, comparison) = scene.compare();
    assert_eq!(status(&comparison, "flag:disk"), "CHANGED", "{}", row(&comparison, "flag:disk"));
    assert_eq!(status(&comparison, "flag:memory"), "UNKNOWN", "{}", row(&comparison, "flag:memory"));
    assert!(row(&comparison, "flag:memory").to_string().contains("through memory"));
}

/// Has git run a program wherever a repository may say so.
const ARMED: &str = "
git init -q . && echo one > file && echo two > other && git add . && git -c user.name=x -c user.email=x@y commit -qm one
printf '#!/bin/sh\\ntouch '$PWD/../ran'\\ncat\\n' > ../evil && chmod 755 ../evil
echo '* filter=evil' > .git/info/attributes && echo 'other filter=evil' > .gitattributes
for name in clean smudge process; do git config filter.evil.$name $PWD/../evil; done
git config core.fsmonitor $PWD/../evil && git config core.hooksPath $PWD/.. && git config core.sshCommand $PWD/../evil
git config extensions.partialClone origin && git config remote.origin.url ext::$PWD/../evil && git config protocol.ext.allow always
git init -q sub && git -C sub -c user.name=x -c user.email=x@y commit -qm sub --allow-empty
git -C sub config core.fsmonitor $PWD/../evil && git update-index --add --cacheinfo 160000,$(git -C sub rev-parse HEAD),sub
rm -f ../ran && touch file other && chown -Rh 65534:65534 .";

#[test]
fn nothing_that_a_repository_or_path_names_is_run_to_look_at_a_work_tree() {
    let scene = Scene::new();
    let evidence = "[evidence]\nlevel = \"quiet\"\ndatabase = [\"identity\"]\n[evidence.trees.work]\npath = \"FOLDER/work\"\ngit = true
[evidence.services.web]\nunit = \"web.service\"\n";
    scene.write("cutter.toml", scene.config("cutter_observe", evidence));
    fs::create_dir(scene.path("work")).unwrap();
    let mut armed = scrubbed("sh");
    let output = armed.args(["-ec", ARMED]).current_dir(scene.path("work")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for name in ["git", "systemctl"] {
        scene.write(name, format!("#!/bin/sh\ntouch {}\n", scene.path("ran").display()));
        shell(&scene.folder().display().to_string(), &format!("chmod 755 {name}"));
    }
    let mut command = scene.command(&["evidence", "capture", "--format", "json", "--output", "a.json"]);
    let path = format!("{}:{}", scene.folder().display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).env("GIT_INDEX_FILE", scene.path("nowhere")).env("GIT_CONFIG_COUNT", "1");
    command.env("GIT_CONFIG_KEY_0", "core.fsmonitor").env("GIT_CONFIG_VALUE_0", scene.path("evil"));
    command.output().unwrap();
    assert!(!scene.path("ran").exists(), "a program of somebody else's was run");
    let capture: serde_json::Value = serde_json::from_str(&scene.read("a.json")).unwrap();
    let observations = capture["observations"].as_array().unwrap();
    let tree = observations.iter().find(|found| found["id"] == "tree:work").unwrap();
    let mut git = scrubbed("git");
    let safe = format!("safe.directory={}", scene.path("work").display());
    let head = git.args(["-c", &safe, "rev-parse", "HEAD"]).current_dir(scene.path("work")).output().unwrap();
    assert_eq!(tree["values"]["git head"], String::from_utf8_lossy(&head.stdout).trim(), "{tree}");
    let mut git = scrubbed("git");
    git.args(["-c", &safe, "status"]).current_dir(scene.path("work")).output().unwrap();
    assert!(scene.path("ran").exists(), "git would run nothing, so that this shows nothing");
    // What is known of it all the same: the new file of attributes, and the module that is in the index alone.
    assert!(tree["values"]["git status"].as_str().unwrap().starts_with("2 changes, "), "{tree}");
}
