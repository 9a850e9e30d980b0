//! How long a connection may live, and who says so before it ends.

use std::time::Duration;

use repono_core::id::ConnectionId;
use tokio::time::Instant;

use super::Identity;
use super::ending::Ending;
use crate::admission::Admission;
use crate::config::Config;
use crate::limits::{AGE_SPREAD_PART, QUIET_SPARED};

/// The limits of every connection of a head.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// Between two requests of a known client.
    pub(crate) idle: Duration,
    /// The value of `Keep-Alive`.
    pub(crate) keep_alive: Box<str>,
    advertised_s: u64,
    age: Duration,
    requests: u64,
}

impl Rules {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            idle: Duration::from_secs(config.idle_close_s),
            keep_alive: format!("timeout={}", config.idle_advertised_s).into(),
            advertised_s: config.idle_advertised_s,
            age: Duration::from_secs(config.connection_age_max_s),
            requests: config.connection_requests_max,
        }
    }

    /// The idle limits for the balancer, which passes them on to whoever looks for two that
    /// are the wrong way round.
    pub(crate) fn lines(&self) -> String {
        format!("limit idle-close-s {}\nlimit idle-advertised-s {}\n", self.idle.as_secs(), self.advertised_s)
    }

    /// Why the reply to a connection's request with this number, from 1, is to be the
    /// last; `None` where it is not.
    ///
    /// A crowd spares connections below a certain age: with all of them gone, each
    /// request would cost a handshake, just when there are too many.
    pub(super) fn over(
        &self,
        identity: &Identity,
        now: Instant,
        number: u64,
        admission: &Admission,
    ) -> Option<Ending> {
        let age = now.saturating_duration_since(identity.opened);
        if number >= self.requests {
            Some(Ending::RequestLimit)
        } else if age >= self.age_of(&identity.id) {
            Some(Ending::Aged)
        } else if age >= QUIET_SPARED && admission.is_crowded() {
            Some(Ending::Crowded)
        } else {
            None
        }
    }

    /// The age of one connection: cut by its id, which is random, so that connections
    /// of one moment do not end in one moment.
    fn age_of(&self, id: &ConnectionId) -> Duration {
        let [high, low, ..] = *id.as_bytes();
        let spread = self.age / AGE_SPREAD_PART;
        self.age - spread * u32::from(u16::from_be_bytes([high, low])) / u32::from(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;
    use std::time::Duration;

    use repono_core::id::ConnectionId;
    use tokio::time::{Instant, advance};

    use super::{Ending, Identity, Rules};
    use crate::admission::{Admission, Source};
    use crate::config::{Config, ConfigError};

    fn config(more: &str) -> Config {
        let text = format!(
            "name = 'h'\ndirect = '127.0.0.1:0'\nbalanced = '127.0.0.1:0'\nstore = 's'\njournal = 'j'\n\
             heads_master_key_file = 'm'\nproxy_key_file = 'p'\n{more}\n\
             [tls]\necdsa_chain = 'a'\necdsa_key = 'b'\nrsa_chain = 'c'\nrsa_key = 'd'\n"
        );
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn what_is_meant_is_more_than_what_is_advertised() {
        assert_eq!(config("").validate(), Ok(()));
        assert_eq!(Rules::new(&config("")).keep_alive.as_ref(), "timeout=55");
        let lines = Rules::new(&config("idle_close_s = 66")).lines();
        assert_eq!(lines, "limit idle-close-s 66\nlimit idle-advertised-s 55\n");
        assert_eq!(config("idle_close_s = 66").validate(), Ok(()));
        let early = |idle_close_s, idle_advertised_s| ConfigError::IdleBeforeAdvertised {
            idle_close_s,
            idle_advertised_s,
        };
        assert_eq!(config("idle_close_s = 65").validate(), Err(early(65, 55)));
        assert_eq!(config("idle_advertised_s = 640").validate(), Err(early(650, 640)));
        let zeros = ["connection_age_max_s", "connection_requests_max"];
        for key in zeros {
            assert_eq!(config(&format!("{key} = 0")).validate(), Err(ConfigError::Zero(key)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_limit_has_its_moment() {
        let config = config("connection_age_max_s = 1000\nconnection_requests_max = 3\nconnections_max = 10");
        let admission = Admission::new(&config, Arc::default());
        let rules = Rules::new(&config);
        let address = "127.0.0.1:1".parse().unwrap();
        let identity = |byte| Identity {
            id: ConnectionId::from_bytes([byte; 12]),
            opened: Instant::now(),
            source: address,
            destination: address,
            recorded: true,
        };
        let (late, early) = (identity(0), identity(0xff));
        let over = |number| rules.over(&late, Instant::now(), number, &admission);
        assert_eq!(
            (over(1), over(2), over(3), over(4)),
            (None, None, Some(Ending::RequestLimit), Some(Ending::RequestLimit))
        );
        let taken: Vec<_> = (0..9)
            .map(|n| admission.connections.take(Source::from(IpAddr::from([10, 0, 0, n]))).unwrap())
            .collect();
        advance(Duration::from_secs(59)).await;
        assert_eq!(over(1), None, "too young for a crowd");
        advance(Duration::from_secs(1)).await;
        assert_eq!(over(1), Some(Ending::Crowded));
        drop(taken);
        assert_eq!(over(1), None);
        advance(Duration::from_secs(840)).await;
        assert_eq!(
            rules.over(&early, Instant::now(), 1, &admission),
            Some(Ending::Aged),
            "a tenth earlier at most"
        );
        assert_eq!(over(1), None);
        advance(Duration::from_secs(100)).await;
        assert_eq!(over(1), Some(Ending::Aged));
    }
}
