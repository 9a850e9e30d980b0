//! Journals as the product writes them, of one attempt after the other.

use std::fs;
use std::net::SocketAddr;

use rand::SeedableRng;
use rand::rngs::StdRng;
use repono_core::id::{ConnectionId, TransId};
use repono_core::request::Method;
use repono_core::time::Timestamp;
use repono_journal::{
    ClosedBy, ConnectionRecord, Journal, JournalConfig, Manner, Outcome, Phases, RequestRecord, Reuse, Side,
    Stamp, Turns, UrlPath,
};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const S: u64 = 1_000 * MS;

/// A wall clock of 2026; all clocks of one host run alike.
const EPOCH_S: u64 = 1_795_000_000;

/// What happens on one connection of client, balancer and head.
#[derive(Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) number: u8,
    /// Which attempt at its request it is.
    pub(crate) attempt: u8,
    pub(crate) asked_ns: u64,
    pub(crate) sent_ns: u64,
    pub(crate) client: Client,
    pub(crate) balancer: Balancer,
    pub(crate) ended: Ended,
    /// When the head read the request, and how long it worked.
    pub(crate) head: Option<(u64, u64)>,
}

#[derive(Clone, Copy)]
pub(crate) enum Client {
    Answered {
        after_ns: u64,
    },
    Lost {
        after_ns: u64,
        code: &'static str,
        by: ClosedBy,
    },
    /// The reply began, and ended before it was whole.
    Cut {
        after_ns: u64,
        by: ClosedBy,
    },
}

#[derive(Clone, Copy)]
pub(crate) struct Balancer {
    pub(crate) heard_ns: u64,
    pub(crate) ended_ns: u64,
    pub(crate) by: ClosedBy,
    pub(crate) worst_turn_ns: u64,
}

/// Who lived to write of the connection's end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    ToldByBalancer,
    ToldByHeadAlone,
}

/// The difference of the head's host's clock, and its own boot id.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heads {
    OnTheSameHost,
    Behind(u64),
    Silent,
}

pub(crate) fn at(ns: u64, behind_ns: u64) -> Stamp {
    Stamp { wall_ns: EPOCH_S * S + ns - behind_ns, mono_ns: 1_000 * S + ns }
}

pub(crate) fn ids(number: u8) -> (ConnectionId, ConnectionId, TransId) {
    let mut random = StdRng::seed_from_u64(number.into());
    let trans = TransId::new(Timestamp::from_unix_seconds(EPOCH_S), &mut random);
    (ConnectionId::from_bytes([number; 12]), ConnectionId::from_bytes([100 + number; 12]), trans)
}

pub(crate) fn ends() -> (SocketAddr, SocketAddr) {
    ("10.0.0.7:56478".parse().unwrap(), "10.0.1.10:443".parse().unwrap())
}

impl Attempt {
    pub(crate) fn healthy(number: u8, sent_ns: u64) -> Self {
        let ended_ns = sent_ns + 10 * S;
        Self {
            number,
            attempt: 1,
            asked_ns: sent_ns,
            sent_ns,
            client: Client::Answered { after_ns: 4 * MS },
            balancer: Balancer {
                heard_ns: sent_ns + 4 * MS,
                ended_ns,
                by: ClosedBy::Client,
                worst_turn_ns: 3 * MS,
            },
            ended: Ended::ToldByBalancer,
            head: Some((sent_ns + MS, 2 * MS)),
        }
    }

