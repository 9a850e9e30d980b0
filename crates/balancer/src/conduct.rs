//! What a head's connections say of it: the passive check.
//!
//! A head can pass every health check and still fail its clients. The beginning of
//! each connection gives one sign; five bad ones in a row eject the head for ten
//! seconds, and each ejection that follows soon doubles that. One good sign clears
//! the row. After the beginning, slow turns are signs ([`waits`]): they eject a head
//! whose clients spend half of their waiting in them while those of others do not.
//!
//! A lossy network spoils some connections to every head, and so ejects nobody.

use std::time::Duration;

use repono_relay::{EndedBy, Manner as M, Outcome};

pub mod waits;

use waits::{SLOW_MIN, Total, Usual, Waits};

/// Bad signs in a row that eject while no other head has had any of late.
const FAULTS_EJECT: u8 = 5;

/// The same while others have them too, which points to the network: where one
/// packet in twenty is lost, one connect in ten fails, and ten in a row once in ten
/// thousand million connections.
const FAULTS_EJECT_LOSSY: u8 = 10;

/// The first ejection: ten health checks.
const EJECTION_FIRST: Duration = Duration::from_secs(10);

/// The longest: a head that fails for this long needs a person anyway.
const EJECTION_MAX: Duration = Duration::from_secs(300);

/// Service since the last ejection after which that is forgotten.
const FORGIVEN_AFTER: Duration = Duration::from_secs(600);

/// How many times slower than the other heads is slow: what slows all of them down,
/// such as the store, is not the fault of one.
const SLOW_FACTOR: u32 = 5;

/// The part of a new sample in the mean: 1/8, as in TCP's round-trip time.
const MEAN_PARTS: u32 = 8;

/// What one connection showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The head's first byte came after this time.
    FirstByte(Duration),
    /// The client waited for the first byte in vain, for so long; a short wait is
    /// neither good nor bad.
    NoFirstByte(Duration),
    /// The connection could not be opened.
    Refused,
    /// It was reset before the head's first byte.
    Torn,
    /// A later turn took, or takes already, this long.
    Slow {
        /// From the client's bytes until now, or until the head's.
        waited: Duration,
        /// What of it was not told before.
        charge: Duration,
        /// Whether the connection has told of a slow turn before.
        voter: Voter,
    },
}

/// Whether a connection counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voter {
    /// It has not told of a slow turn within the time that is looked back on.
    First,
    /// It has.
    Again,
}

/// Why a head was ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its connections could not be opened.
    Refused,
    /// They were reset before the first byte.
    Torn,
    /// Their first byte was slow.
    Slow,
    /// Their turns were.
    Turns,
}

impl Fault {
    /// The words in the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "connect errors",
            Self::Torn => "resets before the first byte",
            Self::Slow => "slow first bytes",
            Self::Turns => "slow turns",
        }
    }
}

/// The other heads, as far as a judgement needs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Others {
    /// Whether enough heads are left without this one.
    pub spare: Spare,
    /// The median of their mean first byte, where it is known.
    pub first_byte: Option<Duration>,
    /// The median of what their turns are like, where there were any of late.
    pub turns: Option<Usual>,
    /// Whether their connections begin well.
    pub network: Network,
}

/// What the beginnings of the other heads' connections say of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// None of the last has failed.
    Clean,
    /// Some have.
    Lossy,
}

/// Whether a head can be done without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spare {
    /// It can.
    Yes,
    /// Fewer heads than the floor would be left.
    No,
}

/// An ejection that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// When the head may come back.
    pub until: Duration,
    /// What the last bad sign was.
    pub fault: Fault,
}

/// The signs of one head so far.
///
/// *Units*: times are those of the monotonic clock, since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conduct {
    faults: u8,
    ejections: u32,
    last_until: Option<Duration>,
    first_byte: Option<Duration>,
    /// The last beginnings, the latest in the lowest bit; 1 is a bad one.
    beginnings: u32,
    waits: Waits,
}

impl Conduct {
    /// Takes a sign; returns the ejection that it calls for.
    pub fn take(&mut self, sign: Sign, at: Duration, others: Others) -> Option<Ejection> {
        if let Sign::Slow { waited, charge, voter } = sign {
            return self.take_turn((waited, charge), voter, at, others);
        }
        let Some(fault) = self.fault(sign, others) else {
            // A client that left at once says nothing of the head.
            if !matches!(sign, Sign::NoFirstByte(_)) {
                self.faults = 0;
                self.beginnings <<= 1;
            }
            return None;
        };
        self.faults = self.faults.saturating_add(1);
        self.beginnings = (self.beginnings << 1) | 1;
        let enough = match others.network {
            Network::Clean => FAULTS_EJECT,
            Network::Lossy => FAULTS_EJECT_LOSSY,
        };
        if self.faults < enough || others.spare == Spare::No {
            return None;
        }
        self.faults = 0;
        self.beginnings = 0;
        Some(self.eject(fault, at))
    }

