//! What the balancer watches in a connection's bytes: whether the head's end was
//! announced, and what the kernel knew at the end.

use std::time::Duration;

use repono_journal::{TcpSummary, TurnKind};
use repono_net::socket::tcp_info;
use repono_relay::tls::{Greeting, Heard, Tail, is_client_hello};
use repono_relay::{Observer, Pass, Reply, Side, Stall, Verdict};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::heads::Lease;
use crate::open::{Open, Turn};
use crate::trace::turns::Turns;

mod patience;

use patience::Patience;

/// What the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speech {
    /// It has not sent a byte.
    Silent,
    /// TLS.
    Tls,
    /// Something else.
    Other,
}

/// Watches one connection.
pub(crate) struct Watch<'a> {
    patience: Patience<'a>,
    turns: Option<Turns<'a>>,
    /// Where others see when a byte moved last.
    open: Option<&'a Open>,
    speech: Speech,
    /// While TLS begins; on the heap, because a connection is idle without it.
    greeting: Option<Box<Greeting>>,
    spoke_last: Option<Side>,
    client_ended: Option<Instant>,
    client: Tail,
    head: Tail,
    tcp: [Option<TcpSummary>; 2],
}

impl<'a> Watch<'a> {
    /// Watches a connection of this lease.
    pub(crate) const fn new(
        lease: Option<&'a Lease>,
        turns: Option<Turns<'a>>,
        open: Option<&'a Open>,
    ) -> Self {
        Self {
            patience: Patience::new(lease),
            turns,
            open,
            speech: Speech::Silent,
            greeting: None,
            spoke_last: None,
            client_ended: None,
            client: Tail::EMPTY,
            head: Tail::EMPTY,
            tcp: [None, None],
        }
    }

    /// Whether this side's stream ended with an alert, which close_notify is.
    pub(crate) fn announced(&self, side: Side) -> bool {
        match side {
            Side::Client => self.client.is_alert(),
            Side::Server => self.head.is_alert(),
        }
    }

    /// Whether the head's conduct at the beginning is still to be told.
    pub(crate) fn is_untold(&self) -> bool {
        self.patience.is_untold()
    }

    /// The kernel's view of both sockets at the end: the client's, the head's.
    pub(crate) const fn tcp(&self) -> [Option<TcpSummary>; 2] {
        self.tcp
    }

    /// The client's first bytes.
    fn greet(&mut self, bytes: &[u8]) {
        if is_client_hello(bytes) {
            self.speech = Speech::Tls;
            self.greeting = Some(Box::default());
        } else {
            self.speech = Speech::Other;
        }
    }

    /// Whether the client waits. The end of a handshake asks for nothing, so that a
    /// connection which was opened and never used does not wait.
    fn whose_turn(&self) -> Turn {
        let asked = self.greeting.as_deref().is_none_or(Greeting::is_owed);
        if asked && self.spoke_last == Some(Side::Client) { Turn::Waiting } else { Turn::Quiet }
    }

    /// Whether a FIN of the head, which the client has not asked for, is its death.
    fn head_died(&self) -> bool {
        match self.speech {
            Speech::Silent => false,
            // An announced end may race a request; a client survives FIN better.
            Speech::Tls => !self.head.is_alert(),
            // Only the unanswered request shows it: what else is whole cannot be told.
            Speech::Other => self.spoke_last == Some(Side::Client),
        }
    }
}

