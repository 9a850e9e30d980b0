//! Tickets: fetched, kept until shortly before they expire.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use repono_core::time::{Timestamp, parse_utc_seconds};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::body::Outgoing;
use crate::error::ClientError;
use crate::exchange::{Ask, exchange};
use crate::pool::Host;
use crate::profile::Profile;
use crate::secret::Secret;

/// A ticket that expires sooner is not used: the request may take its time, and
/// clocks differ by up to 30 s.
const SPARE_S: u64 = 60;

/// An answer with five headers and a token.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// Where tickets come from.
pub(crate) struct Tickets {
    vending: Arc<Host>,
    user: String,
    user_secret: Secret,
    application: String,
    application_secret: Secret,
    /// What every ticket that is kept is asked for with.
    wish: TicketWish,
    /// Held across the fetch: many requests that find no ticket cause one.
    kept: Mutex<Option<Ticket>>,
}

/// One ticket, as header fields.
#[derive(Clone)]
pub(crate) struct Ticket {
    headers: HeaderMap,
    expires_s: u64,
}

impl Ticket {
    /// The fields to send, each marked as sensitive.
    pub(crate) fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn is_usable(&self, now_s: u64) -> bool {
        now_s.saturating_add(SPARE_S) < self.expires_s
    }

    fn is(&self, other: &Self) -> bool {
        self.headers == other.headers
    }
}

/// What a ticket is asked for with, beyond the profile's credentials.
#[derive(Clone, Debug, Default)]
pub struct TicketWish {
    /// Life in seconds; vending's default where there is none.
    pub life_s: Option<u64>,
    /// What the ticket is narrowed to, such as `m=GET,HEAD;p=/v1/demo/files/`.
    pub scope: Option<String>,
}

/// A ticket as vending gave it.
pub struct VendedTicket {
    /// The header fields to send, by name.
    pub headers: BTreeMap<String, Secret>,
    /// The same ticket as one string, for `X-Auth-Token`.
    pub token: Secret,
    /// When it ends, `YYYY-MM-DDTHH:MM:SSZ`.
    pub expires: String,
}

#[derive(Serialize)]
struct Wish<'a> {
    user: &'a str,
    secret: &'a str,
    application: &'a str,
    application_secret: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    life_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

#[derive(Deserialize)]
struct Granted {
    headers: BTreeMap<String, Secret>,
    token: Secret,
    expires: String,
}

impl Tickets {
    pub(crate) fn new(vending: Arc<Host>, profile: &Profile, wish: TicketWish) -> Self {
        Self {
            vending,
            user: format!("{}:{}", profile.account, profile.user),
            user_secret: profile.user_secret.clone(),
            application: profile.application.to_string(),
            application_secret: profile.application_secret.clone(),
            wish,
            kept: Mutex::new(None),
        }
    }

    /// A ticket that is valid for a while yet.
    pub(crate) async fn ticket(&self) -> Result<Ticket, ClientError> {
        let mut kept = self.kept.lock().await;
        let now_s = Timestamp::from_system(SystemTime::now()).unix_seconds();
        if let Some(ticket) = kept.as_ref().filter(|ticket| ticket.is_usable(now_s)) {
            return Ok(ticket.clone());
        }
        let ticket = self.fetch().await?;
        *kept = Some(ticket.clone());
        Ok(ticket)
    }

    /// A head has refused this ticket: it is not used again.
    pub(crate) async fn refused(&self, ticket: &Ticket) {
        let mut kept = self.kept.lock().await;
        if kept.as_ref().is_some_and(|current| current.is(ticket)) {
            *kept = None;
        }
    }

    /// A ticket of its own, not kept.
    pub(crate) async fn vend(&self, wish: &TicketWish) -> Result<VendedTicket, ClientError> {
        let Granted { headers, token, expires } = parse(&self.ask(wish).await?)?;
        Ok(VendedTicket { headers, token, expires })
    }

    async fn fetch(&self) -> Result<Ticket, ClientError> {
        read(&self.ask(&self.wish).await?)
    }

    async fn ask(&self, wish: &TicketWish) -> Result<Bytes, ClientError> {
        let wish = Wish {
            user: &self.user,
            secret: self.user_secret.expose(),
            application: &self.application,
            application_secret: self.application_secret.expose(),
            life_s: wish.life_s,
            scope: wish.scope.as_deref(),
        };
        let text =
            serde_json::to_vec(&wish).map_err(|_| ClientError::Protocol("a wish that cannot be written"))?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let body = Outgoing::whole(Bytes::from(text));
        let ask = Ask {
            method: Method::POST,
            target: "/v1/tickets".to_owned(),
            headers,
            body,
            number: 1,
            trace: self.vending.trace(),
        };
        let mut reply = exchange(&self.vending, ask).await?;
        if !reply.status.is_success() {
            return Err(reply.answer().await.into_error());
        }
        reply.whole(ANSWER_BYTES_MAX).await
    }
}

fn parse(body: &[u8]) -> Result<Granted, ClientError> {
    serde_json::from_slice(body).map_err(|_| ClientError::Protocol("a ticket that cannot be read"))
}

/// Only the ticket's own fields are taken over: a vending service that was taken
/// over must not choose `Host` or `Content-Length`.
fn read(body: &[u8]) -> Result<Ticket, ClientError> {
    let granted = parse(body)?;
    let expires_s = parse_utc_seconds(granted.expires.as_bytes())
        .ok_or(ClientError::Protocol("a ticket without a readable expiry"))?;
    let mut headers = HeaderMap::new();
    for (name, value) in &granted.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok().filter(|n| n.as_str().starts_with("x-auth-"));
        let value = HeaderValue::from_str(value.expose()).ok();
        let (Some(name), Some(mut value)) = (name, value) else {
            return Err(ClientError::Protocol("a ticket with fields that are no ticket's"));
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(Ticket { headers, expires_s })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_ticket_is_its_own_fields_and_nothing_else() {
        let ticket = read(
            br#"{"headers":{"x-auth-user":"demo:demo"},"token":"RK1.x","expires":"2015-08-16T01:22:43Z"}"#,
        );
        let ticket = ticket.ok().unwrap();
        assert_eq!(ticket.headers()["x-auth-user"], "demo:demo");
        assert!(format!("{:?}", ticket.headers()).contains("Sensitive"));
        assert!(ticket.is_usable(1_439_688_163 - 61));
        assert!(!ticket.is_usable(1_439_688_163 - 60));
        for bad in [
            r#"{"headers":{"host":"evil"},"expires":"2015-08-16T01:22:43Z"}"#,
            r#"{"headers":{"x-auth-user":"a\nb"},"expires":"2015-08-16T01:22:43Z"}"#,
            r#"{"headers":{},"expires":"tomorrow"}"#,
            "[]",
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
