//! Progress of long work, reported to whoever wants to show it. It decides nothing, and nothing here prints.

/// Whoever is shown the progress of long work, one phase at a time.
pub trait Observer: Sync {
    /// A phase begins; its steps are unknown where `steps` is 0.
    fn begin(&self, what: &str, steps: u64);
    /// Some steps are done.
    fn advance(&self, steps: u64);
    /// The phase has ended.
    fn end(&self);
}

/// A phase of long work, which ends when it is dropped: after a fault as well.
pub struct Phase<'a>(&'a dyn Observer);

impl<'a> Phase<'a> {
    /// Begins a phase; its steps are unknown where `steps` is 0.
    pub fn new(observer: &'a dyn Observer, what: &str, steps: usize) -> Self {
        observer.begin(what, steps as u64);
        Self(observer)
    }

    /// One more step is done.
    pub fn advance(&self) {
        self.0.advance(1);
    }
}

impl Drop for Phase<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Shows nothing.
#[cfg(feature = "internals")]
#[derive(Clone, Copy, Debug)]
pub struct Silent;

#[cfg(feature = "internals")]
impl Observer for Silent {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}
