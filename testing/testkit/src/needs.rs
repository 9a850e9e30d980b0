//! What a test needs of the machine, and may be without.

use std::env;
use std::io::Write;

/// `required` makes a test fail where it could not run.
const WISH: &str = "REPONO_TEST_NEEDS";

/// Says aloud that a test did not run for want of something that `cargo xtask needs`
/// installs.
///
/// # Panics
///
/// Where `REPONO_TEST_NEEDS=required` stands in the environment, as in `cargo xtask ci`.
pub fn missing(test: &str, what: &str) {
    let required = env::var_os(WISH).is_some_and(|wish| wish == "required");
    assert!(!required, "{test}: {what} is not here; `cargo xtask needs` installs it");
    // Not by a macro: the harness shows nothing of what a passing test prints.
    let said =
        format!("\n*** SKIPPED, NOT RUN: {test}: {what} is not here; `cargo xtask needs` installs it\n");
    let _ = std::io::stderr().write_all(said.as_bytes());
}
