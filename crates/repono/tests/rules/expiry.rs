//! Objects that end: 1.8.

use crate::table::{Rule, Stage};

pub(super) fn hold(stage: &mut Stage) {
    stage.hold("1.8", RULES);
}

const RULES: &[Rule] = &[
    ("after a while", "PUT /v1/demo/files/after", &["X-Delete-After: 1000"], "x", 201, &[]),
    ("its end is told", "HEAD /v1/demo/files/after", &[], "", 200, &["X-Delete-At: *"]),
    (
        "after wins over at",
        "PUT /v1/demo/files/both",
        &["X-Delete-After: 1000", "X-Delete-At: 4102444800"],
        "x",
        201,
        &[],
    ),
    ("so it is not that time", "HEAD /v1/demo/files/both", &[], "", 200, &["X-Delete-At: 1*"]),
    ("at a time", "PUT /v1/demo/files/at", &["X-Delete-At: 4102444800"], "x", 201, &[]),
    ("that time", "HEAD /v1/demo/files/at", &[], "", 200, &["X-Delete-At: 4102444800"]),
    ("POST without it takes it off", "POST /v1/demo/files/at", &[], "", 202, &[]),
    ("it stays for ever", "HEAD /v1/demo/files/at", &["X-Expiry: 1"], "", 200, &["!X-Delete-At"]),
    ("POST with it", "POST /v1/demo/files/at", &["X-Delete-At: 4102444801"], "", 202, &[]),
    ("after no number", "PUT /v1/demo/files/x", &["X-Delete-After: soon"], "x", 400, &[]),
    ("after less than nothing", "PUT /v1/demo/files/x", &["X-Delete-After: -1"], "x", 400, &[]),
    ("at no number", "PUT /v1/demo/files/x", &["X-Delete-At: soon"], "x", 400, &[]),
    ("at a time that has passed", "PUT /v1/demo/files/x", &["X-Delete-At: 1400000000"], "x", 400, &[]),
    ("POST at a time that has passed", "POST /v1/demo/files/at", &["X-Delete-At: 1400000000"], "", 400, &[]),
    ("a copy keeps the end", "PUT /v1/demo/files/at2", &["X-Copy-From: /files/at"], "", 201, &[]),
    ("of the source", "HEAD /v1/demo/files/at2", &[], "", 200, &["X-Delete-At: 4102444801"]),
];
