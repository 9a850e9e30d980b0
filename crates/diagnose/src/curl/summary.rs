//! Lines of `-w '%{json}'`: one for each transfer, when it is over.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;

use crate::adapter::Events;
use crate::event::{Event, Extent, Heard, Id, Instant, Kind, Place};

use super::Numbers;
use super::transfer::failure_of_code;

/// What curl says of a transfer. Times are seconds since it began.
#[derive(Debug, Deserialize)]
pub(super) struct Summary<'a> {
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    url_effective: Option<Cow<'a, str>>,
    #[serde(default)]
    exitcode: u16,
    #[serde(default)]
    response_code: u16,
    #[serde(default)]
    num_connects: u64,
    /// Since curl 8.2.
    #[serde(default)]
    conn_id: Option<i64>,
    #[serde(default)]
    time_connect: f64,
    #[serde(default)]
    time_appconnect: f64,
    #[serde(default)]
    time_pretransfer: f64,
    #[serde(default)]
    time_starttransfer: f64,
    #[serde(default)]
    time_total: f64,
}

/// Where a summary says that something happened.
struct Said<'s> {
    place: Place,
    begun: i128,
    text: &'s str,
}

impl<'a> Summary<'a> {
    pub(super) fn recognizes(line: &str) -> bool {
        line.starts_with('{') && line.contains("\"num_connects\":") && line.contains("\"time_pretransfer\":")
    }

    pub(super) fn parse(line: &'a str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    /// Hands on what it says; gives the time at which it ended.
    pub(super) fn tell(&self, place: Place, begun: i128, names: &mut Numbers, to: Events<'_>) -> i128 {
        let text = self.digest();
        let said = Said { place, begun, text: &text };
        let request = names.request();
        let method = self.method.as_deref().unwrap_or_default();
        let name = format!("{method} {}", self.url_effective.as_deref().unwrap_or_default());
        said.to(to, 0.0, Kind::Created { request, name: &name });
        self.connected(request, &said, names, to);
        if self.time_pretransfer > 0.0 {
            said.to(to, self.time_pretransfer, Kind::Begun { request, method });
            said.to(
                to,
                self.time_pretransfer,
                Kind::HeadSent { request, expects_continue: false, expires: None },
            );
        }
        if self.response_code != 0 && self.time_starttransfer > 0.0 {
            said.to(
                to,
                self.time_starttransfer,
                Kind::Answered { request, status: Some(self.response_code) },
            );
        }
        let end = match failure_of_code(self.exitcode) {
            Some(failure) => Kind::Failed { request, failure, heard: Heard::Application },
            None => Kind::Released { request },
        };
        said.to(to, self.time_total, end);
        said.at(self.time_total).0
    }

    fn connected(&self, request: Id, said: &Said<'_>, names: &mut Numbers, to: Events<'_>) {
        let number = self.conn_id.and_then(|id| u64::try_from(id).ok());
        let connection = match (self.num_connects, number) {
            // Nothing was connected to, or without a number it is not known which it was.
            (0, None) => return,
            (0, Some(number)) => names.kept(number),
            (_, number) => names.made(number),
        };
        let name = number.map_or_else(|| "a connection".to_owned(), |number| format!("connection #{number}"));
        said.to(to, 0.0, Kind::Assigned { request, connection, name: &name });
        if self.num_connects > 0 {
            said.to(to, self.time_connect, Kind::Connected { connection, peer: "" });
        }
        if self.time_appconnect > 0.0 {
            let connection = Some(connection);
            said.to(to, self.time_connect, Kind::HandshakeBegun { connection });
            said.to(to, self.time_appconnect, Kind::HandshakeDone { connection, extent: Extent::Unknown });
        }
    }

    /// The line in short: whole it is a thousand characters of what nobody asked.
    fn digest(&self) -> String {
        let Self { exitcode, response_code, num_connects, .. } = self;
        format!(
            "curl -w: num_connects {num_connects}, time_connect {:.6}, time_appconnect {:.6}, time_starttransfer {:.6}, time_total {:.6}, response_code {response_code}, exitcode {exitcode}",
            self.time_connect, self.time_appconnect, self.time_starttransfer, self.time_total,
        )
    }
}

impl Said<'_> {
    fn at(&self, seconds: f64) -> Instant {
        let span = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Instant(self.begun).after(span)
    }

    fn to(&self, to: Events<'_>, seconds: f64, kind: Kind<'_>) {
        to(Event { place: self.place, at: Some(self.at(seconds)), kind, text: self.text });
    }
}
