//! What became of the requests: counts, whether one is worse than another beyond
//! chance, and the tables.

use std::collections::HashSet;
use std::fmt::Write;
use std::time::Duration;

use crate::balancer::{self, Kind};
use crate::client::{HUNG, Request};
use crate::stand::{self, Arrangement};

/// Which client, where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) client: &'static str,
    pub(crate) kind: Kind,
    pub(crate) arrangement: Arrangement,
}

/// What one client met in one place.
pub(crate) struct Met {
    pub(crate) place: Place,
    pub(crate) requests: Vec<Request>,
}

impl Met {
    pub(crate) fn failed(&self) -> usize {
        self.requests.iter().filter(|request| request.failure.is_some()).count()
    }

    pub(crate) fn hung(&self) -> usize {
        self.requests.iter().filter(|request| is_hung(request)).count()
    }

    /// On how many connections the replies came, if the client tells.
    pub(crate) fn connections(&self) -> Option<usize> {
        let told = self.requests.iter().filter(|r| r.failure.is_none()).map(|r| r.connection.as_str());
        let all: HashSet<&str> = told.filter(|c| !c.is_empty()).collect();
        (!all.is_empty()).then_some(all.len())
    }

    /// The longest, without the first, which pays for the client's start.
    pub(crate) fn worst(&self) -> Duration {
        self.requests.iter().skip(1).map(|request| request.took).max().unwrap_or_default()
    }
}

/// Whether the client still waited when the test no longer did.
pub(crate) fn is_hung(request: &Request) -> bool {
    request.failure.as_deref() == Some(HUNG)
}

/// So many failed of so many.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Share {
    failed: usize,
    of: usize,
}

impl Share {
    /// Of a client in an arrangement, behind all balancers together.
    pub(crate) fn of(all: &[Met], client: &str, arrangement: Arrangement) -> Self {
        let there = all.iter().filter(|m| m.place.client == client && m.place.arrangement == arrangement);
        there.fold(Self::default(), |sum, met| Self {
            failed: sum.failed + met.failed(),
            of: sum.of + met.requests.len(),
        })
    }

    /// How probable so many or more failures here are, if both fail alike: Fisher's
    /// exact test, one-sided.
    pub(crate) fn chance_beside(self, other: Self) -> f64 {
        let (failed, all) = (self.failed + other.failed, self.of + other.of);
        let exactly = |here: usize| {
            (ln_choose(self.of, here) + ln_choose(other.of, failed - here) - ln_choose(all, failed)).exp()
        };
        (self.failed..=failed.min(self.of)).filter(|here| failed - here <= other.of).map(exactly).sum()
    }
}

fn ln_choose(of: usize, chosen: usize) -> f64 {
    (1..=chosen).map(|n| ((of - chosen + n) as f64 / n as f64).ln()).sum()
}

/// A table for each balancer: a row for each client, a column for each arrangement.
pub(crate) fn tables(all: &[Met]) -> String {
    let mut text = String::new();
    for kind in balancer::ALL {
        let _ = write!(text, "\n## {} {}\n\n| client |", kind.name(), kind.version());
        for arrangement in stand::ALL {
            let _ = write!(text, " {} |", arrangement.name());
        }
        let _ = writeln!(text, "\n|---|{}", "---:|".repeat(stand::ALL.len()));
        let mut clients: Vec<&str> = Vec::new();
        for met in all.iter().filter(|met| met.place.kind == kind) {
            if !clients.contains(&met.place.client) {
                clients.push(met.place.client);
            }
        }
        for client in clients {
            let _ = write!(text, "| {client} |");
            for arrangement in stand::ALL {
                let _ = write!(text, " {} |", cell(all, Place { client, kind, arrangement }));
            }
            text.push('\n');
        }
    }
    text
}

fn cell(all: &[Met], place: Place) -> String {
    let here = |met: &&Met| {
        let there = met.place;
        (there.client, there.kind, there.arrangement) == (place.client, place.kind, place.arrangement)
    };
    let Some(met) = all.iter().find(here) else { return String::new() };
    let connections = met.connections().map_or_else(|| "?".to_owned(), |count| count.to_string());
    match met.hung() {
        0 => format!("{} ({connections})", met.failed()),
        hung => format!("{}, {hung} hung ({connections})", met.failed()),
    }
}

#[test]
fn what_is_worse_beyond_chance_is_told_from_what_is_not() {
    let share = |failed| Share { failed, of: 24 };
    assert!(share(12).chance_beside(share(0)) < 1e-4);
    assert!(share(3).chance_beside(share(0)) > 0.1);
    assert!(share(12).chance_beside(share(12)) > 0.5);
    assert!((share(0).chance_beside(share(0)) - 1.0).abs() < 1e-9);
    // By hand: of two each, both failures here are one way of six.
    let (both, none) = (Share { failed: 2, of: 2 }, Share { failed: 0, of: 2 });
    assert!((both.chance_beside(none) - 1.0 / 6.0).abs() < 1e-9);
}
