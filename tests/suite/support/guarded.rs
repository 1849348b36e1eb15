//! A folder that only root can change, as a trust root needs one, and the mark of the tests that take one.

use std::os::unix::fs::PermissionsExt as _;

/// Makes a folder below folders that only root can change, which is not so of `/tmp`.
///
/// A test that needs root lies in a module `as_root`: `tests/run` leaves those out, and counts them, where it is not root.
pub fn folder() -> tempfile::TempDir {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    assert!(test.contains("as_root::"), "`{test}` needs root, but lies in no module `as_root`");
    let folder = tempfile::Builder::new().prefix("cutter-test-").tempdir_in("/var/lib").expect("this test needs root");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}
