//! Turns out of the bytes that pass.

use std::net::SocketAddr;
use std::time::Duration;

use repono_core::id::ConnectionId;

use crate::recorder::SharedRecorder;
use crate::request::Side;
use crate::stamp::Stamp;
use crate::text::Text;
use crate::turn::{TurnKind, TurnRecord, TurnRequest};

/// What names a connection in its turns.
#[derive(Clone, Copy, Debug)]
pub struct TurnNames<'a> {
    /// Who records.
    pub side: Side,
    /// The connection, as this side knows it.
    pub connection: ConnectionId,
    /// The client's end.
    pub source: SocketAddr,
    /// The relay's end.
    pub destination: SocketAddr,
    /// The relay's own end towards the server, which the server takes for the client's.
    pub onward: Option<SocketAddr>,
    /// How long it took until the server's end of it stood.
    pub connect: Duration,
    /// The head that serves it, where it is known.
    pub head: &'a str,
}

/// Follows one connection, and records each turn when the next one begins.
pub struct TurnMeter<'a> {
    recorder: &'a SharedRecorder,
    names: TurnNames<'a>,
    number: u64,
    last_mono_ns: Option<u64>,
    /// On the heap, so that a connection which nobody follows is not larger.
    open: Option<Box<TurnRecord>>,
}

impl<'a> TurnMeter<'a> {
    /// Follows a connection of which nothing was seen yet.
    #[must_use]
    pub const fn new(recorder: &'a SharedRecorder, names: TurnNames<'a>) -> Self {
        Self { recorder, names, number: 0, last_mono_ns: None, open: None }
    }

    /// The connection.
    #[must_use]
    pub const fn names(&self) -> TurnNames<'a> {
        self.names
    }

    /// Whether the client's next bytes belong to a turn that has begun.
    #[must_use]
    pub fn is_asking(&self) -> bool {
        self.open.as_ref().is_some_and(|turn| turn.answered_mono_ns.is_none())
    }

    /// How long nothing has moved in the turn that has begun.
    #[must_use]
    pub fn quiet(&self) -> Duration {
        let last = self.open.as_ref().map_or_else(Stamp::mono_now, |turn| turn.ended_mono_ns);
        Duration::from_nanos(Stamp::mono_now().saturating_sub(last))
    }

    /// Bytes came from the client.
    pub fn asked(&mut self, bytes: usize) {
        if !self.is_asking() {
            self.end();
        }
        let now = Stamp::now();
        let turn = match &mut self.open {
            Some(turn) => turn,
            None => {
                self.number = self.number.saturating_add(1);
                let turn = begun(self.names, self.number, now, self.last_mono_ns);
                self.open.insert(Box::new(turn))
            }
        };
        turn.bytes_in = turn.bytes_in.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        turn.asked_last_mono_ns = now.mono_ns;
        turn.ended_mono_ns = now.mono_ns;
    }

    /// Bytes came from the server.
    pub fn answered(&mut self, kind: TurnKind, bytes: usize) {
        let Some(turn) = &mut self.open else { return };
        let now = Stamp::mono_now();
        if turn.answered_mono_ns.is_none() {
            turn.answered_mono_ns = Some(now);
            turn.kind = kind;
        }
        turn.bytes_out = turn.bytes_out.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        turn.ended_mono_ns = now;
    }

    /// The kernel was asked, while no answer came, whether the server's has
    /// acknowledged what was sent.
    pub fn looked(&mut self, acknowledged: bool) {
        if let Some(turn) = self.open.as_mut().filter(|turn| turn.answered_mono_ns.is_none()) {
            turn.acknowledged = Some(acknowledged);
        }
    }

    /// The request of the turn that has begun, once its head or that of its reply was
    /// read.
    pub fn request(&mut self, request: TurnRequest) {
        if let Some(turn) = &mut self.open {
            turn.request = Some(request);
        }
    }

    /// Records what was begun: the connection is over, or another turn begins.
    pub fn end(&mut self) {
        if let Some(turn) = self.open.take() {
            self.last_mono_ns = Some(turn.ended_mono_ns);
            self.recorder.turn(&turn);
        }
    }
}

fn begun(names: TurnNames<'_>, number: u64, now: Stamp, last_mono_ns: Option<u64>) -> TurnRecord {
    let TurnNames { side, connection, source, destination, onward, connect, head } = names;
    let connect = u64::try_from(connect.as_nanos()).unwrap_or(u64::MAX);
    TurnRecord {
        side,
        kind: TurnKind::Exchange,
        connection,
        source,
        destination,
        onward,
        head: Text::new(head),
        number,
        asked: now,
        asked_last_mono_ns: now.mono_ns,
        answered_mono_ns: None,
        ended_mono_ns: now.mono_ns,
        connect_ns: (number == 1).then_some(connect),
        idle_before_ns: last_mono_ns.map_or(0, |last| now.mono_ns.saturating_sub(last)),
        bytes_in: 0,
        bytes_out: 0,
        acknowledged: None,
        request: None,
    }
}
