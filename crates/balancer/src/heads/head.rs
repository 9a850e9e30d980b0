//! One head, and a connection's place at it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use repono_journal::Stamp;
use repono_relay::Order;
use tokio::sync::{Notify, watch};

use super::Heads;
use crate::conduct::Sign;
use crate::conduct::waits::Total;
use crate::config::HeadAddress;

/// One head.
pub struct Head {
    name: String,
    address: SocketAddr,
    connections: AtomicUsize,
    /// Turns, and the time waited in them: counted without the table's lock, because
    /// every turn is.
    turns: AtomicU64,
    waited_us: AtomicU64,
    pub(super) orders: watch::Sender<Order>,
    pub(super) doubt: Notify,
}

impl Head {
    pub(super) fn new(head: &HeadAddress) -> Self {
        Self {
            name: head.name.clone(),
            address: head.address,
            connections: AtomicUsize::new(0),
            turns: AtomicU64::new(0),
            waited_us: AtomicU64::new(0),
            orders: watch::Sender::new(Order::Continue),
            doubt: Notify::new(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its balancer-only address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that it has from this balancer.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    /// Its turns so far.
    #[must_use]
    pub fn turns(&self) -> Total {
        Total {
            turns: self.turns.load(Ordering::Relaxed),
            waited: Duration::from_micros(self.waited_us.load(Ordering::Relaxed)),
        }
    }

    /// What its connections are ordered to do.
    #[must_use]
    pub fn orders(&self) -> watch::Receiver<Order> {
        self.orders.subscribe()
    }

    /// Waits until a connection could not be opened, which calls for a check at once.
    ///
    /// *Cancel safety*: a doubt is not lost.
    pub async fn doubted(&self) {
        self.doubt.notified().await;
    }
}

/// One connection's place at a head.
pub struct Lease {
    heads: Arc<Heads>,
    head: Arc<Head>,
    slot: usize,
}

impl Lease {
    pub(super) fn new(heads: &Arc<Heads>, head: &Arc<Head>, slot: usize) -> Self {
        head.connections.fetch_add(1, Ordering::AcqRel);
        Self { heads: Arc::clone(heads), head: Arc::clone(head), slot }
    }

    /// The head's slot.
    #[must_use]
    pub const fn slot(&self) -> usize {
        self.slot
    }

    /// The head.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// A turn was answered after so much waiting that was not told before.
    ///
    /// *Cost*: two additions that threads share.
    pub fn answered(&self, waited: Duration) {
        self.head.turns.fetch_add(1, Ordering::Relaxed);
        self.waits(waited);
    }

    /// The client has waited so long already, and still does.
    pub fn waits(&self, charge: Duration) {
        let charge = u64::try_from(charge.as_micros()).unwrap_or(u64::MAX);
        self.head.waited_us.fetch_add(charge, Ordering::Relaxed);
    }

    /// What this connection showed of its head.
    pub fn sign(&self, sign: Sign, at: Stamp) {
        self.heads.sign(self.slot, sign, at);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.head.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&self.slot).finish()
    }
}
