//! A listener in front of a server, whose connections suffer what a plan says.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::gate::{Doom, Faulty};
use super::ledger::{Deed, Injection, Ledger, Subject};
use super::plan::{Door, Effect, Plan};
use crate::clock::Clocks;
use crate::observer::Silent;
use crate::orders::{Order, Orders};
use crate::relay_under;

/// Connections at a time; more are reset. Four times what a pool of clients in a
/// test opens, and far below the limit of descriptors.
const CONNECTIONS_MAX: usize = 1_024;

/// The relay adds no end of its own to those of its plan: a day is longer than any
/// test of what others do.
const CLOCKS: Clocks =
    Clocks { idle: Duration::from_secs(86_400), half_closed: Duration::from_secs(86_400), ..Clocks::DEFAULT };

/// Connections that the kernel completes ahead of the relay.
const BACKLOG: u32 = 1_024;

/// Connects of its own with which the relay fills its queue: one for the backlog of
/// none, and some that the kernel may let in before it is full.
const FILLERS_MAX: usize = 8;

/// After this long a connect over loopback is not going to be answered.
const FILLED_AFTER: Duration = Duration::from_millis(200);

/// How often a listener that was closed is opened again when its port is taken, and
/// how long between: 5 s in all.
const REOPEN_TRIES: u32 = 100;
const REOPEN_PAUSE: Duration = Duration::from_millis(50);

/// A relay with faults; ended, with all its connections, when dropped.
#[derive(Debug)]
pub struct FaultRelay {
    address: SocketAddr,
    plan: watch::Sender<Arc<Plan>>,
    orders: watch::Sender<Order>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    server: Mutex<SocketAddr>,
    seed: u64,
    accepted: AtomicU64,
    doom: Arc<Doom>,
    ledger: Arc<Ledger>,
}

impl FaultRelay {
    /// Listens on `listen` (port 0 picks a free one) and relays to `server`.
    ///
    /// *Errors*: the kernel's, where it cannot listen.
    pub async fn start(listen: SocketAddr, server: SocketAddr, plan: Plan, seed: u64) -> io::Result<Self> {
        let (listener, fillers) = open(listen, plan.door).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            server: Mutex::new(server),
            seed,
            accepted: AtomicU64::new(0),
            doom: Arc::default(),
            ledger: Arc::new(Ledger::default()),
        });
        let (plan, seen) = watch::channel(Arc::new(plan));
        let orders = watch::Sender::new(Order::Continue);
        let entrance = Entrance { address, shared: Arc::clone(&shared), plan: seen, orders: orders.clone() };
        let task = tokio::spawn(entrance.run(listener, fillers));
        Ok(Self { address, plan, orders, shared, task })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What becomes of the connections from now on; those that are open keep their
    /// plan.
    pub fn set_plan(&self, plan: Plan) {
        self.plan.send_replace(Arc::new(plan));
    }

    /// Where the connections from now on go to.
    pub fn set_server(&self, server: SocketAddr) {
        *self.shared.server.lock().unwrap_or_else(PoisonError::into_inner) = server;
    }

    /// The connections that are open suffer this as soon as something comes on them;
    /// those to come do not. A later doom replaces an earlier one.
    pub fn doom(&self, effect: Effect) {
        self.shared.doom.set(self.accepted(), effect);
    }

    /// Gives an order to all connections, those to come included.
    pub fn order(&self, order: Order) {
        self.orders.send_replace(order);
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// What was done so far, the latest 3,600 faults.
    #[must_use]
    pub fn injections(&self) -> Vec<Injection> {
        self.shared.ledger.entries()
    }
}

impl Drop for FaultRelay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The accepting side.
struct Entrance {
    address: SocketAddr,
    shared: Arc<Shared>,
    plan: watch::Receiver<Arc<Plan>>,
    orders: watch::Sender<Order>,
}

impl Entrance {
    /// Serves until it is aborted or its relay is gone.
    async fn run(mut self, listener: TcpListener, fillers: Vec<TcpStream>) {
        let mut connections = JoinSet::new();
        let (mut listener, mut fillers) = (Some(listener), fillers);
        loop {
            let plan = Arc::clone(&self.plan.borrow_and_update());
            let fits = match plan.door {
                Door::Refused => listener.is_none(),
                Door::QueueFull => listener.is_some() && !fillers.is_empty(),
                Door::Open | Door::Reset | Door::Unanswered => listener.is_some() && fillers.is_empty(),
            };
            if !fits {
                // With the listener goes what waits in its queue.
                drop(listener.take());
                (listener, fillers) = reopen(self.address, plan.door).await;
            }
            tokio::select! {
                changed = self.plan.changed() => if changed.is_err() { return },
                accepted = accept(listener.as_ref(), plan.door) => {
                    while connections.try_join_next().is_some() {}
                    self.serve(accepted, &plan, &mut connections);
                }
            }
        }
    }

