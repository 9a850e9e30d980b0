//! What an operator does to the system, or what befalls it, while clients fetch.

use std::net::Ipv4Addr;
use std::time::Duration;

use repono_net::reserve::Reservation;
use rustix::process::Signal;
use tokio::time::sleep;

use crate::clients::{Client, Pool, Setup};
use crate::evidence::Ends;
use crate::report::{Report, Run};
use crate::scenario::{LabError, Options, Scenario};
use crate::side_by_side::{RunPlan, SideBySide};
use crate::stand::{Here, Process, Stand, send};

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Every head is drained and taken back, one after the other.
    Drain,
    /// Two heads are killed.
    HeadKill,
    /// A head is stopped (SIGSTOP): its kernel accepts connections, and it answers
    /// nothing; later it goes on.
    GrayHead,
    /// The balancer is told to read its configuration, then replaced twice.
    BalancerReload,
}

/// Heads of the system: as many as `repono up` starts.
const HEADS: u8 = 4;

/// The pauses of the clients: short, so that something is always under way.
const PAUSE_MAX: Duration = Duration::from_millis(400);

/// The balancer that is replaced.
const ENTRANCE: &str = "entrance";

const RUNS: [RunPlan; 3] = [
    RunPlan {
        name: "client-keeps",
        remedy: None,
        title: "clients that keep their connection",
        client: Client::Keeps,
    },
    RunPlan {
        name: "client-closes",
        remedy: None,
        title: "clients that close after each file",
        client: Client::Closes,
    },
    RunPlan { name: "client-pool", remedy: None, title: "repono's own pool", client: Client::Pool },
];

pub(crate) async fn play(
    event: Event,
    options: &Options,
    pool: &impl Pool,
    told: &dyn Fn(&str),
) -> Result<Report, LabError> {
    told("starting repono");
    let stand = Stand::start(&Here, &options.program, &options.data, HEADS).await?;
    let setup = Setup::prepare(&stand, &options.data).await?;
    let mut entrance = Vec::new();
    let reserved = match event {
        Event::BalancerReload => Some(Reservation::any(Ipv4Addr::LOCALHOST.into(), &mut rand::rng())),
        Event::Drain | Event::HeadKill | Event::GrayHead => None,
    };
    // The balancers have it in turn, so it is kept while they run.
    let reserved = reserved.transpose().map_err(|source| LabError::file(&options.data, source))?;
    let address = match &reserved {
        Some(reserved) => {
            let listen = reserved.address().map_err(|source| LabError::file(&options.data, source))?;
            let config = stand.configure("balancer", ENTRANCE, &[("listen", listen.to_string().into())])?;
            entrance.push(stand.serve(&Here, "balancer", &config, &[]).await?);
            listen
        }
        None => stand.facts().address()?,
    };
    let side_by_side = SideBySide::gather(&setup, RUNS.map(|run| (run, address)), pool, options.seed).await?;
    told(&format!("clients fetch for {} s", options.length.as_secs()));
    let happening = happen(event, options, &stand, &mut entrance, told);
    let (runs, happened) = tokio::join!(side_by_side.play(&setup, options.length, PAUSE_MAX), happening);
    happened?;
    let runs = runs?;
    let journal = stand.facts().journal.clone();
    for process in entrance {
        process.stop().await?;
    }
    stand.stop().await?;
    let balancer = if event == Event::BalancerReload { ENTRANCE } else { "balancer" };
    let ends = Ends::read(&journal, balancer)?;
    let scenario = Scenario::Event(event).name();
    Ok(Report { scenario, diagnosis: diagnosis(event, &runs, &ends), runs, svg: Vec::new() })
}

fn entrance_config(data: &std::path::Path) -> std::path::PathBuf {
    data.join("run").join(format!("{ENTRANCE}.toml"))
}

/// Lets it happen, spread over the time that the clients fetch.
async fn happen(
    event: Event,
    options: &Options,
    stand: &Stand,
    entrance: &mut Vec<Process>,
    told: &dyn Fn(&str),
) -> Result<(), LabError> {
    let step = options.length / 10;
    let head = |number: u8| stand.facts().pid(&format!("head-{number}"));
    sleep(step).await;
    match event {
        Event::Drain => {
            for number in 1..=HEADS {
                let name = format!("head-{number}");
                told(&format!("{name} drains"));
                stand.client(&["admin", "head", "drain", &name]).await?;
                sleep(step).await;
                stand.client(&["admin", "head", "ready", &name]).await?;
                sleep(step).await;
            }
        }
        Event::HeadKill => {
            for number in [1, 2] {
                told(&format!("head-{number} is killed"));
                send(head(number)?, Signal::KILL);
                sleep(step * 4).await;
            }
        }
        Event::GrayHead => {
            told("head-1 is stopped");
            send(head(1)?, Signal::STOP);
            sleep(step * 4).await;
            told("head-1 goes on");
            send(head(1)?, Signal::CONT);
        }
        Event::BalancerReload => {
            for process in &*entrance {
                told("the balancer reads its configuration");
                process.signal(Signal::HUP);
            }
            for _ in 0..2 {
                sleep(step * 3).await;
                told("another balancer takes over");
                let config = entrance_config(&options.data);
                entrance.push(stand.serve(&Here, "balancer", &config, &["--take-over"]).await?);
            }
        }
    }
    Ok(())
}

/// What befell the clients, and how the balancer ended their connections.
fn diagnosis(event: Event, runs: &[Run], ends: &Ends) -> String {
    let what = match event {
        Event::Drain => "Four heads were drained and taken back.",
        Event::HeadKill => "Two heads were killed and started again.",
        Event::GrayHead => "A head was stopped for a while.",
        Event::BalancerReload => "The balancer was reloaded once and replaced twice.",
    };
    let told: Vec<_> = runs
        .iter()
        .map(|run| {
            let crate::sample::Summary { requests, failures, max_ms, .. } = run.summary;
            format!(
                "{}: {failures} of {requests} requests failed, the slowest took {max_ms:.0} ms",
                run.title
            )
        })
        .collect();
    let ends: Vec<_> =
        ends.manners().into_iter().map(|(manner, count)| format!("{count} by {manner}")).collect();
    format!("{what} {}. The balancer's connections ended: {}.", told.join("; "), ends.join(", "))
}
