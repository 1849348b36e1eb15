//! Sessions that read at the main snapshot, each time in a transaction of its own, so that locks are released at once.

use super::{DatabaseError, Session, Snapshot};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The main snapshot, and who reads beside it.
pub struct Readers<'a> {
    /// What everything is seen in; it waits meanwhile.
    pub main: Snapshot<'a>,
    /// Further sessions; where the server has none left, the main one reads itself and keeps its locks.
    pub others: Vec<Session>,
    /// The main snapshot as they import it.
    pub exported: String,
}

impl Readers<'_> {
    /// Reads one thing at the main snapshot and lets go of it.
    pub fn once<T>(
        &mut self,
        read: impl FnOnce(&mut Snapshot<'_>) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        match self.others.first_mut() {
            Some(other) => read(&mut other.begin_at(&self.exported)?),
            None => read(&mut self.main),
        }
    }

    /// Reads each of these with whichever session is free, in a transaction of its own; what is found is in their order.
    pub fn each<A: Sync, T: Send>(
        &mut self,
        items: &[A],
        read: &(dyn Fn(&A, &mut Snapshot<'_>) -> Result<T, DatabaseError> + Sync),
    ) -> Result<Vec<Result<T, DatabaseError>>, DatabaseError> {
        if self.others.is_empty() {
            return Ok(items.iter().map(|item| read(item, &mut self.main)).collect());
        }
        let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        self.with_all(&|other, exported| {
            while let Some((at, item)) = next_of(&next, items) {
                let result = other.begin_at(exported).and_then(|mut snapshot| read(item, &mut snapshot));
                found.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
            }
        })?;
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort_by_key(|(at, _)| *at);
        Ok(found.into_iter().map(|(_, result)| result).collect())
    }

    /// Reads with all sessions at once.
    pub fn together(
        &mut self,
        read: &(dyn Fn(Result<Snapshot<'_>, DatabaseError>) + Sync),
    ) -> Result<(), DatabaseError> {
        self.with_all(&|other, exported| read(other.begin_at(exported)))
    }

    /// Works with all other sessions at once; the main one says something now and then, so that nothing between takes it for dead.
    fn with_all(&mut self, work: &(dyn Fn(&mut Session, &str) + Sync)) -> Result<(), DatabaseError> {
        let Self { main, others, exported } = self;
        let exported: &str = exported;
        let left = AtomicUsize::new(others.len());
        thread::scope(|scope| {
            for other in others.iter_mut() {
                let left = &left;
                scope.spawn(move || {
                    work(other, exported);
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

fn next_of<'a, A>(next: &AtomicUsize, items: &'a [A]) -> Option<(usize, &'a A)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    Some((at, items.get(at)?))
}