    fn serve(&self, accepted: (TcpStream, SocketAddr), plan: &Arc<Plan>, connections: &mut JoinSet<()>) {
        let (client, source) = accepted;
        let number = self.shared.accepted.fetch_add(1, Ordering::Relaxed);
        let subject = Subject { number, client: source, towards_server: None };
        if plan.door != Door::Open || connections.len() >= CONNECTIONS_MAX {
            self.shared.ledger.note(subject, Deed::Door(plan.door));
        }
        match plan.door {
            Door::Open if connections.len() < CONNECTIONS_MAX => {
                let (plan, shared) = (Arc::clone(plan), Arc::clone(&self.shared));
                let orders = Orders::from_channel(self.orders.subscribe());
                connections.spawn(carry(client, subject, plan, shared, orders));
            }
            Door::Unanswered if connections.len() < CONNECTIONS_MAX => {
                connections.spawn(async move {
                    let _held = client;
                    pending::<()>().await;
                });
            }
            Door::Open | Door::Unanswered | Door::Reset | Door::Refused | Door::QueueFull => reset(&client),
        }
    }
}

async fn carry(
    client: TcpStream,
    mut subject: Subject,
    plan: Arc<Plan>,
    shared: Arc<Shared>,
    orders: Orders,
) {
    let server = *shared.server.lock().unwrap_or_else(PoisonError::into_inner);
    let connected = async {
        let server = TcpStream::connect(server).await?;
        // Pieces leave as the plan cuts them, not as the kernel would join them.
        server.set_nodelay(true)?;
        client.set_nodelay(true)?;
        subject.towards_server = Some(server.local_addr()?);
        io::Result::Ok(server)
    };
    match connected.await {
        Ok(server) => {
            let (ledger, doom) = (Arc::clone(&shared.ledger), Arc::clone(&shared.doom));
            let mut faulty = Faulty::under_doom(Silent, &plan, subject, shared.seed, ledger, doom);
            relay_under(client, server, &mut faulty, CLOCKS, orders).await;
        }
        Err(error) => {
            tracing::debug!(%error, "the server cannot be reached: the client is reset");
            reset(&client);
        }
    }
}

/// The next connection; never, where nobody accepts.
async fn accept(listener: Option<&TcpListener>, door: Door) -> (TcpStream, SocketAddr) {
    loop {
        let (Some(listener), Door::Open | Door::Reset | Door::Unanswered) = (listener, door) else {
            return pending().await;
        };
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::debug!(%error, "cannot accept");
                sleep(REOPEN_PAUSE).await;
            }
        }
    }
}

/// Listens, with a queue that is full where the plan wants it.
async fn open(address: SocketAddr, door: Door) -> io::Result<(TcpListener, Vec<TcpStream>)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    if door != Door::QueueFull {
        return Ok((socket.listen(BACKLOG)?, Vec::new()));
    }
    let listener = socket.listen(0)?;
    let address = listener.local_addr()?;
    let mut fillers = Vec::new();
    while fillers.len() < FILLERS_MAX {
        match timeout(FILLED_AFTER, TcpStream::connect(address)).await {
            Ok(filler) => fillers.push(filler?),
            Err(_) => break,
        }
    }
    Ok((listener, fillers))
}

/// Listens again on an address that may still be taken for a moment.
async fn reopen(address: SocketAddr, door: Door) -> (Option<TcpListener>, Vec<TcpStream>) {
    if door == Door::Refused {
        return (None, Vec::new());
    }
    for _ in 0..REOPEN_TRIES {
        match open(address, door).await {
            Ok((listener, fillers)) => return (Some(listener), fillers),
            Err(error) => tracing::debug!(%error, "cannot listen again"),
        }
        sleep(REOPEN_PAUSE).await;
    }
    tracing::warn!(%address, "the address could not be listened on again");
    (None, Vec::new())
}

fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "the connection is closed without RST");
    }
}
