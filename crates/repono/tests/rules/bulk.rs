//! Bulk delete: 1.7.

use crate::table::{Rule, Stage};

pub(super) fn hold(stage: &mut Stage) {
    stage.hold("1.7", RULES);
}

const RULES: &[Rule] = &[
    ("an object", "PUT /v1/demo/files/bulk%201", &[], "x", 201, &[]),
    (
        "two, one of them not there",
        "POST /v1/demo?bulk-delete",
        &["Content-Type: text/plain", "Accept: application/json"],
        "/files/bulk%201\n/files/none\n",
        200,
        &[
            "~\"Number Deleted\":1",
            "~\"Number Not Found\":1",
            "~\"Response Status\":\"200 OK\"",
            "~\"Errors\":[]",
            "~\"Response Body\":\"\"",
        ],
    ),
    (
        "a container that is not empty",
        "POST /v1/demo?bulk-delete",
        &["Content-Type: text/plain", "Accept: application/json"],
        "/box\n",
        200,
        &[
            "~\"Number Deleted\":0",
            "~[\"/box\",\"409 Conflict\"]",
            "~\"Response Status\":\"400 Bad Request\"",
        ],
    ),
    (
        "by DELETE",
        "DELETE /v1/demo?bulk-delete",
        &["Content-Type: text/plain", "Accept: application/json"],
        "/files/none\n",
        200,
        &["~\"Number Not Found\":1"],
    ),
    (
        "as text",
        "POST /v1/demo?bulk-delete",
        &["Content-Type: text/plain"],
        "/files/none\n",
        200,
        &["~Number Not Found: 1", "Content-Type: text/plain*"],
    ),
    (
        "of nothing",
        "POST /v1/demo?bulk-delete",
        &["Content-Type: text/plain", "Accept: application/json"],
        "",
        200,
        &["~\"Response Status\":\"400 Bad Request\""],
    ),
    (
        "by who may not",
        "POST /v1/demo?bulk-delete",
        &["@guest", "Content-Type: text/plain", "Accept: application/json"],
        "/files/source\n",
        200,
        &["~\"Number Deleted\":0", "~403 Forbidden"],
    ),
    ("what they may not delete stays", "HEAD /v1/demo/files/source", &["X-Bulk: 1"], "", 200, &[]),
];
