//! The journal of one process: its files, its thread, its counters.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::{fs, io};

use rtrb::RingBuffer;

use crate::encode::Origin;
use crate::files::Files;
use crate::recorder::{Recorder, SharedRecorder};
use crate::ring::Shared;
use crate::sample::Sampler;
use crate::writer::{self, Writer};

/// Where and how much a journal writes.
#[derive(Clone, Debug)]
pub struct JournalConfig {
    /// The folder, made with mode 0700 where it is missing.
    pub dir: PathBuf,
    /// The kind of service: `head`, `balancer`, `vending`, `client`.
    pub service: String,
    /// This one among them, such as `head-1`: the name of its files. ASCII
    /// letters, digits, `.`, `_` and `-`, at most 64, beginning with a letter or
    /// digit.
    pub instance: String,
    /// A file that has reached this size is rotated. In bytes.
    pub file_bytes_max: u64,
    /// How many files are kept, the current one included.
    pub files_max: u32,
    /// Records that each recorder's ring holds.
    pub ring_records: usize,
    /// Requests per second of this process above which ordinary ones are sampled.
    pub sample_above_per_s: u64,
}

impl JournalConfig {
    /// 64 MiB hold about 60,000 records: what an editor still opens.
    pub const FILE_BYTES_MAX: u64 = 64 << 20;
    /// 8 files of 64 MiB: half a gigabyte per process at most.
    pub const FILES_MAX: u32 = 8;
    /// 4096 records last 50 ms at 80,000 requests/s of one shard.
    pub const RING_RECORDS: usize = 4096;
    /// The rate from which writing every request would cost a tenth of a core.
    pub const SAMPLE_ABOVE_PER_S: u64 = 20_000;

    /// The bounds that suit a service.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, service: &str, instance: &str) -> Self {
        Self {
            dir: dir.into(),
            service: service.to_owned(),
            instance: instance.to_owned(),
            file_bytes_max: Self::FILE_BYTES_MAX,
            files_max: Self::FILES_MAX,
            ring_records: Self::RING_RECORDS,
            sample_above_per_s: Self::SAMPLE_ABOVE_PER_S,
        }
    }
}

/// Why a journal could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The instance's name cannot be the name of a file.
    #[error("the journal's instance name must be 1 to 64 ASCII letters, digits, `.`, `_` or `-`")]
    Instance,
    /// The folder cannot be made.
    #[error("cannot make the journal's folder {dir}")]
    Directory {
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be opened for appending.
    #[error("cannot open the journal's file {file}")]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No thread for the writer.
    #[error("cannot start the journal's thread")]
    Thread(#[source] io::Error),
}

/// The journal of one process.
///
/// *Shape*: one thread, parked while there is nothing to write and woken at most
/// every 50 ms otherwise. Dropping the journal writes what the rings hold.
///
/// *Errors*: none after [`Journal::open`]: a full or broken disk costs records,
/// which are counted, never a request.
pub struct Journal {
    shared: Arc<Shared>,
    ring_records: usize,
    thread: Option<JoinHandle<()>>,
}

impl Journal {
    /// Opens the journal's file for appending and starts its thread.
    ///
    /// *Errors*: [`JournalError`].
    pub fn open(config: JournalConfig) -> Result<Self, JournalError> {
        let (shared, mut writer) = prepare(&config)?;
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer::run(&mut writer))
            .map_err(JournalError::Thread)?;
        shared.writer_is(thread.thread().clone());
        Ok(Self { shared, ring_records: config.ring_records, thread: Some(thread) })
    }

    /// A new ring, for one thread.
    #[must_use]
    pub fn recorder(&self) -> Recorder {
        recorder(&self.shared, self.ring_records)
    }

    /// A new ring behind a lock, for users that record seldom.
    #[must_use]
    pub fn shared(&self) -> SharedRecorder {
        SharedRecorder::new(self.recorder())
    }

    /// Records lost so far: a ring or the disk was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped()
    }

    /// Requests left out by sampling so far.
    #[must_use]
    pub fn sampled_out(&self) -> u64 {
        self.shared.sampled_out()
    }

    /// Waits until everything recorded before this call has been given to the
    /// operating system. Blocks: not for an asynchronous task.
    pub fn flush(&self) {
        let number = {
            let mut flushes = self.shared.flushes();
            flushes.asked += 1;
            flushes.asked
        };
        self.shared.wake();
        let flushes = self.shared.flushes();
        let done = self.shared.flushed.wait_while(flushes, |f| f.done < number);
        drop(done.unwrap_or_else(PoisonError::into_inner));
    }

    /// Asks the writer for a sign of life, without waiting; gives a number that
    /// grows with each one that it has given.
    ///
    /// *Cost*: one round of the writer.
    #[must_use]
    pub fn sign_of_life(&self) -> u64 {
        let given = {
            let mut flushes = self.shared.flushes();
            flushes.asked += 1;
            flushes.done
        };
        self.shared.wake();
        given
    }

    /// Writes what the rings hold and ends the thread.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(thread) = self.thread.take() {
            // Its panic would already have been printed; there is nothing to save.
            let _ended = thread.join();
        }
    }
}

pub(crate) fn recorder(shared: &Arc<Shared>, ring_records: usize) -> Recorder {
    let (producer, consumer) = RingBuffer::new(ring_records.max(1));
    shared.join(consumer);
    Recorder::new(producer, Arc::clone(shared))
}

/// Everything but the thread.
pub(crate) fn prepare(config: &JournalConfig) -> Result<(Arc<Shared>, Writer), JournalError> {
    if !is_file_name(&config.instance) {
        return Err(JournalError::Instance);
    }
    make_dir(&config.dir)?;
    let path = config.dir.join(format!("{}.jsonl", config.instance));
    let files = Files::open(path.clone(), config.file_bytes_max, config.files_max)
        .map_err(|source| JournalError::File { file: path, source })?;
    let shared = Arc::new(Shared::default());
    let origin = Origin::new(&config.service, &config.instance, &boot_id(), std::process::id());
    let writer = Writer::new(Arc::clone(&shared), files, Sampler::new(config.sample_above_per_s), origin);
    Ok((shared, writer))
}

fn make_dir(dir: &std::path::Path) -> Result<(), JournalError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| JournalError::Directory { dir: dir.to_owned(), source })
}

fn is_file_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    name.len() <= 64
        && name.bytes().all(allowed)
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

/// The kernel's random id of this boot: monotonic times compare only within one.
/// Empty where there is none, as in some sandboxes.
fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests;
