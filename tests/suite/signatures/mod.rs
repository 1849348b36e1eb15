//! Signatures judged in process, compared with what `ssh-keygen` says of the same files.

mod bench;
mod differential;
mod forged;
mod forgery;
mod parser;
mod signing;
