//! Names that users choose, checked once at the boundary.
//!
//! Every name is compared byte for byte: no case folding, no Unicode
//! normalisation. Lengths are bytes of UTF-8 (Swift's limits,
//! `swift/common/constraints.py`).

use std::fmt;

/// Why a name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing where a name must stand.
    #[error("the name is empty")]
    Empty,
    /// More bytes than the kind of name allows.
    #[error("the name is longer than {max} bytes")]
    TooLong {
        /// The limit, in bytes of UTF-8.
        max: usize,
    },
    /// Not UTF-8, or a NUL byte.
    #[error("the name is not UTF-8 or contains NUL")]
    Encoding,
    /// A control character, a slash in a container's name, or a character
    /// outside the ASCII set of accounts, users and applications.
    #[error("the name contains a character that is not allowed")]
    Character,
    /// A `.` or `..` segment: clients and proxies resolve these away, so what was
    /// authorized and what was asked for could differ.
    #[error("the name contains a `.` or `..` segment")]
    DotSegment,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $max:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Box<str>);

        impl $name {
            /// The longest name, in bytes.
            pub const BYTES_MAX: usize = $max;

            /// Checks and keeps a name.
            ///
            /// *Errors*: the first rule of [`NameError`] that the bytes break.
            pub fn new(bytes: &[u8]) -> Result<Self, NameError> {
                let text = text(bytes, $max)?;
                $check(text)?;
                Ok(Self(text.into()))
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text.as_bytes())
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// A tenant: owner of containers, users and policies.
    AccountName, 256, identifier
}
name! {
    /// A user within an account.
    UserName, 128, identifier
}
name! {
    /// An application that asks for tickets in the name of users; names are
    /// global, not per account.
    ApplicationName, 128, identifier
}
name! {
    /// A name space of objects within an account (S3: a bucket).
    ContainerName, 256, container
}
name! {
    /// The name of an object within its container. Slashes are ordinary
    /// characters; empty segments are allowed, `.` and `..` are not.
    ObjectKey, 1024, key
}

fn text(bytes: &[u8], max: usize) -> Result<&str, NameError> {
    if bytes.is_empty() {
        return Err(NameError::Empty);
    }
    if bytes.contains(&0) {
        return Err(NameError::Encoding);
    }
    let text = str::from_utf8(bytes).map_err(|_| NameError::Encoding)?;
    if bytes.len() > max {
        return Err(NameError::TooLong { max });
    }
    Ok(text)
}

/// Accounts, users and applications stand in ticket headers and in ARNs, so they
/// keep to ASCII letters, digits and `._@-`, and begin with a letter or digit.
fn identifier(text: &str) -> Result<(), NameError> {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'@' | b'-'));
    if first && rest { Ok(()) } else { Err(NameError::Character) }
}

fn container(text: &str) -> Result<(), NameError> {
    if text.contains('/') || text.chars().any(char::is_control) {
        return Err(NameError::Character);
    }
    no_dot_segment(text)
}

fn key(text: &str) -> Result<(), NameError> {
    if text.chars().any(char::is_control) {
        return Err(NameError::Character);
    }
    no_dot_segment(text)
}

/// Refuses `.` and `..` between slashes or backslashes, also with parameters
/// (`..;x`), which some proxies strip before they resolve the path.
fn no_dot_segment(text: &str) -> Result<(), NameError> {
    let dotted = text.split(['/', '\\']).any(|segment| matches!(segment.split(';').next(), Some("." | "..")));
    if dotted { Err(NameError::DotSegment) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::{AccountName, ContainerName, NameError, ObjectKey};

    #[test]
    fn keys_are_bytes_not_paths() {
        for good in [
            "a",
            "a/b",
            "a//b",
            "/a",
            "dir/",
            "caf\u{e9}",
            "cafe\u{301}",
            "%2e%2e",
            "...",
            "a..b",
            "a b",
            "a\\b",
        ] {
            assert!(ObjectKey::new(good.as_bytes()).is_ok(), "{good}");
        }
        assert_ne!(ObjectKey::new("caf\u{e9}".as_bytes()), ObjectKey::new("cafe\u{301}".as_bytes()));
    }

    #[test]
    fn each_rule_refuses() {
        let long = vec![b'a'; 1025];
        let cases: [(&[u8], NameError); 10] = [
            (b"", NameError::Empty),
            (&long, NameError::TooLong { max: 1024 }),
            (b"a\0b", NameError::Encoding),
            (b"\xc0\xae", NameError::Encoding),
            (b"\xff", NameError::Encoding),
            (b"a\nb", NameError::Character),
            ("a\u{85}b".as_bytes(), NameError::Character),
            (b"../x", NameError::DotSegment),
            (b"a/./b", NameError::DotSegment),
            (b"a\\..;p=1\\b", NameError::DotSegment),
        ];
        for (bytes, error) in cases {
            assert_eq!(ObjectKey::new(bytes), Err(error), "{bytes:?}");
        }
    }

    #[test]
    fn containers_have_no_slash_and_accounts_are_ascii() {
        assert_eq!(ContainerName::new(b"a/b"), Err(NameError::Character));
        assert_eq!(ContainerName::new(b".."), Err(NameError::DotSegment));
        assert!(ContainerName::new("bücher".as_bytes()).is_ok());
        assert!(AccountName::new(b"AUTH_test").is_ok());
        for bad in ["a:b", "-a", "a b", "ä", "a/b"] {
            assert_eq!(AccountName::new(bad.as_bytes()), Err(NameError::Character), "{bad}");
        }
    }
}
