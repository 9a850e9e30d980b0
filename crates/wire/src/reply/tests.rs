//! Replies, field by field.

use rand::{SeedableRng, rngs::StdRng};
use repono_core::etag::ETag;
use repono_core::id::{ConnectionId, TransId};
use repono_core::request::{Method, RequestHead, Version};
use repono_core::time::{Timestamp, http_date};

use super::{
    Access, AccountHeaders, Common, ContainerHeaders, FieldSink, Form, ListingBody, ObjectHeaders, Selection,
};
use crate::listing::Format;
use crate::refusals;

const BOUNDARY: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

/// Collects what a reply writes, as `Name: value` lines; ids are left out unless
/// `X-Trans-Id`, whose place is checked.
fn written(write: impl FnOnce(&mut dyn FnMut(&str, &[u8]), &Common<'_>)) -> Vec<String> {
    let trans_id = TransId::new(Timestamp::from_unix_seconds(1_439_686_983), &mut StdRng::seed_from_u64(1));
    let connection = ConnectionId::from_bytes([0xab; 12]);
    let date = http_date(1_439_686_983);
    let common = Common { trans_id: &trans_id, extra: b"", connection: &connection, date: &date };
    let mut lines = Vec::new();
    write(
        &mut |name: &str, value: &[u8]| {
            lines
                .push(format!("{name}: {}", String::from_utf8_lossy(value)).replace(trans_id.as_str(), "tx"));
        },
        &common,
    );
    let ids = ["X-Openstack-Request-Id: tx".to_owned(), format!("X-Repono-Connection: {}", "ab".repeat(12))];
    assert_eq!(lines.split_off(lines.len() - 2), ids);
    lines
}

fn orig_pdf(metadata: &[(String, String)]) -> ObjectHeaders<'_> {
    ObjectHeaders {
        timestamp: Timestamp::parse("1413849343.99091").expect("timestamp"),
        etag: ETag::parse(b"40fb56bde55a37911d253debfa002005").expect("tag"),
        size: 5_378_129,
        content_type: "application/pdf",
        metadata,
        form: Form::Plain,
    }
}

