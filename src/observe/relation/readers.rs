//! Sessions that read at the main snapshot, each time in a transaction of its own, so that locks are released at once.

use crate::db::{DatabaseError, Session, Snapshot};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The main snapshot, and who reads beside it.
pub struct Readers<'a> {
    /// What everything is seen in; it waits meanwhile.
    pub main: Snapshot<'a>,
    /// Further sessions; where the server has none left, the main one reads itself and keeps its locks.
    pub others: &'a mut [Session],
    /// The main snapshot as they import it.
    pub exported: &'a str,
}

impl Readers<'_> {
    /// Reads one thing at the main snapshot and lets go of it.
    pub fn once<T>(
        &mut self,
        read: impl FnOnce(&mut Snapshot<'_>) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        match self.others.first_mut() {
            Some(other) => read(&mut other.begin_at(self.exported)?),
            None => read(&mut self.main),
        }
    }

    /// Reads with all sessions at once; the main one says something now and then, so that nothing between takes it for dead.
    pub fn together(
        &mut self,
        read: &(dyn Fn(Result<Snapshot<'_>, DatabaseError>) + Sync),
    ) -> Result<(), DatabaseError> {
        let Self { main, others, exported } = self;
        let exported: &str = exported;
        let left = AtomicUsize::new(others.len());
        thread::scope(|scope| {
            for other in others.iter_mut() {
                let left = &left;
                scope.spawn(move || {
                    read(other.begin_at(exported));
                    left.fetch_sub(1, Ordering::Relaxed);
                });
            }
            let mut spoken = Instant::now();
            while left.load(Ordering::Relaxed) > 0 {
                thread::sleep(Duration::from_millis(2));
                if spoken.elapsed() > Duration::from_secs(30) {
                    main.text("SELECT ''")?;
                    spoken = Instant::now();
                }
            }
            Ok(())
        })
    }
}