impl Observer for Watch<'_> {
    fn moved(&mut self, from: Side, bytes: &[u8], at: Instant) {
        match from {
            Side::Client => {
                self.spoke_last = Some(Side::Client);
                self.patience.asked();
                if let Some(turns) = &mut self.turns {
                    turns.asked(bytes.len());
                }
                if self.speech == Speech::Silent {
                    self.greet(bytes);
                }
                if let Some(greeting) = &mut self.greeting {
                    greeting.client(bytes);
                }
                self.client.push(bytes);
            }
            Side::Server => self.head.push(bytes),
        }
        if let Some(open) = self.open {
            open.moved(at, self.whose_turn());
        }
    }

    fn reply(&mut self, bytes: &[u8]) -> Reply {
        let heard = self.greeting.as_mut().map_or(Heard::Answer, |greeting| greeting.server(bytes));
        match heard {
            Heard::Handshake => {}
            Heard::Tickets | Heard::Answer => self.greeting = None,
        }
        if heard == Heard::Tickets {
            return Reply::Aside;
        }
        self.spoke_last = Some(Side::Server);
        if let Some(open) = self.open {
            open.answered();
        }
        if let Some(turns) = &mut self.turns {
            let kind = if heard == Heard::Handshake { TurnKind::Handshake } else { TurnKind::Exchange };
            turns.answered(kind, bytes.len());
        }
        Reply::Answer
    }

    fn turn(&mut self, waited: Duration, at: Instant) {
        self.patience.answered(waited, at);
    }

    fn fin(&mut self, from: Side, at: Instant) -> Pass {
        match from {
            Side::Client => {
                self.client_ended = Some(at);
                Pass::AsFin
            }
            Side::Server if self.client_ended.is_none() && self.head_died() => Pass::AsReset,
            Side::Server => Pass::AsFin,
        }
    }

    fn stalled(&mut self, stall: Stall<'_>) -> Verdict {
        let gone = |stream: &TcpStream| tcp_info(stream).is_ok_and(|info| info.peer_is_gone());
        if gone(stall.server) {
            Verdict::Gone(Side::Server)
        } else if gone(stall.client) {
            Verdict::Gone(Side::Client)
        } else {
            if self.spoke_last == Some(Side::Client) {
                self.patience.waits(stall.waited, Instant::now());
            }
            Verdict::Wait
        }
    }

    fn ending(&mut self, client: &TcpStream, server: &TcpStream) {
        self.tcp = [client, server].map(|socket| Some(tcp_info(socket).ok()?.summary()));
        if let Some(turns) = &mut self.turns {
            turns.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use repono_relay::{Observer, Pass, Side};
    use tokio::time::Instant;

    use super::{Turn, Watch};

    fn record(kind: u8, bytes: u8) -> Vec<u8> {
        let mut record = vec![kind, 3, 3, 0, bytes];
        record.resize(5 + usize::from(bytes), 0);
        record
    }

    /// Whether the client waits after each of these.
    fn waits(pieces: &[(Side, Vec<u8>)]) -> Vec<bool> {
        let mut watch = Watch::new(None, None, None);
        let wait = |(side, bytes): &(Side, Vec<u8>)| {
            watch.moved(*side, bytes, Instant::now());
            if *side == Side::Server {
                watch.reply(bytes);
            }
            watch.whose_turn() == Turn::Waiting
        };
        pieces.iter().map(wait).collect()
    }

    #[test]
    fn a_connection_that_was_opened_and_never_used_waits_for_nothing() {
        use Side::{Client, Server};
        let data = || record(23, 53);
        let opened = vec![
            (Client, record(22, 90)),
            (Server, [record(22, 90), record(20, 1), data()].concat()),
            (Client, [record(20, 1), data()].concat()),
        ];
        let asked = [opened.clone(), vec![(Client, data()), (Server, data()), (Server, data())]].concat();
        assert_eq!(waits(&opened), [true, false, false], "TLS 1.3");
        assert_eq!(waits(&asked)[3..], [true, false, false], "a request, and its long answer");
        let earlier = vec![
            (Client, record(22, 90)),
            (Server, record(22, 90)),
            (Client, [record(22, 66), record(20, 1), record(22, 40)].concat()),
            (Server, [record(20, 1), record(22, 40)].concat()),
            (Client, data()),
            (Server, data()),
        ];
        assert_eq!(waits(&earlier), [true, false, true, false, true, false], "TLS 1.2");
        let resumed = vec![
            (Client, record(22, 90)),
            (Server, [record(22, 90), record(20, 1), record(22, 40)].concat()),
            (Client, [record(20, 1), record(22, 40)].concat()),
            (Client, data()),
        ];
        assert_eq!(waits(&resumed), [true, false, false, true], "TLS 1.2, resumed");
        assert_eq!(waits(&[(Client, b"GET /".to_vec())]), [true], "no TLS");
    }

    const HELLO: &[u8] = &[22, 3, 1, 0, 4, 1, 0, 0, 0];
    const DATA: &[u8] = &[23, 3, 3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const CLOSE_NOTIFY: &[u8] = &[21, 3, 3, 0, 2, 1, 0];

    /// What becomes of the head's FIN after these bytes.
    fn head_fin(bytes: &[(Side, &[u8])]) -> Pass {
        let mut watch = Watch::new(None, None, None);
        for (side, bytes) in bytes {
            watch.moved(*side, bytes, Instant::now());
            if *side == Side::Server {
                watch.reply(bytes);
            }
        }
        watch.fin(Side::Server, Instant::now())
    }

    #[test]
    fn a_head_that_says_goodbye_is_believed() {
        use Side::{Client, Server};
        assert_eq!(head_fin(&[(Client, HELLO), (Server, DATA), (Server, CLOSE_NOTIFY)]), Pass::AsFin);
        let raced = [(Client, HELLO), (Server, DATA), (Server, CLOSE_NOTIFY), (Client, DATA)];
        assert_eq!(head_fin(&raced), Pass::AsFin, "the client may try again after FIN");
        assert_eq!(head_fin(&[]), Pass::AsFin);
        assert_eq!(head_fin(&[(Client, b"GET /"), (Server, b"HTTP/1.1 400")]), Pass::AsFin);
    }

    #[test]
    fn a_head_that_leaves_without_a_word_has_died() {
        use Side::{Client, Server};
        assert_eq!(head_fin(&[(Client, HELLO)]), Pass::AsReset, "within the handshake");
        assert_eq!(head_fin(&[(Client, HELLO), (Server, DATA)]), Pass::AsReset, "within an answer");
        assert_eq!(head_fin(&[(Client, b"GET /")]), Pass::AsReset, "before an answer");
    }

    #[test]
    fn after_the_clients_fin_the_head_may_just_close() {
        let mut watch = Watch::new(None, None, None);
        watch.moved(Side::Client, HELLO, Instant::now());
        watch.moved(Side::Client, CLOSE_NOTIFY, Instant::now());
        assert!(watch.announced(Side::Client) && !watch.announced(Side::Server));
        assert_eq!(watch.fin(Side::Client, Instant::now()), Pass::AsFin);
        assert_eq!(watch.fin(Side::Server, Instant::now()), Pass::AsFin);
    }
}