fn kept() -> Vec<(String, String)> {
    [("x-object-meta-colour", "red"), ("cache-control", "public"), ("content-disposition", "inline")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}

fn object(metadata: &[(String, String)], selection: &Selection<'_>, access: &Access<'_>) -> Vec<String> {
    written(|mut sink, common| super::object(&mut sink, common, &orig_pdf(metadata), selection, access))
}

#[test]
fn a_head_reply_is_the_one_of_the_incident() {
    let uri = b"/repono/3dfc/orig.pdf?token=PREA_49cd";
    let lines = object(&[], &Selection::Whole, &Access::TicketWithUri { uri });
    let incident = [
        "X-Timestamp: 1413849343.99091",
        "X-Preauth-Uri: /repono/3dfc/orig.pdf?token=PREA_49cd",
        "X-Trans-Id: tx",
        "Accept-Ranges: bytes",
        "Content-Length: 5378129",
        "Content-Type: application/pdf",
        "Date: Sun, 16 Aug 2015 01:03:03 GMT",
        "ETag: 40fb56bde55a37911d253debfa002005",
        "Last-Modified: Mon, 20 Oct 2014 23:55:44 GMT",
        "Cache-Control: private, no-store",
    ];
    assert_eq!(lines, incident);
}

#[test]
fn a_ticket_shows_metadata_and_ranges() {
    let lines = object(&kept(), &Selection::Part(&(5..10)), &Access::Ticket);
    assert!(lines.contains(&"Content-Length: 5".to_owned()), "{lines:?}");
    let tail = [
        "Content-Range: bytes 5-9/5378129",
        "X-Object-Meta-Colour: red",
        "Cache-Control: public",
        "Content-Disposition: inline",
    ];
    assert_eq!(lines[lines.len() - 4..], tail);
    let selection = Selection::Parts { boundary: BOUNDARY, body_bytes: 321 };
    let lines = object(&[], &selection, &Access::Ticket);
    assert!(lines.contains(&"Content-Length: 321".to_owned()), "{lines:?}");
    let content_type = "Content-Type: multipart/byteranges;boundary=0123456789abcdef0123456789abcdef";
    assert!(lines.contains(&content_type.to_owned()), "{lines:?}");
    assert_eq!((Selection::Whole.status(), selection.status()), (200, 206));
}

#[test]
fn a_link_shows_the_file_and_nothing_else() {
    let lines = object(&kept(), &Selection::Whole, &Access::Preauthorized { file_name: "orig copy.pdf" });
    let security = [
        "Cache-Control: private, no-store",
        "Referrer-Policy: no-referrer",
        "X-Content-Type-Options: nosniff",
        "Content-Security-Policy: sandbox; default-src 'none'",
        "Content-Disposition: inline; filename*=UTF-8''orig%20copy.pdf",
        "Cross-Origin-Resource-Policy: same-origin",
    ];
    assert_eq!(lines[lines.len() - 6..], security);
    assert!(!lines.iter().any(|l| l.contains("Meta") || l.contains("public")), "{lines:?}");
}

#[test]
fn html_behind_a_link_is_saved_whatever_its_owner_says() {
    let metadata = kept();
    let html = ObjectHeaders { content_type: "text/html", ..orig_pdf(&metadata) };
    let access = Access::Preauthorized { file_name: "x.html" };
    let lines =
        written(|mut sink, common| super::object(&mut sink, common, &html, &Selection::Whole, &access));
    let dispositions: Vec<_> = lines.iter().filter(|l| l.starts_with("Content-Disposition")).collect();
    assert_eq!(dispositions, ["Content-Disposition: attachment; filename*=UTF-8''x.html"]);
}

#[test]
fn replies_to_writes() {
    let (etag, stamp) = (orig_pdf(&[]).etag, orig_pdf(&[]).timestamp);
    let created = written(|mut sink, common| super::object_created(&mut sink, common, etag, stamp));
    let expected = [
        "X-Timestamp: 1413849343.99091",
        "X-Trans-Id: tx",
        "Content-Length: 0",
        "Date: Sun, 16 Aug 2015 01:03:03 GMT",
        "ETag: 40fb56bde55a37911d253debfa002005",
        "Last-Modified: Mon, 20 Oct 2014 23:55:44 GMT",
    ];
    assert_eq!(created, expected);
    let updated = written(|mut sink, common| super::object_updated(&mut sink, common, stamp));
    assert_eq!(updated[0], "X-Timestamp: 1413849343.99091");
    assert_eq!(updated[2], "Content-Length: 0");
    let deleted = written(|mut sink, common| super::empty(&mut sink, common, 204));
    assert_eq!(deleted, ["X-Trans-Id: tx", "Date: Sun, 16 Aug 2015 01:03:03 GMT"]);
}

#[test]
fn a_304_has_the_version_and_no_length() {
    let lines = written(|mut sink, common| {
        super::not_modified(&mut sink, common, &orig_pdf(&[]), &Access::Ticket);
    });
    assert!(lines.iter().any(|l| l.starts_with("ETag: ")));
    assert!(!lines.iter().any(|l| l.starts_with("Content-")), "{lines:?}");
}

#[test]
fn containers_and_accounts() {
    let metadata = [("x-container-meta-owner".to_owned(), "me".to_owned())];
    let headers = ContainerHeaders {
        timestamp: Timestamp::parse("1413849343.99091").expect("timestamp"),
        last_put: Timestamp::parse("1413849344.00001").expect("timestamp"),
        object_count: 3,
        bytes_used: 7,
        metadata: &metadata,
    };
    let body = ListingBody::Listing { format: Format::Json, bytes: 2 };
    let lines = written(|mut sink, common| super::container(&mut sink, common, &headers, body));
    let expected = [
        "X-Timestamp: 1413849343.99091",
        "X-Trans-Id: tx",
        "Content-Length: 2",
        "Content-Type: application/json; charset=utf-8",
        "Vary: Accept",
        "Date: Sun, 16 Aug 2015 01:03:03 GMT",
        "Last-Modified: Mon, 20 Oct 2014 23:55:45 GMT",
        "X-PUT-Timestamp: 1413849344.00001",
        "X-Container-Object-Count: 3",
        "X-Container-Bytes-Used: 7",
        "X-Container-Meta-Owner: me",
    ];
    assert_eq!(lines, expected);
    let account = AccountHeaders {
        timestamp: headers.timestamp,
        container_count: 1,
        object_count: 3,
        bytes_used: 7,
        metadata: &[],
    };
    let empty = ListingBody::Listing { format: Format::Plain, bytes: 0 };
    for body in [ListingBody::Head(Format::Plain), empty] {
        let lines = written(|mut sink, common| super::account(&mut sink, common, &account, body));
        assert!(!lines.iter().any(|l| l.starts_with("Content-Length")), "{lines:?}");
        assert_eq!(body.status(), 204);
    }
    assert_eq!(ListingBody::Listing { format: Format::Json, bytes: 2 }.status(), 200);
}

#[test]
fn refusals_say_what_to_do_and_no_more() {
    let lines = |refusal| written(|mut sink, common| super::refusal(&mut sink, common, refusal, 99, None));
    let unauthorized = lines(&refusals::UNAUTHORIZED);
    let expected = [
        "X-Trans-Id: tx",
        "Content-Length: 99",
        "Content-Type: application/xml",
        "Date: Sun, 16 Aug 2015 01:03:03 GMT",
        "WWW-Authenticate: Swift realm=\"unknown\"",
    ];
    assert_eq!(unauthorized, expected);
    assert_eq!(lines(&refusals::SLOW_DOWN).last().map(String::as_str), Some("Retry-After: 1"));
    let mut fields = Vec::new();
    let mut sink = |name: &str, value: &[u8]| fields.push((name.to_owned(), value.to_vec()));
    super::allow(&mut sink, &[Method::Get, Method::Head]);
    super::allow(&mut sink, &Method::ALL);
    super::range_not_satisfiable(&mut sink, 10);
    sink.field("X", b"y");
    let expected = [
        ("Allow", &b"GET, HEAD"[..]),
        ("Allow", b"GET, HEAD, PUT, POST, DELETE, COPY, OPTIONS"),
        ("Content-Range", b"bytes */10"),
        ("X", b"y"),
    ];
    assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_vec())));
}

