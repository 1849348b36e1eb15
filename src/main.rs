//! The door: parse, run, exit code.

fn main() -> std::process::ExitCode {
    cutter::main(std::env::args_os())
}
