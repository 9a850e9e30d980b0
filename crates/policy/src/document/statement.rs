//! One statement.

use crate::action::ActionSet;
use crate::condition::Condition;
use crate::document::{DocumentKind, Effect, Principals, Targets, label};
use crate::error::Fault;
use crate::json::{Json, Object};
use crate::pattern::VariableUse;

/// A compiled statement.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sid: Option<Box<str>>,
    pub(crate) effect: Effect,
    /// `None` in identity policies.
    pub(crate) principals: Option<Principals>,
    pub(crate) actions: ActionSet,
    pub(crate) targets: Targets,
    pub(crate) conditions: Box<[Condition]>,
}

impl Statement {
    pub(crate) fn parse(json: Json, kind: DocumentKind, variables: VariableUse) -> Result<Self, Fault> {
        let mut object = json.object("Statement", "an object, or a list of objects")?;
        object.only(&[
            "Sid",
            "Effect",
            "Principal",
            "NotPrincipal",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
        ])?;
        Ok(Self {
            sid: label(&mut object, "Sid")?,
            effect: effect(object.require("Effect")?)?,
            principals: principals(&mut object, kind)?,
            actions: actions(&mut object)?,
            targets: targets(&mut object, variables)?,
            conditions: match object.take("Condition") {
                Some(json) => {
                    Condition::parse_all(json.object("Condition", "an object of operators")?, variables)?
                }
                None => Box::default(),
            },
        })
    }

    pub(crate) fn deny_everything(kind: DocumentKind) -> Self {
        let principals = match kind {
            DocumentKind::Identity => None,
            DocumentKind::Resource => Some(Principals::anyone()),
        };
        Self {
            sid: None,
            effect: Effect::Deny,
            principals,
            actions: ActionSet::ALL,
            targets: Targets::everything(),
            conditions: Box::default(),
        }
    }

    /// Bytes of its patterns whose search is not linear.
    pub(crate) fn floating_bytes(&self) -> usize {
        let conditions: usize = self.conditions.iter().map(Condition::floating_bytes).sum();
        conditions + self.targets.floating_bytes()
    }
}

fn effect(json: Json) -> Result<Effect, Fault> {
    match json.text("Effect")?.as_str() {
        "Allow" => Ok(Effect::Allow),
        "Deny" => Ok(Effect::Deny),
        found => Err(Fault::Effect { found: found.to_owned() }),
    }
}

fn principals(object: &mut Object, kind: DocumentKind) -> Result<Option<Principals>, Fault> {
    let (named, excepted) = (object.take("Principal"), object.take("NotPrincipal"));
    match (kind, named, excepted) {
        (DocumentKind::Identity, None, None) => Ok(None),
        (DocumentKind::Identity, Some(_), _) => Err(Fault::PrincipalInIdentity { element: "Principal" }),
        (DocumentKind::Identity, None, Some(_)) => {
            Err(Fault::PrincipalInIdentity { element: "NotPrincipal" })
        }
        (DocumentKind::Resource, _, Some(_)) => Err(Fault::NotPrincipal),
        (DocumentKind::Resource, None, None) => Err(Fault::Missing { element: "Principal" }),
        (DocumentKind::Resource, Some(json), None) => Principals::parse(json).map(Some),
    }
}

/// An element, or its `Not…` form: exactly one of the two.
enum Either {
    Only(Vec<String>),
    AllBut(Vec<String>),
}

fn either(object: &mut Object, one: &'static str, other: &'static str) -> Result<Either, Fault> {
    match (object.take(one), object.take(other)) {
        (Some(json), None) => json.texts(one).map(Either::Only),
        (None, Some(json)) => json.texts(other).map(Either::AllBut),
        (None, None) => Err(Fault::Missing { element: one }),
        (Some(_), Some(_)) => Err(Fault::Exclusive { one }),
    }
}

fn actions(object: &mut Object) -> Result<ActionSet, Fault> {
    let all = |names: Vec<String>| {
        names.iter().try_fold(ActionSet::EMPTY, |set, name| Ok(set.union(ActionSet::named(name)?)))
    };
    Ok(match either(object, "Action", "NotAction")? {
        Either::Only(names) => all(names)?,
        Either::AllBut(names) => all(names)?.complement(),
    })
}

fn targets(object: &mut Object, variables: VariableUse) -> Result<Targets, Fault> {
    match either(object, "Resource", "NotResource")? {
        Either::Only(names) => Targets::only(&names, variables),
        Either::AllBut(names) => Targets::all_but(&names, variables),
    }
}
