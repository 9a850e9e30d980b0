//! What the journals say of the requests that waited.
//!
//! The middleware's journal has the connections that it gave up on, and the ids by
//! which the other side knows them: every response tells it (`X-Repono-Connection`).
//! Both journals are of one machine and one monotonic clock, so what was sent and
//! what arrived can be held against each other.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

/// A file of a journal that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the journal {}", path.display())]
pub struct EvidenceError {
    path: PathBuf,
    source: io::Error,
}

/// The manner of a connection whose owner gave it up for want of an answer.
const GIVEN_UP: &str = "timeout";

/// One side's records of the connections that have ended.
#[derive(Debug, Default)]
pub(crate) struct Connections(Vec<Connection>);

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    /// Its id on this side.
    id: String,
    /// Its id on the other side, where this is the client's.
    balancer_id: Option<String>,
    /// When it ended, by the monotonic clock.
    ended_ns: u64,
    /// How long the last byte was ago then.
    idle_ns: u64,
    /// How it ended, in the journal's word.
    manner: String,
    unacked: u64,
    retransmits: u64,
}

/// What is known of the requests that were sent on a kept connection in vain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InVain {
    /// How many.
    pub(crate) requests: usize,
    /// Those of them that no acknowledgement ever came for.
    pub(crate) unacknowledged: usize,
    /// Those of them of which nothing arrived at the server's side.
    pub(crate) never_arrived: usize,
    /// Those of them whose connection the server's side still held.
    pub(crate) still_held: usize,
    /// The shortest and the longest idle time before them.
    pub(crate) idle: Option<(Duration, Duration)>,
}

impl Connections {
    /// Reads what an instance has written into the journals' directory.
    ///
    /// *Errors*: [`EvidenceError`]; lines that are none of ours are passed over.
    pub(crate) fn read(journal: &Path, instance: &str) -> Result<Self, EvidenceError> {
        let path = journal.join(format!("{instance}.jsonl"));
        let text = fs::read_to_string(&path).map_err(|source| EvidenceError { path, source })?;
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        Ok(Self(lines.filter_map(|record: Value| Connection::of(&record)).collect()))
    }

    /// How many there were: each of them is a TLS handshake.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// How many ended in which manner.
    #[must_use]
    pub(crate) fn manners(&self) -> BTreeMap<&str, usize> {
        let mut manners = BTreeMap::new();
        for connection in &self.0 {
            *manners.entry(&*connection.manner).or_default() += 1;
        }
        manners
    }

    /// Holds the connections that this side gave up after `patience` against what the
    /// server's side knows of them.
    #[must_use]
    pub(crate) fn in_vain(&self, server: &Self, patience: Duration) -> InVain {
        let server: BTreeMap<&str, &Connection> = server.0.iter().map(|its| (&*its.id, its)).collect();
        let mut in_vain = InVain::default();
        for mine in self.0.iter().filter(|connection| connection.manner == GIVEN_UP) {
            let sent_ns = mine.ended_ns.saturating_sub(nanos(patience));
            let idle = Duration::from_nanos(mine.idle_ns).saturating_sub(patience);
            in_vain.requests += 1;
            in_vain.unacknowledged += usize::from(mine.unacked > 0 && mine.retransmits > 0);
            let (least, most) = in_vain.idle.unwrap_or((idle, idle));
            in_vain.idle = Some((least.min(idle), most.max(idle)));
            if let Some(its) = mine.balancer_id.as_deref().and_then(|id| server.get(id)) {
                let heard_ns = its.ended_ns.saturating_sub(its.idle_ns);
                in_vain.never_arrived += usize::from(heard_ns < sent_ns);
                in_vain.still_held += usize::from(its.ended_ns > sent_ns);
            }
        }
        in_vain
    }
}

impl Connection {
    fn of(record: &Value) -> Option<Self> {
        if record.pointer("/event/dataset")?.as_str()? != "repono.connection" {
            return None;
        }
        let repono = record.get("repono")?;
        let connection = repono.get("connection")?;
        let tcp = |name: &str| repono.get("tcp_source").and_then(|tcp| tcp.get(name)).and_then(Value::as_u64);
        let count = |name: &str| connection.get(name).and_then(Value::as_u64).unwrap_or_default();
        Some(Self {
            id: connection.get("id")?.as_str()?.to_owned(),
            balancer_id: connection.get("balancer_id").and_then(Value::as_str).map(str::to_owned),
            ended_ns: repono.pointer("/mono_ns/end")?.as_u64()?,
            idle_ns: count("idle_at_close_ns"),
            manner: connection.get("manner")?.as_str()?.to_owned(),
            unacked: tcp("unacked").unwrap_or_default(),
            retransmits: tcp("retransmits").unwrap_or_default(),
        })
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Connection, Connections};

    const S: u64 = 1_000_000_000;

    fn given_up(id: &str, ended_ns: u64, idle_ns: u64, unacked: u64) -> Connection {
        Connection {
            id: format!("its own {id}"),
            balancer_id: Some(id.to_owned()),
            ended_ns,
            idle_ns,
            manner: "timeout".into(),
            unacked,
            retransmits: unacked * 4,
        }
    }

    fn held(id: &str, ended_ns: u64, idle_ns: u64) -> Connection {
        Connection {
            id: id.to_owned(),
            balancer_id: None,
            ended_ns,
            idle_ns,
            manner: "fin".into(),
            unacked: 0,
            retransmits: 0,
        }
    }

    #[test]
    fn what_was_sent_is_held_against_what_arrived() {
        let mine = Connections(vec![
            given_up("1", 30 * S, 15 * S, 1),
            given_up("2", 40 * S, 17 * S, 0),
            held("3", 50 * S, S),
        ]);
        // The first never arrived; the second was sent at 30 s, and heard of at 30.1 s.
        let server = Connections(vec![
            held("1", 60 * S, 45 * S),
            held("2", 60 * S, 299 * S / 10),
            held("3", 50 * S, S),
        ]);
        let in_vain = mine.in_vain(&server, Duration::from_secs(10));
        assert_eq!((in_vain.requests, in_vain.unacknowledged), (2, 1));
        assert_eq!((in_vain.never_arrived, in_vain.still_held), (1, 2));
        assert_eq!(in_vain.idle, Some((Duration::from_secs(5), Duration::from_secs(7))));
        assert_eq!(server.count(), 3);
    }
}
