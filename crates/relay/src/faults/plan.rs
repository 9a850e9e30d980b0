//! What is to go wrong, as data.

use std::num::NonZeroU32;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

use crate::outcome::Side;

/// Everything that a relay does to the connections through it. The default does
/// nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What becomes of a connect.
    pub door: Door,
    /// How bytes of the client are passed on.
    pub up: Pace,
    /// How bytes of the server are passed on.
    pub down: Pace,
    /// What becomes of FINs.
    pub fins: Fins,
    /// What happens at certain moments.
    pub strikes: Vec<Strike>,
}

impl Plan {
    /// Nothing but this.
    #[must_use]
    pub fn strike(when: When, effect: Effect) -> Self {
        Self { strikes: vec![Strike { chance: Chance::Always, when, effect }], ..Self::default() }
    }

    /// The same for the first `count` connections only.
    #[must_use]
    pub fn strike_first(count: u64, when: When, effect: Effect) -> Self {
        Self { strikes: vec![Strike { chance: Chance::First(count), when, effect }], ..Self::default() }
    }

    /// Nothing but this door.
    #[must_use]
    pub fn door(door: Door) -> Self {
        Self { door, ..Self::default() }
    }

    pub(crate) const fn pace(&self, from: Side) -> Pace {
        match from {
            Side::Client => self.up,
            Side::Server => self.down,
        }
    }
}

/// What becomes of a connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// It is accepted and relayed.
    #[default]
    Open,
    /// Nobody listens: the kernel refuses it.
    Refused,
    /// It is accepted and reset at once.
    Reset,
    /// It is accepted, and nothing is ever said: the gray head.
    Unanswered,
    /// The accept queue is full: the kernel drops handshakes.
    QueueFull,
}

/// How the bytes of one direction are passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// How long each piece is held back. One piece is under way at a time (64 KiB at
    /// most), so this bounds the rate too.
    pub delay: Duration,
    /// Up to so much more, drawn for each piece.
    pub jitter: Duration,
    /// How fast; `None` as fast as it goes.
    pub rate: Option<Rate>,
}

/// A piece of so many bytes each so often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The largest piece that is written at once.
    pub piece_bytes: NonZeroU32,
    /// From one piece to the next.
    pub every: Duration,
}

impl Rate {
    /// One byte at a time.
    #[must_use]
    pub const fn dribble(every: Duration) -> Self {
        Self { piece_bytes: NonZeroU32::MIN, every }
    }

    /// So many bytes a second, in pieces of a hundredth of that.
    #[must_use]
    pub fn bytes_per_second(count: NonZeroU32) -> Self {
        let piece_bytes = NonZeroU32::new(count.get() / 100).unwrap_or(NonZeroU32::MIN);
        let every = Duration::from_secs(1).mul_f64(f64::from(piece_bytes.get()) / f64::from(count.get()));
        Self { piece_bytes, every }
    }
}

/// What becomes of FINs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fins {
    /// They are passed on.
    #[default]
    Pass,
    /// Those of this side are lost.
    Lost(Side),
    /// Those of this side arrive as RST.
    AsReset(Side),
}

/// Something that happens once in the life of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// To which connections.
    pub chance: Chance,
    /// When.
    pub when: When,
    /// What.
    pub effect: Effect,
}

/// Which connections a strike is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chance {
    /// All.
    Always,
    /// The first so many.
    First(u64),
    /// So many of a thousand, drawn from the seed.
    Permille(u16),
}

impl Chance {
    pub(crate) fn falls_on(self, number: u64, random: &mut StdRng) -> bool {
        // Drawn in any case, so that a change of one strike leaves the others' draws.
        let drawn = random.random_range(0..1000);
        match self {
            Self::Always => true,
            Self::First(count) => number < count,
            Self::Permille(share) => drawn < share,
        }
    }
}

/// The moment of a strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// No byte has moved for this long.
    Idle(Duration),
    /// A byte comes after no byte has moved for this long. With a span near zero it
    /// is the next request.
    SendAfterIdle(Duration),
    /// So many bytes of this side have been passed on.
    Bytes(Side, u64),
    /// In the middle of the first TLS record of this side whose payload begins after
    /// so many bytes.
    MidRecord(Side, u64),
    /// The connection is this old.
    Age(Duration),
}

/// What a strike does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// FIN on both sides, without a close_notify; what had been read is thrown away.
    Fin,
    /// RST on both sides.
    Reset,
    /// Nothing moves any more, and no end is passed on: the sockets are held.
    Silence(Reach),
    /// Nothing moves for this long.
    Stall(Reach, Duration),
}

/// Which directions suffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Both.
    Both,
    /// The bytes that come from this side.
    From(Side),
}

impl Reach {
    pub(crate) fn covers(self, from: Side) -> bool {
        match self {
            Self::Both => true,
            Self::From(side) => side == from,
        }
    }
}
