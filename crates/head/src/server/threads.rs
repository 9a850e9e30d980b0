//! The serving threads, and the standby that answers while all of them stand still.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use repono_journal::Journal;
use repono_net::drain::Drain;
use repono_net::socket::reset;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};

use super::HeadError;
use crate::admission::{Admission, Cause, Counts};
use crate::config::Config;
use crate::connection::{self, Arrival, Arrived};
use crate::limits::CONNECTIONS_RESERVE;
use crate::shard::{Common, Role, Shard};
use crate::vitals::Pulse;

/// Connections that wait for a thread to take them; a thread takes one in
/// microseconds, so a full queue means that it is stuck.
const DEALT_MAX: usize = 1024;

/// The serving threads.
pub(super) struct Threads {
    serving: Vec<Serving>,
    standby: mpsc::Sender<Arrived>,
    next: AtomicUsize,
    drain: Drain,
    connections_max: usize,
    counts: Arc<Counts>,
}

/// One of them.
struct Serving {
    handle: thread::JoinHandle<()>,
    queue: mpsc::Sender<Arrived>,
    pulse: Arc<Pulse>,
}

impl Threads {
    /// Starts the threads; gives with them the standby, which serves where it is
    /// spawned.
    pub(super) fn start(
        config: &Config,
        common: &Arc<Common>,
        journal: &Journal,
        drain: &Drain,
    ) -> Result<(Self, impl Future<Output = ()> + use<>), HeadError> {
        let make = |role| -> Result<_, HeadError> {
            let (common, reader) = (Arc::clone(common), common.store.reader()?);
            let (recorder, signal, config) = (journal.recorder(), drain.signal(), config.clone());
            Ok(move || {
                let admission = Admission::new(&config, Arc::clone(&common.counts));
                Shard::new(role, common, reader, recorder, signal, admission)
            })
        };
        let (standby, arriving) = mpsc::channel(DEALT_MAX);
        let shard = make(Role::Standby)?;
        let standing_by = async move { serve(arriving, shard()).await };
        let mut threads = Self {
            serving: Vec::new(),
            standby,
            next: AtomicUsize::new(0),
            drain: drain.clone(),
            connections_max: config.connections_max,
            counts: Arc::clone(&common.counts),
        };
        for number in 0..config.threads.max(1) {
            threads.serving.push(Serving::start(format!("serve-{number}"), make(Role::Serving)?)?);
        }
        Ok((threads, standing_by))
    }

    /// The signs of life of each.
    pub(super) fn pulses(&self) -> impl Iterator<Item = &Arc<Pulse>> {
        self.serving.iter().map(|serving| &serving.pulse)
    }

    /// Gives a connection to the next thread that moves; beyond the limit it is
    /// closed.
    pub(super) fn deal(&self, arrived: Arrived) {
        let max = match arrived.arrival {
            Arrival::Direct => self.connections_max,
            Arrival::Balanced => self.connections_max.saturating_add(CONNECTIONS_RESERVE),
        };
        if self.drain.open() > max {
            reset(&arrived.stream);
            self.counts.note(Cause::Connection);
            return;
        }
        if self.queue().try_send(arrived).is_err() {
            self.counts.note(Cause::Connection);
        }
    }

    fn queue(&self) -> &mpsc::Sender<Arrived> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.serving.len().max(1);
        let moving = self.serving.iter().cycle().skip(turn).take(self.serving.len());
        moving
            .filter(|serving| !serving.pulse.is_stalled())
            .map(|serving| &serving.queue)
            .next()
            .unwrap_or(&self.standby)
    }

    /// Ends the threads that move: what is still open is dropped. Those that stand
    /// still end with the process.
    pub(super) fn end(self) {
        for Serving { handle, queue, pulse } in self.serving {
            drop(queue);
            if !pulse.is_stalled() && handle.join().is_err() {
                tracing::error!("a serving thread panicked");
            }
        }
    }
}

impl Serving {
    fn start(name: String, shard: impl FnOnce() -> Rc<Shard> + Send + 'static) -> Result<Self, HeadError> {
        let (queue, arriving) = mpsc::channel(DEALT_MAX);
        let pulse = Pulse::new(name.as_str());
        let beating = Arc::clone(&pulse);
        let handle = thread::Builder::new().name(name).spawn(move || {
            if let Err(error) = run(arriving, shard, beating) {
                tracing::error!(%error, "a serving thread could not start");
            }
        });
        Ok(Self { handle: handle.map_err(HeadError::Thread)?, queue, pulse })
    }
}

/// One thread, until its queue is closed.
fn run(
    arriving: mpsc::Receiver<Arrived>,
    shard: impl FnOnce() -> Rc<Shard>,
    pulse: Arc<Pulse>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    runtime.block_on(local.run_until(async move {
        tokio::task::spawn_local(pulse.beat_on());
        serve(arriving, shard()).await;
    }));
    Ok(())
}

/// Serves what is dealt until the queue is closed.
async fn serve(mut arriving: mpsc::Receiver<Arrived>, shard: Rc<Shard>) {
    // They end with the set, as everything that is local to the thread.
    let mut tending = JoinSet::new();
    tending.spawn_local(Rc::clone(&shard.admission.sources).dispatch());
    tending.spawn_local(Rc::clone(&shard.admission.parties).dispatch());
    let connections = Rc::clone(&shard.admission.connections);
    tending.spawn_local(Rc::clone(&shard.admission.crowd).tend(connections));
    tending.spawn_local(Rc::clone(&shard).follow_drain());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            arrived = arriving.recv() => match arrived {
                Some(arrived) => {
                    connections.spawn_local(connection::serve(Rc::clone(&shard), arrived));
                }
                None => break,
            },
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "the task of a connection failed");
                }
            }
        }
    }
}
