//! Where a service listens.

use std::fmt;

use rustls_pki_types::ServerName;

/// The longest host name (RFC 1035 section 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// Scheme, host and port of a service. HTTPS only: a ticket is a credential.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    host: String,
    port: u16,
    name: ServerName<'static>,
}

/// What is wrong with the URL of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not `https`.
    #[error("the URL must begin with https://")]
    Scheme,
    /// A user, a path, a query or a fragment.
    #[error("the URL must be https://HOST or https://HOST:PORT, with nothing after it")]
    Extra,
    /// No host, or one that is neither a name nor an address.
    #[error("the URL has no usable host")]
    Host,
    /// A port that is no number from 1 to 65535.
    #[error("the URL's port is not a number from 1 to 65535")]
    Port,
}

impl Endpoint {
    pub(crate) fn parse(url: &str) -> Result<Self, EndpointError> {
        let rest = url.strip_prefix("https://").ok_or(EndpointError::Scheme)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '@', '\\']) {
            return Err(EndpointError::Extra);
        }
        let (host, port) = split_port(authority)?;
        if host.is_empty() || host.len() > HOST_BYTES_MAX {
            return Err(EndpointError::Host);
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| EndpointError::Host)?;
        Ok(Self { host: host.to_owned(), port, name })
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn server_name(&self) -> ServerName<'static> {
        self.name.clone()
    }

    /// `HOST:PORT`, as the `Host` header has it: without the port where it is 443.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == 443 { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

/// Splits off the port, heeding the brackets of an IPv6 address.
fn split_port(authority: &str) -> Result<(&str, u16), EndpointError> {
    const HTTPS: u16 = 443;
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']').ok_or(EndpointError::Host)?;
            let port = match rest {
                "" => None,
                rest => Some(rest.strip_prefix(':').ok_or(EndpointError::Host)?),
            };
            (host, port)
        }
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let Some(port) = port else { return Ok((host, HTTPS)) };
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    match port.parse() {
        Ok(port) if digits && port > 0 => Ok((host, port)),
        _ => Err(EndpointError::Port),
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, EndpointError};

    #[test]
    fn urls_are_read_strictly() {
        let read = |url: &str| Endpoint::parse(url).map(|e| (e.host().to_owned(), e.port(), e.to_string()));
        let whole = |host: &str, port, url: &str| Ok((host.to_owned(), port, url.to_owned()));
        assert_eq!(read("https://h.example/"), whole("h.example", 443, "https://h.example"));
        assert_eq!(read("https://127.0.0.1:7443"), whole("127.0.0.1", 7443, "https://127.0.0.1:7443"));
        assert_eq!(read("https://[::1]:7443"), whole("::1", 7443, "https://[::1]:7443"));
        assert_eq!(read("http://h"), Err(EndpointError::Scheme));
        assert_eq!(read("https://u@h"), Err(EndpointError::Extra));
        assert_eq!(read("https://h/v1"), Err(EndpointError::Extra));
        assert_eq!(read("https://"), Err(EndpointError::Host));
        for bad in ["https://h:", "https://h:0", "https://h:65536", "https://h:+1"] {
            assert_eq!(read(bad), Err(EndpointError::Port), "{bad}");
        }
    }
}
