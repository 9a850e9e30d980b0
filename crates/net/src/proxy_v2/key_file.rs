//! The file that holds the key of the PROXY header.

use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER_PERMISSIVE;
use zeroize::Zeroizing;

use super::ProxyKey;

/// Hex digits of the key.
const DIGITS: usize = 64;

/// The key cannot be used. What the file holds is never quoted.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// Not 64 hex digits.
    #[error("{} does not hold {DIGITS} hex digits", path.display())]
    Form {
        /// The file.
        path: PathBuf,
    },
}

impl ProxyKey {
    /// Reads a key of 64 hex digits; white space around them is ignored.
    ///
    /// *Errors*: [`KeyFileError`].
    ///
    /// *Cost*: blocks.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let file = |source| KeyFileError::File { path: path.to_owned(), source };
        let text = Zeroizing::new(std::fs::read(path).map_err(file)?);
        parse(text.trim_ascii()).ok_or_else(|| KeyFileError::Form { path: path.to_owned() })
    }
}

fn parse(digits: &[u8]) -> Option<ProxyKey> {
    if digits.len() != DIGITS {
        return None;
    }
    let mut bytes = Zeroizing::new([0; DIGITS / 2]);
    HEXLOWER_PERMISSIVE.decode_mut(digits, bytes.as_mut()).ok()?;
    Some(ProxyKey::new(&bytes))
}

#[cfg(test)]
mod tests {
    use super::{KeyFileError, ProxyKey};

    #[test]
    fn only_64_digits_are_a_key_and_no_error_quotes_them() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("proxy.key");
        assert!(matches!(ProxyKey::read(&path), Err(KeyFileError::File { .. })));
        for (text, good) in
            [("ab".repeat(32) + "\n", true), ("ab".repeat(31), false), ("zz".repeat(32), false)]
        {
            std::fs::write(&path, &text).expect("write");
            let key = ProxyKey::read(&path);
            assert_eq!(key.is_ok(), good);
            if let Err(error) = key {
                assert!(!error.to_string().contains(&text[..8]));
            }
        }
    }
}
