//! What users keep with an object, a container or an account: their own metadata
//! and the headers that are handed back with the object.
//!
//! Names are stored in lower case, whole (`x-object-meta-colour`,
//! `cache-control`), and written back in Title-Case as Swift does.
//!
//! *Source*: `swift/common/constraints.py`, `check_metadata`;
//! `swift/obj/server.py`, `allowed_headers`.

mod change;
#[cfg(test)]
mod tests;

use repono_core::refusal::Refusal;
use repono_core::request::RequestHead;

use crate::large::ObjectManifest;
pub use crate::metadata::change::Changes;
use crate::refusals::{
    HEADER_TOO_LONG, INVALID_HEADER, INVALID_OBJECT_MANIFEST, METADATA_NAME_EMPTY, METADATA_NAME_TOO_LONG,
    METADATA_TOO_LARGE, METADATA_TOO_MANY, METADATA_VALUE_TOO_LONG,
};

/// The longest metadata name, without its prefix, in bytes (Swift's limit).
pub const NAME_BYTES_MAX: usize = 128;
/// The longest metadata value, in bytes (Swift's limit).
pub const VALUE_BYTES_MAX: usize = 256;
/// The most metadata items of one owner (Swift's limit).
pub const ITEMS_MAX: usize = 90;
/// The most bytes of all names, without prefixes, and values together (Swift's limit).
pub const TOTAL_BYTES_MAX: usize = 4096;
/// The longest value of a kept header: with the longest name of one it is a line of
/// 8 KiB, and the codec takes no longer one.
pub const HEADER_BYTES_MAX: usize = 8 * 1024 - 64;

/// Headers that are kept with an object besides its metadata and media type.
pub const PERSISTED: [&str; 6] = [
    "content-disposition",
    "content-encoding",
    "cache-control",
    "content-language",
    "expires",
    "x-robots-tag",
];

/// What metadata belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// `X-Account-Meta-…`
    Account,
    /// `X-Container-Meta-…`
    Container,
    /// `X-Object-Meta-…`
    Object,
}

impl Owner {
    /// What the owner's metadata names begin with, in lower case.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Account => "x-account-meta-",
            Self::Container => "x-container-meta-",
            Self::Object => "x-object-meta-",
        }
    }

    const fn remove_prefix(self) -> &'static str {
        match self {
            Self::Account => "x-remove-account-meta-",
            Self::Container => "x-remove-container-meta-",
            Self::Object => "x-remove-object-meta-",
        }
    }
}

/// Reads the metadata and the kept headers of an upload or a metadata update of an
/// object. An update replaces all of them.
///
/// *Shape*: lower-case names with their values, in the order sent, each name once.
///
/// *Errors*: 400 for a value beyond the limits, with a control character, not
/// UTF-8, or sent twice.
pub fn object(head: &RequestHead) -> Result<Vec<(String, String)>, Refusal> {
    let mut kept = Vec::new();
    let mut size = Size::default();
    for (name, value) in head.fields() {
        if let Some(short) = strip_prefix(name, Owner::Object.prefix()) {
            let name = stored_name(Owner::Object, short)?;
            let value = user_value(value)?;
            size.add(short.len(), value.len())?;
            push_once(&mut kept, name, value)?;
        } else if let Some(name) = persisted(name) {
            push_once(&mut kept, name.to_owned(), header_value(value)?)?;
        } else if name.eq_ignore_ascii_case(ObjectManifest::NAME.as_bytes()) {
            push_once(&mut kept, ObjectManifest::NAME.to_owned(), object_manifest(value)?)?;
        }
    }
    // A reader looks for it in the first place only.
    let place = kept.iter().position(|(name, _)| name == ObjectManifest::NAME);
    if let Some(before) = place.and_then(|at| kept.get_mut(..=at)) {
        before.rotate_right(1);
    }
    Ok(kept)
}

fn object_manifest(value: &[u8]) -> Result<String, Refusal> {
    let text = header_value(value)?;
    if ObjectManifest::parse(&text).is_some() { Ok(text) } else { Err(INVALID_OBJECT_MANIFEST) }
}

