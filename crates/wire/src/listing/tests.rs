//! Queries, negotiation and the two formats.

use proptest::prelude::{any, proptest};
use repono_core::etag::ETag;
use repono_core::request::{Method, RequestHead, Version};
use repono_core::time::Timestamp;

use super::{ENTRIES_MAX, Entry, Format, ListQuery, Listed, Order, RollUp, render};

fn query(raw: &str) -> Result<ListQuery, u16> {
    ListQuery::from_query(Some(raw.as_bytes()), Format::Plain).map_err(|r| r.status)
}

fn negotiated(target: &str, accept: &[&str]) -> Result<Format, u16> {
    let mut head = RequestHead::new(Method::Get, Version::Http11, target.as_bytes()).expect("small");
    for value in accept {
        head.push(b"Accept", value.as_bytes()).expect("small");
    }
    ListQuery::from_head(&head).map(|q| q.format).map_err(|r| r.status)
}

#[test]
fn a_query_without_parameters_asks_for_everything() {
    let everything = ListQuery {
        prefix: String::new(),
        delimiter: None,
        roll_up: RollUp::Show,
        marker: None,
        end_marker: None,
        limit: ENTRIES_MAX,
        order: Order::Ascending,
        format: Format::Plain,
    };
    assert_eq!(ListQuery::from_query(None, Format::Plain), Ok(everything.clone()));
    let empty = "prefix=&delimiter=&marker=&end_marker=&limit=&format=plain&reverse=no&heartbeat=on&&x";
    assert_eq!(query(empty), Ok(everything));
}

#[test]
fn parameters_are_decoded() {
    let read = query("prefix=a%2Fb+c&delimiter=%2F%2F&marker=%C3%BC&end_marker=z&limit=7&format=JSON")
        .expect("fine");
    assert_eq!(read.prefix, "a/b c");
    assert_eq!(read.delimiter.as_deref(), Some("//"));
    assert_eq!(read.marker.as_deref(), Some("ü"));
    assert_eq!(read.end_marker.as_deref(), Some("z"));
    assert_eq!((read.limit, read.format), (7, Format::Json));
}

#[test]
fn path_stands_for_prefix_and_delimiter() {
    for (raw, prefix) in
        [("path=a/b", "a/b/"), ("path=a/b//&prefix=x", "a/b/"), ("path=", ""), ("path=/", "")]
    {
        let read = query(raw).expect("fine");
        let asked = (read.prefix.as_str(), read.delimiter.as_deref(), read.roll_up);
        assert_eq!(asked, (prefix, Some("/"), RollUp::Leave), "{raw}");
    }
}

#[test]
fn limits_and_refusals() {
    for (raw, limit) in [("limit=0", 0), ("limit=10000", 10_000), ("limit=-1", 10_000), ("limit=x", 10_000)] {
        assert_eq!(query(raw).map(|q| q.limit), Ok(limit), "{raw}");
    }
    let table = [
        ("limit=10001", 412),
        ("limit=99999999999999999999", 412),
        ("prefix=%ff", 400),
        ("prefix=a%00", 400),
        ("marker=%zz", 400),
        ("prefix=a&prefix=b", 400),
        ("prefix=a&%70refix=b", 400),
    ];
    for (raw, status) in table {
        assert_eq!(query(raw), Err(status), "{raw}");
    }
    assert_eq!(query("format=yaml").map(|q| q.format), Ok(Format::Plain));
    assert_eq!(query("format=XML").map(|q| q.format), Ok(Format::Xml));
    for yes in ["true", "1", "yes", "on", "t", "y", "True"] {
        let order = query(&format!("reverse={yes}")).map(|q| q.order);
        assert_eq!(order, Ok(Order::Descending), "{yes}");
    }
    for no in ["", "0", "false", "reverse"] {
        assert_eq!(query(&format!("reverse={no}")).map(|q| q.order), Ok(Order::Ascending), "{no}");
    }
}

