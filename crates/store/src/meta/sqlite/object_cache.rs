//! Objects that were looked up, for as long as the database stays as it is: any
//! commit, by whatever process, empties the cache. Never by time.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use foldhash::fast::RandomState;
use repono_core::id::VersionId;

use super::wal_index::Stamp;
use crate::model::{Content, Object, VersionedObject};

/// What a thread keeps: a thousand bodies of the greatest size that metadata
/// holds, or some 40,000 objects whose bodies are blobs.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// About what an entry takes besides its texts and its body.
const ENTRY_BYTES: usize = 400;

/// Objects by name and by version, as of one state of the database.
#[derive(Default)]
pub(super) struct ObjectCache {
    stamp: Option<Stamp>,
    by_name: HashMap<Box<str>, Arc<Object>, RandomState>,
    by_version: HashMap<VersionId, Arc<VersionedObject>, RandomState>,
    bytes: usize,
    /// The three names in one, written anew for each look-up.
    name: String,
}

impl ObjectCache {
    /// The object of this name, if it was kept in the state that is now.
    pub(super) fn named(
        &mut self,
        now: Stamp,
        account: &str,
        container: &str,
        key: &str,
    ) -> Option<Arc<Object>> {
        self.turn_to(now);
        self.write_name(account, container, key);
        self.by_name.get(self.name.as_str()).cloned()
    }

    /// The object of this version, if it was kept in the state that is now.
    pub(super) fn versioned(&mut self, now: Stamp, version: VersionId) -> Option<Arc<VersionedObject>> {
        self.turn_to(now);
        self.by_version.get(&version).cloned()
    }

    /// Keeps what a look-up in state `now` found.
    pub(super) fn keep_named(
        &mut self,
        now: Stamp,
        (account, container, key): (&str, &str, &str),
        object: &Arc<Object>,
    ) {
        self.turn_to(now);
        self.write_name(account, container, key);
        if self.make_room(self.name.len() + bytes(object)) {
            self.by_name.insert(self.name.as_str().into(), Arc::clone(object));
        }
    }

    /// Keeps what a look-up in state `now` found.
    pub(super) fn keep_versioned(&mut self, now: Stamp, found: &Arc<VersionedObject>) {
        self.turn_to(now);
        let names = found.account.as_str().len() + found.container.as_str().len() + found.key.as_str().len();
        if self.make_room(names + bytes(&found.object)) {
            self.by_version.insert(found.object.version, Arc::clone(found));
        }
    }

    /// Neither an account's nor a container's name has a slash in it, so the
    /// three are one.
    fn write_name(&mut self, account: &str, container: &str, key: &str) {
        self.name.clear();
        // Writing to a text does not fail.
        let _ = write!(self.name, "{account}/{container}/{key}");
    }

    fn turn_to(&mut self, now: Stamp) {
        if self.stamp != Some(now) {
            self.empty();
            self.stamp = Some(now);
        }
    }

    /// Whether an entry fits, if need be into an empty cache.
    fn make_room(&mut self, bytes: usize) -> bool {
        if bytes > BYTES_MAX {
            return false;
        }
        if self.bytes + bytes > BYTES_MAX {
            self.empty();
        }
        self.bytes += bytes;
        true
    }

    fn empty(&mut self) {
        self.by_name.clear();
        self.by_version.clear();
        self.bytes = 0;
    }
}

fn bytes(object: &Object) -> usize {
    let metadata: usize = object.metadata.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
    let body = match &object.content {
        Content::Inline { bytes, .. } => bytes.len(),
        Content::Blob(_) => 0,
    };
    ENTRY_BYTES + object.content_type.len() + metadata + body
}

#[cfg(test)]
mod tests {
    use super::{BYTES_MAX, ObjectCache};

    #[test]
    fn what_does_not_fit_empties_the_cache_and_what_never_fits_is_not_kept() {
        let mut cache = ObjectCache::default();
        assert!(cache.make_room(BYTES_MAX - 1));
        assert!(cache.make_room(1));
        assert_eq!(cache.bytes, BYTES_MAX);
        assert!(cache.make_room(1));
        assert_eq!(cache.bytes, 1, "emptied");
        assert!(!cache.make_room(BYTES_MAX + 1));
    }
}
