//! How long an idle connection lives on a path, as far as deaths have told.

use std::time::Duration;

use repono_journal::Manner;
use tokio::time::Instant;

/// A shorter idle time says nothing of a limit: connections that die in use die of
/// something else.
const LEARNED_MIN: Duration = Duration::from_secs(1);

/// How long a limit is believed before twice of it is tried; for each try that fails
/// the next is put off for twice as long.
const BELIEVED_FOR: Duration = Duration::from_secs(600);

/// The longest that a try is put off: a box that was replaced is noticed within a
/// working morning.
const BELIEVED_MAX: Duration = Duration::from_secs(4 * 3_600);

/// Doublings beyond this exceed every limit known of a box.
const DOUBLINGS_MAX: u32 = 16;

/// How connections end on a path that does not let them idle for longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleEnd {
    /// FIN, which met the request.
    Fin,
    /// RST, in answer to the request.
    Rst,
    /// Nothing came back.
    Silence,
}

impl IdleEnd {
    /// `None` for an end that says nothing of the path: our own, or an answer that
    /// could not be read.
    pub(crate) const fn of(manner: Manner) -> Option<Self> {
        match manner {
            Manner::Fin | Manner::FinCloseNotify => Some(Self::Fin),
            Manner::Rst => Some(Self::Rst),
            Manner::Timeout => Some(Self::Silence),
            Manner::IdleExpiry
            | Manner::Drain
            | Manner::Age
            | Manner::RequestLimit
            | Manner::Overload
            | Manner::Kill
            | Manner::Error => None,
        }
    }
}

/// What was learned of a path's patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnedIdle {
    /// Idle connections are closed after so long.
    pub limit: Duration,
    /// How the last one ended that taught it.
    pub manner: IdleEnd,
}

/// The memory of deaths.
#[derive(Debug, Default)]
pub(crate) struct IdleLimit(Option<Known>);

#[derive(Clone, Copy, Debug)]
struct Known {
    limit: Duration,
    manner: IdleEnd,
    at: Instant,
    /// How long it is believed.
    believed_for: Duration,
}

impl Known {
    /// How often the limit has been doubled since it was learned.
    fn doublings(&self, now: Instant) -> u32 {
        let periods = now.saturating_duration_since(self.at).as_secs() / self.believed_for.as_secs().max(1);
        u32::try_from(periods).unwrap_or(DOUBLINGS_MAX).min(DOUBLINGS_MAX)
    }

    fn after(&self, doublings: u32) -> Duration {
        self.limit.saturating_mul(1 << doublings.min(DOUBLINGS_MAX))
    }
}

impl IdleLimit {
    /// A connection turned out dead after it had been idle for so long: four fifths
    /// of that are safe. Where the limit had been doubled, the doubling was wrong.
    pub(crate) fn died_after(&mut self, idle: Duration, manner: IdleEnd, now: Instant) {
        if idle < LEARNED_MIN {
            return;
        }
        let safe = idle - idle / 5;
        let (limit, believed_for) = match self.0 {
            None => (safe, BELIEVED_FOR),
            Some(known) => match known.doublings(now) {
                0 => (safe.min(known.limit), known.believed_for),
                tried => {
                    (safe.min(known.after(tried - 1)), known.believed_for.saturating_mul(2).min(BELIEVED_MAX))
                }
            },
        };
        self.0 = Some(Known { limit, manner, at: now, believed_for });
    }

