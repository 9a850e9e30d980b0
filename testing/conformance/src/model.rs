//! A metadata engine of a few maps: slow, plain, in memory, for one process.

mod identity;
mod listing;
mod reader;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use repono_core::id::BlobId;
use repono_core::name::{AccountName, ApplicationName, ContainerName, ObjectKey, UserName};
use repono_core::time::Timestamp;
use repono_store::error::{StoreError, Subject};
use repono_store::meta::{GARBAGE_BATCH_MAX, MetaReader, MetaStore};
use repono_store::model::identity::{
    Audit, ChangeOutcome, IdentityChange, IdentitySnapshot, SecretSnapshot, StoredSecret,
};
use repono_store::model::large::LargeObject;
use repono_store::model::repeat::{ANSWER_KEPT, Body, Digest, Repeatable};
use repono_store::model::{
    Clock, CommitObject, Committed, ContainerDeletion, Content, Creation, DeleteObject, Deleted, Health,
    Metadata, MetadataChange, MetadataReplaced, NewContent, Object, ObjectMetadata, delete_at_s,
};

use self::identity::Identities;
use self::reader::ModelReader;

/// The model; a clone shares its state.
#[derive(Clone)]
pub struct ModelStore {
    state: Arc<Mutex<State>>,
    clock: Clock,
    grace: Duration,
}

#[derive(Default)]
struct State {
    accounts: BTreeMap<AccountName, AccountState>,
    identities: Identities,
    garbage: BTreeMap<BlobId, Timestamp>,
    answers: BTreeMap<Digest, Kept>,
}

/// An answer that is given again until then.
struct Kept {
    until_s: u64,
    request: Digest,
    answer: Answer,
}

#[derive(Clone, Copy)]
enum Answer {
    Committed(Committed),
    Deleted(Deleted),
}

struct AccountState {
    id: u32,
    created: Timestamp,
    metadata: Metadata,
    containers: BTreeMap<ContainerName, ContainerState>,
}

struct ContainerState {
    created: Timestamp,
    last_put: Timestamp,
    metadata: Metadata,
    objects: BTreeMap<ObjectKey, Object>,
}

impl ModelStore {
    /// An empty model.
    #[must_use]
    pub fn new(clock: Clock, grace: Duration) -> Self {
        Self { state: Arc::default(), clock, grace }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn account(&mut self, account: &AccountName) -> Result<&mut AccountState, StoreError> {
        self.accounts.get_mut(account).ok_or(StoreError::NoSuch(Subject::Account))
    }

    fn container(&mut self, account: &AccountName, container: &ContainerName) -> Option<&mut ContainerState> {
        self.accounts.get_mut(account)?.containers.get_mut(container)
    }

    fn answered(&self, again: Option<Repeatable>, now: Timestamp) -> Result<Option<Answer>, StoreError> {
        let Some(again) = again else { return Ok(None) };
        match self.answers.get(again.id()).filter(|kept| kept.until_s > now.unix_seconds()) {
            Some(kept) if kept.request != *again.request() => Err(StoreError::KeyReused),
            kept => Ok(kept.map(|kept| kept.answer)),
        }
    }

    fn keep(&mut self, of: Option<Repeatable>, now: Timestamp, answer: Answer) {
        if let Some(of) = of {
            let until_s = now.unix_seconds() + ANSWER_KEPT.as_secs();
            self.answers.insert(*of.id(), Kept { until_s, request: *of.request(), answer });
        }
    }

    fn discard(&mut self, object: &Object, not_before: Timestamp) {
        match &object.content {
            Content::Inline { .. } => {}
            Content::Blob(place) => drop(self.garbage.insert(place.id, not_before)),
        }
    }
}

fn merge(metadata: &mut Metadata, changes: Vec<MetadataChange>) {
    for (name, value) in changes {
        let at = metadata.iter().position(|(kept, _)| *kept == name);
        match (at, value) {
            (Some(at), Some(value)) => metadata[at].1 = value,
            (None, Some(value)) => metadata.push((name, value)),
            (Some(at), None) => drop(metadata.remove(at)),
            (None, None) => {}
        }
    }
}

#[async_trait]
impl MetaStore for ModelStore {
    fn reader(&self) -> Result<Box<dyn MetaReader>, StoreError> {
        Ok(Box::new(ModelReader::of(Arc::clone(&self.state))))
    }

    fn health(&self) -> Health {
        Health::Writable
    }

