//! What needs root: a trust root that only root can change.

mod killed;
mod shipped;
mod whole;
