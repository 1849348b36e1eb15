//! Command lines that never judge by the trust root of the machine that runs the tests.

use std::path::Path;

/// The words of a command line, with this trust root where it names none and its command would look for one.
pub fn words(arguments: &[&str], trust: &Path) -> Vec<String> {
    let mut words: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
    let at = match *arguments {
        ["approval", "request" | "verify" | "list", ..] | ["evidence", "targets", ..] => 2,
        ["authorize" | "explain" | "exec" | "run" | "guard" | "package" | "attest" | "verify", ..] => 1,
        _ => return words,
    };
    if !words.iter().any(|word| word == "--trust") {
        words.splice(at..at, ["--trust".to_owned(), trust.display().to_string()]);
    }
    words
}
