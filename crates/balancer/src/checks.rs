//! The health checks, one loop for each head.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use repono_journal::Stamp;
use tokio::time::sleep;

use crate::heads::{Head, Heads};
use crate::probe::{Answer, CheckFailed, Probe};
use crate::standing::Event;

/// Time between two checks: with two failures a dead head is known within 2 s.
const INTERVAL: Duration = Duration::from_secs(1);

/// The longest that one check may take.
pub(crate) const CHECK_MAX: Duration = Duration::from_secs(1);

/// The least time between two checks, when connections call for one at once.
const INTERVAL_MIN: Duration = Duration::from_millis(50);

/// Checks one head for as long as it is in the table.
pub(crate) async fn check_while_held(heads: Arc<Heads>, (slot, head): (usize, Arc<Head>), probe: Arc<Probe>) {
    while heads.holds(&head) {
        match probe.check(head.address()).await {
            Ok(Answer::Serving(counters, limits)) => {
                heads.told(slot, counters, limits);
                heads.observe(slot, Event::Passed, Stamp::now());
            }
            Ok(Answer::Leaving) => {
                heads.said_nothing(slot);
                heads.observe(slot, Event::Leaving, Stamp::now());
            }
            Err(failed) => {
                heads.said_nothing(slot);
                tracing::debug!(head = head.name(), error = chain(&failed), "health check");
                heads.observe_failure(slot, failed.level(), Stamp::now());
            }
        }
        tokio::select! {
            () = sleep(INTERVAL) => {}
            () = head.doubted() => sleep(INTERVAL_MIN).await,
        }
    }
}

/// An error with its causes, on one line.
fn chain(failed: &CheckFailed) -> String {
    let mut text = failed.to_string();
    let mut cause = failed.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
