//! `cutter` decides by Cedar policies what an automated run may do to a production database, and proves what it did.

pub mod digest;
pub mod json;
pub mod problem;
pub mod signature;
pub mod time;
