//! Bytes as they are.

use std::time::Duration;

use repono_journal::{ClosedBy, ConnectionRecord, TcpSummary};
use repono_net::socket::tcp_info;
use repono_relay::tls::Tail;
use repono_relay::{
    Clocks, End, EndedBy, Observer, Orders, Outcome, Reply, Side, Stall, Verdict, relay_under,
};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::conversation::Conversation;

/// No end of our own: a day is longer than any limit that is looked for. A server that
/// was asked and has said nothing is looked at by then when Linux has sent the request
/// for the third time (0.6 s). A client that has said FIN is gone for good.
const CLOCKS: Clocks = Clocks {
    idle: Duration::from_secs(86_400),
    half_closed: Duration::from_secs(30),
    stall: Duration::from_millis(700),
    ..Clocks::DEFAULT
};

/// Relays until the end; `before` is how long it took until the server's end stood.
pub(crate) async fn relay(
    [client, server]: [TcpStream; 2],
    conversation: Conversation<'_>,
    record: &mut ConnectionRecord,
    before: Duration,
    orders: Orders,
) {
    let mut watch = Watch { conversation, tails: [Tail::EMPTY; 2], tcp: [None, None] };
    let outcome = relay_under(client, server, &mut watch, CLOCKS, orders).await;
    outcome.record(
        record,
        cause(&outcome),
        ClosedBy::Peer,
        |side| watch.tails[place(side)].is_alert(),
        before,
    );
    record.tcp = watch.tcp;
}

/// What the recorder does to a connection that a side has left is none of its ends.
const fn cause(outcome: &Outcome) -> End {
    match (outcome.first.by, outcome.last.by) {
        (EndedBy::Client | EndedBy::Server, EndedBy::Relay) => outcome.first,
        (EndedBy::Relay, _) | (_, EndedBy::Client | EndedBy::Server) => outcome.cause(),
    }
}

struct Watch<'a> {
    conversation: Conversation<'a>,
    /// The client's stream, and the server's.
    tails: [Tail; 2],
    tcp: [Option<TcpSummary>; 2],
}

/// A side's place in a pair.
const fn place(side: Side) -> usize {
    match side {
        Side::Client => 0,
        Side::Server => 1,
    }
}

impl Observer for Watch<'_> {
    fn moved(&mut self, from: Side, bytes: &[u8], _: Instant) {
        self.tails[place(from)].push(bytes);
        if from == Side::Client {
            self.conversation.client(bytes);
        }
    }

    fn reply(&mut self, bytes: &[u8]) -> Reply {
        self.conversation.server(bytes)
    }

    fn stalled(&mut self, stall: Stall<'_>) -> Verdict {
        if self.conversation.is_waiting()
            && let Ok(info) = tcp_info(stall.server)
        {
            self.conversation.looked(info.unacked == 0);
        }
        Verdict::Wait
    }

    fn ending(&mut self, client: &TcpStream, server: &TcpStream) {
        self.tcp = [client, server].map(|socket| Some(tcp_info(socket).ok()?.summary()));
        self.conversation.end();
    }
}
