//! The connections to one host: bounded, fairly queued, evicted when they end.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use rand::Rng;
use rand::rngs::StdRng;
use repono_core::id::ConnectionId;
use repono_core::trace::Span;
use repono_journal::{ConnectionRecord, Manner, RequestRecord, Reuse, SharedRecorder, Stamp};
use rustls::ClientConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::endpoint::Endpoint;
use crate::limits::Limits;
use crate::pool::dial::{DialTimes, NoConnection, dial};
use crate::pool::link::{Connected, Link};
use crate::pool::path::Path;
use crate::pool::slot::{Effect, Event, Slot};
use crate::pool::suspension::{Suspensions, suspended};
use crate::pool::turns::Turns;
use crate::trace::{CallersTrace, Trace};

pub(crate) mod budget;
pub(crate) mod dial;
pub(crate) mod idle;
pub(crate) mod link;
pub(crate) mod path;
pub(crate) mod slot;
pub(crate) mod suspension;
pub(crate) mod turns;

/// After a reply's last byte hyper needs a moment to be ready for the next
/// request; a connection that takes longer is not worth keeping.
const READY: Duration = Duration::from_millis(500);

/// How long a closing pool waits for its connections to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// Connections that one request may hold: its own, and that of a second attempt
/// beside it, which would otherwise wait for the silent one to give its place up.
const CONNECTIONS_PER_REQUEST: usize = 2;

/// One service and the connections to it.
pub(crate) struct Host {
    pub(crate) endpoint: Endpoint,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) limits: Limits,
    slots: Mutex<Vec<Slot<Connected>>>,
    /// One permit for each request, handed out in the order of asking: there are
    /// [`CONNECTIONS_PER_REQUEST`] times as many slots, so that whoever has one finds
    /// a slot that nobody uses.
    permits: Arc<Semaphore>,
    /// The watchers, which end with the host.
    watchers: Mutex<JoinSet<()>>,
    recorder: Option<SharedRecorder>,
    random: Mutex<StdRng>,
    caller: Option<CallersTrace>,
    path: Mutex<Path>,
    turns: Turns,
    suspensions: Suspensions,
}

/// A request's right to be under way, shared by its attempts.
pub(crate) type Permit = Arc<OwnedSemaphorePermit>;

/// Which connection a request may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Any.
    Any,
    /// One that has carried nothing: a reused one has just failed.
    Fresh,
}

impl Host {
    pub(crate) fn new(
        endpoint: Endpoint,
        tls: Arc<ClientConfig>,
        limits: Limits,
        recorder: Option<SharedRecorder>,
        random: StdRng,
        caller: Option<CallersTrace>,
    ) -> Self {
        let count = limits.connections_per_host.max(1);
        let places = count.saturating_mul(CONNECTIONS_PER_REQUEST);
        Self {
            endpoint,
            tls,
            limits,
            slots: Mutex::new((0..places).map(|_| Slot::Empty).collect()),
            permits: Arc::new(Semaphore::new(count)),
            watchers: Mutex::new(JoinSet::new()),
            recorder,
            random: Mutex::new(random),
            caller,
            path: Mutex::new(Path::new(count)),
            turns: Turns::new(),
            suspensions: Suspensions::new(suspended()),
        }
    }

    /// Lends a connection, waiting for a place and opening one where needed.
    ///
    /// *Cancel safety*: dropping the future gives the place back.
    pub(crate) async fn lease(self: &Arc<Self>, freshness: Freshness) -> Result<Lease, Box<NoConnection>> {
        let asked_ns = Stamp::mono_now();
        let permit = timeout(self.limits.queue, Arc::clone(&self.permits).acquire_owned())
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or_else(NoConnection::busy)?;
        let queued_ns = Stamp::mono_now().saturating_sub(asked_ns);
        self.lease_in(Arc::new(permit), freshness, queued_ns).await
    }

    /// Lends a fresh connection beside one that the same request holds, on its
    /// permit.
    ///
    /// *Cancel safety*: dropping the future gives the place back.
    pub(crate) async fn lease_beside(self: &Arc<Self>, permit: Permit) -> Result<Lease, Box<NoConnection>> {
        self.lease_in(permit, Freshness::Fresh, 0).await
    }

    async fn lease_in(
        self: &Arc<Self>,
        permit: Permit,
        freshness: Freshness,
        queued_ns: u64,
    ) -> Result<Lease, Box<NoConnection>> {
        let asked_ns = Stamp::mono_now();
        self.notice_suspension(suspended());
        let open = match freshness {
            Freshness::Any => self.claim_open(),
            Freshness::Fresh => None,
        };
        let turn = match open {
            Some(_) => None,
            None => self.turns.take(self.chance()).await,
        };
        // While one waited, another may have brought a connection back.
        let (index, effect) = open.or_else(|| self.claim(freshness)).ok_or_else(NoConnection::busy)?;
        let mut lease = Lease {
            host: Arc::clone(self),
            index: Some(index),
            connected: None,
            queued_ns: queued_ns.saturating_add(Stamp::mono_now().saturating_sub(asked_ns)),
            dialled: DialTimes::default(),
            reuse: Reuse::New,
            permit,
        };
        match effect {
            Effect::Use(connected) => lease.reuse(connected),
            Effect::Replace(old) => {
                close(old, Manner::IdleExpiry);
                lease.open().await?;
            }
            Effect::Dial | Effect::Nothing => lease.open().await?,
            Effect::Close(old) => close(old, Manner::Kill),
        }
        drop(turn);
        Ok(lease)
    }

