//! What the journals tell, for Prometheus.

use repono_journal::Side;

use crate::board::{Board, DURATION_BOUNDS_S, Durations, Totals};

use super::{Kind, family, gauge};

/// Every metric of the board.
pub(crate) fn text(board: &Board) -> String {
    let (totals, lines) = (board.totals(), board.lines());
    let one = |value: String| [(String::new(), value)];
    let counter =
        |name: &str, help: &str, count: u64| family(Kind::Counter, name, help, one(count.to_string()));
    let closes = totals.closes.iter().map(|([side, by, how], count)| {
        (format!("{{side=\"{side}\",by=\"{by}\",how=\"{how}\"}}"), count.to_string())
    });
    let requests = totals.requests.iter().map(|([side, reuse], count)| {
        (format!("{{side=\"{side}\",connection=\"{reuse}\"}}"), count.to_string())
    });
    [
        histogram(
            "http_client_request_duration_seconds",
            "Attempts at requests, from the caller's question to their end, from the clients' journals.",
            totals,
            |side| side == Side::Client.as_str(),
        ),
        histogram(
            "http_server_request_duration_seconds",
            "Requests of heads and vending, from their journals.",
            totals,
            |side| side != Side::Client.as_str(),
        ),
        family(
            Kind::Counter,
            "repono_requests_total",
            "Requests by whether they were the first on their connection.",
            requests,
        ),
        counter(
            "repono_requests_resent_total",
            "Attempts of clients beyond a request's first.",
            totals.resent,
        ),
        family(
            Kind::Counter,
            "repono_connections_closed_total",
            "Ends of connections, by who recorded them, who ended them, and how.",
            closes,
        ),
        gauge(
            "repono_monitor_lag_seconds",
            "Age of what was read last from the journals, while there is more to read.",
            one(format!("{:.3}", lines.lag_s)),
        ),
        counter("repono_monitor_lines_read_total", "Lines of journals that were read.", lines.read),
        counter("repono_monitor_lines_damaged_total", "Lines that are no records.", lines.damaged),
        counter(
            "repono_monitor_lines_late_total",
            "Records that ended over 60 s before one that their journal had before them.",
            lines.late,
        ),
        counter(
            "repono_monitor_lines_ahead_total",
            "Records that say they ended over 60 s from now, which are not counted.",
            lines.ahead,
        ),
    ]
    .concat()
}

fn histogram(name: &str, help: &str, totals: &Totals, of_side: impl Fn(&str) -> bool) -> String {
    let mut text = family(Kind::Histogram, name, help, []);
    for (key, durations) in totals.durations.iter().filter(|(key, _)| of_side(key.side)) {
        let status =
            key.status.map(|status| format!(",http_response_status_code=\"{status}\"")).unwrap_or_default();
        let labels = format!("side=\"{}\",http_request_method=\"{}\"{status}", key.side, key.method);
        buckets(&mut text, name, &labels, durations);
    }
    text
}

fn buckets(text: &mut String, name: &str, labels: &str, durations: &Durations) {
    let mut below: u64 = 0;
    let mut line = |suffix: &str, labels: &str, value: &str| {
        text.extend([name, suffix, "{", labels, "} ", value, "\n"]);
    };
    for (bound, count) in DURATION_BOUNDS_S.iter().zip(durations.buckets) {
        below = below.saturating_add(count);
        line("_bucket", &format!("{labels},le=\"{bound}\""), &below.to_string());
    }
    line("_bucket", &format!("{labels},le=\"+Inf\""), &durations.count.to_string());
    line("_sum", labels, &durations.sum_s.to_string());
    line("_count", labels, &durations.count.to_string());
}
