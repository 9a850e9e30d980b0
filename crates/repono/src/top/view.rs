//! What is on the screen, and what keys change of it.

use std::cmp::Ordering;
use std::time::Instant;

use super::facts::{Facts, Head, Side, Slow};
use super::poll::Told;

/// Letters of a filter: as many as a line has room for.
const FILTER_CHARACTERS_MAX: usize = 60;

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Colours,
    Plain,
}

/// Whether what comes is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Live,
    Frozen,
}

/// Where keys go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Browsing,
    /// Into the filter.
    Filtering,
    /// The keys are shown.
    Help,
    /// All that is known of the chosen request is shown.
    Details,
}

/// By what the slow requests are sorted, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlowOrder {
    Duration,
    Ended,
    Idle,
}

/// By what the heads are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadOrder {
    Name,
    P99,
    Rate,
    Connections,
}

/// A key, as far as it means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Character(char),
    Enter,
    Escape,
    Backspace,
    Up,
    Down,
    Interrupt,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    End,
}

/// All that a frame is drawn from.
#[derive(Debug)]
pub(super) struct View {
    pub(super) monitor: String,
    pub(super) paint: Paint,
    pub(super) facts: Option<Box<Facts>>,
    /// When they were told.
    pub(super) told: Option<Instant>,
    /// Why there are no newer ones.
    pub(super) trouble: Option<String>,
    pub(super) flow: Flow,
    pub(super) mode: Mode,
    pub(super) side: Side,
    pub(super) slow_order: SlowOrder,
    pub(super) head_order: HeadOrder,
    pub(super) filter: String,
    /// The slow request that was chosen, as it was then.
    pub(super) chosen: Option<Slow>,
}

impl View {
    pub(super) fn new(monitor: String, paint: Paint) -> Self {
        Self {
            monitor,
            paint,
            facts: None,
            told: None,
            trouble: None,
            flow: Flow::Live,
            mode: Mode::Browsing,
            side: Side::Head,
            slow_order: SlowOrder::Duration,
            head_order: HeadOrder::Name,
            filter: String::new(),
            chosen: None,
        }
    }

    /// Takes what the monitor told.
    pub(super) fn take(&mut self, told: Told, now: Instant) {
        match (told, self.flow) {
            (Told::Facts(facts), Flow::Live) => {
                self.facts = Some(facts);
                self.told = Some(now);
                self.trouble = None;
            }
            (Told::Facts(_), Flow::Frozen) => self.trouble = None,
            (Told::Nothing(why) | Told::Refused(why), _) => self.trouble = Some(why),
        }
    }

    /// Takes a key.
    pub(super) fn press(&mut self, key: Key) -> Next {
        match (self.mode, key) {
            (_, Key::Interrupt) => return Next::End,
            (Mode::Filtering, Key::Character(character)) => {
                if self.filter.chars().count() < FILTER_CHARACTERS_MAX {
                    self.filter.push(character);
                }
            }
            (Mode::Filtering, Key::Backspace) => _ = self.filter.pop(),
            (Mode::Filtering, Key::Enter) => self.mode = Mode::Browsing,
            (Mode::Filtering, Key::Escape) => {
                self.filter.clear();
                self.mode = Mode::Browsing;
            }
            (Mode::Filtering, Key::Up | Key::Down) => {}
            (Mode::Browsing | Mode::Details, Key::Up) => {
                self.choose(|at, _| at.map_or(0, |at| at.saturating_sub(1)))
            }
            (Mode::Browsing | Mode::Details, Key::Down) => {
                self.choose(|at, last| at.map_or(0, |at| (at + 1).min(last)));
            }
            (Mode::Help | Mode::Details, _) => self.mode = Mode::Browsing,
            (Mode::Browsing, Key::Enter) => {
                if self.chosen.is_none() {
                    self.choose(|_, _| 0);
                }
                if self.chosen.is_some() {
                    self.mode = Mode::Details;
                }
            }
            (Mode::Browsing, Key::Character('q')) => return Next::End,
            (Mode::Browsing, Key::Character(character)) => self.browse(character),
            (Mode::Browsing, Key::Escape) if self.chosen.is_some() => self.chosen = None,
            (Mode::Browsing, Key::Escape) => self.filter.clear(),
            (Mode::Browsing, Key::Backspace) => {}
        }
        Next::GoOn
    }

