//! The object side of the Swift dialect as a client sees it: server-side copy, objects
//! that end, bulk delete; every row names the rule that it holds.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use repono_testkit::system::System;
use repono_testkit::wait;
use repono_testkit::wire::{Response, Wire};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");

struct Session {
    wire: Wire,
    ticket: String,
}

impl Session {
    fn new(system: &System, options: &[&str]) -> Self {
        let ca = PathBuf::from(system.fact("ca"));
        let ticket = system.ticket(options).expect("a ticket").join("\r\n");
        Self { wire: Wire::connect(system.balancer(), &ca).expect("connected"), ticket }
    }

    fn send(&mut self, method: &str, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Response {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: h\r\n{}\r\n", self.ticket);
        for (name, value) in fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if matches!(method, "PUT" | "POST") || !body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        self.wire.send(&[head.as_bytes(), body].concat()).expect("sent");
        self.wire.response(method).expect("a response")
    }

    fn put(&mut self, path: &str, fields: &[(&str, &str)], body: &[u8]) {
        assert_eq!(self.send("PUT", path, fields, body).status, 201, "{path}");
    }

    fn get(&mut self, path: &str) -> Response {
        self.send("GET", path, &[], b"")
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 7 + at / 253) % 256).unwrap_or_default()).collect()
}

/// A copy: the source, fields, what it must become.
struct Copy {
    rule: &'static str,
    fields: &'static [(&'static str, &'static str)],
    status: u16,
    /// Bytes of the source that the copy has.
    bytes: std::ops::Range<usize>,
    /// A header of the copy.
    header: (&'static str, Option<&'static str>),
}

const COPIES: [Copy; 8] = [
    Copy {
        rule: "all of it, with its metadata",
        fields: &[],
        status: 201,
        bytes: 0..300_000,
        header: ("x-object-meta-colour", Some("red")),
    },
    Copy {
        rule: "new metadata wins over the source's",
        fields: &[("X-Object-Meta-Colour", "blue")],
        status: 201,
        bytes: 0..300_000,
        header: ("x-object-meta-colour", Some("blue")),
    },
    Copy {
        rule: "the source's media type stays",
        fields: &[],
        status: 201,
        bytes: 0..300_000,
        header: ("content-type", Some("text/x-source")),
    },
    Copy {
        rule: "a media type that is sent wins",
        fields: &[("Content-Type", "text/x-copy")],
        status: 201,
        bytes: 0..300_000,
        header: ("content-type", Some("text/x-copy")),
    },
    Copy {
        rule: "X-Fresh-Metadata leaves the source's behind",
        fields: &[("X-Fresh-Metadata", "true"), ("X-Object-Meta-New", "1")],
        status: 201,
        bytes: 0..300_000,
        header: ("x-object-meta-colour", None),
    },
    Copy {
        rule: "a range is that of the source",
        fields: &[("Range", "bytes=100-65999")],
        status: 201,
        bytes: 100..66_000,
        header: ("content-length", Some("65900")),
    },
    Copy {
        rule: "conditions are those of the source",
        fields: &[("If-Match", "00000000000000000000000000000000")],
        status: 412,
        bytes: 0..0,
        header: ("content-type", None),
    },
    Copy {
        rule: "a range outside of the source",
        fields: &[("Range", "bytes=300000-")],
        status: 416,
        bytes: 0..0,
        header: ("content-type", None),
    },
];

#[test]
fn copies_in_both_forms() {
    let system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
    let mut session = Session::new(&system, &[]);
    let body = content(300_000);
    let fields = [("Content-Type", "text/x-source"), ("X-Object-Meta-Colour", "red")];
    session.put("/v1/demo/files/from/a%20b", &fields, &body);
    for (number, row) in COPIES.iter().enumerate() {
        for form in ["COPY", "PUT"] {
            let to = format!("/files/to/{form}/{number}");
            let (path, other) = match form {
                "COPY" => ("/v1/demo/files/from/a%20b".to_owned(), ("Destination", to.as_str())),
                _ => (format!("/v1/demo{to}"), ("X-Copy-From", "/files/from/a%20b")),
            };
            let fields: Vec<_> = row.fields.iter().copied().chain([other]).collect();
            let made = session.send(form, &path, &fields, b"");
            assert_eq!(made.status, row.status, "{form}: {}: {}", row.rule, made.text());
            let copy = session.get(&format!("/v1/demo{to}"));
            if row.status != 201 {
                assert_eq!(copy.status, 404, "{}", row.rule);
                continue;
            }
            assert_eq!(made.header("x-copied-from"), Some("files/from/a%20b"));
            assert_eq!(made.header("x-copied-from-account"), Some("demo"));
            assert!(made.header("x-copied-from-last-modified").is_some());
            assert_eq!(made.header("etag"), copy.header("etag"));
            assert!(copy.body == body[row.bytes.clone()], "{form}: {}", row.rule);
            assert_eq!(copy.header(row.header.0), row.header.1, "{form}: {}", row.rule);
        }
    }
    // The copy is an object of its own: it outlives its source.
    assert_eq!(session.send("DELETE", "/v1/demo/files/from/a%20b", &[], b"").status, 204);
    assert!(session.get("/v1/demo/files/to/COPY/0").body == body);
}

