//! What has changed in a configuration: what takes effect, and what cannot.

use std::num::NonZeroU32;

use crate::Config;
use crate::config::Level;

/// A key that takes effect, from one value to another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) key: &'static str,
    pub(super) from: String,
    pub(super) to: String,
}

/// How a key takes effect that a reload leaves as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// A successor that takes over.
    TakeOver,
    /// Nothing less than the end of this one.
    Restart,
}

impl Remedy {
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::TakeOver => "start the new one with --take-over: no connect is refused",
            Self::Restart => "stop it and start it again",
        }
    }
}

/// The keys that take effect now, besides the heads.
pub(super) fn changes(from: &Config, to: &Config) -> Vec<Change> {
    let off = || "off".to_owned();
    let seconds = |age: Option<NonZeroU32>| age.map_or_else(off, |age| age.to_string());
    let level = |log: Option<Level>| log.map_or_else(off, |log| log.as_str().to_owned());
    let values = |config: &Config| {
        [
            ("idle_ms", config.idle_ms.to_string()),
            ("age_max_s", seconds(config.age_max_s)),
            ("connections_max", config.connections_max.to_string()),
            ("keepalive_s", config.keepalive_s.to_string()),
            ("log", level(config.log)),
        ]
    };
    let pairs = values(from).into_iter().zip(values(to));
    let changed = pairs.filter(|((_, from), (_, to))| from != to);
    changed.map(|((key, from), (_, to))| Change { key, from, to }).collect()
}

/// The keys that stay as they were when the balancer started.
pub(super) fn left_out(started: &Config, new: &Config) -> Vec<(&'static str, Remedy)> {
    // Each key by its name, so that a new one must be decided on here.
    let Config {
        name,
        listen,
        admin_socket,
        journal,
        proxy_key_file,
        ca,
        server_name,
        threads,
        heads: _,
        connections_max: _,
        idle_ms: _,
        keepalive_s: _,
        age_max_s: _,
        log: _,
    } = started;
    [
        ("name", *name == new.name, Remedy::TakeOver),
        // The listening socket is what passes, and it is found by the operator's.
        ("listen", *listen == new.listen, Remedy::Restart),
        ("admin_socket", *admin_socket == new.admin_socket, Remedy::Restart),
        ("journal", *journal == new.journal, Remedy::TakeOver),
        ("proxy_key_file", *proxy_key_file == new.proxy_key_file, Remedy::TakeOver),
        ("ca", *ca == new.ca, Remedy::TakeOver),
        ("server_name", *server_name == new.server_name, Remedy::TakeOver),
        ("threads", *threads == new.threads, Remedy::TakeOver),
    ]
    .into_iter()
    .filter(|(_, same, _)| !same)
    .map(|(key, _, remedy)| (key, remedy))
    .collect()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::{Change, Remedy, changes, left_out};
    use crate::Config;
    use crate::config::Level;

    fn config() -> Config {
        let text = "listen = '127.0.0.1:0'\nadmin_socket = 'a'\njournal = 'j'\nproxy_key_file = 'k'\nca = 'c'\n\
                    heads = [{ name = 'head-1', address = '127.0.0.1:1' }]";
        toml::from_str(text).expect("complete")
    }

    #[test]
    fn what_takes_effect_is_told_from_what_to_what() {
        assert_eq!(changes(&config(), &config()), []);
        let new = Config {
            idle_ms: 7,
            age_max_s: NonZeroU32::new(60),
            log: Some(Level::Debug),
            threads: 9,
            ..config()
        };
        let change = |key, from: &str, to: &str| Change { key, from: from.to_owned(), to: to.to_owned() };
        assert_eq!(
            changes(&config(), &new),
            [
                change("idle_ms", "900000", "7"),
                change("age_max_s", "off", "60"),
                change("log", "off", "debug")
            ]
        );
        assert_eq!(changes(&new, &config()).len(), 3, "and back");
    }

    #[test]
    fn what_cannot_take_effect_is_named_with_the_way_to_do_it() {
        let same = Config { heads: Vec::new(), idle_ms: 7, connections_max: 7, ..config() };
        assert_eq!(left_out(&config(), &same), []);
        let other =
            Config { threads: config().threads + 1, ca: "d".into(), admin_socket: "b".into(), ..config() };
        assert_eq!(
            left_out(&config(), &other),
            [("admin_socket", Remedy::Restart), ("ca", Remedy::TakeOver), ("threads", Remedy::TakeOver)]
        );
        assert!(Remedy::TakeOver.advice().contains("--take-over"));
    }
}
