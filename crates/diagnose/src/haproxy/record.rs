//! One line of HAProxy's log.

use std::time::Duration;

use crate::event::Instant;
use crate::moment;
use crate::proxy::{Access, By, Ending, Phase, Waits, method_of, without_version};

/// How HAProxy calls a server that there was none of.
const NO_SERVER: &str = "<NOSRV>";

/// How HAProxy writes a request that was none.
const BAD_REQUEST: &str = "<BADREQ>";

/// A connection or a request that was passed on.
#[derive(Debug)]
pub(super) struct Record<'a> {
    client: &'a str,
    at: Instant,
    /// Back end and server.
    to: &'a str,
    times: Times,
    /// The last status that the client got, in HTTP.
    status: Option<u16>,
    state: Ended,
    retries: u32,
    /// Method and path, in HTTP.
    request: Option<(&'a str, &'a str)>,
}

/// Milliseconds since `at`; none where it did not come so far.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    /// Until the request was whole, in HTTP.
    request: Option<u64>,
    queue: Option<u64>,
    connect: Option<u64>,
    /// Until the reply's head was whole, in HTTP.
    reply: Option<u64>,
    total: Option<u64>,
}

/// The first two letters of the session's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ended(char, char);

/// A line about no request: a failed handshake.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Other<'a> {
    client: &'a str,
    at: Instant,
    words: &'a str,
}

/// What stands before the fields: the client and when it came; and the fields.
fn opened(line: &str) -> Option<(&str, Instant, &str)> {
    memchr::memchr_iter(b'[', line.as_bytes()).find_map(|at| {
        let before = line.get(..at)?.strip_suffix(' ')?;
        let (date, rest) = date_of(line.get(at + 1..)?)?;
        let client = before.rsplit(' ').next()?;
        client.contains([':', '@']).then_some((client, date, rest.strip_prefix("] ")?))
    })
}

/// `23/Nov/2026:20:00:01.123`, of the machine's own zone, which the log does not name.
fn date_of(text: &str) -> Option<(Instant, &str)> {
    let (at, rest) = moment::common_log(text)?;
    let (millis, rest) = rest.strip_prefix('.')?.split_at_checked(3)?;
    let at = Instant::from(at.assume_utc());
    Some((at.after(Duration::from_millis(millis.parse().ok()?)), rest))
}

impl<'a> Record<'a> {
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (client, at, rest) = opened(line)?;
        let mut fields = rest.split_ascii_whitespace();
        let (_front, to, times) = (fields.next()?, fields.next()?, fields.next()?);
        to.contains('/').then_some(())?;
        let (times, form) = Times::parse(times)?;
        let status = match form {
            Form::Tcp => None,
            Form::Http => Some(fields.next()?.parse::<i32>().ok()?),
        };
        let _bytes: u64 = fields.next()?.trim_start_matches('+').parse().ok()?;
        if form == Form::Http {
            // The captured cookies.
            fields.nth(1)?;
        }
        let state = Ended::parse(fields.next()?, form)?;
        let retries = fields.next()?.rsplit('/').next()?.trim_start_matches('+').parse().ok()?;
        let status = status.and_then(|status| u16::try_from(status).ok());
        let request = match form {
            Form::Tcp => None,
            Form::Http => Some(request_of(rest)),
        };
        Some(Self { client, at, to, times, status, state, retries, request })
    }

    pub(super) fn access(&self) -> Access<'a> {
        let Self { at, times, .. } = *self;
        let after = |ms: Option<u64>| ms.map(|ms| at.after(Duration::from_millis(ms)));
        let sent = times
            .request
            .zip(times.queue)
            .zip(times.connect)
            .map(|((request, queue), connect)| request.saturating_add(queue).saturating_add(connect));
        let replied = sent.zip(times.reply).map(|(sent, reply)| sent.saturating_add(reply));
        let (method, path) = self.request.unwrap_or_default();
        Access {
            name: if path.is_empty() { self.client } else { path },
            method,
            to: self.to,
            waits: Some(Waits {
                queue: times.queue.map(Duration::from_millis),
                connect: times.connect.map(Duration::from_millis),
                retries: self.retries,
            }),
            begun: Some(at),
            sent: after(sent),
            answered: after(replied).zip(self.status),
            ended: after(times.total),
            ending: self.ending(),
        }
    }
}

