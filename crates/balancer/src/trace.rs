//! Which connections are traced: every turn of one head's, or of one source's, goes
//! into the journal for a while, in sizes and times, without a byte of it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use repono_journal::{ChangeRecord, SharedRecorder, Stamp};
use serde::{Serialize, Serializer};

use crate::heads::Author;

pub(crate) mod turns;

/// Traces at a time: they are for a person who looks for something.
const TRACES_MAX: usize = 16;

/// The longest trace: a forgotten one must not fill the journal for ever.
const LENGTH_MAX: Duration = Duration::from_secs(86_400);

/// What is traced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The connections of a head.
    Head(String),
    /// Those from an address, or from all that share its first bits.
    Source { address: IpAddr, bits: u8 },
}

/// A trace that cannot be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TraceRefused {
    /// Neither a head nor an address.
    #[error("neither a head, an address nor a prefix")]
    Target,
    /// Too long.
    #[error("a trace lasts at most {} s", LENGTH_MAX.as_secs())]
    Length,
    /// Too many.
    #[error("{TRACES_MAX} traces run already")]
    TooMany,
}

/// One trace, as the operator sees it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Trace {
    #[serde(serialize_with = "as_text")]
    target: Target,
    /// Seconds that are left.
    seconds: u64,
    #[serde(skip)]
    until_ns: u64,
}

/// The traces of a balancer.
pub(crate) struct Traces {
    running: Mutex<Vec<Trace>>,
    /// When the last of them ends; 0 while there is none, so that a connection
    /// which nobody traces costs one load.
    last_ns: AtomicU64,
    journal: SharedRecorder,
}

impl Traces {
    pub(crate) const fn new(journal: SharedRecorder) -> Self {
        Self { running: Mutex::new(Vec::new()), last_ns: AtomicU64::new(0), journal }
    }

    /// Begins a trace, or changes how long one lasts; with no length it ends.
    ///
    /// *Errors*: [`TraceRefused`].
    pub(crate) fn set(
        &self,
        target: Target,
        length: Duration,
        author: Author<'_>,
    ) -> Result<(), TraceRefused> {
        if length > LENGTH_MAX {
            return Err(TraceRefused::Length);
        }
        let mut running = self.running(author.at);
        let before = running.iter().position(|trace| trace.target == target);
        let old = before.map(|place| running.swap_remove(place));
        if !length.is_zero() {
            if running.len() >= TRACES_MAX {
                return Err(TraceRefused::TooMany);
            }
            let until_ns = author.at.plus(length).mono_ns;
            running.push(Trace { target: target.clone(), seconds: 0, until_ns });
        }
        let last = running.iter().map(|trace| trace.until_ns).max();
        self.last_ns.store(last.unwrap_or_default(), Ordering::Release);
        drop(running);
        let from = old.map_or("off".to_owned(), |trace| trace.left(author.at));
        let to = if length.is_zero() { "off".to_owned() } else { format!("{} s", length.as_secs()) };
        let what = format!("trace.{}", target.text());
        self.journal.change(ChangeRecord {
            at: author.at,
            who: author.who,
            what: &what,
            from: &from,
            to: &to,
        });
        Ok(())
    }

    /// The traces that run.
    pub(crate) fn list(&self, at: Stamp) -> Vec<Trace> {
        let left = |trace: &Trace| Trace { seconds: trace.seconds_left(at), ..trace.clone() };
        self.running(at).iter().map(left).collect()
    }

    /// Whether a connection is traced now.
    ///
    /// *Cost*: one load while there is no trace; a lock and a clock otherwise.
    pub(crate) fn covers(&self, head: &str, source: IpAddr) -> bool {
        let last = self.last_ns.load(Ordering::Acquire);
        if last == 0 {
            return false;
        }
        let now = Stamp::mono_now();
        now < last
            && self.lock().iter().any(|trace| now < trace.until_ns && trace.target.covers(head, source))
    }

