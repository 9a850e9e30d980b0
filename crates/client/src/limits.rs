//! The bounds of the client, each with its reason.

use std::time::Duration;

/// How many connections, and how long each step may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections to one host at a time: more than a recursive transfer's
    /// default of 8, few enough not to look like an attack. A request that is not
    /// answered may hold one more, for its second attempt.
    pub connections_per_host: usize,
    /// Wait for a place in the pool: a longer queue means the caller asks for
    /// more than the host can take.
    pub queue: Duration,
    /// TCP handshake with one address: three lost SYNs.
    pub connect: Duration,
    /// TLS handshake.
    pub tls: Duration,
    /// From the last byte of the request to the first of the reply.
    pub first_byte: Duration,
    /// From asking to the first byte of the reply, waits and second attempts
    /// included, for a request without a body: one reply that does not come, and
    /// another attempt. What has a body ends by `progress`.
    pub request: Duration,
    /// Without a byte of progress in a body.
    pub progress: Duration,
    /// The longest an idle connection is kept, whatever the server advertises:
    /// below the shortest silent idle limit known of middleboxes (60 s) by half.
    pub idle: Duration,
    /// Wait for `100 Continue` before the body is sent all the same (RFC 9110
    /// section 10.1.1: a client should not wait for ever).
    pub continue_wait: Duration,
}

impl Limits {
    /// What the server's advertised time is shortened by: a round trip and the
    /// coarseness of its clock, so that its close never races our request.
    pub const ADVERTISED_MARGIN: Duration = Duration::from_secs(2);

    /// The bounds that suit commands and middleware.
    pub const DEFAULT: Self = Self {
        connections_per_host: 16,
        queue: Duration::from_secs(30),
        connect: Duration::from_secs(5),
        tls: Duration::from_secs(5),
        first_byte: Duration::from_secs(30),
        request: Duration::from_secs(60),
        progress: Duration::from_secs(30),
        idle: Duration::from_secs(30),
        continue_wait: Duration::from_secs(1),
    };

    /// How long a connection may idle after a reply that advertised `timeout`
    /// seconds, or nothing. `None`: it is not to be reused at all.
    #[must_use]
    pub fn idle_after(&self, advertised: Option<Duration>) -> Option<Duration> {
        let allowed = match advertised {
            None => self.idle,
            Some(timeout) => timeout.saturating_sub(Self::ADVERTISED_MARGIN).min(self.idle),
        };
        (!allowed.is_zero()).then_some(allowed)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Limits;

    #[test]
    fn a_connection_is_never_kept_longer_than_was_advertised() {
        let idle_after =
            |s: Option<u64>| Limits::DEFAULT.idle_after(s.map(Duration::from_secs)).map(|d| d.as_secs());
        assert_eq!(idle_after(Some(55)), Some(30));
        assert_eq!(idle_after(Some(5)), Some(3));
        assert_eq!(idle_after(Some(2)), None);
        assert_eq!(idle_after(Some(0)), None);
        assert_eq!(idle_after(None), Some(30));
    }
}