    pub(crate) fn client(&self) -> (RequestRecord, ConnectionRecord) {
        let (own, peer, trans) = ids(self.number);
        let (source, destination) = ends();
        let started = at(self.asked_ns, 0);
        let sent_ns = started.mono_ns + self.sent_ns - self.asked_ns;
        let request = RequestRecord {
            attempts: self.attempt,
            balancer_id: Some(peer),
            method: Some(Method::Get),
            path: UrlPath::of_target(b"/v1/demo/files/a"),
            reuse: Reuse::Reused { idle_before_ns: 90 * S, requests_before: 3 },
            ..RequestRecord::new(Side::Client, own, started, source, destination)
        };
        let connection = ConnectionRecord {
            balancer_id: Some(peer),
            ..ConnectionRecord::new(Side::Client, own, at(self.sent_ns - S, 0), source, destination)
        };
        match self.client {
            Client::Answered { after_ns } => (
                RequestRecord {
                    trans_id: Some(trans),
                    ended_mono_ns: sent_ns + after_ns,
                    status: Some(200),
                    phases_ns: Phases { wait: after_ns, ..Phases::NONE },
                    outcome: Outcome::Complete,
                    ..request
                },
                ConnectionRecord {
                    ended: at(self.sent_ns + after_ns + S, 0),
                    closed_by: ClosedBy::Us,
                    ..connection
                },
            ),
            Client::Cut { after_ns, by } => (
                RequestRecord {
                    trans_id: Some(trans),
                    ended_mono_ns: sent_ns + after_ns,
                    status: Some(200),
                    phases_ns: Phases { wait: MS, receive: after_ns - MS, ..Phases::NONE },
                    outcome: Outcome::Failed("ConnectionBroken"),
                    ..request
                },
                ConnectionRecord { ended: at(self.sent_ns + after_ns, 0), closed_by: by, ..connection },
            ),
            Client::Lost { after_ns, code, by } => (
                RequestRecord {
                    ended_mono_ns: sent_ns + after_ns,
                    outcome: Outcome::Failed(code),
                    ..request
                },
                ConnectionRecord { ended: at(self.sent_ns + after_ns, 0), closed_by: by, ..connection },
            ),
        }
    }

    pub(crate) fn balancer(&self) -> ConnectionRecord {
        let (_, id, _) = ids(self.number);
        let (source, destination) = ends();
        let Balancer { heard_ns, ended_ns, by, worst_turn_ns } = self.balancer;
        ConnectionRecord {
            ended: at(ended_ns, 0),
            closed_by: by,
            manner: Manner::Fin,
            idle_at_close_ns: ended_ns - heard_ns,
            turns: Some(Turns { count: 2, worst_ns: worst_turn_ns, last_ns: worst_turn_ns }),
            ..ConnectionRecord::new(Side::Balancer, id, at(self.sent_ns - S, 0), source, destination)
        }
    }

    fn end_at_head(&self) -> ConnectionRecord {
        let (own, id, _) = ids(self.number);
        let (source, destination) = ends();
        ConnectionRecord {
            ended: at(self.balancer.ended_ns, 0),
            closed_by: ClosedBy::Peer,
            balancer_id: Some(id),
            ..ConnectionRecord::new(Side::Head, own, at(self.sent_ns - S, 0), source, destination)
        }
    }

    fn head(&self, behind_ns: u64) -> Option<RequestRecord> {
        let (_, id, trans) = ids(self.number);
        let (source, destination) = ends();
        let (begun_ns, took_ns) = self.head?;
        let started = at(begun_ns, behind_ns);
        Some(RequestRecord {
            trans_id: Some(trans),
            balancer_id: Some(id),
            ended_mono_ns: started.mono_ns + took_ns,
            status: Some(200),
            phases_ns: Phases { wait: took_ns, authorize: took_ns / 2, ..Phases::NONE },
            outcome: Outcome::Complete,
            ..RequestRecord::new(Side::Head, id, started, source, destination)
        })
    }
}

/// What client, balancer and head wrote of these attempts: the name of each journal, and
/// its text.
pub(crate) fn journals(attempts: &[Attempt], heads: Heads) -> Vec<(&'static str, String)> {
    let dir = tempfile::tempdir().unwrap();
    let [client, balancer, head] = ["client", "balancer", "head"]
        .map(|name| Journal::open(JournalConfig::new(dir.path(), name, name)).unwrap());
    let behind_ns = if let Heads::Behind(ns) = heads { ns } else { 0 };
    for attempt in attempts {
        let (request, connection) = attempt.client();
        client.shared().request(&request);
        client.shared().connection(&connection);
        match attempt.ended {
            Ended::ToldByBalancer => balancer.shared().connection(&attempt.balancer()),
            Ended::ToldByHeadAlone => head.shared().connection(&attempt.end_at_head()),
        };
        attempt.head(behind_ns).iter().for_each(|work| head.shared().request(work));
    }
    [client, balancer, head].into_iter().for_each(Journal::close);
    let written = |name: &'static str| {
        let text = fs::read_to_string(dir.path().join(format!("{name}.jsonl"))).unwrap_or_default();
        match (name, heads) {
            ("head", Heads::Silent) => None,
            ("head", Heads::Behind(_)) => {
                Some((name, text.replace("\"boot\":{\"id\":\"", "\"boot\":{\"id\":\"another-")))
            }
            _ => Some((name, text)),
        }
    };
    ["client", "balancer", "head"].into_iter().filter_map(written).collect()
}
