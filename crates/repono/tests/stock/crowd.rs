//! All clients at work at the same time, and what is done to the system meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use repono_testkit::wait;

use crate::batch::{curl, wget};
use crate::client::{CLIENTS, Client, Request};
use crate::stand::Stand;

/// How many requests each client sends, and how it pauses between them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) requests: usize,
    /// A gap lies between these two,
    pub(crate) gaps: (Duration, Duration),
    /// but one in so many is as long as `pause`.
    pub(crate) pause_every: u64,
    pub(crate) pause: Duration,
}

impl Pace {
    fn mean(&self) -> Duration {
        (self.gaps.0 + self.gaps.1) / 2
    }

    /// The longest that all of it may take, with as much again for the work.
    fn limit(&self) -> Duration {
        let pauses = u32::try_from(self.requests as u64 / self.pause_every).unwrap_or(u32::MAX);
        let gaps = self.mean() * u32::try_from(self.requests).unwrap_or(u32::MAX);
        (gaps + self.pause * pauses) * 4 + Duration::from_secs(300)
    }
}

/// Gaps that look random and are the same in every run.
struct Gaps {
    pace: Pace,
    state: u64,
}

impl Gaps {
    fn next(&mut self) -> Duration {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let drawn = self.state >> 33;
        let (shortest, longest) = self.pace.gaps;
        match drawn.is_multiple_of(self.pace.pause_every) {
            true => self.pace.pause,
            false => shortest + (longest - shortest).mul_f64((drawn % 1000) as f64 / 1000.0),
        }
    }
}

/// How far the clients are.
pub(crate) struct Progress {
    pace: Pace,
    clients: usize,
    /// Clients with a first answer, and so with a connection.
    begun: AtomicUsize,
    answered: AtomicUsize,
    ended: AtomicUsize,
}

impl Progress {
    /// Waits until this part of all requests was answered, or all clients have ended.
    pub(crate) fn reaches(&self, part: f64) {
        let wanted = (self.clients as f64 * self.pace.requests as f64 * part) as usize;
        let far = || self.answered.load(Ordering::Relaxed) >= wanted || self.is_over();
        wait::until("the clients go on", self.pace.limit(), || far().then_some(())).expect("they do");
    }

    /// Waits for some further answers.
    pub(crate) fn goes_on(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        let on = || self.answered.load(Ordering::Relaxed) >= before + self.clients || self.is_over();
        wait::until("the clients go on", self.pace.limit(), || on().then_some(())).expect("they do");
    }

    fn is_over(&self) -> bool {
        self.ended.load(Ordering::Relaxed) == self.clients
    }
}

/// What one client met.
pub(crate) struct Met {
    pub(crate) client: &'static str,
    pub(crate) requests: Vec<Request>,
}

/// What every client met while `change` was done.
pub(crate) fn under(stand: &Stand, pace: Pace, change: impl FnOnce(&Progress)) -> Vec<Met> {
    let (system, object) = (&stand.system, &stand.object);
    let (begun, answered, ended) = Default::default();
    let progress = Progress { pace, clients: CLIENTS.len(), begun, answered, ended };
    thread::scope(|scope| {
        let runs: Vec<_> = (1..)
            .zip(CLIENTS)
            .map(|(seed, kind)| {
                let progress = &progress;
                let mut gaps = Gaps { pace, state: seed };
                let run = scope.spawn(move || {
                    let _ended = Ended(progress);
                    let mut client = Client::start(system, kind);
                    let ask = |n| {
                        let request = client.ask(object);
                        if n == 0 {
                            progress.begun.fetch_add(1, Ordering::Relaxed);
                        }
                        progress.answered.fetch_add(1, Ordering::Relaxed);
                        thread::sleep(gaps.next());
                        request
                    };
                    (0..pace.requests).map(ask).collect::<Vec<Request>>()
                });
                (kind.name, run)
            })
            .collect();
        let rate = format!("{}/m", 60_000 / pace.mean().as_millis().max(1));
        let curl = scope.spawn(move || curl(system, object, "curl", pace.requests, &rate));
        let wget = scope.spawn(move || wget(system, object, pace.requests, pace.mean()));
        let batches = [("curl", curl), ("wget", wget)];
        let all = || progress.begun.load(Ordering::Relaxed) == progress.clients || progress.is_over();
        wait::until("all clients have begun", pace.limit(), || all().then_some(())).expect("they have");
        change(&progress);
        let met = |(client, run): (&'static str, thread::ScopedJoinHandle<'_, Vec<Request>>)| Met {
            client,
            requests: run.join().expect("a client"),
        };
        runs.into_iter().chain(batches).map(met).collect()
    })
}

/// Counts a client as ended, also one that panicked.
struct Ended<'a>(&'a Progress);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}
