//! A test, started again in namespaces of its own.

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::Network;

/// Set for the program that is within.
const WITHIN: &str = "REPONO_TEST_WITHIN";

/// `required` makes a test fail where its network cannot be.
const WISH: &str = "REPONO_TEST_NETWORK";

/// What a network needs, tried out: namespaces, and rules that follow connections.
const TRIAL: &str = "mount -t tmpfs none /run && ip netns add trial && \
     ip netns exec trial nft 'add table ip t; add chain ip t c { type filter hook forward priority 0; }; \
     add rule ip t c ct state invalid counter drop' && \
     ip netns exec trial test -w /proc/sys/net/netfilter/nf_conntrack_tcp_loose";

/// Runs `body` in a network of its own; `test` is the test's name as the harness
/// prints it.
///
/// Where that is not possible, this is said on standard error and the body does not
/// run.
#[expect(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]
pub fn inside(test: &str, body: impl FnOnce(&mut Network)) {
    if env::var_os(WITHIN).is_some() {
        match Network::build() {
            Ok(mut network) => return body(&mut network),
            Err(error) => panic!("the network cannot be built: {error:#}"),
        }
    }
    static POSSIBLE: OnceLock<Result<(), String>> = OnceLock::new();
    if let Err(why) = POSSIBLE.get_or_init(possible) {
        skip(test, why);
        return;
    }
    let program = env::current_exe().expect("a test has a program");
    let output = enclosed(program.as_os_str().to_owned())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(WITHIN, "1")
        .output()
        .expect("unshare was there a moment ago");
    let said =
        format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "in the network:\n{said}");
    assert!(said.contains("1 passed"), "no test is named {test}:\n{said}");
}

/// Whether this machine lets its users have such a network.
fn possible() -> Result<(), String> {
    let output = enclosed("sh".into()).args(["-c", TRIAL]).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(format!("unshare: {error}")),
    }
}

fn skip(test: &str, why: &str) {
    let required = env::var_os(WISH).is_some_and(|wish| wish == "required");
    assert!(!required, "{test}: no network of its own is possible here: {why}");
    // Not by a macro: the harness shows nothing of what a passing test prints.
    let said = format!(
        "\n*** SKIPPED, NOT RUN: {test}: it needs network namespaces for users, `ip` and `nft`: {why}\n"
    );
    let _ = std::io::stderr().write_all(said.as_bytes());
}

/// `program` as the first process of new namespaces; root there, and nowhere else.
fn enclosed(program: OsString) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child"])
        .args(["--mount-proc", "--"])
        .arg(program)
        .env("PATH", path());
    command
}

/// Debian keeps `ip` and `nft` where only root looks.
pub(super) fn path() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}
