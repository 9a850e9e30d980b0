//! HAR files, as browsers and debugging proxies export them: one entry for each
//! request.
//!
//! *Source*: HAR 1.2 specification, `entries` and `timings`; `_error` as Chromium
//! writes it.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

use serde::Deserialize;

use crate::adapter::{Adapter, Events};
use crate::event::{Event, Extent, Failure, Heard, Id, Instant, Kind};
use crate::input::Line;
use crate::moment;

/// Connections whose numbers are remembered: a browser has some hundred.
const CONNECTIONS_MAX: usize = 10_000;

/// Bytes of an entry's digest beside method and URL: seven parts, each with its time.
const DIGEST_BYTES: usize = 160;

/// What Chromium's errors mean, by a part of their names; the first that fits decides.
const ERRORS: [(&str, Failure); 15] = [
    ("NAME_NOT_RESOLVED", Failure::Name),
    ("DNS_", Failure::Name),
    ("CONNECTION_REFUSED", Failure::Connect),
    ("CONNECTION_TIMED_OUT", Failure::Connect),
    ("CONNECTION_FAILED", Failure::Connect),
    ("ADDRESS_UNREACHABLE", Failure::Connect),
    ("CERT_", Failure::Tls),
    ("SSL_", Failure::Tls),
    ("EMPTY_RESPONSE", Failure::Closed),
    ("CONNECTION_CLOSED", Failure::Closed),
    ("CONNECTION_RESET", Failure::Receive),
    ("CONTENT_LENGTH_MISMATCH", Failure::Closed),
    ("INCOMPLETE_CHUNKED_ENCODING", Failure::Closed),
    ("TIMED_OUT", Failure::TimedOut),
    ("INVALID_HTTP_RESPONSE", Failure::Protocol),
];

/// Reads HAR files.
#[derive(Default)]
pub(crate) struct Har {
    requests: u32,
    connections: u32,
    known: HashMap<Box<str>, Id>,
}

/// A request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    #[serde(borrow)]
    started_date_time: Cow<'a, str>,
    #[serde(borrow)]
    request: Asked<'a>,
    #[serde(borrow)]
    response: Replied<'a>,
    timings: Timings,
    #[serde(borrow, default)]
    connection: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
struct Replied<'a> {
    /// 0 where there was none.
    #[serde(default)]
    status: u16,
    #[serde(borrow, default, rename = "_error")]
    error: Option<Cow<'a, str>>,
}

/// Milliseconds; −1, or nothing, where it did not take place.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Timings {
    #[serde(default)]
    blocked: Option<f64>,
    #[serde(default)]
    dns: Option<f64>,
    /// With the TLS handshake.
    #[serde(default)]
    connect: Option<f64>,
    #[serde(default)]
    ssl: Option<f64>,
    #[serde(default)]
    send: Option<f64>,
    #[serde(default)]
    wait: Option<f64>,
    #[serde(default)]
    receive: Option<f64>,
}

/// When what happened.
struct Times {
    begun: Instant,
    /// The end of the wait for a connection.
    unblocked: Instant,
    handshake_begun: Option<Instant>,
    connected: Instant,
    sent: Instant,
    answered: Instant,
    ended: Instant,
}

impl Har {
    /// Whether a line can only be an entry.
    pub(crate) fn recognizes(line: &str) -> bool {
        line.starts_with('{') && line.contains("\"startedDateTime\"") && line.contains("\"timings\"")
    }

    /// The connection, and whether it was made for this request, where that is told.
    fn connection(&mut self, entry: &Entry<'_>) -> Option<(Id, bool)> {
        let is_fresh = span(entry.timings.connect).is_some_and(|span| !span.is_zero());
        let name = entry.connection.as_deref().filter(|name| !name.is_empty() && *name != "0");
        if self.known.len() >= CONNECTIONS_MAX {
            self.known.clear();
        }
        let known = name.and_then(|name| self.known.get(name)).copied();
        match known {
            Some(known) if !is_fresh => Some((known, false)),
            // Nothing tells which it was.
            None if name.is_none() && !is_fresh => None,
            Some(_) | None => {
                self.connections = self.connections.wrapping_add(1);
                let id = Id(self.connections);
                self.known.extend(name.map(|name| (name.into(), id)));
                Some((id, is_fresh))
            }
        }
    }

