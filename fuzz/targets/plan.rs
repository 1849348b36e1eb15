//! Texts of the kind `plan`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| cutter_fuzz::plan(text));
