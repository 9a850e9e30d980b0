//! Which records are wanted.

use std::str::FromStr;
use std::time::Duration;

use repono_journal::read::{Fact, Record};
use repono_journal::{Reuse, Side};

use super::asked::Asked;

/// Statuses of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statuses {
    /// One.
    One(u16),
    /// Those that begin with this digit.
    Class(u16),
}

impl FromStr for Statuses {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "write it like 404 or 5xx";
        let class = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX"));
        let (digits, range) = class.map_or((text, 100..=599), |digit| (digit, 1..=5));
        let number = digits.parse().ok().filter(|number| range.contains(number)).ok_or(WANTED)?;
        Ok(if class.is_some() { Self::Class(number) } else { Self::One(number) })
    }
}

impl Statuses {
    const fn has(self, status: u16) -> bool {
        match self {
            Self::One(one) => status == one,
            Self::Class(class) => status / 100 == class,
        }
    }
}

/// The side of this name.
///
/// *Errors*: the names that there are.
pub(super) fn side(name: &str) -> Result<Side, &'static str> {
    Side::of_word(name).ok_or("it is one of client, balancer, head, vending, recorder")
}

/// The name of a head that is given by its name or its number.
pub(super) fn head_name(given: &str) -> String {
    if given.bytes().all(|byte| byte.is_ascii_digit()) { format!("head-{given}") } else { given.to_owned() }
}

/// Whether a connection had served a request before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reused {
    Yes,
    No,
}

/// What may be wanted beside requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Connection,
    Change,
}

/// What a record must be like; an empty list is no demand.
pub(super) struct Filter {
    /// What ended before is not wanted.
    pub(super) from_wall_ns: u64,
    pub(super) slow: Option<Duration>,
    pub(super) reuse: Option<Reused>,
    pub(super) head: Option<String>,
    pub(super) statuses: Vec<Statuses>,
    pub(super) methods: Vec<String>,
    pub(super) sides: Vec<Side>,
    pub(super) failed: bool,
    pub(super) more: Vec<Kind>,
}

impl Filter {
    pub(super) fn takes(&self, record: &Record<'_>) -> bool {
        if record.fact.ended().is_none_or(|ended| ended.wall_ns < self.from_wall_ns) {
            return false;
        }
        if let Some(asked) = Asked::of(record) {
            return self.takes_from(asked.side, asked.head) && self.takes_asked(&asked);
        }
        match &record.fact {
            Fact::Connection(connection) => {
                let head = match connection.side {
                    Some(Side::Head) => Some(&*record.origin.instance),
                    Some(Side::Client | Side::Balancer | Side::Vending | Side::Recorder) | None => {
                        connection.head.as_deref()
                    }
                };
                self.more.contains(&Kind::Connection) && self.takes_from(connection.side, head)
            }
            // Changes are of the whole.
            Fact::Change(_) => self.more.contains(&Kind::Change),
            Fact::Request(_) | Fact::Turn(_) | Fact::Audit(_) | Fact::Other => false,
        }
    }

    fn takes_from(&self, side: Option<Side>, head: Option<&str>) -> bool {
        let of_side = self.sides.is_empty() || side.is_some_and(|side| self.sides.contains(&side));
        of_side && self.head.as_deref().is_none_or(|wanted| head == Some(wanted))
    }

    fn takes_asked(&self, asked: &Asked<'_>) -> bool {
        let reused = match asked.reuse {
            Reuse::New => Reused::No,
            Reuse::Reused { .. } => Reused::Yes,
        };
        let status = |wanted: &Statuses| asked.status.is_some_and(|status| wanted.has(status));
        let method = |wanted: &String| asked.method == Some(wanted);
        self.slow.is_none_or(|slow| u128::from(asked.duration_ns) >= slow.as_nanos())
            && self.reuse.is_none_or(|wanted| wanted == reused)
            && (self.statuses.is_empty() || self.statuses.iter().any(status))
            && (self.methods.is_empty() || self.methods.iter().any(method))
            && (!self.failed || asked.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::{Statuses, head_name};

    #[test]
    fn statuses_are_single_or_a_class() {
        let read = ["404", "5xx", "2XX"].map(str::parse::<Statuses>);
        assert_eq!(read, [Ok(Statuses::One(404)), Ok(Statuses::Class(5)), Ok(Statuses::Class(2))]);
        assert!(Statuses::Class(5).has(503) && !Statuses::Class(5).has(499) && !Statuses::One(500).has(503));
        for bad in ["", "xx", "6xx", "99", "600", "5x", "-404"] {
            assert!(bad.parse::<Statuses>().is_err(), "{bad}");
        }
        assert_eq!(["2", "head-2", "blue"].map(head_name), ["head-2", "head-2", "blue"]);
    }
}
