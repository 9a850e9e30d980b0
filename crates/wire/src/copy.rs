//! Server-side copy: `COPY` with `Destination`, and `PUT` with `X-Copy-From`.
//!
//! *Source*: `swift/common/middleware/copy.py`.

use repono_core::name::{AccountName, ContainerName, ObjectKey};
use repono_core::refusal::Refusal;
use repono_core::request::RequestHead;

use crate::content_type::is_true;
use crate::native::object_names;
use crate::percent;
use crate::refusals::{BAD_COPY_HEADER, INVALID_HEADER, INVALID_URI};

/// The three names of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// The account.
    pub account: AccountName,
    /// The container.
    pub container: ContainerName,
    /// The key.
    pub key: ObjectKey,
}

/// Where `COPY` copies to.
///
/// *Errors*: 412 without the header, or for one that is not `container/object`.
pub fn destination(head: &RequestHead, own: &AccountName) -> Result<ObjectName, Refusal> {
    named(head, "destination", "destination-account", own)?.ok_or(BAD_COPY_HEADER)
}

/// What `PUT` is to be a copy of, if it is to be one.
///
/// *Errors*: 412 for a header that is not `container/object`.
pub fn source(head: &RequestHead, own: &AccountName) -> Result<Option<ObjectName>, Refusal> {
    named(head, "x-copy-from", "x-copy-from-account", own)
}

/// Whether the copy leaves the metadata of its source behind.
#[must_use]
pub fn is_fresh(head: &RequestHead) -> bool {
    head.field("x-fresh-metadata").is_some_and(is_true)
}

fn named(
    head: &RequestHead,
    field: &str,
    account_field: &str,
    own: &AccountName,
) -> Result<Option<ObjectName>, Refusal> {
    let mut values = head.fields_named(field);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(INVALID_HEADER);
    }
    let mut accounts = head.fields_named(account_field);
    let account = accounts.next();
    if accounts.next().is_some() {
        return Err(INVALID_HEADER);
    }
    let account = match account {
        None => own.clone(),
        Some(name) => {
            let name = percent::decode(name).map_err(|_| BAD_COPY_HEADER)?;
            AccountName::new(&name).map_err(|_| BAD_COPY_HEADER)?
        }
    };
    // A query, such as the version of a source, is not part of a name.
    let path = value.split(|b| *b == b'?').next().unwrap_or_default();
    // The whole is escaped, its slash too (Swift's `check_path_header`).
    let path = percent::decode(path).map_err(|_| INVALID_URI)?;
    let path = path.strip_prefix(b"/").unwrap_or(&path);
    let at = path.iter().position(|b| *b == b'/').ok_or(BAD_COPY_HEADER)?;
    let (container, key) = (&path[..at], &path[at + 1..]);
    if container.is_empty() || key.is_empty() {
        return Err(BAD_COPY_HEADER);
    }
    let (container, key) = object_names(container, key)?;
    Ok(Some(ObjectName { account, container, key }))
}

#[cfg(test)]
mod tests {
    use repono_core::name::AccountName;
    use repono_core::request::{Method, RequestHead, Version};

    use super::{destination, is_fresh, source};

    fn head(fields: &[(&str, &str)]) -> RequestHead {
        let mut head = RequestHead::new(Method::Copy, Version::Http11, b"/v1/a/c/o").expect("small");
        for (name, value) in fields {
            head.push(name.as_bytes(), value.as_bytes()).expect("small");
        }
        head
    }

    fn own() -> AccountName {
        AccountName::new(b"own").expect("a name")
    }

    #[test]
    fn names_are_decoded_once_and_the_slash_in_front_may_be_left_out() {
        for value in ["/c/a%20b/%C3%A9", "c/a%20b/%C3%A9", "/c/a%20b/%C3%A9?multipart-manifest=get"] {
            let found = destination(&head(&[("Destination", value)]), &own()).expect("fine");
            let names = (found.account.as_str(), found.container.as_str(), found.key.as_str());
            assert_eq!(names, ("own", "c", "a b/\u{e9}"));
        }
        let other = head(&[("X-Copy-From", "/c/o"), ("X-Copy-From-Account", "other")]);
        assert_eq!(source(&other, &own()).expect("fine").expect("there").account.as_str(), "other");
        assert_eq!(source(&head(&[]), &own()), Ok(None));
    }

    #[test]
    fn what_names_two_accounts_is_refused() {
        let two =
            head(&[("Destination", "/c/o"), ("Destination-Account", "a"), ("Destination-Account", "b")]);
        assert_eq!(destination(&two, &own()).map_err(|r| (r.status, r.code)), Err((400, "InvalidHeader")));
    }

    #[test]
    fn what_names_no_object_is_refused() {
        for value in ["", "/", "c", "/c", "/c/", "//o"] {
            let refused = destination(&head(&[("Destination", value)]), &own()).map_err(|r| r.status);
            assert_eq!(refused.err(), Some(412), "{value}");
        }
        assert_eq!(destination(&head(&[]), &own()).map_err(|r| r.status).err(), Some(412));
        for (value, status) in [("/c/../x", 400), ("/c/%ff", 412), ("/c/%zz", 400)] {
            let refused = destination(&head(&[("Destination", value)]), &own()).map_err(|r| r.status);
            assert_eq!(refused.err(), Some(status), "{value}");
        }
        assert!(is_fresh(&head(&[("X-Fresh-Metadata", "True")])));
        assert!(!is_fresh(&head(&[("X-Fresh-Metadata", "no")])));
    }
}
