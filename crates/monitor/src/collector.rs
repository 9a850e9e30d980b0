//! The thread that follows the journals and counts what they tell. It reads files and
//! nothing else: no head and no client ever waits for it.

mod state;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use repono_journal::Stamp;
use repono_journal::follow::{Follower, POLL_EVERY, Rest, Start};
use repono_journal::read;

use crate::board::Board;
use crate::diagnosis::SharedWindow;
use crate::export::Listener;

use state::{CountsFile, State};

/// How often the state is written: what was counted since is counted again after a
/// kill, from the journals, which reach back further.
const KEEP_EVERY: Duration = Duration::from_secs(60);

/// The thread's niceness: a head on the same cores goes first. Where nobody else wants
/// them it makes no difference, and a tenth of the share of a common thread is twice what
/// 20,000 records a second take.
const NICENESS: i32 = 10;

/// The board, as the collector and the routes share it. It is held for one batch, some
/// 2 ms, or for a copy that an answer is worked out of, 2 ms.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedBoard(Arc<Mutex<Board>>);

impl SharedBoard {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running thread; ended when dropped, its state written.
#[derive(Debug)]
pub(crate) struct Collector {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    /// Starts it, from where the state of an earlier one says.
    ///
    /// *Errors*: those of the folder of the state, and of a machine without threads.
    pub(crate) fn start(
        journals: Vec<PathBuf>,
        state_dir: Option<PathBuf>,
        board: SharedBoard,
        listener: Option<Listener>,
        window: SharedWindow,
    ) -> io::Result<Self> {
        let file = state_dir.map(|dir| CountsFile::in_dir(&dir)).transpose()?;
        let follower = match file.as_ref().and_then(CountsFile::read) {
            Some(state) => {
                *board.lock() = Board::resumed(state.board);
                Follower::resume(journals, state.positions)
            }
            None => Follower::new(journals, Start::Beginning),
        };
        let (stop, stopped) = channel();
        let mut work = Work { follower, board, listener, window, file, kept_mono_ns: Stamp::mono_now() };
        let thread = thread::Builder::new().name("collector".to_owned()).spawn(move || work.run(&stopped))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic would already have been printed.
            let _ended = thread.join();
        }
    }
}

struct Work {
    follower: Follower,
    board: SharedBoard,
    listener: Option<Listener>,
    window: SharedWindow,
    file: Option<CountsFile>,
    kept_mono_ns: u64,
}

impl Work {
    fn run(&mut self, stopped: &Receiver<()>) {
        // On Linux the priority of the thread that asks. Nobody may be kept from lowering it.
        let _lowered = rustix::process::setpriority_process(None, NICENESS);
        loop {
            let rest = self.read(Stamp::now());
            let wait = match rest {
                Rest::More => Duration::ZERO,
                Rest::Nothing => POLL_EVERY,
            };
            self.keep_if_due(Stamp::mono_now());
            match stopped.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.keep();
    }

    /// Counts what has come.
    fn read(&mut self, now: Stamp) -> Rest {
        let batch = self.follower.poll();
        let (mut board, mut window) = (self.board.lock(), self.window.lock());
        let mut oldest = None;
        for line in batch.lines() {
            match read::record(line) {
                Ok(record) => {
                    let ended = record.fact.ended().map(|ended| ended.wall_ns);
                    oldest = oldest.into_iter().chain(ended).min();
                    board.take(&record, now.wall_ns);
                    if let Some(listener) = &mut self.listener {
                        listener(&record, now.wall_ns);
                    }
                    window.take(line, &record, now.wall_ns);
                }
                Err(_) => board.damaged(),
            }
        }
        let behind_ns = match batch.rest {
            Rest::More => oldest.map_or(0, |oldest| now.wall_ns.saturating_sub(oldest)),
            Rest::Nothing => 0,
        };
        board.lag(Duration::from_nanos(behind_ns).as_secs_f64());
        batch.rest
    }

    fn keep_if_due(&mut self, now_mono_ns: u64) {
        let since = Duration::from_nanos(now_mono_ns.saturating_sub(self.kept_mono_ns));
        if since >= KEEP_EVERY {
            self.kept_mono_ns = now_mono_ns;
            self.keep();
        }
    }

    /// Places and counts in one file: both are of the same moment.
    fn keep(&self) {
        let Some(file) = &self.file else { return };
        let snapshot = self.board.lock().snapshot();
        if let Err(error) = file.write(&State::new(self.follower.positions(), snapshot.kept())) {
            tracing::warn!(%error, "the monitor's counts were not written to its state directory");
        }
    }
}

#[cfg(test)]
mod tests;
