//! Approvals as a person makes them, with real keys, and every way in which one is none.

pub mod as_root {
    mod ended;
    pub mod exec;
    mod killed;
    pub mod moment;
    mod off;
    mod work;
    mod written;
}
mod asked;
mod codes;
mod golden_output;
pub mod office;
mod printable;
mod properties;
mod scenarios;
