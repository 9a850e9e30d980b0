//! Requests that are sent at the moment at which their connection ends.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::probe::{ANSWER_LIMIT, Answer, Keepalive, Probe, Quiet};
use crate::target::{Persistence, Target};

/// Requests, each so much later than the one before: together they cover 24 ms around
/// the limit, which is what timers in milliseconds and a usual way leave open.
const REQUESTS: i32 = 24;
const APART: f64 = 0.001;

/// What became of them. It is the same for every method: whether a request that is lost
/// is sent again is up to its client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Race {
    /// Requests that were answered.
    pub answered: u32,
    /// Connections whose end was seen before the request was sent.
    pub seen: u32,
    /// Requests that were sent and met the end.
    pub lost: u32,
}

enum Outcome {
    Answered,
    Seen,
    Lost,
}

/// Takes as long as the limit.
pub(crate) async fn run(target: &Arc<Target>, config: &Arc<ClientConfig>, limit: Duration) -> Race {
    let mut running = JoinSet::new();
    for number in 0..REQUESTS {
        let (target, config) = (Arc::clone(target), Arc::clone(config));
        let offset = f64::from(number - REQUESTS / 2) * APART;
        let quiet = Duration::from_secs_f64((limit.as_secs_f64() + offset).max(0.0));
        running.spawn(async move { once(&target, &config, quiet).await });
    }
    let mut race = Race::default();
    for outcome in running.join_all().await.into_iter().flatten() {
        match outcome {
            Outcome::Answered => race.answered += 1,
            Outcome::Seen => race.seen += 1,
            Outcome::Lost => race.lost += 1,
        }
    }
    race
}

async fn once(target: &Target, config: &Arc<ClientConfig>, quiet: Duration) -> Option<Outcome> {
    let request = target.head_request(Persistence::Keep);
    let mut probe = Probe::open(target, config, Keepalive::Off).await.ok()?;
    let Answer::Replied(..) = probe.ask(&request, ANSWER_LIMIT).await else { return None };
    match probe.rest(quiet).await {
        Quiet::Ended(..) => return Some(Outcome::Seen),
        Quiet::KeepaliveUnanswered | Quiet::Stray => return None,
        Quiet::Kept => {}
    }
    Some(match probe.ask(&request, ANSWER_LIMIT).await {
        Answer::Replied(..) => Outcome::Answered,
        Answer::Ended(_) | Answer::Unreadable(_) => Outcome::Lost,
    })
}