    fn running(&self, at: Stamp) -> MutexGuard<'_, Vec<Trace>> {
        let mut running = self.lock();
        running.retain(|trace| trace.until_ns > at.mono_ns);
        running
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Trace>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trace {
    const fn seconds_left(&self, at: Stamp) -> u64 {
        self.until_ns.saturating_sub(at.mono_ns).div_ceil(1_000_000_000)
    }

    fn left(&self, at: Stamp) -> String {
        format!("{} s", self.seconds_left(at))
    }
}

impl Target {
    /// A head by its name, else an address, else a prefix such as `10.0.0.0/8`.
    ///
    /// *Errors*: [`TraceRefused::Target`].
    pub(crate) fn parse(text: &str, is_head: impl Fn(&str) -> bool) -> Result<Self, TraceRefused> {
        if is_head(text) {
            return Ok(Self::Head(text.to_owned()));
        }
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, bits)| (a, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| TraceRefused::Target)?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(whole), str::parse).map_err(|_| TraceRefused::Target)?;
        if bits > whole { Err(TraceRefused::Target) } else { Ok(Self::Source { address, bits }) }
    }

    fn covers(&self, head: &str, source: IpAddr) -> bool {
        match self {
            Self::Head(name) => name == head,
            Self::Source { address, bits } => match (address, source) {
                (IpAddr::V4(mine), IpAddr::V4(its)) => {
                    let differ = mine.to_bits() ^ its.to_bits();
                    differ.leading_zeros() >= u32::from(*bits)
                }
                (IpAddr::V6(mine), IpAddr::V6(its)) => {
                    let differ = mine.to_bits() ^ its.to_bits();
                    differ.leading_zeros() >= u32::from(*bits)
                }
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
            },
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Head(name) => name.clone(),
            Self::Source { address, bits } => format!("{address}/{bits}"),
        }
    }
}

fn as_text<S: Serializer>(target: &Target, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&target.text())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use repono_journal::{Journal, JournalConfig, Stamp};

    use super::{LENGTH_MAX, Target, TraceRefused, Traces};
    use crate::heads::Author;

    fn target(text: &str) -> Result<Target, TraceRefused> {
        Target::parse(text, |name| name == "head-1")
    }

    #[test]
    fn a_target_is_a_head_an_address_or_a_prefix() {
        let covers = |text: &str, head: &str, source: &str| {
            target(text).expect("a target").covers(head, source.parse().expect("an address"))
        };
        assert!(covers("head-1", "head-1", "10.1.2.3") && !covers("head-1", "head-2", "10.1.2.3"));
        assert!(covers("10.1.2.3", "x", "10.1.2.3") && !covers("10.1.2.3", "x", "10.1.2.2"));
        assert!(covers("10.0.0.0/8", "x", "10.9.9.9") && !covers("10.0.0.0/8", "x", "11.0.0.0"));
        assert!(covers("0.0.0.0/0", "x", "9.9.9.9") && !covers("0.0.0.0/0", "x", "::1"));
        assert!(covers("fd00::/8", "x", "fdab::1") && !covers("fd00::/8", "x", "fe80::1"));
        for bad in ["head-9", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129", ""] {
            assert_eq!(target(bad), Err(TraceRefused::Target), "{bad}");
        }
    }

    #[test]
    fn traces_are_bounded_in_time_and_number() {
        let dir = tempfile::tempdir().expect("dir");
        let journal = Journal::open(JournalConfig::new(dir.path(), "balancer", "balancer")).expect("journal");
        let traces = Traces::new(journal.shared());
        let (now, source) = (Stamp::now(), "10.0.0.1".parse().expect("an address"));
        let author = |at| Author { who: "uid 1", at };
        let minute = Duration::from_secs(60);
        assert!(!traces.covers("head-1", source));
        let head = || target("head-1").expect("a target");
        traces.set(head(), minute, author(now)).expect("begun");
        assert!(traces.covers("head-1", source) && !traces.covers("head-2", source));
        assert_eq!(traces.list(now.plus(minute / 2))[0].seconds, 30);
        assert!(traces.list(now.plus(minute)).is_empty(), "over");
        traces.set(head(), minute, author(now)).expect("again");
        traces.set(head(), Duration::ZERO, author(now)).expect("ended");
        assert!(!traces.covers("head-1", source));
        assert_eq!(traces.set(head(), LENGTH_MAX * 2, author(now)), Err(TraceRefused::Length));
        for host in 0..16 {
            traces
                .set(target(&format!("10.0.0.{host}")).expect("a target"), minute, author(now))
                .expect("room");
        }
        assert_eq!(traces.set(head(), minute, author(now)), Err(TraceRefused::TooMany));
        assert_eq!(traces.list(now).len(), 16);
        journal.flush();
        let text = std::fs::read_to_string(dir.path().join("balancer.jsonl")).expect("written");
        assert!(text.contains("trace.head-1") && text.contains("trace.10.0.0.15/32"), "{text}");
    }
}