#[test]
fn a_document_of_our_own() {
    let lines = written(|mut sink, common| super::document(&mut sink, common, "text/plain", 3));
    assert_eq!(lines[1..3], ["Content-Length: 3", "Content-Type: text/plain"]);
}

#[test]
fn what_a_caller_adds_to_the_id_is_cut_and_escaped() {
    let trans_id = TransId::new(Timestamp::from_unix_seconds(1_439_686_983), &mut StdRng::seed_from_u64(1));
    let connection = ConnectionId::from_bytes([0xab; 12]);
    let date = http_date(1_439_686_983);
    let table: [(&[u8], &str, &str); 4] = [
        (b"job-7", "-job-7", "plain"),
        (b"a b\xff", "-a%20b%FF", "escaped"),
        (b"0123456789012345678901234567890123", "-01234567890123456789012345678901", "cut at 32"),
        (b"", "", "nothing added"),
    ];
    for (sent, added, rule) in table {
        let mut head = RequestHead::new(Method::Get, Version::Http11, b"/").expect("small");
        head.push(b"X-Trans-Id-Extra", sent).expect("small");
        let extra = super::trans_id_extra(&head);
        let common = Common { trans_id: &trans_id, extra, connection: &connection, date: &date };
        let mut ids = Vec::new();
        let mut sink = |name: &str, value: &[u8]| {
            if matches!(name, "X-Trans-Id" | "X-Openstack-Request-Id") {
                ids.push(String::from_utf8_lossy(value).into_owned());
            }
        };
        super::empty(&mut sink, &common, 204);
        let expected = format!("{trans_id}{added}");
        assert_eq!(ids, [expected.clone(), expected], "{rule}");
    }
}
