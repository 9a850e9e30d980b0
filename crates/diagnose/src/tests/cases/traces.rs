//! Traces of System.Net: what a client's log alone can tell.

use super::{Case, Log};
use crate::synthetic::{Story, healthy};

const KEPT_ALIVE: &str = "The underlying connection was closed: A connection that was expected to be kept alive was closed by the server.";
const CLOSED: &str = "The underlying connection was closed: The connection was closed unexpectedly.";
const RECEIVE: &str = "The underlying connection was closed: An unexpected error occurred on a receive.";
const TIMED_OUT: &str = "The operation has timed out";
const CONTINUE: &str = "Expect: 100-continue\n";
const TICKET: &str = "x-auth-expiry: 2026-03-02T10:00:00Z\n";

/// A request that leaves its connection in the pool.
fn kept() -> Story {
    Story::new(11).create(1).assign(1, 1).open(1).send(1, "GET").reply(1, 20, 200, "").pause(90_000)
}

/// A request that gets a connection of its own.
fn fresh() -> Story {
    Story::new(11).create(1).assign(1, 1)
}

/// A further one, on the connection of the pool.
fn next() -> Story {
    kept().create(2).assign(2, 1)
}

/// A request on a connection that died, sent again.
fn stale(failed_after_ms: u64, words: &str) -> Story {
    let story = next().send(2, "HEAD").fail(2, failed_after_ms, words);
    story.assign(2, 2).open(2).send(2, "HEAD").reply(2, 20, 200, "")
}

/// Requests on one connection that are sent again with credentials.
fn refused(count: u32) -> Story {
    (2..2 + count).fold(kept(), |story, n| {
        let story = story.create(n).assign(n, 1).send(n, "GET").reply(1, 5, 401, "");
        story.assign(n, 1).send(n, "GET").reply(1, 5, 200, "").pause(50)
    })
}

/// Requests, each on a connection of its own.
fn unkept(fields: &str, count: u32) -> Story {
    (1..=count).fold(Story::new(11), |story, n| {
        story.create(n).assign(n, n).open(n).send(n, "GET").reply(n, 9, 200, fields).pause(300)
    })
}

/// Replies that nobody closes.
fn unclosed(count: u32) -> Story {
    (2..2 + count).fold(kept(), |story, n| {
        story.create(n).assign(n, n).open(n).send(n, "GET").reply_open(n, 5, 200, "")
    })
}

/// Requests with a body in two pieces, each answered so long after the second.
fn uploads(count: u32, after_ms: u64) -> Story {
    (2..2 + count).fold(kept(), |story, n| {
        let story = story.create(n).assign(n, 1).send(n, "PUT").body().pause(1).body();
        story.reply(1, after_ms, 201, "").pause(50)
    })
}

fn row(rule: &'static str, variant: Option<&'static str>, positive: Story, near_miss: Story) -> Case {
    let others = Log::Trace(vec![healthy(21), healthy(31)]);
    let [positive, near_miss] = [positive, near_miss].map(|story| Log::Trace(vec![story]));
    Case { rule, variant, count: 1, positive, near_miss, others }
}

/// What is a finding when it happens so often.
fn often(rule: &'static str, count: u64, positive: Story, near_miss: Story) -> Case {
    let quiet =
        |thread| Story::new(thread).create(1).assign(1, 1).open(1).send(1, "GET").reply(1, 20, 200, "");
    Case { count, others: Log::Trace(vec![quiet(21)]), ..row(rule, None, positive, near_miss) }
}

fn dead_connections() -> Vec<Case> {
    let put = || next().send(2, "PUT").body();
    vec![
        row("stale-keepalive", Some("silent-drop"), stale(10_000, KEPT_ALIVE), stale(900, KEPT_ALIVE)),
        row("stale-keepalive", Some("close-race"), stale(3, KEPT_ALIVE), stale(60, KEPT_ALIVE)),
        // The words are another language's; the order is the same.
        row(
            "stale-keepalive",
            Some("silent-drop"),
            stale(9_300, "Die zugrunde liegende Verbindung wurde geschlossen."),
            stale(9_300, "The remote server returned an error: (500) Internal Server Error."),
        ),
        row(
            "stale-keepalive-write",
            Some("silent-drop"),
            put().throw(2, 4_000, CLOSED),
            put().throw(2, 900, CLOSED),
        ),
        row(
            "stale-keepalive-write",
            Some("close-race"),
            put().throw(2, 4, CLOSED),
            put().reply(1, 4, 201, ""),
        ),
        row(
            "fresh-connection-lost",
            None,
            fresh().open(1).send(1, "GET").throw(1, 5, CLOSED),
            fresh().open(1).send(1, "GET").reply(1, 5, 200, "").throw(1, 5, CLOSED),
        ),
    ]
}