    fn browse(&mut self, character: char) {
        match character {
            ' ' => {
                self.flow = match self.flow {
                    Flow::Live => Flow::Frozen,
                    Flow::Frozen => Flow::Live,
                }
            }
            'c' => self.side = Side::Client,
            'h' => self.side = Side::Head,
            's' => {
                self.slow_order = match self.slow_order {
                    SlowOrder::Duration => SlowOrder::Ended,
                    SlowOrder::Ended => SlowOrder::Idle,
                    SlowOrder::Idle => SlowOrder::Duration,
                }
            }
            'H' => {
                self.head_order = match self.head_order {
                    HeadOrder::Name => HeadOrder::P99,
                    HeadOrder::P99 => HeadOrder::Rate,
                    HeadOrder::Rate => HeadOrder::Connections,
                    HeadOrder::Connections => HeadOrder::Name,
                }
            }
            '/' => self.mode = Mode::Filtering,
            '?' => self.mode = Mode::Help,
            _ => {}
        }
    }

    /// Chooses the slow request at the place that `place` makes of the present one and the
    /// last; one that is not shown any more has none.
    fn choose(&mut self, place: impl FnOnce(Option<usize>, usize) -> usize) {
        let slowest = self.slowest();
        let Some(last) = slowest.len().checked_sub(1) else { return };
        let at = place(self.place(&slowest), last);
        self.chosen = slowest.into_iter().nth(at);
    }

    /// Where the chosen request is among these.
    pub(super) fn place(&self, slowest: &[Slow]) -> Option<usize> {
        let chosen = self.chosen.as_ref()?;
        slowest.iter().position(|slow| slow.is(chosen))
    }

    /// The heads that the filter lets through, in their order.
    pub(super) fn heads(&self) -> Vec<Head> {
        let mut heads = self.facts.as_deref().map(Facts::heads).unwrap_or_default();
        heads.retain(|head| self.lets_through(&[&head.name, &head.state]));
        let traffic = |head: &Head| head.traffic.unwrap_or_default();
        heads.sort_by(|one, other| match self.head_order {
            HeadOrder::Name => Ordering::Equal,
            HeadOrder::P99 => {
                more(traffic(one).p99_ms.unwrap_or(-1.0), traffic(other).p99_ms.unwrap_or(-1.0))
            }
            HeadOrder::Rate => more(traffic(one).rate, traffic(other).rate),
            HeadOrder::Connections => other.connections.cmp(&one.connections),
        });
        heads
    }

    /// The slow requests that the filter lets through, in their order.
    pub(super) fn slowest(&self) -> Vec<Slow> {
        let mut slowest = self.facts.as_deref().map(Facts::slowest).unwrap_or_default();
        slowest.retain(|slow| {
            let status = slow.status.map(|status| status.to_string()).unwrap_or_default();
            let (method, code) = (slow.method.as_deref(), slow.code.as_deref());
            self.lets_through(&[
                &slow.path,
                &slow.instance,
                &slow.side,
                &slow.connection,
                &status,
                method.unwrap_or_default(),
                code.unwrap_or_default(),
            ])
        });
        slowest.sort_by(|one, other| match self.slow_order {
            SlowOrder::Duration => more(one.duration_ms, other.duration_ms),
            SlowOrder::Ended => other.ended_ms.cmp(&one.ended_ms),
            SlowOrder::Idle => more(one.idle_before_ms.unwrap_or(-1.0), other.idle_before_ms.unwrap_or(-1.0)),
        });
        slowest
    }

    fn lets_through(&self, words: &[&str]) -> bool {
        let wanted = self.filter.to_lowercase();
        wanted.is_empty() || words.iter().any(|word| word.to_lowercase().contains(&wanted))
    }
}

/// The larger first.
fn more(one: f64, other: f64) -> Ordering {
    other.total_cmp(&one)
}
