//! Texts of the kind `config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| cutter_fuzz::config(text));
