//! Paths, ids and times: 1.1.

use crate::table::{Rule, Stage};

pub(super) fn hold(stage: &mut Stage) {
    stage.hold("1.1", RULES);
}

const RULES: &[Rule] = &[
    ("v1.0 is v1", "HEAD /v1.0/demo/files", &[], "", 204, &[]),
    ("another version", "GET /v2/demo/files", &[], "", 400, &[]),
    ("an empty account", "GET /v1//files/o", &[], "", 404, &[]),
    ("an empty container", "GET /v1/demo//o", &[], "", 404, &[]),
    ("a path that is not UTF-8", "GET /v1/demo/files/%FF", &[], "", 412, &[]),
    ("a path with NUL", "GET /v1/demo/files/a%00b", &[], "", 412, &[]),
    ("a path without an account", "GET /v1", &[], "", 412, &[]),
    ("the same with a slash", "GET /v1/", &[], "", 412, &[]),
    ("a method that nobody knows", "BREW /v1/demo/files/o", &[], "", 405, &["Allow: *GET*"]),
    (
        "X-Trans-Id-Extra is appended, cut to 32",
        "HEAD /v1/demo/files",
        &["X-Trans-Id-Extra: 0123456789012345678901234567890123456789"],
        "",
        204,
        &["X-Trans-Id: *-01234567890123456789012345678901"],
    ),
    (
        "an upload has a time and a tag",
        "PUT /v1/demo/files/timed",
        &[],
        "abc",
        201,
        &[
            "Last-Modified: *GMT",
            "ETag: 900150983cd24fb0d6963f7d28e17f72",
            "X-Trans-Id: tx*",
            "STAMP<Last-Modified",
        ],
    ),
    (
        "the same in its HEAD",
        "HEAD /v1/demo/files/timed",
        &[],
        "",
        200,
        &[
            "Last-Modified: %STAMP%",
            "X-Timestamp: *.*",
            "Content-Length: 3",
            "ETag: 900150983cd24fb0d6963f7d28e17f72",
        ],
    ),
];
