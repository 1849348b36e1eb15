//! Signatures judged in process, compared with what `ssh-keygen` says of the same files.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

mod bench;
mod differential;
mod forged;
mod forgery;
mod parser;
mod signing;
