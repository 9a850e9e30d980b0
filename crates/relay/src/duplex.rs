//! Both directions of one connection, and what becomes of it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::buffer::Size;
use crate::clock::Clocks;
use crate::lane::{Lane, Stop};
use crate::meter::Meter;
use crate::observer::{Cut, Observer, Pass, Stall, Verdict};
use crate::orders::Order;
use crate::outcome::{End, Manner, Outcome, Phase, Side};
use crate::tap::Tap;

/// Stall spans of quiet before the one examination of a quiet connection: after one
/// span the kernel's own silence of acknowledgements may be a moment too young.
const QUIET_STALLS: u32 = 2;

/// A running relay.
pub(crate) struct Duplex<'a, O> {
    client: TcpStream,
    server: TcpStream,
    /// From the client to the server.
    up: Lane,
    /// From the server to the client.
    down: Lane,
    meter: Meter,
    observer: &'a mut O,
    clocks: Clocks,
    /// Set by [`Order::Finish`].
    finish: Option<Finish>,
    /// When the observer was last asked about a stall.
    examined: Instant,
    first: Option<First>,
}

/// An order to end when it is quiet.
#[derive(Clone, Copy)]
struct Finish {
    quiet: Duration,
    /// Not before its turn among the others that were ordered too.
    not_before: Instant,
}

/// The first event of the end.
#[derive(Clone, Copy)]
struct First {
    end: End,
    phase: Phase,
    idle: Duration,
}

/// How the sockets are closed.
enum Way {
    /// Both FINs have been passed on; nothing is left to say.
    Plain,
    /// FIN, and a wait for the peers' FIN.
    Farewell,
    /// RST on both sides.
    Reset,
}

impl<'a, O: Observer> Duplex<'a, O> {
    pub(crate) fn new(client: TcpStream, server: TcpStream, observer: &'a mut O, clocks: Clocks) -> Self {
        let now = Instant::now();
        Self {
            client,
            server,
            up: Lane::Open(Size::Small),
            down: Lane::Open(Size::Small),
            meter: Meter::new(now),
            observer,
            clocks,
            finish: None,
            examined: now,
            first: None,
        }
    }

