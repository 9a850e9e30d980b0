//! What the journals tell.

use repono_journal::Side;

use super::{Family, Kind, Labels, Sample, label};
use crate::board::{Board, DurationKey, IDLE_BOUNDS_S, OTHER, REQUEST_BOUNDS_S, SERVICES, Server, Totals};

/// Every metric of the board.
pub(super) fn families(board: &Board) -> Vec<Family> {
    let totals = board.totals();
    let mut families = requests(totals);
    families.extend(clients(totals));
    families.extend(connections(totals));
    families.extend(reading(board));
    families
}

fn requests(totals: &Totals) -> Vec<Family> {
    let of = |wanted: fn(&str) -> bool| {
        let durations = totals.durations.iter().filter(move |(key, _)| wanted(key.side));
        durations.map(|(key, durations)| Sample::durations(of(key), REQUEST_BOUNDS_S, durations.clone()))
    };
    let requests = totals.requests.iter().map(|([side, reuse], count)| {
        Sample::count(vec![label("side", side), label("connection", reuse)], *count)
    });
    vec![
        Family::new(
            Kind::Histogram,
            "http_client_request_duration_seconds",
            "Attempts at requests, from the caller's question to their end, from the clients' journals.",
            of(|side| side == Side::Client.as_str()),
        ),
        Family::new(
            Kind::Histogram,
            "http_server_request_duration_seconds",
            "Requests of heads and vending, from their journals.",
            of(|side| side != Side::Client.as_str()),
        ),
        Family::counter(
            "repono_requests_total",
            "Requests by whether they were the first on their connection.",
            requests,
        ),
        Family::counter(
            "repono_tickets_total",
            "Tickets that vending was asked for, by what became of it.",
            [("issued", totals.tickets.issued), ("refused", totals.tickets.refused)]
                .map(|(outcome, count)| Sample::count(vec![label("outcome", outcome)], count)),
        ),
    ]
}

/// By OpenTelemetry's attributes; `side` stands before them.
fn of(key: &DurationKey) -> Labels {
    let mut labels = vec![label("side", key.side), label("http_request_method", key.method)];
    labels.extend(key.status.map(|status| ("http_response_status_code", status.to_string())));
    labels.extend(key.error_type.map(|kind| label("error_type", kind)));
    let (address, port) = match key.server {
        Server::Own => {
            labels.push(label("url_scheme", "https"));
            return labels;
        }
        Server::At(address) => (address.ip().to_string(), address.port().to_string()),
        Server::Other => (OTHER.to_owned(), "0".to_owned()),
    };
    labels.extend([("server_address", address), ("server_port", port)]);
    labels
}

fn clients(totals: &Totals) -> Vec<Family> {
    let (stale, retries) = (totals.stale, totals.retries);
    let each = |name, counts: &[(&str, u64)]| {
        let samples = counts.iter().map(|(word, count)| Sample::count(vec![label(name, word)], *count));
        samples.collect::<Vec<_>>()
    };
    vec![
        Family::counter(
            "repono_requests_resent_total",
            "Attempts of clients beyond a request's first.",
            [Sample::count(Vec::new(), totals.resent)],
        ),
        Family::counter(
            "repono_client_stale_reuse_total",
            "Attempts of clients that died with a reused connection before a reply: repeated by the client \
             itself, or returned to whoever asked.",
            each("outcome", &[("repeated", stale.repeated), ("returned", stale.returned)]),
        ),
        Family::counter(
            "repono_client_retries_total",
            "Attempts on reused connections that clients gave up and made again by themselves, by why.",
            each(
                "cause",
                &[
                    ("connection-broken", retries.broken),
                    ("path-silent", retries.path_silent),
                    ("peer-silent", retries.peer_silent),
                ],
            ),
        ),
    ]
}

fn connections(totals: &Totals) -> Vec<Family> {
    let three = |names: [&'static str; 3]| {
        move |(words, count): (&[&'static str; 3], &u64)| {
            let labels = names.into_iter().zip(words).map(|(name, word)| label(name, word));
            Sample::count(labels.collect(), *count)
        }
    };
    vec![
        Family::counter(
            "repono_connections_closed_total",
            "Ends of connections, by who recorded them, who ended them, and how.",
            totals.closes.iter().map(three(["side", "by", "how"])),
        ),
        Family::counter(
            "repono_lb_connections_closed_total",
            "Ends of the balancer's connections, by who ended them, how, and in which phase.",
            totals.lb_closes.iter().map(three(["closed_by", "reason", "phase"])),
        ),
        Family::new(
            Kind::Histogram,
            "repono_lb_connection_idle_seconds",
            "How long the balancer's connections had been idle when they ended.",
            [Sample::durations(Vec::new(), IDLE_BOUNDS_S, totals.lb_idle.clone())],
        ),
        Family::counter(
            "repono_connections_late_total",
            "Connections to which bytes of a request came after their head had closed them.",
            [Sample::count(Vec::new(), totals.late)],
        ),
    ]
}

fn reading(board: &Board) -> Vec<Family> {
    let (totals, lines) = (board.totals(), board.lines());
    let one = |name, help, count| Family::counter(name, help, [Sample::count(Vec::new(), count)]);
    let dropped = SERVICES.map(|service| {
        let count = totals.dropped.get(service).copied().unwrap_or_default();
        Sample::count(vec![label("service", service)], count)
    });
    vec![
        Family::counter(
            "repono_journal_dropped_total",
            "Records that journals lost because they came faster than they could be written.",
            dropped,
        ),
        Family::gauge(
            "repono_monitor_lag_seconds",
            "Age of what was read last from the journals, while there is more to read.",
            [Sample::number(Vec::new(), lines.lag_s)],
        ),
        one("repono_monitor_lines_read_total", "Lines of journals that were read.", lines.read),
        one("repono_monitor_lines_damaged_total", "Lines that are no records.", lines.damaged),
        one(
            "repono_monitor_lines_late_total",
            "Records that ended over 60 s before one that their journal had before them.",
            lines.late,
        ),
        one(
            "repono_monitor_lines_ahead_total",
            "Records that say they ended over 60 s from now, which are not counted.",
            lines.ahead,
        ),
    ]
}
