//! Envoy's access log as JSON, with the keys of Istio's format and of Envoy Gateway's, which
//! are those that Envoy's documentation uses.

#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::time::Duration;

use serde::Deserialize;

use super::{Record, is_flags};
use crate::moment;
use crate::scalar::Scalar;

/// The key by which the format is known: no other program has such flags.
const FLAGS_KEY: &str = "\"response_flags\"";

/// What the log says of a request, or of a connection.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fields<'a> {
    #[serde(borrow)]
    start_time: Scalar<'a>,
    #[serde(borrow)]
    method: Scalar<'a>,
    #[serde(borrow)]
    path: Scalar<'a>,
    /// The same in Envoy Gateway's default.
    #[serde(borrow, rename = "x-envoy-origin-path")]
    origin_path: Scalar<'a>,
    #[serde(borrow)]
    response_code: Scalar<'a>,
    #[serde(borrow)]
    response_flags: Scalar<'a>,
    #[serde(borrow)]
    response_code_details: Scalar<'a>,
    #[serde(borrow)]
    connection_termination_details: Scalar<'a>,
    #[serde(borrow)]
    upstream_transport_failure_reason: Scalar<'a>,
    #[serde(borrow)]
    bytes_sent: Scalar<'a>,
    /// `%DURATION%`: all of it, in milliseconds.
    #[serde(borrow)]
    duration: Scalar<'a>,
    /// `%REQUEST_DURATION%`: until the request was whole.
    #[serde(borrow)]
    request_duration: Scalar<'a>,
    /// `%RESPONSE_DURATION%`: until the reply began.
    #[serde(borrow)]
    response_duration: Scalar<'a>,
    /// `%RESPONSE_TX_DURATION%`: from there to its end.
    #[serde(borrow)]
    response_tx_duration: Scalar<'a>,
    /// From the whole request until the reply began.
    #[serde(borrow)]
    upstream_service_time: Scalar<'a>,
    /// The same in Envoy Gateway's default.
    #[serde(borrow, rename = "x-envoy-upstream-service-time")]
    service_time: Scalar<'a>,
    #[serde(borrow)]
    upstream_host: Scalar<'a>,
}

/// A line of it.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    fields: Fields<'a>,
    /// As the text form has it: `GET /o/b`, `- - -` of a connection.
    request: String,
}

impl<'a> Entry<'a> {
    /// Of a line that may have something of a shipper's before it.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (_, json) = line.split_at_checked(line.find('{')?)?;
        memchr::memmem::find(json.as_bytes(), FLAGS_KEY.as_bytes())?;
        let fields: Fields<'a> = serde_json::from_str(json.trim_end()).ok()?;
        let path = fields.path.said().or(fields.origin_path.said());
        let request = match (fields.method.said(), path) {
            (Some(method), path) => format!("{method} {}", path.unwrap_or("-")),
            (None, _) => "- - -".to_owned(),
        };
        Some(Self { fields, request })
    }

    /// `None` where the log has no time, or flags that are none.
    pub(super) fn record(&self) -> Option<Record<'_>> {
        let Self { fields, request } = self;
        let ms = |field: &Scalar<'_>| field.parsed().map(Duration::from_millis);
        let took = ms(&fields.duration)?;
        let flags = fields.response_flags.said().unwrap_or("-");
        let sent_after = ms(&fields.request_duration).unwrap_or_default();
        let service = ms(&fields.upstream_service_time).or(ms(&fields.service_time));
        let replied_after = service
            .map(|service| sent_after.saturating_add(service))
            .or(ms(&fields.response_duration))
            .or(ms(&fields.response_tx_duration).and_then(|sending| took.checked_sub(sending)));
        is_flags(flags).then_some(Record {
            at: moment::rfc3339(fields.start_time.said()?)?,
            request,
            status: fields.response_code.parsed().unwrap_or_default(),
            flags,
            bytes_sent: fields.bytes_sent.parsed().unwrap_or_default(),
            took,
            sent_after,
            replied_after,
            to: fields.upstream_host.said().unwrap_or("-"),
        })
    }

    /// What the line says that a finding can rest on: the whole is too long to quote.
    pub(super) fn digest(&self) -> String {
        let Self { fields, request } = self;
        let mut text = format!(
            "{} {} {}",
            fields.start_time.said().unwrap_or("-"),
            fields.response_code.said().unwrap_or("-"),
            fields.response_flags.said().unwrap_or("-"),
        );
        let details = [
            &fields.response_code_details,
            &fields.connection_termination_details,
            &fields.upstream_transport_failure_reason,
        ];
        for detail in details.iter().filter_map(|field| field.said()) {
            let _ = write!(text, " {detail}");
        }
        let _ = write!(
            text,
            ", {} ms, to {}: {request}",
            fields.duration.said().unwrap_or("-"),
            fields.upstream_host.said().unwrap_or("-"),
        );
        text
    }
}
