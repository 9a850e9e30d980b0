//! The configuration of a balancer.

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use repono_net::socket::{KEEPALIVE_S, SocketOptions};
use rustls_pki_types::ServerName;
use serde::{Deserialize, Serialize};

/// The most heads: as many as a set of tried heads holds in one word.
pub const HEADS_MAX: usize = 64;

/// The largest weight of a head: finer shares than 1 in 256 are noise.
pub const WEIGHT_MAX: u32 = 256;

/// The longest name of a head: what a journal's record holds.
const NAME_BYTES_MAX: usize = 32;

/// Threads beyond this would only share the cores of the largest machine.
const THREADS_MAX: usize = 64;

/// The least age: quiet must have lasted a minute anyway.
const AGE_MIN: Duration = Duration::from_secs(60);

/// 30 days: a connection that is idle for longer is forgotten, not idle.
const IDLE_MAX: Duration = Duration::from_secs(30 * 86_400);

/// How long a head keeps an idle connection.
const HEAD_IDLE: Duration = Duration::from_secs(650);

/// Everything that a balancer is told; TOML, every key as documented here.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The balancer's name in the journal. Default `balancer`.
    #[serde(default = "name")]
    pub name: String,
    /// Address for clients; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Unix socket of the operator's interface; made with mode 0600.
    pub admin_socket: PathBuf,
    /// Directory of the journal.
    pub journal: PathBuf,
    /// File with the key that the balancer proves itself to its heads with,
    /// 64 hex digits.
    pub proxy_key_file: PathBuf,
    /// Certificates (PEM) of the authorities that the heads' certificates come
    /// from: the health checks verify them as a client does.
    pub ca: PathBuf,
    /// The name in the heads' certificates that the health checks ask for.
    /// Default `localhost`: what `repono up` writes into its own.
    #[serde(default = "server_name")]
    pub server_name: String,
    /// The heads: 1 to 64.
    pub heads: Vec<HeadAddress>,
    /// Threads that relay. Default: [`default_threads`].
    #[serde(default = "default_threads")]
    pub threads: usize,
    /// Connections at a time, over all threads. Default 10,000: each needs two
    /// descriptors, and the usual limit for a service is 20,000. Lowered at the
    /// start if the limit of the process allows fewer.
    #[serde(default = "connections_max")]
    pub connections_max: usize,
    /// How long a connection may be idle, in milliseconds; then FIN on both sides.
    /// Default 900,000 (15 minutes): longer than a head's 650 s, so that the side
    /// which knows whether a request is under way closes first.
    #[serde(default = "idle_ms")]
    pub idle_ms: u64,
    /// Quiet seconds on a client's connection after which the kernel asks whether
    /// the client is still there (TCP keepalive). Default 30: half of the shortest
    /// idle limit of a box on the way that is known, so that none forgets the
    /// connection.
    #[serde(default = "keepalive_s")]
    pub keepalive_s: NonZeroU16,
    /// How old a connection may become, in seconds, 60 or more; from then on (less a
    /// tenth at most, drawn for each) it ends with FIN once it has been quiet for a
    /// minute. Default: off. A head announces its own limit of age on a reply, which
    /// no request can race; this one is for connections that must move, such as after
    /// a change of addresses, and that no head tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_max_s: Option<NonZeroU32>,
    /// The least level of messages that are said: `error`, `warn`, `info`, `debug` or
    /// `trace`. Default: what `REPONO_LOG` says, or `info`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Level>,
}

/// A level of messages.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What needs a person.
    Error,
    /// What may need one.
    Warn,
    /// What happened.
    Info,
    /// Why it happened.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// One head, as the balancer reaches it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct HeadAddress {
    /// Its name, as in the head's own configuration: 1 to 32 ASCII letters, digits,
    /// `.`, `_` or `-`, and not `only`.
    pub name: String,
    /// Its balancer-only address.
    pub address: SocketAddr,
    /// Its share of new connections, against the other heads' weights; 0 to 256.
    /// Default 1: equal shares. With 0 it gets no new connection.
    #[serde(default = "weight")]
    pub weight: u32,
}

/// The configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No head, or too many.
    #[error("heads: 1 to {HEADS_MAX} are needed, not {0}")]
    Heads(usize),
    /// A name that the journal or the operator's interface cannot carry.
    #[error(
        "heads: `{0}` is not a name: 1 to {NAME_BYTES_MAX} ASCII letters, digits, `.`, `_` or `-`, and not `only`"
    )]
    Name(String),
    /// Two heads under one name.
    #[error("heads: two are named `{0}`")]
    Twice(String),
    /// Not a DNS name or an IP address.
    #[error("server_name: `{0}` is neither a host name nor an IP address")]
    ServerName(String),
    /// A weight beyond what a share can need.
    #[error("heads: the weight of `{0}` is more than {WEIGHT_MAX}")]
    Weight(String),
    /// A number outside its range.
    #[error("{key}: {min} to {max}, not {value}")]
    Range {
        /// The key.
        key: &'static str,
        /// What it was set to.
        value: u64,
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
}

