//! Texts of the kind `schema`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| cutter_fuzz::schema(text));
