//! The `Resource` and `NotResource` elements.

use repono_core::name::AccountName;

use crate::condition::{decide, operator::Sense};
use crate::document::Effect;
use crate::error::Fault;
use crate::facts::Facts;
use crate::pattern::{Match, Pattern, VariableUse, Wildcards};

/// Of what a statement speaks.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    /// `AnyOf` for `Resource`, `NoneOf` for `NotResource`.
    sense: Sense,
    patterns: Box<[ResourcePattern]>,
}

/// `*` or an S3 ARN.
#[derive(Clone, Debug)]
struct ResourcePattern {
    account: AccountPart,
    text: Pattern,
}

#[derive(Clone, Debug)]
enum AccountPart {
    /// Whatever the policy can reach: the bare `*`.
    Any,
    /// The account that keeps the policy: an ARN whose account field is empty.
    Keeper,
    /// The account in the ARN.
    Named(AccountName),
}

impl Targets {
    pub(crate) fn only(names: &[String], variables: VariableUse) -> Result<Self, Fault> {
        Ok(Self { sense: Sense::AnyOf, patterns: compile(names, variables)? })
    }

    pub(crate) fn all_but(names: &[String], variables: VariableUse) -> Result<Self, Fault> {
        Ok(Self { sense: Sense::NoneOf, patterns: compile(names, variables)? })
    }

    /// All but nothing.
    pub(crate) fn everything() -> Self {
        Self { sense: Sense::NoneOf, patterns: Box::default() }
    }

    /// The accounts named.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &AccountName> {
        self.patterns.iter().filter_map(|pattern| match &pattern.account {
            AccountPart::Any | AccountPart::Keeper => None,
            AccountPart::Named(account) => Some(account),
        })
    }

    pub(crate) fn floating_bytes(&self) -> usize {
        self.patterns.iter().map(|p| p.text.floating_bytes()).sum()
    }

    /// Whether they hold the resource of the request.
    pub(crate) fn hold(&self, keeper: &AccountName, facts: &Facts<'_>, effect: Effect) -> bool {
        decide(self.sense, effect, self.patterns.iter().map(|pattern| pattern.matches(keeper, facts)))
    }
}

impl ResourcePattern {
    fn compile(name: &str, variables: VariableUse) -> Result<Self, Fault> {
        let unknown = || Fault::Resource { value: name.to_owned() };
        let (account, text) = if name == "*" {
            (AccountPart::Any, name)
        } else {
            let (account, text) = name
                .strip_prefix("arn:aws:s3::")
                .and_then(|rest| rest.split_once(':'))
                .ok_or_else(unknown)?;
            (AccountPart::parse(account).ok_or_else(unknown)?, text)
        };
        if text.is_empty() {
            return Err(unknown());
        }
        Ok(Self { account, text: Pattern::compile(text, Wildcards::Active, variables)? })
    }

    fn matches(&self, keeper: &AccountName, facts: &Facts<'_>) -> Match {
        let owner = facts.request.resource.account();
        let reaches = match &self.account {
            AccountPart::Any => true,
            AccountPart::Keeper => owner == keeper,
            AccountPart::Named(account) => owner == account,
        };
        if reaches { self.text.matches(facts.subject(), facts) } else { Match::No }
    }
}

impl AccountPart {
    fn parse(field: &str) -> Option<Self> {
        match field {
            "" => Some(Self::Keeper),
            name => AccountName::new(name.as_bytes()).ok().map(Self::Named),
        }
    }
}

fn compile(names: &[String], variables: VariableUse) -> Result<Box<[ResourcePattern]>, Fault> {
    names.iter().map(|name| ResourcePattern::compile(name, variables)).collect()
}
