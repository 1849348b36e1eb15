//! The bar that shows the progress of long work: on standard error, only where that is a terminal, and gone when the work is done.

use crate::layout::printable;
use crate::progress::Observer;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::Mutex;

/// A bar on standard error, only where somebody looks.
#[derive(Default)]
pub struct Progress(Mutex<Option<ProgressBar>>);

impl Progress {
    /// Puts another bar, or none, in place of the one that is shown.
    fn replace(&self, bar: Option<ProgressBar>) {
        if let Ok(mut held) = self.0.lock() {
            std::mem::replace(&mut *held, bar).iter().for_each(ProgressBar::finish_and_clear);
        }
    }
}

impl Observer for Progress {
    fn begin(&self, what: &str, steps: u64) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        self.replace(None);
        let (bar, form) = match steps {
            0 => (ProgressBar::new_spinner(), "{spinner} {msg} {elapsed}"),
            steps => (ProgressBar::new(steps), "{msg} {pos}/{len} {wide_bar} {percent}% {elapsed}"),
        };
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style);
        }
        bar.set_message(printable(what));
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        self.replace(Some(bar));
    }

    fn advance(&self, steps: u64) {
        if let Ok(held) = self.0.lock() {
            held.iter().for_each(|bar| bar.inc(steps));
        }
    }

    fn end(&self) {
        self.replace(None);
    }
}
