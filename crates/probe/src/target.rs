//! What is probed: one address, and how it is spoken to.

use std::io;
use std::net::SocketAddr;

use http::Uri;
use http::header::{HeaderName, HeaderValue};
use rustls_pki_types::ServerName;

/// A URL that cannot be probed.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Not `http://` or `https://` with a host.
    #[error("this cannot be probed: give a URL such as https://store.example.net/path")]
    Url,
    /// The name has no address.
    #[error("{host} has no address")]
    Unresolved {
        /// The name.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// Not `Name: value`.
    #[error("a header must look like `Name: value`")]
    Header,
}

/// An endpoint, and the request that it is asked again and again.
#[derive(Clone, Debug)]
pub struct Target {
    /// As it was given, without anything secret that a URL may hold.
    pub shown: String,
    /// Where connections go: one address, so that probes can be compared.
    pub address: SocketAddr,
    /// The name that a certificate must be for; `None` for plain HTTP.
    pub name: Option<ServerName<'static>>,
    authority: String,
    path: String,
    headers: String,
    /// Who asks, as the endpoint's own log tells.
    agent: &'static str,
}

/// How the end of a connection is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// The connection is to stay.
    Keep,
    /// `Connection: close`
    Close,
}

impl Target {
    /// Reads a URL, and looks its host up. Each of `headers` is `Name: value`, and is
    /// sent with every request, beside the name of who asks.
    ///
    /// *Errors*: [`TargetError`].
    pub async fn resolve(url: &str, headers: &[String], agent: &'static str) -> Result<Self, TargetError> {
        let Url { shown, host, port, name, authority, path } = Url::parse(url)?;
        let unresolved = |source| TargetError::Unresolved { host: host.clone(), source };
        let address = tokio::net::lookup_host((host.as_str(), port))
            .await
            .map_err(unresolved)?
            .next()
            .ok_or_else(|| unresolved(io::ErrorKind::NotFound.into()))?;
        Ok(Self { shown, address, name, authority, path, headers: written(headers)?, agent })
    }

    /// What a URL is shown as, without anything secret that it may hold. Nothing is
    /// looked up.
    ///
    /// *Errors*: [`TargetError::Url`].
    pub fn shown(url: &str) -> Result<String, TargetError> {
        Url::parse(url).map(|url| url.shown)
    }

    /// Whether it is this machine, which nobody else can be disturbed by.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// The request of every probe. HEAD: no method asks for less, and its answer has
    /// no body to read over (RFC 9110 section 9.3.2).
    pub fn head_request(&self, persistence: Persistence) -> Vec<u8> {
        let close = match persistence {
            Persistence::Keep => "",
            Persistence::Close => "Connection: close\r\n",
        };
        self.request("HEAD", close)
    }

    /// A GET, whose body nobody reads: its connection is dropped with it.
    pub fn get_request(&self) -> Vec<u8> {
        self.request("GET", "")
    }

    /// A PUT whose body never comes, so that nothing can be changed by it.
    pub fn expecting_request(&self) -> Vec<u8> {
        self.request("PUT", "Expect: 100-continue\r\nContent-Length: 1\r\n")
    }

    fn request(&self, method: &str, more: &str) -> Vec<u8> {
        let Self { authority, path, headers, agent, .. } = self;
        let version = env!("CARGO_PKG_VERSION");
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {agent}/{version}\r\n\
             Accept: */*\r\n{headers}{more}\r\n"
        )
        .into_bytes()
    }
}

/// A URL, as far as it is known without asking anybody.
struct Url {
    shown: String,
    host: String,
    port: u16,
    name: Option<ServerName<'static>>,
    authority: String,
    path: String,
}

impl Url {
    fn parse(url: &str) -> Result<Self, TargetError> {
        let uri: Uri = url.parse().map_err(|_| TargetError::Url)?;
        let unusable = || TargetError::Url;
        let authority = uri.authority().ok_or_else(unusable)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let (scheme, port) = match uri.scheme_str() {
            Some("https") => ("https", 443),
            Some("http") => ("http", 80),
            _ => return Err(unusable()),
        };
        let name = match scheme {
            "https" => Some(ServerName::try_from(host.clone()).map_err(|_| unusable())?),
            _ => None,
        };
        let own_port = authority.port_u16();
        // Without user and password.
        let authority = match own_port {
            Some(port) => format!("{}:{port}", authority.host()),
            None => authority.host().to_owned(),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let shown = format!("{scheme}://{authority}{}", uri.path());
        Ok(Self { shown, host, port: own_port.unwrap_or(port), name, authority, path })
    }
}

/// The lines of these headers.
fn written(headers: &[String]) -> Result<String, TargetError> {
    let mut lines = String::new();
    for header in headers {
        let (name, value) = header.split_once(':').ok_or(TargetError::Header)?;
        let name: HeaderName = name.trim().parse().map_err(|_| TargetError::Header)?;
        let value = HeaderValue::from_str(value.trim()).map_err(|_| TargetError::Header)?;
        let value = value.to_str().map_err(|_| TargetError::Header)?;
        lines.extend([name.as_str(), ": ", value, "\r\n"]);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::{Target, TargetError};

    #[test]
    fn a_url_is_shown_without_what_it_may_hide() {
        let shown = |url: &str| Target::shown(url).expect("a URL");
        assert_eq!(shown("https://a:canary@store.example:7443/x?k=canary"), "https://store.example:7443/x");
        assert_eq!(shown("http://[::1]"), "http://[::1]/");
        for wrong in ["store.example", "ftp://store.example/", "https://", "/x"] {
            assert!(matches!(Target::shown(wrong), Err(TargetError::Url)), "{wrong}");
        }
    }
}