impl Record<'_> {
    fn ending(&self) -> Option<Ending> {
        let ending = self.state.ending(self.to.ends_with(NO_SERVER));
        let is_malformed = self.request.is_some_and(|(_, request)| request == BAD_REQUEST);
        ending.map(|ending| match ending.by {
            By::Refused if is_malformed => Ending { by: By::FrontMalformed, ..ending },
            _ => ending,
        })
    }
}

/// Method, and the request without its version: `"GET /a HTTP/1.1"`, or `"<BADREQ>"`.
fn request_of(rest: &str) -> (&str, &str) {
    let quoted = memchr::memchr(b'"', rest.as_bytes()).and_then(|at| rest.get(at + 1..)).unwrap_or_default();
    let end = memchr::memchr(b'"', quoted.as_bytes()).unwrap_or(quoted.len());
    let request = without_version(quoted.get(..end).unwrap_or_default());
    (method_of(request), request)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Tcp,
    Http,
}

impl Times {
    /// `Tw/Tc/Tt`, or `TR/Tw/Tc/Tr/Ta`; the last may have a sign, when the log does not
    /// wait for the end.
    fn parse(text: &str) -> Option<(Self, Form)> {
        let mut parts = [None; 5];
        let mut count = 0;
        for part in text.split('/') {
            let ms: i64 = part.trim_start_matches('+').parse().ok()?;
            *parts.get_mut(count)? = u64::try_from(ms).ok();
            count += 1;
        }
        match (count, parts) {
            (3, [queue, connect, total, ..]) => {
                Some((Self { queue, connect, total, ..Self::default() }, Form::Tcp))
            }
            (5, [request, queue, connect, reply, total]) => {
                Some((Self { request, queue, connect, reply, total }, Form::Http))
            }
            _ => None,
        }
    }
}

impl Ended {
    fn parse(state: &str, form: Form) -> Option<Self> {
        let expected = match form {
            Form::Tcp => 2,
            Form::Http => 4,
        };
        let mut letters = state.chars();
        let (by, phase) = (letters.next()?, letters.next()?);
        (state.len() == expected && "CSPLRIDUKcs-".contains(by) && "RQCHDLT-".contains(phase))
            .then_some(Self(by, phase))
    }

    /// Nothing for a normal end, for what HAProxy itself answers as it was told to, and
    /// for a connection that a browser opened and did not use.
    fn ending(self, no_server: bool) -> Option<Ending> {
        let Self(by, phase) = self;
        let by = match by {
            'C' if phase == 'R' => return None,
            'C' => By::FrontClosed,
            'c' => By::FrontSilent,
            'S' if no_server => By::BackAbsent,
            'S' => By::BackClosed,
            's' => By::BackSilent,
            'P' => By::Refused,
            'R' => By::Exhausted,
            'I' => By::Internal,
            'D' | 'U' | 'K' => By::Withdrawn,
            _ => return None,
        };
        let phase = match phase {
            'R' => Phase::Request,
            'Q' => Phase::Queue,
            'C' => Phase::Connect,
            'H' => Phase::Head,
            'D' | 'L' => Phase::Data,
            _ => Phase::Untold,
        };
        Some(Ending { by, phase })
    }
}

impl<'a> Other<'a> {
    /// `client [date] front/bind: words`, and what HAProxy says of its servers.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (client, at, rest) = opened(line)?;
        let (front, words) = rest.split_once(": ")?;
        (front.contains('/') && !front.contains(' ')).then_some(Self { client, at, words })
    }

    pub(super) fn access(&self) -> Option<Access<'a>> {
        let ending = Ending { by: By::FrontMalformed, phase: Phase::Request };
        let is_handshake = self.words.contains("handshake");
        is_handshake.then_some(Access {
            name: self.client,
            begun: Some(self.at),
            ended: Some(self.at),
            ending: Some(ending),
            ..Access::default()
        })
    }
}
