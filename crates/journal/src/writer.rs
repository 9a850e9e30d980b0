//! The thread that turns the rings into lines.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use rtrb::Consumer;

use crate::encode::{self, Counts, Origin};
use crate::files::Files;
use crate::ring::{Entry, Shared};
use crate::sample::{Sampled, Sampler};
use crate::stamp::Stamp;

/// Between two rounds while records come: the most that a record waits for its
/// line, and the least that lets a round write many in one call.
const ROUND: Duration = Duration::from_millis(50);

/// The longest sleep while nothing comes. A record wakes the writer; one that is
/// pushed in the very moment of falling asleep may not be seen, and waits so long:
/// a fence in every push would cost more than a look each second.
const SLEEP: Duration = Duration::from_secs(1);

/// Lines are given to the file in pieces of about this size.
const BUFFER_BYTES: usize = 64 << 10;

/// Records whose places in a ring are free again together: a small part of a ring, for
/// recorders wait for none.
const CHUNK_RECORDS: usize = 32;

/// Rings, sampling and files of one journal.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    rings: Vec<Consumer<Entry>>,
    sampler: Sampler,
    files: Files,
    origin: Origin,
    buffer: Vec<u8>,
    buffered: u64,
    sequence: u64,
}

/// What one round found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// Nothing in any ring.
    Quiet,
    /// Records.
    Busy,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, files: Files, sampler: Sampler, origin: Origin) -> Self {
        let buffer = Vec::with_capacity(BUFFER_BYTES + encode::LINE_BYTES_MAX);
        Self { shared, rings: Vec::new(), sampler, files, origin, buffer, buffered: 0, sequence: 0 }
    }

    /// Writes what every ring holds.
    pub(crate) fn round(&mut self) -> Round {
        self.rings.extend(self.shared.take_joining());
        let mut rings = std::mem::take(&mut self.rings);
        let mut found = Round::Quiet;
        for ring in &mut rings {
            if self.drain(ring) > 0 {
                found = Round::Busy;
            }
        }
        rings.retain(|ring| {
            let recorder_is_gone = ring.is_abandoned();
            // Its last push happened before it went, and must be seen as well.
            fence(Ordering::Acquire);
            !recorder_is_gone || !ring.is_empty()
        });
        self.rings = rings;
        self.write_buffer();
        found
    }

    /// Takes what is in the ring now; what comes meanwhile is for the next round,
    /// so that a round ends however fast records come.
    fn drain(&mut self, ring: &mut Consumer<Entry>) -> usize {
        let there = ring.slots();
        let mut left = there;
        while left > 0 {
            let Ok(chunk) = ring.read_chunk(left.min(CHUNK_RECORDS)) else { break };
            left -= chunk.len();
            // Where they lie: an entry is 1 KiB.
            let (first, second) = chunk.as_slices();
            first.iter().chain(second).for_each(|entry| self.entry(entry));
            chunk.commit_all();
        }
        there
    }

    fn entry(&mut self, entry: &Entry) {
        match entry {
            Entry::Request(record) => match self.sampler.request(record) {
                Sampled::Keep { one_in } => {
                    self.line(|out, origin, counts| encode::request(out, origin, counts, record, one_in));
                }
                Sampled::Leave => self.shared.count_sampled_out(),
            },
            Entry::Connection(record) => {
                if let Some(last) = self.sampler.connection_ended(&record.id) {
                    self.shared.count_sampled_in();
                    self.line(|out, origin, counts| encode::request(out, origin, counts, &last, 1));
                }
                self.line(|out, origin, counts| encode::connection(out, origin, counts, record));
            }
            Entry::Turn(record) => {
                self.line(|out, origin, counts| encode::turn(out, origin, counts, record));
            }
            Entry::Change(record) => {
                self.line(|out, origin, counts| encode::change(out, origin, counts, record));
            }
            Entry::Audit(record) => {
                self.line(|out, origin, counts| encode::audit(out, origin, counts, record));
            }
        }
    }

    fn line(&mut self, encode: impl FnOnce(&mut Vec<u8>, &Origin, Counts)) {
        self.sequence = self.sequence.saturating_add(1);
        let counts = Counts {
            sequence: self.sequence,
            dropped: self.shared.dropped(),
            sampled_out: self.shared.sampled_out(),
        };
        encode(&mut self.buffer, &self.origin, counts);
        self.buffered += 1;
        if self.buffer.len() >= BUFFER_BYTES {
            self.write_buffer();
        }
    }

    fn write_buffer(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        if self.files.append(&self.buffer, Stamp::mono_now()).is_err() {
            self.shared.drop_records(self.buffered);
        }
        self.buffer.clear();
        self.buffered = 0;
    }

    fn all_empty(&self) -> bool {
        self.rings.iter().all(Consumer::is_empty) && !self.shared.has_joining()
    }
}

/// The thread's life, until the journal is closed.
pub(crate) fn run(writer: &mut Writer) {
    let _on_end = ReleaseFlushes(Arc::clone(&writer.shared));
    loop {
        let stopping = writer.shared.is_stopping();
        let asked = writer.shared.flushes().asked;
        let found = writer.round();
        writer.shared.flushes().done = asked;
        writer.shared.flushed.notify_all();
        if stopping {
            return;
        }
        match found {
            Round::Busy => std::thread::park_timeout(ROUND),
            Round::Quiet => sleep_until_woken(writer),
        }
    }
}

fn sleep_until_woken(writer: &Writer) {
    writer.shared.fall_asleep();
    // A record, a flush or a stop between the round and `fall_asleep` found the
    // writer awake and woke nobody.
    let flush = {
        let flushes = writer.shared.flushes();
        flushes.asked > flushes.done
    };
    if writer.all_empty() && !flush && !writer.shared.is_stopping() {
        std::thread::park_timeout(SLEEP);
    }
}

/// Whatever ends the thread, nobody is left waiting for a flush.
struct ReleaseFlushes(Arc<Shared>);

impl Drop for ReleaseFlushes {
    fn drop(&mut self) {
        self.0.flushes().done = u64::MAX;
        self.0.flushed.notify_all();
    }
}
