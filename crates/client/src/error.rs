//! What went wrong, by what the caller can do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use repono_core::etag::ETag;
use repono_core::name::NameError;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection: name, address, firewall or a service that is down. Nothing
    /// was sent.
    #[error("{endpoint} cannot be reached")]
    Unreachable {
        /// The service.
        endpoint: String,
        /// Why.
        source: io::Error,
    },
    /// The server's certificate was refused, or TLS failed otherwise. Nothing was
    /// sent.
    #[error("no secure connection to {endpoint}")]
    Tls {
        /// The service.
        endpoint: String,
        /// Why.
        source: repono_net::tls::HandshakeError,
    },
    /// All connections of the pool were taken for too long. Nothing was sent.
    #[error("no connection of the pool became free in time")]
    Busy,
    /// The connection broke. A GET or HEAD may be repeated; whether a write took
    /// effect must be looked up.
    #[error("the connection broke")]
    Broken(#[source] hyper::Error),
    /// The server stopped answering.
    #[error("no progress in time: {0}")]
    TimedOut(Stage),
    /// No valid credential: 401.
    #[error("the credentials were refused ({0})")]
    Unauthorized(Answer),
    /// The actor may not do this: 403.
    #[error("not allowed ({0})")]
    Forbidden(Answer),
    /// No such object, container or account: 404.
    #[error("not found ({0})")]
    NotFound(Answer),
    /// The state of the object or container forbids it: 409, 412.
    #[error("the present state does not allow it ({0})")]
    Conflict(Answer),
    /// Try again later: 408, 429, 5xx.
    #[error("the service cannot do it now ({0})")]
    Unavailable(Answer),
    /// The request itself is wrong: any other status.
    #[error("the request was refused ({0})")]
    Refused(Answer),
    /// The bytes do not match their checksum. A download is not published; an
    /// upload must be repeated.
    #[error("the bytes do not match their checksum: {expected} was expected, {found} was found")]
    Corrupt {
        /// The checksum that the server gave.
        expected: ETag,
        /// That of the bytes here.
        found: ETag,
    },
    /// A download ended with fewer or more bytes than announced.
    #[error("{found} bytes came instead of {expected}")]
    Length {
        /// Bytes announced.
        expected: u64,
        /// Bytes counted.
        found: u64,
    },
    /// The server's answer breaks the protocol.
    #[error("the server's answer makes no sense: {0}")]
    Protocol(&'static str),
    /// A local file cannot be read or written.
    #[error("{}", path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key cannot be the name of a local file below the destination.
    #[error("the key cannot be a local file: {reason}")]
    LocalName {
        /// The key.
        key: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// A local name cannot be a key.
    #[error("the local name {} cannot be a key", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Which rule it breaks.
        source: NameError,
    },
}

impl ClientError {
    /// The key or file that a local error is about.
    pub(crate) fn local_subject(&self) -> Option<String> {
        match self {
            Self::LocalName { key, .. } => Some(key.clone()),
            Self::Local { path, .. } | Self::Key { path, .. } => Some(path.display().to_string()),
            Self::Unreachable { .. }
            | Self::Tls { .. }
            | Self::Busy
            | Self::Broken(_)
            | Self::TimedOut(_)
            | Self::Unauthorized(_)
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::Conflict(_)
            | Self::Unavailable(_)
            | Self::Refused(_)
            | Self::Corrupt { .. }
            | Self::Length { .. }
            | Self::Protocol(_) => None,
        }
    }
}

/// What the client waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The server reads the request's body.
    Send,
    /// The request as a whole, with every attempt at it.
    Request,
    /// The server begins its reply.
    FirstByte,
    /// The reply goes on.
    Receive,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Send => "the request was not read",
            Self::Request => "the request took too long",
            Self::FirstByte => "no reply began",
            Self::Receive => "the reply stopped",
        })
    }
}

/// A refusal as the server gave it.
///
/// *Shape*: what is kept of a stranger's text is cut and cleaned: printable ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The code in the body, such as `NoSuchKey`; empty where there was none.
    pub code: String,
    /// `X-Trans-Id`, for the person who reads the server's journal.
    pub trans_id: String,
    /// `Retry-After`, in seconds.
    pub retry_after_s: Option<u32>,
}

impl Answer {
    /// The error of the kind that the status stands for.
    pub(crate) fn into_error(self) -> ClientError {
        match self.status {
            401 => ClientError::Unauthorized(self),
            403 => ClientError::Forbidden(self),
            404 => ClientError::NotFound(self),
            409 | 412 => ClientError::Conflict(self),
            408 | 429 | 500..=599 => ClientError::Unavailable(self),
            _ => ClientError::Refused(self),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if !self.trans_id.is_empty() {
            write!(f, ", {}", self.trans_id)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, ClientError};

    #[test]
    fn the_status_says_what_the_caller_can_do() {
        let of = |status| {
            Answer { status, code: String::new(), trans_id: String::new(), retry_after_s: None }.into_error()
        };
        assert!(matches!(of(401), ClientError::Unauthorized(_)));
        assert!(matches!(of(403), ClientError::Forbidden(_)));
        assert!(matches!(of(404), ClientError::NotFound(_)));
        assert!(matches!(of(409), ClientError::Conflict(_)));
        assert!(matches!(of(412), ClientError::Conflict(_)));
        assert!(matches!(of(503), ClientError::Unavailable(_)));
        assert!(matches!(of(416), ClientError::Refused(_)));
    }
}
