//! A number of bytes as people write it.

/// The most bytes of something; `None` for no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quota(pub(super) Option<u64>);

/// Bytes of `500GiB`, `10MB` or a bare number, or `none`.
///
/// *Errors*: what to write instead.
pub(super) fn quota(text: &str) -> Result<Quota, String> {
    if text == "none" {
        return Ok(Quota(None));
    }
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1_u64 << 40)];
    let decimal = [("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000)];
    let mut all = units.iter().chain(&decimal);
    let split = all.find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (number, unit) = split.unwrap_or((text, 1));
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes.map(|bytes| Quota(Some(bytes))).ok_or_else(|| "write it like 500GiB, 10MB, 1024 or none".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Quota, quota};

    #[test]
    fn sizes_have_units() {
        let read = ["none", "0", "7", "2KiB", "3MB", "1TiB"].map(|text| quota(text).ok());
        let bytes = [None, Some(0), Some(7), Some(2048), Some(3_000_000), Some(1 << 40)];
        assert_eq!(read, bytes.map(|bytes| Some(Quota(bytes))));
        for bad in ["", "GiB", "-1", "1.5GiB", "1 GiB", "1gib", "18446744073709551615KiB"] {
            assert!(quota(bad).is_err(), "{bad}");
        }
    }
}
