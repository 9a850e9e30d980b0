//! What clients meet while a command runs: a reload, a restart, a drain.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::ClientConfig;
use serde::Serialize;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use repono_probe::conversation::{ANSWER_LIMIT, Answer, Keepalive, Probe, Quiet};
use repono_probe::target::{Persistence, Target};

/// Clients that keep their connections, and clients that open one for each request.
const KEEPING: usize = 4;
const OPENING: usize = 2;
/// From one request to the next: 80 and 20 requests a second in all.
const KEPT_PAUSE: Duration = Duration::from_millis(50);
const OPENED_PAUSE: Duration = Duration::from_millis(100);
/// Before the command and after it: what a reload does to connections can come later.
const BEFORE: Duration = Duration::from_secs(1);
const AFTER: Duration = Duration::from_secs(3);
/// The longest that a command may run.
const COMMAND_LIMIT: Duration = Duration::from_secs(600);

/// What clients met.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct During {
    /// The status of the command; `None` where a signal or the clock ended it.
    pub exit_status: Option<i32>,
    /// Requests that were answered.
    pub answered: u64,
    /// Requests that were sent and not answered.
    pub lost: u64,
    /// Connections that could not be opened.
    pub refused: u64,
    /// Ends that were announced by an answer, or seen before a request was sent.
    pub seen: u64,
    /// The longest time to an answer, opening included, seconds.
    pub slowest_s: f64,
}

impl During {
    fn and(mut self, other: &Self) -> Self {
        self.answered += other.answered;
        self.lost += other.lost;
        self.refused += other.refused;
        self.seen += other.seen;
        self.slowest_s = self.slowest_s.max(other.slowest_s);
        self
    }
}

/// Runs `command` under load.
///
/// *Errors*: the kernel's, where it cannot be started.
pub(crate) async fn run(
    target: &Arc<Target>,
    config: &Arc<ClientConfig>,
    mut command: Command,
) -> io::Result<During> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for number in 0..KEEPING + OPENING {
        let (target, config, stop) = (Arc::clone(target), Arc::clone(config), Arc::clone(&stop));
        clients.spawn(async move { client(&target, &config, number < KEEPING, &stop).await });
    }
    sleep(BEFORE).await;
    let status = timeout(COMMAND_LIMIT, command.kill_on_drop(true).status()).await;
    if status.as_ref().is_ok_and(Result::is_ok) {
        sleep(AFTER).await;
    }
    stop.store(true, Ordering::Relaxed);
    let met = clients.join_all().await;
    let exit_status = match status {
        Ok(status) => status?.code(),
        Err(_) => None,
    };
    Ok(met.iter().fold(During { exit_status, ..During::default() }, During::and))
}

async fn client(target: &Target, config: &Arc<ClientConfig>, keeps: bool, stop: &AtomicBool) -> During {
    let (persistence, pause) =
        if keeps { (Persistence::Keep, KEPT_PAUSE) } else { (Persistence::Close, OPENED_PAUSE) };
    let request = target.head_request(persistence);
    let mut met = During::default();
    let mut kept: Option<Probe> = None;
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let opened = match kept.take() {
            Some(probe) => Ok(probe),
            None => Probe::open(target, config, Keepalive::Off).await,
        };
        let Ok(mut probe) = opened else {
            met.refused += 1;
            sleep(pause).await;
            continue;
        };
        match probe.ask(&request, ANSWER_LIMIT).await {
            Answer::Replied(reply, _) => {
                met.answered += 1;
                met.slowest_s = met.slowest_s.max(begun.elapsed().as_secs_f64());
                if reply.closes() {
                    met.seen += u64::from(keeps);
                    sleep(pause).await;
                } else if probe.rest(pause).await == Quiet::Kept {
                    kept = Some(probe);
                } else {
                    met.seen += 1;
                }
            }
            Answer::Ended(_) | Answer::Unreadable(_) => met.lost += 1,
        }
    }
    met
}