    /// Writes a request's record, where there is a journal.
    pub(crate) fn record(&self, record: &RequestRecord) {
        if let Some(recorder) = &self.recorder {
            recorder.request(record);
        }
    }

    pub(crate) fn new_id(&self) -> ConnectionId {
        ConnectionId::random(&mut *lock(&self.random))
    }

    /// The trace of a request that begins.
    pub(crate) fn trace(&self) -> Trace {
        Trace::of(self.caller.as_ref(), &mut *lock(&self.random))
    }

    /// Enters an attempt of a trace into its headers.
    pub(crate) fn enter(&self, trace: &Trace, headers: &mut HeaderMap) -> Span {
        trace.enter(headers, &mut *lock(&self.random))
    }

    /// From 0 to 1.
    fn chance(&self) -> f64 {
        lock(&self.random).random()
    }

    /// What is known of the path, for a moment.
    pub(crate) fn path<T>(&self, of: impl FnOnce(&mut Path) -> T) -> T {
        of(&mut lock(&self.path))
    }

    /// Closes every connection that is nobody's: what silenced one of them has
    /// silenced its like.
    pub(crate) fn distrust_idle(&self) {
        let count = lock(&self.slots).len();
        for index in 0..count {
            self.on(index, Event::Closing, Manner::Kill);
        }
    }

    /// Drops what idled while the machine was suspended: nobody knows for how long it
    /// did, and neither FIN nor RST was heard. `total` is that of all suspensions.
    pub(crate) fn notice_suspension(&self, total: Duration) {
        if self.suspensions.noticed(total) {
            self.distrust_idle();
        }
    }

    /// How many connections are open and nobody's.
    pub(crate) fn idle(&self) -> usize {
        lock(&self.slots).iter().filter(|slot| matches!(slot, Slot::Idle { .. })).count()
    }

    /// Closes what is idle, and waits a little until it has said so to the peer.
    pub(crate) async fn close(&self) {
        let count = lock(&self.slots).len();
        for index in 0..count {
            self.on(index, Event::Closing, Manner::FinCloseNotify);
        }
        let mut watchers = std::mem::take(&mut *lock(&self.watchers));
        let all = async { while watchers.join_next().await.is_some() {} };
        // What is still lent then is cut: its watcher ends with the set.
        let _within = timeout(GOODBYE, all).await;
    }

    /// The watcher of an idle connection says that its time is over.
    pub(crate) fn expired(&self, index: usize, link: &Link) {
        self.on(index, Event::Expired(link.id), Manner::IdleExpiry);
    }

    /// The watcher of a connection says that it has ended.
    pub(crate) fn ended(&self, index: usize, link: &Link, record: &ConnectionRecord) {
        self.on(index, Event::Ended(link.id), Manner::Error);
        if let Some(recorder) = &self.recorder {
            recorder.connection(record);
        }
    }

    /// A connection that is open and may be used.
    fn claim_open(&self) -> Option<(usize, Effect<Connected>)> {
        let now = Instant::now();
        let mut slots = lock(&self.slots);
        let usable = slots.iter().enumerate().filter_map(|(index, slot)| match slot.fitness(now)? {
            slot::Fitness::Usable(until) => Some((until, index)),
            slot::Fitness::Stale | slot::Fitness::Empty => None,
        });
        let (_, index) = usable.max()?;
        Some((index, step(slots.get_mut(index)?, Event::Claim { now })))
    }

    fn claim(&self, freshness: Freshness) -> Option<(usize, Effect<Connected>)> {
        let now = Instant::now();
        let mut slots = lock(&self.slots);
        let fitting = slots.iter().enumerate().filter_map(|(index, slot)| Some((slot.fitness(now)?, index)));
        let (event, index) = match freshness {
            Freshness::Any => (Event::Claim { now }, fitting.max()?.1),
            // The worst connection makes room; an empty place is better still.
            Freshness::Fresh => {
                let empty = |fitness: &slot::Fitness| !matches!(fitness, slot::Fitness::Empty);
                (Event::ClaimFresh, fitting.min_by_key(|(fitness, _)| (empty(fitness), *fitness))?.1)
            }
        };
        Some((index, step(slots.get_mut(index)?, event)))
    }

