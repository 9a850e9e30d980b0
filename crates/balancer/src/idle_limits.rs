//! How long a head keeps idle connections, as it tells the balancer at its health check:
//! lines `limit name seconds` beside those of what it has counted.

use serde::Serialize;

/// The limits of one head, as far as it tells them: one of an earlier version does not.
///
/// *Units*: seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IdleLimits {
    /// After how long it closes an idle connection.
    pub idle_close_s: Option<u64>,
    /// How long its clients may keep one, by `Keep-Alive`.
    pub idle_advertised_s: Option<u64>,
}

impl IdleLimits {
    /// Reads the lines of a body; what is no limit is passed over, and of two the last
    /// counts.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        let mut limits = Self::default();
        let lines = body.split(|byte| *byte == b'\n').filter_map(|line| str::from_utf8(line).ok());
        for (name, seconds) in lines.filter_map(limit) {
            match name {
                "idle-close-s" => limits.idle_close_s = Some(seconds),
                "idle-advertised-s" => limits.idle_advertised_s = Some(seconds),
                _ => {}
            }
        }
        limits
    }

    /// Whether nothing is told.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.idle_close_s.is_none() && self.idle_advertised_s.is_none()
    }
}

fn limit(line: &str) -> Option<(&str, u64)> {
    let (name, seconds) = line.strip_prefix("limit ")?.split_once(' ')?;
    let digits = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
    if digits { Some((name, seconds.parse().ok()?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::IdleLimits;
    use crate::counters::Counters;

    #[test]
    fn limits_are_told_beside_what_is_counted_and_are_no_counters() {
        let body =
            b"OK\nrequests-shed-by-age 7\nlimit idle-close-s 650\nlimit idle-advertised-s 55\nlimit x 1\n";
        let limits = IdleLimits { idle_close_s: Some(650), idle_advertised_s: Some(55) };
        assert_eq!(IdleLimits::read(body), limits);
        let counters = serde_json::to_string(&Counters::read(body)).expect("JSON");
        assert_eq!(counters, r#"{"requests-shed-by-age":7}"#, "also to a balancer that knows no limits");
    }

    #[test]
    fn everything_else_is_passed_over() {
        for bad in [
            "",
            "idle-close-s 650\n",
            "limit idle-close-s\n",
            "limit idle-close-s -1\n",
            "limit idle-close-s +1\n",
            "limit idle-close-s 6 5\n",
            "limit idle-close-s 18446744073709551616\n",
            "limit  idle-close-s 1\n",
            " limit idle-close-s 1\n",
        ] {
            assert!(IdleLimits::read(bad.as_bytes()).is_empty(), "{bad:?}");
        }
        assert!(IdleLimits::read(b"\xff\nlimit \xff 1\n").is_empty());
    }
}
