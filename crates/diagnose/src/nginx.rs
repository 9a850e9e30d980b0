//! nginx: the access log in the combined format, with what a `log_format` puts behind
//! it, or as JSON, and the error log.
//!
//! *Source*: nginx documentation, `ngx_http_log_module` and `ngx_http_upstream_module`;
//! lines of the error log as nginx 1.22 wrote them.

mod error;
mod json;

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::adapter::{Adapter, Events};
use crate::event::Instant;
use crate::input::Line;
use crate::moment;
use crate::proxy::{Access, By, Ending, Phase, Records, Waits, method_of, without_version};
use crate::words::Words;

use error::Error;
use json::Entry;

/// Named fields of a line that are looked at.
const FIELDS_MAX: usize = 64;

/// Reads nginx's logs.
#[derive(Default)]
pub(crate) struct Nginx {
    records: Records,
}

/// A line of the access log. Times are of its end, to the second.
#[derive(Default)]
struct Record<'a> {
    at: Option<Instant>,
    request: &'a str,
    status: u16,
    whole: Option<Duration>,
    connect: Option<Duration>,
    header: Option<Duration>,
    /// Those of all tries, with commas.
    upstream_status: &'a str,
    to: &'a str,
}

impl Nginx {
    /// Whether a line can only be of nginx, or of another that writes the combined format.
    pub(crate) fn recognizes(line: &str) -> bool {
        Error::parse(line).is_some()
            || Record::parse(line).is_some()
            || Entry::parse(line).is_some_and(|entry| entry.record().is_some())
    }
}

impl Adapter for Nginx {
    fn line(&mut self, line: Line<'_>, to: Events<'_>) -> Vec<u64> {
        if let Some(error) = Error::parse(line.text) {
            if let Some(access) = error.access() {
                self.records.tell(&access, line, to);
            }
            return Vec::new();
        }
        if let Some(record) = Record::parse(line.text) {
            self.records.tell(&record.access(), line, to);
            return Vec::new();
        }
        let entry = Entry::parse(line.text);
        if let Some((entry, record)) = entry.as_ref().and_then(|entry| Some((entry, entry.record()?))) {
            self.records.tell(&record.access(), Line { text: &entry.digest(), ..line }, to);
        } else if !line.text.trim().is_empty() {
            return vec![line.place.line];
        }
        Vec::new()
    }

    fn end_of_input(&mut self, _to: Events<'_>) -> Vec<u64> {
        Vec::new()
    }
}

impl<'a> Record<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (who, at, rest) = dated(line)?;
        // Address, `-`, user; a user's name may hold blanks.
        who.split(' ').nth(2)?;
        let (request, rest) = rest.strip_prefix('"')?.split_once("\" ")?;
        let mut fields = Words::of(rest);
        let status = fields.next()?.parse().ok().filter(is_status)?;
        let bytes = fields.next()?;
        (bytes == "-" || bytes.parse::<u64>().is_ok()).then_some(())?;
        let mut record = Self { at: Some(at), request, status, ..Self::default() };
        let (_referrer, _agent) = (fields.next()?, fields.next()?);
        for (name, value) in named(fields.rest()).take(FIELDS_MAX) {
            record.variable(name, value);
        }
        Some(record)
    }

    /// Names that log formats give to a variable, the variable's own first.
    fn variable(&mut self, name: &str, value: &'a str) {
        match name {
            "request_time" | "rt" => self.whole = seconds(value),
            "upstream_connect_time" | "uct" => self.connect = seconds(value),
            "upstream_header_time" | "uht" => self.header = seconds(value),
            "upstream_status" | "us" => self.upstream_status = value,
            "upstream_addr" | "ua" => self.to = value,
            _ => {}
        }
    }

    fn access(&self) -> Access<'a> {
        let begun = self.at.zip(self.whole).map(|(at, whole)| at.before(whole));
        let sent = begun.zip(self.connect).map(|(begun, connect)| begun.after(connect));
        let answered = begun.zip(self.header).map(|(begun, header)| (begun.after(header), self.status));
        let name = without_version(self.request);
        let tries = self.upstream_status.split([',', ':']).count();
        Access {
            name,
            method: method_of(name),
            to: if self.to.is_empty() { "-" } else { self.to },
            waits: Some(Waits {
                queue: None,
                connect: self.connect,
                retries: u32::try_from(tries.saturating_sub(1)).unwrap_or(u32::MAX),
            }),
            begun: begun.or(self.at),
            sent,
            answered,
            ended: self.at,
            ending: self.ending(),
        }
    }

    /// 499 is nginx's own, for a client that left; 408 and 504 are its time-outs, if
    /// the peer behind it did not reply so itself.
    fn ending(&self) -> Option<Ending> {
        let replied = self.header.is_some();
        let phase = match (self.connect, replied) {
            (_, true) => Phase::Data,
            (Some(_), false) => Phase::Head,
            (None, false) => Phase::Untold,
        };
        match (self.status, replied) {
            (499, _) => Some(Ending { by: By::FrontClosed, phase }),
            (408, false) => Some(Ending { by: By::FrontSilent, phase: Phase::Request }),
            (504, false) => Some(Ending { by: By::BackSilent, phase }),
            _ => None,
        }
    }
}

/// `name=value` and `name="value"`.
fn named(mut rest: &str) -> impl Iterator<Item = (&str, &str)> {
    std::iter::from_fn(move || {
        let (name, after) = rest.trim_start().split_once('=')?;
        let name = name.rsplit_once(' ').map_or(name, |(_, name)| name);
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(' ').unwrap_or((after, "")),
        };
        rest = after;
        Some((name, value))
    })
}

fn is_status(status: &u16) -> bool {
    (100..1_000).contains(status)
}

/// The last of several tries: `0.001, 0.002`.
fn seconds(value: &str) -> Option<Duration> {
    let last = value.rsplit([',', ':']).next()?.trim();
    Duration::try_from_secs_f64(last.parse().ok()?).ok()
}

/// What stands before the time in brackets, the time, and what stands behind it.
fn dated(line: &str) -> Option<(&str, Instant, &str)> {
    memchr::memchr_iter(b'[', line.as_bytes()).find_map(|at| {
        let before = line.get(..at)?.strip_suffix(' ')?;
        let (date, rest) = line.get(at + 1..)?.split_at_checked(DATE_BYTES)?;
        Some((before, date_of(date)?, rest.strip_prefix("] ")?))
    })
}

/// `02/Mar/2026:10:10:09 +0000`.
const DATE_BYTES: usize = 26;

/// The same as a time.
fn date_of(text: &str) -> Option<Instant> {
    let (at, zone) = moment::common_log(text)?;
    Some(at.assume_offset(moment::zone(zone)?).into())
}
