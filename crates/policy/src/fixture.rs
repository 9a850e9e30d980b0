//! A small world for the unit tests.

use std::str::FromStr;

use crate::action::Action;
use crate::decision::{Permit, Refused};
use crate::document::{Document, DocumentKind};
use crate::request::{Actor, Context, Request, Resource, Transport, UserIdentity};
use crate::set::{Attachment, PolicySet};

/// 2023-11-14T22:13:20Z
pub(crate) const NOW_S: u64 = 1_700_000_000;

pub(crate) fn name<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a name")
}

/// A user of account `demo`, in group `staff` (3), by application `app` (5).
pub(crate) fn alice() -> UserIdentity {
    UserIdentity {
        id: 1,
        account: name("demo"),
        user: name("alice"),
        application: name("app"),
        application_id: 5,
        groups: vec![3],
        group_names: vec!["staff".to_owned()],
    }
}

/// A user of account `other` with the same name, in another group of the same
/// name, by another application.
pub(crate) fn eve() -> UserIdentity {
    UserIdentity {
        id: 2,
        account: name("other"),
        user: name("alice"),
        application: name("web"),
        application_id: 6,
        groups: vec![4],
        group_names: vec!["staff".to_owned()],
    }
}

pub(crate) const fn context() -> Context<'static> {
    Context {
        source_ip: std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7)),
        now_s: NOW_S,
        transport: Transport::Tls,
        prefix: None,
        delimiter: None,
        max_keys: None,
        user_agent: None,
        referer: None,
    }
}

/// A document of these statements.
pub(crate) fn document(kind: DocumentKind, statements: &str) -> Document {
    let json = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    match Document::parse(&json, kind) {
        Ok(document) => document,
        Err(error) => panic!("{error}\n{json}"),
    }
}

pub(crate) fn set(entries: &[(&str, Attachment, &str)]) -> PolicySet {
    PolicySet::build(
        entries.iter().map(|(keeper, at, text)| (name(keeper), at.clone(), document(at.kind(), text))),
    )
}

/// Asks about `account`, `account/container`, `account/container/key`, or `account!` for
/// the monitor.
pub(crate) fn ask_in(
    set: &PolicySet,
    actor: Actor<'_>,
    action: Action,
    path: &str,
    context: Context<'_>,
) -> Result<Permit, Refused> {
    let (path, monitor) = path.strip_suffix('!').map_or((path, false), |path| (path, true));
    let mut parts = path.splitn(3, '/');
    let account = name(parts.next().expect("an account"));
    let (container, key) = (parts.next().map(name), parts.next().map(name));
    let resource = match (&container, &key) {
        (Some(container), Some(key)) => Resource::Object { account: &account, container, key },
        (Some(container), None) => Resource::Container { account: &account, container },
        (None, _) if monitor => Resource::Monitor { account: &account },
        (None, _) => Resource::Account { account: &account },
    };
    set.authorize(&Request { actor, action, resource, context })
}

pub(crate) fn ask(set: &PolicySet, actor: Actor<'_>, action: Action, path: &str) -> Result<Permit, Refused> {
    ask_in(set, actor, action, path, context())
}
