//! The `Principal` element of resource policies.

use repono_core::name::{AccountName, ApplicationName, UserName};

use crate::error::Fault;
use crate::json::Json;
use crate::request::{Actor, UserIdentity};

/// For whom a statement of a resource policy speaks.
#[derive(Clone, Debug)]
pub(crate) struct Principals(Box<[Principal]>);

#[derive(Clone, Debug)]
enum Principal {
    /// Everyone, without a credential too.
    Anyone,
    /// Every user of an account.
    Account(AccountName),
    User(AccountName, UserName),
    /// A group's name keeps to the rules of a user's.
    Group(AccountName, UserName),
    Application(ApplicationName),
}

impl Principals {
    pub(crate) fn parse(json: Json) -> Result<Self, Fault> {
        let unknown = |value: &str| Fault::Principal { value: value.to_owned() };
        let names = match json {
            Json::Text(text) if text == "*" => return Ok(Self::anyone()),
            Json::Text(text) => return Err(unknown(&text)),
            Json::Object(mut object) => {
                object.distinct()?;
                let names = object.take("AWS");
                if let Some((kind, _)) = object.into_members().first() {
                    return Err(unknown(kind));
                }
                names.ok_or(Fault::Missing { element: "Principal.AWS" })?.texts("Principal.AWS")?
            }
            Json::Null | Json::Scalar(_) | Json::List(_) => {
                return Err(Fault::shape("Principal", "\"*\" or an object {\"AWS\": …}"));
            }
        };
        names
            .iter()
            .map(|name| Principal::parse(name).ok_or_else(|| unknown(name)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(crate) fn anyone() -> Self {
        Self(Box::new([Principal::Anyone]))
    }

    /// Whether the actor is one of them.
    pub(crate) fn include(&self, actor: Actor<'_>) -> bool {
        self.0.iter().any(|principal| match actor {
            Actor::Anyone => matches!(principal, Principal::Anyone),
            Actor::User(user) => principal.is(user),
        })
    }
}

impl Principal {
    fn parse(name: &str) -> Option<Self> {
        if name == "*" {
            return Some(Self::Anyone);
        }
        let account = |text: &str| AccountName::new(text.as_bytes()).ok();
        let member = |text: &str| UserName::new(text.as_bytes()).ok();
        let (owner, rest) = name.strip_prefix("arn:aws:iam::")?.split_once(':')?;
        match (owner, rest.split_once('/')) {
            (owner, None) if rest == "root" => Some(Self::Account(account(owner)?)),
            ("", Some(("application", name))) => {
                ApplicationName::new(name.as_bytes()).ok().map(Self::Application)
            }
            (owner, Some(("user", name))) => Some(Self::User(account(owner)?, member(name)?)),
            (owner, Some(("group", name))) => Some(Self::Group(account(owner)?, member(name)?)),
            _ => None,
        }
    }

    fn is(&self, user: &UserIdentity) -> bool {
        match self {
            Self::Anyone => true,
            Self::Account(account) => *account == user.account,
            Self::User(account, name) => *account == user.account && *name == user.user,
            Self::Group(account, name) => {
                *account == user.account && user.group_names.iter().any(|group| group == name.as_str())
            }
            Self::Application(name) => *name == user.application,
        }
    }
}
