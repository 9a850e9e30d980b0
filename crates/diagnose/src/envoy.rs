//! Envoy's access log in its default format, of HTTP and of TCP, also with the fields
//! that Istio puts between flags and counts, and as JSON.
//!
//! *Source*: Envoy documentation, "Access logging": default format string,
//! `%RESPONSE_FLAGS%` and durations; Istio's and Envoy Gateway's default formats.

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

use json::Entry;

/// Fields of a line that are looked at: Istio writes about 25.
const FIELDS_MAX: usize = 64;

/// What flags mean. The first that a line has decides: those that say more stand first.
const FLAGS: [(&str, By, Phase); 27] = [
    ("UF", By::BackClosed, Phase::Connect),
    ("UC", By::BackClosed, Phase::Head),
    ("UR", By::BackClosed, Phase::Head),
    ("UT", By::BackSilent, Phase::Head),
    ("UMSDR", By::BackSilent, Phase::Untold),
    ("UPE", By::BackMalformed, Phase::Untold),
    ("UH", By::BackAbsent, Phase::Untold),
    ("NC", By::BackAbsent, Phase::Untold),
    ("DF", By::BackAbsent, Phase::Untold),
    ("LH", By::BackAbsent, Phase::Untold),
    ("DC", By::FrontClosed, Phase::Head),
    ("DR", By::FrontClosed, Phase::Head),
    ("DPE", By::FrontMalformed, Phase::Request),
    ("IH", By::FrontMalformed, Phase::Request),
    ("UO", By::Exhausted, Phase::Untold),
    ("OM", By::Exhausted, Phase::Untold),
    ("DO", By::Exhausted, Phase::Untold),
    ("DT", By::Aged, Phase::Untold),
    ("SI", By::Aged, Phase::Untold),
    ("NR", By::Refused, Phase::Untold),
    ("RL", By::Refused, Phase::Untold),
    ("UAEX", By::Refused, Phase::Untold),
    ("FI", By::Refused, Phase::Untold),
    ("RLSE", By::Internal, Phase::Untold),
    ("NFCF", By::Internal, Phase::Untold),
    ("LR", By::Internal, Phase::Untold),
    ("URX", By::BackClosed, Phase::Connect),
];

/// Reads Envoy's access log.
#[derive(Default)]
pub(crate) struct Envoy {
    records: Records,
}

/// A line of it.
struct Record<'a> {
    at: Instant,
    request: &'a str,
    status: u16,
    flags: &'a str,
    bytes_sent: u64,
    took: Duration,
    /// Until the request was passed on, where the log tells.
    sent_after: Duration,
    /// Until the reply began.
    replied_after: Option<Duration>,
    to: &'a str,
}

impl Envoy {
    /// Whether a line can only be of Envoy.
    pub(crate) fn recognizes(line: &str) -> bool {
        Record::parse(line).is_some() || Entry::parse(line).is_some_and(|entry| entry.record().is_some())
    }
}

impl Adapter for Envoy {
    fn line(&mut self, line: Line<'_>, to: Events<'_>) -> Vec<u64> {
        if let Some(record) = Record::parse(line.text) {
            self.records.tell(&record.access(), line, to);
            return Vec::new();
        }
        let entry = Entry::parse(line.text);
        if let Some((entry, record)) = entry.as_ref().and_then(|entry| Some((entry, entry.record()?))) {
            self.records.tell(&record.access(), Line { text: &entry.digest(), ..line }, to);
            return Vec::new();
        }
        if line.text.trim().is_empty() { Vec::new() } else { vec![line.place.line] }
    }

    fn end_of_input(&mut self, _to: Events<'_>) -> Vec<u64> {
        Vec::new()
    }
}

impl<'a> Record<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        // A shipper may have written before it.
        let (_, rest) = line.split_once('[')?;
        let (date, rest) = rest.split_once("] \"")?;
        let at = moment::rfc3339(date)?;
        let (request, rest) = rest.split_once("\" ")?;
        let mut fields = Vec::with_capacity(FIELDS_MAX);
        fields.extend(Words::of(rest).take(FIELDS_MAX));
        let status = fields.first()?.parse().ok()?;
        let flags = *fields.get(1)?;
        is_flags(flags).then_some(())?;
        // Received, sent, duration; Istio has some words before them.
        let number = |field: Option<&&str>| field.and_then(|field| field.parse::<u64>().ok());
        let counts = (2..fields.len()).find(|at| (0..3).all(|n| number(fields.get(at + n)).is_some()))?;
        let of_host = |field: &&&str| field.contains(':') && !field.contains(['/', ' ']);
        Some(Self {
            at,
            request,
            status,
            flags,
            bytes_sent: number(fields.get(counts + 1))?,
            took: Duration::from_millis(number(fields.get(counts + 2))?),
            sent_after: Duration::ZERO,
            replied_after: number(fields.get(counts + 3)).map(Duration::from_millis),
            to: fields.get(counts + 8).filter(of_host).copied().unwrap_or("-"),
        })
    }

    fn access(&self) -> Access<'a> {
        let Self { at, request, status, took, sent_after, replied_after, .. } = *self;
        let is_http = !request.starts_with('-');
        let name = without_version(request);
        let answered = replied_after.filter(|_| is_http).map(|after| (at.after(after), status));
        Access {
            name: if is_http { name } else { "a connection" },
            method: method_of(name),
            to: self.to,
            waits: Some(Waits::default()),
            begun: Some(at),
            sent: (is_http && !self.flags.split(',').any(|flag| flag == "UF" || flag == "UH"))
                .then_some(at.after(sent_after)),
            answered,
            ended: Some(at.after(took)),
            ending: self.ending(),
        }
    }

    fn ending(&self) -> Option<Ending> {
        let has = |wanted: &str| self.flags.split(',').any(|flag| flag == wanted);
        let (_, by, phase) = FLAGS.iter().find(|(flag, ..)| has(flag))?;
        let is_tcp = self.request.starts_with('-');
        let replied = self.replied_after.is_some() || (is_tcp && self.bytes_sent > 0);
        let phase = match phase {
            Phase::Head if replied || is_tcp => Phase::Data,
            other => *other,
        };
        Some(Ending { by: *by, phase })
    }
}

/// Whether it is a field of flags, all of them known: `UF,URX`, or `-`.
fn is_flags(text: &str) -> bool {
    text == "-" || text.split(',').all(|flag| FLAGS.iter().any(|(known, ..)| *known == flag))
}
