//! Slow requests as a HAR file, which browsers and many tools open.
//!
//! *Source*: HAR 1.2 specification.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::board::{Attempt, SlowRequest, in_ms};

/// One entry for each attempt, the hidden ones before the one that the caller saw.
pub(super) fn log(requests: &[SlowRequest]) -> Value {
    let attempts = requests.iter().flat_map(|request| request.hidden.iter().chain([&request.last]));
    let attempts = attempts.map(|attempt| &**attempt);
    json!({"log": {
        "version": "1.2",
        "creator": {"name": "repono monitor", "version": env!("CARGO_PKG_VERSION")},
        "entries": attempts.map(entry).collect::<Vec<_>>(),
    }})
}

fn entry(attempt: &Attempt) -> Value {
    let timings = Timings::of(attempt);
    let begun = OffsetDateTime::from_unix_timestamp_nanos(attempt.begun_ns().into());
    let begun = begun.ok().and_then(|begun| begun.format(&Rfc3339).ok()).unwrap_or_default();
    // What the journals do not hold is empty, or −1, as the format has it.
    json!({
        "startedDateTime": begun,
        "time": in_ms(attempt.duration_ns),
        "request": {
            "method": attempt.method.as_deref().unwrap_or_default(),
            "url": format!("https://{}{}", attempt.instance, attempt.path()),
            "httpVersion": "", "cookies": [], "headers": [], "queryString": [],
            "headersSize": -1, "bodySize": -1,
        },
        "response": {
            "status": attempt.status.unwrap_or_default(),
            "statusText": attempt.code.as_deref().unwrap_or_default(),
            "httpVersion": "", "cookies": [], "headers": [],
            "content": {"size": 0, "mimeType": ""},
            "redirectURL": "", "headersSize": -1, "bodySize": -1,
        },
        "cache": {},
        "timings": timings.json(),
        "connection": attempt.connection,
        "comment": format!("{}, attempt {}", attempt.side, attempt.number),
    })
}

/// Phases as the format divides them, in ns.
#[derive(Default)]
struct Timings {
    blocked: Option<u64>,
    dns: Option<u64>,
    connect: Option<u64>,
    ssl: Option<u64>,
    send: u64,
    /// With what a head does meanwhile, and what no phase accounts for.
    wait: u64,
    receive: u64,
}

impl Timings {
    fn of(attempt: &Attempt) -> Self {
        let mut timings = Self::default();
        for (name, ns) in &attempt.phases_ns {
            match name.as_str() {
                "queue" => timings.blocked = Some(*ns),
                "dns" => timings.dns = Some(*ns),
                "connect" => timings.connect = Some(*ns),
                "tls" => timings.ssl = Some(*ns),
                "send" => timings.send = *ns,
                "receive" => timings.receive = *ns,
                _ => {}
            }
        }
        // In this format connecting includes the handshake.
        timings.connect = match (timings.connect, timings.ssl) {
            (None, None) => None,
            (connect, ssl) => Some(connect.unwrap_or_default().saturating_add(ssl.unwrap_or_default())),
        };
        let before = [timings.blocked, timings.dns, timings.connect].into_iter().flatten();
        let known = before.chain([timings.send, timings.receive]).fold(0, u64::saturating_add);
        timings.wait = attempt.duration_ns.saturating_sub(known);
        timings
    }

    fn json(&self) -> Value {
        let told = |ns: Option<u64>| ns.map_or(-1.0, in_ms);
        json!({
            "blocked": told(self.blocked), "dns": told(self.dns), "connect": told(self.connect),
            "ssl": told(self.ssl), "send": in_ms(self.send), "wait": in_ms(self.wait),
            "receive": in_ms(self.receive),
        })
    }
}
