//! Local files named after keys, which strangers choose.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::ClientError;

/// The longest file name that common file systems take, less a suffix of ours.
const SEGMENT_BYTES_MAX: usize = 240;

/// Where a key's file belongs below `root`.
///
/// *Errors*: [`ClientError::LocalName`] for a key that would leave `root`, that
/// two keys would share, or that is no file name.
pub(crate) fn path_below(root: &Path, key: &str) -> Result<PathBuf, ClientError> {
    let refused = |reason| ClientError::LocalName { key: key.to_owned(), reason };
    if key.contains('\0') {
        return Err(refused("it contains NUL"));
    }
    if key.starts_with('/') {
        return Err(refused("it is absolute"));
    }
    let mut path = root.to_owned();
    for segment in key.split('/') {
        match segment {
            "" => return Err(refused("it has an empty segment")),
            "." | ".." => return Err(refused("it has a `.` or `..` segment")),
            long if long.len() > SEGMENT_BYTES_MAX => {
                return Err(refused("it has a segment that is too long"));
            }
            segment => path.push(segment),
        }
    }
    Ok(path)
}

/// Makes the folders between `root` and `path`, following no symbolic link below
/// `root`: one that an earlier key or somebody else has planted could lead out.
pub(crate) fn make_parents(root: &Path, path: &Path, key: &str) -> Result<(), ClientError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ClientError::Local { path, source }
    };
    fs::create_dir_all(root).map_err(failed(root))?;
    let below = path.strip_prefix(root).ok().and_then(Path::parent);
    let mut folder = root.to_owned();
    for part in below.into_iter().flat_map(Path::components) {
        folder.push(part);
        match fs::create_dir(&folder) {
            Ok(()) => continue,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&folder)(error)),
        }
        if !fs::symlink_metadata(&folder).map_err(failed(&folder))?.is_dir() {
            let reason = "a part of its path is a symbolic link or a file";
            return Err(ClientError::LocalName { key: key.to_owned(), reason });
        }
    }
    Ok(())
}

/// `NAME` with something behind it, in the same folder.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use proptest::prelude::{ProptestConfig, proptest};

    use super::{make_parents, path_below};
    use crate::error::ClientError;

    #[test]
    fn keys_that_would_leave_the_folder_are_refused() {
        let root = Path::new("/tmp/root");
        assert_eq!(path_below(root, "a/b.txt").unwrap(), Path::new("/tmp/root/a/b.txt"));
        for bad in
            ["../a", "a/../../b", "/etc/passwd", "a//b", "a/", "", "a\0b", ".", "a/./b", &"x".repeat(300)]
        {
            assert!(matches!(path_below(root, bad), Err(ClientError::LocalName { .. })), "{bad}");
        }
    }

    #[test]
    fn no_symbolic_link_is_followed_below_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
        fs::create_dir_all(&root).unwrap();
        fs::create_dir_all(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, root.join("link")).unwrap();
        let escape = make_parents(&root, &root.join("link/x/file"), "link/x/file");
        assert!(matches!(escape, Err(ClientError::LocalName { .. })));
        assert!(!outside.join("x").exists());
        make_parents(&root, &root.join("a/b/file"), "a/b/file").unwrap();
        make_parents(&root, &root.join("a/b/other"), "a/b/other").unwrap();
        assert!(root.join("a/b").is_dir());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn whatever_the_key_the_path_stays_below_the_folder(key in "[a./\\\\\u{0}\u{e9}]{0,12}") {
            if let Ok(path) = path_below(Path::new("/root"), &key) {
                let below = path.strip_prefix("/root").unwrap();
                assert!(below.components().all(|c| matches!(c, std::path::Component::Normal(_))));
                assert_eq!(below.to_str().unwrap(), key);
            }
        }
    }
}
