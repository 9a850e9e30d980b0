//! Accounts, containers and listings as clients of Swift use them: every wrong
//! input and its status, then who may do what by access lists.

use anyhow::{Result, ensure};
use repono_testkit::wire::Response;

use crate::attack::{Ask, Attack};
use crate::stage::{Stage, on_stage};
use crate::ticket::Ticket;

const CONTAINER: &str = "/v1/demo/files";
const ACCOUNT: &str = "/v1/demo";

#[test]
fn wrong_inputs_have_the_statuses_of_swift() {
    on_stage(1, |stage| {
        let ask = |method, target: &str| Ask::new(method, target).ticket(&stage.owner);
        let long = |bytes: usize| "n".repeat(bytes);
        let mut attacks = vec![
            ask("PUT", ACCOUNT).body("").keeps("PUT of an account", 405, "MethodNotAllowed"),
            ask("DELETE", ACCOUNT).keeps("DELETE of an account", 405, "MethodNotAllowed"),
            ask("DELETE", CONTAINER).keeps("a container with objects", 409, "ContainerNotEmpty"),
        ];
        for method in ["GET", "HEAD", "POST", "DELETE"] {
            attacks.push(ask(method, "/v1/demo/none").keeps(method, 404, "NoSuchContainer"));
        }
        for place in [ACCOUNT, CONTAINER] {
            let queries = [
                ("limit=10001", 412, "LimitTooHigh"),
                ("prefix=%ff", 400, "InvalidArgument"),
                ("delimiter=%c3", 400, "InvalidArgument"),
                ("marker=a%00", 400, "InvalidArgument"),
                ("end_marker=%zz", 400, "InvalidURI"),
            ];
            for (query, status, code) in queries {
                attacks.push(ask("GET", &format!("{place}?{query}")).keeps(query, status, code));
            }
            let picky = ask("GET", place).line("Accept: image/png");
            attacks.push(picky.keeps("Accept", 406, "NotAcceptable"));
            change(stage, "POST", place, &sixty(place), 204)?;
            attacks.extend(metadata(place, &ask));
        }
        let lists = [
            ("X-Container-Read: .r:", CONTAINER),
            ("X-Container-Read: .r:-", CONTAINER),
            ("X-Container-Read: .unknown:x", CONTAINER),
            ("X-Container-Write: .r:*", CONTAINER),
            ("X-Container-Write: .referrer:example.com", CONTAINER),
            ("X-Account-Access-Control: x", ACCOUNT),
            ("X-Account-Access-Control: []", ACCOUNT),
            ("X-Account-Access-Control: {\"owner\":[]}", ACCOUNT),
            ("X-Account-Access-Control: {\"admin\":\"x\"}", ACCOUNT),
        ];
        for (line, place) in lists {
            attacks.push(ask("POST", place).line(line).body("").keeps(line, 400, "InvalidAcl"));
        }
        for line in ["X-Container-Meta-Quota-Bytes: x", "X-Container-Meta-Quota-Count: -1"] {
            attacks.push(ask("POST", CONTAINER).line(line).body("").keeps(line, 400, "InvalidQuota"));
        }
        let name = format!("/v1/demo/{}", long(257));
        attacks.push(ask("PUT", &name).body("").keeps("257 bytes of name", 400, "KeyTooLongError"));
        let guest = Ask::new("POST", ACCOUNT).ticket(&stage.guest).body("");
        attacks.push(guest.keeps("metadata by a guest", 403, "AccessDenied"));
        stage.repel(&attacks)
    });
}

/// Metadata that leaves room for thirty more: a request head has no room for 91.
fn sixty(place: &str) -> Vec<String> {
    let kind = if place == ACCOUNT { "Account" } else { "Container" };
    (0..60).map(|number| format!("X-{kind}-Meta-M{number}: x")).collect()
}

