//! The rules of the Swift dialect, each a row: what is asked, and what status and
//! fields must answer it. Rows are numbered by section:
//!
//! | module | rules about |
//! |---|---|
//! | [`identity`] | paths, ids, times |
//! | [`statuses`] | the status of each operation |
//! | [`conditions`] | conditions and ranges |
//! | [`metadata`] | names, values, limits of metadata (the others: `limits.rs`) |
//! | [`listings`] | listings and counters |
//! | [`copies`] | COPY and X-Copy-From |
//! | [`bulk`] | bulk delete |
//! | [`expiry`] | objects that end |
//! | [`large`] | manifests, static and dynamic (more: `large_objects.rs`) |
//! | [`access`] | access lists, other origins, quotas |
//! | [`unserved`] | what is not announced and refused |
//!
//! *Source*: OpenStack Swift, its proxy and middlewares.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

mod access;
mod bulk;
mod conditions;
mod copies;
mod expiry;
mod identity;
mod large;
mod listings;
mod metadata;
mod statuses;
mod table;
mod unserved;

use crate::table::Stage;

#[test]
fn every_rule_holds() {
    let mut stage = Stage::new();
    stage.until("GET /v1/demo/files", &["@guest"], 403);
    identity::hold(&mut stage);
    statuses::hold(&mut stage);
    conditions::hold(&mut stage);
    metadata::hold(&mut stage);
    listings::hold(&mut stage);
    copies::hold(&mut stage);
    bulk::hold(&mut stage);
    expiry::hold(&mut stage);
    large::hold(&mut stage);
    access::hold(&mut stage);
    unserved::hold(&mut stage);
    stage.judge();
}
