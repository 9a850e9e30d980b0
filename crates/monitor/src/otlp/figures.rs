//! The metrics, as OpenTelemetry names them.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum,
};

use super::seen::Service;
use super::spans::{number, resource, scope, text};
use crate::metrics::{Family, Kind, Sample, Value};

/// Every family that has samples.
pub(super) fn request(families: Vec<Family>, now_ns: u64) -> ExportMetricsServiceRequest {
    let families = families.into_iter().filter(|family| !family.samples.is_empty());
    let metrics = families.map(|family| metric(family, now_ns)).collect();
    let service = Service { name: "repono-monitor".to_owned(), instance: "monitor".to_owned() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource(&service)),
            scope_metrics: vec![ScopeMetrics { scope: Some(scope()), metrics, ..ScopeMetrics::default() }],
            ..ResourceMetrics::default()
        }],
    }
}

/// Counts outlive the monitor, so when they began is not known: that is left 0.
fn metric(family: Family, now_ns: u64) -> Metric {
    let cumulative = AggregationTemporality::Cumulative.into();
    let (name, unit) = named(family.name);
    let data = match family.kind {
        Kind::Gauge => Data::Gauge(Gauge { data_points: numbers(family.samples, now_ns) }),
        Kind::Counter => Data::Sum(Sum {
            data_points: numbers(family.samples, now_ns),
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        Kind::Histogram => Data::Histogram(Histogram {
            data_points: family.samples.into_iter().filter_map(|sample| histogram(sample, now_ns)).collect(),
            aggregation_temporality: cumulative,
        }),
    };
    Metric {
        name,
        description: family.help.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn numbers(samples: Vec<Sample>, now_ns: u64) -> Vec<NumberDataPoint> {
    let points = samples.into_iter().filter_map(|sample| match sample.value {
        Value::Number(value) => Some(NumberDataPoint {
            attributes: attributes(sample.labels),
            time_unix_nano: now_ns,
            value: Some(Number::AsDouble(value)),
            ..NumberDataPoint::default()
        }),
        Value::Durations { .. } => None,
    });
    points.collect()
}

fn histogram(sample: Sample, now_ns: u64) -> Option<HistogramDataPoint> {
    let Value::Durations { bounds, durations } = sample.value else { return None };
    let within = durations.buckets.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
    let mut bucket_counts = durations.buckets;
    bucket_counts.push(durations.count.saturating_sub(within));
    Some(HistogramDataPoint {
        attributes: attributes(sample.labels),
        time_unix_nano: now_ns,
        count: durations.count,
        sum: Some(durations.sum_s),
        bucket_counts,
        explicit_bounds: bounds.to_vec(),
        ..HistogramDataPoint::default()
    })
}

/// The name and unit that Prometheus' name was made from.
fn named(name: &str) -> (String, &'static str) {
    let (base, unit) = match name.strip_suffix("_seconds") {
        Some(base) => (base, "s"),
        None => (name.strip_suffix("_total").unwrap_or(name), "1"),
    };
    let dotted = match base {
        "http_server_request_duration" => "http.server.request.duration".to_owned(),
        "http_client_request_duration" => "http.client.request.duration".to_owned(),
        own => own.replacen("repono_", "repono.", 1),
    };
    (dotted, unit)
}

fn attributes(labels: Vec<(&'static str, String)>) -> Vec<KeyValue> {
    let attributes = labels.into_iter().map(|(name, value)| match name {
        "http_request_method" => text("http.request.method", value),
        "http_response_status_code" => whole("http.response.status_code", value),
        "error_type" => text("error.type", value),
        "url_scheme" => text("url.scheme", value),
        "server_address" => text("server.address", value),
        "server_port" => whole("server.port", value),
        own => text(own, value),
    });
    attributes.collect()
}

fn whole(name: &str, value: String) -> KeyValue {
    match value.parse() {
        Ok(value) => number(name, value),
        Err(_) => text(name, value),
    }
}
