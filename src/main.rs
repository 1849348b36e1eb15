//! The door: parse, run, exit code.

fn main() -> std::process::ExitCode {
    cutter::cli::run(std::env::args_os()).into()
}