/// Metadata beyond the limits.
fn metadata(place: &str, ask: &impl Fn(&'static str, &str) -> Ask) -> Vec<Attack> {
    let kind = if place == ACCOUNT { "Account" } else { "Container" };
    let line = |name: &str, value: &str| format!("X-{kind}-Meta-{name}: {value}");
    let post = |name: &str| (ask("POST", place), format!("{kind} {name}"));
    let (long_name, name) = post("name");
    let (long_value, value) = post("value");
    let (empty, none) = post("empty name");
    let (mut many, count) = post("count");
    let (mut large, size) = post("size");
    for number in 60..91 {
        many = many.line(line(&format!("M{number}"), "x"));
    }
    for number in 0..17 {
        large = large.line(line(&format!("L{number}"), &"v".repeat(256)));
    }
    vec![
        long_name.line(line(&"n".repeat(129), "x")).body("").keeps(name, 400, "MetadataTooLarge"),
        long_value.line(line("A", &"v".repeat(257))).body("").keeps(value, 400, "MetadataTooLarge"),
        empty.line(line("", "x")).body("").keeps(none, 400, "InvalidMetadata"),
        many.body("").keeps(count, 400, "MetadataTooLarge"),
        large.body("").keeps(size, 400, "MetadataTooLarge"),
    ]
}

fn text(stage: &Stage, target: &str, status: u16) -> Result<Response> {
    stage.once(&Ask::new("GET", target).ticket(&stage.owner), status)
}

fn change(
    stage: &Stage,
    method: &'static str,
    target: &str,
    lines: &[impl AsRef<str>],
    status: u16,
) -> Result<()> {
    let ask = Ask::new(method, target).ticket(&stage.owner);
    let ask = lines.iter().fold(ask, |ask, line| ask.line(line.as_ref()));
    stage.once(&ask.body(""), status).map(drop)
}

#[test]
fn listings_metadata_and_counters_follow_at_once() {
    on_stage(1, |stage| {
        change(stage, "PUT", "/v1/demo/list", &["X-Container-Meta-Colour: red"], 201)?;
        ensure!(text(stage, "/v1/demo/list", 204)?.body.is_empty(), "an empty container");
        for key in ["a", "b/1", "b/2", "c"] {
            let put = Ask::new("PUT", format!("/v1/demo/list/{key}")).ticket(&stage.owner).body("12345");
            stage.once(&put, 201)?;
        }
        let pages = [
            ("", "a\nb/1\nb/2\nc\n"),
            ("?delimiter=/", "a\nb/\nc\n"),
            ("?delimiter=/&reverse=true", "c\nb/\na\n"),
            ("?reverse=1&marker=c&end_marker=a", "b/2\nb/1\n"),
            ("?reverse=on&limit=1", "c\n"),
            ("?path=b", "b/1\nb/2\n"),
            ("?path=", "a\nc\n"),
            ("?marker=a&limit=2", "b/1\nb/2\n"),
        ];
        for (query, expected) in pages {
            let page = text(stage, &format!("/v1/demo/list{query}"), 200)?;
            ensure!(page.text() == expected, "{query}: {}", page.text());
            ensure!(page.header("x-container-object-count") == Some("4"), "{query}");
            ensure!(page.header("x-container-bytes-used") == Some("20"), "{query}");
            ensure!(page.header("x-container-meta-colour") == Some("red"), "{query}");
            ensure!(page.header("vary") == Some("Accept"), "{query}");
        }
        let xml = text(stage, "/v1/demo/list?delimiter=/&format=xml", 200)?;
        ensure!(xml.header("content-type") == Some("application/xml; charset=utf-8"), "{xml:?}");
        ensure!(xml.text().contains("<container name=\"list\"><object><name>a</name>"), "{}", xml.text());
        ensure!(xml.text().contains("<subdir name=\"b/\"><name>b/</name></subdir>"), "{}", xml.text());
        let account = text(stage, "/v1/demo?prefix=list&format=xml", 200)?;
        ensure!(account.text().contains("<name>list</name><count>4</count><bytes>20</bytes>"), "{account:?}");

        change(
            stage,
            "PUT",
            "/v1/demo/list",
            &["X-Container-Meta-Colour:", "X-Container-Meta-Size: 1"],
            202,
        )?;
        change(stage, "POST", ACCOUNT, &["X-Account-Meta-Owner: me", "X-Account-Meta-Gone: x"], 204)?;
        change(stage, "POST", ACCOUNT, &["X-Remove-Account-Meta-Gone: x"], 204)?;
        let head = text(stage, "/v1/demo/list", 200)?;
        ensure!(head.header("x-container-meta-colour").is_none(), "{head:?}");
        ensure!(head.header("x-container-meta-size") == Some("1"), "{head:?}");
        let head = text(stage, ACCOUNT, 200)?;
        ensure!(head.header("x-account-meta-owner") == Some("me"), "{head:?}");
        ensure!(head.header("x-account-meta-gone").is_none(), "{head:?}");
        ensure!(head.header("x-timestamp").is_some_and(|stamp| stamp.len() == 16), "{head:?}");
        quota(stage)
    });
}

fn quota(stage: &Stage) -> Result<()> {
    let put = |key: &str, body: &str| {
        Ask::new("PUT", format!("/v1/demo/list/{key}")).ticket(&stage.owner).body(body)
    };
    change(stage, "POST", "/v1/demo/list", &["X-Container-Meta-Quota-Bytes: 25"], 204)?;
    stage.repel(&[put("d", "123456").closes("too many bytes", 413, "QuotaExceeded")])?;
    let chunked = Ask::new("PUT", "/v1/demo/list/d").ticket(&stage.owner).chunked("123456");
    stage.repel(&[chunked.closes("too many bytes in chunks", 413, "QuotaExceeded")])?;
    stage.once(&put("d", "12345"), 201)?;
    change(stage, "POST", "/v1/demo/list", &["X-Container-Meta-Quota-Bytes:"], 204)?;
    change(stage, "POST", "/v1/demo/list", &["X-Container-Meta-Quota-Count: 5"], 204)?;
    stage.repel(&[put("e", "").closes("too many objects", 413, "QuotaExceeded")])
}

#[test]
fn access_lists_hold_at_every_head() {
    on_stage(2, |stage| {
        let file = "/v1/demo/files/known";
        let by = |method, target: &str, ticket: &Ticket| Ask::new(method, target).ticket(ticket);
        let anyone = |target: &str| Ask::new("GET", target);
        stage.everywhere(&anyone(file), 401)?;

        change(stage, "POST", CONTAINER, &["X-Container-Read: .referrer:*, .r:-.thief.com"], 204)?;
        stage.everywhere(&anyone(file), 200)?;
        stage.everywhere(&anyone(file).line("Referer: http://www.thief.com/"), 401)?;
        stage.everywhere(&anyone(CONTAINER), 401)?;
        change(stage, "POST", CONTAINER, &["X-Container-Read: .r:*,.rlistings"], 204)?;
        stage.everywhere(&anyone(CONTAINER), 200)?;
        let shown = text(stage, CONTAINER, 200)?;
        ensure!(shown.header("x-container-read") == Some(".r:*,.rlistings"), "{shown:?}");
        let hidden = stage.once(&anyone(CONTAINER), 200)?;
        ensure!(hidden.header("x-container-read").is_none(), "{hidden:?}");

        let lists = ["X-Container-Read: globex:mallory", "X-Container-Write: globex"];
        change(stage, "POST", CONTAINER, &lists, 204)?;
        stage.everywhere(&anyone(CONTAINER), 401)?;
        stage.everywhere(&by("GET", CONTAINER, &stage.mallory), 200)?;
        stage.everywhere(&by("PUT", "/v1/demo/files/lent", &stage.mallory).body("x"), 201)?;
        stage.everywhere(&by("GET", file, &stage.guest), 403)?;
        stage.everywhere(&by("DELETE", CONTAINER, &stage.mallory), 403)?;
        change(stage, "POST", CONTAINER, &["X-Remove-Container-Read: x", "X-Container-Write:"], 204)?;
        stage.everywhere(&by("GET", file, &stage.mallory), 403)?;
        stage.everywhere(&by("PUT", "/v1/demo/files/lent", &stage.mallory).body("x"), 403)?;

        let list = "X-Account-Access-Control: {\"read-write\":[\"globex:mallory\"]}";
        change(stage, "POST", ACCOUNT, &[list], 204)?;
        stage.everywhere(&by("GET", ACCOUNT, &stage.mallory), 200)?;
        stage.everywhere(&by("POST", CONTAINER, &stage.mallory).body(""), 204)?;
        let steal = by("POST", CONTAINER, &stage.mallory).line("X-Container-Read: .r:*").body("");
        stage.everywhere(&steal, 403)?;
        stage.everywhere(&by("POST", ACCOUNT, &stage.mallory).body(""), 403)?;
        let shown = text(stage, ACCOUNT, 200)?;
        let kept = shown.header("x-account-access-control");
        ensure!(kept == Some("{\"read-write\":[\"globex:mallory\"]}"), "{shown:?}");
        change(stage, "POST", ACCOUNT, &["X-Account-Access-Control:"], 204)?;
        stage.everywhere(&by("GET", ACCOUNT, &stage.mallory), 403)
    });
}
