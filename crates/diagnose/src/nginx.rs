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

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

use crate::adapter::{Adapter, Events};
use crate::event::Instant;
use crate::input::Line;
use crate::proxy::{Access, By, Ending, Phase, Records, Waits};
use crate::words::Words;

use error::Error;
use json::Entry;

/// Names that log formats give to a variable, the variable's own first.
const VARIABLES: [(&[&str], Variable); 5] = [
    (&["request_time", "rt"], Variable::Whole),
    (&["upstream_connect_time", "uct"], Variable::Connect),
    (&["upstream_header_time", "uht"], Variable::Header),
    (&["upstream_status", "us"], Variable::Status),
    (&["upstream_addr", "ua"], Variable::To),
];

/// Named fields of a line that are looked at.
const FIELDS_MAX: usize = 64;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads nginx's logs.
#[derive(Default)]
pub(crate) struct Nginx {
    records: Records,
}

#[derive(Clone, Copy)]
enum Variable {
    Whole,
    Connect,
    Header,
    Status,
    To,
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
        if let Some(record) = Record::parse(line.text) {
            self.records.tell(&record.access(), line, to);
            return Vec::new();
        }
        let entry = Entry::parse(line.text);
        if let Some((entry, record)) = entry.as_ref().and_then(|entry| Some((entry, entry.record()?))) {
            self.records.tell(&record.access(), Line { text: &entry.digest(), ..line }, to);
        } else if let Some(error) = Error::parse(line.text) {
            if let Some(access) = error.access() {
                self.records.tell(&access, line, to);
            }
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
        let (who, rest) = line.split_once(" [")?;
        let (date, rest) = rest.split_once("] \"")?;
        // Address, `-`, user; a user's name may hold blanks.
        who.split(' ').nth(2)?;
        let (request, rest) = rest.split_once("\" ")?;
        let mut fields = Words::of(rest);
        let status = fields.next()?.parse().ok().filter(is_status)?;
        let _bytes: u64 = fields.next().map(|bytes| bytes.replace('-', "0"))?.parse().ok()?;
        let mut record = Self { at: Some(date_of(date)?), request, status, ..Self::default() };
        let (_referrer, _agent) = (fields.next()?, fields.next()?);
        for (name, value) in named(fields.rest()).take(FIELDS_MAX) {
            record.variable(name, value);
        }
        Some(record)
    }

    fn variable(&mut self, name: &str, value: &'a str) {
        let known = VARIABLES.iter().find(|(names, _)| names.contains(&name));
        match known.map(|(_, variable)| variable) {
            Some(Variable::Whole) => self.whole = seconds(value),
            Some(Variable::Connect) => self.connect = seconds(value),
            Some(Variable::Header) => self.header = seconds(value),
            Some(Variable::Status) => self.upstream_status = value,
            Some(Variable::To) => self.to = value,
            None => {}
        }
    }

    fn access(&self) -> Access<'a> {
        let begun = self.at.zip(self.whole).map(|(at, whole)| at.before(whole));
        let sent = begun.zip(self.connect).map(|(begun, connect)| begun.after(connect));
        let answered = begun.zip(self.header).map(|(begun, header)| (begun.after(header), self.status));
        let name = self.request.rsplit_once(" HTTP/").map_or(self.request, |(name, _)| name);
        let tries = self.upstream_status.split([',', ':']).count();
        Access {
            name,
            method: name.split(' ').next().unwrap_or_default(),
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
        let name = name.rsplit(' ').next().unwrap_or_default();
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

/// `02/Mar/2026:10:10:09 +0000`.
fn date_of(text: &str) -> Option<Instant> {
    let (local, zone) = text.split_once(' ')?;
    let (date, clock) = local.split_once(':')?;
    let mut parts = date.splitn(3, '/');
    let day = parts.next()?.parse().ok()?;
    let name = parts.next()?;
    let month = (1_u8..).zip(MONTHS).find(|(_, month)| *month == name)?.0;
    let date =
        Date::from_calendar_date(parts.next()?.parse().ok()?, Month::try_from(month).ok()?, day).ok()?;
    let (hours, minutes) = (zone.get(..3)?.parse::<i8>().ok()?, zone.get(3..)?.parse::<i8>().ok()?);
    let minutes = if zone.starts_with('-') { -minutes } else { minutes };
    let zone = UtcOffset::from_hms(hours, minutes, 0).ok()?;
    let at: OffsetDateTime = PrimitiveDateTime::new(date, clock_of(clock)?).assume_offset(zone);
    Some(Instant(at.unix_timestamp_nanos()))
}

/// `10:10:09`.
fn clock_of(text: &str) -> Option<Time> {
    let mut parts = text.splitn(3, ':').map(|part| part.parse::<u8>().ok());
    Time::from_hms(parts.next()??, parts.next()??, parts.next()??).ok()
}
