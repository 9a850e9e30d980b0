//! A span of time as people write it.

use std::time::Duration;

/// Units by the milliseconds that they have; `ms` before `s`, which it ends in.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Seconds of `90s`, `10m`, `2h`, or of a bare number.
///
/// *Errors*: what to write instead.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    let units = [("s", 1), ("m", 60), ("h", 3600)];
    let split = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)));
    let (number, unit) = split.unwrap_or((text, 1));
    let span = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    span.ok_or_else(|| "write it like 90s, 10m or 2h".to_owned())
}

/// The span of `250ms`, `90s`, `10m`, `2h` or `3d`: never of a bare number, which could
/// be of either unit.
///
/// *Errors*: what to write instead.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let split = UNITS.iter().find_map(|(unit, millis)| Some((text.strip_suffix(unit)?, *millis)));
    let span = split.and_then(|(number, unit)| number.parse::<u64>().ok()?.checked_mul(unit));
    span.map(Duration::from_millis).ok_or_else(|| "write it like 250ms, 1s, 10m, 2h or 3d".to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{seconds, span};

    #[test]
    fn spans_have_units() {
        let read = ["90s", "10m", "2h", "7", "0s"].map(seconds);
        assert_eq!(read, [Ok(90), Ok(600), Ok(7_200), Ok(7), Ok(0)]);
        for bad in ["", "m", "-1s", "1.5h", "10 m", "18446744073709551615h"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        let read = ["250ms", "1s", "10m", "2h", "3d"].map(|text| span(text).ok());
        assert_eq!(
            read,
            [250, 1_000, 600_000, 7_200_000, 259_200_000].map(|ms| Some(Duration::from_millis(ms)))
        );
        for bad in ["", "1", "ms", "-1s", "1.5s", "18446744073709551615d"] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }
}
