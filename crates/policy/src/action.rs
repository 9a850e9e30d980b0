//! The closed list of actions.

use crate::error::Fault;
use crate::pattern::{NoVariables, Pattern, VariableUse, Wildcards};

/// What an actor wants to do. Both interfaces ask for the same actions, so that
/// one policy holds for both.
///
/// | action | native interface | S3 |
/// |---|---|---|
/// | `s3:GetObject` | object GET, HEAD; COPY from | GetObject, HeadObject; CopyObject from |
/// | `s3:PutObject` | object PUT, POST; COPY to | PutObject and every step of an upload; CopyObject to |
/// | `s3:DeleteObject` | object DELETE | DeleteObject(s) |
/// | `s3:ListBucket` | container GET, HEAD | ListObjects, HeadBucket |
/// | `s3:CreateBucket` | container PUT | CreateBucket |
/// | `s3:DeleteBucket` | container DELETE | DeleteBucket |
/// | `s3:PutBucketMetadata` | container POST | (none) |
/// | `s3:ListAllMyBuckets` | account GET, HEAD | ListBuckets |
/// | `s3:PutAccountMetadata` | account POST | (none) |
/// | `repono:ViewMonitor` | none: the monitor's page and figures | none |
/// | `repono:OperateMonitor` | none: drain, weight and only at the monitor | none |
///
/// `s3:PutBucketMetadata` and `s3:PutAccountMetadata` are ours: AWS has no action
/// for Swift's metadata of containers and accounts, and a nearly fitting one such
/// as `s3:PutBucketTagging` would grant more than its reader expects.
///
/// The two at the monitor concern the whole installation; policies of the user's own
/// account decide about them, in statements whose `Resource` is `*`. Only administrators
/// write those: access lists, which users set, never name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// `s3:GetObject`
    GetObject,
    /// `s3:PutObject`
    PutObject,
    /// `s3:DeleteObject`
    DeleteObject,
    /// `s3:ListBucket`
    ListBucket,
    /// `s3:CreateBucket`
    CreateBucket,
    /// `s3:DeleteBucket`
    DeleteBucket,
    /// `s3:PutBucketMetadata`
    PutBucketMetadata,
    /// `s3:ListAllMyBuckets`
    ListAllMyBuckets,
    /// `s3:PutAccountMetadata`
    PutAccountMetadata,
    /// `repono:ViewMonitor`
    ViewMonitor,
    /// `repono:OperateMonitor`
    OperateMonitor,
}

/// The kind of resource on which an action works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// An account.
    Account,
    /// A container.
    Container,
    /// An object.
    Object,
    /// The installation's monitor.
    Monitor,
}

impl Action {
    /// Every action, objects first.
    pub const ALL: [Self; 11] = [
        Self::GetObject,
        Self::PutObject,
        Self::DeleteObject,
        Self::ListBucket,
        Self::CreateBucket,
        Self::DeleteBucket,
        Self::PutBucketMetadata,
        Self::ListAllMyBuckets,
        Self::PutAccountMetadata,
        Self::ViewMonitor,
        Self::OperateMonitor,
    ];

    /// The name in policies and in audit records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GetObject => "s3:GetObject",
            Self::PutObject => "s3:PutObject",
            Self::DeleteObject => "s3:DeleteObject",
            Self::ListBucket => "s3:ListBucket",
            Self::CreateBucket => "s3:CreateBucket",
            Self::DeleteBucket => "s3:DeleteBucket",
            Self::PutBucketMetadata => "s3:PutBucketMetadata",
            Self::ListAllMyBuckets => "s3:ListAllMyBuckets",
            Self::PutAccountMetadata => "s3:PutAccountMetadata",
            Self::ViewMonitor => "repono:ViewMonitor",
            Self::OperateMonitor => "repono:OperateMonitor",
        }
    }

    /// The kind of resource that a request for this action must name.
    #[must_use]
    pub const fn scope(self) -> Scope {
        match self {
            Self::GetObject | Self::PutObject | Self::DeleteObject => Scope::Object,
            Self::ListBucket | Self::CreateBucket | Self::DeleteBucket | Self::PutBucketMetadata => {
                Scope::Container
            }
            Self::ListAllMyBuckets | Self::PutAccountMetadata => Scope::Account,
            Self::ViewMonitor | Self::OperateMonitor => Scope::Monitor,
        }
    }

    /// Position in [`Action::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// A set of actions, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ActionSet(u16);

