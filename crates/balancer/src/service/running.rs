//! What a balancer hears while it serves.

use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;

use repono_journal::Stamp;
use repono_net::socket::prepare_accepted;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::entrance::Relief;
use super::reload::{Change, changes, left_out};
use super::{BalancerError, Opened, Threads};
use crate::Config;
use crate::checks::check_while_held;
use crate::heads::Heads;
use crate::limits::Limits;

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
    /// As it was at the start.
    pub(super) started: &'a Config,
    /// As it is now.
    pub(super) current: Config,
    pub(super) listener: TcpListener,
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
                config = next(&mut self.reloads) => self.reload(config, background),
            }
        }
    }

    fn reload(&mut self, config: Config, background: &mut JoinSet<()>) {
        if let Err(error) = config.validate() {
            tracing::error!(%error, "the reloaded configuration cannot be used: nothing changes");
            return;
        }
        for (key, remedy) in left_out(self.started, &config) {
            tracing::warn!(key, remedy = remedy.advice(), "a changed key was not reloaded");
        }
        let author = Heads::reload_author(Stamp::now());
        for head in self.opened.heads.reload(&config.heads, author) {
            let (heads, probe) = (Arc::clone(&self.opened.heads), Arc::clone(&self.opened.probe));
            background.spawn(check_while_held(heads, head, probe));
        }
        let changes = changes(&self.current, &config);
        if !changes.is_empty() {
            self.opened.limits.send_replace(Limits::of(&config));
            if let Err(error) = prepare_accepted(&self.listener, &config.socket_options()) {
                tracing::warn!(%error, "keepalive_s: the listening socket refuses it");
            }
        }
        for Change { key, from, to } in &changes {
            tracing::info!(key, from, to, "reloaded");
            self.opened.heads.record(author, key, from, to);
        }
        tracing::info!(heads = config.heads.len(), "the configuration was reloaded");
        self.current = config;
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