/// Method, path, fields, body, and the status that they get.
type Refused = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static [u8], u16);

#[test]
fn copies_that_are_refused() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let mut session = Session::new(&system, &[]);
    session.put("/v1/demo/files/o", &[], b"body");
    session.put("/v1/demo/files/secret/o", &[], b"secret");
    const OBJECT: &str = "/v1/demo/files/o";
    let rows: [Refused; 9] = [
        ("COPY", OBJECT, &[], b"", 412),
        ("COPY", OBJECT, &[("Destination", "files")], b"", 412),
        ("COPY", OBJECT, &[("Destination", "files/../x")], b"", 400),
        ("COPY", OBJECT, &[("Destination", "none/o")], b"", 404),
        ("COPY", "/v1/demo/files/none", &[("Destination", "files/x")], b"", 404),
        ("PUT", "/v1/demo/files/x", &[("X-Copy-From", "files/none")], b"", 404),
        ("PUT", "/v1/demo/files/x", &[("X-Copy-From", "files")], b"", 412),
        ("PUT", "/v1/demo/files/x", &[("X-Copy-From", "files/o")], b"bytes", 400),
        ("COPY", OBJECT, &[("Destination", "files/x"), ("Destination-Account", "other")], b"", 403),
    ];
    for (method, path, fields, body, status) in rows {
        let refused = session.send(method, path, fields, body);
        assert_eq!(refused.status, status, "{method} {path} {fields:?}: {}", refused.text());
        if refused.header("connection") == Some("close") {
            session = Session::new(&system, &[]);
        }
    }
    assert_eq!(session.get("/v1/demo/files/x").status, 404, "nothing was written");

    // A scope holds for both sides.
    let narrow = ["--scope", "m=GET,PUT,COPY;p=/v1/demo/files/public/"];
    let mut narrow = Session::new(&system, &narrow);
    let out = [("X-Copy-From", "files/secret/o")];
    assert_eq!(narrow.send("PUT", "/v1/demo/files/public/o", &out, b"").status, 403);
    narrow.put("/v1/demo/files/public/mine", &[], b"mine");
    let away = [("Destination", "files/elsewhere")];
    assert_eq!(narrow.send("COPY", "/v1/demo/files/public/mine", &away, b"").status, 403);
    let within = [("Destination", "files/public/copy")];
    assert_eq!(narrow.send("COPY", "/v1/demo/files/public/mine", &within, b"").status, 201);
}

#[test]
fn objects_end_when_they_are_told_to() {
    let system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
    let mut session = Session::new(&system, &[]);
    for (field, value) in
        [("X-Delete-At", "1"), ("X-Delete-At", "soon"), ("X-Delete-After", "0"), ("X-Delete-After", "-1")]
    {
        let refused = session.send("PUT", "/v1/demo/files/x", &[(field, value)], b"body");
        assert_eq!(refused.status, 400, "{field}: {value}");
        session = Session::new(&system, &[]);
    }
    let far = (now_s() + 1000).to_string();
    session.put("/v1/demo/files/far", &[("X-Delete-At", &far)], b"body");
    assert_eq!(session.get("/v1/demo/files/far").header("x-delete-at"), Some(far.as_str()));
    // POST replaces everything, the end along with it.
    assert_eq!(session.send("POST", "/v1/demo/files/far", &[("X-Object-Meta-A", "1")], b"").status, 202);
    assert_eq!(session.get("/v1/demo/files/far").header("x-delete-at"), None);

    session.put("/v1/demo/files/near", &[("X-Delete-After", "1")], b"body");
    let link = session.send("HEAD", "/v1/demo/files/near", &[], b"");
    let link = link.header("x-preauth-uri").expect("a link").to_owned();
    wait::until("the object ends", Duration::from_secs(10), || {
        (session.get("/v1/demo/files/near").status == 404).then_some(())
    })
    .expect("ended");
    assert_eq!(session.send("HEAD", "/v1/demo/files/near", &[], b"").status, 404);
    assert_eq!(session.send("POST", "/v1/demo/files/near", &[], b"").status, 404);
    session.ticket = String::from("Accept: */*");
    assert_eq!(session.get(&link).status, 403, "a link is as dead as its object");
    let mut session = Session::new(&system, &[]);
    assert_eq!(session.send("DELETE", "/v1/demo/files/near", &[], b"").status, 404);
}

