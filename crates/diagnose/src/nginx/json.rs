//! nginx's access log as JSON: a `log_format … escape=json` whose keys are the names of
//! nginx's variables.

#[cfg(test)]
mod tests;

use std::fmt::Write;

use serde::Deserialize;

use super::{Record, date_of, is_status, seconds};
use crate::event::Instant;
use crate::moment;
use crate::scalar::Scalar;

/// The key that no such log is without.
const STATUS_KEY: &str = "\"status\"";

/// What the log says of a request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fields<'a> {
    /// Seconds since 1970, with milliseconds.
    #[serde(borrow)]
    msec: Scalar<'a>,
    #[serde(borrow)]
    time_iso8601: Scalar<'a>,
    #[serde(borrow)]
    time_local: Scalar<'a>,
    /// What many call `$time_iso8601`, for those who collect their logs.
    #[serde(borrow, rename = "@timestamp")]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    request: Scalar<'a>,
    #[serde(borrow)]
    request_method: Scalar<'a>,
    #[serde(borrow)]
    request_uri: Scalar<'a>,
    #[serde(borrow)]
    uri: Scalar<'a>,
    #[serde(borrow)]
    status: Scalar<'a>,
    #[serde(borrow)]
    remote_addr: Scalar<'a>,
    #[serde(borrow)]
    request_time: Scalar<'a>,
    #[serde(borrow)]
    upstream_connect_time: Scalar<'a>,
    #[serde(borrow)]
    upstream_header_time: Scalar<'a>,
    #[serde(borrow)]
    upstream_status: Scalar<'a>,
    #[serde(borrow)]
    upstream_addr: Scalar<'a>,
}

/// A line of it.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    fields: Fields<'a>,
    /// Method and path.
    request: String,
}

impl<'a> Entry<'a> {
    /// Of a line that may have something of a shipper's before it.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (_, json) = line.split_at_checked(line.find('{')?)?;
        memchr::memmem::find(json.as_bytes(), STATUS_KEY.as_bytes())?;
        let fields: Fields<'a> = serde_json::from_str(json.trim_end()).ok()?;
        // Other programs have a status and a time too.
        fields.remote_addr.said().or(fields.request_time.said()).or(fields.upstream_addr.said())?;
        let path = || fields.request_uri.said().or(fields.uri.said());
        let request = match (fields.request.said(), fields.request_method.said()) {
            (Some(request), _) => request.to_owned(),
            (None, Some(method)) => format!("{method} {}", path().unwrap_or("-")),
            // A connection on which no request came.
            (None, None) => path().unwrap_or("-").to_owned(),
        };
        Some(Self { fields, request })
    }

    pub(super) fn record(&self) -> Option<Record<'_>> {
        let Self { fields, request } = self;
        Some(Record {
            at: Some(fields.at()?),
            request,
            status: fields.status.parsed().filter(is_status)?,
            whole: fields.request_time.said().and_then(seconds),
            connect: fields.upstream_connect_time.said().and_then(seconds),
            header: fields.upstream_header_time.said().and_then(seconds),
            upstream_status: fields.upstream_status.said().unwrap_or_default(),
            to: fields.upstream_addr.said().unwrap_or_default(),
        })
    }

    /// What the line says that a finding can rest on: the whole is too long to quote.
    pub(super) fn digest(&self) -> String {
        let Self { fields, request } = self;
        let at = [&fields.time_iso8601, &fields.time_local, &fields.timestamp, &fields.msec];
        let at = at.iter().find_map(|field| field.said()).unwrap_or("-");
        let mut text = format!("{at} {}", fields.status.said().unwrap_or("-"));
        for (name, field) in [
            ("request_time", &fields.request_time),
            ("upstream_connect_time", &fields.upstream_connect_time),
            ("upstream_header_time", &fields.upstream_header_time),
            ("upstream_status", &fields.upstream_status),
            ("upstream_addr", &fields.upstream_addr),
        ] {
            if let Some(value) = field.said() {
                let _ = write!(text, ", {name} {value}");
            }
        }
        let _ = write!(text, ": {request}");
        text
    }
}

impl Fields<'_> {
    /// The end of the request, as exactly as it is told.
    fn at(&self) -> Option<Instant> {
        let exact = self.msec.said().and_then(instant_of);
        exact
            .or(self.time_iso8601.said().and_then(moment::rfc3339))
            .or(self.time_local.said().and_then(date_of))
            .or(self.timestamp.said().and_then(moment::rfc3339))
    }
}

/// `1772446209.123`.
fn instant_of(seconds: &str) -> Option<Instant> {
    const DIGITS: usize = 9;
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
    let whole: u32 = whole.parse().ok()?;
    let nanos: u32 = format!("{part:0<DIGITS$}").get(..DIGITS)?.parse().ok()?;
    Some(Instant(i128::from(whole) * 1_000_000_000 + i128::from(nanos)))
}