fn before_a_request() -> Vec<Case> {
    let tried = || next().send(2, "GET");
    vec![
        row(
            "no-connection",
            None,
            fresh().throw(1, 21_000, "Unable to connect to the remote server"),
            fresh().pause(21_000).open(1).send(1, "GET").reply(1, 5, 200, ""),
        ),
        row(
            "name-not-resolved",
            None,
            fresh().throw(1, 12, "The remote name could not be resolved: 'files.example'"),
            fresh().pause(12).open(1).send(1, "GET").reply(1, 5, 200, ""),
        ),
        row(
            "tls-refused",
            None,
            fresh().throw(
                1,
                12,
                "The underlying connection was closed: Could not establish trust relationship for the SSL/TLS secure channel.",
            ),
            fresh().open(1).send(1, "GET").throw(1, 12, CLOSED),
        ),
        row(
            "connect-slow",
            None,
            fresh().pause(3_000).open(1).send(1, "GET").reply(1, 5, 200, ""),
            fresh().pause(800).open(1).send(1, "GET").reply(1, 5, 200, ""),
        ),
        row(
            "handshake-slow",
            None,
            fresh().open_in(1, 2_000).send(1, "GET").reply(1, 5, 200, ""),
            fresh().open_in(1, 800).send(1, "GET").reply(1, 5, 200, ""),
        ),
        row(
            "renegotiation",
            None,
            fresh().open(1).send(1, "GET").renegotiate().reply(1, 5, 200, ""),
            fresh().open(1).send(1, "GET").reply(1, 8, 200, ""),
        ),
        row(
            "connection-limit",
            None,
            tried().create(3).assign(3, 1).reply(1, 900, 200, "").send(3, "GET").reply(1, 5, 200, ""),
            tried().create(3).assign(3, 1).reply(1, 400, 200, "").send(3, "GET").reply(1, 5, 200, ""),
        ),
    ]
}

fn replies() -> Vec<Case> {
    let tried = || next().send(2, "GET");
    let waits = |ms| next().send_with(2, "PUT", CONTINUE).pause(ms).body().reply(1, 5, 201, "");
    let refused_at = |clock: &str| {
        let date = format!("Date: Mon, 02 Mar 2026 {clock} GMT\n");
        next().send_with(2, "GET", TICKET).reply(1, 5, 401, &date)
    };
    vec![
        row("client-gave-up", None, tried().throw(2, 100_000, TIMED_OUT), tried().reply(1, 900, 200, "")),
        row("slow-reply", None, tried().reply(1, 2_500, 200, ""), tried().reply(1, 900, 200, "")),
        row("continue-ignored", None, waits(350), waits(250)),
        row("ticket-expired", None, refused_at("10:00:05"), refused_at("09:59:59")),
        row(
            "no-http",
            None,
            tried().throw(2, 5, "The server committed a protocol violation. Section=ResponseStatusLine"),
            tried().throw(2, 5, "The remote server returned an error: (500) Internal Server Error."),
        ),
        row(
            "transfer-slow",
            None,
            tried().reply_open(1, 5, 200, "").pause(6_000).close(),
            tried().reply_open(1, 5, 200, "").pause(4_000).close(),
        ),
        row(
            "reply-cut",
            None,
            tried().reply_open(1, 5, 200, "").throw(2, 90, RECEIVE),
            tried().reply(1, 5, 200, "").throw(2, 90, RECEIVE),
        ),
        row(
            "reply-stalled",
            None,
            tried().reply_open(1, 5, 200, "").throw(2, 900, TIMED_OUT),
            tried().reply_open(1, 5, 200, "").throw(2, 900, RECEIVE),
        ),
    ]
}

fn habits() -> Vec<Case> {
    vec![
        Case {
            others: Log::Trace(vec![healthy(21)]),
            ..often("response-never-closed", 3, unclosed(3), unclosed(2))
        },
        often("unauthorized-first", 3, refused(3), refused(2)),
        often("no-reuse", 6, unkept("", 6), unkept("", 4)),
        often("keepalive-refused", 6, unkept("Connection: close\n", 6), unkept("Connection: close\n", 4)),
        often("nagle-delayed-ack", 6, uploads(6, 41), uploads(4, 41)),
        often("nagle-delayed-ack", 6, uploads(6, 203), uploads(6, 100)),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    dead_connections().into_iter().chain(before_a_request()).chain(replies()).chain(habits()).collect()
}
