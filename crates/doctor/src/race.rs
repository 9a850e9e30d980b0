//! Requests that are sent at the moment at which their connection ends.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use repono_probe::conversation::{ANSWER_LIMIT, Answer, Keepalive, Probe, Quiet};
use repono_probe::target::{Persistence, Target};

/// Requests of a method, each so much later than the one before: together they cover
/// 18 ms around the limit, which is what timers in milliseconds and a usual way leave
/// open.
const REQUESTS: i32 = 18;
const APART: f64 = 0.001;

/// How many connections are open at a time.
pub(crate) const CONNECTIONS: usize = REQUESTS.unsigned_abs() as usize * Method::ALL.len();

/// A method that is tried. None of them can change anything; whether another one that
/// is lost is sent again is up to its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Asks for the least.
    Head,
    /// Asks for a body.
    Get,
    /// Announces a body that never comes (`Expect: 100-continue`): a server may look at
    /// its headers before it decides about the connection.
    Put,
}

impl Method {
    const ALL: [Self; 3] = [Self::Head, Self::Get, Self::Put];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "HEAD",
            Self::Get => "GET",
            Self::Put => "PUT",
        }
    }

    fn request(self, target: &Target) -> Vec<u8> {
        match self {
            Self::Head => target.head_request(Persistence::Keep),
            Self::Get => target.get_request(),
            Self::Put => target.expecting_request(),
        }
    }
}

/// What became of the requests of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Race {
    /// Which.
    pub method: Method,
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
pub(crate) async fn run(target: &Arc<Target>, config: &Arc<ClientConfig>, limit: Duration) -> Vec<Race> {
    let mut running = JoinSet::new();
    for method in Method::ALL {
        for number in 0..REQUESTS {
            let (target, config) = (Arc::clone(target), Arc::clone(config));
            let offset = f64::from(number - REQUESTS / 2) * APART;
            let quiet = Duration::from_secs_f64((limit.as_secs_f64() + offset).max(0.0));
            running.spawn(async move { (method, once(&target, &config, method, quiet).await) });
        }
    }
    let mut races = Method::ALL.map(|method| Race { method, answered: 0, seen: 0, lost: 0 });
    for (method, outcome) in running.join_all().await {
        let Some(race) = races.iter_mut().find(|race| race.method == method) else { continue };
        match outcome {
            Some(Outcome::Answered) => race.answered += 1,
            Some(Outcome::Seen) => race.seen += 1,
            Some(Outcome::Lost) => race.lost += 1,
            None => {}
        }
    }
    races.into()
}

async fn once(
    target: &Target,
    config: &Arc<ClientConfig>,
    method: Method,
    quiet: Duration,
) -> Option<Outcome> {
    let request = target.head_request(Persistence::Keep);
    let mut probe = Probe::open(target, config, Keepalive::Off).await.ok()?;
    let Answer::Replied(..) = probe.ask(&request, ANSWER_LIMIT).await else { return None };
    match probe.rest(quiet).await {
        Quiet::Ended(..) => return Some(Outcome::Seen),
        Quiet::KeepaliveUnanswered | Quiet::Stray => return None,
        Quiet::Kept => {}
    }
    Some(match probe.ask(&method.request(target), ANSWER_LIMIT).await {
        Answer::Replied(..) => Outcome::Answered,
        Answer::Ended(_) | Answer::Unreadable(_) => Outcome::Lost,
    })
}
