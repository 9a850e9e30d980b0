//! Which requests are written when there are too many to write all.

use std::collections::HashMap;

use repono_core::id::ConnectionId;

use crate::request::RequestRecord;

const SECOND_NS: u64 = 1_000_000_000;

/// Connections whose last request is held back in case it was their last: the
/// limit of connections of a head. Beyond it a last request may be missing.
const HELD_MAX: usize = 10_000;

/// Requests are sampled above a rate; slow, failed, refused, repeated, first and
/// last ones of a connection never are.
///
/// Below the rate every request is kept. Above it one in *k* is, *k* being the
/// smallest number that brings the rate of this second or of the one before below
/// the limit: it follows a rise within the second, and a fall after one.
pub(crate) struct Sampler {
    per_s_max: u64,
    second: u64,
    count: u64,
    count_before: u64,
    /// Ordinary requests left out since the last one that was kept.
    left_out: u64,
    /// Of each connection the latest request that was left out: its last one, if
    /// the connection's end is the next that is heard of it.
    held: HashMap<ConnectionId, RequestRecord>,
}

/// What becomes of a request's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sampled {
    /// It is written, and stands for this many.
    Keep {
        /// The *k* of one in *k*; 1 for a request that is never left out.
        one_in: u64,
    },
    /// It is left out.
    Leave,
}

impl Sampler {
    pub(crate) fn new(per_s_max: u64) -> Self {
        Self {
            per_s_max: per_s_max.max(1),
            second: 0,
            count: 0,
            count_before: 0,
            left_out: 0,
            held: HashMap::new(),
        }
    }

    /// Decides about one request, by the clock in its record.
    pub(crate) fn request(&mut self, record: &RequestRecord) -> Sampled {
        self.advance(record.ended_mono_ns / SECOND_NS);
        self.count = self.count.saturating_add(1);
        let one_in = self.count.max(self.count_before).div_ceil(self.per_s_max);
        if record.is_notable() || one_in <= 1 {
            self.forget(&record.connection);
            return Sampled::Keep { one_in: 1 };
        }
        if self.left_out.saturating_add(1) >= one_in {
            self.forget(&record.connection);
            let stands_for = self.left_out.saturating_add(1);
            self.left_out = 0;
            return Sampled::Keep { one_in: stands_for };
        }
        self.left_out = self.left_out.saturating_add(1);
        if self.held.len() < HELD_MAX || self.held.contains_key(&record.connection) {
            self.held.insert(record.connection, *record);
        }
        Sampled::Leave
    }

    /// A connection has ended: its last request, if it had been left out.
    pub(crate) fn connection_ended(&mut self, id: &ConnectionId) -> Option<RequestRecord> {
        self.held.remove(id)
    }

    fn forget(&mut self, id: &ConnectionId) {
        if !self.held.is_empty() {
            self.held.remove(id);
        }
    }

    /// Several rings are read one after the other, so a second that is over may
    /// come again: it counts for the present one.
    fn advance(&mut self, second: u64) {
        if second > self.second {
            self.count_before = if second == self.second + 1 { self.count } else { 0 };
            self.second = second;
            self.count = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use repono_core::id::ConnectionId;
    use repono_core::refusal::After;

    use super::{SECOND_NS, Sampled, Sampler};
    use crate::request::{Outcome, RequestRecord, Reuse, Side};
    use crate::stamp::Stamp;

    fn ordinary(connection: u8, at_ns: u64) -> RequestRecord {
        let address = ([127, 0, 0, 1], 1).into();
        let id = ConnectionId::from_bytes([connection; 12]);
        let started = Stamp { wall_ns: at_ns, mono_ns: at_ns };
        let mut record = RequestRecord::new(Side::Head, id, started, address, address);
        record.reuse = Reuse::Reused { idle_before_ns: 1, requests_before: 3 };
        record.status = Some(200);
        record
    }

    fn kept(sampler: &mut Sampler, second: u64, count: u64) -> u64 {
        (0..count)
            .map(|n| match sampler.request(&ordinary(1, second * SECOND_NS + n)) {
                Sampled::Keep { one_in } => one_in,
                Sampled::Leave => 0,
            })
            .sum()
    }

    #[test]
    fn everything_is_kept_up_to_the_rate_and_weights_add_up_beyond() {
        let mut sampler = Sampler::new(100);
        assert_eq!(kept(&mut sampler, 5, 100), 100);
        let stood_for = kept(&mut sampler, 6, 1000);
        assert!((950..=1050).contains(&stood_for), "{stood_for}");
        let written =
            (0..1000).filter(|n| sampler.request(&ordinary(1, 7 * SECOND_NS + n)) != Sampled::Leave).count();
        assert_eq!(written, 100, "one in ten, from the first of the second on");
        kept(&mut sampler, 8, 10);
        assert_eq!(kept(&mut sampler, 9, 100), 100, "the rate has fallen");
    }

    #[test]
    fn slow_failed_refused_first_and_last_are_always_kept() {
        let mut sampler = Sampler::new(1);
        kept(&mut sampler, 1, 1000);
        let base = ordinary(2, SECOND_NS);
        let notable = [
            RequestRecord { ended_mono_ns: base.started.mono_ns + RequestRecord::SLOW_NS, ..base },
            RequestRecord { status: Some(503), ..base },
            RequestRecord { outcome: Outcome::Refused("AccessDenied"), status: Some(403), ..base },
            RequestRecord { outcome: Outcome::Failed("ClientDisconnect"), status: None, ..base },
            RequestRecord { reuse: Reuse::New, ..base },
            RequestRecord { attempts: 2, ..base },
            RequestRecord { connection_after: After::Close, ..base },
        ];
        for record in &notable {
            assert_eq!(sampler.request(record), Sampled::Keep { one_in: 1 }, "{record:?}");
        }
    }

    #[test]
    fn the_last_request_comes_back_with_the_end_of_its_connection() {
        let mut sampler = Sampler::new(1);
        kept(&mut sampler, 1, 1000);
        let mut last = ordinary(9, SECOND_NS + 77);
        while sampler.request(&last) != Sampled::Leave {
            last.bytes_out += 1;
        }
        let id = ConnectionId::from_bytes([9; 12]);
        let returned = sampler.connection_ended(&id).map(|r| r.bytes_out);
        assert_eq!(returned, Some(last.bytes_out));
        assert!(sampler.connection_ended(&id).is_none());
    }
}
