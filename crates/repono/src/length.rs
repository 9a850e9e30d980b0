//! A span of time as people write it.

/// Seconds of `90s`, `10m`, `2h`, or of a bare number.
///
/// *Errors*: what to write instead.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let units = [("s", 1), ("m", 60), ("h", 3600)];
    let split = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)));
    let (number, unit) = split.unwrap_or((text, 1));
    let span = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    span.ok_or_else(|| "write it like 90s, 10m or 2h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn spans_have_units() {
        let read = ["90s", "10m", "2h", "7", "0s"].map(seconds);
        assert_eq!(read, [Ok(90), Ok(600), Ok(7_200), Ok(7), Ok(0)]);
        for bad in ["", "m", "-1s", "1.5h", "10 m", "18446744073709551615h"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
