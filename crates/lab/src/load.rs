//! Clients that fetch, each with pauses of its own, for a while.

use std::time::Duration;

use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::sample::{End, Sample};

/// One client, which makes one request after the other.
#[async_trait]
pub trait Fetch: Send {
    /// Fetches once, with whatever repetition the client is wont to make.
    ///
    /// *Errors*: what the caller of the client gets to see.
    async fn fetch(&mut self) -> Result<(), FetchError>;

    /// Forgets its connections, as a restarted process does.
    fn restart(&mut self) {}

    /// Says goodbye on its connections.
    async fn finish(&mut self) {}
}

/// Why a client gave up on a request.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection, or it broke, as often as the client tried.
    #[error("the connection failed")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An answer other than the object.
    #[error("the answer has status {0}")]
    Status(u16),
}

/// How a load goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How long requests are begun.
    pub(crate) length: Duration,
    /// The longest pause of a client between two requests; they are drawn evenly
    /// from nothing up to it.
    pub(crate) pause_max: Duration,
    /// When the clients are restarted, if they are.
    pub(crate) restart_at: Option<Duration>,
}

/// Runs the clients side by side; their samples in the order of their begin.
pub(crate) async fn run(clients: Vec<Box<dyn Fetch>>, pace: Pace, random: &mut StdRng) -> Vec<Sample> {
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for client in clients {
        running.spawn(one(client, pace, begun, StdRng::from_rng(random)));
    }
    let mut samples: Vec<_> = running.join_all().await.into_iter().flatten().collect();
    samples.sort_by_key(|sample| sample.at);
    samples
}

async fn one(mut client: Box<dyn Fetch>, pace: Pace, begun: Instant, mut random: StdRng) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut restart_at = pace.restart_at.map(|after| begun + after);
    loop {
        let due = Instant::now() + random.random_range(Duration::ZERO..=pace.pause_max);
        if due >= begun + pace.length {
            break;
        }
        if let Some(at) = restart_at.take_if(|at| *at <= due) {
            sleep_until(at).await;
            client.restart();
        }
        sleep_until(due).await;
        let started = Instant::now();
        let fetched = client.fetch().await;
        let took = started.elapsed();
        let end = if fetched.is_ok() { End::Answered } else { End::Failed };
        samples.push(Sample { at: started - begun, took, end });
        if let Err(error) = fetched {
            tracing::debug!(error = &error as &dyn std::error::Error, "a request failed");
            // A client that is refused at once must not turn into a flood.
            sleep(pace.pause_max / 4).await;
        }
    }
    client.finish().await;
    samples
}
