//! What is relayed to whom, and how much of it is read.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use repono_net::tls::Trust;

/// Everything a recorder needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients connect to; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where their connections go on to.
    pub to: Destination,
    /// How much is read.
    pub depth: Depth,
    /// The folder of the journal, and of the authority's certificate.
    pub dir: PathBuf,
}

/// How much of a connection is read.
#[derive(Clone, Debug)]
pub enum Depth {
    /// Bytes as they are: turns, quiet, ends. Of TLS only the handshake can be told from
    /// the rest; where there is none, the heads of HTTP are read.
    Layer4,
    /// TLS is taken off with a certificate of our own, and put on again.
    Requests {
        /// Whom to believe that it is the server.
        trust: Trust,
    },
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Its name, or its address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Neither a host and a port nor a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give HOST:PORT, or a URL such as https://store.example.net")]
pub struct DestinationError;

impl FromStr for Destination {
    type Err = DestinationError;

    /// `host:port`, `[::1]:port`, or a URL, of which the rest is left out.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rest, usual) = match text.split_once("://") {
            Some(("https", rest)) => (rest, Some(443)),
            Some(("http", rest)) => (rest, Some(80)),
            Some(_) => return Err(DestinationError),
            None => (text, None),
        };
        let authority =
            if usual.is_some() { rest.split(['/', '?', '#']).next().unwrap_or_default() } else { rest };
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or(DestinationError)?;
                (host, rest.strip_prefix(':').or(rest.is_empty().then_some("")).ok_or(DestinationError)?)
            }
            None => authority.split_once(':').unwrap_or((authority, "")),
        };
        let port = match (port, usual) {
            ("", usual) => usual.ok_or(DestinationError)?,
            (port, _) => port.parse().map_err(|_| DestinationError)?,
        };
        let is_sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || port == 0 || !host.chars().all(is_sound) {
            return Err(DestinationError);
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::{Destination, DestinationError};

    #[test]
    fn hosts_and_urls_are_read() {
        let read = |text: &str| text.parse::<Destination>().map(|to| to.to_string());
        for (text, to) in [
            ("store.example.net:443", "store.example.net:443"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("[::1]:7443", "[::1]:7443"),
            ("https://store.example.net", "store.example.net:443"),
            ("http://store.example.net/a:b?c", "store.example.net:80"),
            ("https://[::1]:9/", "[::1]:9"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(to), "{text}");
        }
        for text in [
            "",
            "store",
            "store:",
            "store:0",
            "store:70000",
            ":443",
            "ftp://a",
            "[::1",
            "[::1]x",
            "a b:1",
            "u@h:1",
        ] {
            assert_eq!(read(text), Err(DestinationError), "{text}");
        }
    }
}
