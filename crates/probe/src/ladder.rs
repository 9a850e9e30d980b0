//! How long a connection may be quiet, and how it ends: many connections at once,
//! each quiet for longer than the one before, so that all take as long as the longest.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::conversation::{ANSWER_LIMIT, Answer, Keepalive, Manner, Probe, Quiet};
use crate::target::{Persistence, Target};
use crate::watch::Watch;

/// The first step.
const FIRST: Duration = Duration::from_secs(1);
/// From step to step: what lies between the longest that was answered and the shortest
/// that was not is then known to 7 %.
const CLOSE_RATIO: f64 = 1.15;
/// To 22 %: enough to see that a limit is another one.
const WIDE_RATIO: f64 = 1.5;
/// The same for connections whose kernel asks each second: they only tell whether that
/// helps.
const HELD_RATIO: f64 = 2.0;
/// Handshakes at a time: the endpoint is not to be flooded.
const OPENING_MAX: usize = 8;
/// An answer above this share of the limit may have met its end on the way.
const RACE_SHARE: f64 = 0.9;

/// How many connections there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// Many, and some of which the kernel asks whether the peer is there: 54 up to 360 s.
    Close,
    /// Few, for who probes again and again: 16 up to 360 s.
    Wide,
}

/// How a connection is kept quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Nothing is sent.
    Quiet,
    /// The kernel asks each second (`SO_KEEPALIVE`).
    KeepaliveHeld,
}

/// One connection of the ladder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rung {
    /// How it was kept quiet.
    pub kind: Kind,
    /// For how long it was to be, seconds.
    pub idle_s: f64,
    /// What came of it.
    #[serde(flatten)]
    pub end: End,
}

/// What came of a rung.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "end")]
pub enum End {
    /// A request after the quiet was answered.
    Answered {
        /// In so long, seconds.
        answer_s: f64,
    },
    /// It ended while it was quiet.
    Closed {
        /// How.
        manner: Manner,
        /// After so long, seconds.
        after_s: f64,
    },
    /// The request after the quiet was not answered.
    Failed {
        /// What it met.
        manner: Manner,
        /// After how long a quiet, seconds.
        after_s: f64,
    },
    /// Nothing is known: no connection, no first answer, an answer that closes.
    Unknown,
}

/// How long a connection may be quiet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Idle {
    /// The limit; `None` where none was met.
    pub limit_s: Option<f64>,
    /// The longest quiet that was answered, where the limit lies between two steps.
    pub at_least_s: Option<f64>,
    /// The longest quiet that was tried.
    pub tested_to_s: f64,
    /// How it ends.
    pub manner: Manner,
    /// The shortest and the longest after which connections ended by themselves.
    pub spread_s: Option<(f64, f64)>,
    /// Whether a connection that the kernel asks about lasts longer; `None` where no
    /// such connection tells.
    pub keepalive_extends: Option<bool>,
    /// Each connection.
    pub rungs: Vec<Rung>,
}

/// The steps up to a longest quiet.
fn steps(longest: Duration, ratio: f64) -> Vec<Duration> {
    let mut steps = Vec::new();
    let mut next = FIRST.min(longest);
    while next < longest {
        steps.push(next);
        next = next.mul_f64(ratio);
    }
    steps.push(longest);
    steps
}

/// Each connection, those of which the kernel asks last.
fn rows(longest: Duration, spacing: Spacing) -> Vec<(Kind, Duration)> {
    let (ratio, held) = match spacing {
        Spacing::Close => (CLOSE_RATIO, steps(longest, HELD_RATIO)),
        Spacing::Wide => (WIDE_RATIO, Vec::new()),
    };
    let quiet = steps(longest, ratio).into_iter().rev().map(|idle| (Kind::Quiet, idle));
    quiet.chain(held.into_iter().rev().map(|idle| (Kind::KeepaliveHeld, idle))).collect()
}

/// How many connections it takes.
#[must_use]
pub fn connections(longest: Duration, spacing: Spacing) -> usize {
    rows(longest, spacing).len()
}

