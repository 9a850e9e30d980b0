//! What a head counts since its start, as it tells the balancer at its health check:
//! one line `name count` for each, and one for the requests that it has under way.
//!
//! The balancer passes the figures on as they are. A head that is started again
//! begins at zero, which is what a reader of Prometheus counters expects.

use std::collections::BTreeMap;

use serde::Serialize;

/// The most counters of one head: four times what a head has.
const COUNTERS_MAX: usize = 16;

/// The longest name: that of a metric's label that still fits a page.
const NAME_BYTES_MAX: usize = 40;

/// The one that goes up and down: requests of clients, of all balancers, from the end of
/// their head to the end of their reply.
const IN_FLIGHT: &str = "requests-in-flight";

/// The counters of one head, by name.
///
/// *Shape*: at most 16 names of at most 40 lower-case letters, digits and `-`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Counters {
    counts: BTreeMap<String, u64>,
    /// Told beside them, because it is no counter; `None` where the head did not say.
    #[serde(skip)]
    in_flight: Option<u64>,
}

impl Counters {
    /// Reads the lines of a body; what is not a counter is passed over.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        let lines = body.split(|byte| *byte == b'\n').filter_map(|line| str::from_utf8(line).ok());
        let mut counts: BTreeMap<String, u64> = lines.filter_map(counter).take(COUNTERS_MAX).collect();
        let in_flight = counts.remove(IN_FLIGHT);
        Self { counts, in_flight }
    }

    /// Requests that the head has under way, as it last told.
    #[must_use]
    pub const fn in_flight(&self) -> Option<u64> {
        self.in_flight
    }

    /// The head has not said how it is: what goes up and down is not known any more.
    pub(crate) const fn fade(&mut self) {
        self.in_flight = None;
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

fn counter(line: &str) -> Option<(String, u64)> {
    let (name, count) = line.split_once(' ')?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let named = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed);
    let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    // A count beyond 64 bits is none.
    if named && digits { Some((name.to_owned(), count.parse().ok()?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::Counters;

    fn read(body: &[u8]) -> String {
        serde_json::to_string(&Counters::read(body)).expect("JSON")
    }

    #[test]
    fn lines_with_a_name_and_a_count_are_counters() {
        assert_eq!(
            read(b"OK\nrequests-shed-by-age 7\nconnections-refused 0\n"),
            r#"{"connections-refused":0,"requests-shed-by-age":7}"#
        );
        assert_eq!(read(b"OK, read-only\na 18446744073709551615"), r#"{"a":18446744073709551615}"#);
    }

    #[test]
    fn requests_in_flight_are_no_counter() {
        let mut counters = Counters::read(b"OK\na 7\nrequests-in-flight 3\n");
        assert_eq!(counters.in_flight(), Some(3));
        assert_eq!(serde_json::to_string(&counters).expect("JSON"), r#"{"a":7}"#);
        counters.fade();
        assert_eq!(counters.in_flight(), None);
    }

    #[test]
    fn everything_else_is_passed_over() {
        let long = format!("{} 1\n", "x".repeat(41));
        for bad in
            ["", "OK\n", "a b\n", "A 1\n", " 1\n", "a -1\n", "a +1\n", "a 1 \n", "a  1\n", "a\n", &long]
        {
            assert!(Counters::read(bad.as_bytes()).is_empty(), "{bad:?}");
        }
        assert!(Counters::read(b"a 18446744073709551616\n\xff 1\n{\"a\"} 1\n").is_empty());
        let many: String = (0..99).map(|number| format!("n{number} 1\n")).collect();
        assert_eq!(read(many.as_bytes()).matches(':').count(), 16);
    }
}
