//! Large objects: reading what a manifest stands for, and manifests themselves.

mod delete;
mod dynamic;
mod flat;
mod put;
mod segment;
mod serve;
mod stream;

use repono_core::name::AccountName;
use repono_store::model::Object;
use repono_store::model::large::LargeObject;
use repono_wire::large::ObjectManifest;

use crate::caller::Caller;

pub(super) use delete::delete;
pub(super) use flat::{Flat, flatten};
pub(super) use put::put;
pub(super) use serve::{Many, serve};

/// In whose right and in which account segments are looked up: each of them is
/// authorized by itself.
#[derive(Clone, Copy)]
pub(super) struct Right<'a> {
    pub(super) caller: &'a Caller,
    pub(super) account: &'a AccountName,
}

/// What an object stands for that is a large one.
pub(super) enum Kind {
    Static(LargeObject),
    Dynamic(ObjectManifest),
}

impl Kind {
    /// *Cost*: for any other object a comparison of the name of its first item.
    pub(super) fn of(object: &Object) -> Option<Self> {
        let (first, _) = object.metadata.first()?;
        match first.as_str() {
            LargeObject::NAME => LargeObject::split(&object.metadata).map(|(large, _)| Self::Static(large)),
            ObjectManifest::NAME => ObjectManifest::of(&object.metadata).map(Self::Dynamic),
            _other => None,
        }
    }
}
