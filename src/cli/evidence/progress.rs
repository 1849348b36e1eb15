//! The bar that tells of long work.

use crate::{evidence, render};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::Mutex;

/// A bar on standard error, only where somebody looks.
#[derive(Default)]
pub struct Progress(Mutex<Option<ProgressBar>>);

impl evidence::Observer for Progress {
    fn begin(&self, what: &str, steps: u64) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        let bar = match steps {
            0 => ProgressBar::new_spinner(),
            steps => ProgressBar::new(steps),
        };
        let form = if steps == 0 { "{spinner} {msg} {elapsed}" } else { "{msg} {wide_bar} {percent}% {eta}" };
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style);
        }
        bar.set_message(render::printable(what));
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        if let Ok(mut held) = self.0.lock() {
            *held = Some(bar);
        }
    }

    fn advance(&self, steps: u64) {
        if let Ok(held) = self.0.lock() {
            held.iter().for_each(|bar| bar.inc(steps));
        }
    }

    fn end(&self) {
        if let Ok(mut held) = self.0.lock() {
            held.take().iter().for_each(ProgressBar::finish_and_clear);
        }
    }
}
