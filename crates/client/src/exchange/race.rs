//! A second attempt beside a first one that is heard of no more.
//!
//! A reused connection may have died unseen. What the kernel knows of it tells so
//! within a fraction of a second: a request that is not acknowledged was lost on the
//! path. One that is acknowledged and not answered may be on its way through a slow
//! server, or lost behind the next hop: it is overtaken later. How often either is done is for
//! [`crate::pool::budget`].

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use repono_journal::Stamp;
use repono_net::socket::TcpInfo;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::attempt::{Lost, Origin, once};
use super::{Copy, Reply};
use crate::error::ClientError;
use crate::pool::idle::IdleEnd;
use crate::pool::link::Link;
use crate::pool::path::Cause;
use crate::pool::{Freshness, Host, Permit};

/// The least time that an acknowledgement is waited for: more than a peer may hold
/// one back (40 ms), and a lost packet is sent again after 200 ms.
const UNACKNOWLEDGED_MIN: Duration = Duration::from_millis(200);

/// How often a silent connection is looked at.
const LOOK: Duration = Duration::from_millis(25);

/// Sends a request that may be sent twice, on any connection; a second time, on a
/// fresh one, when the first ends without an answer or falls silent. The first
/// answer wins; the other attempt is dropped.
pub(super) async fn run(host: &Arc<Host>, copy: &Copy, started: Stamp) -> Result<Reply, ClientError> {
    let (reused, lent) = oneshot::channel();
    let from = Origin::Pool(Freshness::Any);
    let mut first = pin!(once(host, copy.request(host)?, from, copy.number, started, Some(reused)));
    let silent = tokio::select! {
        biased;
        ended = &mut first => return match ended {
            Ok(reply) => Ok(reply),
            Err(Lost::Reused) => again(host, copy, Origin::Pool(Freshness::Fresh), started).await,
            Err(Lost::Failed(error)) => Err(error),
        },
        silent = silence(host, lent) => silent,
    };
    let beside = Origin::Beside(Arc::clone(&silent.lent.permit));
    let mut second = pin!(again(host, copy, beside, started));
    tokio::select! {
        ended = &mut first => match ended {
            Ok(reply) => Ok(reply),
            Err(_) => second.await,
        },
        ended = &mut second => match ended {
            Ok(reply) => {
                silent.lost(host);
                Ok(reply)
            }
            // The first may yet be answered.
            Err(error) => first.await.map_err(|lost| match lost {
                Lost::Reused => error,
                Lost::Failed(error) => error,
            }),
        },
    }
}

/// Once more, on a fresh connection.
async fn again(host: &Arc<Host>, copy: &Copy, from: Origin, started: Stamp) -> Result<Reply, ClientError> {
    let number = copy.number.saturating_add(1);
    let once = once(host, copy.request(host)?, from, number, started, None).await;
    once.map_err(|lost| match lost {
        Lost::Failed(error) => error,
        // A fresh connection has nothing to be overtaken for.
        Lost::Reused => ClientError::Busy,
    })
}

/// A reused connection that a request was sent on.
pub(super) struct Lent {
    pub(super) link: Arc<Link>,
    pub(super) idle_before: Duration,
    /// For the attempt beside it.
    pub(super) permit: Permit,
}

/// One that has fallen silent.
struct Silent {
    lent: Lent,
    cause: Cause,
}

impl Silent {
    /// It has lost the race. A path that has swallowed the request, and says nothing
    /// yet, teaches how long a connection may idle on it; a peer that has the request
    /// may only be slow.
    fn lost(&self, host: &Host) {
        let now = Instant::now();
        let swallowed = match self.cause {
            Cause::Path => self.lent.link.tcp().is_some_and(|info| info.unacked > 0),
            Cause::Peer => false,
        };
        host.path(|path| {
            if swallowed {
                path.died_after(self.lent.idle_before, IdleEnd::Silence, now);
            }
            path.overtaken(now);
        });
        host.distrust_idle();
    }
}

/// Completes when the connection that was lent has fallen silent, and a second attempt
/// is allowed.
async fn silence(host: &Host, lent: oneshot::Receiver<Lent>) -> Silent {
    let Ok(lent) = lent.await else { return std::future::pending().await };
    let sent = Instant::now();
    loop {
        sleep(LOOK).await;
        // Its end shows in the attempt.
        let Some(info) = lent.link.tcp() else { return std::future::pending().await };
        let Some(cause) = cause(host, &info, sent.elapsed()) else { continue };
        if host.path(|path| path.allows(cause, sent, Instant::now())) {
            lent.link.silenced(cause.code());
            return Silent { lent, cause };
        }
    }
}

/// Why a request that was sent so long ago is to be overtaken, if it is.
fn cause(host: &Host, info: &TcpInfo, waited: Duration) -> Option<Cause> {
    let rtt = Duration::from_micros(info.rtt_us.into());
    let unheard = Duration::from_millis(info.last_ack_recv_ms.into()) + LOOK >= waited;
    if info.unacked > 0 && unheard {
        return (waited >= UNACKNOWLEDGED_MIN.max(rtt * 2)).then_some(Cause::Path);
    }
    (waited >= host.path(|path| path.overtaken_after())).then_some(Cause::Peer)
}
