//! What may tell one group of requests from another.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Sample;

const SECOND_NS: u64 = 1_000_000_000;
/// Idle times are told apart by the powers of two from 1 s to 4,096 s.
const IDLE_POWERS: u32 = 12;
/// Sizes by the powers of four from 256 bytes to 1 GiB.
const SIZE_POWERS: std::ops::RangeInclusive<u32> = 4..=15;
/// Heads, methods, clients and statuses that are looked at, of each.
const VALUES_MAX: usize = 256;

/// Something that a request has or has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    New,
    Reused,
    Idle { over_s: u64 },
    Head(Box<str>),
    Method(Box<str>),
    Size { over: u64 },
    Client(IpAddr),
    Status(Option<u16>),
}

impl Cause {
    /// Those that these samples suggest; the more specific ones first.
    pub(super) fn all<'a>(samples: impl Iterator<Item = &'a Sample>) -> Vec<Self> {
        let (mut heads, mut methods) = (BTreeSet::new(), BTreeSet::new());
        let (mut clients, mut statuses) = (BTreeSet::new(), BTreeSet::new());
        for sample in samples {
            add(&mut heads, sample.head.as_ref());
            add(&mut methods, sample.method.as_ref());
            add(&mut clients, sample.client.as_ref());
            add(&mut statuses, Some(&sample.status));
        }
        // Of two that tell as much, the longer idle time and the greater size say more.
        let idle = (0..=IDLE_POWERS).rev().map(|power| Self::Idle { over_s: 1 << power });
        let sizes = SIZE_POWERS.rev().map(|power| Self::Size { over: 1 << (2 * power) });
        idle.chain(heads.into_iter().map(|head| Self::Head(head.clone())))
            .chain(clients.into_iter().map(|client| Self::Client(*client)))
            .chain(sizes)
            .chain(methods.into_iter().map(|method| Self::Method(method.clone())))
            .chain([Self::New, Self::Reused])
            .chain(statuses.into_iter().map(|status| Self::Status(*status)))
            .collect()
    }

    pub(super) fn holds(&self, sample: &Sample) -> bool {
        match self {
            Self::New => sample.idle_ns.is_none(),
            Self::Reused => sample.idle_ns.is_some(),
            Self::Idle { over_s } => sample.idle_ns.is_some_and(|idle| idle > over_s * SECOND_NS),
            Self::Head(head) => sample.head.as_ref() == Some(head),
            Self::Method(method) => sample.method.as_ref() == Some(method),
            Self::Size { over } => sample.bytes > *over,
            Self::Client(client) => sample.client.as_ref() == Some(client),
            Self::Status(status) => sample.status == *status,
        }
    }

    pub(super) const fn dimension(&self) -> &'static str {
        match self {
            Self::New | Self::Reused => "connection",
            Self::Idle { .. } => "idle",
            Self::Head(_) => "head",
            Self::Method(_) => "method",
            Self::Size { .. } => "size",
            Self::Client(_) => "client",
            Self::Status(_) => "status",
        }
    }

    /// Whether others of its dimension are about the same, only with other bounds.
    pub(super) const fn is_bound(&self) -> bool {
        matches!(self, Self::Idle { .. } | Self::Size { .. })
    }

    pub(super) fn value(&self) -> String {
        match self {
            Self::New => "new".to_owned(),
            Self::Reused => "reused".to_owned(),
            Self::Idle { over_s } => format!("reused, idle > {over_s} s"),
            Self::Head(name) | Self::Method(name) => name.to_string(),
            Self::Size { over } => format!("> {}", bytes(*over)),
            Self::Client(client) => client.to_string(),
            Self::Status(Some(status)) => status.to_string(),
            Self::Status(None) => "none".to_owned(),
        }
    }

    /// What follows "98 % of the selected were".
    pub(super) fn clause(&self) -> String {
        match self {
            Self::New => "on a new connection".to_owned(),
            Self::Reused => "on a reused connection".to_owned(),
            Self::Idle { over_s } => {
                format!("on a reused connection that had been idle for more than {over_s} s")
            }
            Self::Head(head) => format!("served by {head}"),
            Self::Method(method) => format!("{method} requests"),
            Self::Size { over } => format!("of more than {}", bytes(*over)),
            Self::Client(client) => format!("from the client {client}"),
            Self::Status(Some(status)) => format!("answered with {status}"),
            Self::Status(None) => "without an answer".to_owned(),
        }
    }
}

fn add<'a, T: Ord>(values: &mut BTreeSet<&'a T>, value: Option<&'a T>) {
    if values.len() < VALUES_MAX {
        values.extend(value);
    }
}

fn bytes(number: u64) -> String {
    const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = UNITS.into_iter().find(|(_, bits)| number >> bits > 0);
    unit.map_or_else(|| format!("{number} bytes"), |(name, bits)| format!("{} {name}", number >> bits))
}
