//! The headers of Swift's access lists, and who is shown what.
//!
//! *Source*: `swift/proxy/server.py`, `swift_owner_headers`.

use repono_core::refusal::Refusal;
use repono_core::request::RequestHead;

use crate::metadata::{HEADER_BYTES_MAX, plain_text};
use crate::refusals::{HEADER_TOO_LONG, INVALID_HEADER};

/// Who may read the objects of a container; the name under which it is kept.
pub const CONTAINER_READ: &str = "x-container-read";
/// Who may write the objects of a container.
pub const CONTAINER_WRITE: &str = "x-container-write";
/// Who else may use an account.
pub const ACCOUNT: &str = "x-account-access-control";

/// What only an owner of the account is shown: lists, and keys that sign links.
const OWNERS: [&str; 7] = [
    CONTAINER_READ,
    CONTAINER_WRITE,
    ACCOUNT,
    "x-account-meta-temp-url-key",
    "x-account-meta-temp-url-key-2",
    "x-container-meta-temp-url-key",
    "x-container-meta-temp-url-key-2",
];

/// Whether kept metadata of this name is shown to owners only.
#[must_use]
pub fn is_for_owners(name: &str) -> bool {
    OWNERS.contains(&name)
}

/// The new value of a list: what was sent, empty for `X-Remove-…`, `None` when the
/// request leaves it as it is.
///
/// *Errors*: 400 for a header sent twice, too long, not UTF-8 or with a control
/// character.
pub fn sent(head: &RequestHead, name: &str) -> Result<Option<String>, Refusal> {
    let mut found = None;
    let removing = |sent: &[u8]| {
        let rest = sent.split_at_checked("x-remove".len());
        let kept = name.as_bytes().split_at_checked("x".len());
        matches!((rest, kept), (Some((start, rest)), Some((_, kept)))
            if start.eq_ignore_ascii_case(b"x-remove") && rest.eq_ignore_ascii_case(kept))
    };
    for (sent, value) in head.fields() {
        let value = if sent.eq_ignore_ascii_case(name.as_bytes()) {
            if value.len() > HEADER_BYTES_MAX {
                return Err(HEADER_TOO_LONG);
            }
            plain_text(value)?
        } else if removing(sent) {
            String::new()
        } else {
            continue;
        };
        if found.replace(value).is_some() {
            return Err(INVALID_HEADER);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use repono_core::request::{Method, RequestHead, Version};

    use super::{ACCOUNT, CONTAINER_READ, is_for_owners, sent};

    fn read(fields: &[(&str, &str)], name: &str) -> Result<Option<String>, u16> {
        let mut head = RequestHead::new(Method::Post, Version::Http11, b"/v1/a/c").expect("small");
        for (name, value) in fields {
            head.push(name.as_bytes(), value.as_bytes()).expect("small");
        }
        sent(&head, name).map_err(|refusal| refusal.status)
    }

    #[test]
    fn a_list_is_sent_removed_or_left() {
        let text = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(read(&[("X-Container-Read", ".r:*")], CONTAINER_READ), text(".r:*"));
        assert_eq!(read(&[("X-Remove-Container-Read", "x")], CONTAINER_READ), text(""));
        assert_eq!(read(&[("X-Remove-Account-Access-Control", "x")], ACCOUNT), text(""));
        assert_eq!(read(&[("X-Container-Write", "a")], CONTAINER_READ), Ok(None));
        let twice = [("X-Container-Read", "a"), ("X-Remove-Container-Read", "b")];
        assert_eq!(read(&twice, CONTAINER_READ), Err(400));
        assert_eq!(read(&[("X-Container-Read", "a\u{7f}b")], CONTAINER_READ), Err(400));
        assert!(is_for_owners(ACCOUNT) && !is_for_owners("x-container-meta-colour"));
    }
}