/// Climbs: takes as long as `longest` and the wait for the last answer.
///
/// *Cancel safety*: every connection is dropped with the future.
pub async fn climb(
    target: &Arc<Target>,
    config: &Arc<ClientConfig>,
    longest: Duration,
    spacing: Spacing,
    watch: &Arc<Watch>,
) -> Idle {
    let opening = Arc::new(Semaphore::new(OPENING_MAX));
    let mut running = JoinSet::new();
    // The longest first: they are what the whole waits for.
    for (kind, idle) in rows(longest, spacing) {
        let (target, config) = (Arc::clone(target), Arc::clone(config));
        let (opening, watch) = (Arc::clone(&opening), Arc::clone(watch));
        running.spawn(async move {
            let end = rung(&target, &config, kind, idle, &opening, &watch).await;
            Rung { kind, idle_s: idle.as_secs_f64(), end }
        });
    }
    let mut rungs = running.join_all().await;
    rungs.sort_by(|a, b| a.idle_s.total_cmp(&b.idle_s));
    Idle::read(rungs, longest.as_secs_f64())
}

async fn rung(
    target: &Target,
    config: &Arc<ClientConfig>,
    kind: Kind,
    idle: Duration,
    opening: &Semaphore,
    watch: &Watch,
) -> End {
    let keepalive = match kind {
        Kind::Quiet => Keepalive::Off,
        Kind::KeepaliveHeld => Keepalive::EverySecond,
    };
    let request = target.head_request(Persistence::Keep);
    let Ok(permit) = opening.acquire().await else { return End::Unknown };
    let Ok(mut probe) = Probe::open(target, config, keepalive).await else { return End::Unknown };
    match probe.ask(&request, ANSWER_LIMIT).await {
        Answer::Replied(reply, _) if !reply.closes() => {}
        Answer::Replied(..) | Answer::Ended(_) | Answer::Unreadable(_) => return End::Unknown,
    }
    drop(permit);
    watch.update(|standing| standing.quiet += 1);
    let end = match probe.rest(idle).await {
        Quiet::Ended(manner, after) => End::Closed { manner, after_s: after.as_secs_f64() },
        Quiet::KeepaliveUnanswered => {
            End::Failed { manner: Manner::Silent, after_s: probe.quiet_for().as_secs_f64() }
        }
        Quiet::Stray => End::Unknown,
        Quiet::Kept => {
            let after_s = probe.quiet_for().as_secs_f64();
            match probe.ask(&request, ANSWER_LIMIT).await {
                Answer::Replied(_, answer) => End::Answered { answer_s: answer.as_secs_f64() },
                Answer::Ended(manner) => End::Failed { manner, after_s },
                Answer::Unreadable(_) => End::Unknown,
            }
        }
    };
    watch.update(|standing| {
        standing.quiet -= 1;
        match end {
            End::Answered { .. } => standing.answered += 1,
            End::Unknown => {}
            End::Closed { manner, after_s } | End::Failed { manner, after_s } => {
                standing.ended += 1;
                standing.first_end.get_or_insert((manner, Duration::from_secs_f64(after_s)));
            }
        }
    });
    end
}

impl Idle {
    /// What the rungs say, which come in the order of their quiet.
    fn read(rungs: Vec<Rung>, tested_to_s: f64) -> Self {
        let quiet = || rungs.iter().filter(|rung| rung.kind == Kind::Quiet);
        let mut closed: Vec<(f64, Manner)> = quiet()
            .filter_map(|rung| match rung.end {
                End::Closed { manner, after_s } => Some((after_s, manner)),
                End::Answered { .. } | End::Failed { .. } | End::Unknown => None,
            })
            .collect();
        closed.sort_by(|a, b| a.0.total_cmp(&b.0));
        let failed = quiet().find_map(|rung| match rung.end {
            End::Failed { manner, after_s } => Some((after_s, manner)),
            End::Closed { .. } | End::Answered { .. } | End::Unknown => None,
        });
        let median = closed.get(closed.len() / 2).copied();
        // Where connections end by themselves, a request that met an end just before
        // was only late.
        let failed = failed.filter(|(after, _)| median.is_none_or(|(limit, _)| *after < limit * RACE_SHARE));
        let spread_s = closed.first().zip(closed.last()).map(|(first, last)| (first.0, last.0));
        let (limit_s, at_least_s, manner) = match (failed, median) {
            (Some((after, manner)), _) => {
                let answered = quiet()
                    .rfind(|rung| matches!(rung.end, End::Answered { .. }) && rung.idle_s < after)
                    .map_or(0.0, |rung| rung.idle_s);
                // Between the two; the middle of a geometric row.
                let middle = if answered > 0.0 { (answered * after).sqrt() } else { after };
                (Some(middle), Some(answered), manner)
            }
            (None, Some((limit, manner))) => (Some(limit), None, manner),
            (None, None) => (None, None, Manner::None),
        };
        let keepalive_extends = limit_s.and_then(|limit| held(&rungs, limit));
        Self { limit_s, at_least_s, tested_to_s, manner, spread_s, keepalive_extends, rungs }
    }

