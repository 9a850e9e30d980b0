//! `forgetful-middlebox`: the box on the way is replaced by another, twice, which
//! knows none of the connections that go through it, busy or idle.
//!
//! What the box then does with their packets decides everything: dropped, they stall
//! a client that trusts its connection; reset, they cost it a moment.

use std::time::Duration;

use tokio::time::sleep;

use crate::clients::{Client, Pool, Setup};
use crate::middlebox::{Middlebox, Unknown};
use crate::report::{Report, Run};
use crate::scenario::{LabError, Options, Scenario};
use crate::side_by_side::{RunPlan, SideBySide};
use crate::stand::Stand;

/// Longer than any run: nothing is forgotten by time.
const FORGETS_AFTER: Duration = Duration::from_secs(7200);

/// The pauses of the clients: short, so that their connections are in use.
const PAUSE_MAX: Duration = Duration::from_millis(800);

/// The port of the first run's entrance, on a machine that is the lab's alone.
const FIRST_PORT: u16 = 7500;

/// How often the box is replaced.
const REPLACED: u32 = 2;

const RUNS: [(RunPlan, Unknown); 4] = [
    (
        RunPlan {
            name: "dropped",
            remedy: None,
            title: "the new box drops what it does not know",
            client: Client::Keeps,
        },
        Unknown::Dropped,
    ),
    (
        RunPlan {
            name: "client-closes",
            remedy: Some("client-closes"),
            title: "the same, and the client closes after each file",
            client: Client::Closes,
        },
        Unknown::Dropped,
    ),
    (
        RunPlan {
            name: "client-pool",
            remedy: Some("client-pool"),
            title: "the same, and repono's own pool",
            client: Client::Pool,
        },
        Unknown::Dropped,
    ),
    (
        RunPlan {
            name: "reset",
            remedy: Some("reset"),
            title: "the new box answers with RST",
            client: Client::Keeps,
        },
        Unknown::Reset,
    ),
];

pub(crate) async fn play(
    options: &Options,
    pool: &impl Pool,
    told: &dyn Fn(&str),
) -> Result<Report, LabError> {
    told("building a network with a box that follows connections");
    let mut middlebox = Middlebox::build(options.ground, FORGETS_AFTER)?;
    told("starting repono behind it");
    let stand = Stand::start(&middlebox, &options.program, &options.data, 2).await?;
    let setup = Setup::prepare(&stand, &options.data).await?;
    let (mut entrances, mut each) = (Vec::new(), Vec::new());
    for (port, (run, unknown)) in (FIRST_PORT..).zip(RUNS) {
        let listen = middlebox.entrance(port).map_err(|source| LabError::file(&options.data, source))?;
        let name = format!("entrance-{}", run.name);
        let config = stand.configure("balancer", &name, &[("listen", listen.to_string().into())])?;
        entrances.push(stand.serve(&middlebox, "balancer", &config, &[]).await?);
        each.push((run, middlebox.way(listen, unknown).await?));
    }
    let side_by_side = SideBySide::gather(&setup, each, pool, options.seed).await?;
    told(&format!("the box is replaced {REPLACED} times within {} s", options.length.as_secs()));
    let replacing = async {
        for _ in 0..REPLACED {
            sleep(options.length / (REPLACED + 1)).await;
            middlebox.forget()?;
        }
        Ok::<_, LabError>(())
    };
    let (runs, replaced) = tokio::join!(side_by_side.play(&setup, options.length, PAUSE_MAX), replacing);
    replaced?;
    let runs = runs?;
    for entrance in entrances {
        entrance.stop().await?;
    }
    stand.stop().await?;
    let scenario = Scenario::ForgetfulMiddlebox.name();
    Ok(Report { scenario, diagnosis: diagnosis(&runs), runs, svg: Vec::new() })
}

fn diagnosis(runs: &[Run]) -> String {
    let slowest: Vec<_> =
        runs.iter().map(|run| format!("{:.0} ms ({})", run.summary.max_ms, run.name)).collect();
    format!(
        "The box was replaced {REPLACED} times while connections were in use. The slowest request took {}: what a \
         box does not know it must reset, and a client must not trust a connection for longer than an \
         acknowledgement takes.",
        slowest.join(", ")
    )
}
