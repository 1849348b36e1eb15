//! What other processes and sessions bring about is waited for, not guessed at by a time.

use std::fmt::Display;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Comes back as soon as it is so. Where it is not within `LIMIT` the test fails, and says what did not come.
#[track_caller]
pub fn wait_until(what: impl Display, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LIMIT, "within {} s it did not come to this: {what}", LIMIT.as_secs());
        sleep(Duration::from_millis(10));
    }
}

const LIMIT: Duration = Duration::from_secs(60);
