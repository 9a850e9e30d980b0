//! Static and dynamic large objects, by raw requests through the balancer.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::path::Path;

use md5::{Digest, Md5};
use repono_testkit::system::System;
use repono_testkit::wire::{Response, Wire};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
/// Of a segment in the blob store: two steps and a bit of a reply.
const BLOB_BYTES: usize = 600_001;

/// A system, a connection to it, and the lines of a ticket.
struct Client {
    system: System,
    wire: Wire,
    ticket: Vec<String>,
}

impl Client {
    fn start() -> Self {
        let system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
        let ticket = system.ticket(&[]).expect("a ticket");
        let wire = Wire::connect(system.balancer(), Path::new(system.fact("ca"))).expect("connected");
        Self { system, wire, ticket }
    }

    fn reconnect(&mut self) {
        let ca = Path::new(self.system.fact("ca"));
        self.wire = Wire::connect(self.system.balancer(), ca).expect("connected");
    }

    /// Sends one request about `/v1/demo/{target}`.
    fn send(&mut self, method: &str, target: &str, lines: &[&str], body: &[u8]) {
        let mut request = format!("{method} /v1/demo/{target} HTTP/1.1\r\nHost: repono\r\n");
        for line in self.ticket.iter().map(String::as_str).chain(lines.iter().copied()) {
            request.push_str(&format!("{line}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        self.wire.send(request.as_bytes()).expect("sent");
        self.wire.send(body).expect("sent");
    }

    fn ask(&mut self, method: &str, target: &str, lines: &[&str], body: &[u8]) -> Response {
        self.send(method, target, lines, body);
        self.wire.response(method).expect("a response")
    }

    fn get(&mut self, target: &str, lines: &[&str]) -> Response {
        self.ask("GET", target, lines, b"")
    }

    fn put(&mut self, target: &str, body: &[u8]) {
        assert_eq!(self.ask("PUT", target, &[], body).status, 201, "{target}");
    }

    fn put_manifest(&mut self, target: &str, manifest: &Value) -> Response {
        let target = format!("{target}?multipart-manifest=put");
        self.ask("PUT", &target, &["Content-Type: video/x"], manifest.to_string().as_bytes())
    }

    fn names(&mut self, container: &str) -> String {
        self.get(container, &[]).text()
    }
}

fn content(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut content = Vec::with_capacity(bytes + 8);
    while content.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        content.extend_from_slice(&state.to_be_bytes());
    }
    content.truncate(bytes);
    content
}

fn md5(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Md5::digest(bytes))
}

fn quoted(tags: &str) -> String {
    format!("\"{}\"", md5(tags.as_bytes()))
}

/// Every range of a few is the same part of the whole.
fn ranges_hold(client: &mut Client, target: &str, whole: &[u8]) {
    let size = whole.len();
    for (first, last) in
        [(0, 0), (3, 17), (size / 2 - 9, size / 2 + 400_000), (size - 1, size - 1), (0, size - 1)]
    {
        let last = last.min(size - 1);
        let part = client.get(target, &[&format!("Range: bytes={first}-{last}")]);
        assert_eq!(part.status, 206, "{target} {first}-{last}");
        assert_eq!(part.header("content-range"), Some(&*format!("bytes {first}-{last}/{size}")));
        assert!(part.body == whole[first..=last], "{target} {first}-{last}");
    }
    let suffix = client.get(target, &["Range: bytes=-5"]);
    assert!(suffix.status == 206 && suffix.body == whole[size - 5..]);
    let outside = client.get(target, &[&format!("Range: bytes={size}-")]);
    assert_eq!((outside.status, outside.header("content-range")), (416, Some(&*format!("bytes */{size}"))));
    let several = client.get(target, &[&format!("Range: bytes=1-2,{}-{}", size - 3, size - 1)]);
    assert_eq!(several.status, 206);
    assert!(several.header("content-type").expect("a type").starts_with("multipart/byteranges"));
    assert!(several.body.windows(3).any(|w| w == &whole[size - 3..]));
}

#[test]
fn a_static_large_object_is_its_segments() {
    let mut client = Client::start();
    let (a, b) = (content(BLOB_BYTES, 1), content(1000, 2));
    client.put("files/seg/a", &a);
    client.put("files/seg/b%20b", &b);
    let inner = json!([{"path": "/files/seg/b b", "range": "10-19"}, {"data": "aGVsbG8="}]);
    let put = client.put_manifest("files/inner", &inner);
    let inner_tag = quoted(&format!("{}:10-19;{}", md5(&b), md5(b"hello")));
    assert_eq!((put.status, put.header("etag")), (201, Some(&*inner_tag)), "{}", put.text());

    let bare = inner_tag.trim_matches('"');
    let manifest = json!([
        {"path": "/files/seg/a", "etag": md5(&a), "size_bytes": a.len()},
        {"path": "files/inner", "etag": bare, "size_bytes": 15},
        {"path": "/files/seg/b b", "etag": null, "size_bytes": null},
    ]);
    let put = client.put_manifest("files/whole", &manifest);
    let tag = quoted(&format!("{}{bare}{}", md5(&a), md5(&b)));
    assert_eq!((put.status, put.header("etag")), (201, Some(&*tag)), "{}", put.text());

    let whole = [&a[..], &b[10..20], b"hello", &b[..]].concat();
    for method in ["GET", "HEAD"] {
        let reply = client.ask(method, "files/whole", &[], b"");
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-length"), Some(&*whole.len().to_string()));
        assert_eq!(reply.header("etag"), Some(&*tag));
        assert_eq!(reply.header("x-static-large-object"), Some("True"));
        assert_eq!(reply.header("content-type"), Some("video/x"));
        assert!(method == "HEAD" || reply.body == whole);
    }
    ranges_hold(&mut client, "files/whole", &whole);
    let same = client.get("files/whole", &[&format!("If-None-Match: {tag}")]);
    assert_eq!((same.status, same.header("etag")), (304, Some(&*tag)));
    assert_eq!(client.get("files/whole", &["If-Match: \"00000000000000000000000000000000\""]).status, 412);

    let link = client.ask("HEAD", "files/whole", &[], b"");
    let link = link.header("x-preauth-uri").expect("a link").to_owned();
    client.wire.send(format!("GET {link} HTTP/1.1\r\nHost: repono\r\n\r\n").as_bytes()).expect("sent");
    let linked = client.wire.response("GET").expect("a response");
    assert!(linked.body == whole && linked.header("x-manifest-etag").is_none());
}

#[test]
fn a_manifest_can_be_seen_listed_updated_and_read_by_part() {
    let mut client = Client::start();
    client.put("files/seg/1", b"first");
    client.put("files/seg/2", b"second");
    let manifest = json!([{"path": "/files/seg/1"}, {"path": "/files/seg/2", "range": "-3"}]);
    let put = client.put_manifest("files/whole", &manifest);
    let tag = put.header("etag").expect("a tag").to_owned();

    let shown = client.get("files/whole?multipart-manifest=get", &[]);
    assert_eq!(shown.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(shown.header("etag"), Some(&*md5(&shown.body)));
    let json: Value = serde_json::from_slice(&shown.body).expect("JSON");
    assert_eq!((&json[1]["name"], &json[1]["range"]), (&json!("/files/seg/2"), &json!("3-5")));
    let raw = client.get("files/whole?multipart-manifest=get&format=raw", &[]);
    let json: Value = serde_json::from_slice(&raw.body).expect("JSON");
    let second = json!({"path": "/files/seg/2", "etag": md5(b"second"), "size_bytes": 6, "range": "3-5"});
    assert_eq!(json[1], second);
    let again = client.ask("PUT", "files/again?multipart-manifest=put", &[], &raw.body);
    assert_eq!((again.status, again.header("etag")), (201, Some(&*tag)));

    assert_eq!(client.ask("POST", "files/whole", &["X-Object-Meta-A: 1"], b"").status, 202);
    let updated = client.get("files/whole", &[]);
    assert_eq!((updated.text(), updated.header("x-object-meta-a")), ("firstond".to_owned(), Some("1")));

    let listed = client.get("files?format=json&prefix=whole", &[]);
    let listed: Value = serde_json::from_slice(&listed.body).expect("JSON");
    assert_eq!((&listed[0]["bytes"], &listed[0]["slo_etag"]), (&json!(8), &json!(tag)));
    assert_eq!(listed[0]["hash"], json!(md5(&shown.body)));

    for method in ["GET", "HEAD"] {
        let part = client.ask(method, "files/whole?part-number=2", &[], b"");
        assert_eq!((part.status, part.header("x-parts-count")), (206, Some("2")));
        assert_eq!(part.header("content-range"), Some("bytes 5-7/8"));
        assert_eq!(part.header("content-length"), Some("3"));
        assert!(method == "HEAD" || part.body == b"ond");
    }
    assert_eq!(client.get("files/whole?part-number=3", &[]).status, 416);
    assert_eq!(client.get("files/whole?part-number=0", &[]).status, 400);
    assert_eq!(client.get("files/whole?part-number=1", &["Range: bytes=0-0"]).status, 400);

    let info = client.system.balancer().to_owned();
    client.wire.send(b"GET /info HTTP/1.1\r\nHost: repono\r\n\r\n").expect("sent");
    let info: Value = serde_json::from_slice(&client.wire.response("GET").expect(&info).body).expect("JSON");
    assert_eq!(info["slo"]["max_manifest_segments"], 1000);
}

#[test]
fn manifests_that_do_not_hold_are_refused_by_segment() {
    let mut client = Client::start();
    client.put("files/seg/1", b"first");
    client.put("files/seg/empty", b"");
    let wrong = json!([
        {"path": "/files/seg/1", "size_bytes": 6},
        {"path": "/files/seg/1", "etag": md5(b"other")},
        {"path": "/files/none"},
        {"path": "/nowhere/none"},
        {"path": "/files/seg/1"},
        {"path": "/files/seg/empty"},
        {"path": "/files/seg/1", "range": "5-9"},
    ]);
    let refused = client.put_manifest("files/whole", &wrong);
    let text = refused.text();
    assert_eq!(refused.status, 400, "{text}");
    let expected = [
        "/files/seg/1, Size Mismatch",
        "/files/seg/1, Etag Mismatch",
        "/files/none, 404 Not Found",
        "/nowhere/none, 404 Not Found",
        "/files/seg/empty, Too small; each segment must be at least 1 byte",
        "/files/seg/1, Unsatisfiable Range",
    ];
    let errors: Vec<_> = text.lines().filter(|line| line.starts_with('/')).collect();
    assert_eq!(errors, expected);
    assert_eq!(client.get("files/whole", &[]).status, 404);

    let put = "files/whole?multipart-manifest=put";
    let good = json!([{"path": "/files/seg/1"}]).to_string();
    let many = format!("[{}]", vec!["1"; 1001].join(","));
    let own = json!([{"path": "/files/whole"}]).to_string();
    let table: [(&str, &[&str], &str, u16); 8] = [
        (put, &[], "{", 400),
        (put, &[], "{}", 400),
        (put, &[], r#"[{"path":7},{"data":"?"}]"#, 400),
        (put, &[], &own, 409),
        (put, &["ETag: 00000000000000000000000000000000"], &good, 422),
        (put, &["X-Object-Manifest: files/seg/"], &good, 400),
        ("nowhere/whole?multipart-manifest=put", &[], &good, 404),
        (put, &[], &many, 413),
    ];
    for (target, lines, body, status) in table {
        let reply = client.ask("PUT", target, lines, body.as_bytes());
        assert_eq!(reply.status, status, "{target} {lines:?} {body:.40}: {}", reply.text());
        client.reconnect();
    }
    let heartbeat = format!("{put}&heartbeat=on");
    let told = client.ask("PUT", &heartbeat, &["Accept: application/json"], b"[]");
    let json: Value = serde_json::from_slice(&told.body).expect("JSON");
    assert_eq!((told.status, &json["Response Status"]), (202, &json!("400 Bad Request")));
    let told = client.ask("PUT", &heartbeat, &["Accept: application/json"], good.as_bytes());
    let json: Value = serde_json::from_slice(&told.body).expect("JSON");
    assert_eq!((told.status, &json["Response Status"]), (202, &json!("201 Created")));
    assert_eq!(json["Etag"], quoted(&md5(b"first")));
}

#[test]
fn a_quota_counts_the_manifest_as_it_is_kept() {
    let mut client = Client::start();
    client.put("files/seg/1", b"first");
    let manifest = json!([{"path": "/files/seg/1"}]);
    for (bytes, status) in [(100, 413), (400, 201)] {
        // The manifest as it was sent has 26 bytes.
        let quota = format!("X-Container-Meta-Quota-Bytes: {bytes}");
        assert_eq!(client.ask("PUT", "limited", &[&quota], b"").status / 100, 2);
        assert_eq!(client.put_manifest("limited/whole", &manifest).status, status, "{bytes}");
        client.reconnect();
    }
    let xml = client.get("limited?format=xml", &[]).text();
    let size = "<bytes>5</bytes><content_type>video/x</content_type>";
    assert!(xml.contains(size) && xml.contains("<slo_etag>"), "{xml}");
}

#[test]
fn a_changed_segment_is_noticed_before_or_within_the_body() {
    let mut client = Client::start();
    let a = content(BLOB_BYTES, 3);
    client.put("files/seg/a", &a);
    client.put("files/seg/b", b"last");
    client.put_manifest("files/whole", &json!([{"path": "/files/seg/a"}, {"path": "/files/seg/b"}]));
    client.put("files/seg/b", b"LAST");
    let head = client.get("files/whole", &["Range: bytes=0-9"]);
    assert!(head.status == 206 && head.body == a[..10]);
    let refused = client.get("files/whole", &["Range: bytes=-4"]);
    assert_eq!(refused.status, 409);
    client.send("GET", "files/whole", &[], b"");
    assert!(client.wire.response("GET").is_err(), "a body with a wrong end came as a whole one");

    client.reconnect();
    assert_eq!(client.ask("DELETE", "files/seg/a", &[], b"").status, 204);
    assert_eq!(client.get("files/whole", &[]).status, 409);
    assert_eq!(client.ask("HEAD", "files/whole", &[], b"").status, 200);
}

#[test]
fn a_manifest_goes_with_its_segments() {
    let mut client = Client::start();
    for name in ["1", "2", "3"] {
        client.put(&format!("files/seg/{name}"), name.as_bytes());
    }
    client.put_manifest("files/inner", &json!([{"path": "/files/seg/1"}, {"data": "aGk="}]));
    client.put_manifest("files/whole", &json!([{"path": "/files/inner"}, {"path": "/files/seg/2"}]));
    let plain = client.ask("DELETE", "files/seg/3?multipart-manifest=delete", &[], b"");
    assert!(plain.status == 200 && plain.text().contains("Not an SLO manifest"), "{}", plain.text());
    let none = client.ask("DELETE", "files/none?multipart-manifest=delete", &[], b"");
    assert!(none.text().contains("Number Not Found: 1"), "{}", none.text());

    let json = &["Accept: application/json"];
    let gone = client.ask("DELETE", "files/whole?multipart-manifest=delete", json, b"");
    let gone: Value = serde_json::from_slice(&gone.body).expect("JSON");
    let expected = json!({"Number Deleted": 4, "Number Not Found": 0, "Response Status": "200 OK",
                          "Response Body": "", "Errors": []});
    assert_eq!(gone, expected);
    assert_eq!(client.names("files"), "seg/3\n");
}

#[test]
fn a_dynamic_large_object_is_what_the_listing_gives() {
    let mut client = Client::start();
    let a = content(BLOB_BYTES, 4);
    client.put("files/d%20yn/1", &a);
    client.put("files/d%20yn/2", b"second");
    client.put("files/other", b"x");
    let manifest = "X-Object-Manifest: files/d%20yn/";
    assert_eq!(client.ask("PUT", "files/whole", &[manifest, "Content-Type: a/b"], b"").status, 201);
    for bad in ["files", "files/", "/files/x", "files//x", "files/x?y", "files/%zz"] {
        let line = format!("X-Object-Manifest: {bad}");
        assert_eq!(client.ask("PUT", "files/bad", &[&line], b"").status, 400, "{bad}");
    }

    let whole = [&a[..], b"second"].concat();
    let tag = quoted(&format!("{}{}", md5(&a), md5(b"second")));
    let reply = client.get("files/whole", &[]);
    assert_eq!((reply.status, reply.header("etag")), (200, Some(&*tag)));
    assert_eq!(reply.header("x-object-manifest"), Some("files/d%20yn/"));
    assert_eq!(reply.header("content-type"), Some("a/b"));
    assert!(reply.body == whole);
    ranges_hold(&mut client, "files/whole", &whole);
    let shown = client.get("files/whole?multipart-manifest=get", &[]);
    assert_eq!(
        (shown.status, shown.body.len(), shown.header("x-object-manifest")),
        (200, 0, Some("files/d%20yn/"))
    );

    client.put("files/d%20yn/3", b"third");
    let head = client.ask("HEAD", "files/whole", &[], b"");
    assert_eq!(head.header("content-length"), Some(&*(whole.len() + 5).to_string()));
    assert_eq!(client.ask("POST", "files/whole", &["X-Object-Manifest: files/none/"], b"").status, 202);
    let empty = client.get("files/whole", &[]);
    assert_eq!((empty.status, empty.body.len(), empty.header("etag")), (200, 0, Some(&*quoted(""))));
    assert_eq!(client.ask("POST", "files/whole", &["X-Object-Manifest: nowhere/x"], b"").status, 202);
    assert_eq!(client.get("files/whole", &[]).status, 404);
    assert_eq!(client.ask("POST", "files/whole", &["X-Object-Meta-A: 1"], b"").status, 202);
    assert_eq!(client.get("files/whole", &[]).header("x-object-manifest"), None);
}

#[test]
fn more_segments_than_a_page_come_in_their_order() {
    let mut client = Client::start();
    let mut whole = String::new();
    for number in 0..1003 {
        client.put(&format!("files/many/{number:05}"), format!("{number},").as_bytes());
        whole.push_str(&format!("{number},"));
    }
    client.ask("PUT", "files/whole", &["X-Object-Manifest: files/many/"], b"");
    assert_eq!(client.get("files/whole", &[]).text(), whole);
    let end = client.get("files/whole", &["Range: bytes=-12"]);
    assert_eq!(end.text(), whole[whole.len() - 12..]);
}

#[test]
fn segments_are_read_in_the_right_of_the_caller() {
    let mut client = Client::start();
    client.put("files/open/1", b"open");
    client.put("files/closed/1", b"secret");
    let manifest = json!([{"path": "/files/open/1"}, {"path": "/files/closed/1"}]);
    assert_eq!(client.put_manifest("files/open/static", &manifest).status, 201);
    client.ask("PUT", "files/open/dynamic", &["X-Object-Manifest: files/closed/"], b"");
    assert_eq!(client.get("files/open/static", &[]).text(), "opensecret");

    // The same user, with a ticket for one prefix.
    client.ticket = client.system.ticket(&["--scope", "p=/v1/demo/files/open/"]).expect("a ticket");
    assert_eq!(client.get("files/open/1", &[]).text(), "open");
    assert_eq!(client.get("files/open/static", &["Range: bytes=0-3"]).text(), "open");
    assert_eq!(client.get("files/open/static", &["Range: bytes=4-"]).status, 403);
    assert_eq!(client.get("files/open/dynamic", &[]).status, 403);
    assert_eq!(client.ask("HEAD", "files/open/static", &[], b"").header("x-preauth-uri"), None);
    assert!(client.ask("HEAD", "files/open/1", &[], b"").header("x-preauth-uri").is_some());
    let copied = client.ask("COPY", "files/open/static", &["Destination: files/open/flat"], b"");
    assert_eq!(copied.status, 403, "{}", copied.text());
    assert_eq!(client.get("files/open/flat", &[]).status, 404);
    let refused = client.put_manifest("files/open/mine", &json!([{"path": "/files/closed/1"}]));
    assert!(refused.status == 400 && refused.text().contains("/files/closed/1, 403 Forbidden"));
    let kept = client.ask("DELETE", "files/open/static?multipart-manifest=delete", &[], b"");
    assert!(kept.text().contains("/files/closed/1, 403 Forbidden"), "{}", kept.text());
    assert_eq!(client.get("files/open/static", &["Range: bytes=4-"]).status, 403);
}

#[test]
fn a_copy_of_a_manifest_stands_for_the_same() {
    let mut client = Client::start();
    client.put("files/seg/1", b"first");
    client.put_manifest("files/whole", &json!([{"path": "/files/seg/1", "range": "1-"}]));
    client.ask("PUT", "files/listed", &["X-Object-Manifest: files/seg/"], b"");
    for (name, text) in [("whole", "irst"), ("listed", "first")] {
        let from = format!("files/{name}?multipart-manifest=get");
        for lines in
            [&["Destination: files/copy"][..], &["Destination: files/copy", "X-Fresh-Metadata: true"]]
        {
            let copied = client.ask("COPY", &from, lines, b"");
            assert_eq!(copied.status, 201, "{}", copied.text());
            assert_eq!(client.get("files/copy", &[]).text(), text);
        }
        assert_eq!(
            client.ask("COPY", &from, &["Destination: files/copy", "Range: bytes=0-1"], b"").status,
            501
        );
        // Without the parameter it is the bytes that are copied: one object of its own.
        let flat = client.ask("COPY", &format!("files/{name}"), &["Destination: files/flat"], b"");
        assert_eq!(flat.status, 201, "{}", flat.text());
        let read = client.get("files/flat", &[]);
        assert_eq!((read.text().as_str(), read.header("etag")), (text, Some(&*md5(text.as_bytes()))));
        assert!(read.header("x-static-large-object").is_none() && read.header("x-object-manifest").is_none());
        let lines = ["Destination: files/part", "Range: bytes=1-2"];
        assert_eq!(client.ask("COPY", &format!("files/{name}"), &lines, b"").status, 201);
        assert_eq!(client.get("files/part", &[]).text(), text[1..=2]);
    }
}
