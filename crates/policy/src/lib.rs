//! Authorization: may this actor do this action on this resource?
//!
//! Policies are AWS policy documents, compiled once and asked at every request.
//! Nothing is allowed that no statement allows, and one matching `Deny` outweighs
//! every `Allow`. The answer "yes" is a [`Permit`], which only
//! [`PolicySet::authorize`] can make and which owns the names that were checked:
//! what is done next is done to what the permit names.
//!
//! | module | holds |
//! |---|---|
//! | [`action`] | the closed list of actions, with their S3 names |
//! | [`request`] | what is asked: [`Actor`], [`Action`], [`Resource`], [`Context`] |
//! | [`document`] | one policy document, parsed strictly and compiled |
//! | [`error`] | why a document was refused, in words for its author |
//! | [`acl`] | Swift's access lists, as policies |
//! | [`set`] | all policies, indexed by what they are attached to |
//! | [`decision`] | the answer: [`Permit`] or [`Refused`] |
//!
//! # Which statements count
//! - An **identity** policy (attached to a user, a group or an application) has
//!   no principal. Its `Allow` counts only for resources of the account that
//!   keeps the policy. Its `Deny` counts there too and, when that account is the
//!   actor's own, everywhere: an account can always hold its own users back.
//!   A policy on an application speaks for every user who comes through it, of
//!   whatever account; narrow it with `repono:Account`.
//! - A **resource** policy (attached to an account or a container) names its
//!   principals: `"*"` or `{"AWS":"*"}` (anyone, without a ticket too),
//!   `arn:aws:iam::ACCOUNT:root` (every user of the account),
//!   `arn:aws:iam::ACCOUNT:user/NAME`, `arn:aws:iam::ACCOUNT:group/NAME`,
//!   `arn:aws:iam:::application/NAME`. It reaches only what it is attached to.
//!
//! # Where this differs from AWS
//! - A resource policy alone suffices across accounts: AWS also wants an allow in
//!   the actor's account. Swift's container ACLs, which translate into resource
//!   policies, grant in this way.
//! - Containers belong to accounts and two accounts may use one name, so the
//!   account field of an S3 ARN has a meaning: empty is the account that keeps the
//!   policy, `arn:aws:s3::ACCOUNT:container/key` is that account.
//! - `aws:username` is unique within an account only: where a resource policy
//!   speaks to several accounts, add `repono:Account`.
//! - A policy variable without a value never helps: an `Allow` that would have to
//!   know it does not match, a `Deny` that excepts it does.

pub mod acl;
pub mod action;
mod condition;
pub mod decision;
pub mod document;
pub mod error;
mod facts;
#[cfg(test)]
mod fixture;
mod json;
mod pattern;
pub mod request;
pub mod set;

pub use acl::{AccountAcl, AclError, ContainerAcl, Right};
pub use action::{Action, Scope};
pub use decision::{Permit, Reason, Refused};
pub use document::{Document, DocumentKind};
pub use error::{DocumentError, Fault};
pub use request::{Actor, Context, Request, Resource, Transport, UserIdentity};
pub use set::{Attachment, PolicySet};
