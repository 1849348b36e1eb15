//! Detached signatures, which lie beside what they sign under its name and `.sig`.

use crate::files;
use crate::problem::Problem;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The signature beside a file or folder, if there is one. Nothing of it is judged yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignatureFile {
    path: PathBuf,
    bytes: Option<Vec<u8>>,
}

impl SignatureFile {
    /// Reads the signature beside this file or folder.
    pub fn beside(signed: &Path) -> Result<Self, Problem> {
        let path = Self::path_beside(signed)?;
        let bytes = files::is_there(&path).then(|| files::read_bytes(&path)).transpose()?;
        Ok(Self { path, bytes })
    }

    /// Where the signature of this file or folder lies.
    pub fn path_beside(signed: &Path) -> Result<PathBuf, Problem> {
        if files::is_stream(signed) {
            let message = format!("`{}` is a stream, and a signature needs a file to be beside", signed.display());
            return Err(Problem::failure(message).help("name the file that is signed"));
        }
        // `.` and `..` have no name of their own; what they stand for has.
        let named = match signed.file_name() {
            Some(_) => signed.to_path_buf(),
            None => signed.canonicalize().unwrap_or_default(),
        };
        let name = named.file_name().ok_or_else(|| {
            Problem::failure(format!("`{}` has no name, so that its signature has none", signed.display()))
                .help("name the file or folder itself, such as `policies`")
        })?;
        let mut signature = OsString::from(name);
        signature.push(".sig");
        Ok(named.with_file_name(signature))
    }

    /// Its content, if there is one.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.bytes.as_deref()
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_of_a_folder_lies_beside_it_and_not_in_it() {
        let path = |text: &str| SignatureFile::path_beside(Path::new(text)).ok();
        assert_eq!(path("policies"), Some("policies.sig".into()));
        assert_eq!(path("a/policies/"), Some("a/policies.sig".into()));
        assert_eq!(path("plans/july.json"), Some("plans/july.json.sig".into()));
        assert_eq!([path("/"), path("")], [None, None]);
        let here = std::env::current_dir().unwrap();
        assert_eq!(path("."), SignatureFile::path_beside(&here).ok());
    }
}
