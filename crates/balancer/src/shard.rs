//! One thread: its own runtime, its own accept loop, its own connections.
//!
//! A connection stays on the thread that accepted it, so a turn costs no wake-up of
//! another thread.

use std::cell::Cell;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use repono_net::drain::{Drain, Guard, Until};
use repono_net::listen::{Accepted, Acceptor, accept_loop};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::connection::{Common, refuse, serve};

/// How often a full balancer says so.
const FULL_WARNING_EVERY: Duration = Duration::from_secs(10);

/// What one thread is given.
pub(crate) struct Shard {
    pub(crate) listener: TcpListener,
    pub(crate) common: Arc<Common>,
    pub(crate) drain: Drain,
}

impl Shard {
    /// Starts the thread. The receiver tells why it ended; it is dropped without a
    /// word if the thread panicked.
    ///
    /// *Errors*: the kernel's, when there can be no further thread.
    pub(crate) fn start(self, number: usize) -> io::Result<oneshot::Receiver<io::Result<()>>> {
        let (ended, end) = oneshot::channel();
        let thread = std::thread::Builder::new().name(format!("relay-{number}"));
        thread.spawn(move || {
            // Nobody listens any more when the balancer has given up already.
            let _ = ended.send(self.run());
        })?;
        Ok(end)
    }

    fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.accept_until_closed())
    }

    async fn accept_until_closed(self) -> io::Result<()> {
        let Self { listener, common, drain } = self;
        let mut signal = drain.signal();
        let mut connections = JoinSet::new();
        let warned = Cell::new(None);
        let take = |accepted: Accepted, guard: Guard| {
            while connections.try_join_next().is_some() {}
            let connections_max = common.limits.borrow().connections_max;
            if drain.open() > connections_max {
                warn_full(&warned, connections_max);
                refuse(&common, accepted);
            } else {
                let common = Arc::clone(&common);
                connections.spawn(async move { serve(&common, accepted, guard).await });
            }
        };
        accept_loop(Acceptor::new(listener)?, signal.clone(), Until::Draining, take).await?;
        tokio::select! {
            () = async { while connections.join_next().await.is_some() {} } => {}
            () = signal.reached(Until::Closing) => {}
        }
        Ok(())
    }
}

fn warn_full(warned: &Cell<Option<Instant>>, max: usize) {
    let now = Instant::now();
    if warned.get().is_none_or(|at: Instant| now.duration_since(at) >= FULL_WARNING_EVERY) {
        warned.set(Some(now));
        tracing::warn!(max, "connections are turned away: too many are open");
    }
}
