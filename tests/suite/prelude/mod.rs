//! The prelude: proved by its own invariants, each of its bans missed when it is weakened, and no name of it left to chance.

mod names;
mod proof;
