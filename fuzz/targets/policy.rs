//! Texts of the kind `policy`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| cutter_fuzz::policy(text));
