//! The `Condition` element, compiled.
//!
//! *Source*: "IAM JSON policy elements: Condition operators" of the AWS IAM user
//! guide. A key that the request lacks makes a positive operator fail and a
//! negated one hold; with `IfExists` it makes any operator hold. All conditions of
//! a statement must hold; of several values one must match (for a negated
//! operator: none may).

mod arn;
pub(crate) mod key;
pub(crate) mod network;
pub(crate) mod operator;
mod value;

use self::key::Key;
use self::operator::{Absence, Operator, Sense};
use self::value::Expectation;
use crate::document::Effect;
use crate::error::Fault;
use crate::facts::Facts;
use crate::json::{Json, Object};
use crate::pattern::{Match, VariableUse};

/// One key, one operator, and the values to compare with.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    key: Key,
    sense: Sense,
    absence: Absence,
    expectation: Expectation,
}

impl Condition {
    /// Compiles the whole element.
    pub(crate) fn parse_all(element: Object, variables: VariableUse) -> Result<Box<[Self]>, Fault> {
        element.distinct()?;
        let mut conditions = Vec::new();
        for (name, tests) in element.into_members() {
            let (operator, absence) = Operator::parse(&name)?;
            let tests = tests.object(&name, "an object of condition keys")?;
            tests.distinct()?;
            if tests.is_empty() {
                return Err(Fault::shape(&name, "an object of at least one condition key"));
            }
            for (key, values) in tests.into_members() {
                let key = Key::parse(&key)?;
                conditions.push(Self::parse(&name, operator, absence, key, values, variables)?);
            }
        }
        Ok(conditions.into())
    }

    fn parse(
        name: &str,
        operator: Operator,
        absence: Absence,
        key: Key,
        values: Json,
        variables: VariableUse,
    ) -> Result<Self, Fault> {
        if !operator.fits(key) {
            let fitting = key.kind().operators();
            return Err(Fault::OperatorDoesNotFit { operator: name.to_owned(), key: key.as_str(), fitting });
        }
        let values = values.scalars(key.as_str())?;
        let expectation = Expectation::parse(operator.test, key, &values, variables)?;
        Ok(Self { key, sense: operator.sense, absence, expectation })
    }

    /// Bytes of its patterns whose search is not linear.
    pub(crate) fn floating_bytes(&self) -> usize {
        self.expectation.floating_bytes()
    }

    /// Whether the request fulfils the condition.
    pub(crate) fn holds(&self, facts: &Facts<'_>, effect: Effect) -> bool {
        let fact = facts.fact(self.key);
        if let Expectation::Absent(values) = &self.expectation {
            return values.contains(&fact.is_none());
        }
        match (fact, self.absence) {
            (Some(fact), _) => decide(self.sense, effect, self.expectation.outcomes(fact, facts)),
            (None, Absence::Holds) => true,
            (None, Absence::ByOperator) => self.sense == Sense::NoneOf,
        }
    }
}

/// Combines the outcomes of several values or patterns. One that could not be
/// resolved never helps: it matches nothing, and where not matching would bring an
/// `Allow` about, the `Allow` fails.
pub(crate) fn decide(sense: Sense, effect: Effect, mut outcomes: impl Iterator<Item = Match>) -> bool {
    match sense {
        Sense::AnyOf => outcomes.any(Match::is_yes),
        Sense::NoneOf => outcomes.all(|outcome| match outcome {
            Match::Yes => false,
            Match::No => true,
            Match::Unresolved => effect == Effect::Deny,
        }),
    }
}

#[cfg(test)]
mod tests;
