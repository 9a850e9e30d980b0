//! The table `swift_login` of the configuration.

use axum::http::Uri;
use repono_core::name::{AccountName, ApplicationName, NameError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of a storage URL: a host name has 253 at most (RFC 1035), a scheme and a port
/// 14.
const STORAGE_URL_BYTES_MAX: usize = 300;

/// Swift's v1 log-in names a user and a secret, and no application: the operator
/// names the one application whose users may log in so.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SwiftLogin {
    /// The application that tickets are issued through, and that their dev-ticket
    /// names. Its own secret is not asked for, so let it have only those users whose
    /// clients cannot log in otherwise.
    #[serde(deserialize_with = "application", serialize_with = "text")]
    pub application: ApplicationName,
    /// Where clients reach the heads: the balancer's public address, without a path,
    /// such as `https://store.example.net`.
    #[serde(deserialize_with = "storage_url", serialize_with = "text")]
    pub storage_url: StorageUrl,
}

/// `https://` and a host, perhaps with a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageUrl(Box<str>);

/// Why a text is no [`StorageUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageUrlError {
    /// Heads speak TLS alone.
    #[error("the URL does not begin with `https://`")]
    Scheme,
    /// No host, or a user before it.
    #[error("the URL names no host, or more than a host and a port")]
    Host,
    /// The path is that of the account, which is added.
    #[error("the URL has a path or a query")]
    Path,
    /// Longer than any host name with a port.
    #[error("the URL is longer than {STORAGE_URL_BYTES_MAX} bytes")]
    TooLong,
}

impl StorageUrl {
    /// The address of an account.
    #[must_use]
    pub fn of_account(&self, account: &AccountName) -> String {
        // Names of accounts are letters, digits and `._@-`: nothing to encode.
        format!("{}/v1/{account}", self.0)
    }
}

impl std::fmt::Display for StorageUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for StorageUrl {
    type Err = StorageUrlError;

    /// A slash at the end is dropped.
    fn from_str(text: &str) -> Result<Self, StorageUrlError> {
        if text.len() > STORAGE_URL_BYTES_MAX {
            return Err(StorageUrlError::TooLong);
        }
        let rest = text.strip_prefix("https://").ok_or(StorageUrlError::Scheme)?;
        let host = rest.strip_suffix('/').unwrap_or(rest);
        if host.contains(['/', '?', '#']) {
            return Err(StorageUrlError::Path);
        }
        let url = format!("https://{host}");
        let parsed: Uri = url.parse().map_err(|_| StorageUrlError::Host)?;
        let name = parsed.host().filter(|name| !name.is_empty()).ok_or(StorageUrlError::Host)?;
        // A user before the host would stand in between.
        match host.strip_prefix(name) {
            Some("") => Ok(Self(url.into())),
            Some(port) if is_port(port) => Ok(Self(url.into())),
            Some(_) | None => Err(StorageUrlError::Host),
        }
    }
}

/// Whether it is a colon and a port that can be connected to.
fn is_port(text: &str) -> bool {
    let digits = text.strip_prefix(':').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    digits.and_then(|digits| digits.parse::<u16>().ok()).is_some_and(|port| port > 0)
}

fn application<'de, D: Deserializer<'de>>(from: D) -> Result<ApplicationName, D::Error> {
    String::deserialize(from)?.parse().map_err(|error: NameError| serde::de::Error::custom(error))
}

fn storage_url<'de, D: Deserializer<'de>>(from: D) -> Result<StorageUrl, D::Error> {
    String::deserialize(from)?.parse().map_err(|error: StorageUrlError| serde::de::Error::custom(error))
}

fn text<S: Serializer>(value: &impl std::fmt::Display, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

#[cfg(test)]
mod tests {
    use super::{StorageUrl, StorageUrlError, SwiftLogin};

    #[test]
    fn a_storage_url_is_a_host_and_perhaps_a_port() {
        let account = "AUTH_a@b".parse().expect("a name");
        for (text, expected) in [
            ("https://store.example.net", "https://store.example.net/v1/AUTH_a@b"),
            ("https://store.example.net/", "https://store.example.net/v1/AUTH_a@b"),
            ("https://127.0.0.1:7443", "https://127.0.0.1:7443/v1/AUTH_a@b"),
            ("https://[2001:db8::1]:7443", "https://[2001:db8::1]:7443/v1/AUTH_a@b"),
        ] {
            let url: StorageUrl = text.parse().expect(text);
            assert_eq!(url.of_account(&account), expected);
        }
        let long = format!("https://{}", "a".repeat(300));
        for (text, expected) in [
            ("http://store.example.net", StorageUrlError::Scheme),
            ("store.example.net", StorageUrlError::Scheme),
            ("", StorageUrlError::Scheme),
            ("https://", StorageUrlError::Host),
            ("https://user@store.example.net", StorageUrlError::Host),
            ("https://store.example.net:", StorageUrlError::Host),
            ("https://store.example.net:0", StorageUrlError::Host),
            ("https://store.example.net:70000", StorageUrlError::Host),
            ("https://store example", StorageUrlError::Host),
            ("https://store\r\nX-Evil: 1", StorageUrlError::Host),
            ("https://store.example.net/v1", StorageUrlError::Path),
            ("https://store.example.net//", StorageUrlError::Path),
            ("https://store.example.net?a", StorageUrlError::Path),
            (&long, StorageUrlError::TooLong),
        ] {
            assert_eq!(text.parse::<StorageUrl>(), Err(expected), "{text:?}");
        }
    }

    /// A wrong value is found when the configuration is read, not at a log-in.
    #[test]
    fn the_table_is_checked_when_it_is_read() {
        let read = |application: &str, url: &str| {
            serde_json::from_value::<SwiftLogin>(
                serde_json::json!({"application": application, "storage_url": url}),
            )
        };
        let good = read("reports", "https://store.example.net/").expect("a table");
        let back = serde_json::to_value(&good).expect("written");
        assert_eq!(
            back,
            serde_json::json!({"application": "reports", "storage_url": "https://store.example.net"})
        );
        for (application, url) in
            [("no name", "https://a"), ("", "https://a"), ("reports", "http://a"), ("reports", "")]
        {
            read(application, url).expect_err("refused");
        }
    }
}