    /// How many connections met their end.
    #[must_use]
    pub fn failures(&self) -> usize {
        let gone = |end: &End| matches!(end, End::Closed { .. } | End::Failed { .. });
        self.rungs.iter().filter(|rung| gone(&rung.end)).count()
    }

    /// Whether no connection could be kept quiet at all.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.rungs.iter().all(|rung| rung.end == End::Unknown)
    }
}

/// Whether those that the kernel asks about outlast the limit.
fn held(rungs: &[Rung], limit: f64) -> Option<bool> {
    let beyond =
        rungs.iter().filter(|rung| rung.kind == Kind::KeepaliveHeld && rung.idle_s > limit / RACE_SHARE);
    let told: Vec<bool> = beyond
        .filter(|rung| rung.end != End::Unknown)
        .map(|rung| matches!(rung.end, End::Answered { .. }))
        .collect();
    if told.is_empty() { None } else { Some(told.iter().all(|answered| *answered)) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{End, Idle, Kind, Rung, Spacing, connections};
    use crate::conversation::Manner;

    fn ladder(end: impl Fn(f64) -> End, held: impl Fn(f64) -> End) -> Idle {
        let row = |kind, ratio: f64| {
            let idles = std::iter::successors(Some(1.0), move |s| Some(s * ratio)).take_while(|s| *s < 60.0);
            idles.map(move |idle_s| (kind, idle_s))
        };
        let mut rungs: Vec<_> = row(Kind::Quiet, 1.15)
            .chain(row(Kind::KeepaliveHeld, 2.0))
            .map(|(kind, idle_s)| Rung {
                kind,
                idle_s,
                end: if kind == Kind::Quiet { end(idle_s) } else { held(idle_s) },
            })
            .collect();
        rungs.sort_by(|a, b| a.idle_s.total_cmp(&b.idle_s));
        Idle::read(rungs, 60.0)
    }

    const ANSWERED: End = End::Answered { answer_s: 0.001 };

    /// A box that drops after 10 s, before a server that ends after 40 s.
    #[test]
    fn the_first_that_fails_counts_and_the_limit_lies_before_it() {
        let end = |idle: f64| match idle {
            ..10.0 => ANSWERED,
            10.0..40.0 => End::Failed { manner: Manner::Silent, after_s: idle },
            _ => End::Closed { manner: Manner::Fin, after_s: 40.0 },
        };
        let idle = ladder(end, |_| ANSWERED);
        let limit = idle.limit_s.expect("a limit");
        assert!((limit / 10.0 - 1.0).abs() < 0.1, "{limit}");
        assert_eq!((idle.manner, idle.keepalive_extends), (Manner::Silent, Some(true)));
    }

    #[test]
    fn a_request_that_raced_the_end_does_not_make_it_silent() {
        let end = |idle: f64| match idle {
            ..9.5 => ANSWERED,
            9.5..11.0 => End::Failed { manner: Manner::RstOnSend, after_s: idle },
            _ => End::Closed { manner: Manner::FinCloseNotify, after_s: 10.0 },
        };
        let idle = ladder(end, end);
        assert_eq!((idle.limit_s, idle.manner), (Some(10.0), Manner::FinCloseNotify));
        assert_eq!(idle.keepalive_extends, Some(false));
    }

    #[test]
    fn no_end_is_no_limit() {
        let idle = ladder(|_| ANSWERED, |_| ANSWERED);
        assert_eq!((idle.limit_s, idle.manner, idle.keepalive_extends), (None, Manner::None, None));
        assert!(!idle.is_unknown());
    }

    /// With what else is open at a time it is below what may be opened unasked.
    #[test]
    fn the_usual_ladder_takes_fewer_connections_than_need_a_question() {
        let six_minutes = |spacing| connections(Duration::from_secs(360), spacing);
        assert!(six_minutes(Spacing::Close) <= 60, "{}", six_minutes(Spacing::Close));
        assert_eq!((six_minutes(Spacing::Close), six_minutes(Spacing::Wide)), (54, 16), "as documented");
    }
}
