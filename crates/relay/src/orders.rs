//! What the owner of a relay can ask of it while it runs.

use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;

/// An order; a later one replaces an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Go on.
    Continue,
    /// End with FIN once nothing has moved for `quiet` and the server owes no
    /// answer.
    Finish {
        /// How long is quiet enough.
        quiet: Duration,
        /// The time over which the ends of many connections are spread, each at its
        /// own [`crate::Stagger`]: those that are quiet already would otherwise end,
        /// and their clients come back, in one moment.
        spread: Duration,
    },
    /// End at once with RST on both sides, unless the server has sent something
    /// within `silent`.
    Reset {
        /// How long the server must have said nothing.
        silent: Duration,
    },
}

/// Where a relay learns of orders.
#[derive(Clone, Debug)]
pub struct Orders(Option<watch::Receiver<Order>>);

impl Orders {
    /// None will come.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Those sent on a channel, beginning with the one that stands when the relay
    /// begins.
    #[must_use]
    pub fn from_channel(mut receiver: watch::Receiver<Order>) -> Self {
        if *receiver.borrow() != Order::Continue {
            receiver.mark_changed();
        }
        Self(Some(receiver))
    }

    /// The next order; never, once the sender is gone.
    pub(crate) async fn next(&mut self) -> Order {
        if let Some(receiver) = &mut self.0
            && receiver.changed().await.is_ok()
        {
            return *receiver.borrow_and_update();
        }
        self.0 = None;
        pending().await
    }
}
