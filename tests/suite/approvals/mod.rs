//! Approvals as a person makes them, with real keys, and every way in which one is none.

mod as_root {
    mod ended;
    mod exec;
    mod killed;
    mod moment;
    mod off;
    mod work;
}
mod asked;
mod codes;
mod golden_output;
pub mod office;
mod printable;
mod properties;
mod scenarios;