impl Config {
    /// Checks what the types cannot.
    ///
    /// *Errors*: [`ConfigError`], the first one.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.heads.is_empty() || self.heads.len() > HEADS_MAX {
            return Err(ConfigError::Heads(self.heads.len()));
        }
        for (number, head) in self.heads.iter().enumerate() {
            if !is_name(&head.name) {
                return Err(ConfigError::Name(head.name.clone()));
            }
            if self.heads.iter().take(number).any(|earlier| earlier.name == head.name) {
                return Err(ConfigError::Twice(head.name.clone()));
            }
            if head.weight > WEIGHT_MAX {
                return Err(ConfigError::Weight(head.name.clone()));
            }
        }
        self.tls_name()?;
        if let Some(age) = self.age_max_s {
            in_range("age_max_s", age.get().into(), AGE_MIN.as_secs(), IDLE_MAX.as_secs())?;
        }
        in_range("threads", count(self.threads), 1, count(THREADS_MAX))?;
        in_range("connections_max", count(self.connections_max), 1, u64::from(u32::MAX))?;
        in_range("idle_ms", self.idle_ms, 1, u64::try_from(IDLE_MAX.as_millis()).unwrap_or(u64::MAX))
    }

    /// How long a connection may be idle.
    #[must_use]
    pub const fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms)
    }

    /// What is set on the sockets of clients.
    pub(crate) fn socket_options(&self) -> SocketOptions {
        SocketOptions::SERVER.asking_after(Duration::from_secs(self.keepalive_s.get().into()))
    }

    /// Whether the heads would still keep a connection that the balancer ends.
    #[must_use]
    pub fn closes_before_heads(&self) -> bool {
        self.idle() <= HEAD_IDLE
    }

    pub(crate) fn tls_name(&self) -> Result<ServerName<'static>, ConfigError> {
        ServerName::try_from(self.server_name.clone())
            .map_err(|_| ConfigError::ServerName(self.server_name.clone()))
    }
}

/// `only` is a word of the operator's interface (`/v1/heads/only/off`).
fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(allowed) && name != "only"
}

fn in_range(key: &'static str, value: u64, min: u64, max: u64) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(ConfigError::Range { key, value, min, max }) }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn name() -> String {
    "balancer".to_owned()
}

fn server_name() -> String {
    "localhost".to_owned()
}

const fn weight() -> u32 {
    1
}

/// One for each core of the machine: a single one has to be woken for nearly every
/// packet, and more gain nothing.
#[must_use]
pub fn default_threads() -> usize {
    available_parallelism().map_or(1, usize::from).min(THREADS_MAX)
}

const fn connections_max() -> usize {
    10_000
}

const fn idle_ms() -> u64 {
    900_000
}

fn keepalive_s() -> NonZeroU16 {
    KEEPALIVE_S
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::{Config, ConfigError, HeadAddress, Level};

    const TEXT: &str = r#"
        listen = "127.0.0.1:0"
        admin_socket = "run/balancer.sock"
        journal = "journal"
        proxy_key_file = "secrets/proxy.key"
        ca = "ca.pem"
        [[heads]]
        name = "head-1"
        address = "127.0.0.1:7461"
    "#;

    fn config() -> Config {
        toml::from_str(TEXT).expect("complete")
    }

    #[test]
    fn defaults_are_those_documented() {
        let config = config();
        assert_eq!(config.validate(), Ok(()));
        assert_eq!((config.name.as_str(), config.server_name.as_str()), ("balancer", "localhost"));
        assert_eq!(
            (config.threads, config.connections_max, config.idle().as_secs()),
            (super::default_threads(), 10_000, 900)
        );
        assert!(!config.closes_before_heads());
        assert_eq!(config.heads[0].weight, 1);
        assert_eq!((config.age_max_s, config.log), (None, None));
        let further: Config =
            toml::from_str(&format!("age_max_s = 60\nlog = \"debug\"\n{TEXT}")).expect("known");
        assert_eq!((further.validate(), further.log), (Ok(()), Some(Level::Debug)));
        assert!(toml::from_str::<Config>(&format!("idel_ms = 1\n{TEXT}")).is_err(), "an unknown key");
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let with = |change: fn(&mut Config)| {
            let mut config = config();
            change(&mut config);
            config.validate()
        };
        assert_eq!(with(|c| c.heads.clear()), Err(ConfigError::Heads(0)));
        assert_eq!(with(|c| c.heads = vec![c.heads[0].clone(); 65]), Err(ConfigError::Heads(65)));
        assert_eq!(with(|c| c.heads = vec![c.heads[0].clone(); 2]), Err(ConfigError::Twice("head-1".into())));
        for bad in ["", "only", "head 1", "../x", "h\u{e9}", &"x".repeat(33)] {
            let mut config = config();
            config.heads = vec![HeadAddress { name: bad.to_owned(), ..config.heads[0].clone() }];
            assert_eq!(config.validate(), Err(ConfigError::Name(bad.to_owned())));
        }
        assert_eq!(with(|c| c.heads[0].weight = 257), Err(ConfigError::Weight("head-1".into())));
        assert_eq!(with(|c| c.server_name = "a b".into()), Err(ConfigError::ServerName("a b".into())));
        assert!(matches!(with(|c| c.threads = 0), Err(ConfigError::Range { key: "threads", .. })));
        assert!(matches!(
            with(|c| c.connections_max = 0),
            Err(ConfigError::Range { key: "connections_max", .. })
        ));
        for age in [1, 59, 30 * 86_400 + 1] {
            let config = Config { age_max_s: NonZeroU32::new(age), ..config() };
            assert!(matches!(config.validate(), Err(ConfigError::Range { key: "age_max_s", .. })));
        }
        assert!(matches!(with(|c| c.idle_ms = u64::MAX), Err(ConfigError::Range { key: "idle_ms", .. })));
    }
}
