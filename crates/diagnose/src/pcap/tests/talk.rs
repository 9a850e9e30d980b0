//! Conversations that are played into captures.

use crate::wire::Side;

/// 2026-03-02T10:00:00Z, in microseconds.
const START: u64 = 1_772_445_600_000_000;

/// What the client's hops, and the peer's, leave of a packet's time to live.
const TTL: [u8; 2] = [64, 57];

pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const PSH: u8 = 8;
pub(super) const ACK: u8 = 16;

/// A packet without its link header.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) micros: u64,
    pub(super) ip: Vec<u8>,
}

/// One connection's packets.
#[derive(Clone)]
pub(super) struct Talk {
    pub(super) packets: Vec<Sent>,
    now: u64,
    port: u16,
    peer_port: u16,
    next: [u32; 2],
    acked: [u32; 2],
    last: [(u32, Vec<u8>); 2],
    window: [u16; 2],
    ttl: [u8; 2],
    id: u16,
}

impl Talk {
    pub(super) fn new(port: u16) -> Self {
        let next = [1_000, 5_000];
        let last = [(next[0], Vec::new()), (next[1], Vec::new())];
        Self {
            packets: Vec::new(),
            now: START,
            port,
            peer_port: 80,
            next,
            acked: next,
            last,
            window: [64_000; 2],
            ttl: TTL,
            id: 1,
        }
    }

    pub(super) fn tls(port: u16) -> Self {
        Self { peer_port: 443, ..Self::new(port) }
    }

    pub(super) fn wait(mut self, ms: u64) -> Self {
        self.now += ms * 1_000;
        self
    }

    pub(super) fn ttl(mut self, side: Side, ttl: u8) -> Self {
        self.ttl[index(side)] = ttl;
        self
    }

    pub(super) fn window(mut self, side: Side, window: u16) -> Self {
        self.window[index(side)] = window;
        self
    }

    /// SYN, its answer 10 ms later, and the client's packet at once.
    pub(super) fn open(self) -> Self {
        self.syn().wait(10).flags(Side::Peer, SYN | ACK).ack(Side::Client)
    }

    pub(super) fn syn(mut self) -> Self {
        self.next[0] = 1_000;
        self.flags(Side::Client, SYN)
    }

    pub(super) fn say(mut self, side: Side, bytes: &[u8]) -> Self {
        self.last[index(side)] = (self.next[index(side)], bytes.to_vec());
        self.push(side, PSH | ACK, self.next[index(side)], bytes);
        self.next[index(side)] += bytes.len() as u32;
        self.now += 100;
        self
    }

    /// Sends its last bytes again.
    pub(super) fn again(mut self, side: Side) -> Self {
        let (seq, bytes) = self.last[index(side)].clone();
        self.push(side, PSH | ACK, seq, &bytes);
        self
    }

    /// Acknowledges all that the other side sent.
    pub(super) fn ack(mut self, side: Side) -> Self {
        self.acked[index(side)] = self.next[1 - index(side)];
        self.push(side, ACK, self.next[index(side)], b"");
        self
    }

    /// A probe of an idle connection.
    pub(super) fn probe(mut self, side: Side) -> Self {
        self.push(side, ACK, self.next[index(side)] - 1, b"");
        self
    }

    /// Takes what was sent as received: what follows acknowledges it.
    pub(super) fn hears(mut self, side: Side) -> Self {
        self.acked[index(side)] = self.next[1 - index(side)];
        self
    }

    pub(super) fn fin(self, side: Side) -> Self {
        self.flags(side, FIN | ACK)
    }

    /// RST of one who does not know the connection.
    pub(super) fn unknown(mut self, side: Side) -> Self {
        let seq = self.next[index(side)];
        self.push(side, RST, seq, b"");
        self
    }

    pub(super) fn rst(mut self, side: Side) -> Self {
        self.push(side, RST | ACK, self.next[index(side)], b"");
        self
    }

    pub(super) fn flags(mut self, side: Side, flags: u8) -> Self {
        if flags & SYN != 0 && flags & ACK != 0 {
            self.acked[index(side)] = self.next[1 - index(side)];
        }
        self.push(side, flags, self.next[index(side)], b"");
        self.next[index(side)] += 1;
        self
    }

    fn push(&mut self, side: Side, flags: u8, seq: u32, payload: &[u8]) {
        let ack = if flags & ACK != 0 { self.acked[index(side)] } else { 0 };
        let total = 40 + payload.len() as u16;
        let [client, peer] = [[192, 0, 2, 7], [198, 51, 100, 9]];
        let (from, to, ports) = match side {
            Side::Client => (client, peer, [self.port, self.peer_port]),
            Side::Peer => (peer, client, [self.peer_port, self.port]),
        };
        self.id = self.id.wrapping_add(1);
        let mut ip = vec![0x45, 0];
        ip.extend(total.to_be_bytes());
        ip.extend(self.id.to_be_bytes());
        ip.extend([0x40, 0, self.ttl[index(side)], 6, 0, 0]);
        ip.extend(from);
        ip.extend(to);
        ip.extend(ports.into_iter().flat_map(u16::to_be_bytes));
        ip.extend(seq.to_be_bytes());
        ip.extend(ack.to_be_bytes());
        ip.extend([0x50, flags]);
        ip.extend(self.window[index(side)].to_be_bytes());
        ip.extend([0; 4]);
        ip.extend(payload);
        self.packets.push(Sent { micros: self.now, ip });
    }

    /// A request and its reply, on a connection that stands.
    pub(super) fn turn(self, path: &str) -> Self {
        self.ask(path).wait(20).reply()
    }

    pub(super) fn ask(self, path: &str) -> Self {
        self.say(Side::Client, format!("GET {path} HTTP/1.1\r\nHost: files.example\r\n\r\n").as_bytes())
    }

    pub(super) fn reply(self) -> Self {
        let reply =
            b"HTTP/1.1 200 OK\r\nDate: Mon, 02 Mar 2026 10:00:00 GMT\r\nContent-Length: 4\r\n\r\nbody";
        self.hears(Side::Peer).say(Side::Peer, reply).ack(Side::Client)
    }
}

const fn index(side: Side) -> usize {
    match side {
        Side::Client => 0,
        Side::Peer => 1,
    }
}

/// Packets of several connections in the order of time.
pub(super) fn together(talks: &[Talk]) -> Vec<Sent> {
    let mut all: Vec<_> = talks.iter().flat_map(|talk| talk.packets.clone()).collect();
    all.sort_by_key(|sent| sent.micros);
    all
}
