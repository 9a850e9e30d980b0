//! Of which connection a record is, and whether that is one to look for.

use std::net::SocketAddr;

use repono_core::id::ConnectionId;
use repono_journal::read::{Connection, Request, Turn};
use repono_journal::{Manner, RequestRecord, Side, Stamp, TurnKind};

use super::shelf::Standing;

/// What a record tells of its connection.
pub(super) struct Seen {
    pub(super) own: ConnectionId,
    /// As the balancer knows it; without a balancer, as the head does.
    pub(super) balancers: Option<ConnectionId>,
    /// The client's end of it, and a recorder's own.
    pub(super) addresses: [Option<SocketAddr>; 2],
    pub(super) span_ns: (u64, u64),
    pub(super) standing: Standing,
    pub(super) depth: Depth,
}

/// How much a record tells of whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// No more than others of its connection.
    Request,
    /// All that its side knows.
    Connection,
}

impl Seen {
    pub(super) fn by_request(request: &Request<'_>) -> Self {
        let is_slow = request.duration_ns() >= RequestRecord::SLOW_NS;
        Self {
            own: request.connection,
            balancers: balancers(request.side, request.connection, request.balancer_id),
            addresses: [request.source, None],
            span_ns: (request.ended.wall_ns.saturating_sub(request.duration_ns()), request.ended.wall_ns),
            standing: standing(is_slow || request.attempts > 1 || request.is_failed()),
            depth: Depth::Request,
        }
    }

    pub(super) fn by_turn(turn: &Turn<'_>) -> Self {
        let is_slow = match turn.answered_mono_ns {
            Some(at) => at.saturating_sub(turn.asked_last_mono_ns) >= RequestRecord::SLOW_NS,
            // The last bytes of a client may ask for nothing. Only after a wait does a relay
            // look whether they were acknowledged.
            None => turn.acknowledged.is_some(),
        };
        let peer = turn.exchange.as_ref().and_then(|exchange| exchange.peer_connection);
        Self {
            own: turn.connection,
            balancers: balancers(turn.side, turn.connection, peer),
            addresses: [Some(turn.source), turn.onward],
            span_ns: span(turn.asked, turn.ended),
            // A handshake without an end is a stranger's.
            standing: standing(is_slow && turn.kind != Some(TurnKind::Handshake)),
            depth: Depth::Connection,
        }
    }

    pub(super) fn by_end(connection: &Connection<'_>) -> Self {
        // Vending is another server: its clients' ports are no connections of the balancer.
        let source = (connection.side != Some(Side::Vending)).then_some(connection.source);
        Self {
            own: connection.id,
            balancers: balancers(connection.side, connection.id, connection.balancer_id),
            addresses: [source, None],
            span_ns: span(connection.opened, connection.ended),
            standing: standing(ends_oddly(connection)),
            depth: Depth::Connection,
        }
    }
}

fn balancers(side: Option<Side>, own: ConnectionId, told: Option<ConnectionId>) -> Option<ConnectionId> {
    let is_told_to_clients = matches!(side, Some(Side::Balancer | Side::Head));
    told.or_else(|| is_told_to_clients.then_some(own))
}

fn span(from: Stamp, to: Stamp) -> (u64, u64) {
    (from.wall_ns.min(to.wall_ns), to.wall_ns)
}

const fn standing(is_notable: bool) -> Standing {
    if is_notable { Standing::Notable } else { Standing::Plain }
}

/// Whether nobody meant it to end so, or a request raced its end.
fn ends_oddly(connection: &Connection<'_>) -> bool {
    let manner = match connection.manner {
        Some(Manner::Rst | Manner::Timeout | Manner::Overload | Manner::Kill | Manner::Error) => true,
        Some(
            Manner::Fin
            | Manner::FinCloseNotify
            | Manner::IdleExpiry
            | Manner::Drain
            | Manner::Age
            | Manner::RequestLimit,
        )
        | None => false,
    };
    // The balancer's letters tell too whether a head left in the middle, or let it wait.
    let letter = connection.end_code.as_deref().and_then(|code| code.chars().next());
    manner || connection.late_bytes > 0 || matches!(letter, Some('S' | 's' | 'D' | 'P'))
}
