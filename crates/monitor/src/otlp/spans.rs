//! Requests and the set-up of connections as spans.
//!
//! *Source*: OpenTelemetry's semantic conventions, "HTTP spans"; .NET 9's connection spans:
//! pooled connections outlive requests, so the set-up is the root of a trace of its own that
//! requests link to.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use repono_core::id::ConnectionId;
use repono_journal::Reuse;

use super::Told;
use super::seen::{Part, Seen, Service};
use crate::board::OTHER;

/// The methods that are a span's name; others are `HTTP`.
const NAMELESS: &str = "HTTP";

pub(super) fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

pub(super) fn number(key: &str, value: u64) -> KeyValue {
    attribute(key, Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

pub(super) fn resource(service: &Service) -> Resource {
    Resource {
        attributes: vec![
            text("service.namespace", "repono"),
            text("service.name", service.name.clone()),
            text("service.instance.id", service.instance.clone()),
        ],
        ..Resource::default()
    }
}

pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "repono-monitor".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

/// Spans by the services that they are of.
pub(super) fn by_service(spans: Vec<Told>) -> Vec<ResourceSpans> {
    let mut services: BTreeMap<Service, Vec<Span>> = BTreeMap::new();
    for (service, span) in spans {
        services.entry(service).or_default().push(span);
    }
    let spans = services.into_iter().map(|(service, spans)| ResourceSpans {
        resource: Some(resource(&service)),
        scope_spans: vec![ScopeSpans { scope: Some(scope()), spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    });
    spans.collect()
}

/// The span of a request; `None` never comes, since every request has a trace by then.
pub(super) fn request(seen: &Seen) -> Option<Told> {
    let trace = seen.trace?;
    let (kind, mut attributes) = match seen.part {
        Part::Client => (SpanKind::Client, of_client(seen)),
        Part::Server => (SpanKind::Server, of_server(seen)),
    };
    attributes.push(text("http.request.method", seen.method));
    attributes.extend(seen.status.map(|status| number("http.response.status_code", status.into())));
    attributes.extend(seen.error_type.map(|kind| text("error.type", kind)));
    attributes.extend(seen.agent.as_ref().map(|agent| text("user_agent.original", agent.clone())));
    attributes.extend(seen.trans_id.as_ref().map(|id| text("repono.request.id", id.clone())));
    let connection = seen.balancer_id.unwrap_or(seen.connection);
    attributes.push(text("repono.connection.id", connection.to_string()));
    if let Reuse::Reused { idle_before_ns, requests_before } = seen.reuse {
        attributes.push(number("repono.connection.idle_before_ns", idle_before_ns));
        attributes.push(number("repono.connection.requests_before", requests_before.into()));
    }
    let name = if seen.method == OTHER { NAMELESS } else { seen.method };
    let mut span = spanning(name, kind, (seen.begun_ns(), seen.ended_ns), attributes, seen.error_type);
    span.trace_id = trace.trace.bytes().to_vec();
    span.span_id = trace.id.bytes().to_vec();
    span.parent_span_id = trace.parent.map(|parent| parent.bytes().to_vec()).unwrap_or_default();
    if seen.part == Part::Client {
        span.links = vec![Link {
            trace_id: setup_trace(seen.connection),
            span_id: setup_span(seen.connection, Step::Whole),
            ..Link::default()
        }];
    }
    Some((seen.service.clone(), span))
}

fn of_client(seen: &Seen) -> Vec<KeyValue> {
    let mut attributes = Vec::new();
    if let Some(server) = seen.destination {
        attributes.extend(to(server));
        attributes.push(text("url.full", format!("https://{server}{}", seen.path)));
    }
    if seen.attempt > 1 {
        attributes.push(number("http.request.resend_count", u64::from(seen.attempt - 1)));
    }
    let phases = &seen.phases_ns;
    attributes.extend(taken([
        ("repono.phase.queue_ns", phases.queue),
        ("repono.phase.send_ns", phases.send),
        ("repono.phase.wait_ns", phases.wait),
        ("repono.phase.receive_ns", phases.receive),
    ]));
    attributes
}

fn of_server(seen: &Seen) -> Vec<KeyValue> {
    let mut attributes = vec![text("url.scheme", "https"), text("url.path", seen.path.clone())];
    if let Some(source) = seen.source {
        attributes.push(text("client.address", source.ip().to_string()));
        attributes.push(number("client.port", source.port().into()));
    }
    let phases = &seen.phases_ns;
    attributes.extend(taken([
        ("repono.phase.authorize_ns", phases.authorize),
        ("repono.phase.store_ns", phases.store),
        ("repono.phase.send_ns", phases.send),
        ("repono.phase.wait_ns", phases.wait),
        ("repono.phase.receive_ns", phases.receive),
    ]));
    attributes
}

fn to(server: std::net::SocketAddr) -> [KeyValue; 4] {
    let (address, port) = (server.ip().to_string(), u64::from(server.port()));
    [
        text("server.address", address.clone()),
        number("server.port", port),
        text("network.peer.address", address),
        number("network.peer.port", port),
    ]
}

fn taken<const N: usize>(phases: [(&'static str, u64); N]) -> impl Iterator<Item = KeyValue> {
    phases.into_iter().filter(|(_, ns)| *ns > 0).map(|(name, ns)| number(name, ns))
}

/// A part of a connection's set-up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Whole,
    Dns,
    Connect,
    Tls,
}

/// The set-up of the connection that a client's request opened: a root and what it took.
pub(super) fn setup(seen: &Seen) -> Vec<Told> {
    let phases = &seen.phases_ns;
    let mut at = seen.begun_ns().saturating_add(phases.queue);
    let begun = at;
    let mut steps = Vec::new();
    for (step, name, took) in [
        (Step::Dns, "DNS lookup", phases.dns),
        (Step::Connect, "socket connect", phases.connect),
        (Step::Tls, "TLS handshake", phases.tls),
    ] {
        if took > 0 {
            let end = at.saturating_add(took);
            steps.push((step, name, SpanKind::Internal, at, end));
            at = end;
        }
    }
    steps.insert(0, (Step::Whole, "HTTP connection_setup", SpanKind::Internal, begun, at));
    // A reply, or bytes that were sent, show that it stood.
    let stood = seen.status.is_some() || phases.send > 0 || phases.wait > 0;
    let spans = steps.into_iter().map(|(step, name, kind, begun, end)| {
        let error = if stood || step != Step::Whole { None } else { seen.error_type };
        let mut attributes = vec![text("repono.connection.id", seen.connection.to_string())];
        attributes.extend(seen.destination.into_iter().flat_map(to));
        let mut span = spanning(name, kind, (begun, end), attributes, error);
        span.trace_id = setup_trace(seen.connection);
        span.span_id = setup_span(seen.connection, step);
        if step != Step::Whole {
            span.parent_span_id = setup_span(seen.connection, Step::Whole);
        }
        (seen.service.clone(), span)
    });
    spans.collect()
}

/// The ids of a set-up follow from its connection's, which is random: a request can link to
/// it without anybody remembering it.
fn setup_trace(connection: ConnectionId) -> Vec<u8> {
    [b"conn", connection.bytes().as_slice()].concat()
}

fn setup_span(connection: ConnectionId, step: Step) -> Vec<u8> {
    let step = match step {
        Step::Whole => b'W',
        Step::Dns => b'D',
        Step::Connect => b'C',
        Step::Tls => b'T',
    };
    let bytes = connection.bytes().iter().take(7).copied();
    std::iter::once(step).chain(bytes).collect()
}

fn spanning(
    name: &str,
    kind: SpanKind,
    (begun, end): (u64, u64),
    attributes: Vec<KeyValue>,
    error: Option<&'static str>,
) -> Span {
    Span {
        name: name.to_owned(),
        kind: kind.into(),
        start_time_unix_nano: begun,
        end_time_unix_nano: end.max(begun),
        attributes,
        status: error.map(|error| Status { code: StatusCode::Error.into(), message: error.to_owned() }),
        ..Span::default()
    }
}
