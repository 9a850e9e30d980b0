//! The faults: each is made on one hop.

use std::num::NonZeroU32;
use std::time::Duration;

use repono_client::Limits;
use repono_relay::Side;
use repono_relay::faults::{Effect, Pace, Plan, Rate, Reach, When};
use repono_testkit::system::{send, stop};
use rustix::process::Signal;
use tokio::time::timeout;

use crate::stage::{Said, Stage};

/// How long a state may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(20);

/// Long enough to be noticed, and for the client to try elsewhere.
const STALL: Duration = Duration::from_secs(2);

const SMALL: usize = 1_000;
const MIB: usize = 1 << 20;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    ResetByPath,
    EndedByPath,
    SwallowedByPath,
    CutByPath,
    TornByPath,
    DelayedByPath,
    StoppedHead,
    KilledHead,
    KilledBalancer,
}

impl Fault {
    pub(crate) const ALL: [Self; 10] = [
        Self::None,
        Self::ResetByPath,
        Self::EndedByPath,
        Self::SwallowedByPath,
        Self::CutByPath,
        Self::TornByPath,
        Self::DelayedByPath,
        Self::StoppedHead,
        Self::KilledHead,
        Self::KilledBalancer,
    ];

    /// In words.
    pub(crate) const fn is(self) -> &'static str {
        match self {
            Self::None => "nothing goes wrong",
            Self::ResetByPath => "RST for a request on an idle connection, made between client and balancer",
            Self::EndedByPath => "FIN for a request on an idle connection, made there",
            Self::SwallowedByPath => "a request acknowledged there, and not passed on",
            Self::CutByPath => "a reply ended there in its middle, by FIN",
            Self::TornByPath => "a reply ended there in its middle, by RST",
            Self::DelayedByPath => "everything delayed there by 2 s",
            Self::StoppedHead => "the head stands still for 2 s (SIGSTOP)",
            Self::KilledHead => "the head is killed in a reply (SIGKILL)",
            Self::KilledBalancer => "the balancer is killed in a reply (SIGKILL)",
        }
    }

    /// Where it is; `None` where nothing is to be found.
    pub(crate) const fn hop(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::ResetByPath
            | Self::EndedByPath
            | Self::SwallowedByPath
            | Self::CutByPath
            | Self::TornByPath
            | Self::DelayedByPath => Some("path"),
            Self::StoppedHead | Self::KilledHead => Some("head"),
            Self::KilledBalancer => Some("balancer"),
        }
    }

    /// Makes it, and asks what happened.
    pub(crate) async fn play(self) -> Said {
        let stage = match self {
            Self::DelayedByPath => Stage::start(SMALL, Limits::DEFAULT).await,
            Self::CutByPath | Self::TornByPath => Stage::start(MIB, Limits::DEFAULT).await,
            Self::KilledHead | Self::KilledBalancer => Stage::start(24 * MIB, Limits::DEFAULT).await,
            Self::None
            | Self::ResetByPath
            | Self::EndedByPath
            | Self::SwallowedByPath
            | Self::StoppedHead => Stage::warm(SMALL, Limits::DEFAULT).await,
        };
        match self {
            Self::None => stage.get().await.expect("nothing is wrong"),
            Self::ResetByPath => doomed(&stage, Effect::Reset).await,
            Self::EndedByPath => doomed(&stage, Effect::Fin).await,
            Self::SwallowedByPath => doomed(&stage, Effect::Silence(Reach::Both)).await,
            Self::CutByPath => cut(&stage, Effect::Fin).await,
            Self::TornByPath => cut(&stage, Effect::Reset).await,
            Self::DelayedByPath => {
                let down = Pace { delay: STALL, ..Pace::default() };
                stage.relay.set_plan(Plan { down, ..Plan::default() });
                // Whether it is an answer or an error does not matter here.
                let _ = stage.get().await;
            }
            Self::StoppedHead => {
                let head = stage.system.pid("head-1");
                stop(head).expect("stopped");
                let going_on = async {
                    tokio::time::sleep(STALL).await;
                    send(head, Signal::CONT).expect("goes on");
                };
                let _ = tokio::join!(stage.get(), going_on);
            }
            Self::KilledHead => killed(&stage, "head-1").await,
            Self::KilledBalancer => killed(&stage, "balancer").await,
        }
        stage.diagnose().await
    }
}

/// The connection that idles in the pool suffers this with its next request.
async fn doomed(stage: &Stage, effect: Effect) {
    stage.relay.doom(effect);
    stage.get().await.expect("read again on a fresh connection");
}

/// The next connection suffers this within its reply.
async fn cut(stage: &Stage, effect: Effect) {
    let when = When::Bytes(Side::Server, 300_000);
    stage.relay.set_plan(Plan::strike_first(stage.relay.accepted() + 1, when, effect));
    stage.get().await.expect("goes on where it stopped");
}

/// Kills a service while a reply is under way, slowly.
async fn killed(stage: &Stage, service: &str) {
    let rate = NonZeroU32::new(6 << 20).expect("not zero");
    let down = Pace { rate: Some(Rate::bytes_per_second(rate)), ..Pace::default() };
    stage.relay.set_plan(Plan { down, ..Plan::default() });
    let accepted = stage.relay.accepted();
    let pid = stage.system.pid(service);
    let killing = async {
        while stage.relay.accepted() == accepted {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(STALL / 2).await;
        send(pid, Signal::KILL).expect("killed");
        stage.relay.set_plan(Plan::default());
    };
    let both = async { tokio::join!(stage.get(), killing) };
    let _ = timeout(LIMIT, both).await.expect("bounded");
}