    fn on(&self, index: usize, event: Event<Connected>, manner: Manner) {
        let effect = lock(&self.slots).get_mut(index).map(|slot| step(slot, event));
        match effect {
            Some(Effect::Close(connected) | Effect::Replace(connected) | Effect::Use(connected)) => {
                close(connected, manner);
            }
            Some(Effect::Nothing | Effect::Dial) | None => {}
        }
    }

    /// Puts a connection back, unless it has ended meanwhile.
    fn put_back(&self, index: usize, connected: Connected, until: Instant) {
        let link = Arc::clone(&connected.link);
        let mut slots = lock(&self.slots);
        // Under the lock: a watcher that has set `ended` has yet to evict it.
        let event = if link.has_ended() {
            Event::Abandoned
        } else {
            link.idles_until(Some(until));
            Event::Returned { id: link.id, connection: connected, until }
        };
        let effect = slots.get_mut(index).map(|slot| step(slot, event));
        drop(slots);
        drop(effect);
    }

    fn spawn(self: &Arc<Self>, dialled: dial::Dialled, index: usize) -> (Connected, DialTimes) {
        let dial::Dialled { connected, driver, times } = dialled;
        let watcher = link::watch(driver, Arc::clone(&connected.link), Arc::downgrade(self), index);
        let mut watchers = lock(&self.watchers);
        while watchers.try_join_next().is_some() {}
        watchers.spawn(watcher);
        (connected, times)
    }
}

fn step(slot: &mut Slot<Connected>, event: Event<Connected>) -> Effect<Connected> {
    let (next, effect) = std::mem::replace(slot, Slot::Empty).on(event);
    *slot = next;
    effect
}

/// Dropping the sender ends the connection: hyper sends close_notify and FIN.
fn close(connected: Connected, manner: Manner) {
    connected.link.ending(manner);
    drop(connected);
}

/// A connection in the hands of one request. Dropping it ends the connection;
/// [`Lease::give_back`] keeps it.
pub(crate) struct Lease {
    host: Arc<Host>,
    /// The slot; `None` once it has been given back and may be another's.
    index: Option<usize>,
    connected: Option<Connected>,
    pub(crate) queued_ns: u64,
    pub(crate) dialled: DialTimes,
    pub(crate) reuse: Reuse,
    /// Released after [`Drop`] has freed the slot.
    permit: Permit,
}

impl Lease {
    /// The connection; it is there until the lease is given back.
    pub(crate) fn connected(&mut self) -> Option<&mut Connected> {
        self.connected.as_mut()
    }

    /// What the request may open another connection with.
    pub(crate) fn permit(&self) -> Permit {
        Arc::clone(&self.permit)
    }

    /// Keeps the connection for others, for at most `idle`.
    pub(crate) async fn give_back(mut self, idle: Duration) {
        let learned = self.host.path(|path| path.idle_limit(Instant::now()));
        let idle = learned.map_or(idle, |learned| idle.min(learned.limit));
        let Some(mut connected) = self.connected.take() else { return };
        match timeout(READY, connected.sender.ready()).await {
            Ok(Ok(())) => {
                if let Some(index) = self.index.take() {
                    self.host.put_back(index, connected, Instant::now() + idle);
                }
            }
            Ok(Err(_)) | Err(_) => drop(connected),
        }
    }

    /// Ends the connection, saying why.
    pub(crate) fn end(mut self, manner: Manner) {
        if let Some(connected) = self.connected.take() {
            close(connected, manner);
        }
    }

    /// Lets go of a connection that broke: the end is the peer's or the path's.
    pub(crate) fn broke(mut self) {
        drop(self.connected.take());
    }

    fn reuse(&mut self, connected: Connected) {
        let since = connected.link.idle_since_ns.load(Ordering::Relaxed);
        self.reuse = Reuse::Reused {
            idle_before_ns: Stamp::mono_now().saturating_sub(since),
            requests_before: connected.link.uses.load(Ordering::Relaxed),
        };
        connected.link.idles_until(None);
        self.connected = Some(connected);
    }

    async fn open(&mut self) -> Result<(), Box<NoConnection>> {
        // Boxed: two handshakes are much more than what a request on an open connection
        // needs.
        let dialled = Box::pin(dial(&self.host)).await;
        match &dialled {
            Ok(_) => self.host.turns.succeeded(),
            Err(_) => self.host.turns.failed(Instant::now(), self.host.chance()),
        }
        let dialled = dialled.map_err(|mut none| {
            none.queued_ns = self.queued_ns;
            none
        })?;
        let Some(index) = self.index else { return Err(NoConnection::busy()) };
        let (connected, times) = self.host.spawn(dialled, index);
        self.dialled = times;
        self.connected = Some(connected);
        self.host.on(index, Event::Opened, Manner::Kill);
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connected) = self.connected.take() {
            close(connected, Manner::Kill);
        }
        if let Some(index) = self.index.take() {
            self.host.on(index, Event::Abandoned, Manner::Kill);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
