//! Condition operators: the closed list of comparisons.

use crate::condition::key::{Key, Kind};
use crate::error::Fault;

/// One operator, without its `IfExists`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) test: Test,
    pub(crate) sense: Sense,
}

/// The comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// Whole texts, byte for byte.
    Exact,
    /// Whole texts, ignoring case.
    IgnoringCase,
    /// Texts with `*` and `?`.
    Like,
    Number(Order),
    Date(Order),
    Flag,
    Network,
    /// Colon-separated fields, each with `*` and `?`.
    Arn,
    /// Whether the key is absent.
    Absent,
}

/// How the request's value must stand to the policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// How the outcomes of several values combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sense {
    /// At least one must match.
    AnyOf,
    /// None may match.
    NoneOf,
}

/// What becomes of the condition when the request lacks the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// It fails, or holds if the operator is negated.
    ByOperator,
    /// It holds: `IfExists`.
    Holds,
}

const fn any(test: Test) -> Operator {
    Operator { test, sense: Sense::AnyOf }
}

const fn none(test: Test) -> Operator {
    Operator { test, sense: Sense::NoneOf }
}

const TABLE: [(&str, Operator); 26] = [
    ("StringEquals", any(Test::Exact)),
    ("StringNotEquals", none(Test::Exact)),
    ("StringEqualsIgnoreCase", any(Test::IgnoringCase)),
    ("StringNotEqualsIgnoreCase", none(Test::IgnoringCase)),
    ("StringLike", any(Test::Like)),
    ("StringNotLike", none(Test::Like)),
    ("NumericEquals", any(Test::Number(Order::Equal))),
    ("NumericNotEquals", none(Test::Number(Order::Equal))),
    ("NumericLessThan", any(Test::Number(Order::Less))),
    ("NumericLessThanEquals", any(Test::Number(Order::LessOrEqual))),
    ("NumericGreaterThan", any(Test::Number(Order::Greater))),
    ("NumericGreaterThanEquals", any(Test::Number(Order::GreaterOrEqual))),
    ("DateEquals", any(Test::Date(Order::Equal))),
    ("DateNotEquals", none(Test::Date(Order::Equal))),
    ("DateLessThan", any(Test::Date(Order::Less))),
    ("DateLessThanEquals", any(Test::Date(Order::LessOrEqual))),
    ("DateGreaterThan", any(Test::Date(Order::Greater))),
    ("DateGreaterThanEquals", any(Test::Date(Order::GreaterOrEqual))),
    ("Bool", any(Test::Flag)),
    ("IpAddress", any(Test::Network)),
    ("NotIpAddress", none(Test::Network)),
    ("ArnEquals", any(Test::Arn)),
    ("ArnLike", any(Test::Arn)),
    ("ArnNotEquals", none(Test::Arn)),
    ("ArnNotLike", none(Test::Arn)),
    ("Null", any(Test::Absent)),
];

impl Operator {
    /// The operator and its manner with absent keys.
    pub(crate) fn parse(name: &str) -> Result<(Self, Absence), Fault> {
        if name.starts_with("ForAllValues:") || name.starts_with("ForAnyValue:") {
            return Err(Fault::SetOperator { name: name.to_owned() });
        }
        let (base, absence) = match name.strip_suffix("IfExists") {
            Some("Null") => return Err(Fault::NullIfExists),
            Some(base) => (base, Absence::Holds),
            None => (name, Absence::ByOperator),
        };
        let known = TABLE.iter().find(|(n, _)| *n == base).map(|(_, operator)| (*operator, absence));
        known.ok_or_else(|| Fault::UnknownOperator { name: name.to_owned() })
    }

    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|(name, _)| *name)
    }

    /// Whether the operator can read the key's values.
    pub(crate) const fn fits(self, key: Key) -> bool {
        match self.test {
            Test::Exact | Test::IgnoringCase | Test::Like => matches!(key.kind(), Kind::Text | Kind::Arn),
            Test::Number(_) => matches!(key.kind(), Kind::Number | Kind::Epoch),
            Test::Date(_) => matches!(key.kind(), Kind::Date | Kind::Epoch),
            Test::Flag => matches!(key.kind(), Kind::Flag),
            Test::Network => matches!(key.kind(), Kind::Address),
            Test::Arn => matches!(key.kind(), Kind::Arn),
            Test::Absent => true,
        }
    }
}

impl Order {
    pub(crate) const fn holds(self, found: i128, wanted: i128) -> bool {
        match self {
            Self::Equal => found == wanted,
            Self::Less => found < wanted,
            Self::LessOrEqual => found <= wanted,
            Self::Greater => found > wanted,
            Self::GreaterOrEqual => found >= wanted,
        }
    }
}
