//! The SMT solver as a child process: started, tried out, asked one text at a time within a time limit, and killed.

use crate::problem::Problem;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Which solver is run, and how long it may think about one query.
#[derive(Clone, Debug)]
pub struct SolverOptions {
    /// The executable: a path, or a name to look up.
    pub program: OsString,
    /// The longest that one query may take.
    pub limit: Duration,
}

/// What the solver says to one text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Nothing satisfies it.
    Unsat,
    /// Something does; the model, where it was asked for.
    Sat(Option<String>),
    /// It could not say, and why.
    Unknown(String),
}

/// The version of the solver, after it answered two queries whose answers are known.
pub fn tried(options: &SolverOptions) -> Result<String, Problem> {
    let name = options.program.to_string_lossy().into_owned();
    let output = Command::new(&options.program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| missing(&format!("the solver `{name}` cannot be started: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split_whitespace().skip_while(|word| *word != "version").nth(1).unwrap_or_default().to_owned();
    let version = version.trim_end_matches('.').to_owned();
    match numbers(&version) {
        None => return Err(missing(&format!("`{name} --version` does not answer as cvc5 does"))),
        Some(found) if found < OLDEST => {
            let [major, minor, patch] = OLDEST;
            return Err(missing(&format!(
                "the solver `{name}` is version {version}, older than {major}.{minor}.{patch}"
            )));
        }
        Some(_) => {}
    }
    let mut solver = Solver::new(options.clone());
    let canaries = [
        ("(set-logic ALL)\n(declare-const x String)\n(assert (= x \"a\"))\n", Answer::Sat(None)),
        ("(set-logic ALL)\n(declare-const x Int)\n(assert (< x x))\n", Answer::Unsat),
    ];
    for (query, right) in canaries {
        let answer = solver.decide(query, false);
        if answer != right {
            return Err(missing(&format!("the solver `{name}` does not answer a query whose answer is known")));
        }
    }
    Ok(version)
}

/// One solver process; it is started at the first query, and again after it had to be killed.
#[derive(Debug)]
pub struct Solver {
    options: SolverOptions,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    asked: usize,
}

impl Solver {
    /// A solver that is not yet running.
    pub fn new(options: SolverOptions) -> Self {
        Self { options, running: None }
    }

    /// Decides whether something satisfies the assertions of an SMT-LIB text that ends before `(check-sat)`.
    pub fn decide(&mut self, text: &str, with_model: bool) -> Answer {
        let answer = self.ask(text, with_model);
        if matches!(answer, Answer::Unknown(_)) {
            // A solver that was late or confused is not asked again.
            self.stop();
        }
        answer
    }

    fn ask(&mut self, text: &str, with_model: bool) -> Answer {
        let limit = self.options.limit;
        if self.running.as_ref().is_some_and(|running| running.asked >= MOST_ASKED) {
            self.stop();
        }
        let running = match &mut self.running {
            Some(running) => running,
            none => match start(&self.options) {
                Ok(running) => none.insert(running),
                Err(error) => return Answer::Unknown(format!("the solver cannot be started: {error}")),
            },
        };
        let until = Instant::now() + limit;
        running.asked += 1;
        if let Err(error) = running.write(&["(reset)\n", text, "(check-sat)\n"]) {
            return Answer::Unknown(format!("the solver went away: {error}"));
        }
        match running.line(until) {
            Ok(line) if line == "unsat" => Answer::Unsat,
            Ok(line) if line == "sat" && !with_model => Answer::Sat(None),
            Ok(line) if line == "sat" => match running.model(until) {
                Ok(model) => Answer::Sat(Some(model)),
                Err(why) => Answer::Unknown(why.words(limit)),
            },
            Ok(line) if line == "unknown" => Answer::Unknown("the solver answered `unknown`".to_owned()),
            Ok(line) => Answer::Unknown(format!("the solver answered `{line}`")),
            Err(why) => Answer::Unknown(why.words(limit)),
        }
    }

    fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

impl Drop for Solver {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Running {
    fn write(&mut self, parts: &[&str]) -> std::io::Result<()> {
        parts.iter().try_for_each(|part| self.input.write_all(part.as_bytes()))?;
        self.input.flush()
    }

    fn line(&self, until: Instant) -> Result<String, Silence> {
        match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => Err(Silence::Late),
            Err(RecvTimeoutError::Disconnected) => Err(Silence::Gone),
        }
    }

    /// The model in cvc5's form: from a line `(` to a line `)`.
    fn model(&mut self, until: Instant) -> Result<String, Silence> {
        self.write(&["(get-model)\n"]).map_err(|_| Silence::Gone)?;
        let mut model = String::new();
        loop {
            let line = self.line(until)?;
            model.push_str(&line);
            model.push('\n');
            if line == ")" || line.starts_with("(error") {
                return Ok(model);
            }
        }
    }
}

/// Why nothing was said.
#[derive(Clone, Copy, Debug)]
enum Silence {
    Late,
    Gone,
}

impl Silence {
    fn words(self, limit: Duration) -> String {
        match self {
            Self::Late => format!("the solver took longer than {} s; see --limit", limit.as_secs_f32()),
            Self::Gone => "the solver ended before it answered".to_owned(),
        }
    }
}

fn start(options: &SolverOptions) -> std::io::Result<Running> {
    let mut child = Command::new(&options.program)
        .args(["--lang", "smt", "--strings-exp"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(std::io::Error::other("it has no standard input and output"));
    };
    let (sender, lines) = channel();
    // The thread ends with the process, whose output then ends.
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line.trim_end().to_owned()).is_err() {
                break;
            }
        }
    });
    Ok(Running { child, input, lines, asked: 0 })
}

fn numbers(version: &str) -> Option<[u32; 3]> {
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    let mut parts = version.split('.');
    Some([digits(parts.next()?)?, digits(parts.next()?)?, parts.next().and_then(digits).unwrap_or(0)])
}

fn missing(message: &str) -> Problem {
    Problem::failure(message).help(INSTALL)
}

/// The oldest cvc5 whose answers were compared with those that the symbolic compiler's own tests expect.
const OLDEST: [u32; 3] = [1, 0, 3];

/// A process that was asked many texts becomes slow, whatever `(reset)` says, and one that is started costs 7 ms: of all the questions
/// of a bundle, 1 a process took 2.4 s, 4 took 1.1, 8 took 1.0, 32 took 1.1 and all of them 1.8.
const MOST_ASKED: usize = 8;

/// What to do where there is no solver.
pub const INSTALL: &str = "install cvc5 1.0.3 or newer (`apt-get install cvc5`, or a release of https://github.com/cvc5/cvc5/releases), or name it with --solver or the variable CVC5";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(numbers("1.0.3") >= Some(OLDEST));
        assert!(numbers("1.10.0-dev") > Some(OLDEST));
        assert!(numbers("0.0.11") < Some(OLDEST));
        assert_eq!(numbers("four"), None);
    }
}
