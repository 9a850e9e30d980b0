//! Tables of conditions and their verdicts.

use repono_core::etag::ETag;
use repono_core::request::{Method, RequestHead, Version};

use super::{Conditions, Current, Verdict};

const TAG: &str = "40fb56bde55a37911d253debfa002005";
const OTHER: &str = "00000000000000000000000000000000";
const DATE: &str = "Mon, 20 Oct 2014 23:55:44 GMT";
const BEFORE: &str = "Mon, 20 Oct 2014 23:55:43 GMT";
const AFTER: &str = "Mon, 20 Oct 2014 23:55:45 GMT";

fn current() -> Current {
    Current { etag: ETag::parse(TAG.as_bytes()).expect("tag"), last_modified_s: 1_413_849_344 }
}

/// A head with fields given as `Name: value` lines, `T` and `O` for the two tags.
fn head(method: Method, fields: &str) -> RequestHead {
    let mut head = RequestHead::new(method, Version::Http11, b"/v1/a/c/o").expect("small");
    for line in fields.lines() {
        let (name, value) = line.split_once(": ").expect("name: value");
        let value = value.replace("$T", TAG).replace("$O", OTHER);
        head.push(name.trim().as_bytes(), value.as_bytes()).expect("small");
    }
    head
}

fn verdict(method: Method, fields: &str, current: Option<&Current>) -> Verdict {
    Conditions::from_head(&head(method, fields)).evaluate(method, current)
}

#[test]
fn reads_of_a_present_object() {
    use Verdict::{NotModified, PreconditionFailed, Proceed};
    let table = [
        ("Accept: */*".to_owned(), Proceed),
        ("If-None-Match: $T".to_owned(), NotModified),
        ("If-None-Match: \"$T\"".to_owned(), NotModified),
        ("if-none-match: W/\"$T\"".to_owned(), NotModified),
        ("If-None-Match: \"x,y\", \"$O\" , \"$T\"".to_owned(), NotModified),
        ("If-None-Match: \"$O\"\nIf-None-Match: \"$T\"".to_owned(), NotModified),
        ("If-None-Match: *".to_owned(), NotModified),
        ("If-None-Match: \"$O\"".to_owned(), Proceed),
        ("If-None-Match: ".to_owned(), Proceed),
        ("If-Match: \"$T\"".to_owned(), Proceed),
        ("If-Match: $O, $T".to_owned(), Proceed),
        ("If-Match: *".to_owned(), Proceed),
        ("If-Match: W/\"$T\"".to_owned(), PreconditionFailed),
        ("If-Match: \"$O\"".to_owned(), PreconditionFailed),
        ("If-Match: \"multipart-3\"".to_owned(), PreconditionFailed),
        ("If-Match: \"$O\"\nIf-None-Match: \"$T\"".to_owned(), NotModified),
        (format!("If-Modified-Since: {DATE}"), NotModified),
        (format!("If-Modified-Since: {AFTER}"), NotModified),
        (format!("If-Modified-Since: {BEFORE}"), Proceed),
        ("If-Modified-Since: yesterday".to_owned(), Proceed),
        (format!("If-Modified-Since: {DATE}\nIf-Modified-Since: {DATE}"), Proceed),
        (format!("If-Modified-Since: {DATE}\nIf-None-Match: \"$O\""), Proceed),
        (format!("If-Unmodified-Since: {DATE}"), Proceed),
        (format!("If-Unmodified-Since: {BEFORE}"), PreconditionFailed),
        (format!("If-Unmodified-Since: {BEFORE}\nIf-Match: \"$T\""), Proceed),
        (format!("If-Modified-Since: {DATE}\nIf-Unmodified-Since: {BEFORE}"), NotModified),
    ];
    for (fields, expected) in table {
        for method in [Method::Get, Method::Head] {
            assert_eq!(verdict(method, &fields, Some(&current())), expected, "{method:?} {fields}");
        }
    }
}

#[test]
fn writes_and_absent_objects() {
    use Verdict::{PreconditionFailed, Proceed};
    let modified = format!("If-Modified-Since: {DATE}");
    let unmodified = format!("If-Unmodified-Since: {BEFORE}");
    let table = [
        (Method::Delete, "If-None-Match: *", Some(current()), PreconditionFailed),
        (Method::Post, "If-None-Match: \"$T\"", Some(current()), PreconditionFailed),
        (Method::Delete, "If-Match: \"$T\"", Some(current()), Proceed),
        (Method::Delete, "If-Match: \"$O\"", Some(current()), PreconditionFailed),
        (Method::Delete, modified.as_str(), Some(current()), Proceed),
        (Method::Delete, unmodified.as_str(), Some(current()), PreconditionFailed),
        (Method::Get, "If-Match: *", None, PreconditionFailed),
        (Method::Get, "If-Match: \"$T\"", None, Proceed),
        (Method::Get, "If-None-Match: *", None, Proceed),
        (Method::Get, unmodified.as_str(), None, Proceed),
        (Method::Delete, "If-Match: \"$T\"", None, PreconditionFailed),
        (Method::Put, "If-None-Match: *", None, Proceed),
    ];
    for (method, fields, current, expected) in table {
        assert_eq!(verdict(method, fields, current.as_ref()), expected, "{method:?} {fields}");
    }
}

#[test]
fn if_range_decides_whether_a_range_counts() {
    let table = [
        ("Range: bytes=0-1".to_owned(), true),
        ("Range: bytes=0-1\nIf-Range: \"$T\"".to_owned(), true),
        (format!("Range: bytes=0-1\nIf-Range: {DATE}"), true),
        ("Range: bytes=0-1\nIf-Range: \"$O\"".to_owned(), false),
        ("Range: bytes=0-1\nIf-Range: W/\"$T\"".to_owned(), false),
        (format!("Range: bytes=0-1\nIf-Range: {AFTER}"), false),
        ("Range: bytes=0-1\nIf-Range: soon".to_owned(), false),
        ("Range: bytes=0-1\nIf-Range: \"$T\"\nIf-Range: \"$T\"".to_owned(), false),
        ("Range: bytes=0-1\nRange: bytes=0-1".to_owned(), false),
        ("Range: bytes=9-1".to_owned(), false),
        ("If-Range: \"$T\"".to_owned(), false),
    ];
    for (fields, counts) in table {
        let head = head(Method::Get, &fields);
        let range = Conditions::from_head(&head).range(&head, head.method(), &current());
        assert_eq!(range.is_some(), counts, "{fields}");
    }
    let head = head(Method::Head, "Range: bytes=0-1");
    assert_eq!(Conditions::from_head(&head).range(&head, head.method(), &current()), None);
}