    /// What is known at present.
    pub(crate) fn known(&self, now: Instant) -> Option<LearnedIdle> {
        let known = self.0?;
        Some(LearnedIdle { limit: known.after(known.doublings(now)), manner: known.manner })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use repono_journal::Manner;
    use tokio::time::Instant;

    use super::{BELIEVED_FOR, IdleEnd, IdleLimit};

    const fn s(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    /// Uses a connection after each idle time that the limit allows, on a path that
    /// ends them after `truth`, for so long; how many of them died.
    fn deaths(limit: &mut IdleLimit, truth: Duration, start: Instant, hours: u64) -> usize {
        let mut deaths = 0;
        for minute in 0..hours * 60 {
            let now = start + s(minute * 60);
            let idle = limit.known(now).map_or(s(30), |known| known.limit.min(s(30)));
            if idle > truth {
                deaths += 1;
                limit.died_after(idle, IdleEnd::Silence, now);
            }
        }
        deaths
    }

    #[test]
    fn the_shortest_idle_time_that_killed_is_the_limit_and_keeps_its_manner() {
        let (mut limit, now) = (IdleLimit::default(), Instant::now());
        let known = |limit: &IdleLimit| limit.known(now).map(|known| (known.limit, known.manner));
        limit.died_after(Duration::from_millis(500), IdleEnd::Rst, now);
        assert_eq!(known(&limit), None, "it died in use");
        limit.died_after(s(10), IdleEnd::Silence, now);
        assert_eq!(known(&limit), Some((s(8), IdleEnd::Silence)));
        limit.died_after(s(5), IdleEnd::Rst, now);
        limit.died_after(s(20), IdleEnd::Fin, now);
        assert_eq!(known(&limit), Some((s(4), IdleEnd::Fin)));
    }

    #[test]
    fn a_limit_is_tried_upwards_and_falls_back_to_what_held() {
        let (mut limit, start) = (IdleLimit::default(), Instant::now());
        let after = |limit: &IdleLimit, now| limit.known(now).map(|known| known.limit);
        limit.died_after(s(10), IdleEnd::Silence, start);
        assert_eq!(after(&limit, start + BELIEVED_FOR - s(1)), Some(s(8)));
        assert_eq!(after(&limit, start + BELIEVED_FOR), Some(s(16)));
        let failed = start + BELIEVED_FOR;
        limit.died_after(s(15), IdleEnd::Silence, failed);
        assert_eq!(after(&limit, failed), Some(s(8)));
        assert_eq!(after(&limit, failed + BELIEVED_FOR), Some(s(8)), "the next try is put off");
        assert_eq!(after(&limit, failed + BELIEVED_FOR * 2), Some(s(16)));
        assert_eq!(after(&limit, failed + BELIEVED_FOR * 4), Some(s(32)));
        limit.died_after(s(25), IdleEnd::Silence, failed + BELIEVED_FOR * 4);
        assert_eq!(after(&limit, failed + BELIEVED_FOR * 4), Some(s(16)), "16 s had held");
    }

    #[test]
    fn a_box_that_stays_costs_few_connections_a_day_and_one_that_goes_is_forgotten() {
        let (mut limit, start) = (IdleLimit::default(), Instant::now());
        let first = deaths(&mut limit, s(10), start, 24);
        // Five find it from 30 s downwards, five tries upwards until they are put off for
        // the longest, and then one in four hours.
        assert!((5..=15).contains(&first), "{first}");
        let next = deaths(&mut limit, s(10), start + s(86_400), 24);
        assert!(next <= 24 / 4 + 1, "{next}");
        let gone = start + s(2 * 86_400);
        assert_eq!(deaths(&mut limit, s(3_600), gone, 24), 0);
        assert!(limit.known(gone + s(86_400)).is_none_or(|known| known.limit >= s(30)));
    }

    #[test]
    fn only_ends_of_the_peer_or_of_the_path_teach() {
        assert_eq!(IdleEnd::of(Manner::FinCloseNotify), Some(IdleEnd::Fin));
        assert_eq!(IdleEnd::of(Manner::Rst), Some(IdleEnd::Rst));
        assert_eq!(IdleEnd::of(Manner::Timeout), Some(IdleEnd::Silence));
        assert_eq!(IdleEnd::of(Manner::Kill), None);
        assert_eq!(IdleEnd::of(Manner::Error), None);
    }
}
