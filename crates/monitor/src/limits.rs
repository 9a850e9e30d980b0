//! The clocks and bounds of the monitor, each with its reason.

use std::time::Duration;

/// How often the balancer is asked: people take a second for "now".
pub(crate) const ASK_EVERY: Duration = Duration::from_secs(1);
/// One question, from connecting to the last byte: the socket is on this machine.
pub(crate) const ASK_MAX: Duration = Duration::from_secs(1);
/// The largest answer: 64 heads of some 300 bytes and at most 16 counters of 60, or 500
/// connections of some 150, with room for half as much again.
pub(crate) const ANSWER_BYTES_MAX: usize = 128 * 1024;
/// The largest head of an answer; the balancer's has some 100 bytes.
pub(crate) const ANSWER_HEAD_BYTES_MAX: usize = 16 * 1024;
/// From this age on an answer says nothing about now: four questions in a row
/// were not answered.
pub(crate) const STALE: Duration = Duration::from_secs(5);

/// TLS handshake, from accept to finished.
pub(crate) const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// From one reply to the end of the next request's head. Longer than Prometheus
/// waits between two scrapes (one minute by default), so that the close is seldom ours.
pub(crate) const REQUEST_WAIT_MAX: Duration = Duration::from_secs(130);
/// What `Keep-Alive` advertises: some seconds less than the monitor waits.
pub(crate) const KEEP_ALIVE_ADVERTISED: &str = "timeout=120";
/// Age of a connection: one that reads no replies holds its place no longer.
pub(crate) const CONNECTION_AGE_MAX: Duration = Duration::from_secs(600);
/// The last reply of a connection: one small body.
pub(crate) const LAST_REPLY_MAX: Duration = Duration::from_secs(2);
/// The largest request head; browsers send below 4 KiB.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Connections at a time: some people and some scrapers, of some 50 KiB each.
pub(crate) const CONNECTIONS_MAX: usize = 256;
/// Time that connections are given after SIGTERM: handshake aside, each ends within
/// [`LAST_REPLY_MAX`] and the 2 s of its staged close.
pub(crate) const DRAIN_MAX: Duration = Duration::from_secs(5);
/// And then for a staged close, so that a service ends within 35 s.
pub(crate) const CLOSING_MAX: Duration = Duration::from_secs(3);

/// How long a key for TLS session tickets is used: a TLS 1.2 ticket holds its
/// session's secret, so its key must die.
pub(crate) const TLS_TICKET_KEY_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
