//! Which form a scraper is given.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// A form of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Text exposition format 0.0.4, without exponential histograms.
    Text,
    /// `io.prometheus.client.MetricFamily`, each after its length.
    Protobuf,
}

impl Form {
    /// The media type.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// Protobuf for those who want it no less than text; text for everybody else, also
    /// for those who want neither: whoever asks by hand should see something.
    pub(crate) fn wanted(headers: &HeaderMap) -> Self {
        let (mut text, mut protobuf) = (0.0, 0.0);
        for range in headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()) {
            for range in range.split(',') {
                let range = Range::of(range);
                match range.media.as_str() {
                    "text/plain" | "text/*" | "*/*" => text = range.quality.max(text),
                    "application/vnd.google.protobuf" if range.is_ours() => {
                        protobuf = range.quality.max(protobuf);
                    }
                    _ => {}
                }
            }
        }
        if protobuf > 0.0 && protobuf >= text { Self::Protobuf } else { Self::Text }
    }
}

/// One of the ranges of `Accept` (RFC 9110 section 12.5.1).
struct Range {
    media: String,
    proto: Option<String>,
    encoding: Option<String>,
    quality: f64,
}

impl Range {
    fn of(text: &str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let mut range = Self { media, proto: None, encoding: None, quality: 1.0 };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "proto" => range.proto = Some(value.to_owned()),
                "encoding" => range.encoding = Some(value.to_owned()),
                "q" => range.quality = value.parse().unwrap_or_default(),
                _ => {}
            }
        }
        range
    }

    fn is_ours(&self) -> bool {
        self.proto.as_deref() == Some("io.prometheus.client.MetricFamily")
            && self.encoding.as_deref() == Some("delimited")
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::ACCEPT;
    use axum::http::{HeaderMap, HeaderValue};

    use super::Form;

    const PROTOBUF: &str =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

    #[test]
    fn protobuf_is_for_those_who_want_it() {
        for (accept, form) in [
            ("", Form::Text),
            ("*/*", Form::Text),
            ("application/json", Form::Text),
            (
                "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Form::Text,
            ),
            (
                &format!("{PROTOBUF},application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5"),
                Form::Protobuf,
            ),
            (&format!("text/plain;q=0.6,{PROTOBUF};q=0.7,*/*;q=0.1"), Form::Protobuf),
            (&format!("{PROTOBUF};q=0.3, text/plain;q=0.6"), Form::Text),
            (&format!("{PROTOBUF};q=0"), Form::Text),
            (&format!("{PROTOBUF};q=many"), Form::Text),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
                Form::Text,
            ),
            ("application/vnd.google.protobuf", Form::Text),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(accept).unwrap());
            assert_eq!(Form::wanted(&headers), form, "{accept}");
        }
        assert_eq!(Form::wanted(&HeaderMap::new()), Form::Text);
    }
}
