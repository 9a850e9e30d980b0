//! Stock clients with their defaults untouched, through what an operator does to a
//! running system: none fails, and none waits for a connection that is dead.
//!
//! | module | holds |
//! |---|---|
//! | [`client`], [`batch`] | the clients |
//! | [`crowd`] | all of them at work |
//! | [`stand`] | the system |
//! | [`scenario`] | what is done to it |
//! | [`report`] | what they met, judged and as a table |
//!
//! Each run of the tests plays the scenarios shortly; `cargo xtask stock` plays them at
//! full length and writes `docs/clients.md`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod batch;
mod client;
mod crowd;
mod report;
mod scenario;
mod stand;

use std::time::Duration;

use crate::report::{judge, write_table};
use crate::scenario::{Length, SCENARIOS, Scenario};

/// Who waits on a dead connection waits for seconds; what is shorter may be a busy
/// machine that starts seventeen clients at once.
const STALL: Duration = Duration::from_secs(5);

#[test]
fn rolling_drains_reloads_and_successors_fail_and_stall_nobody() {
    let outcome = Scenario::Rolling.run(Length::Short);
    judge(Scenario::Rolling, &outcome, STALL);
    assert!(report::moved(&outcome) > 0, "the heads ended, and no client had to leave its connection");
}

#[test]
fn a_killed_head_fails_only_what_it_had_in_its_hands() {
    let outcome = Scenario::Kill.run(Length::Short);
    judge(Scenario::Kill, &outcome, STALL);
    assert!(report::held(&outcome) > 0, "no request was in the hands of a head that died");
}

#[test]
fn limits_of_age_and_requests_fail_and_stall_nobody() {
    let outcome = Scenario::Limits.run(Length::Short);
    judge(Scenario::Limits, &outcome, STALL);
    assert!(report::moved(&outcome) > 8, "connections ended, and few clients had to leave theirs");
}

#[test]
fn gaps_around_the_advertised_time_fail_and_stall_nobody() {
    judge(Scenario::Idle, &Scenario::Idle.run(Length::Short), STALL);
}

/// At full length, some 30 minutes: `cargo xtask stock [REQUESTS]`.
#[test]
#[ignore = "takes half an hour; run by `cargo xtask stock`"]
fn table() {
    let requests =
        std::env::var("REPONO_STOCK_REQUESTS").map_or(10_000, |text| text.parse().expect("a number"));
    let play = |scenario: Scenario| (scenario, scenario.run(Length::Full { requests }));
    let played: Vec<_> = SCENARIOS.map(play).into();
    write_table(&played, requests);
    for (scenario, outcome) in &played {
        judge(*scenario, outcome, STALL);
    }
}
