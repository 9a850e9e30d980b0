//! Why a policy document was refused, in words for its author.

use std::error::Error;
use std::fmt;

use crate::action::Action;
use crate::condition::{key::Key, operator::Operator};

/// A document that is not usable, and where.
#[derive(Debug)]
pub struct DocumentError {
    /// The statement at fault, counted from 1; `None` when the fault is outside
    /// the statements.
    pub statement: Option<usize>,
    /// What is wrong with it.
    pub fault: Fault,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(number) = self.statement {
            write!(f, "statement {number}: ")?;
        }
        fmt::Display::fmt(&self.fault, f)
    }
}

impl Error for DocumentError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.fault.source()
    }
}

/// What is wrong with a document. Each text names the element and says what would
/// be right.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Too many bytes.
    #[error("the document is larger than {max} bytes")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// Not JSON; the cause says where.
    #[error("the document is not JSON")]
    Json(#[source] serde_json::Error),
    /// An element of the wrong JSON type, or empty.
    #[error("`{element}` must be {expected}")]
    Shape {
        /// The element.
        element: String,
        /// What it must be.
        expected: &'static str,
    },
    /// An element that does not exist at this place; names are case-sensitive.
    #[error("unknown element {name:?}; allowed here: {}", allowed.join(", "))]
    UnknownElement {
        /// The name found.
        name: String,
        /// The names allowed.
        allowed: &'static [&'static str],
    },
    /// A member stands twice in one object.
    #[error("{name:?} stands twice in one object")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A required element is missing.
    #[error("`{element}` is missing")]
    Missing {
        /// The element.
        element: &'static str,
    },
    /// An element and its `Not…` form together.
    #[error("`{one}` and `Not{one}` exclude each other")]
    Exclusive {
        /// The element.
        one: &'static str,
    },
    /// A version of the policy language that does not exist.
    #[error("`Version` is {found:?}; it must be \"2012-10-17\" (\"2008-10-17\" is accepted)")]
    Version {
        /// What was found.
        found: String,
    },
    /// Too many statements.
    #[error("more than {max} statements")]
    TooManyStatements {
        /// The limit.
        max: usize,
    },
    /// `Id` or `Sid` is not usable in an audit record.
    #[error("`{element}` must have 1 to {max} bytes and no control character")]
    Label {
        /// `Id` or `Sid`.
        element: &'static str,
        /// The limit.
        max: usize,
    },
    /// Two statements with one `Sid`.
    #[error("the `Sid` {sid:?} is used twice")]
    DuplicateSid {
        /// The id.
        sid: String,
    },
    /// Neither allow nor deny.
    #[error("`Effect` is {found:?}; it must be \"Allow\" or \"Deny\"")]
    Effect {
        /// What was found.
        found: String,
    },
    /// An action that does not exist, or a pattern that matches none.
    #[error("{name:?} names no action; actions are {} (`*` and `?` allowed)", listed(Action::ALL.map(Action::as_str)))]
    UnknownAction {
        /// What was found.
        name: String,
    },
    /// A principal in an identity policy.
    #[error(
        "`{element}` belongs in resource policies only: an identity policy speaks for what it is attached to"
    )]
    PrincipalInIdentity {
        /// `Principal` or `NotPrincipal`.
        element: &'static str,
    },
    /// `NotPrincipal` is not supported.
    #[error(
        "`NotPrincipal` is not supported: it would speak for anonymous callers too; use `Principal`, and a `Deny` for exceptions"
    )]
    NotPrincipal,
    /// A principal of an unknown form.
    #[error(
        "the principal {value:?} has an unknown form; allowed: \"*\", {{\"AWS\": …}} with \"*\", arn:aws:iam::ACCOUNT:root, arn:aws:iam::ACCOUNT:user/NAME, arn:aws:iam::ACCOUNT:group/NAME, arn:aws:iam:::application/NAME"
    )]
    Principal {
        /// What was found.
        value: String,
    },
    /// A resource of an unknown form.
    #[error(
        "the resource {value:?} has an unknown form; allowed: \"*\", arn:aws:s3:::CONTAINER, arn:aws:s3:::CONTAINER/KEY, arn:aws:s3::ACCOUNT:CONTAINER/KEY (`*` and `?` allowed after the last colon)"
    )]
    Resource {
        /// What was found.
        value: String,
    },
    /// A condition operator that does not exist.
    #[error(
        "unknown condition operator {name:?}; operators are {} (each but Null also with IfExists)",
        listed(Operator::names())
    )]
    UnknownOperator {
        /// What was found.
        name: String,
    },
    /// `ForAllValues:` or `ForAnyValue:`.
    #[error(
        "{name:?}: every condition key has one value, so ForAllValues and ForAnyValue are not supported; use the operator without it"
    )]
    SetOperator {
        /// What was found.
        name: String,
    },
    /// `NullIfExists`.
    #[error("`NullIfExists` has no meaning; use `Null`")]
    NullIfExists,
    /// A condition key that does not exist.
    #[error("unknown condition key {name:?}; keys are {}", listed(Key::ALL.map(Key::as_str)))]
    UnknownKey {
        /// What was found.
        name: String,
    },
    /// An operator that cannot test this key.
    #[error("{operator:?} does not fit `{key}`; use {fitting}")]
    OperatorDoesNotFit {
        /// The operator.
        operator: String,
        /// The key.
        key: &'static str,
        /// Operators that fit.
        fitting: &'static str,
    },
    /// A value that the operator cannot read.
    #[error("the value {value:?} of `{key}` must be {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// What was found.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A policy variable that does not exist.
    #[error(
        "unknown policy variable {name:?}; variables are ${{aws:username}}, ${{aws:userid}}, ${{repono:account}}, ${{repono:application}}, ${{*}}, ${{?}}, ${{$}}"
    )]
    UnknownVariable {
        /// What was found.
        name: String,
    },
    /// `${` without `}`.
    #[error("a policy variable in {text:?} is not closed by `}}`")]
    OpenVariable {
        /// The pattern.
        text: String,
    },
    /// A policy variable where it would be plain text.
    #[error("{text:?}: policy variables need `Version` \"2012-10-17\"")]
    VariableVersion {
        /// The pattern.
        text: String,
    },
    /// A pattern longer than anything it could match.
    #[error("a pattern is longer than {max} bytes")]
    PatternTooLong {
        /// The limit.
        max: usize,
    },
    /// Patterns whose search is not linear, beyond a bound.
    #[error(
        "the stretches between two `*` that hold `?` or a policy variable have more than {max} bytes in all"
    )]
    PatternsTooCostly {
        /// The limit.
        max: usize,
    },
    /// A resource of another account than the one that keeps the policy.
    #[error(
        "a resource names account {account:?}; a policy can grant only what the account that keeps it owns"
    )]
    ForeignAccount {
        /// The account named.
        account: String,
    },
}

impl Fault {
    pub(crate) fn shape(element: &str, expected: &'static str) -> Self {
        Self::Shape { element: element.to_owned(), expected }
    }
}

fn listed(names: impl IntoIterator<Item = &'static str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}
