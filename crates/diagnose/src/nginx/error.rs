//! Lines of nginx's error log.

use time::{Date, Month, PrimitiveDateTime};

use crate::event::Instant;
use crate::proxy::{Access, By, Ending, Phase};

use super::clock_of;

/// What went wrong, by nginx's words; the first that fits decides.
const WORDS: [(&str, By); 10] = [
    ("client prematurely closed connection", By::FrontClosed),
    ("client timed out", By::FrontSilent),
    ("SSL_do_handshake() failed", By::FrontMalformed),
    ("client sent invalid", By::FrontMalformed),
    ("upstream prematurely closed connection", By::BackClosed),
    ("upstream timed out", By::BackSilent),
    ("upstream sent ", By::BackMalformed),
    ("no live upstreams", By::BackAbsent),
    ("worker_connections are not enough", By::Exhausted),
    ("limiting requests", By::Refused),
];

/// Calls that fail, whose words name no side: what nginx did at that time does.
const CALLS: [&str; 6] = [
    "recv() failed",
    "connect() failed",
    "send() failed",
    "writev() failed",
    "SSL_read() failed",
    "sendfile() failed",
];

/// What nginx was doing.
const DOING: [(&str, Phase); 9] = [
    ("while connecting to upstream", Phase::Connect),
    ("while SSL handshaking to upstream", Phase::Connect),
    ("while sending request to upstream", Phase::Head),
    ("while reading response header from upstream", Phase::Head),
    ("while reading upstream", Phase::Data),
    ("while sending to client", Phase::Data),
    ("while proxying", Phase::Data),
    ("while reading client request", Phase::Request),
    ("while SSL handshaking", Phase::Request),
];

/// A line of the error log.
pub(super) struct Error<'a> {
    at: Instant,
    words: &'a str,
}

/// `http://198.51.100.4:80` of `http://198.51.100.4:80/o/b`.
fn authority(url: &str) -> &str {
    let from = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(from..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| from + at);
    url.get(..end).unwrap_or(url)
}

impl<'a> Error<'a> {
    /// `2026/03/02 10:10:09 [error] 7#7: *5 words`; the time is of the machine's own
    /// zone, which the log does not name.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (date, rest) = line.split_once(' ')?;
        let (clock, rest) = rest.split_once(" [")?;
        let (_level, rest) = rest.split_once("] ")?;
        let (process, words) = rest.split_once(": ")?;
        let (pid, tid) = process.split_once('#')?;
        let _numbers: (u64, u64) = (pid.parse().ok()?, tid.parse().ok()?);
        let mut parts = date.splitn(3, '/');
        let year = parts.next()?.parse().ok()?;
        let month = Month::try_from(parts.next()?.parse::<u8>().ok()?).ok()?;
        let date = Date::from_calendar_date(year, month, parts.next()?.parse().ok()?).ok()?;
        let at = PrimitiveDateTime::new(date, clock_of(clock)?).assume_utc();
        Some(Self { at: Instant(at.unix_timestamp_nanos()), words })
    }

    /// Nothing for what is about no request, and for what went as it should.
    pub(super) fn access(&self) -> Option<Access<'a>> {
        let ending = self.ending()?;
        let request = self.field("request").unwrap_or_default();
        let name = request.rsplit_once(" HTTP/").map_or(request, |(name, _)| name);
        Some(Access {
            name: if name.is_empty() { "a connection" } else { name },
            method: name.split(' ').next().unwrap_or_default(),
            to: self.field("upstream").map_or("-", authority),
            begun: Some(self.at),
            ended: Some(self.at),
            ending: Some(ending),
            ..Access::default()
        })
    }

    fn ending(&self) -> Option<Ending> {
        let doing = DOING.iter().find(|(words, _)| self.words.contains(words));
        let phase = doing.map_or(Phase::Untold, |(_, phase)| *phase);
        let is_upstream = doing.is_some_and(|(words, _)| words.contains("upstream"));
        if let Some((_, by)) = WORDS.iter().find(|(words, _)| self.words.contains(words)) {
            let by = if is_upstream && *by == By::FrontMalformed { By::BackMalformed } else { *by };
            return Some(Ending { by, phase });
        }
        let is_call = CALLS.iter().any(|call| self.words.contains(call));
        let by = if is_upstream { By::BackClosed } else { By::FrontClosed };
        is_call.then_some(Ending { by, phase })
    }

    /// `, name: "value"`.
    fn field(&self, name: &str) -> Option<&'a str> {
        let (_, rest) = self.words.split_once(&format!(", {name}: \""))?;
        rest.split_once('"').map(|(value, _)| value)
    }
}
