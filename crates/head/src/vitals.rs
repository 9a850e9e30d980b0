//! Whether this head is as alive as its sockets look: the kernel accepts and
//! acknowledges for a thread that stands still, so a head that stalls must say so
//! itself.
//!
//! What is watched gives signs of life, each a count that grows; somebody who does
//! nothing else looks at all of them. A look counts, not the time: when the whole
//! process was stopped, nobody has missed more than one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::time::sleep;

use crate::limits::{BEAT_EVERY, BEATS_MISSED_MAX};

/// The signs of life of one thread.
#[derive(Debug)]
pub(crate) struct Pulse {
    name: Box<str>,
    beats: AtomicU64,
    stalled: AtomicBool,
}

/// Whether anything of this head stands still.
#[derive(Debug, Default)]
pub(crate) struct Condition(AtomicBool);

impl Condition {
    pub(crate) fn is_stalled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Pulse {
    pub(crate) fn new(name: impl Into<Box<str>>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), beats: AtomicU64::new(0), stalled: AtomicBool::new(false) })
    }

    /// One sign of life.
    pub(crate) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Beats until the task is dropped, for the thread that it runs on.
    pub(crate) async fn beat_on(self: Arc<Self>) {
        loop {
            self.beat();
            sleep(BEAT_EVERY).await;
        }
    }

    /// Whether the last looks found no sign of life.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }
}

/// What is watched, and how often in a row it gave no sign.
struct Watched<'s> {
    pulse: Arc<Pulse>,
    signs: Box<dyn Fn() -> u64 + 's>,
    last: u64,
    missed: u32,
}

/// Looks at everything that is watched.
pub(crate) struct Watch<'s> {
    condition: Arc<Condition>,
    watched: Vec<Watched<'s>>,
}

/// What a look changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// This one stands still.
    Stalled(Box<str>),
    /// This one goes on.
    Recovered(Box<str>),
}

impl<'s> Watch<'s> {
    pub(crate) const fn new(condition: Arc<Condition>) -> Self {
        Self { condition, watched: Vec::new() }
    }

    /// Watches what beats.
    pub(crate) fn pulse(&mut self, pulse: &Arc<Pulse>) {
        let beating = Arc::clone(pulse);
        self.add(Arc::clone(pulse), Box::new(move || beating.beats.load(Ordering::Relaxed)));
    }

    /// Watches what tells its signs of life when it is asked for them.
    pub(crate) fn answering(&mut self, name: &str, signs: impl Fn() -> u64 + 's) {
        self.add(Pulse::new(name), Box::new(signs));
    }

    /// Whether the one of this name stands still.
    pub(crate) fn is_stalled(&self, name: &str) -> bool {
        self.watched.iter().any(|watched| *watched.pulse.name == *name && watched.pulse.is_stalled())
    }

    fn add(&mut self, pulse: Arc<Pulse>, signs: Box<dyn Fn() -> u64 + 's>) {
        let last = signs();
        self.watched.push(Watched { pulse, signs, last, missed: 0 });
    }

    /// Looks once; gives what changed.
    pub(crate) fn look(&mut self) -> Vec<Turn> {
        let turns = self.watched.iter_mut().filter_map(Watched::look).collect();
        let any = self.watched.iter().any(|watched| watched.pulse.is_stalled());
        self.condition.0.store(any, Ordering::Relaxed);
        turns
    }
}

impl Watched<'_> {
    fn look(&mut self) -> Option<Turn> {
        let signs = (self.signs)();
        self.missed = if signs == self.last { self.missed.saturating_add(1) } else { 0 };
        self.last = signs;
        let stalled = self.missed >= BEATS_MISSED_MAX;
        if self.pulse.stalled.swap(stalled, Ordering::Relaxed) == stalled {
            return None;
        }
        let name = self.pulse.name.clone();
        Some(if stalled { Turn::Stalled(name) } else { Turn::Recovered(name) })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use super::{BEATS_MISSED_MAX, Condition, Pulse, Turn, Watch};

    #[test]
    fn who_gives_no_sign_for_long_is_stalled_until_it_does() {
        let condition = Arc::new(Condition::default());
        let (serving, answers) = (Pulse::new("serve-0"), Cell::new(0));
        let mut watch = Watch::new(Arc::clone(&condition));
        watch.pulse(&serving);
        watch.answering("journal", || answers.get());
        for _ in 0..BEATS_MISSED_MAX * 3 {
            serving.beat();
            answers.set(answers.get() + 1);
            assert_eq!(watch.look(), []);
        }
        for _ in 1..BEATS_MISSED_MAX {
            serving.beat();
            assert_eq!(watch.look(), []);
        }
        assert!(!condition.is_stalled(), "one look too early");
        serving.beat();
        assert_eq!(watch.look(), [Turn::Stalled("journal".into())]);
        assert!(condition.is_stalled() && !serving.is_stalled());
        for _ in 1..BEATS_MISSED_MAX {
            assert_eq!(watch.look(), [], "it is said once");
        }
        assert_eq!(watch.look(), [Turn::Stalled("serve-0".into())]);
        answers.set(answers.get() + 1);
        assert_eq!(watch.look(), [Turn::Recovered("journal".into())]);
        assert!(condition.is_stalled(), "the other is not yet");
        serving.beat();
        assert_eq!(watch.look(), [Turn::Recovered("serve-0".into())]);
        assert!(!condition.is_stalled() && !serving.is_stalled());
    }
}
