//! The clocks of one connection, and a stream that keeps them.
//!
//! ```text
//! Quiet --first byte of a head--> Head --its last byte--> Busy --reply made--> Quiet
//! ```
//! Bytes of a next request that came together with the last one begin no new
//! `Head`: they are read when the reply has been sent, under the idle clock.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use repono_journal::{ConnectionRecord, Phase};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::limits::{BODY_MAX, HEAD_MAX, IDLE_MAX, STRANGER_IDLE_MAX};

/// A request from its head to its reply: its body, and the longest queue of
/// argon2id, with room to spare.
const REQUEST_MAX: Duration = Duration::from_secs(2 * BODY_MAX.as_secs());

/// Which clock ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expired {
    /// Between requests.
    Idle,
    /// Within a request's head.
    Head,
    /// Within a request.
    Request,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Quiet,
    Head,
    Busy,
}

/// Whether a ticket has been vended on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acquaintance {
    /// Not yet.
    Stranger,
    /// At least one.
    Known,
}

/// What a request finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Begun {
    /// Requests before it.
    pub(super) requests: u64,
    /// How long the connection had been quiet before its first byte.
    pub(super) idle: Duration,
}

struct Progress {
    stage: Stage,
    since: Instant,
    /// How long the last quiet stage was.
    idle: Duration,
    acquaintance: Acquaintance,
    requests: u64,
    bytes_in: u64,
    bytes_out: u64,
}

/// The clocks of one connection; a clone shares them.
#[derive(Clone)]
pub(super) struct Clock(Arc<Shared>);

struct Shared {
    progress: Mutex<Progress>,
    stage_changed: Notify,
}

impl Clock {
    /// A connection that is open and quiet since `now`.
    pub(super) fn new(now: Instant) -> Self {
        let progress = Progress {
            stage: Stage::Quiet,
            since: now,
            idle: Duration::ZERO,
            acquaintance: Acquaintance::Stranger,
            requests: 0,
            bytes_in: 0,
            bytes_out: 0,
        };
        Self(Arc::new(Shared { progress: Mutex::new(progress), stage_changed: Notify::new() }))
    }

    /// A request's head is complete.
    pub(super) fn request_begins(&self, now: Instant) -> Begun {
        let mut progress = self.progress();
        let requests = progress.requests;
        progress.requests += 1;
        self.enter(&mut progress, Stage::Busy, now);
        Begun { requests, idle: progress.idle }
    }

    /// Its reply is made.
    pub(super) fn request_ends(&self, now: Instant, acquaintance: Acquaintance) {
        let mut progress = self.progress();
        match acquaintance {
            Acquaintance::Known => progress.acquaintance = Acquaintance::Known,
            Acquaintance::Stranger => {}
        }
        self.enter(&mut progress, Stage::Quiet, now);
    }

    /// When the clock of the present stage runs out.
    pub(super) fn deadline(&self) -> Instant {
        let progress = self.progress();
        progress.since
            + match (progress.stage, progress.acquaintance) {
                (Stage::Quiet, Acquaintance::Stranger) => STRANGER_IDLE_MAX,
                (Stage::Quiet, Acquaintance::Known) => IDLE_MAX,
                (Stage::Head, _) => HEAD_MAX,
                (Stage::Busy, _) => REQUEST_MAX,
            }
    }

    /// The clock that has run out, if one has.
    pub(super) fn expired(&self, now: Instant) -> Option<Expired> {
        if now < self.deadline() {
            return None;
        }
        Some(match self.progress().stage {
            Stage::Quiet => Expired::Idle,
            Stage::Head => Expired::Head,
            Stage::Busy => Expired::Request,
        })
    }

    /// Waits until another clock runs.
    pub(super) async fn stage_changed(&self) {
        self.0.stage_changed.notified().await;
    }

    /// Whether no byte of a request has come yet.
    pub(super) fn is_unused(&self) -> bool {
        let progress = self.progress();
        progress.requests == 0 && progress.stage == Stage::Quiet
    }