    fn take_turn(
        &mut self,
        (waited, charge): (Duration, Duration),
        voter: Voter,
        at: Duration,
        others: Others,
    ) -> Option<Ejection> {
        // Nothing to compare with: no other head answers anything.
        let usual = others.turns?;
        if waited < SLOW_MIN || waited < usual.wait.saturating_mul(SLOW_FACTOR) {
            return None;
        }
        self.waits.slow(charge, voter);
        let well = usual.slow_share <= waits::SHARE_WELL;
        if !well || !self.waits.is_bad() || others.spare == Spare::No {
            return None;
        }
        self.waits.forget();
        Some(self.eject(Fault::Turns, at))
    }

    fn eject(&mut self, fault: Fault, at: Duration) -> Ejection {
        if self.last_until.is_none_or(|until| at >= until.saturating_add(FORGIVEN_AFTER)) {
            self.ejections = 0;
        }
        let doubled = EJECTION_FIRST.saturating_mul(1u32.checked_shl(self.ejections).unwrap_or(u32::MAX));
        self.ejections = self.ejections.saturating_add(1);
        let until = at.saturating_add(doubled.min(EJECTION_MAX));
        self.last_until = Some(until);
        Ejection { until, fault }
    }

    /// Takes the turns that have come together until now.
    pub fn roll(&mut self, at: Duration, total: Total) {
        self.waits.roll(at, total);
    }

    /// What its turns are like, if there were any of late.
    #[must_use]
    pub fn usual(&self) -> Option<Usual> {
        self.waits.usual()
    }

    /// What the last 32 beginnings of its connections say.
    #[must_use]
    pub const fn network(&self) -> Network {
        if self.beginnings == 0 { Network::Clean } else { Network::Lossy }
    }

    /// The mean time to the first byte, once there was one.
    #[must_use]
    pub const fn first_byte(&self) -> Option<Duration> {
        self.first_byte
    }

    /// Ejections that are not forgotten.
    #[must_use]
    pub const fn ejections(&self) -> u32 {
        self.ejections
    }

    fn fault(&mut self, sign: Sign, others: Others) -> Option<Fault> {
        let slow = |waited: Duration| {
            let much = others.first_byte.is_some_and(|usual| waited >= usual.saturating_mul(SLOW_FACTOR));
            (waited >= SLOW_MIN && much).then_some(Fault::Slow)
        };
        match sign {
            Sign::FirstByte(waited) => {
                let mean = self.first_byte.unwrap_or(waited);
                self.first_byte = Some((mean * (MEAN_PARTS - 1)).saturating_add(waited) / MEAN_PARTS);
                slow(waited)
            }
            Sign::NoFirstByte(waited) => slow(waited),
            Sign::Refused => Some(Fault::Refused),
            Sign::Torn => Some(Fault::Torn),
            // No beginning.
            Sign::Slow { .. } => None,
        }
    }
}

/// Heads that must be left in service when one of `heads` is ejected: half of them,
/// rounded up, and at least one.
#[must_use]
pub const fn floor(heads: usize) -> usize {
    let half = heads.div_ceil(2);
    if half == 0 { 1 } else { half }
}

/// What the end says of the head, if the head never said a word.
pub(crate) fn last_sign(outcome: &Outcome) -> Option<Sign> {
    if outcome.turns.count > 0 || outcome.client.bytes == 0 {
        return None;
    }
    let waited = || outcome.ended.saturating_duration_since(outcome.client.last.unwrap_or(outcome.opened));
    let cause = outcome.cause();
    match (cause.by, cause.manner) {
        (EndedBy::Server, M::Reset | M::Torn) => Some(Sign::Torn),
        (EndedBy::Server, M::Fin) => None,
        // Before its first byte the head was asked, and whoever gave up waited for it.
        (EndedBy::Client | EndedBy::Relay, _) | (EndedBy::Server, _) => Some(Sign::NoFirstByte(waited())),
    }
}

#[cfg(test)]
mod tests;
