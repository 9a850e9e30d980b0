//! When to look after a connection that is quiet, without a clock that runs while it
//! is not: is the peer still there, and may it leave if there are too many?

use repono_net::socket::{TcpInfo, tcp_info};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::limits::{ACK_LOOK, QUIET_SPARED};

/// The looks at one quiet time.
pub(super) struct Vigil {
    since: Instant,
    stage: Stage,
}

/// ```text
/// Unproven --all is acknowledged--> Proven --quiet for long--> Long
///     |  ^------still under way-+                                (final)
///     +-- the peer is gone
/// ```
#[derive(Clone, Copy)]
enum Stage {
    /// The last reply may not have arrived. The instant of the next look.
    Unproven(Instant),
    /// It has.
    Proven,
    /// It may leave.
    Long,
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing to do before the next look.
    Nothing,
    /// The peer has left without a word.
    Gone,
    /// It has been quiet for so long that it may leave.
    Long,
}

impl Vigil {
    /// Over a quiet time that began then.
    pub(super) fn new(since: Instant) -> Self {
        Self { since, stage: Stage::Unproven(since + ACK_LOOK) }
    }

    /// When to look; `None` when there is nothing more to look for.
    pub(super) fn next(&self) -> Option<Instant> {
        match self.stage {
            Stage::Unproven(at) => Some(at),
            Stage::Proven => Some(self.since + QUIET_SPARED),
            Stage::Long => None,
        }
    }

    /// Looks, at or after [`Vigil::next`].
    pub(super) fn look(&mut self, tcp: &TcpStream, now: Instant) -> Found {
        self.found(tcp_info(tcp).ok().as_ref(), now)
    }

    /// The same, by what the kernel was asked already.
    pub(super) fn found(&mut self, info: Option<&TcpInfo>, now: Instant) -> Found {
        match self.stage {
            Stage::Unproven(_) => match info {
                Some(info) if info.peer_is_gone() => Found::Gone,
                Some(info) if info.unacked > 0 && now < self.since + QUIET_SPARED => {
                    self.stage = Stage::Unproven(now + ACK_LOOK);
                    Found::Nothing
                }
                Some(_) | None => {
                    self.stage = Stage::Proven;
                    Found::Nothing
                }
            },
            Stage::Proven => {
                self.stage = Stage::Long;
                Found::Long
            }
            Stage::Long => Found::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use repono_net::socket::tcp_info;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::Instant;

    use super::{ACK_LOOK, Found, QUIET_SPARED, Vigil};

    #[tokio::test(start_paused = true)]
    async fn a_peer_is_looked_for_until_all_is_acknowledged() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let acknowledged = tcp_info(&stream).unwrap();
        let mut under_way = acknowledged;
        under_way.unacked = 1;
        let mut gone = under_way;
        (gone.retransmits, gone.last_ack_recv_ms, gone.snd_wnd) = (3, 5_000, Some(1));

        let begun = Instant::now();
        let mut vigil = Vigil::new(begun);
        assert_eq!(vigil.next(), Some(begun + ACK_LOOK));
        assert_eq!(vigil.found(Some(&under_way), begun + ACK_LOOK), Found::Nothing);
        assert_eq!(vigil.next(), Some(begun + 2 * ACK_LOOK), "again, and soon");
        assert_eq!(vigil.found(Some(&acknowledged), begun + 2 * ACK_LOOK), Found::Nothing);
        assert_eq!(vigil.next(), Some(begun + QUIET_SPARED));
        assert_eq!(vigil.found(Some(&gone), begun + QUIET_SPARED), Found::Long, "keepalive's business now");
        assert_eq!(vigil.next(), None);

        let mut vigil = Vigil::new(begun);
        assert_eq!(vigil.found(Some(&gone), begun + ACK_LOOK), Found::Gone);

        let (mut vigil, mut now) = (Vigil::new(begun), begun);
        while vigil.next().is_some_and(|at| at < begun + QUIET_SPARED) {
            now += ACK_LOOK;
            assert_eq!(vigil.found(Some(&under_way), now), Found::Nothing);
        }
        assert!(now <= begun + QUIET_SPARED + Duration::from_secs(6), "a path that loses much is no reason");
    }
}
