//! Curl's own words, in the wordings of its versions.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::event::{Failure, Instant};

/// What curl's words say. `number` is that of the connection, which some versions
/// leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Info {
    /// A transfer begins, or goes on to another address.
    Begins,
    Connected {
        number: Option<u64>,
    },
    Reused {
        number: Option<u64>,
    },
    HandshakeBegins,
    Certificate,
    HandshakeFinished,
    HandshakeDone,
    /// The connection was dead, and curl tries another.
    Died,
    Failure(Failure),
    LeftIntact {
        number: Option<u64>,
    },
    Closing,
    /// What changes nothing.
    Other,
}

/// What begins with such words means this.
const BEGINNINGS: [(&str, Info); 24] = [
    ("Trying ", Info::Begins),
    ("About to connect() to ", Info::Begins),
    ("Connection died, ", Info::Died),
    ("SSL connection using ", Info::HandshakeDone),
    ("closing connection ", Info::Closing),
    ("Closing connection ", Info::Closing),
    ("shutting down connection ", Info::Closing),
    ("Could not resolve ", Info::Failure(Failure::Name)),
    ("Couldn't resolve ", Info::Failure(Failure::Name)),
    ("Resolving timed out ", Info::Failure(Failure::Name)),
    ("Failed to connect to ", Info::Failure(Failure::Connect)),
    ("Connection timeout after ", Info::Failure(Failure::Connect)),
    ("Connection timed out after ", Info::Failure(Failure::Connect)),
    ("Empty reply from server", Info::Failure(Failure::Closed)),
    ("transfer closed with ", Info::Failure(Failure::Closed)),
    ("end of response with ", Info::Failure(Failure::Closed)),
    ("Send failure: ", Info::Failure(Failure::Send)),
    ("Recv failure: ", Info::Failure(Failure::Receive)),
    ("Operation timed out after ", Info::Failure(Failure::TimedOut)),
    ("Operation too slow", Info::Failure(Failure::TimedOut)),
    ("SSL connection timeout", Info::Failure(Failure::Tls)),
    ("SSL certificate problem", Info::Failure(Failure::Tls)),
    ("SSL: no alternative certificate subject name matches", Info::Failure(Failure::Tls)),
    ("Received HTTP/0.9 when not allowed", Info::Failure(Failure::Protocol)),
];

/// Failures by TLS libraries and schannel, which name the call that failed.
const TLS_CALLS: [(&str, Failure); 8] = [
    ("SSL_connect: ", Failure::Tls),
    ("schannel: failed to receive handshake", Failure::Tls),
    ("schannel: SEC_E_", Failure::Tls),
    ("SSL_read: ", Failure::Receive),
    ("unexpected eof while reading", Failure::Receive),
    ("SSL_write: ", Failure::Send),
    ("schannel: server closed abruptly", Failure::Receive),
    ("TLS connect error: ", Failure::Tls),
];

impl Info {
    pub(super) fn of(text: &str) -> Self {
        let text = text.trim_start();
        if let Some((_, info)) = BEGINNINGS.iter().find(|(beginning, _)| text.starts_with(beginning)) {
            return *info;
        }
        if let Some(connected) = connected(text) {
            return connected;
        }
        if text.ends_with(" left intact") && text.starts_with("Connection ") {
            return Self::LeftIntact { number: number(text) };
        }
        if text.contains(" handshake, ") {
            return handshake(text);
        }
        let call = TLS_CALLS.iter().find(|(call, _)| text.contains(call));
        call.map_or(Self::Other, |(_, failure)| Self::Failure(*failure))
    }
}

fn connected(text: &str) -> Option<Info> {
    let number = number(text);
    if text.starts_with("Connected to ") || text.starts_with("Established connection to ") {
        return Some(Info::Connected { number });
    }
    let reused = ["Re-using existing ", "Reusing existing "].iter().any(|word| text.starts_with(word));
    (reused && text.contains("connection")).then_some(Info::Reused { number })
}

/// `TLSv1.3 (IN), TLS handshake, Certificate (11):`, or `(304) (IN), …`.
fn handshake(text: &str) -> Info {
    if text.contains("(OUT)") && text.contains("Client hello (1)") {
        Info::HandshakeBegins
    } else if text.contains("(IN)") && text.contains("Certificate (11)") {
        Info::Certificate
    } else if text.contains("(IN)") && text.contains("Finished (20)") {
        Info::HandshakeFinished
    } else {
        Info::Other
    }
}

/// `#7`, wherever it stands.
fn number(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once('#')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

/// The status of a status line: `HTTP/1.1 200 OK`, `HTTP/2 200`.
pub(super) fn status(line: &str) -> Option<u16> {
    let (_, rest) = line.strip_prefix("HTTP/")?.split_once(' ')?;
    rest.get(..3)?.parse().ok()
}

/// A date of a reply (RFC 9110 section 5.6.7).
pub(super) fn clock(value: &str) -> Option<Instant> {
    let dated = value.strip_suffix("GMT").map(|date| format!("{date}+0000"))?;
    OffsetDateTime::parse(&dated, &Rfc2822).ok().map(Instant::from)
}

/// What an exit code of curl's means (`man curl`, EXIT CODES); `None` for none that a
/// connection has to do with.
pub(in super::super) fn failure_of_code(code: u16) -> Option<Failure> {
    match code {
        5 | 6 => Some(Failure::Name),
        7 => Some(Failure::Connect),
        1 | 8 | 16 | 92 => Some(Failure::Protocol),
        18 | 52 => Some(Failure::Closed),
        22 => Some(Failure::Status),
        23 | 42 => Some(Failure::Abandoned),
        28 => Some(Failure::TimedOut),
        35 | 51 | 53 | 54 | 58 | 59 | 60 | 77 | 80 | 83 | 90 | 91 | 98 => Some(Failure::Tls),
        55 => Some(Failure::Send),
        56 => Some(Failure::Receive),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Info;
    use crate::event::Failure;

    #[test]
    fn versions_say_the_same_in_other_words() {
        let connected = |number| Info::Connected { number };
        let reused = |number| Info::Reused { number };
        let said = [
            ("  Trying 127.0.0.1:46647...", Info::Begins),
            ("Connected to a (127.0.0.1) port 80 (#3)", connected(Some(3))),
            ("Connected to a (127.0.0.1) port 80", connected(None)),
            ("Established connection to a (127.0.0.1 port 80) from 127.0.0.1 port 4000 ", connected(None)),
            ("Re-using existing connection! (#0) with host a", reused(Some(0))),
            ("Re-using existing connection #12 with host a", reused(Some(12))),
            ("Re-using existing connection with host a", reused(None)),
            ("Reusing existing http: connection with host a", reused(None)),
            ("Connection #1 to host a left intact", Info::LeftIntact { number: Some(1) }),
            ("Connection #1 to host a:80 left intact", Info::LeftIntact { number: Some(1) }),
            ("Closing connection 0", Info::Closing),
            ("shutting down connection #0", Info::Closing),
            ("Connection died, retrying a fresh connect", Info::Died),
            ("Connection died, retrying a fresh connect (retry count: 1)", Info::Died),
            ("TLSv1.3 (IN), TLS handshake, Certificate (11):", Info::Certificate),
            ("(304) (OUT), TLS handshake, Client hello (1):", Info::HandshakeBegins),
            ("OpenSSL SSL_read: Connection reset by peer, errno 104", Info::Failure(Failure::Receive)),
            ("Connection #0 seems to be dead", Info::Other),
        ];
        for (text, info) in said {
            assert_eq!(Info::of(text), info, "{text}");
        }
    }
}
