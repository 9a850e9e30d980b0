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

/// Answers that are worked out at a time: each takes a core for up to 200 ms, and heads
/// may be on the same machine.
pub(crate) const ASIDE_MAX: usize = 2;
/// How long one waits for its turn: 64 pages that are opened at once ask for some
/// milliseconds each.
pub(crate) const ASIDE_WAIT_MAX: Duration = Duration::from_secs(5);
/// When to come again after that: the turns of then are over.
pub(crate) const ASIDE_RETRY: Duration = Duration::from_secs(1);

/// How often whoever listens is told of the state: as often as it is asked for.
pub(crate) const TELL_EVERY: Duration = ASK_EVERY;
/// Listeners at a time: pages that people have open; each holds a connection.
pub(crate) const STREAMS_MAX: usize = 64;
/// A stream ends by itself, and is asked for again, before its connection is too old.
pub(crate) const STREAM_AGE_MAX: Duration = CONNECTION_AGE_MAX.saturating_sub(Duration::from_secs(10));
/// How often a stream's reader must still be let in: as often as a session is asked about.
pub(crate) const ADMIT_EVERY: Duration = Duration::from_secs(60);
/// After which time a browser asks again when a stream has ended: a restart takes a second.
pub(crate) const STREAM_RETRY: Duration = Duration::from_secs(1);

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

/// One question to vending, from waiting for its turn to the last byte.
pub(crate) const VENDING_ASK_MAX: Duration = Duration::from_secs(5);
/// Questions to vending at a time: each has a connection of its own.
pub(crate) const VENDING_TURNS: usize = 16;
/// The largest answer of vending: a user, an application, a date, two actions.
pub(crate) const VENDING_ANSWER_BYTES_MAX: usize = 16 * 1024;
/// The most that is passed on of a ticket: one has below 2 KiB.
pub(crate) const CREDENTIAL_BYTES_MAX: usize = 4 * 1024;
/// The body of a log-in: a ticket, percent-encoded.
pub(crate) const FORM_BYTES_MAX: usize = 16 * 1024;
/// The body of a log-in, from the head's end to its last byte.
pub(crate) const FORM_MAX: Duration = Duration::from_secs(10);
/// How long an answer about a ticket that is sent with every request is used: a script
/// asks once a second, and a revocation takes no longer to be heard of.
pub(crate) const REMEMBERED_FOR: Duration = Duration::from_secs(3);
/// Such answers at a time, of some 1 KiB.
pub(crate) const REMEMBERED_MAX: usize = 256;
/// Sessions at a time, of some 2 KiB each: people of one operation, with several
/// browsers each.
pub(crate) const SESSIONS_MAX: usize = 1024;
/// How often vending is asked about a session that is used.
pub(crate) const REASK_EVERY: Duration = Duration::from_secs(60);
/// And how soon again when it did not answer.
pub(crate) const REASK_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// How long a session lets its user look while vending does not answer: as long as an
/// outage that people want to look into may take to be repaired.
pub(crate) const UNCONFIRMED_MAX: Duration = Duration::from_secs(300);
/// The longest session: as long as the longest ticket.
pub(crate) const SESSION_LIFE_MAX: Duration = Duration::from_secs(60 * 60);
/// How long a one-time link opens the page: the person has just started the system.
pub(crate) const LINK_LIFE: Duration = Duration::from_secs(10 * 60);
/// The largest file of a one-time link: a name, a hash and a number.
pub(crate) const LINK_FILE_BYTES_MAX: u64 = 4 * 1024;
/// One order to the balancer, from connecting to the last byte: it checks the socket's
/// other end, changes its table and writes a record.
pub(crate) const ORDER_MAX: Duration = Duration::from_secs(5);
