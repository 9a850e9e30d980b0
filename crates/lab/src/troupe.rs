//! The runs of a scenario, played side by side.

use std::net::SocketAddr;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::task::JoinSet;

use crate::cast::{Cast, Client, Errand, Pool};
use crate::report::Run;
use crate::sample::{Sample, Summary};
use crate::scenario::LabError;

/// One run: who fetches what from where, and how the report calls it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) remedy: Option<&'static str>,
    pub(crate) title: &'static str,
    pub(crate) client: Client,
}

/// All runs of a scenario.
pub(crate) struct Troupe {
    players: Vec<(Part, Option<Cast>)>,
}

impl Troupe {
    /// Gives each part its clients; each goes to its own address.
    pub(crate) async fn gather(
        errand: &Errand,
        parts: impl IntoIterator<Item = (Part, SocketAddr)>,
        pool: &impl Pool,
        seed: u64,
    ) -> Result<Self, LabError> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut players = Vec::new();
        for (part, address) in parts {
            let own = StdRng::from_rng(&mut random);
            players.push((part, errand.cast(part.name, part.client, address, pool, own).await?));
        }
        Ok(Self { players })
    }

    /// Plays all of them at once; gives the runs in order.
    pub(crate) async fn play(
        self,
        errand: &Errand,
        length: Duration,
        pause_max: Duration,
    ) -> Result<Vec<Run>, LabError> {
        let mut acting = JoinSet::new();
        let mut parts = Vec::new();
        for (number, (part, cast)) in self.players.into_iter().enumerate() {
            parts.push(part);
            if let Some(cast) = cast {
                acting.spawn(async move { (number, cast.act(length, pause_max).await) });
            }
        }
        let mut played: Vec<Option<Vec<Sample>>> = vec![None; parts.len()];
        for (number, samples) in acting.join_all().await {
            if let Some(place) = played.get_mut(number) {
                *place = Some(samples);
            }
        }
        parts.into_iter().zip(played).map(|(part, samples)| run(errand, part, samples)).collect()
    }
}

fn run(errand: &Errand, part: Part, samples: Option<Vec<Sample>>) -> Result<Run, LabError> {
    let not_shown = samples.is_none().then(|| "this machine has no curl".to_owned());
    let samples = samples.unwrap_or_default();
    let tls_handshakes = match part.client {
        // It keeps no journal, and no connection.
        Client::OneShot => samples.len(),
        Client::Keeps | Client::Restarted | Client::Closes | Client::Pool => {
            errand.connections(part.name)?.count()
        }
    };
    Ok(Run {
        name: part.name,
        remedy: part.remedy,
        title: part.title,
        summary: Summary::of(&samples),
        tls_handshakes,
        not_shown,
        samples,
    })
}