/// Holds stored metadata and kept headers against the limits of an object: what a
/// copy takes over and what it sets were within them only one by one.
///
/// *Errors*: 400 beyond the limits.
pub fn within_limits(kept: &[(String, String)]) -> Result<(), Refusal> {
    let mut size = Size::default();
    let users =
        kept.iter().filter_map(|(name, value)| Some((name.strip_prefix(Owner::Object.prefix())?, value)));
    users.into_iter().try_for_each(|(name, value)| size.add(name.len(), value.len()))
}

/// The name under which a stored item is written: `x-object-meta-foo` becomes
/// `X-Object-Meta-Foo`. Calls `write` with it, so that nothing is allocated.
pub fn with_wire_name(stored: &str, write: impl FnOnce(&str)) {
    let mut buffer = [0; WIRE_NAME_BYTES];
    let Some(title) = buffer.get_mut(..stored.len()) else {
        return write(stored);
    };
    let mut start = true;
    for (to, from) in title.iter_mut().zip(stored.bytes()) {
        *to = if start { from.to_ascii_uppercase() } else { from };
        start = from == b'-';
    }
    write(str::from_utf8(title).unwrap_or(stored));
}

/// The longest stored name: `x-container-meta-` and a name.
const WIRE_NAME_BYTES: usize = 17 + NAME_BYTES_MAX;

/// Running totals of one owner's metadata, held against the limits.
#[derive(Default)]
struct Size {
    items: usize,
    bytes: usize,
}

impl Size {
    fn add(&mut self, name_bytes: usize, value_bytes: usize) -> Result<(), Refusal> {
        self.items += 1;
        self.bytes += name_bytes + value_bytes;
        if self.items > ITEMS_MAX {
            return Err(METADATA_TOO_MANY);
        }
        if self.bytes > TOTAL_BYTES_MAX {
            return Err(METADATA_TOO_LARGE);
        }
        Ok(())
    }
}

fn strip_prefix<'a>(name: &'a [u8], prefix: &str) -> Option<&'a [u8]> {
    let (start, rest) = name.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix.as_bytes()).then_some(rest)
}

fn persisted(name: &[u8]) -> Option<&'static str> {
    PERSISTED.into_iter().find(|kept| name.eq_ignore_ascii_case(kept.as_bytes()))
}

fn stored_name(owner: Owner, short: &[u8]) -> Result<String, Refusal> {
    if short.is_empty() {
        return Err(METADATA_NAME_EMPTY);
    }
    if short.len() > NAME_BYTES_MAX {
        return Err(METADATA_NAME_TOO_LONG);
    }
    let short = str::from_utf8(short).map_err(|_| INVALID_HEADER)?;
    if !short.bytes().all(is_name_byte) {
        return Err(INVALID_HEADER);
    }
    Ok(format!("{}{}", owner.prefix(), short.to_ascii_lowercase()))
}

/// RFC 9110 section 5.6.2: the characters of a field name.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn user_value(value: &[u8]) -> Result<String, Refusal> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(METADATA_VALUE_TOO_LONG);
    }
    plain_text(value)
}

fn header_value(value: &[u8]) -> Result<String, Refusal> {
    if value.len() > HEADER_BYTES_MAX {
        return Err(HEADER_TOO_LONG);
    }
    plain_text(value)
}

/// UTF-8 without control characters: such a value can be written back into a
/// reply without ending its line.
pub(crate) fn plain_text(value: &[u8]) -> Result<String, Refusal> {
    let text = str::from_utf8(value).map_err(|_| INVALID_HEADER)?;
    if text.chars().any(char::is_control) {
        return Err(INVALID_HEADER);
    }
    Ok(text.to_owned())
}

/// A header sent twice has no single meaning that every reader shares.
fn push_once(kept: &mut Vec<(String, String)>, name: String, value: String) -> Result<(), Refusal> {
    if kept.iter().any(|(other, _)| *other == name) {
        return Err(INVALID_HEADER);
    }
    kept.push((name, value));
    Ok(())
}