    async fn commit_object(&self, mut new: CommitObject) -> Result<Committed, StoreError> {
        let (mut state, now) = (self.state(), (self.clock)());
        match state.answered(new.repeatable, now)? {
            Some(Answer::Committed(first)) => {
                let body = new.repeatable.map(|repeatable| repeatable.body());
                return match body == Some(Body::Sent) && first.etag != new.etag {
                    true => Err(StoreError::KeyReused),
                    false => Ok(first),
                };
            }
            Some(Answer::Deleted(_)) => return Err(StoreError::KeyReused),
            None => {}
        }
        let container = state.container(&new.account, &new.container).ok_or(StoreError::NoContainer)?;
        let old = container.objects.get(&new.key).cloned();
        let live = old.as_ref().filter(|old| !old.is_expired(now.unix_seconds()));
        let tag = |old: &Object| LargeObject::split(&old.metadata).map_or(old.etag, |(large, _)| large.etag);
        if !new.precondition.holds(live.map(tag)) {
            return Err(StoreError::PreconditionFailed);
        }
        let timestamp = old.as_ref().map_or(now, |old| now.max(old.timestamp.next()));
        let content = match &mut new.content {
            NewContent::Inline { bytes, crc64 } => Content::Inline { bytes: bytes.clone(), crc64: *crc64 },
            NewContent::Blob(blob) => {
                blob.hold.keep();
                Content::Blob(blob.place)
            }
        };
        let object = Object {
            version: new.version,
            timestamp,
            size: new.size,
            etag: new.etag,
            content_type: new.content_type,
            metadata: new.metadata,
            content,
        };
        container.objects.insert(new.key, object);
        if let Some(old) = &old {
            state.discard(old, now.plus(self.grace));
        }
        let committed = Committed {
            etag: new.etag,
            timestamp,
            version: new.version,
            size: new.size,
            replaced: old.map(|old| old.version),
        };
        state.keep(new.repeatable, now, Answer::Committed(committed));
        Ok(committed)
    }

    async fn replace_metadata(
        &self,
        account: &AccountName,
        container: &ContainerName,
        key: &ObjectKey,
        new: ObjectMetadata,
    ) -> Result<MetadataReplaced, StoreError> {
        let (mut state, now) = (self.state(), (self.clock)());
        let Some(container) = state.container(account, container) else {
            return Ok(MetadataReplaced::NoContainer);
        };
        let live = |object: &&mut Object| !object.is_expired(now.unix_seconds());
        let Some(object) = container.objects.get_mut(key).filter(live) else {
            return Ok(MetadataReplaced::NoKey);
        };
        object.timestamp = now.max(object.timestamp.next());
        object.metadata = LargeObject::kept(&object.metadata, new.metadata);
        if let Some(content_type) = new.content_type {
            object.content_type = content_type;
        }
        Ok(MetadataReplaced::Replaced { timestamp: object.timestamp })
    }

    async fn delete_object(&self, object: DeleteObject) -> Result<Deleted, StoreError> {
        let DeleteObject { account, container, key, if_delete_at_s, repeatable } = object;
        let (mut state, now) = (self.state(), (self.clock)());
        match state.answered(repeatable, now)? {
            Some(Answer::Deleted(first)) => return Ok(first),
            Some(Answer::Committed(_)) => return Err(StoreError::KeyReused),
            None => {}
        }
        let Some(container) = state.container(&account, &container) else { return Ok(Deleted::NoContainer) };
        let end = container.objects.get(&key).map(|old| delete_at_s(&old.metadata));
        if if_delete_at_s.is_some() && end.is_some_and(|end| end != if_delete_at_s) {
            return Err(StoreError::PreconditionFailed);
        }
        let deleted = match container.objects.remove(&key) {
            None => Deleted::NoKey,
            Some(old) => {
                state.discard(&old, now.plus(self.grace));
                match old.is_expired(now.unix_seconds()) {
                    true => Deleted::NoKey,
                    false => Deleted::Deleted { version: old.version },
                }
            }
        };
        state.keep(repeatable, now, Answer::Deleted(deleted));
        Ok(deleted)
    }

    async fn create_container(
        &self,
        account: &AccountName,
        container: &ContainerName,
        metadata: Metadata,
    ) -> Result<Creation, StoreError> {
        let (mut state, created) = (self.state(), (self.clock)());
        let account = state.account(account)?;
        if let Some(there) = account.containers.get_mut(container) {
            merge(
                &mut there.metadata,
                metadata.into_iter().map(|(name, value)| (name, Some(value))).collect(),
            );
            there.last_put = there.last_put.max(created);
            return Ok(Creation::Existed);
        }
        let new = ContainerState { created, last_put: created, metadata, objects: BTreeMap::new() };
        account.containers.insert(container.clone(), new);
        Ok(Creation::Created)
    }