    /// Moves what can be moved; ready when the connection is over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, alarm: Pin<&mut Sleep>) -> Poll<End> {
        for from in [Side::Client, Side::Server] {
            if let Poll::Ready(stop) = self.poll_lane(cx, from)
                && let Some(end) = self.stopped(cx, from, stop)
            {
                return Poll::Ready(end);
            }
        }
        if let Poll::Ready(cut) = self.observer.cut(cx) {
            return Poll::Ready(End::relay(match cut {
                Cut::Fin => Manner::Finished,
                Cut::Reset => Manner::Cut,
            }));
        }
        // One side's FIN was passed on earlier, and now it refused what still came
        // for it: nobody has anything left to hear.
        if self.up.is_over() && self.down.is_over() {
            let refused = if let Lane::Severed(_) = self.up { Side::Server } else { Side::Client };
            return Poll::Ready(End::peer(refused, Manner::Fin));
        }
        self.poll_alarm(cx, alarm)
    }

    /// Carries out an order; returns the end if it is one.
    pub(crate) fn obey(&mut self, order: Order) -> Option<End> {
        match order {
            Order::Continue => self.finish = None,
            Order::Finish { quiet, spread } => {
                let turn = Instant::now() + self.clocks.stagger.within(spread);
                // A second order does not put off what the first one began.
                let not_before = self.finish.map_or(turn, |earlier| earlier.not_before.min(turn));
                self.finish = Some(Finish { quiet, not_before });
            }
            Order::Reset { silent } => {
                if self.meter.server_silence(Instant::now()) >= silent {
                    return Some(End::relay(Manner::Cut));
                }
            }
        }
        None
    }

    /// When the clocks must be looked at next, as things stand.
    pub(crate) fn next_look(&self) -> Instant {
        let active = self.meter.active();
        let limit = active + self.quiet_limit();
        let limit = self.examination().map_or(limit, |due| limit.min(due));
        if self.is_busy() { limit } else { self.parting().map_or(limit, |(due, _)| limit.min(due)) }
    }

    /// When the connection ends if it stays quiet, by an order or by its age.
    fn parting(&self) -> Option<(Instant, Manner)> {
        let active = self.meter.active();
        let ordered =
            self.finish.map(|finish| ((active + finish.quiet).max(finish.not_before), Manner::Finished));
        let aged = self.clocks.age.map(|age| {
            let reached = self.meter.opened + age.max;
            ((active + age.quiet).max(reached), Manner::Aged)
        });
        ordered.into_iter().chain(aged).min_by_key(|(due, _)| *due)
    }

    /// When the observer is asked next whether a peer is gone.
    ///
    /// Every stall span while someone is owed bytes. Once more when it has become
    /// quiet: the last answer may lie in the kernel, sent again and again towards a
    /// client that is no more, and only the idle clock would end that.
    fn examination(&self) -> Option<Instant> {
        let active = self.meter.active();
        if self.is_busy() {
            return Some(active.max(self.examined) + self.clocks.stall);
        }
        (self.examined < active).then(|| active + self.clocks.stall * QUIET_STALLS)
    }

    /// Closes the sockets in the way that fits the end; returns those that are owed
    /// a farewell.
    pub(crate) fn conclude(mut self, end: End) -> (Outcome, Option<[TcpStream; 2]>) {
        let now = Instant::now();
        self.begin_end(end, now);
        self.observer.ending(&self.client, &self.server);
        let first = self.first.unwrap_or(First { end, phase: self.phase(), idle: Duration::ZERO });
        let way = self.way(end.manner);
        let outcome = Outcome {
            first: first.end,
            last: end,
            phase: first.phase,
            idle: first.idle,
            client: self.meter.client,
            server: self.meter.server,
            turns: self.meter.turns,
            opened: self.meter.opened,
            ended: now,
        };
        let leaving = match way {
            Way::Plain => None,
            Way::Farewell => Some([self.client, self.server]),
            Way::Reset => {
                reset(&self.client);
                reset(&self.server);
                None
            }
        };
        (outcome, leaving)
    }

    fn poll_lane(&mut self, cx: &mut Context<'_>, from: Side) -> Poll<Stop> {
        let Self { client, server, up, down, meter, observer, .. } = self;
        let (lane, source, sink) = match from {
            Side::Client => (up, client, server),
            Side::Server => (down, server, client),
        };
        lane.poll(cx, source, sink, &mut Tap { from, meter, observer: &mut **observer })
    }

    /// Decides what follows when `from` sends nothing more.
    fn stopped(&mut self, cx: &mut Context<'_>, from: Side, stop: Stop) -> Option<End> {
        let towards_it = match from {
            Side::Client => &self.down,
            Side::Server => &self.up,
        };
        let kind = match (stop, towards_it) {
            (Stop::Failed(kind), _) => kind,
            // The error of an RST is told once, and the write has had it; the read
            // gives a FIN that was none. A broken pipe is an RST after a true FIN.
            (Stop::Fin, Lane::Severed(kind)) if *kind != io::ErrorKind::BrokenPipe => *kind,
            (Stop::Fin, _) => return self.pass_fin(cx, from),
        };
        Some(End::peer(from, manner_of(kind)))
    }

    fn pass_fin(&mut self, cx: &mut Context<'_>, from: Side) -> Option<End> {
        let now = Instant::now();
        let fin = End::peer(from, Manner::Fin);
        let pass = self.observer.fin(from, now);
        if pass == Pass::AsReset {
            return Some(End::peer(from, Manner::Torn));
        }
        self.begin_end(fin, now);
        self.meter.fin(from, now);
        let (lane, sink, towards_it) = match from {
            Side::Client => (&mut self.up, &mut self.server, &self.down),
            Side::Server => (&mut self.down, &mut self.client, &self.up),
        };
        *lane = match pass {
            Pass::Lost => Lane::deaf(),
            Pass::AsFin | Pass::AsReset => {
                // Fails only if the sink is gone, which its own direction will tell.
                let _ = Pin::new(sink).poll_shutdown(cx);
                Lane::Finished
            }
        };
        towards_it.is_over().then_some(fin)
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>, mut alarm: Pin<&mut Sleep>) -> Poll<End> {
        loop {
            // The alarm is only ever pulled nearer here. What moves later with each
            // byte is found too early by an old alarm, and set anew then: one timer
            // operation for each span, not for each byte.
            let look = self.next_look();
            if look < alarm.deadline() {
                alarm.as_mut().reset(look);
            }
            ready!(alarm.as_mut().poll(cx));
            let now = Instant::now();
            if let Some(end) = self.expired(now) {
                return Poll::Ready(end);
            }
            alarm.as_mut().reset(self.next_look());
        }
    }

    fn expired(&mut self, now: Instant) -> Option<End> {
        let still = now.saturating_duration_since(self.meter.active());
        if still >= self.quiet_limit() {
            let half = self.up.is_over() || self.down.is_over();
            return Some(End::relay(if half { Manner::HalfClosed } else { Manner::Idle }));
        }
        let parting = if self.is_busy() { None } else { self.parting() };
        if let Some((_, manner)) = parting.filter(|(due, _)| now >= *due) {
            return Some(End::relay(manner));
        }
        if self.examination().is_none_or(|due| now < due) {
            return None;
        }
        self.examined = now;
        let stall = Stall { client: &self.client, server: &self.server, waited: still };
        match self.observer.stalled(stall) {
            Verdict::Wait => None,
            Verdict::Gone(side) => Some(End::peer(side, Manner::Vanished)),
        }
    }

    fn quiet_limit(&self) -> Duration {
        if self.up.is_over() || self.down.is_over() { self.clocks.half_closed } else { self.clocks.idle }
    }

    /// Whether someone is owed bytes.
    fn is_busy(&self) -> bool {
        self.meter.asked().is_some() || self.is_holding()
    }

    fn is_holding(&self) -> bool {
        self.up.is_holding() || self.down.is_holding()
    }

    fn phase(&self) -> Phase {
        if self.is_holding() { Phase::Moving } else { self.meter.phase() }
    }

    fn begin_end(&mut self, end: End, now: Instant) {
        let (phase, idle) = (self.phase(), now.saturating_duration_since(self.meter.active()));
        self.first.get_or_insert(First { end, phase, idle });
    }

    fn way(&self, manner: Manner) -> Way {
        match manner {
            Manner::Fin if self.is_severed() => Way::Farewell,
            Manner::Fin => Way::Plain,
            Manner::Idle if self.is_busy() => Way::Reset,
            Manner::Idle | Manner::Finished | Manner::Aged => Way::Farewell,
            Manner::Torn | Manner::Reset | Manner::Vanished | Manner::HalfClosed | Manner::Cut => Way::Reset,
        }
    }

    fn is_severed(&self) -> bool {
        matches!(self.up, Lane::Severed(_)) || matches!(self.down, Lane::Severed(_))
    }
}

fn manner_of(kind: io::ErrorKind) -> Manner {
    match kind {
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Manner::Vanished
        }
        _ => Manner::Reset,
    }
}

/// Makes the close of this socket an RST.
fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "the connection is closed without RST");
    }
}
