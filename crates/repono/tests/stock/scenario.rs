//! What is done to a system under its clients.

use std::time::{Duration, Instant};

use repono_testkit::system::{send, stop};
use repono_testkit::wait;
use rustix::process::Signal;

use crate::client::Request;
use crate::crowd::{Met, Pace, Progress, under};
use crate::stand::{HEADS, LIMIT, Stand};

/// After a head's death its clients have been told within this.
const TOLD: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// All heads are restarted one after another, the balancer is reloaded and replaced
    /// by a successor, a head is drained by the operator.
    Rolling,
    /// A head stands still with requests in its hands, and is killed.
    Kill,
    /// Connections end by age and by number of requests, at heads and at the balancer.
    Limits,
    /// Gaps around the time that the heads advertise.
    Idle,
}

pub(crate) const SCENARIOS: [Scenario; 4] =
    [Scenario::Rolling, Scenario::Kill, Scenario::Limits, Scenario::Idle];

/// How much is done: in each run of the tests, or once for the table of the docs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Short,
    Full { requests: usize },
}

/// What a scenario came to.
pub(crate) struct Outcome {
    pub(crate) met: Vec<Met>,
    /// When heads died: from when they stood still.
    pub(crate) deaths: Vec<(Instant, Instant)>,
}

impl Scenario {
    pub(crate) fn run(self, length: Length) -> Outcome {
        let stand = match self {
            Self::Rolling | Self::Kill => Stand::new(&[], &[]),
            Self::Limits => Stand::new(
                &[("connection_requests_max", 20), ("connection_age_max_s", 5)],
                &[("age_max_s", 60)],
            ),
            Self::Idle => Stand::new(&[("idle_advertised_s", 2), ("idle_close_s", 13)], &[]),
        };
        let mut deaths = Vec::new();
        let met = under(&stand, self.pace(length), |progress| match self {
            Self::Rolling => rolling(&stand, progress),
            Self::Kill => deaths = kills(&stand, progress),
            Self::Limits | Self::Idle => {}
        });
        Outcome { met, deaths }
    }

    fn pace(self, length: Length) -> Pace {
        let ms = Duration::from_millis;
        let usual = |requests, longest, pause_every| Pace {
            requests,
            gaps: (ms(0), longest),
            pause_every,
            pause: Duration::from_secs(2),
        };
        match (self, length) {
            (Self::Rolling | Self::Kill | Self::Limits, Length::Short) => usual(120, ms(200), 20),
            (Self::Rolling | Self::Kill | Self::Limits, Length::Full { requests }) => {
                usual(requests, ms(60), 500)
            }
            (Self::Idle, length) => Pace {
                requests: match length {
                    Length::Short => 7,
                    Length::Full { requests } => requests / 50,
                },
                gaps: (ms(1500), ms(2500)),
                pause_every: u64::MAX,
                pause: ms(0),
            },
        }
    }

    /// Whether a request may have failed: only one that the killed head had in its hands.
    pub(crate) fn may_fail(self, outcome: &Outcome, request: &Request) -> bool {
        self == Self::Kill && (request.span.is_none() || outcome.is_caught(request))
    }
}

impl Outcome {
    /// Whether a request was under way when a head died.
    pub(crate) fn is_caught(&self, request: &Request) -> bool {
        request.span.is_some_and(|(sent, told)| {
            self.deaths.iter().any(|(_, killed)| sent < *killed + TOLD && told >= *killed)
        })
    }

    /// Whether it was in the hands of a head that stood still and died.
    pub(crate) fn was_held(&self, request: &Request) -> bool {
        request.span.is_some_and(|(sent, told)| {
            self.deaths.iter().any(|(stood, killed)| {
                sent <= *killed && told >= *killed && request.took >= (*killed - *stood) / 2
            })
        })
    }
}

fn rolling(stand: &Stand, progress: &Progress) {
    for part in [0.1, 0.4, 0.7] {
        progress.reaches(part);
        HEADS.iter().for_each(|head| stand.restart(head));
        stand.reload();
        progress.goes_on();
        stand.take_over();
        progress.goes_on();
        stand.drain("head-2");
    }
}

fn kills(stand: &Stand, progress: &Progress) -> Vec<(Instant, Instant)> {
    let kill = |(part, head): (f64, &str)| {
        progress.reaches(part);
        let pid = stand.pid(head).expect("it runs");
        let stood = Instant::now();
        stop(pid).expect("it stands still");
        // The others answer on; whoever is at this head waits.
        progress.goes_on();
        let killed = Instant::now();
        send(pid, Signal::KILL).expect("sent");
        let again = || stand.pid(head).filter(|again| *again != pid).map(|_| ());
        wait::until(&format!("{head} is started again"), LIMIT, again).expect("in time");
        stand.comes_back(head);
        stand.is(head, "ready");
        (stood, killed)
    };
    [(0.2, "head-1"), (0.6, "head-2")].map(kill).into()
}
