//! What a program writes on its way to whoever called cutter: all of it is looked through for secrets, and nothing of it is kept.

use crate::attestation::secrets::{Filter, Secrets};
use crate::ledger::ProgramOutput;
use std::fs::File;
use std::io::{ErrorKind, PipeReader, Read as _, Write as _};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// What is to be looked for.
pub struct SearchedOutput {
    filter: Filter,
    variables: Vec<String>,
    shapes: u64,
}

/// Output that is being read, beside the program.
pub struct Reading {
    filter: Receiver<Filter>,
    variables: Vec<String>,
    shapes: u64,
}

impl SearchedOutput {
    /// Everything that can be found wrong before anything is used up.
    pub fn prepare(secrets: &Secrets) -> Self {
        Self { filter: secrets.filter(), variables: secrets.names(), shapes: secrets.shapes() as u64 }
    }

    /// Reads all that comes, and shows what is left of it on standard error: standard output is for what cutter itself has to say.
    pub fn read(self, mut from: PipeReader) -> Reading {
        let Self { mut filter, variables, shapes } = self;
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let mut shown = rustix::io::dup(rustix::stdio::stderr()).ok().map(File::from);
            let mut show = |bytes: &[u8]| {
                // Whoever does not want to see it does not stop the program.
                if shown.as_mut().is_some_and(|shown| shown.write_all(bytes).is_err()) {
                    shown = None;
                }
            };
            let mut bytes = vec![0_u8; 1 << 16];
            loop {
                match from.read(&mut bytes) {
                    Ok(0) => break,
                    Ok(length) => show(&filter.take(bytes.get(..length).unwrap_or_default())),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => return,
                }
            }
            show(&filter.rest());
            let _ = sender.send(filter);
        });
        Reading { filter: receiver, variables, shapes }
    }
}

impl Reading {
    /// What was written, its answer included, once nobody writes any more, and whether the answer holds no secret; nothing where somebody
    /// still writes.
    pub fn end(self, answer: Option<&[u8]>, longest: Duration) -> Option<(bool, ProgramOutput)> {
        let mut filter = self.filter.recv_timeout(longest).ok()?;
        let before = filter.found();
        drop(filter.take(answer.unwrap_or_default()));
        let (_, written) = filter.end();
        let is_clean = written.found.values().sum::<u64>() == before;
        let output = ProgramOutput {
            sha256: written.sha256,
            length: written.length,
            variables: self.variables,
            shapes: self.shapes,
            found: written.found,
        };
        Some((is_clean, output))
    }
}