    /// Writes down what the connection came to.
    pub(super) fn tell(&self, record: &mut ConnectionRecord) {
        let progress = self.progress();
        record.requests = progress.requests;
        record.bytes_in = progress.bytes_in;
        record.bytes_out = progress.bytes_out;
        record.phase = match progress.stage {
            Stage::Quiet => Phase::Idle,
            Stage::Head => Phase::RequestHead,
            Stage::Busy => Phase::Wait,
        };
        if progress.stage == Stage::Quiet {
            record.idle_at_close_ns = u64::try_from(progress.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        }
    }

    fn received(&self, bytes: usize) {
        let mut progress = self.progress();
        progress.bytes_in = progress.bytes_in.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        match progress.stage {
            Stage::Quiet if bytes > 0 => self.enter(&mut progress, Stage::Head, Instant::now()),
            Stage::Quiet | Stage::Head | Stage::Busy => {}
        }
    }

    fn sent(&self, bytes: usize) {
        let mut progress = self.progress();
        progress.bytes_out = progress.bytes_out.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    fn enter(&self, progress: &mut Progress, stage: Stage, now: Instant) {
        if progress.stage == Stage::Quiet {
            progress.idle = now.saturating_duration_since(progress.since);
        }
        progress.stage = stage;
        progress.since = now;
        self.0.stage_changed.notify_one();
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that tells its clock of every byte.
pub(super) struct Clocked<S> {
    inner: S,
    clock: Clock,
}

impl<S> Clocked<S> {
    pub(super) const fn new(inner: S, clock: Clock) -> Self {
        Self { inner, clock }
    }

    pub(super) fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Clocked<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if read.is_ready() {
            self.clock.received(buffer.filled().len().saturating_sub(before));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Clocked<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        if let Poll::Ready(Ok(bytes)) = &written {
            self.clock.sent(*bytes);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, advance};

    use super::{Acquaintance, Begun, Clock, Expired, REQUEST_MAX};
    use crate::limits::{HEAD_MAX, IDLE_MAX, STRANGER_IDLE_MAX};

    #[tokio::test(start_paused = true)]
    async fn each_stage_has_its_clock() {
        let clock = Clock::new(Instant::now());
        assert!(clock.is_unused());
        assert_eq!(clock.deadline(), Instant::now() + STRANGER_IDLE_MAX);
        advance(STRANGER_IDLE_MAX).await;
        assert_eq!(clock.expired(Instant::now()), Some(Expired::Idle));
        clock.received(1);
        assert_eq!(clock.deadline(), Instant::now() + HEAD_MAX);
        advance(HEAD_MAX / 2).await;
        clock.received(1);
        assert_eq!(clock.deadline(), Instant::now() + HEAD_MAX / 2, "more bytes win no time");
        advance(HEAD_MAX).await;
        assert_eq!(clock.expired(Instant::now()), Some(Expired::Head));
        assert_eq!(clock.request_begins(Instant::now()), Begun { requests: 0, idle: STRANGER_IDLE_MAX });
        assert_eq!(clock.expired(Instant::now()), None);
        advance(REQUEST_MAX).await;
        assert_eq!(clock.expired(Instant::now()), Some(Expired::Request));
        clock.request_ends(Instant::now(), Acquaintance::Known);
        assert_eq!(clock.deadline(), Instant::now() + IDLE_MAX);
        assert_eq!(clock.request_begins(Instant::now()).requests, 1);
        clock.request_ends(Instant::now(), Acquaintance::Stranger);
        assert_eq!(clock.deadline(), Instant::now() + IDLE_MAX, "a later refusal makes nobody a stranger");
        assert!(!clock.is_unused());
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_of_stage_wakes_who_waits() {
        let clock = Clock::new(Instant::now());
        clock.received(1);
        clock.stage_changed().await;
        clock.request_begins(Instant::now());
        clock.stage_changed().await;
    }
}
