//! What a proxy between client and server says of a request, or of a connection that
//! it passed on: how long it waited, and how it ended.
//!
//! A proxy knows its two peers only. The one before it may be the client or another
//! proxy, the one behind it a server or another proxy.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::adapter::Events;
use crate::event::{Event, Id, Instant, Kind};
use crate::input::Line;
use crate::timeline::Seen;

/// What took its time, as far as the log says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// In the proxy's own queue.
    pub queue: Option<Duration>,
    /// Until a connection to the peer behind it stood.
    pub connect: Option<Duration>,
    /// How often it tried to connect again.
    pub retries: u32,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Through whom.
    pub by: By,
    /// In which phase.
    pub phase: Phase,
}

/// Through whom a request or a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The peer before the proxy closed it.
    FrontClosed,
    /// That peer was silent until the proxy's time-out.
    FrontSilent,
    /// That peer sent what is no request, or no handshake.
    FrontMalformed,
    /// The peer behind the proxy closed or refused it.
    BackClosed,
    /// That peer was silent until the proxy's time-out.
    BackSilent,
    /// That peer sent what is no reply.
    BackMalformed,
    /// The proxy had nobody to pass it on to.
    BackAbsent,
    /// The proxy took its own servers out of service, or was told to end it.
    Withdrawn,
    /// The proxy's own rules refused it.
    Refused,
    /// The proxy had no room: a limit, memory, ports.
    Exhausted,
    /// The proxy ended it at an age or for an idle time.
    Aged,
    /// An error of the proxy's own.
    Internal,
}

/// In which phase it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Before the request was whole.
    Request,
    /// In the proxy's queue.
    Queue,
    /// While the proxy connected to the peer behind it.
    Connect,
    /// Before the reply's head was whole.
    Head,
    /// While bytes were passed on.
    Data,
    /// The log does not say.
    Untold,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            By::FrontClosed => "the peer before the proxy closed the connection",
            By::FrontSilent => "the peer before the proxy was silent until the proxy's time-out",
            By::FrontMalformed => "the peer before the proxy sent what is no request",
            By::BackClosed => "the peer behind the proxy closed or refused the connection",
            By::BackSilent => "the peer behind the proxy was silent until the proxy's time-out",
            By::BackMalformed => "the peer behind the proxy sent what is no reply",
            By::BackAbsent => "the proxy had nobody to pass it on to",
            By::Withdrawn => "the proxy ended it, because a server was taken out of service",
            By::Refused => "the proxy's rules refused it",
            By::Exhausted => "the proxy had no room for it",
            By::Aged => "the proxy ended it at its longest age or idle time",
            By::Internal => "an error of the proxy's own ended it",
        };
        let phase = match self.phase {
            Phase::Request => ", before the request was whole",
            Phase::Queue => ", in the proxy's queue",
            Phase::Connect => ", while the proxy connected",
            Phase::Head => ", before the reply's head was whole",
            Phase::Data => ", while bytes were passed on",
            Phase::Untold => "",
        };
        write!(f, "{by}{phase}")
    }
}

/// What is known of an attempt from a proxy's record.
#[derive(Clone, Debug)]
pub(crate) struct Passage {
    pub(crate) waits: Waits,
    /// The line that says how it ended; none where nothing went wrong.
    pub(crate) ending: Option<(Seen, Ending)>,
}

/// One record of a proxy's access log, whatever its format.
#[derive(Default)]
pub(crate) struct Access<'a> {
    /// The request, or the connection's client.
    pub(crate) name: &'a str,
    pub(crate) method: &'a str,
    /// Whom it was passed on to.
    pub(crate) to: &'a str,
    pub(crate) waits: Option<Waits>,
    pub(crate) begun: Option<Instant>,
    /// When the request was passed on.
    pub(crate) sent: Option<Instant>,
    /// When the peer behind the proxy began to reply.
    pub(crate) answered: Option<(Instant, u16)>,
    pub(crate) ended: Option<Instant>,
    pub(crate) ending: Option<Ending>,
}

/// `GET /a` of `GET /a HTTP/1.1`.
pub(crate) fn without_version(request: &str) -> &str {
    match request.rsplit_once(' ') {
        Some((request, version)) if version.starts_with("HTTP/") => request,
        Some(_) | None => request,
    }
}

/// `GET` of `GET /a`.
pub(crate) fn method_of(request: &str) -> &str {
    request.split_once(' ').map_or(request, |(method, _)| method)
}

/// Counts the records of a log: each is a request of its own.
#[derive(Default)]
pub(crate) struct Records(u32);

impl Records {
    /// Whose requests have numbers from here on, beside those of others.
    pub(crate) const fn counted_from(first: u32) -> Self {
        Self(first)
    }

    /// Hands on what a record says.
    pub(crate) fn tell(&mut self, access: &Access<'_>, line: Line<'_>, to: Events<'_>) {
        self.0 = self.0.wrapping_add(1);
        let request = Id(self.0);
        let mut say = |at, kind| to(Event { place: line.place, at, kind, text: line.text });
        say(access.begun, Kind::Created { request, name: access.name });
        let waits = access.waits.unwrap_or_default();
        say(access.begun, Kind::Proxied { request, name: access.to, waits });
        if access.sent.is_some() {
            say(access.sent, Kind::Begun { request, method: access.method });
            say(access.sent, Kind::HeadSent { request, expects_continue: false, expires: None });
        }
        if let Some((at, status)) = access.answered {
            say(Some(at), Kind::Answered { request, status: Some(status) });
        }
        if let Some(ending) = access.ending {
            say(access.ended, Kind::Ended { request, ending });
        }
        say(access.ended, Kind::Released { request });
    }
}