    fn tell(&mut self, entry: &Entry<'_>, times: &Times, line: Line<'_>, to: Events<'_>) {
        self.requests = self.requests.wrapping_add(1);
        let request = Id(self.requests);
        let text = entry.digest();
        let mut say =
            |at: Instant, kind: Kind<'_>| to(Event { place: line.place, at: Some(at), kind, text: &text });
        let method = &*entry.request.method;
        say(times.begun, Kind::Created { request, name: &format!("{method} {}", entry.request.url) });
        if let Some((connection, is_fresh)) = self.connection(entry) {
            let name = entry.connection.as_deref().map(|name| format!("connection {name}"));
            let name = name.as_deref().unwrap_or("a connection");
            say(times.unblocked, Kind::Assigned { request, connection, name });
            if is_fresh {
                times.made(connection, &mut say);
            }
        }
        let failure = entry.failure();
        let is_before_request = matches!(failure, Some(Failure::Name | Failure::Connect | Failure::Tls));
        if !is_before_request {
            say(times.connected, Kind::Begun { request, method });
            say(times.connected, Kind::HeadSent { request, expects_continue: false, expires: None });
            if span(entry.timings.send).is_some_and(|send| !send.is_zero())
                && !matches!(method, "GET" | "HEAD")
            {
                say(times.sent, Kind::BodySent { request });
            }
        }
        if entry.response.status != 0 {
            say(times.answered, Kind::Answered { request, status: Some(entry.response.status) });
        }
        match failure {
            Some(failure) => say(times.ended, Kind::Failed { request, failure, heard: Heard::Application }),
            None => say(times.ended, Kind::Released { request }),
        }
    }
}

impl Times {
    /// Name look-up and TCP end where the handshake begins.
    fn made(&self, connection: Id, say: &mut dyn FnMut(Instant, Kind<'_>)) {
        say(self.handshake_begun.unwrap_or(self.connected), Kind::Connected { connection, peer: "" });
        if let Some(begun) = self.handshake_begun {
            let connection = Some(connection);
            say(begun, Kind::HandshakeBegun { connection });
            say(self.connected, Kind::HandshakeDone { connection, extent: Extent::Unknown });
        }
    }
}

impl Adapter for Har {
    fn line(&mut self, line: Line<'_>, to: Events<'_>) -> Vec<u64> {
        let entry = serde_json::from_str::<Entry<'_>>(line.text).ok();
        match entry.as_ref().and_then(|entry| Some((entry, entry.times()?))) {
            Some((entry, times)) => {
                self.tell(entry, &times, line, to);
                Vec::new()
            }
            None => vec![line.place.line],
        }
    }

    fn end_of_input(&mut self, _to: Events<'_>) -> Vec<u64> {
        Vec::new()
    }
}

impl Entry<'_> {
    fn times(&self) -> Option<Times> {
        let begun = moment::rfc3339(&self.started_date_time)?;
        let Timings { blocked, dns, connect, ssl, send, wait, receive } = self.timings;
        let after = |at: Instant, ms| at.after(span(ms).unwrap_or_default());
        let unblocked = after(begun, blocked);
        let connected = after(after(unblocked, dns), connect);
        let sent = after(connected, send);
        let answered = after(sent, wait);
        let handshake_begun = span(ssl).filter(|ssl| !ssl.is_zero()).map(|ssl| connected.before(ssl));
        let ended = after(answered, receive);
        Some(Times { begun, unblocked, handshake_begun, connected, sent, answered, ended })
    }

    /// A reply that is none may have been kept from the network by the browser itself.
    fn failure(&self) -> Option<Failure> {
        match self.response.error.as_deref() {
            Some(error) => {
                let known = ERRORS.iter().find(|(part, _)| error.contains(part));
                Some(known.map_or(Failure::Abandoned, |(_, failure)| *failure))
            }
            None => (self.response.status == 0).then_some(Failure::Abandoned),
        }
    }

    /// The entry in a line: what it says that a finding can rest on.
    fn digest(&self) -> String {
        let Asked { method, url } = &self.request;
        let Timings { blocked, dns, connect, ssl, send, wait, receive } = self.timings;
        let mut text = String::with_capacity(method.len() + url.len() + DIGEST_BYTES);
        // Writing to a String does not fail.
        let _ = write!(text, "{method} {url}, {}", self.response.status);
        if let Some(error) = &self.response.error {
            text.push(' ');
            text.push_str(error);
        }
        let parts = [
            ("blocked", blocked),
            ("dns", dns),
            ("connect", connect),
            ("ssl", ssl),
            ("send", send),
            ("wait", wait),
            ("receive", receive),
        ];
        for (name, part) in parts {
            if let Some(span) = span(part) {
                let _ = write!(text, ", {name} {} ms", span.as_millis());
            }
        }
        text
    }
}

/// A part that took place.
fn span(ms: Option<f64>) -> Option<Duration> {
    Duration::try_from_secs_f64(ms? / 1_000.0).ok()
}
