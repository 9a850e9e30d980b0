//! What may tell one group of requests from another.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Sample;

const SECOND_NS: u64 = 1_000_000_000;
/// Idle times are told apart by the powers of two from 1 s to 4,096 s.
const IDLE_OVER_S: [u64; 13] = powers(2, 0);
/// Sizes by the powers of four from 256 bytes to 1 GiB.
const SIZES_OVER: [u64; 12] = powers(4, 4);

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

/// How many requests, in thousandths, have what: all causes are counted in one pass, so
/// that there may be as many heads, clients and statuses as there are samples, 92,160.
#[derive(Default)]
pub(super) struct Tally<'a> {
    new: u64,
    reused: u64,
    idle: [u64; IDLE_OVER_S.len()],
    sizes: [u64; SIZES_OVER.len()],
    heads: BTreeMap<&'a str, u64>,
    methods: BTreeMap<&'a str, u64>,
    clients: BTreeMap<IpAddr, u64>,
    statuses: BTreeMap<Option<u16>, u64>,
}

impl<'a> Tally<'a> {
    pub(super) fn add(&mut self, sample: &'a Sample, thousandths: u64) {
        let count = |sum: &mut u64| *sum = sum.saturating_add(thousandths);
        count(if sample.idle_ns.is_some() { &mut self.reused } else { &mut self.new });
        let idle_ns = sample.idle_ns.unwrap_or_default();
        let passed = IDLE_OVER_S.iter().zip(&mut self.idle).filter(|(s, _)| idle_ns > **s * SECOND_NS);
        passed.map(|(_, sum)| sum).for_each(count);
        let passed = SIZES_OVER.iter().zip(&mut self.sizes).filter(|(bytes, _)| sample.bytes > **bytes);
        passed.map(|(_, sum)| sum).for_each(count);
        sample.head.as_deref().map(|head| self.heads.entry(head).or_default()).map(count);
        sample.method.as_deref().map(|method| self.methods.entry(method).or_default()).map(count);
        sample.client.map(|client| self.clients.entry(client).or_default()).map(count);
        count(self.statuses.entry(sample.status).or_default());
    }

    /// What these samples suggest, and how many of them have it; the more specific first.
    pub(super) fn causes(&self) -> impl Iterator<Item = (Cause, u64)> {
        // Of two that tell as much, the longer idle time and the greater size say more.
        let idle = IDLE_OVER_S.iter().zip(self.idle).rev();
        let sizes = SIZES_OVER.iter().zip(self.sizes).rev();
        idle.map(|(over_s, sum)| (Cause::Idle { over_s: *over_s }, sum))
            .chain(self.heads.iter().map(|(head, sum)| (Cause::Head((*head).into()), *sum)))
            .chain(self.clients.iter().map(|(client, sum)| (Cause::Client(*client), *sum)))
            .chain(sizes.map(|(over, sum)| (Cause::Size { over: *over }, sum)))
            .chain(self.methods.iter().map(|(method, sum)| (Cause::Method((*method).into()), *sum)))
            .chain([(Cause::New, self.new), (Cause::Reused, self.reused)])
            .chain(self.statuses.iter().map(|(status, sum)| (Cause::Status(*status), *sum)))
    }

    /// How many have it.
    pub(super) fn with(&self, cause: &Cause) -> u64 {
        let over = |bounds: &[u64], sums: &[u64], wanted: u64| {
            bounds.iter().zip(sums).find(|(bound, _)| **bound == wanted).map(|(_, sum)| *sum)
        };
        let sum = match cause {
            Cause::New => Some(self.new),
            Cause::Reused => Some(self.reused),
            Cause::Idle { over_s } => over(&IDLE_OVER_S, &self.idle, *over_s),
            Cause::Head(head) => self.heads.get(&**head).copied(),
            Cause::Method(method) => self.methods.get(&**method).copied(),
            Cause::Size { over: bytes } => over(&SIZES_OVER, &self.sizes, *bytes),
            Cause::Client(client) => self.clients.get(client).copied(),
            Cause::Status(status) => self.statuses.get(status).copied(),
        };
        sum.unwrap_or_default()
    }
}

/// The powers of a base, from that of this exponent on.
const fn powers<const N: usize>(base: u64, exponent: u32) -> [u64; N] {
    let mut powers = [base.pow(exponent); N];
    let mut at = 1;
    while at < N {
        powers[at] = powers[at - 1] * base;
        at += 1;
    }
    powers
}

impl Cause {
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

fn bytes(number: u64) -> String {
    const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = UNITS.into_iter().find(|(_, bits)| number >> bits > 0);
    unit.map_or_else(|| format!("{number} bytes"), |(name, bits)| format!("{} {name}", number >> bits))
}
