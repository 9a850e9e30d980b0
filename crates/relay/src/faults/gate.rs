//! A plan, carried out on one connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::ledger::{Deed, Ledger, Subject};
use super::pace::{Alarm, Pacer, after};
use super::plan::{Effect, Fins, Plan, Reach, Strike, When};
use super::trip::Trip;
use crate::observer::{Cut, Observer, Pass, Reply, Stall, Verdict};
use crate::outcome::Side;

/// An observer that does to its connection what a plan says, and otherwise leaves
/// everything to the observer within.
///
/// *Shape*: for [`crate::relay_under`]; the plan's door is the listener's business
/// and is not looked at here.
#[derive(Debug)]
pub struct Faulty<O> {
    within: O,
    subject: Subject,
    ledger: Arc<Ledger>,
    fins: Fins,
    client: Direction,
    server: Direction,
    armed: Vec<Armed>,
    cut: Option<Cut>,
    opened: Instant,
    /// When a byte was last read.
    active: Instant,
    alarm: Alarm,
    doom: Arc<Doom>,
    doomed: Option<Effect>,
}

/// What befalls the connections below a number, whatever their plan.
#[derive(Debug, Default)]
pub(super) struct Doom {
    below: AtomicU64,
    effect: Mutex<Option<Effect>>,
}

impl Doom {
    /// From now on it is this effect, for the connections below this number.
    pub(super) fn set(&self, below: u64, effect: Effect) {
        *self.effect.lock().unwrap_or_else(PoisonError::into_inner) = Some(effect);
        self.below.store(below, Ordering::Release);
    }

    fn of(&self, number: u64) -> Option<Effect> {
        if number >= self.below.load(Ordering::Acquire) {
            return None;
        }
        *self.effect.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes of one side.
#[derive(Debug)]
struct Direction {
    pacer: Pacer,
    state: State,
    told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Bytes pass.
    Passing,
    /// They wait until then. Left for `Passing`.
    Stalled(Instant),
    /// They never pass again. Final.
    Mute,
}

/// Whether the ledger has been told that a direction is slowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Not,
    Yes,
}

/// A strike that has not fallen.
#[derive(Clone, Copy, Debug)]
struct Armed {
    when: When,
    effect: Effect,
    trip: Option<Trip>,
}

impl<O: Observer> Faulty<O> {
    /// Carries out `plan` on the connection of `subject`, with draws from `seed`.
    pub fn new(within: O, plan: &Plan, subject: Subject, seed: u64, ledger: Arc<Ledger>) -> Self {
        Self::under_doom(within, plan, subject, seed, ledger, Arc::default())
    }

    pub(super) fn under_doom(
        within: O,
        plan: &Plan,
        subject: Subject,
        seed: u64,
        ledger: Arc<Ledger>,
        doom: Arc<Doom>,
    ) -> Self {
        let mut random = StdRng::seed_from_u64(seed_of(seed, subject.number));
        let now = Instant::now();
        let mut direction = |from| Direction {
            pacer: Pacer::new(plan.pace(from), StdRng::from_rng(&mut random)),
            state: State::Passing,
            told: Told::Not,
        };
        let (client, server) = (direction(Side::Client), direction(Side::Server));
        let falls = |strike: &&Strike| strike.chance.falls_on(subject.number, &mut random);
        let armed = plan.strikes.iter().filter(falls).map(Armed::new).collect();
        Self {
            within,
            subject,
            ledger,
            fins: plan.fins,
            client,
            server,
            armed,
            cut: None,
            opened: now,
            active: now,
            alarm: Alarm::default(),
            doom,
            doomed: None,
        }
    }

    /// The observer within.
    pub fn into_within(self) -> O {
        self.within
    }

