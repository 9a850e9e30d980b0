//! Where records are put.

use std::sync::{Arc, Mutex};

use rtrb::Producer;

use crate::change::{AuditRecord, ChangeRecord};
use crate::connection::ConnectionRecord;
use crate::request::RequestRecord;
use crate::ring::{Entry, Shared, lock};
use crate::turn::TurnRecord;

/// How many records are pushed between two looks at how full the ring is.
const PUSHES_PER_LOOK: u32 = 256;

/// One shard's way into the journal.
///
/// *Shape*: `Send`, not `Sync`: one per thread. Never blocks and never allocates;
/// when the ring is full the record is dropped and counted, and the count stands
/// in later records.
///
/// *Cost*: a copy of about 800 bytes.
pub struct Recorder {
    ring: Producer<Entry>,
    shared: Arc<Shared>,
    pushes: u32,
}

impl Recorder {
    pub(crate) fn new(ring: Producer<Entry>, shared: Arc<Shared>) -> Self {
        Self { ring, shared, pushes: 0 }
    }

    /// Records a request that has ended.
    pub fn request(&mut self, record: &RequestRecord) {
        self.push(Entry::Request(*record));
    }

    /// Records a connection that has ended.
    pub fn connection(&mut self, record: &ConnectionRecord) {
        self.push(Entry::Connection(*record));
    }

    /// Records a turn of a traced connection.
    pub fn turn(&mut self, record: &TurnRecord) {
        self.push(Entry::Turn(*record));
    }

    /// Records a change of configuration.
    pub fn change(&mut self, record: ChangeRecord<'_>) {
        self.push(Entry::Change(record.into()));
    }

    /// Records a decision about a credential.
    pub fn audit(&mut self, record: &AuditRecord) {
        self.push(Entry::Audit(*record));
    }

    fn push(&mut self, entry: Entry) {
        if self.ring.push(entry).is_err() {
            self.shared.drop_records(1);
            return;
        }
        self.pushes = self.pushes.wrapping_add(1);
        // The writer looks every 50 ms; a burst that fills half a ring sooner
        // must not wait for that.
        if self.pushes.is_multiple_of(PUSHES_PER_LOOK)
            && self.ring.slots() < self.ring.buffer().capacity() / 2
        {
            self.shared.wake();
        } else {
            self.shared.wake_if_asleep();
        }
    }
}

/// A [`Recorder`] behind a lock, for users that record seldom.
#[derive(Clone)]
pub struct SharedRecorder(Arc<Mutex<Recorder>>);

impl SharedRecorder {
    pub(crate) fn new(recorder: Recorder) -> Self {
        Self(Arc::new(Mutex::new(recorder)))
    }

    /// Records a request that has ended.
    pub fn request(&self, record: &RequestRecord) {
        lock(&self.0).request(record);
    }

    /// Records a connection that has ended.
    pub fn connection(&self, record: &ConnectionRecord) {
        lock(&self.0).connection(record);
    }

    /// Records a turn of a traced connection.
    pub fn turn(&self, record: &TurnRecord) {
        lock(&self.0).turn(record);
    }

    /// Records a change of configuration.
    pub fn change(&self, record: ChangeRecord<'_>) {
        lock(&self.0).change(record);
    }

    /// Records a decision about a credential.
    pub fn audit(&self, record: &AuditRecord) {
        lock(&self.0).audit(record);
    }
}
