//! How far an examination is.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::conversation::Manner;

/// What runs now; shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Watch(Mutex<Standing>);

/// The state of all connections.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Those that are open and quiet.
    pub quiet: usize,
    /// Those that have been asked again and answered.
    pub answered: usize,
    /// Those that ended or were not answered.
    pub ended: usize,
    /// The first end.
    pub first_end: Option<(Manner, Duration)>,
}

impl Watch {
    /// How it stands.
    pub fn standing(&self) -> Standing {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
