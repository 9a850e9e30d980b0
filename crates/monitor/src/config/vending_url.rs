//! Where the vending service is.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;
use rustls_pki_types::ServerName;
use serde::{Deserialize, Serialize};

/// The port of HTTPS (RFC 9110 section 4.2.2).
const PORT: u16 = 443;

/// `https://HOST[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct VendingUrl {
    name: ServerName<'static>,
    port: u16,
}

/// Text that is no such URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the vending service is named as https://HOST or https://HOST:PORT, without a path")]
pub struct VendingUrlError;

impl VendingUrl {
    /// The host, as its certificate names it.
    #[must_use]
    pub fn name(&self) -> ServerName<'static> {
        self.name.clone()
    }

    /// Host and port, as the system's resolver and the field `Host` take them.
    #[must_use]
    pub fn authority(&self) -> String {
        match &self.name {
            ServerName::IpAddress(ip) => {
                let ip = std::net::IpAddr::from(*ip);
                std::net::SocketAddr::new(ip, self.port).to_string()
            }
            name => format!("{}:{}", name.to_str(), self.port),
        }
    }
}

impl FromStr for VendingUrl {
    type Err = VendingUrlError;

    fn from_str(text: &str) -> Result<Self, VendingUrlError> {
        let uri: Uri = text.parse().map_err(|_| VendingUrlError)?;
        let authority = uri.authority().ok_or(VendingUrlError)?;
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        if uri.scheme_str() != Some("https") || !bare || authority.as_str().contains('@') {
            return Err(VendingUrlError);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|_| VendingUrlError)?;
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => PORT,
            Some(port) => port.strip_prefix(':').and_then(|port| port.parse().ok()).ok_or(VendingUrlError)?,
            None => return Err(VendingUrlError),
        };
        Ok(Self { name, port })
    }
}

impl TryFrom<String> for VendingUrl {
    type Error = VendingUrlError;

    fn try_from(text: String) -> Result<Self, VendingUrlError> {
        text.parse()
    }
}

impl From<VendingUrl> for String {
    fn from(url: VendingUrl) -> Self {
        url.to_string()
    }
}

impl fmt::Display for VendingUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::VendingUrl;

    #[test]
    fn a_url_is_a_host_and_a_port() {
        for (text, authority) in [
            ("https://vending.example.net", "vending.example.net:443"),
            ("https://127.0.0.1:7444/", "127.0.0.1:7444"),
            ("https://[::1]:7444", "[::1]:7444"),
        ] {
            let url: VendingUrl = text.parse().unwrap();
            assert_eq!(url.authority(), authority);
            assert_eq!(url.to_string().parse(), Ok(url), "written as it is read");
        }
        for bad in [
            "",
            "vending:7444",
            "http://vending",
            "https://",
            "https://u@vending",
            "https://vending/v1",
            "https://vending?x",
            "https://ven ding",
            "https://vending:70000",
        ] {
            assert!(bad.parse::<VendingUrl>().is_err(), "{bad}");
        }
    }
}
