//! Quotas of a container and of an account, kept as their metadata.
//!
//! *Source*: `container_quotas.py` and `account_quotas.py` of `swift/common/middleware`.

use repono_core::refusal::Refusal;

use crate::refusals::{ACCESS_DENIED, INVALID_QUOTA, QUOTA_EXCEEDED};

/// The most bytes in the container.
pub const BYTES: &str = "x-container-meta-quota-bytes";
/// The most objects in the container.
pub const COUNT: &str = "x-container-meta-quota-count";

/// The most bytes in all containers of the account; set by an administrator.
pub const ACCOUNT_BYTES: &str = "x-account-meta-quota-bytes";

/// Checks that a request leaves the quota of its account alone: whom it bounds may not
/// lift it.
///
/// *Errors*: 403.
pub fn check_account(changes: &[(String, Option<String>)]) -> Result<(), Refusal> {
    if changes.iter().any(|(name, _)| name == ACCOUNT_BYTES) { Err(ACCESS_DENIED) } else { Ok(()) }
}

/// Checks whether so many bytes more fit into an account.
///
/// *Errors*: 413.
pub fn admit_to_account(metadata: &[(String, String)], bytes: u64, new_bytes: u64) -> Result<(), Refusal> {
    match value(metadata, ACCOUNT_BYTES) {
        Some(quota) if bytes.saturating_add(new_bytes) > quota => Err(QUOTA_EXCEEDED),
        Some(_) | None => Ok(()),
    }
}

fn value(metadata: &[(String, String)], wanted: &str) -> Option<u64> {
    metadata.iter().find(|(name, _)| name == wanted).and_then(|(_, value)| value.parse().ok())
}

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
    let over = |quota: Option<u64>, then: u64| quota.is_some_and(|quota| then > quota);
    if over(value(metadata, BYTES), bytes.saturating_add(new_bytes))
        || over(value(metadata, COUNT), objects.saturating_add(1))
    {
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