    async fn change_container_metadata(
        &self,
        account: &AccountName,
        container: &ContainerName,
        changes: Vec<MetadataChange>,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        let container = state.container(account, container).ok_or(StoreError::NoContainer)?;
        merge(&mut container.metadata, changes);
        Ok(())
    }

    async fn delete_container(
        &self,
        account: &AccountName,
        container: &ContainerName,
    ) -> Result<ContainerDeletion, StoreError> {
        let mut state = self.state();
        match state.container(account, container) {
            None => Ok(ContainerDeletion::NoSuch),
            Some(there) if !there.objects.is_empty() => Ok(ContainerDeletion::NotEmpty),
            Some(_) => {
                state.account(account)?.containers.remove(container);
                state.identities.container_gone(account, container);
                Ok(ContainerDeletion::Deleted)
            }
        }
    }

    async fn change_account_metadata(
        &self,
        account: &AccountName,
        changes: Vec<MetadataChange>,
    ) -> Result<(), StoreError> {
        merge(&mut self.state().account(account)?.metadata, changes);
        Ok(())
    }

    async fn change_identity(&self, change: IdentityChange, by: Audit) -> Result<ChangeOutcome, StoreError> {
        let now = (self.clock)();
        self.state().change_identity(change, by, now)
    }

    async fn identity(&self) -> Result<IdentitySnapshot, StoreError> {
        Ok(self.state().identity())
    }

    async fn secrets(&self) -> Result<SecretSnapshot, StoreError> {
        Ok(self.state().identities.secrets())
    }

    async fn identity_epoch(&self) -> Result<u64, StoreError> {
        Ok(self.state().identities.epoch())
    }

    async fn secret_of_user(
        &self,
        account: &AccountName,
        user: &UserName,
    ) -> Result<Option<StoredSecret>, StoreError> {
        Ok(self.state().identities.secret_of_user(account, user))
    }

    async fn secret_of_application(
        &self,
        name: &ApplicationName,
    ) -> Result<Option<StoredSecret>, StoreError> {
        Ok(self.state().identities.secret_of_application(name))
    }

    async fn audit(&self, entry: Audit) -> Result<(), StoreError> {
        self.state().identities.audit.push(entry);
        Ok(())
    }

    async fn audit_tail(&self, limit: usize) -> Result<Vec<Audit>, StoreError> {
        Ok(self.state().identities.audit.iter().rev().take(limit).cloned().collect())
    }

    async fn expire(&self) -> Result<u64, StoreError> {
        let (mut state, now) = (self.state(), (self.clock)());
        let mut gone = Vec::new();
        for account in state.accounts.values_mut() {
            for container in account.containers.values_mut() {
                let over = |_: &ObjectKey, object: &mut Object| object.is_expired(now.unix_seconds());
                gone.extend(container.objects.extract_if(.., over).map(|(_, object)| object));
            }
        }
        for object in &gone {
            state.discard(object, now.plus(self.grace));
        }
        Ok(0)
    }

    async fn forget_answers(&self) -> Result<u64, StoreError> {
        let now_s = (self.clock)().unix_seconds();
        self.state().answers.retain(|_, kept| kept.until_s > now_s);
        Ok(0)
    }

    async fn garbage_batch(&self, now: Timestamp) -> Result<Vec<BlobId>, StoreError> {
        let state = self.state();
        let due = state.garbage.iter().filter(|(_, not_before)| **not_before <= now);
        Ok(due.map(|(id, _)| *id).take(GARBAGE_BATCH_MAX).collect())
    }

    async fn garbage_done(&self, ids: Vec<BlobId>) -> Result<(), StoreError> {
        self.state().garbage.retain(|id, _| !ids.contains(id));
        Ok(())
    }

    async fn blobs_referenced(&self, ids: &[BlobId]) -> Result<HashSet<BlobId>, StoreError> {
        let state = self.state();
        let containers = state.accounts.values().flat_map(|account| account.containers.values());
        let referenced = containers.flat_map(|container| container.objects.values()).filter_map(|object| {
            match &object.content {
                Content::Inline { .. } => None,
                Content::Blob(place) => Some(place.id),
            }
        });
        let all: HashSet<_> = referenced.chain(state.garbage.keys().copied()).collect();
        Ok(ids.iter().copied().filter(|id| all.contains(id)).collect())
    }
}
