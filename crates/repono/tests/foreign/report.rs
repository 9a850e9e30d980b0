//! How much is asked: enough for each change, or all of it for `docs/foreign.md`.

use std::path::PathBuf;
use std::{env, fs};

use crate::balancer::root;
use crate::client::CLIENTS;
use crate::tally::{Met, tables};

/// Set by `cargo xtask foreign`: where the report goes.
const REPORT: &str = "REPONO_FOREIGN_REPORT";

/// How much is asked.
pub(crate) enum Extent {
    /// Clients that each end differently, some requests: within a minute and a half.
    Short,
    /// All clients, enough requests to compare each with each, and a report.
    Full(PathBuf),
}

/// requests resends nothing, urllib3 what is idempotent; of Node's, one forgets what it
/// was told and one obeys.
const SOME: [&str; 4] = ["requests", "urllib3", "Node Agent keepAlive", "Node fetch"];

impl Extent {
    pub(crate) fn from_environment() -> Self {
        env::var_os(REPORT).map_or(Self::Short, |path| Self::Full(path.into()))
    }

    /// By their numbers.
    pub(crate) fn clients(&self) -> Vec<usize> {
        let all = 0..CLIENTS.len();
        match self {
            Self::Short => all.filter(|&n| SOME.contains(&CLIENTS[n].name)).collect(),
            Self::Full(_) => all.collect(),
        }
    }

    /// Of each client; the first one opens the connection.
    pub(crate) const fn requests(&self) -> usize {
        match self {
            Self::Short => 9,
            Self::Full(_) => 41,
        }
    }

    pub(crate) fn write(&self, all: &[Met]) {
        match self {
            Self::Short => {}
            Self::Full(path) => {
                fs::write(path, format!("{HEADING}{}", tables(all))).expect("the report is written");
            }
        }
    }
}

const HEADING: &str = "\
# Behind the balancers of others

Written by `cargo xtask foreign` (some six minutes). Stock clients, their defaults untouched, ask 41 times for 50 kB,
with pauses drawn from 4.85 s to 5.05 s, over a way of 100 ms to a balancer that stands before the heads. In each cell:
how many requests failed, as the client tells it, and in brackets on how many connections the others were answered
(`?`: the client does not tell). A request hung when the client told nothing for a minute; it counts as failed.

| column | balancer ends quiet connections after | behind it |
|---|---|---|
| nginx | 5 s | a plain nginx, to hold the others against |
| head as shipped | 5 s | a head, `idle_advertised_s = 55` |
| `idle_advertised_s = 3` | 5 s | a head that advertises less than the balancer grants |
| `connection_requests_max = 1` | 5 s | a head that ends each connection with its reply |
| `deploy/` | 720 s, the file of `deploy/` | a head as shipped |

A time-out of the balancer that is shorter than a client's pauses loses requests, whatever stands behind it: the client
sends while the end is under way to it. What helps, best first:

1. Let the balancer wait longer than the head (650 s), as the files of `deploy/haproxy`, `deploy/nginx` and
   `deploy/envoy` do: nothing fails, and connections are kept.
2. Where the balancer cannot be changed, let the heads end each connection with its reply
   (`connection_requests_max = 1`): nothing fails, and each request pays for a handshake.
3. At the least let the heads advertise less than the balancer grants, two seconds or more: clients that heed
   `Keep-Alive` leave in time. With 55 s behind a balancer of 5 s, such clients (Node's fetch) do worse than if they were
   told nothing, as plain nginx does.

What remains is the head's own end after 650 s: a client that does not heed `Keep-Alive: timeout=55` and pauses for just
so long may still lose a request.

The test behind this (`crates/repono/tests/foreign/`) runs with every change, with fewer clients and requests. It fails
when a request fails in one of the last two columns, or when a client fails more often with `idle_advertised_s = 3` than
with nginx, beyond chance (Fisher's exact test over all balancers, 0.001).
";

/// The heading is written in one place, and the tables in another.
#[test]
fn the_report_says_what_this_test_says() {
    let report = fs::read_to_string(root().join("docs/foreign.md")).expect("a report");
    assert!(report.starts_with(HEADING), "`cargo xtask foreign` writes it anew");
}
