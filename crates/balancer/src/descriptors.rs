//! How many connections the process can hold.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not a connection's: listeners, the journal, the runtimes,
/// health checks and the operator's interface.
const RESERVED: u64 = 256;

/// The client's and the head's.
const PER_CONNECTION: u64 = 2;

/// Raises the limit of descriptors as far as it goes, and returns it; `None` is
/// unlimited.
pub(crate) fn raise_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current,
        Err(_) => limit.current,
    }
}

/// The connections that may be open at a time, given the descriptors.
pub(crate) fn connections_max(configured: usize, descriptors: Option<u64>) -> usize {
    let Some(descriptors) = descriptors else { return configured };
    let possible = descriptors.saturating_sub(RESERVED) / PER_CONNECTION;
    configured.min(usize::try_from(possible).unwrap_or(usize::MAX)).max(1)
}

#[cfg(test)]
mod tests {
    use super::connections_max;

    #[test]
    fn the_smaller_limit_counts() {
        assert_eq!(connections_max(9_000, Some(20_000)), 9_000);
        assert_eq!(connections_max(9_000, Some(1_024)), 384);
        assert_eq!(connections_max(9_000, Some(10)), 1);
        assert_eq!(connections_max(9_000, None), 9_000);
    }
}
