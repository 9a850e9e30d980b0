//! Limits of metadata at their edges, and what a change does.

use repono_core::request::{Method, RequestHead, Version};

use super::{Changes, Owner, object, with_wire_name};

fn head(fields: &[(&str, &[u8])]) -> RequestHead {
    let mut head = RequestHead::new(Method::Put, Version::Http11, b"/v1/a/c/o").expect("small");
    for (name, value) in fields {
        head.push(name.as_bytes(), value).expect("small");
    }
    head
}

fn pairs(items: &[(&str, &str)]) -> Vec<(String, String)> {
    items.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn keeps_metadata_and_the_listed_headers_only() {
    let sent = head(&[
        ("Host", b"h"),
        ("X-Object-Meta-Colour", "grün".as_bytes()),
        ("CACHE-CONTROL", b"max-age=1"),
        ("X-Container-Meta-A", b"1"),
        ("Content-Type", b"text/plain"),
        ("x-object-meta-empty", b""),
        ("X-Robots-Tag", b"none"),
    ]);
    let kept = pairs(&[
        ("x-object-meta-colour", "grün"),
        ("cache-control", "max-age=1"),
        ("x-object-meta-empty", ""),
        ("x-robots-tag", "none"),
    ]);
    assert_eq!(object(&sent), Ok(kept));
}

#[test]
fn each_limit_refuses_one_beyond_and_takes_the_limit() {
    let name = |bytes: usize| format!("X-Object-Meta-{}", "n".repeat(bytes));
    let value = |bytes: usize| vec![b'v'; bytes];
    assert!(object(&head(&[(&name(128), &value(256))])).is_ok());
    let table = [
        (name(0), value(1), "Metadata names must not be empty."),
        (name(129), value(1), "Metadata names have at most 128 bytes."),
        (name(1), value(257), "Metadata values have at most 256 bytes."),
    ];
    for (name, value, message) in table {
        let refused = object(&head(&[(&name, &value)])).map_err(|r| (r.status, r.message));
        assert_eq!(refused, Err((400, message)));
    }
    let count = |items: usize| -> Vec<String> { (0..items).map(|n| format!("x-object-meta-{n}")).collect() };
    let many = |names: &[String], value: &[u8]| {
        let fields: Vec<_> = names.iter().map(|name| (name.as_str(), value)).collect();
        object(&head(&fields)).map(|kept| kept.len()).map_err(|r| r.message)
    };
    assert_eq!(many(&count(90), b"v"), Ok(90));
    assert_eq!(many(&count(91), b"v"), Err("There are at most 90 metadata items."));
    // 16 one- and two-digit names (22 bytes) and values of 254 bytes: 4086; 256 makes 4118.
    assert_eq!(many(&count(16), &value(254)), Ok(16));
    assert_eq!(
        many(&count(16), &value(256)),
        Err("Metadata names and values have at most 4096 bytes together.")
    );
}

#[test]
fn nothing_that_could_split_a_reply_is_kept() {
    let bad: [&[u8]; 5] = [b"b\r\nSet-Cookie: x", b"b\nx", b"\x1b[2J", b"\xff", "a\u{85}".as_bytes()];
    for value in bad {
        for name in ["X-Object-Meta-A", "Content-Disposition"] {
            let refused = object(&head(&[(name, value)])).map_err(|r| (r.status, r.code));
            assert_eq!(refused, Err((400, "InvalidHeader")), "{name} {value:?}");
        }
    }
    for twice in
        [[("X-Object-Meta-A", &b"1"[..]), ("x-object-meta-a", b"2")], [("Expires", b"1"), ("expires", b"1")]]
    {
        assert_eq!(object(&head(&twice)).map_err(|r| r.code), Err("InvalidHeader"));
    }
    assert_eq!(object(&head(&[("X-Object-Meta-A:b", b"1")])).map_err(|r| r.code), Err("InvalidHeader"));
    let long = vec![b'a'; 8193];
    assert_eq!(object(&head(&[("Expires", &long)])).map_err(|r| r.code), Err("HeaderTooLong"));
}

#[test]
fn changes_merge_and_remove() {
    let sent = head(&[
        ("X-Container-Meta-New", b"n"),
        ("X-Container-Meta-Old", b"changed"),
        ("X-Container-Meta-Gone", b""),
        ("X-Remove-Container-Meta-Also", b"x"),
        ("X-Object-Meta-Not", b"mine"),
    ]);
    let stored = pairs(&[
        ("x-container-meta-stays", "s"),
        ("x-container-meta-old", "o"),
        ("x-container-meta-gone", "g"),
        ("x-container-meta-also", "a"),
    ]);
    let changes = Changes::from_head(&sent, Owner::Container).expect("within the limits");
    assert!(!changes.is_empty());
    let merged = pairs(&[
        ("x-container-meta-stays", "s"),
        ("x-container-meta-new", "n"),
        ("x-container-meta-old", "changed"),
    ]);
    assert_eq!(changes.apply(&stored), Ok(merged));
    assert!(Changes::from_head(&head(&[]), Owner::Account).expect("nothing").is_empty());
}

#[test]
fn a_change_cannot_go_around_the_limits() {
    let stored: Vec<_> = (0..90).map(|n| (format!("x-account-meta-{n}"), String::new())).collect();
    let one_more = Changes::from_head(&head(&[("X-Account-Meta-More", b"1")]), Owner::Account).expect("one");
    assert_eq!(one_more.apply(&stored).map_err(|r| r.code), Err("MetadataTooLarge"));
    let both = head(&[("X-Account-Meta-A", b"1"), ("X-Remove-Account-Meta-A", b"1")]);
    assert_eq!(Changes::from_head(&both, Owner::Account).map_err(|r| r.code), Err("InvalidHeader"));
}

#[test]
fn names_are_written_in_title_case() {
    let wire = |stored: &str| {
        let mut name = String::new();
        with_wire_name(stored, |title| title.clone_into(&mut name));
        name
    };
    assert_eq!(wire("x-object-meta-foo-bar"), "X-Object-Meta-Foo-Bar");
    assert_eq!(wire("cache-control"), "Cache-Control");
    assert_eq!(wire("x-robots-tag"), "X-Robots-Tag");
    let long = "n".repeat(500);
    assert_eq!(wire(&long), long);
}

#[test]
fn metadata_that_was_put_together_is_held_against_the_limits_too() {
    let items = |count: usize, bytes: usize| -> Vec<(String, String)> {
        (0..count).map(|n| (format!("x-object-meta-{n:02}"), "v".repeat(bytes))).collect()
    };
    let refused = |kept: &[(String, String)]| super::within_limits(kept).map_err(|r| r.message);
    assert_eq!(refused(&items(90, 1)), Ok(()));
    assert_eq!(refused(&items(91, 1)), Err(crate::refusals::METADATA_TOO_MANY.message));
    assert_eq!(refused(&items(16, 254)), Ok(()));
    assert_eq!(refused(&items(16, 255)), Err(crate::refusals::METADATA_TOO_LARGE.message));
    let mut kept = items(90, 1);
    kept.push(("cache-control".to_owned(), "v".repeat(5000)));
    assert_eq!(refused(&kept), Ok(()));
}
