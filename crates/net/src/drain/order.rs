//! The end of a service in order: it drains, and what is left is closed in stages.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::{Drain, StillOpen, Until};

/// How long connections are given at the end of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// From the begin of the drain, to be told by a reply that they end, or to be
    /// quiet for long.
    pub replies: Duration,
    /// After that, for the last reply and the staged close of each.
    pub closes: Duration,
}

impl Drain {
    /// Sees a service to its end: begins to drain when `shutdown` completes, or when
    /// somebody else has begun because a listener broke, and closes what is left.
    ///
    /// *Errors*: [`StillOpen`] when some were open even after that.
    /// *Cancel safety*: the drain goes on, and nobody closes it.
    pub async fn end_in_order(
        &self,
        shutdown: impl Future<Output = ()>,
        allowance: Allowance,
    ) -> Result<(), StillOpen> {
        let mut signal = self.signal();
        tokio::select! {
            () = shutdown => {}
            () = signal.reached(Until::Draining) => {}
        }
        let begun = Instant::now();
        self.begin(begun);
        if let Err(open) = self.wait_idle(begun + allowance.replies).await {
            tracing::warn!(%open, "connections are closed before they were quiet");
        }
        self.close();
        self.wait_idle(Instant::now() + allowance.closes).await
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::{Allowance, Drain, StillOpen, Until};

    const ALLOWANCE: Allowance =
        Allowance { replies: Duration::from_secs(30), closes: Duration::from_secs(4) };

    #[tokio::test(start_paused = true)]
    async fn an_empty_service_ends_at_once_and_a_broken_listener_is_a_reason() {
        let begun = Instant::now();
        assert_eq!(Drain::new().end_in_order(ready(()), ALLOWANCE).await, Ok(()));
        let drain = Drain::new();
        drain.begin(Instant::now());
        assert_eq!(drain.end_in_order(pending(), ALLOWANCE).await, Ok(()));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_open_at_the_close_gets_its_staged_close() {
        let drain = Drain::new();
        let begun = Instant::now();
        let connection = {
            let (mut signal, guard) = (drain.signal(), drain.signal().guard());
            tokio::spawn(async move {
                signal.reached(Until::Closing).await;
                sleep(Duration::from_secs(2)).await;
                drop(guard);
            })
        };
        assert_eq!(drain.end_in_order(ready(()), ALLOWANCE).await, Ok(()));
        assert_eq!(begun.elapsed(), Duration::from_secs(32));
        connection.await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_stops_the_end() {
        let drain = Drain::new();
        let begun = Instant::now();
        let _stuck = drain.signal().guard();
        assert_eq!(drain.end_in_order(ready(()), ALLOWANCE).await, Err(StillOpen(1)));
        assert_eq!(begun.elapsed(), Duration::from_secs(34));
    }
}
