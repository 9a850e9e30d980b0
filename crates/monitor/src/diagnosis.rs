//! Continuous diagnosis: what is found in the last minutes of the journals, and the
//! verdict in one sentence.
//!
//! The collector hands each line to the [`Window`], which keeps those that may matter. A
//! thread of its own reads them with the rules of `repono-diagnose` when something came
//! that is out of the ordinary, so that neither the collector nor the interface waits.

mod book;
mod changed;
mod judge;
mod verdict;
mod window;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use repono_journal::Stamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::ask::Latest;
use crate::collector::SharedBoard;
use crate::path::Path;
use crate::state_file::StateFile;

use book::{Book, KeptBook};
pub(crate) use verdict::Verdict;
use window::Window;

/// How often it is looked whether there is something to judge: five looks lie within the
/// 10 s in which a stall is to be told.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What lies further back says nothing about now.
const ACTIVE_MS: u64 = 300_000;
/// Findings and changes that are told: more than anybody reads, some 600 KiB.
const TOLD_MAX: usize = 200;

/// What is told in `/api/v1/findings`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Findings {
    pub(crate) verdict: Verdict,
    pub(crate) findings: Vec<Value>,
}

/// The latest of it.
pub(crate) type Told = watch::Receiver<Arc<Findings>>;

/// The window, as the collector and the analyst share it: held for one batch, or for
/// copying what is to be judged, at most some 4 MiB.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedWindow(Arc<Mutex<Window>>);

impl SharedWindow {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Window> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is looked at.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) latest: watch::Receiver<Latest>,
    /// `None` where no journals are followed.
    pub(crate) board: Option<SharedBoard>,
    pub(crate) window: SharedWindow,
    /// `None` where it is not probed.
    pub(crate) path: Option<Path>,
    pub(crate) state_dir: Option<PathBuf>,
}

/// The running thread; ended when dropped, its findings written.
#[derive(Debug)]
pub(crate) struct Analyst {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Analyst {
    /// Starts it, with the findings of an earlier one.
    ///
    /// *Errors*: those of the folder of the state, and of a machine without threads.
    pub(crate) fn start(sources: Sources) -> io::Result<(Self, Told)> {
        let file = sources.state_dir.as_deref().map(StateFile::<KeptBook>::in_dir).transpose()?;
        let book = file.as_ref().and_then(StateFile::read).map(KeptBook::into_book).unwrap_or_default();
        let (told, latest) = watch::channel(Arc::new(Findings::default()));
        let (stop, stopped) = channel();
        let mut work = Work { sources, file, book, judged: 0, told };
        work.look(Stamp::now().wall_ns);
        let thread = thread::Builder::new().name("analyst".to_owned()).spawn(move || work.run(&stopped))?;
        Ok((Self { stop: Some(stop), thread: Some(thread) }, latest))
    }
}

impl Drop for Analyst {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic would already have been printed.
            let _ended = thread.join();
        }
    }
}

struct Work {
    sources: Sources,
    file: Option<StateFile<KeptBook>>,
    book: Book,
    /// The state of the window that was judged last.
    judged: u64,
    told: watch::Sender<Arc<Findings>>,
}

impl Work {
    fn run(&mut self, stopped: &Receiver<()>) {
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(LOOK_EVERY) {
            self.look(Stamp::now().wall_ns);
        }
        self.look(Stamp::now().wall_ns);
    }

    fn look(&mut self, now_ns: u64) {
        if self.judge(now_ns) {
            self.keep();
        }
        self.tell(now_ns / 1_000_000);
    }

    /// Whether something was judged.
    fn judge(&mut self, now_ns: u64) -> bool {
        let lines = {
            let mut window = self.sources.window.lock();
            window.forget(now_ns);
            if window.state() == self.judged {
                return false;
            }
            self.judged = window.state();
            window.chosen()
        };
        match judge::judge(&lines) {
            Ok(seen) => self.book.enter(seen, now_ns / 1_000_000),
            Err(error) => tracing::error!(%error, "the last minutes of the journals were not diagnosed"),
        }
        true
    }

    fn keep(&self) {
        let Some(file) = &self.file else { return };
        if let Err(error) = file.write(&self.book.kept()) {
            tracing::warn!(%error, "the monitor's findings were not written to its state directory");
        }
    }

    fn tell(&self, now_ms: u64) {
        let path = self.sources.path.as_ref();
        // What is found of the path stands among the changes where there are any.
        let changes = match &self.sources.board {
            Some(board) => board.lock().changes(),
            None => path.and_then(Path::change).into_iter().collect(),
        };
        let requests = match &self.sources.board {
            None => verdict::Requests::NotFollowed,
            Some(_) => self.sources.window.lock().requests(now_ms * 1_000_000),
        };
        let latest = self.sources.latest.borrow().clone();
        let heads = verdict::Heads::of(latest.as_deref(), Instant::now());
        let mut verdict = verdict::of(&self.book.active(now_ms), &heads, requests, &changes, now_ms);
        verdict.go_on_from(&self.told.borrow().verdict, now_ms);
        let mut findings = self.book.told(&changes, now_ms);
        findings.extend(changed::findings(&changes, now_ms));
        findings.truncate(TOLD_MAX);
        let told = Findings { verdict, findings };
        self.told.send_if_modified(|latest| {
            let changed = **latest != told;
            if changed {
                *latest = Arc::new(told);
            }
            changed
        });
    }
}

#[cfg(test)]
mod tests;