    fn direction(&mut self, from: Side) -> &mut Direction {
        match from {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Lets every strike fall whose moment `is_now`.
    fn strike(&mut self, is_now: impl Fn(&Armed) -> bool) {
        let now = Instant::now();
        while let Some(index) = self.armed.iter().position(&is_now) {
            let Armed { when, effect, .. } = self.armed.swap_remove(index);
            self.ledger.note(self.subject, Deed::Struck(when, effect));
            self.suffer(effect, now);
        }
    }

    fn suffer(&mut self, effect: Effect, now: Instant) {
        match effect {
            Effect::Fin => self.cut = Some(Cut::Fin),
            Effect::Reset => self.cut = Some(Cut::Reset),
            Effect::Silence(reach) => self.set(reach, State::Mute),
            Effect::Stall(reach, span) => self.set(reach, State::Stalled(after(now, span))),
        }
    }

    /// A doom that has been set meanwhile befalls the connection when something
    /// moves on it, once.
    fn meet_doom(&mut self, now: Instant) {
        let doom = self.doom.of(self.subject.number);
        if let Some(effect) = doom
            && self.doomed != doom
        {
            self.doomed = doom;
            self.ledger.note(self.subject, Deed::Doomed(effect));
            self.suffer(effect, now);
        }
    }

    fn set(&mut self, reach: Reach, state: State) {
        for from in [Side::Client, Side::Server] {
            let direction = self.direction(from);
            if reach.covers(from) && direction.state != State::Mute {
                direction.state = state;
            }
        }
    }

    /// Waits out a stall; never ready where nothing passes any more.
    fn passing(&mut self, from: Side, cx: &mut Context<'_>) -> Poll<()> {
        if self.cut.is_some() {
            return Poll::Pending;
        }
        let direction = self.direction(from);
        match direction.state {
            State::Passing => Poll::Ready(()),
            State::Mute => Poll::Pending,
            State::Stalled(until) => {
                ready!(direction.pacer.wait(until, cx));
                direction.state = State::Passing;
                Poll::Ready(())
            }
        }
    }
}

impl Armed {
    fn new(strike: &Strike) -> Self {
        Self { when: strike.when, effect: strike.effect, trip: Trip::new(strike.when) }
    }

    /// When the clock decides, if it does.
    fn due(&self, opened: Instant, active: Instant) -> Option<Instant> {
        match self.when {
            When::Idle(span) => Some(after(active, span)),
            When::Age(span) => Some(after(opened, span)),
            When::SendAfterIdle(_) | When::Bytes(..) | When::MidRecord(..) => None,
        }
    }

    fn is_tripped(&self, from: Side) -> bool {
        self.trip.is_some_and(|trip| trip.is_reached(from))
    }
}

impl<O: Observer> Observer for Faulty<O> {
    fn admit(&mut self, from: Side, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.passing(from, cx));
        self.within.admit(from, cx)
    }

    fn moved(&mut self, from: Side, bytes: &[u8], at: Instant) {
        let quiet = at.saturating_duration_since(self.active);
        self.active = at;
        self.strike(|armed| matches!(armed.when, When::SendAfterIdle(span) if quiet >= span));
        self.meet_doom(at);
        self.direction(from).pacer.took(at);
        self.within.moved(from, bytes, at);
    }

    fn reply(&mut self, bytes: &[u8]) -> Reply {
        self.within.reply(bytes)
    }

    fn release(&mut self, from: Side, bytes: &[u8], cx: &mut Context<'_>) -> Poll<usize> {
        self.strike(|armed| armed.is_tripped(from));
        ready!(self.passing(from, cx));
        let trips = self.armed.iter().filter_map(|armed| armed.trip);
        let room = trips.map(|trip| trip.room(from, bytes)).min().unwrap_or(bytes.len());
        let (subject, direction) = (self.subject, self.direction(from));
        let pace = direction.pacer.pace();
        let first = direction.pacer.slows() && std::mem::replace(&mut direction.told, Told::Yes) == Told::Not;
        let released = direction.pacer.release(room, cx);
        if first {
            self.ledger.note(subject, Deed::Paced(from, pace));
        }
        let count = ready!(released);
        self.within.release(from, bytes.get(..count).unwrap_or(bytes), cx)
    }

    fn passed(&mut self, from: Side, bytes: &[u8]) {
        for trip in self.armed.iter_mut().filter_map(|armed| armed.trip.as_mut()) {
            trip.advance(from, bytes);
        }
        self.strike(|armed| armed.is_tripped(from));
        self.direction(from).pacer.passed(bytes.len(), Instant::now());
        self.within.passed(from, bytes);
    }

    fn cut(&mut self, cx: &mut Context<'_>) -> Poll<Cut> {
        let (now, opened, active) = (Instant::now(), self.opened, self.active);
        self.strike(|armed| armed.due(opened, active).is_some_and(|due| due <= now));
        if let Some(cut) = self.cut {
            return Poll::Ready(cut);
        }
        if let Some(next) = self.armed.iter().filter_map(|armed| armed.due(opened, active)).min()
            && self.alarm.wait(next, cx).is_ready()
        {
            // The moment came while the alarm was set: look again.
            cx.waker().wake_by_ref();
        }
        self.within.cut(cx)
    }

    fn turn(&mut self, waited: Duration, at: Instant) {
        self.within.turn(waited, at);
    }

    fn fin(&mut self, from: Side, at: Instant) -> Pass {
        self.meet_doom(at);
        let pass = self.within.fin(from, at);
        if self.direction(from).state == State::Mute {
            return Pass::Lost;
        }
        match self.fins {
            Fins::Lost(side) if side == from => {
                self.ledger.note(self.subject, Deed::FinLost(from));
                Pass::Lost
            }
            Fins::AsReset(side) if side == from => {
                self.ledger.note(self.subject, Deed::FinAsReset(from));
                Pass::AsReset
            }
            Fins::Pass | Fins::Lost(_) | Fins::AsReset(_) => pass,
        }
    }

    fn stalled(&mut self, stall: Stall<'_>) -> Verdict {
        self.within.stalled(stall)
    }

    fn ending(&mut self, client: &TcpStream, server: &TcpStream) {
        self.within.ending(client, server);
    }
}

/// Each connection has draws of its own, whatever the others draw.
const fn seed_of(seed: u64, number: u64) -> u64 {
    /// 2^64 divided by the golden ratio: neighbouring numbers land far apart.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    seed ^ number.wrapping_add(1).wrapping_mul(SPREAD)
}
