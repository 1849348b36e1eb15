//! Texts of the kind `entities`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| cutter_fuzz::entities(text));
