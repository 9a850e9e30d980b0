//! The clocks and bounds of a connection, each with its reason.

use std::time::Duration;

/// TLS handshake, from accept to finished: a client that needs longer is stuck or
/// holds the slot on purpose.
pub(crate) const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// The PROXY header comes in the first packet of a connection from the balancer.
pub(crate) const PROXY_HEADER_MAX: Duration = Duration::from_secs(2);
/// Until the first authenticated request: a stranger may not hold a slot for long.
pub(crate) const STRANGER_IDLE_MAX: Duration = Duration::from_secs(15);
/// Between requests. Longer than every client and balancer keeps an idle
/// connection, so that the close is never ours and never races a request.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(650);
/// What `Keep-Alive` advertises: shorter than any silent middlebox.
pub(crate) const KEEP_ALIVE_ADVERTISED: Duration = Duration::from_secs(55);
/// The least between what is advertised and what is meant: a client that sends in
/// the last advertised second, three retransmissions (1.4 s, doubled on a slow
/// path), and clocks of whole seconds.
pub(crate) const KEEP_ALIVE_GRACE: Duration = Duration::from_secs(10);
/// Age from which on a connection ends with its next reply.
pub(crate) const CONNECTION_AGE_MAX: Duration = Duration::from_secs(3600);
/// Requests with which a connection ends.
pub(crate) const CONNECTION_REQUESTS_MAX: u64 = 100_000;
/// By so much of its age a connection ends earlier than another at most.
pub(crate) const AGE_SPREAD_PART: u32 = 10;
/// A quiet connection whose last reply is not acknowledged after this is looked at
/// more often: `TcpInfo::peer_is_gone` needs 5 s without a sign of life.
pub(crate) const ACK_LOOK: Duration = Duration::from_secs(6);
/// How often a thread looks whether too many connections are open.
pub(crate) const CROWD_LOOK: Duration = Duration::from_secs(1);
/// The share of the connections allowed, in percent, above which the longest quiet
/// ones are closed and others end with their next reply.
pub(crate) const CROWDED_PERCENT: usize = 80;
/// A request head, from its first byte to its last.
pub(crate) const HEAD_MAX: Duration = Duration::from_secs(10);
/// A body that brings nothing for this long is given up.
pub(crate) const BODY_SILENCE_MAX: Duration = Duration::from_secs(30);
/// A body, in either direction, must average this over [`RATE_WINDOW`].
pub(crate) const BODY_BYTES_PER_S_MIN: u64 = 1024;
/// The window of [`BODY_BYTES_PER_S_MIN`], and its grace at the beginning.
pub(crate) const RATE_WINDOW: Duration = Duration::from_secs(30);
/// A reply of which the peer takes nothing for this long is given up by RST.
pub(crate) const SEND_STALL_MAX: Duration = Duration::from_secs(60);
/// The rest of a request body that is read and thrown away to keep the connection
/// after an early refusal; more than this costs more than a handshake.
pub(crate) const DRAIN_BYTES_MAX: u64 = 64 * 1024;
/// How long that, and the wait for the peer's FIN, may take.
pub(crate) const DRAIN_MAX: Duration = Duration::from_secs(2);
/// First size of the read buffer: a request head with a ticket is about 1 KiB.
pub(crate) const READ_BYTES: usize = 8 * 1024;
/// Size of the read buffer while a body comes in.
pub(crate) const BODY_READ_BYTES: usize = 64 * 1024;
/// Bytes of a blob read, checked and sent at a time.
pub(crate) const BLOB_STEP_BYTES: usize = 256 * 1024;
/// Verified tickets that a thread remembers, about 1 KiB each.
pub(crate) const TICKETS_REMEMBERED: usize = 8192;
/// How often a head asks whether users, policies, keys or revocations changed:
/// well within the promised 2 s.
pub(crate) const DIRECTORY_POLL: Duration = Duration::from_millis(250);
/// How often a thread gives a sign of life.
pub(crate) const BEAT_EVERY: Duration = Duration::from_millis(250);
/// How often the watch looks for one: the answer of the journal takes less.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Looks in a row without a sign after which something stands still: five seconds,
/// in which the thread of a busy machine gets its turn, and before most clients
/// give up.
pub(crate) const BEATS_MISSED_MAX: u32 = 10;
/// How often the disk is asked for one; a second's pause is one look missed.
pub(crate) const DISK_LOOK: Duration = Duration::from_secs(1);
/// How often garbage whose grace is over is removed.
pub(crate) const GARBAGE_EVERY: Duration = Duration::from_secs(60);
/// How often the blobs are compared with the metadata; it reads every name.
pub(crate) const ORPHANS_EVERY: Duration = Duration::from_secs(3600);
/// With a directory not confirmed for this long, writes are refused.
pub(crate) const DIRECTORY_STALE_WRITES: Duration = Duration::from_secs(60);
/// With a directory not confirmed for this long, everything is refused.
pub(crate) const DIRECTORY_STALE_READS: Duration = Duration::from_secs(600);
/// Time that a draining head gives connections after SIGTERM.
pub(crate) const DRAIN_CONNECTIONS_MAX: Duration = Duration::from_secs(30);
/// After that, what is not quiet gets so long to answer the last request.
pub(crate) const CLOSING_MAX: Duration = Duration::from_secs(1);
/// And so long for its staged close: with [`DRAIN_CONNECTIONS_MAX`] below the 35 s
/// in which a service ends.
pub(crate) const CLOSING_STAGED_MAX: Duration = Duration::from_secs(3);
/// A connection that was used within this is left alone by a drain and by a crowd:
/// most clients that come back do so within a minute.
pub(crate) const QUIET_SPARED: Duration = Duration::from_secs(60);
/// How long a peer of HTTP/2 may open streams after the first GOAWAY: it ends that
/// by its answer to the PING behind it, one round trip later.
pub(crate) const GOAWAY_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long the first GOAWAY is held back from a client that fails what is under way
/// when it comes: a second's lull comes within this from nearly all, and nothing hastes
/// where a connection is only old or much used.
pub(crate) const GOAWAY_HOLD_MAX: Duration = Duration::from_secs(300);
/// In a drain nearly all of its 30 s: such a client has no use for time after GOAWAY.
pub(crate) const DRAIN_HOLD_MAX: Duration = Duration::from_secs(28);
/// No longer than this must such a client have been quiet: what it sends within a
/// round trip of a second is one in many.
pub(crate) const LULL_MAX: Duration = Duration::from_secs(1);
/// Requests at once on one connection of HTTP/2: what RFC 9113 section 6.5.2
/// recommends at least is 100; a client with more opens a second connection.
pub(crate) const HTTP2_STREAMS_MAX: u32 = 100;
/// What a client may send of one body before it is taken: a step of an upload.
pub(crate) const HTTP2_STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// What a client may send on all streams before it is taken, which bounds the
/// memory of a connection on the way in.
pub(crate) const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// What waits for the socket on one stream on the way out.
pub(crate) const HTTP2_SEND_BUFFER_BYTES: usize = 64 * 1024;
/// A request head, as HPACK counts it (32 bytes besides each field): as much as
/// in HTTP/1.1.
pub(crate) const HTTP2_HEAD_BYTES_MAX: u32 = 32 * 1024;
/// Frames besides requests and bodies that a peer may send at once: a client with
/// 100 streams that sends PRIORITY, WINDOW_UPDATE and RST_STREAM for each stays
/// far below.
pub(crate) const HTTP2_CONTROL_BURST: u32 = 1000;
/// And for each second: PING of a keep-alive is one in some seconds.
pub(crate) const HTTP2_CONTROL_PER_S: u32 = 50;
/// And for each request: priority, window, and a reset.
pub(crate) const HTTP2_CONTROL_PER_REQUEST: u32 = 4;
/// And one for so many bytes sent, as window updates of the stream and of the
/// connection: clients send one for 16 KiB or more.
pub(crate) const HTTP2_SENT_BYTES_PER_CONTROL: u64 = 4 * 1024;
/// Streams that a peer may reset at once, and each second, besides those that were
/// answered: 200 in ten seconds is a client that gives up, more is "Rapid Reset"
/// (CVE-2023-44487).
pub(crate) const HTTP2_RESETS_BURST: u32 = 200;
pub(crate) const HTTP2_RESETS_PER_S: u32 = 20;
/// Requests in progress over all threads, unless the configuration says otherwise:
/// each takes up to 1 MiB while its body is under way (128 KiB in small steps).
pub(crate) const REQUESTS_MAX: usize = 2048;
/// Requests that wait for their turn, over all threads: what is answered within
/// [`TURN_WAIT_MAX`] at a few hundred a second.
pub(crate) const REQUESTS_WAITING_MAX: usize = 2048;
/// How long a request waits for its turn: clients give up or hedge after some
/// seconds, and an answer that nobody wants is the one to save.
pub(crate) const TURN_WAIT_MAX: Duration = Duration::from_secs(5);
/// What one party gets in one round of a thread while others are there: eight
/// small requests, or four steps of bodies, some 120 µs.
pub(crate) const TURN_COST: u32 = 8;
/// How long parties that were there together count as competing: some requests of
/// a client that asks a few times a second.
pub(crate) const CONTENDED_FOR: Duration = Duration::from_secs(1);
/// Parties that a thread keeps account of. More than can hold or await something
/// at once, so that those are never forgotten.
pub(crate) const PARTIES_MAX: usize = 16 * 1024;
/// How long a party that holds nothing is kept in account: as long as its rate has
/// something to earn.
pub(crate) const PARTY_KEPT: Duration = Duration::from_secs(2);
/// From so many requests in progress on one thread on, bodies go in small steps.
pub(crate) const STEP_TIGHT: usize = 256;
/// A small step: one block of a blob's checksums.
pub(crate) const BLOB_STEP_TIGHT_BYTES: usize = 64 * 1024;
/// Connections beyond the limit that are taken from the balancer's listener: its
/// health checks must come through when clients do not.
pub(crate) const CONNECTIONS_RESERVE: usize = 64;
/// How often a head that refused something says so in its log.
pub(crate) const REFUSALS_SAID_EVERY: Duration = Duration::from_secs(10);
/// Descriptors besides those of connections: a file for each body under way, the
/// database, the journal, and a margin.
pub(crate) const DESCRIPTORS_BESIDES: u64 = REQUESTS_MAX as u64 + 256;
