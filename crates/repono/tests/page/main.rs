//! The monitor's page in Debian's Chromium, against a running system with load.
//!
//! | module | holds |
//! |---|---|
//! | [`browser`] | Chromium, driven by the scripts in `scenes/` |
//! | [`load`] | callers that keep a system busy |
//!
//! What is seen is judged in `scenes/*.mjs`, one scene each. With `REPONO_PICTURES` they
//! leave the pictures of `docs/monitor/` in the folder that it names.

#![expect(clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod browser;
mod load;

use repono_testkit::system::System;

use crate::browser::Browser;
use crate::load::Load;

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
