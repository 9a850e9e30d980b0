//! The path to the system, probed now and then: how long a connection may be idle on it,
//! and how it ends. One that is another than it was is a change, with its time.
//!
//! A probe opens some 16 connections, asks once on each, and lets each be quiet for longer
//! than the one before. Where it finds something else than the one before, it is made
//! again at once, and only what both found is told: a head that is restarted ends quiet
//! connections too.

mod measured;

use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io};

use repono_journal::Stamp;
use repono_net::tls::{ALPN_HTTP1, Trust, TrustError, Versions};
use repono_probe::ladder::{self, Spacing};
use repono_probe::target::{Target, TargetError};
use repono_probe::watch::Watch;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::board::ChangeSeen;
use crate::collector::SharedBoard;
use crate::config::PathProbe;
use crate::state_file::{Kept, StateFile};

use measured::Measured;

/// Who probes, in the endpoint's own log.
const AGENT: &str = "repono-monitor";
/// Who changed something, and what, in the list of changes: nobody told us who.
pub(crate) const WHO: &str = "monitor";
pub(crate) const WHAT: &str = "path.idle";
/// One that is due by what is on disk waits so long after a start: services that start
/// with the monitor are not to be measured while they do.
const SETTLE: Duration = Duration::from_secs(60);

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("the file of authorities cannot be read")]
    Authorities(#[source] io::Error),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("no connection could be had that stays open after an answer")]
    NoConnection,
}

/// A probe is running already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Running;

/// The path, as the task that probes and the routes share it.
#[derive(Clone, Debug)]
pub(crate) struct Path(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: PathProbe,
    shown: String,
    file: Option<StateFile<Remembered>>,
    board: Option<SharedBoard>,
    standing: Mutex<Standing>,
    asked: Notify,
}

#[derive(Clone, Debug, Default)]
struct Standing {
    last: Option<Measured>,
    changed: Option<Change>,
    state: State,
    next_ms: Option<u64>,
    failed: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Waiting,
    /// Somebody wants one, or it is under way.
    Running,
}

/// The last change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Change {
    at_ms: u64,
    from: String,
    to: String,
}

impl Change {
    fn seen(&self) -> ChangeSeen {
        ChangeSeen::new(self.at_ms, WHO, WHAT, &self.from, &self.to)
    }
}

/// What outlives the process.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    version: u32,
    last: Option<Measured>,
    changed: Option<Change>,
}

impl Kept for Remembered {
    const NAME: &'static str = "path.json";
    const VERSION: u32 = 1;
    /// Two measurements in words and numbers have below 2 KiB.
    const BYTES_MAX: u64 = 64 << 10;

    fn version(&self) -> u32 {
        self.version
    }
}

/// What is told of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Told {
    pub(crate) target: String,
    pub(crate) probed_ms: Option<u64>,
    pub(crate) next_ms: Option<u64>,
    pub(crate) running: bool,
    pub(crate) limit_s: Option<f64>,
    pub(crate) tested_to_s: Option<f64>,
    pub(crate) manner: Option<&'static str>,
    pub(crate) changed: Option<String>,
    pub(crate) changed_ms: Option<u64>,
    /// Why the last probe measured nothing.
    pub(crate) failed: Option<String>,
}

impl Path {
    /// With what an earlier one found.
    ///
    /// *Errors*: those of the state directory.
    pub(crate) fn open(
        config: PathProbe,
        state_dir: Option<&FilePath>,
        board: Option<SharedBoard>,
    ) -> io::Result<Self> {
        let file = state_dir.map(StateFile::<Remembered>::in_dir).transpose()?;
        let shown = Target::shown(&config.target).map_err(io::Error::other)?;
        let remembered = file.as_ref().and_then(StateFile::read);
        let (last, changed) = remembered.map_or((None, None), |it| (it.last, it.changed));
        // Another target has a path of its own.
        let (last, changed) = if last.as_ref().is_some_and(|last| last.target == shown) {
            (last, changed)
        } else {
            (None, None)
        };
        let standing = Mutex::new(Standing { last, changed, ..Standing::default() });
        Ok(Self(Arc::new(Shared { config, shown, file, board, standing, asked: Notify::new() })))
    }

    /// Has it probed now.
    ///
    /// *Errors*: [`Running`].
    pub(crate) fn ask(&self) -> Result<(), Running> {
        let mut standing = self.standing();
        match standing.state {
            State::Running => Err(Running),
            State::Waiting => {
                standing.state = State::Running;
                self.0.asked.notify_one();
                Ok(())
            }
        }
    }

    /// The last change that was found.
    pub(crate) fn change(&self) -> Option<ChangeSeen> {
        self.standing().changed.as_ref().map(Change::seen)
    }

