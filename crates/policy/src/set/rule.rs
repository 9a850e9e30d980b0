//! Statements where they are attached, indexed by effect and action.

use std::sync::Arc;

use repono_core::name::AccountName;

use crate::action::Action;
use crate::document::{Document, Effect, Principals, Statement};
use crate::facts::Facts;

/// The statements of all documents attached to one place.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    denies: PerAction,
    allows: PerAction,
}

/// For each action the rules about it, in the order of [`Action::ALL`].
#[derive(Debug, Default)]
struct PerAction([Vec<Arc<Rule>>; Action::ALL.len()]);

/// One statement and the account that keeps it.
#[derive(Debug)]
pub(super) struct Rule {
    keeper: AccountName,
    audience: Audience,
    statement: Statement,
    name: Arc<str>,
}

/// Whom a rule concerns.
#[derive(Debug)]
enum Audience {
    /// The user, group or application it is attached to, which the look-up found:
    /// an identity policy.
    Attached,
    /// The principals it names: a resource policy.
    Named(Principals),
    /// Everyone at the place, in every account: of a misplaced document.
    Everyone,
}

/// How far a document counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// As it is written.
    AsWritten,
    /// Only what it denies, to everyone whom its place concerns.
    DenyOnly,
}

impl Shelf {
    pub(super) fn add(&mut self, keeper: AccountName, place: String, document: Document, reach: Reach) {
        for (number, mut statement) in (1..).zip(document.into_statements()) {
            if (reach, statement.effect) == (Reach::DenyOnly, Effect::Allow) {
                continue;
            }
            let audience = match (reach, statement.principals.take()) {
                (Reach::DenyOnly, _) => Audience::Everyone,
                (Reach::AsWritten, Some(principals)) => Audience::Named(principals),
                (Reach::AsWritten, None) => Audience::Attached,
            };
            let name = name(&place, number, statement.sid.as_deref());
            let rule = Arc::new(Rule { keeper: keeper.clone(), audience, statement, name });
            match rule.statement.effect {
                Effect::Deny => self.denies.add(&rule),
                Effect::Allow => self.allows.add(&rule),
            }
        }
    }

    /// A statement that denies the request.
    pub(super) fn denying(&self, facts: &Facts<'_>) -> Option<&Rule> {
        self.denies.matching(facts)
    }

    /// A statement that allows the request.
    pub(super) fn allowing(&self, facts: &Facts<'_>) -> Option<&Rule> {
        self.allows.matching(facts)
    }
}

impl PerAction {
    fn add(&mut self, rule: &Arc<Rule>) {
        for (action, rules) in Action::ALL.into_iter().zip(&mut self.0) {
            if rule.statement.actions.contains(action) {
                rules.push(Arc::clone(rule));
            }
        }
    }

    fn matching(&self, facts: &Facts<'_>) -> Option<&Rule> {
        let rules = self.0.get(facts.request.action.index())?;
        rules.iter().map(AsRef::as_ref).find(|rule| rule.matches(facts))
    }
}

impl Rule {
    /// What audit records call it.
    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// Whether everything in the statement but its action, by which it was found,
    /// holds for the request.
    fn matches(&self, facts: &Facts<'_>) -> bool {
        let effect = self.statement.effect;
        self.concerns(facts)
            && self.statement.targets.hold(&self.keeper, facts, effect)
            && self.statement.conditions.iter().all(|condition| condition.holds(facts, effect))
    }

    fn concerns(&self, facts: &Facts<'_>) -> bool {
        let at_home = self.keeper == *facts.request.resource.account();
        match &self.audience {
            Audience::Everyone => true,
            Audience::Named(principals) => at_home && principals.include(facts.request.actor),
            Audience::Attached => match self.statement.effect {
                Effect::Allow => at_home,
                Effect::Deny => at_home || facts.user().is_some_and(|user| user.account == self.keeper),
            },
        }
    }
}

fn name(place: &str, number: usize, sid: Option<&str>) -> Arc<str> {
    match sid {
        Some(sid) => format!("{place}, statement {number} {sid:?}").into(),
        None => format!("{place}, statement {number}").into(),
    }
}
