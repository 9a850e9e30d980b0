//! A second attempt beside a first one that is heard of no more.
//!
//! A reused connection may have died unseen. What the kernel knows of it tells so
//! within a fraction of a second: a request that is not acknowledged was lost on the
//! path. One that is acknowledged and not answered may be on its way through a slow
//! server, or lost behind the next hop: it is overtaken later, and only as often as
//! [`crate::pool::path::Path`] allows.

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
use crate::pool::link::Link;
use crate::pool::{Freshness, Host, Permit};

/// The least time that an acknowledgement is waited for: more than a peer may hold
/// one back (40 ms), and a lost packet is sent again after 200 ms.
const UNACKNOWLEDGED_MIN: Duration = Duration::from_millis(200);

/// How often a silent connection is looked at.
const LOOK: Duration = Duration::from_millis(25);

/// Why an attempt was overtaken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The request was not acknowledged: it was lost on the path.
    Path,
    /// It was acknowledged, and not answered in the time that answers take.
    Peer,
}

impl Cause {
    /// The code in the journal.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Path => "PathSilent",
            Self::Peer => "PeerSilent",
        }
    }
}

/// Sends a request that may be sent twice, on any connection; a second time, on a
/// fresh one, when the first ends without an answer or falls silent. The first
/// answer wins; the other attempt is dropped.
pub(super) async fn run(host: &Arc<Host>, copy: &Copy, started: Stamp) -> Result<Reply, ClientError> {
    let (reused, lent) = oneshot::channel();
    let from = Origin::Pool(Freshness::Any);
    let mut first = pin!(once(host, copy.request(host)?, from, 1, started, Some(reused)));
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
    let once = once(host, copy.request(host)?, from, 2, started, None).await;
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
}

impl Silent {
    /// It has lost the race.
    fn lost(&self, host: &Host) {
        let now = Instant::now();
        host.path(|path| {
            path.died_after(self.lent.idle_before, now);
            path.overtaken(now);
        });
        host.distrust_idle();
    }
}

/// Completes when the connection that was lent has fallen silent.
async fn silence(host: &Host, lent: oneshot::Receiver<Lent>) -> Silent {
    let Ok(lent) = lent.await else { return std::future::pending().await };
    let sent = Instant::now();
    let rtt = |info: &TcpInfo| Duration::from_micros(info.rtt_us.into());
    loop {
        sleep(LOOK).await;
        // Its end shows in the attempt.
        let Some(info) = lent.link.tcp() else { return std::future::pending().await };
        let waited = sent.elapsed();
        let unheard = Duration::from_millis(info.last_ack_recv_ms.into()) + LOOK >= waited;
        if waited >= UNACKNOWLEDGED_MIN.max(rtt(&info) * 2) && info.unacked > 0 && unheard {
            lent.link.silenced(Cause::Path.code());
            return Silent { lent };
        }
        let overtake = host.path(|path| waited >= path.overtaken_after() && path.pay(Instant::now()));
        if overtake {
            lent.link.silenced(Cause::Peer.code());
            return Silent { lent };
        }
    }
}
