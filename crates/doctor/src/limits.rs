//! How many requests a connection serves and for how long, whether an announced end comes, and whether
//! `Expect` is heeded.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use repono_probe::conversation::{ANSWER_LIMIT, Answer, Keepalive, Manner, Probe, Quiet};
use repono_probe::target::{Persistence, Target};

/// An announced end that does not come within this leaves a client waiting for it.
const END_LIMIT: Duration = Duration::from_secs(5);
/// Requests one after another take no longer than this, however slow the endpoint is.
const REQUESTS_LIMIT: Duration = Duration::from_secs(20);
/// More seldom than a person who reads, and often enough to be in use.
const ASKED_EVERY: Duration = Duration::from_secs(1);
/// .NET waits 350 ms for a 100, curl and botocore 1 s: what comes later comes never.
const CONTINUE_LIMIT: Duration = Duration::from_millis(1_500);

/// What a connection serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// After how many requests a connection ended; `None` where it did not.
    pub requests: Option<u32>,
    /// How many were tried.
    pub requests_tested: u32,
    /// Whether the last answer announced that end.
    pub end_announced: Option<bool>,
    /// After how long a connection in use ended, seconds; `None` where it did not, or
    /// had served all its requests by then.
    pub age_s: Option<f64>,
    /// Up to which age it was tried, seconds.
    pub age_tested_s: f64,
    /// Whether the last answer announced that end.
    pub age_announced: Option<bool>,
    /// What follows an answer to `Connection: close`.
    pub close: Closing,
    /// What a request with `Expect: 100-continue` gets.
    pub expect: Expect,
}

/// What follows an answer to `Connection: close`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Closing {
    /// Whether the answer says `Connection: close` (RFC 9112 section 9.6).
    pub announced: bool,
    /// How the connection ended; `none` where it did not within 5 s.
    pub manner: Manner,
    /// After so long, seconds.
    pub after_s: Option<f64>,
}

/// What `Expect: 100-continue` gets before any of the body.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "answer")]
pub enum Expect {
    /// 100
    Continue {
        /// In so long, seconds.
        after_s: f64,
    },
    /// A final answer, so that the body need not be sent.
    Final {
        /// Its status.
        status: u16,
        /// In so long, seconds.
        after_s: f64,
    },
    /// Nothing within 1.5 s: each request with a body waits for its client's clock.
    Nothing,
    /// The connection ended.
    Ended,
}

/// Takes four connections, one after another, and as long as `age_max`.
pub(crate) async fn measure(
    target: &Target,
    config: &Arc<ClientConfig>,
    requests_max: u32,
    age_max: Duration,
) -> Option<Limits> {
    let begun = Instant::now();
    let close = closing(target, config).await?;
    let expect = expecting(target, config).await?;
    let (requests, requests_tested, end_announced) = requests(target, config, requests_max).await?;
    let left = age_max.saturating_sub(begun.elapsed());
    let (ended, age_tested_s) = age(target, config, requests, left).await?;
    let (age_s, age_announced) = ended.unzip();
    Some(Limits {
        requests,
        requests_tested,
        end_announced,
        age_s,
        age_tested_s,
        age_announced,
        close,
        expect,
    })
}

/// A connection that is asked each second: the age at which it ended and whether that
/// was said, and the age that it reached.
async fn age(
    target: &Target,
    config: &Arc<ClientConfig>,
    requests: Option<u32>,
    age_max: Duration,
) -> Option<(Option<(f64, bool)>, f64)> {
    let mut probe = Probe::open(target, config, Keepalive::Off).await.ok()?;
    let request = target.head_request(Persistence::Keep);
    let begun = Instant::now();
    let mut done = 0;
    while begun.elapsed() < age_max {
        let announced = match probe.ask(&request, ANSWER_LIMIT).await {
            Answer::Replied(reply, _) => {
                done += 1;
                let rested = if reply.closes() { None } else { Some(probe.rest(ASKED_EVERY).await) };
                match rested {
                    Some(Quiet::Kept | Quiet::Stray) => continue,
                    Some(Quiet::Ended(..) | Quiet::KeepaliveUnanswered) => false,
                    None => true,
                }
            }
            Answer::Ended(_) | Answer::Unreadable(_) => false,
        };
        let age = begun.elapsed().as_secs_f64();
        // Then it was not the age.
        let served = requests.is_some_and(|requests| done >= requests);
        return Some(((!served).then_some((age, announced)), age));
    }
    Some((None, begun.elapsed().as_secs_f64()))
}

async fn closing(target: &Target, config: &Arc<ClientConfig>) -> Option<Closing> {
    let mut probe = Probe::open(target, config, Keepalive::Off).await.ok()?;
    let Answer::Replied(reply, _) = probe.ask(&target.head_request(Persistence::Close), ANSWER_LIMIT).await
    else {
        return None;
    };
    let begun = Instant::now();
    let manner = probe.ended_within(END_LIMIT).await;
    let after_s = manner.map(|_| begun.elapsed().as_secs_f64());
    Some(Closing { announced: reply.closes(), manner: manner.unwrap_or(Manner::None), after_s })
}

async fn expecting(target: &Target, config: &Arc<ClientConfig>) -> Option<Expect> {
    let mut probe = Probe::open(target, config, Keepalive::Off).await.ok()?;
    Some(match probe.ask(&target.expecting_request(), CONTINUE_LIMIT).await {
        Answer::Replied(reply, after) if reply.is_interim() => {
            Expect::Continue { after_s: after.as_secs_f64() }
        }
        Answer::Replied(reply, after) => Expect::Final { status: reply.status, after_s: after.as_secs_f64() },
        Answer::Ended(Manner::AckedSilent) => Expect::Nothing,
        Answer::Ended(_) | Answer::Unreadable(_) => Expect::Ended,
    })
}

/// Requests until the end: its number, how many were tried, and whether it was said.
async fn requests(
    target: &Target,
    config: &Arc<ClientConfig>,
    requests_max: u32,
) -> Option<(Option<u32>, u32, Option<bool>)> {
    let mut probe = Probe::open(target, config, Keepalive::Off).await.ok()?;
    let request = target.head_request(Persistence::Keep);
    let begun = Instant::now();
    let mut done = 0;
    while done < requests_max && begun.elapsed() < REQUESTS_LIMIT {
        match probe.ask(&request, ANSWER_LIMIT).await {
            Answer::Replied(reply, _) => {
                done += 1;
                if reply.closes() {
                    return Some((Some(done), done, Some(true)));
                }
            }
            Answer::Ended(_) | Answer::Unreadable(_) => return Some((Some(done), done, Some(false))),
        }
    }
    Some((None, done, None))
}
