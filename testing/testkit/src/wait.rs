//! Waiting for a state, never for a while.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a state is looked at that nobody announces.
const LOOK: Duration = Duration::from_millis(10);

/// Looks until `state` gives a value.
///
/// *Errors*: after `limit`, with `what` in the message.
pub fn until<T>(what: &str, limit: Duration, mut state: impl FnMut() -> Option<T>) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(value) = state() {
            return Ok(value);
        }
        if begun.elapsed() > limit {
            bail!("{what}: not within {limit:?}");
        }
        thread::sleep(LOOK);
    }
}
