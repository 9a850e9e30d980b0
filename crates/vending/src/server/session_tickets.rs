//! Keys of TLS session tickets, this process's alone and new every day.
//!
//! Clients come once in twenty minutes, so a restart costs each of them one full
//! handshake; sharing the heads' keys would let a head open vending's sessions.

use std::sync::Arc;

use rand::Rng;
use repono_net::tls::{TicketKey, TicketKeyError, TicketKeys};
use tokio::time::{Instant, interval_at};
use zeroize::Zeroizing;

use crate::limits::TLS_TICKET_KEY_AGE_MAX;

/// The keys that TLS uses, and the secret of the current one.
pub(super) struct SessionTickets {
    keys: Arc<TicketKeys>,
    secret: Zeroizing<[u8; 32]>,
}

impl SessionTickets {
    /// The first key.
    ///
    /// *Errors*: [`TicketKeyError`].
    pub(super) fn new() -> Result<Self, TicketKeyError> {
        let secret = Zeroizing::new(rand::rng().random());
        let keys = TicketKeys::new(TicketKey::derive(&secret)?, Vec::new());
        Ok(Self { keys, secret })
    }

    /// The keys, for the configuration of TLS.
    pub(super) fn keys(&self) -> Arc<TicketKeys> {
        Arc::clone(&self.keys)
    }

    /// Replaces the key every day, until the task is dropped; the one before is
    /// accepted for a day more.
    pub(super) async fn rotate(mut self) {
        let mut days = interval_at(Instant::now() + TLS_TICKET_KEY_AGE_MAX, TLS_TICKET_KEY_AGE_MAX);
        loop {
            days.tick().await;
            let secret = Zeroizing::new(rand::rng().random());
            match (TicketKey::derive(&secret), TicketKey::derive(&self.secret)) {
                (Ok(next), Ok(last)) => {
                    self.keys.replace(next, vec![last]);
                    self.secret = secret;
                }
                (Err(error), _) | (_, Err(error)) => {
                    tracing::error!(%error, "the key of TLS session tickets stays in use for another day");
                }
            }
        }
    }
}
