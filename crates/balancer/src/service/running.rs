//! What a balancer hears while it serves.

use std::pin::Pin;
use std::sync::Arc;

use repono_journal::Stamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::entrance::Relief;
use super::{BalancerError, Opened, Threads};
use crate::Config;
use crate::checks::check_while_held;
use crate::heads::Heads;

/// Why it serves no longer.
pub(super) enum Ended {
    /// It was told to stop.
    Stopped,
    /// A successor serves.
    Relieved,
    /// A thread has failed.
    Failed(BalancerError),
}

/// A balancer that serves.
pub(super) struct Running<'a> {
    pub(super) opened: &'a Opened,
    pub(super) config: &'a Config,
    pub(super) reloads: Option<mpsc::Receiver<Config>>,
}

impl Running<'_> {
    /// Serves, and takes over reloaded configurations, until there is an end to it.
    pub(super) async fn until_told(
        mut self,
        background: &mut JoinSet<()>,
        threads: &mut Threads,
        mut relief: Relief,
        mut shutdown: Pin<&mut impl Future<Output = ()>>,
    ) -> Ended {
        loop {
            tokio::select! {
                () = shutdown.as_mut() => return Ended::Stopped,
                () = relief.as_mut() => return Ended::Relieved,
                Some(failed) = threads.join_next() => {
                    let failed = failed.unwrap_or(Err(BalancerError::Panicked));
                    return failed.map_or_else(Ended::Failed, |()| Ended::Stopped);
                }
                config = next(&mut self.reloads) => self.reload(&config, background),
            }
        }
    }

    fn reload(&self, config: &Config, background: &mut JoinSet<()>) {
        if let Err(error) = config.validate() {
            tracing::error!(%error, "the reloaded configuration cannot be used: nothing changes");
            return;
        }
        let rest = Config { heads: self.config.heads.clone(), ..config.clone() };
        if rest != *self.config {
            tracing::warn!("only heads and weights are reloaded: a restart with --take-over does the rest");
        }
        let author = Heads::reload_author(Stamp::now());
        for head in self.opened.heads.reload(&config.heads, author) {
            let (heads, probe) = (Arc::clone(&self.opened.heads), Arc::clone(&self.opened.probe));
            background.spawn(check_while_held(heads, head, probe));
        }
        tracing::info!(heads = config.heads.len(), "the configuration was reloaded");
    }
}

/// The next configuration; never, if none can come.
async fn next(reloads: &mut Option<mpsc::Receiver<Config>>) -> Config {
    if let Some(receiver) = reloads
        && let Some(config) = receiver.recv().await
    {
        return config;
    }
    *reloads = None;
    std::future::pending().await
}
