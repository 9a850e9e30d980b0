//! The monitor's page in Debian's Chromium, against a running system with load.
//!
//! | module | holds |
//! |---|---|
//! | [`browser`] | Chromium, driven by the scripts in `scenes/` |
//! | [`load`] | callers that keep a system busy |
//! | [`path`] | a client whose path can swallow requests |
//!
//! What is seen is judged in `scenes/*.mjs`, one scene each. With `REPONO_PICTURES` they
//! leave the pictures of `docs/monitor/` in the folder that it names.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

mod browser;
mod load;
mod path;

use repono_testkit::system::System;

use crate::browser::Browser;
use crate::load::{Load, Sleepers};
use crate::path::CallerOnPath;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");

#[test]
fn the_page_tells_what_the_api_tells() {
    let system = System::start(PROGRAM, &["--heads", "3"]).expect("up");
    let load = Load::start(&system);
    let browser = Browser::of(&system);
    browser.plays("values");
    browser.plays("access");
    browser.plays("keyboard");
    load.end();
}

#[test]
fn the_drain_button_drains() {
    let system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
    Browser::of(&system).plays("drain");
}

#[test]
fn the_stream_survives_a_restart_of_the_monitor() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let load = Load::start(&system);
    Browser::of(&system).plays("restart");
    load.end();
}

#[test]
#[ignore = "the monitor has no /api/v1/compare yet"]
fn a_box_over_slow_requests_names_what_they_have_in_common() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let load = Load::start(&system);
    Sleepers::start(&system).end();
    Browser::of(&system).plays("box");
    load.end();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the monitor has no /api/v1/findings yet"]
async fn a_fault_turns_the_verdict_red_within_10_s() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let caller = CallerOnPath::start(&system).await;
    caller.get().await;
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        Browser::of(&system).plays_with("fault", || runtime.block_on(caller.get_through_a_forgetful_path()));
    });
    caller.end().await;
}