impl ActionSet {
    pub(crate) const EMPTY: Self = Self(0);
    pub(crate) const ALL: Self = Self((1 << Action::ALL.len()) - 1);

    /// The actions that a name in a policy means, such as `s3:Get*` or `*`; as on
    /// AWS the case of letters does not matter.
    ///
    /// *Errors*: [`Fault::UnknownAction`] when it means none: a name with a typing
    /// error must not become a statement that silently never matches.
    pub(crate) fn named(name: &str) -> Result<Self, Fault> {
        let unknown = || Fault::UnknownAction { name: name.to_owned() };
        if name == "*" {
            return Ok(Self::ALL);
        }
        let of = |prefix: &str| name.get(..prefix.len()).is_some_and(|s| s.eq_ignore_ascii_case(prefix));
        let service = of("s3:") || of("repono:");
        if !service || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'*' | b'?')) {
            return Err(unknown());
        }
        let pattern = Pattern::compile(&name.to_ascii_lowercase(), Wildcards::Active, VariableUse::Refuse)?;
        let set = Action::ALL.into_iter().filter(|a| {
            let text = a.as_str().to_ascii_lowercase();
            pattern.matches(text.as_bytes(), &NoVariables).is_yes()
        });
        let set = set.fold(Self::EMPTY, |set, a| Self(set.0 | 1 << a.index()));
        if set == Self::EMPTY { Err(unknown()) } else { Ok(set) }
    }

    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn complement(self) -> Self {
        Self(Self::ALL.0 & !self.0)
    }

    pub(crate) const fn contains(self, action: Action) -> bool {
        self.0 & 1 << action.index() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, ActionSet};

    #[test]
    fn positions_follow_the_list() {
        for (at, action) in Action::ALL.into_iter().enumerate() {
            assert_eq!(action.index(), at);
            assert!(ActionSet::named(action.as_str()).expect("own name").contains(action));
        }
    }

    #[test]
    fn names_with_wildcards_and_in_any_case() {
        let named = |name: &str| -> Vec<&str> {
            let set = ActionSet::named(name).expect(name);
            Action::ALL.into_iter().filter(|a| set.contains(*a)).map(Action::as_str).collect()
        };
        assert_eq!(named("*").len(), Action::ALL.len());
        assert_eq!(named("S3:*").len(), Action::ALL.len() - 2);
        assert_eq!(named("repono:*"), ["repono:ViewMonitor", "repono:OperateMonitor"]);
        assert_eq!(named("Repono:View*"), ["repono:ViewMonitor"]);
        assert_eq!(named("s3:getobject"), ["s3:GetObject"]);
        assert_eq!(named("s3:List*"), ["s3:ListBucket", "s3:ListAllMyBuckets"]);
        assert_eq!(named("s3:?etObject"), ["s3:GetObject"]);
        assert_eq!(named("s3:*Object"), ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]);
    }

    #[test]
    fn a_name_that_means_nothing_is_refused() {
        let bad = [
            "",
            "s3",
            "s3:",
            "s3:GetObjekt",
            "GetObject",
            "ec2:*",
            "s*",
            "**",
            "s3:Describe*",
            "s3:é",
            "repono:",
        ];
        for name in bad {
            assert!(ActionSet::named(name).is_err(), "{name}");
        }
        assert!(ActionSet::named("s3:${aws:username}").is_err());
    }

    #[test]
    fn the_complement_is_the_rest() {
        let get = ActionSet::named("s3:GetObject").expect("known");
        assert!(!get.complement().contains(Action::GetObject));
        assert_eq!(get.union(get.complement()), ActionSet::ALL);
        assert_eq!(ActionSet::ALL.complement(), ActionSet::EMPTY);
    }
}