#[test]
fn accept_chooses_and_format_overrides() {
    use Format::{Json, Plain, TextXml, Xml};
    let table: [(&[&str], Result<Format, u16>); 15] = [
        (&[], Ok(Plain)),
        (&[""], Ok(Plain)),
        (&["*/*"], Ok(Plain)),
        (&["application/json"], Ok(Json)),
        (&["text/html, application/*;q=0.9"], Ok(Json)),
        (&["text/*;q=0.5, application/json;q=0.4"], Ok(Plain)),
        (&["text/plain;q=0.1", "application/json;q=0.2"], Ok(Json)),
        (&["*/*, text/plain;q=0"], Ok(Json)),
        (&["Text/Plain; charset=utf-8"], Ok(Plain)),
        (&["text/xml"], Ok(TextXml)),
        (&["application/xml, application/json;q=0.9"], Ok(Xml)),
        (&["application/json;q=0"], Err(406)),
        (&["application/json;q=2"], Err(406)),
        (&["garbage"], Err(406)),
        (&["text/html, */*;q=0.1"], Ok(Plain)),
    ];
    for (accept, expected) in table {
        assert_eq!(negotiated("/v1/a/c", accept), expected, "{accept:?}");
    }
    assert_eq!(negotiated("/v1/a/c?format=json", &["text/html"]), Ok(Json));
}

#[test]
fn objects_and_subdirs_are_written_as_swift_writes_them() {
    let timestamp = Timestamp::parse("1413849343.99091").expect("timestamp");
    let entries = [
        Entry::Object {
            name: "a \"ü\"",
            bytes: 5_378_129,
            etag: ETag::parse(b"40fb56bde55a37911d253debfa002005").expect("tag"),
            content_type: "application/pdf",
            timestamp,
            large: None,
        },
        Entry::Subdir { name: "dir/" },
    ];
    let mut plain = Vec::new();
    render(&mut plain, Format::Plain, Listed::Container("c"), entries);
    assert_eq!(plain, "a \"ü\"\ndir/\n".as_bytes());
    let mut json = Vec::new();
    render(&mut json, Format::Json, Listed::Container("c"), entries);
    assert_eq!(
        String::from_utf8(json).expect("UTF-8"),
        "[{\"name\":\"a \\\"ü\\\"\",\"hash\":\"40fb56bde55a37911d253debfa002005\",\"bytes\":5378129,\
         \"content_type\":\"application/pdf\",\"last_modified\":\"2014-10-20T23:55:43.990910\"}, \
         {\"subdir\":\"dir/\"}]"
    );
    let mut xml = Vec::new();
    render(&mut xml, Format::Xml, Listed::Container("c<>&"), entries);
    assert_eq!(
        String::from_utf8(xml).expect("UTF-8"),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<container name=\"c&lt;&gt;&amp;\"><object>\
         <name>a &quot;ü&quot;</name><hash>40fb56bde55a37911d253debfa002005</hash><bytes>5378129</bytes>\
         <content_type>application/pdf</content_type>\
         <last_modified>2014-10-20T23:55:43.990910</last_modified></object>\
         <subdir name=\"dir/\"><name>dir/</name></subdir></container>"
    );
}

#[test]
fn containers_and_nothing() {
    let container = Entry::Container {
        name: "files",
        count: 2,
        bytes: 7,
        timestamp: Timestamp::parse("1413849343.99091").expect("timestamp"),
    };
    let mut json = Vec::new();
    render(&mut json, Format::Json, Listed::Account("a"), [container]);
    let parsed: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let expected = serde_json::json!([
        {"name": "files", "count": 2, "bytes": 7, "last_modified": "2014-10-20T23:55:43.990910"}
    ]);
    assert_eq!(parsed, expected);
    let mut xml = Vec::new();
    render(&mut xml, Format::Xml, Listed::Account("a"), [container]);
    assert_eq!(
        String::from_utf8(xml).expect("UTF-8"),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<account name=\"a\"><container><name>files</name>\
         <count>2</count><bytes>7</bytes><last_modified>2014-10-20T23:55:43.990910</last_modified>\
         </container></account>"
    );
    let nothing = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<container name=\"c\"></container>";
    for (format, empty) in [(Format::Plain, &b""[..]), (Format::Json, b"[]"), (Format::TextXml, nothing)] {
        let mut out = Vec::new();
        render(&mut out, format, Listed::Container("c"), []);
        assert_eq!(out, empty);
    }
}

proptest! {
    #[test]
    fn any_query_is_read_or_refused(raw in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _outcome = ListQuery::from_query(Some(&raw), Format::Json);
    }

    #[test]
    fn any_name_is_valid_json(name in "\\PC{1,40}") {
        let mut out = Vec::new();
        render(&mut out, Format::Json, Listed::Container("c"), [Entry::Subdir { name: &name }]);
        let parsed: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(parsed[0]["subdir"].as_str(), Some(name.as_str()));
    }
}
