//! What needs root: a trust root that only root can change.

mod between;
mod elsewhere;
mod ends;
mod judged;
mod killed;
mod observed;
mod shipped;
mod whole;