    pub(crate) fn told(&self) -> Told {
        let Standing { last, changed, state, next_ms, failed } = self.standing().clone();
        let last = last.as_ref();
        Told {
            target: self.0.shown.clone(),
            probed_ms: last.map(|last| last.probed_ms),
            next_ms,
            running: state == State::Running,
            limit_s: last.and_then(|last| last.limit_s),
            tested_to_s: last.map(|last| last.tested_to_s),
            manner: last.map(|last| last.manner.as_str()),
            changed: changed.as_ref().map(|Change { from, to, .. }| {
                format!("The idle limit of the path has changed: {from} before, {to} since.")
            }),
            changed_ms: changed.map(|changed| changed.at_ms),
            failed,
        }
    }

    /// Probes until the future is dropped, every so often and when it is asked for.
    pub(crate) async fn again_and_again(self) {
        let measure = || {
            let path = self.clone();
            async move { path.measure().await }
        };
        self.run(measure, || Stamp::now().wall_ns / 1_000_000).await;
    }

    async fn run<M: Future<Output = Result<Measured, ProbeError>>>(
        &self,
        measure: impl Fn() -> M,
        now_ms: impl Fn() -> u64,
    ) {
        let every = Duration::from_secs(self.0.config.every_s);
        let mut next = self.first(every, now_ms());
        loop {
            self.standing().next_ms = next.map(|next| now_ms().saturating_add(ms(next - Instant::now())));
            self.due(next).await;
            let found = self.probe(&measure).await;
            self.enter(found, now_ms());
            next = (!every.is_zero()).then(|| Instant::now() + every);
        }
    }

    /// When the first one is due: never at the start, and a period after the last one.
    fn first(&self, every: Duration, now_ms: u64) -> Option<Instant> {
        let probed_ms = self.standing().last.as_ref().map(|last| last.probed_ms);
        let since = probed_ms.map_or(Duration::ZERO, |at| Duration::from_millis(now_ms.saturating_sub(at)));
        let rest = every.saturating_sub(since).max(SETTLE.min(every));
        (!every.is_zero()).then(|| Instant::now() + rest)
    }

    async fn due(&self, next: Option<Instant>) {
        let time = async {
            match next {
                Some(next) => sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.0.asked.notified() => {}
            () = time => self.standing().state = State::Running,
        }
    }

    /// What a probe finds: what is something else than before is measured twice. `None`
    /// where the two do not agree.
    async fn probe<M: Future<Output = Result<Measured, ProbeError>>>(
        &self,
        measure: &impl Fn() -> M,
    ) -> Result<Option<Measured>, ProbeError> {
        let found = measure().await?;
        let last = self.standing().last.clone();
        if !last.is_some_and(|last| found.differs_from(&last)) {
            return Ok(Some(found));
        }
        tracing::info!(found = found.words(), "the path seems to be another one: it is probed once more");
        let again = measure().await?;
        Ok((!again.differs_from(&found)).then_some(again))
    }

    fn enter(&self, found: Result<Option<Measured>, ProbeError>, now_ms: u64) {
        let mut standing = self.standing();
        standing.state = State::Waiting;
        match found {
            Ok(found) => {
                standing.failed = None;
                let before = standing.last.clone();
                let Some(found) = found else {
                    tracing::info!("two probes of the path did not agree: what was known of it stays");
                    return;
                };
                if let Some(before) = before.filter(|before| found.differs_from(before)) {
                    let change = Change { at_ms: now_ms, from: before.words(), to: found.words() };
                    tracing::warn!(from = change.from, to = change.to, "the path's idle limit has changed");
                    if let Some(board) = &self.0.board {
                        board.lock().changed(change.seen());
                    }
                    standing.changed = Some(change);
                }
                standing.last = Some(found);
                self.keep(&standing);
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, cause, target = self.0.shown, "the path could not be probed");
                standing.failed = Some(error.to_string());
            }
        }
    }

    /// Some 500 bytes, once a probe.
    fn keep(&self, standing: &Standing) {
        let Some(file) = &self.0.file else { return };
        let Standing { last, changed, .. } = standing.clone();
        if let Err(error) = file.write(&Remembered { version: Remembered::VERSION, last, changed }) {
            tracing::warn!(%error, "what the path is like was not written to the state directory");
        }
    }

    async fn measure(&self) -> Result<Measured, ProbeError> {
        let PathProbe { target, ca, idle_max_s, .. } = &self.0.config;
        let trust = match ca {
            None => Trust::Machine,
            Some(file) => Trust::Authorities(fs::read(file).map_err(ProbeError::Authorities)?),
        };
        let config = trust.client(Versions::Both, &[ALPN_HTTP1])?;
        let target = Arc::new(Target::resolve(target, &[], AGENT).await?);
        let longest = Duration::from_secs(*idle_max_s);
        let idle = ladder::climb(&target, &config, longest, Spacing::Wide, &Arc::new(Watch::default())).await;
        let probed_ms = Stamp::now().wall_ns / 1_000_000;
        Measured::of(&idle, self.0.shown.clone(), probed_ms).ok_or(ProbeError::NoConnection)
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.0.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
