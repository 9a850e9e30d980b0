//! What one serving thread owns: nothing in here is shared or locked, so a
//! request touches no other thread on its way.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use repono_core::id::{ConnectionId, TransId};
use repono_core::time::{Timestamp, http_date};
use repono_core::trace::{Span, TraceContext};
use repono_journal::Recorder;
use repono_net::drain::{DrainSignal, Phase};
use repono_net::proxy_v2::ProxyKey;
use repono_store::meta::MetaReader;
use repono_store::store::Store;
use repono_ticket::Memory;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::admission::{Admission, Counts};
use crate::config::Journaled;
use crate::connection::rules::Rules;
use crate::directory::{Directory, DirectoryFeed};
use crate::limits::{BODY_READ_BYTES, CLOSING_MAX, TICKETS_REMEMBERED};
use crate::vitals::Condition;

/// Facts and services that every thread of a head shares.
pub(crate) struct Common {
    pub(crate) name: Box<str>,
    pub(crate) store: Store,
    pub(crate) directory: Arc<DirectoryFeed>,
    pub(crate) proxy_key: ProxyKey,
    pub(crate) tls: Arc<rustls::ServerConfig>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) rules: Rules,
    pub(crate) condition: Arc<Condition>,
    pub(crate) journal_requests: Journaled,
}

/// What a shard is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// To serve.
    Serving,
    /// To say, while all others stand still, that this head is not ready.
    Standby,
}

/// One thread's part of a head.
pub(crate) struct Shard {
    pub(crate) role: Role,
    pub(crate) common: Arc<Common>,
    pub(crate) tickets: RefCell<Memory>,
    pub(crate) recorder: RefCell<Recorder>,
    pub(crate) drain: DrainSignal,
    /// The same, as far as this thread has heard, at the cost of a read.
    stage: Cell<Stage>,
    cut: Notify,
    pub(crate) admission: Admission,
    reader: tokio::sync::Mutex<Box<dyn MetaReader>>,
    random: RefCell<SmallRng>,
    date: RefCell<DateCache>,
    buffers: RefCell<Vec<BytesMut>>,
    inputs: RefCell<Vec<Vec<u8>>>,
    text: Cell<Vec<u8>>,
}

/// How far the end of this head has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It serves.
    Serving,
    /// Replies announce the end of their connections.
    Leaving,
    /// What is not done by now is cut short.
    Cutting,
}

/// Buffers for replies that a thread keeps: those of a few replies at a time.
const BUFFERS_KEPT: usize = 8;
/// Read buffers that a thread keeps for the connections that wait: as many as send
/// requests at the same moment on a busy thread.
const INPUTS_KEPT: usize = 32;

impl Shard {
    pub(crate) fn new(
        role: Role,
        common: Arc<Common>,
        reader: Box<dyn MetaReader>,
        recorder: Recorder,
        drain: DrainSignal,
        admission: Admission,
    ) -> Rc<Self> {
        Rc::new(Self {
            role,
            common,
            tickets: RefCell::new(Memory::new(TICKETS_REMEMBERED)),
            recorder: RefCell::new(recorder),
            drain,
            stage: Cell::new(Stage::Serving),
            cut: Notify::new(),
            admission,
            reader: tokio::sync::Mutex::new(reader),
            random: RefCell::new(SmallRng::from_os_rng()),
            date: RefCell::new(DateCache::default()),
            buffers: RefCell::new(Vec::new()),
            inputs: RefCell::new(Vec::new()),
            text: Cell::default(),
        })
    }

    /// Follows the drain until the task is dropped.
    pub(crate) async fn follow_drain(self: Rc<Self>) {
        let mut drain = self.drain.clone();
        loop {
            match drain.phase() {
                Phase::Serving => self.stage.set(Stage::Serving),
                Phase::Draining { .. } => self.stage.set(Stage::Leaving),
                Phase::Closing => break,
            }
            drain.changed().await;
        }
        self.stage.set(Stage::Leaving);
        sleep(CLOSING_MAX).await;
        self.stage.set(Stage::Cutting);
        self.cut.notify_waiters();
    }

    /// Whether a reply that is written now must be the last of its connection.
    pub(crate) fn is_leaving(&self) -> bool {
        match self.stage.get() {
            Stage::Serving => false,
            Stage::Leaving | Stage::Cutting => true,
        }
    }

    /// Completes when a request must not take longer.
    ///
    /// *Cancel safety*: nothing is lost.
    pub(crate) async fn cut_short(&self) {
        let notified = self.cut.notified();
        if self.stage.get() != Stage::Cutting {
            notified.await;
        }
    }

    /// The thread's own connection to the metadata.
    ///
    /// The lock is never contended: an embedded read does not wait, and a remote
    /// engine brings readers of its own.
    pub(crate) async fn reader(&self) -> tokio::sync::MutexGuard<'_, Box<dyn MetaReader>> {
        self.reader.lock().await
    }

    pub(crate) fn directory(&self) -> Arc<Directory> {
        self.common.directory.current()
    }

    pub(crate) fn trans_id(&self, now: Timestamp) -> TransId {
        TransId::new(now, &mut *self.random.borrow_mut())
    }

    /// A request that this context asked for.
    pub(crate) fn span(&self, asker: &TraceContext) -> Span {
        asker.request(&mut *self.random.borrow_mut())
    }

    pub(crate) fn connection_id(&self) -> ConnectionId {
        ConnectionId::random(&mut *self.random.borrow_mut())
    }

    /// 32 hex digits that stand between the parts of one reply.
    pub(crate) fn boundary(&self) -> [u8; 32] {
        let random: [u8; 16] = self.random.borrow_mut().random();
        let mut hex = [0; 32];
        data_encoding::HEXLOWER.encode_mut(&random, &mut hex);
        hex
    }

    /// Calls `read` with the value of `Date`, which is formatted once a second.
    pub(crate) fn with_date<T>(&self, now: Timestamp, read: impl FnOnce(&str) -> T) -> T {
        read(self.date.borrow_mut().at(now.unix_seconds()))
    }

    /// An empty text in memory that was used before.
    pub(crate) fn take_text(&self) -> Vec<u8> {
        self.text.take()
    }

    pub(crate) fn give_back_text(&self, mut text: Vec<u8>) {
        text.clear();
        self.text.set(text);
    }

    /// An empty read buffer.
    pub(crate) fn take_input(&self) -> Vec<u8> {
        self.inputs.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps a read buffer for another connection. One that has taken a body is
    /// let go: most requests have none.
    pub(crate) fn give_back_input(&self, mut input: Vec<u8>) {
        let mut kept = self.inputs.borrow_mut();
        if kept.len() < INPUTS_KEPT && (1..BODY_READ_BYTES).contains(&input.capacity()) {
            input.clear();
            kept.push(input);
        }
    }

    /// An empty buffer for a reply.
    pub(crate) fn take_buffer(&self) -> BytesMut {
        self.buffers.borrow_mut().pop().unwrap_or_default()
    }

    pub(crate) fn give_back(&self, mut buffer: BytesMut) {
        let mut kept = self.buffers.borrow_mut();
        if kept.len() < BUFFERS_KEPT {
            buffer.clear();
            kept.push(buffer);
        }
    }
}

#[derive(Default)]
struct DateCache {
    second: u64,
    text: String,
}

impl DateCache {
    fn at(&mut self, second: u64) -> &str {
        if self.second != second || self.text.is_empty() {
            self.second = second;
            self.text = http_date(second);
        }
        &self.text
    }
}
