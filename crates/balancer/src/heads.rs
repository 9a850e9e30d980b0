//! The table of heads: who has how many connections, in which state each is, and
//! what its connections are ordered to do.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::Rng;
use repono_journal::{ChangeRecord, SharedRecorder, Stamp};
use repono_relay::Order;
use serde::Serialize;
use tokio::sync::{Notify, watch};

use crate::choice::{Candidate, Tried, choose};
use crate::config::HeadAddress;
use crate::probe::Level;
use crate::standing::{Event, Health, State, Wish};

/// Quiet after which a connection to a draining head is ended: a client that has
/// just been answered may be about to ask again.
const DRAINED_QUIET: Duration = Duration::from_secs(60);

/// The same when the balancer itself is stopping and has half a minute.
const STOPPING_QUIET: Duration = Duration::from_secs(1);

/// Silence after which a connection to a head that is down is reset: longer than
/// the checks that found it down took, so that one which still moves is spared.
const DEAD_SILENCE: Duration = Duration::from_secs(3);

/// One head.
pub struct Head {
    name: String,
    address: SocketAddr,
    connections: AtomicUsize,
    orders: watch::Sender<Order>,
    doubt: Notify,
}

impl Head {
    fn new(head: &HeadAddress) -> Self {
        Self {
            name: head.name.clone(),
            address: head.address,
            connections: AtomicUsize::new(0),
            orders: watch::Sender::new(Order::Continue),
            doubt: Notify::new(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its balancer-only address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its connections are ordered to do.
    #[must_use]
    pub fn orders(&self) -> watch::Receiver<Order> {
        self.orders.subscribe()
    }

    /// Waits until a connection could not be opened, which calls for a check at once.
    ///
    /// *Cancel safety*: a doubt is not lost.
    pub async fn doubted(&self) {
        self.doubt.notified().await;
    }
}

/// All heads of a balancer.
pub struct Heads {
    heads: Vec<Head>,
    table: Mutex<Table>,
    journal: SharedRecorder,
}

struct Table {
    standings: Vec<Standing>,
    only: Option<usize>,
    stage: Stage,
}

/// How far the balancer is on its way out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Serving,
    Stopping,
    Cutting,
}

#[derive(Clone, Copy)]
struct Standing {
    health: Health,
    wish: Wish,
    failing: Option<Level>,
}

impl Standing {
    const fn state(&self) -> State {
        State::of(self.health, self.wish)
    }
}

/// One head in the list that the operator sees.
#[derive(Clone, Debug, Serialize)]
pub struct HeadStatus {
    /// Its name.
    pub name: String,
    /// Its balancer-only address.
    pub address: SocketAddr,
    /// Its state.
    pub state: State,
    /// Its share of new connections; all heads have the same.
    pub weight: u32,
    /// Connections that it has from this balancer.
    pub connections: usize,
    /// Whether every new connection goes to it.
    pub only: bool,
    /// At which level its last check failed, if it did.
    pub failing: Option<Level>,
}

/// An operator's wish that cannot be fulfilled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WishRefused {
    /// No head has this name.
    #[error("no head has this name")]
    Unknown,
    /// All connections cannot go to a head that takes none.
    #[error("the head takes no connections now")]
    TakesNone,
}

/// Who changed something, and when.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// Who, such as `uid 1000` or `health check`.
    pub who: &'a str,
    /// When.
    pub at: Stamp,
}

impl Heads {
    /// Heads that nobody has looked at yet.
    #[must_use]
    pub fn new(heads: &[HeadAddress], journal: SharedRecorder) -> Arc<Self> {
        let standing = Standing { health: Health::UNTRIED, wish: Wish::Serve, failing: None };
        let standings = vec![standing; heads.len()];
        let table = Mutex::new(Table { standings, only: None, stage: Stage::Serving });
        Arc::new(Self { heads: heads.iter().map(Head::new).collect(), table, journal })
    }

