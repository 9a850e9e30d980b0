//! The values of a condition, compiled for their operator.

use repono_core::time::parse_utc_seconds;

use crate::condition::arn::ArnPattern;
use crate::condition::key::Key;
use crate::condition::network::Network;
use crate::condition::operator::{Order, Test};
use crate::error::Fault;
use crate::facts::{Fact, Facts};
use crate::pattern::{Match, Pattern, VariableUse, Wildcards};

/// What a key is compared with.
#[derive(Clone, Debug)]
pub(crate) enum Expectation {
    Texts(Box<[Pattern]>),
    TextsIgnoringCase(Box<[Pattern]>),
    Numbers(Order, Box<[i128]>),
    Flags(Box<[bool]>),
    Networks(Box<[Network]>),
    Arns(Box<[ArnPattern]>),
    /// Of `Null`: whether the key shall be absent.
    Absent(Box<[bool]>),
}

impl Expectation {
    pub(crate) fn parse(
        test: Test,
        key: Key,
        values: &[String],
        variables: VariableUse,
    ) -> Result<Self, Fault> {
        let texts = |wildcards| -> Result<_, Fault> {
            values.iter().map(|v| Pattern::compile(v, wildcards, variables)).collect()
        };
        Ok(match test {
            Test::Exact => Self::Texts(texts(Wildcards::Literal)?),
            Test::IgnoringCase => Self::TextsIgnoringCase(texts(Wildcards::Literal)?),
            Test::Like => Self::Texts(texts(Wildcards::Active)?),
            Test::Number(order) => Self::Numbers(order, each(key, values, "a whole number", number)?),
            Test::Date(order) => Self::Numbers(order, each(key, values, DATE_FORMS, date)?),
            Test::Flag => Self::Flags(each(key, values, "true or false", flag)?),
            Test::Network => Self::Networks(each(key, values, Network::FORMS, Network::parse)?),
            Test::Arn => Self::Arns(
                values.iter().map(|v| ArnPattern::compile(key, v, variables)).collect::<Result<_, _>>()?,
            ),
            Test::Absent => Self::Absent(each(key, values, "true or false", flag)?),
        })
    }

    pub(crate) fn floating_bytes(&self) -> usize {
        match self {
            Self::Texts(patterns) | Self::TextsIgnoringCase(patterns) => {
                patterns.iter().map(Pattern::floating_bytes).sum()
            }
            Self::Arns(arns) => arns.iter().map(ArnPattern::floating_bytes).sum(),
            Self::Numbers(..) | Self::Flags(_) | Self::Networks(_) | Self::Absent(_) => 0,
        }
    }

    /// One outcome for each value.
    pub(crate) fn outcomes(&self, fact: Fact<'_>, facts: &Facts<'_>) -> impl Iterator<Item = Match> {
        (0..self.len()).map(move |at| self.outcome(at, fact, facts).unwrap_or(Match::Unresolved))
    }

    fn len(&self) -> usize {
        match self {
            Self::Texts(values) | Self::TextsIgnoringCase(values) => values.len(),
            Self::Numbers(_, values) => values.len(),
            Self::Flags(values) | Self::Absent(values) => values.len(),
            Self::Networks(values) => values.len(),
            Self::Arns(values) => values.len(),
        }
    }

    /// `None` where fact and values are of different kinds. Parsing refuses such a
    /// pair; if one came about nevertheless, it would never help (see `decide`).
    fn outcome(&self, at: usize, fact: Fact<'_>, facts: &Facts<'_>) -> Option<Match> {
        Some(match (self, fact) {
            (Self::Texts(values), Fact::Text(text)) => values.get(at)?.matches(text, facts),
            (Self::TextsIgnoringCase(values), Fact::Text(text)) => {
                values.get(at)?.matches_ignoring_case(text, facts)
            }
            (Self::Numbers(order, values), Fact::Number(found)) => {
                Match::of(order.holds(found.into(), *values.get(at)?))
            }
            (Self::Flags(values), Fact::Flag(found)) => Match::of(*values.get(at)? == found),
            (Self::Networks(values), Fact::Address(found)) => Match::of(values.get(at)?.contains(found)),
            (Self::Arns(values), Fact::Text(text)) => values.get(at)?.matches(text, facts),
            (
                Self::Texts(_)
                | Self::TextsIgnoringCase(_)
                | Self::Numbers(..)
                | Self::Flags(_)
                | Self::Networks(_)
                | Self::Arns(_)
                | Self::Absent(_),
                Fact::Text(_) | Fact::Number(_) | Fact::Flag(_) | Fact::Address(_),
            ) => return None,
        })
    }
}

const DATE_FORMS: &str = "YYYY-MM-DDTHH:MM:SSZ, YYYY-MM-DD (midnight UTC) or Unix seconds";

fn each<T>(
    key: Key,
    values: &[String],
    expected: &'static str,
    parse: fn(&str) -> Option<T>,
) -> Result<Box<[T]>, Fault> {
    let fault = |value: &str| Fault::Value { key: key.as_str(), value: value.to_owned(), expected };
    values.iter().map(|value| parse(value).ok_or_else(|| fault(value))).collect()
}

fn number(text: &str) -> Option<i128> {
    text.parse::<i64>().ok().map(i128::from)
}

fn date(text: &str) -> Option<i128> {
    let seconds = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().ok()
    } else if text.len() == "YYYY-MM-DD".len() {
        parse_utc_seconds(format!("{text}T00:00:00Z").as_bytes())
    } else {
        parse_utc_seconds(text.as_bytes())
    };
    seconds.map(i128::from)
}

fn flag(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}
