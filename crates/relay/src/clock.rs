//! How long quiet may last.

use std::time::Duration;

/// The spans that a relay watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// No byte in either direction for this long ends the connection: FIN on both
    /// sides, or RST while the server owes an answer.
    pub idle: Duration,
    /// The same for a connection of which one direction has ended; then RST.
    pub half_closed: Duration,
    /// How long bytes may go unanswered or unwritten before the observer is asked
    /// whether a peer is dead; asked again after each such span, and once when a
    /// connection has been quiet for two of them.
    pub stall: Duration,
}

impl Clocks {
    /// Idle 900 s: longer than a head keeps an idle connection (650 s), so the
    /// relay is never the one that closes first. Half closed 60 s: a peer that has
    /// said FIN waits for an answer that is under way, or for none. Stall 5 s: the
    /// silence after which `TCP_INFO` can tell a vanished peer from a slow one.
    pub const DEFAULT: Self = Self {
        idle: Duration::from_secs(900),
        half_closed: Duration::from_secs(60),
        stall: Duration::from_secs(5),
    };
}
