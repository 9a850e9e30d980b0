//! The reads of the model.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use repono_core::id::VersionId;
use repono_core::time::Timestamp;
use repono_store::error::StoreError;
use repono_store::meta::MetaReader;
use repono_store::model::large::LargeObject;
use repono_store::model::repeat::Repeatable;
use repono_store::model::{
    Account, Container, ContainerItem, ListItem, ListPage, ObjectLookup, VersionedObject,
};

use super::{ContainerState, State, listing};

/// A reader of the model.
pub(super) struct ModelReader {
    state: Arc<Mutex<State>>,
}

impl ModelReader {
    pub(super) fn of(state: Arc<Mutex<State>>) -> Self {
        Self { state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ContainerState {
    fn summary(&self) -> Container {
        Container {
            created: self.created,
            last_put: self.last_put,
            object_count: self.objects.len() as u64,
            bytes_used: self.objects.values().map(|object| object.size).sum(),
            metadata: self.metadata.clone(),
        }
    }
}

#[async_trait]
impl MetaReader for ModelReader {
    async fn object(
        &mut self,
        account: &str,
        container: &str,
        key: &str,
    ) -> Result<ObjectLookup, StoreError> {
        let state = self.state();
        let found = state.accounts.get(account).and_then(|account| account.containers.get(container));
        Ok(match found.map(|container| container.objects.get(key)) {
            None => ObjectLookup::NoContainer,
            Some(None) => ObjectLookup::NoKey,
            Some(Some(object)) => ObjectLookup::Found(Arc::new(object.clone())),
        })
    }

    async fn object_by_version(
        &mut self,
        version: VersionId,
    ) -> Result<Option<Arc<VersionedObject>>, StoreError> {
        for (account, account_state) in &self.state().accounts {
            for (container, container_state) in &account_state.containers {
                for (key, object) in &container_state.objects {
                    if object.version == version {
                        let (account, container) = (account.clone(), container.clone());
                        let (key, object) = (key.clone(), object.clone());
                        let object = Arc::new(object);
                        return Ok(Some(Arc::new(VersionedObject { account, container, key, object })));
                    }
                }
            }
        }
        Ok(None)
    }

    async fn container(&mut self, account: &str, container: &str) -> Result<Option<Container>, StoreError> {
        let state = self.state();
        let account = state.accounts.get(account);
        Ok(account.and_then(|account| account.containers.get(container)).map(ContainerState::summary))
    }

    async fn account(&mut self, account: &str) -> Result<Option<Account>, StoreError> {
        let state = self.state();
        Ok(state.accounts.get(account).map(|account| {
            let containers: Vec<_> = account.containers.values().map(ContainerState::summary).collect();
            Account {
                created: account.created,
                container_count: containers.len() as u64,
                object_count: containers.iter().map(|container| container.object_count).sum(),
                bytes_used: containers.iter().map(|container| container.bytes_used).sum(),
                metadata: account.metadata.clone(),
            }
        }))
    }

    async fn has_answered(&mut self, again: &Repeatable, now: Timestamp) -> Result<bool, StoreError> {
        let state = self.state();
        Ok(state.answers.get(again.id()).is_some_and(|kept| kept.until_s > now.unix_seconds()))
    }

    async fn list_objects(
        &mut self,
        account: &str,
        container: &str,
        page: &ListPage,
    ) -> Result<Option<Vec<ListItem>>, StoreError> {
        let state = self.state();
        let account = state.accounts.get(account);
        let Some(container) = account.and_then(|account| account.containers.get(container)) else {
            return Ok(None);
        };
        let named = container.objects.iter().map(|(key, object)| {
            let item = ListItem::Object {
                key: key.as_str().to_owned(),
                size: object.size,
                etag: object.etag,
                content_type: object.content_type.clone(),
                timestamp: object.timestamp,
                large: LargeObject::split(&object.metadata).map(|(large, _)| large),
            };
            (key.as_str().to_owned(), item)
        });
        Ok(Some(listing::page(named.collect(), page, ListItem::Prefix)))
    }

    async fn list_containers(
        &mut self,
        account: &str,
        page: &ListPage,
    ) -> Result<Option<Vec<ContainerItem>>, StoreError> {
        let state = self.state();
        let Some(account) = state.accounts.get(account) else { return Ok(None) };
        let named = account.containers.iter().map(|(name, container)| {
            let Container { last_put, object_count, bytes_used, .. } = container.summary();
            let name = name.as_str().to_owned();
            (name.clone(), ContainerItem::Container { name, last_put, object_count, bytes_used })
        });
        Ok(Some(listing::page(named.collect(), page, ContainerItem::Prefix)))
    }

    async fn identity_epoch(&mut self) -> Result<u64, StoreError> {
        Ok(self.state().identities.epoch())
    }
}
