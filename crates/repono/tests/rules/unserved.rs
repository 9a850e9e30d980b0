//! What is not announced is refused, not ignored: 1.7, 1.9, 1.10.

use crate::table::{Rule, Stage};

pub(super) fn hold(stage: &mut Stage) {
    stage.hold("1.10", RULES);
}

const RULES: &[Rule] = &[
    (
        "a temporary URL",
        "GET /v1/demo/files/source?temp_url_sig=00&temp_url_expires=4102444800",
        &["@anyone"],
        "",
        501,
        &[],
    ),
    ("an archive", "PUT /v1/demo/files?extract-archive=tar", &[], "x", 501, &[]),
    ("a symlink", "PUT /v1/demo/files/link", &["X-Symlink-Target: files/source"], "", 501, &[]),
    (
        "what is no symlink is its own target",
        "GET /v1/demo/files/source?symlink=get",
        &[],
        "",
        200,
        &["=0123456789"],
    ),
    ("versions of a container", "PUT /v1/demo/versions", &["X-Versions-Enabled: true"], "", 501, &[]),
    ("the older way", "PUT /v1/demo/versions", &["X-Versions-Location: files"], "", 501, &[]),
    ("a listing of versions", "GET /v1/demo/files?versions", &[], "", 501, &[]),
    ("one version", "GET /v1/demo/files/source?version-id=1", &[], "", 501, &[]),
    ("synchronised containers", "PUT /v1/demo/versions", &["X-Container-Sync-To: //elsewhere"], "", 501, &[]),
];
