//! Access lists, other origins and quotas: 1.9 and 1.11.

use crate::table::{Rule, Stage};

pub(super) fn hold(stage: &mut Stage) {
    stage.hold("1.11", RULES);
    // The list that was set above is in force at every head within seconds.
    stage.until("GET /v1/demo/shared/o", &["@anyone"], 200);
    stage.hold("1.11, in force", IN_FORCE);
    // Below what is there: nothing more fits.
    stage.admin(&["account", "quota", "demo", "10"]);
    stage.hold("1.9, quota of an account", FULL);
    stage.admin(&["account", "quota", "demo", "1MiB"]);
    stage.hold("1.9, room in the account", ROOM);
    stage.admin(&["account", "quota", "demo", "none"]);
    stage.hold("1.9, no quota", UNBOUNDED);
}

const RULES: &[Rule] = &[
    ("a container for others", "PUT /v1/demo/shared", &[], "", 201, &[]),
    ("an object in it", "PUT /v1/demo/shared/o", &[], "x", 201, &[]),
    ("anyone before", "GET /v1/demo/shared/o", &["@anyone"], "", 401, &[]),
    ("a known user before", "GET /v1/demo/shared/o", &["@guest"], "", 403, &[]),
    ("referrers may not write", "POST /v1/demo/shared", &["X-Container-Write: .r:*"], "", 400, &[]),
    ("a referrer without a host", "POST /v1/demo/shared", &["X-Container-Read: .r:"], "", 400, &[]),
    ("an element that is unknown", "POST /v1/demo/shared", &["X-Container-Read: .unknown:x"], "", 400, &[]),
    (
        "other spellings of referrers",
        "POST /v1/demo/shared",
        &["X-Container-Read: .ref:*,.referrer:-evil.example"],
        "",
        204,
        &[],
    ),
    ("are told in one", "HEAD /v1/demo/shared", &[], "", 204, &["X-Container-Read: .r:*,.r:-evil.example"]),
    (
        "an account list that is no JSON",
        "POST /v1/demo",
        &["X-Account-Access-Control: everyone"],
        "",
        400,
        &[],
    ),
    (
        "one with an unknown right",
        "POST /v1/demo",
        &["X-Account-Access-Control: {\"owner\":[\"x\"]}"],
        "",
        400,
        &[],
    ),
    (
        "a quota of bytes that is no number",
        "POST /v1/demo/shared",
        &["X-Container-Meta-Quota-Bytes: many"],
        "",
        400,
        &[],
    ),
    ("one of objects", "POST /v1/demo/shared", &["X-Container-Meta-Quota-Count: few"], "", 400, &[]),
    (
        "a quota",
        "POST /v1/demo/shared",
        &["X-Container-Meta-Quota-Bytes: 5", "X-Container-Meta-Quota-Count: 2"],
        "",
        204,
        &[],
    ),
    ("too many bytes", "PUT /v1/demo/shared/large", &[], "12345", 413, &[]),
    (
        "in chunks",
        "PUT /v1/demo/shared/large",
        &["Transfer-Encoding: chunked"],
        "5\r\n12345\r\n0\r\n\r\n",
        413,
        &[],
    ),
    ("by a copy", "PUT /v1/demo/shared/large", &["X-Copy-From: /files/source"], "", 413, &[]),
    ("one more object", "PUT /v1/demo/shared/o2", &[], "x", 201, &[]),
    ("and one too many", "PUT /v1/demo/shared/o3", &[], "x", 413, &[]),
    (
        "a quota for the account, by its owner",
        "POST /v1/demo",
        &["X-Account-Meta-Quota-Bytes: 10"],
        "",
        403,
        &[],
    ),
];

const IN_FORCE: &[Rule] = &[
    ("anyone reads", "GET /v1/demo/shared/o", &["@anyone", "X-Row: 1"], "", 200, &["=x"]),
    (
        "but not from there",
        "GET /v1/demo/shared/o",
        &["@anyone", "Referer: http://evil.example/page"],
        "",
        401,
        &[],
    ),
    ("and lists nothing", "GET /v1/demo/shared", &["@anyone"], "", 401, &[]),
    ("nor writes", "PUT /v1/demo/shared/o", &["@anyone"], "y", 401, &[]),
    ("who is known and may not write", "PUT /v1/demo/shared/o", &["@guest"], "y", 403, &[]),
];

const FULL: &[Rule] = &[
    ("it is told", "HEAD /v1/demo", &["X-Row: quota"], "", 204, &["X-Account-Meta-Quota-Bytes: 10"]),
    ("an upload", "PUT /v1/demo/files/over", &[], "x", 413, &["~QuotaExceeded"]),
    (
        "one in chunks",
        "PUT /v1/demo/files/over",
        &["Transfer-Encoding: chunked"],
        "1\r\nx\r\n0\r\n\r\n",
        413,
        &[],
    ),
    ("a copy", "COPY /v1/demo/files/source", &["Destination: files/over"], "", 413, &[]),
    (
        "a manifest",
        "PUT /v1/demo/files/over?multipart-manifest=put",
        &[],
        r#"[{"path":"/files/seg/2"}]"#,
        413,
        &[],
    ),
    ("nothing was kept", "HEAD /v1/demo/files/over", &[], "", 404, &[]),
    ("reading goes on", "GET /v1/demo/files/source", &["X-Row: quota"], "", 200, &[]),
    ("metadata too", "POST /v1/demo/files/source", &["X-Object-Meta-A: 1"], "", 202, &[]),
    ("and deleting", "DELETE /v1/demo/files/at2", &[], "", 204, &[]),
    ("lifting it", "POST /v1/demo", &["X-Remove-Account-Meta-Quota-Bytes: x"], "", 403, &[]),
    ("by an empty value", "POST /v1/demo", &["X-Account-Meta-Quota-Bytes:"], "", 403, &[]),
];

const ROOM: &[Rule] = &[
    ("an upload fits", "PUT /v1/demo/files/over", &["X-Row: fits"], "x", 201, &[]),
    ("and a copy", "COPY /v1/demo/files/source", &["Destination: files/over", "X-Row: fits"], "", 201, &[]),
];

const UNBOUNDED: &[Rule] =
    &[("nothing is told", "HEAD /v1/demo", &["X-Row: lifted"], "", 204, &["!X-Account-Meta-Quota-Bytes"])];