    /// Every head with its position.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Head)> {
        self.heads.iter().enumerate()
    }

    /// Chooses a head that this connection has not tried, and counts the connection
    /// until the lease is dropped. `None` if no head is left.
    pub fn lease(self: &Arc<Self>, tried: Tried, random: &mut impl Rng) -> Option<Lease> {
        let table = self.table();
        let forced = table.only.filter(|head| {
            !tried.contains(*head)
                && table.standings.get(*head).is_some_and(|s| s.state().takes_connections())
        });
        let position = match forced {
            Some(head) => head,
            // A forced head that died leaves the service to the others.
            None => choose(&self.candidates(&table), tried, random)?,
        };
        self.heads.get(position)?.connections.fetch_add(1, Ordering::AcqRel);
        Some(Lease { heads: Arc::clone(self), position })
    }

    /// Something was learned about a head.
    pub fn observe(&self, position: usize, event: Event, at: Stamp) {
        self.learn(position, event, None, at);
    }

    /// A check failed at this level.
    pub fn observe_failure(&self, position: usize, level: Level, at: Stamp) {
        self.learn(position, Event::Failed, Some(level), at);
    }

    /// The operator's wish for a head.
    ///
    /// *Errors*: [`WishRefused::Unknown`].
    pub fn wish(&self, name: &str, wish: Wish, author: Author<'_>) -> Result<(), WishRefused> {
        let position = self.position(name)?;
        let mut table = self.table();
        if wish == Wish::Drain && table.only == Some(position) {
            self.set_only(&mut table, None, author);
        }
        self.change(&mut table, position, author, |standing| standing.wish = wish);
        Ok(())
    }

    /// Sends every new connection to one head, as long as that takes connections.
    ///
    /// *Errors*: [`WishRefused`].
    pub fn only(&self, name: &str, author: Author<'_>) -> Result<(), WishRefused> {
        let position = self.position(name)?;
        let mut table = self.table();
        let takes = table.standings.get(position).is_some_and(|s| s.state().takes_connections());
        if !takes {
            return Err(WishRefused::TakesNone);
        }
        self.set_only(&mut table, Some(position), author);
        Ok(())
    }

    /// Spreads connections over all heads again.
    pub fn only_off(&self, author: Author<'_>) {
        self.set_only(&mut self.table(), None, author);
    }

    /// The list that the operator sees.
    #[must_use]
    pub fn list(&self) -> Vec<HeadStatus> {
        let table = self.table();
        let status = |(position, (head, standing)): (usize, (&Head, &Standing))| HeadStatus {
            name: head.name.clone(),
            address: head.address,
            state: standing.state(),
            weight: 1,
            connections: head.connections.load(Ordering::Acquire),
            only: table.only == Some(position),
            failing: standing.failing,
        };
        self.heads.iter().zip(&table.standings).enumerate().map(status).collect()
    }

    /// Ends every connection at its next quiet moment.
    pub fn begin_stop(&self) {
        self.set_stage(Stage::Stopping);
    }

    /// Resets what is left.
    pub fn cut(&self) {
        self.set_stage(Stage::Cutting);
    }

    fn set_stage(&self, stage: Stage) {
        let mut table = self.table();
        table.stage = stage;
        self.give_orders(&table);
    }

    fn learn(&self, position: usize, event: Event, failing: Option<Level>, at: Stamp) {
        let mut table = self.table();
        let author = Author { who: "balancer", at };
        self.change(&mut table, position, author, |standing| {
            standing.health = standing.health.after(event);
            match event {
                Event::Passed | Event::Leaving => standing.failing = None,
                Event::Failed => standing.failing = failing,
                Event::Refused => {}
            }
        });
        let Some(head) = self.heads.get(position) else { return };
        match event {
            // Connections that have fallen silent since the last failure are reset now.
            Event::Failed => {
                head.orders.send_if_modified(|order| matches!(order, Order::Reset { .. }));
            }
            Event::Refused => head.doubt.notify_one(),
            Event::Passed | Event::Leaving => {}
        }
    }

    fn change(
        &self,
        table: &mut Table,
        position: usize,
        author: Author<'_>,
        change: impl FnOnce(&mut Standing),
    ) {
        let (Some(head), Some(standing)) = (self.heads.get(position), table.standings.get_mut(position))
        else {
            return;
        };
        let before = standing.state();
        change(standing);
        let after = standing.state();
        if before != after {
            let failing = standing.failing.map(Level::as_str);
            tracing::info!(head = head.name, from = before.as_str(), to = after.as_str(), failing, "head");
            self.record(author, &format!("{}.state", head.name), before.as_str(), after.as_str());
        }
        self.give_orders(table);
    }

    fn set_only(&self, table: &mut Table, only: Option<usize>, author: Author<'_>) {
        let name = |only: Option<usize>| only.and_then(|head| self.heads.get(head)).map_or("off", Head::name);
        let (before, after) = (name(table.only), name(only));
        if before != after {
            tracing::info!(from = before, to = after, "all new connections go to one head");
            self.record(author, "heads.only", before, after);
        }
        table.only = only;
    }

    fn record(&self, author: Author<'_>, what: &str, from: &str, to: &str) {
        self.journal.change(ChangeRecord { at: author.at, who: author.who, what, from, to });
    }

    fn give_orders(&self, table: &Table) {
        let others_serve = table.standings.iter().any(|standing| standing.state().takes_connections());
        for (head, standing) in self.heads.iter().zip(&table.standings) {
            let order = order(table.stage, standing.state(), others_serve);
            head.orders.send_if_modified(|current| std::mem::replace(current, order) != order);
        }
    }

    fn candidates(&self, table: &Table) -> Vec<Candidate> {
        let candidate = |(head, standing): (&Head, &Standing)| Candidate {
            state: standing.state(),
            connections: head.connections.load(Ordering::Acquire),
        };
        self.heads.iter().zip(&table.standings).map(candidate).collect()
    }

    fn position(&self, name: &str) -> Result<usize, WishRefused> {
        self.heads.iter().position(|head| head.name == name).ok_or(WishRefused::Unknown)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Every change is a plain assignment: a panic elsewhere leaves it whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the connections of a head in this state are to do.
///
/// If no head takes connections, a head that is down is left alone: what fails
/// everywhere may be the check, and a client that is reset has nowhere to go.
const fn order(stage: Stage, state: State, others_serve: bool) -> Order {
    match (stage, state) {
        (Stage::Cutting, _) => Order::Reset { silent: Duration::ZERO },
        (Stage::Serving | Stage::Stopping, State::Down) if others_serve => {
            Order::Reset { silent: DEAD_SILENCE }
        }
        (Stage::Stopping, _) => Order::Finish { quiet: STOPPING_QUIET },
        (Stage::Serving, State::Draining) => Order::Finish { quiet: DRAINED_QUIET },
        (Stage::Serving, State::Ready | State::Suspect | State::Down) => Order::Continue,
    }
}

/// One connection's place at a head.
pub struct Lease {
    heads: Arc<Heads>,
    position: usize,
}

impl Lease {
    /// The head's position.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    /// The head.
    #[must_use]
    pub fn head(&self) -> Option<&Head> {
        self.heads.heads.get(self.position)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(head) = self.head() {
            head.connections.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&self.position).finish()
    }
}

#[cfg(test)]
mod tests;
