//! The clocks and bounds of the service, each with its reason.

use std::time::Duration;

/// TLS handshake, from accept to finished: a client that needs longer is stuck or
/// holds the place on purpose.
pub(crate) const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// A request head, from its first byte to its last.
pub(crate) const HEAD_MAX: Duration = Duration::from_secs(10);
/// A request body: at most [`BODY_BYTES_MAX`], some packets.
pub(crate) const BODY_MAX: Duration = Duration::from_secs(10);
/// Until the first ticket: a stranger may not hold a place for long.
pub(crate) const STRANGER_IDLE_MAX: Duration = Duration::from_secs(15);
/// Between requests. Longer than clients keep an idle connection, so that the
/// close is never ours and never races a request.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(650);
/// What `Keep-Alive` advertises: shorter than any silent middlebox.
pub(crate) const KEEP_ALIVE_ADVERTISED: &str = "timeout=55";
/// The largest body: a policy document has 20 KiB, a request for a ticket below 4.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;
/// The largest request head that is buffered; hyper answers 431 beyond.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Connections at a time: each needs a descriptor and some 50 KiB.
pub(crate) const CONNECTIONS_MAX: usize = 4096;
/// Connections of one source at a time, so that one cannot take every place.
pub(crate) const CONNECTIONS_PER_SOURCE_MAX: usize = 1024;
/// Administrators' connections at a time: people and scripts of one machine.
pub(crate) const ADMIN_CONNECTIONS_MAX: usize = 64;
/// Time that connections are given after SIGTERM.
pub(crate) const DRAIN_MAX: Duration = Duration::from_secs(30);
/// And then for a staged close, so that a service ends within 35 s.
pub(crate) const CLOSING_MAX: Duration = Duration::from_secs(3);

/// How often the directory asks whether something changed: well within the
/// promised 2 s.
pub(crate) const DIRECTORY_POLL: Duration = Duration::from_millis(250);
/// With a directory not confirmed for this long no ticket is issued: a user may
/// have been disabled in the meantime.
pub(crate) const DIRECTORY_STALE: Duration = Duration::from_secs(60);
/// Readings of users and of secrets that may belong to two different states
/// before this round is given up; each needs a change within a millisecond.
pub(crate) const DIRECTORY_TRIES: usize = 4;

/// Tickets that were introspected of late and are remembered, of some 1 KiB: as many as
/// a monitor has sessions.
pub(crate) const INTROSPECTED_MAX: usize = 1024;

/// How often the key ring is looked after: pending keys wait 10 s.
pub(crate) const RING_POLL: Duration = Duration::from_secs(1);
/// How long a key for TLS session tickets is used before the next one is made: a
/// TLS 1.2 ticket holds its session's secret, so its key must die.
pub(crate) const TLS_TICKET_KEY_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Argon2id memory in KiB, passes and lanes (OWASP Password Storage Cheat Sheet,
/// first choice for argon2id): some 20 ms of one core.
pub(crate) const ARGON2_MEMORY_KIB: u32 = 19 * 1024;
/// See [`ARGON2_MEMORY_KIB`].
pub(crate) const ARGON2_PASSES: u32 = 2;
/// See [`ARGON2_MEMORY_KIB`].
pub(crate) const ARGON2_LANES: u32 = 1;
/// Log-ins that wait for a turn of argon2id: at 20 ms each the last of them waits
/// one second on one core. More are told to come again.
pub(crate) const ARGON2_QUEUE_MAX: usize = 50;
/// Shortest secret that people may choose, in bytes.
pub(crate) const CHOSEN_BYTES_MIN: usize = 12;
/// Longest secret, in bytes: hashing more would be work for a stranger's asking.
pub(crate) const SECRET_BYTES_MAX: usize = 1024;
