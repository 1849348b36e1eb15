//! Texts that are kept as files under `tests/golden/`, and reviewed like code.

use std::fs;
use std::path::Path;

/// The text must be what the file holds; `CUTTER_BLESS=1` rewrites the file.
pub fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("CUTTER_BLESS").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "tests/golden/{name} differs; if this is meant, run again with CUTTER_BLESS=1 and review it:\n{text}"
    );
}
