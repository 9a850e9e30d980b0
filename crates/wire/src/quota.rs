//! Quotas of a container, kept as its metadata.
//!
//! *Source*: `swift/common/middleware/container_quotas.py`.

use repono_core::refusal::Refusal;

use crate::refusals::{INVALID_QUOTA, QUOTA_EXCEEDED};

/// The most bytes in the container.
pub const BYTES: &str = "x-container-meta-quota-bytes";
/// The most objects in the container.
pub const COUNT: &str = "x-container-meta-quota-count";

/// Checks the values that a request gives to quotas.
///
/// *Errors*: 400 for one that is no number.
pub fn check_values(changes: &[(String, Option<String>)]) -> Result<(), Refusal> {
    let bad = |(name, value): &(String, Option<String>)| {
        [BYTES, COUNT].contains(&name.as_str())
            && value.as_deref().is_some_and(|value| value.parse::<u64>().is_err())
    };
    if changes.iter().any(bad) { Err(INVALID_QUOTA) } else { Ok(()) }
}

/// Checks whether one more object of so many bytes fits. An object that it would
/// replace still counts, as with Swift.
///
/// *Errors*: 413.
pub fn admit(
    metadata: &[(String, String)],
    (objects, bytes): (u64, u64),
    new_bytes: u64,
) -> Result<(), Refusal> {
    let quota = |wanted: &str| {
        metadata.iter().find(|(name, _)| name == wanted).and_then(|(_, value)| value.parse::<u64>().ok())
    };
    let over = |quota: Option<u64>, then: u64| quota.is_some_and(|quota| then > quota);
    if over(quota(BYTES), bytes.saturating_add(new_bytes)) || over(quota(COUNT), objects.saturating_add(1)) {
        return Err(QUOTA_EXCEEDED);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{BYTES, COUNT, admit, check_values};

    #[test]
    fn a_quota_holds_to_the_last_byte_and_object() {
        let kept = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let status =
            |metadata: &[(String, String)], there, new| admit(metadata, there, new).map_err(|r| r.status);
        assert_eq!(status(&kept(BYTES, "10"), (1, 7), 3), Ok(()));
        assert_eq!(status(&kept(BYTES, "10"), (1, 7), 4), Err(413));
        assert_eq!(status(&kept(BYTES, "10"), (1, 7), u64::MAX), Err(413));
        assert_eq!(status(&kept(COUNT, "2"), (1, 7), 4), Ok(()));
        assert_eq!(status(&kept(COUNT, "2"), (2, 7), 0), Err(413));
        assert_eq!(status(&kept("x-container-meta-colour", "0"), (2, 7), 4), Ok(()));
        for (value, ok) in [("12", true), ("x", false), ("-1", false), ("1.5", false)] {
            let change = [(COUNT.to_owned(), Some(value.to_owned()))];
            assert_eq!(check_values(&change).is_ok(), ok, "{value}");
        }
        assert!(check_values(&[(BYTES.to_owned(), None)]).is_ok());
    }
}
