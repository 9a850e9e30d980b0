//! Lines of proxies: HAProxy's where it has a word for it, else Envoy's.

use super::{Case, Log};

/// A line of HAProxy's: times, status, how it ended, how often it connected again.
fn http(times: &str, status: &str, state: &str, retries: u32) -> String {
    format!(
        "192.0.2.7:50122 [02/Mar/2026:10:10:00.000] h b/s1 {times} {status} 217 - - {state}-- 1/1/0/0/{retries} 0/0 \"GET /o/b HTTP/1.1\"\n"
    )
}

fn tcp(times: &str, state: &str) -> String {
    format!("192.0.2.7:50122 [02/Mar/2026:10:10:00.000] t b/s1 {times} 517 {state} 1/1/0/0/0 0/0\n")
}

fn bad(state: &str) -> String {
    format!(
        "192.0.2.7:50122 [02/Mar/2026:10:10:00.000] h h/<NOSRV> -1/-1/-1/-1/705 400 0 - - {state}-- 1/1/0/0/0 0/0 \"<BADREQ>\"\n"
    )
}

fn envoy(status: u16, flags: &str, took: u32, service: &str) -> String {
    format!(
        "[2026-03-02T10:10:00.000Z] \"GET /o/b HTTP/1.1\" {status} {flags} 0 95 {took} {service} \"192.0.2.7\" \"curl/8.5.0\" \"6f0c\" \"files.example\" \"198.51.100.4:80\"\n"
    )
}

/// Rule, variant, a line of it, and one that is nearly that.
type Row = (&'static str, Option<&'static str>, String, String);

/// What clients did, or what lies before the proxy.
fn before() -> Vec<Row> {
    vec![
        (
            "proxy-front-left",
            Some("waiting"),
            http("0/0/0/-1/700", "-1", "CH", 0),
            http("0/0/0/699/700", "200", "CD", 0),
        ),
        (
            "proxy-front-left",
            Some("queued"),
            http("0/9/-1/-1/9", "-1", "CQ", 0),
            http("0/9/0/4/13", "200", "--", 0),
        ),
        (
            "proxy-front-left",
            Some("connecting"),
            http("0/0/-1/-1/9", "-1", "CC", 0),
            http("0/0/9/4/13", "200", "--", 0),
        ),
        // A connection that was opened and not used is no fault.
        ("proxy-front-left", Some("in-the-reply"), http("0/0/0/4/9", "200", "CD", 0), bad("CR")),
        ("proxy-front-silent", Some("before-the-request"), bad("cR"), bad("CR")),
        ("proxy-front-silent", Some("in-the-data"), tcp("1/0/350000", "cD"), tcp("1/0/350000", "--")),
        ("proxy-front-malformed", None, bad("PR"), bad("CR")),
    ]
}

/// What servers did, or what lies behind the proxy.
fn behind() -> Vec<Row> {
    vec![
        (
            "proxy-back-closed",
            Some("refused"),
            http("0/0/-1/-1/5", "503", "SC", 0),
            http("0/0/0/4/5", "503", "--", 0),
        ),
        (
            "proxy-back-closed",
            Some("before-the-reply"),
            http("0/0/0/-1/5", "502", "SH", 0),
            http("0/0/0/5/5", "502", "--", 0),
        ),
        ("proxy-back-closed", Some("in-the-reply"), tcp("1/0/350000", "SD"), tcp("1/0/350000", "--")),
        (
            "proxy-back-silent",
            Some("not-accepted"),
            http("0/0/-1/-1/500", "503", "sC", 0),
            http("0/0/499/4/503", "200", "--", 0),
        ),
        (
            "proxy-back-silent",
            Some("no-reply"),
            http("0/0/0/-1/9300", "504", "sH", 0),
            http("0/0/0/900/901", "504", "--", 0),
        ),
        (
            "proxy-back-silent",
            Some("queued"),
            http("0/300/-1/-1/300", "503", "sQ", 0),
            http("0/300/0/4/304", "200", "--", 0),
        ),
        ("proxy-back-silent", Some("in-the-data"), tcp("1/0/350000", "sD"), tcp("1/0/350000", "--")),
        ("proxy-back-malformed", None, envoy(502, "UPE", 5, "-"), envoy(502, "-", 5, "4")),
        (
            "proxy-back-absent",
            None,
            http("0/-1/-1/-1/0", "503", "SC", 0).replace("b/s1", "b/<NOSRV>"),
            http("0/0/0/4/5", "503", "--", 0),
        ),
        (
            "proxy-connect-retried",
            None,
            http("0/0/10/4/20", "200", "--", 1),
            http("0/0/10/4/20", "200", "--", 0),
        ),
        (
            "proxy-connect-slow",
            None,
            http("0/0/1010/4/1020", "200", "--", 0),
            http("0/0/890/4/900", "200", "--", 0),
        ),
    ]
}

/// What the proxy itself did.
fn within() -> Vec<Row> {
    vec![
        ("proxy-withdrawn", None, tcp("1/0/350000", "UD"), tcp("1/0/350000", "--")),
        ("proxy-refused", None, http("0/0/0/4/9", "403", "PH", 0), http("0/0/0/4/9", "403", "--", 0)),
        ("proxy-exhausted", None, http("0/0/0/4/9", "500", "RC", 0), http("0/0/0/4/9", "500", "--", 0)),
        // It answers by itself, as it was told to.
        ("proxy-internal", None, http("0/0/0/4/9", "500", "IH", 0), http("0/0/0/-1/9", "302", "LR", 0)),
        ("proxy-aged", None, envoy(408, "SI", 300_000, "-"), envoy(408, "-", 900, "899")),
        (
            "proxy-queue",
            None,
            http("0/1500/0/4/1510", "200", "--", 0),
            http("0/990/0/4/1000", "200", "--", 0),
        ),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    let rows = before().into_iter().chain(behind()).chain(within());
    rows.map(|(rule, variant, line, near)| {
        let is_envoy = line.starts_with('[');
        let well = if is_envoy { envoy(200, "-", 9, "8") } else { http("0/0/0/4/9", "200", "--", 0) };
        Case {
            rule,
            variant,
            count: 1,
            positive: Log::Proxy(vec![line]),
            near_miss: Log::Proxy(vec![near]),
            others: Log::Proxy(vec![well; 3]),
        }
    })
    .collect()
}
