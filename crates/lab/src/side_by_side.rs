//! The runs of a scenario, fetched side by side.

use std::net::SocketAddr;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::task::JoinSet;

use crate::clients::{Client, Clients, Pool, Setup};
use crate::report::Run;
use crate::sample::{Sample, Summary};
use crate::scenario::LabError;

/// One run: who fetches what from where, and how the report calls it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunPlan {
    pub(crate) name: &'static str,
    pub(crate) remedy: Option<&'static str>,
    pub(crate) title: &'static str,
    pub(crate) client: Client,
}

/// All runs of a scenario.
pub(crate) struct SideBySide {
    runs: Vec<(RunPlan, Option<Clients>)>,
}

impl SideBySide {
    /// Gives each run its clients; each goes to its own address.
    pub(crate) async fn gather(
        setup: &Setup,
        plans: impl IntoIterator<Item = (RunPlan, SocketAddr)>,
        pool: &impl Pool,
        seed: u64,
    ) -> Result<Self, LabError> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut runs = Vec::new();
        for (plan, address) in plans {
            let own = StdRng::from_rng(&mut random);
            runs.push((plan, setup.clients(plan.name, plan.client, address, pool, own).await?));
        }
        Ok(Self { runs })
    }

    /// Plays all of them at once; gives the runs in order.
    pub(crate) async fn play(
        self,
        setup: &Setup,
        length: Duration,
        pause_max: Duration,
    ) -> Result<Vec<Run>, LabError> {
        let mut fetching = JoinSet::new();
        let mut plans = Vec::new();
        for (number, (plan, clients)) in self.runs.into_iter().enumerate() {
            plans.push(plan);
            if let Some(clients) = clients {
                fetching.spawn(async move { (number, clients.fetch(length, pause_max).await) });
            }
        }
        let mut fetched: Vec<Option<Vec<Sample>>> = vec![None; plans.len()];
        for (number, samples) in fetching.join_all().await {
            if let Some(place) = fetched.get_mut(number) {
                *place = Some(samples);
            }
        }
        plans.into_iter().zip(fetched).map(|(plan, samples)| run(setup, plan, samples)).collect()
    }
}

fn run(setup: &Setup, plan: RunPlan, samples: Option<Vec<Sample>>) -> Result<Run, LabError> {
    let not_shown = samples.is_none().then(|| "this machine has no curl".to_owned());
    let samples = samples.unwrap_or_default();
    let tls_handshakes = match plan.client {
        // It keeps no journal, and no connection.
        Client::OneShot => samples.len(),
        Client::Keeps | Client::Restarted | Client::Closes | Client::Pool => setup.ends(plan.name)?.count(),
    };
    Ok(Run {
        name: plan.name,
        remedy: plan.remedy,
        title: plan.title,
        summary: Summary::of(&samples),
        tls_handshakes,
        not_shown,
        samples,
    })
}