#[test]
fn many_names_are_deleted_by_one_request() {
    let system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
    let mut session = Session::new(&system, &[]);
    assert_eq!(session.send("PUT", "/v1/demo/bulk", &[], b"").status, 201);
    let mut names = String::new();
    for number in 0..300 {
        session.put(&format!("/v1/demo/bulk/a%20b/{number}"), &[], b"x");
        names.push_str(&format!("/bulk/a%20b/{number}\n"));
    }
    names.push_str("/bulk/none\n/files\n/bulk\n%zz/o\n");
    session.put("/v1/demo/files/stays", &[], b"x");
    let json = [("Accept", "application/json"), ("Content-Type", "text/plain")];
    let reply = session.send("POST", "/v1/demo?bulk-delete", &json, names.as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.text());
    let report: Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!(report["Number Deleted"], 301, "{report}");
    assert_eq!(report["Number Not Found"], 1);
    assert_eq!(report["Response Status"], "400 Bad Request");
    let errors = report["Errors"].as_array().expect("a list");
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert_eq!(errors[0][0], "/files");
    assert_eq!(errors[0][1], "409 Conflict");
    assert_eq!(session.get("/v1/demo/bulk").status, 404, "the container went after its objects");
    assert_eq!(session.get("/v1/demo/files/stays").status, 200);

    let nothing = session.send("POST", "/v1/demo?bulk-delete", &[], b"");
    assert!(nothing.text().contains("Response Status: 400 Bad Request"), "{}", nothing.text());
    assert_eq!(session.send("GET", "/v1/demo?bulk-delete", &[], b"").status, 405);

    // A scope that has no DELETE deletes nothing.
    let mut narrow = Session::new(&system, &["--scope", "m=POST,PUT;p=/v1/demo"]);
    let refused = narrow.send("POST", "/v1/demo?bulk-delete", &json, b"/files/stays\n");
    let report: Value = serde_json::from_slice(&refused.body).expect("JSON");
    assert_eq!((&report["Number Deleted"], &report["Errors"][0][1]), (&0.into(), &"403 Forbidden".into()));
}

/// A page of another origin gets what the container's metadata grants, and no more.
#[test]
fn pages_of_other_origins_are_granted_by_the_container() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let mut session = Session::new(&system, &[]);
    session.put("/v1/demo/files/o", &[], b"body");
    let page = ("Origin", "https://app.example");
    let without = session.send("GET", "/v1/demo/files/o", &[page], b"");
    assert_eq!((without.status, without.header("access-control-allow-origin")), (200, None));

    let grant = [
        ("X-Container-Meta-Access-Control-Allow-Origin", "https://app.example"),
        ("X-Container-Meta-Access-Control-Max-Age", "60"),
        ("X-Container-Meta-Access-Control-Expose-Headers", "x-repono-connection"),
    ];
    assert_eq!(session.send("POST", "/v1/demo/files", &grant, b"").status, 204);
    let read = session.send("GET", "/v1/demo/files/o", &[page], b"");
    assert_eq!(read.header("access-control-allow-origin"), Some("https://app.example"));
    assert!(read.header("access-control-expose-headers").expect("a list").ends_with("x-repono-connection"));
    assert_eq!(read.header("access-control-allow-credentials"), None);
    let missing = session.send("GET", "/v1/demo/files/none", &[page], b"");
    assert_eq!(
        (missing.status, missing.header("access-control-allow-origin")),
        (404, Some("https://app.example"))
    );
    let other = [("Origin", "https://evil.example")];
    assert_eq!(
        session.send("GET", "/v1/demo/files/o", &other, b"").header("access-control-allow-origin"),
        None
    );

    // A browser sends no ticket with a preflight.
    session.ticket = String::from("Accept: */*");
    let asks =
        [page, ("Access-Control-Request-Method", "PUT"), ("Access-Control-Request-Headers", "x-auth-token")];
    let preflight = session.send("OPTIONS", "/v1/demo/files/o", &asks, b"");
    assert_eq!(preflight.status, 200);
    assert_eq!(preflight.header("access-control-max-age"), Some("60"));
    assert_eq!(preflight.header("access-control-allow-headers"), Some("x-auth-token"));
    assert!(preflight.header("access-control-allow-methods").expect("methods").contains("PUT"));
    let refused = [other[0], asks[1]];
    assert_eq!(session.send("OPTIONS", "/v1/demo/files/o", &refused, b"").status, 401);
    let plain = session.send("OPTIONS", "/v1/demo/files/o", &[], b"");
    assert_eq!((plain.status, plain.header("allow").is_some()), (200, true));
}
