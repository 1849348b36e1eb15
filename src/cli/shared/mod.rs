//! What several commands share: arguments that each know how to become one value, and what a command gives.

pub mod authority;
pub mod clock;
pub mod connection;
pub mod exit;
pub mod facts;
pub mod folder;
pub mod format;
pub mod inputs;
pub mod ledger;
pub mod named;
pub mod next;
pub mod outlook;
pub mod output;
pub mod preview;
pub mod progress;
pub mod signing;
pub mod solver;
pub mod trust;
pub mod vouch;
