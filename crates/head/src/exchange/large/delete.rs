//! DELETE of a manifest together with its segments.

use repono_core::name::{AccountName, ContainerName, ObjectKey};
use repono_core::request::Method;
use repono_journal::Stamp;
use repono_policy::{Action, Permit, Resource};
use repono_store::error::StoreError;
use repono_store::model::{DeleteObject, Deleted};
use repono_store::store::{ObjectRead, OpenObject};
use repono_wire::large::{DEPTH_MAX, Nested, Outcome, StoredSegment};
use repono_wire::native::Target;
use repono_wire::percent;
use tokio::task::JoinSet;

use super::super::object::names;
use super::super::{Exchange, Stop};
use super::{Kind, Right, segment};
use crate::caller::Caller;

/// The most objects that one request deletes (Swift's limit): their names are in
/// memory at once.
const OBJECTS_MAX: usize = 10_000;
/// Deletions at once, which share the transactions of the store.
const AT_ONCE: usize = 32;

/// An object that is to go.
type Name = (ContainerName, ObjectKey);

/// What became of the deletions so far.
#[derive(Default)]
struct Tally {
    deleted: usize,
    not_found: usize,
    errors: Vec<(String, String)>,
}

/// Deletes the segments of a manifest, manifests among them with theirs, and then
/// the manifest, which stays when a segment could not be deleted.
pub(in super::super) async fn delete(
    exchange: &mut Exchange<'_>,
    caller: &Caller,
    permit: &Permit,
) -> Result<(), Stop> {
    let (account, container, key) = names(permit)?;
    let right = Right { caller, account };
    let own = (container.clone(), key.clone());
    let mut tally = Tally::default();
    match collect(exchange, right, &own).await? {
        Collected::Names(names) => {
            // What stands deeper goes first; the names end with the manifest's own.
            let (own, segments) = names.split_last().unwrap_or((&own, &[]));
            for batch in segments.chunks(AT_ONCE) {
                remove(exchange, right, batch, &mut tally).await?;
            }
            if tally.errors.is_empty() {
                remove(exchange, right, std::slice::from_ref(own), &mut tally).await?;
            }
        }
        Collected::NoKey => tally.not_found += 1,
        Collected::NoManifest => tally.errors.push((path(&own), "Not an SLO manifest".to_owned())),
        Collected::TooMany => tally.errors.push((path(&own), "Too many segments to delete".to_owned())),
    }
    let status = if tally.errors.is_empty() { "200 OK" } else { "400 Bad Request" };
    let outcome = Outcome {
        counts: vec![("Number Deleted", tally.deleted), ("Number Not Found", tally.not_found)],
        texts: vec![("Response Status", status.to_owned()), ("Response Body", String::new())],
        errors: tally.errors,
    };
    exchange.send_outcome(200, &outcome).await
}

enum Collected {
    /// Segments, and behind them the manifest that names them.
    Names(Vec<Name>),
    NoKey,
    NoManifest,
    TooMany,
}

async fn collect(exchange: &mut Exchange<'_>, right: Right<'_>, own: &Name) -> Result<Collected, Stop> {
    let mut found = vec![own.clone()];
    let mut level = vec![own.clone()];
    for depth in 0..=DEPTH_MAX {
        let mut nested = Vec::new();
        for name in &level {
            let segments = match read(exchange, right, name).await? {
                Read::Manifest(segments) => segments,
                Read::NoKey if depth == 0 => return Ok(Collected::NoKey),
                Read::NoManifest if depth == 0 => return Ok(Collected::NoManifest),
                // It is deleted, or reported, as what it is by now.
                Read::NoKey | Read::NoManifest => continue,
            };
            for segment in segments {
                let StoredSegment::Object { container, key, facts, .. } = segment else { continue };
                if facts.nested == Nested::Yes {
                    nested.push((container.clone(), key.clone()));
                }
                found.push((container, key));
            }
            if found.len() > OBJECTS_MAX {
                return Ok(Collected::TooMany);
            }
        }
        if nested.is_empty() {
            found.reverse();
            return Ok(Collected::Names(found));
        }
        level = nested;
    }
    Ok(Collected::TooMany)
}

enum Read {
    Manifest(Vec<StoredSegment>),
    NoKey,
    NoManifest,
}

async fn read(exchange: &mut Exchange<'_>, right: Right<'_>, name: &Name) -> Result<Read, Stop> {
    let (container, key) = name;
    let open: OpenObject = match segment::open_any(exchange, right, Method::Delete, container, key).await? {
        ObjectRead::Found(open) => open,
        ObjectRead::NoKey | ObjectRead::NoContainer => return Ok(Read::NoKey),
    };
    match Kind::of(&open.object) {
        Some(Kind::Static(_)) => Ok(Read::Manifest(segment::manifest(exchange, open).await?.segments)),
        Some(Kind::Dynamic(_)) | None => Ok(Read::NoManifest),
    }
}

/// Deletes some objects, each in the caller's right.
async fn remove(
    exchange: &mut Exchange<'_>,
    right: Right<'_>,
    batch: &[Name],
    tally: &mut Tally,
) -> Result<(), Stop> {
    let mut deletions = JoinSet::new();
    for (container, key) in batch {
        let Ok(permit) = permit(exchange, right, container, key) else {
            tally.errors.push((path(&(container.clone(), key.clone())), "403 Forbidden".to_owned()));
            continue;
        };
        let (account, container, key) = names(&permit)?;
        let (account, container, key) = (account.clone(), container.clone(), key.clone());
        let meta = std::sync::Arc::clone(exchange.shard.common.store.meta());
        deletions.spawn(async move {
            let deleted = meta.delete_object(DeleteObject::new(&account, &container, &key)).await;
            ((container, key), deleted)
        });
    }
    let began = Stamp::mono_now();
    while let Some(done) = deletions.join_next().await {
        match done {
            Ok((_, Ok(Deleted::Deleted { .. }))) => tally.deleted += 1,
            Ok((_, Ok(Deleted::NoKey | Deleted::NoContainer))) => tally.not_found += 1,
            Ok((name, Err(error))) => tally.errors.push((path(&name), why(&error))),
            Err(_panicked) => return Err(repono_wire::refusals::INTERNAL_ERROR.into()),
        }
    }
    exchange.store_took(began);
    Ok(())
}

fn permit(
    exchange: &mut Exchange<'_>,
    right: Right<'_>,
    container: &ContainerName,
    key: &ObjectKey,
) -> Result<Permit, Stop> {
    let account: &AccountName = right.account;
    let target = Target::Object { account: account.clone(), container: container.clone(), key: key.clone() };
    exchange.within_scope(right.caller, Method::Delete, &target)?;
    let resource = Resource::Object { account, container, key };
    Ok(exchange.authorize(right.caller, Action::DeleteObject, resource, None)?)
}

fn why(error: &StoreError) -> String {
    let refusal = crate::fault::of_store(error);
    format!("{} {}", refusal.status, refusal.code)
}

/// A name as it stands in a document: escaped, so that it cannot end its line.
fn path((container, key): &Name) -> String {
    let mut path = vec![b'/'];
    percent::encode_segment(container.as_str(), &mut path);
    path.push(b'/');
    percent::encode_path(key.as_str(), &mut path);
    String::from_utf8_lossy(&path).into_owned()
}
